"""What was written differently in two policies: rules that came, went or changed, and the rest of the document."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Literal

from adjudge.authoring.comparison.lookups import lookup_of
from adjudge.expr.nodes import Node
from adjudge.expr.printing import unparse
from adjudge.frozen import frozen
from adjudge.model import Outcome
from adjudge.policy.explaining.scorecard_moves import bands_changed, paired
from adjudge.policy.typed import SCORECARD, Excuse, Rule, Scorecard, TypedPolicy
from adjudge.policy.written_rows import written_rows
from adjudge.values.fields import Field
from adjudge.values.recorded import form_of

_LISTED_MAX = 5
_BESIDE = ("description", "personal", "actionable", "riskier")
"""What a declaration says that changes no outcome."""


@frozen(kw_only=True)
class Change:
    """One thing that was written differently. rule: its id, or the name of a part. old, new: in words."""

    kind: Literal["added", "removed", "changed"]
    rule: str
    old: str | None = None
    new: str | None = None

    def __str__(self) -> str:
        match self.kind:
            case "added":
                return f"+ {self.rule}: {self.new}"
            case "removed":
                return f"- {self.rule}: {self.old}"
            case _:
                return f"~ {self.rule}: {self.old} → {self.new}"


def changes(old: TypedPolicy, new: TypedPolicy) -> tuple[Change, ...]:
    """Return what differs, in the new policy's order, then what is gone."""
    return tuple(_changes(old, new))


def _changes(old: TypedPolicy, new: TypedPolicy) -> Iterator[Change]:
    before, after = ({rule.id: rule for rule in policy.rules} for policy in (old, new))
    names = [
        name
        for name in dict.fromkeys([*after, *before])
        if name not in before or name not in after or not _says_same(before[name], after[name])
    ]
    said = [{name: _said(side[name]) for name in names if name in side} for side in (before, after)]
    rules = [(name, said[0].get(name), said[1].get(name)) for name in names]
    for what, one, other in (*rules, *_parts(old, new)):
        if one is None and other is not None:
            yield Change(kind="added", rule=what, new=other)
        elif one is not None and other is None:
            yield Change(kind="removed", rule=what, old=one)
        elif one != other:
            yield Change(kind="changed", rule=what, old=one, new=other)


def _says_same(one: Rule, other: Rule) -> bool:
    """Whether two rules say the same word for word: most of thousands do, and printing them takes its time."""
    pairs = ((rule.condition, rule.outcome, rule.when_unknown, rule.reason, rule.ask, rule.confirm)
             for rule in (one, other))  # fmt: skip
    return next(pairs) == next(pairs)


def _said(rule: Rule) -> str:
    doubt = f", in doubt {rule.when_unknown}" if rule.when_unknown is not None else ""
    asks = f", asks for {', '.join(rule.ask)}" if rule.ask else ""
    confirm = ", confirmed by a person" if rule.confirm else ""
    when = f"no row of {rule.id.partition(':')[0]} is true" if rule.otherwise else unparse(rule.condition)
    return f"{rule.outcome} when {when}{doubt}, {rule.reason}{asks}{confirm}"


def _parts(old: TypedPolicy, new: TypedPolicy) -> Iterator[tuple[str, str | None, str | None]]:
    yield "when_unknown", str(old.when_unknown), str(new.when_unknown)
    yield "gather", old.gather, new.gather
    yield "scenes", ", ".join(old.scenes) or None, ", ".join(new.scenes) or None
    yield "sample", _sample(old), _sample(new)
    yield "explore", f"{old.explore:.2%}", f"{new.explore:.2%}"
    yield "steps", ", ".join(old.steps) or None, ", ".join(new.steps) or None
    for name in dict.fromkeys([*new.scorecards, *old.scorecards]):
        yield from _scorecard(name, old.scorecards.get(name), new.scorecards.get(name))
    one, other = ({excuse.id: _excuse(excuse, policy) for excuse in policy.excuses} for policy in (old, new))
    for name in dict.fromkeys([*one, *other]):
        yield f"excuse {name}", one.get(name), other.get(name)
    for name in dict.fromkeys([*old.variables, *new.variables]):
        yield from _variable(name, old.variables.get(name), new.variables.get(name))
    for into in dict.fromkeys([*old.rates, *new.rates]):
        yield f"rates {into}", _rates(old, into), _rates(new, into)
    for name in dict.fromkeys([*old.lists, *new.lists]):
        here, there = old.lists.get(name), new.lists.get(name)
        yield f"list {name}", _listed(here, there), _listed(there, here)
    for name in dict.fromkeys([*old.inputs, *new.inputs]):
        yield f"input {name}", _declared(old.inputs, name), _declared(new.inputs, name)
    for name in dict.fromkeys([*old.signals, *new.signals]):
        yield f"signal {name}", _signal(old, name), _signal(new, name)
        if name in old.signals and name in new.signals:
            before, after = old.signals[name].fields, new.signals[name].fields
            for field in dict.fromkeys([*before, *after]):
                yield f"field {name}.{field}", _declared(before, field), _declared(after, field)


def _variable(name: str, old: Node | None, new: Node | None) -> Iterator[tuple[str, str | None, str | None]]:
    """Yield what became of a variable; of a lookup table each row that came, went or changed."""
    if old == new:
        return
    before, after = (lookup_of(node) if node is not None else None for node in (old, new))
    if before is None or after is None or before.by != after.by:
        one, other = (None if node is None else unparse(node) for node in (old, new))
        yield f"variable {name}", one, other
        return
    for key in dict.fromkeys([*after.values, *before.values]):
        yield f"lookup {name} {key}", before.values.get(key), after.values.get(key)
    yield f"lookup {name} else", before.otherwise, after.otherwise


def _rates(policy: TypedPolicy, into: str) -> str | None:
    return ", ".join(f"{one} {rate!r}" for one, rate in policy.rates[into].items()) if into in policy.rates else None


def _declared(fields: Mapping[str, Field], name: str) -> str | None:
    return _form(fields[name]) if name in fields else None


def _form(field: Field) -> str:
    """Return what a field can be, as a policy declares it."""
    form = {key: value for key, value in form_of(field).items() if key not in _BESIDE}
    if field.of is not None:
        form["of"] = _form(field.of)
    if field.parts and "of" in form:
        form["of"] = "{" + ", ".join(f"{name}: {_form(part)}" for name, part in field.parts.items()) + "}"
    rest = [f"{key}: {_flow(value)}" for key, value in form.items() if key != "type"]
    return ", ".join([str(form["type"]), *rest])


def _flow(value: object) -> str:
    if isinstance(value, list):
        return f"[{', '.join(_flow(item) for item in value)}]"
    return str(value).lower() if isinstance(value, bool) else str(value)


def _scorecard(name: str, old: Scorecard | None, new: Scorecard | None) -> Iterator[tuple[str, str | None, str | None]]:
    """Yield a scorecard's rows and the rest of it; one that came or went as a whole."""
    head = "scorecard" if name == SCORECARD else f"scorecard {name}"
    if old is None or new is None:
        yield head, _card(old), _card(new)
        return
    for pair in paired(old, new):
        one, other = (None if row is None else row.said for row in (pair.old, pair.new))
        yield f"{head} {pair.name}", one, other
    for band, before, after in bands_changed(old, new):
        old_start, new_start = (None if start is None else str(start) for start in (before, after))
        yield f"{head} band {band}", old_start, new_start
    yield f"{head} when_unknown", old.when_unknown, new.when_unknown
    for outcome in (Outcome.REVIEW, Outcome.REJECT):
        yield f"{head} band {outcome} asks for", _asked(old, outcome), _asked(new, outcome)
    yield f"{head} confirm", "person" if old.confirm else None, "person" if new.confirm else None
    yield f"{head} reason", old.reason, new.reason


def _asked(card: Scorecard, band: Outcome) -> str | None:
    return ", ".join(card.ask[band]) if card.ask.get(band) else None


def _card(card: Scorecard | None) -> str | None:
    if card is None:
        return None
    rows = ", ".join(row.said for row in written_rows(card))
    doubt = f", in doubt {card.when_unknown}" if card.when_unknown is not None else ""
    bands = [f"{name} {band}" for name, band in (("review", card.review), ("reject", card.reject)) if band is not None]
    return f"{rows}; {', '.join(bands)}{doubt}, {card.reason}"


def _sample(policy: TypedPolicy) -> str | None:
    sample = policy.sample
    return f"{sample.share:.2%} of {sample.of} to {sample.then}, {sample.reason}" if sample is not None else None


def _excuse(excuse: Excuse, policy: TypedPolicy) -> str:
    """Return an excuse in words: when it applies, and for what, where not for all."""
    reviews = {rule.id for rule in policy.rules if rule.outcome is Outcome.REVIEW}
    cards = {name for name, card in policy.scorecards.items() if card.review is not None}
    names = [*sorted(excuse.covers), *(policy.scorecards[name].label for name in sorted(excuse.cards))]
    is_for_all = excuse.covers >= reviews and excuse.cards == cards
    return f"when {unparse(excuse.condition)}" + ("" if is_for_all else f", for {', '.join(names) or 'nothing'}")


def _listed(values: tuple[str, ...] | None, other: tuple[str, ...] | None) -> str | None:
    """Return a list's size, and what only it holds."""
    if values is None:
        return None
    own = [value for value in values if other is not None and value not in other]
    only = f", {', '.join(own[:_LISTED_MAX])}{' …' if len(own) > _LISTED_MAX else ''} only here" if own else ""
    return f"{len(values)} values{only}"


def _signal(policy: TypedPolicy, name: str) -> str | None:
    signal = policy.signals.get(name)
    if signal is None:
        return None
    return f"{signal.provider or 'supplied'}, in doubt {signal.when_unknown or policy.when_unknown}"
