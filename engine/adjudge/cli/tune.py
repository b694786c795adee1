"""`adjudge tune`: thresholds for a target, from labelled decisions."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from adjudge.cli.compare import Share, ShareType
from adjudge.cli.extras import extra
from adjudge.cli.files import check_folder, write_file
from adjudge.cli.group import FINDINGS, FINE
from adjudge.cli.logs import Data, DataType
from adjudge.cli.output import JSON, diff_text, format_option, print_exact, print_json, say
from adjudge.cli.settings import Settings
from adjudge.cli.slices import slice_options
from adjudge.cli.tables import Table, table_options
from adjudge.frozen import frozen
from adjudge.model import Outcome
from adjudge.policy.loading.load import read_policy_file
from adjudge.policy.policy import Policy
from adjudge.policy.slices import Slice, segment_slot
from adjudge.texts import in_digits

if TYPE_CHECKING:
    from adjudge.backtest.goal import Goal
    from adjudge.backtest.measures import Ratio
    from adjudge.backtest.segments import Segment
    from adjudge.backtest.tunables import Tunable
    from adjudge.backtest.tune import Tuned


@click.command("tune")
@click.argument("policy", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.argument("data", type=DataType())
@click.option("--max-review", type=ShareType(), help="At most this share of rows goes to review: 5%.")
@click.option("--max-miss", type=ShareType(), help="At most this share of labelled frauds passes: 2%.")
@click.option(
    "--max-turned-away",
    type=ShareType(),
    help="At most this share of labelled genuine ones is rejected.  [default: as many as today]",
)
@click.option("--review-cost", type=click.FloatRange(min=0), default=0.0, help="Of a row in review, in your money.")
@click.option("--miss-cost", type=click.FloatRange(min=0), default=0.0, help="Of a labelled fraud that passes.")
@click.option(
    "--turned-away-cost", type=click.FloatRange(min=0), default=0.0, help="Of a labelled genuine one that is rejected."
)
@click.option(
    "--threshold",
    "only",
    multiple=True,
    metavar="FIELD",
    help="Change numbers of this only: a field, the bands of a `scorecard`, `points`, or a place as this command tells"
    " it, such as 'scorecard row 3'; may be given several times.",
)
@click.option(
    "--keep",
    "kept",
    multiple=True,
    metavar="FIELD",
    help="Leave numbers of this as they are, named as in --threshold; may be given several times.",
)
@click.option(
    "--split",
    type=ShareType(),
    default="70%",
    show_default=True,
    help="The share of rows to learn from; the others judge.",
)
@click.option("--split-by", type=click.Choice(["time", "hash"]), default="time", show_default=True,
              help="Learn from the earliest rows, or from those that a hash of their id chooses.")  # fmt: skip
@click.option(
    "-o",
    "--output",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Write the policy with the new numbers here.",
)
@table_options
@slice_options
@format_option
@click.pass_obj
def command(
    settings: Settings,
    policy: Path,
    data: Data,
    max_review: Share | None,
    max_miss: Share | None,
    max_turned_away: Share | None,
    review_cost: float,
    miss_cost: float,
    turned_away_cost: float,
    only: tuple[str, ...],
    kept: tuple[str, ...],
    split: Share,
    split_by: str,
    output: Path | None,
    table: Table,
    wanted: Slice,
    form: str,
) -> int:
    """Find thresholds for a target, and show them as a change for a person to accept.

    They are found on the earlier rows of DATA and judged on the later ones. DATA is as in `adjudge backtest`, with
    times and labels. Exit status 1 where the rows that judge miss a target.
    """
    with extra("backtest"):
        from adjudge.backtest.goal import Goal
        from adjudge.backtest.report.data import slice_data
        from adjudge.backtest.tune import judged_by, rewritten, tune
    goal = Goal(
        max_review=max_review.share if max_review is not None else None,
        max_miss=max_miss.share if max_miss is not None else None,
        max_turned_away=max_turned_away.share if max_turned_away is not None else None,
        review_cost=review_cost,
        miss_cost=miss_cost,
        turned_away_cost=turned_away_cost,
    )
    if goal.max_review is None and goal.max_miss is None and not goal.has_costs:
        raise click.UsageError("say what is wanted: --max-review, --max-miss, or costs")
    check_folder(output)
    catalogue = settings.catalogue()
    loaded = Policy(read_policy_file(policy, catalogue), catalogue.overloads())
    with table.connected() as connection, table.opened(
        connection, settings.registry(), [loaded], data, wanted
    ) as datasets:  # fmt: skip
        progress = (lambda name: say(f"  looking at {name}", err=True)) if _is_seen() else None
        slot = segment_slot(loaded, wanted.by) if wanted.by is not None else None
        tuned = tune(
            connection,
            loaded,
            datasets[0],
            goal,
            only=only,
            kept=kept,
            split=split.share,
            by_hash=split_by == "hash",
            progress=progress,
        )
        judged = judged_by(connection, loaded, datasets[0], tuned, slot) if slot is not None else None
    old = loaded.typed.source.part(0)[0].text
    new = rewritten(loaded, tuned.values)
    diff = diff_text(old, new, str(policy), str(output or policy))
    targets = _targets(goal, tuned)
    if form == JSON:
        by = {"by": wanted.by, "segments": [_segment(*pair) for pair in judged]} if judged is not None else {}
        print_json({**_data(tuned, diff, targets), "absent": list(datasets[0].absent), **slice_data(datasets[0]), **by})
    else:
        if datasets[0].sliced is not None:
            say(f"slice {datasets[0].sliced}")
        say(*_text(tuned, goal, targets))
        if judged is not None:
            say("", *_by(str(wanted.by), judged))
        if datasets[0].absent:
            say(f"not in the data, so unknown on every row: {', '.join(datasets[0].absent)}")
        say("", *([] if diff else ["no change: the thresholds are already where they are best"]))
        print_exact(diff)
    if output is not None and diff:
        write_file(output, new)
        say(f"wrote {output}", err=form == JSON)
    return FINE if all(one.is_kept for one in targets) else FINDINGS


def _is_seen() -> bool:
    import sys

    return sys.stderr.isatty()


@frozen
class _Target:
    """A limit, and what came of it on the rows that nothing was learned from."""

    name: str
    limit: float
    reached: Ratio

    @property
    def is_kept(self) -> bool:
        return (self.reached.share or 0.0) <= self.limit

    def said(self) -> str:
        from adjudge.backtest.report.words import percent

        share, (low, high) = self.reached.share or 0.0, self.reached.interval or (0.0, 1.0)
        said = f"{self.name}: at most {percent(self.limit)} wanted, {percent(share)} reached on rows not learned from"
        said += f" (95% interval {percent(low)} to {percent(high)}): "
        if not self.is_kept:
            return f"{said}missed by {100 * (share - self.limit):.2f} points"
        return said + ("kept" if high <= self.limit else "kept, though so few rows leave room for more")

    def data(self) -> dict[str, Any]:
        missed = max(0.0, (self.reached.share or 0.0) - self.limit)
        return {"name": self.name, "limit": self.limit, "reached": self.reached.document(), "missed_by": missed}


def _targets(goal: Goal, tuned: Tuned) -> list[_Target]:
    """Return every limit with what came of it; that of the genuine ones turned away is today's unless given."""
    judged = tuned.then[1]
    today = tuned.now[1].turned_away.share or 0.0
    limits = {"review": (judged.review, goal.max_review), "miss": (judged.miss, goal.max_miss)}
    limits["turned away"] = (judged.turned_away, today if goal.max_turned_away is None else goal.max_turned_away)
    return [_Target(name, limit, one) for name, (one, limit) in limits.items() if limit is not None]


def _text(tuned: Tuned, goal: Goal, targets: Sequence[_Target]) -> Iterator[str]:
    from adjudge.backtest.report.words import percent

    def told(one: Ratio) -> str:
        low, high = one.interval or (0.0, 0.0)
        return f"{percent(one.share)} ({percent(low)}–{percent(high)})"

    if tuned.split is not None:
        yield f"learned from rows up to {tuned.split:%Y-%m-%d %H:%M}, judged on the later ones"
    else:
        yield f"learned from {tuned.now[0].review.of:,} rows that a hash chose, judged on the others"
    yield f"  {'':<14}{'learned from':>36}{'judged, with 95% interval':>50}"
    yield f"  {'':<14}{'now':>25}{'then':>25}{'now':>25}{'then':>25}"
    for name, title in _TOLD.items():
        cells = (getattr(one, name) for pair in zip(tuned.now, tuned.then, strict=True) for one in pair)
        yield f"  {title:<14}" + "".join(f"{told(one):>25}" for one in cells)
    if goal.has_costs:
        cells_ = (one.cost(goal) for pair in zip(tuned.now, tuned.then, strict=True) for one in pair)
        yield f"  {'cost':<14}" + "".join(f"{cost:>25,.2f}" for cost in cells_)
    yield from (f"  {one.said()}" for one in targets)
    frauds, genuine = tuned.now[1].miss.of, tuned.now[1].turned_away.of
    yield f"  the rows that judge have {frauds:,} labelled frauds and {genuine:,} genuine ones"
    yield ""
    yield "other trade-offs, on the rows learned from: review, frauds missed"
    for values, result in tuned.frontier:
        moved = [
            f"{_name(threshold, values)} {in_digits(value)}"
            for threshold, value in values.items()
            if value != threshold.value
        ]
        said = ", ".join(moved) or "as it is"
        yield f"  {percent(result.review.share):>8}{percent(result.miss.share):>9}  {said}"
    for threshold, why in tuned.fixed:
        yield f"left alone: {threshold.name}: {why}"


def _by(name: str, judged: Sequence[tuple[Segment, Segment]]) -> Iterator[str]:
    from adjudge.backtest.report.words import columns, percent, short

    def pair(now: Ratio, then: Ratio) -> str:
        return f"{percent(now.share)} → {percent(then.share)}"

    head = [f"judged, by {name}", "rows", "review", "reject", "frauds caught", "turned away"]
    rows = []
    for now, then in judged:
        cells = [now.title, f"{now.measures.rows:,}"]
        cells += [pair(*(one.measures.share(outcome) for one in (now, then)))
                  for outcome in (Outcome.REVIEW, Outcome.REJECT)]  # fmt: skip
        for what in ("caught", "turned_away"):
            cells.append(" → ".join(short(getattr(one.measures, what)) for one in (now, then)))
        rows.append(cells)
    yield from columns([head, *rows])


def _segment(now: Segment, then: Segment) -> dict[str, Any]:
    from adjudge.backtest.report.data import segment_data

    return {"value": now.value, "others": now.others, "now": segment_data(now), "then": segment_data(then)}


_TOLD = {"review": "review", "reject": "reject", "miss": "frauds missed", "turned_away": "turned away"}


def _name(threshold: Tunable, among: Iterable[Tunable]) -> str:
    """Return a threshold's name, with its place where another one reads the same field."""
    if threshold.operator == "adds":
        return f"{threshold.where} adds"
    if threshold.where.startswith("threshold:"):
        return f"{threshold.where.removeprefix('threshold:')} {threshold.operator}"
    if threshold.where.startswith(f"{threshold.slot}:"):
        return f"{threshold.where} {threshold.operator}"
    place = f"{threshold.where}: " if sum(one.slot == threshold.slot for one in among) > 1 else ""
    return f"{place}{threshold.slot} {threshold.operator}"


def _data(tuned: Tuned, diff: str, targets: Sequence[_Target]) -> dict[str, Any]:
    def results(pair: tuple[Any, Any]) -> dict[str, Any]:
        return {when: _result(one) for when, one in zip(("learned", "judged"), pair, strict=True)}

    return {
        "split": tuned.split.isoformat() if tuned.split is not None else None,
        "met": {one.name: one.is_kept for one in targets},
        "targets": [one.data() for one in targets],
        "thresholds": [{**_threshold(threshold), "value": value} for threshold, value in tuned.values.items()],
        "now": results(tuned.now),
        "then": results(tuned.then),
        "frontier": [
            {
                "thresholds": [{**_threshold(threshold), "value": value} for threshold, value in values.items()],
                **_result(result),
            }
            for values, result in tuned.frontier
        ],
        "left_alone": [{**_threshold(threshold), "why": why} for threshold, why in tuned.fixed],
        "diff": diff,
    }


def _threshold(threshold: Tunable) -> dict[str, Any]:
    return {"where": threshold.where, "field": threshold.slot, "operator": threshold.operator, "was": threshold.value}


def _result(result: Any) -> dict[str, Any]:
    return {name: getattr(result, name).document() for name in _TOLD}
