"""Whatever went wrong with one line, and however much follows from it, is told in one finding, seldom in two."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from mistakes import BASE, WIDE
from slips import slips

from adjudge.errors import PolicyError, PolicyErrors
from adjudge.policy.loading.load import read_policy
from adjudge.policy.text import one_edit

COOKBOOK = Path(__file__).parents[2] / "policies" / "cookbook"
NIGHT, LIMITS = ((COOKBOOK / f"{name}.yaml").read_text("utf-8") for name in ("night", "limits-in-a-table"))
STEP = 41
"""One of so many slips is tried; the number shares no factor with those of kinds of slips."""


def errors_of(text: str) -> tuple[PolicyError, ...]:
    try:
        read_policy(text, "shop.yaml", folder=COOKBOOK)
    except PolicyErrors as errors:
        return errors.errors
    return ()


def cases() -> Iterator[tuple[str, str]]:
    every = [case for text in (BASE, WIDE, NIGHT, LIMITS) for case in slips(text)]
    for what, line, text in every[::STEP]:
        yield f"{what}, line {line} of {text[:60]!r}", text


def told(errors: tuple[PolicyError, ...]) -> set[tuple[str, str]]:
    """Return what is told, a name that nothing declares once however often it is read."""
    return {(error.code, "" if error.code == "name-unknown" else error.message) for error in errors}


@pytest.mark.parametrize("text", [BASE, WIDE, NIGHT, LIMITS])
def test_documents_have_no_mistake(text: str) -> None:
    assert errors_of(text) == ()


@pytest.mark.xdist_group("structure")
def test_slip_in_one_line_is_told_once() -> None:
    counts = {what: len(told(errors_of(text))) for what, text in cases()}
    assert {what: count for what, count in counts.items() if count > 2} == {}
    assert sum(count > 1 for count in counts.values()) <= len(counts) // 20


EXPLAINED = [
    ("  - id: many-attempts", "    - id: many-attempts", "this line begins too far to the right", 27),
    ("  - id: many-attempts", "      - id: many-attempts", "this line begins too far to the right", 27),
    ("  - id: many-attempts", "  id: many-attempts", "an item begins here, and the `- ` before it is missing", 27),
    ("rules:\n", "", "`rules:` is missing above this line", 23),
    ("  points:\n", "", "`points:` is missing above this line", 31),
    ("  points:\n", "#  points:\n", "this line is a comment, and what is around it needs it", 31),
    ("    then: reject\n", "then: reject\n", "this line begins too far to the left", 26),
    ("inputs:\n", "inputs: oops\n", "`inputs` has `oops` beside it, and lines below", 3),
    ("rules:\n", 'rules:"\n', 'this `"` is alone', 23),
    ("  limit_usd:", "  limit_usd", "a `:` is missing after `limit_usd`", 10),
    ("  points:\n", "  points:\n    oops\n", "this line is neither a key nor an item", 32),
]


@pytest.mark.parametrize(("right", "wrong", "message", "line"), EXPLAINED)
def test_findings_that_one_edit_explains_are_that_edit(right: str, wrong: str, message: str, line: int) -> None:
    text = BASE.replace(right, wrong, 1)
    (error,) = errors_of(text)
    assert (error.message, error.line) == (message, line)
    for edit in sorted(error.fix, key=lambda one: -one.span.start):
        text = text[: edit.span.start] + edit.text + text[edit.span.end :]
    assert errors_of(text) == ()


def test_mistake_that_is_not_of_the_structure_is_told_beside_it() -> None:
    text = BASE.replace("  - id: many-attempts", "    - id: many-attempts").replace("add: 10", "add: 10.5")
    assert [(error.code, error.line) for error in errors_of(text)] == [("yaml-structure", 27), ("schema-type", 32)]


@pytest.mark.parametrize(
    "condition",
    ["coalesce(device.score, 0.0) > 1.0", "IF(device.vpn, true, false)", "AND(device.vpn, OR(true, false))"],
)
def test_condition_that_commas_cut_is_told_once(condition: str) -> None:
    text = BASE.replace("{when: device.vpn,", f"{{when: {condition},")
    (error,) = errors_of(text)
    assert (error.line, error.hint) == (32, f"write '{condition}'")


def test_search_for_an_edit_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    read = 0

    def counted(text: str) -> list[PolicyError]:
        nonlocal read
        read += len(text)
        return list(errors)

    text = BASE + "# " + "x" * 10_000 + "\n"
    text = text.replace("  - id: many-attempts", "    - id: many-attempts")
    errors = errors_of(text.replace("policy: shop", "policy: [shop]"))
    monkeypatch.setattr(one_edit, "stopping", lambda text: [])
    one_edit.explained(errors[0].source, [*errors, *errors], counted, ("rules",))
    assert 0 < read <= one_edit.WORK_MAX
