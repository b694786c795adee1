"""`adjudge compare`: where two policies differ."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

import click

from adjudge.cli.extras import extra
from adjudge.cli.files import check_folder
from adjudge.cli.gates import gate_option, gates_of
from adjudge.cli.group import FINDINGS, FINE
from adjudge.cli.logs import Data, DataType, opened
from adjudge.cli.output import JSON, TEXT, print_exact, print_json, say, say_text
from adjudge.cli.rows import Column, check_rows, moved_by, write_rows
from adjudge.cli.settings import Settings
from adjudge.cli.slices import slice_options
from adjudge.frozen import frozen
from adjudge.policy.loading.load import read_policy_file
from adjudge.policy.policy import Policy
from adjudge.policy.slices import Slice
from adjudge.replay.gates import OF_TRAFFIC, failed_gates, values_of_traffic

if TYPE_CHECKING:
    from adjudge.authoring.comparison.gates import MustBe
    from adjudge.replay.traffic import Flip

MARKDOWN = "markdown"
_SHARE = re.compile(r"(\+?)(\d+(?:\.\d+)?) ?(%?)", re.ASCII)


@frozen(kw_only=True)
class Share:
    """A share of decisions, 0 to 1. is_more: it is said of what is added."""

    share: float
    is_more: bool


class ShareType(click.ParamType):  # type: ignore[type-arg]  # generic in the stubs only
    """A share of decisions: `1%` or `0.01`; `+1%` of what is added, where that can be."""

    name = "share"

    def __init__(self, *, more: bool = False) -> None:
        self.more = more

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> Share:
        """Return the share."""
        if isinstance(value, Share):
            return value
        said = _SHARE.fullmatch(str(value))
        share = float(said[2]) / (100 if said[3] else 1) if said else -1.0
        is_more = said is not None and said[1] == "+"
        if not 0 <= share <= 1 or (is_more and not self.more):
            self.fail(f"{value!r} is not a share such as 1% or 0.01{', or +1%' if self.more else ''}", param, ctx)
        return Share(share=share, is_more=is_more)


@click.command("compare")
@click.argument("old", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.argument("new", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--log", "logs", multiple=True, type=DataType(),
              help="Also compare them on this log's decisions; may be given several times.")  # fmt: skip
@click.option("--max-flips", type=ShareType(), help="Fail if more of the log's decisions change: 1%.")
@click.option("--max-reviews", type=ShareType(more=True),
              help="Fail if the new policy sends more to review: 5% of all, or +1% on the old.")  # fmt: skip
@click.option("--must-be", type=click.Choice(["same", "stricter", "laxer"]),
              help="Fail unless this is proved; the same also counts as stricter and as laxer.")  # fmt: skip
@gate_option
@click.option("-o", "--output", type=click.Path(dir_okay=False, path_type=Path),
              help="Write the log's decisions that change to this .csv, .xlsx or .parquet file.")  # fmt: skip
@slice_options
@click.option("--timeout", "timeout_s", type=click.FloatRange(min=0.01), default=5.0, show_default=True,
              help="Seconds for each question.")  # fmt: skip
@click.option("--total", "total_s", type=click.FloatRange(min=0.01), default=60.0, show_default=True,
              help="Seconds for all questions.")  # fmt: skip
@click.option("--format", "form", type=click.Choice([TEXT, JSON, MARKDOWN]), default=TEXT, show_default=True,
              help="json is for programs, markdown for pull requests.")  # fmt: skip
@click.pass_obj
def command(
    settings: Settings,
    old: Path,
    new: Path,
    logs: tuple[Data, ...],
    max_flips: Share | None,
    max_reviews: Share | None,
    must_be: MustBe | None,
    fail_if: tuple[str, ...],
    output: Path | None,
    wanted: Slice,
    timeout_s: float,
    total_s: float,
    form: str,
) -> int:
    """Say whether NEW is stricter than OLD, laxer, both or the same, where, and with which inputs.

    Exit status 1 only where a gate fails (--fail-if, --max-flips, --max-reviews, --must-be): a difference alone is no
    fault.
    """
    if (max_flips is not None or max_reviews is not None) and not logs:
        raise click.UsageError("--max-flips and --max-reviews need a --log")
    if (fail_if or output is not None) and not logs:
        raise click.UsageError("--fail-if and -o are said of a log: they need a --log")
    fail_gates = gates_of(fail_if, OF_TRAFFIC)
    check_folder(output)
    if output is not None:
        check_rows(output)
    if (not wanted.is_all or wanted.by is not None) and not logs:
        raise click.UsageError("--since, --until, --where and --by are said of a log: they need a --log")
    with extra("proofs"):
        from adjudge.authoring.comparison import gates, regions, report
        from adjudge.replay import traffic
    catalogue = settings.catalogue()
    before, after = (Policy(read_policy_file(path, catalogue), catalogue.overloads()) for path in (old, new))
    comparison = regions.compare(before, after, timeout_s=timeout_s, total_s=total_s)
    seen, rows = None, list[list[object]]()
    if logs:
        paths, functions = tuple(map(opened, logs)), catalogue.functions
        seen = traffic.compare_traffic(
            paths,
            before,
            after,
            catalogue.providers,
            wanted=wanted,
            functions=functions,
            tell=lambda flip: rows.append(_row(flip)) if output else None,
        )
    more = max_reviews is not None and max_reviews.is_more
    failed = gates.Gates(
        must_be=must_be,
        max_flips=max_flips.share if max_flips is not None else None,
        max_reviews=max_reviews.share if max_reviews is not None and not more else None,
        max_more_reviews=max_reviews.share if max_reviews is not None and more else None,
    ).failed(comparison, seen)
    failed += failed_gates(fail_gates, values_of_traffic(seen)) if seen is not None else ()
    if form == JSON:
        print_json(report.data(comparison, seen, failed))
    elif form == MARKDOWN:
        print_exact(report.markdown(comparison, seen, failed))
    else:
        say_text(report.text(comparison, seen, failed))
    if output is not None:
        say(write_rows(output, _COLUMNS, rows), err=form != TEXT)
    return FINDINGS if failed else FINE


_COLUMNS = (
    Column("seq", "int"), Column("decision_id"), Column("merchant_biz_id"), Column("at", "time"), Column("before"),
    Column("after"), Column("came", "texts"), Column("went", "texts"), Column("scorecard", "texts"),
)  # fmt: skip


def _row(flip: Flip) -> list[object]:
    facts = [flip.seq, flip.decision_id, flip.merchant_biz_id, flip.at, flip.old.value, flip.new.value]
    return [*facts, *moved_by(flip.rules, flip.scorecards)]
