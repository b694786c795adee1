"""A slice of a table: the same rows for every policy, counted, and the rest left out where the table is read."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC
from typing import TYPE_CHECKING

from adjudge.backtest.columns import DataError
from adjudge.backtest.dataset import Dataset
from adjudge.backtest.translated import Translated, answered
from adjudge.model import Outcome
from adjudge.policy.asked import asked
from adjudge.policy.policy import Policy
from adjudge.policy.slices import Slice, Sliced
from adjudge.policy.typed import Rule

if TYPE_CHECKING:
    from datetime import datetime

    import duckdb

_KEPT = "adjudge_kept"


def sliced(
    connection: duckdb.DuckDBPyConnection, datasets: Sequence[Dataset], policy: Policy, wanted: Slice
) -> list[Dataset]:
    """Return datasets of the rows that are wanted. Raises DataError, and PolicyErrors for the condition.

    datasets: the same table as each policy reads it; the condition reads it as the first one, `policy`, does.
    """
    if wanted.is_all:
        return list(datasets)
    dataset = datasets[0]
    at = dataset.roles.get("at")
    if wanted.has_times and at is None:
        raise DataError(
            f"{dataset.path}: has no times, which --since and --until need", "map a column: --map at=COLUMN"
        )
    where = _where(connection, dataset, policy, wanted.where) if wanted.where is not None else None
    within = [f"{at} {sign} {_moment(end)}" for sign, end in ((">=", wanted.since), ("<", wanted.until)) if end]
    timed, untimed = " and ".join(within) or "true", f"{at} is null" if within else "false"

    def rows_with(columns: str) -> str:
        """Return a select of columns, of which `holds` may be one, from the rows with what the condition reads."""
        return f"(select {columns} from {where.sql.over(dataset.relation) if where is not None else dataset.relation})"

    def holds() -> str:
        return where.sql.conditions[0] if where is not None else "true"

    def query() -> str:
        told = rows_with(f"{timed} as timed, {holds()} as holds, {untimed} as untimed")
        tests = ("timed and holds", "timed and holds is null", "untimed")
        counts = ", ".join(f"coalesce(count_if({test}), 0)" for test in tests)  # of NULL alone it is NULL
        return f"select count(*), {counts} from {told}"

    ((of, rows, unknown, missing),) = answered(connection, query, [where] if where is not None else [])
    found = Sliced(said=str(wanted), rows=rows, of=of, unknown=unknown, untimed=missing)
    hidden = [_KEPT, *(where.sql.steps if where is not None else ())]  # steps are worked out anew for the policies
    chosen = rows_with(f"*, {timed} and {holds()} as {_KEPT}")
    kept = f"(select * exclude ({', '.join(hidden)}) from {chosen} where {_KEPT})"
    return [replace(one, relation=kept, sliced=found) for one in datasets]


def _where(connection: duckdb.DuckDBPyConnection, dataset: Dataset, policy: Policy, text: str) -> Translated:
    """Return a condition in SQL: a policy of one rule, so that what SQL cannot say goes where it goes for all rules."""
    node = asked(policy, text, "--where")
    rule = Rule(id="where", condition=node, outcome=Outcome.REVIEW, reason="WHERE", span=node.span)
    alone = replace(policy.typed, rules=(rule,), scorecards={}, excuses=())
    return Translated(connection, Policy(alone, policy.functions), dataset, "where_")


def _moment(at: datetime) -> str:
    """Return a moment as the database has it: in UTC, without a zone."""
    return f"timestamp '{at.astimezone(UTC).replace(tzinfo=None).isoformat(sep=' ')}'"
