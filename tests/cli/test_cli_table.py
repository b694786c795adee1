from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from adjudge.authoring.exchange import as_csv, as_workbook, read_rows
from adjudge.expr.printing import unparse
from adjudge.policy import load_policy
from policy.test_tables import CELLS, NUMBERS

POLICY = """\
policy_language: 1
policy: shop
inputs: {country: {type: enum, values: [SG, ID, NO]}, mcc: string, amount: {type: double, range: [0, 100]}}
tables:
  limits:
    then: review  # unless a row says more
    rows:
      - {country: NO, amount >=: 0.60, mcc: '0012'}
      - {country in: [SG, ID], mcc: '=1+1', then: reject, note: "a, b"}
  kept: {file: kept.csv}
lookup:
  rate:
    by: country
    values: {SG: 0.50, NO: 1}
rules: []
"""


@pytest.fixture(autouse=True)
def _folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("p.yaml").write_text(POLICY)
    Path("kept.csv").write_text("country,amount >=,then\nSG,5.0,review\n")


def meaning() -> list[tuple[str, str]]:
    """Return each rule's id with what it asks, in an order that does not hang on that of the columns."""
    rules = load_policy("p.yaml").typed.rules
    return [(rule.id, " && ".join(sorted(unparse(rule.condition).split(" && ")))) for rule in rules]


def test_export_prints_a_table_as_it_is_written(run: Any) -> None:
    done = run("table", "export", "p.yaml", "limits")
    assert done.stdout.splitlines() == [
        "country,amount >=,mcc,country in,then,note",
        "NO,0.60,0012,,,",
        ',,\'=1+1,"SG, ID",reject,"a, b"',
    ]
    assert run("table", "export", "p.yaml", "rate").stdout == "country,value\nSG,0.50\nNO,1\n"


@pytest.mark.parametrize("file", ["all.xlsx", "limits.csv"])
def test_table_comes_back_as_it_went(run: Any, file: str) -> None:
    pytest.importorskip("xlsxwriter", reason="needs the extra `sheets`")
    before = meaning()
    for name in ("limits", "kept", "rate"):
        assert run("table", "export", "p.yaml", name, "-o", file).exit_code == 0
        text = Path("p.yaml").read_text()
        assert run("table", "import", "p.yaml", name, file).exit_code == 0
        assert meaning() == before
        assert Path("p.yaml").read_text() == text or name == "limits" or name == "rate"
    assert "# unless a row says more" in Path("p.yaml").read_text()
    assert "amount >=: 0.60" in Path("p.yaml").read_text()


def test_all_tables_go_into_one_workbook(run: Any) -> None:
    pytest.importorskip("xlsxwriter", reason="needs the extra `sheets`")
    done = run("table", "export", "p.yaml", "-o", "all.xlsx")
    assert done.stdout.splitlines() == [
        "wrote 2 rows of limits to all.xlsx", "wrote 1 row of kept to all.xlsx", "wrote 2 rows of rate to all.xlsx",
    ]  # fmt: skip
    assert run("table", "import", "p.yaml", "kept", "all.xlsx", "--sheet", "kept").stdout == (
        "kept in kept.csv is the same already\n"
    )
    Path("p.yaml").write_text(POLICY.replace("{file: kept.csv}", "{file: all.xlsx, sheet: kept}"))
    same = run("table", "import", "p.yaml", "kept", "all.xlsx", "--sheet", "kept")
    assert (same.exit_code, same.stdout) == (0, "kept in all.xlsx is the same already\n")
    Path("other.csv").write_text("country,amount >=,then\nID,5.0,review\n")
    assert "has other sheets, which would be lost" in run("table", "import", "p.yaml", "kept", "other.csv").stderr
    assert "no sheet `elsewhere`" in run("table", "import", "p.yaml", "kept", "all.xlsx", "--sheet", "elsewhere").stderr
    assert "CSV holds one table" in run("table", "export", "p.yaml").stderr


@pytest.mark.parametrize("name", ["limits", "kept"])
def test_rows_with_which_the_policy_would_not_load_are_not_taken(run: Any, name: str) -> None:
    before = [Path(file).read_text() for file in ("p.yaml", "kept.csv")]
    Path("new.csv").write_text("country,amount >=,then\nSG,5%,review\n")
    done = run("table", "import", "p.yaml", name, "new.csv")
    assert (done.exit_code, "write 5" in done.stderr) == (2, True)
    assert [Path(file).read_text() for file in ("p.yaml", "kept.csv")] == before


def test_new_rows_are_taken(run: Any) -> None:
    Path("new.csv").write_text("country,amount >=,then\nNO,7.50,reject\nID,,review\n")
    assert run("table", "import", "p.yaml", "limits", "new.csv").stdout == "took 2 rows of limits into p.yaml\n"
    assert meaning()[:2] == [("limits:1", 'amount >= 7.5 && country == "NO"'), ("limits:2", 'country == "ID"')]
    assert run("table", "import", "p.yaml", "kept", "new.csv").stdout == "took 2 rows of kept into kept.csv\n"
    assert Path("kept.csv").read_text() == Path("new.csv").read_text()
    assert "did you mean `limits`" in run("table", "import", "p.yaml", "limit", "new.csv").stderr
    Path("new.csv").write_text("")
    assert "is empty" in run("table", "import", "p.yaml", "limits", "new.csv").stderr


def test_table_in_braces_stays_in_them(run: Any) -> None:
    text = POLICY.replace("    by: country\n    values: {SG: 0.50, NO: 1}\n", "").replace(
        "  rate:", "  rate: {by: country, values: {SG: 1}}"
    )
    Path("p.yaml").write_text(text)
    Path("new.csv").write_text("country,value\nNO,2.50\nID,'=x\n")
    assert run("table", "import", "p.yaml", "rate", "new.csv").exit_code == 0
    assert "  rate: {by: country, values: {NO: 2.50, ID: '=x'}}\n" in Path("p.yaml").read_text()


def test_table_of_a_fragment_can_be_brought_too(run: Any) -> None:
    Path("f.yaml").write_text("policy_language: 1\nfragment: f\ntables:\n  t:\n    rows:\n      - {country: SG}\n")
    Path("new.csv").write_text("country\nNO\n")
    assert run("table", "import", "f.yaml", "t", "new.csv").exit_code == 0
    assert Path("f.yaml").read_text().endswith("    rows:\n      - {country: NO}\n")


ROWS = st.lists(st.lists(CELLS | NUMBERS, min_size=3, max_size=3).filter(any), min_size=1, max_size=6)


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(ROWS)
def test_cells_come_back_from_csv_as_they_went(rows: list[list[str]]) -> None:
    cells = [["a", "b", "c"], *rows]
    Path("t.csv").write_bytes(as_csv(cells).encode("utf-8", "surrogatepass"))
    assert read_rows(Path("t.csv")) == cells


@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    st.lists(
        st.lists(NUMBERS | st.sampled_from(["=1", "'@", "NO", "a\nb", "é漢"]), min_size=3, max_size=3),
        min_size=1,
        max_size=6,
    )
)
def test_cells_come_back_from_a_workbook_as_they_went(rows: list[list[str]]) -> None:
    pytest.importorskip("xlsxwriter", reason="needs the extra `sheets`")
    cells = [["a", "b", "c"], *rows]
    Path("t.xlsx").write_bytes(as_workbook({"t": cells}))
    assert read_rows(Path("t.xlsx")) == cells
