"""Logs for the tests of exports and backtests, as a real engine writes them."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from adjudge import Decision, Engine, Policy, Registry, Request, RequestError
from adjudge.audit.trail import AuditTrail


def decide_all(
    directory: Path, policy: Policy, given: Iterable[Mapping[str, object]], first: int = 1
) -> Sequence[Decision]:
    """Decide requests, all known fields given, into a log."""

    async def run() -> list[Decision]:
        trail = AuditTrail.open(str(directory), durability="flush")
        async with Engine([policy], registry=Registry(), trail=trail) as engine:
            decisions = []
            for at, one in enumerate(given, first):
                with suppress(RequestError):  # what no request can be
                    decisions.append(await engine.decide(_request(at, one, policy)))
            return decisions

    return asyncio.run(run())


def _request(at: int, given: Mapping[str, object], policy: Policy) -> Request:
    declared = {name: {*signal.fields} for name, signal in policy.typed.signals.items()}
    signals = {
        name: {key: value[key] for key in value if key in fields}
        for name, fields in declared.items()
        if isinstance(value := given.get(name), Mapping)
    }
    inputs = {name: value for name, value in given.items() if name in policy.typed.inputs}
    return Request(merchant_biz_id=f"{at:032d}", scene_code="onboarding", inputs=inputs, signals=signals)
