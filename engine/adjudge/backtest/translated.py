"""A policy as SQL on one dataset; what the database turns out to refuse goes to the engine's own evaluator."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from adjudge.backtest.dataset import Dataset
from adjudge.backtest.duck import Progress, QueryFailed, fetched
from adjudge.backtest.install import install
from adjudge.backtest.query import PolicySql, policy_sql
from adjudge.expr.sql.steps import needed, worked_out
from adjudge.policy.policy import Policy

if TYPE_CHECKING:
    import duckdb


class Translated:
    """A policy in SQL, installed. What one finds that the database refuses, all on the same dataset know."""

    def __init__(
        self, connection: duckdb.DuckDBPyConnection, policy: Policy, dataset: Dataset, prefix: str = ""
    ) -> None:
        self._connection = connection
        self._policy = policy
        self._dataset = dataset
        self._prefix = prefix
        self.sql: PolicySql = self._installed()

    def _installed(self) -> PolicySql:
        of = self._dataset
        sql = policy_sql(self._policy, of.columns, prefix=self._prefix, known=of.known, refused=of.refused)
        install(self._connection, sql, of)
        return sql

    def gives_way(self) -> bool:
        """Look which conditions the database refuses, and leave them to Python; False if it refuses none."""
        before = len(self._dataset.refused)
        for text in self.sql.texts:
            if text not in self._dataset.refused:
                try:
                    there = self._dataset.worked
                    steps = {name: step for name, step in self.sql.steps.items() if name not in there}
                    rows = worked_out(self._dataset.relation, needed(steps, [text]))
                    fetched(self._connection, f"select count(condition) from (select {text} as condition from {rows})")
                except QueryFailed as error:
                    self._dataset.refused[text] = f"the database refuses it: {error.said}"
        self.sql = self._installed()
        return len(self._dataset.refused) > before


def answered(
    connection: Any, query: Callable[[], str], parts: Sequence[Translated], progress: Progress | None = None
) -> list[tuple[Any, ...]]:
    """Return the rows of a query over policies, asked again where one of its conditions is refused.

    query: makes the text anew from what `parts` are by then. Raises QueryFailed where that is not why it fails.
    """
    try:
        return fetched(connection, query(), progress)
    except QueryFailed:
        found = [part.gives_way() for part in parts]  # each of them, whatever the first finds
        if not any(found):
            raise
        return fetched(connection, query(), progress)
