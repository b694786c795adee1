"""A slip in one line of a file of tests is told once, as the edit that mends it."""

from __future__ import annotations

from pathlib import Path

import pytest

from adjudge.authoring.policy_tests.cases import read_tests
from adjudge.errors import PolicyError, PolicyErrors
from adjudge.policy.catalogue import Catalogue
from policy.slips import slips

PATH = Path(__file__).parents[3] / "policies" / "cookbook" / "limits-in-a-table_test.yaml"
TEXT = PATH.read_text("utf-8")
STEP = 31


def errors_of(text: str) -> tuple[PolicyError, ...]:
    try:
        read_tests(PATH, Catalogue(), text)
    except PolicyErrors as errors:
        return errors.errors
    return ()


def test_slip_in_one_line_of_a_test_is_told_once() -> None:
    every = list(slips(TEXT))[::STEP]
    counts = {(what, line): len({(one.code, one.message) for one in errors_of(text)}) for what, line, text in every}
    assert {slip: count for slip, count in counts.items() if count > 2} == {}
    assert sum(count > 1 for count in counts.values()) <= len(counts) // 10


@pytest.mark.parametrize(("right", "wrong"), [("  - name:", "      - name:"), ("tests:\n", "")])
def test_edit_that_is_told_loads(right: str, wrong: str) -> None:
    at = TEXT.rindex(right)
    text = TEXT[:at] + wrong + TEXT[at + len(right) :]
    (error,) = errors_of(text)
    assert error.code == "yaml-structure"
    for edit in sorted(error.fix, key=lambda one: -one.span.start):
        text = text[: edit.span.start] + edit.text + text[edit.span.end :]
    assert errors_of(text) == ()
