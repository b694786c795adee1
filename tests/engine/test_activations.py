"""Records of which policies answer, of several engines over one ledger."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from datetime import UTC, datetime
from typing import Any

import pytest

from adjudge.audit.activation import BundleBody
from adjudge.decision.activations import Activations, Wanted
from adjudge.errors import BundleRefused
from adjudge.ledger.memory import MemoryLedger
from adjudge.plugin import DecisionLedger, NamedBody
from adjudge.policy import Policy, parse_policy

AT = datetime(2026, 5, 1, tzinfo=UTC)


def policies(limit: int = 1) -> dict[str, Policy]:
    text = "{policy_language: 1, policy: one, inputs: {n: int}, rules: [{id: r, when: n > LIMIT, then: review}]}"
    return {"one": parse_policy(text.replace("LIMIT", str(limit)))}


def wanted(counter: int, sha256: str = "a", name: str = "risk") -> Wanted:
    return Wanted(reason="changed", bundles={name: BundleBody(counter=counter, sha256=sha256, key="k", made_at=AT)})


def run(work: Callable[[Activations, Activations, DecisionLedger], Coroutine[Any, Any, None]]) -> None:
    ledger: DecisionLedger = MemoryLedger()
    asyncio.run(work(Activations(ledger, lambda: AT), Activations(ledger, lambda: AT), ledger))


def test_second_engine_does_not_say_again_what_the_first_has_said() -> None:
    async def work(one: Activations, two: Activations, ledger: DecisionLedger) -> None:
        for each in (one, two, one):
            await each.accept({}, policies(), wanted(1))
        assert await ledger.noted("activation") == 1 and one.newest == two.newest
        for each in (one, two):
            await each.refuse(policies(), {}, Wanted(), ["wrong"])
        assert await ledger.noted("activation") == 2 and two.newest is not None and not two.newest.accepted

    run(work)


def test_bundle_that_another_engine_accepted_meanwhile_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    """The other writes between the look at the newest record and the own."""

    async def work(one: Activations, two: Activations, ledger: DecisionLedger) -> None:
        await one.accept({}, policies(), wanted(1))
        note = ledger.note
        calls: list[int] = []

        async def overtaken(kind: str, body: NamedBody) -> Any:
            calls.append(body.number)
            if len(calls) == 1:
                await two.accept({}, policies(5), wanted(9))
            return await note(kind, body)

        monkeypatch.setattr(ledger, "note", overtaken)
        with pytest.raises(BundleRefused, match="is number 3, and 9 was accepted before"):
            await one.accept({}, policies(3), wanted(3))
        newest = await one.find()
        assert newest is not None and newest.bundles["risk"].counter == 9 and calls[0] == 2

    run(work)


def test_bundles_that_are_gone_are_not_forgotten() -> None:
    async def work(one: Activations, two: Activations, ledger: DecisionLedger) -> None:
        await one.accept({}, policies(), wanted(7))
        await one.accept({}, policies(2), wanted(1, name="other"))
        await one.refuse(policies(2), {}, Wanted(), ["wrong"])
        await one.accept({}, policies(3), Wanted())
        with pytest.raises(BundleRefused):
            await two.accept({}, policies(), wanted(6))
        with pytest.raises(BundleRefused):
            await two.accept({}, policies(), wanted(7, "b"))
        await two.accept({}, policies(4), wanted(7))
        assert two.newest is not None and {name: one.counter for name, one in two.newest.bundles.items()} == {
            "risk": 7,
            "other": 1,
        }

    run(work)
