"""The engine dies by SIGKILL while many callers have it ask the vendor. No call is billed that the log has not."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import httpx
import pytest
from vendor_load import CALLERS, IDS, NOTE_BYTES, merchant_biz_id

from adjudge.audit.bodies import DecisionBody
from adjudge.audit.calls import Bill
from adjudge.audit.read import read
from adjudge.plugin import CallBody
from adjudge.replay.decisions import replay
from adjudge_plugins.aliyun.sandbox import Sandbox, read_scenario
from audit.audit_logs import assert_verifies

KILLS, KILLS_MAX = 5, 60
"""At least and at most; between them, as many as it takes until every id has a decision."""
LIFE_MAX_S, LONGER = 0.05, 1.4
"""Seconds that the first engine lives under load, at most, and by how much longer each further one may: a slow machine
comes to an end as well."""
SPREAD_MAX_S = 1.0
"""Seconds in which the callers begin, at most: a kill then finds ids untouched, asked for and decided."""
SCENARIO = {"default": {"result": "low"}, "latency": "20ms", "jitter": "20ms"}


class Nursery:
    """Engines under load, one after the other on one log, each until it is killed.

    answered: the decision_id that callers were given, by MerchantBizId.
    """

    def __init__(self, process: subprocess.Popen[str], sandbox: Sandbox, directory: Path) -> None:
        assert process.stdin
        assert process.stdout
        self.stdin, self.stdout = process.stdin, process.stdout
        self.sandbox, self.log, self.notes = sandbox, directory / "log", directory / "notes"
        self.answered: dict[str, str] = {}

    def live(self, reached: int, *, then_s: float = 0.0, spread_s: float = SPREAD_MAX_S) -> None:
        """Start an engine; kill it `then_s` seconds after calls and answers together have reached a number.

        spread_s: seconds within which its callers begin.
        """
        self.notes.write_text("")
        called = self.sandbox.stats()["calls"]
        self.stdin.write(f"{self.log} {self.notes} {spread_s}\n")
        self.stdin.flush()
        engine = int(self.stdout.readline())
        given_up = time.monotonic() + 300
        try:
            while self.sandbox.stats()["calls"] - called + self.notes.stat().st_size // NOTE_BYTES < reached:
                assert time.monotonic() < given_up, "the engine does not get there"
                time.sleep(0.002)
            time.sleep(then_s)
        finally:
            os.kill(engine, signal.SIGKILL)
        assert self.stdout.readline() == "ended\n"
        for line in self.notes.read_text().splitlines():
            number, decision_id = line.split()
            kept = self.answered.setdefault(merchant_biz_id(int(number)), decision_id)
            assert kept == decision_id, "a retry gets the answer it had"


def decide_under_kills(directory: Path, sandbox: Sandbox, when_billing_unknown: str) -> dict[str, str]:
    """Return the decision_id that callers were given for each MerchantBizId; none was ever given another one."""
    draw = random.Random()
    with subprocess.Popen(
        [sys.executable, Path(__file__).with_name("vendor_load.py"), sandbox.url, when_billing_unknown],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},
    ) as process:
        nursery, kills = Nursery(process, sandbox, directory), 1
        nursery.live(1)  # dies with its first call under way
        while kills < KILLS or len(nursery.answered) < IDS:
            life_s, spread_s = draw.uniform(0, LIFE_MAX_S * LONGER**kills), draw.uniform(0, SPREAD_MAX_S)
            nursery.live(draw.randint(1, 2 * IDS), then_s=life_s, spread_s=spread_s)
            kills += 1
            assert kills < KILLS_MAX, f"{IDS - len(nursery.answered)} ids have no decision yet"
        nursery.live(CALLERS * IDS, spread_s=0)  # no call is left to make, and every caller gets all its answers
        nursery.stdin.close()
    return nursery.answered


@pytest.mark.parametrize("when_billing_unknown", ["unknown", "ask_again"])
def test_billed_calls_are_at_most_one_for_each_id_and_one_for_each_call_in_doubt(
    tmp_path: Path, when_billing_unknown: str
) -> None:
    with Sandbox() as sandbox:
        sandbox.scenario = read_scenario(SCENARIO)
        answered = decide_under_kills(tmp_path, sandbox, when_billing_unknown)
        # asked over the wire, it has read before what killed engines had sent
        stats = httpx.get(f"{sandbox.url}/_sandbox/stats", trust_env=False).json()
    billed = Counter({biz: count["billed"] for biz, count in stats["by_merchant_biz_id"].items()})
    decisions, begun, bill = list[DecisionBody](), Counter[str](), Bill()
    for record in read(tmp_path / "log"):
        if record.kind == "decision":
            decisions.append(record.decode(DecisionBody))
        elif record.kind == "call":
            call = record.decode(CallBody)
            bill.add(record.place, call)
            begun[call.merchant_biz_id] += call.stage == "begun"
    in_doubt = Counter(call.merchant_biz_id for _, call in bill.in_doubt.values())
    paid = sum(day.billed for day in bill.days.values())

    assert billed.total() == stats["billed"]
    assert billed <= begun, "a call was made that the log does not know"
    assert billed <= Counter(answered.keys()) + in_doubt
    assert paid <= stats["billed"] <= paid + in_doubt.total(), "what was paid for is answered, or in doubt in the log"
    assert in_doubt.total(), "no kill came while a call was under way"
    doubted = {body.merchant_biz_id for body in decisions if body.signals["face"].reason_code == "IN_DOUBT"}
    if when_billing_unknown == "unknown":
        assert max(billed.values()) == 1, "nothing is paid for twice"
        assert doubted == set(in_doubt)
    else:
        assert not doubted
    assert {body.signals["face"].status for body in decisions if body.merchant_biz_id not in doubted} <= {"ok"}
    assert paid == IDS - len(doubted), "every answer was paid for once"

    assert sorted((body.merchant_biz_id, body.decision_id) for body in decisions) == sorted(answered.items())
    assert_verifies(tmp_path / "log")
    assert {one.answer for one in replay(tmp_path / "log")} == {"identical"}
