"""Functions of spreadsheets, SQL, Python and others, each by what reads it."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from adjudge.expr.foreign.functions.choices import (
    between,
    either,
    equals,
    has,
    if_,
    in_,
    itself,
    joined,
    known_or,
    lookup,
    none,
    not_,
    null_or,
    or_else,
)
from adjudge.expr.foreign.functions.numbers import (
    absolute,
    count_if,
    extreme,
    operator,
    size,
    sum_,
    sums_of_rows,
)
from adjudge.expr.foreign.functions.said import Made, Said, renamed
from adjudge.expr.foreign.functions.texts import beginning, case, method
from adjudge.expr.foreign.functions.times import added, apart, date, length, now, part, timedelta, today, weekday


def ours(said: Said) -> Made | None:
    """Return what a foreign call is written as; None where nothing says the same."""
    word = said.call.function.lower().replace("_", "")
    make = _BY_WORD.get(word)
    return make(said) if make is not None else None


_BY_WORD: Mapping[str, Callable[[Said], Made | None]] = {
    **dict.fromkeys(("if", "iif", "ifelse", "ifthenelse", "where"), if_),
    **dict.fromkeys(("and", "allof"), joined("&&")),
    **dict.fromkeys(("or", "anyof", "any"), joined("||")),
    "all": joined("&&"),
    "not": not_,
    **dict.fromkeys(("istrue", "isnumber"), itself(True)),
    "isfalse": itself(False),
    **dict.fromkeys(("vlookup", "xlookup", "hlookup", "lookup"), lookup),
    **dict.fromkeys(("none", "noneof", "nor"), none),
    **dict.fromkeys(("isblank", "isempty", "isna", "isnan", "isnone", "ismissing", "isunknown", "empty"), has(False)),
    **dict.fromkeys(("notnull", "isnotnull", "exists", "defined", "isdefined", "isknown", "notblank"), has(True)),
    "isnull": null_or,
    "nvl2": known_or,
    "xor": either,
    **dict.fromkeys(("sumif", "sumifs", "countifs", "sumproduct", "averageif", "avg", "average"), sums_of_rows),
    **dict.fromkeys(("coalesce", "ifnull", "nvl", "iferror", "ifna", "default", "isnullor"), or_else),
    **dict.fromkeys(("len", "length", "count", "charlength", "arraylength", "cardinality", "counta"), size),
    **dict.fromkeys(("countif", "countiftrue", "counttrue"), count_if),
    **dict.fromkeys(("sum",), sum_),
    **dict.fromkeys(("max", "greatest"), extreme(">")),
    **dict.fromkeys(("min", "least"), extreme("<")),
    "abs": absolute,
    **dict.fromkeys(("now", "getdate", "currenttimestamp", "sysdate", "utcnow", "currenttime"), now),
    **dict.fromkeys(("today", "currentdate", "curdate"), today),
    **{unit: length(unit) for unit in ("days", "hours", "minutes", "seconds", "weeks")},
    **dict.fromkeys(("contains", "includes", "instr", "strcontains", "indexof", "strpos"), method("contains")),
    **dict.fromkeys(("search", "find", "charindex", "position", "locate"), method("contains", turned=True)),
    **dict.fromkeys(("startswith", "beginswith", "hasprefix"), method("startsWith")),
    **dict.fromkeys(("endswith", "hassuffix"), method("endsWith")),
    **dict.fromkeys(
        ("matches", "match", "regexpmatch", "regexmatch", "regexplike", "rlike", "test"), method("matches")
    ),
    **dict.fromkeys(("lower", "lcase", "tolower", "tolowercase", "lowerascii", "casefold"), case("lower")),
    **dict.fromkeys(("upper", "ucase", "toupper", "touppercase", "upperascii"), case("upper")),
    **dict.fromkeys(("trim", "strip", "ltrim", "rtrim"), case("trim")),
    "left": beginning("left"),
    "right": beginning("right"),
    "mod": operator("%"),
    "div": operator("/"),
    "exact": operator("=="),
    **dict.fromkeys(("gt", "greaterthan"), operator(">")),
    **dict.fromkeys(("gte", "ge", "greaterthanorequal"), operator(">=")),
    **dict.fromkeys(("lt", "lessthan"), operator("<")),
    **dict.fromkeys(("lte", "le", "lessthanorequal"), operator("<=")),
    **dict.fromkeys(("ne", "neq", "notequals", "notequal"), operator("!=")),
    **dict.fromkeys(("datediff", "datedif"), apart),
    "daysbetween": apart,
    **dict.fromkeys(("dateadd", "datesub", "adddate", "subdate", "timestampadd"), added),
    **dict.fromkeys(("float", "todouble", "tonumber", "number", "value", "numeric"), renamed("double")),
    **dict.fromkeys(("integer", "toint", "trunc", "parseint"), renamed("int")),
    **dict.fromkeys(("str", "text", "tostring", "varchar"), renamed("string")),
    "date": date,
    **dict.fromkeys(("datetime", "todate", "totimestamp", "datevalue"), renamed("timestamp")),
    **dict.fromkeys(("interval", "timedelta"), timedelta),
    **dict.fromkeys(("substr", "mid"), renamed("substring")),
    **dict.fromkeys(("round",), renamed("round")),
    "year": part("getFullYear"),
    "month": part("getMonth", 1),
    "day": part("getDate"),
    "hour": part("getHours"),
    "minute": part("getMinutes"),
    **dict.fromkeys(("weekday", "dayofweek", "isoweekday"), weekday),
    "between": between,
    **dict.fromkeys(("equals", "eq", "equalsignorecase"), equals),
    **dict.fromkeys(("in", "inlist", "oneof", "isin"), in_),
}
