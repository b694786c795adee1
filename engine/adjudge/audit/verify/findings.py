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
    checkpoints say. anchored: how many anchors there are of this log.
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

    @property
    def is_good(self) -> bool:
        """Whether every record verifies."""
        return self.problem is None


def render(findings: Findings) -> str:
    """Return the findings as a person reads them."""
    lines = []
    if findings.problem is not None:
        problem = findings.problem
        at = f"{problem.file}:{problem.line}" if problem.line else problem.file
        record = f"record {problem.seq}: " if problem.line else ""
        lines.append(f"{at}: error[{problem.what}]: {record}{problem.message}")
    many = f"{findings.count} record{' verifies' if findings.count == 1 else 's verify'}"
    if findings.count:
        lines.append(f"{many}, last seq {findings.last_seq}, last hash {findings.last_hash}")
    if findings.signed:
        how = "signed" if findings.is_authentic else "signed, as it says (give --key to check),"
        rest = f"; {records_stand(findings.unsigned)} after it, unsigned" if findings.unsigned else ""
        lines.append(f"{how} up to record {findings.signed_seq} with {', '.join(findings.keys)}{rest}")
    if findings.proven_seq:
        lines.append(f"macs hold up to record {findings.proven_seq}")
    elif findings.count and not findings.signed:
        lines.append("unsigned: anybody who can write to the folder can have written any of it")
    if findings.adopted:
        lines.append(f"{findings.adopted} of them were adopted without proof, according to checkpoints")
    if findings.anchored and findings.is_good:
        lines.append(f"{findings.anchored} anchor{' agrees' if findings.anchored == 1 else 's agree'}")
    if findings.gap:
        lines.append(f"according to the log, a failing disk lost {findings.gap} records that the writer had accepted")
    return "\n".join(lines)


def records_stand(count: int) -> str:
    """Say how many records stand somewhere."""
    return f"{count} record{' stands' if count == 1 else 's stand'}"
