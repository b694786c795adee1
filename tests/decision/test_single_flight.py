"""One answer in the making for each MerchantBizId."""

from __future__ import annotations

import asyncio

import pytest
from msgspec.structs import replace

from adjudge.decision.prepared import RequestKey
from adjudge.decision.single_flight import SingleFlight
from adjudge.errors import MerchantBizIdConflict
from adjudge.model import Decision
from adjudge.testing import decide_once

DECISION = decide_once("{policy_language: 1, policy: p, inputs: {n: int}, rules: [{id: r, when: n > 1, then: review}]}")


class Work:
    """Work that ends when told to, and counts how often it was begun."""

    def __init__(self, error: Exception | None = None) -> None:
        self.begun = 0
        self.error = error
        self.go_on = asyncio.Event()

    async def __call__(self) -> Decision:
        self.begun += 1
        number = self.begun
        await self.go_on.wait()
        if self.error is not None:
            raise self.error
        return replace(DECISION, decision_id=f"{number:032x}")


async def soon(*tasks: asyncio.Task[Decision]) -> None:
    """Let tasks run as far as they can."""
    for _ in range(10):
        await asyncio.sleep(0)


def test_single_flight_followers_get_the_leaders_answer_as_a_duplicate() -> None:
    async def main() -> None:
        single, work = SingleFlight(), Work()
        callers = [asyncio.create_task(single.run(RequestKey("id", "f"), work)) for _ in range(5)]
        await soon()
        work.go_on.set()
        answers = await asyncio.gather(*callers)
        assert work.begun == 1
        assert [answer.status for answer in answers] == ["fresh", *["duplicate"] * 4]
        assert {answer.decision_id for answer in answers} == {f"{1:032x}"}
        await single.wait()
        assert (await single.run(RequestKey("id", "f"), work)).status == "fresh", (
            "what has landed is the store's business"
        )

    asyncio.run(main())


def test_single_flight_other_ids_do_not_wait() -> None:
    async def main() -> None:
        single, slow, quick = SingleFlight(), Work(), Work()
        waiting = asyncio.create_task(single.run(RequestKey("id", "f"), slow))
        await soon()
        quick.go_on.set()
        await single.run(RequestKey("other", "f"), quick)
        assert not waiting.done()
        slow.go_on.set()
        await waiting

    asyncio.run(main())


def test_single_flight_another_fingerprint_is_a_conflict_at_once() -> None:
    async def main() -> None:
        single, work = SingleFlight(), Work()
        leader = asyncio.create_task(single.run(RequestKey("id", "f"), work))
        await soon()
        for anew in (False, True):
            with pytest.raises(MerchantBizIdConflict, match=r"id came before with another face.*Use a new id"):
                await single.run(RequestKey("id", "g"), work, anew=anew)
        work.go_on.set()
        await leader
        assert work.begun == 1

    asyncio.run(main())


def test_single_flight_cancelled_callers_leave_the_work_to_the_others() -> None:
    async def main() -> None:
        single, work = SingleFlight(), Work()
        leader, *followers = [asyncio.create_task(single.run(RequestKey("id", "f"), work)) for _ in range(3)]
        await soon()
        leader.cancel()
        followers[0].cancel()
        await soon()
        assert leader.cancelled() and followers[0].cancelled()
        late = asyncio.create_task(single.run(RequestKey("id", "f"), work))
        await soon()
        work.go_on.set()
        assert (await followers[1]).decision_id == (await late).decision_id
        assert work.begun == 1

    asyncio.run(main())


def test_single_flight_failure_goes_to_all_who_wait_and_is_not_kept() -> None:
    complaints: list[object] = []

    async def main() -> None:
        asyncio.get_running_loop().set_exception_handler(lambda loop, context: complaints.append(context))
        single, work = SingleFlight(), Work(ValueError("no"))
        callers = [asyncio.create_task(single.run(RequestKey("id", "f"), work)) for _ in range(3)]
        gone = asyncio.create_task(single.run(RequestKey("alone", "f"), work))
        await soon()
        gone.cancel()
        work.go_on.set()
        assert all(isinstance(said, ValueError) for said in await asyncio.gather(*callers, return_exceptions=True))
        await single.wait()
        work.error = None
        assert (await single.run(RequestKey("id", "f"), work)).status == "fresh"

    asyncio.run(main())
    assert complaints == []


def test_single_flight_anew_does_not_take_an_answer_that_was_under_way_but_shares_one_made_anew() -> None:
    async def main() -> None:
        single, work = SingleFlight(), Work()
        plain = asyncio.create_task(single.run(RequestKey("id", "f"), work))
        await soon()
        anew = [asyncio.create_task(single.run(RequestKey("id", "f"), work, anew=True)) for _ in range(3)]
        await soon()
        assert work.begun == 1, "one at a time"
        work.go_on.set()
        answers = await asyncio.gather(plain, *anew)
        assert work.begun == 2
        assert [int(answer.decision_id, 16) for answer in answers] == [1, 2, 2, 2]
        assert [answer.status for answer in answers] == ["fresh", "fresh", "duplicate", "duplicate"]

    asyncio.run(main())


def test_single_flight_wait_waits_for_work_whose_caller_is_gone() -> None:
    async def main() -> None:
        single, work = SingleFlight(), Work()
        caller = asyncio.create_task(single.run(RequestKey("id", "f"), work))
        await soon()
        caller.cancel()
        landed = asyncio.create_task(single.wait())
        await soon()
        assert not landed.done()
        work.go_on.set()
        await landed

    asyncio.run(main())


@pytest.mark.parametrize("asked_first", [False, True])
def test_single_flight_who_waits_for_what_was_asked_for_waits_for_what_begins_after_another(asked_first: bool) -> None:
    """As who closes: what is wanted anew begins when the answer before it has ended."""

    async def main() -> None:
        single, first, second = SingleFlight(), Work(), Work()
        callers = [asyncio.create_task(single.run(RequestKey("id", "f"), first))]
        await soon()
        waiting = [asyncio.create_task(wait) for wait in (single.wait(), single.wait_for_these())]
        if asked_first:
            await soon()
        callers.append(asyncio.create_task(single.run(RequestKey("id", "f"), second, anew=True)))
        await asyncio.sleep(0)
        if not asked_first:
            waiting[1] = asyncio.create_task(single.wait_for_these())
            waiting.append(asyncio.create_task(single.wait_for("id")))
        await asyncio.wait_for(single.wait_for("another id"), 60)
        await soon()
        first.go_on.set()
        await soon()
        assert second.begun == 1
        expected = [False, True] if asked_first else [False, False, False]
        assert [task.done() for task in waiting] == expected, "who asked before it came waits for it no longer"
        second.go_on.set()
        await asyncio.gather(*callers, *waiting)

    asyncio.run(main())
