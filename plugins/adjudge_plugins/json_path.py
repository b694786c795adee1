"""JMESPath with bounds: what a policy's author writes can neither hold the event loop nor take the machine's memory.

An expression that can multiply what it reads is refused when the policy loads. What is left is charged for its work
as it runs: a step for each part that is visited and each item that is looked at, and one for 64 characters of text.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from math import prod
from typing import Any

from jmespath import compile as parse
from jmespath.exceptions import JMESPathError
from jmespath.functions import Functions, signature
from jmespath.visitor import Options, TreeInterpreter

from adjudge.plugin import did_you_mean

EXPRESSION_MAX_CHARS = 1000
DEPTH_MAX = 40
GROWTH_MAX = 64
"""How many times as large as what it reads an expression may make it."""
STEPS = 100_000
"""What one expression may do with one document: some 100 ms."""
TEXT_STEP = 64
"""Characters that are touched in one step."""
ITEM_STEP = 8
"""Items of a list that are touched in one step, where nothing looks into them."""

_DEEP = ("contains", "to_string")
_AT_ONCE = ("length", "type", "not_null", "to_array", "keys", "values")
_NUMBER = re.compile(r"-?(0|[1-9][0-9]{0,308})(\.[0-9]{1,400})?([eE][+-]?[0-9]{1,3})?", re.ASCII)


class PathRefused(Exception):
    """An expression that is wrong, or could do too much; `hint` names the way out where there is one."""

    def __init__(self, message: str, hint: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


class PathFailed(Exception):
    """An expression cannot be answered on a document: a function met another type, or there is too much to do."""


class TooMuchWork(PathFailed):
    """There are no steps left."""


@dataclass(slots=True)
class Budget:
    """The steps that are left, for one expression or for several."""

    steps: int = STEPS

    def spend(self, steps: int) -> None:
        """Take steps. Raises PathFailed where there are none left."""
        self.steps -= steps
        if self.steps < 0:
            raise TooMuchWork("takes too much work on a document of this size")

    def touch(self, value: object) -> None:
        """Pay for every item in a value and its text, as often as it stands there."""
        waiting = [value]
        while waiting:
            one = waiting.pop()
            self.spend(_steps(one))
            if isinstance(one, list):
                waiting.extend(one)
            elif isinstance(one, dict):
                waiting.extend(one.values())


@dataclass(frozen=True, slots=True)
class JsonPath:
    """An expression that may be asked of any document."""

    expression: str
    _tree: Mapping[str, Any] = field(repr=False)

    def find(self, document: object, budget: Budget | None = None) -> object:
        """Return what an expression finds, None where that is nothing. Raises PathFailed."""
        budget = budget or Budget()
        try:
            found: object = _Interpreter(budget).visit(self._tree, document)
        except JMESPathError:
            raise PathFailed(f"`{self.expression}` met a value of another type") from None
        except TooMuchWork as error:
            raise TooMuchWork(f"`{self.expression}` {error}") from None
        except Exception as error:  # the library's own: an overflow, a comparison that Python refuses
            raise PathFailed(f"`{self.expression}` failed: {type(error).__name__}") from None
        try:
            budget.touch(found)
        except TooMuchWork:
            raise TooMuchWork(f"`{self.expression}` finds more than can be taken") from None
        return found

    def names(self) -> frozenset[str]:
        """Return every name that the expression looks up, wherever."""
        return frozenset(node["value"] for node in _walk(self._tree) if node["type"] == "field")


def read_path(expression: str) -> JsonPath:
    """Understand an expression. Raises PathRefused."""
    if len(expression) > EXPRESSION_MAX_CHARS:
        raise PathRefused(f"a path is at most {EXPRESSION_MAX_CHARS:,} characters")
    try:
        tree = parse(expression).parsed
    except JMESPathError as error:
        position = getattr(error, "lex_position", None)  # what it says of itself would not fit a line
        where = "" if position is None else f": look at character {min(position, len(expression) - 1) + 1}"
        raise PathRefused(f"`{expression}` is not JMESPath{where}") from None
    except RecursionError:
        raise PathRefused("the path is nested too deeply") from None
    except ValueError:  # a number of thousands of digits
        raise PathRefused(f"`{expression}` is not JMESPath") from None
    _check_depth(tree)
    for node in _walk(tree):
        if node["type"] == "function_expression":
            _check_call(node)
    growth = _growth(tree)
    if growth > GROWTH_MAX:
        said = f"{growth:,}" if growth < 10**6 else "millions of"
        raise PathRefused(
            f"the path can make what it reads {said} times as large, {GROWTH_MAX} is the limit",
            hint="name what is needed once, without selections of selections",
        )
    return JsonPath(expression, tree)


class _Interpreter(TreeInterpreter):
    """The library's own, which pays for what it does."""

    def __init__(self, budget: Budget) -> None:
        super().__init__(Options(custom_functions=_Functions(budget)))
        self._budget = budget

    def visit(self, node: Any, *args: Any, **kwargs: Any) -> Any:
        self._budget.spend(1)
        return super().visit(node, *args, **kwargs)

    def visit_comparator(self, node: Any, value: Any) -> Any:
        if node["value"] not in ("eq", "ne"):
            return super().visit_comparator(node, value)
        left, right = (self.visit(side, value) for side in node["children"])
        self._budget.touch(left)
        self._budget.touch(right)
        return self.COMPARATOR_FUNC[node["value"]](left, right)

    def visit_flatten(self, node: Any, value: Any) -> Any:
        found = super().visit_flatten(node, value)
        self._budget.spend(_steps(found))
        return found

    def visit_slice(self, node: Any, value: Any) -> Any:
        self._budget.spend(_steps(value))
        return super().visit_slice(node, value)


class _Functions(Functions):
    """The library's functions, which pay for what they touch."""

    def __init__(self, budget: Budget) -> None:
        self._budget = budget

    def call_function(self, function_name: str, resolved_args: Iterable[Any]) -> Any:
        resolved_args = list(resolved_args)
        budget = self._budget
        if function_name not in _AT_ONCE:
            for argument in resolved_args:
                (budget.touch if function_name in _DEEP else lambda one: budget.spend(_steps(one)))(argument)
        if function_name == "join" and len(resolved_args) == 2 and isinstance(resolved_args[1], list):
            texts = [text for text in resolved_args[1] if isinstance(text, str)]
            glue = len(resolved_args[0]) if isinstance(resolved_args[0], str) else 0
            budget.spend((sum(map(len, texts)) + glue * len(texts)) // TEXT_STEP)
        return super().call_function(function_name, resolved_args)

    @signature({"types": []})
    def _func_to_number(self, arg: Any) -> Any:
        """Return a JSON number that a text holds; Python would also take `1_0`, ` 7 ` and `nan`."""
        if isinstance(arg, str):
            if not _NUMBER.fullmatch(arg):
                return None
            return float(arg) if any(mark in arg for mark in ".eE") else int(arg)
        return arg if isinstance(arg, int | float) and not isinstance(arg, bool) else None


def _steps(value: object) -> int:
    """Return the steps of a value by itself, without what its items hold."""
    match value:
        case str():
            return 1 + len(value) // TEXT_STEP
        case list():
            return 1 + len(value) // ITEM_STEP
        case dict():
            return 1 + len(value) // ITEM_STEP + sum(map(len, value)) // TEXT_STEP
        case _:
            return 1


def _children(node: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    return (child for child in node["children"] if isinstance(child, dict))  # a slice's are numbers


def _walk(node: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    waiting = [node]
    while waiting:
        one = waiting.pop()
        yield one
        waiting.extend(_children(one))


def _check_depth(tree: Mapping[str, Any]) -> None:
    level, depth = [tree], 0
    while level:
        depth += 1
        if depth > DEPTH_MAX:
            raise PathRefused("the path is nested too deeply")
        level = [child for node in level for child in _children(node)]


def _check_call(node: Mapping[str, Any]) -> None:
    name, given = node["value"], len(node["children"])
    known: Mapping[str, Any] = _Functions.FUNCTION_TABLE
    if name not in known:
        hint = did_you_mean(name, known) or f"the functions are {', '.join(sorted(known))}"
        raise PathRefused(f"JMESPath has no function `{name}`", hint)
    wanted = known[name]["signature"]
    many = bool(wanted) and wanted[-1].get("variadic", False)
    if given < len(wanted) or (given > len(wanted) and not many):
        most = " or more" if many else ""
        raise PathRefused(f"`{name}` takes {len(wanted)}{most}, and is given {given}")


def _growth(node: Mapping[str, Any]) -> int:
    """Return how often what a part reads may stand in what it makes, at most: never less than 1."""
    parts = [_growth(child) for child in _children(node)]
    kind = node["type"]
    match kind:
        case "subexpression" | "index_expression" | "pipe" | "projection" | "value_projection":
            return prod(parts)
        case "filter_projection":
            base, each, condition = parts
            return base * max(each, condition)
        case "multi_select_list" | "multi_select_dict":
            return max(1, sum(parts))
        case "function_expression":
            return _call_growth(node["value"], parts)
        case _:
            return max(parts, default=1)


def _call_growth(name: str, parts: list[int]) -> int:
    if name == "to_string":
        return 2 * prod(parts)  # each turn escapes the one before
    if name == "map" or name.endswith("_by"):
        return prod(parts)
    return max(1, sum(parts))
