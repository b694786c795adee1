"""A slice of a log: each decision is looked at as the policy that made it reads it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping

import msgspec

from adjudge.audit.bodies import DecisionBody, PolicyBody
from adjudge.errors import DataError, PolicyErrors
from adjudge.model import Outcome
from adjudge.plugin import Function
from adjudge.policy.asked import Answer, answering, asked, with_request
from adjudge.policy.policy import Policy
from adjudge.policy.slices import SEGMENTS_MAX, Slice, Sliced, segment_of, segment_slot
from adjudge.replay.decisions import Policies, load_recorded


class SliceCount(msgspec.Struct):
    """What a slice left out and took, as far as it got. foreign: of policies without the fields of its condition."""

    of: int = 0
    taken: int = 0
    unknown: int = 0
    foreign: int = 0

    def merge(self, other: SliceCount) -> None:
        """Add what another part of the log came to."""
        self.of += other.of
        self.taken += other.taken
        self.unknown += other.unknown
        self.foreign += other.foreign

    def sliced(self, wanted: Slice) -> Sliced:
        """Return it as reports have it."""
        return Sliced(
            said=str(wanted), rows=self.taken, of=self.of, unknown=self.unknown, foreign=self.foreign, thing="decisions"
        )


class SegmentCount(msgspec.Struct):
    """Decisions of one segment by outcome, before and after: `pass>review`, or `pass>pass` where there is no after."""

    counts: dict[str, int] = {}

    def count(self, old: Outcome | None = None, new: Outcome | None = None) -> int:
        """Return how many had one outcome, and have another; None for any."""
        pairs = ((one.split(">"), number) for one, number in self.counts.items())
        return sum(number for (one, other), number in pairs if old in (None, one) and new in (None, other))

    @property
    def total(self) -> int:
        """How many there are."""
        return sum(self.counts.values())

    @property
    def moved(self) -> int:
        """How many have another outcome."""
        return sum(number for one, number in self.counts.items() if len(set(one.split(">"))) > 1)

    def add(self, old: Outcome, new: Outcome) -> None:
        """Count one."""
        name = f"{old.value}>{new.value}"
        self.counts[name] = self.counts.get(name, 0) + 1

    def merge(self, other: SegmentCount) -> None:
        """Add other decisions."""
        self.counts = dict(Counter(self.counts) + Counter(other.counts))


Segments = dict[str, SegmentCount]
"""Counts by the segment's text in JSON: `"SG"`, or `null` where it is unknown."""


def merge_segments(mine: Segments, other: Segments) -> None:
    """Add what another part of the log came to."""
    for name, count in other.items():
        mine.setdefault(name, SegmentCount()).merge(count)


def told_segments(found: Segments) -> list[tuple[str | None, int, SegmentCount]]:
    """Return value, how many others it stands for, and counts: the most frequent first, others, and unknown last."""
    known = sorted(
        ((name, one) for name, one in found.items() if name != _UNKNOWN), key=lambda pair: (-pair[1].total, pair[0])
    )
    told: list[tuple[str | None, int, SegmentCount]] = [
        (msgspec.json.decode(name), 0, one) for name, one in known[:SEGMENTS_MAX]
    ]
    if rest := known[SEGMENTS_MAX:]:
        others = SegmentCount()
        for _, one in rest:
            others.merge(one)
        told.append((None, len(rest), others))
    return [*told, *([(None, 0, found[_UNKNOWN])] if _UNKNOWN in found else [])]


_UNKNOWN = "null"


class LogSlice:
    """Says of each decision of a log whether it is in a slice, and in which segment."""

    def __init__(self, wanted: Slice, functions: Mapping[str, Function], policies: Policies | None = None) -> None:
        """policies: those of the log, where somebody else gathers them; else they are told by `learn`."""
        self.wanted = wanted
        self.count = SliceCount()
        self.segments: Segments = {}
        self._policies = Policies(functions) if policies is None else policies
        self._answers: dict[str, Answer | None] = {}
        self._slots: dict[str, str | None] = {}
        self._whole: dict[str, Policy] = {}

    def learn(self, body: PolicyBody) -> None:
        """Take a policy of the log."""
        self._policies.add(body)

    def takes(self, body: DecisionBody, given: Mapping[str, object]) -> bool:
        """Whether a decision is in the slice, which is counted. given: what was known. Raises PolicyErrors.

        A condition that is none is raised; one that reads what a policy does not have is foreign to its decisions.
        """
        self.count.of += 1
        if not self.wanted.holds_at(body.at):
            return False
        if self.wanted.where is not None:
            policy = self._policy(body)
            answer = self._answer(policy) if isinstance(policy, Policy) else None
            if answer is None or isinstance(policy, str):
                self.count.foreign += 1
                return False
            holds = answer(policy.read(policy.as_taken(given), now=body.judged_at).values)
            self.count.unknown += holds is None
            if holds is not True:
                return False
        self.count.taken += 1
        return True

    def put(self, body: DecisionBody, given: Mapping[str, object], old: Outcome, new: Outcome) -> None:
        """Count a decision in its segment, where there are any."""
        if self.wanted.by is None:
            return
        policy = self._policy(body)
        value = None
        if isinstance(policy, Policy) and (slot := self._slot(policy)) is not None:
            value = segment_of(policy.read(policy.as_taken(given), now=body.judged_at).values.get(slot))
        self.segments.setdefault(msgspec.json.encode(value).decode(), SegmentCount()).add(old, new)

    def _policy(self, body: DecisionBody) -> Policy | str:
        """Return a decision's policy with the parts of a request that are asked for, or why there is none."""
        policy = self._policies.get(body)
        if isinstance(policy, str):
            return policy
        if policy.digest not in self._whole:
            self._whole[policy.digest] = with_request(policy, f"{self.wanted.where} {self.wanted.by}")
        return self._whole[policy.digest]

    def _answer(self, policy: Policy) -> Answer | None:
        if policy.digest not in self._answers:
            try:
                node = asked(policy, str(self.wanted.where), "--where")
                self._answers[policy.digest] = answering(policy, node)
            except PolicyErrors as errors:
                if any(error.code != "name-unknown" for error in errors.errors):
                    raise
                self._answers[policy.digest] = None
        return self._answers[policy.digest]

    def _slot(self, policy: Policy) -> str | None:
        if policy.digest not in self._slots:
            try:
                self._slots[policy.digest] = segment_slot(policy, str(self.wanted.by))
            except DataError:
                if str(self.wanted.by) in policy.typed.slots:
                    raise
                self._slots[policy.digest] = None
        return self._slots[policy.digest]


def _has_hint(error: PolicyErrors | DataError) -> bool:
    return error.hint is not None if isinstance(error, DataError) else any(one.hint for one in error.errors)


def check_fits(wanted: Slice, policies: Iterable[PolicyBody], functions: Mapping[str, Function]) -> None:
    """Refuse a condition, and a field of segments, that no policy of a log can read. Raises PolicyErrors, DataError."""
    read = (load_recorded(body, functions) for body in policies)
    text = f"{wanted.where} {wanted.by}"
    loaded = [with_request(one, text) for one in read if isinstance(one, Policy)]

    def read_where(policy: Policy) -> None:
        asked(policy, str(wanted.where), "--where")

    def read_by(policy: Policy) -> None:
        segment_slot(policy, str(wanted.by))

    for is_wanted, reads in ((wanted.where is not None, read_where), (wanted.by is not None, read_by)):
        wrong: PolicyErrors | DataError | None = None
        for policy in loaded if is_wanted else ():
            try:
                reads(policy)
                break
            except (PolicyErrors, DataError) as error:
                wrong = wrong if wrong is not None and _has_hint(wrong) else error  # of the policy that is nearest
        else:
            if wrong is not None:
                raise wrong
