"""Reviews over HTTP: the same as in the engine, for those who may, recorded under their names."""

from __future__ import annotations

from pathlib import Path

import pytest

from adjudge.audit.kinds import bodies
from adjudge.audit.reviews import ReviewBody
from adjudge.audit.trail import AuditTrail
from adjudge.client import Engine as Client
from adjudge.config.service import ServiceSettings
from adjudge.documents.reviews import ReviewQuery
from adjudge.engine import Engine
from adjudge.errors import NotAllowed, RequestError
from adjudge.model import Outcome, Request
from adjudge.registry import Registry, parse_policy
from adjudge.service.access.key_file import change_keys
from adjudge.service.access.keys import new_key
from client.serving import served

POLICY = parse_policy(
    "{policy_language: 1, policy: onboarding, inputs: {n: int}, rules: [{id: r, when: n > 50, then: review}]}",
    registry=Registry(),
)
REQUEST = Request(merchant_biz_id="1" * 32, scene_code="a", inputs={"n": 60})


def engine(log: Path) -> Engine:
    return Engine([POLICY], registry=Registry(), trail=AuditTrail.open(log, durability="flush"))


def test_client_does_with_reviews_what_the_engine_does(tmp_path: Path) -> None:
    with served(engine(tmp_path)) as address, Client.open(address) as client:
        assert client.reviews_sync().reviews == ()
        review = client.decide_sync(REQUEST).decision_id
        (found,) = client.reviews_sync(ReviewQuery(policy="onboarding", status="open", limit=5)).reviews
        assert found == client.find_review_sync(review) and found.decision_id == review
        with pytest.raises(RequestError, match="claim the review first"):
            client.review_sync("decide", review, outcome="pass", reason="CODE", by="kim")
        for wrong in ({"action": "claim", "decision_id": "0" * 32}, {"action": "pass", "decision_id": review}):
            with pytest.raises(RequestError):
                client.review_sync(**wrong, by="kim")  # type: ignore[arg-type]
        (done,) = client.review_many_sync(
            ReviewQuery(policy="onboarding"), count=1, outcome="pass", reason="CODE", by="kim"
        )
        assert not isinstance(done, RequestError) and done.first is not None and done.first.by == "kim"
        answer = client.decide_sync(REQUEST)
        assert (answer.decision_id, answer.outcome, answer.supersedes) == (done.decision, Outcome.PASS, review)
        assert answer.reviewed is not None and answer.reviewed.reason == "CODE" and answer.reviewed.by == ""
        assert answer.verdict.outcome is Outcome.REVIEW
    assert [body.act for _, body in bodies(tmp_path, ReviewBody)] == ["claimed", "decided"]


def test_reviews_are_seen_and_decided_by_those_who_may_under_their_own_names(tmp_path: Path) -> None:
    keys, made = tmp_path / "keys.yaml", {}
    for scope in ("decide", "review"):
        key, made[scope] = new_key(f"{scope}-key", frozenset({scope}))  # type: ignore[arg-type]
        change_keys(keys, lambda known, key=key: {**known, key.id: key})  # type: ignore[misc]
    with (
        served(engine(tmp_path / "log"), settings=ServiceSettings(keys=keys), over_tcp=True) as address,
        Client(address, key=made["decide"]) as flow,
        Client(address, key=made["review"]) as reviewer,
    ):
        review = flow.decide_sync(REQUEST).decision_id
        for ask in (flow.reviews_sync, lambda: flow.find_review_sync(review)):
            with pytest.raises(NotAllowed):
                ask()
        with pytest.raises(NotAllowed):
            flow.review_sync("claim", review, by="decide-key")
        with pytest.raises(NotAllowed):
            reviewer.review_sync("claim", review, by="somebody else")
        assert reviewer.review_sync("claim", review, by="review-key").holder == "review-key"
