"""How a review stands, held to a model that knows nothing of records."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from itertools import chain
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from reviewing import Clock, engine, request

from adjudge.audit.reviews import ReviewBody
from adjudge.errors import RequestError
from adjudge.model import Outcome
from adjudge.reviews.settings import ReviewSettings
from adjudge.reviews.state import folded, is_drawn

PEOPLE = ("kim", "lee")
HELD_S = 600
ONE = st.lists(
    st.one_of(
        st.tuples(st.sampled_from(("claim", "note", "release", "pass", "reject")), st.sampled_from(PEOPLE)),
        st.tuples(st.just("wait"), st.sampled_from(("1", "599", "600"))),
        st.just(("restart", "")),
    ),
    max_size=3,
)
TURN = st.tuples(st.sampled_from(PEOPLE), st.sampled_from(("pass", "reject")), ONE).map(
    lambda turn: [("claim", turn[0]), *turn[2], (turn[1], turn[0])]
)
STEPS = st.lists(ONE | TURN | st.just([("wait", "600")]), max_size=6).map(lambda parts: [*chain.from_iterable(parts)])


class Model:
    """A desk with one sheet on it: who may do what, in as few words as there are."""

    def __init__(self, twice: bool) -> None:
        self.twice, self.now = twice, 0
        self.sheet: tuple[str, int] | None = None  # whose it is, and until when
        self.verdicts: list[tuple[str, str]] = []
        self.notes = 0

    @property
    def is_over(self) -> bool:
        return len(self.verdicts) == (2 if self.twice else 1)

    @property
    def holder(self) -> str | None:
        return self.sheet[0] if self.sheet is not None and self.now < self.sheet[1] else None

    def does(self, what: str, who: str) -> bool:
        """Do it, if it can be done."""
        if what == "note":
            self.notes += 1
            return True
        if what == "release":
            if self.holder != who:
                return False
            self.sheet = None
            return True
        if self.is_over or any(who == by for by, _ in self.verdicts):
            return False
        if what == "claim":
            if self.holder not in (None, who):
                return False
            self.sheet = (who, self.now + HELD_S)
            return True
        if self.holder != who:
            return False
        self.verdicts.append((who, what))
        self.sheet = None
        return True


async def follow(steps: list[tuple[str, str]], log: Path | None, twice: bool) -> None:
    """Do the steps in an engine and in the model, and compare after each."""
    clock, model = Clock(), Model(twice)
    parts: dict[str, Any] = {"reviews": ReviewSettings(held_for_s=HELD_S, second=1.0 if twice else 0.0)}
    one = engine(log, clock, **parts)
    await one.__aenter__()
    try:
        review = (await one.decide(request(1))).decision_id
        for what, who in steps:
            if what == "wait":
                clock.forward(seconds=int(who))
                model.now += int(who)
                continue
            if what == "restart":
                if log is not None:
                    await one.aclose()
                    one = engine(log, clock, **parts)
                    await one.__aenter__()
                continue
            said = {"outcome": what, "reason": "CODE"} if what in ("pass", "reject") else {}
            said |= {"note": "words"} if what == "note" else {}
            try:
                await one.review("decide" if what in ("pass", "reject") else what, review, by=who, **said)
                is_done = True
            except RequestError:
                is_done = False
            if log is None and model.is_over and what == "note":
                continue  # memory has forgotten the decision that was superseded
            if log is None and model.verdicts:
                return
            assert is_done == model.does(what, who), (what, who)
            answer = await one.decide(request(1))
            assert answer.outcome == (model.verdicts[0][1] if model.verdicts else Outcome.REVIEW)
            if log is not None:
                shown = await one.find_review(review, by=model.verdicts[0][0] if model.verdicts else "nobody")
                assert shown.holder == model.holder
                assert len(shown.notes) == model.notes
                assert [(each.by, each.outcome) for each in (shown.first, shown.second) if each] == model.verdicts
                waits = [each.decision_id for each in (await one.reviews()).reviews]
                assert waits == ([] if model.is_over else [review])
    finally:
        await one.aclose()


@given(steps=STEPS, twice=st.booleans())
@settings(max_examples=30, deadline=None)
def test_engine_in_memory_does_as_the_model(steps: list[tuple[str, str]], twice: bool) -> None:
    asyncio.run(follow(steps, None, twice))


@given(steps=STEPS, twice=st.booleans())
@example(steps=[("claim", "kim"), ("pass", "kim"), ("claim", "kim"), ("reject", "kim")], twice=True)
@example(steps=[("claim", "kim"), ("wait", "600"), ("claim", "lee"), ("restart", ""), ("pass", "kim")], twice=False)
@settings(max_examples=25, deadline=None)
def test_engine_with_a_log_does_as_the_model_also_after_restarts(
    tmp_path_factory: pytest.TempPathFactory, steps: list[tuple[str, str]], twice: bool
) -> None:
    asyncio.run(follow(steps, tmp_path_factory.mktemp("log"), twice))


NOW = datetime(2026, 3, 1, tzinfo=UTC)
ACTS = st.builds(
    ReviewBody,
    name=st.just("0" * 32),
    number=st.integers(1, 20),
    at=st.just(NOW),
    act=st.sampled_from(("claimed", "noted", "released", "decided", "second")),
    by=st.sampled_from(PEOPLE),
    merchant_biz_id=st.just("0" * 32),
    until=st.none() | st.just(NOW + timedelta(minutes=1)),
    outcome=st.none() | st.sampled_from((Outcome.PASS, Outcome.REJECT)),
    again=st.booleans(),
)


@given(acts=st.lists(ACTS, unique_by=lambda act: act.number), order=st.randoms())
def test_fold_takes_whatever_a_log_may_hold_in_any_order(acts: list[ReviewBody], order: Any) -> None:
    """Also what nobody here writes: a first decision stays, and a second is somebody else's."""
    before = folded(acts)
    shuffled = [*acts]
    order.shuffle(shuffled)
    assert folded(shuffled) == before
    if before.second is not None:
        assert before.decided is not None and before.second.by != before.decided.by
        assert before.decided.number < before.second.number


def test_who_is_drawn_at_a_share_is_drawn_at_each_that_is_higher() -> None:
    key, ids = b"k" * 32, [f"{n:032d}" for n in range(2000)]
    some, more = ({one for one in ids if is_drawn(key, one, share)} for share in (0.05, 0.2))
    assert some < more and 60 < len(some) < 140 and 320 < len(more) < 480
    assert {one for one in ids if is_drawn(b"l" * 32, one, 0.05)} != some
    assert all(is_drawn(key, one, 1.0) for one in ids) and not any(is_drawn(key, one, 0.0) for one in ids)
