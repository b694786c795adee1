"""A number that is another than its looks say: `3-5`, `2025-01-31`, `1/2`, `1.000` and `05`, which all load."""

from __future__ import annotations

from collections.abc import Iterator

from adjudge.authoring.lint.finding import LintFinding
from adjudge.authoring.lint.subject import LintedPolicy
from adjudge.expr.nodes import (
    Binary,
    BinaryOperator,
    ListLiteral,
    Literal,
    Logic,
    MapLiteral,
    Name,
    Node,
    Unary,
    children,
    walk,
)
from adjudge.expr.operators import FLIPPED
from adjudge.expr.printing import unparse
from adjudge.expr.reference import evaluate
from adjudge.frozen import frozen
from adjudge.patterns import late
from adjudge.texts import in_digits, with_article
from adjudge.values.meant import date_meant, is_two_days
from adjudge.values.types import DOUBLE

CODE = "doubtful-number"
_COMPARING = frozenset({"==", "!=", *FLIPPED})
_RECKONING = frozenset({"+", "-", "*", "/", "%"})
_DAY = late(r"(?:19|20)\d\d([-/])\d{1,2}\1\d{1,2}|\d{1,2}([-/])\d{1,2}\2(?:19|20)\d\d")
_GROUPED = late(r"-?[1-9]\d{0,2}\.\d\d0")
_PADDED = late(r"-?0\d+")
_FIRST_GROUP = late(r"(?<![\d.,])([1-9]\d{0,2}),$")
_NO_COMMA = late(r"(\S+)\s+(-\S+)")


@frozen
class _Number:
    """A number, or what is reckoned of numbers alone. said: its text, and before: the characters that precede it.

    above: the nodes around it, the outermost first.
    """

    node: Node
    said: str
    before: str
    above: tuple[Node, ...]

    @property
    def is_listed(self) -> bool:
        return bool(self.above) and isinstance(self.above[-1], ListLiteral)

    @property
    def is_value(self) -> bool:
        """Whether it stands where a value does, rather than a bound: in a list, or `9123-4567` beside `==`."""
        node = self.comparison
        return self.is_listed or (node is not None and node.operator in ("==", "!=") and " " not in self.said)

    @property
    def is_reckoned(self) -> bool:
        """Whether it is a part of more that is reckoned."""
        return bool(self.above) and (
            isinstance(self.above[-1], Unary)
            or (isinstance(self.above[-1], Binary) and self.above[-1].operator in _RECKONING)
        )

    @property
    def comparison(self) -> Binary | None:
        """The comparison in which it stands, itself or in a list."""
        match self.above:
            case (*_, Binary() as node, ListLiteral(items=items)) if node.operator == "in" and self.node in items:
                return node
            case (*_, Binary() as node) if node.operator in _COMPARING or isinstance(self.node, MapLiteral):
                return node
            case _:
                return None

    @property
    def compared(self) -> Node | None:
        """What it is compared with."""
        node = self.comparison
        return None if node is None else node.right if node.left is self.node else node.left


def check(subject: LintedPolicy) -> Iterator[LintFinding]:
    """Look at every number and all that is reckoned of numbers alone, wherever it stands in a condition."""
    text = subject.typed.source.text
    told: set[int] = set()
    for condition in (*subject.conditions, *subject.typed.variables.values()):
        for node, above in _numbers(condition, ()):
            start = node.span.start
            number = _Number(node, text[start : node.span.end], text[max(0, start - 5) : start], above)
            found = None if start in told else _doubt(subject, number)
            if found is not None:
                told.add(start)
                yield subject.finding(CODE, "warning", found[0], node.span, found[1])


def _numbers(node: Node, above: tuple[Node, ...]) -> Iterator[tuple[Node, tuple[Node, ...]]]:
    """Yield numbers and what is reckoned, the outermost first, each with the nodes around it."""
    match node:
        case Literal(value=bool()):
            return
        case Literal(value=int() | float()):
            yield node, above
        case Binary(operator=operator) if operator in _RECKONING:
            yield node, above
        case Binary(operator="in", right=MapLiteral() as right):
            yield right, (*above, node)
    for child in children(node):
        if not isinstance(child, Literal) or not _is_constant(node):  # `01` of a day is told as a part of it
            yield from _numbers(child, (*above, node))


def _is_constant(node: Node) -> bool:
    return isinstance(node, Binary) and all(isinstance(part, Literal | Binary | Unary) for part in walk(node))


def _doubt(subject: LintedPolicy, number: _Number) -> tuple[str, str] | None:
    """Return why a number is doubtful, and what to type."""
    match number.node:
        case Literal(value=int() as value):
            return _padded(number, value)
        case Literal(value=float() as value):
            return _grouped(subject, number, value)
        case MapLiteral(entries=((Literal(value=int()) as low, Literal(value=int()) as high),)):
            assert number.compared is not None
            message = f"`{number.said}` is a map, of which `in` reads the keys alone"
            return message, f"write `{_in_place(number, _within(number.compared, low, high))}`"
        case Binary(operator="%", left=Literal(value=int(percent)), right=right) if not _is_constant(number.node):
            message = f"`{number.said}` is what {percent} leaves when it is divided by `{unparse(right)}`"
            share = Binary(operator="*", left=right, right=Literal(value=percent))
            said = unparse(Binary(operator="/", left=share, right=Literal(value=100)))
            return message, f"for {percent} percent of it write `{said}`"
        case Binary(operator="-" | "/" as operator, left=left, right=right) if _is_constant(number.node):
            result = evaluate(number.node, {})
            if isinstance(result, int | float):
                subtracts = operator == "-"
                return _day(number, result) or (_subtraction if subtracts else _division)(number, left, right, result)
    return None


def _day(number: _Number, value: float) -> tuple[str, str] | None:
    said = number.said.replace(" ", "")
    days = is_two_days(said) or (date_meant(said),)
    if not _DAY.fullmatch(said) or days[0] is None:
        return None
    sort = with_article("subtraction" if "-" in said else "division")
    name = number.compared
    ways = "write " + " or ".join(f'`date("{day}")`' for day in days)
    if number.above:
        declared = f"declare `{name.name}: date`" if isinstance(name, Name) else "compare a field of type `date`"
        ways = f"{declared}, and {ways}"
    return f"`{number.said}` is {sort}, which comes to {in_digits(value)}", ways


def _subtraction(number: _Number, left: Node, right: Node, value: float) -> tuple[str, str] | None:
    parts = [part for part in walk(number.node) if isinstance(part, Binary)]
    if number.is_reckoned or any(part.operator != "-" for part in parts) or (value > 0 and not number.is_value):
        return None  # such as `365 - 30`
    message, itself = f"`{number.said}` is a subtraction, which comes to {in_digits(value)}", in_digits(value)
    if not isinstance(left, Literal) or not isinstance(right, Literal):
        return message, f'write `{itself}` if that is meant; a text stands in quotes, `"{number.said}"`'
    if number.is_listed and (apart := _NO_COMMA.fullmatch(number.said)):
        return message, f"write `{apart[1]}, {apart[2]}`, or `{itself}` if that is meant"
    meant = _as_range(number)
    return message, f"write `{meant}`, or `{itself}` if that is meant" if meant else f"write `{itself}`"


def _as_range(number: _Number) -> str | None:
    """Return the comparison in which `3-5` stands with a range in its place."""
    node, field = number.comparison, number.compared
    if node is None or field is None:
        return None
    items = node.right.items if isinstance(node.right, ListLiteral) and number.is_listed else (number.node,)
    ranges = [item for item in items if isinstance(item, Binary) and _is_constant(item) and item.operator == "-"]
    rest = tuple(item for item in items if item not in ranges)
    parts: list[Node] = [Binary(operator="in", left=field, right=ListLiteral(items=rest))] if rest else []
    for item in ranges:
        low, high = sorted((item.left, item.right), key=lambda end: float(str(evaluate(end, {}))))
        ends: tuple[tuple[BinaryOperator, Node], ...] = (("<", low), (">", high))
        if node.operator == "!=":
            parts += (Binary(operator=operator, left=field, right=end) for operator, end in ends)
        else:
            parts.append(_within(field, low, high))
    meant = parts[0] if len(parts) == 1 else Logic(operator="||", operands=tuple(parts))
    return _in_place(number, meant)


def _in_place(number: _Number, meant: Node) -> str:
    """Return the text that stands in place of the comparison, in brackets where it is a part of more."""
    return unparse(meant) if number.above[0] is number.comparison else f"({unparse(meant)})"


def _division(number: _Number, left: Node, right: Node, value: float) -> tuple[str, str] | None:
    above, below = evaluate(left, {}), evaluate(right, {})
    if not isinstance(above, int) or not isinstance(below, int) or above % below == 0:
        return None
    node, other = number.comparison, number.compared
    message, itself = f"`{number.said}` divides whole numbers, which leaves {in_digits(value)}", in_digits(value)
    if node is None or other is None or (other.type != DOUBLE and node.operator not in FLIPPED):
        other_way = f"write `{above}, {below}`, or " if number.is_listed and node is not None else ""
        first = "multiply first and then divide, or " if number.is_reckoned else ""
        return message, f"{first or other_way or 'write '}`{itself}` if that is meant"
    return message, f"write `{in_digits(above / below)}`, or `{itself}` if that is meant"


def _padded(number: _Number, value: int) -> tuple[str, str] | None:
    if not _PADDED.fullmatch(number.said):
        return None
    first = _FIRST_GROUP.search(number.before)
    if first is not None and len(number.said) == 3:
        both = f"{first[1]},{number.said}"
        return f"`{both}` is two numbers, {first[1]} and {value}", f"write `{first[1]}{number.said}`"
    return f"`{number.said}` is the number {value}", f"write `{value}`; a code that begins with 0 is a text"


def _grouped(subject: LintedPolicy, number: _Number, value: float) -> tuple[str, str] | None:
    if not _GROUPED.fullmatch(number.said):
        return None
    field, meant = number.compared, int(number.said.replace(".", ""))
    declared = subject.typed.slots.get(field.name) if isinstance(field, Name) else None
    highest = declared.maximum if declared is not None else None
    if isinstance(highest, int | float) and highest < meant:
        return None
    exact = repr(value)
    return f"`{number.said}` is {exact}: a point begins decimals", f"write `{meant}`, or `{exact}` if that is meant"


def _within(value: Node, low: Node, high: Node) -> Node:
    """Return `value >= low && value <= high`."""
    from adjudge.expr.foreign.built import within  # a policy without such numbers does without

    return within(value, low, high)
