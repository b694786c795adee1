"""Running a policy over a dataset: counts in one pass each, and single rows where they are asked for."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import date
from typing import TYPE_CHECKING, Any

from adjudge.audit.annotations import LABELS
from adjudge.backtest.dataset import Dataset
from adjudge.backtest.duck import Progress, QueryFailed, in_batches, in_order
from adjudge.backtest.large_tables import collapsed
from adjudge.backtest.moved import causes_query
from adjudge.backtest.query import PolicySql, as_columns, rows_of
from adjudge.backtest.totals import CardCounts, CardTotals, decides
from adjudge.backtest.translated import Translated, answered
from adjudge.frozen import frozen
from adjudge.model import OUTCOMES, Outcome
from adjudge.policy.policy import Policy
from adjudge.policy.typed import SCORECARD
from adjudge.policy.written_rows import written_rows

if TYPE_CHECKING:
    import duckdb

DECIDES = " decides"
"""Behind the name of a row of a scorecard: that its points decide in which band some total lies."""
OVERLAP_ROWS = 20_000
"""Of about so many rows the overlap of rules is told: of all, or of a sample."""
_CELL = 8
"""So many columns stand before those of the rules."""


@frozen(kw_only=True)
class VerdictCount:
    """Rows with the same day, label and verdict.

    day, label: None where the data has none. cost: the sum over `costed` rows, those whose cost is known.
    weight: how many rows the labels of these stand for, where passes were sampled; squared: the sum of the squares of
    each one's, which says how sure that is.
    """

    day: date | None
    label: str | None
    outcome: Outcome
    lower: Outcome
    upper: Outcome
    rows: int
    cost: float
    costed: int
    weight: float
    squared: float


@frozen(kw_only=True)
class RuleHits:
    """What became of one rule, of one band of the scorecard, or of an excuse, whose outcome is what it makes: pass.

    fraud, genuine: of the rows on which it was true, how many have the label.
    """

    id: str
    outcome: Outcome
    true: int
    unknown: int
    fraud: int
    genuine: int


@frozen(kw_only=True)
class Backtest:
    """What a policy made of a dataset.

    cells: counts by day, label and verdict. rules: in policy order, then the scorecards' bands, then excuses.
    overlap: of pairs of rules, on how many of `overlap_rows` rows both were true: all, or a sample.
    by_row: rules and rows of the scorecard that SQL could not answer, with the reason. cards: the scorecards.
    """

    policy: Policy
    dataset: Dataset
    rows: int
    cells: tuple[VerdictCount, ...]
    rules: tuple[RuleHits, ...]
    overlap: Mapping[tuple[str, str], int]
    overlap_rows: int
    by_row: tuple[tuple[str, str], ...] = ()
    cards: tuple[CardTotals, ...] = ()


@frozen(kw_only=True)
class Row:
    """The verdict on one row."""

    id: str | None
    outcome: Outcome
    lower: Outcome
    upper: Outcome
    matched: tuple[str, ...]
    unresolved: tuple[str, ...]
    score: tuple[int, int] | None
    scores: Mapping[str, tuple[int, int]]


Flow = Mapping[tuple[Outcome, Outcome], int]
"""Rows by their outcomes before and after."""


class Runner:
    """One policy on one dataset in one database."""

    def __init__(
        self, connection: duckdb.DuckDBPyConnection, policy: Policy, dataset: Dataset, prefix: str = ""
    ) -> None:
        """Translate the policy. prefix: of columns, another for each runner that `flow` is asked with."""
        policy = collapsed(policy)
        self.connection = connection
        self.policy = policy
        self.dataset = dataset
        self.translated = Translated(connection, policy, dataset, prefix)

    @property
    def sql(self) -> PolicySql:
        """The policy as it is asked."""
        return self.translated.sql

    def _answered(
        self, query: Callable[[], str], *others: Translated, progress: Progress | None = None
    ) -> list[tuple[Any, ...]]:
        return answered(self.connection, query, (self.translated, *others), progress)

    def relation(self, *more: str, rows: str = "", others: Sequence[PolicySql] = ()) -> str:
        """Return a select of the conditions' columns, and of what else is wanted of each row.

        rows: a relation of some rows of the data. others: policies whose columns are wanted too.
        """
        return rows_of(rows or self.dataset.relation, (*others, self.sql), more, worked=self.dataset.worked)

    def backtest(self, progress: Progress | None = None) -> Backtest:
        """Count, in one pass. Interrupted, it leaves nothing behind."""
        looked = [(rule.id, rule.outcome) for rule in self.policy.typed.rules]
        looked += [(name, outcome) for name, outcome, _, _ in (*self.sql.bands, *self.sql.excuses)]
        cells: list[VerdictCount] = []
        hits = {label: [0] * (2 * len(looked)) for label in (None, *LABELS)}
        cards = CardCounts(self.sql)
        rules_end = _CELL + 2 * len(looked)
        for row in self._answered(self._counts, progress=progress):
            cells.append(_cell(row))
            label, _, rows = row[1:4]
            cards.add(label, rows, row[rules_end:])
            counts = hits[label]
            for at, count in enumerate(row[_CELL:rules_end]):
                counts[at] += count
        total = sum(cell.rows for cell in cells)
        overlap, overlap_rows = self._overlap(total)
        return Backtest(
            policy=self.policy,
            dataset=self.dataset,
            rows=total,
            cells=tuple(cells),
            rules=tuple(
                RuleHits(
                    id=name,
                    outcome=outcome,
                    true=sum(counts[2 * at] for counts in hits.values()),
                    unknown=total - sum(counts[2 * at + 1] for counts in hits.values()),
                    fraud=hits["fraud"][2 * at],
                    genuine=hits["genuine"][2 * at],
                )
                for at, (name, outcome) in enumerate(looked)
            ),
            overlap=overlap,
            overlap_rows=overlap_rows,
            by_row=tuple(
                dict.fromkeys((self.sql.names[one.at], one.reason) for one in self.sql.fallbacks if not one.is_rare)
            ),
            cards=cards.found(),
        )

    def _counts(self) -> str:
        """Return a query for rows by day, label and verdict, and in each, how often a rule is true, and known."""
        keep = [f"{self.dataset.day()} as day", f"{self.dataset.label()} as label", f"{self.dataset.cost()} as cost"]
        sql, p = self.sql, self.sql.prefix
        keep += [*self._weight(), *as_columns(sql.alone())]
        verdict = f"9 * {sql.outcome} + 3 * {sql.lower} + {sql.upper}"
        rules = zip(range(len(sql.ids)), sql.known(), strict=False)
        counts = "".join(f", coalesce(count_if({p}c{at}), 0), {known}" for at, known in rules)
        counts += "".join(
            f", coalesce(count_if({is_true}), 0), coalesce(count_if({is_known}), 0)"
            for _, _, is_true, is_known in (*sql.bands, *sql.excuses)
        )
        cards = CardCounts(sql)
        counts += cards.aggregates()
        return (
            f"select day, label, verdict, count(*), coalesce(sum(cost), 0), count(cost), {self._weighed()}{counts} from"
            f" (select *, ({verdict})::utinyint as verdict{cards.columns()} from {self.relation(*keep)})"
            " group by day, label, verdict order by day, label, verdict"
        )

    def _weight(self) -> list[str]:
        """Return the column of what a row's label stands for, where that is not always the row itself."""
        return [f"{self.dataset.weight()} as weight"] if self.dataset.is_sampled else []

    def _weighed(self) -> str:
        """Return the sums of that, and of its squares."""
        return "sum(weight), sum(weight * weight)" if self.dataset.is_sampled else "count(*), count(*)"

    def deciding(self) -> frozenset[str]:
        """Return what has an effect on some row, by its name.

        That is a rule that is true on a row which has its outcome, a band that gives a row its outcome, and a row of a
        scorecard or an excuse that is true. A row of a scorecard without whose points the total would lie in another
        band is there once more, with DECIDES behind its name.
        """

        def bands() -> list[tuple[str, str]]:
            return [
                (name, f"bool_or({card.outcome} = {outcome.severity} and severity = {outcome.severity})")
                for card in self.sql.cards
                for name, outcome, _, _ in card.bands
            ]

        def rows() -> list[tuple[str, str]]:
            return [
                (f"scorecard {row.name}{DECIDES}", f"bool_or({decides(card, row)})")
                for card in self.sql.cards
                for row in written_rows(card.card)
            ]

        def query() -> str:
            sql = self.sql
            rules = zip(sql.ids, self.policy.typed.rules, strict=True)
            tests = [
                f"bool_or({sql.prefix}c{at} and severity = {rule.outcome.severity})"
                for at, (_, rule) in enumerate(rules)
            ]
            tests += [f"bool_or({sql.prefix}c{at})" for at in range(len(sql.ids), len(sql.names))]
            tests += [test for _, test in (*bands(), *rows())]
            return (
                f"select {', '.join(tests) or 'true'} from (select *, {sql.outcome} as severity from {self.relation()})"
            )

        ((*found,),) = self._answered(query)
        names = (*self.sql.names, *(name for name, _ in (*bands(), *rows())))  # of a row's steps, the row's
        return frozenset(name for name, decides in zip(names, found, strict=False) if decides)

    def totals_between(self, card: str, rows: str) -> tuple[int, int]:
        """Return the least and the greatest total that a scorecard has on some rows, a relation; 0 without rows."""

        def query() -> str:
            (sql,) = (one for one in self.sql.cards if one.card.name == card)
            return f"select min({sql.low}), max({sql.high}) from {self.relation(rows=rows)}"

        ((low, high),) = self._answered(query)
        return low or 0, high or 0

    def doubts(self, readers: Mapping[str, Sequence[int]]) -> dict[str, tuple[int, int]]:
        """Count for each slot the reviews that come from doubt about it, and the rows in which it is unknown.

        readers: the conditions that read a slot, by their numbers; one of them is in doubt where the doubt is about it.
        """
        p, slots = self.sql.prefix, list(readers)
        keep = [f"{self.dataset.columns[slot]} is null as {p}n{at}" for at, slot in enumerate(slots)]

        def query() -> str:
            sql = self.sql
            parts = []
            for at, slot in enumerate(slots):
                open_ = " or ".join(f"{p}c{number} is null" for number in readers[slot])
                parts += [f"coalesce(count_if(doubted and {p}n{at} and ({open_})), 0)", f"count_if({p}n{at})"]
            doubted = f"{sql.outcome} = 1 and {sql.lower} = 0"
            return f"select {', '.join(parts)} from (select *, {doubted} as doubted from {self.relation(*keep)})"

        ((*counts,),) = self._answered(query)
        return {slot: (counts[2 * at], counts[2 * at + 1]) for at, slot in enumerate(slots)}

    def cells_by(self, place: str, before: Runner | None) -> Iterator[tuple[int | None, VerdictCount, int, int]]:
        """Yield counts by an expression: its value, the counts, how many of them move, and of how many that is known.

        before: as `flow` takes it.
        """

        def query() -> str:
            other, keep, policies = self._before(before)
            keep += [f"{place} as place", f"{self.dataset.label()} as label", f"{self.dataset.cost()} as cost"]
            keep += self._weight()
            verdict = f"9 * {self.sql.outcome} + 3 * {self.sql.lower} + {self.sql.upper}"
            return (
                "select place, null, label, verdict, count(*), coalesce(sum(cost), 0), count(cost),"
                f" {self._weighed()}, coalesce(count_if(other <> outcome), 0), count(other) from"
                f" (select *, ({verdict})::utinyint as verdict, {other} as other, {self.sql.outcome} as outcome"
                f" from {self.relation(*keep, others=policies)}) group by place, label, verdict"
            )

        others = () if before is None else (before.translated,)
        for place_, *row, moved, told in self._answered(query, *others):
            yield place_, _cell(tuple(row)), moved, told

    def _before(self, before: Runner | None) -> tuple[str, list[str], list[PolicySql]]:
        """Return the outcome that rows had before, and the columns and the policy that it needs; see `flow`."""
        if before is not None:
            return before.sql.outcome, [], [before.sql]
        if "outcome" not in self.dataset.roles:
            return "null::int", [], []
        other = "case recorded when 'reject' then 2 when 'review' then 1 when 'pass' then 0 end"
        return other, [f"{self.dataset.roles['outcome']} as recorded"], []

    def _overlap(self, total: int) -> tuple[dict[tuple[str, str], int], int]:
        """Count pairs of rules that are true together, of a sample: a bit for each row, an int for each rule."""
        ids, p = self.sql.ids, self.sql.prefix
        if len(ids) < 2:
            return {}, 0
        places = ", ".join(
            f"bitstring_agg(case when {p}c{at} then place end, 0, {OVERLAP_ROWS - 1})" for at in range(len(ids))
        )
        sample = self.dataset.sample(OVERLAP_ROWS, total)

        def query() -> str:
            limited = f"(select * from {self.relation(rows=sample)} limit {OVERLAP_ROWS})"
            return f"select count(*), {places} from (select *, row_number() over () - 1 as place from {limited})"

        with in_order(self.connection):
            ((rows, *found),) = self._answered(query)
        bits = [(one, int(text, 2)) for one, text in zip(ids, found, strict=True) if text is not None]
        pairs: dict[tuple[str, str], int] = {}
        for at, (one, mine) in enumerate(bits):
            for other, theirs in bits[at + 1 :]:
                if together := (mine & theirs).bit_count():
                    pairs[one, other] = together
        return pairs, rows

    def flow(self, before: Runner | None = None, progress: Progress | None = None) -> Flow:
        """Count rows by their outcomes: of another policy on the same data or as recorded, and of this one.

        before: with another prefix than this one's.
        """

        def query() -> str:
            other, keep, policies = self._before(before)
            rows = self.relation(*keep, others=policies)
            return f"select {other}, {self.sql.outcome}, count(*) from {rows} group by all"

        others = () if before is None else (before.translated,)
        found: Counter[tuple[Outcome, Outcome]] = Counter()
        for old, new, rows in self._answered(query, *others, progress=progress):
            if old is not None:
                found[OUTCOMES[old], OUTCOMES[new]] += rows
        return found

    def causes(self, before: Runner) -> tuple[Counter[str], Counter[str]]:
        """Count what moves rows: rules that came or went, and what in the scorecard. before: as `flow` takes it."""
        causes: tuple[tuple[bool, str], ...] = ()

        def query() -> str:
            nonlocal causes
            text, causes = causes_query(before.sql, self.sql, self.relation(others=[before.sql]))
            return text

        ((_, *counts),) = self._answered(query, before.translated)
        found: tuple[Counter[str], Counter[str]] = (Counter(), Counter())
        for (is_card, said), rows in zip(causes, counts, strict=True):
            if rows:
                found[is_card][said] += rows
        return found

    def rows(self) -> Iterator[Row]:
        """Yield the verdict on every row, in the data's order; far slower than counting."""
        try:
            batches = in_batches(self.connection, self._every())
        except QueryFailed:
            if not self.translated.gives_way():
                raise
            batches = in_batches(self.connection, self._every())
        ids, cards = self.sql.ids, [one.card.name for one in self.sql.cards]
        for batch in batches:
            for id_, outcome, lower, upper, *rest in batch:
                ends, answers = rest[: 2 * len(cards)], rest[2 * len(cards) :]
                totals = dict(zip(cards, zip(ends[::2], ends[1::2], strict=True), strict=True))
                yield Row(
                    id=id_,
                    outcome=OUTCOMES[outcome],
                    lower=OUTCOMES[lower],
                    upper=OUTCOMES[upper],
                    matched=tuple(one for one, answer in zip(ids, answers, strict=True) if answer),
                    unresolved=tuple(one for one, answer in zip(ids, answers, strict=True) if answer is None),
                    score=totals.pop(SCORECARD, None),
                    scores=totals,
                )

    def single(self, before: Runner | None, fields: Sequence[str], which: str) -> Iterator[list[Any]]:
        """Yield rows in the data's order: id, time, label, cost, severities before, after, at least and at most, what
        each rule is, what each rule of `before` is, and the fields.

        before: as `flow` takes it. which: `moved`, `all`, or an outcome after.
        """
        sql, p = self.sql, self.sql.prefix
        other, keep, policies = self._before(before)
        at = self.dataset.roles.get("at", "null::timestamp")
        keep += [
            f"{self.dataset.roles.get('id', 'null')}::varchar as r_id", f"{at} as r_at",
            f"{self.dataset.label()} as r_label", f"{self.dataset.cost()} as r_cost",
            *(f"{self.dataset.columns[slot]} as f{number}" for number, slot in enumerate(fields)),
        ]  # fmt: skip
        answers = [f"{p}c{number}" for number in range(len(sql.ids))]
        answers += [f"{before.sql.prefix}c{number}" for number in range(len(before.sql.ids))] if before else []
        wanted = {"moved": "v_before <> v_after", "all": "true"}.get(which) or f"v_after = {Outcome(which).severity}"
        columns = ", ".join([*answers, *(f"f{number}" for number in range(len(fields)))])
        query = (
            "select r_id, r_at, r_label, r_cost, v_before, v_after, v_lower, v_upper"
            f"{', ' if columns else ''}{columns} from (select *, {other} as v_before, {sql.outcome} as v_after,"
            f" {sql.lower} as v_lower, {sql.upper} as v_upper"
            f" from {self.relation(*keep, others=policies)}) where {wanted}"
        )
        for batch in in_batches(self.connection, query):
            yield from map(list, batch)

    def _every(self) -> str:
        sql, p = self.sql, self.sql.prefix
        every = "".join(f", {p}c{at}" for at in range(len(sql.ids)))
        totals = "".join(f", {card.low}, {card.high}" for card in sql.cards)
        keep = f"{self.dataset.roles.get('id', 'null')}::varchar as id"
        return f"select id, {sql.outcome}, {sql.lower}, {sql.upper}{totals}{every} from {self.relation(keep)}"


def _cell(row: tuple[Any, ...]) -> VerdictCount:
    day, label, verdict, rows, cost, costed, weight, squared = row[:_CELL]
    return VerdictCount(
        day=day,
        label=label,
        outcome=OUTCOMES[verdict // 9],
        lower=OUTCOMES[verdict // 3 % 3],
        upper=OUTCOMES[verdict % 3],
        rows=rows,
        cost=float(cost),
        costed=costed,
        weight=float(weight),
        squared=float(squared),
    )
