"""What moved the rows of a backtest from one policy to another: rules that came or went, and the scorecard."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import product

from adjudge.backtest.query import PolicySql
from adjudge.model import OUTCOMES
from adjudge.policy.explaining.scorecard_moves import (
    GONE,
    NEW,
    RowPair,
    Truth,
    band_said,
    bands_changed,
    doubt_said,
    paired,
)

ANSWERS: Sequence[Truth] = (True, False, None)


def causes_query(old: PolicySql, new: PolicySql, relation: str) -> tuple[str, tuple[tuple[bool, str], ...]]:
    """Return a query that counts the rows that move, and each cause on them; and the causes in its order.

    relation: a select of the columns of both. A cause is (whether it is the scorecard, what is said of it).
    """
    found = [*_rules(old, new), *_scorecard(old, new)]
    counts = "".join(f", count_if({test})" for _, _, test in found)
    columns = ", ".join([*_columns(old, 0), *_columns(new, 1)])
    moved = f"(select *, {columns} from {relation})"
    query = f"select count(*){counts} from {moved} where outcome_0 <> outcome_1"
    return query, tuple((is_card, said) for is_card, said, _ in found)


def _columns(sql: PolicySql, side: int) -> list[str]:
    """Return the outcome, what the scorecard alone makes, and its totals."""
    texts = (sql.outcome, *(sql.card or ("0", "0", "0")), sql.low or "0", sql.high or "0")
    names = ("outcome", "lower", "upper", "card", "low", "high")
    return [f"{text} as {name}_{side}" for text, name in zip(texts, names, strict=True)]


def _rules(old: PolicySql, new: PolicySql) -> Iterator[tuple[bool, str, str]]:
    before = {name: at for at, name in enumerate(old.ids)}
    after = {name: at for at, name in enumerate(new.ids)}
    for name in dict.fromkeys([*after, *before]):
        if name in before and name in after and old.conditions[before[name]] == new.conditions[after[name]]:
            continue  # which holds where it held
        one = f"{old.prefix}c{before[name]}" if name in before else "false"
        other = f"{new.prefix}c{after[name]}" if name in after else "false"
        for sign, here, there in (("+", other, one), ("-", one, other)):
            if here != "false":
                yield False, f"{sign}{name}", f"{here} and {there} is distinct from true"
                yield False, f"{sign}{name}?", f"{here} is null and {there} is not null"


def _scorecard(old: PolicySql, new: PolicySql) -> Iterator[tuple[bool, str, str]]:
    card, now_card = old.policy.typed.scorecard, new.policy.typed.scorecard
    if card is None or now_card is None:
        if card is not now_card:
            yield True, NEW if card is None else GONE, "card_0 <> card_1"
        return
    for pair in paired(card, now_card):
        one, other = _condition(old, pair.old_at), _condition(new, pair.new_at)
        if _is_same(old, new, pair):
            continue
        for before, after in product(ANSWERS if one else (False,), ANSWERS if other else (False,)):
            if (said := pair.said(before, after)) is not None:
                tests = [f"{column} is {_sql(answer)}" for column, answer in ((one, before), (other, after)) if column]
                yield True, said, " and ".join(["card_0 <> card_1", "(low_0, high_0) <> (low_1, high_1)", *tests])
    for name, start, now in bands_changed(card, now_card):
        crossed = [f"({_reaches(end, start)}) <> ({_reaches(end, now)})" for end in ("low_1", "high_1")]
        yield True, band_said(name, start, now), f"card_0 <> card_1 and ({' or '.join(crossed)})"
    for gave, gives in product(OUTCOMES, OUTCOMES):
        if gave is not gives:
            test = f"card_0 = {gave.severity} and card_1 = {gives.severity}"
            yield True, doubt_said(gave, gives), f"{test} and lower_0 < upper_0 and lower_1 < upper_1"


def _is_same(old: PolicySql, new: PolicySql, pair: RowPair) -> bool:
    if pair.old is None or pair.new is None or pair.old_at is None or pair.new_at is None:
        return False
    texts = old.conditions[len(old.ids) + pair.old_at], new.conditions[len(new.ids) + pair.new_at]
    return texts[0] == texts[1] and pair.old.points == pair.new.points


def _condition(sql: PolicySql, at: int | None) -> str | None:
    return None if at is None else f"{sql.prefix}c{len(sql.ids) + at}"


def _sql(answer: Truth) -> str:
    return "null" if answer is None else str(answer).lower()


def _reaches(total: str, start: int | None) -> str:
    return "false" if start is None else f"{total} >= {start}"
