"""What turning a band would do, at every total at once: one pass over the data, for all bands of a scorecard.

The totals of a row do not hang on where bands begin. So rows are counted by their totals and by what else makes their
outcome, and each band is turned over these counts.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

from adjudge.backtest.curves import LABELS, Setting
from adjudge.backtest.dataset import Dataset
from adjudge.backtest.query import rows_of
from adjudge.backtest.translated import Translated, answered
from adjudge.backtest.tunable_bands import TunableBand
from adjudge.model import OUTCOMES, Outcome
from adjudge.policy.policy import Policy
from adjudge.policy.typed import Scorecard

if TYPE_CHECKING:
    import duckdb


def band_curves(
    connection: duckdb.DuckDBPyConnection,
    policy: Policy,
    dataset: Dataset,
    wanted: Mapping[TunableBand, Sequence[float]],
) -> dict[TunableBand, tuple[Setting, ...]]:
    """Return the curves of some bands of one scorecard, each as if it alone were turned. wanted: at which totals."""
    (name,) = {band.card for band in wanted}
    card = policy.typed.scorecards[name]
    groups = _groups(connection, policy, dataset, name)
    return {band: tuple(_settings(card, band.band, groups, sorted(values))) for band, values in wanted.items()}


class Group(NamedTuple):
    """Rows that are alike. low, high: the totals that are certain and possible. doubt: what one about it is worth.

    rest: the severity of all else in the policy. excused: whether an excuse makes a pass of the card's review.
    """

    rest: int
    low: int
    high: int
    doubt: int
    excused: bool
    label: str | None
    rows: int
    weight: float

    def outcome(self, review: float | None, reject: float | None) -> Outcome:
        """Return the outcome where the bands begin at these totals."""

        def severity(total: int) -> int:
            if reject is not None and total >= reject:
                return Outcome.REJECT.severity
            is_review = review is not None and total >= review and not self.excused
            return Outcome.REVIEW.severity if is_review else Outcome.PASS.severity

        return OUTCOMES[max(self.rest, severity(self.low), min(severity(self.high), self.doubt))]


def _groups(connection: duckdb.DuckDBPyConnection, policy: Policy, dataset: Dataset, name: str) -> list[Group]:
    base = Translated(connection, policy, dataset, "n")

    def query() -> str:
        sql = base.sql
        (card,) = (one for one in sql.cards if one.card.name == name)
        rest = ", ".join([sql.rules_outcome, *(one.outcome for one in sql.cards if one is not card)])
        rows = rows_of(
            dataset.relation,
            (sql,),
            [f"{dataset.label()} as label", f"{dataset.weight()} as weight"],
            worked=dataset.worked,
        )
        columns = {
            "rest": f"greatest({rest})",
            "least": card.low,
            "most": card.high,
            "doubt": card.doubt,
            "excused": f"coalesce({card.excuse}, false)",
        }
        keys = ", ".join(f"{text} as {key}" for key, text in columns.items())
        weight = "sum(weight)" if dataset.is_sampled else "count(*)"
        grouped = ", ".join([*columns, "label"])
        counted = f"(select {keys}, label, weight from {rows})"
        return f"select {grouped}, count(*), {weight} from {counted} group by {grouped}"

    return [
        Group(rest, low, high, doubt, excused, label if label in LABELS else None, rows, weight)
        for rest, low, high, doubt, excused, label, rows, weight in answered(connection, query, [base])
    ]


def _settings(card: Scorecard, band: Outcome, groups: Sequence[Group], totals: Sequence[float]) -> Iterator[Setting]:
    """Yield what becomes of rows where a band begins at each of some totals, ascending."""
    counts: Counter[tuple[str | None, Outcome]] = Counter()
    weights: defaultdict[tuple[str | None, Outcome], float] = defaultdict(float)
    moving: defaultdict[int, list[tuple[Group, Outcome, Outcome]]] = defaultdict(list)
    for group in groups:
        reached, possible, missed = (
            group.outcome(
                at if band is Outcome.REVIEW else card.review,
                at if band is Outcome.REJECT else card.reject,
            )
            for at in (group.low, group.high, group.high + 1)
        )
        counts[group.label, reached] += group.rows
        weights[group.label, reached] += group.weight
        moving[bisect_right(totals, group.low)].append((group, reached, possible))
        moving[bisect_right(totals, group.high)].append((group, possible, missed))
    for at, total in enumerate(totals):
        for group, before, after in moving[at]:
            counts[group.label, before] -= group.rows
            counts[group.label, after] += group.rows
            weights[group.label, before] -= group.weight
            weights[group.label, after] += group.weight
        held_by = {key: rows for key, rows in counts.items() if rows}
        yield Setting(total, held_by, {key: weights[key] for key in held_by})
