"""From text to tree, and every way in which it fails."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from adjudge.errors import PolicyError
from adjudge.expr.nodes import (
    Binary,
    BinaryOperator,
    Call,
    Comprehension,
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
from adjudge.expr.parse import DEPTH_MAX, LENGTH_MAX, NESTING_MAX, parse
from adjudge.source import Source, Span, Text


def read(text: str) -> Node:
    return parse(Source("condition.cel", text).whole())


def binary(operator: BinaryOperator, left: Node, right: Node) -> Node:
    return Binary(operator=operator, left=left, right=right)


def conjunction(*operands: Node) -> Node:
    return Logic(operator="&&", operands=operands)


def disjunction(*operands: Node) -> Node:
    return Logic(operator="||", operands=operands)


def literal(value: bool | int | float | str) -> Literal:
    return Literal(value=value)


A, B, C, D = (Name(name=name) for name in "abcd")
ONE, TWO, THREE = (literal(number) for number in (1, 2, 3))

TREES: list[tuple[str, Node]] = [
    # numbers
    ("12", literal(12)),
    ("012", literal(12)),
    ("0x1F", literal(31)),
    ("-0x1f", literal(-31)),
    ("-5", literal(-5)),
    ("- 5", literal(-5)),
    ("-(5)", Unary(operator="-", operand=literal(5))),
    ("--5", Unary(operator="-", operand=literal(-5))),
    ("-a", Unary(operator="-", operand=A)),
    ("9223372036854775807", literal(2**63 - 1)),
    ("-9223372036854775808", literal(-(2**63))),
    ("0" * 5000 + "7", literal(7)),
    ("1.5", literal(1.5)),
    (".5", literal(0.5)),
    ("1e3", literal(1000.0)),
    ("1.5E-3", literal(0.0015)),
    ("-0.0", literal(-0.0)),
    ("1e-999", literal(0.0)),
    ("1 -5", binary("-", ONE, literal(5))),
    ("1--5", binary("-", ONE, literal(-5))),
    ("1.a", Select(operand=ONE, field="a")),
    ("-1.a", Select(operand=literal(-1), field="a")),
    # strings
    ("''", literal("")),
    ('"a\'b"', literal("a'b")),
    (r'"\a\b\f\n\r\t\v\\\?\"\'\`"', literal("\a\b\f\n\r\t\v\\?\"'`")),
    (r"'\x41\X42\103\u00e9\U0001F600'", literal("ABCé😀")),
    (r"""r'\d"'""", literal('\\d"')),
    (r'R"\"', literal("\\")),
    ("'''a\n'b''c'''", literal("a\n'b''c")),
    ('"""a\\n"b"""', literal('a\n"b')),
    ('r"""a\\n"""', literal("a\\n")),
    ('"//" // a comment', literal("//")),
    # names
    ("a", A),
    (".a", Name(name="a", absolute=True)),
    ("a.b", Select(operand=A, field="b")),
    (".a.b", Select(operand=Name(name="a", absolute=True), field="b")),
    ("a.package", Select(operand=A, field="package")),
    ("a.`x-y/z.w 1`", Select(operand=A, field="x-y/z.w 1")),
    ("a.`in`", Select(operand=A, field="in")),
    ("a . b", Select(operand=A, field="b")),
    ("ab // c\n.d", Select(operand=Name(name="ab"), field="d")),
    ("inner", Name(name="inner")),
    ("True", Name(name="True")),
    ("true", literal(True)),
    ("false", literal(False)),
    # precedence
    ("a + b * c", binary("+", A, binary("*", B, C))),
    ("(a + b) * c", binary("*", binary("+", A, B), C)),
    ("a - b - c", binary("-", binary("-", A, B), C)),
    ("a - (b - c)", binary("-", A, binary("-", B, C))),
    ("a / b % c", binary("%", binary("/", A, B), C)),
    ("a < b == c", binary("==", binary("<", A, B), C)),
    ("a in b + c", binary("in", A, binary("+", B, C))),
    ("!a == b", binary("==", Unary(operator="!", operand=A), B)),
    ("!a.b", Unary(operator="!", operand=Select(operand=A, field="b"))),
    ("!!a", Unary(operator="!", operand=Unary(operator="!", operand=A))),
    ("a || b && c", disjunction(A, conjunction(B, C))),
    ("a && b || c && d", disjunction(conjunction(A, B), conjunction(C, D))),
    ("a && b && c", conjunction(A, B, C)),
    ("(a && b) && c", conjunction(conjunction(A, B), C)),
    ("a && (b && c)", conjunction(A, conjunction(B, C))),
    ("a == b && c", conjunction(binary("==", A, B), C)),
    ("a ? b : c ? d : a", Conditional(condition=A, then=B, otherwise=Conditional(condition=C, then=D, otherwise=A))),
    ("a || b ? c : d", Conditional(condition=disjunction(A, B), then=C, otherwise=D)),
    ("(a ? b : c) ? d : a", Conditional(condition=Conditional(condition=A, then=B, otherwise=C), then=D, otherwise=A)),
    # members
    ("a[1][b]", Index(operand=Index(operand=A, key=ONE), key=B)),
    ("f()", Call(function="f", arguments=())),
    (".f(a)", Call(function="f", arguments=(A,))),
    ("f(a, b)", Call(function="f", arguments=(A, B))),
    ("a.f(b)", Call(function="f", arguments=(A, B), method=True)),
    ("all(a, b)", Call(function="all", arguments=(A, B))),
    ("a.has(b)", Call(function="has", arguments=(A, B), method=True)),
    ("has(a.b)", Has(operand=Select(operand=A, field="b"))),
    ("has((a.b))", Has(operand=Select(operand=A, field="b"))),
    ("has(a)", Has(operand=A)),
    ("has(a[1])", Has(operand=Index(operand=A, key=ONE))),
    ("a.all(b, c)", Comprehension(kind="all", operand=A, variable="b", predicate=C)),
    ("a.exists(b, c)", Comprehension(kind="exists", operand=A, variable="b", predicate=C)),
    ("a.exists_one(b, c)", Comprehension(kind="exists_one", operand=A, variable="b", predicate=C)),
    ("a.filter(b, c)", Comprehension(kind="filter", operand=A, variable="b", predicate=C)),
    ("a.map(b, c)", Comprehension(kind="map", operand=A, variable="b", transform=C)),
    ("a.map(b, c, d)", Comprehension(kind="map", operand=A, variable="b", predicate=C, transform=D)),
    ("[]", ListLiteral(items=())),
    ("[,]", ListLiteral(items=())),
    ("[1, 2,]", ListLiteral(items=(ONE, TWO))),
    ("{}", MapLiteral(entries=())),
    ("{,}", MapLiteral(entries=())),
    ("{1: a, 'x': b ? c : d,}", MapLiteral(
        entries=((ONE, A), (literal("x"), Conditional(condition=B, then=C, otherwise=D)))
    )),
]  # fmt: skip


@pytest.mark.parametrize(("text", "tree"), TREES, ids=[text[:30] for text, _ in TREES])
def test_parse_of_text_gives_tree(text: str, tree: Node) -> None:
    assert read(text) == tree


FAILURES: dict[str, list[str]] = {
    "token": [
        "a = b", "a === b", "a !== b", "a <> b", "a => b", "a ≤ b", "a & b", "a | b", "a and b", "a OR b", "not a",
        "a && not b", "a not in b", "a is b", "tags contains b", "a # b", "a; b", "a == “b”", "a ** b", "a @ b", "é",
        "a\u00a0+ b", "a.`é`",
    ],
    "expected": [
        "", "  ", "a +", "a b", "a ? b", "a ? b : ", "a ? b ? c : d : a", "f(a,)", "f(a", "(a", "[1, 2", "{a: 1",
        "{a}", "a)", "a]", "(a]", "f((a)", "a.", "a.in", "a.1", "a.`b`(c)", "&& a", "a == == b", "in", "1..2",
        "{1, 2}", "[1 2]", "`a`", "'it's'",
    ],
    "string": [
        "'abc", '"a\nb"', "'''abc''", r"'\q'", r"'\x4'", r"'\u12'", r"'\ud800'", r"'\U00110000'", r"'\400'", "'\\",
    ],
    "number": [
        "9223372036854775808", "-9223372036854775809", "0x8000000000000000", "1e400", "12ab", "1_000", "0x", "1.5e",
        "9" * 5000,
    ],
    "reserved": ["if", "for == 1", "a.all(var, b)", "package.x", "if(a)"],
    "refused": [
        "b'x'", 'rb"x"', "1u", "0xFFU", "null", "a == null", "Foo{a: 1}", "a.b.Foo{}", "a.?b", "a[?b]", "[?a]",
        "{?a: b}",
    ],
    "macro": [
        "has()", "has(1)", "has(a, b)", "has(f(a))", "has(a[b])", "a.all(b)", "a.map(b, c, d, e)", "a.map(b)",
        "a.filter(b.c, d)", "a.exists(1, b)", "a.exists(.b, c)",
    ],
    "depth": ["(" * 101 + "a" + ")" * 101, "1" + " + 1" * 200, "!" * 200 + "a", "a.b" + "[0]" * 199],
}  # fmt: skip


@pytest.mark.parametrize("code", FAILURES)
def test_parse_failure_renders_as_recorded(code: str, golden: Callable[[str, str], None]) -> None:
    rendered = []
    for text in FAILURES[code]:
        with pytest.raises(PolicyError) as caught:
            read(text)
        assert caught.value.code == f"syntax-{code}", text
        rendered.append(caught.value.render())
    golden(f"syntax/{code}.txt", "\n\n".join(rendered))


def depth(node: Node) -> int:
    return 1 + max(map(depth, children(node)), default=0)


@pytest.mark.parametrize(
    "text",
    [
        "(" * NESTING_MAX + "a" + ")" * NESTING_MAX,
        "[" * NESTING_MAX + "]" * NESTING_MAX,
        "1" + " + 1" * (DEPTH_MAX - 1),
        "!" * (DEPTH_MAX - 1) + "a",
        "a" + ".b" * (DEPTH_MAX - 1),
        "a ? b : " * (DEPTH_MAX - 1) + "c",
    ],
)
def test_parse_at_the_limit_of_depth_succeeds(text: str) -> None:
    assert depth(read(text)) <= DEPTH_MAX


def test_parse_of_long_chain_of_one_logical_operator_is_flat() -> None:
    assert depth(read(" || ".join(["a"] * 1500))) == 2


@pytest.mark.parametrize("text", ["(" * 9000, "[" * 9000, "{" * 9000, "f(" * 4000, "!" * 9000, "-" * 9000, "a?" * 4000])
def test_parse_of_hostile_nesting_fails_without_recursion(text: str) -> None:
    with pytest.raises(PolicyError):
        read(text)


def test_parse_of_text_past_the_limit_of_length_fails() -> None:
    read("a" * LENGTH_MAX)
    with pytest.raises(PolicyError) as caught:
        read("a" * (LENGTH_MAX + 1))
    assert caught.value.code == "syntax-length"


def test_parse_of_unclosed_bracket_points_at_it() -> None:
    with pytest.raises(PolicyError) as caught:
        read("a && (b || f(c")
    assert (caught.value.code, caught.value.column) == ("syntax-expected", 13)


@pytest.mark.parametrize(
    ("text", "spans"),
    [
        ("a + (b)", {"Binary": (0, 7), "Name": (4, 7)}),
        ("-5 * .a", {"Literal": (0, 2), "Name": (5, 7)}),
        ("f(a).g(b)[1]", {"Index": (0, 12), "Call": (0, 4)}),
        ("a ? b : c", {"Conditional": (0, 9)}),
        ("x.all(y, z)", {"Comprehension": (0, 11)}),
        ("{1: [2]}", {"MapLiteral": (0, 8), "ListLiteral": (4, 7)}),
        ("a && b && c", {"Logic": (0, 11)}),
        ("has(a.b)", {"Has": (0, 8), "Select": (4, 7)}),
    ],
)
def test_parse_gives_every_node_its_span(text: str, spans: dict[str, tuple[int, int]]) -> None:
    found: dict[str, Span] = {}
    stack = [read(text)]
    while stack:
        node = stack.pop(0)
        found[type(node).__name__] = node.span
        stack += children(node)
    for name, (start, end) in spans.items():
        assert found[name] == Span(start, end), name


def test_parse_places_spans_in_the_document_a_text_was_folded_from() -> None:
    source = Source("policy.yaml", "when: >\n  a &&\n  b = 1\n")
    start = source.text.index("a")
    positions = [*range(start, start + 4), *range(start + 4, start + 5), *range(start + 7, start + 13)]
    text = Text("a && b = 1", source, positions)
    with pytest.raises(PolicyError) as caught:
        parse(text)
    assert (caught.value.line, caught.value.column) == (3, 5)
