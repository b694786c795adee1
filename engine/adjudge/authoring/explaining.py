"""Why a recorded decision came out so, and what would have changed it: for the command line and the engine."""

from __future__ import annotations

from typing import TYPE_CHECKING

from adjudge.decision.door import Audience
from adjudge.errors import MissingExtra
from adjudge.policy.explaining.explanation import HIDDEN, Explanation
from adjudge.policy.explaining.neutral import neutral
from adjudge.replay.decisions import Recorded
from adjudge.values.recorded import to_json

if TYPE_CHECKING:
    from adjudge.authoring.counterfactual import Changed, Counterfactual


def explained(
    found: Recorded, *, locale: str = "en", audience: Audience = "team", personal: bool = False
) -> dict[str, object]:
    """Return why a decision came out so, and the smallest changes that would have softened it.

    audience: `applicant` for what an applicant may be told alone. personal: whether personal values are shown.
    Cost: what proving takes, up to ten seconds in a process of its own.
    """
    explanation = explanation_of(found, locale, personal=personal)
    is_applicant = audience == "applicant"
    return data_of(found, explanation, changes_of(found, is_applicant), is_applicant, personal)


def explanation_of(found: Recorded, locale: str, *, personal: bool) -> Explanation:
    """Return why the verdict came out so."""
    return found.policy.explain(found.given, now=found.decision.judged_at, personal=personal, locale=locale)


def changes_of(found: Recorded, applicant: bool) -> Counterfactual | str:
    """Return what would have changed the decision, or why that cannot be said."""
    try:
        from adjudge.authoring.counterfactual import counterfactual
    except ModuleNotFoundError as error:
        if error.name != "z3":
            raise
        missing = MissingExtra("proofs", "z3")
        return f"{missing}: {missing.hint}"
    return counterfactual(found.policy, found.given, now=found.decision.judged_at, actionable=applicant)


def is_other(found: Recorded, explanation: Explanation) -> bool:
    """Whether the decision was another than is explained here: it was sampled, or values of it were erased since."""
    return found.decision.outcome is not explanation.verdict.outcome


def told(found: Recorded, explanation: Explanation) -> tuple[str, ...]:
    """Return the reasons that an applicant is told."""
    if not is_other(found, explanation):
        return explanation.for_applicant
    return neutral(found.decision.outcome, explanation.locale)


def asked(found: Recorded, explanation: Explanation) -> tuple[str, ...]:
    """Return the next steps that an applicant is told."""
    return tuple(step.text for step in explanation.ask if step.text and not is_other(found, explanation))


def data_of(
    found: Recorded, explanation: Explanation, changes: Counterfactual | str, applicant: bool, personal: bool
) -> dict[str, object]:
    """Return all of it as JSON has it."""
    whole = explanation.data()
    shown: dict[str, object]
    if applicant:
        reasons = [{"text": text} for text in told(found, explanation)]
        in_doubt = bool(explanation.verdict.doubts) and not is_other(found, explanation)
        shown = {"outcome": found.decision.outcome.value, "in_doubt": in_doubt, "reasons": reasons}
        shown |= {"ask": [{"text": text} for text in asked(found, explanation)]}
    else:
        decision, drawn = found.decision, found.decision.sampled
        sampled = {"reason": drawn.reason, "share": drawn.share} if drawn is not None else None
        shown = whole | {"decided": decision.outcome.value, "sampled": sampled, "final": found.final}
    hides = applicant and is_other(found, explanation)
    return {
        "decision_id": found.decision.decision_id,
        "policy": found.policy.name,
        "policy_digest": found.policy.digest,
        "erased": list(found.lacking),
        **shown,
        "changes": None if hides else changes if isinstance(changes, str) else _ways(changes, personal),
    }


def _ways(changes: Counterfactual, personal: bool) -> dict[str, object]:
    def value(one: Changed, said: object) -> object:
        return HIDDEN if one.is_personal and not personal else to_json(said)

    return {
        "ways": [
            {
                "outcome": way.outcome.value,
                "changes": [
                    {"field": one.field, "old": value(one, one.old), "new": value(one, one.new)} for one in way.changes
                ],
            }
            for way in changes.ways
        ],
        "is_fewest": changes.is_fewest,
        "open": changes.open,
    }
