"""Random well-typed conditions with random values; knows nothing of the checker or of any back end."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from functools import cache
from typing import TypeVar

from hypothesis import strategies as st
from hypothesis.strategies import DrawFn, SearchStrategy

from adjudge.values.types import (
    BOOL,
    DATE,
    DOUBLE,
    DURATION,
    INT,
    STRING,
    TIMESTAMP,
    EnumType,
    ListType,
    MapType,
    RecordType,
    SetType,
    Type,
)

LEVELS = ("low", "suspicious", "high")
TAGS = ("SuspectPSFace", "SuspectRemake", "SuspectWarterMark")
KEYS = ("a", "b", "content-type")
SCORED = ("SuspectPSFace", "SuspectRemake")
ENUM, SET, SCORES = EnumType(LEVELS), SetType(TAGS), MapType(STRING, DOUBLE, SCORED)

TYPES: Mapping[str, Type] = {
    "flag": BOOL,
    "other.flag": BOOL,
    "count": INT,
    "device.count": INT,
    "ratio": DOUBLE,
    "match": DOUBLE,
    "country": STRING,
    "note": STRING,
    "opened": TIMESTAMP,
    "now": TIMESTAMP,
    "age": DURATION,
    "born": DATE,
    "face.result": ENUM,
    "face.tags": SET,
    "face.score": SCORES,
    "flags": ListType(BOOL),
    "counts": ListType(INT),
    "ratios": ListType(DOUBLE),
    "names": ListType(STRING),
    "times": ListType(TIMESTAMP),
    "levels": ListType(ENUM),
    "rows": ListType(ListType(INT)),
    "sizes": MapType(STRING, INT),
    "headers": MapType(STRING, STRING),
    "groups": MapType(STRING, ListType(STRING)),
    "devices": ListType(MapType(STRING, INT)),
}
ORDERED = (BOOL, INT, DOUBLE, STRING, TIMESTAMP, DURATION)
OWN_ORDERED = (*ORDERED, DATE)
"""With what CEL does not have."""
ITEMS = (*ORDERED, ENUM)
DAYS = ("2024-02-29", "1970-01-01", "0001-01-01", "9999-12-31", "2026-11-30")
PATTERNS = ("^a", "a+b*$", "[0-9]+", "", "(?i)SUS", "^.$", "é|ß", r"\\bu\\b", "x{2,3}")
ZONES = ("UTC", "Europe/Berlin", "Asia/Kolkata", "America/New_York", "+02:00", "-09:30", "00:00")
TIMES = ("2024-02-29T12:30:45.678Z", "1970-01-01T00:00:00Z", "2026-12-31T23:59:59+05:30", "1999-06-15T01:02:03Z")
LENGTHS = ("0s", "1h30m", "-20ms", "900h", "1.5s", "250us", "-24h")
OWN_TIMES = (*TIMES, "1970-01-01T00:00:00.000000001Z", "2024-02-29T12:30:45.678000999Z")
"""Times for our own back ends: the other implementation gives no nanoseconds back."""
OWN_LENGTHS = (*LENGTHS, "30d", "-1.5w2d", "1ns", "-999ns", "20ms1ns", "106751d")
"""Durations for our own back ends: the other implementation has no days."""
PARTS = ["getFullYear", "getMonth", "getDayOfMonth", "getDayOfYear", "getDate", "getDayOfWeek"]
PARTS += ["getHours", "getMinutes", "getSeconds", "getMilliseconds"]

T = TypeVar("T")
Values = dict[str, object]

_ints = st.one_of(
    st.integers(-5, 5), st.integers(-(2**63), 2**63 - 1), st.sampled_from((2**63 - 1, -(2**63), 2**53 + 1, 0, 1, -1))
)
_doubles = st.one_of(
    st.sampled_from((0.0, -0.0, 0.5, 1.0, -1.5, 0.6, 1e-300, 1e300, 9007199254740993.0, 2.0**63)),
    st.floats(allow_nan=False, allow_infinity=False),
    st.integers(-5, 5).map(float),
)
_strings = st.one_of(
    st.sampled_from(
        ("", "a", "b", "aab", "SG", "é", "😀x", "12", "-7", "1.5", "true", "F", "1h", "UTC", "low", '"', "\\")
    ),
    st.sampled_from(TIMES + LENGTHS + ZONES + TAGS),
    st.text(st.characters(exclude_categories=("Cs",)), max_size=4),
)
_times = st.one_of(
    st.sampled_from(tuple(datetime.fromisoformat(text) for text in TIMES)),
    st.datetimes(datetime(1900, 1, 1), datetime(2100, 1, 1), timezones=st.just(UTC)),
    st.sampled_from((datetime(1, 1, 1, tzinfo=UTC), datetime(9999, 12, 31, 23, 59, 59, 999999, tzinfo=UTC))),
)
_durations = st.one_of(
    st.timedeltas(timedelta(days=-400), timedelta(days=400)),
    st.sampled_from((timedelta(), timedelta(hours=24), timedelta(milliseconds=-1), timedelta(days=106751))),
)


_SCALARS: Mapping[str, SearchStrategy[object]] = {
    "bool": st.booleans(),
    "int": _ints,
    "double": _doubles,
    "string": _strings,
    "timestamp": _times,
    "duration": _durations,
    "date": st.one_of(st.sampled_from(tuple(map(date.fromisoformat, DAYS))), st.dates()),
}


@cache
def integers(low: int, high: int) -> SearchStrategy[int]:
    """Return a strategy that is made once: to make one for each draw takes longer than to draw."""
    return st.integers(low, high)


def one_of(draw: DrawFn, choices: Sequence[T]) -> T:
    """Draw one of some."""
    return choices[draw(integers(0, len(choices) - 1))]


@cache
def values_of(type_: Type, *, known: bool, open_sets: bool = True) -> SearchStrategy[object]:
    """Return values of a type, with unknown items inside (and never None itself); all known on request.

    open_sets: whether a set may have unknown members.
    """

    def part(inner: Type) -> SearchStrategy[object]:
        values = values_of(inner, known=known, open_sets=open_sets)
        return values if known else st.one_of(values, values, values, st.none())

    match type_:
        case EnumType(values=words):
            return st.sampled_from(words)
        case SetType(values=words):
            members = st.sets(st.sampled_from(words)).map(lambda chosen: tuple(w for w in words if w in chosen))
            if known or not open_sets:
                return members
            return st.builds(lambda own, more: own + more, members, st.sampled_from(((), (None,))))
        case ListType(item=item):
            return st.lists(part(item), max_size=4).map(tuple)
        case RecordType(fields=fields):
            return st.fixed_dictionaries({name: part(of) for name, of in fields})
        case MapType(keys=keys, value=value):
            return st.dictionaries(st.sampled_from(keys or KEYS), part(value), max_size=3)
        case _:
            return _SCALARS[type_.name]


@st.composite
def typed_conditions(
    draw: DrawFn, *, type_: Type = BOOL, standard: bool = False, known: bool = False, open_sets: bool = True
) -> tuple[str, dict[str, Type], Values]:
    """Return a text, the types of all names, and values by name; None is unknown.

    A keyed map's entries have names of their own (`face.score.SuspectRemake`) in the values, besides the map.
    standard: only what every CEL accepts and answers alike: no `has` of a plain name or of anything with an index, no
    int ordered with a double, no double or time written as a string, no empty map, no loop over a map of several keys.
    known: no value is unknown.
    open_sets: whether a set may have unknown members.
    """
    text = _Writer(draw, standard).expression(type_, draw(integers(1, 4)))
    return text, dict(TYPES), draw(environments(text, known=known, open_sets=open_sets))


@st.composite
def environments(draw: DrawFn, text: str, *, known: bool = False, open_sets: bool = True) -> Values:
    """Return values for the names that a text mentions, and nothing for the others."""
    values: Values = {}
    for name, type_ in TYPES.items():
        if name not in text:
            continue
        unknown = not known and draw(integers(0, 3)) == 0
        value = values[name] = None if unknown else draw(values_of(type_, known=known, open_sets=open_sets))
        if isinstance(type_, MapType):
            entries = value if isinstance(value, dict) else {}
            values |= {f"{name}.{key}": entries.get(key) for key in type_.keys or ()}
    return values


def string_literal(text: str) -> str:
    """Return a CEL string that means `text`, every character but letters and digits escaped."""
    return '"' + "".join(c if c.isascii() and c.isalnum() else f"\\U{ord(c):08x}" for c in text) + '"'


def literal(value: object) -> str:
    """Return an expression without names that means a scalar."""
    match value:
        case bool():
            return "true" if value else "false"
        case str():
            return string_literal(value)
        case float() | int():
            return repr(value)
        case _:
            raise TypeError(f"{type(value).__name__} has no literal")


class _Writer:
    """Writes expressions of a wanted type; whatever has parts stands in parentheses."""

    def __init__(self, draw: DrawFn, standard: bool) -> None:
        self.draw = draw
        self.standard = standard
        self.ordered = ORDERED if standard else OWN_ORDERED
        self.locals: list[tuple[str, Type]] = []

    def pick(self, *choices: T) -> T:
        return one_of(self.draw, choices)

    def expression(self, type_: Type, depth: int) -> str:
        if depth <= 0:
            return self.leaf(type_)
        forms: list[Callable[[Type, int], str]] = [
            self.own,
            self.own,
            self.own,
            self.own,
            self.leaf,
            self.chosen,
            self.taken,
        ]
        return self.pick(*forms)(type_, depth - 1)

    def names(self) -> list[tuple[str, Type]]:
        hidden = {name for name, _ in self.locals}
        return [*((name, type_) for name, type_ in TYPES.items() if name not in hidden), *self.locals]

    # what every type has

    def leaf(self, type_: Type, depth: int = 0) -> str:
        names = [name for name, own in self.names() if own == type_]
        if names and self.pick(True, True, False):
            return self.pick(*names)
        return self.constant(type_)

    def constant(self, type_: Type) -> str:
        match type_:
            case ListType(item=item):
                return "[" + ", ".join(self.leaf(item) for _ in range(self.pick(1, 2))) + "]"
            case MapType(value=value):
                return "{" + f'"{self.pick(*KEYS)}": {self.leaf(value)}' + "}"
            case SetType():
                return "face.tags"
            case EnumType(values=words):
                return string_literal(self.pick(*words))
            case _:
                if type_ == TIMESTAMP:
                    return f'timestamp("{self.pick(*(TIMES if self.standard else OWN_TIMES))}")'
                if type_ == DATE:
                    return f'date("{self.pick(*DAYS)}")'
                if type_ == DURATION:
                    return f'duration("{self.pick(*(LENGTHS if self.standard else OWN_LENGTHS))}")'
                return literal(self.draw(values_of(type_, known=True)))

    def chosen(self, type_: Type, depth: int) -> str:
        parts = self.expression(BOOL, depth), self.expression(type_, depth), self.expression(type_, depth)
        return f"({parts[0]} ? {parts[1]} : {parts[2]})"

    def taken(self, type_: Type, depth: int) -> str:
        """An item of a list, or an entry of a map, that holds the type."""
        if isinstance(type_, SetType | MapType) and type_ != MapType(STRING, INT):
            return self.leaf(type_)
        if self.pick(True, False) or isinstance(type_, EnumType):
            return f"{self.expression(ListType(type_), depth)}[{self.pick('0', '1', self.expression(INT, depth - 1))}]"
        key = self.pick(*KEYS)
        entry = self.pick(f'["{key}"]', f".`{key}`", f"[{self.expression(STRING, depth - 1)}]")
        return self.expression(MapType(STRING, type_), depth) + entry

    def own(self, type_: Type, depth: int) -> str:
        match type_:
            case ListType(item=item):
                return self.list(item, depth)
            case MapType(keys=None, value=value):
                entries = (
                    f'"{key}": {self.expression(value, depth)}' for key in KEYS[: self.pick(1, 2, int(self.standard))]
                )
                return "{" + ", ".join(entries) + "}" if self.pick(True, False) else self.leaf(type_)
            case EnumType() | SetType() | MapType():
                return self.leaf(type_)
            case _:
                return getattr(self, type_.name)(depth)

    # what one type has

    def bool(self, depth: int) -> str:
        forms = [self.logic, self.compare, self.equal, self.member, self.has, self.quantifier, self.text_test]
        return self.pick(*forms, *(() if self.standard else (self.counted,)))(depth)

    def counted(self, depth: int) -> str:
        wanted = self.pick("0", "1", "2", "2", "3", self.expression(INT, depth - 1))
        items = ", ".join(self.expression(BOOL, depth) for _ in range(self.pick(1, 2, 3, 4)))
        return f"atLeast({wanted}, {self.pick(f'[{items}]', self.expression(ListType(BOOL), depth))})"

    def logic(self, depth: int) -> str:
        if self.pick(True, False, False):
            return f"!{self.expression(BOOL, depth)}"
        sign = self.pick(" && ", " || ")
        return "(" + sign.join(self.expression(BOOL, depth) for _ in range(self.pick(2, 2, 3))) + ")"

    def compare(self, depth: int) -> str:
        left = right = self.pick(*self.ordered)
        if not self.standard and {left} <= {INT, DOUBLE}:
            right = self.pick(INT, DOUBLE)
        return f"({self.expression(left, depth)} {self.pick('<', '<=', '>', '>=')} {self.expression(right, depth)})"

    def equal(self, depth: int) -> str:
        type_ = self.pick(
            *self.ordered, ENUM, ListType(INT), ListType(DOUBLE), MapType(STRING, INT), ListType(ListType(INT))
        )
        words = [own for _, own in self.locals if isinstance(own, EnumType)]
        if words and self.pick(True, False):
            type_ = self.pick(*words)
        left = self.leaf(type_) if isinstance(type_, EnumType) else self.expression(type_, depth)
        return f"({left} {self.pick('==', '!=')} {self.expression(type_, depth)})"

    def member(self, depth: int) -> str:
        match self.pick("list", "set", "map", "enum"):
            case "list":
                item = self.pick(*self.ordered, ListType(INT))
                return f"({self.expression(item, depth)} in {self.expression(ListType(item), depth)})"
            case "set":
                return f"({self.pick(*map(string_literal, TAGS), 'note')} in {self.expression(SET, depth)})"
            case "enum":
                words = ", ".join(string_literal(self.pick(*LEVELS)) for _ in range(self.pick(1, 2)))
                return f"(face.result in [{words}])"
            case _:
                key = self.pick("note", *map(string_literal, KEYS))
                return f"({key} in {self.expression(MapType(STRING, INT), depth)})"

    def has(self, depth: int) -> str:
        key = self.pick(*KEYS)
        forms = [f"sizes.`{key}`", f"headers.{self.pick('a', 'b')}", "face.score.SuspectRemake"]
        write = self.own if self.standard else self.expression
        forms.append(f"{write(MapType(STRING, INT), depth)}.`{key}`")
        if not self.standard:
            names = [name for name, type_ in self.names() if (name, type_) not in self.locals]
            forms += [self.pick(*names), f'headers["{key}"]', f"devices[{self.pick(0, 1)}].a"]
            forms += [f"counts[{self.pick(0, 1, 5)}]", f"{self.expression(ListType(INT), depth)}[0]"]
        return f"has({self.pick(*forms)})"

    def quantifier(self, depth: int) -> str:
        kind = self.pick("all", "exists", "exists_one")
        over, item = self.container(depth)
        return f"{over}.{kind}({self.within(item, BOOL, depth)})"

    def text_test(self, depth: int) -> str:
        text = self.expression(STRING, depth)
        match self.pick("contains", "startsWith", "endsWith", "matches", "matches()", "bool"):
            case "matches":
                return f'{text}.matches("{self.pick(*PATTERNS)}")'
            case "matches()":
                return f'matches({text}, "{self.pick(*PATTERNS)}")'
            case "bool":
                return self.pick(f"bool({self.pick('country', 'note')})", f"bool({self.expression(BOOL, depth)})")
            case method:
                return f"{text}.{method}({self.expression(STRING, depth)})"

    def int(self, depth: int) -> str:
        match self.pick("sign", "sum", "sum", "size", "time", "length", "convert"):
            case "sign":
                return f"-({self.expression(INT, depth)})"
            case "sum":
                return f"({self.expression(INT, depth)} {self.pick(*'+-*/%')} {self.expression(INT, depth)})"
            case "size":
                sized = self.pick(STRING, SET, ListType(INT), ListType(STRING), MapType(STRING, INT))
                return self.pick("size({})", "{}.size()").format(self.expression(sized, depth))
            case "time" if not self.standard and self.pick(True, False, False):
                return f"{self.expression(DATE, depth)}.{self.pick(*PARTS[:6])}()"
            case "time":
                zone = self.pick("", f'"{self.pick(*ZONES)}"', "country")
                return f"{self.expression(TIMESTAMP, depth)}.{self.pick(*PARTS)}({zone})"
            case "length":
                part = self.pick("getHours", "getMinutes", "getSeconds", "getMilliseconds")
                return f"{self.expression(DURATION, depth)}.{part}()"
            case _:
                return f"int({self.pick('ratio', 'note', 'opened', self.expression(INT, depth))})"

    def double(self, depth: int) -> str:
        match self.pick("sign", "sum", "sum", "convert"):
            case "sign":
                return f"-({self.expression(DOUBLE, depth)})"
            case "sum":
                return f"({self.expression(DOUBLE, depth)} {self.pick(*'+-*/')} {self.expression(DOUBLE, depth)})"
            case _:
                return f"double({self.pick('note', self.expression(INT, depth), self.expression(DOUBLE, depth))})"

    def string(self, depth: int) -> str:
        match self.pick("sum", "convert", "enum"):
            case "sum":
                return f"({self.expression(STRING, depth)} + {self.expression(STRING, depth)})"
            case "enum":
                return f"string({self.leaf(ENUM)})"
            case _:
                types = (BOOL, INT, STRING) if self.standard else self.ordered
                return f"string({self.expression(self.pick(*types), depth)})"

    def timestamp(self, depth: int) -> str:
        match self.pick("later", "sooner", "earlier", "convert"):
            case "later":
                return f"({self.expression(TIMESTAMP, depth)} + {self.expression(DURATION, depth)})"
            case "sooner":
                return f"({self.expression(DURATION, depth)} + {self.expression(TIMESTAMP, depth)})"
            case "earlier":
                return f"({self.expression(TIMESTAMP, depth)} - {self.expression(DURATION, depth)})"
            case _:
                return f"timestamp({self.pick('note', 'count', self.expression(TIMESTAMP, depth))})"

    def date(self, depth: int) -> str:
        match self.pick("later", "sooner", "earlier", "convert", "of a time", "today"):
            case "later":
                return f"({self.expression(DATE, depth)} + {self.expression(DURATION, depth)})"
            case "sooner":
                return f"({self.expression(DURATION, depth)} + {self.expression(DATE, depth)})"
            case "earlier":
                return f"({self.expression(DATE, depth)} - {self.expression(DURATION, depth)})"
            case "convert":
                return f"date({self.pick('note', self.expression(DATE, depth))})"
            case "today":
                return f'(has(now) ? today("{self.pick(*ZONES)}") : born)'
            case _:
                return f'date({self.expression(TIMESTAMP, depth)}, "{self.pick(*ZONES)}")'

    def duration(self, depth: int) -> str:
        if not self.standard and self.pick(True, False, False):
            return f"({self.expression(DATE, depth)} - {self.expression(DATE, depth)})"
        match self.pick("sum", "between", "convert"):
            case "sum":
                return f"({self.expression(DURATION, depth)} {self.pick(*'+-')} {self.expression(DURATION, depth)})"
            case "between":
                return f"({self.expression(TIMESTAMP, depth)} - {self.expression(TIMESTAMP, depth)})"
            case _:
                return f"duration({self.pick('note', self.expression(DURATION, depth))})"

    def list(self, item: Type, depth: int) -> str:
        if item == STRING and self.pick(True, False, False, False):
            return self.pick("(face.tags + {})", "({} + face.tags)").format(self.leaf(ListType(STRING)))
        match self.pick("literal", "sum", "filter", "map", "map if"):
            case "literal":
                return "[" + ", ".join(self.expression(item, depth) for _ in range(self.pick(1, 2, 3))) + "]"
            case "sum":
                return f"({self.expression(ListType(item), depth)} + {self.expression(ListType(item), depth)})"
            case "filter":
                return f"{self.expression(ListType(item), depth)}.filter({self.within(item, BOOL, depth)})"
            case "map":
                over, found = self.container(depth)
                return f"{over}.map({self.within(found, item, depth)})"
            case _:
                over, found = self.container(depth)
                return f"{over}.map({self.within(found, BOOL, depth, item)})"

    # comprehensions

    def container(self, depth: int) -> tuple[str, Type]:
        if len(self.locals) >= 2:
            return "counts", INT
        item = self.pick(INT, STRING, BOOL, DOUBLE, TIMESTAMP, ENUM, ListType(INT), MapType(STRING, INT))
        match self.pick("list", "list", "set", "map"):
            case "list":
                return self.expression(ListType(item), depth), item
            case "set":
                return self.expression(SET, depth), EnumType(TAGS)
            case _ if self.standard:
                return f'{{"{self.pick(*KEYS)}": {self.expression(INT, depth)}}}', STRING
            case _:
                return self.expression(MapType(STRING, INT), depth), STRING

    def within(self, item: Type, type_: Type, depth: int, *more: Type) -> str:
        """A variable and the expressions behind it, of the types given."""
        variable = self.pick("it", "tag", "flag")
        outer = self.locals
        self.locals = [*(pair for pair in outer if pair[0] != variable), (variable, item)]
        body = [self.expression(wanted, min(depth, 2)) for wanted in (type_, *more)]
        self.locals = outer
        return ", ".join((variable, *body))
