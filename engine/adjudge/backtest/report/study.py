"""Everything that a report tells of one dataset: each policy's backtest, what moves between them, and plots."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import field
from typing import TYPE_CHECKING

from adjudge.backtest.curves import Histogram, Setting, curves, histogram, settings_for
from adjudge.backtest.dataset import Dataset
from adjudge.backtest.doubt import MainDoubt, main_doubt
from adjudge.backtest.duck import Progress
from adjudge.backtest.large_tables import collapsed
from adjudge.backtest.measures import Measures, measure
from adjudge.backtest.run import Backtest, Flow, Runner
from adjudge.backtest.segments import Segment, segments
from adjudge.backtest.settled import settled_together
from adjudge.backtest.tunable_thresholds import TunableThreshold, tunable_thresholds
from adjudge.frozen import frozen
from adjudge.model import Outcome
from adjudge.policy.policy import Policy
from adjudge.policy.slices import segment_slot

if TYPE_CHECKING:
    import duckdb

THRESHOLDS_MAX = 12
"""Curves are drawn of so many thresholds."""


@frozen
class Moves:
    """Rows by outcome before and after.

    before: a policy's title, or `as recorded`. rules, scorecard: what moves rows between policies, and how many.
    """

    before: str
    after: str
    rows: Flow
    rules: Mapping[str, int] = field(default_factory=dict)
    scorecard: Mapping[str, int] = field(default_factory=dict)


@frozen
class Plotted:
    """A field whose thresholds are shown: its values, and what each threshold would do elsewhere.

    others: the same threshold in the other policies that have it, by their titles.
    """

    histogram: Histogram
    curves: Mapping[TunableThreshold, Sequence[Setting]]
    others: Mapping[TunableThreshold, Mapping[str, Sequence[Setting]]] = field(default_factory=dict)

    @property
    def influence(self) -> float:
        """How far the thresholds move the share of rows that do not pass: the widest of them, 0 to 1."""
        return max((_width(settings) for settings in self.curves.values()), default=0.0)


@frozen(kw_only=True)
class Study:
    """One dataset under some policies, the first of which the others are held against.

    runners: as long as the database is open. doubts: the main cause of doubt in each policy, where there is one.
    by: the field whose values make `segments`, a set of them for each policy.
    plotted: fields with thresholds in the last policy, where plots were wanted; left_out: how many thresholds had none.
    """

    titles: Sequence[str]
    runners: Sequence[Runner]
    backtests: Sequence[Backtest]
    measures: Sequence[Measures]
    moves: Sequence[Moves]
    plotted: Sequence[Plotted] = ()
    left_out: int = 0
    doubts: Sequence[MainDoubt | None] = ()
    by: str | None = None
    segments: Sequence[Sequence[Segment]] = ()


def study(
    connection: duckdb.DuckDBPyConnection,
    policies: Sequence[tuple[str, Policy]],
    datasets: Sequence[Dataset],
    *,
    plots: bool = False,
    by: str | None = None,
    progress: Progress | None = None,
) -> Study:
    """Run policies over data. Raises DataError where `by` is no field whose values make segments.

    policies: with their titles. datasets: the same data, as each policy reads it. by: a field of the first policy.
    """
    slot = segment_slot(policies[0][1], by) if by is not None else None
    policies = [(title, collapsed(policy)) for title, policy in policies]
    if plots:  # each policy is asked many questions
        datasets = settled_together(connection, [policy for _, policy in policies], datasets)
    runners = [
        Runner(connection, policy, dataset, prefix=f"p{at}_")
        for at, ((_, policy), dataset) in enumerate(zip(policies, datasets, strict=True))
    ]
    titles = [title for title, _ in policies]
    steps = 2 * len(runners) + (1 if plots else 0)

    def part(at: int) -> Progress | None:
        return None if progress is None else lambda done: progress((at + done) / steps)

    backtests = [runner.backtest(part(at)) for at, runner in enumerate(runners)]
    moves = []
    if "outcome" in datasets[0].roles:
        moves += [Moves("as recorded", titles[0], runners[0].flow(progress=part(len(runners))))]
    for at, runner in enumerate(runners[1:], 1):
        rows = runner.flow(runners[0], part(len(runners) + at))
        is_moved = any(count and old is not new for (old, new), count in rows.items())
        moves.append(Moves(titles[0], titles[at], rows, *(runner.causes(runners[0]) if is_moved else ())))
    plotted: Sequence[Plotted] = ()
    left_out = 0
    if plots:
        plotted, left_out = _plots(connection, policies, datasets)
    return Study(
        titles=titles,
        runners=runners,
        backtests=backtests,
        measures=[measure(one.cells) for one in backtests],
        moves=moves,
        plotted=plotted,
        left_out=left_out,
        doubts=[main_doubt(one, one.dataset, found.cells) for one, found in zip(runners, backtests, strict=True)],
        by=by,
        segments=[
            segments(runner, runner.dataset, slot, runners[0] if at else None) for at, runner in enumerate(runners)
        ] if slot is not None else (),
    )  # fmt: skip


def _width(settings: Sequence[Setting]) -> float:
    shares = []
    for one in settings:
        every = sum(one.counts.values())
        stopped = sum(rows for (_, outcome), rows in one.counts.items() if outcome is not Outcome.PASS)
        shares.append(stopped / every if every else 0.0)
    return max(shares) - min(shares) if shares else 0.0


def _plots(
    connection: duckdb.DuckDBPyConnection, policies: Sequence[tuple[str, Policy]], datasets: Sequence[Dataset]
) -> tuple[tuple[Plotted, ...], int]:
    """Return the fields of the last policy's thresholds, those of the greatest influence first."""
    (_, policy), dataset = policies[-1], datasets[-1]
    thresholds = tunable_thresholds(policy.typed)
    slots = dict.fromkeys(one.slot for one in thresholds[:THRESHOLDS_MAX])
    shapes = {slot: histogram(connection, policy, dataset, slot) for slot in slots}
    wanted = {
        one: settings_for(one, shape)
        for one in thresholds[:THRESHOLDS_MAX]
        if (shape := shapes[one.slot]) is not None
    }  # fmt: skip
    own = curves(connection, policy, dataset, wanted)
    others: dict[TunableThreshold, dict[str, Sequence[Setting]]] = {one: {} for one in wanted}
    for (title, other), data in zip(policies[:-1], datasets[:-1], strict=True):
        twins = {twin: one for one in wanted if (twin := _twin(one, other)) is not None}
        theirs = curves(connection, other, data, {twin: wanted[one] for twin, one in twins.items()})
        for twin, one in twins.items():
            others[one][title] = theirs[twin]
    found = []
    for slot, shape in shapes.items():
        of = [one for one in wanted if one.slot == slot]
        if shape is not None:
            found.append(Plotted(shape, {one: own[one] for one in of}, {one: others[one] for one in of}))
    found.sort(key=lambda one: -one.influence)
    return tuple(found), max(0, len(thresholds) - THRESHOLDS_MAX)


def _twin(threshold: TunableThreshold, policy: Policy) -> TunableThreshold | None:
    """Return the threshold of another policy that stands where this one does."""
    own = (threshold.slot, threshold.operator, threshold.where)
    return next((one for one in tunable_thresholds(policy.typed) if (one.slot, one.operator, one.where) == own), None)
