"""A tag of a vocabulary that no rule mentions: a risk that the vendor reports and the policy passes over."""

from __future__ import annotations

from collections.abc import Iterator

from adjudge.authoring.lint.finding import LintFinding
from adjudge.authoring.lint.subject import LintedPolicy
from adjudge.expr.nodes import Binary, Has, Literal, Name, Node, walk

CODE = "unmentioned-tag"


def check(subject: LintedPolicy) -> Iterator[LintFinding]:
    """Find members of sets and keys of maps that no condition mentions; fields of one vocabulary count together."""
    for owner, span, vocabularies in subject.vocabularies:
        if not subject.reads_owner(owner):
            continue
        for vocabulary, fields in vocabularies.items():
            mentioned = set().union(*(_mentioned(subject, field, vocabulary) for field in fields))
            left = [word for word in vocabulary if word not in mentioned]
            if left:
                what = " and ".join(f"`{field}`" for field in fields)
                message = f"no rule mentions {', '.join(f'`{word}`' for word in left)} of {what}"
                hint = "add a threshold for each, or allow it and say why it does not matter"
                yield subject.finding(CODE, "warning" if mentioned else "note", message, span, hint)


def _mentioned(subject: LintedPolicy, field: str, vocabulary: tuple[str, ...]) -> set[str]:
    """Return the words of a field that conditions mention: all of them where it is read as a whole."""
    found = {word for word in vocabulary if f"{field}.{word}" in subject.named}
    conditions = [
        *subject.typed.conditions,
        *(subject.typed.variables[n] for n in subject.named & subject.typed.variables.keys()),
    ]
    for condition in conditions:
        found |= _in_condition(condition, field, vocabulary)
    return found


def _in_condition(condition: Node, field: str, vocabulary: tuple[str, ...]) -> set[str]:
    found: set[str] = set()
    asked: set[int] = set()
    for node in walk(condition):
        if (
            isinstance(node, Binary)
            and node.operator == "in"
            and isinstance(node.right, Name)
            and node.right.name == field
        ):
            if isinstance(node.left, Literal):
                found.add(str(node.left.value))
                asked.add(id(node.right))
        elif isinstance(node, Has):
            asked.add(id(node.operand))
        elif isinstance(node, Name) and node.name == field and id(node) not in asked:
            return set(vocabulary)
    return found
