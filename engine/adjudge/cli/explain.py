"""`adjudge explain`: why a decision came out so, and what would have changed it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import click

from adjudge.audit.elsewhere import AnyLog
from adjudge.cli.extras import extra
from adjudge.cli.group import FINE
from adjudge.cli.logs import log_argument
from adjudge.cli.output import JSON, format_option, print_json, say
from adjudge.cli.settings import Settings
from adjudge.errors import MissingExtra
from adjudge.model import Outcome
from adjudge.policy.explaining.explanation import HIDDEN, Explanation
from adjudge.policy.explaining.headings import heading
from adjudge.policy.explaining.neutral import neutral
from adjudge.replay.decisions import Recorded, recorded
from adjudge.values.recorded import to_json

if TYPE_CHECKING:
    from adjudge.authoring.counterfactual import Changed, Counterfactual


@click.command("explain")
@log_argument
@click.argument("decision_id")
@click.option("--locale", default="en", show_default=True, help="Of the policy's texts, such as pt-BR.")
@click.option("--applicant", is_flag=True, help="Only what an applicant may be told: reasons, and actionable fields.")
@click.option("--personal", is_flag=True, help="Show the values of personal fields.")
@format_option
@click.pass_obj
def command(
    settings: Settings, log: AnyLog, decision_id: str, locale: str, applicant: bool, personal: bool, form: str
) -> int:
    """Say why a logged decision came out as it did, and the smallest changes that would have softened it.

    The policy is the one in the log, as it was when the decision was made.
    """
    found = recorded(log, decision_id, settings.catalogue().functions)
    if found is None:
        raise click.UsageError(f"{log} holds no decision {decision_id}")
    explanation = found.policy.explain(found.given, now=found.decision.at, personal=personal, locale=locale)
    changes: Counterfactual | str = _changes(found, applicant)
    if form == JSON:
        print_json(_data(found, explanation, changes, applicant, personal))
    else:
        say(*_lines(found, explanation, changes, applicant))
    return FINE


def _changes(found: Recorded, applicant: bool) -> Counterfactual | str:
    """Return what would have changed the decision, or why that cannot be said."""
    try:
        with extra("proofs"):
            from adjudge.authoring.counterfactual import counterfactual
    except MissingExtra as missing:
        return f"{missing}: {missing.hint}"
    return counterfactual(found.policy, found.given, now=found.decision.at, actionable=applicant)


def _lines(found: Recorded, explanation: Explanation, changes: Counterfactual | str, applicant: bool) -> Iterator[str]:
    locale = explanation.locale if applicant else "en"
    policy = f"{found.policy.name} {found.policy.digest[:12]}"
    yield heading("decision", locale, id=found.decision.decision_id, policy=policy)
    if found.lacking:
        yield heading("lacking", locale, fields=", ".join(found.lacking))
    if applicant:
        yield heading(found.decision.outcome, locale)
        yield from (f"  {text}" for text in _told(found, explanation))
        yield from (f"  {heading('next', locale, step=text)}" for text in _asked(found, explanation))
    else:
        yield from _decided(found, explanation)
        yield from explanation.render().split("\n")
    if explanation.verdict.outcome is Outcome.PASS or (applicant and _is_other(found, explanation)):
        return
    yield ""
    yield heading("changes", locale)
    yield from (f"  {line}" for line in ([changes] if isinstance(changes, str) else changes.lines(locale)))


def _is_other(found: Recorded, explanation: Explanation) -> bool:
    """Whether the decision was another than is explained here: it was sampled, or values of it were erased since."""
    return found.decision.outcome is not explanation.verdict.outcome


def _decided(found: Recorded, explanation: Explanation) -> Iterator[str]:
    """Say what the verdict alone does not tell of the decision."""
    decision = found.decision
    if decision.sampled is not None:
        yield f"decided as {decision.outcome}: sampled for a person, {decision.sampled.reason}; the verdict itself is:"
    elif _is_other(found, explanation):
        yield f"decided as {decision.outcome}; without those values it is:"
    if found.final and not decision.final:
        yield "final: a person has confirmed it"
    elif found.label is not None:
        yield f"not final: a person has found it {found.label.label}"
    elif not decision.final:
        yield "not final before a person has confirmed it"


def _told(found: Recorded, explanation: Explanation) -> tuple[str, ...]:
    if not _is_other(found, explanation):
        return explanation.for_applicant
    return neutral(found.decision.outcome, explanation.locale)


def _asked(found: Recorded, explanation: Explanation) -> tuple[str, ...]:
    return tuple(step.text for step in explanation.ask if step.text and not _is_other(found, explanation))


def _data(
    found: Recorded, explanation: Explanation, changes: Counterfactual | str, applicant: bool, personal: bool
) -> dict[str, object]:
    whole = explanation.data()
    shown: dict[str, object]
    if applicant:
        reasons = [{"text": text} for text in _told(found, explanation)]
        in_doubt = bool(explanation.verdict.doubts) and not _is_other(found, explanation)
        shown = {"outcome": found.decision.outcome.value, "in_doubt": in_doubt, "reasons": reasons}
        shown |= {"ask": [{"text": text} for text in _asked(found, explanation)]}
    else:
        decision, drawn = found.decision, found.decision.sampled
        sampled = {"reason": drawn.reason, "share": drawn.share} if drawn is not None else None
        shown = whole | {"decided": decision.outcome.value, "sampled": sampled, "final": found.final}
    hides = applicant and _is_other(found, explanation)
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
