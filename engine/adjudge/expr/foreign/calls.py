"""Functions of spreadsheets, SQL, Python and others, each as the part of a condition that says the same here."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Literal as OneOf

from adjudge.expr.foreign.built import COUNTED, within
from adjudge.expr.foreign.slips import Amount, Doubtful, Moment, Slip
from adjudge.expr.functions import Overload
from adjudge.expr.nodes import (
    Binary,
    Call,
    Comprehension,
    Conditional,
    Has,
    ListLiteral,
    Literal,
    Logic,
    Name,
    Node,
    Unary,
)
from adjudge.expr.printing import unparse
from adjudge.frozen import frozen
from adjudge.source import Span
from adjudge.values.meant import SECONDS
from adjudge.values.types import BOOL, DATE, DURATION, TIMESTAMP, ListType, MapType, SetType, Type, is_dynamic, is_text

Operator = OneOf["&&", "||"]
ZONE = 'name the zone whose clocks count, such as "Asia/Singapore"'


@frozen
class Said:
    """A call that is none of ours. namespace: an undeclared name before its dot, such as `math`."""

    call: Call
    type: Callable[[Node], Type]
    namespace: str | None
    functions: Mapping[str, tuple[Overload, ...]]

    @property
    def arguments(self) -> tuple[Node, ...]:
        """The arguments without the namespace."""
        return self.call.arguments[1:] if self.namespace is not None and self.call.method else self.call.arguments


@frozen
class Made:
    """What a call is written as. is_done: whether its parts were all looked at."""

    node: Node
    message: str
    more: str = ""
    is_done: bool = True


def ours(said: Said) -> Made | None:
    """Return what a foreign call is written as; None where nothing says the same."""
    word = said.call.function.lower().replace("_", "")
    make = _BY_WORD.get(word)
    return make(said) if make is not None else None


def _named(said: Said, ours: str) -> str:
    return f"`{said.call.function}` is written `{ours}`"


def _call(said: Said, name: str, *arguments: Node) -> Call | None:
    """Return a call of a function of ours in the form that it has; None where there is none of that name."""
    overloads = said.functions.get(name)
    if not overloads or not arguments:
        return None
    method = all(overload.form == "method" for overload in overloads)
    if not method and all(overload.form == "both" for overload in overloads):
        method = said.call.method
    return Call(span=said.call.span, function=name, arguments=arguments, method=method)


def _renamed(*names: str) -> Callable[[Said], Made | None]:
    """Read a function that only has another name here: the first that there is."""

    def make(said: Said) -> Made | None:
        for name in names:
            made = _call(said, name, *said.arguments)
            if made is not None and any(len(one.parameters) == len(said.arguments) for one in said.functions[name]):
                return Made(made, _named(said, f"x.{name}(…)" if made.method else f"{name}(…)"))
        return None

    return make


def _if(said: Said) -> Made | None:
    if len(said.arguments) not in (2, 3):
        return None
    condition, then, *rest = said.arguments
    otherwise = rest[0] if rest else Literal(span=said.call.span, value=False)
    node = Conditional(span=said.call.span, condition=condition, then=then, otherwise=otherwise)
    return Made(node, f"a choice is written `condition ? a : b`, without `{said.call.function}`")


def _joined(operator: str) -> Callable[[Said], Made | None]:
    def make(said: Said) -> Made | None:
        parts = said.arguments
        if len(parts) == 1 and isinstance(parts[0], ListLiteral):
            parts = parts[0].items
        if len(parts) == 1 and isinstance(one := parts[0], Comprehension) and one.transform is not None:
            found = replace(one, kind="all" if operator == "&&" else "exists", predicate=one.transform, transform=None)
            return Made(found, _named(said, f"items.{found.kind}({one.variable}, …)")) if not one.predicate else None
        if not parts:
            return None
        node = (
            parts[0]
            if len(parts) == 1
            else Logic(span=said.call.span, operator="&&" if operator == "&&" else "||", operands=parts)
        )
        return Made(node, _named(said, operator))

    return make


def _not(said: Said) -> Made | None:
    if len(said.arguments) != 1:
        return None
    return Made(Unary(span=said.call.span, operator="!", operand=said.arguments[0]), _named(said, "!"))


def _itself(is_true: bool) -> Callable[[Said], Made | None]:
    def make(said: Said) -> Made | None:
        if len(said.arguments) != 1:
            return None
        one = said.arguments[0]
        node = one if is_true else Unary(span=said.call.span, operator="!", operand=one)
        return Made(node, f"what is true or false is a condition itself, without `{said.call.function}`")

    return make


def _lookup(said: Said) -> Made | None:
    """Read `VLOOKUP(country, limits, 2)`, where the table has one value a row."""
    if len(said.arguments) < 2:
        return None
    table = next((one for one in said.arguments[1:] if isinstance(one, Name)), None)
    return Made(table, "a lookup table finds its row itself, and is read by its name") if table is not None else None


def _none(said: Said) -> Made | None:
    any_ = _joined("||")(said)
    if any_ is None:
        return None
    return Made(Unary(span=said.call.span, operator="!", operand=any_.node), _named(said, "!(a || b)"))


def _has(known: bool) -> Callable[[Said], Made | None]:
    def make(said: Said) -> Made | None:
        if len(said.arguments) != 1:
            return None
        type_ = said.type(said.arguments[0])
        word = said.call.function.lower()
        if isinstance(type_, ListType | SetType | MapType) or (said.call.method and is_text(type_)):
            return _empty(said) if not known and "empty" in word else None
        has = Has(span=said.call.span, operand=said.arguments[0])
        node = has if known else Unary(span=said.call.span, operator="!", operand=has)
        return Made(node, "whether something is known is asked with `has(…)`")

    return make


def _or_else(said: Said) -> Made | None:
    if len(said.arguments) != 2:
        return None
    value, otherwise = said.arguments
    node = Conditional(
        span=said.call.span, condition=Has(span=value.span, operand=value), then=value, otherwise=otherwise
    )
    return Made(node, f"`{said.call.function}` is written as a choice: `has(x) ? x : other`", is_done=False)


def _size(said: Said) -> Made | None:
    if len(said.arguments) > 1 or (said.arguments and said.type(said.arguments[0]) == BOOL):
        return _count(said)
    if len(said.arguments) != 1:
        return None
    argument = said.arguments[0]
    if isinstance(argument, ListLiteral) and argument.items and all(said.type(item) == BOOL for item in argument.items):
        return _count(said)
    type_ = said.type(argument)
    if not (is_text(type_) or is_dynamic(type_) or isinstance(type_, ListType | SetType | MapType)):
        return None
    return Made(Call(span=said.call.span, function="size", arguments=(argument,)), _named(said, "size(…)"))


def _count(said: Said) -> Made | None:
    """Read a count of conditions as a sum of ones; its comparison may become `atLeast`."""
    parts = said.arguments
    if parts and isinstance(parts[0], ListLiteral) and all(part == Literal(value=True) for part in parts[1:]):
        parts = parts[0].items
    if not parts or any(said.type(part) != BOOL for part in parts):
        return None
    span = said.call.span
    one, none = Literal(span=span, value=1), Literal(span=span, value=0)
    node: Node | None = None
    for part in parts:
        counted = Conditional(span=part.span, condition=part, then=one, otherwise=none)
        node = counted if node is None else Binary(span=span, operator="+", left=node, right=counted)
    assert node is not None
    return Made(node, COUNTED)


def _sum(said: Said) -> Made | None:
    parts = said.arguments
    if len(parts) == 1 and isinstance(parts[0], ListLiteral):
        parts = parts[0].items
    if len(parts) < 2:
        return None
    if (count := _count(said)) is not None:
        return count
    node = parts[0]
    for part in parts[1:]:
        node = Binary(span=said.call.span, operator="+", left=node, right=part)
    return Made(node, _named(said, "+"))


def _extreme(operator: str) -> Callable[[Said], Made | None]:
    def make(said: Said) -> Made | None:
        name = "max" if operator == ">" else "min"
        made = _call(said, name, *said.arguments)
        if made is not None:
            return Made(made, _named(said, f"{name}(…)"))
        if len(said.arguments) != 2:
            return None
        one, other = said.arguments
        condition = Binary(span=said.call.span, operator=">" if operator == ">" else "<", left=one, right=other)
        node = Conditional(span=said.call.span, condition=condition, then=one, otherwise=other)
        return Made(node, f"`{said.call.function}` is written as a choice")

    return make


def _absolute(said: Said) -> Made | None:
    made = _call(said, "abs", *said.arguments)
    if made is not None:
        return Made(made, _named(said, "abs(…)"))
    if len(said.arguments) != 1:
        return None
    value = said.arguments[0]
    zero: Node = Literal(span=value.span, value=0)
    condition = Binary(span=said.call.span, operator="<", left=value, right=zero)
    node = Conditional(
        span=said.call.span,
        condition=condition,
        then=Unary(span=value.span, operator="-", operand=value),
        otherwise=value,
    )
    return Made(node, f"`{said.call.function}` is written as a choice")


def _now(said: Said) -> Made | None:
    if said.arguments and said.namespace is None:
        return None
    return Made(Name(span=said.call.span, name="now"), f"`{said.call.function}()` is written `now`")


def _today(said: Said) -> Made | None:
    if said.arguments and said.namespace is None:
        return None
    return Made(Call(span=said.call.span, function="today", arguments=()), _named(said, "today(…)"), is_done=False)


def _length(unit: str) -> Callable[[Said], Made | None]:
    """Read `days(30)`, and the days between two moments."""

    def make(said: Said) -> Made | None:
        match said.arguments:
            case (Literal(value=int() as number),) if not isinstance(number, bool):
                written = f"{number} {unit}"
                amount = Amount(span=said.call.span, number=number, unit=unit, said=written)
                return Made(amount, f"`{said.call.function}({number})` is a length of time")
            case (_, _) if unit == "days":
                return _apart(said)
        return None

    return make


def _timedelta(said: Said) -> Made | None:
    """Read `timedelta(days=30)`."""
    match said.arguments:
        case (Binary(operator="==", left=Name(name=unit), right=Literal(value=int() as number)),) if unit in SECONDS:
            amount = Amount(span=said.call.span, number=number, unit=unit, said=f"{number} {unit}")
            return Made(amount, f"`{said.call.function}` is written as a length of time")
    return _renamed("duration")(said)


def _method(name: str, *, turned: bool = False) -> Callable[[Said], Made | None]:
    """Read a call that stands behind its text here. turned: what is looked for comes first there."""

    def make(said: Said) -> Made | None:
        if len(said.arguments) != 2:
            return None
        first, second = reversed(said.arguments) if turned and not said.call.method else said.arguments
        if said.namespace in ("re", "regex") or (said.namespace is not None and turned):
            second, first = said.arguments
        node = Call(span=said.call.span, function=name, arguments=(first, second), method=True)
        return Made(node, _named(said, f"text.{name}(part)"))

    return make


def _case(name: str) -> Callable[[Said], Made | None]:
    def make(said: Said) -> Made | None:
        if len(said.arguments) != 1:
            return None
        made = _call(said, name, said.arguments[0])
        if made is None:
            return None
        return Made(made, _named(said, f"x.{name}()" if made.method else f"{name}(x)"))

    return make


def _part(name: str, ahead: int = 0) -> Callable[[Said], Made | None]:
    def make(said: Said) -> Made | None:
        if len(said.arguments) != 1 or said.type(said.arguments[0]) not in (TIMESTAMP, DURATION, DATE):
            return None
        zone = ZONE if said.type(said.arguments[0]) == TIMESTAMP else ""
        part: Node = Call(span=said.call.span, function=name, arguments=said.arguments, method=True)
        if ahead:
            part = Binary(span=said.call.span, operator="+", left=part, right=Literal(span=said.call.span, value=ahead))
        return Made(part, _named(said, f"x.{name}()"), zone)

    return make


def doubtful_weekday(moment: Node, word: str, span: Span) -> Doubtful:
    """Return what to say of the number of a day of the week, which each language counts in its own way."""
    ours = f'{unparse(moment)}.getDayOfWeek("UTC")'
    more = f"`{ours}` is 0 on Sunday and 6 on Saturday: compare it with the day that you mean; {ZONE}"
    return Doubtful(Slip(span, f"`{word}` does not count the days of the week as `getDayOfWeek` does", more=more))


def _weekday(said: Said) -> Made | None:
    if not said.arguments or said.type(said.arguments[0]) not in (TIMESTAMP, DATE):
        return None
    raise doubtful_weekday(said.arguments[0], said.call.function, said.call.span)


def _between(said: Said) -> Made | None:
    if len(said.arguments) != 3:
        return None
    return Made(within(*said.arguments), f"`{said.call.function}` is written as two comparisons", is_done=False)


def _equals(said: Said) -> Made | None:
    if len(said.arguments) != 2:
        return None
    left, right = said.arguments
    return Made(Binary(span=said.call.span, operator="==", left=left, right=right), _named(said, "=="), is_done=False)


def _in(said: Said) -> Made | None:
    if len(said.arguments) < 2:
        return None
    left, *rest = said.arguments
    right = rest[0] if len(rest) == 1 else ListLiteral(span=said.call.span, items=tuple(rest))
    return Made(Binary(span=said.call.span, operator="in", left=left, right=right), _named(said, "in"), is_done=False)


def _empty(said: Said) -> Made | None:
    if len(said.arguments) != 1:
        return None
    size = Call(span=said.call.span, function="size", arguments=said.arguments)
    node = Binary(span=said.call.span, operator="==", left=size, right=Literal(span=said.call.span, value=0))
    return Made(node, "whether nothing is in it is asked with `size(x) == 0`")


def _beginning(name: str) -> Callable[[Said], Made | None]:
    """Read `LEFT(x, 3)`: the text's beginning or end."""

    def make(said: Said) -> Made | None:
        if len(said.arguments) != 2:
            return None
        text, count = said.arguments
        if name == "right":
            size = Call(span=text.span, function="size", arguments=(text,))
            first = Binary(span=count.span, operator="-", left=size, right=count)
            made = _call(said, "substring", text, first)
            return Made(made, _named(said, "x.substring(size(x) - n)")) if made is not None else None
        made = _call(said, "substring", text, Literal(span=count.span, value=0), count)
        return Made(made, _named(said, "x.substring(0, n)")) if made is not None else None

    return make


def _operator(operator: OneOf["%", "/", "=="]) -> Callable[[Said], Made | None]:
    def make(said: Said) -> Made | None:
        if len(said.arguments) != 2:
            return None
        left, right = said.arguments
        node = Binary(span=said.call.span, operator=operator, left=left, right=right)
        return Made(node, _named(said, operator), is_done=False)

    return make


def _apart(said: Said) -> Made | None:
    """Read the days between two moments."""
    moments = [one for one in said.arguments if said.type(one) in (TIMESTAMP, DATE)]
    if len(moments) != 2:
        return None
    if len(said.arguments) == 3:  # DATEDIFF(day, from, to), DATEDIF(from, to, "d")
        moments.reverse()
    span = said.call.span
    length = Binary(span=span, operator="-", left=moments[0], right=moments[1])
    hours = Call(span=span, function="getHours", arguments=(length,), method=True)
    days = Binary(span=span, operator="/", left=hours, right=Literal(span=span, value=24))
    return Made(days, f"there is no `{said.call.function}`: days and moments are subtracted")


def _added(said: Said) -> Made | None:
    """Read `DATEADD(day, 30, x)`, and `DATE_ADD(x, INTERVAL 30 DAY)`."""
    span = said.call.span
    match said.arguments:
        case (Name(name=unit), Literal(value=int() as number), moment) if unit.lower() in SECONDS:
            length: Node = Amount(span=span, number=number, unit=unit.lower(), said=f"{number} {unit}")
        case (moment, Amount() as length):
            pass
        case _:
            return None
    if said.type(moment) not in (TIMESTAMP, DATE):
        return None
    operator: OneOf["+", "-"] = "-" if "sub" in said.call.function.lower() else "+"
    node = Binary(span=span, operator=operator, left=moment, right=length)
    return Made(node, f"`{said.call.function}` is written `{operator}`", is_done=False)


def _date(said: Said) -> Made | None:
    """Read `DATE(2026, 11, 30)`."""
    parts = [one.value for one in said.arguments if isinstance(one, Literal) and type(one.value) is int]
    if len(parts) != 3 or len(said.arguments) != 3:
        return _renamed("timestamp")(said)
    year, month, day = parts
    return Made(Moment(span=said.call.span, said=f"{year:04d}-{month:02d}-{day:02d}"), "a day is written as one text")


_BY_WORD: Mapping[str, Callable[[Said], Made | None]] = {
    **dict.fromkeys(("if", "iif", "ifelse", "ifthenelse", "where"), _if),
    **dict.fromkeys(("and", "allof"), _joined("&&")),
    **dict.fromkeys(("or", "anyof", "any"), _joined("||")),
    "all": _joined("&&"),
    "not": _not,
    "istrue": _itself(True),
    "isfalse": _itself(False),
    **dict.fromkeys(("vlookup", "xlookup", "hlookup", "lookup"), _lookup),
    **dict.fromkeys(("none", "noneof", "nor"), _none),
    **dict.fromkeys(
        ("isblank", "isnull", "isempty", "isna", "isnan", "isnone", "ismissing", "isunknown", "empty"), _has(False)
    ),
    **dict.fromkeys(("notnull", "isnotnull", "exists", "defined", "isdefined", "isknown", "notblank"), _has(True)),
    **dict.fromkeys(("coalesce", "ifnull", "nvl", "iferror", "ifna", "default", "isnullor"), _or_else),
    **dict.fromkeys(("len", "length", "count", "charlength", "arraylength", "cardinality", "counta"), _size),
    **dict.fromkeys(("countif", "countiftrue", "counttrue"), _count),
    **dict.fromkeys(("sum",), _sum),
    **dict.fromkeys(("max", "greatest"), _extreme(">")),
    **dict.fromkeys(("min", "least"), _extreme("<")),
    "abs": _absolute,
    **dict.fromkeys(("now", "getdate", "currenttimestamp", "sysdate", "utcnow", "currenttime"), _now),
    **dict.fromkeys(("today", "currentdate", "curdate"), _today),
    **{unit: _length(unit) for unit in ("days", "hours", "minutes", "seconds", "weeks")},
    **dict.fromkeys(("contains", "includes", "instr", "strcontains", "indexof", "strpos"), _method("contains")),
    **dict.fromkeys(("search", "find", "charindex", "position", "locate"), _method("contains", turned=True)),
    **dict.fromkeys(("startswith", "beginswith", "hasprefix"), _method("startsWith")),
    **dict.fromkeys(("endswith", "hassuffix"), _method("endsWith")),
    **dict.fromkeys(
        ("matches", "match", "regexpmatch", "regexmatch", "regexplike", "rlike", "test"), _method("matches")
    ),
    **dict.fromkeys(("lower", "lcase", "tolower", "tolowercase", "lowerascii", "casefold"), _case("lower")),
    **dict.fromkeys(("upper", "ucase", "toupper", "touppercase", "upperascii"), _case("upper")),
    **dict.fromkeys(("trim", "strip", "ltrim", "rtrim"), _case("trim")),
    "left": _beginning("left"),
    "right": _beginning("right"),
    "mod": _operator("%"),
    "div": _operator("/"),
    "exact": _operator("=="),
    **dict.fromkeys(("datediff", "datedif"), _apart),
    "daysbetween": _apart,
    **dict.fromkeys(("dateadd", "datesub", "adddate", "subdate", "timestampadd"), _added),
    **dict.fromkeys(("float", "todouble", "tonumber", "number", "value", "numeric"), _renamed("double")),
    **dict.fromkeys(("integer", "toint", "trunc", "parseint"), _renamed("int")),
    **dict.fromkeys(("str", "text", "tostring", "varchar"), _renamed("string")),
    "date": _date,
    **dict.fromkeys(("datetime", "todate", "totimestamp", "datevalue"), _renamed("timestamp")),
    **dict.fromkeys(("interval", "timedelta"), _timedelta),
    **dict.fromkeys(("substr", "mid"), _renamed("substring")),
    **dict.fromkeys(("round",), _renamed("round")),
    "year": _part("getFullYear"),
    "month": _part("getMonth", 1),
    "day": _part("getDate"),
    "hour": _part("getHours"),
    "minute": _part("getMinutes"),
    **dict.fromkeys(("weekday", "dayofweek", "isoweekday"), _weekday),
    "between": _between,
    **dict.fromkeys(("equals", "eq", "equalsignorecase"), _equals),
    **dict.fromkeys(("in", "inlist", "oneof", "isin"), _in),
}
