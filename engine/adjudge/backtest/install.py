"""What the conditions of a policy need in a database before it is asked: its long lists, and the engine's answers."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any

from adjudge.backtest.answers import REMEMBERED_MAX
from adjudge.backtest.duck import QueryFailed, as_arrow, executed, is_made
from adjudge.backtest.query import Fallback, PolicySql
from adjudge.expr.sql.steps import needed, worked_out
from adjudge.policy.policy import Policy

if TYPE_CHECKING:
    from adjudge.backtest.dataset import Dataset


def install(connection: Any, sql: PolicySql, dataset: Dataset) -> None:
    """Give a database the long lists of a policy, and the functions of its fallbacks with what they will be asked."""
    for table, values in sql.lists.items():
        _fill(connection, table, values)
    for fallback in sql.fallbacks:
        define(connection, fallback, sql.policy, dataset)
        if not fallback.is_rare and fallback.slots and dataset.answers.is_new(fallback):
            with suppress(QueryFailed):  # then each is answered as it comes
                dataset.answers.answer_ahead(
                    fallback, sql.policy, sql.names[fallback.at], _combinations(connection, fallback, sql, dataset)
                )


def define(connection: Any, fallback: Fallback, policy: Policy, dataset: Dataset) -> None:
    """Give a database the function of a fallback."""
    import duckdb

    parts = ", ".join(f"s{at} {dataset.types[slot]}" for at, slot in enumerate(fallback.slots))
    parameter = f"STRUCT({parts})" if parts else "BOOLEAN"
    with suppress(duckdb.Error):  # of an earlier query, under the same name
        connection.remove_function(fallback.name)
    connection.create_function(
        fallback.name, dataset.answers.function(fallback, policy), [parameter], "BOOLEAN",
        type="arrow", null_handling="special", side_effects=True,
    )  # fmt: skip


def _combinations(connection: Any, fallback: Fallback, sql: PolicySql, dataset: Dataset) -> Any:
    """Return what a fallback will be asked on the rows of a dataset, as an Arrow table; of too much, some."""
    steps = {name: text for name, text in sql.steps.items() if name not in dataset.worked}
    rows = worked_out(dataset.relation, needed(steps, [fallback.argument]))
    return as_arrow(connection, f"select distinct {fallback.argument} from {rows} limit {REMEMBERED_MAX}")


def _fill(connection: Any, table: str, values: tuple[object, ...]) -> None:
    """Make a table of a list's values, once; one that is no Unicode is left out, since no column holds it."""
    import pyarrow as pa

    if is_made(connection, table):
        return
    texts = [text for text in map(str, values) if text.isascii() or text == text.encode(errors="ignore").decode()]
    connection.register("adjudge_values", pa.table({"value": pa.array(texts, pa.string())}))
    try:
        executed(connection, f"create temp table {table} as select value from adjudge_values")
    finally:
        connection.unregister("adjudge_values")
