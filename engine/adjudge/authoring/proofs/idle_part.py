"""Parts of a condition that make no difference in it."""

from __future__ import annotations

from collections.abc import Iterator

from adjudge.authoring.proofs.finding import ProofFinding
from adjudge.authoring.proofs.inquiry import NotProved, Proved
from adjudge.authoring.proofs.subject import ProvedPolicy, not_proved
from adjudge.expr.nodes import (
    Call,
    Comprehension,
    ListLiteral,
    Literal,
    Logic,
    Node,
    Unary,
    children,
    joined_conditions,
)
from adjudge.expr.printing import unparse
from adjudge.expr.smt.logic import Prop, at_least, conj, disj, neg
from adjudge.policy.typed import Rule
from adjudge.policy.written_rows import rows_written


def idle_parts(subject: ProvedPolicy, dead: frozenset[str]) -> Iterator[ProofFinding]:
    """Find operands that are always true where they matter, or add nothing. dead: rules that are found already."""
    typed = subject.policy.typed
    for rule in typed.rules:
        if rule.id not in dead and rule.origin == "rule":
            yield from _in(subject, rule.condition, rule.id, f"`{rule.id}`", rule)
    for row in rows_written(typed):
        for node in row.nodes:
            yield from _in(subject, node, row.name, row.row.place, None)
    for excuse in typed.excuses:
        yield from _in(subject, excuse.condition, excuse.id, f"the excuse `{excuse.id}`", None)


def _in(subject: ProvedPolicy, node: Node, about: str, where: str, rule: Rule | None) -> Iterator[ProofFinding]:
    joined = joined_conditions(node)
    if joined and all(operand.span == node.span for operand in joined):
        return  # one thing to whoever wrote it, such as an entry of a list that ends
    if joined:
        found = False
        for at, operand in enumerate(joined):
            answer = subject.inquiry.check(_idles(subject, node, at), ())
            if isinstance(answer, Proved):
                found = True
                yield _finding(node, operand, where, rule)
            elif isinstance(answer, NotProved):
                what = f"that `{unparse(operand)}` makes a difference in {where}"
                yield not_proved(subject.policy, "idle-part", about, what, answer, operand.span)
        if found:
            return
    if isinstance(node, Comprehension):
        return  # what stands inside means nothing without its variable
    for child in children(node):
        if isinstance(child, Logic | Unary | Call | ListLiteral):
            yield from _in(subject, child, about, where, rule)


def _idles(subject: ProvedPolicy, node: Node, at: int) -> Prop:
    """Return that the answer, true, false or unknown, is another without an operand."""
    truths = [subject.translator.truth(operand) for operand in joined_conditions(node)]
    this = truths.pop(at)
    if isinstance(node, Call) and isinstance(node.arguments[0], Literal):
        others = int(node.arguments[0].value) - 1
        tips = conj(this.true, _exactly(others, [other.true for other in truths]))
        return disj(tips, conj(neg(this.false), _exactly(others, [neg(other.false) for other in truths])))
    if isinstance(node, Logic) and node.operator == "&&":
        decides = disj(this.false, conj(neg(this.true), *(other.true for other in truths)))
        return conj(decides, *(neg(other.false) for other in truths))
    decides = disj(this.true, conj(neg(this.false), *(other.false for other in truths)))
    return conj(decides, *(neg(other.true) for other in truths))


def _exactly(count: int, props: list[Prop]) -> Prop:
    return conj(at_least(count, props), neg(at_least(count + 1, props)))


def _finding(node: Node, operand: Node, where: str, rule: Rule | None) -> ProofFinding:
    is_and = isinstance(node, Logic) and node.operator == "&&"
    exception = isinstance(operand, Unary) and is_and and operand is joined_conditions(node)[-1]
    text = unparse(operand)
    if exception and isinstance(operand, Unary):
        message = f"in {where} the exception `{unparse(operand.operand)}` never applies"
    elif is_and:
        message = f"in {where} `{text}` is true whenever the rest is, and changes nothing"
    elif isinstance(node, Call):
        message = f"in {where} `{text}` never makes the count enough, and adds nothing"
    else:
        message = f"in {where} `{text}` is only true where another part is, and adds nothing"
    return ProofFinding(
        code="idle-part",
        severity="warning",
        message=message,
        spans=(operand.span,),
        rules=(rule.id,) if rule is not None else (),
        hint="delete it, or look for the mistake behind it",
    )
