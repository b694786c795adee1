"""Facets: whatever is written, moved, erased, killed or spoilt in between, a search finds what a naive look finds."""

from __future__ import annotations

import asyncio
import random
import shutil
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from adjudge import parse_policy
from adjudge.audit.bodies import policy_body
from adjudge.audit.file import Segments
from adjudge.audit.trail import AuditTrail
from adjudge.errors import AuditBroken
from adjudge.ledger import facet_block, facets
from adjudge.ledger.facet_file import FILE
from adjudge.ledger.file import FileLedger
from adjudge.model import Decision, Outcome, Signal, SignalStatus, Verdict
from adjudge.plugin import Claim, DecisionQuery
from adjudge.policy.policy import Policy
from adjudge.testing.ledgers import FIRST, decision_and_record

BEGUN = datetime(2026, 1, 1, tzinfo=UTC)
NAMES = ("a", "b", "c", "ü x")
STATUSES = (SignalStatus.OK, SignalStatus.TIMEOUT, SignalStatus.SKIPPED, SignalStatus.NOT_PROVIDED)
TAGS = [{"a": ["x"], "b": ["x", "y"]}, {"a": ["y"], "c": ["z"]}]


@pytest.fixture(autouse=True)
def _small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Blocks of some decisions, which are read in small pieces, at once."""
    monkeypatch.setattr(facet_block, "DECISIONS", 16)
    monkeypatch.setattr(facet_block, "CHUNK", 4)
    monkeypatch.setattr(facet_block, "NAMES_MAX", 60)
    monkeypatch.setattr(facets, "_READ", 3000)
    monkeypatch.setattr(facets, "KEEP_UP_S", 0.001)
    monkeypatch.setattr(facets, "FIRST_S", 0.0)
    monkeypatch.setattr(facets, "_HEADS", 2)


def _policy(n: int) -> Policy:
    rules = ", ".join(
        f"{{id: {rule}, when: n > {n}, then: review, tags: [{', '.join(tags)}]}}" for rule, tags in TAGS[n].items()
    )
    return parse_policy(f"{{policy_language: 1, policy: p{n}, inputs: {{n: int}}, rules: [{rules}]}}")


POLICIES = [_policy(0), _policy(1)]


class Judge:
    """What was decided, and the decisions that a query asks for by looking at each."""

    def __init__(self) -> None:
        self.made: list[Decision] = []
        self.moved = 0

    def wanted(self, query: DecisionQuery) -> list[str]:
        return [one.decision_id for one in reversed(self.made) if self._has(query, one)]

    def _has(self, query: DecisionQuery, one: Decision) -> bool:
        verdict = one.verdict
        tagged = {tag for rule in verdict.matched for tag in TAGS[int(one.policy[1])].get(rule, ())}
        unknown = {
            name
            for name, signal in one.signals.items()
            if signal.status in (SignalStatus.TIMEOUT, SignalStatus.NOT_PROVIDED)
        }
        return (
            query.outcome in (None, one.outcome)
            and query.policy in (None, one.policy)
            and query.rule in (None, *verdict.matched)
            and query.reason in (None, *verdict.reasons)
            and query.missing in (None, *verdict.missing)
            and query.waiver in (None, *verdict.waived)
            and query.unknown in (None, *unknown)
            and query.tag in (None, *tagged)
            and (query.since is None or one.decided_at >= query.since)
            and (query.until is None or one.decided_at < query.until)
        )


@contextmanager
def opened(at: Path, max_bytes: int = 20_000) -> Iterator[FileLedger]:
    trail = AuditTrail.open(at, durability="flush", segments=Segments(max_bytes=max_bytes, max_age_s=1e12))
    ledger = FileLedger(trail, front_bytes=1)
    try:
        for policy in POLICIES:
            asyncio.run(ledger.record("policy", policy_body(policy, {}, "1.0", BEGUN)))
        yield ledger
    finally:
        ledger.close()


def write(ledger: FileLedger, judge: Judge, chance: random.Random, count: int) -> None:
    def some(names: tuple[str, ...] = NAMES) -> tuple[str, ...]:
        return tuple(chance.sample(names, chance.choice((0, 0, 1, 2))))

    async def work() -> None:
        for _ in range(count):
            n = len(judge.made)
            claim = await ledger.claim(f"{n:032}", FIRST, again=False, lease_s=60)
            assert isinstance(claim, Claim)
            outcome = chance.choice([*Outcome])
            verdict = Verdict(
                outcome=outcome, lower=Outcome.PASS, upper=Outcome.REJECT,
                matched=some(), reasons=some(), missing=some(), waived=some(),
            )  # fmt: skip
            policy = chance.choice(POLICIES)
            signals = {name: Signal(name=name, status=chance.choice(STATUSES)) for name in some()}
            at = BEGUN + timedelta(minutes=n + chance.choice((-30, 0, 0, 0, 30)))
            decision, record = decision_and_record(
                ledger, f"{n:032}", decision_id=f"{n:032x}", at=at, verdict=verdict, policy=policy.name,
                policy_digest=policy.digest, signals=signals,
            )  # fmt: skip
            await ledger.conclude(claim, decision, record)
            judge.made.append(decision)

    asyncio.run(work())


def ask(ledger: FileLedger, query: DecisionQuery) -> list[str]:
    found: list[str] = []
    after, is_first = None, True
    while is_first or after is not None:
        page = asyncio.run(ledger.search(query, after))
        found += [one.decision_id for one in page.decisions]
        after, is_first = page.next, False
    return found


def any_query(chance: random.Random, count: int) -> DecisionQuery:
    said: dict[str, Any] = {"limit": chance.choice((1, 3, 7, 500))}
    for name in ("rule", "reason", "missing", "waiver", "unknown"):
        if chance.random() < 0.2:
            said[name] = chance.choice((*NAMES, "none"))
    if chance.random() < 0.3:
        said["tag"] = chance.choice(("x", "y", "z", "none"))
    if chance.random() < 0.4:
        said["outcome"] = chance.choice([*Outcome])
    if chance.random() < 0.2:
        said["policy"] = chance.choice(("p0", "p1", "p2"))
    for name in ("since", "until"):
        if chance.random() < 0.3:
            said[name] = BEGUN + timedelta(minutes=chance.randrange(-5, count + 10))
    return DecisionQuery(**said)


def whole(ledger: FileLedger) -> None:
    """Wait until everything is in the file."""
    end = time.monotonic() + 20
    while not ledger._facets.is_whole:
        assert time.monotonic() < end, vars(ledger._facets)
        time.sleep(0.001)


def truncate(file: Path) -> None:
    file.write_bytes(file.read_bytes()[:4096])


def overwrite(file: Path) -> None:
    file.write_bytes(b"no database" * 1000)


def altered(statement: str) -> Callable[[Path], None]:
    def work(file: Path) -> None:
        with sqlite3.connect(file) as database:
            database.execute(statement)
        database.close()

    return work


SPOILT: dict[str, Callable[[Path], None]] = {
    "deleted": lambda file: file.unlink(),
    "cut off": truncate,
    "overwritten": overwrite,
    "empty": lambda file: file.write_bytes(b""),
    "another version": altered("pragma user_version = 99"),
    "another log": altered("update meta set value = 'x'"),
    "parts lost": altered("delete from parts where rowid % 3 = 0"),
    "all parts of a name lost": altered("delete from parts where name like 'rule%'"),
    "parts swapped": altered("update parts set data = (select data from parts limit 1) where name like 'outcome%'"),
    "parts are texts": altered("update parts set data = 'x'"),
    "heads lost": altered("delete from heads where rowid % 2 = 0"),
    "first heads lost": altered("delete from heads where begin = 0"),
    "heads changed": altered("update heads set head = cast(replace(cast(head as text), 'rule ', 'role ') as blob)"),
    "heads moved": altered("update heads set begin = begin + 1"),
    "ends moved": altered("update heads set end = end + 100"),
    "no table": altered("drop table parts"),
}


@pytest.mark.parametrize("seed", range(4))
def test_search_finds_what_a_look_at_every_decision_finds(tmp_path: Path, seed: int) -> None:
    chance, judge = random.Random(seed), Judge()
    log = tmp_path / "log"
    for _ in range(4):
        with capture_logs(), opened(log) as ledger:
            for _ in range(3):
                write(ledger, judge, chance, chance.randrange(25))
                for _ in range(8):
                    query = any_query(chance, len(judge.made))
                    assert ask(ledger, query) == judge.wanted(query), query
                if chance.random() < 0.5:
                    whole(ledger)
                if chance.random() < 0.3:
                    subject = f"{chance.randrange(len(judge.made) or 1):032}"
                    asyncio.run(ledger.erase(subject, lambda names: {}))
        if chance.random() < 0.5 and (log / FILE).exists():
            SPOILT[chance.choice([*SPOILT])](log / FILE)


@pytest.mark.parametrize("how", SPOILT)
def test_file_that_is_spoilt_hides_nothing_and_is_made_anew(tmp_path: Path, how: str) -> None:
    chance, judge = random.Random(how), Judge()
    queries = [any_query(chance, 50) for _ in range(8)] + [DecisionQuery(rule="a", limit=2), DecisionQuery(tag="x")]
    with opened(tmp_path) as ledger:
        write(ledger, judge, chance, 50)
        ask(ledger, DecisionQuery(rule="a"))
        whole(ledger)
    SPOILT[how](tmp_path / FILE)
    with capture_logs(), opened(tmp_path) as ledger:
        for query in queries:
            assert ask(ledger, query) == judge.wanted(query), query
        whole(ledger)
        for query in queries:
            assert ask(ledger, query) == judge.wanted(query), query


def test_whole_file_is_asked_in_place_of_the_log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A rare decision is found at once: of the log, its own line alone is read."""
    chance, judge = random.Random(1), Judge()
    with opened(tmp_path) as ledger:
        write(ledger, judge, chance, 120)
        ask(ledger, DecisionQuery(rule="a"))
        whole(ledger)
    with opened(tmp_path) as ledger:
        whole(ledger)
        monkeypatch.setattr(facets, "lines_within", _at_most(2_000))
        since, until = BEGUN + timedelta(minutes=17), BEGUN + timedelta(minutes=58)
        for query in (
            DecisionQuery(waiver="a", rule="b"),
            DecisionQuery(tag="z", outcome=Outcome.REJECT),
            DecisionQuery(outcome=Outcome.PASS, since=since, until=until),
            DecisionQuery(outcome=Outcome.PASS, limit=2),
        ):
            with capture_logs() as events:
                assert ask(ledger, query) == judge.wanted(query) != []
            assert not [one for one in events if one["event"] == "facets_spoilt"], "it was wanted, and nothing else"


def _at_most(most: int) -> Callable[[Path, int, int], Iterator[tuple[int, bytes]]]:
    def read(file: Path, begin: int, end: int) -> Iterator[tuple[int, bytes]]:
        assert end - begin < most, "what the file has is not read from the log"
        yield from ()

    return read


def test_file_is_made_by_the_first_search_that_could_use_it(tmp_path: Path) -> None:
    judge = Judge()
    with opened(tmp_path) as ledger:
        write(ledger, judge, random.Random(2), 20)
        ask(ledger, DecisionQuery())
        ask(ledger, DecisionQuery(merchant_biz_id=f"{1:032}", outcome=Outcome.PASS))
        assert not (tmp_path / FILE).exists()
        ask(ledger, DecisionQuery(outcome=Outcome.PASS))
        whole(ledger)
        assert (tmp_path / FILE).stat().st_mode & 0o777 == 0o600


def test_segments_that_are_moved_and_copied_back_are_what_is_found(tmp_path: Path) -> None:
    chance, judge = random.Random(3), Judge()
    log, away = tmp_path / "log", tmp_path / "away"
    query = DecisionQuery(outcome=Outcome.PASS)
    with opened(log) as ledger:
        write(ledger, judge, chance, 100)
        ask(ledger, query)
        whole(ledger)
        first = min(log.glob("audit-*.jsonl"))
        shutil.move(first, away)
        whole(ledger)
        found = ask(ledger, query)
        assert found == judge.wanted(query)[: len(found)] and len(found) < len(judge.wanted(query))
        shutil.move(away, first)
        assert ask(ledger, query) == judge.wanted(query)
        whole(ledger)
        assert ask(ledger, query) == judge.wanted(query)


def test_file_of_another_time_of_the_log_is_not_believed(tmp_path: Path) -> None:
    """As where the log was restored from a copy, and the file was not."""
    chance, judge = random.Random(4), Judge()
    log, copy = tmp_path / "log", tmp_path / "copy"
    query = DecisionQuery(outcome=Outcome.PASS)
    with opened(log, max_bytes=10**9) as ledger:
        write(ledger, judge, chance, 30)
    shutil.copytree(log, copy)
    made = [*judge.made]
    with opened(log, max_bytes=10**9) as ledger:
        write(ledger, judge, chance, 60)
        ask(ledger, query)
        whole(ledger)
    shutil.copy(log / FILE, copy / FILE)
    judge.made = made
    with capture_logs(), opened(copy, max_bytes=10**9) as ledger:
        write(ledger, judge, chance, 60)
        assert ask(ledger, query) == judge.wanted(query)
        whole(ledger)
        assert ask(ledger, query) == judge.wanted(query)


def test_decision_that_cannot_be_read_is_told_whatever_is_asked(tmp_path: Path) -> None:
    judge = Judge()
    with opened(tmp_path) as ledger:
        write(ledger, judge, random.Random(5), 40)
        file = min(tmp_path.glob("audit-*.jsonl"))
        text = file.read_bytes()
        file.write_bytes(text.replace(b'"verdict":{', b'"verdict":[', 5).replace(b'"verdict":[', b'"verdict":{', 4))
        for _ in range(2):
            for query in (DecisionQuery(outcome=Outcome.PASS), DecisionQuery(rule="none"), DecisionQuery(tag="z")):
                with pytest.raises(AuditBroken, match="cannot be read"):
                    ask(ledger, query)
            whole(ledger)
        file.write_bytes(text)


def test_last_block_of_a_process_is_gone_on_with(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each start would leave a small one otherwise; until it is made again, it is asked as it is."""
    monkeypatch.setattr(facet_block, "NAMES_MAX", 4096)
    chance, judge = random.Random(6), Judge()
    query = DecisionQuery(outcome=Outcome.PASS)
    for _ in range(12):
        with opened(tmp_path, max_bytes=10**9) as ledger:
            assert ask(ledger, query) == judge.wanted(query)
            write(ledger, judge, chance, 3)
            assert ask(ledger, query) == judge.wanted(query)
            whole(ledger)
            assert ask(ledger, query) == judge.wanted(query)
    with sqlite3.connect(tmp_path / FILE) as database:
        ((blocks,),) = database.execute("select count(*) from heads").fetchall()
    database.close()
    assert blocks <= 1 + 36 // 8


def test_policy_that_the_index_lacks_is_found_by_what_was_noted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As in a log of years, whose index begins two days ago: it is not read through for the tags of a policy."""
    chance, judge = random.Random(7), Judge()
    query = DecisionQuery(tag="x")
    with opened(tmp_path) as ledger:
        write(ledger, judge, chance, 30)
        ask(ledger, DecisionQuery(rule="a"))
        whole(ledger)
        monkeypatch.setattr(ledger._index, "policy", lambda digest, before: None)
        assert ask(ledger, query) == judge.wanted(query) != []
    with opened(tmp_path) as ledger:
        whole(ledger)
        monkeypatch.setattr(ledger._facets, "_line", lambda segment, start: b"{}")
        assert ask(ledger, query) == judge.wanted(query), "what is noted wrongly is looked for in the log"
