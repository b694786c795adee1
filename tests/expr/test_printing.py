"""From tree to text and back."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from adjudge.expr.nodes import (
    Binary,
    Call,
    Comprehension,
    Conditional,
    Has,
    Index,
    ListLiteral,
    Literal,
    Local,
    Logic,
    MapLiteral,
    Name,
    Node,
    Select,
    Unary,
)
from adjudge.expr.parse import MACROS, parse
from adjudge.expr.printing import unparse
from adjudge.expr.tokens import KEYWORDS, RESERVED
from adjudge.policy import parse_policy
from adjudge.source import Source
from expr.strategies import typed_conditions


def read(text: str) -> Node:
    return parse(Source("condition", text).whole())


words = st.from_regex(r"[A-Za-z_][A-Za-z0-9_]{0,3}", fullmatch=True).filter(lambda word: word not in KEYWORDS)
names = words.filter(lambda word: word not in RESERVED)
fields = words | st.sampled_from(sorted(RESERVED | KEYWORDS)) | st.from_regex(r"[A-Za-z0-9_.\-/ ]{1,4}", fullmatch=True)
functions = names.filter(lambda name: name != "has" and name not in MACROS)
literals = st.builds(
    lambda value: Literal(value=value),
    st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=("Cs",)), max_size=5),
)
leaves: SearchStrategy[Node] = literals | st.builds(
    lambda name, absolute: Name(name=name, absolute=absolute), names, st.booleans()
)


def grown(parts: SearchStrategy[Node]) -> SearchStrategy[Node]:
    """Return trees one level higher: every node that the parser makes."""
    some = st.lists(parts, max_size=3).map(tuple)
    select = st.builds(lambda operand, field: Select(operand=operand, field=field), parts, fields)
    index = st.builds(lambda operand, key: Index(operand=operand, key=key), parts, parts)
    known = st.builds(lambda operand, key: Index(operand=operand, key=key), parts, literals)
    comparison = st.sampled_from(("==", "!=", "<", "<=", ">", ">=", "in", "+", "-", "*", "/", "%"))
    return st.one_of(
        select,
        index,
        st.builds(lambda operand: Has(operand=operand), select | known),
        st.builds(lambda sign, operand: Unary(operator=sign, operand=operand), st.sampled_from(("!", "-")), parts),
        st.builds(lambda sign, a, b: Binary(operator=sign, left=a, right=b), comparison, parts, parts),
        st.builds(
            lambda sign, operands: Logic(operator=sign, operands=operands),
            st.sampled_from(("&&", "||")),
            st.lists(parts, min_size=2, max_size=4).map(tuple),
        ),
        st.builds(lambda a, b, c: Conditional(condition=a, then=b, otherwise=c), parts, parts, parts),
        st.builds(lambda name, arguments: Call(function=name, arguments=arguments), functions, some),
        st.builds(lambda name, a, more: Call(function=name, arguments=(a, *more), method=True), functions, parts, some),
        st.builds(
            lambda kind, over, name, test: Comprehension(kind=kind, operand=over, variable=name, predicate=test),
            st.sampled_from(("all", "exists", "exists_one", "filter")),
            parts,
            names,
            parts,
        ),
        st.builds(
            lambda over, name, test, to: Comprehension(
                kind="map", operand=over, variable=name, predicate=test, transform=to
            ),
            parts,
            names,
            st.none() | parts,
            parts,
        ),
        st.builds(lambda items: ListLiteral(items=items), some),
        st.builds(lambda entries: MapLiteral(entries=tuple(entries)), st.lists(st.tuples(parts, parts), max_size=3)),
    )


@settings(max_examples=500, deadline=None)
@given(st.recursive(leaves, grown, max_leaves=12))
def test_unparse_of_any_tree_parses_to_the_same_tree(tree: Node) -> None:
    assert read(unparse(tree)) == tree


@settings(deadline=None)
@given(typed_conditions())
def test_unparse_is_stable(case: tuple[str, object, object]) -> None:
    tree = read(case[0])
    assert read(unparse(tree)) == tree
    assert unparse(read(unparse(tree))) == unparse(tree)


@pytest.mark.parametrize(
    ("text", "printed"),
    [
        ("((a)) + ((b * c))", "a + b * c"),
        ("(a + b) * c", "(a + b) * c"),
        ("a - (b - c)", "a - (b - c)"),
        ("(a - b) - c", "a - b - c"),
        ("(a && b) || c", "a && b || c"),
        ("(a || b) && c", "(a || b) && c"),
        ("(a && b) && c", "(a && b) && c"),
        ("(a ? b : c) ? (d ? a : b) : (c ? d : a)", "(a ? b : c) ? (d ? a : b) : c ? d : a"),
        ("!(a == b)", "!(a == b)"),
        ("(!a) == b", "!a == b"),
        ("-(5)", "-(5)"),
        ("-(a)", "-a"),
        ("-(1.a)", "-(1.a)"),
        ("(-a).b", "(-a).b"),
        ("(a + b).f(c)", "(a + b).f(c)"),
        ("f((a ? b : c))", "f(a ? b : c)"),
        ("a.map(x,y,z)", "a.map(x, y, z)"),
        ("{'a':1}", '{"a": 1}'),
        ("'it\"s'", "'it\"s'"),
        ("'a\\n\\u0000\\U000E0001é'", '"a\\n\\u0000\\U000e0001é"'),
        ("1e3", "1000.0"),
        ("a.`in`.`x-y`.z", "a.`in`.`x-y`.z"),
    ],
)
def test_unparse_uses_no_more_parentheses_than_needed(text: str, printed: str) -> None:
    assert unparse(read(text)) == printed


def test_unparse_of_checked_tree_reads_as_it_was_written() -> None:
    name = Name(name="deepfake.score.content-type")
    tree = Comprehension(
        kind="exists",
        operand=Name(name="device.ids"),
        variable="it",
        predicate=Binary(operator="==", left=Local(name="it"), right=name),
    )
    assert unparse(tree) == "device.ids.exists(it, it == deepfake.score.`content-type`)"


def test_money_is_printed_as_it_was_written_and_loads_again() -> None:
    head = """policy_language: 1
policy: money
inputs:
  limit: {type: money, currencies: [SGD, USD, EUR]}
  tip: {type: money, currencies: [SGD]}
rates: {EUR: {SGD: 0.7}}
rules:
"""
    for text in ('limit.in("EUR") * 2.0 > 10.0', 'limit.in("EUR") > tip.in("EUR")'):
        once = parse_policy(f"{head}  - {{id: a, when: '{text}', then: review}}\n").typed.rules[0].condition
        printed = unparse(once)
        assert "?" not in printed and "no rate" not in printed
        assert parse_policy(f"{head}  - {{id: a, when: '{printed}', then: review}}\n").typed.rules[0].condition == once


def test_money_without_a_rate_loads_again() -> None:
    text = """policy_language: 1
policy: money
inputs: {tip: {type: money, currencies: [SGD]}}
rates: {EUR: {USD: 0.9}}
rules:
  - {id: a, when: '%s', then: review}
"""
    once = parse_policy(text % 'tip.in("EUR") > 10').typed
    again = parse_policy(text % unparse(once.rules[0].condition))
    assert again.evaluate({"tip": {"amount": "1.00", "currency": "SGD"}}).unresolved == ("a",)
