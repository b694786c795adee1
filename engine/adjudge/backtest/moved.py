"""What moved the rows of a backtest from one policy to another: rules that came or went, and the scorecard."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import product

from adjudge.backtest.query import CardSql, PolicySql
from adjudge.model import OUTCOMES
from adjudge.policy.explaining.scorecard_moves import (
    GONE,
    NEW,
    RowPair,
    Truth,
    band_said,
    bands_changed,
    doubt_said,
    labelled,
    paired,
)

ANSWERS: Sequence[Truth] = (True, False, None)


def causes_query(old: PolicySql, new: PolicySql, relation: str) -> tuple[str, tuple[tuple[bool, str], ...]]:
    """Return a query that counts the rows that move, and each cause on them; and the causes in its order.

    relation: a select of the columns of both. A cause is (whether it is the scorecard, what is said of it).
    """
    found = [*_rules(old, new), *(one for name in _names(old, new) for one in _scorecard(old, new, name))]
    counts = "".join(f", count_if({test})" for _, _, test in found)
    columns = ", ".join(_columns(old, new))
    moved = f"(select *, {columns} from {relation})"
    query = f"select count(*){counts} from {moved} where outcome_0 <> outcome_1"
    return query, tuple((is_card, said) for is_card, said, _ in found)


def _names(old: PolicySql, new: PolicySql) -> Sequence[str]:
    """Return the names of the scorecards of both."""
    return tuple(dict.fromkeys([*new.policy.typed.scorecards, *old.policy.typed.scorecards]))


def _columns(old: PolicySql, new: PolicySql) -> Iterator[str]:
    """Yield the outcomes, what each scorecard alone makes, and its totals."""
    for side, sql in enumerate((old, new)):
        yield f"{sql.outcome} as outcome_{side}"
        for at, name in enumerate(_names(old, new)):
            card = _card(sql, name)
            texts = (card.lower, card.upper, card.outcome, card.low, card.high) if card is not None else ("0",) * 5
            for text, column in zip(texts, ("lower", "upper", "card", "low", "high"), strict=True):
                yield f"{text} as {column}{at}_{side}"


def _card(sql: PolicySql, name: str) -> CardSql | None:
    return next((card for card in sql.cards if card.card.name == name), None)


def _rules(old: PolicySql, new: PolicySql) -> Iterator[tuple[bool, str, str]]:
    before, after = _named(old), _named(new)
    for name in dict.fromkeys([*after, *before]):
        if name in before and name in after and old.conditions[before[name]] == new.conditions[after[name]]:
            continue  # which holds where it held
        one = f"{old.prefix}c{before[name]}" if name in before else "false"
        other = f"{new.prefix}c{after[name]}" if name in after else "false"
        for sign, here, there in (("+", other, one), ("-", one, other)):
            if here != "false":
                yield False, f"{sign}{name}", f"{here} and {there} is distinct from true"
                yield False, f"{sign}{name}?", f"{here} is null and {there} is not null"


def _named(sql: PolicySql) -> dict[str, int]:
    """Return the conditions of rules and excuses by name: what comes, goes, or takes back what another makes."""
    excuses = len(sql.conditions) - len(sql.excuses)
    return {name: at for at, name in enumerate(sql.names) if at < len(sql.ids) or at >= excuses}


def _scorecard(old: PolicySql, new: PolicySql, name: str) -> Iterator[tuple[bool, str, str]]:
    at = _names(old, new).index(name)
    moved = f"card{at}_0 <> card{at}_1"
    one, other = _card(old, name), _card(new, name)
    if one is None or other is None:
        yield True, labelled(name, NEW if one is None else GONE), moved
        return
    for pair in paired(one.card, other.card):
        before_, after_ = _condition(old, one, pair.old_at), _condition(new, other, pair.new_at)
        if _is_same(old, new, pair, one, other):
            continue
        for before, after in product(ANSWERS if before_ else (False,), ANSWERS if after_ else (False,)):
            if (said := pair.said(before, after)) is not None:
                answers = ((before_, before), (after_, after))
                tests = [f"{column} is {_sql(answer)}" for column, answer in answers if column]
                totals = f"(low{at}_0, high{at}_0) <> (low{at}_1, high{at}_1)"
                yield True, labelled(name, said), " and ".join([moved, totals, *tests])
    for band, start, now in bands_changed(one.card, other.card):
        crossed = [f"({_reaches(end, start)}) <> ({_reaches(end, now)})" for end in (f"low{at}_1", f"high{at}_1")]
        yield True, labelled(name, band_said(band, start, now)), f"{moved} and ({' or '.join(crossed)})"
    for gave, gives in product(OUTCOMES, OUTCOMES):
        if gave is not gives:
            test = f"card{at}_0 = {gave.severity} and card{at}_1 = {gives.severity}"
            in_doubt = f"lower{at}_0 < upper{at}_0 and lower{at}_1 < upper{at}_1"
            yield True, labelled(name, doubt_said(gave, gives)), f"{test} and {in_doubt}"


def _is_same(old: PolicySql, new: PolicySql, pair: RowPair, one: CardSql, other: CardSql) -> bool:
    if pair.old is None or pair.new is None or pair.old_at is None or pair.new_at is None:
        return False
    texts = old.conditions[one.first + pair.old_at], new.conditions[other.first + pair.new_at]
    return texts[0] == texts[1] and pair.old.points == pair.new.points


def _condition(sql: PolicySql, card: CardSql, at: int | None) -> str | None:
    return None if at is None else f"{sql.prefix}c{card.first + at}"


def _sql(answer: Truth) -> str:
    return "null" if answer is None else str(answer).lower()


def _reaches(total: str, start: int | None) -> str:
    return "false" if start is None else f"{total} >= {start}"
