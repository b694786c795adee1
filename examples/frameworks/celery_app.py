"""Celery with its prefork pool: each process of the pool opens a client after it was forked, and closes it.

adjudge serve adjudge.yaml --uds adjudge.sock &
ADJUDGE_SERVICE=adjudge.sock celery -A celery_app worker --concurrency 4
"""

from __future__ import annotations

import os
from typing import Any

from celery import Celery
from celery.signals import worker_process_init, worker_process_shutdown

from adjudge import AuditUnavailable, Overloaded
from adjudge.client import Engine
from adjudge.documents import decode_request

app = Celery("checks", broker=os.environ["BROKER_URL"], backend=os.environ["RESULT_BACKEND"])
app.conf.task_acks_late = True  # a task whose worker dies is done again, and its MerchantBizId has one decision
engine: Engine | None = None


def open_engine(**_: object) -> None:
    global engine
    engine = Engine.open(os.environ["ADJUDGE_SERVICE"]).__enter__()


def close_engine(**_: object) -> None:
    if engine is not None:
        engine.close()  # a process of the pool ends without running what others run at their end


worker_process_init.connect(open_engine)
worker_process_shutdown.connect(close_engine)


def decide(task: Any, document: dict[str, object]) -> dict[str, str]:
    assert engine is not None, "a worker of the pool runs it"
    try:
        decision = engine.decide_sync(decode_request(document))
    except Overloaded as error:
        raise task.retry(exc=error, countdown=error.retry_after_s) from None
    except AuditUnavailable as error:  # the service is not there, or cannot record: nothing is decided twice
        raise task.retry(exc=error, countdown=5, max_retries=20) from None
    return {"outcome": decision.outcome, "decision_id": decision.decision_id}


check = app.task(name="check", bind=True)(decide)
