"""From a policy to SQL that gives each row the verdict the engine would give.

Each rule and row of the scorecard is a column that is true, false or NULL. Whatever is asked of many of them is one
`or` over them, which is Kleene's: true if one is, NULL if none is and one is unknown.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Container, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import field
from functools import lru_cache

from adjudge.backtest.large_tables import is_together
from adjudge.expr.nodes import ListLiteral, MapLiteral, Node, names_in
from adjudge.expr.printing import unparse
from adjudge.expr.sql.dialects.dialect import Dialect
from adjudge.expr.sql.dialects.duckdb import DUCKDB
from adjudge.expr.sql.steps import Steps, needed, worked_out
from adjudge.expr.sql.translate import Translator
from adjudge.expr.sql.value import NotTranslatable, Sql
from adjudge.frozen import frozen
from adjudge.model import Outcome
from adjudge.policy.policy import Policy
from adjudge.policy.typed import Scorecard, TypedPolicy

REVIEW, REJECT = Outcome.REVIEW.severity, Outcome.REJECT.severity
_COLUMN = re.compile(r'"(?:[^"]|"")*"|`(?:[^`]|``)*`|\w+')
_NONE = "false"
"""One of no conditions."""


def excuse_name(excuse: str) -> str:
    """Return what reports call an excuse."""
    return f"excuse:{excuse}"


@frozen(kw_only=True)
class Fallback:
    """A condition that SQL cannot answer exactly; the engine's own evaluator answers it, once for each
    combination of the values that it reads.

    at: its place among rules and rows. name: of the function, made of all that its answers hang on.
    slots: what it reads, in the order of the parts of the function's argument. argument: as SQL.
    is_rare: whether it answers only on rows that may be too much work, the others being SQL's.
    """

    at: int
    name: str
    reason: str
    node: Node
    slots: tuple[str, ...]
    argument: str
    is_rare: bool = False


@frozen(kw_only=True)
class CardSql:
    """A scorecard in SQL. first: the number of its first row's column. low, high: the columns of its totals.

    low_terms, high_terms: what each row adds to these. lower, upper, outcome: severities of what it alone makes.
    excuse: whether its band of review is excused. doubt: the severity of what its rows in doubt are worth.
    """

    card: Scorecard
    first: int
    low: str
    high: str
    low_terms: tuple[str, ...]
    high_terms: tuple[str, ...]
    lower: str
    upper: str
    outcome: str
    excuse: str
    doubt: str

    @property
    def bands(self) -> tuple[tuple[str, Outcome, str, str], ...]:
        """The bands: name, outcome, whether the total reaches it for certain, whether that is known."""
        return tuple(
            (
                f"{self.card.label}:{outcome.value}",
                outcome,
                f"{self.low} >= {bound}",
                f"({self.low} >= {bound} or {self.high} < {bound})",
            )
            for outcome, bound in ((Outcome.REVIEW, self.card.review), (Outcome.REJECT, self.card.reject))
            if bound is not None
        )


@frozen(kw_only=True)
class PolicySql:
    """A policy in SQL.

    conditions: of its rules, then of the scorecards' rows, then of excuses.
    lower, upper, outcome: severities 0, 1, 2, over the columns of `rows_of`: the conditions, a prefix and `c0`, `c1`, …
    rules_outcome: that of the rules alone. cards: its scorecards, over the same.
    doubts: columns whose being NULL decides what doubts are worth, `u0`, `u1`, …
    fallbacks: what SQL leaves to Python. texts: of conditions that SQL answers, whatever is left on some rows.
    nulls: of each condition, the columns that make it NULL, as `Sql.nulls` has them.
    steps: what conditions have in common, by column. lists: long lists, by the table that must hold them.
    """

    policy: Policy
    conditions: tuple[str, ...]
    lower: str
    upper: str
    outcome: str
    rules_outcome: str
    cards: tuple[CardSql, ...] = ()
    doubts: tuple[str, ...] = ()
    fallbacks: tuple[Fallback, ...] = ()
    texts: tuple[str, ...] = ()
    prefix: str = ""
    nulls: tuple[frozenset[str] | None, ...] = ()
    steps: Mapping[str, str] = field(default_factory=dict)
    lists: Mapping[str, tuple[object, ...]] = field(default_factory=dict)

    @property
    def ids(self) -> tuple[str, ...]:
        """The rules, in policy order."""
        return tuple(rule.id for rule in self.policy.typed.rules)

    @property
    def names(self) -> tuple[str, ...]:
        """What people call the conditions: rules, rows of scorecards as they are written, excuses."""
        typed = self.policy.typed
        excuses = (excuse_name(excuse.id) for excuse in typed.excuses)
        return (*self.ids, *(f"scorecard {row.written_name}" for row in typed.rows), *excuses)

    @property
    def excuses(self) -> tuple[tuple[str, Outcome, str, str], ...]:
        """The excuses, as `CardSql.bands` has bands: name, what it makes of a review, whether true, whether known."""
        typed = self.policy.typed
        columns = (
            f"{self.prefix}c{at}" for at in range(len(self.conditions) - len(typed.excuses), len(self.conditions))
        )
        return tuple(
            (excuse_name(excuse.id), Outcome.PASS, column, f"{column} is not null")
            for excuse, column in zip(typed.excuses, columns, strict=True)
        )

    @property
    def bands(self) -> tuple[tuple[str, Outcome, str, str], ...]:
        """The bands of the scorecards, see `CardSql.bands`."""
        return tuple(band for card in self.cards for band in card.bands)

    def over(self, relation: str, *others: PolicySql, worked: Container[str] = ()) -> str:
        """Return the data's relation with what the conditions read beside it.

        others: policies asked with this one. worked: steps that the relation has as columns.
        """
        steps = {name: text for one in (*others, self) for name, text in one.steps.items() if name not in worked}
        texts = [text for one in (*others, self) for text in (*one.conditions, *one.doubts)]
        return worked_out(relation, needed(steps, texts))

    def columns(self) -> dict[str, str]:
        """Return the conditions, and the slots that doubts hang on, by the names of their columns."""
        found = {f"{self.prefix}c{at}": text for at, text in enumerate(self.conditions)}
        return found | {f"{self.prefix}u{at}": text for at, text in enumerate(self.doubts)}

    def alone(self) -> dict[str, str]:
        """Return the columns that alone make a condition NULL, by names beside those of `columns`."""
        found = {column for nulls in self.nulls if nulls is not None and len(nulls) == 1 for column in nulls}
        return {f"{self.prefix}k{at}": column for at, column in enumerate(sorted(found))}

    def known(self) -> list[str]:
        """Return counts of the rows on which each condition is known, over `columns` and `alone`."""
        names = {column: name for name, column in self.alone().items()}
        counted = []
        for at, nulls in enumerate(self.nulls):
            if nulls is None or len(nulls) > 1:
                counted.append(f"count({self.prefix}c{at})")
            else:  # the same for many conditions, which is counted once
                counted += [f"count({names[column]})" for column in nulls] or ["count(*)"]
        return counted

    def totals(self) -> dict[str, str]:
        """Return the totals of the scorecards, over `columns`, by the names of their columns."""
        found = {}
        for card in self.cards:
            found[card.low], found[card.high] = " + ".join(card.low_terms), " + ".join(card.high_terms)
        return found


def rows_of(
    relation: str, policies: Sequence[PolicySql], more: Sequence[str] = (), *, worked: Container[str] = ()
) -> str:
    """Return a select of all that the verdicts of some policies are made of.

    more: what else is wanted of each row. worked: steps that the relation has as columns.
    """
    *others, own = policies
    columns = ", ".join([*more, *as_columns(*(one.columns() for one in policies))]) or "true as nothing"
    found = f"(select {columns} from {own.over(relation, *others, worked=worked)})"
    totals = ", ".join(as_columns(*(one.totals() for one in policies)))  # each once, however often it is compared
    return f"(select *, {totals} from {found})" if totals else found


def as_columns(*columns: Mapping[str, str]) -> list[str]:
    """Return expressions by name as a select has them."""
    return [f"{text} as {name}" for one in columns for name, text in one.items()]


def policy_sql(
    policy: Policy,
    columns: Mapping[str, str],
    dialect: Dialect = DUCKDB,
    *,
    prefix: str = "",
    known: Container[str] = (),
    refused: Mapping[str, str] | None = None,
) -> PolicySql:
    """Translate a policy.

    columns: SQL expressions of the slots, NULL where unknown. prefix: of the names of the conditions' columns.
    known: slots that are unknown on no row.
    refused: texts of conditions that a database is known to refuse, with the reason.
    """
    typed = policy.typed
    steps, tables = Steps(), _Tables(typed)
    columns = {slot: steps.column(text) if not is_column(text) else text for slot, text in columns.items()}
    translator = Translator(
        columns, typed.variables, typed.constants, dialect, policy.functions,
        shared=steps.column, tables=tables.of if dialect.has_engine_beside else None, known=known,
    )  # fmt: skip
    translator.made = _made(translator, typed)
    nodes = typed.conditions
    conditions: list[str] = []
    fallbacks: list[Fallback] = []
    texts: list[str] = []
    nulls: list[frozenset[str] | None] = []

    def left_to_python(at: int, node: Node, reason: str, *, is_rare: bool) -> str:
        slots = tuple(sorted(typed.reads.slots(node)))
        name = f"adjudge_fallback_{_digest(*_hung_on(typed, node, slots))}"
        parts = ", ".join(f"s{n} := {columns[slot]}" for n, slot in enumerate(slots))
        argument = f"struct_pack({parts})" if parts else "true"
        fallbacks.append(
            Fallback(at=at, name=name, reason=reason, node=node, slots=slots, argument=argument, is_rare=is_rare)
        )
        text = f"{name}({argument})"
        return text if is_rare else steps.column(text)

    for at, node in enumerate(nodes):
        nulls.append(None)
        if is_together(node):
            conditions.append(left_to_python(at, node, "a table of many rows", is_rare=False))
            continue
        try:
            found, risk = translator.value(node, {}), translator.risk(node)
            text = found.text
            if refused is not None and text in refused:
                raise NotTranslatable(refused[text], node.span)
        except NotTranslatable as error:
            conditions.append(left_to_python(at, node, str(error), is_rare=False))
            continue
        texts.append(text)
        if risk is None:
            nulls[at] = found.nulls
        else:
            left = left_to_python(at, node, "on rows where its macros may be too much work", is_rare=True)
            text = f"case when {risk} then {left} else {text} end"
        conditions.append(text if risk is not None else steps.column(text))
    verdict = _Verdict(typed, nodes, columns, prefix, [at for at, one in enumerate(nulls) if one != frozenset()])
    doubts = tuple(columns[slot] for slot in verdict.needed)
    shared = needed(steps.made, [*conditions, *doubts])
    return PolicySql(
        policy=policy,
        conditions=tuple(conditions),
        lower=verdict.lower(),
        upper=verdict.upper(),
        outcome=verdict.outcome(),
        rules_outcome=verdict.rules_outcome(),
        cards=verdict.cards,
        doubts=doubts,
        fallbacks=tuple(fallbacks),
        texts=tuple(texts),
        prefix=prefix,
        nulls=tuple(nulls),
        steps=shared,
        lists=tables.named_in(shared.values()),
    )


def is_column(text: str) -> bool:
    """Whether a slot's expression is a column as it stands."""
    return _COLUMN.fullmatch(text) is not None


def _made(translator: Translator, typed: TypedPolicy) -> dict[str, Sql]:
    """Return the variables that conditions read as columns; one without an exact form is left out."""
    read = names_in(*typed.conditions)
    for name in reversed(list(typed.variables)):  # each reads only those before it
        if name in read:
            read |= names_in(typed.variables[name])
    made: dict[str, Sql] = {}
    translator.made = made
    for name, node in typed.variables.items():
        if name in read and not isinstance(node, ListLiteral | MapLiteral):
            with suppress(NotTranslatable):
                if translator.risk(node) is None:
                    made[name] = translator.short(translator.value(node, {}))
    return made


class _Tables:
    """The tables that hold the lists of a policy."""

    def __init__(self, typed: TypedPolicy) -> None:
        self._lists = typed.constants
        self._named: dict[str, tuple[object, ...]] = {}

    def of(self, name: str) -> str:
        """Return the table of a list."""
        table = _table_of(self._lists[name])
        self._named[table] = self._lists[name]
        return table

    def named_in(self, texts: Iterable[str]) -> dict[str, tuple[object, ...]]:
        """Return the tables that some expressions name, with their values."""
        every = "\n".join(texts)
        return {table: values for table, values in self._named.items() if table in every}


@lru_cache(maxsize=64)
def _table_of(values: tuple[object, ...]) -> str:
    """Name a list's table by what is in it."""
    return f"adjudge_list_{_digest(*map(str, values))}"


def _digest(*texts: str) -> str:
    return hashlib.sha256("\0".join(texts).encode("utf-8", "surrogatepass")).hexdigest()[:16]


def _hung_on(typed: TypedPolicy, node: Node, slots: Iterable[str]) -> Iterator[str]:
    """Yield all that the answers of a condition hang on, beside the values that it reads."""
    yield unparse(node)
    read = names_in(node)
    for name in reversed(list(typed.variables)):  # each reads only those before it
        if name in read:
            read |= names_in(typed.variables[name])
            yield f"{name}: {unparse(typed.variables[name])}"
    yield from (f"{name}: {_table_of(values)}" for name, values in typed.constants.items() if name in read)
    yield from (f"{slot}: {typed.slots[slot].type!r}" for slot in slots)
    yield repr(typed.rates)


class _Verdict:
    """Says the verdict over the columns of conditions, as `policy.program.verdict.VerdictBuilder` does over masks."""

    def __init__(
        self, typed: TypedPolicy, nodes: Sequence[Node], columns: Mapping[str, str], prefix: str, open_: Sequence[int]
    ) -> None:
        """open_: the numbers of the conditions that may be unknown on some row."""
        self.open = frozenset(open_)
        self.typed = typed
        self.prefix = prefix
        self.columns = columns
        self.default = typed.when_unknown.severity
        self.reads = [sorted(typed.reads.slots(node)) for node in nodes]
        self.rules = len(typed.rules)
        own = [rule.when_unknown for rule in typed.rules]
        self.own = (*own, *(card.when_unknown for card in typed.scorecards.values() for _ in card.rows))
        varied = [at for at in range(len(self.own)) if at in self.open and self._least(at) != self._most(at)]
        self.needed = sorted({slot for at in varied for slot in self.reads[at]})
        self.cards = tuple(self._cards())

    def any(self, numbers: Iterable[int]) -> str:
        """Whether one of some conditions is true; NULL where none is and one is unknown."""
        texts = [f"{self.prefix}c{at}" for at in numbers]
        return "(" + " or ".join(texts) + ")" if texts else _NONE

    def of(self, outcome: Outcome) -> list[int]:
        return [at for at, rule in enumerate(self.typed.rules) if rule.outcome is outcome]

    def reviews(self) -> list[tuple[list[int], str]]:
        """Return the rules of outcome review, together where the same excuses are for them, which follow as SQL."""
        groups: dict[tuple[int, ...], list[int]] = {}
        for at in self.of(Outcome.REVIEW):
            rule = self.typed.rules[at].id
            groups.setdefault(self._excusing(rule in one.covers for one in self.typed.excuses), []).append(at)
        return [(rules, self.any(excuses)) for excuses, rules in groups.items()]

    def _excusing(self, covering: Iterable[bool]) -> tuple[int, ...]:
        """Return the numbers of some excuses. covering: of each, whether it is one of them."""
        return tuple(at for at, covers in enumerate(covering, len(self.own)) if covers)

    def card_excuse(self, card: Scorecard) -> str:
        """Whether a scorecard's band of review is excused; NULL where that is unknown."""
        return self.any(self._excusing(card.name in one.cards for one in self.typed.excuses))

    def reviewing(self) -> str:
        """Whether a rule of outcome review counts; NULL where none does for certain, and one may."""
        parts = [
            self.any(rules) if excuse == _NONE else f"({self.any(rules)} and not {excuse})"
            for rules, excuse in self.reviews()
        ]
        return parts[0] if len(parts) == 1 else f"({' or '.join(parts)})" if parts else _NONE

    def lower(self) -> str:
        rules = f"case when {self.any(self.of(Outcome.REJECT))} then 2 when {self.reviewing()} then 1 else 0 end"
        return self._with_cards(rules, [card.lower for card in self.cards])

    def upper(self) -> str:
        if not self.open:
            return self.lower()
        rejecting = self.any(self.of(Outcome.REJECT))
        rules = f"case when {rejecting} is not false then 2 when {self.reviewing()} is not false then 1 else 0 end"
        return self._with_cards(rules, [card.upper for card in self.cards])

    def outcome(self) -> str:
        return self._with_cards(self.rules_outcome(), [card.outcome for card in self.cards])

    def rules_outcome(self) -> str:
        """The worst of what is certain and of what each doubt is worth; an excuse that is unknown excuses nothing."""
        rejecting = self.any(self.of(Outcome.REJECT))
        steps = [f"when {rejecting} then 2"]
        doubts = {severity: self._doubted(self.of(Outcome.REJECT), severity) for severity in (REVIEW, REJECT)}
        some, counting = list(doubts[REVIEW]), []
        for at, excuse in self.reviews():
            doubted, open_ = self._doubted(at, REVIEW), "" if excuse == _NONE else f" and {excuse} is not true"
            counting.append(f"({self.any(at)}{open_})" if open_ else self.any(at))
            some += [f"(({' or '.join(doubted)}){open_})"] if doubted and open_ else doubted
        reviewing = counting[0] if len(counting) == 1 else f"({' or '.join(counting)})" if counting else _NONE
        steps += [f"when {' or '.join(doubts[REJECT])} then 2"] if doubts[REJECT] else []
        steps += [f"when {reviewing} then 1"]
        steps += [f"when {' or '.join(some)} then 1"] if some else []
        return f"case {' '.join(steps)} else 0 end"

    @staticmethod
    def _with_cards(rules: str, cards: Sequence[str]) -> str:
        return f"greatest({', '.join((rules, *cards))})" if cards else rules

    def _doubted(self, numbers: Sequence[int], worth: int) -> list[str]:
        """Return tests that one of some rules is unknown and counts as at least `worth`."""
        if self.open.isdisjoint(numbers):
            return []
        always = [at for at in numbers if self._least(at) >= worth]
        if numbers and numbers[0] >= self.rules:  # rows add up, so another that is true does not hide a doubt
            tests = [f"{self.prefix}c{at} is null" for at in always]
        else:
            tests = [f"{self.any(always)} is null"] if always else []
        for at in numbers:
            if at in self.open and at not in always and self._most(at) >= worth:
                tests.append(f"({self.prefix}c{at} is null and {self._is_worth(at, worth)})")
        return tests

    def _worth_of(self, slot: str) -> int:
        """What a slot that is unknown is worth."""
        return self.typed.worth_of(slot).severity

    def _worths(self, at: int) -> set[int]:
        """Return what a doubt may be worth: of any slot that it reads, or the policy's where none is unknown."""
        own = self.own[at]
        return {own.severity} if own is not None else {self.default, *map(self._worth_of, self.reads[at])}

    def _least(self, at: int) -> int:
        return min(self._worths(at))

    def _most(self, at: int) -> int:
        return max(self._worths(at))

    def _is_worth(self, at: int, worth: int) -> str:
        """Whether the most severe of the slots that are unknown to a condition is worth so much."""
        severe = [slot for slot in self.reads[at] if self._worth_of(slot) >= worth]
        found = " or ".join(f"{self._slot(slot)} is null" for slot in severe) or "false"
        if self.default < worth:
            return f"({found})"
        mild = [slot for slot in self.reads[at] if self._worth_of(slot) < worth]
        none_mild = " and ".join(f"{self._slot(slot)} is not null" for slot in mild) or "true"
        return f"({found} or ({none_mild}))"

    def _slot(self, slot: str) -> str:
        return f"{self.prefix}u{self.needed.index(slot)}"

    # scorecards

    def _cards(self) -> Iterator[CardSql]:
        first = self.rules
        for at, card in enumerate(self.typed.scorecards.values()):
            low, high = f"{self.prefix}low{at}", f"{self.prefix}high{at}"
            excuse, doubt = self.card_excuse(card), self._doubt(range(first, first + len(card.rows)))
            lower, upper = _band(card, low), _not_excused(_band(card, high), excuse)
            outcome = f"greatest({_not_excused(lower, excuse)}, least({upper}, {doubt}))"
            if excuse != _NONE:  # a review is certain only where no excuse of it is true or unknown
                lower = f"case when {lower} = 1 and {excuse} is not false then 0 else {lower} end"
            if not self.open:
                upper = outcome = lower
            yield CardSql(
                card=card, first=first, low=low, high=high, low_terms=self._terms(card, first, min),
                high_terms=self._terms(card, first, max), lower=lower, upper=upper, outcome=outcome,
                excuse=excuse, doubt=doubt,
            )  # fmt: skip
            first += len(card.rows)

    def _terms(self, card: Scorecard, first: int, end: Callable[[int, int], int]) -> tuple[str, ...]:
        """Return what each row adds to a total. end: `min` or `max`, of what one in doubt may add."""
        terms = []
        for at, row in enumerate(card.rows, first):
            doubt = end(row.points, 0)
            unknown = f" when {self.prefix}c{at} is null then {doubt}" if doubt and at in self.open else ""
            terms.append(f"case when {self.prefix}c{at} then {row.points}{unknown} else 0 end")
        return tuple(terms) or ("0",)

    def _doubt(self, rows: Sequence[int]) -> str:
        """What the rows that are in doubt are worth."""
        steps = []
        for worth in (REJECT, REVIEW):
            tests = self._doubted(rows, worth)
            steps += [f"when {' or '.join(tests)} then {worth}"] if tests else []
        return f"case {' '.join(steps)} else 0 end" if steps else "0"


def _not_excused(band: str, excuse: str) -> str:
    return band if excuse == _NONE else f"case when {band} = 1 and {excuse} then 0 else {band} end"


def _band(card: Scorecard, total: str) -> str:
    steps = [f"when {total} >= {card.reject} then 2"] if card.reject is not None else []
    steps += [f"when {total} >= {card.review} then 1"] if card.review is not None else []
    return f"case {' '.join(steps)} else 0 end" if steps else "0"
