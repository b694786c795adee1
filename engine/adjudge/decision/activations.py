"""Which policies answer, as the log has it: each change of them is a record, and so is each that was refused."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import field
from datetime import datetime
from typing import Protocol

from adjudge.audit.activation import ActivationBody, BundleBody, messages_of
from adjudge.events import Events
from adjudge.frozen import frozen
from adjudge.plugin import DecisionLedger
from adjudge.policy.policy import Policy

_events = Events("adjudge.policies")


@frozen(kw_only=True)
class Wanted:
    """Who wants other policies to answer, and why. bundles: that these come in, by name."""

    by: str = "engine"
    reason: str = "replaced"
    bundles: Mapping[str, BundleBody] = field(default_factory=dict)


class Replacing(Protocol):
    """What whoever watches policies needs of an engine."""

    @property
    def policies(self) -> Mapping[str, Policy]:
        """The policies that answer now, by name."""
        ...

    @property
    def activations(self) -> Activations:
        """The records of which policies answer."""
        ...

    async def replace(self, policies: Sequence[Policy], *, wanted: Wanted = ...) -> None:
        """Answer with other policies from now on."""
        ...


class PolicyWatch(Protocol):
    """Replaces the policies of an engine while it is open."""

    async def begin(self, engine: Replacing) -> None:
        """Begin, on the engine's loop, before the first request. Raises AdjudgeError where it is not to open."""
        ...

    async def aclose(self) -> None:
        """End; nothing is replaced any more."""
        ...


class Activations:
    """Writes them. newest: the last that this engine has written or found; None where there is none."""

    def __init__(self, ledger: DecisionLedger, clock: Callable[[], datetime]) -> None:
        """clock: an aware time in UTC."""
        self._ledger, self._clock = ledger, clock
        self.newest: ActivationBody | None = None

    async def accept(self, before: Mapping[str, Policy], after: Mapping[str, Policy], wanted: Wanted) -> None:
        """Record that other policies answer from now on. Raises AuditUnavailable and AuditBroken."""
        await self._write(
            ActivationBody(
                at=self._clock(),
                by=wanted.by,
                accepted=True,
                reason=wanted.reason,
                before=digests_of(before),
                after=digests_of(after),
                bundles=wanted.bundles,
            )
        )
        _events.info("policies_accepted", reason=wanted.reason, policies=len(after))

    async def refuse(
        self, before: Mapping[str, Policy], after: Mapping[str, Policy], wanted: Wanted, said: Sequence[str]
    ) -> None:
        """Record that other policies were refused, so that those before go on answering; once while it stays so.

        after: what could be loaded. said: what is wrong. Raises AuditUnavailable and AuditBroken.
        """
        body = ActivationBody(
            at=self._clock(),
            by=wanted.by,
            accepted=False,
            reason=wanted.reason,
            before=digests_of(before),
            after=digests_of(after),
            messages=messages_of(said),
            bundles=wanted.bundles,
        )
        if body.says_more_than(self.newest):
            _events.error("policies_refused", reason=wanted.reason, mistakes=len(said), first=said[0] if said else "")
            await self._write(body)

    async def _write(self, body: ActivationBody) -> None:
        await self._ledger.record("activation", body)
        self.newest = body


def digests_of(policies: Mapping[str, Policy]) -> dict[str, str]:
    """Return the digests of policies, by name."""
    return {name: policy.digest for name, policy in policies.items()}
