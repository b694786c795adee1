"""From what was given to slots, in the plain form."""

from __future__ import annotations

import pytest

from adjudge.model import Outcome
from adjudge.policy.loading.load import read_policy
from adjudge.policy.policy import Policy
from adjudge.policy.slots import Slot, declare, read_slots
from adjudge.values.declared import parse_fields

STRAY = (("face.tags", "has a member outside its vocabulary"),)
FACE = parse_fields({"tags": {"type": "set", "values": ["x", "y"]}})


@pytest.mark.parametrize(
    ("given", "tags", "novel", "problems"),
    [
        ({"tags": ["x"]}, ("x",), (), ()),
        ({"tags": ["x", "new"]}, ("x",), ("new",), STRAY),
        ({"tags": ["new"], "novel_tags": ["newer"]}, (), ("newer", "new"), STRAY),
        ({"tags": [], "novel_tags": None}, (), (), ()),
        # a set that is missing may hold what is new, whatever is named beside it
        ({"novel_tags": ["new"]}, None, None, ()),
        ({"novel_tags": []}, None, None, ()),
        ({}, None, None, ()),
        # what is named as new and cannot be read is unknown: it is not "nothing new"
        ({"tags": [], "novel_tags": 5}, (), None, (("face.novel_tags", "must be a list, not an int"),)),
        ({"tags": 5}, None, None, (("face.tags", "must be a list, not an int"),)),
        ({"tags": ["x", 5]}, ("x", None), None, (("face.tags", "has a member that is an int, not a string"),)),
        ({"tags": ["x", "\ud800"]}, ("x", None), None, (("face.tags", "has a member that is not valid Unicode"),)),
        # a name that cannot be read is one, but perhaps one of the others
        ({"tags": [], "novel_tags": [5]}, (), (None,), (("face.novel_tags.0", "must be a string, not an int"),)),
        (
            {"tags": ["new"], "novel_tags": [5]},
            (),
            None,
            (*STRAY, ("face.novel_tags.0", "must be a string, not an int")),
        ),
    ],
)
def test_set_and_its_novel_members_are_read_together(
    given: dict[str, object], tags: object, novel: object, problems: object
) -> None:
    slots = read_slots({}, {"face": FACE}, {"face": given})
    assert (slots.values["face.tags"], slots.values["face.novel_tags"], slots.problems) == (tags, novel, problems)


AWKWARD = """
policy: awkward
policy_language: 1
inputs:
  limits: {type: map, keys: ["a.b", novel_x, ""], of: double}
  email: {type: string, personal: true}
signals:
  face:
    when_unknown: pass
    fields:
      tags: {type: set, values: [x]}
      novel_os: string
      level: {type: enum, values: [low, high]}
      novel_level: {type: list, of: string}
rules:
  - {id: a, when: 'limits["a.b"] > 1.0 || limits.novel_x > 1.0', then: reject}
  - {id: b, when: 'face.novel_os == "x" || size(face.novel_tags) > 0', then: reject}
when_unknown: review
"""


def test_slots_of_a_policy_are_taken_apart_as_they_were_declared() -> None:
    typed = read_policy(AWKWARD)
    assert typed.parts == {
        "now": Slot("", "now"),
        "limits": Slot("", "limits"),
        "limits.a.b": Slot("", "limits", "a.b"),
        "limits.novel_x": Slot("", "limits", "novel_x"),
        "limits.": Slot("", "limits", ""),
        "novel_limits": Slot("", "limits", novel=True),
        "email": Slot("", "email"),
        "face.tags": Slot("face", "tags"),
        "face.novel_tags": Slot("face", "tags", novel=True),
        "face.novel_os": Slot("face", "novel_os"),
        "face.level": Slot("face", "level"),
        "face.novel_level": Slot("face", "novel_level"),
    }
    assert typed.parts.keys() == typed.slots.keys()
    assert all(str(slot) == name for name, slot in typed.parts.items())


def test_slot_leads_to_its_value_and_its_field() -> None:
    slot = Slot("face", "score", "a.b")
    assert (slot.path, slot.whole) == (("face", "score", "a.b"), Slot("face", "score"))
    assert Slot("", "tags", novel=True).path == ("novel_tags",)


def test_only_what_has_a_vocabulary_of_many_words_has_news() -> None:
    typed = read_policy(AWKWARD)
    assert {name: news for name in typed.parts if (news := typed.news_of(name)) is not None} == {
        **dict.fromkeys(["limits", "limits.a.b", "limits.novel_x", "limits.", "novel_limits"], "novel_limits"),
        **dict.fromkeys(["face.tags", "face.novel_tags"], "face.novel_tags"),
    }
    assert typed.news_of("face") is None
    assert (typed.path_of("face"), typed.path_of("limits.a.b")) == (("face",), ("limits", "a.b"))


@pytest.mark.parametrize(
    ("name", "slot"),
    [
        ("country", Slot("", "country")),
        ("limits.a.b", Slot("", "limits", "a.b")),
        ("limits.", Slot("", "limits", "")),
        ("face", Slot("face", "")),
        ("face.score", Slot("face", "score")),
        ("face.score.a.b", Slot("face", "score", "a.b")),
        ("face.score.", Slot("face", "score", "")),
        ("face.novel_tags", Slot("face", "novel_tags")),
    ],
)
def test_slot_is_read_from_what_somebody_wrote(name: str, slot: Slot) -> None:
    assert Slot.parse(name, {"face"}) == slot


def test_slots_are_sorted_by_their_full_names() -> None:
    slots = [*declare(FACE, "face"), *declare(FACE), Slot("face", "score", "x")]
    assert [str(slot) for slot in sorted(slots)] == sorted(map(str, slots))


@pytest.mark.parametrize(
    ("given", "outcome"),
    [
        ({"limits": {"a.b": 2.0}}, Outcome.REJECT),
        ({"limits": {"novel_x": 2.0}}, Outcome.REJECT),
        ({"limits": {"a.b": 0.0, "novel_x": 0.0}, "face": {"tags": [], "novel_os": "x"}}, Outcome.REJECT),
        ({"limits": {"a.b": 0.0, "novel_x": 0.0}}, Outcome.PASS),  # the signal's own `when_unknown`
        ({"limits": {"a.b": 0.0}, "face": {"tags": [], "novel_os": "y"}}, Outcome.REVIEW),
    ],
)
def test_policy_reads_keys_and_fields_that_look_like_other_names(given: dict[str, object], outcome: Outcome) -> None:
    assert Policy(read_policy(AWKWARD)).evaluate(given).outcome is outcome
