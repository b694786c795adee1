"""What a log says of rollouts: how each arm's decisions came out, and what shadows would have done, judged again."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from adjudge.audit.bodies import DecisionBody, PolicyBody
from adjudge.audit.elsewhere import AnyLog
from adjudge.audit.kinds import bodies
from adjudge.audit.record import Record
from adjudge.audit.rollouts import RolloutBody
from adjudge.audit.vault import Vault
from adjudge.model import Outcome
from adjudge.plugin import Function, KeptValues
from adjudge.replay.decisions import Policies, known_of
from adjudge.rollouts.shadows import Compared, compared, shadow_of

EXAMPLES = 3
Moves = dict[tuple[Outcome, Outcome], int]


@dataclass(slots=True)
class ShadowReport:
    """A shadow over the log. digest: of its policy. compared: with the answers, in how many decisions.

    moves: from what was answered to what the shadow would have come to at least, where it is harder, or at most, where
    it is softer. examples: ids of such decisions. identical, different: judged again from the records, as recorded or
    otherwise; lost: not to be judged, since a value was erased or a policy is not there.
    """

    rollout: str
    digest: str
    compared: dict[Compared, int] = field(default_factory=dict)
    moves: Moves = field(default_factory=dict)
    examples: list[str] = field(default_factory=list)
    identical: int = 0
    different: list[str] = field(default_factory=list)
    lost: int = 0


@dataclass(slots=True)
class ArmReport:
    """An arm of a rollout over the log. outcomes: of the verdicts. unknown: not settled. policies: digests by use."""

    rollout: str
    arm: str
    decisions: int = 0
    outcomes: dict[Outcome, int] = field(default_factory=dict)
    unknown: int = 0
    policies: dict[str, int] = field(default_factory=dict)


@dataclass(slots=True)
class RolloutReport:
    """What a log says of rollouts. changes: what was done with them, in order, each with its record's place."""

    changes: list[tuple[str, RolloutBody]] = field(default_factory=list)
    arms: dict[tuple[str, str], ArmReport] = field(default_factory=dict)
    shadows: dict[tuple[str, str], ShadowReport] = field(default_factory=dict)


def report_of(path: AnyLog, *, functions: Mapping[str, Function] | None = None) -> RolloutReport:
    """Read a log through, and judge its shadows again. functions: of plugins, for policies that call them.

    In constant memory. Raises as `replay`.
    """
    found, policies = RolloutReport(), Policies(functions or {})
    with Vault.of(path) as vault:
        for record, body in bodies(path, PolicyBody, DecisionBody, RolloutBody):
            if isinstance(body, PolicyBody):
                policies.add(body)
            elif isinstance(body, RolloutBody):
                found.changes.append((str(record.place), body))
            elif isinstance(body, DecisionBody):
                _count_arm(found, body)
                if body.shadows:
                    _judge(found, record, body, policies, vault)
    return found


def _count_arm(found: RolloutReport, body: DecisionBody) -> None:
    if body.arm is None:
        return
    key = body.arm.rollout, body.arm.name
    arm = found.arms.setdefault(key, ArmReport(*key))
    arm.decisions += 1
    arm.outcomes[body.verdict.outcome] = arm.outcomes.get(body.verdict.outcome, 0) + 1
    arm.unknown += not body.verdict.settled
    arm.policies[body.policy_digest] = arm.policies.get(body.policy_digest, 0) + 1


def _judge(found: RolloutReport, record: Record, body: DecisionBody, policies: Policies, vault: KeptValues) -> None:
    given, lacking = known_of(body, vault.reveal)
    champion, answer = policies.get(body), body.verdict.outcome
    for shadow in body.shadows:
        key = shadow.rollout, shadow.digest
        told = found.shadows.setdefault(key, ShadowReport(*key))
        way = compared(answer, shadow)
        told.compared[way] = told.compared.get(way, 0) + 1
        if way in ("harder", "softer"):
            move = answer, shadow.lower if way == "harder" else shadow.upper
            told.moves[move] = told.moves.get(move, 0) + 1
            if len(told.examples) < EXAMPLES:
                told.examples.append(body.decision_id)
        policy = policies.of(shadow.digest, body.policy)
        if lacking or isinstance(policy, str) or isinstance(champion, str):
            told.lost += 1
        elif shadow_of(shadow.rollout, policy, champion, given, body.judged_at) == shadow:
            told.identical += 1
        else:
            told.different.append(str(record.place))
