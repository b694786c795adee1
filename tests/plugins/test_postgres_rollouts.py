"""Rollouts of several workers over one PostgreSQL: each sees what another did, and each thing is done once."""

from __future__ import annotations

import time

import pytest

psycopg = pytest.importorskip("psycopg", reason="needs the extra `postgres`")

import postgres_worker  # noqa: E402
from postgres_server import PROGRAMS, Server, migrated  # noqa: E402
from postgres_worker import HANGS_S  # noqa: E402

from adjudge.audit.kinds import bodies  # noqa: E402
from adjudge.audit.rollouts import RolloutBody, TallyBody  # noqa: E402
from adjudge_plugins.postgres.reading import PostgresLog  # noqa: E402

pytestmark = [
    pytest.mark.skipif(PROGRAMS is None, reason="needs PostgreSQL: apt-get install postgresql"),
    pytest.mark.xdist_group("postgres"),
]


class Worker(postgres_worker.Worker):
    """A worker that takes part in rollouts."""

    def __init__(self, dsn: str) -> None:
        super().__init__(dsn, "rollout_worker.py")

    def wait_for(self, name: str, *status: object) -> None:
        """Wait until the worker sees that a rollout stands so."""
        until = time.monotonic() + HANGS_S
        while (found := self.do("status").get(name, [])[: len(status)]) != [*status]:
            assert time.monotonic() < until, found
            time.sleep(0.05)


def test_workers_see_one_rollout_and_end_it_once(server: Server) -> None:
    dsn = migrated(server)
    with Worker(dsn) as one, Worker(dsn) as two:
        start = {"name": "june", "mode": "canary", "candidate": "other", "share": 0.5, "by": "kim"}
        one.tell("start", **start)
        two.tell("start", **start)
        started = sorted([one.answer(), two.answer()])
        assert started[1] == "running" and "runs already" in started[0], "one of the two started it"
        two.wait_for("june", "running", 0.5)
        made = one.do("decide", numbers=(0, 30))
        again = two.do("decide", numbers=(0, 30))
        assert [(each[0], each[1]) for each in again] == [(each[0], each[1]) for each in made]
        assert {each[2] for each in again} == {"duplicate"}
        one.do("ramp", name="june", share=0.4, by="kim")
        for n in range(1, 30):  # each worker has its part of what it takes
            for worker, offset in ((one, 0), (two, 20)):
                worker.do("decide", numbers=(100 * n + offset, 100 * n + offset + 80, 4))
            if one.do("status")["june"][0] == "ended":
                break
        one.wait_for("june", "ended")
        two.wait_for("june", "ended", 0.4, "fall-back")
        assert {each[1] for each in two.do("decide", numbers=(9000, 9020))} <= {None, "canary", "champion"}
        one.end()
        two.end()
    log = PostgresLog(dsn)
    changes = [body for _, body in bodies(log, RolloutBody)]
    assert [(body.number, body.action, body.by) for body in changes] == [
        (1, "start", "kim"),
        (2, "ramp", "kim"),
        (3, "fall-back", "adjudge"),
    ]
    tallies = [body for _, body in bodies(log, TallyBody)]
    assert [body.number for body in tallies] == list(range(1, len(tallies) + 1))


def test_promotion_reaches_the_other_worker_and_one_that_is_started_later(server: Server) -> None:
    dsn = migrated(server)
    with Worker(dsn) as one, Worker(dsn) as two:
        one.do("start", name="june", mode="canary", candidate="other", share=0.5, by="kim")
        two.wait_for("june", "running")
        assert two.do("promote", name="june", by="lee") == "promoted"
        until = time.monotonic() + HANGS_S
        n = 0
        while one.do("decide", numbers=(n, n + 1))[0][1] is not None:  # as long as it takes part in a canary
            assert time.monotonic() < until
            n += 1
            time.sleep(0.02)
        one._process.kill()
        assert two.do("decide", numbers=(5000, 5001))[0][1] is None
        with Worker(dsn) as three:
            three.wait_for("june", "promoted", 0.5, "promote")
            three.do("decide", numbers=(6000, 6030))
            assert three.do("abort", name="june", by="kim") == "ended"
            two.wait_for("june", "ended")
    from adjudge.audit.bodies import DecisionBody

    decided = {body.merchant_biz_id: body for _, body in bodies(PostgresLog(dsn), DecisionBody)}
    assert {decided[f"{n:032d}"].verdict.outcome.value for n in range(6021, 6030)} == {"reject"}, "by the promoted one"
