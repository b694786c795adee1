"""For the tests of plugins and of what embeds adjudge: a clock, scripted providers, one decision, and contracts.

```python
device = fake_provider("acme.device", {"score": "int"}, {"score": 80}, SignalFailed("down", kind="unavailable"))
decision = decide_once(POLICY, providers=[device], inputs={"country": "SG"})
assert decision.outcome == "reject" and len(device.calls) == 1
```
"""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from adjudge.engine import DEADLINE_S, Engine
from adjudge.model import Decision, Request
from adjudge.plugin import Answer, Context, Function, Provider, Register, hookimpl
from adjudge.policy import Policy
from adjudge.registry import Registry, parse_policy
from adjudge.testing.ledgers import LedgerContract, SharedLedgerContract
from adjudge.testing.readers import ReaderContract
from adjudge.values.declared import parse_fields

__all__ = [
    "MERCHANT_BIZ_ID",
    "NOW",
    "FakeClock",
    "FakeProvider",
    "LedgerContract",
    "ReaderContract",
    "Scripted",
    "SharedLedgerContract",
    "Slow",
    "decide_once",
    "fake_provider",
    "registry_of",
]

NOW = datetime(2026, 1, 15, 8, 30, tzinfo=UTC)
MERCHANT_BIZ_ID = "0123456789abcdef0123456789abcdef"


class FakeClock:
    """A clock that stands still until it is told to go on.

    Call it for aware UTC, as an engine's `clock`; `timer` is the same in seconds, as a ledger's `timer`.
    """

    def __init__(self, now: datetime = NOW) -> None:
        self.now = now

    def __call__(self) -> datetime:
        """Return the time, aware UTC."""
        return self.now

    def timer(self) -> float:
        """Return seconds that only grow."""
        return self.now.timestamp()

    def advance(self, seconds: float) -> None:
        """Let time go by."""
        self.now += timedelta(seconds=seconds)


@dataclass(frozen=True, slots=True)
class Slow:
    """An answer that takes its time: `seconds` of the event loop's."""

    seconds: float
    answer: object


Scripted = Answer | BaseException | Slow | Callable[[Context], object]
"""What a fake provider does with one call: answers, raises, takes its time, or calls a function, async or not."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FakeProvider(Provider):
    """A provider that follows a script. calls: the context of every call, in order."""

    calls: list[Context] = field(default_factory=list)


def fake_provider(name: str, fields: Mapping[str, object] | None, *answers: Scripted, **facts: Any) -> FakeProvider:
    """Make a provider that gives its answers in order, and then the last one for ever; without any, it knows nothing.

    fields: as in a policy: `{"score": {"type": "double", "range": [0, 100]}, "emulator": "bool"}`.
    facts: any other attribute of Provider, such as `price`; `latency_s` is 0 unless given.
    """
    script: Sequence[Scripted] = answers or ({},)
    calls: list[Context] = []

    class Scripting:
        async def fetch(self, context: Context) -> Answer:
            calls.append(context)
            said: object = script[min(len(calls), len(script)) - 1]
            if isinstance(said, Slow):
                await asyncio.sleep(said.seconds)
                said = said.answer
            if callable(said):
                said = said(context)
            if inspect.isawaitable(said):
                said = await said
            if isinstance(said, BaseException):
                raise said
            return said  # type: ignore[return-value]  # a script may say anything, to see what comes of it

        async def aclose(self) -> None:
            return None

    declared = parse_fields(fields) if fields is not None else None
    return FakeProvider(
        name=name, fields=declared, calls=calls, **{"open": lambda config: Scripting(), "latency_s": 0.0, **facts}
    )


def registry_of(providers: Iterable[Provider] = (), functions: Iterable[Function] = ()) -> Registry:
    """Return a registry that offers these and nothing else."""

    class Plugin:
        @hookimpl
        def register(self, register: Register) -> None:
            for provider in providers:
                register.provider(provider)
            for function in functions:
                register.function(function)

    registry = Registry()
    registry.register(Plugin(), name="adjudge.testing")
    return registry


def decide_once(
    policy: str | Policy,
    *,
    providers: Iterable[Provider] = (),
    functions: Iterable[Function] = (),
    deadline_s: float = DEADLINE_S,
    clock: Callable[[], datetime] | None = None,
    **request: Any,
) -> Decision:
    """Decide one request in memory, without an audit log, and return the decision.

    policy: its text, or a policy that was loaded with a registry of these providers.
    clock: a FakeClock at NOW unless given.
    request: the attributes of Request; MerchantBizId and scene have defaults.
    """
    registry = registry_of(providers, functions)
    loaded = parse_policy(policy, registry=registry) if isinstance(policy, str) else policy
    engine = Engine([loaded], registry=registry, deadline_s=deadline_s, clock=clock or FakeClock())
    with engine:
        return engine.decide_sync(Request(**{"merchant_biz_id": MERCHANT_BIZ_ID, "scene_code": "test", **request}))
