"""Parts of a condition that make no difference in it."""

from __future__ import annotations

from collections.abc import Iterator

from adjudge.authoring.proofs.finding import Finding
from adjudge.authoring.proofs.subject import Subject
from adjudge.expr.nodes import Comprehension, Logic, Node, Unary, children
from adjudge.expr.printing import unparse
from adjudge.expr.smt.logic import conj, disj, neg
from adjudge.policy.typed import Rule


def idle_parts(subject: Subject, dead: frozenset[str]) -> Iterator[Finding]:
    """Find operands that are always true where they matter, or add nothing. dead: rules that are found already."""
    typed = subject.policy.typed
    for rule in typed.rules:
        if rule.id not in dead and rule.origin == "rule":
            yield from _in(subject, rule.condition, f"`{rule.id}`", rule)
    for at, row in enumerate(typed.scorecard.rows if typed.scorecard is not None else (), 1):
        yield from _in(subject, row.condition, f"row {at} of the scorecard", None)


def _in(subject: Subject, node: Node, where: str, rule: Rule | None) -> Iterator[Finding]:
    if isinstance(node, Logic):
        found = False
        for at, operand in enumerate(node.operands):
            if _is_idle(subject, node, at):
                found = True
                yield _finding(node, operand, where, rule)
        if found:
            return
    if isinstance(node, Comprehension):
        return  # what stands inside means nothing without its variable
    for child in children(node):
        if isinstance(child, Logic | Unary):
            yield from _in(subject, child, where, rule)


def _is_idle(subject: Subject, node: Logic, at: int) -> bool:
    """Whether the answer, true, false or unknown, is always the same without an operand."""
    truths = [subject.translator.truth(operand) for operand in node.operands]
    this = truths.pop(at)
    if node.operator == "&&":
        decides = disj(this.false, conj(neg(this.true), *(other.true for other in truths)))
        claim = conj(decides, *(neg(other.false) for other in truths))
    else:
        decides = disj(this.true, conj(neg(this.false), *(other.false for other in truths)))
        claim = conj(decides, *(neg(other.true) for other in truths))
    return subject.inquiry.never(claim) is not None


def _finding(node: Logic, operand: Node, where: str, rule: Rule | None) -> Finding:
    exception = isinstance(operand, Unary) and node.operator == "&&" and operand is node.operands[-1]
    text = unparse(operand)
    if exception and isinstance(operand, Unary):
        message = f"in {where} the exception `{unparse(operand.operand)}` never applies"
    elif node.operator == "&&":
        message = f"in {where} `{text}` is true whenever the rest is, and changes nothing"
    else:
        message = f"in {where} `{text}` is only true where another part is, and adds nothing"
    return Finding(
        code="idle-part",
        severity="warning",
        message=message,
        spans=(operand.span,),
        rules=(rule.id,) if rule is not None else (),
        hint="delete it, or look for the slip that made it so",
    )
