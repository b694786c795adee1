"""A policy as understood: every condition checked and typed, every list read, nothing left to look up."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import field, replace
from datetime import date, datetime, timedelta
from functools import cached_property
from typing import Literal as OneOf

from adjudge.expr.nodes import Index, Literal, Logic, MapLiteral, Node, list_name
from adjudge.frozen import frozen
from adjudge.model import Outcome
from adjudge.plugin import Function
from adjudge.policy.reads import Reads
from adjudge.policy.slots import NOW, Slot, declare, source_of
from adjudge.source import Source, Span
from adjudge.values.fields import Field

WhenBillingUnknown = OneOf["unknown", "ask_again"]


@frozen(kw_only=True)
class SignalDeclaration:
    """A signal of a policy.

    provider: None where the caller supplies the signal in `Request.signals`.
    config: the `with:` of the policy, passed to the provider as it stands.
    fields: what can be known of it, declared by the provider or by the policy.
    when_unknown: this signal's own, or None for the policy's.
    when_billing_unknown: whether a call that may have been paid for, and whose answer was lost, is made again.
    """

    name: str
    provider: str | None
    config: Mapping[str, object] = field(default_factory=dict)
    fields: Mapping[str, Field]
    timeout_s: float = 10.0
    when_unknown: Outcome | None = None
    when_billing_unknown: WhenBillingUnknown = "unknown"
    span: Span


@frozen(kw_only=True)
class Rule:
    """A condition with an outcome and a reason code.

    condition: what must be true, `when && !unless` already joined, and `from` and `until` as comparisons with `now`.
    origin: `rule`, `threshold` for an entry of the thresholds' table, or `table` for a row of a table.
    message: what to tell a reviewer, by locale (`en`, `pt-BR`; `""` where the policy names none); `{country}` in it
    stands for the value of a field.
    starts, ends: when the rule is in force, `starts <= now < ends`, aware; None where it always was or will be.
    ask: names of the steps that it asks for where it decides. confirm: whether a person has to confirm its reject.
    otherwise: whether it is the `else` of a table: true where no row is.
    """

    id: str
    condition: Node
    outcome: Outcome
    reason: str
    when_unknown: Outcome | None = None
    origin: OneOf["rule", "threshold", "table"] = "rule"
    description: str = ""
    message: Mapping[str, str] = field(default_factory=dict)
    tags: tuple[str, ...] = ()
    starts: datetime | None = None
    ends: datetime | None = None
    ask: tuple[str, ...] = ()
    confirm: bool = False
    otherwise: bool = False
    span: Span

    @property
    def only_doubts(self) -> bool:
        """Whether it is false or unknown and never true, as where a `by` has no case for a value."""
        node = self.condition
        last = node.operands[-1] if isinstance(node, Logic) and node.operator == "&&" else node
        if not isinstance(last, Index) or not isinstance(last.operand, MapLiteral):
            return False
        return all(isinstance(value, Literal) and value.value is False for _, value in last.operand.entries)


@frozen(kw_only=True)
class Sample:
    """How many verdicts of an outcome a person looks at, drawn at random. share: 0 to 1. then: what they become."""

    share: float
    of: Outcome
    then: Outcome
    reason: str


@frozen(kw_only=True)
class Step:
    """What the flow can ask an applicant for next. text: what to tell them, by locale as in `Rule.message`."""

    name: str
    text: Mapping[str, str] = field(default_factory=dict)
    span: Span


@frozen(kw_only=True)
class Reason:
    """What a policy says of a reason code.

    weight: reasons of one outcome are told in order of weight, the heaviest first; 0 unless said.
    text: what to tell an applicant, by locale as in `Rule.message`.
    """

    code: str
    weight: int = 0
    text: Mapping[str, str] = field(default_factory=dict)
    span: Span


@frozen(kw_only=True)
class ListEntry:
    """An entry of a list that ends: it counts while `now` is before `until`.

    by, note: who put it there and why, for people. source: the list's file; None where it stands in the policy.
    """

    value: str
    until: datetime
    by: str = ""
    note: str = ""
    source: Source | None = None
    span: Span


@frozen(kw_only=True)
class Calibration:
    """When the thresholds of a field were last set by data.

    field: the full name of a field or of a map's key, or of a whole map or signal: `deepfake.score` covers its keys.
    on: the day. valid_for: how long that holds; None: for good. source: what data.
    """

    field: str
    on: date
    valid_for: timedelta | None = None
    source: str = ""
    span: Span


SCORECARD = "scorecard"
"""The name of a policy's only scorecard, where it has no other."""


@frozen(kw_only=True)
class Formula:
    """A row as it is written, whose points an expression says.

    when: None where it always adds them. values: all that these can be, ascending.
    """

    id: str
    when: Node | None
    adds: Node
    values: tuple[int, ...]


@frozen(kw_only=True)
class Row:
    """A condition that adds points, or takes some away.

    id: its own, or `row 1` and so on by its place. card: the scorecard's name.
    formula: where an expression says the points of a row, the policy has several in its place, its steps; their ids say
    from which value on they count: `row 1 at 25 or more`. `written_rows` puts them together again.
    number: where the points stand, if they stand as a number.
    """

    id: str
    card: str = SCORECARD
    condition: Node
    points: int
    formula: Formula | None = None
    number: Span | None = field(default=None, compare=False)
    span: Span

    @property
    def written_id(self) -> str:
        """The id of the row as it is written, of which this may be a step."""
        return self.id if self.formula is None else self.formula.id

    @property
    def has_own_id(self) -> bool:
        """Whether the policy gave it an id; none that it gives has a blank."""
        return not self.written_id.startswith("row ")

    @property
    def name(self) -> str:
        """What tells it from all rows of the policy: `row 1`; of a scorecard with a name `device:row 1`."""
        return self.id if self.card == SCORECARD else f"{self.card}:{self.id}"

    @property
    def written_name(self) -> str:
        """The name of the row as it is written."""
        return self.written_id if self.card == SCORECARD else f"{self.card}:{self.written_id}"

    @property
    def place(self) -> str:
        """What a sentence calls it, as it is written: `row 1 of the scorecard`."""
        of = "" if self.card == SCORECARD else f" `{self.card}`"
        return f"{f'`{self.written_id}`' if self.has_own_id else self.written_id} of the scorecard{of}"

    def changed(self, change: Callable[[Node], Node]) -> Row:
        """Return it with other conditions. change: what a condition, or an expression of points, becomes."""
        formula = self.formula
        if formula is not None:
            when = change(formula.when) if formula.when is not None else None
            formula = replace(formula, when=when, adds=change(formula.adds))
        return replace(self, condition=change(self.condition), formula=formula)


@frozen(kw_only=True)
class Scorecard:
    """Rows of points and the totals from which review and reject begin; None where a band is not used.

    ask: names of the steps that each band asks for where it decides. confirm: as for a rule, of the band of reject.
    spans: where the number of each band stands.
    """

    name: str = SCORECARD
    rows: tuple[Row, ...]
    review: int | None
    reject: int | None
    reason: str = "SCORECARD"
    when_unknown: Outcome | None = None
    ask: Mapping[Outcome, tuple[str, ...]] = field(default_factory=dict)
    confirm: bool = False
    spans: Mapping[Outcome, Span] = field(default_factory=dict, compare=False)

    @property
    def label(self) -> str:
        """What stands for it among ids of rules: `scorecard`, or with a name `scorecard:device`."""
        return SCORECARD if self.name == SCORECARD else f"{SCORECARD}:{self.name}"

    @property
    def title(self) -> str:
        """What a sentence calls it, after `the`: `scorecard`, or with a name ``scorecard `device` ``."""
        return SCORECARD if self.name == SCORECARD else f"{SCORECARD} `{self.name}`"

    def outcome_of(self, total: int) -> Outcome:
        """Return the outcome of the band in which a total lies."""
        if self.reject is not None and total >= self.reject:
            return Outcome.REJECT
        return Outcome.REVIEW if self.review is not None and total >= self.review else Outcome.PASS


@frozen(kw_only=True)
class Excuse:
    """A condition that takes back reviews while it is true; unknown, it takes back nothing.

    covers: ids of the rules of outcome review that it takes back. cards: names of the scorecards whose band of review
    it takes back, too.
    """

    id: str
    condition: Node
    covers: frozenset[str]
    cards: frozenset[str]
    description: str = ""
    span: Span


@frozen(kw_only=True, slots=False)
class TypedPolicy:
    """A policy that loaded.

    slots: everything a condition can read, by its full name: inputs (`country`), a signal's fields
    (`deepfake.result`), each declared key of a map field (`deepfake.score.SuspectRemake`, besides the map itself,
    `deepfake.score`), the `novel_…` list of every set and keyed map (`deepfake.novel_tags`), and `now`.
    variables: conditions by name, each reading only slots, lists, and variables before it.
    lists: constants; a condition names them `lists.sanctioned`.
    gather: `eager` or `thrifty`; explore: the share, 0 to 1, of requests that are gathered eagerly all the same.
    digest: lower-case hex SHA-256 over the text and the files of its lists, as written to the audit log.
    texts: what was read from the files of lists and from included policies, by path from the policy's folder, and
    built-in lists, by `builtin:` and their name; the log keeps them, so that the policy loads again without them.
    scorecards: by name; one that stands under `scorecard:` is called so.
    reasons: what the policy says of its reason codes, by code; a code need not be there.
    calibration: by field.
    entries: those that end, by list; each time at which some do has a list of its own in `lists`, see `loading.expiry`.
    list_files: the path of each list that is a file's.
    excuses: what takes back reviews, in the order of the document.
    of_request: the inputs that nobody declared, for they are parts of a request, such as `attempts`.
    steps: what rules and bands can ask for, by name, in the order of the document.
    rates: of exchange, by the currency into which they convert, and the one that they convert.
    scenes: codes of the scenes whose requests it answers where they name no policy.
    sample: what is drawn for a person to look at, after the verdict.
    """

    name: str
    policy_language: int
    description: str
    source: Source
    digest: str
    inputs: Mapping[str, Field]
    signals: Mapping[str, SignalDeclaration]
    lists: Mapping[str, tuple[str, ...]]
    texts: Mapping[str, str]
    variables: Mapping[str, Node]
    rules: tuple[Rule, ...]
    scorecards: Mapping[str, Scorecard]
    when_unknown: Outcome
    gather: OneOf["eager", "thrifty"]
    explore: float
    slots: Mapping[str, Field]
    functions: Mapping[str, Function] = field(default_factory=dict)
    reasons: Mapping[str, Reason] = field(default_factory=dict)
    calibration: Mapping[str, Calibration] = field(default_factory=dict)
    excuses: tuple[Excuse, ...] = ()
    entries: Mapping[str, tuple[ListEntry, ...]] = field(default_factory=dict)
    list_files: Mapping[str, str] = field(default_factory=dict)
    steps: Mapping[str, Step] = field(default_factory=dict)
    rates: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    of_request: frozenset[str] = frozenset()
    scenes: tuple[str, ...] = ()
    sample: Sample | None = None

    @cached_property
    def conditions(self) -> tuple[Node, ...]:
        """The conditions of rules, then those of the scorecards' rows, then those of excuses."""
        rows, excuses = (row.condition for row in self.rows), (excuse.condition for excuse in self.excuses)
        return (*(rule.condition for rule in self.rules), *rows, *excuses)

    @cached_property
    def rows(self) -> tuple[Row, ...]:
        """The rows of all scorecards, one scorecard's behind another's."""
        return tuple(row for card in self.scorecards.values() for row in card.rows)

    @cached_property
    def constants(self) -> Mapping[str, tuple[str, ...]]:
        """The lists, by the full names that conditions have for them."""
        return {list_name(name): values for name, values in self.lists.items()}

    @cached_property
    def confirms(self) -> bool:
        """Whether some reject has to be confirmed by a person."""
        return any(rule.confirm for rule in self.rules) or any(card.confirm for card in self.scorecards.values())

    @cached_property
    def reads(self) -> Reads:
        """What conditions and variables read."""
        return Reads(self.variables, self.slots)

    @cached_property
    def parts(self) -> Mapping[str, Slot]:
        """The slots taken apart, by full name."""
        declared = [declare(self.inputs), *(declare(signal.fields, name) for name, signal in self.signals.items())]
        return {NOW: Slot("", NOW), **{str(slot): slot for slots in declared for slot in slots}}

    def news_of(self, name: str) -> str | None:
        """Return the slot of what is outside the vocabulary of a field, where it has one of many words."""
        slot = self.parts.get(name)
        news = str(replace(slot.whole, novel=True)) if slot is not None else ""
        return news if news in self.parts and self.parts[news].novel else None

    def path_of(self, name: str) -> tuple[str, ...]:
        """Return the way to a slot in the nested mapping that the policy is given; to a signal, its name."""
        return self.parts[name].path if name in self.parts else (name,)

    def worth_of(self, name: str) -> Outcome:
        """Return what it is worth that a slot, an input or a signal is unknown: its signal's own, else the policy's."""
        signal = self.signals.get(source_of(name))
        own = signal.when_unknown if signal is not None else None
        return self.when_unknown if own is None else own
