"""How whatever a route raises becomes a problem document."""

from __future__ import annotations

from adjudge.documents.problems import Problem, fault, problem, problem_of
from adjudge.errors import AdjudgeError, EngineError
from adjudge.service.admission import Refused


def problem_from(error: Exception) -> Problem:
    """Return the problem document of what was raised; of what nobody meant to raise, it says nothing."""
    match error:
        case Refused():
            return error.problem
        case EngineError():
            return problem("service-unavailable", str(error))
        case AdjudgeError():
            return problem_of(error)
        case _:
            return fault()
