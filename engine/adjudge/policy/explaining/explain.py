"""Taking a verdict apart, on demand and with the reference interpreter; never while deciding."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Literal

from adjudge.expr.functions import Overload
from adjudge.expr.nodes import Comprehension, Name, Node, children, joined_conditions, walk
from adjudge.expr.printing import unparse
from adjudge.expr.reference import Unknown, evaluate
from adjudge.model import Outcome, Verdict
from adjudge.policy.explaining.explanation import (
    HIDDEN,
    Explained,
    Explanation,
    GivenReason,
    GivenStep,
    Part,
    shown,
)
from adjudge.policy.explaining.messages import filled, in_locale
from adjudge.policy.loading.expiry import as_written, asked_of
from adjudge.policy.slots import NOW, Slots
from adjudge.policy.typed import TypedPolicy
from adjudge.policy.written_rows import WrittenRow, rows_written
from adjudge.source import Span

VARIABLES_MAX = 50
"""So many variables of one condition are taken apart."""


def explain(
    typed: TypedPolicy,
    functions: Mapping[str, tuple[Overload, ...]],
    verdict: Verdict,
    read: Slots,
    *,
    personal: bool = False,
    locale: str = "en",
) -> Explanation:
    """Explain a policy's verdict. functions: what its conditions can call. read: what the verdict was given.

    personal: show the values of personal fields too, which are hidden otherwise.
    locale: of the reader, such as `pt-BR`; where the policy has no text for it, the nearest one is taken.
    """
    return _Explainer(typed, functions, verdict, read, personal, locale).explanation()


class _Explainer:
    def __init__(
        self,
        typed: TypedPolicy,
        functions: Mapping[str, tuple[Overload, ...]],
        verdict: Verdict,
        read: Slots,
        personal: bool,
        locale: str,
    ) -> None:
        self.typed, self.functions, self.verdict, self.locale = typed, functions, verdict, locale
        self.refused = dict(read.problems)
        self.constants = self.typed.constants
        self.values: dict[str, object] = {**self.constants, **read.values}
        self.lost: dict[str, Unknown] = {}
        self.told_of: list[str] = []
        for name, node in self.typed.variables.items():
            answer = self.answer(node)
            self.values[name] = None if isinstance(answer, Unknown) else answer
            if isinstance(answer, Unknown):
                self.lost[f"`{name}` is unknown"] = answer
        self.hidden = frozenset(() if personal else (name for name in self.typed.slots if self.is_personal(name)))

    def is_personal(self, slot: str) -> bool:
        """Whether a slot, or the field of which it is a part, is personal."""
        slots = self.typed.slots
        return slots[slot].personal or slots[str(self.typed.parts[slot].whole)].personal

    def answer(self, node: Node) -> object:
        return evaluate(node, self.values, functions=self.functions)

    def explanation(self) -> Explanation:
        return Explanation(
            verdict=self.verdict,
            locale=self.locale,
            reasons=self.reasons(),
            rules=tuple(
                self.explained(
                    rule.id,
                    rule.origin,
                    rule.condition,
                    rule.span,
                    outcome=rule.outcome,
                    reason=rule.reason,
                    own=rule.when_unknown,
                    message=self.text(rule.message),
                    rows=rule.id.partition(":")[0] if rule.otherwise else None,
                )
                for rule in self.typed.rules
            ),
            rows=tuple(self.explained_row(row) for row in rows_written(self.typed)),
            excuses=tuple(
                self.explained(excuse.id, "excuse", excuse.condition, excuse.span) for excuse in self.typed.excuses
            ),
            ask=tuple(GivenStep(name=name, text=self.text(self.typed.steps[name].text)) for name in self.verdict.ask),
        )

    def reasons(self) -> tuple[GivenReason, ...]:
        """Return the codes of what decided, the heaviest first."""
        said = self.typed.reasons
        codes = sorted(self.verdict.reasons, key=lambda code: -said[code].weight if code in said else 0)
        return tuple(
            GivenReason(
                code=code,
                text=self.text(said[code].text) if code in said else None,
                in_doubt=bool(self.verdict.doubts),
            )
            for code in codes
        )

    def text(self, texts: Mapping[str, str]) -> str | None:
        """Return the text for the reader, with values in it."""
        text = in_locale(texts, self.locale)
        return filled(text, self.told) if text is not None else None

    def told(self, slot: str) -> str:
        """Return a field's value as a text has it."""
        value = HIDDEN if slot in self.hidden else self.values.get(slot)
        items = value if isinstance(value, list | tuple) else (value,)
        return ", ".join(item if isinstance(item, str) else shown(item) for item in items) or "none"

    def explained(
        self,
        name: str,
        kind: Literal["rule", "threshold", "table", "row", "excuse"],
        node: Node,
        span: Span,
        *,
        outcome: Outcome | None = None,
        reason: str | None = None,
        own: Outcome | None = None,
        message: str | None = None,
        rows: str | None = None,
    ) -> Explained:
        self.told_of = []
        condition = self.part(node) if rows is None else self.none_of(node, rows)
        truth = condition.value if isinstance(condition.value, bool) else None
        excused = outcome is not None and name in self.verdict.excused
        counts_as = None
        if outcome is not None and truth is None and not excused:
            counts_as = min(outcome, own or self.doubt(node))
        return Explained(
            id=name,
            kind=kind,
            outcome=outcome,
            reason=reason,
            truth=truth,
            counts_as=counts_as,
            excused=excused,
            message=message,
            condition=condition,
            place=self.place(span),
            spans=_spans(span, node),
        )

    def explained_row(self, row: WrittenRow) -> Explained:
        """Explain a row as it is written, whatever its steps are."""
        span, formula = row.row.span, row.formula
        if formula is None:
            explained = self.explained(row.name, "row", row.row.condition, span)
            return replace(explained, points=row.row.points)
        self.told_of = []
        answers = [self.answer(step.condition) for step in row.steps]
        low, high = row.added(None if isinstance(one, Unknown) else one is True for one in answers)
        nodes = row.nodes
        parts = tuple(self.part(node) for node in nodes)
        is_hidden = any(self.typed.reads.slots(node) & self.hidden for node in nodes)
        whole = Part(
            text=row.said,
            value=None if low != high else HIDDEN if is_hidden else low,
            why=next((part.why for part in parts if part.why), None) if low != high else None,
            parts=parts,
        )
        return Explained(
            id=row.name,
            kind="row",
            points=low if low == high else (low, high),
            truth=low != 0 if low == high else None,
            counts_as=None,
            condition=parts[0] if formula.when is None else whole,
            place=self.place(span),
            spans=_spans(span, *nodes),
        )

    def doubt(self, node: Node) -> Outcome:
        """Return the `when_unknown` of what is unknown to a condition: the most severe one, else the policy's."""
        slots = self.typed.reads.slots(node)
        worths = (self.typed.worth_of(slot) for slot in slots if self.values.get(slot) is None)
        return max(worths, default=self.typed.when_unknown)

    def part(self, node: Node) -> Part:
        """Take a condition apart; constants stand only in the text of what holds them.

        A variable is taken apart where it first comes, and so are VARIABLES_MAX of a condition: whoever chains more
        reads the others' values.
        """
        answer = self.answer(node)
        slots = self.typed.reads.slots(node)
        hides = bool(slots & self.hidden) and (isinstance(node, Name) or not isinstance(answer, bool))
        return Part(
            text=unparse(as_written(node) if self.typed.entries else node),
            value=None if isinstance(answer, Unknown) else HIDDEN if hides else answer,
            why=self.why(node, answer) if isinstance(answer, Unknown) else None,
            parts=tuple(self.part(inner) for inner in self.inside(node)),
        )

    def none_of(self, node: Node, table: str) -> Part:
        """Return the condition that no row of a table is true, whose rows are told by themselves."""
        answer = self.answer(node)
        why = self.why(node, answer) if isinstance(answer, Unknown) else None
        text = f"else of {table}"
        return Part(text=text, value=None if isinstance(answer, Unknown) else answer, why=why)

    def inside(self, node: Node) -> tuple[Node, ...]:
        """Return the parts of a condition that have a value of their own and say more than constants do."""
        if self.typed.entries and (asked := asked_of(node)) is not None:
            ended = self.answer(asked) is True and self.answer(node) is not True
            clock = [part for part in walk(node) if isinstance(part, Name) and part.name == NOW][:1] if ended else []
            return (*self.inside(asked), *clock)
        parts = joined_conditions(node) or children(node)
        if isinstance(node, Name) and node.name in self.typed.variables:
            if node.name in self.told_of or len(self.told_of) == VARIABLES_MAX:
                return ()
            self.told_of.append(node.name)
            parts = (self.typed.variables[node.name],)
        elif isinstance(node, Comprehension):  # what follows has another value for each item
            parts = (node.operand,)
        return tuple(part for part in parts if self.typed.reads.slots(part))

    def why(self, node: Node, unknown: Unknown) -> str:
        """Say why there is no answer, as near to the reason as can be: inside a variable, or at a refused value."""
        if isinstance(node, Name) and node.name in self.typed.slots:
            return self.refused.get(node.name, "not given")
        while unknown.reason in self.lost:
            unknown = self.lost[unknown.reason]
        slot = unknown.reason.removesuffix("` is unknown").removeprefix("`")
        refusal = f": it {self.refused[slot]}" if slot in self.refused else ""
        return f"{unknown.reason}{refusal} ({self.place(unknown.span)})"

    def place(self, span: Span) -> str:
        source, at = self.typed.source.part(span.start)
        return f"{source.name}:{source.place(at)[0]}"


def _spans(span: Span, *nodes: Node) -> tuple[Span, ...]:
    """Return where a rule or row stands, and the parts of its conditions."""
    return (span, *(part.span for node in nodes for part in walk(node) if part.span.end > 0))
