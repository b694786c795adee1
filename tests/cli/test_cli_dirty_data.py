"""Tables as people have them: cells that cannot be read, columns that lack, and a mapping that is guessed."""

from __future__ import annotations

import json
import random
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from adjudge.policy import parse_policy

duckdb = pytest.importorskip("duckdb", reason="needs the extra `backtest`")
pytest.importorskip("pyarrow", reason="needs the extra `backtest`")

POLICY = """policy_language: 1
policy: shop
inputs:
  country: {type: enum, values: [SG, MY]}
  document_match: {type: double, range: [0, 1]}
  age: duration
  name: {type: string, personal: true}
signals:
  device: {fields: {score: {type: int, range: [0, 100]}, vpn: bool}}
  deepfake: {fields: {score: {type: map, keys: [SuspectRemake], of: {type: double, range: [0, 1]}}}}
thresholds:
  document_match: {below: {review: 0.8, reject: 0.5}}
  deepfake.score.SuspectRemake: {review: 0.9}
rules:
  - {id: device, when: device.score >= 90 || device.vpn, then: review}
  - {id: young, when: 'age < duration("24h") && country == "MY"', then: review}
  - {id: named, when: name == "x", then: reject}
"""
NAMES = ("country", "document_match", "age", "name", "device.score", "device.vpn", "df_remake", "label")
MAP = ("--map", "deepfake.score.SuspectRemake=df_remake")


def cells(draw: random.Random) -> dict[str, str]:
    return {
        "country": draw.choice(["SG", "SG", "MY", "", "sg", "n/a"]),
        "document_match": draw.choice(["0.95", "0.7", "0.4", "", "93%", "N/A", "95.5", "1,0", "NaN"]),
        "age": draw.choice(["12h", "900h", "", "12", "1 day"]),
        "name": draw.choice(["x", "y", "", "z\u200b"]),
        "device.score": draw.choice(["10", "95", "", "101", "4.5", "#REF!"]),
        "device.vpn": draw.choice(["true", "False", "", "yes", "0"]),
        "df_remake": draw.choice(["0.1", "0.95", "", "high"]),
        "label": draw.choice(["fraud", "genuine", "", "bad"]),
    }


GOOD = {
    "country": ("SG", "MY"), "document_match": ("0.95", "0.7", "0.4"), "age": ("12h", "900h"), "name": ("x", "y"),
    "device.score": ("10", "95"), "device.vpn": ("true", "False"), "df_remake": ("0.1", "0.95"),
    "label": ("fraud", "genuine"),
}  # fmt: skip


SOUND = {
    "country": "SG", "document_match": "0.95", "age": "900h", "name": "y", "device.score": "10", "device.vpn": "False",
    "df_remake": "0.1", "label": "genuine",
}  # fmt: skip
"""A row that passes."""


def cleaned(rows: list[dict[str, str]]) -> list[dict[str, str]]:
    """Return rows with something sound in the place of what cannot be read."""
    return [{name: cell if cell in GOOD[name] else SOUND[name] for name, cell in row.items()} for row in rows]


def write(rows: list[dict[str, str]], path: str = "data.csv") -> None:
    quoted = [[f'"{cell}"' if "," in cell else cell for cell in row.values()] for row in rows]
    Path(path).write_text("\n".join([",".join(rows[0]), *map(",".join, quoted)]) + "\n")


@pytest.fixture
def rows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[dict[str, str]]:
    monkeypatch.chdir(tmp_path)
    Path("policy.yaml").write_text(POLICY)
    draw = random.Random(3)
    found = [cells(draw) for _ in range(800)]
    write(found)
    return found


def report(run: Any, *arguments: str, status: int = 0) -> dict[str, Any]:
    result = run("backtest", "policy.yaml", "data.csv", *arguments, "--format", "json")
    assert result.exit_code == status, result.stderr
    found: dict[str, Any] = json.loads(result.stdout)
    return found


def decided(row: dict[str, str], **assumed: object) -> str:
    """Decide a row with the live engine, what cannot be read being left out."""

    def good(name: str) -> str | None:
        return row[name] if row.get(name) in GOOD[name] else None

    def number(name: str) -> float | None:
        return float(text) if (text := good(name)) else None

    vpn, score = good("device.vpn"), number("device.score")
    given: dict[str, Any] = {
        "country": good("country"), "document_match": number("document_match"), "age": good("age"),
        "name": good("name"),
        "device": {"score": None if score is None else int(score), "vpn": None if vpn is None else vpn == "true"},
        "deepfake": {"score": {"SuspectRemake": number("df_remake")}},
        **assumed,
    }  # fmt: skip
    return parsed.evaluate(given).outcome.value


parsed = parse_policy(POLICY)


def test_a_cell_that_cannot_be_read_is_unknown_in_its_row_and_counted(run: Any, rows: list[dict[str, str]]) -> None:
    policy = report(run, *MAP)["policies"][0]
    said = {one["column"]: one for one in policy["unreadable"]}
    assert set(said) == set(NAMES)
    for name, one in said.items():
        full = [(number, row[name]) for number, row in enumerate(rows) if row[name]]
        bad = [(number, cell) for number, cell in full if cell not in GOOD[name]]
        assert (one["cells"], one["count"]) == (len(full), len(bad))
        assert (one["file"], one["line"]) == ("data.csv", bad[0][0] + 2)
        counts = Counter(cell for _, cell in bad)
        shown = {example["cell"]: example["rows"] for example in one["examples"]}
        if name == "name":
            assert shown == {}
        else:
            assert len(shown) == min(3, len(counts)) and shown.items() <= counts.items()
            assert sorted(shown.values()) == sorted(sorted(counts.values())[-3:])
    outcomes = Counter(map(decided, rows))
    assert {name: one["rows"] for name, one in policy["outcomes"].items()} == {
        name: outcomes[name] for name in ("pass", "review", "reject")
    }


def test_every_report_shows_them(run: Any, rows: list[dict[str, str]]) -> None:
    text = run("backtest", "policy.yaml", "data.csv", *MAP).stdout
    bad = [row["device.score"] for row in rows if row["device.score"] in ("101", "4.5", "#REF!")]
    full = sum(bool(row["device.score"]) for row in rows)
    wanted = (
        f"{len(bad)} of {full} cells of `device.score` cannot be read, and are unknown in their rows: not an integer"
    )
    assert wanted in text and "from 0 to 100, but `" in text
    run("backtest", "policy.yaml", "data.csv", *MAP, "-o", "page.html", "--format", "html")
    assert wanted in Path("page.html").read_text()
    assert "z\\u200b" not in text and "z\u200b" not in text


def test_strict_stops_at_the_first_of_them_with_its_place(run: Any, rows: list[dict[str, str]]) -> None:
    clean = [{name: cell if cell in GOOD[name] else "" for name, cell in row.items()} for row in rows]
    write(clean)
    assert report(run, *MAP, "--strict")["policies"][0]["unreadable"] == []
    clean[40]["document_match"] = "93%"
    clean[60]["country"] = "Singapore"
    write(clean)
    for command in (["backtest", "policy.yaml", "data.csv"], ["tune", "policy.yaml", "data.csv", "--max-review", "5%"]):
        result = run(*command, *MAP, "--strict")
        assert result.exit_code == 2
        assert (
            "error[data]: data.csv:42: `93%` in the column `document_match` is not a number from 0 to 1"
            in result.stderr
        )
        assert "hint: write 0.93 for 93%, or leave the cell empty where it is unknown" in result.stderr


def test_parquet_has_cells_that_cannot_be_read_too(run: Any, rows: list[dict[str, str]], tmp_path: Path) -> None:
    duckdb.sql(
        "copy (select unnest([0.9, 93.0, 'nan'::double, null]) as document_match, unnest(['SG', 'XX', 'MY', null])"
        " as country, unnest([5, 500, 7, null]) as device_score) to 'data.parquet' (format parquet)"
    )
    result = run("backtest", "policy.yaml", "data.parquet", "--map", "device.score=device_score", "--format", "json")
    said = {one["column"]: one for one in json.loads(result.stdout)["policies"][0]["unreadable"]}
    assert {name: (one["cells"], one["count"]) for name, one in said.items()} == {
        "document_match": (3, 2), "country": (3, 1), "device_score": (3, 1)}  # fmt: skip
    strict = run("backtest", "policy.yaml", "data.parquet", "--map", "device.score=device_score", "--strict")
    assert strict.exit_code == 2 and "in the column `" in strict.stderr


ASSUMED = (("age", "900h"), ("country", "SG"), ("deepfake.score", '{"SuspectRemake": 0.95}'), ("device.vpn", "true"))


def test_what_the_data_lacks_can_be_assumed_and_the_report_says_so(run: Any, rows: list[dict[str, str]]) -> None:
    lacking = [{name: row[name] for name in ("document_match", "name", "device.score")} for row in rows]
    write(lacking)
    options = [part for slot, value in ASSUMED for part in ("--assume", f"{slot}={value}")]
    policy = report(run, *options)["policies"][0]
    assert policy["assumed"] == dict(ASSUMED) and policy["absent"] == []

    def full(row: dict[str, str]) -> str:
        return decided({**dict.fromkeys(NAMES, ""), **row, "country": "SG", "age": "900h", "device.vpn": "true",
                        "df_remake": "0.95"})  # fmt: skip

    outcomes = Counter(map(full, lacking))
    assert {name: one["rows"] for name, one in policy["outcomes"].items()} == {
        name: outcomes[name] for name in ("pass", "review", "reject")
    }
    said = run("backtest", "policy.yaml", "data.csv", *options).stdout
    assert "assumed on every row, for the data lacks it: age = 900h, country = SG" in said


def test_list_in_a_csv_can_be_assumed_as_the_guessed_mapping_says(
    run: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("hits.yaml").write_text(
        "policy_language: 1\npolicy: hits\ninputs: {a: int, hits: {type: list, of: {type: record, of: {s: double}}}}\n"
        "rules:\n  - {id: r, when: 'a > 1 || hits.exists(h, h.s > 0.5)', then: review}\n"
    )
    Path("data.csv").write_text('a,hits\n1,[]\n2,"[{""s"": 0.9}]"\n')
    refused = run("backtest", "hits.yaml", "data.csv")
    assert refused.exit_code == 2 and "a list or a map needs Parquet" in refused.stderr
    hint = run("backtest", "hits.yaml", "--map-from", "data.csv").stdout
    assert "`--assume hits=[]`" in hint
    result = run("backtest", "hits.yaml", "data.csv", "--assume", "hits=[]", "--format", "json")
    assert result.exit_code == 0, result.stderr
    (policy,) = json.loads(result.stdout)["policies"]
    assert {name: one["rows"] for name, one in policy["outcomes"].items()} == {"pass": 1, "review": 1, "reject": 0}


@pytest.mark.parametrize(
    ("assumption", "said"),
    [
        ("contry=SG", "did you mean `country`"),
        ("country=XX", "must be one of SG, MY"),
        ("document_match=0.9", "the data has it, in the column `document_match`"),
        ("age=12", "must be a duration"),
        ("deepfake.score.SuspectRemake=1.5", "outside its range"),
        ("deepfake.score.SuspectRemake=high", "must be a"),
        ("deepfake.score={", "is not JSON"),
        ("country", "write FIELD=VALUE"),
    ],
)
def test_an_assumption_is_checked_as_an_input_is(
    run: Any, rows: list[dict[str, str]], assumption: str, said: str
) -> None:
    write([{"document_match": row["document_match"]} for row in rows])
    result = run("backtest", "policy.yaml", "data.csv", "--assume", assumption)
    assert result.exit_code == 2
    assert said in result.stderr


def test_a_main_cause_of_doubt_is_the_headline(run: Any, rows: list[dict[str, str]]) -> None:
    clean = cleaned(rows)
    for number, row in enumerate(clean):
        row["document_match"] = "n/a" if number % 5 else "0.95"
    write(clean)
    found = report(run, *MAP)["policies"][0]
    doubt = found["main_doubt"]
    reviews = [row for row in clean if decided(row) == "review"]
    certain = [row for row in reviews if decided({**row, "document_match": "0.95"}) == "review"]
    assert (doubt["name"], doubt["unknown"]["hits"]) == ("document_match", 640)
    assert (doubt["reviews"]["of"], doubt["reviews"]["hits"]) == (len(reviews), len(reviews) - len(certain))
    said = run("backtest", "policy.yaml", "data.csv", *MAP).stdout.splitlines()[3]
    share = f"{(len(reviews) - len(certain)) / len(reviews):.1%}"
    why = "which is unknown in 80.0% of the rows: 640 cells such as `n/a` cannot be read"
    assert said == f"  {share} of the reviews come from `document_match`, {why}"

    write([{name: cell for name, cell in row.items() if name != "document_match"} for row in clean])
    said = run("backtest", "policy.yaml", "data.csv", *MAP).stdout
    assert "come from `document_match`, which is unknown in 100.0% of the rows: no such column" in said
    for row in clean:
        row["document_match"] = ""
    write(clean)
    run("backtest", "policy.yaml", "data.csv", *MAP, "--format", "html", "-o", "page.html")
    assert "come from `document_match`, which is unknown in 100.0% of the rows: its cells are empty" in (
        Path("page.html").read_text()
    )


def test_a_signal_that_lacks_as_a_whole_is_one_cause(run: Any, rows: list[dict[str, str]]) -> None:
    clean = cleaned(rows)
    for row in clean:
        row |= {"device.score": "", "device.vpn": "", "document_match": "0.95"}
    write(clean)
    assert report(run, *MAP)["policies"][0]["main_doubt"]["name"] == "device"


def test_no_headline_where_doubt_is_rare(run: Any, rows: list[dict[str, str]]) -> None:
    write(cleaned(rows))
    assert report(run, *MAP)["policies"][0]["main_doubt"] is None


def renamed(rows: list[dict[str, str]]) -> None:
    names = {"country": "Country", "document_match": "doc_match", "age": "account_age", "name": "full_name",
             "device.score": "dev_score", "device.vpn": "deviceVpn", "df_remake": "df_remake",
             "label": "is_fraud"}  # fmt: skip
    write([{names[name]: cell for name, cell in row.items()} | {"decided_at": "2026-01-01 10:00:00"} for row in rows])


def test_a_mapping_is_guessed_by_name_and_type_and_can_be_used(run: Any, rows: list[dict[str, str]]) -> None:
    pairs = enumerate(zip(rows, cleaned(rows), strict=True))
    mostly = [row if number % 10 == 0 else clean for number, (row, clean) in pairs]
    write(mostly)
    by_hand = report(run, *MAP)["policies"][0]["outcomes"]
    renamed(mostly)
    result = run("backtest", "policy.yaml", "data.csv", "--map-from", "data.csv")
    assert result.exit_code == 0, result.stderr
    Path("map.yaml").write_text(result.stdout)
    lines = dict(line.split("  #")[0].split(": ") for line in result.stdout.splitlines() if line[:1] not in ("#", ""))
    assert {name: column.strip() for name, column in lines.items()} == {
        "at": "decided_at", "label": "is_fraud", "country": "Country", "document_match": "doc_match",
        "age": "account_age", "name": "full_name", "device.score": "dev_score", "device.vpn": "deviceVpn",
        "deepfake.score.SuspectRemake": "df_remake",
    }  # fmt: skip
    assert "cells cannot be read" in result.stdout
    assert report(run, "--map", "map.yaml")["policies"][0]["outcomes"] == by_hand
    assert run("backtest", "policy.yaml", "--map-from", "data.csv").stdout == result.stdout


def test_a_guess_says_what_it_left_open_and_what_it_is_not_sure_of(run: Any, rows: list[dict[str, str]]) -> None:
    write([{"match_a": "0.5", "match_b": "0.7", "device_score": "high", "unrelated": "1"}])
    said = run("backtest", "policy.yaml", "--map-from", "data.csv").stdout
    assert "\n# document_match: match_a  # perhaps, or `match_b`, every cell can be read\n" in said
    assert "\n# device.score:  # no cell of `device_score` is one\n" in said
    assert "\n# country:  # no column has a name like it\n" in said
    assert "unrelated" in said.splitlines()[-1] and said.splitlines()[-1].startswith("# Columns that nothing")


def test_a_mapping_file_and_pairs_go_together_and_the_last_counts(run: Any, rows: list[dict[str, str]]) -> None:
    wanted = report(run, *MAP)["policies"][0]["outcomes"]
    Path("map.yaml").write_text("deepfake.score.SuspectRemake: country\nage: age\ncountry:\n")
    assert report(run, "--map", "map.yaml", *MAP)["policies"][0]["outcomes"] == wanted
    for text, said in (("- a\n", "map.yaml:1:1: error[schema-type]"), ("age: [a]\n", "map.yaml:1:6"),
                       ("age: a\nage: b\n", "map.yaml:2:1"), ("agee: age\n", "did you mean `age`"),
                       ("age: agee\n", "did you mean `age`")):  # fmt: skip
        Path("map.yaml").write_text(text)
        result = run("backtest", "policy.yaml", "data.csv", "--map", "map.yaml")
        assert result.exit_code == 2
        assert said in result.stderr


def test_a_mapping_is_of_all_policies_together(run: Any, rows: list[dict[str, str]]) -> None:
    Path("other.yaml").write_text(POLICY.replace("policy: shop", "policy: other").replace("deepfake", "forgery"))
    result = run("backtest", "policy.yaml", "other.yaml", "data.csv", *MAP, "--map",
                 "forgery.score.SuspectRemake=df_remake", "--format", "json")  # fmt: skip
    one, other = json.loads(result.stdout)["policies"]
    assert one["outcomes"] == other["outcomes"]


SMALL = """policy_language: 1
policy: small
inputs: {x: {type: double, range: [0, 1]}}
thresholds: {x: {review: 0.5}}
"""


def test_strict_shows_the_cell_of_the_place_that_it_names(
    run: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("small.yaml").write_text(SMALL)
    Path("data.csv").write_text('id,x\n1,0.5\n2,50%\n3,"0,5"\n4,"0,5"\n')
    said = run("backtest", "small.yaml", "data.csv", "--strict").stderr
    assert said.startswith("error[data]: data.csv:3: `50%` in the column `x` is not a number from 0 to 1, one of 3")
    assert "write 0.93 for 93%" in said


def test_a_guess_reads_a_column_of_the_fields_own_name_as_a_backtest_does(
    run: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("small.yaml").write_text(SMALL)
    Path("data.csv").write_text("x,label\n0.5,fraud\n50%,Fraud\nhigh,TRUE\nlow,bad\n")
    said = run("backtest", "small.yaml", "--map-from", "data.csv").stdout
    assert "\nx: x          # the same name, 3 of 4 cells cannot be read\n" in said
    assert "\nlabel: label  # the same name, 1 of 4 cells cannot be read\n" in said
    assert "1 of 4 cells of `label` cannot be read" in run("backtest", "small.yaml", "data.csv").stdout
    Path("data.csv").write_text("X,label\n0.5,fraud\n50%,fraud\nhigh,fraud\nlow,fraud\n")
    said = run("backtest", "small.yaml", "--map-from", "data.csv").stdout
    assert "# x:  # only 1 of 4 cells of `X` can be read\n" in said


def test_parts_of_a_request_can_be_asked_for_where_the_data_has_them(
    run: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("small.yaml").write_text(SMALL)
    Path("data.csv").write_text("x,attempts,app\n0.5,1,a\n0.6,2,b\n0.7,3,c\n")

    def rows(*options: str) -> int:
        result = run("backtest", "small.yaml", "data.csv", "--format", "json", *options)
        assert result.exit_code == 0, result.stderr
        return sum(one["rows"] for one in json.loads(result.stdout)["policies"][0]["outcomes"].values())

    assert rows("--where", "attempts >= 2") == 2
    assert rows("--where", 'application_id == "a"', "--map", "application_id=app") == 1
    assert rows("--where", 'x > 0.0 || "application_id" == "a"') == 3  # a text is no field
    result = run("backtest", "small.yaml", "data.csv", "--where", 'application_id == "a"')
    assert result.exit_code == 2
    assert "--where reads `application_id`, which the data lacks" in result.stderr
    assert "--map application_id=COLUMN" in result.stderr
