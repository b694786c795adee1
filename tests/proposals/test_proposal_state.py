"""How proposals stand, held against another way of saying so, over acts in any order."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adjudge.audit.proposals import ProposalBody
from adjudge.documents.proposals import ProposalCommand
from adjudge.errors import Overtaken, RequestError
from adjudge.proposals.commands import Known, is_stale, next_act
from adjudge.proposals.state import Proposal, fold, person

AT = datetime(2026, 1, 31, tzinfo=UTC)
PEOPLE = ("kim", "lee", "ari", "Kim ")
ACTIONS = ("make", "comment", "approve", "send-back", "activate", "roll-back", "withdraw")
LIVE, OTHER = "0" * 64, "1" * 64


def version(digest: str, base: str = LIVE, policy: str = "one") -> ProposalBody:
    """Return what was read of a version."""
    return ProposalBody(
        name="", number=1, proposal="", step=0, at=AT, by="", act="made", digest=digest, policy=policy, base=base
    )


def act(step: int, did: str, by: str = "kim", name: str = "1", **parts: Any) -> ProposalBody:
    """Return an act, whether it is allowed or not."""
    more = {"digest": "a" * 64, **({"policy": "one", "base": LIVE} if did == "made" else {}), **parts}
    return ProposalBody(name=f"{name}.{step}", number=1, proposal=name, step=step, at=AT, by=by, act=did, **more)  # type: ignore[arg-type]


class Judge:
    """One proposal, told in another way: by what was said since its newest version."""

    def __init__(self) -> None:
        self.version = ""
        self.base = LIVE
        self.makers: list[str] = []
        self.approvers: list[str] = []
        self.over = ""  # withdrawn, activated, rolled_back
        self.is_sent_back = False

    def status(self) -> str:
        if self.over:
            return self.over
        return "sent_back" if self.is_sent_back else "approved" if self.approvers else "open"

    def may(self, action: str, by: str, live: str, *, four_eyes: bool) -> bool:
        """Whether somebody may do something, who has seen everything."""
        is_maker = any(one.strip().lower() == by.strip().lower() for one in self.makers)
        has_approved = any(one.strip().lower() == by.strip().lower() for one in self.approvers)
        others = [one for one in self.approvers if one.strip().lower() not in {m.strip().lower() for m in self.makers}]
        fresh = live == self.base
        match action:
            case "make":
                return self.over in ("", "rolled_back")
            case "comment":
                return True
            case "send-back":
                return not self.over and not self.is_sent_back
            case "approve":
                closed = self.over or self.is_sent_back or has_approved or not fresh
                return not closed and not (four_eyes and is_maker)
            case "activate":
                if self.over == "activated":
                    return bool(others) or not four_eyes
                return not self.over and bool(others if four_eyes else self.approvers) and fresh
            case "roll-back":
                return self.over == "activated"
            case _:
                return not self.over

    def do(self, action: str, by: str, digest: str, base: str) -> None:
        match action:
            case "make":
                self.version, self.base, self.makers = digest, base, [*self.makers, by]
                self.approvers, self.over, self.is_sent_back = [], "", False
            case "send-back":
                self.approvers, self.is_sent_back = [], True
            case "approve":
                self.approvers = [*self.approvers, by]
            case "activate":
                self.over = "activated"
            case "roll-back":
                self.over = "rolled_back"
            case "withdraw":
                self.over = "withdrawn"


@given(
    st.lists(
        st.tuples(
            st.sampled_from(ACTIONS),
            st.sampled_from(PEOPLE),
            st.sampled_from("abc"),
            st.sampled_from([LIVE, LIVE, OTHER]),
            st.sampled_from([0, 0, 0, 0, 0, 1]),
        ),
        min_size=3,
        max_size=25,
    ),
    st.booleans(),
    st.randoms(use_true_random=False),
)
def test_acts_are_taken_and_folded_as_another_judge_says(
    wanted: list[tuple[str, str, str, str, int]], four_eyes: bool, order: Any
) -> None:
    judge, records, known = Judge(), [], dict[str, Proposal]()
    for action, by, letter, live, behind in [("make", "kim", "a", LIVE, 0), *wanted]:
        digest, step = letter * 64, known["1"].step if known else 0
        seen = max(step - behind, 0) or None
        command = ProposalCommand(
            action=action,
            name="1" if known or action != "make" else None,
            seen=seen,
            reason="so",
            how="now" if action == "activate" else None,
        )
        state = Known(proposals=known, answering={"one": live}, four_eyes=four_eyes)
        made = version(digest, live) if action == "make" else None
        is_first = not known
        if is_first:
            may = action == "make"
        else:
            may = (seen == step or (seen is None and action == "comment")) and judge.may(
                action, by, live, four_eyes=four_eyes
            )
        if not may:
            is_late = not is_first and seen is not None and seen != step
            with pytest.raises(Overtaken if is_late else RequestError):
                next_act(command, by, state, AT, made)
            continue
        records.append(next_act(command, by, state, AT, made))
        judge.do(action, by, digest, live)
        shuffled = [*records, *records]
        order.shuffle(shuffled)
        known = dict(fold(shuffled))
        one = known["1"]
        assert (one.status, one.made.digest, one.step) == (judge.status(), judge.version, len(records))
        assert one.makers == {by.strip().lower() for by in judge.makers}
        assert [each.by for each in one.approvals] == judge.approvers
        assert is_stale(one, {"one": live}) == (not judge.over and live != judge.base)


ACTS = st.tuples(
    st.sampled_from(["made", "commented", "sent_back", "approved", "activated", "withdrawn"]),
    st.sampled_from(["a" * 64, "b" * 64]),
    st.sampled_from([None, "now", "back"]),
)


@given(st.lists(ACTS, max_size=12))
def test_records_that_nobody_should_have_written_break_nothing(acts: list[tuple[str, str, Any]]) -> None:
    """What is not allowed changes nothing; in particular, nothing answers that was not approved as it is."""
    acts = [("made", "a" * 64, None), *acts]
    records = [act(step, did, digest=digest, how=how) for step, (did, digest, how) in enumerate(acts, 1)]
    approved = ""
    for count in range(len(records) + 1):
        for one in fold(records[:count]).values():
            if one.status == "approved":
                approved = one.made.digest
            if one.status == "activated":
                assert approved == one.made.digest
            assert {each.digest for each in one.approvals} <= {one.made.digest}


def test_act_counts_only_after_those_before_it() -> None:
    made, comment, approval = act(1, "made"), act(2, "commented"), act(3, "approved", by="lee")
    assert fold([approval, made])["1"].status == "open"
    assert fold([approval, comment]) == {}
    assert fold([approval, comment, made])["1"].status == "approved"


def test_act_under_another_name_counts_for_nothing() -> None:
    forged = act(2, "approved", name="2")
    assert fold([act(1, "made"), ProposalBody(**{**_members(forged), "proposal": "1"})])["1"].status == "open"


def _members(body: ProposalBody) -> dict[str, Any]:
    return {name: getattr(body, name) for name in body.__struct_fields__}


@pytest.mark.parametrize("name", ["KIM", " kim", "ｋｉｍ", "kim\u00a0"])
def test_names_that_people_take_for_the_same_are_one_person(name: str) -> None:
    assert person(name) == person("kim")


def test_stale_act_is_told_what_came_between() -> None:
    known = Known(
        proposals=fold([act(1, "made"), act(2, "commented", by="lee"), act(3, "sent_back", by="ari")]),
        answering={"one": LIVE},
        four_eyes=False,
    )
    with pytest.raises(Overtaken, match="since act 1: 2 commented by lee, 3 sent back by ari; look at it"):
        next_act(ProposalCommand(action="approve", name="1", seen=1), "lee", known, AT, None)
    with pytest.raises(RequestError, match="has no act 4; it is at 3"):
        next_act(ProposalCommand(action="approve", name="1", seen=4), "lee", known, AT, None)


@pytest.mark.parametrize(
    ("said", "message"),
    [
        ({"action": "promote"}, "`promote` is not make, comment"),
        ({"action": "approve"}, "name: is missing"),
        ({"action": "approve", "name": "2", "seen": 1}, "there is no proposal `2`"),
        ({"action": "approve", "name": "a b", "seen": 1}, "must have 1 to 32 letters"),
        ({"action": "approve", "name": "1"}, "seen: say which act of `1` you have seen last; it is at 1"),
        ({"action": "approve", "name": "1", "seen": 1, "how": "now"}, "how: is for `activate` alone"),
        ({"action": "approve", "name": "1", "seen": 1, "text": "x"}, "text: is for `make` alone"),
        ({"action": "comment", "name": "1"}, "reason: say what you think of it"),
        ({"action": "send-back", "name": "1", "seen": 1, "reason": " "}, "reason: say what you think of it"),
        ({"action": "activate", "name": "1", "seen": 1, "how": "now"}, "`1` has yet to be approved, so `activate`"),
        ({"action": "roll-back", "name": "1", "seen": 1, "reason": "x"}, "`1` has yet to be approved, so"),
    ],
)
def test_command_that_cannot_be_done_is_refused_in_words(said: dict[str, Any], message: str) -> None:
    known = Known(proposals=fold([act(1, "made")]), answering={"one": LIVE}, four_eyes=False)
    with pytest.raises(RequestError, match=message):
        next_act(ProposalCommand(**said), "lee", known, AT, None)


def test_approval_of_another_version_counts_for_nothing() -> None:
    state = fold([act(1, "made"), act(2, "approved", by="lee", digest="b" * 64)])["1"]
    assert (state.status, state.approvals, state.step) == ("open", (), 2)
