"""The signals of one policy with their providers, opened when first asked."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from adjudge.errors import PluginError, SignalFailed
from adjudge.events import Events
from adjudge.plugin import Answer, Asker, Context, Provider
from adjudge.policy.policy import Policy
from adjudge.signals.gather import Source
from adjudge.signals.plan import plan

CLOSE_WITHIN_S = 5.0
"""Seconds that providers have for ending what they do, and for closing."""

_events = Events("adjudge.signals")


@dataclass(frozen=True, slots=True)
class _Unopened:
    """Stands for a provider that could not be opened; it is tried again at the next decision."""

    failure: SignalFailed

    async def fetch(self, context: Context) -> Answer:
        raise self.failure

    async def aclose(self) -> None:
        return None


class Sources:
    """What a policy asks. All methods run on the engine's home loop."""

    def __init__(self, policy: Policy, providers: Mapping[str, Provider]) -> None:
        """Plan for a policy; opens nothing. Raises PluginError where one of its providers is not there."""
        for signal in policy.typed.signals.values():
            if signal.provider is not None and signal.provider not in providers:
                said = f"no plugin of this engine offers the provider that the policy {policy.name} asks"
                raise PluginError(said, plugin=signal.provider)
        self._signals = policy.typed.signals
        self._providers = providers
        self.plan = plan(policy.typed, providers)
        self.asked = self.plan.asked
        self.supplied = tuple(name for name, signal in self._signals.items() if signal.provider is None)
        self._open: dict[str, Source] = {}

    def open(self) -> Mapping[str, Source]:
        """Return every asked signal's source; opens those that are not yet. Never raises."""
        for name in self.asked:
            if name not in self._open or isinstance(self._open[name].asker, _Unopened):
                self._open[name] = self._opened(name)
        return self._open

    def _opened(self, name: str) -> Source:
        declaration = self._signals[name]
        assert declaration.provider is not None
        provider = self._providers[declaration.provider]
        try:
            asker: Asker = provider.open(declaration.config)
        except SignalFailed as failure:
            asker = _Unopened(failure)
        except (Exception, SystemExit):  # a plugin's fault: the signal is unavailable, the decision goes on
            _events.exception("provider_not_opened", signal=name, provider=provider.name)
            asker = _Unopened(SignalFailed("the provider could not be opened", kind="unavailable"))
        return Source(declaration, provider, asker)

    async def close(self) -> None:
        """Close every provider that was opened, after its last fetch; a fault of one keeps no other open.

        What has not ended CLOSE_WITHIN_S after it was cancelled is left behind, and so is what does not close.
        """
        sources = tuple(self._open.values())
        self._open.clear()
        await _end({task for source in sources for task in source.asking})
        for task in await _end({asyncio.create_task(_close(source)) for source in sources}):
            task.cancel()


async def _close(source: Source) -> None:
    try:
        await source.asker.aclose()
    except (Exception, SystemExit):
        _events.exception("provider_not_closed", provider=source.provider.name)


async def _end(tasks: set[asyncio.Task[Any]]) -> set[asyncio.Task[Any]]:
    """Wait for tasks, for a time, and return those that have not ended."""
    return (await asyncio.wait(tasks, timeout=CLOSE_WITHIN_S))[1] if tasks else set()
