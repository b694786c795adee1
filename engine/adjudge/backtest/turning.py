"""Policies that differ from one in few conditions, in SQL beside it: only what differs is worked out again."""

from __future__ import annotations

import re
from collections.abc import Container, Iterator, Mapping, Sequence

from adjudge.backtest.query import PolicySql, as_columns


def turned_rows(
    relation: str, base: PolicySql, others: Sequence[PolicySql], more: Sequence[str], *, worked: Container[str] = ()
) -> str:
    """Return a select of `outcome`, a policy's severity, `outcome_0`, …, those of others, and more.

    others: the same policy with other conditions, each with a prefix of its own.
    more: what else is wanted of each row. worked: steps that the relation has as columns.
    """
    turned = [_Turned(base, other) for other in others]
    conditions = [one.conditions() for one in turned]
    rows = base.over(relation, *others, worked=worked)
    columns = ", ".join([*more, *as_columns(base.columns(), *conditions)]) or "true as nothing"
    parts = {"rules": base.rules_outcome, **{f"card{at}": card.outcome for at, card in enumerate(base.cards)}}
    outcomes = {"outcome": _worst(list(parts)), **{f"outcome_{at}": one.outcome() for at, one in enumerate(turned)}}
    rows = f"(select {columns} from {rows})"
    for level in (base.totals(), _joined(parts, *(one.totals() for one in turned)), outcomes):
        rows = f"(select *, {', '.join(as_columns(level))} from {rows})" if level else rows
    return rows


def _joined(*columns: Mapping[str, str]) -> dict[str, str]:
    return {name: text for one in columns for name, text in one.items()}


def _worst(severities: Sequence[str]) -> str:
    return f"greatest({', '.join(severities)})" if len(severities) > 1 else severities[0]


class _Turned:
    """A policy beside the one that it differs from."""

    def __init__(self, base: PolicySql, other: PolicySql) -> None:
        self.base, self.other = base, other
        self._own = re.compile(rf"\b{other.prefix}((?:c|u|low|high)\d+)\b")
        self.differing = {at for at in range(len(other.conditions)) if base.conditions[at] != other.conditions[at]}
        names = {f"c{at}" for at in range(len(other.conditions)) if at not in self.differing}
        names |= {f"u{at}" for at, (one, two) in enumerate(zip(base.doubts, other.doubts, strict=True)) if one == two}
        names |= {
            f"{end}{at}" for at in range(len(other.cards)) if not self._rows(at) for end in ("low", "high")
        }  # fmt: skip
        self._shared = names

    def _rows(self, at: int) -> Sequence[int]:
        """Return the rows of a scorecard that differ, by their numbers in it."""
        card = self.other.cards[at]
        return [row for row in range(len(card.card.rows)) if card.first + row in self.differing]

    def _said(self, text: str) -> str:
        """Return an expression over the columns that the policies share, and this one's own."""

        def name(found: re.Match[str]) -> str:
            return f"{self.base.prefix}{found[1]}" if found[1] in self._shared else found[0]

        return self._own.sub(name, text)

    def conditions(self) -> dict[str, str]:
        """Return the columns of what differs."""
        return {name: text for name, text in self.other.columns().items() if self._said(name) == name}

    def totals(self) -> dict[str, str]:
        """Return the totals of the scorecards that differ: those of the other policy, with other terms in them."""
        found: dict[str, str] = {}
        for at, (one, two) in enumerate(zip(self.base.cards, self.other.cards, strict=True)):
            if rows := self._rows(at):
                for before, after, was, now in (
                    (one.low, two.low, one.low_terms, two.low_terms),
                    (one.high, two.high, one.high_terms, two.high_terms),
                ):
                    found[after] = " + ".join([before, *(f"({now[row]}) - ({was[row]})" for row in rows)])
        return found

    def outcome(self) -> str:
        """Return the severity, over all those columns and the parts of the other policy's."""
        return _worst([*self._parts()])

    def _parts(self) -> Iterator[str]:
        rules = self._said(self.other.rules_outcome)
        yield "rules" if rules == self.base.rules_outcome else rules
        for at, (one, two) in enumerate(zip(self.base.cards, self.other.cards, strict=True)):
            own = self._said(two.outcome)
            yield f"card{at}" if own == one.outcome else own
