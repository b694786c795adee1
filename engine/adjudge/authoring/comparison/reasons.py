"""The same outcome for other reasons: no difference of outcome, and still one that an applicant or a report may see."""

from __future__ import annotations

from collections.abc import Callable

from adjudge.authoring.proofs.inquiry import Found, Inquiry
from adjudge.authoring.proofs.shrink import shrunk
from adjudge.authoring.proofs.verdict import REJECT, REVIEW, Verdicts, exactly
from adjudge.authoring.proofs.world import Input
from adjudge.expr.smt.logic import Prop, any_of, conj, disj, neg, same
from adjudge.frozen import frozen
from adjudge.model import Outcome, Verdict


@frozen(kw_only=True)
class OtherReasons:
    """An input of which both policies make the same outcome. old, new: the codes that they give for it."""

    outcome: Outcome
    old: tuple[str, ...]
    new: tuple[str, ...]
    witness: Input


def other_reasons(
    inquiry: Inquiry, before: Verdicts, after: Verdicts, verdicts: Callable[[Input], tuple[Verdict, Verdict]]
) -> OtherReasons | None:
    """Find an input on which two policies agree for other reasons, doubt aside. verdicts: what the two say of one."""

    def holds(found: Input) -> bool:
        old, new = verdicts(found)
        is_certain = old.lower == old.outcome == new.outcome == new.lower
        return is_certain and set(old.reasons) != set(new.reasons)

    answer = inquiry.ask(any_of(_differ(before, after, outcome) for outcome in (REVIEW, REJECT)), holds)
    if not isinstance(answer, Found):
        return None
    witness = shrunk(answer.input, holds)
    old, new = verdicts(witness)
    return OtherReasons(outcome=old.outcome, old=old.reasons, new=new.reasons, witness=witness)


def _differ(before: Verdicts, after: Verdicts, outcome: Outcome) -> Prop:
    """Return whether both are certain of an outcome, for different codes."""
    certain = [exactly(said, outcome) for side in (before, after) for said in (side.lower, side.outcome)]
    old, new = _codes(before, outcome), _codes(after, outcome)
    return conj(*certain, any_of(neg(same(old.get(code, False), new.get(code, False))) for code in {**old, **new}))


def _codes(side: Verdicts, outcome: Outcome) -> dict[str, Prop]:
    """Return the reason codes of an outcome, and whether each is given."""
    given: dict[str, Prop] = {}
    for rule, truth, excuse in zip(side.typed.rules, side.rules, side.excusing, strict=True):
        if rule.outcome is outcome:
            given[rule.reason] = disj(given.get(rule.reason, False), conj(truth.true, excuse.false))
    for name, card in side.typed.scorecards.items():
        total = exactly(side.totals[name], outcome)
        counts = conj(total, side.card_excuses[name].false) if outcome is REVIEW else total
        given[card.reason] = disj(given.get(card.reason, False), counts)
    return given
