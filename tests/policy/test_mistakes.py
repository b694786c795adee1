"""Each mistake is told once, at its own line, in words that a person has read; and what a hint proposes loads."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import cache
from pathlib import Path

import pytest
from mistakes import BASE, MISTAKES, WIDE, WIDE_MISTAKES

from adjudge.authoring.lint.finding import LintFinding
from adjudge.authoring.lint.run import lint
from adjudge.errors import PolicyError, PolicyErrors
from adjudge.policy.loading.load import read_policy

CASES = [(BASE, right, wrong) for right, ways in MISTAKES.items() for wrong in ways]
CASES += [(WIDE, right, wrong) for right, ways in WIDE_MISTAKES.items() for wrong in ways]
pytestmark = pytest.mark.xdist_group("mistakes")  # one worker reads each text once for all of them
SHARED = Path(__file__).parents[3] / "shared" / "cases" / "analyst-mistakes.json"


def written(base: str, right: str, wrong: str) -> tuple[str, int]:
    """Return the policy with a mistake, and the line where it begins. Of two places it is the last one."""
    at = base.rindex(f"{right}\n")
    return base[:at] + wrong + base[at + len(right) :], base[:at].count("\n") + 1


@cache
def errors_of(text: str) -> tuple[PolicyError, ...]:
    try:
        read_policy(text, "shop.yaml")
    except PolicyErrors as errors:
        return errors.errors
    return ()


IDLE = {"unused-input", "unused-list", "unused-variable", "uncalibrated-threshold", "review-past-reject"}
IDLE |= {"missing-locale", "reason-without-text"}


@cache
def findings_of(text: str) -> tuple[LintFinding, ...]:
    return tuple(one for one in lint(read_policy(text, "shop.yaml"), has_tests=True) if one.code not in IDLE)


def repaired(text: str, errors: tuple[PolicyError, ...]) -> str:
    edits = {edit for error in errors for edit in error.fix}
    for edit in sorted(edits, key=lambda one: -one.span.start):
        text = text[: edit.span.start] + edit.text + text[edit.span.end :]
    return text


@pytest.mark.parametrize("base", [BASE, WIDE], ids=["base", "wide"])
def test_base_has_no_mistake(base: str) -> None:
    assert errors_of(base) == ()
    assert findings_of(base) == ()


def test_mistakes_are_told_in_words_that_a_person_has_read(golden: Callable[[str, str], None]) -> None:
    said = []
    for base, right, wrong in CASES:
        text, _ = written(base, right, wrong)
        found = errors_of(text) or findings_of(text)
        said.append("\n".join([f"## {wrong!a}", *(f"{one.message}\n   {one.hint or '-'}" for one in found)]))
    golden("policy/mistakes.txt", "\n\n".join(said))


@pytest.mark.no_cover  # the test before it goes over the same lines
@pytest.mark.parametrize(("base", "right", "wrong"), CASES, ids=[wrong for *_, wrong in CASES])
def test_mistake_is_told_at_its_own_line_and_its_fix_loads(base: str, right: str, wrong: str) -> None:
    text, line = written(base, right, wrong)
    lines = range(line, line + wrong.count("\n") + 1)
    errors = errors_of(text)
    if not errors:
        (finding,) = findings_of(text)
        assert finding.place[1] in (*lines, line - 1)
        return
    assert [error.line for error in errors if error.line not in lines] == []
    while any(error.fix for error in errors):  # what was behind a mistake may be told once that is mended
        before, text = errors, repaired(text, errors)
        errors = errors_of(text)
        assert len(errors) < len(before), [str(error) for error in errors]


def test_mistakes_of_several_entries_are_all_told() -> None:
    text = BASE
    for right, wrong in (
        ("  - id: many-attempts", "  -id: many-attempts"),
        ("    when: country in lists.sanctioned", "    when: country in list.sanctioned"),
        ("    - {when: device.vpn, add: 10}", "    - {when: device.vpn, add: ten}"),
        ("policy: shop", "policy：shop"),
    ):
        text = text.replace(right, wrong)
    assert [error.line for error in errors_of(text)] == [2, 25, 27, 32]


@pytest.mark.parametrize("broken", ["{type: money}", "{type: record, of: {m: {type: money, currencies: [USD]}}}"])
def test_money_that_cannot_be_declared_is_one_mistake(broken: str) -> None:
    read = "q.m" if "record" in broken else "q"
    head = f"policy_language: 1\npolicy: p\ninputs: {{q: {broken}}}\n"
    with pytest.raises(PolicyErrors) as caught:
        read_policy(f"{head}rules: [{{id: r, when: '{read}.in(\"USD\") > 5', then: review}}]\n")
    assert len(caught.value.errors) == 1


def test_shared_mistakes_are_told_once_with_the_text_to_type(tmp_path: Path) -> None:
    if not SHARED.is_file():
        pytest.skip("the shared cases are not beside this repository")
    cases = json.loads(SHARED.read_text("utf-8"))["cases"]
    (tmp_path / "lists").mkdir()
    (tmp_path / "lists" / "utf16.txt").write_bytes("country\r\nIR\r\n".encode("utf-16"))
    (tmp_path / "lists" / "ir.txt").write_text('"IR"\nKP,North Korea\n')
    unsaid = []
    for case in cases:
        try:
            found: list[str] = [one.render() for one in lint(read_policy(case["text"], folder=tmp_path))]
        except PolicyErrors as errors:
            found = [error.render() for error in errors.errors]
        if not any(word in one for one in found for word in case["any_of"]):
            unsaid.append(case["name"])
    assert not set(unsaid) - {
        "37 days in duration",
        "70 type date",
        "71 type decimal money",
        "C list with csv junk",
        "Z scene_code",
    }
