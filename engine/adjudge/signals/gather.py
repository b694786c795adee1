"""Gathering: which signals to ask together, and when another answer could change nothing."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from time import monotonic

from adjudge.model import Signal, SignalStatus, Verdict
from adjudge.signals.ask import Asking, OpenedSignal, ask
from adjudge.signals.plan import SETTLED, UNREAD, Plan

EvaluateSignals = Callable[[Mapping[str, Signal]], Verdict]
"""The verdict on the signals gathered so far; what is not among them is unknown."""


async def gather(
    plan: Plan,
    sources: Mapping[str, OpenedSignal],
    asking: Asking,
    *,
    known: Mapping[str, Signal],
    evaluate: EvaluateSignals,
) -> dict[str, Signal]:
    """Ask for what could matter and return one Signal for every name in the plan, beside those `known` already.

    Eagerly, all at once; thriftily, cheapest first until the verdict is settled or no open rule reads what is left.
    Raises nothing but CancelledError. Late answers are discarded.
    """
    signals = dict(known)
    pending = [name for name in plan.asked if name not in known]
    if plan.is_eager(asking.request.merchant_biz_id):
        return signals | await _ask_all(pending, sources, asking)
    while pending:
        verdict = evaluate(signals)
        names = plan.next(verdict, pending)
        if not names:
            reason = SETTLED if verdict.settled else UNREAD
            return signals | {name: _skipped(sources[name], reason) for name in pending}
        rest = [name for name in pending if name not in names]
        answered, hurried = await _ask_first(names, rest, sources, asking)
        signals |= answered
        pending = [] if hurried else rest
    return signals


async def _ask_first(
    names: Sequence[str],
    rest: Sequence[str],
    sources: Mapping[str, OpenedSignal],
    asking: Asking,
) -> tuple[dict[str, Signal], bool]:
    """Ask some; where they take so long that the rest would lack time, ask that too, and return True with all answers.

    Being thrifty then never costs an answer that asking at once would have had.
    """
    answers = asyncio.ensure_future(_ask_all(names, sources, asking))
    try:
        if rest:
            longest_s = max(sources[name].declaration.timeout_s for name in rest)
            done, _ = await asyncio.wait({answers}, timeout=max(0.0, asking.deadline - longest_s - monotonic()))
            if not done:
                others = await _ask_all(rest, sources, asking)
                return {**await answers, **others}, True
        return await answers, False
    except asyncio.CancelledError:
        answers.cancel()
        raise


async def _ask_all(
    names: Sequence[str],
    sources: Mapping[str, OpenedSignal],
    asking: Asking,
) -> dict[str, Signal]:
    answers = await asyncio.gather(*(ask(sources[name], asking) for name in names))
    return {signal.name: signal for signal in answers}


def _skipped(source: OpenedSignal, reason: str) -> Signal:
    return Signal(
        name=source.declaration.name,
        status=SignalStatus.SKIPPED,
        reason=reason,
        provider=source.provider.name,
        version=source.provider.version,
    )
