"""Frozen data with slots: what `dataclass(frozen=True, slots=True)` makes, in a fraction of its time.

A dataclass writes six methods as text and compiles each while its module is imported; over hundreds of classes that is
half of what an import costs. Here a class compiles the three that have to be fast, as one text, when one of them is
first called. It is a dataclass in everything else: `fields`, `replace`, `asdict`, `match` and pickles work.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import MISSING, Field, FrozenInstanceError, dataclass, field, fields
from typing import Any, TypeVar, cast, dataclass_transform, overload

C = TypeVar("C", bound=type[Any])

_put = object.__setattr__


@overload
def frozen(cls: C, /) -> C: ...
@overload
def frozen(*, kw_only: bool = False, slots: bool = True) -> Callable[[C], C]: ...
@dataclass_transform(frozen_default=True, field_specifiers=(field,))
def frozen(cls: C | None = None, /, *, kw_only: bool = False, slots: bool = True) -> C | Callable[[C], C]:
    """Make a class frozen data.

    kw_only: no field is given by its position. slots: False where what is found out about it once is kept in it.
    A method that the class writes itself stays. Not for a class that others derive from with `dataclass`, nor for
    `InitVar`: those are plain dataclasses.
    """

    def make(cls: C) -> C:
        made: C = _completed(dataclass(init=False, repr=False, eq=False, kw_only=kw_only)(cls), slots)
        return made

    return make if cls is None else make(cls)


def _completed(cls: type[Any], has_slots: bool) -> Any:
    """Return the class anew: with slots for its own fields, and the methods that it does not write itself."""
    own = dict(vars(cls))
    if own.get("__hash__") is None:  # as Python sets it where a class writes only its `__eq__`
        own.pop("__hash__", None)
    names = [one.name for one in fields(cls)]
    inherited = {name for base in cls.__mro__[1:] for name in getattr(base, "__slots__", ())}
    for name in (*names, "__dict__", "__weakref__"):
        own.pop(name, None)
    late = [name for name in ("__init__", "__eq__", "__hash__") if name not in own]

    def compiled_when_called(name: str) -> Callable[..., Any]:
        def method(self: object, *args: object, **named: object) -> object:
            for each, written in _written(made).items():
                if each in late:
                    setattr(made, each, written)
            return getattr(made, name)(self, *args, **named)

        return method

    members = _SHARED | {name: compiled_when_called(name) for name in late} | own | {"__qualname__": cls.__qualname__}
    if has_slots:
        members["__slots__"] = tuple(name for name in names if name not in inherited)
    metaclass: Any = type(cls)
    made = metaclass(cls.__name__, cls.__bases__, members)
    return made


def _written(cls: type[Any]) -> dict[str, Callable[..., Any]]:
    """Return `__init__`, `__eq__` and `__hash__` of a class, compiled from one text."""
    of = fields(cls)
    compared = "".join(f"self.{one.name}, " for one in of if one.compare)
    hashed = "".join(f"self.{one.name}, " for one in of if (one.compare if one.hash is None else one.hash))
    text = f"""{_initializer(cls, of)}
def __eq__(self, other):
 if other.__class__ is not self.__class__:
  return NotImplemented
 return ({compared}) == ({compared.replace("self.", "other.")})
def __hash__(self):
 return hash(({hashed}))
"""
    named: dict[str, Any] = {"__name__": cls.__module__, "__missing": MISSING}
    for one in of:
        named[f"__set_{one.name}"] = _setter(cls, one.name)
        named[f"__default_{one.name}"] = one.default
        named[f"__make_{one.name}"] = one.default_factory
    exec(text, named)  # noqa: S102  # names of fields, as Python has read them
    methods = {name: named[name] for name in ("__init__", "__eq__", "__hash__")}
    for name, method in methods.items():
        method.__qualname__ = f"{cls.__qualname__}.{name}"
    return methods


def _setter(cls: type[Any], name: str) -> Callable[[Any, object], None]:
    """Return what sets a field of an instance: a slot's own setter takes two thirds of the time of the general one."""
    slot = getattr(cls, name, None)
    return (
        cast("Callable[[Any, object], None]", slot.__set__)
        if slot is not None
        else lambda of, value: _put(of, name, value)
    )


def _initializer(cls: type[Any], of: tuple[Field[Any], ...]) -> str:
    by_place, by_name, lines = ["self"], ["*"], []
    for one in of:
        name, default, value = one.name, "", one.name
        if one.default is not MISSING:
            default = f"=__default_{name}"
        elif one.default_factory is not MISSING:
            default = "=__missing"
            value = f"__make_{name}() if {name} is __missing else {name}"
        (by_name if one.kw_only else by_place).append(f"{name}{default}")
        lines.append(f" __set_{name}(self, {value})")
    if hasattr(cls, "__post_init__"):
        lines.append(" self.__post_init__()")
    takes = ", ".join([*by_place, *(by_name if len(by_name) > 1 else [])])
    return "\n".join([f"def __init__({takes}):", *(lines or [" pass"])])


def _shown(self: Any) -> str:
    shown = ", ".join(f"{one.name}={getattr(self, one.name)!r}" for one in fields(self) if one.repr)
    return f"{type(self).__qualname__}({shown})"


def _refuse(self: object, name: str, *_: object) -> None:
    raise FrozenInstanceError(f"cannot change `{name}`: {type(self).__qualname__} is frozen")


def _state(self: Any) -> list[object]:
    return [getattr(self, one.name) for one in fields(self)]


def _restore(self: Any, state: list[object]) -> None:
    for one, value in zip(fields(self), state, strict=True):
        _put(self, one.name, value)


_SHARED: dict[str, Any] = {
    "__repr__": _shown,
    "__setattr__": _refuse,
    "__delattr__": _refuse,
    "__getstate__": _state,
    "__setstate__": _restore,
}
