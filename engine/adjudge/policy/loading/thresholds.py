"""The table of thresholds: each entry is an ordinary rule in the end."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import field
from datetime import date, timedelta

from adjudge.errors import did_you_mean, listed, nearest
from adjudge.expr.nodes import (
    Binary,
    BinaryOperator,
    Call,
    Index,
    ListLiteral,
    Literal,
    Logic,
    MapLiteral,
    Name,
    Node,
    Unary,
)
from adjudge.frozen import frozen
from adjudge.model import Outcome
from adjudge.patterns import late
from adjudge.policy.loading.cells import Unfit, Value, constant, range_hint, said, value_of
from adjudge.policy.loading.choosing import read_confirm
from adjudge.policy.loading.declarations import DAMAGED_SIGNAL
from adjudge.policy.loading.document import BAND_KEYS, CAUGHT, upper_snake
from adjudge.policy.loading.forms import Entries
from adjudge.policy.loading.lookups import chooser
from adjudge.policy.loading.meant_values import scale_of, value_meant
from adjudge.policy.loading.other_words import choice_meant, key_meant
from adjudge.policy.loading.reader import Reader
from adjudge.policy.loading.steps import asked, read_ask
from adjudge.policy.slots import beginnings, last_of
from adjudge.policy.text import yaml
from adjudge.policy.text.syntax import shown
from adjudge.policy.text.yaml import Scalar
from adjudge.policy.typed import Rule, SignalDeclaration
from adjudge.source import Edit, Span
from adjudge.values.fields import Bound, Field
from adjudge.values.meant import on_scale
from adjudge.values.reading import read
from adjudge.values.types import (
    BOOL,
    DATE,
    DOUBLE,
    DURATION,
    DYN,
    INT,
    STRING,
    TIMESTAMP,
    EnumType,
    ListType,
    MapType,
    SetType,
    Type,
    named,
)

_NUMBERS = (INT, DOUBLE, DURATION, TIMESTAMP, DATE)
BY, ELSE = "by", "else"
_AGAINST = {
    False: late(r"\s*(?:<|≤|below|under|at most|max)"),
    True: late(r"\s*(?:>|≥|above|over|at least|min)"),
}
_ABOVE = ("above", "over", "at_least", "min", "from", "at_or_above", "higher", "greater")


@frozen
class Case:
    """The case of a `by` in which an entry stands. guards: what holds in it. name: its values, for the rules' ids."""

    guards: tuple[Node, ...] = ()
    name: str = ""

    def joined(self, condition: Node) -> Node:
        """Return a condition that holds in this case only."""
        if not self.guards:
            return condition
        return Logic(operator="&&", operands=(*self.guards, condition), span=condition.span, type=BOOL)


EVERYWHERE = Case()


@frozen
class Thresholds:
    """Reads the table of one policy.

    slots: every field by its full name. signals: by name. names: all that conditions can name; what only stands there
    has no threshold. steps: names of what an entry can ask for.
    """

    reader: Reader
    slots: Mapping[str, Field]
    signals: Mapping[str, SignalDeclaration]
    names: Mapping[str, Type]
    steps: Collection[str] = ()
    complete: bool = True
    rules: dict[str, Rule] = field(default_factory=dict)

    def read(self, entries: Entries) -> tuple[Rule, ...]:
        """Return the rules that the table stands for, in its order."""
        for path, (key, node) in entries.items():
            if path in self.slots:
                self.entry(path, self.slots[path], key, node)
            else:
                self.unknown(path, key, node)
        return tuple(self.rules.values())

    def unknown(self, path: str, key: Scalar, node: yaml.YamlNode) -> None:
        """Blame a path that leads to no field, unless it was its declaration that failed."""
        declared = self.signals[path].fields if path in self.signals else {}
        fields = [f"{path}.{name}" for name, one in declared.items() if not isinstance(one.type, ListType)]
        if fields:
            hint = f"name one of its fields: {', '.join(fields[:6])}"
            fix: tuple[Edit, ...] = ()
            if isinstance(node, yaml.Mapping) and len(node.entries) == 1:
                below, entry = node.entries[0]
                if f"{path}.{below.text.value}" in fields:
                    text = f"{path}.{below.text.value}: {self.reader.written(entry)}"
                    hint, fix = f"write `{text}`", (Edit(span=key.span.to(node.span), text=text),)
            self.reader.blame("type-threshold", f"`{shown(path)}` is a signal, not a field", key.span, hint, fix=fix)
        elif path in self.names and not self.is_damaged(path):
            hint = "write a rule that reads it"
            self.reader.blame("type-threshold", f"`{shown(path)}` is not a field", key.span, hint)
        elif self.complete and not self.is_damaged(path):
            owned = [name for name in self.slots if last_of(name) == path]
            near = owned[0] if len(owned) == 1 else nearest(path, self.slots)
            way = f"did you mean `{near}`?" if near is not None else None
            edits = (Edit(span=key.span, text=near),) if near is not None else ()
            self.reader.blame("name-unknown", f"there is no field `{shown(path)}`", key.span, way, fix=edits)

    def is_damaged(self, path: str) -> bool:
        """Whether the declaration of a field, or of all its signal, was blamed."""
        return any(self.names.get(name) in (DYN, DAMAGED_SIGNAL) for name in beginnings(path))

    def entry(self, path: str, declared: Field, key: Scalar, node: yaml.YamlNode, case: Case = EVERYWHERE) -> None:
        """Read one field's part of the table; its shape follows the field's type."""
        if isinstance(node, yaml.Mapping) and self.is_by(declared, node):
            self.by(path, declared, key, node, case)
            return
        match declared.type:
            case MapType(keys=keys, words=words) if keys is not None and declared.of is not None:
                for name, (inner, value) in self.reader.mapping(node, f"`{path}`", at=key.span).items():
                    if name in words:
                        self.entry(f"{path}.{name}", declared.of, inner, value, case)
                    else:
                        hint = did_you_mean(name, keys) or f"its keys are {listed(keys)}"
                        self.reader.blame("name-key", f"`{path}` has no key `{shown(name)}`", inner.span, hint)
            case EnumType(values=values) | SetType(values=values):
                self.vocabulary(path, declared, values, key, node, case)
            case type_ if type_ == BOOL:
                self.vocabulary(path, declared, ("true", "false"), key, node, case)
            case type_ if type_ in _NUMBERS:
                self.number(path, declared, key, node, case)
            case type_:
                way_out = "write a rule; or declare an enum, a set, or the map's keys"
                self.reader.blame(
                    "type-threshold", f"`{path}` is {named(type_)}, which cannot have thresholds", key.span, way_out
                )

    @staticmethod
    def is_by(declared: Field, node: yaml.Mapping) -> bool:
        """Whether an entry has cases; `by` may also be a word of the field's own vocabulary, with its outcome."""
        said_by = node.get(BY)
        own = declared.vocabulary is not None and BY in declared.vocabulary
        is_outcome = isinstance(said_by, Scalar) and said_by.text.value in BAND_KEYS
        return said_by is not None and not (own and (is_outcome or isinstance(said_by, yaml.Mapping)))

    def by(self, path: str, declared: Field, key: Scalar, node: yaml.Mapping, case: Case) -> None:
        """Read `{by: country, SG: …, else: …}`, or `{by: [country, channel], SG: {web: …}}`."""
        entries = self.reader.mapping(node, f"`{path}`", at=key.span)
        _, names = entries.pop(BY, (key, node))
        items = names.items if isinstance(names, yaml.Sequence) else (names,)
        choosers = [
            chooser(self.reader, item, self.names, self.slots)
            for item in items
            if isinstance(item, Scalar) and self.reader.text(item, "`by`") is not None
        ]
        if choosers and len(choosers) == len(items) and all(choosers):
            self.cases(path, declared, key, entries, case, [one for one in choosers if one is not None])
        elif not items:
            self.reader.blame("schema-empty", "`by` is empty", names.span, "name the field, such as country")

    def cases(
        self,
        path: str,
        declared: Field,
        key: Scalar,
        entries: Entries,
        case: Case,
        choosers: Sequence[tuple[Name, Field]],
    ) -> None:
        """Read the cases of a field, the first of `choosers`, and inside each those of the others."""
        (name, of), *others = choosers
        before = len(self.rules)
        covered: dict[Value, Node] = {}
        is_whole = True

        def inside(inner: Scalar, node: yaml.YamlNode, deeper: Case) -> None:
            if others:
                parts = self.reader.mapping(node, f"`{inner.text.value}`", at=inner.span)
                self.cases(path, declared, inner, parts, deeper, others)
            else:
                self.entry(path, declared, inner, node, deeper)

        for word, (inner, node) in entries.items():
            if word == ELSE:
                continue
            try:
                value = value_of(word, of, name.name)
            except Unfit as unfit:
                self.reader.blame(unfit.code, unfit.message, inner.span, unfit.hint, fix=unfit.fix(inner.span))
                is_whole = False
                continue
            if value in covered:
                self.reader.blame(
                    "name-duplicate", f"`{shown(word)}` is there twice", inner.span, "keep one of the two"
                )
                continue
            covered[value] = constant(value, of.type, inner.span)
            guard = Binary(operator="==", left=name, right=covered[value], span=inner.span, type=BOOL)
            inside(inner, node, Case((*case.guards, guard), f"{case.name}:{word}"))
        if not covered and ELSE not in entries:
            if is_whole:
                self.reader.blame("schema-missing", f"`{path}` has no case", key.span, f"add one, such as `{ELSE}: …`")
        elif ELSE in entries:
            inner, node = entries[ELSE]
            others_only = (_none_of(name, covered.values(), inner.span),) if covered else ()
            inside(inner, node, Case((*case.guards, *others_only), f"{case.name}:{ELSE}"))
        elif not _covers(of.type, covered):
            outcomes = [rule.outcome for rule in list(self.rules.values())[before:]]
            if outcomes:
                self.rule(f"{path}{case.name}:uncovered", _unknown_beyond(name, covered.values()), max(outcomes), path,
                          key.span, case)  # fmt: skip

    def vocabulary(
        self, path: str, declared: Field, values: tuple[str, ...], key: Scalar, node: yaml.YamlNode, case: Case
    ) -> None:
        """Read `{value: outcome}`."""
        words = frozenset(values)
        if isinstance(node, Scalar) and declared.type == BOOL and node.text.value in CAUGHT:
            self.reader.unfit(node, f"`{path}`", "a mapping", meant=f"{{true: {node.text.value}}}")
            return
        for value, (inner, outcome_node) in self.reader.mapping(node, f"`{path}`", at=key.span).items():
            if value not in words:
                meant = choice_meant(value, values) or _as_bool(value, values)
                hint = f"did you mean `{meant[0]}`?" if meant is not None else f"it holds {listed(values)}"
                message = f"`{shown(value)}` is not in the vocabulary of `{path}`"
                fix = (Edit(span=inner.span, text=meant[0]),) if meant is not None else ()
                self.reader.blame("name-vocabulary", message, inner.span, hint, fix=fix)
                continue
            said_of_it, parts = self.said(outcome_node, value, "then", inner.span)
            outcome = self.reader.outcome(said_of_it, "an outcome", CAUGHT) if said_of_it is not None else None
            if outcome is None:
                continue
            span = inner.span
            name = Name(name=path, span=key.span, type=declared.type)
            if declared.type == BOOL:
                condition: Node = Binary(
                    operator="==", left=name, right=Literal(value=value == "true", span=span, type=BOOL), type=BOOL
                )
            elif isinstance(declared.type, SetType):
                member = Literal(value=value, span=span, type=STRING)
                condition = Binary(operator="in", left=member, right=name, span=span, type=BOOL)
            else:
                member = Literal(value=value, span=span, type=STRING)
                condition = Binary(operator="==", left=name, right=member, span=span, type=BOOL)
            self.rule(f"{path}{case.name}:{value}", condition, outcome, f"{path}.{value}", span, case, parts)

    def number(self, path: str, declared: Field, key: Scalar, node: yaml.YamlNode, case: Case) -> None:
        """Read `{review: x, reject: y}`, at or above, or the same under `below:`, at or below."""
        if (meant := self.bands_meant(node)) is not None:
            self.reader.unfit(node, f"`{path}`", "a mapping", meant=meant)
            return
        if isinstance(node, Scalar) and node.value is not None:
            self.reader.unfit(node, f"`{path}`", "a mapping", "for example {review: 70, reject: 95}")
            return
        if isinstance(node, yaml.Mapping) and len(node.entries) == 1 and node.entries[0][0].text.value in _ABOVE:
            meant = self.reader.written(node.entries[0][1])
            message = f"bounds that do not stand under `below` are at or above: `{path}` needs no other word"
            fix = (Edit(span=node.span, text=meant),)
            at = node.entries[0][0].span
            self.reader.blame("schema-unknown-key", message, at, f"write `{path}: {shown(meant)}`", fix=fix)
            return
        if isinstance(node, yaml.Mapping) and self.cases_without_by(path, node):
            return
        entries = self.reader.mapping(node, f"`{path}`", keys=(*BAND_KEYS, "below"), at=key.span)
        below = "below" in entries
        if below:
            inner, low = entries["below"]
            if len(entries) > 1:
                hint = "keep one direction here, and write rules for the other"
                self.reader.blame("schema-value", f"`{path}` has thresholds in both directions", inner.span, hint)
            if (meant := self.bands_meant(low)) is not None:
                self.reader.unfit(low, "`below`", "a mapping", meant=meant)
                return
            entries = self.reader.mapping(low, "`below`", keys=BAND_KEYS, at=inner.span)
            node, key = low, inner
        if isinstance(node, yaml.Mapping) and not node.entries and not case.name:
            self.reader.blame("schema-missing", f"`{path}` needs `review` or `reject`", key.span)
        bounds: dict[str, tuple[Bound, Span]] = {}
        for band, (inner, value) in entries.items():
            begins, parts = self.said(value, band, "at", inner.span)
            bound = self.bound(path, declared, begins, below=below) if begins is not None else None
            if bound is None or begins is None:
                continue
            bounds[band] = bound, begins.span
            condition = _comparison(path, declared.type, "<=" if below else ">=", bound, begins)
            self.rule(f"{path}{case.name}:{band}", condition, Outcome(band), path, inner.span.to(value.span), case,
                      parts)  # fmt: skip
        self.ordered(path, declared, bounds, below, node)

    def cases_without_by(self, path: str, node: yaml.Mapping) -> bool:
        """Blame an entry whose cases stand without `by`, as `{SG: {review: 70}}` or `{per: country, SG: …}`."""
        others = [(key, value) for key, value in node.entries if key.text.value not in (*BAND_KEYS, "below", ELSE)]
        cases = [key for key, value in others if isinstance(value, yaml.Mapping)]
        if not cases or any(key_meant(key.text.value, (*BAND_KEYS, "below"), ()) for key in cases):
            return False
        at, said = next(((key, value) for key, value in others if not isinstance(value, yaml.Mapping)), (None, None))
        name = re.fullmatch(r"(?:by|per|for)\s+(\S+)", at.text.value) if at is not None else None
        text = "by" if name is None else f"by: {name.group(1)}"
        message, hint = f"the cases of `{path}` stand behind `by`", "write `by: country` before them"
        if at is None or (name is None and not isinstance(said, Scalar)):
            self.reader.blame("schema-unknown-key", message, cases[0].span, hint)
            return True
        hint = f"write `{text}`" if name is not None else "write `by`"
        self.reader.blame("schema-unknown-key", message, at.span, hint, fix=(Edit(span=at.span, text=text),))
        return True

    def said(self, node: yaml.YamlNode, name: str, key: str, at: Span) -> tuple[yaml.YamlNode | None, Entries]:
        """Return what an entry says, alone or under `key`, and what stands beside that."""
        if not isinstance(node, yaml.Mapping):
            return node, {}
        parts = self.reader.mapping(node, f"`{name}`", keys=(key, "ask", "confirm"), required=(key,), at=at)
        return parts[key][1] if key in parts else None, parts

    def bands_meant(self, node: yaml.YamlNode) -> str | None:
        """Return the bands that a number, two in brackets, or a text was meant to be; None for anything else."""
        if isinstance(node, yaml.Sequence) and len(node.items) == len(BAND_KEYS):
            review, reject = (self.reader.written(item) for item in node.items)
            return f"{{review: {review}, reject: {reject}}}"
        if not isinstance(node, Scalar) or node.value is None:
            return None
        if isinstance(node.value, int | float) and not isinstance(node.value, bool):
            return f"{{review: {node.text.value}}}"
        bands = re.findall(r"(review|reject)\W*([\d.]+)", node.text.value)
        return "{" + ", ".join(f"{band}: {bound}" for band, bound in bands) + "}" if bands else None

    def bound(self, path: str, declared: Field, node: yaml.YamlNode, *, below: bool) -> Bound | None:
        """Return a threshold's value, of the field's type and inside its range."""
        if type(node) is yaml.YamlNode:
            return None
        value: object = node.value if isinstance(node, Scalar) else []
        reading = read(Field(type=declared.type), value)
        bound = reading.value
        if not isinstance(bound, int | float | timedelta | date):
            problem = reading.problems[0][1]
            hint = {
                INT: "one number, such as 3",
                DOUBLE: "one number, such as 0.85",
                DURATION: "for example 168h",
                TIMESTAMP: "for example 2026-01-15T08:30:00Z",
                DATE: "for example 2026-01-15",
            }.get(declared.type)
            meant = value_meant(node, declared.type, scale_of(declared)) if isinstance(node, Scalar) else None
            fix: tuple[Edit, ...] = ()
            if meant is not None and isinstance(node, Scalar):
                written = self.reader.source.text[node.span.start : node.span.end]
                problem = f"must be {named(declared.type)}, not `{shown(written)}`: {meant.why}"
                hint, fix = f"write {meant.text}", (Edit(span=node.span, text=meant.text),)
                if _AGAINST[below].match(node.text.value):
                    side = "under `below`, for bounds there are at or below" if not below else "without `below`"
                    hint, fix = f"write {meant.text} {side}", ()
            is_sure = meant is not None and meant.is_sure
            message = f"a threshold of `{path}` {problem}"
            self.reader.blame("type-threshold", message, node.span, hint, fix=fix, is_sure=is_sure)
            return None
        low, high = declared.minimum, declared.maximum
        if (low is not None and bound < low) or (high is not None and bound > high):  # type: ignore[operator]  # both are numbers of one type, as was looked at
            hint, share = range_hint(bound, low, high), on_scale(bound, low, high)
            fix = (Edit(span=node.span, text=share),) if share else ()
            self.reader.blame("threshold-range", f"`{path}` can never be {said(bound)}", node.span, hint, fix=fix)
            return None
        return bound

    def ordered(
        self,
        path: str,
        declared: Field,
        bounds: Mapping[str, tuple[Bound, Span]],
        below: bool,
        node: yaml.YamlNode,
    ) -> None:
        """Blame a review threshold that lies past the one for reject."""
        if len(bounds) < len(BAND_KEYS):
            return
        (review, span), (reject, other_span) = (bounds[band] for band in BAND_KEYS)
        if (review < reject) if below else (review > reject):  # type: ignore[operator]  # both are numbers of one type, as was looked at
            side, other = ("below", "above") if below else ("above", "below")
            message = (
                f"review begins at {said(review)}, {side} reject at {said(reject)}, so it could never be the outcome"
            )
            text = self.reader.source.text
            one, two = (text[at.start : at.end] for at in (span, other_span))
            fix: tuple[Edit, ...] = (Edit(span=span, text=two), Edit(span=other_span, text=one))
            hint = f"swap the two{'' if below else f', or nest them under `{other}:` if low values are the risky ones'}"
            if not below and declared.riskier == "lower":
                nested = f"{{below: {self.reader.written(node)}}}"
                fix = (Edit(span=node.span, text=nested),)
                hint = f"low values are the risky ones of `{path}`: write {nested}"
            self.reader.blame("threshold-order", message, span, hint, fix=fix)

    def rule(
        self,
        name: str,
        condition: Node,
        outcome: Outcome,
        reason: str,
        span: Span,
        case: Case,
        parts: Entries | None = None,
    ) -> None:
        """Keep a rule of the table; a field's entry and the whole field's may name the same one."""
        ask, confirm = ((parts or {}).get(key) for key in ("ask", "confirm"))
        rule_id = f"threshold:{name}"
        if rule_id in self.rules:
            message = f"`{name.rpartition(':')[0]}` already has this threshold"
            self.reader.blame("name-duplicate", message, span, "keep one of the two")
            return
        self.rules[rule_id] = Rule(
            id=rule_id,
            condition=case.joined(condition),
            outcome=outcome,
            reason=upper_snake(reason),
            origin="threshold",
            ask=asked(self.reader, read_ask(self.reader, ask[1]), self.steps) if ask is not None else (),
            confirm=confirm is not None and read_confirm(self.reader, confirm[1], outcome, confirm[0].span),
            span=span,
        )


def _none_of(name: Name, values: Iterable[Node], span: Span) -> Node:
    items = ListLiteral(items=tuple(values), span=span, type=ListType(name.type or STRING))
    among = Binary(operator="in", left=name, right=items, span=span, type=BOOL)
    return Unary(operator="!", operand=among, span=span, type=BOOL)


def _unknown_beyond(name: Name, values: Iterable[Node]) -> Node:
    """Return a condition that is false for these values and unknown for every other, `{"SG": false}[country]`."""
    no = Literal(value=False, span=name.span, type=BOOL)
    key = STRING if isinstance(name.type, EnumType) else name.type
    entries = MapLiteral(
        entries=tuple((value, no) for value in values), span=name.span, type=MapType(key or STRING, BOOL)
    )
    return Index(operand=entries, key=name, span=name.span, type=BOOL)


def _covers(type_: Type, values: Collection[Value]) -> bool:
    """Whether values are all that a field can have."""
    words = type_.values if isinstance(type_, EnumType) else (True, False) if type_ == BOOL else None
    return words is not None and set(words) <= set(values)


def _comparison(path: str, type_: Type, operator: BinaryOperator, bound: Bound, node: yaml.YamlNode) -> Node:
    span = node.span
    if isinstance(bound, int | float):
        constant: Node = Literal(value=bound, span=span, type=type_)
    else:
        written = node.text.value if isinstance(node, Scalar) else ""
        constant = Call(
            function=type_.name, arguments=(Literal(value=written, span=span, type=STRING),), span=span, type=type_
        )
    return Binary(operator=operator, left=Name(name=path, span=span, type=type_), right=constant, span=span, type=BOOL)


def _as_bool(value: str, values: tuple[str, ...]) -> tuple[str, bool] | None:
    """Return `true` or `false` for a word that says so."""
    word = {"yes": "true", "y": "true", "1": "true", "no": "false", "n": "false", "0": "false"}.get(value.casefold())
    return (word, False) if word in values and word is not None else None
