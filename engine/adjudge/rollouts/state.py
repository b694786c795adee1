"""How all rollouts stand: folded from the newest record of each, and from nothing else."""

from __future__ import annotations

import hmac
from collections.abc import Iterable, Mapping

from adjudge.audit.rollouts import RolloutBody
from adjudge.frozen import frozen
from adjudge.model import Arm

SHADOWS_MAX = 4
"""Shadows of one policy that are judged at a time."""


@frozen(kw_only=True)
class Active:
    """What runs of one policy. hold_out, canary: at most one of each."""

    hold_out: RolloutBody | None = None
    canary: RolloutBody | None = None
    shadows: tuple[RolloutBody, ...] = ()


def active(rollouts: Iterable[RolloutBody]) -> Mapping[str, Active]:
    """Return what runs, by policy; the order of the records does not matter."""
    running: dict[str, list[RolloutBody]] = {}
    for one in sorted(rollouts, key=lambda body: body.name):
        if one.status == "running":
            running.setdefault(one.policy, []).append(one)
    return {policy: _active(those) for policy, those in running.items()}


def _active(running: list[RolloutBody]) -> Active:
    by_mode = {one.mode: one for one in reversed(running)}
    shadows = tuple(one for one in running if one.mode == "shadow")[:SHADOWS_MAX]
    return Active(hold_out=by_mode.get("hold-out"), canary=by_mode.get("canary"), shadows=shadows)


def promoted(rollouts: Iterable[RolloutBody], policy: str, base: str) -> RolloutBody | None:
    """Return the promotion that holds for a policy, where the configuration has a version of it.

    base: the digest of that version. With another one in the configuration, it answers itself.
    """
    holding = [one for one in rollouts if one.status == "promoted" and (one.policy, one.base) == (policy, base)]
    return max(holding, key=lambda one: (one.generation, one.name), default=None)


def place_of(key: bytes, rollout: str, merchant_biz_id: str) -> float:
    """Return where an id lies in a rollout, from 0 up to 1: it is in where that is below the share.

    key: a secret of this installation, so that nobody can choose an id that is in, or is not. The name of the rollout
    goes in: those who are in one are in another one neither more nor less often than anybody.
    """
    digest = hmac.digest(key, f"rollout\0{rollout}\0{merchant_biz_id}".encode(), "sha256")
    return int.from_bytes(digest[:7], "big") / 2**56


def arm_of(running: Active, key: bytes, merchant_biz_id: str) -> tuple[Arm | None, RolloutBody | None]:
    """Return the arm that an id is in, and the rollout whose candidate decides it; None where the champion does.

    Who is held out takes part in no canary.
    """
    for one in (running.hold_out, running.canary):
        if one is not None and place_of(key, one.name, merchant_biz_id) < one.share:
            return Arm(rollout=one.name, number=one.number, name=one.mode), one
    compared = running.canary or running.hold_out
    return (Arm(rollout=compared.name, number=compared.number, name="champion"), None) if compared else (None, None)
