"""From a proposal that is approved to a version that answers: by a rollout, like any other version."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import islice

from adjudge.audit.proposals import ProposalBody
from adjudge.audit.rollouts import RolloutBody
from adjudge.documents.rollouts import RolloutCommand
from adjudge.errors import RequestError
from adjudge.policy.policy import Policy
from adjudge.rollouts.control import Rollouts


async def require_possible(
    rollouts: Rollouts, act: ProposalBody, given: Mapping[str, Policy], answering: Mapping[str, Policy]
) -> None:
    """Raise RequestError where an activation, or the return from one, cannot be done as things stand.

    given: the policies of the configuration, by name. answering: those that answer.
    """
    await _prepare(rollouts, act)
    for command in islice(commands_of(act, rollouts.known.get(act.rollout)), 1):  # the others follow from the first
        await rollouts.require(command, act.by, given, answering)


async def bring_about(
    rollouts: Rollouts, act: ProposalBody, given: Mapping[str, Policy], answering: Mapping[str, Policy]
) -> None:
    """Do what an activation asks for; where a part of it was done before, the rest. Raises as `Rollouts.command`."""
    await _prepare(rollouts, act)
    for command in commands_of(act, rollouts.known.get(act.rollout)):
        await rollouts.command(command, act.by, given, answering)


async def _prepare(rollouts: Rollouts, act: ProposalBody) -> None:
    await rollouts.look()
    if act.how != "back":
        await rollouts.admit(act.rollout, act.digest)


def commands_of(act: ProposalBody, rollout: RolloutBody | None) -> tuple[RolloutCommand, ...]:
    """Return what is to be done with the rollout of a proposal. rollout: as it stands. Raises RequestError."""
    name, reason = act.rollout, f"proposal {act.proposal}{': ' if act.said else ''}{act.said}"[:1000]
    is_there = rollout is not None and rollout.status != "ended"
    if act.how == "back":
        return (RolloutCommand(action="abort", name=name, reason=reason),) if is_there else ()
    assert act.how is not None
    if is_there:
        assert rollout is not None
        if rollout.digest != act.digest:
            raise RequestError(f"the rollout `{name}` is of another version: abort it first", where="name")
        if rollout.status == "promoted":
            raise RequestError("answers all requests already, or did until another version came", where="name")
    share = 1.0 if act.share is None else act.share
    start = RolloutCommand(action="start", name=name, mode="canary", candidate=name, share=share, reason=reason)
    promote = RolloutCommand(action="promote", name=name, reason=reason)
    if act.how == "now":
        return (promote,) if is_there else (start, promote)
    if rollout is None or not is_there:
        return (start,)
    return (RolloutCommand(action="ramp", name=name, share=share, reason=reason),)
