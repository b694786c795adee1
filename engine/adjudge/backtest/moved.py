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
    band_said,
    bands_changed,
    doubt_said,
    labelled,
    paired,
)
from adjudge.policy.written_rows import Truth, WrittenRow

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
    totals = f"(low{at}_0, high{at}_0) <> (low{at}_1, high{at}_1)"
    for pair in paired(one.card, other.card):
        for said, test in _pair(old, new, pair, one, other):
            yield True, labelled(name, said), f"{moved} and {totals} and {test}"
    for band, start, now in bands_changed(one.card, other.card):
        crossed = [f"({_reaches(end, start)}) <> ({_reaches(end, now)})" for end in (f"low{at}_1", f"high{at}_1")]
        yield True, labelled(name, band_said(band, start, now)), f"{moved} and ({' or '.join(crossed)})"
    for gave, gives in product(OUTCOMES, OUTCOMES):
        if gave is not gives:
            test = f"card{at}_0 = {gave.severity} and card{at}_1 = {gives.severity}"
            in_doubt = f"lower{at}_0 < upper{at}_0 and lower{at}_1 < upper{at}_1"
            yield True, labelled(name, doubt_said(gave, gives)), f"{test} and {in_doubt}"


def _pair(old: PolicySql, new: PolicySql, pair: RowPair, one: CardSql, other: CardSql) -> Iterator[tuple[str, str]]:
    """Yield what is counted of a row, and where it is so."""
    sides = ((old, one, pair.old), (new, other, pair.new))
    if pair.old is not None and pair.new is not None and _terms(old, one, pair.old) == _terms(new, other, pair.new):
        return
    if not pair.is_plain:
        (low, high), (low_now, high_now) = (_added(card, row) for _, card, row in sides)
        yield pair.counted(""), f"({low}, {high}) <> ({low_now}, {high_now})"
        return
    columns = [f"{sql.prefix}c{card.first + row.first}" if row is not None else None for sql, card, row in sides]
    for answers in product(*(ANSWERS if column is not None else (False,) for column in columns)):
        if (said := pair.said(*([answer] for answer in answers))) is not None:
            tests = zip(columns, answers, strict=True)
            yield said, " and ".join(f"{column} is {_sql(answer)}" for column, answer in tests if column is not None)


def _terms(sql: PolicySql, card: CardSql, row: WrittenRow) -> list[tuple[str, int]]:
    """Return the steps of a row: what they ask, and what they add."""
    numbers = zip(row.numbers, row.steps, strict=True)
    return [(sql.conditions[card.first + at], step.points) for at, step in numbers]


def _added(card: CardSql, row: WrittenRow | None) -> tuple[str, str]:
    """Return the least and the most that a row adds."""
    if row is None:
        return "0", "0"
    low, high = (" + ".join(terms[at] for at in row.numbers) for terms in (card.low_terms, card.high_terms))
    return low, high


def _sql(answer: Truth) -> str:
    return "null" if answer is None else str(answer).lower()


def _reaches(total: str, start: int | None) -> str:
    return "false" if start is None else f"{total} >= {start}"
