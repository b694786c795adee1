"""Decisions of a log: none stands twice, and none supersedes what it cannot."""

from __future__ import annotations

from array import array
from collections.abc import Sequence

from .lines import DECISION, PREFIX, Lines, members_of, read_lines
from .problem import Problem, Wrong
from .segments import Away, Piece


def decision_of(line: bytes) -> tuple[bytes, bytes, bytes | None]:
    """Return a decision's id, whose it is, and which one it supersedes; the line itself where it says nothing of it."""
    record = members_of(line)
    decision, superseded = record.get("decision_id"), record.get("supersedes")
    return (
        decision.encode("utf-8", "surrogatepass") if isinstance(decision, str) else line,
        str(record.get("merchant_biz_id")).encode("utf-8", "surrogatepass"),
        None if superseded is None else str(superseded).encode("utf-8", "surrogatepass"),
    )


class Decisions:
    """The decisions of a log, so far, by hashes that differ from run to run: enough to suspect what cannot be.

    Whether it is so is then looked at in a second reading.
    """

    def __init__(self) -> None:
        self.ids, self.owned = array("q"), array("q")
        self.superseding: list[tuple[int, int]] = []  # where in the log; which decision, with whose it has to be

    def take(self, decision: bytes, subject: bytes, superseded: bytes | None = None) -> None:
        """Take note of a decision: its id, whose it is, and which one it supersedes."""
        if superseded is not None:
            self.superseding.append((len(self.ids), hash((superseded, subject))))
        self.ids.append(hash(decision))
        self.owned.append(hash((decision, subject)))

    def add(self, others: Decisions) -> None:
        """Take note of those of another chain of the same ledger."""
        self.superseding += [(len(self.ids) + at, one) for at, one in others.superseding]
        self.ids += others.ids
        self.owned += others.owned

    def is_doubtful_among(self, *, may_lack: bool) -> bool:
        """Whether what chains of one ledger hold seems not to fit together. may_lack: some of it is elsewhere."""
        wanted = {one for _, one in self.superseding}
        if self._has_twice() or len(wanted) < len(self.superseding):
            return True
        return not may_lack and not wanted.issubset(one for one in self.owned if one in wanted)

    def _has_twice(self) -> bool:
        parts: list[array[int]] = [array("q") for _ in range(64)]  # a set of all would take ten times the memory
        for one in self.ids:
            parts[one & 63].append(one)
        return any(len(set(part)) < len(part) for part in parts)

    def is_doubtful(self) -> bool:
        """Whether a decision seems to stand twice, or one to supersede what it cannot."""
        if self._has_twice():
            return True
        wanted = {one for _, one in self.superseding}
        places = {one: at for at, one in enumerate(self.owned) if one in wanted} if wanted else {}
        return len(wanted) < len(self.superseding) or any(places.get(one, at) >= at for at, one in self.superseding)


def first_false_decision(parts: Sequence[Piece | Lines], last: int, *, may_lack: bool) -> tuple[Problem, bytes] | None:
    """Read the records up to `last` again; return the first decision that cannot be, and the hash before it.

    may_lack: a failing disk has lost some, it is said; so do those that are elsewhere.
    """
    may_lack = may_lack or any(isinstance(piece, Away) for piece in parts)
    known: dict[bytes, bytes] = {}
    superseded: set[bytes] = set()
    for file, number, line in read_lines([piece for piece in parts if not isinstance(piece, Away)]):
        prefix = PREFIX.match(line)
        if prefix is None or int(prefix[2]) > last:
            break
        if prefix[4] == DECISION:
            decision, subject, earlier = decision_of(line)
            wrong = None
            if decision in known:
                wrong = Wrong("same-decision", "an earlier record has the same `decision_id`")
            elif earlier is not None and earlier not in known and not may_lack:
                wrong = Wrong("false-supersedes", "it supersedes a decision that is not before it")
            elif earlier is not None and known.get(earlier, subject) != subject:
                wrong = Wrong("false-supersedes", "it supersedes a decision of another MerchantBizId")
            elif earlier in superseded:
                wrong = Wrong("false-supersedes", "it supersedes a decision that another had superseded")
            if wrong is not None:
                return wrong.problem(file, number, int(prefix[2])), prefix[3]
            known[decision] = subject
            if earlier is not None:
                superseded.add(earlier)
    return None
