"""Whole logs replayed: on several processors, with sums, and going on where an earlier run stopped."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future, ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from multiprocessing import get_context
from pathlib import Path

import msgspec

from adjudge.audit.bodies import DecisionBody, PolicyBody
from adjudge.audit.elsewhere import AnyLog
from adjudge.audit.erasures import Erasures
from adjudge.audit.kinds import decode, records
from adjudge.audit.record import Place
from adjudge.audit.vault import Vault
from adjudge.errors import StateError as StateError
from adjudge.model import Outcome
from adjudge.plugin import Function, Provider
from adjudge.policy.explaining.scorecard_moves import ScorecardMove
from adjudge.policy.policy import Policy
from adjudge.policy.slices import ALL, Slice
from adjudge.replay.decisions import Kept, Policies, Replayed, known_of, replay_decision
from adjudge.replay.slices import LogSlice, Segments, SliceCount, check_fits, merge_segments
from adjudge.replay.what_if import Side, WhatIf, rules_moved
from adjudge.system.files import replace_file

EXAMPLES = 3
"""How many decisions are named for each pair of outcomes, and of those that are not replayable."""
_BATCH = 1000
_SAVE_EVERY = 50_000

Progress = Callable[[float], None]
"""Told how many bytes of the log were read."""


class ReplayedLine(msgspec.Struct, frozen=True, kw_only=True):
    """A replayed decision, as reports name it. chain: where record `seq` stands, in a log of several.

    rules: what came into the verdict (`+`) and what left it (`-`). scorecards: how those moved
    it, if they did.
    """

    seq: int
    decision_id: str
    merchant_biz_id: str = ""
    at: datetime | None = None
    policy: str = ""
    answer: str
    old: Outcome
    new: Outcome | None = None
    missing: str | None = None
    differences: tuple[tuple[str, object, object], ...] = ()
    rules: tuple[str, ...] = ()
    scorecards: tuple[ScorecardMove, ...] = ()
    chain: str = ""

    @property
    def record(self) -> str:
        """Which record it is, for people."""
        return str(Place(self.seq, self.seq, self.chain))


class OutcomeMove(msgspec.Struct):
    """Decisions with one pair of outcomes, and some of them."""

    old: Outcome
    new: Outcome
    count: int = 0
    examples: list[ReplayedLine] = []


class ReplayTally(msgspec.Struct):
    """What a replay came to.

    by_rule: how often a rule came or went where the outcome moved. by_scorecard: what in the scorecard moved it.
    recorded_cost, cost: of provider calls, as the log has it and as the other policy would have bought, by currency;
    None where that policy's providers are not installed. untold: calls whose answer the log does not hold.
    sliced: what was left out, where a slice was asked for. segments: where those were.
    """

    answers: dict[str, int] = {}
    cells: dict[str, OutcomeMove] = {}
    by_rule: dict[str, int] = {}
    by_scorecard: dict[str, int] = {}
    lost: list[ReplayedLine] = []
    recorded_cost: dict[str, Decimal] = {}
    cost: dict[str, Decimal] | None = {}
    untold: dict[str, int] = {}
    sliced: SliceCount = msgspec.field(default_factory=SliceCount)
    segments: Segments = {}

    @property
    def total(self) -> int:
        """How many decisions were looked at."""
        return sum(self.answers.values())

    @property
    def changed(self) -> int:
        """How many came out with another outcome."""
        return sum(cell.count for cell in self.cells.values() if cell.old is not cell.new)

    def count(self, old: Outcome, new: Outcome) -> int:
        """Return how many went from one outcome to another."""
        found = self.cells.get(f"{old.value}>{new.value}")
        return found.count if found is not None else 0

    def add(self, told: ReplayedLine) -> None:
        """Count a decision."""
        _count(self.answers, {told.answer: 1})
        if told.new is None:
            if told.answer != "erased" and len(self.lost) < EXAMPLES:
                self.lost.append(told)
            return
        name = f"{told.old.value}>{told.new.value}"
        cell = self.cells.setdefault(name, OutcomeMove(told.old, told.new))
        cell.count += 1
        if len(cell.examples) < EXAMPLES:
            cell.examples.append(told)
        if told.old is not told.new:
            _count(self.by_rule, dict.fromkeys(told.rules, 1))
            for move in told.scorecards:
                _count(self.by_scorecard, dict.fromkeys(move.labels, 1))

    def merge(self, other: ReplayTally) -> None:
        """Add what another part of the log came to."""
        _count(self.answers, other.answers)
        _count(self.by_rule, other.by_rule)
        _count(self.by_scorecard, other.by_scorecard)
        _count(self.untold, other.untold)
        self.sliced.merge(other.sliced)
        merge_segments(self.segments, other.segments)
        self.lost = [*self.lost, *other.lost][:EXAMPLES]
        for name, cell in other.cells.items():
            mine = self.cells.setdefault(name, OutcomeMove(cell.old, cell.new))
            mine.count += cell.count
            mine.examples = [*mine.examples, *cell.examples][:EXAMPLES]
        _join(self.recorded_cost, other.recorded_cost)
        if other.cost is None:
            self.cost = None
        elif self.cost is not None:
            _join(self.cost, other.cost)


def _count(counts: dict[str, int], more: Mapping[str, int]) -> None:
    for name, number in more.items():
        counts[name] = counts.get(name, 0) + number


def _join(sums: dict[str, Decimal], more: Mapping[str, Decimal]) -> None:
    for currency, amount in more.items():
        sums[currency] = sums.get(currency, Decimal(0)) + amount


_Ends = dict[str, tuple[int, str]]
_Batch = list[tuple[Place, bytes]]


class _State(msgspec.Struct):
    log: str
    policy: str | None
    seq: int
    hash: str
    tally: ReplayTally
    slice: str = ""
    chains: dict[str, tuple[int, str]] = {}

    @classmethod
    def of(cls, log: str, policy: str | None, ends: _Ends, tally: ReplayTally, slice: str) -> _State:
        chains = dict(ends)
        return cls(log, policy, *chains.pop("", (0, "")), tally, slice, chains)

    @property
    def ends(self) -> _Ends:
        """How far each chain was replayed: number and hash of its last record. That of a log of files has no name."""
        return ({"": (self.seq, self.hash)} if self.seq else {}) | self.chains


@dataclass(slots=True)
class _Work:
    """What replays a batch: in this process, or in those that are forked from it."""

    what_if: WhatIf | None
    functions: Mapping[str, Function]
    log: AnyLog
    is_verbose: bool
    wanted: Slice
    _kept: Kept | None = None
    _slice: LogSlice | None = None
    _policies: Policies = field(init=False)

    def __post_init__(self) -> None:
        self._policies = Policies(self.functions)

    def do(self, batch: _Batch, policies: Mapping[str, PolicyBody]) -> tuple[ReplayTally, list[ReplayedLine]]:
        """Replay decisions. policies: of the log, so far."""
        if self._kept is None:  # in each process its own
            self._kept = Kept(Vault.of(self.log), Erasures(self.log))
        kept = self._kept
        for body in policies.values():
            self._policies.add(body)
        if self._slice is None and (not self.wanted.is_all or self.wanted.by is not None):
            self._slice = LogSlice(self.wanted, self.functions, self._policies)
        slice_, what_if, told = self._slice, self.what_if, []
        if slice_ is not None:
            slice_.count, slice_.segments = SliceCount(), {}
        tally = ReplayTally(cost=None if what_if is not None and not what_if.counts_calls else {})
        if what_if is not None:
            what_if.side = Side()
        for place, members in batch:
            body_ = decode(DecisionBody, place.seq, members)
            given = known_of(body_, kept.vault.reveal)[0] if slice_ is not None or what_if is not None else {}
            if slice_ is not None and not slice_.takes(body_, given):
                continue
            policy = self._policies.get(body_) if what_if is None else what_if.policy
            one = replay_decision(place, body_, policy, kept)
            if slice_ is not None:
                old = body_.verdict.outcome
                slice_.put(body_, given, old, one.recomputed.outcome if one.recomputed is not None else old)
            if what_if is None and one.answer == "identical" and not self.is_verbose:
                _count(tally.answers, {"identical": 1})
                continue
            said = _told(one, self._scorecards(one, kept))
            tally.add(said)
            if what_if is not None:
                _join(tally.recorded_cost, body_.cost)
                what_if.buy(body_, given)
            if self.is_verbose or said.answer not in ("identical", "erased"):
                told.append(said)
        if slice_ is not None:
            tally.sliced, tally.segments = slice_.count, slice_.segments
        if what_if is not None:
            _count(tally.untold, what_if.side.untold)
            if tally.cost is not None:
                _join(tally.cost, what_if.side.cost)
        return tally, told

    def _scorecards(self, one: Replayed, kept: Kept) -> tuple[ScorecardMove, ...]:
        """Return how scorecards moved a decision: from the policy that decided it to the other."""
        body, new = one.decision, one.recomputed
        if self.what_if is None or new is None or new.outcome is body.verdict.outcome:
            return ()
        old = self._policies.get(body)
        given, _ = known_of(body, kept.vault.reveal)
        return self.what_if.scorecard_moves(
            None if isinstance(old, str) else old, body.verdict, new, given, body.judged_at
        )

    def close(self) -> None:
        """Let go of the vault."""
        if self._kept is not None:
            self._kept.vault.close()


def _told(one: Replayed, scorecards: tuple[ScorecardMove, ...]) -> ReplayedLine:
    old, new = one.decision.verdict, one.recomputed
    return ReplayedLine(
        seq=one.seq,
        chain=one.chain,
        decision_id=one.decision.decision_id,
        merchant_biz_id=one.decision.merchant_biz_id,
        at=one.decision.at,
        policy=one.decision.policy,
        answer=one.answer,
        old=old.outcome,
        new=new.outcome if new is not None else None,
        missing=one.missing,
        differences=one.differences,
        rules=rules_moved(old, new) if new is not None and old.outcome is not new.outcome else (),
        scorecards=scorecards,
    )


def replay_all(
    path: AnyLog,
    *,
    policy: Policy | None = None,
    functions: Mapping[str, Function] | None = None,
    providers: Mapping[str, Provider] | None = None,
    jobs: int = 1,
    state: Path | None = None,
    is_verbose: bool = False,
    wanted: Slice = ALL,
    tell: Callable[[ReplayedLine], None] = lambda told: None,
    progress: Progress | None = None,
) -> ReplayTally:
    """Replay a log, and return what it came to, in constant memory.

    policy, functions: as in `replay`. providers: for the prices of what the other policy would have asked.
    jobs: processes; where none can be forked, one. state: a file to go on from, written now and then and at the end.
    wanted: which decisions are looked at. tell: is told what differs, in order, or with `is_verbose` everything.
    Raises AuditBroken, NothingRead, AuditUnavailable, StateError.
    """
    work = _Work(
        what_if=WhatIf(policy, providers) if policy is not None else None,
        functions=functions or {},
        log=path,
        is_verbose=is_verbose,
        wanted=wanted,
    )
    digest = policy.digest if policy is not None else None
    earlier = _opened(state, digest, wanted)
    tally = earlier.tally if earlier is not None else ReplayTally()
    done, log, last = earlier.ends if earlier is not None else {}, "", dict[str, tuple[int, str]]()
    ends: _Ends = {}
    left, count, saved = {*done}, 0, 0
    policies: dict[str, PolicyBody] = {}
    with _pool(jobs, work) as submit:
        waiting: list[tuple[Future[tuple[ReplayTally, list[ReplayedLine]]], _Ends]] = []

        def collect(until: int) -> None:
            nonlocal last
            while len(waiting) > until:
                future, end = waiting.pop(0)
                part, told = future.result()
                for one in told:
                    tell(one)
                tally.merge(part)
                last = end

        batch: _Batch = []
        size = 0
        for record in records(path):
            size += len(record.line)
            log = log or record.hash
            seq, end = done.get(record.chain, (0, ""))
            if earlier is not None and record.seq == seq:
                if end != record.hash or (not record.chain and earlier.log != log):
                    raise StateError(f"{state}: is of another log", "name another file")
                left.discard(record.chain)
            if record.kind == "policy":
                if batch:
                    waiting.append((submit(batch, dict(policies)), dict(ends)))
                    batch = []
                policy_body = decode(PolicyBody, record.seq, record.body)
                policies[policy_body.digest] = policy_body
            elif record.kind == "decision" and record.seq > seq:
                batch.append((record.place, record.body))
                count += 1
            ends[record.chain] = (max(record.seq, seq), record.hash if record.seq > seq else end)
            if len(batch) >= _BATCH:
                waiting.append((submit(batch, dict(policies)), dict(ends)))
                batch = []
                collect(2 * jobs)
                if progress is not None:
                    progress(size)
                if state is not None and count - saved >= _SAVE_EVERY:
                    saved = count
                    _save(state, _State.of(log, digest, done | last, tally, _said(wanted)))
        if left:
            most = max(done[chain][0] for chain in left)
            raise StateError(f"{state}: is of a log with {most} records or more", "has the log been cut?")
        if batch:
            waiting.append((submit(batch, policies), dict(ends)))
        collect(0)
    check_fits(wanted, policies.values(), functions or {})
    if state is not None and ends:
        _save(state, _State.of(log, digest, done | ends, tally, _said(wanted)))
    return tally


Submit = Callable[[_Batch, Mapping[str, PolicyBody]], "Future[tuple[ReplayTally, list[ReplayedLine]]]"]

_work: _Work | None = None
"""What forked processes do; they find it here."""


def _do(batch: _Batch, policies: Mapping[str, PolicyBody]) -> tuple[ReplayTally, list[ReplayedLine]]:
    assert _work is not None
    return _work.do(batch, policies)


@contextmanager
def _pool(jobs: int, work: _Work) -> Iterator[Submit]:
    global _work
    if jobs <= 1 or not hasattr(os, "fork"):

        def now(batch: _Batch, policies: Mapping[str, PolicyBody]) -> Future[tuple[ReplayTally, list[ReplayedLine]]]:
            future: Future[tuple[ReplayTally, list[ReplayedLine]]] = Future()
            future.set_result(work.do(batch, policies))
            return future

        try:
            yield now
        finally:
            work.close()
        return
    _work = work  # policies and plugins' functions cannot be sent to another process, but a fork has them
    try:
        with ProcessPoolExecutor(jobs, mp_context=get_context("fork")) as pool:
            try:
                yield lambda batch, policies: pool.submit(_do, batch, policies)
            except BaseException:
                pool.shutdown(wait=True, cancel_futures=True)
                raise
    finally:
        _work = None


def _opened(state: Path | None, digest: str | None, wanted: Slice) -> _State | None:
    if state is None or not state.exists():
        return None
    try:
        found = msgspec.json.decode(state.read_bytes(), type=_State)
    except (OSError, msgspec.DecodeError) as error:
        raise StateError(f"{state}: is not the state of a replay: {error}", "name another file") from None
    if found.policy != digest:
        raise StateError(f"{state}: is of a replay with another policy", "name another file")
    if found.slice != _said(wanted):
        raise StateError(
            f"{state}: is of a replay of another slice: {found.slice or 'all decisions'}", "name another file"
        )
    return found


def _said(wanted: Slice) -> str:
    """Return what a slice asks for, segments included: sums of one cannot go on with another."""
    return ", ".join([*([str(wanted)] if not wanted.is_all else []), *([f"by {wanted.by}"] if wanted.by else [])])


def _save(path: Path, state: _State) -> None:
    replace_file(path, msgspec.json.encode(state))
