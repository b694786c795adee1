"""Searching: what a page costs is bounded, what it shows is held against the log, and a cursor is of one search."""

from __future__ import annotations

import asyncio
import itertools
import shutil
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from adjudge.audit import read as reading
from adjudge.audit.bodies import policy_body
from adjudge.decision.cursors import cursor_of, position_of
from adjudge.errors import AuditBroken, RequestError
from adjudge.ledger import facets, index, searching
from adjudge.ledger.file import FileLedger
from adjudge.ledger.guarded import guarded
from adjudge.ledger.index_file import FILE
from adjudge.ledger.memory import MemoryLedger
from adjudge.model import Outcome
from adjudge.plugin import Claim, DecisionQuery
from adjudge.testing.ledgers import FIRST, _policy, decision_and_record
from engine.engines import POLICY, device, engine, face, request
from ledger.test_index import fill, opened


def ids(ledger: FileLedger, **asked: Any) -> Iterator[list[int]]:
    """Yield the numbers of the decisions of each page."""
    after, is_first = None, True
    while is_first or after is not None:
        page = asyncio.run(ledger.search(DecisionQuery(**asked), after))
        yield [int(decision.decision_id, 16) for decision in page.decisions]
        after, is_first = page.next, False


def test_page_looks_at_so_many_records_and_says_where_to_go_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fill(tmp_path, range(50))
    monkeypatch.setattr(searching, "LOOKED_MAX", 20)
    monkeypatch.setattr(facets.Facets, "_prepare", lambda self, query: None)  # it would not have to look
    with opened(tmp_path) as ledger:
        pages = [*ids(ledger, outcome="pass")]
        assert pages == [[], [], []] or len(pages) > 3, "none of them, and no page looked at all of the log"
        assert [*itertools.chain(*ids(ledger))] == [*range(49, -1, -1)]
        monkeypatch.setattr(searching, "TAKEN_MAX_BYTES", 1)
        assert all(len(page) <= 1 for page in ids(ledger))


def test_lines_are_found_wherever_a_block_ends(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fill(tmp_path, range(12))
    with opened(tmp_path) as ledger:
        size = len(min(tmp_path.glob("audit-*.jsonl")).read_bytes())
        for block in (1, 2, 100, 997, size - 1, size, size + 1):
            monkeypatch.setattr(reading, "_BLOCK", block)
            assert [*itertools.chain(*ids(ledger))] == [*range(11, -1, -1)], block


def test_line_that_is_being_written_is_not_there_yet(tmp_path: Path) -> None:
    fill(tmp_path, range(3))
    with opened(tmp_path) as ledger:
        last = max(tmp_path.glob("audit-*.jsonl"))
        whole = last.read_bytes()
        last.write_bytes(whole + b'{"schema":1,"seq":9,"prev":"0","kind":"decision","decis')
        assert [*itertools.chain(*ids(ledger))] == [2, 1, 0]
        *_, decision = [line for line in whole.splitlines(keepends=True) if b'"kind":"decision"' in line]
        last.write_bytes(whole + decision)  # it has its end, but is not durable yet
        assert [*itertools.chain(*ids(ledger))] == [2, 1, 0]
        last.write_bytes(whole)


def test_segments_without_an_index_are_looked_through(tmp_path: Path) -> None:
    """An index that is made anew begins with what still answers; a MerchantBizId is found in what is older too."""
    fill(tmp_path, range(60))
    (tmp_path / FILE).unlink()
    with capture_logs(), opened(tmp_path) as ledger:
        ledger._index._file.begin_at(3)  # type: ignore[union-attr]
        assert [*itertools.chain(*ids(ledger, merchant_biz_id=f"{1:032d}"))] == [1]
        shutil.move(min(tmp_path.glob("audit-*.jsonl")), tmp_path / "elsewhere")
        found = [*itertools.chain(*ids(ledger))]
        assert found == [*range(59, 59 - len(found), -1)] and 1 not in found, "what was moved away is left out"
        shutil.move(tmp_path / "elsewhere", tmp_path / "audit-000001.jsonl")


@pytest.mark.parametrize("change", [(b'"review"', b'"reject"'), (b'"verdict":{', b'"verdict":[')])
def test_record_that_was_changed_is_never_shown(tmp_path: Path, change: tuple[bytes, bytes]) -> None:
    fill(tmp_path, range(3))
    with opened(tmp_path) as ledger:
        last = max(tmp_path.glob("audit-*.jsonl"))
        whole = last.read_bytes()
        last.write_bytes(whole.replace(*change))
        with pytest.raises(AuditBroken, match="adjudge audit verify"):
            asyncio.run(ledger.search(DecisionQuery(), None))
        last.write_bytes(whole)


def test_cursor_is_of_one_search_and_never_guessed_at() -> None:
    query = DecisionQuery(outcome=Outcome.REVIEW)
    cursor = cursor_of(query, "123")
    assert cursor is not None and position_of(query, cursor) == "123"
    assert position_of(DecisionQuery(outcome=Outcome.REVIEW, limit=3), cursor) == "123", "pages may differ in length"
    others = [DecisionQuery(), DecisionQuery(outcome=Outcome.PASS), DecisionQuery(reason="review")]
    for other in (*others, DecisionQuery(since=datetime.now(UTC))):
        with pytest.raises(RequestError, match="cursor: is none"):
            position_of(other, cursor)
    for text in ("", "A" * 11, cursor + "A", cursor[:-1] + "!", cursor + "=", "A" * 300, "é" * 20, "\r\n" * 10, 3):
        with pytest.raises(RequestError, match="cursor: is none"):
            position_of(query, text)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("said", "where"),
    [
        ({"merchant_biz_id": "x"}, "merchant_biz_id"),
        ({"outcome": "maybe"}, "outcome"),
        ({"outcome": 3}, "outcome"),
        ({"policy": ""}, "policy"),
        ({"rule": "x" * 513}, "rule"),
        ({"reason": 3}, "reason"),
        ({"missing": b"x"}, "missing"),
        ({"tag": ""}, "tag"),
        ({"waiver": "x" * 513}, "waiver"),
        ({"unknown": 1}, "unknown"),
        ({"since": datetime(2026, 1, 1)}, "since"),  # which is the mistake
        ({"until": "2026-01-01"}, "until"),
        ({"limit": 0}, "limit"),
        ({"limit": 501}, "limit"),
        ({"limit": True}, "limit"),
    ],
)
def test_query_that_can_ask_for_nothing_is_refused(said: dict[str, Any], where: str) -> None:
    with pytest.raises(RequestError) as refused:
        DecisionQuery(**said)
    assert refused.value.where == where


def test_plugin_that_cannot_be_searched_says_so() -> None:
    class Plain(MemoryLedger):
        search = None  # type: ignore[assignment]

    class Wrong(MemoryLedger):
        async def search(self, query: object, after: object) -> Any:
            return []

    with pytest.raises(RequestError, match="finds decisions by their ids alone"):
        asyncio.run(guarded(Plain()).search(DecisionQuery(), None))
    with capture_logs(), pytest.raises(Exception, match="cannot be read: TypeError"):
        asyncio.run(guarded(Wrong()).search(DecisionQuery(), None))


def test_policy_of_a_decision_is_found_where_the_index_has_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As in one that was made before policies stood in it."""
    policy = policy_body(_policy(), {}, "1.0", datetime.now(UTC))
    with opened(tmp_path) as ledger:
        asyncio.run(ledger.record("policy", policy))
    fill(tmp_path, range(40))
    with opened(tmp_path) as ledger:
        found = asyncio.run(ledger.evidence(f"{39:032x}"))
        monkeypatch.setattr(index, "policy_text", lambda digest: "none")
        again = asyncio.run(ledger.evidence(f"{39:032x}"))
    assert found == again and found is not None and found.policy is not None and b'"engine":"1.0"' in found.policy


def test_decision_is_explained_by_the_policy_that_made_it(tmp_path: Path) -> None:
    """Whichever answers now, and also after a restart; where the log does not hold it, nothing is made up."""
    other = POLICY.replace("face.score >= 0.9", "face.score >= 0.1").replace("policy: onboarding", "policy: other")
    with engine([face({"score": 0.5}), device()], at=tmp_path) as whole:
        decision = whole.decide_sync(request())
    with engine(policies=[other], at=tmp_path) as whole:
        said = whole.explain_sync(decision.decision_id)
        assert said is not None and said["policy"] == "onboarding" and said["outcome"] == decision.outcome
    with engine() as whole:
        unrecorded = whole.decide_sync(request())
        assert (whole.explain_sync(unrecorded.decision_id) or {})["outcome"] == "pass"
        asyncio.run(whole.replace([_policy()]))
        with pytest.raises(AuditBroken, match="does not hold the policy onboarding"):
            whole.explain_sync(unrecorded.decision_id)


def test_segments_of_other_times_are_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A day is found in a log of many days without reading the rest, also where a clock was set."""
    begun = datetime(2026, 1, 1, tzinfo=UTC)
    at = [begun + timedelta(hours=12 * n) for n in range(60)]
    at[40], at[41] = at[41], at[40]

    async def work(ledger: FileLedger) -> None:
        for n, when in enumerate(at):
            claim = await ledger.claim(f"{n:032d}", FIRST, again=False, lease_s=60)
            assert isinstance(claim, Claim)
            await ledger.conclude(claim, *decision_and_record(ledger, f"{n:032d}", decision_id=f"{n:032x}", at=when))

    read: list[str] = []
    back = reading._back
    monkeypatch.setattr(reading, "_back", lambda file, end: read.append(file.name) or back(file, end))
    with opened(tmp_path) as ledger:
        asyncio.run(work(ledger))
        files = len([*tmp_path.glob("audit-*.jsonl")])
        assert files >= 3
        for first, last in ((0, 60), (38, 43), (10, 10), *((n, n + 3) for n in range(58))):
            read.clear()
            since, until = begun + timedelta(hours=12 * first), begun + timedelta(hours=12 * last)
            found = [*itertools.chain(*ids(ledger, since=since, until=until))]
            assert found == [n for n in reversed(range(60)) if since <= at[n] < until], (first, last)
            assert (len(read) < files) is ((first, last) != (0, 60))
