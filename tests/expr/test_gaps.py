"""Every function, operator and macro in every back end: answered exactly, or on the list of gaps with its reason."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from itertools import product
from pathlib import Path
from typing import get_args

import pytest

from adjudge.expr.check import Environment, check
from adjudge.expr.extensions import HINTS
from adjudge.expr.functions import FUNCTIONS, Overload
from adjudge.expr.gaps import GAPS, BackEnd
from adjudge.expr.nodes import BinaryOperator, ComprehensionKind, Node
from adjudge.expr.parse import parse
from adjudge.expr.python import compile_condition
from adjudge.expr.reference import Unknown, evaluate
from adjudge.expr.sql.dialects.dialect import Dialect
from adjudge.expr.sql.dialects.duckdb import DUCKDB
from adjudge.expr.sql.dialects.spark import SPARK
from adjudge.expr.sql.translate import Translator
from adjudge.expr.sql.value import NotTranslatable
from adjudge.policy import Policy, parse_policy
from adjudge.source import Source
from adjudge.values.types import INT, ListType, MapType, SetType

DECLARED = {
    "bool": "bool", "int": "int", "double": "double", "string": "string", "enum": "{type: enum, values: [a, b]}",
    "timestamp": "timestamp", "duration": "duration", "date": "date", "list": "{type: list, of: string}",
    "set": "{type: set, values: [a, b]}", "map": "{type: map, keys: [a, b], of: int}",
    "open map": "{type: map, of: int}",
}  # fmt: skip
FIELDS = {name: (f"{name.replace(' ', '_')}_1", f"{name.replace(' ', '_')}_2") for name in DECLARED}
PAGE = Path(__file__).parents[2] / "docs/conditions.md"


@cache
def policy() -> Policy:
    inputs = "".join(f"  {field}: {DECLARED[name]}\n" for name, fields in FIELDS.items() for field in fields)
    rules = "rules: [{id: r, when: string_1 < string_2, then: review}]\n"  # so the solver has strings as strings
    return parse_policy(f"policy_language: 1\npolicy: gaps\ninputs:\n{inputs}{rules}")


def candidates() -> Iterator[tuple[str, str]]:
    """Yield every signature that there could be, and an expression for it."""
    for sign, one, other in product(get_args(BinaryOperator), DECLARED, DECLARED):
        yield f"{one} {sign} {other}", f"{FIELDS[one][0]} {sign} {FIELDS[other][1]}"
    for name, (one, other) in FIELDS.items():
        yield from ((f"{sign}{name}", f"{sign}{one}") for sign in "-!")
        yield f"bool ? {name} : {name}", f"bool_1 ? {one} : {other}"
        yield f"has({name})", f"has({one})"
        yield f"{name} in […]", f"{one} in [{other}]"
        yield f"[{name}]", f"[{one}]"
        yield f"{name}[0]", f"{one}[0]"
        yield f"has({name}[0])", f"has({one}[0])"
        yield f"{name}[int]", f"{one}[int_1]"
        yield f"{name}[string]", f"{one}[string_1]"
        yield f"{name}[…]", f'{one}["a"]'
        yield f"{name}.…", f"{one}.a"
        yield f"has({name}.…)", f"has({one}.a)"
        yield from ((f"{name}.{kind}(x, …)", f'{one}.{kind}(x, x == "a")') for kind in get_args(ComprehensionKind))
        yield f"{name}.map(x, …, …)", f'{one}.map(x, x == "a", x)'
    yield from ((f"bool {sign} bool", f"bool_1 {sign} bool_2") for sign in ("&&", "||"))
    yield "{…: int}.…", '{"a": int_1}.a'
    for kind in get_args(ComprehensionKind):
        yield f"[string].{kind}(x, …)", f'[string_1].{kind}(x, x == "a")'
    yield "atLeast(int, […])", "atLeast(int_1, [bool_1, bool_2])"
    yield "atLeast(int, list)", 'atLeast(int_1, list_1.map(x, x == "a"))'
    for function, overloads in FUNCTIONS.items():
        for overload in overloads if function != "atLeast" else ():
            yield from calls(function, overload)


def calls(function: str, overload: Overload) -> Iterator[tuple[str, str]]:
    """Yield the ways to call a function, texts written out where that makes a difference."""
    containers = ((SetType, "set"), (ListType, "list"), (MapType, "map"))
    types = [
        next((name for class_, name in containers if isinstance(type_, class_)), str(type_))
        for type_ in overload.parameters
    ]
    ways = [(types, [FIELDS[type_][at % 2] for at, type_ in enumerate(types)])]
    if types == ["map"]:
        ways.append((["open map"], [FIELDS["open map"][0]]))
    if types[0] == "string":
        ways.append((["enum", *types[1:]], [FIELDS["enum"][0], *ways[0][1][1:]]))
    if types == ["timestamp", "string"]:
        zones = {"+…": '"+02:00"', "…/…": '"Europe/Berlin"'}
        ways += [(["timestamp", said], ["timestamp_1", zone]) for said, zone in zones.items()]
    if function == "split":
        ways = [(["string", "string"], ways[0][1]), (["string", "…"], ["string_1", '","'])]
    if function in ("min", "max") and types == ["list"]:
        ways = [(["list"], [f"list_1.map(x, {'size(x)' if overload.result == INT else 'double(size(x))'})"])]
    if function == "matches":
        ways += [(["string", "…"], ["string_1", '"^a+$"']), (["enum", "…"], ["enum_1", '"^a+$"'])]
    for said, (first, *rest) in ways:
        is_method = overload.form == "method"
        call = f"{first}.{function}({', '.join(rest)})" if is_method else f"{function}({', '.join([first, *rest])})"
        yield f"{function}({', '.join(said)})", call


@cache
def every() -> dict[str, list[Node]]:
    """Return what the language has: conditions by signature, an enum standing for a string too."""
    found: dict[str, list[Node]] = {}
    types = {name: slot.type for name, slot in policy().typed.slots.items()}
    for signature, text in candidates():
        source = Source("case", text)
        node, errors = check(parse(source.whole()), Environment(types, strict=True), source=source)
        if node is not None and not errors:
            found.setdefault(signature.replace("enum", "string"), []).append(node)
    return found


def reasons(back_end: BackEnd) -> dict[str, str]:
    """Return what a back end does not answer, with the reason; each once."""
    pairs = [(signature, gap.reason) for gap in GAPS if back_end in gap.back_ends for signature in gap.of]
    assert len(dict(pairs)) == len(pairs), "a signature stands there twice"
    return dict(pairs)


def test_all_that_the_language_has_is_looked_at() -> None:
    assert {signature.partition("(")[0] for signature in every()} >= set(FUNCTIONS), "a function that nothing calls"
    named = {signature for gap in GAPS for signature in gap.of}
    assert named <= every().keys(), "the list names what there is not"
    assert not HINTS.keys() & FUNCTIONS.keys(), "an extension is refused, with a hint, or it is a function"


def test_generated_python_and_the_reference_answer_everything() -> None:
    given = {"bool_1": True, "int_1": 3, "double_1": 2.5, "string_1": "a", "list_1": ("a",), "map_1": {"a": 1}}
    slots = dict.fromkeys(policy().typed.slots)
    for signature, nodes in every().items():
        for node in nodes:
            for values in (slots, slots | given):
                judged = evaluate(node, values)
                expected = None if isinstance(judged, Unknown) else judged
                assert compile_condition(node)(values) == expected, signature


@pytest.mark.parametrize("dialect", [DUCKDB, SPARK], ids=lambda dialect: dialect.name)
def test_sql_answers_all_but_its_gaps(dialect: Dialect) -> None:
    names: dict[str, BackEnd] = {"duckdb": "duckdb", "spark": "spark"}
    known = reasons(names[dialect.name])
    columns = {slot: dialect.column(slot) for slot in policy().typed.slots}
    for signature, nodes in every().items():
        for node in nodes:
            refused = None
            try:
                Translator(columns, dialect=dialect).value(node, {})
            except NotTranslatable as error:
                refused = str(error)
            assert (refused is not None) == (signature in known), f"{signature}: {refused}"
            assert refused is None or known[signature] in refused, f"{signature}: {refused}"


def test_the_solver_is_exact_but_for_its_gaps(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever it does not say exactly brings in a variable or a function of its own."""
    z3 = pytest.importorskip("z3", reason="needs the extra `proofs`")
    from adjudge.authoring.proofs.world import world_of
    from adjudge.expr.smt.world import World

    made: list[str] = []
    fresh, function = World.fresh, z3.Function
    monkeypatch.setattr(World, "fresh", lambda world, what: made.append(what) or fresh(world, what))
    monkeypatch.setattr(z3, "Function", lambda name, *sorts: made.append(name) or function(name, *sorts))
    known = reasons("solver")
    for signature, nodes in every().items():
        is_loose = False
        for node in nodes:
            _, translator = world_of(policy())
            made.clear()
            translator.term(node, {})
            is_loose = is_loose or bool(made)
        assert is_loose == (signature in known), f"{signature}: {made}"


def test_the_page_shows_the_whole_list() -> None:
    names = {"duckdb": "DuckDB", "spark": "Spark", "solver": "proofs"}
    rows = [
        f"| {gap.what} | {', '.join(names[back_end] for back_end in gap.back_ends)} | {gap.reason} |" for gap in GAPS
    ]
    page = PAGE.read_text("utf-8")
    table = page[page.index("| what | not exact in |") :].split("\n\n")[0].splitlines()[2:]
    assert table == rows
