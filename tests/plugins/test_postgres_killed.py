"""Two engines over one PostgreSQL, either of them killed or paused, and the database too, at any moment.

No answer that was given is lost or changed, no more is billed than ids and calls in doubt, and every chain verifies.
`ADJUDGE_KILLS=300 ADJUDGE_CRASHES=30 pytest tests/plugins/test_postgres_killed.py` does it for long.
"""

from __future__ import annotations

import asyncio
import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

psycopg = pytest.importorskip("psycopg", reason="needs the extra `postgres`")

from click.testing import CliRunner  # noqa: E402
from postgres_load import IDS, KEY, PLAIN  # noqa: E402
from postgres_server import PROGRAMS, Server  # noqa: E402

from adjudge.audit.bodies import DecisionBody  # noqa: E402
from adjudge.audit.calls import Bill  # noqa: E402
from adjudge.audit.elsewhere import write_files  # noqa: E402
from adjudge.audit.read import read  # noqa: E402
from adjudge.errors import MerchantBizIdConflict  # noqa: E402
from adjudge.plugin import CallBody  # noqa: E402
from adjudge_plugins.postgres.command import postgres  # noqa: E402
from adjudge_plugins.postgres.ledger import PostgresLedger  # noqa: E402
from adjudge_plugins.postgres.reading import PostgresLog  # noqa: E402
from audit.audit_logs import assert_verifies  # noqa: E402

pytestmark = [
    pytest.mark.skipif(PROGRAMS is None, reason="needs PostgreSQL: apt-get install postgresql"),
    pytest.mark.xdist_group("postgres"),
]

KILLS = int(os.environ.get("ADJUDGE_KILLS", "3"))
CRASHES = int(os.environ.get("ADJUDGE_CRASHES", "1"))
PAUSE_S = 2.5
"""Longer than the lease of the engines under load."""


@pytest.fixture
def server() -> Iterator[Server]:
    server = Server()
    yield server
    server.close()


class Round:
    """One database, on which two engines decide the same ids until every id has an answer."""

    def __init__(self, server: Server, directory: Path) -> None:
        self.dsn = server.dsn(server.database())
        said = CliRunner().invoke(postgres, ["migrate", self.dsn])
        assert said.exit_code == 0, said.output
        self.bill, self.notes, self.logs = directory / "bill", directory / "notes", directory / "logs"
        self.errors = directory / "errors"

    def start(self) -> subprocess.Popen[bytes]:
        script = Path(__file__).with_name("postgres_load.py")
        with self.errors.open("ab") as errors:
            return subprocess.Popen(
                [sys.executable, script, self.dsn, self.bill, self.notes],
                env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},
                stdout=errors,
                stderr=errors,
            )

    def answered(self) -> dict[str, dict[str, bool]]:
        """Return the decisions that callers were given of each id, and whether nothing was missing in them."""
        given: dict[str, dict[str, bool]] = {}
        for line in self.notes.read_text().splitlines():
            number, decision_id, complete = line.split()
            given.setdefault(f"{int(number):032d}", {})[decision_id] = complete == "True"
        return given

    def check(self) -> None:
        """Hold what callers were given, what the vendor billed and what the chains hold against each other."""
        answered, billed = self.answered(), Counter(self.bill.read_text().split())
        write_files(PostgresLog(self.dsn), self.logs)
        decisions: dict[str, DecisionBody] = {}
        in_doubt, begun = 0, Counter[str]()
        for log in self.logs.iterdir():
            assert_verifies(log)
            bill = Bill()
            for record in read(log):
                if record.kind == "decision":
                    body = record.decode(DecisionBody)
                    assert decisions.setdefault(body.decision_id, body) is body
                elif record.kind == "call":
                    call = record.decode(CallBody)
                    bill.add(record.place, call)
                    begun[call.merchant_biz_id] += call.stage == "begun"
            in_doubt += len(bill.in_doubt)
        replaced = {body.supersedes for body in decisions.values() if body.supersedes is not None}
        assert "ok" not in {decisions[one].signals["face"].status for one in replaced}  # and no plain one is
        newest = {body.merchant_biz_id: one for one, body in decisions.items() if one not in replaced}
        assert len(newest) == IDS + len(PLAIN) == len(decisions) - len(replaced)
        for merchant_biz_id, given in answered.items():
            final = [decision_id for decision_id, complete in given.items() if complete]
            assert final in ([], [newest[merchant_biz_id]]), "once nothing is missing, the answer stays"
            assert {*given} <= decisions.keys()
        assert billed <= begun, "the vendor was asked for what no chain knows"
        assert billed.total() <= IDS + in_doubt
        asyncio.run(self._conflicts())

    async def _conflicts(self) -> None:
        ledger = PostgresLedger(self.dsn, KEY, answer_for_s=3600)
        await ledger.open()
        for number in (*range(IDS), *PLAIN):
            with pytest.raises(MerchantBizIdConflict):
                await ledger.claim(f"{number:032d}", "0" * 64, again=False, lease_s=1)
        await ledger.aclose()


def _harm(one: subprocess.Popen[bytes], draw: random.Random) -> None:
    """Kill a process, or pause it past its lease."""
    if draw.random() < 0.25:
        one.send_signal(signal.SIGSTOP)
        time.sleep(PAUSE_S)
        one.send_signal(signal.SIGCONT)
    else:
        one.kill()
        one.wait()


def test_no_kill_loses_or_changes_an_answer(server: Server, tmp_path: Path) -> None:
    draw = random.Random()
    kills = crashes = rounds = 0
    while kills < KILLS or crashes < CRASHES:
        rounds += 1
        directory = tmp_path / str(rounds)
        directory.mkdir()
        one = Round(server, directory)
        engines = [one.start(), one.start()]
        try:
            for turn in range(4):
                time.sleep(draw.uniform(0.6, 1.6))
                if turn == 2 and crashes < CRASHES:
                    server.stop("immediate")
                    time.sleep(draw.uniform(0, 0.3))
                    server.start()
                    crashes += 1
                else:
                    at = draw.randrange(2)
                    _harm(engines[at], draw)
                    kills += 1
                    if engines[at].poll() is not None:
                        engines[at] = one.start()
            for engine in engines:
                assert engine.wait(timeout=120) == 0, one.errors.read_text()[-4000:]
        finally:
            for engine in engines:
                engine.kill()
                engine.wait()
        assert len(one.answered()) == IDS + len(PLAIN)
        one.check()
        print(f"{kills} kills and pauses, {crashes} crashes of the database: all held", flush=True)
