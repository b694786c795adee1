"""The types of the condition language.

`enum(...)` and `set(...)` carry a vendor's vocabulary; everywhere else they read as `string` and `list(string)`. A
vocabulary can have tens of thousands of words, so a type hashes by its name, and holds its `words` to look them up.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from typing import Any, SupportsIndex

from adjudge.errors import listed
from adjudge.frozen import frozen
from adjudge.texts import with_article


@frozen
class Type:
    """A type; scalars are instances of this class, the others of a subclass."""

    name: str

    def __str__(self) -> str:
        return self.name

    def __reduce_ex__(self, protocol: SupportsIndex) -> str | tuple[Any, ...]:
        """Send a scalar to another process as a name: it is the one object of that name there too."""
        return self.name.upper() if type(self) is Type else object.__reduce_ex__(self, protocol)


@frozen
class ListType(Type):
    """`list(item)`."""

    item: Type

    def __init__(self, item: Type) -> None:
        object.__setattr__(self, "name", f"list({item})")
        object.__setattr__(self, "item", item)

    def __hash__(self) -> int:
        return hash(self.name)


@frozen
class MapType(Type):
    """`map(key, value)`; `keys` holds the declared vocabulary of keys, if there is one."""

    key: Type
    value: Type
    keys: tuple[str, ...] | None
    words: frozenset[str] = field(compare=False, repr=False)

    def __init__(self, key: Type, value: Type, keys: tuple[str, ...] | None = None) -> None:
        object.__setattr__(self, "name", f"map({key}, {value})")
        object.__setattr__(self, "key", key)
        object.__setattr__(self, "value", value)
        object.__setattr__(self, "keys", keys)
        object.__setattr__(self, "words", frozenset(keys or ()))

    def __hash__(self) -> int:
        return hash(self.name)


@frozen
class EnumType(Type):
    """One of a vocabulary; reads as `string`."""

    values: tuple[str, ...]
    words: frozenset[str] = field(compare=False, repr=False)

    def __init__(self, values: tuple[str, ...]) -> None:
        object.__setattr__(self, "name", f"enum({listed(values)})")
        object.__setattr__(self, "values", values)
        object.__setattr__(self, "words", frozenset(values))

    def __hash__(self) -> int:
        return hash(self.name)


@frozen
class SetType(Type):
    """Some of a vocabulary; reads as `list(string)`, its value is a tuple in the vocabulary's order."""

    values: tuple[str, ...]
    words: frozenset[str] = field(compare=False, repr=False)

    def __init__(self, values: tuple[str, ...]) -> None:
        object.__setattr__(self, "name", f"set({listed(values)})")
        object.__setattr__(self, "values", values)
        object.__setattr__(self, "words", frozenset(values))

    def __hash__(self) -> int:
        return hash(self.name)


@frozen
class RecordType(Type):
    """`record(number: string, expiry: date)`: one value of each name, each of its own type. `of`: their types."""

    fields: tuple[tuple[str, Type], ...]
    of: Mapping[str, Type] = field(compare=False, repr=False)

    def __init__(self, of: Mapping[str, Type]) -> None:
        said = ", ".join(f"{name}: {type_}" for name, type_ in of.items())
        object.__setattr__(self, "name", f"record({said})")
        object.__setattr__(self, "fields", tuple(of.items()))
        object.__setattr__(self, "of", dict(of))

    def __hash__(self) -> int:
        return hash(self.name)


@frozen
class MoneyType(RecordType):
    """`money(SGD, USD)`: a record of an amount and its currency."""

    currencies: tuple[str, ...]

    def __init__(self, currencies: tuple[str, ...]) -> None:
        of = {"amount": DOUBLE, "currency": EnumType(currencies)}
        object.__setattr__(self, "name", f"money({listed(currencies)})")
        object.__setattr__(self, "fields", tuple(of.items()))
        object.__setattr__(self, "of", of)
        object.__setattr__(self, "currencies", currencies)

    def __hash__(self) -> int:
        return hash(self.name)


BOOL = Type("bool")
INT = Type("int")
DOUBLE = Type("double")
STRING = Type("string")
TIMESTAMP = Type("timestamp")
DURATION = Type("duration")
DATE = Type("date")
DYN = Type("dyn")
"""What a list or map literal of mixed values holds; looked at only at run time. No policy can hold one."""
NOTHING = Type("nothing")
"""The item of an empty list: joins with every type."""

SCALARS = {type_.name: type_ for type_ in (BOOL, INT, DOUBLE, STRING, TIMESTAMP, DURATION, DATE)}


def is_dynamic(type_: Type | None) -> bool:
    """Whether only the value at run time tells what can be done with it."""
    return type_ in (None, DYN, NOTHING)


def named(type_: Type | None) -> str:
    """Return a type with its article, as a sentence has it."""
    return with_article(str(type_))


def holds_record(type_: Type | None) -> bool:
    """Whether a type is a record, or holds one: such values are not compared as a whole."""
    match type_:
        case RecordType():
            return True
        case ListType(item=inner) | MapType(value=inner):
            return holds_record(inner)
        case _:
            return False


def is_text(type_: Type) -> bool:
    """Whether a type reads as string."""
    return type_ == STRING or isinstance(type_, EnumType)


def item_of(type_: Type) -> Type | None:
    """Return what a comprehension over the type runs over: items, members or keys; None where it cannot."""
    match type_:
        case ListType(item=item):
            return item
        case SetType(values=values):
            return EnumType(values)
        case MapType(key=key, keys=keys):
            return EnumType(keys) if keys else key
        case _:
            return DYN if is_dynamic(type_) else None


def join(left: Type, right: Type) -> Type | None:
    """Return the type that holds values of both, or None where there is none but `dyn`."""
    if left == right or right == NOTHING:
        return left
    if left == NOTHING:
        return right
    if left == DYN or right == DYN:
        return DYN
    if is_text(left) and is_text(right):
        return STRING
    match left, right:
        case ListType(item=a), ListType(item=b):
            item = join(a, b)
            return ListType(item) if item else None
        case SetType(values=a), SetType(values=b):
            # never a list: an unknown item of a list counts, an unknown member of a set may be one of those known
            return SetType(tuple(dict.fromkeys((*a, *b))))
        case MapType(key=k1, value=v1), MapType(key=k2, value=v2):
            key, value = join(k1, k2), join(v1, v2)
            return MapType(key, value) if key and value else None
        case _:
            return None


def accepts(parameter: Type, argument: Type) -> bool:
    """Whether an argument may stand for a parameter."""
    if parameter == argument or is_dynamic(parameter) or is_dynamic(argument):
        return True
    match parameter, argument:
        case Type(name="string"), EnumType():
            return True
        case ListType(item=item), ListType(item=given):
            return accepts(item, given)
        case ListType(item=item), SetType():
            return accepts(item, STRING)
        case SetType(values=()), SetType():
            return True
        case MapType(key=k1, value=v1), MapType(key=k2, value=v2):
            return accepts(k1, k2) and accepts(v1, v2)
        case _:
            return False
