"""From the text of a condition to its tree.

The grammar is CEL's, without what the profile refuses (bytes, unsigned integers, null, messages). One extension:
`has` also takes a plain name, and an index with a literal key.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TypeVar, cast, get_args

from adjudge.errors import PolicyError
from adjudge.expr.nodes import (
    Binary,
    BinaryOperator,
    Call,
    Comprehension,
    ComprehensionKind,
    Conditional,
    Has,
    Index,
    ListLiteral,
    Literal,
    Logic,
    MapLiteral,
    Name,
    Node,
    Select,
    Unary,
    children,
)
from adjudge.expr.tokens import KEYWORDS, RESERVED, Token, failure, next_token, number
from adjudge.source import Span, Text
from adjudge.texts import composed

LENGTH_MAX = 10_000
"""Characters of a condition."""
NESTING_MAX = 100
"""Brackets within brackets; nothing else recurses."""
DEPTH_MAX = 200
"""Levels of the tree, so that every pass over it may recurse."""

PRECEDENCE = {
    "||": 1,
    "&&": 2,
    **dict.fromkeys(("==", "!=", "<", "<=", ">", ">=", "in"), 3),
    **dict.fromkeys(("+", "-"), 4),
    **dict.fromkeys(("*", "/", "%"), 5),
}
MACROS = frozenset(get_args(ComprehensionKind))
_WAY_OUT = {
    "and": "write `&&`",
    "or": "write `||`",
    "not": "write `!`, such as `!(a in b)`",
    "is": "write `==`",
    "contains": "call it: `a.contains(b)`",
    "matches": "call it: `a.matches(b)`",
    "startswith": "call it: `a.startsWith(b)`",
    "endswith": "call it: `a.endsWith(b)`",
}

T = TypeVar("T")


def parse(text: Text) -> Node:
    """Return the untyped tree of a condition. Raises PolicyError, codes `syntax-…`, for the first mistake."""
    if len(text.value) > LENGTH_MAX:
        message = f"the condition is longer than {LENGTH_MAX:,} characters"
        raise failure("length", message, text, text.span(LENGTH_MAX, len(text.value)), "split it with `variables:`")
    parser = _Parser(text)
    node = parser.expression()
    if parser.token.kind != "end":
        raise parser.unexpected("an operator")
    _check_depth(text, node)
    return node


def _check_depth(text: Text, root: Node) -> None:
    stack = [(root, 1)]
    while stack:
        node, depth = stack.pop()
        if depth > DEPTH_MAX:
            message = f"the condition is more than {DEPTH_MAX} levels deep here"
            raise failure("depth", message, text, node.span, "split it with `variables:`")
        stack += ((child, depth + 1) for child in children(node))


class _Parser:
    """Reads with one token of lookahead; operators go through stacks, only brackets recurse.

    `foreign/` extends it by what the language does not have.
    """

    def __init__(self, text: Text) -> None:
        self.text = text
        self.open: list[Token] = []
        self.token = self.previous = self.word(0)

    def word(self, at: int) -> Token:
        """Return the first word at or after a character."""
        return next_token(self.text, at)

    def advance(self) -> Token:
        self.previous = self.token
        self.token = self.word(self.token.end)
        return self.previous

    def at(self, *operators: str) -> bool:
        return self.token.kind == "operator" and self.token.text in operators

    def accept(self, operator: str) -> bool:
        found = self.at(operator)
        if found:
            self.advance()
        return found

    def fail(self, code: str, message: str, span: Span, hint: str | None = None) -> PolicyError:
        return failure(code, message, self.text, span, hint)

    def unexpected(self, wanted: str, hint: str | None = None) -> PolicyError:
        token = self.token
        if token.kind == "end" and self.open:
            return self.fail("expected", f"{self.open[-1]} is never closed", self.open[-1].span)
        if self.at(")", "]", "}") and not self.open:
            return self.fail("expected", f"{token} closes nothing", token.span)
        for word in (token, self.previous):
            if word.kind == "name" and word.text.lower() in _WAY_OUT and (word is token or word.text == "not"):
                return self.fail("token", f"{word} is not an operator", word.span, _WAY_OUT[word.text.lower()])
        return self.fail("expected", f"expected {wanted}, found {token}", token.span, hint)

    def expression(self) -> Node:
        """Read `a`, or `a ? b : c` whose `c` may be the next `? :`."""
        branches: list[tuple[Node, Node]] = []
        node = self.operations()
        while self.accept("?"):
            then = self.operations()
            if not self.accept(":"):
                raise self.unexpected("`:`", "put an inner `? :` in parentheses" if self.at("?") else None)
            branches.append((node, then))
            node = self.operations()
        for condition, then in reversed(branches):
            node = Conditional(span=condition.span.to(node.span), condition=condition, then=then, otherwise=node)
        return node

    def operations(self) -> Node:
        """Read operands joined by binary operators."""
        operands = [self.unary()]
        operators: list[str] = []
        while (operator := self.token.text) in PRECEDENCE and self.token.kind in ("operator", "name"):
            # A chain of one logical operator waits until it is complete: it becomes one node.
            binding = PRECEDENCE[operator] + (operator in ("&&", "||"))
            while operators and PRECEDENCE[operators[-1]] >= binding:
                _join(operands, operators)
            operators.append(operator)
            self.advance()
            operands.append(self.unary())
        while operators:
            _join(operands, operators)
        return operands[0]

    def unary(self) -> Node:
        """Read a member behind any number of `!` and `-`; a minus before digits belongs to the number."""
        operators: list[Token] = []
        while self.at("!", "-"):
            operators.append(self.advance())
        negative = bool(operators) and operators[-1].text == "-" and self.token.kind == "number"
        node = self.member(self.number(operators.pop()) if negative else self.primary())
        for operator in reversed(operators):
            span = operator.span.to(node.span)
            node = Unary(span=span, operator="!" if operator.text == "!" else "-", operand=node)
        return node

    def member(self, node: Node) -> Node:
        """Read what follows an operand: `.field`, `.method(…)`, `[key]`."""
        while self.at(".", "["):
            dot = self.advance()
            if self.at("?"):
                raise self.fail(
                    "refused", "optional values are not supported in conditions", self.token.span, "ask `has(…)` first"
                )
            if dot.text == "[":
                key, end = self.closed("]", self.expression)
                node = Index(span=node.span.to(end), operand=node, key=key)
                continue
            field = self.token
            is_word = field.kind == "name" and field.text in KEYWORDS
            is_conversion = is_word and field.text == "in" and self.word(field.end).text == "("  # of money
            if field.kind not in ("name", "quoted") or (is_word and not is_conversion):
                hint = f'write `["{field.text}"]`' if field.kind == "name" else None
                raise self.unexpected("a field's name", hint)
            self.advance()
            if field.kind == "name" and self.at("("):
                node = self.call(field, node)
            else:
                node = Select(span=node.span.to(field.span), operand=node, field=field.text)
        if isinstance(node, Name | Select) and self.at("{"):
            hint = 'a map is written `{"key": value}`'
            raise self.fail("refused", "messages are not supported in conditions", node.span.to(self.token.span), hint)
        return node

    def primary(self) -> Node:
        token = self.token
        match token.kind, token.text:
            case "number", _:
                return self.number()
            case "string", text:
                return Literal(span=self.advance().span, value=composed(text))  # as what it is compared with is read
            case "name", "true" | "false":
                return Literal(span=self.advance().span, value=token.text == "true")
            case "name", "null":
                hint = "whatever is missing is unknown: ask `has(…)`"
                raise self.fail("refused", "null is not supported in conditions", token.span, hint)
            case "name", word if word != "in":
                return self.name()
            case "operator", ".":
                self.advance()
                if self.token.kind == "name" and self.token.text not in KEYWORDS:
                    return self.name(token)
                raise self.unexpected("a name")
            case "operator", "(":
                self.advance()
                inner, end = self.closed(")", self.expression)
                return replace(inner, span=token.span.to(end))
            case "operator", "[":
                self.advance()
                items, end = self.closed("]", lambda: self.sequence("]", self.item, trailing=True))
                return ListLiteral(span=token.span.to(end), items=items)
            case "operator", "{":
                self.advance()
                entries, end = self.closed("}", lambda: self.sequence("}", self.entry, trailing=True))
                return MapLiteral(span=token.span.to(end), entries=entries)
        raise self.unexpected("an expression" if len(self.text.value.strip()) else "a condition")

    def number(self, minus: Token | None = None) -> Node:
        token = self.advance()
        span = (minus or token).span.to(token.span)
        return Literal(span=span, value=number(self.text, token, negative=minus is not None, span=span))

    def name(self, dot: Token | None = None) -> Node:
        token = self.advance()
        if token.text in RESERVED:
            hint = "write `condition ? a : b`" if token.text == "if" else None
            raise self.fail("reserved", f"{token} is a reserved word", token.span, hint)
        if self.at("("):
            return self.call(token)
        return Name(span=(dot or token).span.to(token.span), name=token.text, absolute=dot is not None)

    def call(self, function: Token, receiver: Node | None = None) -> Node:
        """Read arguments; `has` and the comprehensions become nodes of their own."""
        self.advance()
        arguments, end = self.closed(")", lambda: self.sequence(")", self.expression, trailing=False))
        span = (receiver or function).span.to(end)
        if receiver is None:
            if function.text == "has":
                return self.has(span, arguments)
            return Call(span=span, function=function.text, arguments=arguments)
        if function.text in MACROS:
            return self.comprehension(span, cast("ComprehensionKind", function.text), receiver, arguments)
        return Call(span=span, function=function.text, arguments=(receiver, *arguments), method=True)

    def has(self, span: Span, arguments: tuple[Node, ...]) -> Node:
        match arguments:
            case (Name() | Select() | Index(key=Literal()) as operand,):
                return Has(span=span, operand=operand)
        where = arguments[0].span if len(arguments) == 1 else span
        raise self.fail("macro", "`has` takes one field", where, "such as `has(device.score)`")

    def comprehension(self, span: Span, kind: ComprehensionKind, operand: Node, arguments: tuple[Node, ...]) -> Node:
        if len(arguments) != 2 and not (kind == "map" and len(arguments) == 3):
            body = "expression" if kind == "map" else "condition"
            message, hint = f"`{kind}` takes a variable and one {body}", f"such as `tags.{kind}(tag, …)`"
            if len(arguments) > 2 and isinstance(arguments[1], Name):
                hint = f"there is no index, only the item: write `tags.{kind}(tag, …)`"
            raise self.fail("macro", message, span, hint)
        variable, *rest = arguments
        if not isinstance(variable, Name) or variable.absolute:
            hint = f"such as `tags.{kind}(tag, …)`"
            raise self.fail("macro", f"the first argument of `{kind}` must be a new name", variable.span, hint)
        transform = rest.pop() if kind == "map" else None
        predicate = rest[0] if rest else None
        return Comprehension(
            span=span, kind=kind, operand=operand, variable=variable.name, predicate=predicate, transform=transform
        )

    def item(self) -> Node:
        if self.at("?"):
            raise self.fail(
                "refused", "optional values are not supported in conditions", self.token.span, "write `c ? [a] : []`"
            )
        return self.expression()

    def entry(self) -> tuple[Node, Node]:
        key = self.item()
        if not self.accept(":"):
            raise self.unexpected("`:`")
        return key, self.expression()

    def closed(self, closing: str, read: Callable[[], T]) -> tuple[T, Span]:
        """Read what stands in a bracket that was just opened, and the closing one; return its span too."""
        if len(self.open) == NESTING_MAX:
            message = f"more than {NESTING_MAX} nested brackets"
            raise self.fail("depth", message, self.previous.span, "split it with `variables:`")
        self.open.append(self.previous)
        inner = read()
        if not self.at(closing):
            raise self.unexpected(f"an operator or `{closing}`")
        self.open.pop()
        return inner, self.advance().span

    def sequence(self, closing: str, read: Callable[[], T], *, trailing: bool) -> tuple[T, ...]:
        """Read what commas separate; as in CEL's grammar, `trailing` allows `[1,]` and even `[,]`."""
        items: list[T] = []
        if trailing and self.accept(","):
            return ()
        while not self.at(closing):
            items.append(read())
            if not self.accept(","):
                break
            if self.at(closing) and not trailing:
                raise self.unexpected("an argument")
        return tuple(items)


def _join(operands: list[Node], operators: list[str]) -> None:
    """Replace the last operator, or the last chain of `&&` or `||`, and its operands by one node."""
    operator, count = operators.pop(), 2
    if operator in ("&&", "||"):
        while operators and operators[-1] == operator:
            operators.pop()
            count += 1
    parts = tuple(operands[-count:])
    del operands[-count:]
    span = parts[0].span.to(parts[-1].span)
    if operator in ("&&", "||"):
        operands.append(Logic(span=span, operator="&&" if operator == "&&" else "||", operands=parts))
    else:
        operands.append(Binary(span=span, operator=cast("BinaryOperator", operator), left=parts[0], right=parts[1]))
