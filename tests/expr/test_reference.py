"""The judge's meaning of every construct, unknowns among them."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adjudge.expr import work
from adjudge.expr.functions import Overload
from adjudge.expr.nodes import Call, Comprehension, Has, Index, Literal, Local, Name, Node, Select
from adjudge.expr.parse import parse
from adjudge.expr.reference import Unknown, evaluate
from adjudge.source import Source, Span
from adjudge.values.types import DYN, INT, STRING, ListType, MapType, SetType, Type
from expr.conformance import same
from expr.strategies import typed_conditions, values_of

VALUES: Mapping[str, object] = {
    "T": True,
    "F": False,
    "U": None,
    "one": 1,
    "most": 2**63 - 1,
    "least": -(2**63),
    "nan": math.nan,
    "text": "abc",
    "long": "x" * 600_000,
    "t": datetime(2024, 1, 1, tzinfo=UTC),
    "same": datetime(2024, 1, 1, 2, tzinfo=timezone(timedelta(hours=2))),
    "last": datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC),
    "d": timedelta(hours=1),
    "far": timedelta(days=3652500),
    "list": (1, None, 3),
    "nones": (None,),
    "map": {"a": 1, "b": None},
    "maps": ({"a": 1}, None),
    "device.score": 70,
    "device.tags": ("x",),
    "device.more": {"deep": {"er": 5}},
    "device.gone": None,
    "naive": datetime(2024, 1, 1),
    "huge": 2**63,
    "object": object(),
    "keyed": {(1, 2): 3},
}


def tree(text: str) -> Node:
    return parse(Source("condition", text).whole())


def value_of(text: str, values: Mapping[str, object] = VALUES) -> object:
    """Return the value, or None where it is unknown."""
    result = evaluate(tree(text), values)
    return None if isinstance(result, Unknown) else result


CASES: list[tuple[str, object]] = [
    # logic: what decides, decides
    ("T && U", None),
    ("U && F", False),
    ("F && U", False),
    ("T || U", True),
    ("U || T", True),
    ("F || U", None),
    ("U && T && F", False),
    ("!U", None),
    ("1 && F", False),
    ("F || 'x' || T", True),
    ("T && 1", None),
    ("1 / 0 == 1 || T", True),
    ("nothing || T", True),
    ("f(1) && F", False),
    ("T ? 1 : U", 1),
    ("F ? U : 2", 2),
    ("U ? 1 : 1", None),
    ("1 ? 1 : 2", None),
    # equality
    ("1 == 1.0", True),
    ("9007199254740993 == 9007199254740992.0", False),
    ("1 == true", False),
    ("0 == false", False),
    ("1 == '1'", False),
    ("nan == nan", False),
    ("[nan] == [nan]", False),
    ("{'a': nan} == {'a': nan}", False),
    ("nan != nan", True),
    ("0.0 == -0.0", True),
    ("t == same", True),
    ("[1, 2] == [1.0, 2.0]", True),
    ("[1] == [true]", False),
    ("[1, 2] == [2, 1]", False),
    ("{1: 2} == {1: 2.0}", True),
    ("{1: 2} == {true: 2}", False),
    ("{'a': 1} == {'a': 1, 'b': 2}", False),
    ("[] == {}", False),
    ("U == U", None),
    ("U == 1", None),
    ("list == [1, 2, 3]", None),
    ("list == [1, 2, 4]", False),
    ("list == [1, 2]", False),
    ("list != [1, 2, 4]", True),
    ("[[1], nones] == [[2], [1]]", False),
    ("map == {'a': 1, 'b': 2}", None),
    ("map == {'a': 2, 'b': 2}", False),
    ("map == {'a': 1, 'c': 2}", False),
    ("map == map", None),
    # order
    ("1 < 1.5", True),
    ("9007199254740993 > 9007199254740992.0", True),
    ("most < 9223372036854775808.0", True),
    ("nan < 1.0 || nan >= 1.0", False),
    ("false < true", True),
    ("'B' < 'a'", True),
    ("'\\uffff' < '\\U00010000'", True),
    ("t <= same", True),
    ("d > duration('59m')", True),
    ("1 < '2'", None),
    ("true < 2", None),
    ("[1] < [2]", None),
    # arithmetic
    ("7 / -2", -3),
    ("-7 / 2", -3),
    ("-7 % 2", -1),
    ("7 % -2", 1),
    ("least / -1", None),
    ("least % -1", None),
    ("1 / 0", None),
    ("1 % 0", None),
    ("-least", None),
    ("most + 1", None),
    ("least - 1", None),
    ("most * 2", None),
    ("-(-5)", 5),
    ("1.0 / 0.0", math.inf),
    ("-1.0 / 0.0", -math.inf),
    ("1.0 / -0.0", -math.inf),
    ("0.0 / 0.0", math.nan),
    ("nan / 0.0", math.nan),
    ("1e308 * 10.0", math.inf),
    ("-(0.0)", -0.0),
    ("1.0 % 1.0", None),
    ("1 + 1.0", None),
    ("-T", None),
    ("-d", None),
    ("!1", None),
    ("text + 'd'", "abcd"),
    ("long + long", None),
    ("text + 1", None),
    ("[1] + ['a']", (1, "a")),
    ("list + [4]", (1, None, 3, 4)),
    ("string(t + d)", "2024-01-01T01:00:00Z"),
    ("string(d + t)", "2024-01-01T01:00:00Z"),
    ("string(t - d)", "2023-12-31T23:00:00Z"),
    ("string(t - same)", "0s"),
    ("last + d", None),
    ("timestamp('0001-01-01T00:00:00Z') - d", None),
    ("far + d", None),
    ("d - far - d - d", None),
    ("d - t", None),
    ("t + t", None),
    # items
    ("list[0]", 1),
    ("list[1]", None),
    ("list[3]", None),
    ("list[-1]", None),
    ("list[2.0]", 3),
    ("list[0.5]", None),
    ("list[nan]", None),
    ("list[1.0 / 0.0]", None),
    ("list[true]", None),
    ("list['0']", None),
    ("text[0]", None),
    ("map.a", 1),
    ("map['a']", 1),
    ("map.b", None),
    ("map.c", None),
    ("{1: 'x'}[1.0]", "x"),
    ("{1: 'x'}[true]", None),
    ("{true: 'x'}[1]", None),
    ("{1: 'x'}[[1]]", None),
    ("{1: 1, 1: 2}", None),
    ("{1: 1, true: 2}", None),
    ("{1.5: 1}", None),
    ("{'a': U}", None),
    ("[1, U]", (1, None)),
    ("[1, U][0]", 1),
    ("[1, U][1]", None),
    ("size([1, U, 1 / 0])", 3),
    ("1 in [U, 1]", True),
    ("2 in [U, 1]", None),
    ("[1, U] == [2, U]", False),
    ("[1, U] == [1, U]", None),
    ("[T, U, F].exists(c, c)", True),
    ("[F, U, F].exists(c, c)", None),
    ("[F, F, F].exists(c, c)", False),
    ("[T, U, F].all(c, c)", False),
    ("[T, U, T].all(c, c)", None),
    ("[T, U, T].exists_one(c, c)", False),
    ("[T, U, F].exists_one(c, c)", None),
    ("[F, U, F].exists_one(c, c)", None),
    ("[T, U || true, F].exists_one(c, c)", False),
    ("[3, 2, 1, 0].exists_one(n, 12 / n > 1)", None),
    ("[T, U].filter(c, c)", None),
    ("[1, U].map(c, c)", None),
    ("atLeast(0, [U])", True),
    ("atLeast(1, [])", False),
    ("atLeast(2, [T, U, T])", True),
    ("atLeast(2, [T, U, F])", None),
    ("atLeast(2, [F, U, F])", False),
    ("atLeast(2, [T, 1 / 0 == 1, T])", True),
    ("atLeast(U, [T])", None),
    ("atLeast(-1, [U])", True),
    ("atLeast(4, [T, T, U])", False),
    ("atLeast(1, U)", None),
    ("[list]", ((1, None, 3),)),
    # membership
    ("1 in list", True),
    ("1.0 in list", True),
    ("2 in list", None),
    ("2 in [1, 3]", False),
    ("true in [1]", False),
    ("nan in [nan]", False),
    ("U in [1]", None),
    ("U in []", None),
    ("'b' in map", True),
    ("'c' in map", False),
    ("1 in {true: 1}", False),
    ("1.0 in {1: 1}", True),
    ("[1] in {1: 1}", None),
    ("'a' in 'abc'", None),
    # names: the longest one counts
    ("device.score", 70),
    (".device.score", 70),
    ("device.gone", None),
    ("device", None),
    ("device.nothing", None),
    ("device.more.deep.er", 5),
    ("device.more.deep.er.x", None),
    ("device.score.x", None),
    ("[70].exists(device, device == 70)", True),
    ("[{'score': 1}].map(device, device.score)", (1,)),
    ("[{'score': 1}].map(device, .device.score)", (70,)),
    ("[1].map(one, one + 1)", (2,)),
    ("[[2], [3]].map(one, one.map(one, one * 10))", ((20,), (30,))),
    ("[2].map(x, x) + [one]", (2, 1)),
    # has
    ("has(one)", True),
    ("has(U)", False),
    ("has(nothing)", False),
    ("has(device.score)", True),
    ("has(device.gone)", False),
    ("has(device.nothing)", False),
    ("has(map.a)", True),
    ("has(map.b)", False),
    ("has(map.c)", False),
    ("has(map['a'])", True),
    ("has(U.a)", False),
    ("has(U['a'])", False),
    ("has(device.more.deep)", True),
    ("has(device.more.nothing.er)", False),
    ("has(maps[1].a)", False),
    ("has(maps[0].a)", True),
    ("has(list[0])", True),
    ("has(list[1])", False),
    ("has(list[9])", False),
    ("has(list['a'])", None),
    ("has({'a': 1}.a)", True),
    ("has({}.a)", False),
    ("has((T ? map : U).a)", True),
    ("has((U ? map : map).a)", None),
    ("has(one.a)", None),
    ("has(one[0])", None),
    ("maps.map(m, has(m))", (True, False)),
    ("maps.exists(m, !has(m.a))", None),
    # comprehensions
    ("list.exists(x, x == 3)", True),
    ("list.exists(x, x == 2)", None),
    ("list.all(x, x == 1)", False),
    ("list.all(x, x > 0)", None),
    ("list.exists(x, true)", True),
    ("nones.all(x, true)", True),
    ("[].exists(x, U)", False),
    ("[].all(x, U)", True),
    ("[1].all(x, x)", None),
    ("[0, 1].exists(x, x == 1 || 1 / x > 0)", True),
    ("[0, 1].exists(x, 1 / x > 5)", None),
    ("[0, 1].exists(x, 1 / x == 1)", True),
    ("list.exists_one(x, x == 1)", None),
    ("[1, 2, 2].exists_one(x, x == 2)", False),
    ("nones.exists_one(x, true)", True),
    ("list.filter(x, x > 1)", None),
    ("list.filter(x, false)", ()),
    ("nones.filter(x, true)", None),
    ("list.map(x, 1)", (1, 1, 1)),
    ("list.map(x, x)", None),
    ("list.map(x, true, 1)", (1, 1, 1)),
    ("[1, 2, 3].map(x, x > 1, x * 2)", (4, 6)),
    ("map.map(k, k)", ("a", "b")),
    ("map.all(k, k < 'c')", True),
    ("U.exists(x, true)", None),
    ("text.exists(x, true)", None),
    ("size(list)", 3),
    ("size(map)", 2),
    ("size(U)", None),
    # values that are none of the language
    ("naive", None),
    ("huge", None),
    ("object", None),
    ("keyed", None),
]


@pytest.mark.parametrize(("text", "value"), CASES, ids=[text[:50] for text, _ in CASES])
def test_reference_gives_value(text: str, value: object) -> None:
    assert same(value_of(text), value), evaluate(tree(text), VALUES)


def test_reference_says_why_and_where_a_value_is_unknown() -> None:
    assert evaluate(tree("T && one + device.gone > 2"), VALUES) == Unknown("`device.gone` is unknown", Span(11, 22))
    assert evaluate(tree("F || 10 / 0 > 2"), VALUES) == Unknown("division by zero", Span(5, 11))
    assert evaluate(tree("U && 1 / 0 > 2"), VALUES) == Unknown("`U` is unknown", Span(0, 1))


# Checked trees: sets, names of several parts, variables.

TAGS = SetType(("a", "b", "c"))
SET = Name(name="face.tags", type=TAGS)
IT = Local(name="it", type=STRING)


def checked(node: Node, tags: tuple[object, ...] | None) -> object:
    result = evaluate(node, {"face.tags": tags, "face.other": {"k": ("a", None)}, "sets": (("a", None),)})
    return None if isinstance(result, Unknown) else result


def over(kind: str, predicate: Node | None, transform: Node | None = None) -> Node:
    return Comprehension(kind=kind, operand=SET, variable="it", predicate=predicate, transform=transform)  # type: ignore[arg-type]


def size(node: Node) -> Node:
    return Call(function="size", arguments=(node,))


def with_set(text: str) -> Node:
    """Return a parsed tree whose name `tags` is the set."""

    def visit(node: Node) -> Node:
        changes: dict[str, object] = {}
        for field in ("operand", "left", "right", "condition", "then", "otherwise", "key"):
            if isinstance(part := getattr(node, field, None), Node):
                changes[field] = visit(part)
        for field in ("arguments", "operands", "items"):
            if parts := getattr(node, field, None):
                changes[field] = tuple(visit(part) for part in parts)
        return SET if node == Name(name="tags") else replace(node, **changes)  # type: ignore[arg-type]

    return visit(tree(text))


@pytest.mark.parametrize(
    ("node", "value"),
    [
        (with_set("'a' in tags"), True),
        (with_set("'b' in tags"), None),
        (with_set("size(tags)"), None),
        (with_set("tags.size()"), None),
        (with_set("size(true ? tags : ['x'])"), None),
        (with_set("size([tags][0])"), None),
        (with_set("size([tags])"), 1),
        (with_set("tags == ['a', 'b']"), None),
        (with_set("tags == ['x']"), None),
        (with_set("tags == {}"), False),
        (with_set("tags[0]"), None),
        (with_set("tags + ['x']"), None),
        (with_set("has(tags)"), True),
        (with_set("has(tags[0])"), False),
        (with_set("tags.exists(it, it == 'a')"), True),
        (with_set("tags.exists(it, true)"), True),
        (with_set("tags.exists(it, false)"), False),
        (with_set("tags.exists(it, it == 'b')"), None),
        (with_set("tags.all(it, true)"), True),
        (with_set("tags.all(it, it == 'a')"), None),
        (with_set("tags.all(it, it == 'b')"), False),
        (with_set("tags.exists_one(it, false)"), False),
        (with_set("tags.exists_one(it, it == 'a')"), None),
        (with_set("tags.filter(it, false)"), ()),
        (with_set("tags.filter(it, true)"), None),
        (with_set("tags.map(it, 1)"), None),
        (SET, ("a", None)),
    ],
)
def test_set_with_unknown_member_decides_only_what_every_completion_decides(node: Node, value: object) -> None:
    assert same(checked(node, ("a", None)), value)


@pytest.mark.parametrize(
    ("node", "value"),
    [
        (over("exists", Literal(value=True)), None),
        (over("all", Literal(value=False)), None),
        (over("exists", Literal(value=False)), False),
        (over("all", Literal(value=True)), True),
    ],
)
def test_set_that_may_be_empty_leaves_quantifiers_open(node: Node, value: object) -> None:
    assert same(checked(node, (None,)), value)


def test_sets_inside_lists_and_maps_are_as_open_as_fields() -> None:
    inner = Select(operand=Name(name="face.other", type=MapType(STRING, TAGS)), field="k", type=TAGS)
    first = Index(operand=Name(name="sets", type=ListType(TAGS)), key=Literal(value=0), type=TAGS)
    assert checked(size(inner), None) is None
    assert checked(size(first), None) is None


def test_set_that_is_known_is_a_list() -> None:
    assert checked(size(SET), ("a", "b")) == 2
    assert checked(with_set("tags + ['x']"), ("a", "b")) == ("a", "b", "x")
    assert checked(Has(operand=SET), None) is False


def test_checked_name_is_never_a_comprehensions_variable() -> None:
    predicate = with_set("it == 'a'")
    field = Name(name="it", type=STRING)
    shadow = Comprehension(kind="exists", operand=SET, variable="it", predicate=replace(predicate, left=field))  # type: ignore[call-arg]
    assert evaluate(shadow, {"face.tags": ("b",), "it": "a"}) is True
    local = Comprehension(kind="exists", operand=SET, variable="it", predicate=replace(predicate, left=IT))  # type: ignore[call-arg]
    assert evaluate(local, {"face.tags": ("b",), "it": "a"}) is False


# Functions that are not the standard ones.


def overload(call: object, result: Type, *parameters: Type, form: str = "function", partial: bool = False) -> Overload:
    return Overload(parameters=parameters, result=result, call=call, form=form, partial=partial)  # type: ignore[arg-type]


def broken(*arguments: object) -> object:
    raise ZeroDivisionError


OURS = {
    "double_it": (overload(lambda x: x * 2, INT, INT), overload(lambda x: x + x, STRING, STRING, form="both")),
    "risk.of": (overload(lambda x: x + 1, INT, INT),),
    "broken": (overload(broken, INT),),
    "liar": (overload(lambda: "text", INT),),
    "nothing": (overload(lambda: None, INT),),
    "count": (overload(len, INT, ListType(INT)),),
    "count_all": (overload(len, INT, ListType(DYN), partial=True),),
    "listing": (overload(lambda: ["a"], ListType(STRING)),),
}


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("double_it(4)", 8),
        ("double_it('a')", "aa"),
        ("'a'.double_it()", "aa"),
        ("(4).double_it()", None),
        ("double_it(true)", None),
        ("double_it(1.0)", None),
        ("double_it(1, 2)", None),
        ("double_it(U)", None),
        ("risk.of(1)", 2),
        ("broken()", None),
        ("liar()", None),
        ("nothing()", None),
        ("double_it(9223372036854775807)", None),
        ("count([1, 2])", 2),
        ("count(['a'])", None),
        ("count(list)", None),
        ("count_all(list)", 3),
        ("count_all([list])", 1),
        ("listing()", ("a",)),
        ("size([1])", None),
    ],
)
def test_function_from_elsewhere_is_called_by_its_types(text: str, value: object) -> None:
    result = evaluate(tree(text), VALUES, functions=OURS)
    assert same(None if isinstance(result, Unknown) else result, value), result


# It always ends, with an answer or with Unknown.


def test_macro_of_too_much_work_is_unknown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(work, "WORK_MAX", 700)
    inner = "[1, 2, 3, 4, 5, 6, 7, 8, 9, 0]"
    assert value_of(f"{inner}.all(x, {inner}.exists(y, y == 0))") is None
    assert value_of(f"{inner}.all(x, {inner}.all(y, true))") is True
    result = evaluate(tree(f"{inner}.map(x, {inner}.map(y, y + y))"), VALUES)
    assert isinstance(result, Unknown)
    assert result.reason == "too much work"


@pytest.mark.parametrize(
    "text",
    [
        "!" * 199 + "T",
        "-" * 199 + "one",
        "1" + " + 1" * 199,
        "(" * 100 + "one" + ")" * 100,
        "size(" * 100 + "one" + ")" * 100,
        "[" * 100 + "]" * 100,
        "T ? 1 : " * 199 + "2",
        "one" + ".b" * 199,
        "T && (" * 99 + "T" + ")" * 99,
        "[1].all(x, " * 99 + "T" + ")" * 99,
        "has([" * 50 + "one" + "][0])" * 50,
    ],
)
def test_reference_evaluates_the_deepest_trees(text: str) -> None:
    result = evaluate(tree(text), VALUES)
    assert not (isinstance(result, Unknown) and result.reason == "nested too deeply")


def test_value_nested_too_deeply_is_unknown() -> None:
    value: object = 1
    for _ in range(5000):
        value = (value,)
    assert isinstance(evaluate(tree("x == x"), {"x": value}), Unknown)


anything: st.SearchStrategy[object] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=3) | st.datetimes() | st.timedeltas(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=2) | st.integers(), inner, max_size=3),
    max_leaves=5,
)


@settings(deadline=None)
@given(typed_conditions(), st.data())
def test_reference_never_raises_whatever_the_values(
    case: tuple[str, object, dict[str, object]], data: st.DataObject
) -> None:
    text, _, values = case
    wild = {name: data.draw(anything) for name in values}
    evaluate(tree(text), wild)


@settings(max_examples=300, deadline=None)
@given(typed_conditions(open_sets=False), st.data())
def test_known_answer_stands_whatever_the_unknown_values_are(
    case: tuple[str, dict[str, Type], dict[str, object]], data: st.DataObject
) -> None:
    """Strong Kleene logic is sound: what was decided without a value is decided the same with it; `has` excepted."""
    text, types, values = case
    answer = evaluate(tree(text), values)
    if isinstance(answer, Unknown) or "has(" in text:
        return
    known = {name: completed(value, types[name], data) for name, value in values.items() if name in types}
    assert same(evaluate(tree(text), known), answer)


def completed(value: object, type_: Type, data: st.DataObject) -> object:
    """Return a value with everything unknown in it replaced by something of its type."""
    if value is None:
        return data.draw(values_of(type_, known=True))
    if isinstance(value, tuple) and isinstance(type_, ListType):
        return tuple(completed(item, type_.item, data) for item in value)
    if isinstance(value, dict) and isinstance(type_, MapType):
        return {key: completed(item, type_.value, data) for key, item in value.items()}
    return value
