"""What may be done with a rollout, and the record that it leads to."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from datetime import datetime

from msgspec import structs

from adjudge.audit.rollouts import ENGINE, Action, Counts, RolloutBody
from adjudge.documents.rollouts import RolloutCommand
from adjudge.errors import RequestError, SetupError, did_you_mean, listed
from adjudge.frozen import frozen
from adjudge.model import MODES, Mode
from adjudge.patterns import late
from adjudge.policy.policy import Policy
from adjudge.rollouts.state import SHADOWS_MAX
from adjudge.values.fields import Field

_NAME = late("[A-Za-z0-9._-]{1,48}")
SHARES_MAX = 200
"""Ramps of one rollout."""


@frozen(kw_only=True)
class Known:
    """What a command is held against.

    rollouts: by name. candidates: by name. given: the policies that the configuration has, and answering: those that
    answer, by name. arms: what was counted of the rollout that is meant.
    """

    rollouts: Mapping[str, RolloutBody]
    candidates: Mapping[str, Policy]
    given: Mapping[str, Policy]
    answering: Mapping[str, Policy]
    arms: Mapping[str, Counts]


def next_record(command: RolloutCommand, by: str, known: Known, at: datetime) -> RolloutBody:
    """Return the record that a command leads to. Raises RequestError where it cannot be done."""
    if not _NAME.fullmatch(command.name):
        raise RequestError("must have 1 to 48 letters, digits, `.`, `_` and `-`", where="name")
    if by == ENGINE:
        raise RequestError(f"`{ENGINE}` is what the engine itself is called in records", where="by")
    if command.action == "start":
        return _started(command, by, known, at)
    for name in ("mode", "candidate"):
        if getattr(command, name) is not None:
            raise RequestError("is for `start` alone", where=name)
    if command.share is not None and command.action != "ramp":
        raise RequestError("is for `start` and `ramp` alone", where="share")
    before = known.rollouts.get(command.name)
    if before is None:
        hint = did_you_mean(command.name, known.rollouts)
        raise RequestError(f"there is no rollout `{command.name}`", where="name", hint=hint)
    if before.status == "ended" or (before.status == "promoted" and command.action != "abort"):
        raise RequestError(f"the rollout `{before.name}` {_over(before)}", where="name")
    after = structs.replace(before, number=before.number + 1, at=at, by=by, reason=command.reason)
    if command.action == "ramp":
        return _ramped(command, before, after)
    if command.action == "promote":
        return _promoted(before, after, known)
    if command.action == "abort":
        return structs.replace(after, action="abort", status="ended", arms=dict(known.arms))
    raise RequestError(f"`{command.action}` is not start, ramp, promote or abort", where="action")


def _over(body: RolloutBody) -> str:
    done = {"promote": "was promoted", "abort": "was aborted", "fall-back": "fell back"}[body.action]
    return f"{done} by {body.by} at {body.at:%Y-%m-%d %H:%M} UTC"


def ended_by_itself(
    before: RolloutBody, action: Action, reason: str, arms: Mapping[str, Counts], at: datetime
) -> RolloutBody:
    """Return the record that a canary fell back, or that a rollout cannot go on."""
    return structs.replace(
        before,
        number=before.number + 1,
        at=at,
        by=ENGINE,
        action=action,
        status="ended",
        reason=reason,
        arms=dict(arms),
    )


def _started(command: RolloutCommand, by: str, known: Known, at: datetime) -> RolloutBody:
    before = known.rollouts.get(command.name)
    if before is not None and before.status != "ended":
        does = "runs already" if before.status == "running" else "was promoted: give the new one another name"
        raise RequestError(f"the rollout `{command.name}` {does}", where="name")
    if command.mode not in MODES:
        raise RequestError(f"must be {listed(MODES)}", where="mode")
    mode: Mode = command.mode
    candidate = known.candidates.get(command.candidate or "")
    if command.candidate is None or candidate is None:
        names = listed(known.candidates) if known.candidates else "none"
        hint = f"under `rollouts: candidates:` the configuration has {names}"
        raise RequestError("must be a version of a policy that may take part", where="candidate", hint=hint)
    champion = known.answering.get(candidate.name)
    if champion is None:
        said = f"is a version of `{candidate.name}`, which is no policy of this engine"
        raise RequestError(said, where="candidate")
    if candidate.digest == champion.digest:
        raise RequestError(f"is the version of `{candidate.name}` that answers already", where="candidate")
    if mode == "shadow":
        if command.share is not None:
            raise RequestError("a shadow watches every decision: leave it out", where="share")
    else:
        _require_share(command.share)
        _require_fit(candidate, champion)
    _require_room(mode, candidate.name, known.rollouts.values())
    number = before.number + 1 if before is not None else 1
    share = 1.0 if command.share is None else float(command.share)
    return RolloutBody(
        name=command.name,
        number=number,
        at=at,
        by=by,
        reason=command.reason,
        action="start",
        mode=mode,
        policy=candidate.name,
        candidate=command.candidate,
        digest=candidate.digest,
        champion=champion.digest,
        share=share,
        status="running",
        begun=number,
        shares=((number, share),),
    )


def _ramped(command: RolloutCommand, before: RolloutBody, after: RolloutBody) -> RolloutBody:
    if before.mode == "shadow":
        raise RequestError(f"`{before.name}` is a shadow, which watches every decision", where="name")
    _require_share(command.share)
    assert command.share is not None
    if command.share == before.share:
        raise RequestError(f"is {before.share:.4g} already", where="share")
    if len(before.shares) >= SHARES_MAX:
        raise RequestError(f"was ramped {SHARES_MAX} times: start another one", where="name")
    share = float(command.share)
    return structs.replace(after, action="ramp", share=share, shares=(*before.shares, (after.number, share)))


def _promoted(before: RolloutBody, after: RolloutBody, known: Known) -> RolloutBody:
    if before.mode != "canary":
        raise RequestError(f"only a canary is promoted, and `{before.name}` is none", where="name")
    given = known.given.get(before.policy)
    if given is None:
        raise RequestError(f"`{before.policy}` is no policy of this engine", where="name")
    earlier = [one.generation for one in known.rollouts.values() if one.policy == before.policy]
    return structs.replace(
        after,
        action="promote",
        status="promoted",
        base=given.digest,
        generation=max(earlier, default=0) + 1,
        arms=dict(known.arms),
    )


def _require_share(share: float | None) -> None:
    if share is None or isinstance(share, bool) or not 0 < share <= 1:
        raise RequestError("must be above 0 and at most 1, such as 0.05 for 5%", where="share")


def _require_room(mode: Mode, policy: str, rollouts: Collection[RolloutBody]) -> None:
    same = [one for one in rollouts if one.status == "running" and (one.policy, one.mode) == (policy, mode)]
    if mode == "shadow" and len(same) >= SHADOWS_MAX:
        raise RequestError(f"`{policy}` has {SHADOWS_MAX} shadows already: abort one", where="mode")
    if mode != "shadow" and same:
        raise RequestError(f"`{policy}` has the {mode} `{same[0].name}` already: abort it first", where="mode")


def _require_fit(candidate: Policy, champion: Policy) -> None:
    """Raise RequestError where the candidate would understand a request otherwise than callers mean it."""
    if sorted(candidate.typed.scenes) != sorted(champion.typed.scenes):
        raise RequestError("answers other scenes than the version that answers now", where="candidate")
    pairs = {"": (candidate.typed.inputs, champion.typed.inputs)}
    for name, signal in candidate.typed.signals.items():
        other = champion.typed.signals.get(name)
        if other is not None and signal.provider is None and other.provider is None:
            pairs[f"{name}."] = (signal.fields, other.fields)
    for prefix, (fields, others) in pairs.items():
        for name in fields.keys() & others.keys():
            if _kind(fields[name]) != _kind(others[name]):
                said = f"declares `{prefix}{name}` as another type than the version that answers now"
                raise RequestError(said, where="candidate")


def _kind(field: Field) -> object:
    return field.type, field.personal


def check_candidates(candidates: Mapping[str, Policy], policies: Iterable[Policy]) -> None:
    """Raise SetupError for a candidate that is no version of a policy of the engine, or has no name of its own."""
    names = {policy.name for policy in policies}
    for name, candidate in candidates.items():
        if not _NAME.fullmatch(name):
            raise SetupError(f"`{name}` is no name of a candidate: it takes 1 to 48 letters, digits, `.`, `_` and `-`")
        if candidate.name not in names:
            said = f"the candidate `{name}` is a version of `{candidate.name}`, which is no policy of the engine"
            raise SetupError(f"{said}: a candidate has the same `policy` as what it may take the place of")
