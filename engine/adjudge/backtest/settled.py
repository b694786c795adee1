"""A dataset with what a policy's conditions are on each row beside it: worked out once, for many questions in a row."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import count
from typing import TYPE_CHECKING

from adjudge.backtest.dataset import Dataset
from adjudge.backtest.duck import QueryFailed, executed, first, in_order
from adjudge.backtest.install import install
from adjudge.backtest.query import PolicySql, is_column, policy_sql
from adjudge.expr.sql.steps import Steps, worked_out
from adjudge.policy.policy import Policy

if TYPE_CHECKING:
    import duckdb

CELLS_MAX = 400_000_000
"""So many values are kept; of more, each question works out its own."""
_NUMBERS: Iterator[int] = count()


def settled(connection: duckdb.DuckDBPyConnection, policy: Policy, dataset: Dataset) -> Dataset:
    """Return the dataset as a table of its own: slots, roles and conditions, which a policy much like this one shares.

    Where that is too much, or the database refuses it, the dataset is returned as it is.
    """
    (found,) = settled_together(connection, [policy], [dataset])
    return found


def settled_together(
    connection: duckdb.DuckDBPyConnection, policies: Sequence[Policy], datasets: Sequence[Dataset]
) -> list[Dataset]:
    """Return datasets as one table, so that each policy finds in it what another reads. See `settled`.

    datasets: the same rows, as each policy reads them.
    """
    steps, found, worked = Steps(), list[Dataset](), set[str]()
    sqls = [
        policy_sql(policy, dataset.columns, known=dataset.known, refused=dataset.refused)
        for policy, dataset in zip(policies, datasets, strict=True)
    ]
    for sql, dataset in zip(sqls, datasets, strict=True):
        steps.made.update(sql.steps)
        columns = {slot: text if _stays(text) else steps.column(text) for slot, text in dataset.columns.items()}
        roles = {role: steps.column(text) for role, text in dataset.roles.items()}
        worked |= _read_by(sql, steps) | ({*columns.values(), *roles.values()} & steps.made.keys())
        found.append(replace(dataset, columns=columns, roles=roles))
    bare = dict.fromkeys(text for one in datasets for text in one.columns.values() if is_column(text))
    kept = [*bare, *sorted(worked)]
    rows = datasets[0].relation
    try:
        for sql, dataset in zip(sqls, datasets, strict=True):
            install(connection, sql, dataset)
        relation = _table(connection, rows, len(kept), kept, worked_out(rows, steps.made))
    except QueryFailed:
        return list(datasets)
    if relation is None:
        return list(datasets)
    return [replace(one, relation=relation, worked=frozenset(worked)) for one in found]


def _read_by(sql: PolicySql, steps: Steps) -> set[str]:
    """Return the conditions, and what they read: other conditions on the same read that, and little beyond it."""
    own = {text for text in sql.conditions if text in steps.made}
    return own | {name for text in own for name in steps.named_in(text)}


def chosen(connection: duckdb.DuckDBPyConnection, dataset: Dataset, where: str, steps: Mapping[str, str]) -> Dataset:
    """Return some rows of a settled dataset as a table of their own, with further steps that read its columns."""
    rows = f"(select * from {dataset.relation} where {where})"
    plain = replace(dataset, relation=rows)
    if not dataset.worked:
        return plain
    more = [f"{text} as {name}" for name, text in steps.items()]
    try:
        relation = _table(connection, dataset.relation, len(dataset.worked) + len(more), ["*", *more], rows)
    except QueryFailed:
        return plain
    return plain if relation is None else replace(dataset, relation=relation, worked=dataset.worked | steps.keys())


def _table(
    connection: duckdb.DuckDBPyConnection, relation: str, columns: int, kept: Sequence[str], rows: str
) -> str | None:
    """Make a table of some rows of a relation, and return its name; None where so many columns would be too much."""
    (every,) = first(connection, f"select count(*) from {relation}")
    if every * columns > CELLS_MAX:
        return None
    table = f"adjudge_settled_{next(_NUMBERS)}"
    with in_order(connection):
        executed(connection, f"create temp table {table} as select {', '.join(kept)} from {rows}")
    return table


def _stays(text: str) -> bool:
    """Whether a slot's expression needs no column of its own: it is one, or NULL on every row."""
    return is_column(text) or text.startswith("cast(null as ")
