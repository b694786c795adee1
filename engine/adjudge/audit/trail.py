"""Where the answers of one process are recorded: the audit log, and the vault beside it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from types import NoneType

from adjudge.audit.checkpoints import Checkpoints, Witness
from adjudge.audit.commit import DURABILITIES
from adjudge.audit.file import Segments
from adjudge.audit.fingerprint_key import FILE as KEY_FILE
from adjudge.audit.fingerprint_key import digest_of, key_beside
from adjudge.audit.log import AuditLog, Durability
from adjudge.audit.sealing import Sealing
from adjudge.audit.vault import Vault
from adjudge.errors import AuditUnavailable, SetupError
from adjudge.events import Events
from adjudge.system.given import all_of, check_kind, check_path
from adjudge.system.pools import NoThread, Pool

CLOSE_S = 60.0
ARCHIVE_S = 86400.0

_events = Events("adjudge.audit")


@dataclass(slots=True)
class AuditTrail:
    """An open log and what lies beside it. key: the secret behind fingerprints."""

    log: AuditLog
    vault: Vault
    key: bytes
    sealing: Sealing = field(init=False)

    def __post_init__(self) -> None:
        self.sealing = Sealing(self.vault)

    @classmethod
    def open(
        cls,
        directory: str | Path,
        *,
        durability: Durability = "fsync",
        segments: Segments | None = None,
        checkpoints: Checkpoints | None = None,
        anchors: Sequence[Witness] = (),
        fingerprint_key: bytes | None = None,
    ) -> AuditTrail:
        """Open the audit log in a directory, made if needed. Raises SetupError, AuditUnavailable and AuditBroken.

        segments: when the log goes on in a new file. checkpoints: how often it gets some, and with which keys: they
        have to prove the end of the log, of which answers are given again. anchors: who is shown each checkpoint.
        fingerprint_key: in place of the one beside the log; 32 bytes or more.
        """
        check_path("directory", directory)
        if durability not in DURABILITIES:
            raise SetupError(f"`durability` must be {', '.join(DURABILITIES[:-1])} or {DURABILITIES[-1]}")
        check_kind("segments", segments, (Segments, NoneType), "a Segments")
        check_kind("checkpoints", checkpoints, (Checkpoints, NoneType), "a Checkpoints")
        anchors = all_of("anchors", anchors, object, "`[FileAnchor(path)]`")
        if not all(callable(getattr(anchor, "write", None)) for anchor in anchors):
            raise SetupError("each of `anchors` must have a method `write`")
        if fingerprint_key is not None and not (isinstance(fingerprint_key, bytes) and len(fingerprint_key) >= 32):
            raise SetupError("`fingerprint_key` must be 32 bytes or more")
        directory = Path(directory)
        log = AuditLog.open(
            directory,
            durability=durability,
            segments=segments,
            checkpoints=checkpoints or Checkpoints(),
            anchors=anchors,
        )
        try:
            log.require_proof()
            if log.seq > 0 and log.proof == "none":
                why = "the log has no key: anybody who can write to its folder can have written its end"
                _events.info("audit_not_proven", directory=str(directory), records=log.seq, reason=why)
            key = fingerprint_key or key_beside(directory, has_records=log.seq > 0)
            log.hold_fingerprint_key(
                digest_of(key), "the `fingerprint_key`" if fingerprint_key else directory / KEY_FILE
            )
            return cls(log, Vault.open(directory), key)
        except BaseException:
            log.close()
            raise

    async def archive(self, to: str | Path, *, before: date, by: str) -> int:
        """Move old segments elsewhere while the log is written; as `archive` in `audit/archive.py`.

        In a thread of its own, which nobody who decides waits for. A caller who is cancelled leaves it at work.
        """
        from adjudge.audit.archive import archive  # nothing that decides needs it

        pool = Pool("adjudge-archive", 1)
        try:
            return await pool.run(lambda: archive(self.log, to, before=before, by=by), deadline_s=ARCHIVE_S)
        except TimeoutError:
            raise AuditUnavailable(f"{to}: was not archived to within {ARCHIVE_S / 3600:.0f} hours") from None
        finally:
            pool.close()

    async def aclose(self) -> None:
        """Close, in a thread of its own; as `close`, and AuditUnavailable too where it takes longer than a minute."""
        pool = Pool("adjudge-close", 1)
        try:
            await pool.run(self.close, deadline_s=CLOSE_S)
        except NoThread:
            self.close()
        except TimeoutError as error:
            raise AuditUnavailable(f"{self.log.directory}: the disk holds up the closing of the log: {error}") from None
        finally:
            pool.close()

    def close(self) -> None:
        """Close the log and the vault. Raises AuditUnavailable where the log could not keep what it took."""
        try:
            self.log.close()
        finally:
            self.sealing.close()
