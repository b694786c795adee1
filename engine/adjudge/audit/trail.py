"""Where an engine's answers are recorded: the audit log, the vault beside it, and further sinks."""

from __future__ import annotations

import asyncio
import os
import secrets
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from msgspec import structs

from adjudge.audit.annotations import LabelBody, erasure_body
from adjudge.audit.bodies import DecisionBody, Recorder, policy_body, restore_decision, restore_fields
from adjudge.audit.calls import CallBody
from adjudge.audit.checkpoints import Checkpoints
from adjudge.audit.file import Segments
from adjudge.audit.kinds import body_of
from adjudge.audit.log import AuditLog, Durability
from adjudge.audit.read import tail
from adjudge.audit.sealing import Sealing
from adjudge.audit.vault import Vault
from adjudge.audit.verify import opened
from adjudge.errors import AuditBroken, AuditUnavailable
from adjudge.events import Events
from adjudge.model import Decision, Request, Signal
from adjudge.plugin import AuditSink
from adjudge.policy.catalogue import Catalogue
from adjudge.policy.policy import Policy
from adjudge.system.faults import is_operators
from adjudge.system.pools import NoThread, Pool

KEY_FILE = "fingerprint.key"
CLOSE_S = 60.0
RECENT_RECORDS = 100_000
RECENT_BYTES = 256 * 1024 * 1024

_events = Events("adjudge.audit")


@dataclass(slots=True)
class AuditTrail:
    """Records decisions.

    key: the secret behind fingerprints, kept beside the log. catalogue: what plugins lend to the policies; the record
    of a policy names its providers by it.
    """

    log: AuditLog | None
    vault: Vault | None
    key: bytes
    sinks: Sequence[AuditSink] = ()
    catalogue: Callable[[], Catalogue] = Catalogue
    _recorders: dict[str, Recorder] = field(default_factory=dict)
    _gap: int = 0
    _first_use: asyncio.Lock = field(default_factory=asyncio.Lock)
    _seals: Sealing | None = field(init=False)

    def __post_init__(self) -> None:
        self._seals = Sealing(self.vault) if self.vault is not None else None
        if self.log is not None and self.sinks:
            self.log.on_lines = self._copy

    @property
    def _sealing(self) -> Sealing:
        assert self._seals is not None, "an audit trail with a log has a vault"
        return self._seals

    @classmethod
    def open(
        cls,
        directory: str | Path,
        *,
        durability: Durability = "fsync",
        sinks: Sequence[AuditSink] = (),
        segments: Segments | None = None,
        checkpoints: Checkpoints | None = None,
        anchors: Sequence[AuditSink] = (),
    ) -> AuditTrail:
        """Open the audit log in a directory, made if needed. Raises AuditUnavailable and AuditBroken.

        segments: when the log goes on in a new file. checkpoints: how often it gets some, and with which keys: they
        have to prove the end of the log, of which answers are given again. anchors: who is shown each checkpoint.
        """
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
            if log.seq > 0 and not (directory / KEY_FILE).exists():
                raise AuditUnavailable(
                    f"{directory / KEY_FILE}: is missing beside a log with records; restore it from a copy. Without it"
                    " every repeated MerchantBizId would look like another request"
                )
            return cls(log, Vault.open(directory), _read_key(directory / KEY_FILE), sinks)
        except BaseException:
            log.close()
            raise

    @classmethod
    def nowhere(cls) -> AuditTrail:
        """Record nothing, for trying things out; every decision's notes say so."""
        return cls(None, None, secrets.token_bytes(32))

    @property
    def notes(self) -> tuple[str, ...]:
        """What every decision should say of its recording."""
        return () if self.log is not None else ("not recorded: the engine has no audit log",)

    def is_immediate(self, policy: Policy) -> bool:
        """Whether recording a decision of a policy never waits for a disk or another task."""
        if self.log is None:
            return True
        recorder = self._recorders.get(policy.digest)
        return self.log.durability == "flush" and recorder is not None and not recorder.is_personal

    async def record(self, decision: Decision, request: Request, inputs: Mapping[str, object], policy: Policy) -> None:
        """Write a decision, its policy before it where that is new, and return once both are as durable as promised.

        inputs: of the request, in the form that the log has for them.
        Raises AuditUnavailable and AuditBroken.
        """
        if self.log is None:
            return
        recorder = await self._recorder(policy, self.log, decision.decided_at)
        if recorder.is_personal:
            personal = recorder.personal(inputs, decision.signals.values())
            async with self._sealing.sealed(decision.merchant_biz_id, personal) as sealed:
                await self.log.write("decision", recorder.body(decision, request, inputs, sealed))
        else:
            await self.log.write("decision", recorder.body(decision, request, inputs, {}))

    async def record_call(self, call: CallBody, policy: Policy) -> None:
        """Write a record of a billed call and return once it is as durable as promised.

        Raises AuditUnavailable and AuditBroken.
        """
        if self.log is None:
            return
        recorder = await self._recorder(policy, self.log, call.at)
        if call.answer is not None and recorder.is_personal:
            async with self._sealing.sealed(call.merchant_biz_id, recorder.personal({}, [call.answer])) as sealed:
                answer = recorder.signal(call.answer, sealed)
                await self.log.write("call", structs.replace(call, answer=answer, personal=tuple(sealed)))
        else:
            await self.log.write("call", call)

    async def record_label(self, label: LabelBody) -> None:
        """Write what was found out about a decision. Raises AuditUnavailable and AuditBroken."""
        if self.log is None:
            raise AuditUnavailable("the engine has no audit log, and so no place for labels")
        await self.log.write("label", label)

    async def erase(self, merchant_biz_id: str, reason: str, by: str) -> int:
        """Record that a subject is erased, and erase it from the vault; return how many values there were.

        The record comes first: where the process dies in between, erasing again does the rest.
        Raises AuditUnavailable and AuditBroken.
        """
        if self.log is None:
            return 0
        async with self._sealing.erasing(merchant_biz_id) as names:
            if names:
                await self.log.write("erasure", erasure_body(merchant_biz_id, names, by=by, reason=reason))
        return len(names)

    def revealed(self, signal: Signal, personal: Collection[str]) -> Mapping[str, object] | None:
        """Return a recorded signal's fields; None where one of its `personal` ones was erased.

        Raises AuditUnavailable where the vault cannot be read.
        """
        if not personal or self.vault is None:
            return signal.fields
        fields, erased = restore_fields(signal.fields, f"{signal.name}.", personal, self.vault.reveal)
        return None if erased else fields

    async def _recorder(self, policy: Policy, log: AuditLog, at: datetime) -> Recorder:
        """Return what turns a policy's decisions into records; the policy's own is written before."""
        if log.gap != self._gap:  # among the records that a failing disk lost may have been those of policies
            self._gap = log.gap
            self._recorders.clear()
        return self._recorders.get(policy.digest) or await self._introduce(policy, log, at)

    async def _introduce(self, policy: Policy, log: AuditLog, at: datetime) -> Recorder:
        """Record a policy that is used for the first time. at: when, aware UTC."""
        from importlib.metadata import version  # brings much along

        async with self._first_use:
            if policy.digest not in self._recorders:
                body = policy_body(policy, self.catalogue().providers, version("adjudge"), at)
                await log.write("policy", body)
                self._recorders[policy.digest] = Recorder(policy, log.durability)
        return self._recorders[policy.digest]

    def _copy(self, lines: Sequence[bytes]) -> None:
        """Hand records on to the sinks, as they came to stand in the log."""
        for line in lines:
            for sink in self.sinks:
                try:
                    sink.write(line)
                except BaseException as error:  # the log has the record; a copy that fails changes no answer
                    if is_operators(error):
                        raise
                    _events.exception("sink_failed", sink=type(sink).__name__)

    def recent(self) -> Iterator[CallBody | DecisionBody | LabelBody]:
        """Yield the calls, decisions and labels at the end of the log, in its order.

        Raises AuditBroken, and AuditUnavailable where the log cannot be read.
        """
        if self.log is None:
            return
        seq, last = self.log.seq, ""
        for record in tail(self.log.directory, max_records=RECENT_RECORDS, max_bytes=RECENT_BYTES):
            if record.seq > seq:
                break  # it came after the log had been looked at
            last = record.hash
            body = body_of(self.log.directory, record)
            if isinstance(body, CallBody | DecisionBody | LabelBody):
                yield body
        if seq and last != self.log.hash:
            raise AuditBroken(f"{self.log.directory}: record {seq} is not the one that was found at the start")

    def restored(self, body: DecisionBody) -> Decision:
        """Return a recorded decision, with the personal values that the vault has. Raises AuditUnavailable."""
        assert self.vault is not None, "an audit trail with a log has a vault"
        return restore_decision(body, self.vault.reveal)

    async def aclose(self) -> None:
        """Close, in a thread of its own; as `close`, and AuditUnavailable too where it takes longer than a minute."""
        if self.log is None:
            return
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
            if self.log is not None:
                self.log.close()
        finally:
            if self._seals is not None:
                self._seals.close()


def _read_key(path: Path) -> bytes:
    """Return the key beside a log, made at first use and readable only by its owner."""
    try:
        try:
            file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        except FileExistsError:
            with opened(path) as existing:
                key = existing.read(33)
            if len(key) != 32:
                raise AuditUnavailable(f"{path}: is not a key of 32 bytes; restore it from a copy") from None
            return key
        key = secrets.token_bytes(32)
        with os.fdopen(file, "wb") as made:
            made.write(key)
            made.flush()
            os.fsync(made.fileno())
    except OSError as error:
        raise AuditUnavailable(f"{path}: {(error.strerror or str(error)).lower()}") from error
    return key
