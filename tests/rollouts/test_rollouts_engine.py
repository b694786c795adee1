"""Rollouts in an engine: who decides, what is recorded, and what becomes of it all at a restart."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec
import pytest
from rolling import CHAMPION, LAXER, REGISTRY, STRICTER, arms, decided, engine, request, tick, version
from structlog.testing import capture_logs

from adjudge.audit.bodies import DecisionBody
from adjudge.audit.kinds import bodies
from adjudge.audit.rollouts import Counts, RolloutBody
from adjudge.documents.rollouts import RolloutCommand
from adjudge.errors import AuditUnavailable, MerchantBizIdConflict, RequestError, SetupError
from adjudge.model import Arm, Outcome, SignalStatus
from adjudge.registry import parse_policy
from adjudge.replay.decisions import replay
from adjudge.replay.rollouts import report_of
from adjudge.rollouts.control import Rollouts
from adjudge.rollouts.guard_rails import GuardRails
from adjudge.rollouts.tally import Pending
from adjudge.testing import fake_provider, registry_of
from audit.audit_logs import assert_verifies

CANARY = {"mode": "canary", "candidate": "stricter", "by": "kim"}


def changes(log: Path) -> list[tuple[str, str, str]]:
    """Return what was done with rollouts: name, action and who."""
    return [(body.name, body.action, body.by) for _, body in bodies(log, RolloutBody)]


def recorded(log: Path) -> list[DecisionBody]:
    return [body for _, body in bodies(log, DecisionBody)]


def test_what_another_worker_did_is_followed_also_where_somebody_asked_how_things_stand(tmp_path: Path) -> None:
    async def none(name: str, digest: str) -> None:
        return None

    async def main() -> None:
        async with engine(tmp_path) as one:
            worker = Rollouts(one._rollouts.settings, one._ledger, one._recording, one._clock, none)
            start = RolloutCommand(action="start", name="june", mode="canary", candidate="stricter", share=1.0)
            await worker.command(start, "kim", one.policies, one.policies)
            assert [each.status for each in await one.rollouts()] == ["running"]
            await tick(one)
            assert arms(await decided(one, range(3))) == ["canary"] * 3

    asyncio.run(main())


def test_canary_decides_its_share_and_every_decision_says_by_which_arm(tmp_path: Path) -> None:
    async def main() -> None:
        async with engine(tmp_path) as one:
            assert arms(await decided(one, range(3))) == [None] * 3
            await one.rollout("start", "june", share=0.3, **CANARY)
            found = await decided(one, range(100, 400))
            for decision in found:
                assert decision.arm is not None and (decision.arm.rollout, decision.arm.number) == ("june", 1)
                by = STRICTER if decision.arm.name == "canary" else CHAMPION
                assert decision.policy_digest == by.digest
                limit = 20 if decision.arm.name == "canary" else 70
                assert (decision.outcome is Outcome.REJECT) == (int(decision.merchant_biz_id) % 100 > limit)
            assert 50 < arms(found).count("canary") < 130
            (june,) = await one.rollouts()
            assert june.arms["canary"].decisions == arms(found).count("canary")
            assert june.arms["champion"].decisions == arms(found).count("champion")

    asyncio.run(main())
    assert {body.arm.name for body in recorded(tmp_path) if body.arm is not None} == {"canary", "champion"}
    assert {one.answer for one in replay(tmp_path)} == {"identical"}
    assert_verifies(tmp_path)


def test_who_is_in_stays_in_while_it_is_ramped_and_who_was_decided_keeps_the_answer(tmp_path: Path) -> None:
    """Also over a restart, by the same version, and under the fingerprint that holds what was asked."""

    async def main() -> None:
        async with engine(tmp_path) as one:
            await one.rollout("start", "june", share=0.1, **CANARY)
            first = await decided(one, range(200))
        async with engine(tmp_path) as one:
            await one.rollout("ramp", "june", share=0.5, by="kim")
            more = await decided(one, range(200, 400))
            again = await decided(one, range(200))
            assert all(a.status == "duplicate" for a in again)
            assert [(a.decision_id, a.arm, a.fingerprint) for a in again] == [
                (a.decision_id, a.arm, a.fingerprint) for a in first
            ]
            with pytest.raises(MerchantBizIdConflict):
                await one.decide(request(0, score=99))
            await one.rollout("ramp", "june", share=0.01, by="kim")
            assert arms(await decided(one, range(400))) == arms([*first, *more])
            anew = [await one.decide(request(n), anew=True) for n in range(400)]
            assert arms(anew).count("canary") < 20, "by the share of now"
            assert {b.fingerprint for b in anew} == {b.fingerprint for b in (*first, *more)}
            wider = [await one.decide(request(n), anew=True) for n in range(200) if first[n].arm is not None]
            still_in = {b.merchant_biz_id for b in wider if b.arm is not None and b.arm.name == "canary"}
            assert still_in <= {b.merchant_biz_id for b in first if b.arm is not None and b.arm.name == "canary"}

    asyncio.run(main())
    assert changes(tmp_path) == [("june", "start", "kim"), ("june", "ramp", "kim"), ("june", "ramp", "kim")]


def test_incomplete_decision_is_completed_by_the_version_that_made_it(tmp_path: Path) -> None:
    """Although the share is another by then."""
    lacking = {"signals": {}}

    async def main() -> None:
        async with engine(tmp_path) as one:
            before = await one.decide(request(0, **lacking))
            await one.rollout("start", "june", share=0.5, **CANARY)
            first = await decided(one, range(1, 60), **lacking)
            await one.rollout("ramp", "june", share=0.01, by="kim")
            again = await decided(one, range(1, 60))
            for was, now in zip(first, again, strict=True):
                assert was.arm is not None and now.arm is not None
                if now.supersedes == was.decision_id:
                    assert (now.policy_digest, now.arm.name) == (was.policy_digest, was.arm.name)
            assert any(one.status == "supersedes" and arms([one]) == ["canary"] for one in again)
            completed = await one.decide(request(0))
            assert (completed.supersedes, completed.policy_digest) == (before.decision_id, CHAMPION.digest)
            assert completed.arm is None, "nobody drew it"
            await one.rollout("abort", "june", by="kim")
            rest = await one.decide(request(70, **lacking))
            assert rest.arm is None

    asyncio.run(main())


def test_canary_leaves_out_what_it_does_not_declare(tmp_path: Path) -> None:
    """And the fingerprint is that of all that was asked."""
    narrow = version(20, **{", note: string": "", "signals: {device: {fields: {level: int}}}": "signals: {}"},
                     **{", {id: risky, when: device.level > 5, then: review}": ""})  # fmt: skip

    async def main() -> None:
        async with engine(tmp_path, candidates={"narrow": narrow}) as one:
            plain = await one.decide(request(1, inputs={"score": 50, "note": "x"}), anew=True)
            await one.rollout("start", "june", mode="canary", candidate="narrow", share=1.0, by="kim")
            canary = await one.decide(request(1, inputs={"score": 50, "note": "x"}), anew=True)
            assert (plain.outcome, canary.outcome) == (Outcome.PASS, Outcome.REJECT)
            assert canary.fingerprint == plain.fingerprint
            with pytest.raises(RequestError, match="is not declared"):
                await one.decide(request(2, inputs={"scroe": 1}))

    asyncio.run(main())
    assert [dict(body.inputs) for body in recorded(tmp_path)] == [{"score": 50, "note": "x"}, {"score": 50}]
    assert {one.answer for one in replay(tmp_path)} == {"identical"}


def test_hold_out_is_decided_by_its_policy_beside_a_canary(tmp_path: Path) -> None:
    async def main() -> None:
        async with engine(tmp_path) as one:
            await one.rollout("start", "control", mode="hold-out", candidate="laxer", share=0.2, by="kim")
            await one.rollout("start", "june", share=0.5, **CANARY)
            found = await decided(one, range(300))
            counts = {name: arms(found).count(name) for name in ("hold-out", "canary", "champion")}
            assert 30 < counts["hold-out"] < 90 and 80 < counts["canary"] < 160 and sum(counts.values()) == 300
            for decision in found:
                if decision.arm is not None and decision.arm.name == "hold-out":
                    assert (decision.arm.rollout, decision.policy_digest) == ("control", LAXER.digest)
            control, june = await one.rollouts()
            assert control.arms["hold-out"].decisions == counts["hold-out"]
            assert june.arms["champion"].decisions == counts["champion"]

    asyncio.run(main())


def test_shadow_is_judged_on_the_same_signals_and_is_undetermined_where_it_lacks_some(tmp_path: Path) -> None:
    wants_more = version(70, **{"rules: [": "rules: [{id: more, when: note == 'bad', then: reject}, "})

    async def main() -> None:
        async with engine(tmp_path, candidates={"stricter": STRICTER, "more": wants_more}) as one:
            await one.rollout("start", "watch", mode="shadow", candidate="stricter", by="kim")
            await one.rollout("start", "other", mode="shadow", candidate="more", by="kim")
            assert {a.policy_digest for a in await decided(one, range(100))} == {CHAMPION.digest}
            other, watch = await one.rollouts()
            told = {name: share.count for name, share in watch.arms["shadow"].shares.items()}
            assert told == {"agree": 50, "harder": 50, "softer": 0, "undetermined": 0, "errors": 0}
            lacks = {name: share.count for name, share in other.arms["shadow"].shares.items()}
            assert lacks == {"agree": 29, "harder": 0, "softer": 0, "undetermined": 71, "errors": 0}
            await decided(one, range(100))  # duplicates are no decisions
            assert (await one.rollouts())[1].arms["shadow"].decisions == 100

    asyncio.run(main())
    for body in recorded(tmp_path):
        other, watch = sorted(body.shadows, key=lambda one: one.rollout)
        assert watch.lower is watch.upper is watch.outcome
        if body.inputs["score"] <= 70:
            assert (other.lower, other.outcome, other.upper) == (Outcome.PASS, Outcome.REVIEW, Outcome.REJECT)
    report = report_of(tmp_path)
    watched = report.shadows["watch", STRICTER.digest]
    assert (watched.identical, watched.different, watched.lost) == (100, [], 0)
    assert watched.compared == {"agree": 50, "harder": 50} and watched.moves == {(Outcome.PASS, Outcome.REJECT): 50}
    assert report.shadows["other", wants_more.digest].identical == 100
    assert {one.answer for one in replay(tmp_path)} == {"identical"}
    assert_verifies(tmp_path)


def test_shadow_that_was_recorded_otherwise_is_found(tmp_path: Path) -> None:
    async def main() -> None:
        async with engine(tmp_path) as one:
            await one.rollout("start", "watch", mode="shadow", candidate="stricter", by="kim")
            watch = one._running["onboarding"].watching
            object.__setattr__(one._running["onboarding"], "watching", (("watch", _Lying(watch[0][1])),))
            await decided(one, range(40, 42))

    class _Lying:
        def __init__(self, policy: Any) -> None:
            self.typed, self.digest, self.as_taken = policy.typed, policy.digest, policy.as_taken
            self.evaluate = CHAMPION.evaluate

    asyncio.run(main())
    (watched,) = report_of(tmp_path).shadows.values()
    assert (watched.identical, len(watched.different)) == (0, 2)


def test_shadow_that_crashes_costs_no_decision_and_is_told(tmp_path: Path) -> None:
    class Crashing:
        digest, typed = STRICTER.digest, STRICTER.typed

        def as_taken(self, given: Mapping[str, object]) -> Mapping[str, object]:
            raise RuntimeError("its own")

    async def main() -> None:
        async with engine(tmp_path) as one:
            await one.rollout("start", "watch", mode="shadow", candidate="stricter", by="kim")
            object.__setattr__(one._running["onboarding"], "watching", (("watch", Crashing()),))
            with capture_logs() as events:
                (decision,) = await decided(one, range(1))
            assert decision.outcome is Outcome.PASS
            assert [event["event"] for event in events if event["log_level"] == "error"] == ["shadow_failed"]
            (watch,) = await one.rollouts()
            assert watch.arms["shadow"].shares["errors"].count == 1

    asyncio.run(main())
    assert recorded(tmp_path)[0].shadows == ()


def test_shadow_asks_nobody_and_takes_no_answer_of_another_source(tmp_path: Path) -> None:
    providers = [fake_provider(name, {"level": "int"}, {"level": 9}) for name in ("acme.one", "acme.two")]
    registry = registry_of(providers)
    text = """{policy_language: 1, policy: onboarding, signals: {device: {provider: PROVIDER}},
      rules: [{id: risky, when: device.level > 5, then: review}]}"""
    champion, same, other = (
        parse_policy(text.replace("PROVIDER", name).replace("> 5", f"> {limit}"), registry=registry)
        for name, limit in (("acme.one", 5), ("acme.one", 7), ("acme.two", 5))
    )

    async def main() -> None:
        parts: dict[str, Any] = {"candidates": {"same": same, "other": other}, "registry": registry}
        async with engine(tmp_path, [champion], **parts) as one:
            for name in ("same", "other"):
                await one.rollout("start", name, mode="shadow", candidate=name, by="kim")
            decision = await one.decide(request(1, inputs={}, signals={}))
            assert decision.signals["device"].status is SignalStatus.OK

    asyncio.run(main())
    assert [len(provider.calls) for provider in providers] == [1, 0]
    (body,) = recorded(tmp_path)
    bounds = {shadow.rollout: (shadow.lower, shadow.upper) for shadow in body.shadows}
    assert bounds == {"same": (Outcome.REVIEW,) * 2, "other": (Outcome.PASS, Outcome.REVIEW)}
    assert all(not one.different and one.identical for one in report_of(tmp_path).shadows.values())


def test_canary_that_rejects_too_much_falls_back_once_and_says_why(tmp_path: Path) -> None:
    rails = GuardRails(limits={"reject": 1.25}, enough=50)

    async def main() -> None:
        async with engine(tmp_path, rails=rails) as one:
            await one.rollout("start", "june", share=0.5, **CANARY)
            await decided(one, range(60))
            await tick(one)
            (june,) = await one.rollouts()
            assert june.status == "running" and june.rails[0].near > 0
            await decided(one, range(60, 400))
            with capture_logs() as events:
                await tick(one)
            assert [event["event"] for event in events] == ["rollout_ended"]
            await tick(one)
            assert arms(await decided(one, range(400, 420))) == [None] * 20
            (june,) = await one.rollouts()
            assert (june.status, june.action, june.by) == ("ended", "fall-back", "adjudge")
            assert "reject: " in june.reason and "more than 1.25 times as often" in june.reason
            with pytest.raises(RequestError, match="fell back by adjudge"):
                await one.rollout("ramp", "june", share=0.9, by="kim")

    asyncio.run(main())
    assert changes(tmp_path) == [("june", "start", "kim"), ("june", "fall-back", "adjudge")]


def test_one_id_counts_once_however_often_it_is_decided(tmp_path: Path) -> None:
    """Otherwise one applicant who comes again and again would end a canary, as all of it falls to one arm."""
    risky = {"score": 5, "signals": {"device": {"level": 9}}}

    async def main() -> None:
        async with engine(tmp_path, rails=GuardRails(limits={"review": 1.25}, enough=10)) as one:
            await one.rollout("start", "june", share=0.2, **CANARY)
            found = await decided(one, range(200), score=5)
            canary = arms(found).index("canary")
            for _ in range(20):
                again = await one.decide(request(canary, **risky), anew=True)
                assert (arms([again]), again.outcome) == (["canary"], Outcome.REVIEW)
            await tick(one)
            (june,) = await one.rollouts()
            assert june.status == "running"
            assert june.arms["canary"].decisions == arms(found).count("canary")
            assert june.arms["canary"].shares["review"].count == 1
            await one.rollout("ramp", "june", share=1.0, by="kim")
            await one.decide(request(arms(found).index("champion"), **risky), anew=True)
            (june,) = await one.rollouts()
            assert sum(arm.decisions for arm in june.arms.values()) == 200, "it has changed its arm"

    asyncio.run(main())


def test_completed_decision_counts_with_the_share_at_which_its_id_was_drawn(tmp_path: Path) -> None:
    """At the share of now, what half of the ids had come to would look like the work of a hundredth."""
    rails = GuardRails(limits={"review": 1.25}, enough=10)

    async def main() -> None:
        async with engine(tmp_path, rails=rails, candidates={"stricter": version(80)}) as one:
            await one.rollout("start", "june", share=0.5, **CANARY)
            first = await decided(one, range(100), score=5, signals={})
            await one.rollout("ramp", "june", share=0.01, by="kim")
            again = await decided(one, range(100), score=5, signals={"device": {"level": 9}})
            assert {one.status for one in again} == {"supersedes"}
            assert [one.arm for one in again] == [one.arm for one in first]
            await tick(one)
            assert (await one.rollouts())[0].status == "running"

    asyncio.run(main())


def test_decision_that_was_lost_with_its_worker_makes_no_count_negative(tmp_path: Path) -> None:
    async def main() -> None:
        rails = GuardRails(limits={"review": 1.25, "reject": 1.25}, enough=1)
        async with engine(tmp_path, rails=rails) as one:
            await one.rollout("start", "june", share=0.5, **CANARY)
            await decided(one, range(20), score=5, signals={"device": {"level": 9}})
            one._rollouts._pending.take()  # as a worker that was killed
            for n in range(20):
                await one.decide(request(n, score=5), anew=True)
            await tick(one)
            (june,) = await one.rollouts()
            assert all(found.count >= 0 for arm in june.arms.values() for found in arm.shares.values())
            assert {rail.canary for rail in june.rails} == {0}

    asyncio.run(main())


def test_request_that_fails_counts_once_however_often_it_is_retried() -> None:
    pending, arm = Pending(), Arm(rollout="june", number=1, name="canary")
    for _ in range(20):
        pending.failed(arm, "1" * 32)
    pending.failed(arm, "2" * 32)
    assert pending.take() == {"june": {1: {"canary": Counts(decisions=2, errors=2)}}}


def test_what_was_counted_before_a_restart_counts(tmp_path: Path) -> None:
    rails = GuardRails(limits={"reject": 1.25}, enough=50)

    async def main() -> None:
        async with engine(tmp_path, rails=rails) as one:
            await one.rollout("start", "june", share=0.5, **CANARY)
            await decided(one, range(400))
        async with engine(tmp_path, rails=rails) as one:
            (june,) = await one.rollouts()
            assert sum(arm.decisions for arm in june.arms.values()) == 400
            await tick(one)
            assert (await one.rollouts())[0].status == "ended"
            await one.rollout("start", "june", share=0.5, **CANARY)
            assert (await one.rollouts())[0].arms == {}, "it begins anew"

    asyncio.run(main())


def test_promotion_answers_at_once_and_after_a_restart_while_the_file_is_the_old_one(tmp_path: Path) -> None:
    newer = version(50)

    async def main() -> None:
        async with engine(tmp_path) as one:
            await one.rollout("start", "june", share=0.5, **CANARY)
            before = await decided(one, range(20))
            done = await one.rollout("promote", "june", reason="it holds", by="kim")
            assert (done.status, done.by, done.reason) == ("promoted", "kim", "it holds")
            assert one.policies["onboarding"] is STRICTER
            (after,) = await decided(one, range(30, 31))
            assert (after.outcome, after.arm, after.policy_digest) == (Outcome.REJECT, None, STRICTER.digest)
            assert [a.decision_id for a in await decided(one, range(20))] == [a.decision_id for a in before]
            with pytest.raises(RequestError, match="was promoted by kim"):
                await one.rollout("ramp", "june", share=0.9, by="kim")
        async with engine(tmp_path) as one:
            assert one.policies["onboarding"] is STRICTER, "the file has the old champion still"
            await one.rollout("start", "july", mode="canary", candidate="laxer", share=0.5, by="kim")
            await one.rollout("promote", "july", by="kim")
            assert one.policies["onboarding"] is LAXER
        async with engine(tmp_path) as one:
            assert one.policies["onboarding"] is LAXER, "the newest promotion holds"
        async with engine(tmp_path, [newer]) as one:
            assert one.policies["onboarding"] is newer, "a file with another version answers itself"
        async with engine(tmp_path, [STRICTER]) as one:
            assert one.policies["onboarding"] is STRICTER
        async with engine(tmp_path) as one:
            await one.rollout("abort", "july", by="kim")
            assert one.policies["onboarding"] is STRICTER, "the promotion before holds again"
            await one.rollout("abort", "june", by="kim")
            assert one.policies["onboarding"] is CHAMPION

    asyncio.run(main())


@pytest.mark.parametrize("is_configured", [True, False])
def test_promoted_version_that_is_not_there_keeps_the_engine_from_opening(tmp_path: Path, is_configured: bool) -> None:
    """Nobody goes back to the old champion in silence."""

    async def main() -> None:
        async with engine(tmp_path) as one:
            await one.rollout("start", "june", share=0.5, **CANARY)
            await one.rollout("promote", "june", by="kim")
        parts = {} if is_configured else {"rollouts": None}
        with pytest.raises(SetupError, match=r"`june` promoted `stricter` .* it is not there: put that version where"):
            async with engine(tmp_path, candidates={}, **parts):
                pass
        async with engine(tmp_path, [STRICTER], candidates={}, **parts):
            pass  # the file has caught up

    asyncio.run(main())


@pytest.mark.parametrize(
    ("candidates", "policies", "why"),
    [
        ({"laxer": LAXER}, [CHAMPION], "has no candidate `stricter` any more"),
        ({"stricter": version(21)}, [CHAMPION], "is another version by now"),
        ({"stricter": STRICTER}, [version(60)], "another version of `onboarding` answers by now"),
    ],
)
def test_rollout_that_cannot_go_on_is_aborted_with_a_record(
    tmp_path: Path, candidates: dict[str, Any], policies: list[Any], why: str
) -> None:
    async def main() -> None:
        async with engine(tmp_path) as one:
            await one.rollout("start", "june", share=0.5, **CANARY)
        async with engine(tmp_path, policies, candidates=candidates) as one:
            (june,) = await one.rollouts()
            assert (june.status, june.action, june.by) == ("ended", "abort", "adjudge") and why in june.reason
            assert arms(await decided(one, range(3))) == [None] * 3

    asyncio.run(main())
    assert changes(tmp_path) == [("june", "start", "kim"), ("june", "abort", "adjudge")]


def test_one_of_two_canaries_that_were_started_at_the_same_moment_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By two workers: each found room. The other one would wait unseen, and begin when the first ends."""
    monkeypatch.setattr("adjudge.rollouts.commands._require_room", lambda *_: None)

    async def main() -> None:
        async with engine(tmp_path) as one:
            for name in ("july", "june"):
                await one.rollout("start", name, share=0.5, **CANARY)
            found = {each.name: (each.status, each.by, each.reason) for each in await one.rollouts()}
            assert found["july"][0] == "running"
            assert found["june"] == ("ended", "adjudge", "`onboarding` has the canary `july`")

    asyncio.run(main())


def test_engine_that_takes_part_in_none_ends_none(tmp_path: Path) -> None:
    """It is another program, such as one that only reads."""

    async def main() -> None:
        async with engine(tmp_path) as one:
            await one.rollout("start", "june", share=1.0, **CANARY)
        async with engine(tmp_path, rollouts=None) as one:
            assert arms(await decided(one, range(3))) == [None] * 3
            assert [june.status for june in await one.rollouts()] == ["running"]
            with pytest.raises(RequestError, match="takes part in no rollouts"):
                await one.rollout("abort", "june", by="kim")
        async with engine(tmp_path) as one:
            assert arms(await decided(one, range(3, 6))) == ["canary"] * 3

    asyncio.run(main())


def test_replace_ends_the_canary_of_another_champion_and_lets_shadow_and_hold_out_go_on(tmp_path: Path) -> None:
    other = version(60)

    async def main() -> None:
        async with engine(tmp_path) as one:
            await one.rollout("start", "june", share=0.5, **CANARY)
            await one.rollout("start", "watch", mode="shadow", candidate="laxer", by="kim")
            await one.rollout("start", "control", mode="hold-out", candidate="laxer", share=0.5, by="kim")
            await one.replace([version(70)])
            assert {each.status for each in await one.rollouts()} == {"running"}, "it is the same version"
            await one.replace([other])
            found = {each.name: each for each in await one.rollouts()}
            assert {name: each.status for name, each in found.items()} == {
                "june": "ended",
                "watch": "running",
                "control": "running",
            }
            assert "another version of `onboarding` answers by now" in found["june"].reason
            decisions = await decided(one, range(40))
            assert set(arms(decisions)) == {"hold-out", "champion"}
            assert {each.policy_digest for each in decisions} == {other.digest, LAXER.digest}
            await one.replace([version(1, **{"policy: onboarding": "policy: payouts"})])
            assert {each.status for each in await one.rollouts()} == {"ended"}

    asyncio.run(main())


def test_replace_keeps_what_was_promoted_while_the_file_is_the_old_one(tmp_path: Path) -> None:
    async def main() -> None:
        async with engine(tmp_path) as one:
            await one.rollout("start", "june", share=0.5, **CANARY)
            await one.rollout("promote", "june", by="kim")
            await one.replace([CHAMPION])
            assert one.policies["onboarding"] is STRICTER
            await one.replace([LAXER])
            assert one.policies["onboarding"] is LAXER
            await one.replace([CHAMPION])
            assert one.policies["onboarding"] is STRICTER

    asyncio.run(main())


def test_replace_that_cannot_end_a_canary_changes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    newer = version(50)

    async def main() -> None:
        async with engine(tmp_path) as one:
            await one.rollout("start", "june", share=0.5, **CANARY)

            async def lost(*_: object) -> None:
                raise AuditUnavailable("no space left on device")

            with monkeypatch.context() as broken:
                broken.setattr(one._rollouts, "_noted_as", lost)
                with pytest.raises(AuditUnavailable):
                    await one.replace([newer])
            assert one.policies["onboarding"].digest == CHAMPION.digest
            assert set(arms(await decided(one, range(30)))) == {"canary", "champion"}
            await one.replace([newer])
            assert one.policies["onboarding"].digest == newer.digest
            assert arms(await decided(one, range(30, 60))) == [None] * 30

    asyncio.run(main())


def test_rollouts_work_without_a_log_for_as_long_as_the_engine_is_open() -> None:
    async def main() -> None:
        async with engine(None) as one:
            await one.rollout("start", "june", share=1.0, **CANARY)
            assert arms(await decided(one, range(3))) == ["canary"] * 3
        assert one.rollouts_sync  # and there is the same for threads

    asyncio.run(main())
    with engine(None) as one:
        assert one.rollout_sync("start", "june", share=1.0, **CANARY).status == "running"
        assert [each.name for each in one.rollouts_sync()] == ["june"]


def test_candidate_that_is_no_version_of_a_policy_is_refused() -> None:
    with pytest.raises(SetupError, match="the candidate `x` is a version of `payouts`, which is no policy"):
        engine(None, candidates={"x": version(1, **{"policy: onboarding": "policy: payouts"})})
    with pytest.raises(SetupError, match="`a b` is no name of a candidate"):
        engine(None, candidates={"a b": STRICTER})
    assert REGISTRY is not None


def test_record_of_an_earlier_version_has_neither_arm_nor_shadows(tmp_path: Path) -> None:
    async def main() -> None:
        async with engine(tmp_path, rollouts=None) as one:
            await decided(one, range(1))

    asyncio.run(main())
    line = [
        each for each in (tmp_path / "audit-000001.jsonl").read_bytes().splitlines() if b'"kind":"decision"' in each
    ]
    assert b'"arm"' not in line[0] and b'"shadows"' not in line[0]
    assert msgspec.json.decode(line[0], type=DecisionBody).arm is None
