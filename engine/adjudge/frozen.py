"""Frozen data with slots: what `dataclass(frozen=True, slots=True)` makes, in a third of its time.

A dataclass writes six methods as text and compiles each; over hundreds of classes that is half of what an import costs.
Here what reads and sets the fields is compiled as one text, and the methods around it are made once for all. It is a
dataclass in everything else: `fields`, `replace`, `asdict`, `match` and pickles work.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import MISSING, Field, FrozenInstanceError, dataclass, field, fields
from typing import Any, TypeVar, dataclass_transform, overload

C = TypeVar("C", bound=type[Any])


@overload
def frozen(cls: C, /) -> C: ...
@overload
def frozen(*, kw_only: bool = False) -> Callable[[C], C]: ...
@dataclass_transform(frozen_default=True, field_specifiers=(field,))
def frozen(cls: C | None = None, /, *, kw_only: bool = False) -> C | Callable[[C], C]:
    """Make a class frozen data with slots. kw_only: no field is given by its position.

    A method that the class writes itself stays. Not for a class that others derive from with `dataclass`, nor for
    `InitVar`: those are plain dataclasses.
    """

    def make(cls: C) -> C:
        own = frozenset(name for name in vars(cls) if name != "__hash__" or cls.__hash__ is not None)
        made: Any = dataclass(init=False, repr=False, eq=False, slots=True, kw_only=kw_only)(cls)
        for name, method in _methods(made).items():
            if name not in own:
                setattr(made, name, method)
        return made  # type: ignore[no-any-return]

    return make if cls is None else make(cls)


def _methods(cls: type[Any]) -> dict[str, Callable[..., object]]:
    of = fields(cls)
    shown = tuple(one.name for one in of if one.repr)
    compared = [one.name for one in of if one.compare]
    hashed = [one.name for one in of if (one.compare if one.hash is None else one.hash)]
    named = _names(cls, of)
    exec(f"{_initializer(cls, of)}\n{_values('compared', compared)}\n{_values('hashed', hashed)}", named)  # noqa: S102
    initialize, values, hashed_values = (named[name] for name in ("__init__", "compared", "hashed"))
    initialize.__qualname__ = f"{cls.__qualname__}.__init__"

    def is_equal(self: object, other: object) -> bool:
        return values(self) == values(other) if other.__class__ is self.__class__ else NotImplemented

    def hash_of(self: object) -> int:
        return hash(hashed_values(self))

    def text(self: object) -> str:
        return f"{type(self).__qualname__}({', '.join(f'{name}={getattr(self, name)!r}' for name in shown)})"

    return {
        "__init__": initialize,
        "__eq__": is_equal,
        "__hash__": hash_of,
        "__repr__": text,
        "__setattr__": _refuse,
        "__delattr__": _refuse,
        "__getstate__": _state,
        "__setstate__": _restore,
    }


def _names(cls: type[Any], of: tuple[Field[Any], ...]) -> dict[str, Any]:
    """Return what the text below refers to: what sets a field, and its default or what makes one."""
    named: dict[str, Any] = {"__name__": cls.__module__, "__missing": MISSING}
    for one in of:
        named[f"__set_{one.name}"] = getattr(cls, one.name).__set__  # two thirds of the time of object.__setattr__
        named[f"__default_{one.name}"] = one.default
        named[f"__make_{one.name}"] = one.default_factory
    return named


def _initializer(cls: type[Any], of: tuple[Field[Any], ...]) -> str:
    by_place, by_name, lines = ["self"], ["*"], []
    for one in of:
        name, default = one.name, ""
        value = name
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


def _values(name: str, names: list[str]) -> str:
    return f"def {name}(self): return ({''.join(f'self.{one}, ' for one in names)})"


def _refuse(self: object, name: str, *_: object) -> None:
    raise FrozenInstanceError(f"cannot change `{name}`: {type(self).__qualname__} is frozen")


def _state(self: Any) -> list[object]:
    return [getattr(self, one.name) for one in fields(self)]


def _restore(self: Any, state: list[object]) -> None:
    for one, value in zip(fields(self), state, strict=True):
        object.__setattr__(self, one.name, value)
