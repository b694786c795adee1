"""`adjudge compare`: where two policies differ."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

import click

from adjudge.cli.extras import extra
from adjudge.cli.group import FINDINGS, FINE
from adjudge.cli.output import JSON, TEXT, print_json
from adjudge.cli.settings import Settings
from adjudge.policy.load import read_policy_file
from adjudge.policy.policy import Policy

if TYPE_CHECKING:
    from adjudge.authoring.comparison.regions import Comparison
    from adjudge.authoring.comparison.traffic import Traffic

MARKDOWN = "markdown"
_SHARE = re.compile(r"(\d+(?:\.\d+)?) ?(%?)", re.ASCII)


class Share(click.ParamType):  # type: ignore[type-arg]  # generic in the stubs only
    """A share of decisions: `1%` or `0.01`."""

    name = "share"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Return the share, 0 to 1."""
        if isinstance(value, float):
            return value
        said = _SHARE.fullmatch(str(value))
        share = float(said.group(1)) / (100 if said.group(2) else 1) if said else -1.0
        if not 0 <= share <= 1:
            self.fail(f"{value!r} is no share such as 1% or 0.01", param, ctx)
        return share


@click.command("compare")
@click.argument("old", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.argument("new", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--log", "logs", multiple=True, type=click.Path(exists=True, path_type=Path),
              help="Compare them on this log's decisions too; may be given several times.")  # fmt: skip
@click.option("--max-flips", type=Share(), help="Fail where more of the log's decisions come out otherwise: 1%.")
@click.option("--max-reviews", type=Share(), help="Fail where the new policy sends more of the log to review: 5%.")
@click.option("--must-be", type=click.Choice(["same", "stricter", "laxer"]),
              help="Fail unless that is proved; what is the same is also stricter and laxer.")  # fmt: skip
@click.option("--timeout", "timeout_s", type=click.FloatRange(min=0.01), default=5.0, show_default=True,
              help="Seconds for each question.")  # fmt: skip
@click.option("--format", "form", type=click.Choice([TEXT, JSON, MARKDOWN]), default=TEXT, show_default=True,
              help="json is for programs, markdown for pull requests.")  # fmt: skip
@click.pass_obj
def command(
    settings: Settings,
    old: Path,
    new: Path,
    logs: tuple[Path, ...],
    max_flips: float | None,
    max_reviews: float | None,
    must_be: str | None,
    timeout_s: float,
    form: str,
) -> int:
    """Say whether NEW is stricter than OLD, laxer, both or the same, where, and with which inputs.

    Exit status 1 only where a gate fails (--max-flips, --max-reviews, --must-be): a difference alone is no fault.
    """
    if (max_flips is not None or max_reviews is not None) and not logs:
        raise click.UsageError("--max-flips and --max-reviews need a --log")
    with extra("analyze", "z3"):
        from adjudge.authoring.comparison import regions, report, traffic
    catalogue = settings.catalogue()
    before, after = (Policy(read_policy_file(path, catalogue), catalogue.overloads()) for path in (old, new))
    comparison = regions.compare(before, after, timeout_s=timeout_s)
    seen = traffic.compare_traffic(logs, before, after, catalogue.providers) if logs else None
    gates = [*_relation_gate(comparison, must_be), *_traffic_gates(seen, max_flips, max_reviews)]
    if form == JSON:
        print_json(report.data(comparison, seen, gates))
    elif form == MARKDOWN:
        click.echo(report.markdown(comparison, seen, gates), nl=False)
    else:
        click.echo("\n\n".join([report.text(comparison, seen), *(f"gate failed: {gate}" for gate in gates)]))
    return FINDINGS if gates else FINE


def _relation_gate(comparison: Comparison, must_be: str | None) -> list[str]:
    if must_be is None or comparison.relation in (must_be, "same"):
        return []
    return [f"the new policy must be {must_be}; it is {comparison.relation}"]


def _traffic_gates(seen: Traffic | None, max_flips: float | None, max_reviews: float | None) -> list[str]:
    from adjudge.model import Outcome

    if seen is None:
        return []
    failed = []
    if max_flips is not None and seen.flip_share > max_flips:
        failed.append(f"{seen.flip_share:.2%} of the decisions come out otherwise; at most {max_flips:.2%} may")
    reviews = seen.new.share(Outcome.REVIEW)
    if max_reviews is not None and reviews > max_reviews:
        failed.append(f"{reviews:.2%} of the decisions go to review; at most {max_reviews:.2%} may")
    if (max_flips is not None or max_reviews is not None) and seen.decisions == 0:
        failed.append("no decision of the log can be told")
    return failed
