"""Who is in a rollout, and how rollouts stand: pure functions, whatever the order and however often they are asked."""

from __future__ import annotations

import random
from collections.abc import Sequence
from datetime import UTC, datetime
from math import sqrt

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rolling import CHAMPION, LAXER, STRICTER, version

from adjudge.audit.rollouts import RolloutBody
from adjudge.documents.rollouts import RolloutCommand
from adjudge.errors import RequestError
from adjudge.rollouts.commands import Known, ended_by_itself, next_record
from adjudge.rollouts.state import SHADOWS_MAX, active, arm_of, place_of, promoted

KEY = b"k" * 32
NOW = datetime(2026, 6, 1, tzinfo=UTC)
IDS = st.text("0123456789abcdefABCDEFxyz", min_size=32, max_size=32)
NAMES = st.sampled_from(["june", "july", "august"])
CANDIDATES = {"stricter": STRICTER, "laxer": LAXER}


@given(IDS, NAMES, st.floats(0, 1), st.floats(0, 1))
def test_id_that_is_in_stays_in_while_the_share_grows(
    merchant_biz_id: str, name: str, one: float, other: float
) -> None:
    place = place_of(KEY, name, merchant_biz_id)
    assert 0 <= place < 1 and place == place_of(KEY, name, merchant_biz_id)
    less, more = sorted((one, other))
    assert not place < less or place < more


def test_shares_are_met_and_two_rollouts_do_not_go_together() -> None:
    """Nor do two installations with keys of their own."""
    count = 20_000
    ids = [f"{n:032d}" for n in range(count)]
    in_one = {one for one in ids if place_of(KEY, "june", one) < 0.2}
    in_other = {one for one in ids if place_of(KEY, "july", one) < 0.2}
    elsewhere = {one for one in ids if place_of(b"e" * 32, "june", one) < 0.2}
    for found, share in ((in_one, 0.2), (in_other, 0.2), (in_one & in_other, 0.04), (in_one & elsewhere, 0.04)):
        assert abs(len(found) - share * count) < 6 * sqrt(share * (1 - share) * count)


@given(IDS)
def test_who_is_held_out_is_in_no_canary(merchant_biz_id: str) -> None:
    held, canary = body("hold", mode="hold-out", share=0.5), body("june", share=1.0)
    running = active([canary, held])["onboarding"]
    arm, by = arm_of(running, KEY, merchant_biz_id)
    assert arm is not None and by is not None
    is_held = place_of(KEY, "hold", merchant_biz_id) < 0.5
    assert (arm.name, by) == (("hold-out", held) if is_held else ("canary", canary))


def test_champion_is_counted_with_the_canary_that_it_is_compared_with() -> None:
    running = active([body("june", share=1e-9), body("hold", mode="hold-out", share=1e-9)])["onboarding"]
    arm, by = arm_of(running, KEY, "0" * 32)
    assert by is None and arm is not None and (arm.rollout, arm.name) == ("june", "champion")
    assert arm_of(active([body("w", mode="shadow")])["onboarding"], KEY, "0" * 32) == (None, None)


def test_promotion_holds_where_the_configuration_still_has_its_base() -> None:
    first = body("june", status="promoted", base="a", generation=1, digest="b")
    second = body("july", status="promoted", base="a", generation=2, digest="c")
    for known in ([first, second], [second, first]):
        assert promoted(known, "onboarding", "a") == second
        assert promoted(known, "onboarding", "b") is None, "the file has caught up, or is newer"
        assert promoted(known, "payouts", "a") is None
    assert promoted([first, msgspec.structs.replace(second, status="ended")], "onboarding", "a") == first


COMMANDS = st.one_of(
    st.builds(
        RolloutCommand,
        action=st.just("start"),
        name=NAMES,
        mode=st.sampled_from(["shadow", "canary", "hold-out"]),
        candidate=st.sampled_from(["stricter", "laxer"]),
        share=st.sampled_from([None, 0.05, 0.5]),
    ),
    st.builds(RolloutCommand, action=st.just("ramp"), name=NAMES, share=st.sampled_from([0.05, 0.2, 1.0])),
    st.builds(RolloutCommand, action=st.sampled_from(["promote", "abort"]), name=NAMES),
    st.builds(RolloutCommand, action=st.just("fall-back"), name=NAMES),
)


@settings(deadline=None)
@given(st.lists(COMMANDS, max_size=25), st.randoms(use_true_random=False))
def test_state_is_folded_from_the_newest_records_in_any_order(
    commands: Sequence[RolloutCommand], shuffled: random.Random
) -> None:
    """Whatever is asked for, at most one canary and one hold-out run, and what was written says all."""
    known: dict[str, RolloutBody] = {}
    written: list[RolloutBody] = []
    for command in commands:
        body = _next(command, known)
        if body is not None:
            assert body.number == (known[body.name].number if body.name in known else 0) + 1
            known[body.name] = body
            written.append(body)
    lines = [msgspec.json.encode(one) for one in written]
    shuffled.shuffle(lines)
    again: dict[str, RolloutBody] = {}
    for line in lines:
        one = msgspec.json.decode(line, type=RolloutBody)
        if one.name not in again or again[one.name].number < one.number:
            again[one.name] = one
    assert again == known
    assert active(again.values()) == active(reversed([*known.values()]))
    running = [one for one in known.values() if one.status == "running"]
    for mode, most in (("canary", 1), ("hold-out", 1), ("shadow", SHADOWS_MAX)):
        assert sum(one.mode == mode for one in running) <= most
    for one in running:
        assert one.shares[-1][1] == one.share and one.shares[0][0] == one.begun <= one.number
        assert [number for number, _ in one.shares] == sorted({number for number, _ in one.shares})
    generations = [one.generation for one in written if one.action == "promote"]
    assert generations == sorted(set(generations))


def _next(command: RolloutCommand, known: dict[str, RolloutBody]) -> RolloutBody | None:
    before = known.get(command.name)
    if command.action == "fall-back":
        is_due = before is not None and before.status == "running"
        return ended_by_itself(before, "fall-back", "a rail", {}, NOW) if before is not None and is_due else None
    try:
        return next_record(command, "kim", everything(known), NOW)
    except RequestError:
        return None


def everything(known: dict[str, RolloutBody]) -> Known:
    policies = {"onboarding": CHAMPION}
    return Known(rollouts=known, candidates=CANDIDATES, given=policies, answering=policies, arms={})


@pytest.mark.parametrize(
    ("said", "where", "why"),
    [
        ({"name": "a b"}, "name", "letters, digits"),
        ({"mode": None}, "mode", "must be shadow, canary, hold-out"),
        ({"candidate": "strict"}, "candidate", "may take part"),
        ({"candidate": None}, "candidate", "may take part"),
        ({"candidate": "same"}, "candidate", "answers already"),
        ({"candidate": "foreign"}, "candidate", "no policy of this engine"),
        ({"candidate": "retyped"}, "candidate", "declares `score` as another type"),
        ({"candidate": "personal"}, "candidate", "declares `note` as another type"),
        ({"candidate": "scened"}, "candidate", "answers other scenes"),
        ({"share": None}, "share", "above 0 and at most 1"),
        ({"share": 1.5}, "share", "above 0 and at most 1"),
        ({"share": 0.0}, "share", "above 0 and at most 1"),
        ({"mode": "shadow"}, "share", "leave it out"),
        ({"name": "june"}, "name", "runs already"),
        ({"name": "other"}, "mode", "has the canary `june` already"),
        ({"action": "stop"}, "mode", "is for `start` alone"),
        ({"action": "ramp"}, "mode", "is for `start` alone"),
        ({"action": "ramp", "mode": None, "candidate": None, "name": "june", "share": 0.1}, "share", "is 0.1 already"),
        ({"action": "ramp", "mode": None, "candidate": None, "name": "w"}, "name", "is a shadow"),
        ({"action": "ramp", "mode": None, "candidate": None, "name": "juno"}, "name", "no rollout `juno`"),
        ({"action": "abort", "mode": None, "candidate": None}, "share", "is for `start` and `ramp` alone"),
        ({"action": "promote", "mode": None, "candidate": None, "share": None, "name": "w"}, "name", "only a canary"),
        (
            {"action": "abort", "mode": None, "candidate": None, "share": None, "name": "old"},
            "name",
            "was aborted by kim",
        ),
    ],
)
def test_command_that_cannot_be_done_says_why(said: dict[str, object], where: str, why: str) -> None:
    candidates = {
        **CANDIDATES,
        "same": version(70),
        "foreign": version(1, **{"policy: onboarding": "policy: payouts"}),
        "retyped": version(1, **{"score: int": "score: double"}),
        "personal": version(1, **{"note: string": "note: {type: string, personal: true}"}),
        "scened": version(1, **{"inputs:": "scenes: [other], inputs:"}),
    }
    policies = {"onboarding": CHAMPION}
    rollouts = {
        "june": body("june", share=0.1),
        "w": body("w", mode="shadow"),
        "old": body("old", status="ended", action="abort"),
    }
    known = Known(rollouts=rollouts, candidates=candidates, given=policies, answering=policies, arms={})
    if said.get("name") is None and "action" not in said and said.get("mode", "canary") == "canary":
        known = Known(rollouts={}, candidates=candidates, given=policies, answering=policies, arms={})
    usual: dict[str, object] = {
        "action": "start",
        "name": "new",
        "mode": "canary",
        "candidate": "stricter",
        "share": 0.1,
    }
    with pytest.raises(RequestError, match=why) as raised:
        next_record(RolloutCommand(**{**usual, **said}), "kim", known, NOW)  # type: ignore[arg-type]
    assert raised.value.where == where


def body(name: str, **parts: object) -> RolloutBody:
    usual: dict[str, object] = {
        "name": name,
        "number": 1,
        "at": NOW,
        "by": "kim",
        "action": "start",
        "mode": "canary",
        "policy": "onboarding",
        "candidate": "stricter",
        "digest": STRICTER.digest,
        "champion": CHAMPION.digest,
        "share": 1.0,
        "status": "running",
        "begun": 1,
    }
    return RolloutBody(**{**usual, **parts})  # type: ignore[arg-type]
