"""`adjudge analyse`: what can be proved of a policy."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from adjudge.cli.extras import extra
from adjudge.cli.group import FINDINGS, FINE
from adjudge.cli.output import JSON, counted, format_option, print_json, say, say_text
from adjudge.cli.settings import Settings
from adjudge.errors import did_you_mean
from adjudge.policy.loading.load import read_policy_file
from adjudge.policy.policy import Policy
from adjudge.texts import lines_of, one_line

if TYPE_CHECKING:
    from adjudge.authoring.proofs.analyse import Analysis


@click.command("analyse")
@click.argument("paths", nargs=-1, required=True, type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--timeout", "timeout_s", type=click.FloatRange(min=0.01), default=2.0, show_default=True,
              help="Seconds for each question.")  # fmt: skip
@click.option("--total", "total_s", type=click.FloatRange(min=0.01), default=60.0, show_default=True,
              help="Seconds for all questions of a policy.")  # fmt: skip
@click.option("--allow", "allowed", multiple=True, metavar="NAME",
              help="Accept a finding, such as not-monotone:amount; may be given several times.")  # fmt: skip
@format_option
@click.pass_obj
def command(
    settings: Settings, paths: tuple[Path, ...], timeout_s: float, total_s: float, allowed: tuple[str, ...], form: str
) -> int:
    """Prove what a policy can and cannot do, over every possible input.

    Found are rules that never fire or never matter, parts of conditions that change nothing, bands that no total
    reaches, changes to the worse and losses that soften the outcome. Every finding has an input that shows it.
    """
    with extra("proofs"):
        from adjudge.authoring.proofs.analyse import analyse
    catalogue = settings.catalogue()
    policies = [Policy(read_policy_file(path, catalogue), catalogue.overloads()) for path in paths]
    analyses = [analyse(policy, timeout_s=timeout_s, total_s=total_s).allowing(allowed) for policy in policies]
    names = {finding.name for analysis in analyses for finding in analysis.findings}
    for name in allowed:
        if name not in names:
            near = did_you_mean(name, sorted(names))
            say(f"--allow {name}: nothing of that name was found{f'; {near}' if near else ''}", err=True)
    if form == JSON:
        print_json([_data(analysis) for analysis in analyses])
    else:
        say_text("\n\n".join(_text(analysis) for analysis in analyses))
    return FINDINGS if any(analysis.warnings for analysis in analyses) else FINE


def _data(analysis: Analysis) -> dict[str, object]:
    return {
        "policy": analysis.policy.name,
        "file": analysis.policy.typed.source.name,
        "findings": [finding.data(analysis.policy) for finding in analysis.findings],
        "forces": [
            {"field": force.field, "outcome": force.outcome.value, "witness": force.witness.data()}
            for force in analysis.forces
        ],
    }


def _text(analysis: Analysis) -> str:
    from adjudge.authoring.proofs.finding import given_text

    parts = [finding.render(analysis.policy) for finding in analysis.findings]
    if analysis.forces:
        width = max(len(force.field) for force in analysis.forces)
        lines = [
            f"   {force.field:<{width}}  {force.outcome:<6}  {given_text(force.witness.input)}"
            for force in analysis.forces
        ]
        parts.append(lines_of(["fields that can force an outcome on their own:", *lines]))
    notes = len(analysis.findings) - analysis.warnings
    rules = counted(len(analysis.policy.typed.rules), "rule")
    found = f"{counted(analysis.warnings, 'warning')}, {counted(notes, 'note')}"
    parts.append(one_line(f"{analysis.policy.typed.source.name}: {rules}, {found}"))
    return "\n\n".join(parts)
