"""The ledger in PostgreSQL: claims, calls, decisions and chained records, shared by all who use one database."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, suppress
from dataclasses import replace
from itertools import count
from time import monotonic

import msgspec
from msgspec import structs

from adjudge.ledger.kit import (
    Checkpoints,
    Proof,
    Tags,
    Witness,
    all_commitments_of,
    check_named,
    commitments_of,
    conflict,
    encode_body,
    no_such_decision,
    restore_decision,
    with_values,
)
from adjudge.plugin import (
    AuditUnavailable,
    Body,
    Busy,
    CallBody,
    Claim,
    DaySpend,
    Decision,
    DecisionPage,
    DecisionQuery,
    Evidence,
    NamedBody,
    NamedRecord,
    PluginError,
    Quota,
    QuotaReached,
    Receipt,
    Spent,
)
from adjudge_plugins.postgres.believing import body_of, call_of, require_newest, require_proof
from adjudge_plugins.postgres.claiming import Claiming, release
from adjudge_plugins.postgres.database import Connections, connect, told
from adjudge_plugins.postgres.migrate import applied, require_tables
from adjudge_plugins.postgres.named import LEASE_S, history, newest, noted, write_next
from adjudge_plugins.postgres.personal import erase, named_in, revealed, sealed
from adjudge_plugins.postgres.records import PostgresRecords
from adjudge_plugins.postgres.searching import POLICY, look
from adjudge_plugins.postgres.session import Session
from adjudge_plugins.postgres.writer import Wanted, Writer, quota_text

_NOT_OPEN = "the ledger in PostgreSQL is not open"
_OVER_MAX = 10_000
"""Claims that are remembered as over, of those who do not give them back."""
_KNOWN_MAX = 10_000
"""So many ids are remembered that are not new."""
_LABELLED = "select merchant_biz_id = %s from adjudge.records where decision_id = %s and kind = 'decision'"
_ARCHIVED = "select 1 from adjudge.records where kind = 'archive' limit 1"
_OTHERS = (
    "select r.line from adjudge.records r join adjudge.answers a on a.merchant_biz_id = r.merchant_biz_id"
    " where r.merchant_biz_id = %s and r.kind = 'decision' and a.decision_id = %s and r.decision_id <> a.decision_id"
)
_DECISION = "select r.line, r.recorded_at from adjudge.records r where r.decision_id = %s and r.kind = 'decision'"
_CONFIRMED = "select 1 from adjudge.labels where decision_id = %s and merchant_biz_id = %s and confirms"
_HELD = (
    "select token, extract(epoch from until - clock_timestamp()) from adjudge.claims"
    " where merchant_biz_id = %s and until > clock_timestamp()"
)
_POLL_S = (0.01, 0.25)
"""Who waits for another holder looks again after so long, at first and in the end; who is told, as in the end."""


class PostgresLedger:
    """Keeps decisions in a database that other processes share."""

    durability = "postgres"
    notes: tuple[str, ...] = ()
    lost = 0
    is_immediate = False

    def __init__(
        self,
        dsn: str,
        key: bytes,
        *,
        answer_for_s: float,
        checkpoints: Checkpoints | None = None,
        anchors: Sequence[Witness] = (),
        proof: Proof | None = None,
    ) -> None:
        """dsn: as libpq takes it. key: of fingerprints, the same for all who use the database.

        checkpoints: when the chain gets some, and with which keys. anchors: who is shown each of them. proof: what
        proves the records that answer, of all workers; the keys of `checkpoints` unless given. Without any, all answer.
        """
        self.key = key
        self._dsn = dsn
        self._answer_for_s = answer_for_s
        self._proof = proof or (checkpoints.proof if checkpoints is not None else None)
        self._connections: Connections | None = None
        self._claiming: Claiming | None = None
        self._over: set[str] = set()  # holders of claims that ended with a decision, and need not be given back
        self._known: dict[str, None] = {}  # ids that are not new, the newest last
        self._tags: dict[str, Tags] = {}  # of policies, by digest
        self._questions = count(1)
        self._writer = Writer(dsn, checkpoints, anchors, answer_for_s=answer_for_s)
        self._session = Session(dsn)

    @property
    def _asked(self) -> Connections:
        if self._connections is None:
            raise AuditUnavailable(_NOT_OPEN)
        return self._connections

    @property
    def _claims(self) -> Claiming:
        if self._claiming is None:
            raise AuditUnavailable(_NOT_OPEN)
        return self._claiming

    async def open(self) -> None:
        """Look at the tables and the key, and begin a chain. Raises AuditUnavailable and PluginError."""
        connection = await connect(self._dsn)
        try:
            require_tables(await applied(connection))
            digest = hashlib.sha256(self.key).hexdigest()
            with told():
                await connection.execute(
                    b"insert into adjudge.settings values ('fingerprint_key', %s) on conflict do nothing", (digest,)
                )
                kept = await connection.execute(b"select value from adjudge.settings where name = 'fingerprint_key'")
                ((known,),) = await kept.fetchall()
        finally:
            await connection.close()
        if known != digest:
            said = "`fingerprint_key` is not the one that this database was begun with: every retry would be a conflict"
            raise PluginError(said, plugin="postgres")
        try:
            await self._writer.open()
            await self._session.begin(self._writer.number)
        except BaseException:
            self.close()
            raise
        self._connections = Connections(self._dsn)
        self._claiming = Claiming(self._connections)

    async def aclose(self) -> None:
        """Write what waits, give back the claims that are left, and let all connections go."""
        try:
            await self._writer.aclose()
            if self._connections is not None:
                await self._connections.rows("select adjudge.leave(%s)", (self._holder(),))
        except AuditUnavailable:
            pass  # nothing that was taken is lost: whoever waits for a record was told, and claims lapse
        finally:
            await self._session.aclose()
            self.close()

    def close(self) -> None:
        """Let all connections go at once."""
        self._writer.close()
        self._session.close()
        if self._connections is not None:
            self._connections.close()
            self._connections = self._claiming = None

    async def spent(self) -> Spent:
        """Return what was or may have been paid for, of today and yesterday in UTC."""
        rows = await self._asked.rows(
            "select provider, day, count(*), sum(price) from adjudge.calls"
            " where day >= (clock_timestamp() at time zone 'UTC')::date - 1 and billed is distinct from 'no'"
            " group by provider, day"
        )
        return {(provider, day): DaySpend(int(calls), price) for provider, day, calls, price in rows}

    async def in_doubt(self) -> Sequence[CallBody]:
        """Return calls that may have been paid for without an answer, and that no decision holds."""
        rows = await self._asked.rows(
            "select line from adjudge.calls where is_open and (billed is null or billed = 'unknown')"
        )
        return [call_of(line) for (line,) in rows]

    async def claim(
        self, merchant_biz_id: str, fingerprint: str, *, again: bool, lease_s: float, former: str | None = None
    ) -> Claim | Decision | Busy:
        """Return the decision of an id, or a claim to make one; see `DecisionLedger.claim`."""
        writer = self._writer.number if self._session.is_up else None
        holder = self._holder(next(self._questions))
        asked = (merchant_biz_id, fingerprint, former, again, lease_s, self._answer_for_s, holder, writer)
        said, token, line, is_confirmed, others, calls = await self._claims.ask(asked)
        self._know(merchant_biz_id)
        if said == "conflict":
            raise conflict(merchant_biz_id)
        if said == "busy":
            return Busy(merchant_biz_id=merchant_biz_id, token=token)
        if said == "decision":
            if line is None:
                raise await self._gone(merchant_biz_id)
            return await self._newest_of(line, is_confirmed, others, merchant_biz_id)
        bare = Claim(
            merchant_biz_id=merchant_biz_id, fingerprint=fingerprint, former=former, token=token, holder=holder
        )
        try:
            earlier = None if line is None else await self._newest_of(line, is_confirmed, others, merchant_biz_id)
            return replace(bare, earlier=earlier, calls=await self._open_calls(bare, calls))
        except BaseException:
            await self.release(bare)
            raise

    def presume(self, merchant_biz_id: str, fingerprint: str, *, former: str | None = None) -> Claim | None:
        """Return the claim of an id that is new, as `conclude` will find or not; see `Presuming.presume`.

        None of an id that was asked for here before: its answer is one question away, where to presume takes two.
        """
        if merchant_biz_id in self._known:
            return None
        return Claim(merchant_biz_id=merchant_biz_id, fingerprint=fingerprint, former=former, token=0)

    async def wait(self, busy: Busy, until: float) -> None:
        """Wait until an id may be free: until that is told, and look again in between."""
        pause_s, longest_s = _POLL_S
        with self._session.hearing(busy.token) as free:
            while (left_s := until - monotonic()) > 0 and not free.is_set():
                held = await self._asked.rows("select adjudge.await(%s, %s)", (busy.merchant_biz_id, busy.token))
                if held == [(False,)]:
                    return
                if self._session.is_up:
                    pause_s = longest_s
                with suppress(TimeoutError):
                    await asyncio.wait_for(free.wait(), min(pause_s, left_s))
                pause_s = min(2 * pause_s, longest_s)

    async def release(self, claim: Claim) -> None:
        """Give up a claim that comes to no decision; where the database is away, it lapses."""
        if not claim.token or claim.holder in self._over:
            self._over.discard(claim.holder)
            return
        try:
            await release(self._asked, [(claim.merchant_biz_id, claim.token, claim.holder)])
        except AuditUnavailable:
            pass

    async def admit(self, quota: Quota, claim: Claim, call: CallBody | None) -> float:
        """Count a call for all workers, and record it in the same commit; see `SharedLimits.admit`."""
        if call is not None:
            return await self._write_call(call, claim, quota)
        asked = msgspec.json.encode([quota_text(quota)]).decode()
        ((bound, wait_s),) = await self._asked.rows("select bound, wait_s from adjudge.admit(%s::jsonb)", (asked,))
        if bound is not None:
            raise QuotaReached(bound)
        return float(wait_s)

    async def begin_call(self, claim: Claim, call: CallBody) -> None:
        """Record that a call is about to be made; see `DecisionLedger.begin_call`."""
        await self._write_call(call, claim)

    async def end_call(self, claim: Claim, call: CallBody) -> None:
        """Record how a call ended, also where the claim was lost."""
        await self._write_call(call, None)

    async def conclude(self, claim: Claim, decision: Decision, record: Body) -> Receipt:
        """Write the record of a decision, and give the claim back; see `DecisionLedger.conclude`."""
        wanted = Wanted(
            kind="decision",
            members=encode_body(record),
            merchant_biz_id=claim.merchant_biz_id,
            decision_id=decision.decision_id,
            claim=claim,
            # A person's decision has no values but those of the one that it supersedes, erased or not.
            sealed=named_in(record) if decision.reviewed is None else (),
        )
        receipt = (await self._writer.write(wanted)).receipt
        self._know(claim.merchant_biz_id)
        if claim.token:
            if len(self._over) >= _OVER_MAX:
                self._over.clear()
            self._over.add(claim.holder)
        return receipt

    async def find(self, *, decision_id: str | None = None, merchant_biz_id: str | None = None) -> Decision | None:
        """Return a decision by its id, or the newest of a MerchantBizId, however old."""
        if decision_id is not None:
            query = "select r.line from adjudge.records r where r.decision_id = %s and r.kind = 'decision'"
        else:
            query = (
                "select r.line from adjudge.answers a join adjudge.records r using (recorded_at, writer, seq)"
                " where a.merchant_biz_id = %s"
            )
        for (line,) in await self._asked.rows(query, (decision_id or merchant_biz_id,)):
            of = decision_id or merchant_biz_id
            body = body_of(line, of)
            confirmed = await self._asked.rows(_CONFIRMED, (body.decision_id, body.merchant_biz_id))
            others = []
            if decision_id is None:
                others = await self._asked.rows(_OTHERS, (merchant_biz_id, body.decision_id))
            return await self._newest_of(line, bool(confirmed), [line for (line,) in others], str(of))
        return None

    async def search(self, query: DecisionQuery, after: str | None) -> DecisionPage:
        """Return decisions in the order in which the database took them, newest first; see `SearchableLedger`."""
        found = await look(self._asked, query, after, self._tags)
        decisions = [await self._decision_of(line, is_confirmed, of=None) for line, is_confirmed in found.lines]
        return DecisionPage(decisions=tuple(decisions), next=found.next)

    async def evidence(self, decision_id: str) -> Evidence | None:
        """Return what there is of a decision; see `ExplainableLedger`."""
        for line, recorded_at in await self._asked.rows(_DECISION, (decision_id,)):
            body = body_of(line, decision_id)
            await self._require_proof(line, body.merchant_biz_id, f"the decision of {body.merchant_biz_id}")
            sought = f'"digest":"{body.policy_digest}"'.encode()
            policies = await self._asked.rows(POLICY, (recorded_at, sought))
            confirmed = await self._asked.rows(_CONFIRMED, (body.decision_id, body.merchant_biz_id))
            return Evidence(
                decision=line,
                policy=policies[0][0] if policies else None,
                values=await revealed(self._asked, all_commitments_of(body)),
                is_confirmed=bool(confirmed),
            )
        return None

    async def record(self, kind: str, body: Body) -> Receipt:
        """Write a record of another kind."""
        return (await self._writer.write(Wanted(kind=kind, members=encode_body(body)))).receipt

    async def note(self, kind: str, record: NamedBody) -> NamedRecord:
        """Write a named record, if its number is the next one; see `DecisionLedger.note`."""
        check_named(kind, record)
        of, until = f"{kind}:{record.name}", monotonic() + LEASE_S
        # Not `self.claim`: a front may have that one answered by a copy.
        while isinstance(found := await PostgresLedger.claim(self, of, kind, again=True, lease_s=LEASE_S), Busy):
            if monotonic() > until:
                raise AuditUnavailable(f"another worker holds `{record.name}`, to write of it")
            await self.wait(found, until)
        assert isinstance(found, Claim), "no decision has such an id"
        try:
            return await write_next(self._asked, self._writer, found, kind, record)
        finally:
            await self.release(found)

    async def newest(self, kind: str) -> Mapping[str, NamedRecord]:
        """Return the newest record of each name."""
        return await newest(self._asked, kind)

    async def history(self, kind: str, name: str) -> Sequence[NamedRecord]:
        """Return all records of a name; see `KeepsHistories`."""
        return await history(self._asked, kind, name)

    async def noted(self, kind: str) -> int:
        """Return how many records of a kind there are."""
        return await noted(self._asked, kind)

    async def label(self, decision_id: str, merchant_biz_id: str, record: Body, *, confirms: bool) -> None:
        """Write a record of what was found out about a decision.

        Raises RequestError where there is no such decision. A label comes weeks later: where months are archived, that
        of its decision may be among them, so it is taken.
        """
        rows = await self._asked.rows(_LABELLED, (merchant_biz_id, decision_id))
        if not any(is_it for (is_it,) in rows) and (rows or not await self._asked.rows(_ARCHIVED)):
            raise no_such_decision(decision_id, merchant_biz_id)
        wanted = Wanted(
            kind="label",
            members=encode_body(record),
            merchant_biz_id=merchant_biz_id,
            decision_id=decision_id,
            confirms=confirms,
        )
        await self._writer.write(wanted)

    def sealed(self, subject: str, values: Mapping[str, object]) -> AbstractAsyncContextManager[Mapping[str, str]]:
        """Keep the personal values of a MerchantBizId, and give their commitments by name.

        Where an erasure comes between this and the record, the record is not written.
        """
        return sealed(self._asked, subject, values)

    def records(self) -> PostgresRecords:
        """Hand out the records of all chains."""
        return PostgresRecords(self._dsn, lambda: self._writer.number)

    async def erase(self, merchant_biz_id: str, record: Callable[[tuple[str, ...]], Body]) -> int:
        """Record that a subject is erased, and erase its key and its values; return how many values there were.

        Whoever decides the id just now is waited for, for as long as its claim holds.
        """
        for token, left_s in await self._asked.rows(_HELD, (merchant_biz_id,)):
            await self.wait(Busy(merchant_biz_id=merchant_biz_id, token=token), monotonic() + float(left_s))

        async def write(names: tuple[str, ...]) -> None:
            members = encode_body(record(names))
            await self._writer.write(Wanted(kind="erasure", members=members, merchant_biz_id=merchant_biz_id))

        return await erase(self._asked, merchant_biz_id, write)

    def _know(self, merchant_biz_id: str) -> None:
        """Remember that an id is not new."""
        if len(self._known) >= _KNOWN_MAX:
            del self._known[next(iter(self._known))]
        self._known[merchant_biz_id] = None

    def _holder(self, question: int | None = None) -> str:
        """Return who asks, in one question; or what all of its questions begin with."""
        return f"{self._writer.number}:{'' if question is None else question}"

    async def _write_call(self, call: CallBody, claim: Claim | None, quota: Quota | None = None) -> float:
        """Write a call, and return the seconds to wait before it is made."""
        wanted = Wanted(
            kind="call",
            members=encode_body(call),
            merchant_biz_id=call.merchant_biz_id,
            claim=claim,
            call=call,
            sealed=named_in(call),
            quota=quota,
        )
        return (await self._writer.write(wanted)).wait_s

    async def _newest_of(self, line: bytes, is_confirmed: bool, others: Sequence[bytes], of: str) -> Decision:
        """Return the decision of a record that answers an id. others: the other records of decisions of the id."""
        found = await self._restored(line, is_confirmed, of=of)
        require_newest(found, others)
        return found

    async def _open_calls(self, claim: Claim, lines: Sequence[bytes]) -> dict[str, CallBody]:
        """Return the calls of a request that no decision holds yet, by signal, from their records."""
        of = claim.merchant_biz_id
        calls = [call_of(line, of, (claim.fingerprint, claim.former)) for line in lines]
        for line in lines:
            await self._require_proof(line, of, f"a call of {of}")
        values = await revealed(self._asked, (one for call in calls for one in commitments_of(call)))
        by_signal: dict[str, CallBody] = {}
        for call in calls:
            if call.answer is not None or call.signal not in by_signal:
                by_signal[call.signal] = with_values(call, values.get)
        return by_signal

    async def _restored(self, line: bytes, is_confirmed: bool, *, of: str | None) -> Decision:
        """Return the decision of a record that was asked for by an id."""
        return await self._decision_of(line, is_confirmed, of=of)

    async def _decision_of(self, line: bytes, is_confirmed: bool, *, of: str | None) -> Decision:
        """Return the decision of a record. of: the id, of either kind, that it was asked for by; None for any."""
        body = body_of(line, of)
        await self._require_proof(line, body.merchant_biz_id, f"the decision of {body.merchant_biz_id}")
        values = await revealed(self._asked, commitments_of(body))
        decision = restore_decision(body, values.get)
        return structs.replace(decision, final=True) if is_confirmed and not decision.final else decision

    async def _gone(self, merchant_biz_id: str) -> AuditUnavailable:
        """Return what to say where a decision stands whose record does not."""
        kept = "select writer, seq from adjudge.answers where merchant_biz_id = %s"
        ((writer, seq),) = await self._asked.rows(kept, (merchant_biz_id,)) or [("?", "?")]
        said = (
            f"record {seq} of writer {writer}, the decision of MerchantBizId {merchant_biz_id}, is not in the database"
        )
        why = "its month was archived too early, or somebody deleted it, as `adjudge audit verify` tells"
        way = "restore it from the archive or a backup, or delete the id's row of adjudge.answers to decide anew"
        return AuditUnavailable(f"{said}: {why}; {way}")

    async def _require_proof(self, line: bytes, of: str, what: str) -> None:
        if self._proof is not None:
            await require_proof(self._asked, self._proof, line, of, what)
