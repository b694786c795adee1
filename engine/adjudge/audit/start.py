"""What a writer looks at before it goes on with a log, and what it has to say of it then."""

from __future__ import annotations

import msgspec

from adjudge.audit.checkpoints import CheckpointBody, Checkpoints, FileAnchor, FoundBody
from adjudge.audit.file import LogFile
from adjudge.audit.proof import Found, signature_of
from adjudge.audit.read import first_hash, tail
from adjudge.errors import AuditBroken, AuditUnavailable
from adjudge.frozen import frozen


@frozen(kw_only=True)
class Start:
    """What the log that a writer found means for what it writes.

    gap: how many records disks have lost, as the log says. says: what the first checkpoint says of the log, and which
    key it retires; None where no checkpoint has to come before the first record. is_open: whether one has to come at
    the close, even where no record was written. fingerprint_key: the digest that the newest checkpoint has of it.
    """

    gap: int = 0
    says: tuple[FoundBody, str | None] | None = None
    is_open: bool = False
    fingerprint_key: str = ""

    @classmethod
    def of(cls, found: Found, checkpoints: Checkpoints | None, adopted_by: str | None) -> Start:
        """Look at what was found. adopted_by: who takes over what nothing proves. Raises AuditBroken.

        With a key a checkpoint always comes first: what follows an orderly close is that of another start, or forged.
        Without, it comes after a crash, or where the last one promised the next one sooner.
        """
        end = found.end
        if end is None or checkpoints is None:
            return cls()
        try:
            last = found.checkpoint.decode(CheckpointBody) if found.checkpoint is not None else None
        except msgspec.DecodeError as error:
            raise AuditBroken(f"a checkpoint near record {end.seq} is invalid: {error}") from None
        gap, is_last = (last.gap if last is not None else 0), found.checkpoint is end
        fingerprints = last.fingerprint_key if last is not None else ""
        if checkpoints.mac is None and last is not None and is_last and last.every == checkpoints.every:
            return cls(gap=gap, fingerprint_key=fingerprints)
        signature, signer = (
            (signature_of(found.checkpoint) if found.checkpoint is not None else None),
            checkpoints.signer,
        )
        retired = (
            signature[0] if signature is not None and signer is not None and signature[0] != signer.key_id else None
        )
        if found.is_proven:
            body = FoundBody(found.unsigned, "mac" if end.has_mac else "signature", adopted_by or "")
        else:
            body = FoundBody(end.seq - found.proven_seq, "none", adopted_by or "")
        # a key of macs that takes another's place makes one at once, or nothing would tell that it has
        is_own = signature is not None or (checkpoints.mac is not None and end.is_by(checkpoints.mac))
        is_closed = found.is_proven and is_last and last is not None and last.closed and retired is None and is_own
        may_close = found.is_proven or adopted_by is not None
        is_open = may_close and not is_closed
        return cls(gap=gap, says=(body, retired), is_open=is_open, fingerprint_key=fingerprints)


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
