"""CEL's own conformance suite, as far as it lies in the profile."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from adjudge.errors import EvaluationError, PolicyErrors
from adjudge.expr import evaluate as evaluate_text
from adjudge.expr.parse import parse
from adjudge.expr.reference import Unknown, evaluate
from adjudge.source import Source
from expr.conformance import Case, load, same

Evaluator = Callable[[Case], object]


def reference_unchecked(case: Case) -> object:
    """Evaluate the tree as parsed."""
    result = evaluate(parse(Source("case", case.expr).whole()), case.values)
    return None if isinstance(result, Unknown) else result


LEFT_OUT = (
    "type_deduction/functions/function_result_type/19",
    "type_deduction/flexible_type_parameter_assignment/list_parameter/20",
    "type_deduction/flexible_type_parameter_assignment/list_parameter_order_independent/21",
    "type_deduction/flexible_type_parameter_assignment/unconstrained_type_var_as_dyn/24",
    "type_deduction/flexible_type_parameter_assignment/optional_none/26",
    "type_deduction/flexible_type_parameter_assignment/optional_none_2/27",
)
"""Cases of a function that only the suite's driver declares, of a type without a value, and of optional types."""


def public(case: Case) -> object:
    """Evaluate as a user does: checked unless the case says otherwise, and compiled where types are known."""
    try:
        return inward(evaluate_text(case.expr, case.values, types=case.types, check=case.is_checked))
    except (EvaluationError, PolicyErrors):
        return None


def inward(value: object) -> object:
    """Return what `evaluate` gives as the language's own value: tuples for lists."""
    if isinstance(value, list):
        return tuple(inward(item) for item in value)
    if isinstance(value, dict):
        return {key: inward(item) for key, item in value.items()}
    return value


EVALUATORS: tuple[Evaluator, ...] = (reference_unchecked, public)


@pytest.mark.parametrize("evaluator", EVALUATORS, ids=lambda evaluator: evaluator.__name__)
def test_conformance_case_of_profile_has_its_value(
    evaluator: Evaluator, shared: Path, subtests: pytest.Subtests
) -> None:
    for case, name in load(shared / "conformance" / "cel"):
        if case is None:
            continue
        with subtests.test(name):
            result = evaluator(case)
            assert same(result, case.value), f"{case.expr}\n  {result!r}, not {case.value!r}"


def test_conformance_cases_are_all_accounted_for(shared: Path) -> None:
    cases = list(load(shared / "conformance" / "cel"))
    left_out = [name for case, name in cases if case is None]
    assert len(cases) == 242
    assert sorted(name.partition(": ")[0] for name in left_out) == sorted(LEFT_OUT)
