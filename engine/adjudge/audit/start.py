"""What a writer looks at before it goes on with a log: whether it has the key, and what outside witnesses remember."""

from __future__ import annotations

from adjudge.audit.checkpoints import Checkpoints, FileAnchor
from adjudge.audit.file import LogFile
from adjudge.audit.proof import signature_of
from adjudge.audit.read import first_hash, tail
from adjudge.errors import AuditBroken, AuditUnavailable


def require_key(file: LogFile, checkpoints: Checkpoints | None) -> None:
    """Raise AuditUnavailable where a log that has signatures or macs would go on without."""
    found, keys = file.found, checkpoints or Checkpoints()
    signed = found.checkpoint is not None and signature_of(found.checkpoint) is not None
    if (signed and keys.signer is None) or (found.end is not None and found.end.has_mac and keys.mac is None):
        raise AuditUnavailable(
            f"{file.path}: this log is {'signed' if signed else 'written with a key'}; without its key it would not"
            " verify any more. Give the key, or begin another log"
        )


def require_proof(file: LogFile) -> None:
    """Raise AuditBroken where the keys do not prove the end of the log.

    One that another key signed in the end may be gone on with: nothing is believed of it, and the first record says so.
    """
    if file.proof is not None and file.found.foreign_key is None:
        file.found.require_proof(str(file.path))


def hold_against(file: LogFile, anchor: FileAnchor) -> None:
    """Raise AuditBroken where an anchor remembers what the log does not hold, as after a restore of an old copy."""
    kept = anchor.newest(first_hash(file.directory)) if file.written.seq else None
    if kept is None:
        return
    back = file.written.seq - kept.seq
    if back < 0:
        what = f"the log ends with record {file.written.seq}"
    else:
        found = next(iter(tail(file.directory, max_records=back + 1)), None)
        if found is not None and found.hash == kept.hash:
            return
        what = "the log has another record there"
    raise AuditBroken(
        f"{file.path}: {what}, but its anchor {anchor.path} remembers checkpoint {kept.seq}: the log was cut off,"
        " written anew or restored from an old copy. Once a person has looked, put that anchor away and name a new one"
    )
