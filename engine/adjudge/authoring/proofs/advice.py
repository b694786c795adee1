"""What to change in a policy so that a question which stayed open can be settled."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from adjudge.errors import EvaluationError
from adjudge.expr.functions import FUNCTIONS, zone
from adjudge.expr.nodes import Binary, Call, Comprehension, Index, Literal, Name, Node, names_in, walk
from adjudge.expr.printing import unparse
from adjudge.policy.policy import Policy
from adjudge.policy.typed import TypedPolicy
from adjudge.values.types import TIMESTAMP, ListType, MapType

_CALENDAR = ("getFullYear", "getMonth", "getDayOfMonth", "getDayOfYear", "getDate")
_OF_A_ZONE = ("date", "timeOfDay", "getDayOfWeek", "getHours", "getMinutes", "getSeconds", "getMilliseconds")
_READS_TEXT = ("int", "double", "bool", "timestamp", "duration", "date", "string")


def advice(policy: Policy, about: str) -> str | None:
    """Return what to change in the conditions that a question is about; None where the solver has them exactly.

    about: a rule's id or an excuse's, or the name of a field or signal; anything else stands for the whole policy.
    """
    typed = policy.typed
    for node in _parts(typed, list(_conditions(typed, about))):
        said = _said(policy, node)
        if said is not None:
            return said
    return None


def _conditions(typed: TypedPolicy, about: str) -> Iterator[Node]:
    named = [*(rule.condition for rule in typed.rules if rule.id == about)]
    named += [excuse.condition for excuse in typed.excuses if excuse.id == about]
    reading = [
        one
        for one in typed.conditions
        if any(slot == about or slot.startswith(f"{about}.") for slot in typed.reads.slots(one))
    ]
    return iter(named or reading or typed.conditions)


def _parts(typed: TypedPolicy, conditions: Iterable[Node]) -> Iterator[Node]:
    """Yield every part of some conditions and of the variables that they read, each once."""
    seen: set[str] = set()
    waiting = list(conditions)
    while waiting:
        node = waiting.pop(0)
        yield from walk(node)
        new = [name for name in names_in(node) if name in typed.variables and name not in seen]
        seen.update(new)
        waiting += [typed.variables[name] for name in new]


def _said(policy: Policy, node: Node) -> str | None:
    text = f"`{unparse(node)}`"
    match node:
        case Call(function=name) if name in policy.functions and name not in FUNCTIONS:
            return f"{text}: what a plugin's function returns can be anything; let the plugin give a field instead"
        case Call(function="matches"):
            return f"{text}: compare with `startsWith`, `contains` or `endsWith` instead of a pattern"
        case Call(function=name) if name in _CALENDAR:
            return (
                f"{text}: the solver does not have the calendar, and takes this for any number in its range; compare "
                "the time with a timestamp, or its day with a `date`"
            )
        case Call(function=name, arguments=(Node(type=type_), Literal(value=str(where)))) if (
            name in _OF_A_ZONE and type_ == TIMESTAMP and _changes_its_offset(where)
        ):
            return (
                f"{text}: the solver has a zone's offsets from UTC for the years 2000 to 2039 only; outside them it "
                "takes any that the zone may ever have; compare the time with a timestamp too, such as "
                '`now >= timestamp("2026-01-01T00:00:00Z")` and one before 2040'
            )
        case Call(function=name, arguments=(first, *_)) if name in _READS_TEXT and not isinstance(first, Literal):
            return f"{text}: declare an input of that type, so that nothing is converted"
        case Binary(operator="*" | "/" | "%", left=left, right=right) if _varies(policy, left) and _varies(
            policy, right
        ):
            return f"{text}: give the result as an input, or compare each part with a constant"
        case Comprehension(operand=Name(name=name)) | Index(operand=Name(name=name)):
            return _of_container(policy.typed, name)
        case Binary(operator="in", right=Name(name=name)):
            return _of_container(policy.typed, name)
    return None


def _changes_its_offset(where: str) -> bool:
    """Whether a zone is no fixed offset, which the solver has exactly."""
    try:
        return zone(where).utcoffset(None) is None
    except EvaluationError:
        return False


def _varies(policy: Policy, node: Node) -> bool:
    """Whether a number hangs on a field that is a number itself: not one that a field only chooses among constants."""
    return any(isinstance(part, Name) and part.name in policy.typed.slots and part is node for part in walk(node)) or (
        isinstance(node, Binary | Call) and bool(policy.typed.reads.slots(node))
    )


def _of_container(typed: TypedPolicy, name: str) -> str | None:
    declared = typed.slots.get(name)
    if declared is None:
        return None
    if isinstance(declared.type, ListType):
        return (
            f"`{name}` is a list, which is told apart to any length where it is only asked by `in`, `exists`, `all`, "
            "`exists_one` and `size`, else three items of it; if its words are known, declare a set of them"
        )
    if isinstance(declared.type, MapType) and declared.type.keys is None:
        return f"`{name}` is a map that declares no keys; declare those that matter under `keys`"
    return None
