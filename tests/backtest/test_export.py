"""Exports: a log becomes Parquet that gives each decision its verdict again, and goes on where it stopped."""

from __future__ import annotations

import json
import os
import shutil
import stat
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from adjudge import AuditBroken, Decision, Policy
from adjudge.audit.annotations import label_body
from adjudge.audit.bodies import DecisionBody
from adjudge.audit.kinds import Block, decode
from adjudge.audit.log import AuditLog
from adjudge.audit.record import FIRST_PREV, encode, encode_body, parse
from adjudge.policy import parse_policy
from depth import examples
from policy.random_policies import policies, requests

duckdb = pytest.importorskip("duckdb", reason="needs the extra `backtest`")
pytest.importorskip("pyarrow", reason="needs the extra `backtest`")

import pyarrow.parquet as pq  # noqa: E402

from adjudge.backtest import export as exporting  # noqa: E402
from adjudge.backtest.columns import DataError  # noqa: E402
from adjudge.backtest.dataset import open_dataset  # noqa: E402
from adjudge.backtest.duck import connect  # noqa: E402
from adjudge.backtest.export import export  # noqa: E402
from adjudge.backtest.narrow import Narrow  # noqa: E402
from adjudge.backtest.run import Row, Runner  # noqa: E402
from adjudge.backtest.table import Columns  # noqa: E402
from backtest.backtest_logs import decide_all  # noqa: E402

POLICY = """policy_language: 1
policy: onboarding
inputs:
  country: string
  amount: {type: double, range: [0, 100]}
  email: {type: string, personal: true}
signals:
  device: {fields: {os: {type: enum, values: [ios, android]}, n: int}}
  face:
    fields:
      tags: {type: set, values: [SuspectRemake]}
      novel_tags: {type: list, of: string}
      score: {type: map, keys: [SuspectRemake], of: {type: double, range: [0, 1]}, absent: 0}
rules:
  - {id: big, when: amount > 50, then: reject}
  - {id: os, when: device.os == "android", then: review}
  - {id: tag, when: "'SuspectRemake' in face.tags && face.score.SuspectRemake > 0.5", then: review}
  - {id: new, when: size(face.novel_tags) > 0, then: review}
"""
WIDER = (
    POLICY.replace("[0, 100]", "[0, 1000]")
    .replace("[ios, android]", "[ios, android, web]")
    .replace("values: [SuspectRemake]", "values: [SuspectRemake, SuspectNew]")
    .replace("keys: [SuspectRemake]", "keys: [SuspectRemake, SuspectNew]")
    .replace("absent: 0", "absent: 1")
    .replace('"android"', '"web"')
    .replace("score.SuspectRemake", "score.SuspectNew")
)
GIVEN: list[dict[str, Any]] = [
    {"country": "SG", "amount": 10, "device": {"os": "ios", "n": 3}, "face": {"tags": [], "score": {}}},
    {"amount": 500.5, "device": {"os": "web"}, "face": {"tags": ["SuspectNew"], "score": {"SuspectNew": 0.9}}},
    {"amount": "ten", "device": {"n": 2**70, "os": 5}, "face": {"tags": ["SuspectRemake", 7], "score": {"Odd": 0.7}}},
    {"amount": -1, "face": {"tags": ["SuspectRemake"], "score": {"SuspectRemake": 3, "SuspectNew": "x"}}},
    {"country": "é", "email": "a@example.org", "amount": 60.0, "face": {"tags": None, "novel_tags": ["Odd"]}},
    {"face": {"tags": ["SuspectRemake", "SuspectNew", "Another"], "score": {"Odd": 1.0}, "novel_tags": ["Told"]}},
    {"face": {"tags": ["SuspectRemake"], "novel_tags": 5, "score": [1]}},
    {},
]  # fmt: skip


@pytest.fixture
def database() -> Iterator[duckdb.DuckDBPyConnection]:
    with connect(threads=1) as connection:
        yield connection


def rows_of(connection: duckdb.DuckDBPyConnection, out: Path, policy: Policy) -> dict[str | None, Row]:
    return {row.id: row for row in Runner(connection, policy, open_dataset(connection, out, policy.typed)).rows()}


def assert_same(row: Row, decision: Decision, policy: Policy, one: object) -> None:
    verdict = decision.verdict
    said = (row.outcome, row.lower, row.upper, row.matched, row.unresolved, row.score)
    live = (verdict.outcome, verdict.lower, verdict.upper, verdict.matched, verdict.unresolved, verdict.score)
    assert said == live, f"{policy.typed.source.text}\n{one}"


def _by_caller(one: dict[str, object]) -> dict[str, object]:
    """Leave out what only a provider can say."""
    face = one.get("face")
    return {**one, "face": {k: v for k, v in face.items() if k != "novel_tags"}} if isinstance(face, dict) else one


@settings(max_examples=examples(12), phases=[Phase.generate], deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_an_export_gives_every_decision_its_verdict_again(data: st.DataObject) -> None:
    policy = data.draw(policies())
    given_ = [_by_caller(data.draw(requests(policy))) for _ in range(24)]
    with tempfile.TemporaryDirectory() as name, connect(threads=1) as connection:
        decisions = decide_all(Path(name) / "log", policy, given_)
        export(Path(name) / "log", Path(name) / "out")
        rows = rows_of(connection, Path(name) / "out", policy)
        assert len(rows) == len(decisions) > 6
        for decision in decisions:
            assert_same(rows[decision.decision_id], decision, policy, given_[int(decision.merchant_biz_id) - 1])


def test_a_policy_with_wider_ranges_finds_what_an_older_one_refused(
    tmp_path: Path, database: duckdb.DuckDBPyConnection
) -> None:
    older, wider = parse_policy(POLICY), parse_policy(WIDER)
    decisions = decide_all(tmp_path / "log", older, GIVEN)
    export(tmp_path / "log", tmp_path / "out")
    rows = rows_of(database, tmp_path / "out", wider)
    for decision, one in zip(decisions, GIVEN, strict=True):
        verdict, row = wider.evaluate(one, now=decision.decided_at), rows[decision.decision_id]
        assert (row.outcome, row.lower, row.upper, row.matched, row.unresolved) == (
            verdict.outcome, verdict.lower, verdict.upper, verdict.matched, verdict.unresolved), one  # fmt: skip
    rows = rows_of(database, tmp_path / "out", older)
    for decision, one in zip(decisions, GIVEN, strict=True):
        assert_same(rows[decision.decision_id], decision, older, one)


def files(out: Path) -> set[str]:
    return {str(path.relative_to(out)) for path in out.rglob("*") if path.is_file()}


@pytest.mark.parametrize("jobs", [1, 2])
def test_an_export_goes_on_where_it_stopped(tmp_path: Path, jobs: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exporting, "PART_ROWS", 3)
    log, out = tmp_path / "log", tmp_path / "out"
    policy = parse_policy(POLICY)
    first = decide_all(log, policy, GIVEN)
    done = export(log, out, jobs=jobs)
    assert (done.decisions, done.labels, done.parts, done.folders) == (8, 0, 3, ("onboarding",))
    before = files(out)
    assert export(log, out, jobs=jobs).decisions == 0
    assert files(out) == before, "nothing new, nothing written"
    decide_all(log, policy, GIVEN[:2], first=100)
    with AuditLog.open(log, durability="flush") as opened:
        for label in ("fraud", "genuine"):
            opened.write_blocking(
                "label",
                label_body(first[0].decision_id, first[0].merchant_biz_id, label, source="chargeback", by="kim"),
            )
    done = export(log, out, jobs=jobs)
    assert (done.decisions, done.labels) == (2, 2)
    assert before < files(out)
    with connect() as connection:
        dataset = open_dataset(connection, out, policy.typed)
        found = connection.execute(
            f"select {dataset.roles['id']}, {dataset.label()} from {dataset.relation} order by seq"
        ).fetchall()
    assert found[0] == (first[0].decision_id, "genuine"), "the newest label counts"
    assert [label for _, label in found[1:]] == [None] * 9


def test_personal_fields_stay_behind_unless_they_are_wanted(tmp_path: Path) -> None:
    log = tmp_path / "log"
    decide_all(log, parse_policy(POLICY), GIVEN)
    export(log, tmp_path / "out")
    export(log, tmp_path / "all", with_personal=True)
    with connect() as connection:

        def emails(out: Path) -> list[object]:
            rows = f"read_parquet('{out}/onboarding/**/*.parquet')"
            return [row[0] for row in connection.execute(f'select "inputs.email" from {rows} order by seq').fetchall()]

        with pytest.raises(duckdb.BinderException):
            emails(tmp_path / "out")
        assert emails(tmp_path / "all")[4] == "a@example.org"
    assert not any(b"a@example.org" in path.read_bytes() for path in (tmp_path / "out").rglob("*") if path.is_file())
    with pytest.raises(DataError, match="does not hold personal fields"):
        export(log, tmp_path / "out", with_personal=True)


def test_a_decision_that_another_supersedes_is_not_counted_twice(
    tmp_path: Path, database: duckdb.DuckDBPyConnection
) -> None:
    log, policy = tmp_path / "log", parse_policy(POLICY)
    decide_all(log, policy, [{"country": "SG", "amount": 10}])
    (again,) = decide_all(log, policy, [GIVEN[0]])
    assert again.status == "supersedes"
    export(log, tmp_path / "out")
    assert list(rows_of(database, tmp_path / "out", policy)) == [again.decision_id]


def test_a_field_that_changes_its_type_begins_a_new_folder(tmp_path: Path, database: duckdb.DuckDBPyConnection) -> None:
    log, older = tmp_path / "log", parse_policy(POLICY)
    newer = parse_policy(POLICY.replace("n: int", "n: string"))
    decide_all(log, older, GIVEN)
    decisions = decide_all(log, newer, [{"device": {"n": "seven"}}], first=60)
    done = export(log, tmp_path / "out")
    assert done.folders == ("onboarding", "onboarding~2")
    assert list(rows_of(database, tmp_path / "out", newer)) == [decisions[0].decision_id]
    said = "8 earlier decisions are left out, onboarding: a field has another type since then"
    assert open_dataset(database, tmp_path / "out", newer.typed).notes == (said,)
    assert len(rows_of(database, tmp_path / "out" / "onboarding", older)) == 8, "a folder of an export is one too"


def test_what_is_no_export_of_this_log_is_refused(tmp_path: Path) -> None:
    log, out, policy = tmp_path / "log", tmp_path / "out", parse_policy(POLICY)
    decide_all(log, policy, GIVEN)
    export(log, out)
    decide_all(tmp_path / "other", policy, GIVEN)
    with pytest.raises(DataError, match="is an export of another log"):
        export(tmp_path / "other", out)
    with pytest.raises(DataError, match="is not empty, and no export"):
        export(log, log)
    state = json.loads((out / "adjudge-export.json").read_text())
    (out / "adjudge-export.json").write_text(json.dumps({**state, "layout": 9}))
    with pytest.raises(DataError, match="layout 9"):
        export(log, out)


def test_two_exports_do_not_write_to_one_folder(tmp_path: Path) -> None:
    log, out = tmp_path / "log", tmp_path / "out"
    decide_all(log, parse_policy(POLICY), GIVEN)
    refused: list[str] = []

    def second(done: float) -> None:
        with pytest.raises(DataError) as error:
            export(log, out)
        refused.append(str(error.value))

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(exporting, "PROGRESS_EVERY", 1)
        export(log, out, progress=second)
    assert set(refused) == {f"{out}: another export is at work there"}
    assert export(log, out).decisions == 0


def test_an_export_that_fails_leaves_what_was_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exporting, "PART_ROWS", 2)
    log, out, policy = tmp_path / "log", tmp_path / "out", parse_policy(POLICY)
    decide_all(log, policy, GIVEN)
    segment = log / "audit-000001.jsonl"
    whole = segment.read_bytes()
    segment.write_bytes(whole.replace(b"60.0", b"61.0"))
    with pytest.raises(AuditBroken):
        export(log, out)
    assert not out.exists(), "nothing was there"
    segment.write_bytes(whole)
    export(log, out)
    before = files(out)
    decide_all(log, policy, GIVEN, first=50)
    whole = segment.read_bytes()
    segment.write_bytes(whole[:-100] + b"x" + whole[-99:])
    with pytest.raises(AuditBroken):
        export(log, out)
    assert files(out) == before
    segment.write_bytes(whole)
    shutil.copy(next(out.rglob("part-*.parquet")), next(out.glob("*/day=*")) / "part-900-901.parquet")
    export(log, out)
    assert not any("900-901" in name for name in files(out)), "a part beyond the state was an interrupted export's"


@pytest.mark.parametrize("jobs", [1, 2])
def test_a_decision_that_is_not_valid_stops_every_process(
    tmp_path: Path, jobs: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(exporting, "PART_ROWS", 2)
    log, out = tmp_path / "log", tmp_path / "out"
    decide_all(log, parse_policy(POLICY), GIVEN)
    with AuditLog.open(log, durability="flush") as opened:
        opened.write_blocking("decision", {"decision_id": 7})
    with pytest.raises(AuditBroken, match=r"is not a valid decision: Expected `str`, got `int` - at `.*decision_id`"):
        export(log, out, jobs=jobs)
    assert not out.exists(), "nothing was there"


def test_fields_named_like_the_exports_own_columns_are_read_as_fields(
    tmp_path: Path, database: duckdb.DuckDBPyConnection
) -> None:
    names = ("outcome", "status", "policy", "decision_id", "at", "matched", "cost", "label")
    inputs = "".join(f"  {name}: string\n" for name in names)
    rules = "".join(f"  - {{id: {name}, when: {name} == 'x', then: review}}\n" for name in names)
    policy = parse_policy(f"policy_language: 1\npolicy: odd\ninputs:\n{inputs}rules:\n{rules}")
    (decision,) = decide_all(tmp_path / "log", policy, [dict.fromkeys(names, "x")])
    export(tmp_path / "log", tmp_path / "out")
    assert rows_of(database, tmp_path / "out", policy)[decision.decision_id].matched == names


def test_a_policy_may_be_called_labels(tmp_path: Path, database: duckdb.DuckDBPyConnection) -> None:
    policy = parse_policy(POLICY.replace("policy: onboarding", "policy: labels"))
    (first, *_) = decide_all(tmp_path / "log", policy, GIVEN)
    with AuditLog.open(tmp_path / "log", durability="flush") as opened:
        opened.write_blocking(
            "label", label_body(first.decision_id, first.merchant_biz_id, "fraud", source="s", by="kim")
        )
    assert export(tmp_path / "log", tmp_path / "out").folders == ("labels~2",)
    assert len(rows_of(database, tmp_path / "out", policy)) == 8


def test_a_label_follows_to_the_decision_that_superseded(tmp_path: Path, database: duckdb.DuckDBPyConnection) -> None:
    log, policy = tmp_path / "log", parse_policy(POLICY)
    (first,) = decide_all(log, policy, [{"country": "SG", "amount": 10}])
    with AuditLog.open(log, durability="flush") as opened:
        opened.write_blocking(
            "label", label_body(first.decision_id, first.merchant_biz_id, "fraud", source="s", by="kim")
        )
    decide_all(log, policy, [GIVEN[0]])
    export(log, tmp_path / "out")
    dataset = open_dataset(database, tmp_path / "out", policy.typed)
    assert database.execute(f"select {dataset.label()} from {dataset.relation}").fetchall() == [("fraud",)]


def test_a_part_that_is_gone_is_noticed(tmp_path: Path) -> None:
    log, out = tmp_path / "log", tmp_path / "out"
    decide_all(log, parse_policy(POLICY), GIVEN)
    export(log, out)
    next(out.rglob("part-*.parquet")).unlink()
    with pytest.raises(DataError, match="1 of its files are missing, such as onboarding/day="):
        export(log, out)


@pytest.mark.parametrize("with_personal", [False, True])
def test_export_is_its_owners_alone(tmp_path: Path, with_personal: bool) -> None:
    """Whatever the umask; a folder that was there keeps its mode."""
    decide_all(tmp_path / "log", parse_policy(POLICY), GIVEN)
    (tmp_path / "shared").mkdir(mode=0o755)
    before = os.umask(0)
    try:
        export(tmp_path / "log", tmp_path / "shared" / "new" / "out", with_personal=with_personal)
    finally:
        os.umask(before)
    made = list((tmp_path / "shared").rglob("*"))
    assert {path.suffix for path in made if path.is_file()} >= {".parquet", ".json"}
    for path in made:
        assert stat.S_IMODE(path.stat().st_mode) == (0o700 if path.is_dir() else 0o600), path
    assert stat.S_IMODE((tmp_path / "shared").stat().st_mode) & 0o055 == 0o055


LOGS = Path(__file__).parents[1] / "golden" / "logs"


def test_several_processes_write_what_one_writes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of logs with every kind of record and of field, personal ones too."""
    monkeypatch.setattr(exporting, "PART_ROWS", 7)
    for name in ("every_kind", "oldest"):
        log = Path(shutil.copytree(LOGS / name, tmp_path / name))
        one, many = tmp_path / f"{name}-1", tmp_path / f"{name}-2"
        assert export(log, one, with_personal=True) == export(log, many, with_personal=True, jobs=2)
        assert files(one) == files(many)
        for part in (file for file in files(one) if file.endswith(".parquet")):
            ours, theirs = (pq.ParquetFile(out / part).read() for out in (one, many))
            assert ours.schema == theirs.schema
            for column in ours.column_names:
                assert ours[column].to_pylist() == theirs[column].to_pylist(), (part, column)


ODD = st.sampled_from([None, {}, [], {"SuspectRemake": 0.5}, {"SuspectRemake": None}, ["SuspectRemake"], ["Odd", 7],
                       {"Odd": 0.1, "SuspectRemake": 1}, {"SuspectRemake": 0.25, "Odd": "x"}, [[1]], 5, "text", 2.5,
                       True, 2**70, {"SuspectRemake": [0.5]}, ["SuspectRemake", None], {"Odd": 0.5},
                       {"Odd": 0.5, "SuspectRemake": 0.75}, {"SuspectRemake": 0.25, "Odd": 1.0}])  # fmt: skip


@settings(max_examples=150, phases=[Phase.generate], deadline=None)
@given(data=st.data())
def test_many_decisions_stand_in_a_table_as_each_would_alone(data: st.DataObject) -> None:
    """What is seen of all at once, such as that all are alike, says of each what looking at it alone says."""
    kind = data.draw(st.sampled_from([dict, list, object]))
    drawn = st.sampled_from(data.draw(st.lists(ODD.filter(lambda one: isinstance(one, kind)), min_size=1, max_size=3)))
    columns = Columns.of(parse_policy(POLICY).typed, with_personal=True)
    bodies = [data.draw(decision_bodies(drawn)) for _ in range(data.draw(st.integers(2, 6)))]
    reveal = {"c": "a@example.org"}.get
    together = columns.table(range(1, len(bodies) + 1), bodies, reveal)
    alone = [columns.table([seq], [body], reveal) for seq, body in enumerate(bodies, 1)]
    assert all(one.schema == together.schema for one in alone)
    assert together.to_pylist() == [row for one in alone for row in one.to_pylist()]
    lines = [encode("decision", at, FIRST_PREV, encode_body(body))[0] for at, body in enumerate(bodies, 1)]
    narrow = Narrow([columns]).decode(Block.of([parse(line) for line in lines]))
    assert not isinstance(narrow[0], DecisionBody), "they are all valid"
    assert columns.table(range(1, len(bodies) + 1), narrow, reveal).equals(together)


NAMED = st.sampled_from([None, None, None, None, ["Told"], [], "text"])


@st.composite
def decision_bodies(draw: st.DrawFn, drawn: st.SearchStrategy[Any]) -> DecisionBody:
    email = draw(st.sampled_from([None, "kim@example.org", {"commitment": "c"}, {"commitment": "gone"}]))
    face = {"tags": draw(drawn), "score": draw(drawn), "novel_tags": draw(NAMED)}
    outcome = draw(st.sampled_from(["pass", "reject"]))
    names = st.sampled_from([[], ["big"], ["big", "os"]])
    verdict: dict[str, Any] = {"outcome": outcome, "lower": "pass", "upper": outcome, "matched": draw(names)}
    if draw(st.booleans()):
        verdict |= {"score": [0, 5], "scores": {"device": [0, 1], "face": [2, 3]}}
    body: dict[str, Any] = {
        "decision_id": "0" * 32, "merchant_biz_id": "1" * 32, "scene_code": draw(st.sampled_from(["one", "two"])),
        "status": "fresh", "policy": "onboarding", "policy_digest": "ab", "fingerprint": "f", "durability": "flush",
        "at": "2026-01-02T03:04:05.000006Z", "verdict": verdict,
        "inputs": {"country": draw(drawn), "amount": draw(drawn), "email": email},
        "signals": {"face": {"name": "face", "status": draw(st.sampled_from(["ok", "error"])), "fields": face},
                    **draw(st.sampled_from([{}, {"device": {"name": "device", "status": "ok", "fields": {"n": 7}}},
                                            {"device": {"name": "device", "status": "timeout", "price": "0.1"}}]))},
        "personal": ["email"] if isinstance(email, dict) else [],
        "cost": draw(st.sampled_from([{}, {"USD": "0.10"}, {"USD": "0.10", "EUR": "2"}])),
        "face": draw(st.sampled_from([None, {"digest": "d", "media_type": "image", "size": 7}])),
        "sampled": draw(st.sampled_from([None, {"then": "review", "reason": "QA", "share": 0.0}])),
    }  # fmt: skip
    return msgspec.convert(body, DecisionBody, strict=True)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b'"status":"fresh"', b'"status":"stale"'),
        (b'"fingerprint":"f"', b'"fingerprint":1'),
        (b".000006Z", b".000006"),
        (b'"USD":"0.10"', b'"USD":"1e99"'),
        (b'"USD":"0.10"', b'"USD":"NaN"'),
        (b'"n":7}}', b'"n":7},"price":"1e99"}'),
        (b'"n":7}}', b'"n":7}},"face":null'),
        (b'"inputs":{', b'"inputs":[],"x":{'),
    ],
)
def test_a_decision_that_is_not_valid_is_told_in_the_words_of_its_reader(
    tmp_path: Path, old: bytes, new: bytes
) -> None:
    """However little of a decision an export keeps, it passes over none that another reader would refuse."""
    device = {"name": "device", "status": "ok", "fields": {"n": 7}}
    body = {
        "decision_id": "0" * 32, "merchant_biz_id": "1" * 32, "scene_code": "one", "status": "fresh",
        "policy": "onboarding", "policy_digest": "ab", "fingerprint": "f", "durability": "flush",
        "at": "2026-01-02T03:04:05.000006Z", "verdict": {"outcome": "pass", "lower": "pass", "upper": "pass"},
        "inputs": {}, "signals": {"device": device}, "cost": {"USD": "0.10"},
    }  # fmt: skip
    whole = encode_body(body)
    assert whole.count(old) == 1
    lines = [encode("decision", at, FIRST_PREV, one)[0] for at, one in enumerate([whole, whole.replace(old, new)], 1)]
    block = Block.of([parse(line) for line in lines])
    narrow = Narrow([Columns.of(parse_policy(POLICY).typed, with_personal=False)])
    with pytest.raises(AuditBroken) as theirs:
        decode(DecisionBody, 2, parse(lines[1]).body)
    with pytest.raises(AuditBroken) as ours:
        narrow.decode(block)
    assert str(ours.value) == str(theirs.value)


def test_totals_of_several_scorecards_stand_in_one_column_by_name(tmp_path: Path) -> None:
    text = (
        "policy_language: 1\npolicy: cards\ninputs: {n: int, flag: bool}\nscorecards:\n"
        "  device: {points: [{when: n > 1, add: 5}, {when: flag, add: -2}], bands: {review: 5}}\n"
        "  face: {points: [{when: n > 2, add: 7}, {when: '!flag', add: 4}], bands: {reject: 11}}\n"
    )
    given_: list[dict[str, object]] = [{"n": 3, "flag": True}, {"n": 2}, {"flag": False}, {}]
    decisions = decide_all(tmp_path / "log", parse_policy(text), given_)
    export(tmp_path / "log", tmp_path / "out")
    (part,) = (tmp_path / "out" / "cards").rglob("*.parquet")
    rows = {row["decision_id"]: row for row in pq.read_table(part, columns=["decision_id", "scores"]).to_pylist()}
    assert [dict(rows[one.decision_id]["scores"]) for one in decisions] == [
        {name: [*ends] for name, ends in one.verdict.scores.items()} for one in decisions
    ]
    assert dict(rows[decisions[1].decision_id]["scores"]) == {"device": [3, 5], "face": [0, 4]}
