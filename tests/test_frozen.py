"""`frozen` makes what `dataclass(frozen=True, slots=True)` makes."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Callable
from dataclasses import FrozenInstanceError, asdict, dataclass, field, fields, replace
from math import nan
from typing import Any

import pytest

from adjudge.frozen import frozen


@frozen
class Place:
    """What pickles: a class of a module."""

    line: int
    column: int = 1
    notes: list[str] = field(default_factory=list)


@frozen(kw_only=True)
class Part:
    """A base whose own field says nothing of what is equal."""

    span: int = field(default=0, compare=False, repr=False)


@frozen(kw_only=True)
class Pair(Part):
    """A part of parts."""

    left: Place
    right: Place | None = None


def both(make: Callable[[Callable[..., Any]], Any]) -> tuple[Any, Any]:
    """Return a class made by each."""
    return make(dataclass(frozen=True, slots=True)), make(frozen)


def shaped(decorate: Callable[..., Any]) -> Any:
    """Return a class with every kind of field."""

    @decorate
    class Shape:
        """Any."""

        name: str
        size: float = 0.0
        tags: dict[str, int] = field(default_factory=dict, hash=False)
        seen: int = field(default=0, compare=False)
        secret: str = field(default="", repr=False)
        last: str = field(default="", kw_only=True)

    return Shape


GIVEN: tuple[tuple[tuple[Any, ...], dict[str, Any]], ...] = (
    (("a",), {}),
    (("a", 1.0), {}),
    (("a",), {"seen": 3}),
    (("a",), {"tags": {"t": 1}}),
    (("a", nan), {"last": "z"}),
    (("b",), {"secret": "s", "size": 2}),
)


def test_frozen_values_are_equal_hashed_and_shown_as_a_dataclass_does_it() -> None:
    plain, ours = both(shaped)
    theirs = [plain(*args, **named) for args, named in GIVEN]
    mine = [ours(*args, **named) for args, named in GIVEN]
    assert [repr(one) for one in mine] == [repr(one) for one in theirs]
    assert [asdict(one) for one in mine] == [asdict(one) for one in theirs]
    assert [[a == b for b in mine] for a in mine] == [[a == b for b in theirs] for a in theirs]
    assert [hash(one) for one in mine] == [hash(one) for one in theirs]
    assert ours.__match_args__ == plain.__match_args__
    assert not hasattr(mine[0], "__dict__")
    assert mine[0] != theirs[0]


@pytest.mark.parametrize(("args", "named"), [((), {}), (("a", 1.0, {}, 0, "", ""), {}), (("a",), {"other": 1})])
def test_frozen_refuses_arguments_as_a_dataclass_does(args: tuple[Any, ...], named: dict[str, Any]) -> None:
    said = []
    for one in both(shaped):
        with pytest.raises(TypeError) as refused:
            one(*args, **named)
        said.append(str(refused.value))
    assert said[0] == said[1]


def test_frozen_values_do_not_change() -> None:
    place = Place(1)
    for change in (
        lambda: setattr(place, "line", 2),
        lambda: setattr(place, "other", 2),
        lambda: delattr(place, "line"),
    ):
        with pytest.raises(FrozenInstanceError):
            change()
    assert replace(place, line=2) == Place(2)
    assert Place(1).notes is not place.notes


def test_frozen_values_can_be_pickled_and_copied() -> None:
    pair = Pair(left=Place(1, notes=["n"]), right=Place(2), span=7)
    for again in (pickle.loads(pickle.dumps(pair)), copy.deepcopy(pair), copy.copy(pair)):
        assert again == pair
        assert again.span == 7


def test_frozen_subclass_has_its_base_s_fields_and_equality_by_its_own_class() -> None:
    assert [one.name for one in fields(Pair)] == ["span", "left", "right"]
    assert Pair(left=Place(1), span=1) == Pair(left=Place(1), span=2) != Part()
    assert repr(Pair(left=Place(1))) == "Pair(left=Place(line=1, column=1, notes=[]), right=None)"
    with pytest.raises(TypeError):
        Pair(Place(1))  # type: ignore[misc]


def test_frozen_leaves_the_methods_that_a_class_writes() -> None:
    @frozen
    class Named:
        """A text that equals its like in other letters."""

        name: str

        def __post_init__(self) -> None:
            if not self.name:
                raise ValueError("a name is needed")

        def __eq__(self, other: object) -> bool:
            return isinstance(other, Named) and self.name.lower() == other.name.lower()

        def __hash__(self) -> int:
            return hash(self.name.lower())

        def __repr__(self) -> str:
            return f"<{self.name}>"

    assert Named("a") == Named("A")
    assert hash(Named("a")) == hash(Named("A"))
    assert repr(Named("a")) == "<a>"
    with pytest.raises(ValueError, match="a name is needed"):
        Named("")


def test_frozen_class_that_writes_its_equality_alone_is_hashed_by_its_fields() -> None:
    @frozen
    class Loose:
        """As a dataclass has it."""

        name: str

        def __eq__(self, other: object) -> bool:
            return isinstance(other, Loose)

    assert hash(Loose("a")) == hash(("a",))
