"""Comparisons and arithmetic in SQL."""

from __future__ import annotations

from adjudge.expr import gaps
from adjudge.expr.nodes import (
    Binary,
    Literal,
    Node,
)
from adjudge.expr.sql.translation import (
    Scope,
    Translation,
    are_scalars,
)
from adjudge.expr.sql.value import (
    DAY_US,
    NotTranslatable,
    Sql,
    in_dates,
    in_days,
    in_lengths,
    is_null,
    joined,
    strict,
)
from adjudge.values.literals import TEXT_MAX
from adjudge.values.types import (
    DATE,
    DOUBLE,
    DURATION,
    INT,
    TIMESTAMP,
    SetType,
    is_text,
)
from adjudge.values.types import ListType as List

_EXACT = 2**53
_TURNED = {"==": "==", "!=": "!=", "<": ">", "<=": ">=", ">": "<", ">=": "<="}
SIGNS = {"==": "=", "!=": "<>", "<": "<", "<=": "<=", ">": ">", ">=": ">="}


def compared(sql: Translation, node: Binary, scope: Scope) -> Sql:
    """Return a comparison of two scalars."""
    sign, left, right = node.operator, node.left, node.right
    one, two = left.type, right.type
    if one is None or two is None or not are_scalars(one, two):
        raise NotTranslatable(gaps.COMPARED_WHOLE.said, node.span)
    a, b = sql.value(left, scope), sql.value(right, scope)
    if {one, two} == {INT, DOUBLE} and not any(_is_exact(part) for part in (left, right)):
        return _int_beside_double(sql, sign, sql.short(a), sql.short(b), is_first=one == INT)
    if a.may_be_nan or b.may_be_nan:
        a, b = sql.short(a), sql.short(b)
    return ordered(sign, a, b)


def arithmetic(sql: Translation, node: Binary, scope: Scope) -> Sql:
    """Return a sum, a difference, a product, a quotient or a remainder."""
    sign, one, two = node.operator, node.left.type, node.right.type
    a, b = sql.value(node.left, scope), sql.value(node.right, scope)
    dialect = sql.dialect
    if one == two == DOUBLE:
        if sign == "/" and not dialect.divides_doubles_by_zero and not _is_nonzero(node.right):
            raise NotTranslatable(gaps.DIVISION.said, node.span)
        return joined(sign, a, b, may_be_nan=True)
    if one == two == INT:
        if sign == "/":
            return Sql(dialect.quotient(str(a), str(b)))
        if sign == "%":
            limit = f"{a} = {dialect.literal(-(2**63))} and {b} = -1"
            return Sql(f"case when {limit} then null else {a} % nullif({b.text}, 0) end")
        return Sql(dialect.int_operation(sign, str(a), str(b)))
    if sign == "+" and one is not None and two is not None and is_text(one) and is_text(two):
        short = f"length({a.text}) + length({b.text}) <= {TEXT_MAX}"
        return Sql(f"case when {short} then {joined('||', a, b).text} end")
    if sign in "+-" and {one, two} <= {TIMESTAMP, DURATION}:
        total = joined(sign, a, b)
        return Sql(in_lengths(str(total)) if one == two else in_days(str(total)))
    if sign in "+-" and {one, two} <= {DATE, DURATION}:
        if one == two:
            return Sql(in_lengths(f"(({joined(sign, a, b).text}) * {DAY_US})"))
        day, length = (a, sql.short(b)) if one == DATE else (b, sql.short(a))
        moved = in_dates(f"({day} {sign} {dialect.part_of(str(length), DAY_US)})")
        return Sql(f"case when {length} % {DAY_US} = 0 then {moved} end")
    if sign == "+" and isinstance(one, List | SetType) and isinstance(two, List | SetType):
        a, b = sql.short(a), sql.short(b)
        short = f"{dialect.length(a.text)} + {dialect.length(b.text)} <= {TEXT_MAX}"
        known = [f"{dialect.length(part.text)} = {dialect.known(part.text)}"
                 for part, of in ((a, one), (b, two)) if isinstance(of, SetType)]  # fmt: skip
        found = joined("||", a, b, may_be_nan=a.may_be_nan or b.may_be_nan)
        return Sql(f"case when {' and '.join([short, *known])} then {found.text} end", found.may_be_nan)
    raise NotTranslatable("such an operation", node.span)


def _int_beside_double(sql: Translation, sign: str, a: Sql, b: Sql, *, is_first: bool) -> Sql:
    """Compare an int with a double, neither of which is rounded. is_first: whether the int is on the left."""
    number, double = (a, b) if is_first else (b, a)
    sign = sign if is_first else _TURNED[sign]
    within = f"{double} >= -9223372036854775808e0 and {double} < 9223372036854775808e0"
    up, down = (sql.dialect.int_of_double(f"{name}({double.text})", within) for name in ("ceil", "floor"))
    if sign in ("==", "!="):
        same = f"coalesce({double} = floor({double.text}) and {number} = {down}, false)"
        answer = same if sign == "==" else f"not {same}"
    else:
        bound = up if sign in ("<", ">=") else down
        is_over = "true" if sign in ("<", "<=") else "false"
        is_under = "false" if sign in ("<", "<=") else "true"
        high, low = f"{double} >= 9223372036854775808e0", f"{double} < -9223372036854775808e0"
        compared = f"{number} {SIGNS[sign]} ({bound})"
        answer = f"case when {high} then {is_over} when {low} then {is_under} else {compared} end"
    nan = f" when isnan({double.text}) then {'true' if sign == '!=' else 'false'}" if double.may_be_nan else ""
    unknown = joined("or", is_null(number), is_null(double)).text
    return Sql(f"case when {unknown} then null{nan} else {answer} end", nulls=strict(number, double))


def _is_exact(node: Node) -> bool:
    """Whether a number is written out and small enough that rounding the other side to a double changes nothing."""
    return isinstance(node, Literal) and isinstance(node.value, int | float) and abs(node.value) < _EXACT


def _is_nonzero(node: Node) -> bool:
    return isinstance(node, Literal) and node.value not in (0, 0.0)


def ordered(sign: str, a: Sql, b: Sql) -> Sql:
    """Compare two values of one type, or a number with one that is written out."""
    plain = joined(SIGNS[sign], a, b)
    if not a.may_be_nan and not b.may_be_nan:
        return plain
    nan = " or ".join(f"isnan({part.text})" for part in (a, b) if part.may_be_nan)
    otherwise = "true" if sign == "!=" else "false"
    unknown = joined("or", is_null(a), is_null(b)).text
    return Sql(f"case when {unknown} then null when {nan} then {otherwise} else {plain.text} end", nulls=plain.nulls)
