"""Asking one provider: tries, each with its own deadline and, where it costs money, a record before and after it.

Nothing is tried again that may have been paid for, unless the policy says `when_billing_unknown: ask_again`; and no
second try begins before the first was given up.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from copy import deepcopy
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from random import Random
from time import monotonic

from msgspec import structs

from adjudge.errors import SignalFailed, SignalLater
from adjudge.events import Events
from adjudge.frozen import frozen
from adjudge.ledger.calls import RequestLedger
from adjudge.model import Request, Signal, SignalStatus
from adjudge.plugin import Context, Provider, ProviderClient, QuotaReached, SecretSource
from adjudge.policy.typed import SignalDeclaration
from adjudge.signals.admission import Guard
from adjudge.signals.answers import ProviderAnswer, cleaned_failure, provider_answer
from adjudge.signals.tickets import Ticket, new_call
from adjudge.spans import span
from adjudge.system.faults import is_operators
from adjudge.values.reading import describe

FIRST_WAIT_S = 0.2
LONGEST_WAIT_S = 5.0
"""Seconds before the second try, twice as long before each further one, and at most; half of it is drawn by lot."""
GRACE_S = 0.02
"""Seconds that a provider has to say itself that its time is up: only it knows whether its request was ever sent."""

_ENDED = {"timeout": SignalStatus.TIMEOUT, "unavailable": SignalStatus.UNAVAILABLE}
_NOT_MADE = SignalFailed("not asked: nobody waits for it any more", billed=False, asked=False)

_events = Events("adjudge.signals")
_draw = Random()  # noqa: S311  # spreads retries, hides nothing


@frozen
class Asking:
    """For what, and until when, the providers of one decision are asked.

    ledger: where billed calls are recorded. now: of the decision, aware UTC.
    deadline: `time.monotonic()` seconds by which all asking ends; each signal also has its own timeout.
    key: of the ledger, for tickets of answers that come later.
    """

    request: Request
    ledger: RequestLedger
    now: datetime
    deadline: float
    key: bytes = b""

    def ticket(self, signal: str, call: str) -> str:
        """Return what the late answer to a call is to be sent to."""
        claim = self.ledger.claim
        return Ticket(claim.merchant_biz_id, claim.fingerprint, signal, call).sealed(self.key)


@frozen
class OpenedSignal:
    """A signal's declaration with the provider that answers it, opened.

    client: None where it could not be opened, for the reason in `failure`.
    asking: the tasks under way, those included that were given up and have not ended.
    """

    declaration: SignalDeclaration
    provider: Provider
    guard: Guard
    client: ProviderClient | None
    failure: SignalFailed | None = None
    secrets: Mapping[str, SecretSource] = field(default_factory=dict)
    asking: set[asyncio.Task[ProviderAnswer | SignalFailed]] = field(default_factory=set)

    @property
    def is_billed(self) -> bool:
        """Whether a call costs money."""
        return self.guard.price > 0

    @property
    def usual_s(self) -> float:
        """Seconds that an answer usually takes, as far as it is given that many."""
        given_s = (self.declaration.timeout_s, self.guard.limits.attempt_timeout_s)
        return min(self.provider.latency_s, *(one for one in given_s if one is not None))

    @property
    def is_asked_once(self) -> bool:
        """Whether a call that may have been paid for is not to be made again."""
        return self.is_billed and self.declaration.when_billing_unknown == "unknown"


async def ask(source: OpenedSignal, asking: Asking) -> Signal:
    """Ask one provider, and return its answer or why there is none. Raises nothing but CancelledError.

    The signal's own timeout begins with its first call: the wait for a place among our own calls is not the provider's
    time.
    """
    return await _Question(source=source, asking=asking, started=monotonic()).ask()


@dataclass(slots=True, kw_only=True)
class _Question:
    """One question to a provider, in one or more tries.

    started: when it was put. until: when its time is up, once a call was made. paid: for the tries so far.
    """

    source: OpenedSignal
    asking: Asking
    started: float
    until: float | None = None
    attempt: int = 1
    paid: Decimal = Decimal(0)

    async def ask(self) -> Signal:
        """Try until there is an answer, or no further try is allowed."""
        self.source.guard.first_try()
        while True:
            signal, failure = await self.attempted()
            if failure is None or isinstance(failure, SignalLater):
                return signal
            wait_s = _wait(failure, self.attempt)
            if not self.may_try_again(failure) or monotonic() + wait_s > self.latest():
                break
            if not self.source.guard.may_retry():
                break
            await asyncio.sleep(wait_s)
            self.attempt += 1
        _events.warning(
            "signal_failed",
            signal=signal.name,
            provider=self.source.provider.name,
            status=signal.status.value,
            reason=signal.reason,
        )
        return signal

    def may_try_again(self, failure: SignalFailed) -> bool:
        """Whether a failure may pass. What we did not ask ourselves would not be asked a moment later either."""
        if self.attempt >= self.source.guard.limits.attempts or failure.kind not in ("timeout", "unavailable"):
            return False
        return failure.asked and (failure.billed is False or not self.source.is_asked_once)

    def latest(self) -> float:
        """Return by when a call must begin so that there is time for what it usually takes."""
        until = self.asking.deadline if self.until is None else self.until
        return until - self.source.usual_s

    async def attempted(self) -> tuple[Signal, SignalFailed | None]:
        """Make one call, if it may be made."""
        source, guard = self.source, self.source.guard
        if source.failure is not None:
            return self.failed(source.failure), source.failure
        shares_limits, call_id = self.asking.ledger.shares_limits, ""
        try:
            self.require_time()
            day = await guard.admit(self.latest(), is_shared=shares_limits)
        except SignalFailed as refused:
            return self.failed(refused), refused
        try:
            self.require_time()
            quota = guard.quota(self.latest()) if shares_limits else None
            wait_s = 0.0
            if source.is_billed:
                call_id, wait_s = await self.asking.ledger.begin(
                    source.declaration.name, source.provider, guard.price, self.attempt, quota
                )
            elif quota is not None:
                wait_s = await self.asking.ledger.admit(quota)
            if wait_s > 0:
                await asyncio.sleep(wait_s)
            self.require_time()
        except BaseException as error:
            guard.not_made(day)
            known = guard.refused(error) if isinstance(error, QuotaReached) else error
            why = known if isinstance(known, SignalFailed) else _NOT_MADE
            signal = self.failed(why)
            if call_id:
                await self.asking.ledger.end(call_id, signal, False)
            if why is not known:
                raise
            return signal, why
        if self.until is None:
            self.until = min(monotonic() + source.declaration.timeout_s, self.asking.deadline)
        with span(
            "ask",
            "CLIENT",
            signal=source.declaration.name,
            provider=source.provider.name,
            provider_version=source.provider.version,
            attempt=self.attempt,
        ) as seen:
            call = new_call() if hasattr(source.client, "read_late") else ""
            try:
                heard = await _fetched(source, self.asking, call, self.until)
            except BaseException:
                guard.abandoned()
                raise
            failure = heard if isinstance(heard, SignalFailed) else None
            is_later = isinstance(failure, SignalLater)
            if failure is not None and not is_later:
                seen.failed(failure.reason_code or failure.kind)
        billed = True if failure is None else failure.billed
        if source.is_billed and billed is True:
            self.paid += guard.price
        signal = self.failed(heard, call) if isinstance(heard, SignalFailed) else self.answered(heard)
        guard.left(None if is_later else failure, in_doubt=source.is_billed and billed is None, day=day)
        if source.is_billed:
            await self.asking.ledger.end(call_id, signal, billed)
        return signal, failure

    def require_time(self) -> None:
        """Raise SignalFailed where a call would only be paid for: less time is left than it usually takes."""
        if monotonic() > self.latest():
            said = f"not asked: it usually takes {self.source.usual_s:.3g} s, and less was left"
            raise SignalFailed(said, kind="timeout", reason_code="NO_TIME", billed=False, asked=False)

    def answered(self, heard: ProviderAnswer) -> Signal:
        """Return the signal of an answer."""
        provider = self.source.provider
        return Signal(
            name=self.source.declaration.name,
            status=SignalStatus.OK,
            fields=heard.fields,
            problems=heard.problems,
            provider=provider.name,
            version=provider.version,
            request_id=heard.request_id,
            duration_ms=_since_ms(self.started),
            price=self.paid,
            currency=self.source.provider.currency if self.paid else None,
            attempts=self.attempt,
            is_final=self.source.is_asked_once,
        )

    def failed(self, failure: SignalFailed, call: str = "") -> Signal:
        """Return the signal of a failure, or of the call of that name whose answer comes later."""
        source, provider = self.source, self.source.provider
        is_later = isinstance(failure, SignalLater)
        is_seen = failure.capture_again is not None  # the picture was looked at, and would be again
        return Signal(
            name=source.declaration.name,
            status=SignalStatus.PENDING if is_later else _ENDED.get(failure.kind, SignalStatus.ERROR),
            reason=failure.reason,
            reason_code=failure.reason_code,
            capture_again=failure.capture_again,
            provider=provider.name,
            version=provider.version,
            request_id=failure.request_id,
            duration_ms=_since_ms(self.started),
            price=self.paid,
            currency=provider.currency if self.paid else None,
            attempts=self.attempt,
            is_final=(source.is_asked_once and failure.billed is not False) or (source.is_billed and is_seen),
            call=call if is_later else None,
            until=self.asking.now + timedelta(seconds=failure.within_s) if isinstance(failure, SignalLater) else None,
        )


def _wait(failure: SignalFailed, attempt: int) -> float:
    """Return the seconds before the next try: what the other side asks for, and else twice as long each time."""
    longest_s = min(FIRST_WAIT_S * 2 ** (attempt - 1), LONGEST_WAIT_S)
    asked_for_s = failure.retry_after_s or 0.0
    return max(asked_for_s, _draw.uniform(longest_s / 2, longest_s))


async def _fetched(source: OpenedSignal, asking: Asking, call: str, until: float) -> ProviderAnswer | SignalFailed:
    """Run one call in a task of its own. call: its name, where its answer may come later.

    A provider that does not heed its cancellation holds nobody up: it is left behind, and its answer discarded.
    """
    declaration, request, began = source.declaration, asking.request, monotonic()
    if source.guard.limits.attempt_timeout_s is not None:
        until = min(until, began + source.guard.limits.attempt_timeout_s)
    request = structs.replace(request, inputs=deepcopy(request.inputs), signals=deepcopy(request.signals))
    context = Context(
        request=request,
        signal=declaration.name,
        deadline=until,
        now=asking.now,
        fields=declaration.fields,
        secrets=source.secrets,
        call=asking.ticket(declaration.name, call) if call else "",
    )
    task = asyncio.create_task(_fetch(source, context))
    source.asking.add(task)
    task.add_done_callback(source.asking.discard)
    try:
        await asyncio.wait({task}, timeout=until - began + GRACE_S)
    except asyncio.CancelledError:
        task.cancel()
        raise
    if not task.done() or monotonic() > until:  # a provider that held the loop up may be done, and late all the same
        if task.done() and not task.cancelled() and isinstance(late := task.result(), SignalFailed):
            return late
        task.cancel()
        return SignalFailed(f"no answer within {round(until - began, 3):.3g} s", kind="timeout", reason_code="TIMEOUT")
    return SignalFailed("the provider cancelled itself") if task.cancelled() else task.result()


async def _fetch(source: OpenedSignal, context: Context) -> ProviderAnswer | SignalFailed:
    """Return what a provider says, or its fault as data: whatever it raises, the decision goes on without it.

    That goes for what would end the event loop, too, and with it every other decision. An exception's text may hold
    secrets: its type has to do.
    """
    try:
        assert source.client is not None
        try:
            answer: object = await source.client.fetch(context)
        except SignalFailed as failure:
            if isinstance(failure, SignalLater) and not context.call:
                return SignalFailed("the provider answers later, and has no `read_late`")
            return cleaned_failure(failure)
        if isinstance(answer, Mapping):
            return provider_answer(source.declaration, answer)
        return SignalFailed(f"the provider answered {describe(answer)}, not a map of fields")
    except asyncio.CancelledError:
        raise
    except BaseException as error:
        if is_operators(error):
            raise
        _events.exception("provider_failed", signal=context.signal, provider=source.provider.name)
        return SignalFailed(f"the provider raised {type(error).__name__}")


def _since_ms(started: float) -> float:
    return round((monotonic() - started) * 1000, 3)
