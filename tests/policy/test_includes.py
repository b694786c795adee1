"""Fragments: whatever stands in another file counts, is found there, and is recorded."""

from __future__ import annotations

from pathlib import Path

import pytest

from adjudge.errors import PolicyErrors
from adjudge.model import Outcome
from adjudge.policy import Policy, load_policy
from adjudge.policy.loading.load import read_policy, read_policy_file

ROOT = """policy_language: 1
policy: shop
include: [shared/device.yaml, country.yaml]
inputs: {amount: int}
thresholds: {amount: {review: 100}}
rules:
  - {id: rich-and-risky, when: amount > 50 && risky, then: reject}
"""
DEVICE = """policy_language: 1
fragment: device
description: The check of devices, for all shops
signals:
  device: {fields: {score: {type: double, range: [0, 100]}}}
variables: {risky: device.score >= 70.0}
thresholds: {device.score: {review: 90}}
lists: {sold: {file: sold.txt}}
reasons: {HIGH: {weight: 5, text: too high}}
rules:
  - id: high
    when: |
      device.score >
        95.0
    then: reject
"""
COUNTRY = """policy_language: 1
fragment: country
inputs: {country: string}
rules:
  - {id: sold-there, when: country in lists.sold, then: review}
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "shared").mkdir()
    (tmp_path / "shop.yaml").write_text(ROOT)
    (tmp_path / "shared" / "device.yaml").write_text(DEVICE)
    (tmp_path / "shared" / "sold.txt").write_text("SG\n")
    (tmp_path / "country.yaml").write_text(COUNTRY)
    return tmp_path


def codes(folder: Path) -> list[tuple[str, str, int]]:
    with pytest.raises(PolicyErrors) as caught:
        read_policy_file(folder / "shop.yaml")
    return [(e.code, Path(e.file).relative_to(folder).as_posix(), e.line) for e in caught.value.errors]


def test_sections_of_fragments_follow_those_of_the_policy(folder: Path) -> None:
    policy = load_policy(folder / "shop.yaml")
    assert [rule.id for rule in policy.typed.rules] == [
        "threshold:amount:review", "threshold:device.score:review", "rich-and-risky", "high", "sold-there",
    ]  # fmt: skip
    assert policy.typed.lists == {"sold": ("SG",)}
    given = {"amount": 60, "country": "SG", "device": {"score": 75}}
    verdict = policy.evaluate(given)
    assert verdict.outcome is Outcome.REJECT
    assert verdict.matched == ("rich-and-risky", "sold-there")


CARDS = """scorecards:
  device:
    points: [{id: high, when: device.score > 50.0, add: 40}]
    bands: {review: 40}
"""
CARD = "scorecard:\n  points: [{when: amount > 5, add: 40}]\n  bands: {review: 40}\n"


def test_scorecards_of_several_files_are_joined_by_name(folder: Path) -> None:
    (folder / "shared" / "device.yaml").write_text(DEVICE + CARDS)
    (folder / "shop.yaml").write_text(
        ROOT + CARDS.replace("device:", "amount:").replace("device.score > 50.0", "amount > 5")
    )
    policy = load_policy(folder / "shop.yaml")
    assert [row.name for row in policy.typed.rows] == ["amount:high", "device:high"]
    verdict = policy.evaluate({"amount": 6, "country": "FR", "device": {"score": 60}})
    assert verdict.scores == {"amount": (40, 40), "device": (40, 40)}
    assert verdict.reasons == ("SCORECARD_AMOUNT", "SCORECARD_DEVICE")


def test_scorecard_in_a_fragment_counts(folder: Path) -> None:
    (folder / "country.yaml").write_text(COUNTRY + CARD)
    assert load_policy(folder / "shop.yaml").evaluate({"amount": 6}).score == (40, 40)


def test_scorecard_of_one_name_in_two_files_is_refused(folder: Path) -> None:
    (folder / "country.yaml").write_text(COUNTRY + CARDS)
    (folder / "shop.yaml").write_text(ROOT + CARDS)
    assert codes(folder) == [("name-duplicate", "country.yaml", 7)]
    (folder / "country.yaml").write_text(COUNTRY + CARD)
    (folder / "shop.yaml").write_text(ROOT + CARD)
    assert codes(folder) == [("name-duplicate", "country.yaml", 6)]
    (folder / "shop.yaml").write_text(ROOT + CARDS)
    assert codes(folder) == [("schema-scorecards", "country.yaml", 6)]


def test_place_of_a_rule_is_in_its_own_file(folder: Path) -> None:
    explanation = load_policy(folder / "shop.yaml").explain({"device": {"score": 99}})
    places = {rule.id: Path(rule.place).relative_to(folder).as_posix() for rule in explanation.rules}
    assert places["high"] == "shared/device.yaml:11"
    assert places["rich-and-risky"] == "shop.yaml:7"
    assert places["sold-there"] == "country.yaml:5"


def test_mistakes_of_several_files_are_told_together(folder: Path) -> None:
    (folder / "shared" / "device.yaml").write_text(DEVICE.replace("95.0", '"95"'))
    (folder / "country.yaml").write_text(COUNTRY.replace("country in", "contry in"))
    assert codes(folder) == [("name-unknown", "country.yaml", 5), ("type-mismatch", "shared/device.yaml", 14)]


def test_fragment_that_is_no_yaml_does_not_hide_the_rest(folder: Path) -> None:
    (folder / "country.yaml").write_text("policy_language: 1\nfragment: country\ninputs: {country\n")
    assert ("yaml-syntax", "country.yaml", 3) in codes(folder)


def test_digest_covers_fragments_and_their_lists(folder: Path) -> None:
    before = read_policy_file(folder / "shop.yaml")
    assert set(before.texts) == {"shared/device.yaml", "shared/sold.txt", "country.yaml"}
    digests = {before.digest}
    (folder / "country.yaml").write_text(COUNTRY + "\n")
    digests.add(read_policy_file(folder / "shop.yaml").digest)
    (folder / "shared" / "sold.txt").write_text("DE\n")
    digests.add(read_policy_file(folder / "shop.yaml").digest)
    assert len(digests) == 3


def test_recorded_texts_load_the_same_policy_without_files(folder: Path) -> None:
    before = read_policy_file(folder / "shop.yaml")
    root, _ = before.source.part(0)
    assert root.text == ROOT
    again = read_policy(root.text, "shop.yaml", texts=before.texts)
    assert again.digest == before.digest
    given = {"amount": 60, "country": "SG", "device": {"score": 96}}
    assert Policy(again).evaluate(given) == Policy(before).evaluate(given)


def test_list_of_a_fragment_cannot_leave_the_policys_folder(folder: Path) -> None:
    (folder / "shared" / "device.yaml").write_text(DEVICE.replace("sold.txt", "../../sold.txt"))
    assert codes(folder) == [("list-outside", "shared/device.yaml", 8)]


def test_fragment_over_a_link_is_refused(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    elsewhere = tmp_path_factory.mktemp("elsewhere") / "country.yaml"
    elsewhere.write_text(COUNTRY)
    (folder / "country.yaml").unlink()
    (folder / "country.yaml").symlink_to(elsewhere)
    assert codes(folder) == [("include-outside", "shop.yaml", 3)]


def test_fragment_of_a_policy_that_is_only_a_text_is_refused() -> None:
    with pytest.raises(PolicyErrors) as caught:
        read_policy(ROOT)
    assert [error.code for error in caught.value.errors][:2] == ["include-folder"] * 2


def test_fragment_larger_than_allowed_is_refused(folder: Path) -> None:
    (folder / "country.yaml").write_text("#" * (10 * 1024 * 1024 + 1))
    assert ("include-size", "shop.yaml", 3) in codes(folder)


def test_section_of_another_kind_is_blamed_in_the_fragment(folder: Path) -> None:
    (folder / "country.yaml").write_text(COUNTRY.replace("inputs: {country: string}", "inputs: [country]"))
    assert ("schema-type", "country.yaml", 3) in codes(folder)


def test_fragment_of_another_language_is_refused(folder: Path) -> None:
    (folder / "country.yaml").write_text(COUNTRY.replace("policy_language: 1", "policy_language: 2"))
    assert ("schema-policy-language", "country.yaml", 1) in codes(folder)


def test_too_many_fragments_are_refused(folder: Path) -> None:
    paths = ", ".join(f"f{at}.yaml" for at in range(51))
    (folder / "shop.yaml").write_text(f"policy_language: 1\npolicy: shop\ninclude: [{paths}]\n")
    assert ("schema-range", "shop.yaml", 3) in codes(folder)


JOINT = """policy_language: 1
policy: shop
include: [shared/rest.yaml]
inputs: {emulator: bool, amount: int, limit: {type: money, currencies: [SGD, USD]}, known: bool}
rates: {USD: {SGD: 0.75}}
steps: {selfie: Please take a selfie.}
rules:
  - {id: rich, when: 'limit.in("USD") > 50', then: review, ask: [document, selfie]}
excuse: {when: known, from: review, rules: [rich]}
"""
REST = """policy_language: 1
fragment: rest
rates: {SGD: {USD: 1.25}}
steps: {document: Please show your document.}
excuse:
  - {id: small, when: amount < 10, from: review}
thresholds: {amount: {review: {at: 90, ask: [document]}}}
scorecard:
  points: [{when: emulator, add: 40}]
  bands: {review: {at: 40, ask: [selfie]}}
"""


def test_excuses_steps_rates_scorecards_and_thresholds_come_from_fragments(folder: Path) -> None:
    (folder / "shop.yaml").write_text(JOINT)
    (folder / "shared/rest.yaml").write_text(REST)
    policy = load_policy(folder / "shop.yaml")
    typed = policy.typed
    assert list(typed.steps) == ["selfie", "document"]
    assert typed.rates == {"USD": {"SGD": 0.75}, "SGD": {"USD": 1.25}}
    assert [excuse.id for excuse in typed.excuses] == ["excuse-1", "small"]
    rich = {"limit": {"amount": 100, "currency": "SGD"}, "known": False, "amount": 50, "emulator": False}
    assert policy.evaluate(rich).ask == ("selfie", "document")
    assert policy.evaluate({**rich, "known": True}).outcome is Outcome.PASS
    assert policy.evaluate({**rich, "amount": 5, "emulator": True}).outcome is Outcome.PASS
    assert policy.evaluate({**rich, "known": True, "emulator": True}).ask == ("selfie",)
    assert policy.evaluate({**rich, "known": True, "amount": 95}).ask == ("document",)


@pytest.mark.parametrize("kept", ["excuse", "steps", "rates", "scorecard", "thresholds"])
def test_section_of_a_fragment_is_the_policys_where_that_has_none(folder: Path, kept: str) -> None:
    section = next(part for part in REST.split("\n") if part.startswith(f"{kept}:"))
    at = REST.index(section)
    lines = REST[at:].split("\n")
    body = [lines[0], *(line for line in _until_key(lines[1:]))]
    (folder / "shared/rest.yaml").write_text("\n".join(["policy_language: 1", "fragment: rest", *body]) + "\n")
    more = "" if kept == "steps" else "steps: {document: Show it., selfie: Take one.}\n"
    head = "policy_language: 1\npolicy: shop\ninclude: [shared/rest.yaml]\n"
    (folder / "shop.yaml").write_text(
        f"{head}{more}inputs: {{emulator: bool, amount: int}}\nrules: [{{id: a, when: amount > 1, then: review}}]\n"
    )
    typed = load_policy(folder / "shop.yaml").typed
    assert any((typed.excuses, typed.rates, typed.scorecards, len(typed.rules) > 1, "selfie" not in typed.steps))


def _until_key(lines: list[str]) -> list[str]:
    at = next((at for at, line in enumerate(lines) if line and not line.startswith(" ")), len(lines))
    return lines[:at]


@pytest.mark.parametrize(
    "line",
    ["gather: thrifty", "explore: 2%", "when_unknown: pass", "scenes: [onboard001]", "sample: {share: 2%}"],
)
def test_what_is_for_a_whole_policy_is_one_clear_mistake_in_a_fragment(folder: Path, line: str) -> None:
    (folder / "country.yaml").write_text(f"{COUNTRY}{line}\n")
    with pytest.raises(PolicyErrors) as caught:
        read_policy_file(folder / "shop.yaml")
    error = caught.value.errors[0]
    assert (error.code, error.line) == ("include-fragment", 6)
    assert error.message == f"`{line.partition(':')[0]}` is for a whole policy, not for a fragment"
    assert error.hint == "write it in the policy that includes this fragment"


def test_step_and_rate_that_two_files_declare_are_told(folder: Path) -> None:
    (folder / "shop.yaml").write_text(JOINT.replace("selfie: Please", "document: Please").replace("USD: {", "SGD: {"))
    (folder / "shared/rest.yaml").write_text(REST)
    found = [code for code, file, _ in codes(folder) if file == "shared/rest.yaml"]
    assert found.count("name-duplicate") == 2
