"""The engine's life beside its decisions: closing, refusing, looking up, and going on with other policies."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from engines import FACE_FIELDS, POLICY, device, engine, face, recorded, request
from structlog.testing import capture_logs

from adjudge.audit.annotations import LabelBody
from adjudge.audit.file import Segments
from adjudge.audit.kinds import bodies
from adjudge.audit.trail import AuditTrail
from adjudge.engine import Engine
from adjudge.errors import EngineError, MerchantBizIdConflict, Overloaded, PluginError, RequestError, SetupError
from adjudge.model import Decision, Outcome
from adjudge.plugin import Limits
from adjudge.registry import parse_policy
from adjudge.signals.admission import Guards
from adjudge.testing import FakeProvider, Slow, fake_provider, registry_of
from virtual_time import VirtualTime


def held(begun: asyncio.Event, let_go: asyncio.Event) -> Callable[[object], Any]:
    """Return an answer that waits."""

    async def answer(context: object) -> dict[str, float]:
        begun.set()
        await let_go.wait()
        return {"score": 0.1}

    return answer


def free(at: Path) -> bool:
    """Whether nobody has a log any more."""
    AuditTrail.open(at).close()
    return True


def test_close_ends_an_engine_that_no_block_holds_and_may_come_twice(tmp_path: Path) -> None:
    door = engine(at=tmp_path)
    door.__enter__()
    door.decide_sync(request())
    door.close()
    door.close()
    assert free(tmp_path)
    with pytest.raises(EngineError, match="is closed"):
        door.decide_sync(request())


def test_aclose_ends_an_engine_that_no_block_holds_and_may_come_twice(tmp_path: Path) -> None:
    async def main() -> None:
        door = await engine(at=tmp_path).__aenter__()
        await door.decide(request())
        await door.aclose()
        await door.aclose()
        with pytest.raises(EngineError, match="is closed"):
            await door.decide(request())

    asyncio.run(main())
    assert free(tmp_path)


@pytest.mark.parametrize("close", [Engine.close, lambda door: asyncio.run(door.aclose())])
def test_engine_that_was_never_opened_lets_its_log_go(close: Callable[[Engine], None], tmp_path: Path) -> None:
    door = engine(at=tmp_path)
    close(door)
    assert free(tmp_path)
    with pytest.raises(EngineError, match="was closed"):
        door.__enter__()


def test_blocking_twins_do_what_the_others_do(tmp_path: Path) -> None:
    with engine(at=tmp_path) as door:
        decision = door.decide_sync(request())
        door.label_sync(decision.decision_id, decision.merchant_biz_id, "fraud", source="chargeback", by="ana")
        assert door.erase_sync(decision.merchant_biz_id, reason="asked", by="ana") == 3
        with pytest.raises(RequestError):
            door.label_sync("no id", decision.merchant_biz_id, "fraud", source="x")
        with pytest.raises(RequestError):
            door.erase_sync(decision.merchant_biz_id, by=" ")
    (label,) = [body for _, body in bodies(tmp_path, LabelBody)]
    assert (label.decision_id, label.by) == (decision.decision_id, "ana")


@pytest.mark.parametrize("durability", ["fsync", "flush", "async"])
def test_decision_is_labelled_as_soon_as_it_is_there(tmp_path: Path, durability: Any) -> None:
    with engine(trail=AuditTrail.open(tmp_path, durability=durability)) as door:
        for n in range(20):
            decision = door.decide_sync(request(n))
            door.label_sync(decision.decision_id, decision.merchant_biz_id, "fraud", source="x")
    assert len(list(bodies(tmp_path, LabelBody))) == 20


def test_decision_whose_segment_is_away_is_labelled_still(tmp_path: Path) -> None:
    """Labels come weeks later; and one that is away may be the one that nobody finds."""
    log = tmp_path / "log"
    with engine(trail=AuditTrail.open(log, segments=Segments(max_bytes=6000)), answer_for_s=0) as door:
        decisions = [door.decide_sync(request(n)) for n in range(12)]
        with pytest.raises(RequestError, match="there is no decision"):
            door.label_sync("f" * 32, "0" * 32, "fraud", source="x")
        assert asyncio.run(door.archive(tmp_path / "old", before=date(9999, 1, 1), by="kim")) > 0
        for first in (decisions[0], decisions[-1]):
            door.label_sync(first.decision_id, first.merchant_biz_id, "fraud", source="x")
        door.label_sync("e" * 32, "0" * 32, "fraud", source="x")  # it may be in what is away
        with pytest.raises(RequestError, match="there is no decision"):
            door.label_sync(decisions[-1].decision_id, decisions[0].merchant_biz_id, "fraud", source="x")
    (log / "index.sqlite").unlink(missing_ok=True)
    with engine(at=log) as door:
        door.label_sync(decisions[1].decision_id, decisions[1].merchant_biz_id, "fraud", source="x")
    assert len(list(bodies(log, LabelBody))) == 4


def test_blocking_twins_inside_an_event_loop_say_what_to_write() -> None:
    async def main() -> None:
        async with engine() as door:
            for work, name in (
                (lambda: door.decide_sync(request()), "decide"),
                (lambda: door.erase_sync("0" * 32), "erase"),
                (lambda: door.label_sync("0" * 32, "0" * 32, "fraud", source="x"), "label"),
                (lambda: door.find_sync(decision_id="0" * 32), "find"),
            ):
                with pytest.raises(EngineError, match=rf"write `await engine\.{name}\(…\)`"):
                    work()

    asyncio.run(main())


def test_find_gives_any_decision_by_either_id(tmp_path: Path) -> None:
    with engine(at=tmp_path) as door:
        first = door.decide_sync(request())
        newest = door.decide_sync(request(), anew=True)
    with engine(at=tmp_path) as door:
        for decision in (first, newest):
            found = door.find_sync(decision_id=decision.decision_id)
            assert found is not None and (found.decision_id, found.status) == (decision.decision_id, decision.status)
        found = asyncio.run(door.find(merchant_biz_id=request().merchant_biz_id))
        assert found is not None and found.decision_id == newest.decision_id
        assert door.find_sync(decision_id="0" * 32) is None and door.find_sync(merchant_biz_id="Z" * 32) is None
        for wrong in ({}, {"decision_id": "a", "merchant_biz_id": "b"}):
            with pytest.raises(RequestError, match="a decision_id or a merchant_biz_id"):
                door.find_sync(**wrong)


def test_deadline_of_a_request_cuts_what_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """And never lengthens what the engine allows."""
    clock = VirtualTime(monkeypatch)

    async def main() -> list[float]:
        took = []
        asked = [face(Slow(60, {"score": 0.1})), device(Slow(60, {}))]
        async with engine(asked, deadline_s=10) as door:
            for n, deadline_s in enumerate((2.0, None, 30.0)):
                begun = asyncio.get_running_loop().time()
                decision = await door.decide(request(n), deadline_s=deadline_s)
                took.append(asyncio.get_running_loop().time() - begun)
                assert decision.signals["face"].status == "timeout"
            for wrong in (0, -1.0, float("nan"), float("inf")):
                with pytest.raises(RequestError, match="seconds above 0"):
                    await door.decide(request(9), deadline_s=wrong)
        return took

    with capture_logs():
        took = clock.run(main())
    assert [round(one) for one in took] == [2, 10, 10]


def test_engine_with_too_much_under_way_says_when_to_come_again(tmp_path: Path) -> None:
    """Who asks for an id that is under way costs nothing, and is let in."""

    async def main() -> None:
        begun, let_go = asyncio.Event(), asyncio.Event()
        async with engine([face(held(begun, let_go)), device()], at=tmp_path, max_in_flight=2) as door:
            under_way = [asyncio.create_task(door.decide(request(n))) for n in (0, 1, 1)]
            await begun.wait()
            assert door.in_flight == 2
            with pytest.raises(Overloaded, match="2 decisions are under way") as found:
                await door.decide(request(2))
            assert found.value.retry_after_s > 0
            let_go.set()
            await asyncio.gather(*under_way)
            assert door.in_flight == 0
            assert (await door.decide(request(2))).status == "fresh"

    asyncio.run(main())
    assert len(recorded(tmp_path)) == 3


def test_replaced_policies_answer_what_comes_and_not_what_was_under_way(tmp_path: Path) -> None:
    """No flight, no guard and no promise is lost."""

    async def main() -> None:
        begun, let_go = asyncio.Event(), asyncio.Event()
        asked = [face(held(begun, let_go), {"score": 0.1}), device()]
        registry = registry_of(asked)
        strict = parse_policy(POLICY.replace("0.9", "0.05"), registry=registry)
        async with engine(asked, at=tmp_path) as door:
            flight = asyncio.create_task(door.decide(request()))
            await begun.wait()
            replacing = asyncio.create_task(door.replace([strict]))
            while door.policies["onboarding"] is not strict:
                await asyncio.sleep(0)
            assert not replacing.done(), "it waits for what is under way"
            fresh = await door.decide(request(1))
            let_go.set()
            first = await flight
            await replacing
            assert (first.outcome, fresh.outcome) == (Outcome.PASS, Outcome.REJECT)
            assert first.policy_digest != fresh.policy_digest == strict.digest
            again = await door.decide(request())
            assert (again.status, again.decision_id) == ("duplicate", first.decision_id), "under another version"
            with pytest.raises(MerchantBizIdConflict):
                await door.decide(request(face=None))
            assert door.usage()["acme.face"].calls_today == 2, "the budget goes on"

    asyncio.run(main())


def test_replacing_leaves_each_account_its_own_budget() -> None:
    """Two accounts with one provider: the day's calls of both are no reason to refuse either."""

    async def main() -> None:
        asked = fake_provider(
            "acme.face",
            FACE_FIELDS,
            {"score": 0.1},
            price=Decimal("0.10"),
            account=lambda config: str(config.get("at")),
        )
        registry = registry_of([asked])

        def policy(name: str, bound: float) -> Any:
            signal = f"face: {{provider: acme.face, with: {{at: {name}}}}}"
            rule = f"{{id: forged, when: face.score > {bound}, then: reject}}"
            text = f"{{policy_language: 1, policy: {name}, signals: {{{signal}}}, rules: [{rule}]}}"
            return parse_policy(text, registry=registry)

        policies = [policy("one", 0.5), policy("two", 0.5)]
        limits = {"acme.face": Limits(daily_calls=4)}
        async with Engine(policies, registry=registry, limits=limits, guards=Guards()) as door:
            for n in range(6):
                await door.decide(request(n, inputs={}, policy=("one", "two")[n % 2]))
            await door.replace([policy("one", 0.4), policies[1]])
            assert {used.calls_today for used in door.usage().values()} == {3}
            decision = await door.decide(request(9, inputs={}, policy="one"))
            assert decision.signals["face"].status == "ok"

    asyncio.run(main())


def test_replacing_by_what_does_not_fit_changes_nothing() -> None:
    async def main() -> None:
        async with engine() as door:
            before = door.policies
            other = parse_policy(POLICY.replace("acme.face", "other.face"), registry=registry_of([_other(), device()]))
            for wrong in ([], [other], [*before.values(), *before.values()]):
                with pytest.raises((SetupError, PluginError)):
                    await door.replace(wrong)
            assert door.policies is before
            assert (await door.decide(request())).outcome is Outcome.PASS

    asyncio.run(main())


def test_policy_that_stays_keeps_its_providers_open() -> None:
    async def main() -> None:
        opened: list[object] = []
        asked = face()

        def open_(config: object) -> Any:
            opened.append(config)
            return original(config)

        original = asked.open
        object.__setattr__(asked, "open", open_)
        async with engine([asked, device()]) as door:
            await door.decide(request())
            (policy,) = door.policies.values()
            await door.replace([policy])
            decision = await door.decide(request(1))
        assert isinstance(decision, Decision) and len(opened) == 1

    asyncio.run(main())


def _other() -> FakeProvider:
    from adjudge.testing import fake_provider

    return fake_provider("other.face", {"score": {"type": "double", "range": [0, 1]}}, {"score": 0.1})
