"""Gathering: each signal in a task of its own, with its own deadline and its own failure."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from time import monotonic

from adjudge.errors import SignalFailed
from adjudge.events import Events
from adjudge.model import Request, Signal, SignalStatus, Verdict
from adjudge.plugin import Answer, Asker, Context, Provider
from adjudge.policy.typed import SignalDeclaration
from adjudge.signals.plan import SETTLED, UNREAD, Plan

Evaluate = Callable[[Mapping[str, Signal]], Verdict]
"""The verdict on the signals gathered so far; what is not among them is unknown."""

_events = Events("adjudge.signals")
_late: set[asyncio.Task[Answer]] = set()
"""Tasks that did not end in time: held until they do, so that nothing is collected while it runs."""


@dataclass(frozen=True, slots=True)
class Source:
    """A signal's declaration with the provider that answers it, opened."""

    declaration: SignalDeclaration
    provider: Provider
    asker: Asker


async def gather(
    plan: Plan,
    sources: Mapping[str, Source],
    request: Request,
    *,
    known: Mapping[str, Signal],
    evaluate: Evaluate,
    now: datetime,
    deadline: float,
) -> dict[str, Signal]:
    """Ask for what could matter and return one Signal for every name in the plan, beside those `known` already.

    deadline: `time.monotonic()` seconds by which all asking ends; each signal also has its own timeout.
    Eagerly, all at once; thriftily, cheapest first until the verdict is settled or no open rule reads what is left.
    Raises nothing but CancelledError. Late answers are discarded.
    """
    signals = dict(known)
    pending = [name for name in plan.asked if name not in known]
    if plan.is_eager(request.merchant_biz_id):
        signals |= await _ask_all(pending, sources, request, now, deadline)
        return signals
    while pending:
        verdict = evaluate(signals)
        names = plan.next(verdict, pending)
        if not names:
            reason = SETTLED if verdict.settled else UNREAD
            signals |= {name: _skipped(sources[name], reason) for name in pending}
            return signals
        signals |= await _ask_all(names, sources, request, now, deadline)
        pending = [name for name in pending if name not in names]
    return signals


async def _ask_all(
    names: tuple[str, ...] | list[str], sources: Mapping[str, Source], request: Request, now: datetime, deadline: float
) -> dict[str, Signal]:
    answers = await asyncio.gather(*(ask(sources[name], request, now=now, deadline=deadline) for name in names))
    return {signal.name: signal for signal in answers}


async def ask(source: Source, request: Request, *, now: datetime, deadline: float) -> Signal:
    """Ask one provider, and return its answer or why there is none. Raises nothing but CancelledError."""
    declaration, provider = source.declaration, source.provider
    started = monotonic()
    until = min(started + declaration.timeout_s, deadline)
    context = Context(request=request, signal=declaration.name, deadline=until, now=now)
    task = asyncio.ensure_future(source.asker.fetch(context))
    try:
        await asyncio.wait({task}, timeout=max(0.0, until - started))
    except asyncio.CancelledError:
        _abandon(task)
        raise
    duration_ms = (monotonic() - started) * 1000
    if not task.done():
        _abandon(task)
        reason = f"no answer within {until - started:.3g} s"
        return _failed(source, SignalFailed(reason, kind="timeout"), duration_ms)
    try:
        answer = task.result()
        if not isinstance(answer, Mapping):
            raise TypeError(f"the provider answered {type(answer).__name__}, not a mapping of fields")
        fields = {name: value for name, value in answer.items() if isinstance(name, str)}
    except SignalFailed as failure:
        return _failed(source, failure, duration_ms)
    except asyncio.CancelledError:
        return _failed(source, SignalFailed("the provider cancelled itself"), duration_ms)
    except Exception as error:  # a provider's fault is data: the decision goes on without it
        _events.exception("provider_failed", signal=declaration.name, provider=provider.name)
        said = str(error) if isinstance(error, TypeError) and "the provider answered" in str(error) else ""
        return _failed(source, SignalFailed(said or f"the provider raised {type(error).__name__}"), duration_ms)
    request_id = fields.get("request_id")
    return Signal(
        name=declaration.name,
        status=SignalStatus.OK,
        fields=fields,
        provider=provider.name,
        version=provider.version,
        request_id=request_id if isinstance(request_id, str) else None,
        duration_ms=duration_ms,
        price=provider.price,
        currency=provider.currency if provider.billed else None,
    )


def _failed(source: Source, failure: SignalFailed, duration_ms: float) -> Signal:
    status = SignalStatus(failure.kind) if failure.kind in ("timeout", "unavailable") else SignalStatus.ERROR
    name, provider = source.declaration.name, source.provider
    _events.warning("signal_failed", signal=name, provider=provider.name, status=status.value, reason=failure.reason)
    return Signal(
        name=name,
        status=status,
        reason=failure.reason,
        reason_code=failure.reason_code,
        capture_again=failure.capture_again,
        provider=provider.name,
        version=provider.version,
        request_id=failure.request_id,
        duration_ms=duration_ms,
        price=Decimal(0),
    )


def _skipped(source: Source, reason: str) -> Signal:
    return Signal(
        name=source.declaration.name,
        status=SignalStatus.SKIPPED,
        reason=reason,
        provider=source.provider.name,
        version=source.provider.version,
    )


def _abandon(task: asyncio.Future[Answer]) -> None:
    """Cancel a task without waiting for it: a provider that does not heed it holds nobody up."""
    if not task.done() and isinstance(task, asyncio.Task):
        _late.add(task)
        task.add_done_callback(_forget)
        task.cancel()


def _forget(task: asyncio.Task[Answer]) -> None:
    _late.discard(task)
    if not task.cancelled():
        task.exception()  # looked at, so that the loop does not complain about an answer nobody wants
