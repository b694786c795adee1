"""`adjudge explain`: why a decision came out so, and what would have changed it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import click

from adjudge.audit.elsewhere import AnyLog
from adjudge.authoring.explaining import (
    asked,
    changes_of,
    explained,
    explanation_of,
    is_other,
    told,
)
from adjudge.cli.group import FINE
from adjudge.cli.logs import log_argument
from adjudge.cli.output import JSON, format_option, print_json, say
from adjudge.cli.settings import Settings
from adjudge.decision.door import Audience
from adjudge.model import Outcome
from adjudge.policy.explaining.explanation import Explanation
from adjudge.policy.explaining.headings import heading
from adjudge.replay.decisions import Recorded, recorded

if TYPE_CHECKING:
    from adjudge.authoring.counterfactual import Counterfactual


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
    if form == JSON:
        audience: Audience = "applicant" if applicant else "team"
        print_json(explained(found, locale=locale, audience=audience, personal=personal))
    else:
        explanation = explanation_of(found, locale, personal=personal)
        say(*_lines(found, explanation, changes_of(found, applicant), applicant))
    return FINE


def _lines(found: Recorded, explanation: Explanation, changes: Counterfactual | str, applicant: bool) -> Iterator[str]:
    locale = explanation.locale if applicant else "en"
    policy = f"{found.policy.name} {found.policy.digest[:12]}"
    yield heading("decision", locale, id=found.decision.decision_id, policy=policy)
    if found.lacking:
        yield heading("lacking", locale, fields=", ".join(found.lacking))
    if applicant:
        yield heading(found.decision.outcome, locale)
        yield from (f"  {text}" for text in told(found, explanation))
        yield from (f"  {heading('next', locale, step=text)}" for text in asked(found, explanation))
    else:
        yield from _decided(found, explanation)
        yield from explanation.render().split("\n")
    if explanation.verdict.outcome is Outcome.PASS or (applicant and is_other(found, explanation)):
        return
    yield ""
    yield heading("changes", locale)
    yield from (f"  {line}" for line in ([changes] if isinstance(changes, str) else changes.lines(locale)))


def _decided(found: Recorded, explanation: Explanation) -> Iterator[str]:
    """Say what the verdict alone does not tell of the decision."""
    decision = found.decision
    if decision.reviewed is not None:
        yield f"decided as {decision.outcome} by a person, {decision.reviewed.reason}; the verdict itself is:"
    elif decision.sampled is not None:
        yield f"decided as {decision.outcome}: sampled for a person, {decision.sampled.reason}; the verdict itself is:"
    elif is_other(found, explanation):
        yield f"decided as {decision.outcome}; without those values it is:"
    if found.final and not decision.final:
        yield "final: a person has confirmed it"
    elif found.label is not None:
        yield f"not final: a person has found it {found.label.label}"
    elif not decision.final:
        yield "not final before a person has confirmed it"
