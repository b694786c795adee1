"""Short constructors for Python's own syntax tree, so that generated code is built, never written as text."""

from __future__ import annotations

import ast
from collections.abc import Sequence

Expression = ast.expr


def load(name: str) -> ast.expr:
    """A variable's value."""
    return ast.Name(name, ast.Load())


def constant(value: bool | int | float | str | None) -> ast.expr:
    """A constant; a negative number as one, so that nothing is computed."""
    return ast.Constant(value)


NONE, TRUE, FALSE = constant(None), constant(True), constant(False)


def assign(name: str, value: ast.expr) -> ast.stmt:
    """`name = value`."""
    return ast.Assign([ast.Name(name, ast.Store())], value)


def assign_both(first: str, second: str, value: ast.expr) -> ast.stmt:
    """`first, second = value`."""
    return ast.Assign([ast.Tuple([ast.Name(first, ast.Store()), ast.Name(second, ast.Store())], ast.Store())], value)


def add_to(name: str, operator: ast.operator, value: ast.expr) -> ast.stmt:
    """`name operator= value`."""
    return ast.AugAssign(ast.Name(name, ast.Store()), operator, value)


def call(name: str, *arguments: ast.expr) -> ast.expr:
    """`name(arguments…)`."""
    return ast.Call(load(name), list(arguments), [])


def method(value: ast.expr, name: str, *arguments: ast.expr) -> ast.expr:
    """`value.name(arguments…)`."""
    return ast.Call(ast.Attribute(value, name, ast.Load()), list(arguments), [])


def call_method(variable: str, name: str, *arguments: ast.expr) -> ast.expr:
    """`variable.name(arguments…)`."""
    return method(load(variable), name, *arguments)


def class_of(variable: str) -> ast.expr:
    """`variable.__class__`."""
    return attribute(load(variable), "__class__")


def attribute(value: ast.expr, name: str) -> ast.expr:
    """`value.name`."""
    return ast.Attribute(value, name, ast.Load())


def item(value: ast.expr, key: ast.expr) -> ast.expr:
    """`value[key]`."""
    return ast.Subscript(value, key, ast.Load())


def compare(left: ast.expr, operator: ast.cmpop, right: ast.expr) -> ast.expr:
    """`left operator right`."""
    return ast.Compare(left, [operator], [right])


def is_(value: ast.expr, other: ast.expr) -> ast.expr:
    """`value is other`."""
    return compare(value, ast.Is(), other)


def is_not(value: ast.expr, other: ast.expr) -> ast.expr:
    """`value is not other`."""
    return compare(value, ast.IsNot(), other)


def either(tests: Sequence[ast.expr]) -> ast.expr:
    """`a or b or …` of one test or more."""
    return tests[0] if len(tests) == 1 else ast.BoolOp(ast.Or(), list(tests))


def both(tests: Sequence[ast.expr]) -> ast.expr:
    """`a and b and …`; True where there is none."""
    return TRUE if not tests else tests[0] if len(tests) == 1 else ast.BoolOp(ast.And(), list(tests))


def branch(test: ast.expr, then: Sequence[ast.stmt], otherwise: Sequence[ast.stmt] = ()) -> ast.stmt:
    """`if test: … else: …`."""
    return ast.If(test, list(then) or [ast.Pass()], list(otherwise))


def choose(test: ast.expr, then: ast.expr, otherwise: ast.expr) -> ast.expr:
    """`then if test else otherwise`."""
    return ast.IfExp(test, then, otherwise)


def raising(name: str) -> ast.stmt:
    """`raise name`."""
    return ast.Raise(load(name), None)


def attempt(body: Sequence[ast.stmt], failure: str, otherwise: Sequence[ast.stmt]) -> ast.stmt:
    """`try: body` / `except failure: otherwise`."""
    return ast.Try(list(body), [ast.ExceptHandler(load(failure), None, list(otherwise))], [], [])


def loop(variable: str, over: ast.expr, body: Sequence[ast.stmt]) -> ast.stmt:
    """`for variable in over: body`."""
    return ast.For(ast.Name(variable, ast.Store()), over, list(body), [])


def function(name: str, parameters: Sequence[str], optional: Sequence[str], body: Sequence[ast.stmt]) -> ast.stmt:
    """`def name(parameters, *, optional=None): body`."""
    arguments = ast.arguments(
        [],
        [ast.arg(each) for each in parameters],
        None,
        [ast.arg(each) for each in optional],
        [NONE] * len(optional),
        None,
        [],
    )
    return ast.FunctionDef(name, arguments, list(body), [])


def build(definition: ast.stmt, name: str, filename: str, names: dict[str, object]) -> object:
    """Compile one function definition and return the function; `names` are its globals."""
    module = ast.fix_missing_locations(ast.Module([definition], []))
    namespace = {"__builtins__": {"len": len, "tuple": tuple, "float": float}, **names}
    exec(compile(module, filename, "exec"), namespace)  # noqa: S102  # a tree of our own making, no text of a user
    return namespace[name]
