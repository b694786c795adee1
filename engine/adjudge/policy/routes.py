"""Which policy answers a request that names none: a table of conditions, read from top to bottom.

A condition may be unknown. Then it is not passed over: if everything that it and the rows below could come to is one
policy, that one answers, and otherwise nobody can tell, which the caller hears.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING

from adjudge.errors import PolicyError, PolicyErrors, RequestError, did_you_mean
from adjudge.expr.check import Environment, check
from adjudge.expr.nodes import Literal, Node, names_in
from adjudge.expr.parse import parse
from adjudge.expr.printing import unparse
from adjudge.expr.python import compile_condition
from adjudge.frozen import frozen
from adjudge.model import Request
from adjudge.policy.policy import Policy
from adjudge.policy.slots import OF_REQUEST, declare, parts_of, read_slots, source_of
from adjudge.source import Source, Span
from adjudge.values.fields import Field
from adjudge.values.recorded import form_of
from adjudge.values.types import BOOL

if TYPE_CHECKING:
    from adjudge.policy.text.yaml import Scalar

ROWS_MAX = 500


@frozen(kw_only=True)
class RouteForm:
    """A row as it is written. when: None of the last one, which takes what is left. at: where its policy stands."""

    when: Scalar | None
    policy: str
    at: Span


@frozen
class RouteTable:
    """The rows of a table as they are written. source: where that is."""

    source: Source
    rows: tuple[RouteForm, ...]

    def lines(self) -> tuple[str, ...]:
        """Return each row as the log has it."""
        return tuple(f"{row.when.text.value if row.when is not None else 'else'} -> {row.policy}" for row in self.rows)

    def over(self, policies: Mapping[str, Policy]) -> Router:
        """Return what chooses among policies, by name. Raises PolicyErrors with everything that is wrong."""
        return _Typing(self, policies).router()


@frozen
class _Row:
    """when: by the name of its policy; None takes what is left. reads: the inputs and parts of a request of it."""

    when: Callable[[Mapping[str, object]], object] | None
    policy: Policy
    reads: tuple[str, ...]


@frozen
class Router:
    """Chooses the policy of a request. fields: that its conditions read, by name."""

    rows: tuple[_Row, ...]
    fields: Mapping[str, Field]

    def choose(self, request: Request) -> Policy:
        """Return the policy that answers. Raises RequestError where nobody can tell, as too little is known."""
        given = {**request.inputs, **parts_of(request)}
        known = read_slots(self.fields, {}, {name: given.get(name) for name in self.fields if name in given}).values
        possible: dict[str, Policy] = {}
        unsure: dict[str, None] = {}
        for row in self.rows:
            holds = True if row.when is None else row.when(known)
            if holds is None:
                unknown = [name for name in row.reads if known.get(name) is None]
                unsure |= dict.fromkeys(unknown or row.reads)
            if holds is not False:
                possible[row.policy.name] = row.policy
            if holds:
                break
        if len(possible) > 1:
            named = ", ".join(f"`{name}`" for name in possible)
            said = f"cannot be chosen: it may be {named}, as {', '.join(f'`{name}`' for name in unsure)} is unknown"
            raise RequestError(said, where="policy", hint="give what is missing, or name the policy")
        return next(iter(possible.values()))


class _Typing:
    """Types the conditions of a table against what policies declare."""

    def __init__(self, table: RouteTable, policies: Mapping[str, Policy]) -> None:
        self._table, self._policies = table, policies
        self._errors: list[PolicyError] = []
        routed = [policies[row.policy] for row in table.rows if row.policy in policies]
        declared = {name: field for policy in reversed(routed) for name, field in policy.typed.inputs.items()}
        self._routed, self._declared = routed, {**declared, **OF_REQUEST}
        slots = {str(slot): field for slot, field in declare(self._declared).items()}
        functions = routed[0].functions if routed else {}
        self._environment = Environment({name: field.type for name, field in slots.items()}, functions)
        self._slots = slots

    def router(self) -> Router:
        nodes = [self._node(row) for row in self._table.rows]
        self._check_policies()
        self._check_reachable(nodes)
        if self._errors:
            raise PolicyErrors(self._errors)
        rows, fields = [], dict[str, Field]()
        for row, node in zip(self._table.rows, nodes, strict=True):
            policy = self._policies[row.policy]
            reads = tuple(dict.fromkeys(map(source_of, names_in(node)))) if node is not None else ()
            when = compile_condition(node, functions=policy.functions) if node is not None else None
            rows.append(_Row(when, policy, reads))
            fields |= {name: self._declared[name] for name in reads}
        return Router(tuple(rows), fields)

    def _node(self, row: RouteForm) -> Node | None:
        """Return the typed condition of a row; None of the last one, and of one that was blamed."""
        if row.when is None:
            return None
        text = row.when.text
        node = None
        try:
            node, errors = check(parse(text), self._environment, source=self._table.source, expect=BOOL)
        except PolicyError as error:
            errors = [error]
        if errors or node is None:
            from adjudge.expr.foreign.mend import told  # a condition that is right does without

            self._errors += told(text, self._environment, errors, fields=self._slots, expect=BOOL)
            return None
        self._check_alike(node, row.when)
        return node

    def _check_alike(self, node: Node, when: Scalar) -> None:
        """Blame an input that two of the policies declare differently: one of them would read its value otherwise."""
        for name in dict.fromkeys(map(source_of, names_in(node))):
            forms = {policy.name: form_of(policy.typed.inputs[name]) for policy in self._declaring(name)}
            if len({repr(form) for form in forms.values()}) > 1:
                said = f"`{name}` is declared differently by {', '.join(f'`{one}`' for one in forms)}"
                self._blame(
                    "type-mismatch", said, when.span, "declare it alike, so that it can be read before one is chosen"
                )

    def _declaring(self, name: str) -> Iterator[Policy]:
        if name not in OF_REQUEST:
            yield from (policy for policy in self._routed if name in policy.typed.inputs)

    def _check_policies(self) -> None:
        for row in self._table.rows:
            if row.policy not in self._policies:
                hint = did_you_mean(row.policy, self._policies)
                self._blame("name-unknown", f"there is no policy `{row.policy}`", row.at, hint)
        for policy in self._policies.values():
            if policy.typed.scenes:
                said = f"`{policy.name}` has `scenes`, and `routes` choose the policy here"
                scenes = ", ".join(f'"{scene}"' for scene in policy.typed.scenes)
                self._blame(
                    "schema-value", said, Span(0, 0), f"write a row with `scene_code in [{scenes}]` in their place"
                )

    def _check_reachable(self, nodes: list[Node | None]) -> None:
        """Blame a row that nothing comes to: one behind what takes everything, or of the condition of one above."""
        seen: set[str] = set()
        for row, node in zip(self._table.rows[:-1], nodes, strict=False):
            if row.when is None:
                self._blame("schema-value", "the row without `when` takes what is left, so it is the last", row.at)
            elif isinstance(node, Literal):
                always = "everything: leave out `when`, as the last row" if node.value else "nothing"
                self._blame("schema-value", f"this row takes {always}", row.when.span)
            elif node is not None and unparse(node) in seen:
                self._blame("schema-value", "a row above has this condition, so nothing comes here", row.when.span)
            elif node is not None:
                seen.add(unparse(node))

    def _blame(self, code: str, message: str, span: Span, hint: str | None = None) -> None:
        self._errors.append(PolicyError(code, message, source=self._table.source, span=span, hint=hint))
