"""What the linter says of the files of lists, with the line of the file."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from adjudge.authoring.lint.run import lint
from adjudge.errors import PolicyErrors
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


def test_what_no_plain_text_equals_is_found_in_files(tmp_path: Path) -> None:
    assert found("SG\n ＪＰ # Japan\nКР1\n", tmp_path, "junk-in-list") == [
        ("bad.txt", 2, "warning", "`ＪＰ` has a full-width `J`"),
        ("bad.txt", 3, "warning", "`КР1` has a letter of another alphabet that looks like `K`"),
    ]
    assert found("value,until\nSG,\nＪＰ,\n", tmp_path, "junk-in-list") == [
        ("bad.txt", 3, "warning", "`ＪＰ` has a full-width `J`"),
    ]
    assert found("SG\n日本\nＡ商店\nСара\nO’Brien\nA–B\nČSOB\n", tmp_path, "junk-in-list") == []


def test_what_no_plain_text_equals_is_found_where_it_is_written(tmp_path: Path) -> None:
    text = POLICY.replace("{file: bad.txt}", "[ＩＲ, {value: 'KP ', until: 2027-01-01}, ' SG', Сара, \"a b\"]")
    text = text.replace("name in lists.bad", """'name in lists.bad || name == "ＳＧ" || name in ["x", " MY"]'""")
    (tmp_path / "p.yaml").write_text(text, "utf-8")
    findings = lint(load_policy(tmp_path / "p.yaml").typed, today=TODAY)
    assert [
        (one.place[1], one.message, one.hint) for one in findings if one.code in ("junk-in-list", "doubtful-text")
    ] == [
        (4, "`ＩＲ` in a list has a full-width `I`", "write `IR`"),
        (4, "`KP ` in a list has a blank at its end", "write `KP`"),
        (4, "` SG` in a list has a blank at its beginning", "write `SG`"),
        (5, "`ＳＧ` is compared as it stands, and has a full-width `S`", "write `SG`"),
        (5, "` MY` is compared as it stands, and has a blank at its beginning", "write `MY`"),
    ]


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("SG\nMY\nIR KP\n", 3),
        ("# codes\nSG\nMY # plain\nKR;CN\n", 4),
        ("value,until\nSG,\nVN，TH,2027-05-01\n", 3),
    ],
)
def test_two_entries_in_one_have_the_line_of_the_file(text: str, line: int, tmp_path: Path) -> None:
    ((name, at, *_),) = found(text, tmp_path, "two-in-one-entry")
    assert (name, at) == ("bad.txt", line)


def test_capitals_among_names_are_one_name(tmp_path: Path) -> None:
    assert found("IBM UK\nAcme Ltd\nSmith\n", tmp_path, "two-in-one-entry") == []


def test_a_table_without_value_is_told_how_to_head_it(tmp_path: Path) -> None:
    found("name,until,by,note\nAnn,2027-01-01,,\n", tmp_path)
    findings = lint(load_policy(tmp_path / "p.yaml").typed, today=TODAY)
    (hint,) = [one.hint for one in findings if one.code == "junk-in-list"]
    assert hint == "head the first column `value`: write `value,until,by,note`, and each row is an entry"


def test_a_byte_order_mark_is_no_part_of_a_list(tmp_path: Path) -> None:
    for text in ("\ufeffAnn\nBob\n", "\ufeffvalue,until\nAnn,\nBob,\n"):
        found(text, tmp_path)
        assert load_policy(tmp_path / "p.yaml").typed.lists["bad"] == ("Ann", "Bob")


def test_a_day_of_another_form_says_what_to_write(tmp_path: Path) -> None:
    for said, hint in (("31/12/2026", "write 2026-12-31"), ("03/04/2026", "write 2026-04-03 or 2026-03-04")):
        with pytest.raises(PolicyErrors) as raised:
            found(f"value,until\nAnn,{said}\n", tmp_path)
        assert [(one.line, one.hint) for one in raised.value.errors] == [(2, hint)]
