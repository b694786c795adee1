"""Gathering: each signal in a task of its own, with its own deadline and its own failure."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass, field
from datetime import datetime
from time import monotonic

from msgspec import structs

from adjudge.errors import SignalFailed
from adjudge.events import Events
from adjudge.fields import Field, describe
from adjudge.model import Request, Signal, SignalStatus, Verdict
from adjudge.plugin import Answer, Asker, Context, Provider
from adjudge.policy.slots import TEXTS, novel_name
from adjudge.policy.typed import SignalDeclaration
from adjudge.recorded import recordable
from adjudge.signals.plan import SETTLED, UNREAD, Plan

REASON_MAX = 500
"""Characters that are kept of what a provider says of its failure."""

Evaluate = Callable[[Mapping[str, Signal]], Verdict]
"""The verdict on the signals gathered so far; what is not among them is unknown."""

_events = Events("adjudge.signals")


@dataclass(frozen=True, slots=True)
class _Said:
    """A provider's answer, as far as it was asked for and can be recorded."""

    fields: Mapping[str, object]
    problems: tuple[tuple[str, str], ...]
    request_id: str | None


@dataclass(frozen=True, slots=True)
class Source:
    """A signal's declaration with the provider that answers it, opened.

    asking: the tasks under way, those included that were given up and have not ended.
    """

    declaration: SignalDeclaration
    provider: Provider
    asker: Asker
    asking: set[asyncio.Task[_Said | SignalFailed]] = field(default_factory=set)


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
        return signals | await _ask_all(pending, sources, request, now, deadline)
    while pending:
        verdict = evaluate(signals)
        names = plan.next(verdict, pending)
        if not names:
            reason = SETTLED if verdict.settled else UNREAD
            return signals | {name: _skipped(sources[name], reason) for name in pending}
        rest = [name for name in pending if name not in names]
        answered, hurried = await _ask_first(names, rest, sources, request, now, deadline)
        signals |= answered
        pending = [] if hurried else rest
    return signals


async def _ask_first(
    names: Sequence[str],
    rest: Sequence[str],
    sources: Mapping[str, Source],
    request: Request,
    now: datetime,
    deadline: float,
) -> tuple[dict[str, Signal], bool]:
    """Ask some; where they take so long that the rest would lack time, ask that too, and return True with all answers.

    Being thrifty then never costs an answer that asking at once would have had.
    """
    asking = asyncio.ensure_future(_ask_all(names, sources, request, now, deadline))
    try:
        if rest:
            longest_s = max(sources[name].declaration.timeout_s for name in rest)
            done, _ = await asyncio.wait({asking}, timeout=max(0.0, deadline - longest_s - monotonic()))
            if not done:
                others = await _ask_all(rest, sources, request, now, deadline)
                return {**await asking, **others}, True
        return await asking, False
    except asyncio.CancelledError:
        asking.cancel()
        raise


async def _ask_all(
    names: Sequence[str], sources: Mapping[str, Source], request: Request, now: datetime, deadline: float
) -> dict[str, Signal]:
    answers = await asyncio.gather(*(ask(sources[name], request, now=now, deadline=deadline) for name in names))
    return {signal.name: signal for signal in answers}


async def ask(source: Source, request: Request, *, now: datetime, deadline: float) -> Signal:
    """Ask one provider, and return its answer or why there is none. Raises nothing but CancelledError.

    A provider that does not heed its cancellation holds nobody up: it is left behind, and its answer discarded.
    """
    declaration, provider = source.declaration, source.provider
    started = monotonic()
    until = min(started + declaration.timeout_s, deadline)
    if until <= started:
        return _failed(source, SignalFailed("not asked: the decision's time was up", kind="timeout"), 0.0)
    request = structs.replace(request, inputs=deepcopy(request.inputs), signals=deepcopy(request.signals))
    context = Context(request=request, signal=declaration.name, deadline=until, now=now, fields=declaration.fields)
    task = asyncio.create_task(_fetch(source, context))
    source.asking.add(task)
    task.add_done_callback(source.asking.discard)
    try:
        await asyncio.wait({task}, timeout=until - started)
    except asyncio.CancelledError:
        task.cancel()
        raise
    duration_ms = round((monotonic() - started) * 1000, 3)
    if not task.done() or monotonic() > until:  # a provider that held the loop up may be done, and late all the same
        task.cancel()
        return _failed(source, SignalFailed(f"no answer within {until - started:.3g} s", kind="timeout"), duration_ms)
    said = SignalFailed("the provider cancelled itself") if task.cancelled() else task.result()
    if isinstance(said, SignalFailed):
        return _failed(source, said, duration_ms)
    return Signal(
        name=declaration.name,
        status=SignalStatus.OK,
        fields=said.fields,
        problems=said.problems,
        provider=provider.name,
        version=provider.version,
        request_id=said.request_id,
        duration_ms=duration_ms,
        price=provider.price,
        currency=provider.currency if provider.billed else None,
    )


async def _fetch(source: Source, context: Context) -> _Said | SignalFailed:
    """Return what a provider says, or its fault as data: whatever it raises, the decision goes on without it.

    That goes for SystemExit too, which would end the event loop and with it every other decision; a KeyboardInterrupt
    is the operator's. An exception's text may hold secrets: its type has to do.
    """
    try:
        answer: object = await source.asker.fetch(context)
        if isinstance(answer, Mapping):
            return _understand(source.declaration, answer)
        return SignalFailed(f"the provider answered {describe(answer)}, not a map of fields")
    except SignalFailed as failure:
        return failure
    except (asyncio.CancelledError, KeyboardInterrupt, GeneratorExit):
        raise
    except BaseException as error:
        _events.exception("provider_failed", signal=context.signal, provider=source.provider.name)
        return SignalFailed(f"the provider raised {type(error).__name__}")


def _understand(declaration: SignalDeclaration, answer: Answer) -> _Said:
    """Keep what is declared: anything else that a provider sends along has no business in the log."""
    fields: dict[str, object] = {}
    problems: list[tuple[str, str]] = []
    for name, declared in _readable(declaration.fields).items():
        value = answer.get(name)
        if value is not None:
            slot = f"{declaration.name}.{name}"
            try:
                fields[name] = recordable(declared, value, problems, slot)
            except TypeError as error:
                problems.append((slot, f"must be a {declared.type}, not {error}"))
            except RecursionError:
                problems.append((slot, "is nested too deeply"))
    request_id = answer.get("request_id")
    return _Said(fields, tuple(problems), _text(request_id) if isinstance(request_id, str) else None)


def _readable(fields: Mapping[str, Field]) -> dict[str, Field]:
    """Return the fields that a signal may answer: those declared, and what each has outside its vocabulary."""
    novel = (novel_name(name, declared) for name, declared in fields.items())
    return {name: TEXTS for name in novel if name is not None} | dict(fields)


def _failed(source: Source, failure: SignalFailed, duration_ms: float) -> Signal:
    status = SignalStatus(failure.kind) if failure.kind in ("timeout", "unavailable") else SignalStatus.ERROR
    name, provider, reason = source.declaration.name, source.provider, _text(failure.reason) or "no reason given"
    _events.warning("signal_failed", signal=name, provider=provider.name, status=status.value, reason=reason)
    return Signal(
        name=name,
        status=status,
        reason=reason,
        reason_code=_text(failure.reason_code),
        capture_again=_text(failure.capture_again),
        provider=provider.name,
        version=provider.version,
        request_id=_text(failure.request_id),
        duration_ms=duration_ms,
    )


def _skipped(source: Source, reason: str) -> Signal:
    return Signal(
        name=source.declaration.name,
        status=SignalStatus.SKIPPED,
        reason=reason,
        provider=source.provider.name,
        version=source.provider.version,
    )


def _text(said: object) -> str | None:
    """Return a provider's words as the log can hold them; None where they are no text."""
    return str.__str__(said)[:REASON_MAX].encode("utf-8", "replace").decode() if isinstance(said, str) else None
