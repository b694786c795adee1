"""Types in other processes: what goes there and comes back is the same type, and a scalar the same object."""

from __future__ import annotations

import pickle

import pytest

from adjudge.values import types
from adjudge.values.fields import Field
from adjudge.values.reading import read
from adjudge.values.types import DATE, DOUBLE, STRING, EnumType, ListType, MapType, MoneyType, RecordType, SetType, Type

SCALARS = [one for one in vars(types).values() if type(one) is Type]
OTHERS = [
    ListType(DATE),
    MapType(STRING, DOUBLE, ("a",)),
    EnumType(("a", "b")),
    SetType(("a",)),
    RecordType({"until": DATE, "held": ListType(STRING)}),
    MoneyType(("SGD", "USD")),
]


@pytest.mark.parametrize("scalar", SCALARS, ids=str)
def test_a_scalar_is_one_object_in_every_process(scalar: Type) -> None:
    """Much compares by identity: a copy of a type would be read as no type at all."""
    assert pickle.loads(pickle.dumps(scalar)) is scalar
    assert pickle.loads(pickle.dumps(ListType(scalar))).item is scalar


@pytest.mark.parametrize("type_", OTHERS, ids=str)
def test_another_type_comes_back_equal(type_: Type) -> None:
    back = pickle.loads(pickle.dumps(type_))
    assert (back, repr(back)) == (type_, repr(type_))
    assert getattr(back, "words", None) == getattr(type_, "words", None)
    assert getattr(back, "of", None) == getattr(type_, "of", None)


def test_a_field_that_was_sent_reads_the_same() -> None:
    sent = pickle.loads(pickle.dumps(Field(type=types.DURATION)))
    assert read(sent, "36h") == read(Field(type=types.DURATION), "36h")
    assert read(sent, "36h").value is not None
