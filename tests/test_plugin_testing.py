"""What plugin authors test with."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from structlog.testing import capture_logs

from adjudge.errors import PluginError, PolicyErrors, SignalFailed
from adjudge.model import Outcome
from adjudge.plugin import Answer, Context, Function, LogRecord, Position, provider
from adjudge.registry import parse_policy
from adjudge.testing import (
    MERCHANT_BIZ_ID,
    NOW,
    FakeClock,
    ReaderContract,
    Slow,
    decide_once,
    fake_provider,
    registry_of,
)
from adjudge.testing.readers import log_records

POLICY = """
policy_language: 1
policy: p
inputs: {country: string}
signals: {device: {provider: acme.device}}
rules:
  - {id: risky, when: device.score > 70 && country == "SG", then: reject}
"""


def test_decide_once_decides_with_a_provider_written_in_one_function() -> None:
    @provider("acme.device", fields={"score": "int"}, price=Decimal("0.5"))
    async def device(context: Context) -> Answer:
        """Say how risky a device is.

        At length.
        """
        return {"score": 90 if context.request.inputs["country"] == "SG" else 0}

    decision = decide_once(POLICY, providers=[device], inputs={"country": "SG"})
    assert (decision.outcome, decision.merchant_biz_id) == (Outcome.REJECT, MERCHANT_BIZ_ID)
    assert (decision.decided_at, decision.cost) == (NOW, {"USD": Decimal("0.5")})
    assert device.description == "Say how risky a device is."


def test_decide_once_takes_a_policy_functions_a_clock_and_a_deadline() -> None:
    calls = Function(name="twice", parameters=("int",), result="int", call=lambda n: 2 * n)
    device = fake_provider("acme.device", {"score": "int"}, Slow(60, {"score": 1}))
    text = POLICY.replace("device.score", "twice(device.score)")
    policy = parse_policy(text, registry=registry_of([device], [calls]))
    clock = FakeClock(datetime(2020, 1, 1, tzinfo=UTC))
    with capture_logs():
        decision = decide_once(policy, providers=[device], functions=[calls], clock=clock, deadline_s=0.01,
                               merchant_biz_id="f" * 32, scene_code="mine", inputs={"country": "SG"})  # fmt: skip
    assert decision.outcome is Outcome.REVIEW and decision.decided_at == clock()
    assert (decision.merchant_biz_id, decision.signals["device"].status) == ("f" * 32, "timeout")
    assert all(context.request.scene_code == "mine" for context in device.calls)


def test_decide_once_refuses_what_an_engine_refuses() -> None:
    with pytest.raises(PolicyErrors):
        decide_once(POLICY)
    with pytest.raises(PluginError, match=r"acme\.device"):
        decide_once(parse_policy(POLICY, registry=registry_of([fake_provider("acme.device", {"score": "int"})])))


def test_fake_provider_follows_its_script_and_stays_at_its_end() -> None:
    async def later(context: Context) -> Answer:
        return {"score": 80}

    device = fake_provider(
        "acme.device",
        {"score": "int"},
        {"score": 75},
        SignalFailed("down"),
        Slow(0, later),
        lambda context: {"score": 5},
    )
    statuses, outcomes = [], []
    with capture_logs():
        for _ in range(5):
            decision = decide_once(POLICY, providers=[device], inputs={"country": "SG"})
            statuses.append(decision.signals["device"].status.value)
            outcomes.append(decision.outcome.value)
    assert statuses == ["ok", "error", "ok", "ok", "ok"]
    assert outcomes == ["reject", "review", "reject", "pass", "pass"]
    assert len(device.calls) == 5


def test_fake_provider_without_a_script_knows_nothing() -> None:
    decision = decide_once(POLICY, providers=[fake_provider("acme.device", {"score": "int"})], inputs={"country": "SG"})
    assert decision.signals["device"].fields == {} and decision.outcome is Outcome.REVIEW


def test_fake_clock_stands_still_until_told() -> None:
    clock = FakeClock()
    before, seconds = clock(), clock.timer()
    assert (clock(), clock.timer()) == (before, seconds)
    clock.advance(90)
    assert (clock() - before, clock.timer() - seconds) == (timedelta(seconds=90), 90)


class Kept:
    """A place that a reader keeps its records in, for as long as a test lasts."""

    def __init__(self) -> None:
        self.records: list[LogRecord] = []
        self.is_broken = False


class Good:
    """A reader as it should be; those below break one rule each."""

    def __init__(self, place: Kept) -> None:
        self.place = place

    def open(self, end: Position) -> Position | None:
        held = [one.position for one in self.place.records if one.log == end.log]
        return max(held, key=lambda one: one.seq, default=None)

    def take(self, records: Sequence[LogRecord]) -> Any:
        if self.place.is_broken:
            raise OSError("away")
        self.place.records += records

    def close(self) -> None: ...


class Forgets(Good):
    def open(self, end: Position) -> Position | None:
        return None


class Boasts(Good):
    def open(self, end: Position) -> Position | None:
        held = super().open(end)
        return held and Position(log=held.log, seq=held.seq + 1, hash=held.hash)


class Shuffles(Good):
    def take(self, records: Sequence[LogRecord]) -> None:
        super().take(sorted(records, key=lambda one: one.hash))


class Loses(Good):
    def take(self, records: Sequence[LogRecord]) -> None:
        super().take(records[:400])
        super().take(records[401:])


class Swallows(Good):
    def take(self, records: Sequence[LogRecord]) -> None:
        if not self.place.is_broken:
            super().take(records)


class Mixes(Good):
    def open(self, end: Position) -> Position | None:
        return self.place.records[-1].position if self.place.records else None


class Answers(Good):
    def take(self, records: Sequence[LogRecord]) -> Any:
        super().take(records)
        return len(records)


class Waits(Good):
    async def take(self, records: Sequence[LogRecord]) -> None:
        super().take(records)


def broken_rules(reader: type[Good]) -> list[str]:
    """Return the tests of the contract that a reader fails."""
    failed = []
    for name in dir(ReaderContract):
        if not name.startswith("test_"):
            continue

        class Contract(ReaderContract):
            place = Kept()

            def open_reader(self) -> Good:
                return reader(self.place)

            def held(self) -> list[tuple[str, int]]:
                return [(one.log, one.seq) for one in self.place.records]

            def break_place(self, is_broken: bool) -> bool:
                self.place.is_broken = is_broken
                return True

        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of a coroutine that nobody awaits
            try:
                getattr(Contract(), name)()
            except (AssertionError, TypeError):
                failed.append(name)
    return failed


@pytest.mark.parametrize("reader", [Forgets, Boasts, Shuffles, Loses, Swallows, Mixes, Answers, Waits])
def test_contract_finds_a_reader_that_breaks_it(reader: type[Good]) -> None:
    assert broken_rules(Good) == []
    assert broken_rules(reader)


def test_contract_of_readers_needs_to_be_told_how_to_open_one() -> None:
    for unsaid in (ReaderContract().open_reader, ReaderContract().held):
        with pytest.raises(NotImplementedError):
            unsaid()
    assert ReaderContract().wanted(log_records(1)[0]) and not ReaderContract().break_place(True)
