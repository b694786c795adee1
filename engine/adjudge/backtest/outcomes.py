"""What a policy makes of rows as it stands, by their labels."""

from __future__ import annotations

from collections import Counter, defaultdict
from typing import TYPE_CHECKING

from adjudge.backtest.curves import LABELS, Setting
from adjudge.backtest.dataset import Dataset
from adjudge.backtest.query import rows_of
from adjudge.backtest.translated import Translated, answered
from adjudge.model import OUTCOMES, Outcome
from adjudge.policy.policy import Policy

if TYPE_CHECKING:
    import duckdb


def outcomes(connection: duckdb.DuckDBPyConnection, policy: Policy, dataset: Dataset, where: str = "true") -> Setting:
    """Return what becomes of all rows. where: which rows count."""
    base = Translated(connection, policy, dataset, "n")

    def query() -> str:
        more = [f"{dataset.label()} as label", f"{dataset.weight()} as weight"]
        chosen = f"(select * from {dataset.relation} where {where})"
        rows = rows_of(chosen, (base.sql,), more, worked=dataset.worked)
        weight = "sum(weight)" if dataset.is_sampled else "count(*)"
        counted = f"(select label, weight, {base.sql.outcome} as outcome from {rows})"
        return f"select label, outcome, count(*), {weight} from {counted} group by label, outcome"

    counts: Counter[tuple[str | None, Outcome]] = Counter()
    weights: defaultdict[tuple[str | None, Outcome], float] = defaultdict(float)
    for label, outcome, rows, weight in answered(connection, query, [base]):
        kind = label if label in LABELS else None, OUTCOMES[outcome]
        counts[kind] += rows
        weights[kind] += weight
    return Setting(0.0, dict(counts), dict(weights))
