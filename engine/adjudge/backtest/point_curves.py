"""What other points of a row would do, at every number at once: one pass over the data, for several rows.

Where a row is true, its points move the total, and where it is unknown one end of it. So rows of the data are counted
by their totals and by what else makes their outcome; those on which the row of points is false stay as they are.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

from adjudge.backtest.band_curves import Group
from adjudge.backtest.curves import LABELS, Setting
from adjudge.backtest.dataset import Dataset
from adjudge.backtest.query import rows_of
from adjudge.backtest.translated import Translated, answered
from adjudge.backtest.tunable_points import TunablePoints
from adjudge.model import OUTCOMES, Outcome
from adjudge.policy.policy import Policy
from adjudge.policy.typed import Scorecard

if TYPE_CHECKING:
    import duckdb


def point_curves(
    connection: duckdb.DuckDBPyConnection,
    policy: Policy,
    dataset: Dataset,
    wanted: Mapping[TunablePoints, Sequence[float]],
) -> dict[TunablePoints, tuple[Setting, ...]]:
    """Return the curves of some rows of one scorecard, each as if its points alone were turned.

    wanted: at which points. What a row adds now is what it adds in `policy`.
    """
    (name,) = {one.card for one in wanted}
    card = policy.typed.scorecards[name]
    standing = {one: card.rows[one.number].points for one in wanted}
    farthest = max(abs(points - standing[one]) for one, tried in wanted.items() for points in tried)
    found = _groups(connection, policy, dataset, card, list(wanted), round(farthest))
    return {one: tuple(_settings(card, found[at], standing[one], sorted(wanted[one]))) for at, one in enumerate(wanted)}


class _Moved(NamedTuple):
    """Rows of the data that are alike. is_true: whether the row of points is true there; else it is unknown."""

    is_true: bool
    group: Group


class _Found(NamedTuple):
    """The rows of the data by a row of points: on which it is false, by label and outcome with weights, and others."""

    still: list[tuple[str | None, Outcome, int, float]]
    moved: list[_Moved]


def _groups(
    connection: duckdb.DuckDBPyConnection,
    policy: Policy,
    dataset: Dataset,
    card: Scorecard,
    rows: Sequence[TunablePoints],
    farthest: int,
) -> Sequence[_Found]:
    """Count the rows of the data by each row of points. farthest: by how many points a total may be moved."""
    base = Translated(connection, policy, dataset, "n")
    bounds = [bound for bound in (card.review, card.reject) if bound is not None]
    low, high = min(bounds, default=0) - farthest - 1, max(bounds, default=0) + farthest  # what is beyond is all alike
    size = high - low + 1

    def query() -> str:
        sql = base.sql
        (own,) = (one for one in sql.cards if one.card.name == card.name)
        rest = ", ".join([sql.rules_outcome, *(one.outcome for one in sql.cards if one is not own)])
        columns = {
            "least": f"least(greatest({own.low}, {low}), {high})::bigint - {low}",
            "most": f"least(greatest({own.high}, {low}), {high})::bigint - {low}",
            "rest": f"greatest({rest})",
            "doubt": own.doubt,
            "excused": f"coalesce({own.excuse}, false)::int",
            "outcome": sql.outcome,
            "told": f"case {dataset.label()} when 'fraud' then 1 when 'genuine' then 2 else 0 end",
            "weight": dataset.weight(),
        }
        answers = [f"{sql.prefix}c{own.first + one.number}" for one in rows]
        more = [f"{columns.pop(name)} as {name}" for name in ("told", "weight")]
        named = ", ".join([*(f"{text} as {name}" for name, text in columns.items()), "told", "weight", *answers])
        inner = f"(select {named} from {rows_of(dataset.relation, (sql,), more, worked=dataset.worked)})"
        alike = f"((((least * {size} + most) * 3 + rest) * 3 + doubt) * 2 + excused) * 3 + told"
        keys = [
            f"case when {answer} is false then -1 - (3 * outcome + told) else 2 * ({alike}) + ({answer} is null)::int"
            f" end as k{at}"
            for at, answer in enumerate(answers)
        ]
        weight = "sum(weight)" if dataset.is_sampled else "count(*)"
        sets = ", ".join(f"(k{at})" for at in range(len(rows)))
        said = ", ".join(f"k{at}" for at in range(len(rows)))
        return (
            f"select count(*), {weight}, {said} from (select weight, {', '.join(keys)} from {inner})"
            f" group by grouping sets ({sets})"
        )

    found = [_Found([], []) for _ in rows]
    for count, weight, *keys in answered(connection, query, [base]):
        ((at, key),) = ((at, key) for at, key in enumerate(keys) if key is not None)  # of each set, its own
        if key < 0:
            outcome, told = divmod(-1 - key, 3)
            found[at].still.append((LABELS[told], OUTCOMES[outcome], count, weight))
            continue
        alike, is_unknown = divmod(key, 2)
        alike, told = divmod(alike, 3)
        alike, excused = divmod(alike, 2)
        alike, doubt = divmod(alike, 3)
        alike, rest = divmod(alike, 3)
        least, most = divmod(alike, size)
        group = Group(rest, least + low, most + low, doubt, bool(excused), LABELS[told], count, weight)
        found[at].moved.append(_Moved(not is_unknown, group))
    return found


def _settings(card: Scorecard, found: _Found, standing: int, points: Sequence[float]) -> Iterator[Setting]:
    """Yield what becomes of the rows of the data at each of some points, ascending. standing: those of now."""
    counts: Counter[tuple[str | None, Outcome]] = Counter()
    weights: defaultdict[tuple[str | None, Outcome], float] = defaultdict(float)

    def put(label: str | None, outcome: Outcome, rows: int, weight: float) -> None:
        counts[label, outcome] += rows
        weights[label, outcome] += weight

    for told in found.still:
        put(*told)
    shifts = [round(one) - standing for one in points]
    changes: defaultdict[int, list[tuple[Group, Outcome, Outcome]]] = defaultdict(list)
    for is_true, group in found.moved:
        moves = (is_true or standing < 0, is_true or standing > 0)  # the least total, the greatest
        before = _outcome(card, group, shifts[0], moves)
        put(group.label, before, group.rows, group.weight)
        for place in _places(card, group, shifts, moves):
            after = _outcome(card, group, shifts[place], moves)
            if after is not before:
                changes[place].append((group, before, after))
                before = after
    for at, value in enumerate(points):
        for group, before, after in changes[at]:
            put(group.label, before, -group.rows, -group.weight)
            put(group.label, after, group.rows, group.weight)
        held_by = {key: rows for key, rows in counts.items() if rows}
        yield Setting(value, held_by, {key: weights[key] for key in held_by})


def _places(card: Scorecard, group: Group, shifts: Sequence[int], moves: tuple[bool, bool]) -> Sequence[int]:
    """Return the places of the shifts at which an end of the total may come into another band, ascending."""
    bounds = [bound for bound in (card.review, card.reject) if bound is not None]
    ends = [end for end, is_moved in zip((group.low, group.high), moves, strict=True) if is_moved]
    places = {bisect_left(shifts, bound - end) for bound in bounds for end in ends}
    return sorted(place for place in places if 0 < place < len(shifts))


def _outcome(card: Scorecard, group: Group, shift: int, moves: tuple[bool, bool]) -> Outcome:
    low, high = (end + shift * is_moved for end, is_moved in zip((group.low, group.high), moves, strict=True))
    return group._replace(low=low, high=high).outcome(card.review, card.reject)
