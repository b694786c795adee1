"""The signals of one policy with their providers, opened when first asked."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

from adjudge.errors import PluginError, SignalFailed
from adjudge.events import Events
from adjudge.plugin import Provider, SecretSource
from adjudge.policy.policy import Policy
from adjudge.signals.admission import Accounts, account_of, prices_of
from adjudge.signals.allowed import ANY_HOST, Allowed
from adjudge.signals.answers import cleaned_failure
from adjudge.signals.ask import OpenedSignal
from adjudge.signals.plan import plan
from adjudge.system.faults import is_cancelled, is_operators

CLOSE_WITHIN_S = 5.0
"""Seconds that providers have for ending what they do, and for closing."""

_events = Events("adjudge.signals")


class OpenedSignals:
    """What a policy asks. All methods run on the engine's home loop."""

    def __init__(
        self,
        policy: Policy,
        providers: Mapping[str, Provider],
        guards: Accounts,
        secrets: Mapping[str, SecretSource],
        allowed: Allowed = ANY_HOST,
    ) -> None:
        """Plan for a policy; opens nothing. Raises PluginError where a provider is not there."""
        for signal in policy.typed.signals.values():
            if signal.provider is not None and signal.provider not in providers:
                said = f"no plugin of this engine offers the provider that the policy {policy.name} asks"
                raise PluginError(said, plugin=signal.provider)
        self._signals = policy.typed.signals
        self._providers, self._guards, self._secrets, self._allowed = providers, guards, secrets, allowed
        self.plan = plan(policy.typed, providers, prices_of(self._signals.values(), providers, guards))
        self.asked = self.plan.asked
        self.supplied = tuple(name for name, signal in self._signals.items() if signal.provider is None)
        self._open: dict[str, OpenedSignal] = {}

    def open(self) -> Mapping[str, OpenedSignal]:
        """Return every asked signal's source; opens those that are not yet. Never raises."""
        for name in self.asked:
            if name not in self._open or self._open[name].client is None:
                self._open[name] = self._opened(name)
        return self._open

    def _opened(self, name: str) -> OpenedSignal:
        declaration = self._signals[name]
        assert declaration.provider is not None
        provider = self._providers[declaration.provider]
        client, failure = None, None
        try:
            for refusal, _ in self._allowed.refusals(provider.uses(declaration.config)):
                raise SignalFailed(refusal, kind="misconfigured", reason_code="NOT_ALLOWED")
            client = provider.open(declaration.config)
        except SignalFailed as failed:
            failure = cleaned_failure(failed)
        except BaseException as error:  # a plugin's fault: the signal is unavailable, the decision goes on
            if is_operators(error):
                raise
            _events.exception("provider_not_opened", signal=name, provider=provider.name)
            failure = SignalFailed("the provider could not be opened", kind="unavailable")
        if failure is not None:
            failure.billed = False  # nobody was called
        guard = self._guards[provider.name, account_of(provider, declaration.config)]
        return OpenedSignal(declaration, provider, guard, client, failure, self._secrets)

    async def close(self) -> None:
        """Close every provider that was opened, after its last fetch; a fault of one keeps no other open.

        What has not ended CLOSE_WITHIN_S after it was cancelled is left behind, and so is what does not close.
        """
        sources = tuple(self._open.values())
        self._open.clear()
        await _end({task for source in sources for task in source.asking})
        for task in await _end({asyncio.create_task(_close(source)) for source in sources}):
            task.cancel()


async def _close(source: OpenedSignal) -> None:
    if source.client is None:
        return
    try:
        await source.client.aclose()
    except BaseException as error:
        if is_operators(error) or is_cancelled():
            raise
        _events.exception("provider_not_closed", provider=source.provider.name)


async def _end(tasks: set[asyncio.Task[Any]]) -> set[asyncio.Task[Any]]:
    """Wait for tasks, for a time, and return those that have not ended."""
    return (await asyncio.wait(tasks, timeout=CLOSE_WITHIN_S))[1] if tasks else set()
