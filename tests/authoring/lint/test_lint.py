"""Each rule of the linter: an example that it finds, and one beside it that it leaves alone."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import date
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from adjudge.authoring.lint.finding import LintFinding
from adjudge.authoring.lint.fix import fixed, mended
from adjudge.authoring.lint.run import RULES, UNUSED_ALLOWANCE, lint
from adjudge.policy import Catalogue, parse_policy
from adjudge.policy.loading.load import read_policy, read_policy_file
from adjudge.source import Edit, Span
from adjudge_plugins.lists import LISTS
from policy.random_policies import NOW, policies, requests

ROOT = Path(__file__).parents[3]
TODAY = date(2026, 11, 25)
HEAD = """policy_language: 1
policy: linted
inputs:
  country: string
  share: {type: double, range: [0, 1]}
  count: {type: int, range: [0, 100]}
  email: {type: string, personal: true}
signals:
  face:
    fields:
      tags: {type: set, values: [Forgery, Remake]}
      score: {type: map, keys: [Forgery, Remake], of: {type: double, range: [0, 1]}, absent: 0}
lists:
  bad: [KP]
  worse: [IR]
variables:
  odd: count > 50
  odder: odd && share > 0.1
"""
USES = """rules:
  - {id: u1, when: country in lists.bad || country in lists.worse, then: reject}
  - {id: u2, when: odder, then: review}
  - {id: u3, when: 'email == "x"', then: review}
  - {id: u4, when: '"Forgery" in face.tags || face.score.Remake > 0.4', then: review}
  - {id: u5, when: size(face.novel_tags) > 0, then: review}
"""


def found(text: str, **asked: object) -> list[LintFinding]:
    typed = read_policy(text, "linted.yaml", catalogue=Catalogue(providers={"lists": LISTS}))
    return list(lint(typed, today=TODAY, **asked))  # type: ignore[arg-type]


WEIGHED = """policy_language: 1
policy: weighed
inputs:
  country: string
  score: {type: double, range: [0, 100], riskier: lower}
  tries: {type: int, range: [0, 9], riskier: lower}
lookup:
  weight: {by: country, values: {SG: 0, ID: 10, PH: 25}, else: 40}
scorecard:
  points:
    - {id: by-country, when: 'score < 0.7 && country != "any" && has(score)', add: weight}
    - {id: tried, add: tries}
    - {when: tries > 5, add: 10}
  bands: {review: 40}
"""


def test_a_row_that_takes_its_points_from_a_table_is_blamed_once() -> None:
    assert [(one.code, one.message) for one in found(WEIGHED, has_tests=True)] == [
        ("bound-scale", "`by-country` of the scorecard compares `score`, which goes up to 100, with 0.7"),
        ("softening-has",
         "without `score`, `by-country` of the scorecard does not apply: losing it softens the outcome"),
        ("against-riskier",
         "`tried` of the scorecard catches the side of `tries` that is declared the safer one, riskier: lower"),
        ("against-riskier",
         "row 3 of the scorecard catches the side of `tries` that is declared the safer one, riskier: lower"),
        ("overlapping-points", "`tries > 5` and `tries` can both hold"),
    ]  # fmt: skip


def codes(text: str, **asked: object) -> list[str]:
    return [finding.code for finding in found(text, **asked)]


def without(line: str, text: str = HEAD + USES) -> str:
    assert line in text
    return text.replace(line, "")


def rule(text: str, uses: str = USES) -> str:
    return HEAD + uses + f"  - {{id: more, {text}}}\n"


def excuse(when: str) -> str:
    return HEAD + USES + f"excuse: {{when: {when}, from: review}}\n"


def card(*rows: str) -> str:
    points = "".join(f"    - {{{row}}}\n" for row in rows)
    return HEAD + USES + f"scorecard:\n  points:\n{points}  bands: {{review: 10}}\n"


def asking(of: str) -> str:
    signal = f"  block:\n    provider: lists\n    with: {{hit: {{file: x.txt, of: {of}}}}}\n"
    return HEAD.replace("lists:\n", f"{signal}lists:\n") + USES + "  - {id: more, when: block.hit, then: reject}\n"


def flags(condition: str) -> str:
    inputs = "inputs:\n  flags: {type: set, values: [vpn, tor]}\n"
    return HEAD.replace("inputs:\n", inputs) + USES + f"  - {{id: more, when: {condition}, then: review}}\n"


def more_tags(condition: str) -> str:
    fields = "    fields:\n      more: {type: set, values: [X, Y]}\n"
    return HEAD.replace("    fields:\n", fields) + USES + f"  - {{id: more, when: {condition}, then: review}}\n"


POINTS = "    - {{when: trust > 0.9, add: {0}}}\n    - {{when: odd, add: 10}}\n"
ROW = f"scorecard:\n  points:\n{POINTS}  bands: {{{{review: 10}}}}\n"


def for_a_while(text: str) -> str:
    return text.replace("then: review}\n", "then: review, until: 2027-01-01}\n")


def risky(declared: str, condition: str, outcome: str = "review") -> str:
    inputs = f"inputs:\n  {declared}\n"
    return HEAD.replace("inputs:\n", inputs) + USES + f"  - {{id: more, when: {condition}, then: {outcome}}}\n"


LEVEL = "level: {type: enum, values: [low, middle, high], riskier: higher}"
OTHER = "  - {id: x, when: share > 0.8, then: review, message: c}\n"


def table(cell: str) -> str:
    return f"{HEAD}{USES}tables:\n  t: {{then: review, rows: [{{country: {cell}}}]}}\n"


EXAMPLES: list[tuple[str, str, str]] = [
    (
        "review-past-reject",
        rule("when: share > 0.9, then: review") + "  - {id: no, when: share >= 0, then: reject}\n",
        rule("when: share > 0, then: review") + "  - {id: no, when: share > 0.5, then: reject}\n",
    ),
    ("unmentioned-tag", flags("'\"vpn\" in flags'"), flags('\'"vpn" in flags || "tor" in flags\'')),
    ("unmentioned-tag", flags("has(flags) && 'vpn' in flags"), flags("size(flags) > 0")),
    ("unhandled-novel", flags("size(flags) > 0"), flags("size(flags) > 0 || size(novel_flags) > 0")),
    (
        "unhandled-novel",
        more_tags("size(face.more) > 1"),
        more_tags("size(face.more) > 1 || size(face.novel_more) > 0"),
    ),
    (
        "softening-has",
        rule("when: 'has(share) ? share > 0.5 : false', then: review"),
        rule("when: 'has(share) ? share > 0.5 : true', then: review"),
    ),
    (
        "expired-rule",
        rule("when: odd, then: review, until: 2026-11-25T00:00:00Z"),
        rule("when: odd, then: review, until: 2026-11-25T23:59:59Z"),
    ),
    (
        "expired-entry",
        HEAD.replace("bad: [KP]", "bad: [KP, {value: b, until: 2026-11-25}]") + USES,
        HEAD.replace("bad: [KP]", "bad: [KP, {value: b, until: 2027-11-25}]") + USES,
    ),
    (
        "against-riskier",
        risky("trust: {type: double, range: [0, 1], riskier: lower}", "trust > 0.9"),
        risky("trust: {type: double, range: [0, 1], riskier: lower}", "trust < 0.1"),
    ),
    (
        "against-riskier",
        for_a_while(risky("trust: {type: double, range: [0, 1], riskier: lower}", "trust > 0.9")),
        for_a_while(risky("trust: {type: double, range: [0, 1], riskier: lower}", "trust < 0.1")),
    ),
    (
        "against-riskier",
        risky("trust: {type: double, range: [0, 1], riskier: lower}", "trust < 0.1") + ROW.format("10"),
        risky("trust: {type: double, range: [0, 1], riskier: lower}", "trust < 0.1") + ROW.format("-10"),
    ),
    ("doubtful-text", rule("when: country == '*', then: review"), rule("when: country == 'any', then: review")),
    ("doubtful-text", rule("when: country == 'bad', then: review"), rule("when: country == 'worst', then: review")),
    ("doubtful-number", rule("when: 'count in [3-5]', then: review"), rule("when: count > 8 - 5, then: review")),
    (
        "doubtful-text",
        rule("when: country == 'lists.nope', then: review"),
        rule("when: country == 'lists', then: review"),
    ),
    (
        "doubtful-text",
        table("'6051, 7995'"),
        table("'6051 7995'"),
    ),
    (
        "doubtful-text",
        table("list.nope"),
        table("listnope"),
    ),
    (
        "doubtful-text",
        rule("when: 'country in [\"SG or ID\"]', then: review"),
        rule("when: country == 'SGP', then: review"),
    ),
    (
        "against-riskier",
        risky("clean: {type: bool, riskier: false}", "clean"),
        risky("clean: {type: bool, riskier: false}", "'!clean'"),
    ),
    (
        "against-riskier",
        risky(LEVEL, "level == 'low'", "reject") + "  - {id: high, when: level == 'high', then: review}\n",
        risky(LEVEL, "level == 'low'", "review") + "  - {id: high, when: level == 'high', then: reject}\n",
    ),
    (
        "bound-scale",
        risky("percent: {type: double, range: [0, 100]}", "percent >= 0.7"),
        risky("percent: {type: double, range: [0, 100]}", "percent >= 70.0"),
    ),
    (
        "bound-scale",
        risky("percent: {type: double, range: [0, 100]}", "'!(odd && 0.7 <= percent)'"),
        risky("part: {type: double, range: [0, 2]}", "part >= 0.7"),
    ),
    ("two-in-one-entry", HEAD.replace("[KP]", '[KP, "RU, BY"]') + USES, HEAD.replace("[KP]", "[KP, RU, BY]") + USES),
    (
        "two-in-one-entry",
        HEAD.replace("[KP]", "[KP, RU，BY]") + USES,
        HEAD.replace("[KP]", '["Smith, Ann", "Doe, Jo", KP]') + USES,
    ),
    ("unused-input", without("  - {id: u3, when: 'email == \"x\"', then: review}\n"), HEAD + USES),
    ("undeclared-input", asking("inputs.emial"), asking("inputs.email")),
    ("unused-signal", HEAD + USES.split("  - {id: u4")[0], HEAD + USES),
    ("unused-list", (HEAD + USES).replace(" || country in lists.worse", ""), HEAD + USES),
    ("unused-variable", (HEAD + USES).replace("when: odder", "when: odd && share > 0.2"), HEAD + USES),
    ("unmentioned-tag", (HEAD + USES).replace("face.score.Remake", "face.score.Forgery"), HEAD + USES),
    ("unhandled-novel", without("  - {id: u5, when: size(face.novel_tags) > 0, then: review}\n"), HEAD + USES),
    (
        "review-past-reject",
        rule("when: count >= 80, then: review") + "  - {id: no, when: count > 70, then: reject}\n",
        rule("when: count >= 60, then: review") + "  - {id: no, when: count > 70, then: reject}\n",
    ),
    (
        "uncalibrated-threshold",
        HEAD + "thresholds: {share: {review: 0.5}}\n" + USES,
        HEAD + "thresholds: {share: {review: 0.5}}\ncalibration: {share: 2026-08-01}\n" + USES,
    ),
    (
        "stale-calibration",
        HEAD + "calibration: {share: {on: 2026-05-01, valid_for: 180d}}\n" + USES,
        HEAD + "calibration: {share: {on: 2026-08-01, valid_for: 180d}}\n" + USES,
    ),
    ("softening-has", rule("when: has(count) && count > 3, then: review"), rule("when: '!has(count)', then: review")),
    (
        "softening-has",
        rule("when: count > 3, unless: '!has(share)', then: review"),
        rule("when: count > 3, unless: has(share), then: review"),
    ),
    (
        "softening-has",
        rule("when: '!has(share) ? false : share > 0.5', then: review"),
        rule("when: '!has(share) ? true : share > 0.5', then: review"),
    ),
    ("excuse-of-unknown", excuse("'!has(share)'"), excuse("has(share) && share < 0.1")),
    ("excuse-of-unknown", excuse("'has(share) ? share < 0.1 : true'"), excuse("'has(share) ? share < 0.1 : false'")),
    ("softening-has", card("when: has(share), add: 5"), card("when: has(share), add: -5")),
    (
        "waiver",
        rule("when: count > 3, then: review, when_unknown: pass"),
        rule("when: count > 3, then: review, when_unknown: reject"),
    ),
    ("waiver", HEAD.replace("  face:\n", "  face:\n    when_unknown: pass\n") + USES, HEAD + USES),
    ("waiver", HEAD + "when_unknown: pass\n" + USES, HEAD + "when_unknown: reject\n" + USES),
    (
        "shared-reason",
        rule("when: share > 0.7, then: review, reason: U1"),
        rule('when: country == "SG", then: review, reason: U1'),
    ),
    (
        "overlapping-points",
        card("when: count > 3, add: 5", "when: count > 9, add: 5"),
        card("when: count > 3, add: 5", "when: count < 2, add: 5"),
    ),
    (
        "personal-in-message",
        rule('when: share > 0.7, then: review, message: "of {email}"'),
        rule('when: share > 0.7, then: review, message: "of {country}"'),
    ),
    (
        "missing-locale",
        HEAD + USES + "steps: {selfie: {en: a, zh: b}}\nreasons: {U1: {text: {en: c}}}\n",
        HEAD + USES + "steps: {selfie: {en: a, zh: b}}\nreasons: {U1: {text: c}}\n",
    ),
    (
        "missing-locale",
        rule("when: share > 0.7, then: review, message: {en: a, de: b}")
        + "  - {id: x, when: share > 0.8, then: review, message: {en: c}}\n",
        rule("when: share > 0.7, then: review, message: {en: a, de: b}")
        + "  - {id: x, when: share > 0.8, then: review, message: c}\n",
    ),
    (
        "reason-without-text",
        rule("when: share > 0.7, then: review, reason: A")
        + "  - {id: x, when: share > 0.8, then: review, reason: B}\nreasons: {A: {text: a}}\n",
        rule("when: share > 0.7, then: review, reason: A")
        + "  - {id: x, when: share > 0.8, then: review, reason: B}\nreasons: {A: {weight: 1}}\n",
    ),
    (
        "counted-conditions",
        rule("when: '[odd, odder, share > 0.2].filter(c, c).size() > 1', then: review"),
        rule("when: '[odd, odder, share > 0.2].filter(c, !c).size() > 1', then: review"),
    ),
    (
        "counted-conditions",
        rule("when: '2 <= (odd ? 1 : 0) + (odder ? 1 : 0) + (share > 0.2 ? 1 : 0)', then: review"),
        rule("when: '2 <= (odd ? 2 : 0) + (odder ? 1 : 0) + (share > 0.2 ? 1 : 0)', then: review"),
    ),
    (
        "counted-conditions",
        rule("when: 'atLeast(4, [odd, odder, share > 0.2])', then: review"),
        rule("when: 'atLeast(3, [odd, odder, share > 0.2])', then: review"),
    ),
    (
        "counted-conditions",
        rule("when: 'atLeast(0, [odd, share > 0.2])', then: review"),
        rule("when: 'atLeast(1, [odd, share > 0.2])', then: review"),
    ),
    ("duplicate-rule", rule("when: odder, then: review"), rule("when: odder, then: reject")),
    (
        "expired-rule",
        rule("when: odd, then: review, until: 2026-11-25"),
        rule("when: odd, then: review, until: 2026-11-26"),
    ),
]


@pytest.mark.parametrize(("code", "faulty", "fine"), EXAMPLES)
def test_rule_finds_its_example_and_leaves_the_other(code: str, faulty: str, fine: str) -> None:
    assert code in codes(faulty)
    assert code not in codes(fine)


def test_every_rule_has_an_example_and_a_section() -> None:
    sections = set(re.findall(r"(?m)^### `([a-z-]+)`", (ROOT / "docs" / "lint.md").read_text("utf-8")))
    assert sections == RULES.keys() | {UNUSED_ALLOWANCE}
    assert {code for code, _, _ in EXAMPLES} == RULES.keys() - {"no-tests", "junk-in-list", "empty-list"}


def test_policy_without_tests_is_told_only_by_who_looked() -> None:
    assert "no-tests" in codes(HEAD + USES, has_tests=False)
    assert "no-tests" not in codes(HEAD + USES, has_tests=True) + codes(HEAD + USES)


def test_used_policy_has_no_findings() -> None:
    assert codes(HEAD + USES, has_tests=True) == []


@pytest.mark.parametrize("after", [True, False])
def test_allowance_takes_a_finding_away(after: bool) -> None:
    said = "# lint: allow waiver nobody waits for it"
    rules = "  - id: more\n    when: count > 3\n    then: review\n    when_unknown: pass\n"
    text = HEAD + USES + (rules.replace("id: more", f"id: more {said}") if after else f"  {said}\n{rules}")
    assert "waiver" not in codes(text)
    assert UNUSED_ALLOWANCE not in codes(text)
    assert {UNUSED_ALLOWANCE, "waiver"} == set(codes(text.replace("allow waiver", "allow unused-list")))


def test_allowance_that_allows_nothing_is_found_and_mended() -> None:
    text = HEAD + USES.replace("rules:\n", "rules: # lint: allow waiver\n  # lint: allow no-such-thing\n")
    findings = found(text)
    assert [finding.message for finding in findings] == [
        "`waiver` finds nothing here to allow",
        "there is no lint rule `no-such-thing`",
    ]
    mended, count = fixed(text, tuple(findings))
    assert (mended, count) == (HEAD + USES, 2)


def test_fix_deletes_what_nobody_reads_and_no_verdict_changes() -> None:
    text = (HEAD + USES).replace(" || country in lists.worse", "").replace("when: odder", "when: odd && share > 0.2")
    mended, count = fixed(text, tuple(found(text)))
    assert count == 2
    assert "worse" not in mended and "odder" not in mended
    assert codes(mended) == []
    before, after = parse_policy(text), parse_policy(mended)
    for given_ in ({"country": "KP"}, {"count": 60, "share": 0.3}, {}):
        assert before.evaluate(given_) == after.evaluate(given_)


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.data())
def test_linter_never_fails_and_fixes_change_no_verdict(data: st.DataObject) -> None:
    policy = data.draw(policies())
    findings = lint(policy.typed, today=TODAY)
    assert all(finding.render() and finding.data()["line"] for finding in findings)
    text, count = fixed(policy.typed.source.text, findings)
    if count:
        mended = parse_policy(text)
        request = data.draw(requests(policy))
        assert mended.evaluate(request, now=NOW).outcome == policy.evaluate(request, now=NOW).outcome


def after_fixes(text: str) -> str:
    """Return a policy after all rounds of fixes; it loads and decides the same by construction of `mended`."""
    return mended(text, read_policy, lambda typed: lint(typed, today=TODAY))[0]


HEADED = "policy_language: 1\npolicy: p\ninputs: {country: string}\n"
ENDS = "rules:\n  - {id: a, when: country in lists.bad, then: review}\n"


def test_list_that_an_unused_variable_reads_stays_as_long_as_that() -> None:
    text = HEADED + "lists:\n  bad: [KP]\n  worse: [RU]\nvariables:\n  odd: country in lists.worse\n" + ENDS
    assert after_fixes(text) == text
    both = text.replace("  odd:", "  used: country != 'X'\n  odd:").replace("lists.bad,", "lists.bad && used,")
    assert after_fixes(both) == both.replace("  worse: [RU]\n", "").replace("  odd: country in lists.worse\n", "")


@pytest.mark.parametrize(
    "value",
    [
        "[A,\n    B]\n",
        "\n    - A\n    - B\n",
        "\n  - A\n  - B\n",
        "\n    - A  # why\n\n",
        "\n    # first\n    - A\n    # what follows\n",
        "{builtin: eea}\n",
        "\n    builtin: eea\n",
        "[]\n\n\n",
    ],
)
@pytest.mark.parametrize("after", [ENDS, "# rules\n" + ENDS, ENDS.replace("rules:", "rules:  # lint")])
@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_fix_deletes_an_entry_of_any_form_and_nothing_else(value: str, after: str, newline: str) -> None:
    text = (HEADED + "lists:\n  bad: [KP]\n  worse: " + value + after).replace("\n", newline)
    result = after_fixes(text).replace("\r\n", "\n")
    kept = "".join(f"{line}\n" for line in value.split("\n") if "what follows" in line)
    assert result.replace("\n\n", "\n").replace("\n\n", "\n") == HEADED + "lists:\n  bad: [KP]\n" + kept + after


def test_last_entry_of_a_file_is_not_deleted_though_a_fragment_has_another(tmp_path: Path) -> None:
    (tmp_path / "f.yaml").write_text("policy_language: 1\nfragment: f\nlists:\n  bad: [KP]\n")
    text = HEADED + "include: [f.yaml]\nlists:\n  worse: [RU]\n" + ENDS
    assert [one.fix for one in lint(read_policy(text, folder=tmp_path), today=TODAY)] == [()]


@pytest.mark.parametrize(
    "said",
    [
        'description: "one\n        # lint: allow waiver\n        two"',
        "description: |\n        # lint: allow waiver\n",
    ],
)
def test_allowance_in_a_text_is_none(said: str) -> None:
    text = HEADED + f"rules:\n  - id: a\n    when: country == 'KP'\n    then: review\n    {said}\n"
    assert codes(text) == []
    assert after_fixes(text) == text


def test_allowance_behind_a_text_that_holds_a_hash_counts() -> None:
    text = HEAD + USES + "  - {id: u6, when: odder, then: review, description: 'see # 5'}"
    assert "duplicate-rule" in codes(f"{text}\n")
    assert codes(f"{text} # lint: allow duplicate-rule\n") == []


def test_allowance_with_words_of_a_person_is_found_and_left_to_them() -> None:
    text = HEADED + "# lint: allow waiver, nobody waits for it\n" + ENDS.replace("in lists.bad", "== 'KP'")
    assert UNUSED_ALLOWANCE in codes(text)
    assert after_fixes(text) == text


def test_round_of_fixes_that_would_say_something_else_is_not_made() -> None:
    text = HEADED + ENDS.replace("in lists.bad", "== 'KP'")
    typed = read_policy(text)
    start = text.index("review")

    def wrong(new: str) -> tuple[str, int]:
        edit = Edit(span=Span(start, start + len("review")), text=new)
        one = LintFinding(code="x", severity="note", message="", source=typed.source, span=edit.span, fix=(edit,))
        return mended(text, read_policy, lambda typed: (one,))

    assert wrong("reject") == wrong("nonsense") == (text, 0)


PART = "policy_language: 1\nfragment: part\n"


def test_finding_in_a_fragment_names_its_file(tmp_path: Path) -> None:
    (tmp_path / "part.yaml").write_text(
        "policy_language: 1\nfragment: part\ninputs: {idle: bool}\nlists:\n  none: [A]\n"
    )
    (tmp_path / "whole.yaml").write_text("policy_language: 1\npolicy: whole\ninclude: [part.yaml]\n")
    findings = lint(read_policy_file(tmp_path / "whole.yaml"), today=TODAY)
    assert [(Path(one.place[0]).name, one.place[1], one.code, one.fix) for one in findings] == [
        ("part.yaml", 3, "unused-input", ()),
    ]  # fmt: skip


def test_lists_and_variables_of_a_fragment_may_be_for_another_policy(tmp_path: Path) -> None:
    (tmp_path / "part.yaml").write_text(f"{PART}lists:\n  none: [A]\nvariables:\n  never: 1 > 2\n")
    (tmp_path / "whole.yaml").write_text("policy_language: 1\npolicy: whole\ninclude: [part.yaml]\n")
    assert lint(read_policy_file(tmp_path / "whole.yaml"), today=TODAY) == ()


def test_input_that_a_with_reads_is_used() -> None:
    reader = "  - {id: u3, when: 'email == \"x\"', then: review}\n"
    assert "unused-input" not in codes(asking("inputs.email").replace(reader, ""))
    (finding,) = [one for one in found(asking("face_digest").replace(reader, "")) if one.code == "unused-input"]
    assert finding.hint == "delete it, unless a provider reads it, or write the rule that needs it"


def test_finding_reads_well(golden: Callable[[str, str], None]) -> None:
    shown = {code: faulty for code, faulty, _ in EXAMPLES}
    parts = [next(one for one in found(text) if one.code == code).render() for code, text in sorted(shown.items())]
    golden("lint/findings.txt", "\n\n".join(parts) + "\n")


def test_lookup_table_is_unused_if_no_column_of_it_is_read() -> None:
    tables = (
        "lookup:\n  rate: {by: country, values: {SG: 1}}\n  both: {by: country, rows: [{country: SG, a: 1, b: 2}]}\n"
    )
    policy = read_policy(
        f"policy_language: 1\npolicy: p\ninputs: {{country: string, n: int}}\n{tables}"
        "rules: [{id: a, when: n > both.a, then: review}]\n"
    )
    found = [finding for finding in lint(policy) if finding.code == "unused-variable"]
    assert [(finding.message, finding.place[1]) for finding in found] == [("no rule reads the lookup table `rate`", 5)]


@pytest.mark.parametrize(
    ("text", "is_empty"), [("", True), ("# nobody\n", True), ("value,until\n", True), ("KP\n", False)]
)
def test_file_without_a_value_is_found(tmp_path: Path, text: str, is_empty: bool) -> None:
    (tmp_path / "bad.csv").write_text(text)
    (tmp_path / "shop.yaml").write_text(
        "policy_language: 1\npolicy: shop\ninputs: {country: string}\nlists: {bad: {file: bad.csv}, none: []}\n"
        "rules: [{id: a, when: country in lists.bad || country in lists.none, then: review}]\n"
    )
    found = [one for one in lint(read_policy_file(tmp_path / "shop.yaml"), today=TODAY) if one.code == "empty-list"]
    assert [one.place[1:] for one in found] == [(4, 9)] * is_empty
