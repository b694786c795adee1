from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("z3", reason="needs the extra `proofs`")


def decisions(run: Any, log: Path) -> list[dict[str, Any]]:
    lines = run("audit", "show", log, "--format", "json").stdout.splitlines()
    return [record for record in map(json.loads, lines) if record["kind"] == "decision"]


def test_explain_says_why_and_what_would_have_changed_it(run: Any, log: Path) -> None:
    _, review, *_ = decisions(run, log)
    result = run("explain", log, review["decision_id"])
    assert result.exit_code == 0, result.stderr
    assert "because of DEVICE_SCORE" in result.stdout
    assert "pass with device.score: 75.0 → 69.9" in result.stdout


def test_explain_json_holds_both(run: Any, log: Path) -> None:
    _, review, *_ = decisions(run, log)
    document = json.loads(run("explain", log, review["decision_id"], "--format", "json").stdout)
    assert document["reasons"] == [{"code": "DEVICE_SCORE", "text": None, "in_doubt": False}]
    assert document["changes"]["ways"][0]["outcome"] == "pass"


TOLD = """policy_language: 1
policy: told
inputs: {age: int, country: string, hobbies: {type: list, of: string}}
rules:
  - {id: young, when: age < 18, then: review}
  - {id: outside, when: 'country == "KP"', then: reject}
  - {id: busy, when: size(hobbies) > 1, then: review, message: "does {hobbies}"}
reasons:
  YOUNG: {text: You are too young.}
  OUTSIDE: {text: We do not serve your country.}
"""


def told(run: Any, folder: Path, **inputs: object) -> Callable[..., str]:
    (folder / "told.yaml").write_text(TOLD)
    document = {"merchant_biz_id": "0" * 32, "scene_code": "a", "inputs": inputs}
    (folder / "told.json").write_text(json.dumps(document))
    assert (
        run("decide", folder / "told.json", "--policy", folder / "told.yaml", "--audit", folder / "log").exit_code == 0
    )
    (decision,) = decisions(run, folder / "log")
    return lambda *options: run("explain", folder / "log", decision["decision_id"], *options).stdout


def test_explain_tells_an_applicant_facts_and_no_doubts(run: Any, tmp_path: Path) -> None:
    explain = told(run, tmp_path, age=17)
    said = explain("--applicant")
    assert "too young" in said and "your country" not in said
    assert json.loads(explain("--applicant", "--format", "json"))["reasons"] == [{"text": "You are too young."}]


AFTER = """policy_language: 1
policy: after
inputs: {age: int, name: {type: string, personal: true}}
sample: {share: 100%, of: pass, then: review, reason: QA}
rules:
  - {id: young, when: age < 18, then: reject, confirm: person}
  - {id: named, when: name == "Eve", then: reject}
reasons:
  YOUNG: {text: You are too young.}
  NAMED: {text: We know you.}
"""


def after(run: Any, folder: Path, **inputs: object) -> Callable[..., str]:
    """Decide by a policy that samples and confirms; return `adjudge explain` of the decision."""
    (folder / "after.yaml").write_text(AFTER)
    request = {"merchant_biz_id": "0" * 32, "scene_code": "a", "inputs": {"name": "Ann", **inputs}}
    (folder / "after.json").write_text(json.dumps(request))
    run("decide", folder / "after.json", "--policy", folder / "after.yaml", "--audit", folder / "log")
    (decision,) = decisions(run, folder / "log")
    return lambda *options: run("explain", folder / "log", decision["decision_id"], *options).stdout


def test_explain_of_a_sampled_pass_says_review(run: Any, tmp_path: Path) -> None:
    explain = after(run, tmp_path, age=30)
    assert "decided as review: sampled for a person, QA; the verdict itself is:\npass\n" in explain()
    document = json.loads(explain("--format", "json"))
    assert (document["decided"], document["outcome"]) == ("review", "pass")
    assert document["sampled"] == {"reason": "QA", "share": 1.0}


def test_explain_never_tells_an_applicant_who_was_sampled(run: Any, tmp_path: Path) -> None:
    explain = after(run, tmp_path, age=30)
    _, *said = explain("--applicant").splitlines()
    assert said == ["review", "  this application is looked at by a person"]
    document = json.loads(explain("--applicant", "--format", "json"))
    assert document["outcome"] == "review" and document["changes"] is None
    assert "sampled" not in document and "decided" not in document


def test_explain_says_that_a_person_has_to_confirm(run: Any, tmp_path: Path) -> None:
    explain = after(run, tmp_path, age=3)
    assert "\nnot final before a person has confirmed it\n" in explain()
    assert json.loads(explain("--format", "json"))["final"] is False
    assert "confirm" not in explain("--applicant") and "You are too young." in explain("--applicant")


def test_explain_goes_by_the_newest_label(run: Any, tmp_path: Path) -> None:
    explain = after(run, tmp_path, age=3)
    said = {
        "fraud": ("final: a person has confirmed it", True),
        "genuine": ("not final: a person has found it genuine", False),
    }
    (decision,) = decisions(run, tmp_path / "log")
    for label in ("fraud", "genuine", "fraud"):
        labelled = run("audit", "label", tmp_path / "log", decision["decision_id"], label, "--source", "kim")
        assert labelled.exit_code == 0, labelled.stderr
        line, final = said[label]
        assert explain().splitlines()[1] == line
        assert json.loads(explain("--format", "json"))["final"] is final
        assert "final" not in explain("--applicant") and "person" not in explain("--applicant")


def test_label_of_a_decision_that_is_final_changes_nothing_in_explain(run: Any, tmp_path: Path) -> None:
    explain = after(run, tmp_path, age=30, name="Eve")
    before = explain()
    (decision,) = decisions(run, tmp_path / "log")
    run("audit", "label", tmp_path / "log", decision["decision_id"], "genuine", "--source", "kim")
    assert explain() == before and "final" not in before
    assert json.loads(explain("--format", "json"))["final"] is True


def test_explain_of_erased_values_keeps_to_what_was_decided(run: Any, tmp_path: Path) -> None:
    explain = after(run, tmp_path, age=30, name="Eve")
    assert "We know you." in explain("--applicant")
    erased = run("audit", "erase", tmp_path / "log", "--merchant-biz-id", "0" * 32, "--reason", "asked", "--yes")
    assert erased.exit_code == 0, erased.stderr
    assert "decided as reject; without those values it is:\nreview," in explain()
    _, lost, *said = explain("--applicant").splitlines()
    assert lost.startswith("not in the vault any more")
    assert said == ["reject", "  this application cannot be accepted as it stands"]


def test_show_finds_a_sampled_decision_by_what_it_was(run: Any, tmp_path: Path) -> None:
    after(run, tmp_path, age=30)
    log = tmp_path / "log"
    assert run("audit", "show", log, "--outcome", "review", "--count").stdout == "1\n"
    assert run("audit", "show", log, "--outcome", "pass", "--count").stdout == "0\n"
    assert ",review," in run("audit", "show", log, "--outcome", "review", "--format", "csv").stdout
    assert run("audit", "show", log, "--by", "age").stdout.split()[-3:] == ["0.0%", "100.0%", "0.0%"]


def test_explain_tells_an_applicant_in_doubt_no_reason(run: Any, tmp_path: Path) -> None:
    explain = told(run, tmp_path, hobbies=[])
    said = explain("--applicant")
    assert "not everything that is needed could be checked" in said
    assert "young" not in said and "country" not in said and "YOUNG" not in said
    document = json.loads(explain("--applicant", "--format", "json"))
    assert (document["in_doubt"], document["reasons"]) == (
        True,
        [{"text": "not everything that is needed could be checked"}],
    )
    assert "in doubt about YOUNG, OUTSIDE" in explain()


@pytest.mark.parametrize(
    ("locale", "said"),
    [
        ("en", "not everything that is needed could be checked"),
        ("zh-CN", "\u90e8\u5206\u5fc5\u8981\u4fe1\u606f\u672a\u80fd\u6838\u5b9e"),
        ("zh-HK", "\u90e8\u5206\u5fc5\u8981\u8cc7\u8a0a\u672a\u80fd\u6838\u5be6"),
        ("fr", "not everything that is needed could be checked"),
    ],
)
def test_explain_tells_an_applicant_a_neutral_text_in_their_language(
    run: Any, tmp_path: Path, locale: str, said: str
) -> None:
    explain = told(run, tmp_path, hobbies=[])
    assert said in explain("--applicant", "--locale", locale)


@pytest.mark.parametrize("locale", ["zh", "zh-CN", "zh-HK"])
def test_explain_tells_an_applicant_in_their_language_alone(run: Any, tmp_path: Path, locale: str) -> None:
    explain = told(run, tmp_path, age=20, country="SG", hobbies=["chess", "golf"])
    (decision,) = decisions(run, tmp_path / "log")
    said = explain("--applicant", "--locale", locale).replace(decision["decision_id"], "")
    head, *lines = said.split("\n")
    assert "\u7b56\u7565" in head
    words = {word for line in lines for word in re.findall(r"[a-z]{2,}", line)}
    assert words <= {"age", "country", "hobbies", "chess", "golf"}, words
    assert any("\uff1a" in line for line in lines)
    assert "what would have changed it:" in explain("--locale", locale)


def test_explain_never_tells_an_applicant_a_code(run: Any, tmp_path: Path) -> None:
    explain = told(run, tmp_path, age=20, country="SG", hobbies=["chess", "golf"])
    assert "because of BUSY" in explain()
    assert "BUSY" not in explain("--applicant") and "BUSY" not in explain("--applicant", "--format", "json")


def test_explain_tells_an_applicant_a_neutral_text_where_the_policy_has_none(run: Any, tmp_path: Path) -> None:
    explain = told(run, tmp_path, age=20, country="SG", hobbies=["chess", "golf"])
    said = explain("--applicant")
    assert "this application is looked at by a person" in said or "cannot be accepted as it stands" in said
    assert json.loads(explain("--applicant", "--format", "json"))["reasons"] != []


def test_explain_reads_a_list_in_a_message_as_words(run: Any, tmp_path: Path) -> None:
    explain = told(run, tmp_path, age=20, country="SG", hobbies=["chess", "golf"])
    assert "“does chess, golf”" in explain()


def test_explain_says_of_a_message_in_doubt_that_it_may_not_be_so(run: Any, tmp_path: Path) -> None:
    assert "if it is so: “does unknown”" in told(run, tmp_path, age=20, country="SG")()


def test_explain_names_the_recorded_policy_by_its_digest_and_not_by_a_file(run: Any, tmp_path: Path) -> None:
    said = told(run, tmp_path, age=17)()
    digest = said.partition(" by told ")[2][:12]
    assert f"(told@{digest}:5)" in said and "told.yaml" not in said


def test_explain_tells_an_applicant_no_rules(run: Any, log: Path) -> None:
    _, review, *_ = decisions(run, log)
    said = run("explain", log, review["decision_id"], "--applicant").stdout
    assert "threshold:" not in said
    assert "no change of up to" in said


def test_explain_of_a_pass_has_nothing_to_change(run: Any, log: Path) -> None:
    passed, *_ = decisions(run, log)
    assert "what would have changed it" not in run("explain", log, passed["decision_id"]).stdout


def test_explain_of_another_id_says_so(run: Any, log: Path) -> None:
    result = run("explain", log, "nobody")
    assert result.exit_code == 2
    assert "holds no decision nobody" in result.stderr
