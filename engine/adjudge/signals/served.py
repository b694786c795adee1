"""The policies that an engine answers with at a time, and the signals that they ask."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING

from adjudge.errors import NAME_SHOWN, RequestError, SetupError, did_you_mean
from adjudge.frozen import frozen
from adjudge.model import Request, ServedPolicy
from adjudge.plugin import Limits
from adjudge.policy.policy import Policy
from adjudge.registry import Registry
from adjudge.signals.admission import Accounts, Guards, guards_of
from adjudge.signals.allowed import Allowed
from adjudge.signals.sources import OpenedSignals
from adjudge.system.given import all_of

if TYPE_CHECKING:
    from adjudge.policy.routes import Router, RouteTable


@frozen(kw_only=True)
class Serving:
    """What policies are served with, whichever they are. limits: in place of what providers declare, by name.

    routes: choose the policy of a request that names none.
    """

    registry: Registry
    limits: Mapping[str, Limits]
    guards: Guards
    allowed: Allowed
    clock: Callable[[], datetime]
    routes: RouteTable | None = None

    def of(self, policies: Sequence[Policy], before: Served | None = None, beside: Sequence[Policy] = ()) -> Served:
        """Return what answers with these policies; one that was served before keeps its providers open.

        beside: other versions of them, which are asked for by their digests alone.
        Raises SetupError for policies of the same name or scene, or none, and for limits of a provider that is not
        there; PluginError where the registry lacks a provider; PolicyErrors for routes that do not fit the policies.
        """
        policies = all_of("policies", policies, Policy, '`[load_policy("policy.yaml")]`')
        named = {policy.name: policy for policy in policies}
        if not policies or len(named) < len(policies):
            raise SetupError("an engine needs policies, each with its own name")
        scenes = by_scene(policies)
        router = self.routes.over(named) if self.routes is not None else None
        each = (*policies, *beside)
        for policy in each:
            _ = policy.evaluate  # compiles it now, so that no request waits for that
        providers, secrets = self.registry.catalogue().providers, self.registry.secrets()
        signals = [signal for policy in each for signal in policy.typed.signals.values()]
        accounts = guards_of(signals, providers, self.limits, self.guards, self.clock)
        kept = before.sources if before is not None else {}
        sources = {
            policy.digest: kept.get(policy.digest) or OpenedSignals(policy, providers, accounts, secrets, self.allowed)
            for policy in each
        }
        known, now = before.since if before is not None else {}, self.clock()
        since = {policy.digest: known.get(policy.digest, now) for policy in policies}
        return Served(policies=named, scenes=scenes, router=router, sources=sources, accounts=accounts, since=since)


@frozen(kw_only=True)
class Served:
    """Policies by name and by scene, what each asks by its digest, and the guards of the accounts that are asked.

    since: when each began to answer, by its digest; aware UTC.
    """

    policies: Mapping[str, Policy]
    scenes: Mapping[str, Policy]
    router: Router | None
    sources: Mapping[str, OpenedSignals]
    accounts: Accounts
    since: Mapping[str, datetime]

    def told(self, name: str | None = None) -> tuple[ServedPolicy, ...]:
        """Return what is said of the policies, by their names; or of one alone, if it is there, with its text."""
        named = self.policies.values() if name is None else [one for one in self.policies.values() if one.name == name]
        return tuple(
            ServedPolicy(
                name=policy.name,
                digest=policy.digest,
                since=self.since[policy.digest],
                scenes=policy.typed.scenes,
                rules=len(policy.typed.rules),
                signals=tuple(policy.typed.signals),
                files=tuple(policy.typed.texts),
                text=policy.typed.source.text if name is not None else None,
            )
            for policy in sorted(named, key=lambda policy: policy.name)
        )

    def policy_for(self, request: Request) -> Policy:
        """Return the policy that a request names, or that a route or its scene leads to. Raises RequestError."""
        if request.policy is None:
            if self.router is not None:
                return self.router.choose(request)
            if (chosen := self.scenes.get(request.scene_code)) is not None:
                return chosen
            only = next(iter(self.policies.values())) if len(self.policies) == 1 else None
            if only is not None and not only.typed.scenes:
                return only
            if not self.scenes:
                raise RequestError(f"name one of {', '.join(self.policies)}", where="policy")
            way = f"name one of {', '.join(self.policies)} as `policy`, or write the scene under `scenes:` of one"
            raise RequestError(f"no policy answers the scene `{request.scene_code}`", where="policy", hint=way)
        policy = self.policies.get(request.policy)
        if policy is None:
            said = request.policy[:NAME_SHOWN]
            hint = did_you_mean(said, self.policies)
            raise RequestError(f"there is no policy `{said}`", where="policy", hint=hint)
        return policy


def by_scene(policies: Sequence[Policy]) -> Mapping[str, Policy]:
    """Return the policies by the scenes that they answer. Raises SetupError where two answer one."""
    found: dict[str, Policy] = {}
    for policy in policies:
        for scene in policy.typed.scenes:
            if scene in found:
                both = f"`{found[scene].name}` and `{policy.name}`"
                raise SetupError(f"{both} both have the scene `{scene}`: write it under `scenes:` of one of them")
            found[scene] = policy
    return found
