"""Guard rails: they fall back for what is worse, seldom for what is not, and may be looked at all the time."""

from __future__ import annotations

from math import comb, exp, log
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adjudge.audit.rollouts import Counts
from adjudge.rollouts.guard_rails import MULTIPLES, USUAL, GuardRails, evidence, interval, rails_of

SHARES = st.floats(0.01, 0.99)


@given(SHARES, st.floats(1, 3), st.integers(0, 60), st.integers(0, 60))
def test_evidence_is_what_its_definition_says(share: float, limit: float, canary: int, champion: int) -> None:
    """The mean likelihood ratio, written out."""
    odds = share * limit / (1 - share)
    at_limit = odds / (1 + odds)
    ratios = []
    for multiple in MULTIPLES:
        under = odds * multiple / (1 + odds * multiple)
        ratios.append((under / at_limit) ** canary * ((1 - under) / (1 - at_limit)) ** champion)
    assert evidence([(share, canary, champion)], limit) == pytest.approx(log(sum(ratios) / len(ratios)), abs=1e-6)


@pytest.mark.parametrize("share", [0.05, 0.2, 0.7])
@pytest.mark.parametrize("limit", [1.0, 1.25])
def test_evidence_is_no_more_than_1_on_average_within_the_limit(share: float, limit: float) -> None:
    """For any number of events, summed over all that can happen; that is what makes it safe to look at any time."""
    for times in (limit, 1.0, 0.5):
        odds = share * times / (1 - share)
        of_canary = odds / (1 + odds)
        for events in (1, 10, 40):
            mean = sum(
                comb(events, k) * of_canary**k * (1 - of_canary) ** (events - k)
                * exp(evidence([(share, k, events - k)], limit))
                for k in range(events + 1)
            )  # fmt: skip
            assert mean <= 1 + 1e-9
            if times == limit:
                assert mean == pytest.approx(1)


def test_canary_as_good_as_the_champion_seldom_falls_back_however_often_it_is_looked_at() -> None:
    """It is looked at after every event, while the share is ramped up; the traffic drifts, which changes nothing."""
    rails = GuardRails(limits={"reject": 1.0}, false_alarm=0.05, enough=1)
    random, fell = Random(7), 0
    for _ in range(400):
        stages: dict[float, list[int]] = {}
        for n in range(400):
            share = (0.05, 0.2, 0.5, 0.2)[n // 100]
            stages.setdefault(share, [0, 0])[random.random() >= share] += 1
            if evidence([(one, *two) for one, two in stages.items()], 1.0) >= rails.threshold:
                fell += 1
                break
    assert fell <= 0.05 * 400


@pytest.mark.parametrize("times", [2.0, 5.0])
def test_canary_that_is_worse_falls_back(times: float) -> None:
    rails, random = GuardRails(limits={"reject": 1.25}, enough=1), Random(7)
    canary = champion = 0
    for _ in range(3000):
        odds = 0.2 * times / 0.8
        if random.random() < odds / (1 + odds):
            canary += 1
        else:
            champion += 1
        if evidence([(0.2, canary, champion)], 1.25) >= rails.threshold:
            break
    else:
        raise AssertionError("it did not")
    assert canary + champion < (600 if times == 2 else 60)


def test_rail_acts_only_once_there_are_enough_decisions() -> None:
    rails = GuardRails(limits={"reject": 1.25, "errors": 1.25}, enough=100)
    for decisions, acts in ((99, False), (100, True)):
        canary = Counts(decisions=decisions, reject=60)
        reject, errors = rails_of(rails, [(0.5, canary, Counts(decisions=100, reject=5))])
        assert reject.near == 1 and reject.acts is acts
        assert (errors.near, errors.acts) == (0, False)


def test_canary_that_lets_everything_pass_falls_back() -> None:
    """And so does one that rejects none; not one that stops about as many."""
    champion = Counts(decisions=900, passed=720, review=150, reject=30)
    for canary, acting in (
        (Counts(decisions=100, passed=100), {"fewer_stopped"}),
        (Counts(decisions=100, passed=80, review=17, reject=3), set()),
        (Counts(decisions=100, passed=88, review=10, reject=2), set()),
    ):
        assert {rail.name for rail in rails_of(USUAL, [(0.1, canary, champion)]) if rail.acts} == acting
    softer = [
        (0.5, Counts(decisions=900, passed=720, review=180), Counts(decisions=900, passed=720, reject=30, review=150))
    ]
    assert {rail.name for rail in rails_of(USUAL, softer) if rail.acts} == {"fewer_rejects"}
    stricter = [(0.5, Counts(decisions=900, passed=720, reject=180), Counts(decisions=900, passed=720, review=180))]
    assert {rail.name for rail in rails_of(USUAL, stricter) if rail.acts} == {"reject"}


@given(SHARES, st.floats(1, 3), st.integers(0, 60), st.integers(0, 60))
def test_fewer_of_the_canary_is_more_of_the_champion(share: float, limit: float, canary: int, champion: int) -> None:
    one, other = Counts(reject=canary, decisions=100), Counts(reject=champion, decisions=100)
    (fewer,) = rails_of(GuardRails(limits={"fewer_rejects": limit}), [(share, one, other)])
    (more,) = rails_of(GuardRails(limits={"reject": limit}), [(1 - share, other, one)])
    assert (fewer.evidence, fewer.canary, fewer.champion) == (pytest.approx(more.evidence), canary, champion)


def test_rail_says_nothing_where_there_is_nobody_to_compare_with() -> None:
    (rail,) = rails_of(GuardRails(limits={"reject": 1.25}), [(1.0, Counts(decisions=900, reject=900), Counts())])
    assert rail.evidence == 0 and not rail.acts
    assert not rails_of(GuardRails(limits={}), [(0.5, Counts(decisions=900, reject=900), Counts())])


@given(st.integers(0, 500), st.integers(0, 500))
def test_interval_holds_what_was_seen_and_narrows(count: int, others: int) -> None:
    total = count + others
    low, high = interval(count, total)
    assert 0 <= low <= high <= 1
    if total:
        assert low <= count / total <= high
        tenfold = interval(10 * count, 10 * total)
        assert tenfold[1] - tenfold[0] <= high - low


def test_interval_holds_the_true_share_at_every_look() -> None:
    random, missed = Random(7), 0
    for _ in range(200):
        count = 0
        for n in range(1, 301):
            count += random.random() < 0.1
            low, high = interval(count, n) if n % 5 == 0 else (0.0, 1.0)
            if not low <= 0.1 <= high:
                missed += 1
                break
    assert missed <= 0.05 * 200
