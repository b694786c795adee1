"""From what was given to slots, in the plain form."""

from __future__ import annotations

import pytest

from adjudge.policy.slots import read_slots
from adjudge.values.fields import parse_fields

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
