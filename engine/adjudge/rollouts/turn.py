"""One policy while rollouts of it run: who decides a request, and who watches."""

from __future__ import annotations

from asyncio import CancelledError
from collections.abc import Mapping
from datetime import datetime
from typing import Generic, TypeVar

from msgspec import structs

from adjudge.audit.bodies import ShadowBody
from adjudge.audit.rollouts import RolloutBody
from adjudge.decision.prepared import PreparedRequest, prepare
from adjudge.errors import AuditUnavailable, RequestError, UnknownCall
from adjudge.events import Events
from adjudge.frozen import frozen
from adjudge.model import Arm, Decision, Request, Signal
from adjudge.policy.policy import Policy
from adjudge.rollouts.shadows import judged
from adjudge.rollouts.state import Active, arm_of
from adjudge.rollouts.tally import Pending

_events = Events("adjudge.rollouts")
Sources = TypeVar("Sources")


@frozen(kw_only=True)
class Running(Generic[Sources]):
    """The rollouts of one policy that this process takes part in.

    candidates: by the names of their rollouts. sources: what is asked by a version, by its digest.
    deciding: the versions that may decide, each with what it asks. champion: the digest of the version that answers.
    watching: the shadows, by their rollouts.
    """

    active: Active
    candidates: Mapping[str, Policy]
    sources: Mapping[str, Sources]
    deciding: tuple[tuple[Policy, Sources], ...]
    champion: str
    watching: tuple[tuple[str, Policy], ...]
    key: bytes
    pending: Pending

    def turn(
        self, prepared: PreparedRequest, sources: Sources, earlier: Decision | None
    ) -> tuple[PreparedRequest, Sources, Arm | None]:
        """Return the request as the version takes it that decides it, what that one asks, and the arm.

        prepared, sources: as the champion takes it, and what that one asks. earlier: the decision that is to be
        superseded; it keeps its version, unless a new decision was asked for.
        """
        merchant_biz_id = prepared.request.merchant_biz_id
        if earlier is None or prepared.anew:
            arm, by = arm_of(self.active, self.key, merchant_biz_id)
        else:
            arm, by = self._kept(earlier)
        if by is None:
            return prepared, sources, arm
        candidate = self.candidates[by.name]
        try:
            return taken_by(candidate, prepared, self.key), self.sources[candidate.digest], arm
        except RequestError:  # it was held against the champion when it was started, so this is ours
            _events.exception("candidate_failed", rollout=by.name, policy=by.digest)
            self.pending.failed(Arm(rollout=by.name, number=by.number, name=by.mode), merchant_biz_id)
            return prepared, sources, None

    def _kept(self, earlier: Decision) -> tuple[Arm | None, RolloutBody | None]:
        """Return the arm of an earlier decision, if it is still there; by none it takes part in nothing.

        It is of the share at which it was drawn, and is counted with that.
        """
        was = earlier.arm
        for one in (self.active.hold_out, self.active.canary):
            if one is not None and was is not None and was.rollout == one.name and was.number >= one.begun:
                return was, one if was.name == one.mode else None
        return None, None

    def watch(self, prepared: PreparedRequest, signals: Mapping[str, Signal], now: datetime) -> tuple[ShadowBody, ...]:
        """Return what the shadows would have come to, where the champion decides. Never raises."""
        if not self.watching or prepared.policy.digest != self.champion:
            return ()
        return judged(self.watching, prepared.policy, prepared.request, prepared.inputs, signals, now)

    def count(self, decision: Decision, shadows: tuple[ShadowBody, ...], earlier: Decision | None) -> None:
        """Count a decision that was recorded. earlier: that it supersedes."""
        self.pending.decision(decision, earlier)
        if self.watching and decision.policy_digest == self.champion:
            found = {shadow.rollout: shadow for shadow in shadows}
            for one in self.active.shadows:
                self.pending.shadow(one, decision.verdict.outcome, found.get(one.name))

    def failed(self, prepared: PreparedRequest, error: BaseException) -> None:
        """Count that a request came to no decision, where neither the log nor its caller is to blame."""
        if isinstance(error, AuditUnavailable | UnknownCall | CancelledError):
            return
        merchant_biz_id = prepared.request.merchant_biz_id
        arm, _ = arm_of(self.active, self.key, merchant_biz_id)
        if arm is not None:
            self.pending.failed(arm, merchant_biz_id)


def taken_by(candidate: Policy, prepared: PreparedRequest, key: bytes) -> PreparedRequest:
    """Return a request as another version of its policy takes it; what that one does not declare is left out.

    Its key stays: it is of what the caller asked. Raises RequestError.
    """
    request = prepared.request
    typed = candidate.typed
    signals = {
        name: {one: value for one, value in given.items() if one in typed.signals[name].fields}
        for name, given in request.signals.items()
        if name in typed.signals and typed.signals[name].provider is None
    }
    inputs = {name: value for name, value in request.inputs.items() if name in typed.inputs}
    narrowed: Request = structs.replace(request, inputs=inputs, signals=signals)
    found = prepare(narrowed, candidate, key, anew=prepared.anew)
    return structs.replace(found, request=request, key=prepared.key, late=prepared.late)
