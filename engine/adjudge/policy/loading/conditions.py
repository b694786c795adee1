"""Conditions of a policy: parsed, typed against what the policy declares, and variables put in order."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace

from adjudge.errors import PolicyError
from adjudge.expr.check import Environment, check
from adjudge.expr.nodes import Comprehension, Literal, Logic, Name, Node, Unary, children
from adjudge.expr.parse import parse
from adjudge.frozen import frozen
from adjudge.patterns import late
from adjudge.policy.loading.forms import WhenUnless
from adjudge.policy.loading.lookups import Lookup
from adjudge.policy.loading.reader import Reader
from adjudge.policy.loading.unsatisfiable import quoted_names, unsatisfiable
from adjudge.policy.slots import source_of
from adjudge.policy.text.syntax import as_value
from adjudge.policy.text.yaml import Scalar
from adjudge.source import Edit, Span
from adjudge.values.fields import Field
from adjudge.values.types import BOOL, DYN, Type

STAND_IN = Literal(value=False, type=BOOL)
"""Stands for a condition that was blamed."""

_DIVIDED = late(r"[\w)\]]\s*(//)\s*\d+(?:\.\d+)?\s*(?:$|[)<>=!&|\n])")
_COMMENT = late(r"[ ]+#")


@frozen
class Conditions:
    """Reads conditions of one policy.

    names: types of everything that a condition can name; DYN for what was declared wrongly, so that it is blamed once.
    slots: what the fields among them are declared as. lists: constants by their full name.
    complete: whether a name that is missing from `names` is a mistake of its own.
    """

    reader: Reader
    names: dict[str, Type]
    environment: Environment
    slots: Mapping[str, Field]
    lists: Mapping[str, tuple[str, ...]]
    complete: bool = True

    def parsed(self, scalar: Scalar, variables: Mapping[str, object] | None = None) -> Node | None:
        """Return the untyped tree of a condition. variables: those that stand beside it, where it is one of them."""
        if "//" in scalar.text.value and not self.reader.recorded and (cut := _DIVIDED.search(scalar.text.value)):
            span = scalar.text.span(*cut.span(1))
            fix = (Edit(span=span, text="/"),)
            message = "`//` begins a comment, so what follows it says nothing; a division is written `/`"
            self.reader.blame("syntax-token", message, span, "write `/`", fix=fix)
            return None
        try:
            return parse(scalar.text)
        except PolicyError as error:
            self.blame(scalar, [error], BOOL if variables is None else None, variables or {})
            return None

    def typed(self, scalar: Scalar, tree: Node, expect: Type | None) -> Node | None:
        """Return the typed tree."""
        typed, errors = check(tree, self.environment, source=self.reader.source, expect=expect)
        if errors:
            self.blame(scalar, errors, expect)
        for literal, name in quoted_names(typed, self.slots) if typed is not None and not self.reader.recorded else ():
            unquoted = (Edit(span=literal.span, text=name),)
            message = f"`{name}` in quotes is a text; without them it is the field"
            self.reader.blame("type-constant", message, literal.span, f"write `{name}`", fix=unquoted)
        for found in unsatisfiable(typed, self.slots, self.lists) if typed is not None else ():
            fix = (Edit(span=found.part.span, text=found.meant),) if found.meant else ()
            self.reader.blame(found.code, found.message, found.part.span, found.hint, fix=fix)
        return typed

    def blame(
        self,
        scalar: Scalar,
        errors: list[PolicyError],
        expect: Type | None,
        variables: Mapping[str, object] | None = None,
    ) -> None:
        """Keep what is wrong with a condition: one mistake, with what to type, where it is of another language."""
        if _is_cut_by_comment(scalar):
            for error in errors:
                error.hint = "YAML takes what follows ` #` for a comment; quote the whole condition"
        else:
            errors = self.told(scalar, errors, expect, variables or {})
        self.reader.errors.extend(error for error in errors if self.complete or error.code != "name-unknown")

    def told(
        self, scalar: Scalar, errors: list[PolicyError], expect: Type | None, variables: Mapping[str, object]
    ) -> list[PolicyError]:
        """Return what to say of a condition that was blamed, which may be written in the manner of another language."""
        from adjudge.expr.foreign.mend import told  # a policy that is right does without

        names = {**dict.fromkeys(variables, DYN), **self.environment.names}
        source = self.reader.source
        line = source.text.rfind("\n", 0, scalar.span.start) + 1
        raw, before = source.text[scalar.span.start : scalar.span.end], source.text[line : scalar.span.start]
        return told(
            scalar.text,
            replace(self.environment, names=names),
            errors,
            fields=self.slots,
            expect=expect,
            place=_own_span(scalar, raw),
            written=lambda text: as_value(text, raw, before),
        )

    def guard(self, guard: WhenUnless) -> Node:
        """Return `when && !unless`, a bool."""
        parts = []
        for scalar in (guard.when, guard.unless):
            tree = self.parsed(scalar) if scalar is not None else None
            parts.append(self.typed(scalar, tree, BOOL) if scalar is not None and tree is not None else None)
        when, unless = parts[0] or STAND_IN, parts[1]
        if unless is None:
            return when
        exception = Unary(operator="!", operand=unless, span=unless.span, type=BOOL)
        return Logic(operator="&&", operands=(when, exception), span=when.span, type=BOOL)

    def variables(
        self, forms: Mapping[str, tuple[Scalar, Scalar | None]], lookups: Mapping[str, Lookup]
    ) -> dict[str, Node]:
        """Return typed variables, each after those that it reads; their types join `names`.

        lookups: tables by name; each becomes a variable of its name, or one for each of its columns.
        """
        beside = {**forms, **lookups}
        trees = {
            name: self.parsed(scalar, beside) if scalar is not None else None for name, (_, scalar) in forms.items()
        }
        reads = {
            name: [read for read in dict.fromkeys(free_names(tree)) if read in trees or read in lookups]
            if tree is not None
            else []
            for name, tree in trees.items()
        }
        for name, lookup in lookups.items():
            roots = map(source_of, lookup.reads)
            reads[name] = [read for read in dict.fromkeys(roots) if read in trees or read in lookups]
        ordered, cycles = order(reads)
        for cycle in cycles:
            key = lookups[cycle[0]].key if cycle[0] in lookups else forms[cycle[0]][0]
            way = " → ".join(f"`{name}`" for name in (*cycle, cycle[0]))
            hint = "a variable can read fields, lists and other variables, but not itself, even indirectly"
            self.reader.blame("name-cycle", f"this variable reads itself: {way}", key.span, hint)
        in_cycle = {name for cycle in cycles for name in cycle}
        variables: dict[str, Node] = {}
        self.names.update(dict.fromkeys(in_cycle, DYN))
        for name in ordered:
            if name in lookups:
                found = lookups[name].build(self.names) if name not in in_cycle else {}
                variables |= found
                self.names.update({one: node.type or DYN for one, node in found.items()} or {name: DYN})
                continue
            tree, (_, scalar) = trees[name], forms[name]
            typed = self.typed(scalar, tree, None) if tree is not None and scalar is not None else None
            if typed is not None and name not in in_cycle:
                variables[name] = typed
            self.names[name] = (typed.type if typed is not None and name not in in_cycle else None) or DYN
        return variables


def free_names(node: Node, bound: frozenset[str] = frozenset()) -> Iterator[str]:
    """Yield the names that an untyped tree reads, without those of comprehensions' own variables."""
    match node:
        case Name(name=name, absolute=absolute):
            if absolute or name not in bound:
                yield name
        case Comprehension(operand=operand, variable=variable):
            yield from free_names(operand, bound)
            for part in children(node)[1:]:
                yield from free_names(part, bound | {variable})
        case _:
            for child in children(node):
                yield from free_names(child, bound)


def order(reads: Mapping[str, list[str]]) -> tuple[list[str], list[tuple[str, ...]]]:
    """Return names with each after those that it reads, and the cycles that were found on the way."""
    ordered: dict[str, None] = {}
    cycles: list[tuple[str, ...]] = []
    for start in reads:
        path: dict[str, Iterator[str]] = {} if start in ordered else {start: iter(reads[start])}
        while path:
            name = next(reversed(path))
            for read in path[name]:
                if read in path:
                    names = list(path)
                    cycles.append(tuple(names[names.index(read) :]))
                elif read not in ordered:
                    path[read] = iter(reads[read])
                    break
            else:
                ordered[name] = None
                del path[name]
    return list(ordered), cycles


def _is_cut_by_comment(scalar: Scalar) -> bool:
    """Whether YAML cut a condition at ` #`."""
    line = scalar.text.source.text[scalar.span.end :].partition("\n")[0]
    return _COMMENT.match(line) is not None


def _own_span(scalar: Scalar, raw: str) -> Span:
    """Return where a value stands, without the line end of a block."""
    return Span(scalar.span.start, scalar.span.start + len(raw.rstrip()))
