"""Thresholds, bands and points for a target, found on the earlier part of labelled data and judged on the later one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING

from adjudge.backtest.columns import DataError
from adjudge.backtest.dataset import Dataset
from adjudge.backtest.duck import first
from adjudge.backtest.goal import Goal, Result
from adjudge.backtest.outcomes import outcomes
from adjudge.backtest.run import Runner
from adjudge.backtest.search import Progress, Search
from adjudge.backtest.segments import Segment, segments
from adjudge.backtest.settled import settled
from adjudge.backtest.tunable_thresholds import TunableThreshold
from adjudge.backtest.tunables import Tunable, is_named, tunables, with_numbers
from adjudge.errors import did_you_mean
from adjudge.frozen import frozen
from adjudge.policy.policy import Policy
from adjudge.texts import in_digits

if TYPE_CHECKING:
    import duckdb


@frozen(kw_only=True)
class Tuned:
    """What a tuning found.

    values: of each threshold that moves. split: rows up to it were learned from, the others judged; None where a hash
    chose them. unseen: SQL of the rows that judged. now, then: the
    policy as it stands and as it would be, each on what was learned from and on what was judged.
    frontier: what else could be had, on what was learned from: review share against miss rate, best first.
    fixed: thresholds that were left alone, with the reason.
    """

    values: Mapping[Tunable, float]
    split: datetime | None
    unseen: str
    now: tuple[Result, Result]
    then: tuple[Result, Result]
    frontier: tuple[tuple[Mapping[Tunable, float], Result], ...]
    fixed: tuple[tuple[Tunable, str], ...] = ()
    policy: Policy


def tune(
    connection: duckdb.DuckDBPyConnection,
    policy: Policy,
    dataset: Dataset,
    goal: Goal,
    *,
    only: Sequence[str] = (),
    kept: Sequence[str] = (),
    split: float = 0.7,
    by_hash: bool = False,
    progress: Progress | None = None,
) -> Tuned:
    """Find thresholds, bands and points. split: the share of rows that are learned from.

    only: of these alone, and kept: of these none, each a field, the label of a scorecard for its bands, `points`, or
    the place of one of them, as it is told: `scorecard row 3`.
    by_hash: choose these by a hash of their id, in place of the earliest.
    Raises DataError where there are no times, no labels on both sides of the split, or no such thresholds.
    """
    _, unseen, moment = _split(connection, dataset, split, by_hash=by_hash)
    thresholds, fixed = _free(policy, dataset, only, kept)
    dataset = settled(connection, policy, dataset)  # it is asked a hundred questions
    earlier, later, _ = _split(connection, dataset, split, by_hash=by_hash)
    search = Search(connection, policy, dataset, goal, thresholds, earlier)
    values = search.run(progress)
    tuned = with_numbers(policy, values)
    judged = [Result.of(outcomes(connection, one, dataset, where=later)) for one in (policy, tuned)]
    return Tuned(
        values={threshold: value for threshold, value in values.items() if value != threshold.value},
        split=moment,
        unseen=unseen,
        now=(search.first, judged[0]),
        then=(search.best, judged[1]),
        frontier=search.frontier,
        fixed=fixed,
        policy=tuned,
    )


def judged_by(
    connection: duckdb.DuckDBPyConnection, policy: Policy, dataset: Dataset, tuned: Tuned, slot: str
) -> list[tuple[Segment, Segment]]:
    """Return what the policy does now, and then, on the rows that judge, by the values of a field."""
    judging = replace(dataset, relation=f"(select * from {dataset.relation} where {tuned.unseen})")
    both = (Runner(connection, policy, judging, "n_"), Runner(connection, tuned.policy, judging, "t_"))
    now, then = (segments(runner, judging, slot) for runner in both)
    return list(zip(now, then, strict=True))


def _split(
    connection: duckdb.DuckDBPyConnection, dataset: Dataset, share: float, *, by_hash: bool
) -> tuple[str, str, datetime | None]:
    """Return SQL of the rows to learn from and of those that judge, and the time between them."""
    at = dataset.roles.get("at")
    if "label" not in dataset.roles or (at is None and not by_hash):
        missing = "no labels" if "label" not in dataset.roles else "no times"
        hint = "map a column to `at` and one to `label`; in a log, `adjudge audit label` writes labels"
        hint = "map a column to `at`, or split the rows by a hash: --split-by hash" if missing == "no times" else hint
        raise DataError(f"{dataset.path}: has {missing}, and tuning needs both", hint)
    moment: datetime | None = None
    if by_hash:
        read = [column for slot, column in dataset.columns.items() if not dataset.lacks(slot)]
        told = dataset.roles.get("id") or f"concat_ws('|', {', '.join(f'({one})::varchar' for one in read)})"
        place = f"md5_number_lower(coalesce({told}, '')) % 10000"  # the same rows, however they are ordered
        earlier, later = f"{place} < {round(share * 10000)}", f"{place} >= {round(share * 10000)}"
        named = ("that are learned from", "that judge")
    else:
        (moment,) = first(connection, f"select quantile_disc({at}, {share!r}) from {dataset.relation}")
        if moment is None:
            raise DataError(f"{dataset.path}: has no rows")
        earlier, later = (f"{at} {sign} timestamp '{moment.isoformat(sep=' ')}'" for sign in ("<=", ">"))
        named = (f"before {moment:%Y-%m-%d %H:%M}, the split", f"after {moment:%Y-%m-%d %H:%M}, the split")
    for where, said in zip((earlier, later), named, strict=True):
        (frauds,) = first(
            connection, f"select count(*) from {dataset.relation} where {where} and {dataset.label()} = 'fraud'"
        )
        if not frauds:
            raise DataError(f"{dataset.path}: has no row labelled fraud {said}")
    return earlier, later, moment


def _free(
    policy: Policy, dataset: Dataset, only: Sequence[str], kept: Sequence[str] = ()
) -> tuple[tuple[Tunable, ...], tuple[tuple[Tunable, str], ...]]:
    """Return the numbers that can be turned, and those that are left alone."""
    free: list[Tunable] = []
    fixed: list[tuple[Tunable, str]] = []
    every = tunables(policy.typed)
    for name in (*only, *kept):
        if not any(is_named(one, [name]) for one in every):
            names = sorted({one.slot for one in every})
            hint = did_you_mean(name, names) or f"it has those of {', '.join(names)}" if names else None
            raise DataError(f"the policy {policy.name} has no threshold of {name}", hint)
    for threshold in every:
        if (only and not is_named(threshold, only)) or is_named(threshold, kept):
            fixed.append((threshold, "not asked for" if not is_named(threshold, kept) else "is to be kept"))
        elif isinstance(threshold, TunableThreshold) and dataset.lacks(threshold.slot):
            fixed.append((threshold, "the data has no such field"))
        elif not is_written(policy, threshold):
            source, own = (policy.typed.source.part(at)[0] for at in (threshold.span.start, 0))
            fixed.append((threshold, "is not written as a number" if source is own else f"stands in {source.name}"))
        else:
            free.append(threshold)
    if not free:
        names = sorted({f"{threshold.slot} ({why})" for threshold, why in fixed})
        raise DataError(
            f"the policy {policy.name} has no threshold of {', '.join(only)}" if only else
            f"the policy {policy.name} has no thresholds to turn",
            f"it has some of: {', '.join(names)}" if names else None,
        )  # fmt: skip
    return tuple(free), tuple(fixed)


def is_written(policy: Policy, threshold: Tunable) -> bool:
    """Whether a threshold stands as a plain number in the policy's own file."""
    source, start = policy.typed.source.part(threshold.span.start)
    own = policy.typed.source.part(0)[0]
    try:
        return (
            source is own
            and float(own.text[start : start + threshold.span.end - threshold.span.start]) == threshold.value
        )
    except ValueError:
        return False


def rewritten(policy: Policy, values: Mapping[Tunable, float]) -> str:
    """Return the policy's own text with other numbers in it."""
    text = policy.typed.source.part(0)[0].text
    for threshold in sorted(values, key=lambda one: -one.span.start):
        start = policy.typed.source.part(threshold.span.start)[1]
        text = text[:start] + in_digits(values[threshold]) + text[start + threshold.span.end - threshold.span.start :]
    return text
