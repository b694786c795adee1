"""A ledger: what one MerchantBizId is and was, wherever it is asked, and what every ledger has to do.

An id is claimed before anything is asked or decided for it. A claim has a token that only grows, and it lapses: its
holder may have been paused or killed. So the commit is fenced, and not only the lease: whoever concludes with a token
that is no longer the newest writes nothing, and takes the winner's decision. Contract tests stand in `adjudge.testing`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from typing import Literal, Protocol, runtime_checkable

import msgspec

from adjudge.frozen import frozen
from adjudge.model import Decision, Signal
from adjudge.plugin.readers import RecordSource

Billed = Literal["yes", "no", "unknown"]
Body = Mapping[str, object] | msgspec.Struct
"""What a record holds beside the chain's own members; anything in it that msgspec encodes."""


class CallBody(msgspec.Struct, frozen=True, omit_defaults=True, gc=False):
    """A call that costs money: `begun` before it is made, `ended` once it is known how it went.

    call_id: joins the two. fingerprint: of the request, as in its decision. attempt: 1 for the first try.
    at: aware UTC. price: of one such call, a string in JSON.
    The rest stands in the second record. status: as of a signal. billed: `unknown` where an answer was lost.
    answer: the signal, where there was an answer; a crash before the decision then loses nothing that was paid for.
    personal: full names of its fields that stand here as commitments.
    """

    call_id: str
    stage: Literal["begun", "ended"]
    merchant_biz_id: str
    fingerprint: str
    policy_digest: str
    signal: str
    provider: str
    version: str
    attempt: int
    price: Decimal
    currency: str
    at: datetime
    status: str | None = None
    billed: Billed | None = None
    reason: str | None = None
    reason_code: str | None = None
    request_id: str | None = None
    latency_ms: float | None = None
    answer: Signal | None = None
    personal: tuple[str, ...] = ()

    @property
    def is_in_doubt(self) -> bool:
        """Whether it may have been paid for without an answer."""
        return self.stage == "begun" or self.billed == "unknown"


@dataclass(slots=True)
class DaySpend:
    """Calls of one provider that were or may have been paid for, on one day of UTC."""

    calls: int = 0
    spent: Decimal = Decimal(0)


Spent = Mapping[tuple[str, date], DaySpend]
"""What was spent, by provider and day of UTC."""


@frozen(kw_only=True)
class Receipt:
    """Where a record stands. hash: lower-case hex SHA-256; line: the exact bytes, newline included."""

    seq: int
    hash: str
    line: bytes = field(repr=False)


NAMED = ("activation", "rollout", "rollout_tally", "proposal")
"""Kinds of records of which the newest of each name says how things stand; see `DecisionLedger.note`."""


BY_NAME = ("review",)
"""Kinds of named records of which there are many names: those of one name are asked for, see `KeepsHistories`."""


class NamedBody(msgspec.Struct, frozen=True, omit_defaults=True):
    """What a named record begins with.

    name: 1 to 64 letters, digits and `.`, `_`, `-`. number: 1 for the first record of a name, and one more each time.
    """

    name: str
    number: int


@frozen(kw_only=True)
class NamedRecord:
    """A record of a kind and a name. line: its exact bytes, newline included."""

    kind: str
    name: str
    number: int
    line: bytes = field(repr=False)


@frozen(kw_only=True)
class Claim:
    """That one holder, and nobody else, is deciding an id.

    former: another fingerprint of the same request, see `DecisionLedger.claim`.
    token: grows with each claim of an id, and is newer than that of whoever held it before; 0 where it is presumed.
    earlier: the newest decision of the id that still answers it, personal values included; None where there is none.
    holder: what its ledger knows it by beside; of no meaning to anybody else.
    calls: by signal, what calls brought that no decision holds yet, personal values included: the answered one, or
    else one in doubt. Where a personal value of an answer was erased, the call is here without its answer.
    """

    merchant_biz_id: str
    fingerprint: str
    token: int
    former: str | None = None
    holder: str = ""
    earlier: Decision | None = None
    calls: Mapping[str, CallBody] = field(default_factory=dict)


@frozen(kw_only=True)
class Busy:
    """That another holder is deciding an id: wait, then claim again. token: of that holder's claim."""

    merchant_biz_id: str
    token: int


@frozen(kw_only=True)
class Quota:
    """How often an account may be asked by all who use a ledger together. None for no bound.

    provider, account: of Provider. price: of one call. rate, daily_calls, daily_spend: as of Limits.
    within_s: seconds that may be waited for the rate.
    """

    provider: str
    account: str
    price: Decimal
    rate: float | None
    daily_calls: int | None
    daily_spend: Decimal | None
    within_s: float


class DecisionLedger(Protocol):
    """Decides who may decide, and keeps what was decided: for `answer_for`, however many decisions came since.

    Whatever a ledger cannot do now is AuditUnavailable, never a driver's exception, and then nothing was decided.
    All methods are called on one event loop, after `open` and before `aclose`. A ledger may also have an
    `async def check()`, which raises what a claim would raise now; one without it is asked for `noted`.
    """

    @property
    def key(self) -> bytes:
        """The secret behind fingerprints: the same for all who use the ledger."""
        ...

    @property
    def durability(self) -> str:
        """What each decision's record says of how durable it is, such as `fsync`."""
        ...

    @property
    def notes(self) -> tuple[str, ...]:
        """What every decision should say of its recording."""
        ...

    @property
    def lost(self) -> int:
        """How many records were taken and then lost; where it grows, the policies are recorded again."""
        ...

    @property
    def is_immediate(self) -> bool:
        """Whether a claim and a conclusion without personal values never wait for anybody."""
        ...

    async def open(self) -> None:
        """Get ready. Raises AuditUnavailable and AuditBroken."""
        ...

    async def aclose(self) -> None:
        """Let everything go. Raises AuditUnavailable where it could not keep what it took."""
        ...

    def close(self) -> None:
        """Let everything go at once, where no event loop runs any more. Raises as `aclose`."""
        ...

    async def spent(self) -> Spent:
        """Return what was or may have been paid for, of today at least. Raises AuditUnavailable."""
        ...

    async def in_doubt(self) -> Sequence[CallBody]:
        """Return calls that may have been paid for without an answer, and that no decision holds."""
        ...

    async def claim(
        self, merchant_biz_id: str, fingerprint: str, *, again: bool, lease_s: float, former: str | None = None
    ) -> Claim | Decision | Busy:
        """Return the decision of an id, or a claim to make one; Busy where another holder has it.

        again: a claim is wanted although there is a decision. lease_s: seconds after which others may claim the id.
        former: another fingerprint that is the same request's, as version 0.1 took it.
        Raises MerchantBizIdConflict where the decision or the claim is of another fingerprint; AuditUnavailable and
        AuditBroken.
        """
        ...

    async def wait(self, busy: Busy, until: float) -> None:
        """Wait until an id may be free, or until a time of `time.monotonic()`. Raises AuditUnavailable."""
        ...

    async def release(self, claim: Claim) -> None:
        """Give up a claim that comes to no decision. Never raises: it lapses anyway."""
        ...

    async def begin_call(self, claim: Claim, call: CallBody) -> None:
        """Record that a call is about to be made; every other holder of the id sees it from then on.

        Raises LostClaim, AuditUnavailable and AuditBroken, and then the call is not to be made.
        """
        ...

    async def end_call(self, claim: Claim, call: CallBody) -> None:
        """Record how a call ended, also where the claim was lost. Raises AuditUnavailable and AuditBroken."""
        ...

    async def conclude(self, claim: Claim, decision: Decision, record: Body) -> Receipt:
        """Write the record of a decision, which answers its id from then on, and give the claim back.

        One commit, fenced: raises LostClaim where the claim is no longer the newest of its id, and then nothing was
        written; AuditUnavailable and AuditBroken.
        """
        ...

    async def find(self, *, decision_id: str | None = None, merchant_biz_id: str | None = None) -> Decision | None:
        """Return a decision by its id, or the newest of a MerchantBizId, however old. Raises AuditUnavailable."""
        ...

    async def record(self, kind: str, body: Body) -> Receipt:
        """Write a record of another kind, such as a policy's. Raises AuditUnavailable and AuditBroken."""
        ...

    async def note(self, kind: str, record: NamedBody) -> NamedRecord:
        """Write a named record, if its number is the next one of its kind and name.

        kind: one of NAMED or BY_NAME. Raises Overtaken where it is not, and then nothing was written: of several
        holders who write the same number, one does so. Raises RequestError for a kind or name that is none;
        AuditUnavailable and AuditBroken.
        """
        ...

    async def newest(self, kind: str) -> Mapping[str, NamedRecord]:
        """Return the newest record of each name, whoever wrote it and however long ago. Raises as `find`.

        kind: one of NAMED.
        """
        ...

    async def noted(self, kind: str) -> int:
        """Return how many records of a kind there are: it grows with each, whoever writes it.

        Cheap, so that it can be asked every second whether `newest` says anything new. Raises AuditUnavailable.
        """
        ...

    async def label(self, decision_id: str, merchant_biz_id: str, record: Body, *, confirms: bool) -> None:
        """Write a record of what was found out about a decision.

        confirms: whether a decision that a person has to confirm is final from now on: its newest label says so.
        Raises AuditUnavailable and AuditBroken.
        """
        ...

    def sealed(self, subject: str, values: Mapping[str, object]) -> AbstractAsyncContextManager[Mapping[str, str]]:
        """Keep the personal values of a MerchantBizId, and give their commitments by name.

        The record that names them is written within; an erasure waits for that. Raises AuditUnavailable.
        """
        ...

    def records(self) -> RecordSource | None:
        """Hand out the durable records, for further readers; None where they are kept nowhere that can be read.

        Called once, after `open`, and only where there are readers; it may be used until its own `close`, also after
        `aclose` of the ledger.
        """
        ...

    async def erase(self, merchant_biz_id: str, record: Callable[[tuple[str, ...]], Body]) -> int:
        """Erase the personal values of a MerchantBizId everywhere, caches included, and return how many there were.

        record: makes the record of the erasure from their names; it is written first.
        Raises AuditUnavailable and AuditBroken, and then erase again.
        """
        ...


@runtime_checkable
class KeepsHistories(Protocol):
    """What a ledger may offer beside: without it, it takes no named records of BY_NAME, and there are no reviews."""

    async def history(self, kind: str, name: str) -> Sequence[NamedRecord]:
        """Return all records of a name of one of BY_NAME, by their numbers, whoever wrote them. Raises as `find`."""
        ...


@frozen(kw_only=True)
class LedgerFigures:
    """What a ledger counts of itself, in this process.

    lookups: decisions that were looked for in its caches, by the cache's name: how many were there, and how many not.
    index_lag_records: what an index of the log has not written down; None where there is no such thing.
    """

    lookups: Mapping[str, tuple[int, int]] = field(default_factory=dict)
    index_lag_records: int | None = None


@runtime_checkable
class ShowsFigures(Protocol):
    """What a ledger may offer to those who run it."""

    def figures(self) -> LedgerFigures | None:
        """Return what it counts, at once and from any thread; None for nothing."""
        ...


@runtime_checkable
class SharedLimits(Protocol):
    """What a ledger of several processes may offer beside: without it, each process keeps to its limits by itself."""

    async def admit(self, quota: Quota, claim: Claim, call: CallBody | None) -> float:
        """Count a call of an account for all who use the ledger, and return the seconds to wait before it is made.

        call: is recorded in the same commit, as by `begin_call`; None where it costs nothing. What `end_call` then says
        cost nothing no longer counts for its day. Days are of UTC, by the ledger's own clock.
        Raises QuotaReached, LostClaim, AuditUnavailable and AuditBroken, and then nothing is counted or recorded.
        """
        ...


@runtime_checkable
class Presuming(Protocol):
    """What a ledger may offer for which a claim is a round trip: who decides without asking anybody needs none."""

    def presume(self, merchant_biz_id: str, fingerprint: str, *, former: str | None = None) -> Claim | None:
        """Return a claim, with token 0, of an id that is presumed to be new; None where it is to be claimed.

        No other holder knows of it. `conclude` finds out whether the id has neither a decision that answers it nor a
        claim, and takes it in the same commit; otherwise it raises LostClaim. Nothing else can be done with it but
        `release`.
        """
        ...
