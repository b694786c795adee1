"""A text that is compared as it stands, and was meant for more by its looks: `*`, `SG|ID`, `!= SG`, a list's name."""

from __future__ import annotations

from collections.abc import Iterator

from adjudge.authoring.lint.finding import LintFinding
from adjudge.authoring.lint.subject import LintedPolicy
from adjudge.errors import did_you_mean
from adjudge.expr.nodes import Binary, Index, ListLiteral, Literal, MapLiteral, Name, Node, list_name, walk
from adjudge.patterns import late
from adjudge.policy.written_rows import rows_written
from adjudge.values.look_alikes import typed_amiss
from adjudge.values.types import STRING

CODE = "doubtful-text"
_ANYTHING = frozenset({"*", "-", "any", "all", "else", "default", "otherwise", "others", "rest", "n/a", "na", "null"})
_ANYTHING_IN = {
    "table": "leave the cell empty, which asks nothing",
    "threshold": "write `else` for all other cases",
    "lookup": "write `else` beside the values",
}
_SEVERAL = late(r"[A-Z]{2,3}(?:\s*(?:[,;|/\u3001\uff0c\uff1b]|\s(?:or|and)?)\s*[A-Z]{2,3})+")
_SEVERAL_IN_CELL = late(r"\[.*\]|[\w.-]{1,20}(?:\s*[,;|\u3001\uff0c\uff1b]\s*[\w.-]{1,20})+")
_NAMED = late(r"lists?\.([A-Za-z_]\w*)")
_COMPARED = late(r"(?:!=|<>|>=|<=|==|[<>=!]|not )\s*\S")


def check(subject: LintedPolicy) -> Iterator[LintFinding]:
    """Look at every text that a string is compared with, in conditions, cells of tables, cases and lookup tables."""
    told: set[int] = set()
    for origin, condition in _conditions(subject):
        for literal, field in _compared(condition):
            said = str(literal.value)
            found = _doubt(subject, said, field, origin)
            if found is not None and literal.span.start not in told:
                told.add(literal.span.start)
                yield subject.finding(CODE, "warning", f"`{said}` {found[0]}", literal.span, found[1])


def _conditions(subject: LintedPolicy) -> Iterator[tuple[str, Node]]:
    typed = subject.typed
    for rule in typed.rules:
        yield rule.origin, rule.condition
    for row in rows_written(typed):
        yield from (("rule", node) for node in row.nodes)
    for node in typed.variables.values():
        yield "lookup" if isinstance(node, Index) else "variable", node


def _compared(condition: Node) -> Iterator[tuple[Literal, str]]:
    """Yield texts that a string is compared with as a whole, and the name of that string."""
    for node in walk(condition):
        match node:
            case Binary(operator="==" | "!=", left=Name(name=name, type=type_), right=Literal() as one):
                texts: tuple[Node, ...] = (one,)
            case Binary(operator="in", left=Name(name=name, type=type_), right=ListLiteral(items=texts)):
                pass
            case Index(operand=MapLiteral(entries=entries), key=Name(name=name, type=type_)):
                texts = tuple(key for key, _ in entries)
            case _:
                continue
        if type_ == STRING:
            yield from ((text, name) for text in texts if isinstance(text, Literal) and isinstance(text.value, str))


def _doubt(subject: LintedPolicy, said: str, field: str, origin: str) -> tuple[str, str] | None:
    """Return why a text is doubtful, and what to type. origin: where it stands."""
    as_is = "is compared as it stands"
    if (amiss := typed_amiss(said)) is not None:
        return f"{as_is}, and {amiss[0]}", f"write `{amiss[1]}`"
    if said.strip().lower() in _ANYTHING and (origin in _ANYTHING_IN or said.strip() == "*"):
        hint = _ANYTHING_IN.get(origin, "leave the comparison out")
        return f"{as_is}, and stands for nothing else", hint
    if _SEVERAL.fullmatch(said.strip()) or (origin == "table" and _SEVERAL_IN_CELL.fullmatch(said.strip())):
        ways = {
            "table": f"write `{field} in` above the column",
            "rule": f"write `{field} in` and a list, each text in quotes",
        }
        hint = ways.get(origin, "write a case for each of them")
        return f"{as_is}, and looks like several values", hint
    if _COMPARED.match(said):
        return f"{as_is}, with the sign in it", f"say how `{field}` is compared before the text, as in `{field} != …`"
    found = _NAMED.fullmatch(said)
    name = list_name(found[1] if found is not None else said)
    known = [list_name(one) for one in subject.typed.lists]
    if name in known:
        return f"{as_is}, and is the name of a list", f"write `{field} in {name}`"
    if found is not None:
        way = f"`{field} in` above the column, and `lists.NAME` in the cell" if origin == "table" else "`in lists.NAME`"
        near = did_you_mean(name, known)
        return f"{as_is}, and names no list", near or f"declare the list under `lists`, and write {way}"
    return None
