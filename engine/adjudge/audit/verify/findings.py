"""What a verification found, and how a person reads it."""

from __future__ import annotations

from dataclasses import dataclass

from .lines import FIRST_PREV
from .problem import Problem


@dataclass(slots=True, kw_only=True)
class Findings:
    """What a verification found, as far as the first problem; it grows as the log is read.

    last_seq, last_hash: of the last good record; 0 and zeros without one. checkpoints, signed: how many there are.
    signed_seq: the last signed checkpoint, 0 without one; unsigned: how many records stand after it. keys: ids of the
    keys that signed, in order. is_authentic: every signature was held against a key that was given. is_closed: the last
    record is the checkpoint of an orderly close. proven_seq: the last record whose mac was held against a key that was
    given. adopted: records that a checkpoint took over although nothing proved them. gap: records lost by disks, as
    checkpoints say. anchored: how many anchors there are of this log. away: the first and the last of records that were
    archived, and are not among those that were read; `count` leaves them out. vouched_seq, vouched_at: the newest
    checkpoint, or the newest that is signed, which vouches for them. vouched_by: the chain of one ledger that has it,
    where it is another. unvouched: how many closed segments no record describes, as those of earlier versions.
    """

    count: int = 0
    last_seq: int = 0
    last_hash: str = FIRST_PREV.decode()
    problem: Problem | None = None
    checkpoints: int = 0
    signed: int = 0
    signed_seq: int = 0
    unsigned: int = 0
    keys: tuple[str, ...] = ()
    is_authentic: bool = False
    is_closed: bool = False
    proven_seq: int = 0
    adopted: int = 0
    gap: int = 0
    anchored: int = 0
    away: tuple[tuple[int, int], ...] = ()
    vouched_seq: int = 0
    vouched_at: str = ""
    unvouched: int = 0
    vouched_by: str = ""

    @property
    def is_good(self) -> bool:
        """Whether every record verifies."""
        return self.problem is None


def render(findings: Findings, place: str = "to the folder") -> str:
    """Return the findings as a person reads them. place: where the log can be written."""
    lines = []
    if findings.problem is not None:
        problem = findings.problem
        at = f"{problem.file}:{problem.line}" if problem.line else problem.file
        record = f"record {problem.seq}: " if problem.line else ""
        lines.append(f"{at}: error[{problem.what}]: {record}{problem.message}")
    many = f"{findings.count} record{' verifies' if findings.count == 1 else 's verify'}"
    if findings.count:
        lines.append(f"{many}, last seq {findings.last_seq}, last hash {findings.last_hash}")
    lines += _away(findings)
    if findings.signed:
        how = "signed" if findings.is_authentic else "signed, as it says (give --key to check),"
        rest = f"; {records_stand(findings.unsigned)} after it, unsigned" if findings.unsigned else ""
        lines.append(f"{how} up to record {findings.signed_seq} with {', '.join(findings.keys)}{rest}")
    if findings.proven_seq:
        lines.append(f"macs hold up to record {findings.proven_seq}")
    elif findings.count and not findings.signed:
        lines.append(f"unsigned: anybody who can write {place} can have written any of it")
    if findings.adopted:
        lines.append(f"{findings.adopted} of them were adopted without proof, according to checkpoints")
    if findings.anchored and findings.is_good:
        lines.append(f"{findings.anchored} anchor{' agrees' if findings.anchored == 1 else 's agree'}")
    if findings.unvouched and findings.is_good:
        many = f"{findings.unvouched} closed segment{' has' if findings.unvouched == 1 else 's have'}"
        lines.append(f"{many} no record of its bytes, as of an earlier version: only the chain vouches for its end")
    if findings.gap:
        lines.append(f"according to the log, a failing disk lost {findings.gap} records that the writer had accepted")
    return "\n".join(lines)


def _away(findings: Findings) -> list[str]:
    """Say what is elsewhere, and what vouches for it."""
    if not findings.away:
        return []
    by = "by nothing: no checkpoint stands after them"
    if findings.vouched_by:
        by = f"by the checkpoint of {findings.vouched_at}, record {findings.vouched_seq} of {findings.vouched_by}"
    elif findings.vouched_seq > findings.away[0][1]:
        by = f"by the checkpoint of {findings.vouched_at}, record {findings.vouched_seq}"
        if findings.signed:
            by += f", signed with {findings.keys[-1]}"
    parts = [list(findings.away[0])]
    for first, last in findings.away[1:]:
        if first == parts[-1][1] + 1:
            parts[-1][1] = last
        else:
            parts.append([first, last])
    lines = []
    if parts[0][0] == 1:
        count = parts.pop(0)[1]
        lines.append(f"verified from record {count + 1}; {count:,} earlier ones are vouched for {by}")
    lines += [f"records {first} to {last} are archived, and vouched for {by}" for first, last in parts]
    return lines


def records_stand(count: int) -> str:
    """Say how many records stand somewhere."""
    return f"{count} record{' stands' if count == 1 else 's stand'}"
