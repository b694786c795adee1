"""The signals of one policy with their providers, opened when first asked."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from adjudge.errors import SignalFailed
from adjudge.events import Events
from adjudge.plugin import Answer, Asker, Context, Provider
from adjudge.policy.policy import Policy
from adjudge.signals.gather import Source
from adjudge.signals.plan import plan

_events = Events("adjudge.signals")


@dataclass(frozen=True, slots=True)
class _Unopened:
    """Stands for a provider that could not be opened; it is tried again at the next decision."""

    reason: str

    async def fetch(self, context: Context) -> Answer:
        raise SignalFailed(self.reason, kind="unavailable")

    async def aclose(self) -> None:
        return None


class Sources:
    """What a policy asks. All methods run on the engine's home loop."""

    def __init__(self, policy: Policy, providers: Mapping[str, Provider]) -> None:
        """Plan for a policy; opens nothing."""
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
            asker = _Unopened(failure.reason)
        except Exception:  # a plugin's fault: the signal is unavailable, the decision goes on
            _events.exception("provider_not_opened", signal=name, provider=provider.name)
            asker = _Unopened("the provider could not be opened")
        return Source(declaration, provider, asker)

    async def close(self) -> None:
        """Close every provider that was opened; a fault of one is noted and keeps no other open."""
        for source in self._open.values():
            try:
                await source.asker.aclose()
            except Exception:
                _events.exception("provider_not_closed", provider=source.provider.name)
        self._open.clear()
