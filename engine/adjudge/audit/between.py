"""What is wrong between the chains of one ledger, each of which is good by itself."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from adjudge.audit.elsewhere import named
from adjudge.audit.verify import PREFIX, Decisions, Problem, decision_of
from adjudge.plugin import LogChain, LogLook, LogSource

_LOG = re.compile(rb'"log":"([0-9a-f]{64})"')


def false_decision(
    source: LogSource, look: LogLook, chains: Sequence[LogChain], decisions: Decisions, *, may_lack: bool
) -> Problem | None:
    """Return the first decision that cannot be beside those of other chains: one that stands twice, or forks.

    decisions: of all chains. may_lack: parts of them are elsewhere. The chains are read again only on a suspicion.
    """
    if not decisions.is_doubtful_among(may_lack=may_lack):
        return None
    stands: dict[bytes, str] = {}  # where each decision stands
    follows: dict[tuple[bytes, bytes], str] = {}  # where one stands that supersedes it, by it and whose it is
    subjects: set[tuple[bytes, bytes]] = set()
    for chain in chains:
        for line in look.lines(chain.name):
            prefix = PREFIX.match(line)
            if prefix is None or prefix[4] != b"decision":
                continue
            decision, subject, earlier = decision_of(line)
            place = f"{chain.name}:{int(prefix[2])}"
            said = ""
            if decision in stands:
                what, said = "same-decision", f"{stands[decision]} has the same `decision_id`"
            elif earlier is not None and (earlier, subject) in follows:
                other = follows[earlier, subject]
                what, said = "false-supersedes", f"it supersedes a decision that {other} had superseded"
            if said:
                return _problem(source, place, what, said)
            stands[decision] = place
            subjects.add((decision, subject))
            if earlier is not None:
                follows[earlier, subject] = place
    for superseded, place in follows.items():
        if superseded not in subjects and not may_lack:
            said = "it supersedes a decision that is in no chain, or is of another MerchantBizId"
            return _problem(source, place, "false-supersedes", f"{said}: a chain may have been deleted")
    return None


def missed_chain(source: LogSource, kept: Iterable[bytes], logs: Iterable[bytes]) -> Problem | None:
    """Return which chain anchors remember that is not there. kept: lines of checkpoints; logs: names of chains."""
    known = {*logs}
    for line in kept:
        found = _LOG.search(line)
        if found is not None and found[1] not in known:
            said = (
                f"the anchors remember a chain {found[1].decode()[:12]}…, and none here has that name: it was deleted"
            )
            way = "unless they are also of another ledger: give each anchors of its own"
            return _problem(source, "", "missing", f"{said}, {way}")
    return None


def _problem(source: LogSource, place: str, what: str, message: str) -> Problem:
    chain, _, seq = place.partition(":")
    return Problem(
        file=named(source, chain) if chain else str(source), line=0, seq=int(seq or 0), what=what, message=message
    )
