"""Which policies answer, as the log has it: each change of them is a record, and so is each that was refused."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import field
from datetime import datetime
from typing import Protocol

from adjudge.audit.activation import POLICIES, ActivationBody, BundleBody, messages_of
from adjudge.audit.kinds import decode
from adjudge.audit.record import parse
from adjudge.errors import BundleRefused, Overtaken
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

    @property
    def fresh_until(self) -> Mapping[str, datetime]:
        """When another one should have come of each bundle that answers and says so, by name; aware UTC."""
        ...

    def notes(self, now: datetime) -> Iterator[str]:
        """Yield what keeps it from finding further policies, for people."""
        ...

    async def aclose(self) -> None:
        """End; nothing is replaced any more."""
        ...


class Activations:
    """Writes them. newest: the last that this engine has written or found; None where there is none.

    Several engines may share a ledger: each looks at what the others have written before it writes.
    """

    def __init__(self, ledger: DecisionLedger, clock: Callable[[], datetime], routes: tuple[str, ...] = ()) -> None:
        """clock: an aware time in UTC. routes: the rows by which the engine chooses a policy, for the log."""
        self._ledger, self._clock, self.routes = ledger, clock, routes
        self.newest: ActivationBody | None = None

    async def find(self) -> ActivationBody | None:
        """Return the newest record, whoever wrote it. Raises AuditUnavailable and AuditBroken."""
        found = (await self._ledger.newest("activation")).get(POLICIES)
        return decode(ActivationBody, found.number, parse(found.line).body) if found is not None else None

    async def accept(self, before: Mapping[str, Policy], after: Mapping[str, Policy], wanted: Wanted) -> None:
        """Record that other policies answer from now on, unless that is said already.

        Raises BundleRefused for a bundle that is older than one accepted before, AuditUnavailable and AuditBroken.
        """
        await self._write(True, before, after, wanted, ())
        _events.info("policies_accepted", reason=wanted.reason, policies=len(after))

    async def refuse(
        self, before: Mapping[str, Policy], after: Mapping[str, Policy], wanted: Wanted, said: Sequence[str]
    ) -> None:
        """Record that other policies were refused, so that those before go on answering; once while it stays so.

        after: what could be loaded. said: what is wrong. Raises AuditUnavailable and AuditBroken.
        """
        if await self._write(False, before, after, wanted, messages_of(said)):
            _events.error("policies_refused", reason=wanted.reason, mistakes=len(said), first=said[0] if said else "")

    async def _write(
        self,
        accepted: bool,
        before: Mapping[str, Policy],
        after: Mapping[str, Policy],
        wanted: Wanted,
        messages: tuple[str, ...],
    ) -> bool:
        """Write a record, and return whether it says anything new."""
        while True:
            newest = await self.find()
            known = newest.bundles if newest is not None else {}
            body = ActivationBody(
                name=POLICIES,
                number=newest.number + 1 if newest is not None else 1,
                at=self._clock(),
                by=wanted.by,
                accepted=accepted,
                reason=wanted.reason,
                before=digests_of(before),
                after=digests_of(after),
                messages=messages,
                routes=self.routes,
                bundles={**known, **newer(wanted.bundles, known)} if accepted else known,
            )
            if not body.says_more_than(newest):
                self.newest = newest
                return False
            try:
                await self._ledger.note("activation", body)
            except Overtaken:  # by another engine, whose record is looked at next
                continue
            self.newest = body
            return True


def newer(bundles: Mapping[str, BundleBody], known: Mapping[str, BundleBody]) -> Mapping[str, BundleBody]:
    """Return bundles, by name, that are as new as those that were accepted before. Raises BundleRefused."""
    for name, bundle in bundles.items():
        before = known.get(name)
        if before is not None and bundle.counter < before.counter:
            raise BundleRefused(
                f"the bundle `{name}` is number {bundle.counter}, and {before.counter} was accepted before"
            )
        if before is not None and bundle.counter == before.counter and bundle.sha256 != before.sha256:
            raise BundleRefused(f"the bundle `{name}` is another number {bundle.counter} than was accepted before")
    return bundles


def digests_of(policies: Mapping[str, Policy]) -> dict[str, str]:
    """Return the digests of policies, by name."""
    return {name: policy.digest for name, policy in policies.items()}
