"""What several policies make of the same rows, in one pass: each as it stands."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from typing import TYPE_CHECKING

from adjudge.backtest.curves import Setting
from adjudge.backtest.dataset import Dataset
from adjudge.backtest.translated import Translated, answered
from adjudge.backtest.turning import turned_rows
from adjudge.model import OUTCOMES, Outcome
from adjudge.policy.policy import Policy

if TYPE_CHECKING:
    import duckdb

_LABELS = (None, "fraud", "genuine")


def outcomes(
    connection: duckdb.DuckDBPyConnection,
    policy: Policy,
    dataset: Dataset,
    others: Sequence[tuple[float, Policy]] = (),
    where: str = "true",
) -> tuple[Setting, ...]:
    """Return what becomes of all rows by a policy, then by each of some that differ from it in few numbers.

    others: each with the number that it is for; that of the policy itself is 0. where: which rows count.
    """
    base = Translated(connection, policy, dataset, "n")
    parts = [Translated(connection, one, dataset, f"t{at}_") for at, (_, one) in enumerate(others)]

    def query() -> str:
        more = [f"{dataset.label()} as label", f"{dataset.weight()} as weight"]
        rows = turned_rows(
            f"(select * from {dataset.relation} where {where})", base.sql, [one.sql for one in parts], more,
            worked=dataset.worked,
        )  # fmt: skip
        label = "case label when 'fraud' then 1 when 'genuine' then 2 else 0 end"
        names = ["outcome", *(f"outcome_{at}" for at in range(len(parts)))]
        keys = ", ".join(f"(3 * {label} + {name})::int as k{at}" for at, name in enumerate(names))
        weight = "sum(weight)" if dataset.is_sampled else "count(*)"
        named, sets = (", ".join(form.format(at) for at in range(len(names))) for form in ("k{}", "(k{})"))
        counted = f"(select weight, {keys} from {rows})"
        return f"select count(*), {weight}, {named} from {counted} group by grouping sets ({sets})"

    counts: defaultdict[int, Counter[tuple[str | None, Outcome]]] = defaultdict(Counter)
    weights: defaultdict[int, defaultdict[tuple[str | None, Outcome], float]]
    weights = defaultdict(lambda: defaultdict(float))
    for rows, weight, *keys in answered(connection, query, [base, *parts]):
        ((at, key),) = ((at, key) for at, key in enumerate(keys) if key is not None)  # of each set, its own
        kind = _LABELS[key // 3], OUTCOMES[key % 3]
        counts[at][kind] += rows
        weights[at][kind] += weight
    numbers = [0.0, *(number for number, _ in others)]
    return tuple(Setting(number, dict(counts[at]), dict(weights[at])) for at, number in enumerate(numbers))
