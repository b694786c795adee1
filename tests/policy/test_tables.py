"""Tables of rules, cases under `by`, and lookup tables: what each becomes, and where it stands."""

from __future__ import annotations

import io
import re
import string
from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adjudge.errors import PolicyErrors
from adjudge.expr.printing import unparse
from adjudge.model import Outcome
from adjudge.policy import Policy, load_policy
from adjudge.policy.loading.load import read_policy, read_policy_file
from adjudge.policy.text.delimited import DelimitedFault, delimited, records
from adjudge.policy.text.workbook import sheet_text, workbook_of
from adjudge.policy.typed import TypedPolicy
from policy import judge

HEAD = """\
policy_language: 1
policy: shop
inputs:
  country: {type: enum, values: [SG, ID, "NO"]}
  mcc: string
  amount: {type: double, range: [0, 1000000]}
  tries: {type: int, range: [0, 99]}
  age: duration
  opened: timestamp
  robot: bool
  tags: {type: set, values: [A, B, C]}
  names: {type: list, of: string}
  scores: {type: map, keys: [X, Y], of: {type: double, range: [0, 1]}}
lists:
  risky: [a, b]
variables:
  twice: amount * 2.0
"""


def load(text: str, **more: Any) -> TypedPolicy:
    return read_policy(HEAD + text, **more)


def mistakes(text: str, **more: Any) -> list[tuple[str, str, str | None]]:
    with pytest.raises(PolicyErrors) as caught:
        load(text, **more)
    return [(error.code, error.message, error.hint) for error in caught.value.errors]


def conditions(policy: TypedPolicy) -> dict[str, str]:
    return {rule.id: unparse(rule.condition) for rule in policy.rules}


def of_csv(csv: str, keys: str = "then: review") -> TypedPolicy:
    return load(f"tables:\n  t: {{file: t.csv, {keys}}}\n", texts={"t.csv": csv})


# Cells


@pytest.mark.parametrize(
    ("header", "cell", "asks"),
    [
        ("country", "NO", 'country == "NO"'),
        ("country", " SG\t", 'country == "SG"'),
        ("country in", '"SG, ID"', 'country in ["SG", "ID"]'),
        ("country not in", '"SG, ID"', '!(country in ["SG", "ID"])'),
        ("country !=", "SG", 'country != "SG"'),
        ("mcc", "0012", 'mcc == "0012"'),
        ("mcc", "1e5", 'mcc == "1e5"'),
        ("mcc", "true", 'mcc == "true"'),
        ("mcc", "'=1+1", 'mcc == "=1+1"'),
        ("mcc", "'@sum", 'mcc == "@sum"'),
        ("mcc", "+65", 'mcc == "+65"'),
        ("mcc in", "lists.risky", "mcc in lists.risky"),
        ("amount", "0.1", "amount == 0.1"),
        ("amount >=", "12", "amount >= 12.0"),
        ("amount<", "1e3", "amount < 1000.0"),
        ("twice >", "7.5", "twice > 7.5"),
        ("tries in", '"1, 2,3"', "tries in [1, 2, 3]"),
        ("age <", "24h", 'age < duration("86400s")'),
        ("opened <", "2026-01-15", 'opened < timestamp("2026-01-15T00:00:00Z")'),
        ("robot", "TRUE", "robot == true"),
        ("tags", "B", '"B" in tags'),
        ("tags in", '"A, B"', '"A" in tags || "B" in tags'),
        ("names", "x y", '"x y" in names'),
        ("scores.X >=", "0.5", "scores.X >= 0.5"),
    ],
)
def test_cell_asks_what_its_header_and_its_fields_type_say(header: str, cell: str, asks: str) -> None:
    assert conditions(of_csv(f"{header}\n{cell}\n")) == {"t:1": asks}


@pytest.mark.parametrize(
    ("header", "cell", "message", "hint"),
    [
        ("amount >=", '"1,000"', "not `1,000`", "write 1000"),
        ("amount >=", "1'000", "not `1'000`", "write 1000"),
        ("amount >=", "12%", "not `12%`", "write 12"),
        ("amount >=", '"0,5"', "not `0,5`", "write 0.5"),
        ("amount >=", "０.５", "not `０.５`", "write 0.5"),
        ("amount >=", "12 USD", "not `12 USD`", "write 12"),
        ("amount >=", "NaN", "not `NaN`", "a number"),
        ("amount >=", "inf", "not `inf`", "a number"),
        ("amount >=", "-1", "can never be -1", "from 0 to 1000000"),
        ("tries", "1.5", "an int, not `1.5`", "a number, such as 12"),
        ("tries", "9" * 30, "past 64 bits", ""),
        ("age <", "24", "a duration, not `24`", "24h"),
        ("age <", "a day", "a duration, not `a day`", "168h"),
        ("opened <", "15.01.2026", "a timestamp, not `15.01.2026`", "write 2026-01-15T00:00:00Z"),
        ("opened <", "2026-13-01", "a timestamp, not `2026-13-01`", "for example"),
        ("robot", "yes", "true or false, not `yes`", "write true"),
        ("country", "sg", "not in the vocabulary", "`SG`"),
        ("country in", '"SG,,ID"', "missing between two commas", "SG, ID, PH"),
        ("country in", "SG;ID", "not in the vocabulary", "with commas: SG, ID"),
        ("country in", "SG，ID", "not in the vocabulary", "with commas: SG, ID"),
        ("tries in", "1|2", "an int, not `1|2`", "with commas"),
        ("mcc in", "lists.riskyy", "no such list", "lists.risky"),
        ("mcc", "a\u200bb", "invisible", "delete it"),
        ("tags", "D", "not in the vocabulary", ""),
        ("scores", "1", "which no cell can hold", "scores.X"),
        ("tags >=", "A", "does not take", "`tags in`"),
        ("amount ≥", "1", "no condition", "write `amount >=`"),
        ("amount <>", "1", "no condition", "write `amount !=`"),
        ("amout >=", "1", "no field `amout`", "`amount`"),
        ("Then", "review", "no field `Then`", "`then`"),
    ],
)
def test_junk_cell_is_one_mistake_with_the_text_to_type(header: str, cell: str, message: str, hint: str) -> None:
    for separator in ("\n", "\r\n"):
        found = mistakes(
            "tables:\n  t: {file: t.csv, then: review}\n", texts={"t.csv": f"{header}{separator}{cell}{separator}"}
        )
        assert len(found) == 1
        assert message in found[0][1]
        assert hint in (found[0][2] or "")


def blamed(folder: Path, cells: str) -> list[tuple[str, str | None]]:
    (folder / "t.csv").write_text(cells, encoding="utf-8")
    (folder / "p.yaml").write_text(HEAD + "tables:\n  t: {file: t.csv, then: review}\n", encoding="utf-8")
    try:
        load_policy(folder / "p.yaml")
    except PolicyErrors as refused:
        return [(error.message, error.hint) for error in refused.errors]
    return []


@pytest.mark.parametrize("other", ["；", "，", "、", "｜", "؛", ";", "|", "\n"])
@pytest.mark.parametrize("operator", ["in", "not in"])
def test_values_of_a_text_are_parted_by_commas_only(tmp_path: Path, operator: str, other: str) -> None:
    ((message, hint),) = blamed(tmp_path, f'mcc {operator}\n"6051{other}7995"\n')
    assert message.endswith("does not part values") and hint == "separate the values with commas: 6051, 7995"
    assert blamed(tmp_path, f'mcc {operator}\n"""6051{other}7995"", 4829"\n') == []  # of a value in quotes it is a part
    cells = {"t.csv": f'mcc {operator}\n"6051{other}7995"\n'}
    if other != "\n":
        assert load("tables:\n  t: {file: t.csv, then: review}\n", texts=cells).rules  # what a log holds still loads


@pytest.mark.parametrize("header", ["tries in", "country not in", "mcc in"])
@pytest.mark.parametrize("cell", ["1\n2", "1, 2\r\n3", "1\n", "1" * 140_000])
def test_cell_that_no_reader_of_csv_takes_is_a_mistake(tmp_path: Path, header: str, cell: str) -> None:
    found = blamed(tmp_path, f'{header}\n"{cell}"\n')
    assert found == [] if cell.strip() == "1" and header != "country not in" else len(found) == 1
    written = "tables:\n  t:\n    then: review\n    rows:\n      - " + '"%s": "%s"\n'
    (tmp_path / "p.yaml").write_text(HEAD + written % (header, cell.replace("\r", "\\r").replace("\n", "\\n")))
    with suppress(PolicyErrors):
        load_policy(tmp_path / "p.yaml")


@pytest.mark.parametrize("rows", ["", ",\n,\n", " , \n"])
def test_table_of_headers_alone_is_a_mistake(tmp_path: Path, rows: str) -> None:
    found = blamed(tmp_path, f"mcc,then\n{rows}")
    assert found == [("the table has headers and no rows", "add a row, or leave the table out")]
    cells = {"t.csv": f"mcc,then\n{rows}"}
    assert load("tables:\n  t: {file: t.csv}\n", texts=cells).rules == ()  # what a log holds still loads


def test_row_says_its_outcome_reason_period_note_and_name() -> None:
    csv = (
        "id,country,then,reason,from,until,note,when_unknown\n"
        'big,SG,reject,TOO_BIG,2026-01-01,2026-02-01T00:00:00Z,"said ""no"",\ntwice",pass\n'
        ",ID,,,,,,\n"
    )
    first, second = of_csv(csv, "then: review, reason: USUAL, when_unknown: reject").rules
    assert (first.id, first.outcome, first.reason, first.when_unknown) == ("t:big", Outcome.REJECT, "TOO_BIG", "pass")
    assert first.description == 'said "no",\ntwice'
    assert (first.starts, first.ends) == (datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 2, 1, tzinfo=UTC))
    assert unparse(first.condition).startswith('now >= timestamp("2026-01-01T00:00:00Z") && now <')
    assert (second.id, second.outcome, second.reason, second.when_unknown) == ("t:2", "review", "USUAL", "reject")
    assert {rule.origin for rule in (first, second)} == {"table"}


def test_rule_has_its_row_as_place(tmp_path: Path) -> None:
    (tmp_path / "t").mkdir()
    (tmp_path / "t" / "limits.csv").write_text('\ufeffcountry;amount >=\n;12\n\n"SG";\n', "utf-8")
    (tmp_path / "p.yaml").write_text(HEAD + "tables:\n  limits: {file: t/limits.csv, then: review}\n")
    policy = read_policy_file(tmp_path / "p.yaml")
    places = [
        (policy.source.part(rule.span.start)[0].name, policy.source.place(rule.span.start)) for rule in policy.rules
    ]
    assert places == [(str(tmp_path / "t/limits.csv"), (2, 2)), (str(tmp_path / "t/limits.csv"), (4, 1))]
    assert [rule.id for rule in policy.rules] == ["limits:1", "limits:2"]


def test_rows_in_yaml_and_in_a_file_are_the_same_rules() -> None:
    rows = "[{country: SG, amount >=: 0.50, tags: A}, {country in: [SG, ID], then: reject}, {mcc: '0012', robot: true}]"
    inline = load(f"tables:\n  t: {{then: review, rows: {rows}}}\n")
    csv = 'country,amount >=,tags,country in,then,mcc,robot\nSG,0.50,A,,,,\n,,,"SG, ID",reject,,\n,,,,,0012,true\n'
    assert conditions(inline) == conditions(of_csv(csv))


def test_path_that_leaves_the_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "out.csv").write_text("country\nSG\n")
    (tmp_path / "in" / "link.csv").symlink_to(tmp_path / "out.csv")
    for path in ("../out.csv", "link.csv", str(tmp_path / "out.csv")):
        found = mistakes(f"tables:\n  t: {{file: {path}, then: review}}\n", folder=tmp_path / "in")
        assert [code for code, _, _ in found] == ["table-outside"]
    assert mistakes("tables:\n  t: {file: out.csv, then: review}\n")[0][0] == "table-folder"
    (tmp_path / "in" / "wide.csv").write_text("country\nSG\n", "utf-16")
    assert mistakes("tables:\n  t: {file: wide.csv, then: review}\n", folder=tmp_path / "in")[0][0] == "table-encoding"


def test_mistakes_of_a_table_are_bounded() -> None:
    csv = "amount >=,id\n" + "5,a/b\n" * 5000
    assert 10 < len(mistakes("tables:\n  t: {file: t.csv, then: review}\n", texts={"t.csv": csv})) < 100


@pytest.mark.parametrize(
    ("csv", "line", "hint"),
    [
        ("amount >=\n" + "$5\n" * 9, 2, "write 5; the same goes for lines 3, 4, 5, …"),
        ("amount >=\n1\n$5\n2\n$5\n", 3, "write 5; the same goes for line 5"),
        ("country in\nSG|ID\nPH|ID\n", 2, "separate the values with commas: SG, ID; the same goes for line 3"),
    ],
)
def test_mistake_of_a_whole_column_is_told_once(csv: str, line: int, hint: str) -> None:
    with pytest.raises(PolicyErrors) as caught:
        of_csv(csv)
    assert [(error.line, error.hint) for error in caught.value.errors] == [(line, hint)]


@pytest.mark.parametrize(("header", "way"), [("channel", "channel in"), ("channel !=", "channel not in")])
def test_cell_with_several_values_is_told_the_header_for_them(header: str, way: str) -> None:
    head = "inputs: {channel: {type: enum, values: [app, web, pos]}}\n"
    with pytest.raises(PolicyErrors) as caught:
        read_policy(
            f"policy_language: 1\npolicy: p\n{head}tables:\n  t: {{file: t.csv, then: review}}\n",
            texts={"t.csv": f'{header}\n"app, web"\n'},
        )
    (error,) = caught.value.errors
    assert error.hint == f"write `{way}` above the column, which takes several values"


def test_header_that_was_meant_for_another_is_no_mistake_of_each_row() -> None:
    csv = "country,Outcome\nSG,review\nID,reject\n"
    assert [hint for *_, hint in mistakes("tables:\n  t: {file: t.csv}\n", texts={"t.csv": csv})] == ["write `then`"]
    csv = "country\nSG\nID\n"
    assert [code for code, *_ in mistakes("tables:\n  t: {file: t.csv}\n", texts={"t.csv": csv})] == ["schema-missing"]


def test_row_names_are_unique() -> None:
    found = mistakes("tables:\n  t: {file: t.csv, then: review}\n", texts={"t.csv": "id,country\na,SG\na,ID\n2,SG\n"})
    assert [code for code, _, _ in found] == ["name-duplicate"]


def test_table_of_a_fragment_lies_beside_it(tmp_path: Path) -> None:
    (tmp_path / "shared" / "t").mkdir(parents=True)
    (tmp_path / "shared" / "t" / "limits.csv").write_text("country,then\nSG,reject\n")
    (tmp_path / "shared" / "common.yaml").write_text(
        "policy_language: 1\nfragment: common\ntables:\n  limits: {file: t/limits.csv}\n"
        "lookup:\n  weight: {by: country, values: {SG: 3}}\n"
    )
    (tmp_path / "p.yaml").write_text(HEAD.replace("inputs:", "include: [shared/common.yaml]\ninputs:"))
    policy = load_policy(tmp_path / "p.yaml")
    assert policy.evaluate({"country": "SG"}).outcome == "reject"
    again = read_policy(policy.typed.source.part(0)[0].text, texts=policy.typed.texts)
    assert again.digest == policy.digest
    assert conditions(again) == conditions(policy.typed)


# Workbooks


def book(*rows: Sequence[str], sheet: str = "Sheet1") -> bytes:
    pytest.importorskip("xlsxwriter", reason="needs the extra `sheets`")
    pytest.importorskip("python_calamine", reason="needs the extra `sheets`")
    return workbook_of({sheet: rows})


def test_workbook_is_read_as_its_cells_and_replays_without_it(tmp_path: Path) -> None:
    rows = (
        ["country", "mcc", "amount >=", "robot", "from"],
        ["SG", "0012", "0.1", "true", "2026-03-01"],
        ["", "=1", "20", "", ""],
    )
    (tmp_path / "t.xlsx").write_bytes(book(*rows, sheet="Limits"))
    (tmp_path / "p.yaml").write_text(HEAD + "tables:\n  t: {file: t.xlsx, sheet: Limits, then: review}\n")
    policy = read_policy_file(tmp_path / "p.yaml")
    first = 'country == "SG" && mcc == "0012" && amount >= 0.1 && robot == true'
    assert conditions(policy) == {
        "t:1": f'now >= timestamp("2026-03-01T00:00:00Z") && {first}',
        "t:2": 'mcc == "=1" && amount >= 20.0',
    }
    assert [policy.source.place(rule.span.start)[0] for rule in policy.rules] == [2, 3]
    again = read_policy(policy.source.part(0)[0].text, texts=policy.texts)
    assert (again.digest, conditions(again)) == (policy.digest, conditions(policy))


def written(fill: Any) -> bytes:
    xlsxwriter = pytest.importorskip("xlsxwriter", reason="needs the extra `sheets`")
    pytest.importorskip("python_calamine", reason="needs the extra `sheets`")
    raw = io.BytesIO()
    workbook = xlsxwriter.Workbook(raw, {"in_memory": True})
    sheet = workbook.add_worksheet("One")
    sheet.write_row(0, 0, ["country", "amount >=", "from"])
    fill(workbook, sheet)
    workbook.close()
    return raw.getvalue()


@pytest.mark.parametrize(
    ("fill", "said"),
    [
        (lambda _, sheet: sheet.merge_range(1, 0, 2, 0, "SG"), "A2:A3 are merged"),
        (lambda _, sheet: sheet.write_formula(1, 1, "=1/0", None, "#DIV/0!"), "B2 holds an error"),
        (lambda _, sheet: sheet.write_formula(1, 1, "=1+1", None, ""), "B2 was never calculated"),
    ],
)
def test_cell_that_would_read_as_empty_is_refused(tmp_path: Path, fill: Any, said: str) -> None:
    (tmp_path / "t.xlsx").write_bytes(written(fill))
    found = mistakes("tables:\n  t: {file: t.xlsx, then: review}\n", folder=tmp_path)
    assert [code for code, _, _ in found] == ["table-encoding"]
    assert said in found[0][1]


def test_cells_of_a_spreadsheets_own_types_are_read_as_texts() -> None:
    def fill(workbook: Any, sheet: Any) -> None:
        days = workbook.add_format({"num_format": "yyyy-mm-dd"})
        sheet.write_datetime(1, 0, datetime(2026, 3, 1), days)  # a spreadsheet knows no zones
        sheet.write_datetime(1, 1, datetime(2026, 3, 1, 8, 30), days)
        sheet.write_boolean(1, 2, True)
        sheet.write_number(2, 0, 5)
        sheet.write_number(2, 1, 1e-7)
        sheet.write_formula(2, 2, "=1+1", None, 2)
        sheet.write_string(4, 0, "a\nb")

    read = [[cell.text for cell in record] for record in records(sheet_text(written(fill), None))]
    assert read[1:] == [["2026-03-01", "2026-03-01T08:30:00", "true"], ["5", "0.0000001", "2"], [""], ["a\nb"]]


def test_row_behind_a_cell_of_two_lines_keeps_its_number(tmp_path: Path) -> None:
    (tmp_path / "t.xlsx").write_bytes(book(["country", "note"], ["SG", "one\ntwo"], ["ID", ""]))
    (tmp_path / "p.yaml").write_text(HEAD + "tables:\n  t: {file: t.xlsx, then: review}\n")
    policy = read_policy_file(tmp_path / "p.yaml")
    assert [policy.source.place(rule.span.start) for rule in policy.rules] == [(2, 1), (3, 1)]


CELLS = st.text(
    alphabet=st.one_of(
        st.sampled_from("=+-@'\",;\t\n\r \uff1d.eE%0123456789"), st.sampled_from(string.ascii_letters), st.characters()
    ),
    max_size=12,
).filter(lambda text: text == text.strip(" \t") and "\x00" not in text and text.isprintable() | ("\n" in text))
NUMBERS = st.one_of(
    st.floats(allow_nan=False, allow_infinity=False).map(repr),
    st.integers(-(2**63), 2**63 - 1).map(str),
    st.decimals(allow_nan=False, allow_infinity=False, places=4).map(str),
    st.sampled_from(
        [
            "0.30000000000000004",
            "12345.678901234567",
            "9007199254740993",
            "0.60",
            "007",
            "+1",
            "-0",
            "1e5",
            "1E-07",
            "0.1",
            ".5",
            "5.",
            "1_000",
        ]
    ),
)


@given(st.lists(st.lists(CELLS | NUMBERS, min_size=1, max_size=4), min_size=1, max_size=5))
def test_delimited_text_gives_back_every_character(rows: list[list[str]]) -> None:
    text = delimited([["h1", "h2", "h3", "h4"], *rows])
    assert [[cell.text for cell in record] for record in records(text)][1:] == rows


@settings(max_examples=60)
@given(
    st.lists(
        st.lists(NUMBERS | st.text(string.printable[:95] + "éß漢", max_size=8).map(str.strip), min_size=3, max_size=3),
        max_size=5,
    )
)
def test_workbook_gives_back_every_character(rows: list[list[str]]) -> None:
    head = ["a", "b", "c"]
    read = [[cell.text for cell in record] for record in records(sheet_text(book(head, *rows), None))]
    padded = [(record + [""] * 3)[:3] for record in read]
    assert padded + [[""] * 3] * (len(rows) + 1 - len(padded)) == [head, *rows]


@pytest.mark.parametrize(
    ("text", "at"),
    [('a,b\n"x,y\n', 4), ('a\n"x"y\n', 5), ('a\n "x\n', 2)],
)
def test_quote_out_of_place_is_a_fault_with_its_place(text: str, at: int) -> None:
    with pytest.raises(DelimitedFault) as caught:
        list(records(text))
    assert caught.value.at == at


# Cases under `by`


def test_cases_become_rules_of_their_own() -> None:
    policy = load(
        "thresholds:\n  amount:\n    by: country\n    SG: {review: 5, reject: 9}\n    'NO': {}\n    else: {review: 7}\n"
        "  scores: {X: {by: robot, true: {review: 0.5}, false: {review: 0.9}}, Y: {review: 0.3}}\n"
    )
    assert conditions(policy) == {
        "threshold:amount:SG:review": 'country == "SG" && amount >= 5.0',
        "threshold:amount:SG:reject": 'country == "SG" && amount >= 9.0',
        "threshold:amount:else:review": '!(country in ["SG", "NO"]) && amount >= 7.0',
        "threshold:scores.X:true:review": "robot == true && scores.X >= 0.5",
        "threshold:scores.X:false:review": "robot == false && scores.X >= 0.9",
        "threshold:scores.Y:review": "scores.Y >= 0.3",
    }
    assert {rule.reason for rule in policy.rules} == {"AMOUNT", "SCORES_X", "SCORES_Y"}


def test_value_without_a_case_is_unknown() -> None:
    policy = Policy(load("thresholds:\n  amount: {by: country, SG: {review: 5}, ID: {reject: 5}}\n"))
    known = policy.evaluate({"country": "SG", "amount": 1.0})
    assert (known.outcome, known.settled) == ("pass", True)
    beyond = policy.evaluate({"country": "NO", "amount": 1.0})
    assert (beyond.outcome, beyond.upper, beyond.unresolved) == ("review", "reject", ("threshold:amount:uncovered",))
    covered = Policy(load("thresholds:\n  amount: {by: country, SG: {review: 5}, ID: {}, 'NO': {}}\n"))
    assert covered.evaluate({"country": "NO", "amount": 6.0}).settled


def test_cases_of_several_fields_nest() -> None:
    policy = load(
        "thresholds:\n  amount:\n    by: [country, mcc]\n    SG: {'12': {review: 5}, else: {review: 6}}\n"
        "    else: {else: {reject: 9}}\n"
    )
    assert conditions(policy) == {
        "threshold:amount:SG:12:review": 'country == "SG" && mcc == "12" && amount >= 5.0',
        "threshold:amount:SG:else:review": 'country == "SG" && !(mcc in ["12"]) && amount >= 6.0',
        "threshold:amount:else:else:reject": '!(country in ["SG"]) && amount >= 9.0',
    }


def test_word_by_of_a_vocabulary_is_still_a_word() -> None:
    policy = read_policy(
        "policy_language: 1\npolicy: p\ninputs:\n  sold: {type: enum, values: [by, at]}\n"
        "thresholds:\n  sold: {by: review}\n"
    )
    assert conditions(policy) == {"threshold:sold:by": 'sold == "by"'}


# Lookup tables


def test_lookup_is_a_variable_that_conditions_read() -> None:
    policy = load(
        "lookup:\n  limit: {by: country, values: {SG: 50000, ID: 20000.5}}\n"
        "  rates: {by: [country, mcc], rows: [{country: SG, mcc: '12', low: 1, high: 24h}], else: {low: 7}}\n"
        "rules:\n  - {id: a, when: amount > limit, then: review}\n"
    )
    assert {name: unparse(node) for name, node in policy.variables.items() if name != "twice"} == {
        "limit": '{"SG": 50000.0, "ID": 20000.5}[country]',
        "rates.low": 'country in ["SG"] && mcc in ["12"] ? {"SG": {"12": 1}}[country][mcc] : 7',
        "rates.high": '{"SG": {"12": duration("86400s")}}[country][mcc]',
    }
    evaluate = Policy(policy).evaluate
    assert evaluate({"country": "SG", "amount": 60000.0}).outcome == "review"
    assert evaluate({"country": "NO", "amount": 60000.0}).unresolved == ("a",)


def test_lookup_reads_a_file_and_other_variables_and_says_what_is_wrong() -> None:
    text = "lookup:\n  fx: {by: pair, file: fx.csv}\n"
    more = "rules:\n  - {id: a, when: amount * fx.rate > 1.0, then: review}\n"
    policy = read_policy(
        HEAD + '  pair: mcc + "-" + mcc\n' + text + more, texts={"fx.csv": "pair,rate,note\na-a,0.000063,x\nb-b,1,\n"}
    )
    assert unparse(policy.variables["fx.rate"]) == '{"a-a": 6.3e-05, "b-b": 1.0}[pair]'
    for broken, said in [
        ("fx: {by: fx, values: {a: 1}}", "reads itself"),
        ("fx: {by: names, values: {a: 1}}", "no single values"),
        ("fx: {by: country, values: {SG: 1, SGG: 2}}", "not in the vocabulary"),
        ("fx: {by: country, values: {SG: x}, type: double}", "is a double, not `x`"),
        ("fx: {by: country, values: {SG: 1}, else: x, type: int}", "is an int, not `x`"),
        ("fx: {by: country, rows: [{rate: 1}]}", "has no `country`"),
        ("fx: {by: country, rows: [{country: SG, a b: 1}]}", "name of a column"),
        ("fx: {by: [country, mcc], values: {SG: 1}}", "has one key"),
        ("country: {by: mcc, values: {a: 1}}", "is taken"),
    ]:
        found = mistakes(f"lookup:\n  {broken}\n")
        assert len(found) == 1
        assert said in found[0][1]


# A table is its rows, written out by hand


COLUMNS: Mapping[str, st.SearchStrategy[tuple[str, str]]] = {
    "country": st.sampled_from([("SG", 'country == "SG"'), ("NO", 'country == "NO"')]),
    "country in": st.sampled_from([('"SG, ID"', 'country in ["SG", "ID"]'), ("ID", 'country in ["ID"]')]),
    "mcc": st.sampled_from([("12", 'mcc == "12"'), ("0012", 'mcc == "0012"')]),
    "mcc in": st.sampled_from([("lists.risky", "mcc in lists.risky"), ('"a, 12"', 'mcc in ["a", "12"]')]),
    "amount >=": st.sampled_from([("10", "amount >= 10.0"), ("20.5", "amount >= 20.5")]),
    "amount <": st.sampled_from([("20.5", "amount < 20.5"), ("30", "amount < 30.0")]),
    "tries !=": st.sampled_from([("1", "tries != 1"), ("2", "tries != 2")]),
    "age <": st.sampled_from([("24h", 'age < duration("24h")')]),
    "robot": st.sampled_from([("true", "robot"), ("false", "!robot")]),
    "tags": st.sampled_from([("A", '"A" in tags'), ("C", '"C" in tags')]),
    "from": st.just(("2026-01-01", 'now >= timestamp("2026-01-01T00:00:00Z")')),
}
REQUESTS = st.fixed_dictionaries(
    {},
    optional={
        "country": st.sampled_from(["SG", "ID", "NO", "XX"]),
        "mcc": st.sampled_from(["12", "0012", "a"]),
        "amount": st.sampled_from([0.0, 10.0, 20.5, 25.0, 30.0, -1.0]),
        "tries": st.sampled_from([0, 1, 2]),
        "age": st.sampled_from(["1h", "24h", "soon"]),
        "robot": st.booleans(),
        "tags": st.lists(st.sampled_from(["A", "B", "C", "D"]), max_size=2, unique=True),
    },
)


@st.composite
def tables(draw: st.DrawFn) -> tuple[str, str]:
    """Return a table as CSV, and its rows as rules."""
    headers = draw(st.lists(st.sampled_from(sorted(COLUMNS)), min_size=1, max_size=5, unique=True))
    lines, rules = [",".join([*headers, "then"])], []
    for number in range(1, draw(st.integers(1, 8)) + 1):
        cells = [draw(COLUMNS[header]) if draw(st.booleans()) else ("", "") for header in headers]
        if not any(asks for (_, asks), header in zip(cells, headers, strict=True) if header != "from"):
            continue
        outcome = draw(st.sampled_from(["review", "reject"]))
        lines.append(",".join([*(cell for cell, _ in cells), outcome]))
        when = " && ".join(f"({asks})" for _, asks in cells if asks)
        rules.append(f"  - {{id: t-{len(rules) + 1}, when: '{when}', then: {outcome}}}")
        assert number
    return "\n".join(lines) + "\n", "\n".join(rules)


@settings(max_examples=150, deadline=None)
@given(tables(), st.lists(REQUESTS, min_size=1, max_size=6), st.booleans(), st.booleans())
def test_table_decides_as_its_rows_written_out(
    table: tuple[str, str], requests: list[dict[str, Any]], clock: bool, has_else: bool
) -> None:
    csv, rules = table
    if not rules:
        return
    one = Policy(of_csv(csv, "else: reject" if has_else else "then: review"))
    if has_else:
        some = " || ".join(f"({when})" for when in re.findall("when: '(.*)', then", rules))
        rules += f"\n  - {{id: t-else, when: '!({some})', then: reject}}"
    other = Policy(load(f"rules:\n{rules}\n"))
    now = datetime(2026, 5, 5, tzinfo=UTC) if clock else None
    for request in requests:
        found, expected = one.evaluate(request, now=now), other.evaluate(request, now=now)
        assert (found.outcome, found.lower, found.upper, found.missing, found.problems) == (
            expected.outcome, expected.lower, expected.upper, expected.missing, expected.problems,
        )  # fmt: skip
        for ids, plain in ((found.matched, expected.matched), (found.unresolved, expected.unresolved)):
            assert ids == tuple(name.replace("t-", "t:") for name in plain)
        assert judge.verdict(one, request, now).outcome == found.outcome


# What happens where no row is true


def test_else_is_one_more_rule() -> None:
    policy = Policy(
        of_csv(
            "country,amount >=\nSG,10\nID,\n", "then: review, reason: LIMITS, else: {then: reject, reason: NO_LIMIT}"
        )
    )
    assert [(rule.id, rule.outcome, rule.reason) for rule in policy.typed.rules][-1] == ("t:else", "reject", "NO_LIMIT")
    assert policy.evaluate({"country": "SG", "amount": 5.0}).matched == ("t:else",)
    assert policy.evaluate({"country": "SG", "amount": 15.0}).matched == ("t:1",)
    assert policy.evaluate({"country": "SG"}).unresolved == ("t:1", "t:else")
    assert policy.evaluate({"country": "ID"}).matched == ("t:2",)
    assert "else of t is true" in policy.explain({"country": "NO", "amount": 1.0}).render()


def test_else_of_one_row_that_is_a_choice_itself() -> None:
    policy = Policy(of_csv('tags in\n"A, B"\n', "then: review, else: reject"))
    assert policy.evaluate({"tags": ["A"]}).matched == ("t:1",)
    assert policy.evaluate({"tags": []}).matched == ("t:else",)


@pytest.mark.parametrize(
    ("keys", "code", "words"),
    [
        ("then: review, else: pass", "schema-value", "leave it out"),
        ("then: review, else: {reason: X}", "schema-missing", "`then`"),
        ("then: review, else: {then: review, confirm: person}", "schema-value", "a review is a person's anyway"),
        ("then: review, else: {then: review, ask: [selfie]}", "name-unknown", "`selfie`"),
        ("then: review, else: {then: review, note: x}", "schema-unknown-key", "`note`"),
    ],
)
def test_else_says_what_a_row_can_say(keys: str, code: str, words: str) -> None:
    with pytest.raises(PolicyErrors) as caught:
        of_csv("country\nSG\n", keys)
    (error,) = caught.value.errors
    assert error.code == code
    assert words in f"{error.message} {error.hint}"


def test_row_called_else_is_told_apart() -> None:
    (found,) = mistakes("tables:\n  t: {then: review, rows: [{id: else, country: SG}], else: review}\n")
    assert found[0] == "name-duplicate"


# What rows ask for, and who confirms their rejects

STEPS = "steps: {document: Show it., selfie: Take one.}\n"


def test_rows_ask_and_are_confirmed_as_rules_are() -> None:
    csv = 'country,then,ask,confirm\nSG,review,"selfie, document",\nID,reject,,person\nNO,reject,selfie,\n'
    keys = "ask: [document], else: {then: review, ask: [selfie]}"
    policy = Policy(load(f"{STEPS}tables:\n  t: {{file: t.csv, {keys}}}\n", texts={"t.csv": csv}))
    said = [(rule.id, rule.ask, rule.confirm) for rule in policy.typed.rules]
    assert said == [
        ("t:1", ("selfie", "document"), False),
        ("t:2", ("document",), True),
        ("t:3", ("selfie",), False),
        ("t:else", ("selfie",), False),
    ]
    assert policy.evaluate({"country": "SG"}).ask == ("document", "selfie")
    assert policy.typed.confirms


@pytest.mark.parametrize(
    ("row", "code", "hint"),
    [
        ("{country: SG, ask: selfy}", "name-unknown", "did you mean `selfie`?"),
        ("{country: SG, ask: selfie; document}", "name-unknown", None),
        ("{country: SG, confirm: person}", "schema-value", "leave it out: a review is a person's anyway"),
        ("{country: SG, then: reject, confirm: yes}", "schema-value", "write person, or leave the cell empty"),
    ],
)
def test_junk_in_ask_and_confirm_is_told_at_its_cell(row: str, code: str, hint: str | None) -> None:
    ((found, _, way),) = mistakes(f"{STEPS}tables:\n  t: {{then: review, rows: [{row}]}}\n")
    assert found == code
    assert hint is None or way == hint


def test_field_that_is_called_ask_is_still_a_condition() -> None:
    text = HEAD.replace("inputs:\n", "inputs:\n  ask: bool\n", 1)
    policy = read_policy(text + "tables:\n  t: {then: review, rows: [{ask: true}, {ask: false, country: SG}]}\n")
    assert conditions(policy) == {"t:1": "ask == true", "t:2": 'ask == false && country == "SG"'}


def test_thresholds_ask_and_are_confirmed() -> None:
    text = f"""{STEPS}thresholds:
  amount: {{review: {{at: 10, ask: [document]}}, reject: {{at: 90, confirm: person}}}}
  country: {{by: robot, "true": {{SG: {{then: review, ask: [selfie]}}}}, "false": {{ID: reject}}}}
"""
    policy = load(text)
    assert [(rule.id, rule.ask, rule.confirm) for rule in policy.rules] == [
        ("threshold:amount:review", ("document",), False),
        ("threshold:amount:reject", (), True),
        ("threshold:country:true:SG", ("selfie",), False),
        ("threshold:country:false:ID", (), False),
    ]


@pytest.mark.parametrize(
    ("entry", "code"),
    [
        ("{review: {ask: [selfie]}}", "schema-missing"),
        ("{review: {at: 10, confirm: person}}", "schema-value"),
        ("{review: {at: ten}}", "type-threshold"),
        ("{review: {at: 10, then: review}}", "schema-unknown-key"),
        ("{review: {at: 10, ask: selfie}}", "schema-type"),
        ("{review: {at: 90}, reject: {at: 10}}", "threshold-order"),
    ],
)
def test_wrong_entry_of_thresholds_is_one_mistake(entry: str, code: str) -> None:
    ((found, _, _),) = mistakes(f"{STEPS}thresholds:\n  amount: {entry}\n")
    assert found == code


# Numbers of lookup tables that are written in another way


def lookup_of(folder: Path, cells: Sequence[str]) -> TypedPolicy:
    (folder / "r.csv").write_text(f'country,v\nSG,"{cells[0]}"\nID,"{cells[1]}"\n')
    (folder / "shop.yaml").write_text(HEAD + "lookup:\n  rate: {by: country, file: r.csv}\n")
    return read_policy_file(folder / "shop.yaml")


@pytest.mark.parametrize(
    ("cell", "meant"), [("5,000", "5000"), ("50%", "0.5"), ("\uff15\uff10", "50"), ("1.000,5", "1000.5")]
)
@pytest.mark.parametrize("other", ["7", "8,000"])
def test_number_in_another_way_is_told_at_its_cell(tmp_path: Path, cell: str, meant: str, other: str) -> None:
    with pytest.raises(PolicyErrors) as caught:
        lookup_of(tmp_path, (cell, other))
    errors = caught.value.errors
    assert [(error.code, error.line) for error in errors] == [("table-cell", at) for at in (2, 3)[: 1 + (other != "7")]]
    assert errors[0].hint == f"write {meant}"


@pytest.mark.parametrize("cells", [("5k", "10k"), ("A1", "B2"), ("5,000", "many")])
def test_texts_of_lookup_tables_stay_texts(tmp_path: Path, cells: tuple[str, str]) -> None:
    assert str(lookup_of(tmp_path, cells).variables["rate.v"].type) == "string"
