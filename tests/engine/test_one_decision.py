"""One MerchantBizId, one decision: each row of the table in the contract."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from engines import CLEAN, MEDIA, POLICY, device, engine, face, recorded, request, trail
from msgspec.structs import replace
from structlog.testing import capture_logs

from adjudge.audit.log import Durability
from adjudge.decision.fingerprint import fingerprints
from adjudge.engine import Engine
from adjudge.errors import MerchantBizIdConflict, SignalFailed
from adjudge.model import Decision, Face, Outcome, Request, SignalStatus
from adjudge.registry import parse_policy
from adjudge.testing import FakeClock, Slow, fake_provider, registry_of

CALLERS = 200


def test_decide_settled_decision_comes_back_as_a_duplicate_and_nobody_is_asked() -> None:
    asked = [face({"score": 0.95}), device(SignalFailed("down"))]
    with capture_logs(), engine(asked) as door:
        first = door.decide_sync(request())
        again = door.decide_sync(request())
    assert (first.status, first.outcome, first.verdict.settled) == ("fresh", Outcome.REJECT, True)
    assert again == replace(first, status="duplicate")
    assert [len(provider.calls) for provider in asked] == [1, 1], "what failed could change nothing"


def test_decide_complete_decision_comes_back_though_it_is_not_settled() -> None:
    asked = [face({}), device()]
    with engine(asked) as door:
        first, again = (door.decide_sync(request()) for _ in range(2))
    assert not first.verdict.settled and first.outcome is Outcome.REVIEW
    assert (again.status, again.decision_id) == ("duplicate", first.decision_id)
    assert [len(provider.calls) for provider in asked] == [1, 1]


@pytest.mark.parametrize(
    "failure",
    [SignalFailed("down"), SignalFailed("late", kind="timeout"), SignalFailed("off", kind="unavailable"), ValueError()],
)
def test_decide_incomplete_decision_is_superseded_asking_only_what_had_failed(failure: Exception) -> None:
    asked = [face({"score": 0.2, "request_id": "r-1"}), device(failure, failure, {"emulator": True})]
    with capture_logs(), engine(asked) as door:
        first, second, third, fourth = (door.decide_sync(request()) for _ in range(4))
    assert [one.status for one in (first, second, third, fourth)] == ["fresh", "supersedes", "supersedes", "duplicate"]
    assert (second.supersedes, third.supersedes) == (first.decision_id, second.decision_id)
    assert (first.outcome, third.outcome, third.verdict.settled) == (Outcome.REVIEW, Outcome.REVIEW, True)
    assert third.verdict.matched == ("emulated",)
    assert fourth.decision_id == third.decision_id
    assert [len(provider.calls) for provider in asked] == [1, 3]
    assert (first.cost, third.cost) == ({"USD": Decimal("0.10")}, {}), "what was paid for is not paid for twice"
    assert third.signals["face"].fields == {"score": 0.2} and third.signals["face"].request_id == "r-1"


def test_decide_skipped_signal_is_asked_when_a_later_answer_makes_it_matter() -> None:
    policy = POLICY + "gather: thrifty\n"
    asked = [face({"score": 0.95}), device(SignalFailed("down"), {"emulator": False})]
    with capture_logs(), engine(asked, policies=[policy]) as door:
        first = door.decide_sync(request(inputs=CLEAN | {"email": "x@bad.example"}))
        assert first.signals["face"].status is SignalStatus.SKIPPED
        assert [len(provider.calls) for provider in asked] == [0, 0], "rejected by its mail alone"
        second = door.decide_sync(request(1))
        assert second.outcome is Outcome.REJECT and second.signals["face"].status is SignalStatus.OK


@pytest.mark.parametrize(
    "other",
    [
        {"scene_code": "onboard002"},
        {"face": Face.from_bytes(MEDIA + b"!")},
        {"face": None},
        {"inputs": CLEAN | {"country": "KP"}},
        {"inputs": {}},
    ],
    ids=lambda parts: next(iter(parts)),
)
def test_decide_another_fingerprint_is_a_conflict_and_the_first_decision_stands(other: dict[str, Any]) -> None:
    asked = [face(), device()]
    with engine(asked) as door:
        first = door.decide_sync(request())
        for anew in (False, True):
            with pytest.raises(MerchantBizIdConflict, match=r"0{32} came before with another face"):
                door.decide_sync(request(**other), anew=anew)
        assert door.decide_sync(request()).decision_id == first.decision_id
    assert [len(provider.calls) for provider in asked] == [1, 1]


class Held:
    """A provider's answer that is held until it is let go; `asked` says when somebody waits for it."""

    def __init__(self) -> None:
        self.asked, self.answer = threading.Event(), asyncio.Event()
        self.loop: asyncio.AbstractEventLoop

    async def __call__(self, context: object) -> dict[str, float]:
        self.loop = asyncio.get_running_loop()
        self.asked.set()
        await self.answer.wait()
        return {"score": 0.1}

    async def is_asked(self) -> None:
        """Wait until it is asked, on the loop that it is asked on."""
        while not self.asked.is_set():
            await asyncio.sleep(0)

    def let_go(self) -> None:
        """Answer; from any thread."""
        self.loop.call_soon_threadsafe(self.answer.set)


def test_decide_conflict_with_a_decision_under_way_is_noticed_at_once() -> None:
    async def main() -> None:
        held = Held()
        async with engine([face(held), device()]) as door:
            first = asyncio.create_task(door.decide(request()))
            await held.is_asked()
            with pytest.raises(MerchantBizIdConflict):
                await door.decide(request(face=None))
            assert not first.done()
            held.let_go()
            assert (await first).status == "fresh"

    asyncio.run(main())


def test_decide_what_the_caller_brings_later_completes_the_decision() -> None:
    with engine() as door:
        abroad = CLEAN | {"country": "US"}
        first = door.decide_sync(request(inputs=abroad))
        assert first.signals["own"].status is SignalStatus.NOT_PROVIDED
        assert door.decide_sync(request(inputs=abroad)).status == "duplicate"
        second = door.decide_sync(request(inputs=abroad, signals={"own": {"ok": True}}))
        assert (second.status, second.supersedes, second.outcome) == ("supersedes", first.decision_id, Outcome.PASS)
        third = door.decide_sync(request(inputs=abroad))
        assert (third.status, third.decision_id) == ("duplicate", second.decision_id)


def test_decide_what_the_caller_brought_is_kept_when_a_failed_signal_is_asked_again() -> None:
    asked = [face(), device(SignalFailed("down"), {"emulator": False})]
    abroad = CLEAN | {"country": "US"}
    with capture_logs(), engine(asked) as door:
        door.decide_sync(request(inputs=abroad, signals={"own": {"ok": True}}))
        second = door.decide_sync(request(inputs=abroad))
    assert (second.status, second.signals["own"].fields) == ("supersedes", {"ok": True})


def test_decide_anew_asks_everybody_again_and_supersedes() -> None:
    asked = [face({"score": 0.1}, {"score": 0.95}), device()]
    with engine(asked) as door:
        first = door.decide_sync(request())
        second = door.decide_sync(request(), anew=True)
        again = door.decide_sync(request())
    assert (second.status, second.supersedes) == ("supersedes", first.decision_id)
    assert (first.outcome, second.outcome) == (Outcome.PASS, Outcome.REJECT)
    assert second.cost == {"USD": Decimal("0.10")}
    assert (again.status, again.decision_id) == ("duplicate", second.decision_id)
    assert [len(provider.calls) for provider in asked] == [2, 2]
    with engine() as door:
        assert door.decide_sync(request(), anew=True).status == "fresh"


def test_decide_after_the_time_to_live_is_fresh() -> None:
    clock = FakeClock()
    with engine(answer_for_s=60, clock=clock) as door:
        first = door.decide_sync(request())
        clock.advance(61)
        second = door.decide_sync(request(face=None))
    assert (first.status, second.status, second.supersedes) == ("fresh", "fresh", None)


def one_answer(decisions: list[Decision]) -> None:
    assert len({decision.decision_id for decision in decisions}) == 1
    assert sorted(decision.status for decision in decisions) == ["duplicate"] * (CALLERS - 1) + ["fresh"]


def test_decide_two_hundred_tasks_at_one_id_are_one_call(tmp_path: Path) -> None:
    asked = [face(Slow(0.02, {"score": 0.1})), device()]

    async def main() -> list[Decision]:
        async with engine(asked, at=tmp_path) as door:
            return await asyncio.gather(*(door.decide(request()) for _ in range(CALLERS)))

    one_answer(asyncio.run(main()))
    assert [len(provider.calls) for provider in asked] == [1, 1]
    assert len(recorded(tmp_path)) == 1


def test_decide_two_hundred_threads_at_one_id_are_one_call(tmp_path: Path) -> None:
    asked = [face(Slow(0.02, {"score": 0.1})), device()]
    together = threading.Barrier(CALLERS)

    def call(_: int) -> Decision:
        together.wait(120)
        return door.decide_sync(request())

    with engine(asked, at=tmp_path) as door, ThreadPoolExecutor(CALLERS) as threads:
        decisions = list(threads.map(call, range(CALLERS)))
    one_answer(decisions)
    assert [len(provider.calls) for provider in asked] == [1, 1]
    assert len(recorded(tmp_path)) == 1


@pytest.mark.parametrize("durability", ["fsync", "flush", "async"])
def test_decide_two_hundred_tasks_at_one_id_without_providers_are_one_record(
    durability: Durability, tmp_path: Path
) -> None:
    policy = "{policy_language: 1, policy: p, inputs: {n: int}, rules: [{id: r, when: n > 1, then: review}]}"

    async def main() -> None:
        async with engine([], policies=[policy], trail=trail(tmp_path, durability=durability)) as door:
            for n in range(3):
                given = request(n, inputs={"n": n})
                one_answer(await asyncio.gather(*(door.decide(given) for _ in range(CALLERS))))
                with pytest.raises(MerchantBizIdConflict):
                    await door.decide(request(n, inputs={"n": n + 1}))

    asyncio.run(main())
    assert [one.merchant_biz_id for one in recorded(tmp_path)] == [f"{n:032x}" for n in range(3)]


def test_decide_two_event_loops_and_threads_at_one_id_are_one_call() -> None:
    asked = [face(Slow(0.05, {"score": 0.1})), device()]
    decisions: list[Decision] = []

    async def half(door: Engine) -> list[Decision]:
        return await asyncio.gather(*(door.decide(request()) for _ in range(CALLERS // 4)))

    async def main() -> None:
        async with engine(asked) as door:
            others = [asyncio.to_thread(asyncio.run, half(door)) for _ in range(2)]
            syncs = [asyncio.to_thread(door.decide_sync, request()) for _ in range(CALLERS // 4)]
            for found in await asyncio.gather(half(door), *others):
                decisions.extend(found)
            decisions.extend(await asyncio.gather(*syncs))

    asyncio.run(main())
    one_answer(decisions)
    assert [len(provider.calls) for provider in asked] == [1, 1]


def test_decide_leader_cancelled_leaves_the_answer_to_the_others() -> None:
    held = Held()
    asked = [face(held), device()]

    async def main() -> None:
        async with engine(asked) as door:
            leader, *others = [asyncio.create_task(door.decide(request())) for _ in range(4)]
            await held.is_asked()
            leader.cancel()
            await asyncio.sleep(0)
            held.let_go()
            decisions = await asyncio.gather(*others)
            assert leader.cancelled()
            assert len({decision.decision_id for decision in decisions}) == 1
            assert (await door.decide(request())).decision_id == decisions[0].decision_id

    asyncio.run(main())
    assert [len(provider.calls) for provider in asked] == [1, 1]


def test_decide_caller_in_another_loop_who_gives_up_cancels_nobody_elses_work() -> None:
    held = Held()
    asked = [face(held), device()]

    async def impatient() -> None:
        deciding = asyncio.create_task(door.decide(request()))
        await held.is_asked()
        deciding.cancel()
        with pytest.raises(asyncio.CancelledError):
            await deciding

    with engine(asked) as door:
        asyncio.run(impatient())
        held.let_go()
        assert door.decide_sync(request()).outcome is Outcome.PASS
    assert [len(provider.calls) for provider in asked] == [1, 1]


def test_decide_ids_differ_by_letter_case() -> None:
    with engine() as door:
        one = door.decide_sync(request(merchant_biz_id="a" * 32))
        other = door.decide_sync(request(merchant_biz_id="A" * 32, face=None))
    assert one.decision_id != other.decision_id and other.status == "fresh"


SUPPLIED = """
policy_language: 1
policy: supplied
signals: {device: {fields: {score: {type: double, range: [0, 100]}, emulator: bool}}}
rules:
  - {id: score, when: device.score >= 70, then: review}
  - {id: emulator, when: device.emulator, then: review}
"""


def test_retry_with_softer_supplied_values_changes_nothing_but_may_add_what_was_missing() -> None:
    registry = registry_of([])
    with Engine([parse_policy(SUPPLIED, registry=registry)], registry=registry) as engine:

        def ask(**device: object) -> Decision:
            return engine.decide_sync(
                Request(merchant_biz_id="a" * 32, scene_code="s", signals={"device": device} if device else {})
            )

        first = ask(score=50.0)
        assert (first.outcome, first.verdict.missing) == ("review", ("device.emulator",))
        assert ask(score=50.0).status == "duplicate"
        softer = ask(score=5.0, emulator=False)
        assert (softer.status, softer.outcome) == ("supersedes", "pass")
        assert softer.signals["device"].fields == {"score": 50.0, "emulator": False}
        assert ask(score=99.0, emulator=True).status == "duplicate"


def test_answer_with_refused_values_is_no_answer_to_keep() -> None:
    score = {"score": {"type": "double", "range": [0, 1]}}
    liar = fake_provider("acme.liar", score, {"score": "0.95"}, {"score": 0.95})
    policy = """
policy_language: 1
policy: liar
signals: {liar: {provider: acme.liar}}
rules: [{id: high, when: liar.score >= 0.9, then: reject}]
"""
    registry = registry_of([liar])
    with Engine([parse_policy(policy, registry=registry)], registry=registry) as engine:
        request = Request(merchant_biz_id="a" * 32, scene_code="s")
        answers = [engine.decide_sync(request) for _ in range(3)]
    assert [(one.status, one.outcome) for one in answers] == [
        ("fresh", "review"), ("supersedes", "reject"), ("duplicate", "reject")
    ]  # fmt: skip


def test_retry_that_says_the_same_in_other_json_is_a_duplicate() -> None:
    policy = """
policy_language: 1
policy: same
inputs: {share: {type: double, range: [0, 1]}, country: string}
rules: [{id: high, when: share >= 0.9, then: reject}]
"""
    registry = registry_of([])
    with Engine([parse_policy(policy, registry=registry)], registry=registry) as engine:
        asked: list[dict[str, object]] = [{"share": 1, "country": None}, {"share": 1.0}]
        answers = [engine.decide_sync(Request(merchant_biz_id="a" * 32, scene_code="s", inputs=one)) for one in asked]
    assert [one.status for one in answers] == ["fresh", "duplicate"]


def test_decide_retry_that_spells_its_values_in_another_way_is_a_duplicate(tmp_path: Path) -> None:
    """A set has no order and a time no zone: clients that write one from a hash set repeat themselves like that."""
    first = {"age": "900h", "born": "1990-01-01T08:00:00+08:00", "country": "SG"}
    again = {"country": "SG", "born": "1990-01-01T00:00:00Z", "age": "54000m"}
    with engine(at=tmp_path) as door:
        decision = door.decide_sync(request(inputs=first))
        assert door.decide_sync(request(inputs=again)).decision_id == decision.decision_id
        with pytest.raises(MerchantBizIdConflict):
            door.decide_sync(request(inputs=again | {"age": "54001m"}))
    with engine(at=tmp_path) as door:
        assert door.decide_sync(request(inputs=again)).status == "duplicate"


def _in_version_0_1(
    request: Request, inputs: Mapping[str, object], policies: Iterable[str | None], key: bytes
) -> Iterator[str]:
    return fingerprints(request, inputs, [policy or "onboarding" for policy in policies], key)


def test_decide_retry_after_an_upgrade_finds_what_version_0_1_recorded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It recorded values as they were spelt, and the policy that was chosen; spelt otherwise is another request."""
    first = CLEAN | {"age": "900h"}
    asked = [face(SignalFailed("lost", kind="unavailable")), device()]
    with monkeypatch.context() as patched, capture_logs():
        patched.setattr("adjudge.decision.prepared.canonical", lambda field, value: value)
        patched.setattr("adjudge.decision.prepared.fingerprints", _in_version_0_1)
        with engine(asked, at=tmp_path) as door:
            decision = door.decide_sync(request(inputs=first))
    with capture_logs(), engine(asked, at=tmp_path) as door:
        retried = door.decide_sync(request(inputs=first))
        assert (retried.decision_id, retried.status) == (decision.decision_id, "duplicate")
        with pytest.raises(MerchantBizIdConflict):
            door.decide_sync(request(inputs=first | {"age": "54000m"}))
    assert len(asked[0].calls) == 1, "what may have been paid for is not asked again"
