"""Gathering: which signals to ask together, and when another answer could change nothing."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from time import monotonic

from adjudge.model import Request, Signal, SignalStatus, Verdict
from adjudge.signals.ask import Book, Source, ask
from adjudge.signals.plan import SETTLED, UNREAD, Plan

Evaluate = Callable[[Mapping[str, Signal]], Verdict]
"""The verdict on the signals gathered so far; what is not among them is unknown."""


async def gather(
    plan: Plan,
    sources: Mapping[str, Source],
    request: Request,
    book: Book,
    *,
    known: Mapping[str, Signal],
    evaluate: Evaluate,
    now: datetime,
    deadline: float,
) -> dict[str, Signal]:
    """Ask for what could matter and return one Signal for every name in the plan, beside those `known` already.

    book: where billed calls are recorded.
    deadline: `time.monotonic()` seconds by which all asking ends; each signal also has its own timeout.
    Eagerly, all at once; thriftily, cheapest first until the verdict is settled or no open rule reads what is left.
    Raises nothing but CancelledError. Late answers are discarded.
    """
    signals = dict(known)
    pending = [name for name in plan.asked if name not in known]
    if plan.is_eager(request.merchant_biz_id):
        return signals | await _ask_all(pending, sources, request, book, now, deadline)
    while pending:
        verdict = evaluate(signals)
        names = plan.next(verdict, pending)
        if not names:
            reason = SETTLED if verdict.settled else UNREAD
            return signals | {name: _skipped(sources[name], reason) for name in pending}
        rest = [name for name in pending if name not in names]
        answered, hurried = await _ask_first(names, rest, sources, request, book, now, deadline)
        signals |= answered
        pending = [] if hurried else rest
    return signals


async def _ask_first(
    names: Sequence[str],
    rest: Sequence[str],
    sources: Mapping[str, Source],
    request: Request,
    book: Book,
    now: datetime,
    deadline: float,
) -> tuple[dict[str, Signal], bool]:
    """Ask some; where they take so long that the rest would lack time, ask that too, and return True with all answers.

    Being thrifty then never costs an answer that asking at once would have had.
    """
    asking = asyncio.ensure_future(_ask_all(names, sources, request, book, now, deadline))
    try:
        if rest:
            longest_s = max(sources[name].declaration.timeout_s for name in rest)
            done, _ = await asyncio.wait({asking}, timeout=max(0.0, deadline - longest_s - monotonic()))
            if not done:
                others = await _ask_all(rest, sources, request, book, now, deadline)
                return {**await asking, **others}, True
        return await asking, False
    except asyncio.CancelledError:
        asking.cancel()
        raise


async def _ask_all(
    names: Sequence[str],
    sources: Mapping[str, Source],
    request: Request,
    book: Book,
    now: datetime,
    deadline: float,
) -> dict[str, Signal]:
    answers = await asyncio.gather(*(ask(sources[name], request, book, now=now, deadline=deadline) for name in names))
    return {signal.name: signal for signal in answers}


def _skipped(source: Source, reason: str) -> Signal:
    return Signal(
        name=source.declaration.name,
        status=SignalStatus.SKIPPED,
        reason=reason,
        provider=source.provider.name,
        version=source.provider.version,
    )
