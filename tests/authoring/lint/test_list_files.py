"""What the linter says of the files of lists, with the line of the file."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from adjudge.authoring.lint.run import lint
from adjudge.policy import load_policy

POLICY = """policy_language: 1
policy: p
inputs: {name: string}
lists: {bad: {file: bad.txt}}
rules: [{id: a, when: name in lists.bad, then: reject}]
"""
TODAY = date(2026, 11, 30)


def found(text: str, folder: Path, *codes: str) -> list[tuple[str, int, str, str]]:
    (folder / "bad.txt").write_text(text, "utf-8", newline="")
    (folder / "p.yaml").write_text(POLICY, "utf-8")
    findings = lint(load_policy(folder / "p.yaml").typed, today=TODAY)
    return [(*one.place[:2], one.severity, one.message) for one in findings if one.code in codes]


@pytest.mark.parametrize(
    ("text", "line", "message"),
    [
        ("name\nAnn\nBob\n", 1, "`name` looks like a header, and counts as a value"),
        ("# of May\n\nMerchant_ID\r\nM1\r\nM2\r\n", 3, "`Merchant_ID` looks like a header, and counts as a value"),
        ("until,value\n2027-01-01,Ann\n", 1, "`until,value` looks like a header, and counts as a value"),
        ("Note;Name\nold;Ann\n", 1, "`Note;Name` looks like a header, and counts as a value"),
        ("名称\n甲\n乙\n", 1, "`名称` looks like a header, and counts as a value"),
        ("Ann\nBob // sanctioned\n", 2, "`Bob // sanctioned` holds what looks like a comment"),
        ("Ann\nBob\n  Ann  # again\n", 3, "`Ann` stands in line 1 already"),
    ],
)
def test_junk_has_its_line(text: str, line: int, message: str, tmp_path: Path) -> None:
    assert found(text, tmp_path, "junk-in-list") == [("bad.txt", line, "warning", message)]


def test_a_tidy_list_has_no_finding(tmp_path: Path) -> None:
    assert found("Stand, by\nAnn\n", tmp_path, "junk-in-list") == []
    text = "# name\nAnn # name\n Bob \nO'Brien; Sons\nA--B\nhttps://x.example\nNames Ltd\n"
    assert found(text, tmp_path, "junk-in-list", "expired-entry") == []


@pytest.mark.parametrize("other", ["，", "、", "；", "｜"])
def test_two_entries_in_one_are_found_in_a_table_too(other: str, tmp_path: Path) -> None:
    text = f'value,until\nAnn{other}Bob,\n"Smith, Eve",2027-05-01\n'
    ((*_, message),) = found(text, tmp_path, "two-in-one-entry")
    assert message == f"in the list `bad` `Ann{other}Bob` looks like two entries in one"


def test_ended_entries_and_those_about_to_end_are_told(tmp_path: Path) -> None:
    text = "value,until,by\nAnn,2026-11-30,eve\nBob,2026-12-14,\nCyd,2026-12-15,\nDee,,\n"
    assert found(text, tmp_path, "expired-entry", "junk-in-list", "two-in-one-entry") == [
        ("bad.txt", 2, "warning", "`Ann` in the list `bad` ended on 2026-11-30, by eve"),
        ("bad.txt", 3, "note", "`Bob` in the list `bad` ends on 2026-12-14"),
    ]
