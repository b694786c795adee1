"""What people decide in place of the policy, as an engine does it and its log keeps it."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from pathlib import Path

import pytest
from reviewing import Clock, engine, request

from adjudge.audit.bodies import DecisionBody
from adjudge.audit.kinds import bodies
from adjudge.audit.reviews import ReviewBody
from adjudge.backtest.table import _held
from adjudge.documents.reviews import ReviewQuery
from adjudge.engine import Engine
from adjudge.errors import AuditUnavailable, RequestError
from adjudge.model import DecisionQuery, Outcome
from adjudge.replay.decisions import replay
from adjudge.replay.reviews import review_report
from adjudge.reviews.settings import ReviewSettings
from audit.audit_logs import assert_verifies

KNOWN = {"outcome": "pass", "reason": "KNOWN_CUSTOMER"}
FORGED = {"outcome": "reject", "reason": "FORGED"}


async def waiting(one: Engine, **wanted: object) -> list[tuple[str, str]]:
    """Return what waits: the decision and how it stands."""
    found = await one.reviews(ReviewQuery(**wanted))  # type: ignore[arg-type]
    return [(each.decision_id, each.status) for each in found.reviews]


def test_a_persons_decision_answers_in_place_of_the_policys(tmp_path: Path) -> None:
    """A retry is answered by it, also after a restart; the log verifies, and replays as before."""
    clock = Clock()

    async def main() -> None:
        async with engine(tmp_path, clock) as one:
            first = await one.decide(request(1))
            assert first.outcome is Outcome.REVIEW
            (found,) = (await one.reviews()).reviews
            assert (found.decision_id, found.status, found.reasons) == (first.decision_id, "open", ("HIGH",))
            clock.forward(days=3)  # a rule of the policy asks what time it is
            assert (await one.review("claim", first.decision_id, by="kim")).holder == "kim"
            done = await one.review("decide", first.decision_id, **KNOWN, note="called them", by="kim")
            assert done.first is not None and (done.status, done.first.by) == ("decided", "kim")
            assert [note.note for note in done.notes] == ["called them"]
            again = await one.decide(request(1))
            assert (again.outcome, again.status, again.decision_id) == (Outcome.PASS, "duplicate", done.decision)
            assert (again.supersedes, again.verdict, again.final) == (first.decision_id, first.verdict, True)
            assert await waiting(one) == []
            passed = await one.search(DecisionQuery(outcome=Outcome.PASS))
            assert [each.decision_id for each in passed.decisions] == [done.decision]
        async with engine(tmp_path, clock) as one:
            assert (await one.decide(request(1))).outcome is Outcome.PASS
            assert await one.find_review(first.decision_id) == done
            assert (await one.decide(request(1), anew=True)).outcome is Outcome.REVIEW
            assert [status for _, status in await waiting(one)] == ["open"]

    asyncio.run(main())
    assert [body.act for _, body in bodies(tmp_path, ReviewBody)] == ["claimed", "decided"]
    second = [body for _, body in bodies(tmp_path, DecisionBody)][1]
    assert second.reviewed is not None and second.reviewed.judged_at < second.at and not second.cost
    assert {one.answer for one in replay(tmp_path)} == {"identical"}
    assert_verifies(tmp_path)


def test_export_has_a_persons_decision_with_the_time_of_its_verdict(tmp_path: Path) -> None:
    """A policy that asks what time it is comes out in a backtest as it came out then."""
    clock = Clock()

    async def main() -> None:
        async with engine(tmp_path, clock) as one:
            review = (await one.decide(request(1))).decision_id
            clock.forward(days=3)
            await one.review("claim", review, by="kim")
            await one.review("decide", review, **KNOWN, by="kim")

    asyncio.run(main())
    found = [body for _, body in bodies(tmp_path, DecisionBody)]
    held = _held(found)
    assert [*held["at"]] == [found[0].at, found[0].at] and found[1].at - found[0].at > timedelta(days=2)


def test_only_who_holds_a_review_decides_it_and_a_claim_lapses(tmp_path: Path) -> None:
    clock = Clock()

    async def main() -> None:
        async with engine(tmp_path, clock, reviews=ReviewSettings(held_for_s=600)) as one:
            review = (await one.decide(request(1))).decision_id
            with pytest.raises(RequestError, match="claim the review first"):
                await one.review("decide", review, **KNOWN, by="kim")
            await one.review("claim", review, by="kim")
            for action, said in (("claim", {}), ("decide", KNOWN)):
                with pytest.raises(RequestError, match="is held by `kim`"):
                    await one.review(action, review, **said, by="lee")
            with pytest.raises(RequestError, match="does not hold"):
                await one.review("release", review, by="lee")
            clock.forward(seconds=599)
            await one.review("note", review, note="ask the branch", by="lee")
            assert await waiting(one, holder="kim") == [(review, "claimed")]
            clock.forward(seconds=1)
            assert await waiting(one) == [(review, "open")]
            await one.review("claim", review, by="lee")
            with pytest.raises(RequestError, match="is held by `lee`"):
                await one.review("decide", review, **KNOWN, by="kim")
            await one.review("release", review, by="lee")
            await one.review("claim", review, by="kim")
            await one.review("decide", review, **FORGED, by="kim")
            with pytest.raises(RequestError, match="decided by `kim`"):
                await one.review("claim", review, by="lee")
            assert (await one.decide(request(1))).outcome is Outcome.REJECT

    asyncio.run(main())
    assert_verifies(tmp_path)


def test_of_many_who_claim_and_decide_at_once_one_does(tmp_path: Path) -> None:
    async def main() -> None:
        async with engine(tmp_path) as one:
            review = (await one.decide(request(1))).decision_id
            names = [f"p{n}" for n in range(8)]
            came = await asyncio.gather(
                *(one.review("claim", review, by=name) for name in names), return_exceptions=True
            )
            holders = {each.holder for each in came if not isinstance(each, BaseException)}
            assert sum(isinstance(each, RequestError) for each in came) == len(names) - 1
            (holder,) = holders
            assert holder is not None
            both = [one.review("decide", review, **said, by=holder) for said in (KNOWN, FORGED, KNOWN)]
            done = await asyncio.gather(*both, return_exceptions=True)
            assert sum(not isinstance(each, BaseException) for each in done) == 1
            assert all(isinstance(each, RequestError) for each in done if isinstance(each, BaseException))

    asyncio.run(main())
    assert sum(body.reviewed is not None for _, body in bodies(tmp_path, DecisionBody)) == 1
    assert sum(body.act == "decided" for _, body in bodies(tmp_path, ReviewBody)) == 1
    assert_verifies(tmp_path)


def test_reject_that_a_person_has_to_confirm_waits_too(tmp_path: Path) -> None:
    async def main() -> None:
        async with engine(tmp_path, Clock()) as one:
            sure, other = [await one.decide(request(n, score=95)) for n in (1, 2)]
            assert sure.outcome is Outcome.REJECT and not sure.final
            assert {each.outcome for each in (await one.reviews()).reviews} == {"reject"}
            for decision, said in ((sure, FORGED), (other, KNOWN)):
                await one.review("claim", decision.decision_id, by="kim")
                await one.review("decide", decision.decision_id, **said, by="kim")
            found = [await one.decide(request(n, score=95)) for n in (1, 2)]
            assert [(each.outcome, each.final) for each in found] == [(Outcome.REJECT, True), (Outcome.PASS, True)]
            for decision in (await one.decide(request(3, score=1)), found[0]):
                with pytest.raises(RequestError, match="person"):
                    await one.review("claim", decision.decision_id, by="kim")

    asyncio.run(main())


def test_second_person_looks_without_being_told_of_the_first(tmp_path: Path) -> None:
    async def main() -> None:
        async with engine(tmp_path, reviews=ReviewSettings(second=1.0)) as one:
            agreed, apart = [(await one.decide(request(n))).decision_id for n in (1, 2)]
            for review in (agreed, apart):
                await one.review("claim", review, by="kim")
                shown = await one.review("decide", review, **KNOWN, note="looks fine", by="kim")
                assert shown.status == "second" and shown.first is not None
            with pytest.raises(RequestError, match="another person"):
                await one.review("claim", agreed, by="kim")
            for review, said in ((agreed, {**KNOWN, "reason": "OTHER_CODE"}), (apart, FORGED)):
                seen = await one.review("claim", review, by="lee")
                assert (seen.first, seen.decision, seen.notes) == (None, None, ())
                done = await one.review("decide", review, **said, by="lee")
                assert done.agrees is (review == agreed)
            assert await waiting(one) == []
            assert len(await waiting(one, status="decided")) == 2
            assert (await one.decide(request(2))).outcome is Outcome.PASS  # the first one's stands

    asyncio.run(main())
    assert [body.act for _, body in bodies(tmp_path, ReviewBody)].count("second") == 2
    found = review_report(tmp_path)
    assert (found.second, found.agreed, len(found.apart), found.waiting) == (2, 1, 1, 0)
    assert dict(found.decided) == {(Outcome.PASS, "KNOWN_CUSTOMER"): 2} and found.people == {"kim": 2}


@pytest.mark.parametrize(
    ("said", "where"),
    [
        ({"action": "pass"}, "action"),
        ({"action": "decide", "outcome": "review", "reason": "X"}, "outcome"),
        ({"action": "decide", "reason": "X"}, "outcome"),
        ({"action": "decide", "outcome": "pass"}, "reason"),
        ({"action": "decide", "outcome": "pass", "reason": "because"}, "reason"),
        ({"action": "decide", "outcome": "reject", "reason": "KNOWN_CUSTOMER"}, "reason"),
        ({"action": "claim", "reason": "X"}, "reason"),
        ({"action": "note", "note": " "}, "note"),
        ({"action": "note", "note": "n" * 1001}, "note"),
        ({"action": "claim", "by": " "}, "by"),
        ({"action": "claim", "by": "adjudge"}, "by"),
        ({"action": "claim", "decision_id": "0" * 32}, "decision_id"),
        ({"action": "claim", "decision_id": "x"}, "decision_id"),
    ],
)
def test_what_cannot_be_done_is_refused_and_leaves_no_record(tmp_path: Path, said: dict[str, str], where: str) -> None:
    async def main() -> None:
        settings = ReviewSettings(reasons={Outcome.REJECT: ("FORGED",)})
        async with engine(tmp_path, reviews=settings) as one:
            review = (await one.decide(request(1))).decision_id
            await one.review("claim", review, by="kim")
            with pytest.raises(RequestError) as raised:
                await one.review(**{"decision_id": review, "by": "kim", **said})
            assert raised.value.where == where

    asyncio.run(main())
    assert len([*bodies(tmp_path, ReviewBody)]) == 1


def test_review_that_was_decided_anew_is_nobodys_any_more(tmp_path: Path) -> None:
    async def main() -> None:
        async with engine(tmp_path) as one:
            first = (await one.decide(request(1))).decision_id
            await one.review("claim", first, by="kim")
            second = (await one.decide(request(1), anew=True)).decision_id
            with pytest.raises(RequestError, match="decided anew"):
                await one.review("decide", first, **KNOWN, by="kim")
            assert await waiting(one) == [(second, "open")]

    asyncio.run(main())


def test_many_are_decided_only_where_the_count_is_right(tmp_path: Path) -> None:
    async def main() -> None:
        async with engine(tmp_path, Clock(), reviews=ReviewSettings(second=1.0)) as one:
            made = [(await one.decide(request(n))).decision_id for n in range(4)]
            other = (await one.decide(request(9, score=1, signals={}))).decision_id
            await one.review("claim", made[0], by="lee")
            await one.review("claim", made[1], by="kim")
            said = {**KNOWN, "by": "kim"}
            for wrong in (2, 4, 5):
                with pytest.raises(RequestError, match="shows 3"):
                    await one.review_many(ReviewQuery(reason="HIGH"), count=wrong, **said)
            for nothing in (ReviewQuery(), ReviewQuery(reason="HIGH", holder="lee"), ReviewQuery(status="second")):
                with pytest.raises(RequestError):
                    await one.review_many(nothing, count=3, **said)
            assert not [each for each in (await one.reviews(by="kim")).reviews if each.first is not None]
            done = await one.review_many(ReviewQuery(reason="HIGH"), count=3, **said)
            assert {each.decision_id for each in done if not isinstance(each, RequestError)} == {*made[1:]}
            assert await waiting(one, status="open") == [(other, "open")]
            with pytest.raises(RequestError, match="shows 0"):
                await one.review_many(ReviewQuery(reason="HIGH"), count=3, **{**said, "by": "max"})

    asyncio.run(main())
    assert [body.act for _, body in bodies(tmp_path, ReviewBody)].count("decided") == 3


def test_retry_that_brings_more_does_not_undo_what_a_person_decided(tmp_path: Path) -> None:
    async def main() -> None:
        async with engine(tmp_path, Clock()) as one:
            first = await one.decide(request(1, score=1, signals={}))
            assert first.outcome is Outcome.REVIEW and not first.verdict.settled
            await one.review("claim", first.decision_id, by="kim")
            done = await one.review("decide", first.decision_id, **FORGED, by="kim")
            again = await one.decide(request(1, score=1))
            assert (again.decision_id, again.status, again.outcome) == (done.decision, "duplicate", Outcome.REJECT)
            assert (await one.decide(request(1, score=1), anew=True)).outcome is Outcome.PASS

    asyncio.run(main())
    assert {one.answer for one in replay(tmp_path)} == {"identical"}


def test_decision_whose_review_was_not_noted_is_found_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever decided died after the answer, and before the record of the review."""

    async def main() -> None:
        async with engine(tmp_path) as one:
            review = (await one.decide(request(1))).decision_id
            await one.review("claim", review, by="kim")
            with monkeypatch.context() as broken:

                async def fail(*_: object, **__: object) -> None:
                    raise AuditUnavailable("killed")

                broken.setattr(one._reviews, "_note_decided", fail)
                with pytest.raises(AuditUnavailable):
                    await one.review("decide", review, **FORGED, by="kim")
        async with engine(tmp_path) as one:
            assert await waiting(one) == []
            found = await one.find_review(review)
            assert found.first is not None and (found.first.by, found.first.outcome) == ("kim", "reject")
            assert (await one.decide(request(1))).decision_id == found.decision

    asyncio.run(main())
    assert [body.act for _, body in bodies(tmp_path, ReviewBody)] == ["claimed", "decided"]


def test_erased_subject_is_decided_all_the_same(tmp_path: Path) -> None:
    async def main() -> None:
        async with engine(tmp_path) as one:
            decision = await one.decide(request(1))
            await one.erase(decision.merchant_biz_id, by="dpo")
            await one.review("claim", decision.decision_id, by="kim")
            await one.review("decide", decision.decision_id, **FORGED, by="kim")

    asyncio.run(main())
    assert "different" not in {one.answer for one in replay(tmp_path)}
    assert_verifies(tmp_path)


def test_queue_without_a_log_is_in_memory() -> None:
    async def main() -> None:
        async with engine(None) as one:
            decision = await one.decide(request(1))
            await one.review("claim", decision.decision_id, by="kim")
            assert await waiting(one) == [(decision.decision_id, "claimed")]
            done = await one.review("decide", decision.decision_id, **KNOWN, by="kim")
            assert (await one.decide(request(1))).decision_id == done.decision

    asyncio.run(main())
