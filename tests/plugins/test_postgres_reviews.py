"""Reviews of two workers over one PostgreSQL: nobody holds one that another has, and each is decided once."""

from __future__ import annotations

import pytest

psycopg = pytest.importorskip("psycopg", reason="needs the extra `postgres`")

from postgres_server import PROGRAMS, Server, migrated  # noqa: E402
from postgres_worker import Worker  # noqa: E402

from adjudge.audit.bodies import DecisionBody  # noqa: E402
from adjudge.audit.kinds import bodies  # noqa: E402
from adjudge.audit.reviews import ReviewBody  # noqa: E402
from adjudge.replay.decisions import replay  # noqa: E402
from adjudge_plugins.postgres.reading import PostgresLog  # noqa: E402

pytestmark = [
    pytest.mark.skipif(PROGRAMS is None, reason="needs PostgreSQL: apt-get install postgresql"),
    pytest.mark.xdist_group("postgres"),
]
PROGRAM = "review_worker.py"


def test_of_two_workers_one_claims_and_one_decides(server: Server) -> None:
    dsn = migrated(server)
    with Worker(dsn, PROGRAM) as one, Worker(dsn, PROGRAM) as two:
        for n in range(6):
            review, outcome, _ = one.do("decide_request", n=n)
            assert outcome == "review"
            one.tell("claim", decision_id=review, by="kim")
            two.tell("claim", decision_id=review, by="lee")
            claimed = [one.answer(), two.answer()]
            (held,) = [each for each in claimed if isinstance(each, dict)]
            (refused,) = [each for each in claimed if isinstance(each, str)]
            assert held["holder"] in ("kim", "lee") and f"is held by `{held['holder']}`" in refused
            said = {"decision_id": review, "reason": "CODE", "by": held["holder"]}
            one.tell("decide", **said, outcome="pass")
            two.tell("decide", **said, outcome="reject")
            decided = [one.answer(), two.answer()]
            (done,) = [each for each in decided if isinstance(each, dict)]
            for worker in (one, two):
                answer = worker.do("decide_request", n=n)
                assert answer == [done["decision"], done["first"]["outcome"], "duplicate"]
                assert worker.do("queue") == []
        erased, _, _ = two.do("decide_request", n=10)
        assert two.do("erase", n=10) == 1
        one.do("claim", decision_id=erased, by="kim")
        assert one.do("decide", decision_id=erased, outcome="reject", reason="CODE", by="kim")["status"] == "decided"
        over, _, _ = one.do("decide_request", n=11)
        one.do("claim", decision_id=over, by="kim")
        assert two.do("decide_request", n=11, anew=True)[2] == "supersedes"
        assert "decided anew" in one.do("decide", decision_id=over, outcome="pass", reason="CODE", by="kim")
    log = PostgresLog(dsn)
    assert sum(body.reviewed is not None for _, body in bodies(log, DecisionBody)) == 7
    assert sum(body.act == "decided" for _, body in bodies(log, ReviewBody)) == 7
    assert {each.answer for each in replay(log)} <= {"identical", "erased"}
