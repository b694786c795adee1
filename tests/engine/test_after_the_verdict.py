"""What comes after the verdict: which policy answers a scene, what a person looks at, and what a person confirms."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from adjudge import Decision, Engine, Registry, Request, RequestError
from adjudge.audit.bodies import DecisionBody
from adjudge.audit.kinds import bodies
from adjudge.audit.trail import AuditTrail
from adjudge.cli.audit.dossier import Dossier
from adjudge.documents import decision_document
from adjudge.errors import MerchantBizIdConflict, SetupError
from adjudge.model import Outcome
from adjudge.policy import Policy, parse_policy
from adjudge.replay.decisions import replay

HEAD = "policy_language: 1\npolicy: {name}\n{more}inputs: {{n: {{type: int, range: [0, 1000000]}}}}\nrules:\n"
RULES = "  - {id: much, when: n > 900000, then: review}\n"


def policy(name: str = "shop", more: str = "", rules: str = RULES) -> Policy:
    return parse_policy(HEAD.format(name=name, more=more) + rules)


def engine(*policies: Policy, at: Path | None = None) -> Engine:
    trail = AuditTrail.open(str(at), durability="flush") if at is not None else None
    return Engine(policies, registry=Registry(), trail=trail)


def request(n: int, scene: str = "onboard001", name: str | None = None) -> Request:
    return Request(merchant_biz_id=f"{n:032d}", scene_code=scene, policy=name, inputs={"n": n})


def decide(opened: Engine, *requests: Request) -> list[Decision]:
    async def run() -> list[Decision]:
        async with opened:
            return [await opened.decide(one) for one in requests]

    return asyncio.run(run())


def test_scene_finds_its_policy() -> None:
    both = policy("face", "scenes: [onboard001, onboard002]\n"), policy("voice", "scenes: [voice]\n")
    scenes = ("onboard002", "voice", "onboard001")
    decisions = decide(engine(*both), *(request(at, scene) for at, scene in enumerate(scenes)))
    assert [decision.policy for decision in decisions] == ["face", "voice", "face"]


def test_request_that_names_a_policy_gets_it_whatever_the_scene() -> None:
    both = policy("face", "scenes: [onboard001]\n"), policy("voice")
    assert decide(engine(*both), request(1, "onboard001", "voice"))[0].policy == "voice"


def test_another_policy_of_the_scene_changes_no_answer_that_was_given(tmp_path: Path) -> None:
    old, new = policy("face", "scenes: [onboard001]\n"), policy("face-2027", "scenes: [onboard001]\n")

    async def run() -> None:
        async with engine(old, at=tmp_path) as opened:
            first = await opened.decide(request(1))
            await opened.replace([new])
            again, another = await opened.decide(request(1)), await opened.decide(request(2))
            with pytest.raises(MerchantBizIdConflict):
                await opened.decide(request(1, name="face-2027"))
        assert (again.status, again.policy, another.policy) == ("duplicate", "face", "face-2027")
        async with engine(new, at=tmp_path) as opened:
            again = await opened.decide(request(1))
        assert (again.status, again.decision_id) == ("duplicate", first.decision_id)

    asyncio.run(run())


@pytest.mark.parametrize("others", [(), (policy("voice"),)])
def test_scene_that_no_policy_has_is_refused(others: tuple[Policy, ...]) -> None:
    with pytest.raises(RequestError, match="no policy answers the scene `other`") as caught:
        decide(engine(policy("face", "scenes: [onboard001]\n"), *others), request(1, "other"))
    assert "face" in str(caught.value.hint) and caught.value.where == "policy"


def test_only_policy_without_scenes_answers_every_scene() -> None:
    assert decide(engine(policy()), request(1, "any"))[0].policy == "shop"


def test_two_policies_of_one_scene_are_refused_when_the_engine_is_made() -> None:
    with pytest.raises(SetupError, match="`face` and `voice` both have the scene `onboard001`"):
        engine(policy("face", "scenes: [onboard001]\n"), policy("voice", "scenes: [x, onboard001]\n"))


def test_sample_draws_its_share_of_passes_and_leaves_the_verdict(tmp_path: Path) -> None:
    sampled = policy(more="sample: {share: 20%, of: pass, then: review, reason: QA}\n")
    numbers = [*range(2000), *range(900_001, 900_041)]
    decisions = decide(engine(sampled, at=tmp_path), *map(request, numbers))
    drawn = [one for one in decisions if one.sampled is not None]
    assert 0.15 < len(drawn) / 2000 < 0.25
    for one in drawn:
        assert (one.outcome, one.verdict.outcome) == (Outcome.REVIEW, Outcome.PASS)
        assert one.sampled is not None and (one.sampled.reason, one.sampled.share) == ("QA", 0.2)
        assert any("drawn for a person" in note for note in one.notes)
        document = decision_document(one)
        assert document["outcome"] == "review"
        assert document["sampled"] == {"reason": "QA", "share": 0.2, "instead_of": "pass"}
    rest = [one for one in decisions if one.sampled is None]
    assert all(one.outcome is one.verdict.outcome for one in rest)
    assert all(one.sampled is None for one in decisions[2000:])
    again = decide(engine(sampled, at=tmp_path), *map(request, numbers[:50]))
    assert [one.sampled for one in again] == [one.sampled for one in decisions[:50]]
    assert {one.status for one in again} == {"duplicate"}
    recorded = [body for _, body in bodies(tmp_path, DecisionBody)]
    assert [body.sampled for body in recorded] == [one.sampled for one in decisions]
    assert {one.answer for one in replay(tmp_path)} == {"identical"}


def test_sample_of_nothing_and_of_all() -> None:
    for share, expected in (("0%", 0), ("100%", 30)):
        one = policy(more=f"sample: {{share: {share}}}\n")
        drawn = [decision.sampled for decision in decide(engine(one), *map(request, range(30)))]
        assert sum(found is not None for found in drawn) == expected
        assert {found.reason for found in drawn if found is not None} <= {"SAMPLED"}


CONFIRMED = """  - {id: much, when: n > 100, then: reject, confirm: person}
  - {id: more, when: n > 1000, then: reject}
scorecard:
  points: [{when: n > 10, add: 50}]
  bands: {review: 40}
"""


def test_reject_that_a_person_confirms_is_final_once_a_label_says_fraud(tmp_path: Path) -> None:
    confirmed = policy(rules=CONFIRMED)
    opened = engine(confirmed, at=tmp_path)

    async def run() -> list[bool]:
        found = []
        async with opened:
            first = await opened.decide(request(200))
            assert first.outcome is Outcome.REJECT
            found.append(first.final)
            for label in ("genuine", "fraud", "genuine", "fraud"):
                await opened.label(first.decision_id, first.merchant_biz_id, label, source="reviewer")
                found.append((await opened.decide(request(200))).final)
        return found

    assert asyncio.run(run()) == [False, False, True, False, True]
    (kept,) = decide(engine(confirmed, at=tmp_path), request(200))
    assert (kept.status, kept.final, kept.outcome) == ("duplicate", True, Outcome.REJECT)


@pytest.mark.parametrize(("labels", "final"), [(("fraud", "genuine"), False), (("genuine", "fraud"), True)])
def test_the_newest_label_counts_whoever_reads_it(tmp_path: Path, labels: tuple[str, ...], final: bool) -> None:
    """Asked again, by its id, after a restart, from an index made anew, and in the log as a person reads it."""
    confirmed = policy(rules=CONFIRMED)

    async def again() -> list[bool]:
        async with engine(confirmed, at=tmp_path) as opened:
            found = await opened.decide(request(200))
            by_id = await opened._ledger.find(decision_id=found.decision_id)
            return [found.final, by_id is not None and by_id.final]

    async def label() -> None:
        async with engine(confirmed, at=tmp_path) as opened:
            first = await opened.decide(request(200))
            for one in labels:
                await opened.label(first.decision_id, first.merchant_biz_id, one, source="reviewer")

    asyncio.run(label())
    assert asyncio.run(again()) == [final, final]
    for index in tmp_path.glob("index.sqlite*"):
        index.unlink()
    assert asyncio.run(again()) == [final, final]
    dossier = Dossier.find(tmp_path, request(200).merchant_biz_id)
    assert dossier is not None
    said = "yes: a person confirmed it" if final else "no: a person found it genuine"
    assert f"  final      {said}" in list(dossier.lines())


@pytest.mark.parametrize(
    ("n", "final"),
    [
        (5, True),  # a pass
        (50, True),  # a review
        (200, False),
        (2000, True),  # a rule that needs nobody says so too
    ],
)
def test_only_a_reject_that_all_who_decided_leave_to_a_person_is_not_final(n: int, final: bool) -> None:
    (decision,) = decide(engine(policy(rules=CONFIRMED)), request(n))
    assert decision.final is final
    assert decision_document(decision)["final"] is final


def test_reject_of_a_scorecard_can_be_left_to_a_person() -> None:
    card = "scorecard:\n  points: [{when: n > 10, add: 50}]\n  bands: {reject: {at: 40, confirm: person}}\n"
    decisions = decide(engine(policy(rules=RULES + card)), request(5), request(50))
    assert [(one.outcome.value, one.final) for one in decisions] == [("pass", True), ("reject", False)]


def test_reject_in_doubt_is_confirmed_like_another() -> None:
    doubted = policy(more="when_unknown: reject\n", rules=CONFIRMED)
    (decision,) = decide(engine(doubted), Request(merchant_biz_id="a" * 32, scene_code="x"))
    assert (decision.outcome, decision.verdict.lower, decision.final) == (Outcome.REJECT, Outcome.PASS, True)
    one = policy(more="when_unknown: reject\n", rules="  - {id: much, when: n > 9, then: reject, confirm: person}\n")
    (decision,) = decide(engine(one), Request(merchant_biz_id="a" * 32, scene_code="x"))
    assert (decision.outcome, decision.final) == (Outcome.REJECT, False)
