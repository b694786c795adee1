"""Proposals of several workers over one PostgreSQL: of two acts on the same state one is done, and all answer alike."""

from __future__ import annotations

import time

import pytest

psycopg = pytest.importorskip("psycopg", reason="needs the extra `postgres`")

from postgres_server import PROGRAMS, Server, migrated  # noqa: E402
from postgres_worker import HANGS_S, Worker  # noqa: E402

from adjudge.audit.kinds import bodies  # noqa: E402
from adjudge.audit.proposals import ProposalBody  # noqa: E402
from adjudge.proposals.state import fold  # noqa: E402
from adjudge_plugins.postgres.reading import PostgresLog  # noqa: E402

PROGRAM = "proposal_worker.py"
pytestmark = [
    pytest.mark.skipif(PROGRAMS is None, reason="needs PostgreSQL: apt-get install postgresql"),
    pytest.mark.xdist_group("postgres"),
]


def wait_until_live(worker: Worker, name: str, numbers: range) -> None:
    """Wait until a worker answers with a proposal; its number is that of requests of their own."""
    until = time.monotonic() + HANGS_S
    for number in numbers:
        if worker.do("decide", number=number, n=50) == "reject":
            break
        assert time.monotonic() < until
        time.sleep(0.05)
    assert worker.do("status")[name][2]


def test_workers_act_one_after_the_other_and_answer_alike(server: Server) -> None:
    dsn = migrated(server)
    with Worker(dsn, PROGRAM) as one, Worker(dsn, PROGRAM) as two:
        for worker in (one, two):
            worker.tell("make", limit=20, reason="so", by="kim")
        assert sorted(worker.answer()[0] for worker in (one, two)) == ["1", "2"], "each has a name of its own"
        one.tell("approve", name="1", seen=1, by="lee")
        two.tell("withdraw", name="1", seen=1, by="ari")
        first, second = one.answer(), two.answer()
        lost = [each for each in (first, second) if isinstance(each, str)]
        assert len(lost) == 1 and lost[0].startswith("overtaken: `1` has changed since act 1: 2 ")
        assert one.do("status")["1"] == two.do("status")["1"]
        assert "nobody approves their own" in two.do("approve", name="2", seen=1, by="kim")
        assert two.do("approve", name="2", seen=1, by="lee") == ["2", "approved", 2, False]
        one.tell("activate", name="2", seen=2, how="now", by="lee")
        two.tell("activate", name="2", seen=2, how="now", by="ari")
        answers = [one.answer(), two.answer()]
        assert sum(each == ["2", "activated", 3, True] for each in answers) == 1, answers
        assert sum(isinstance(each, str) and each.startswith("overtaken") for each in answers) == 1, answers
        wait_until_live(one, "2", range(1000, 9000))
        wait_until_live(two, "2", range(10_000, 19_000))
        one._process.kill()
        with Worker(dsn, PROGRAM) as three:
            assert three.do("decide", number=20_000, n=50) == "reject"
            assert three.do("roll-back", name="2", seen=3, reason="no", by="kim") == ["2", "rolled_back", 4, False]
            assert three.do("decide", number=20_001, n=50) == "pass"
    acts = [body for _, body in bodies(PostgresLog(dsn), ProposalBody)]
    assert sorted(body.name for body in acts) == ["1.1", "1.2", "2.1", "2.2", "2.3", "2.4"]
    assert fold(acts)["2"].status == "rolled_back"
