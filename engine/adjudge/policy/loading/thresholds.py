"""The table of thresholds: each entry is an ordinary rule in the end."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from adjudge.errors import did_you_mean, listed
from adjudge.expr.nodes import Binary, BinaryOperator, Call, Literal, Name, Node
from adjudge.model import Outcome
from adjudge.policy.loading.declarations import DAMAGED_SIGNAL
from adjudge.policy.loading.document import BAND_KEYS, CAUGHT, upper_snake
from adjudge.policy.loading.forms import Entries
from adjudge.policy.loading.reader import Reader
from adjudge.policy.slots import beginnings
from adjudge.policy.text import yaml
from adjudge.policy.text.syntax import shown
from adjudge.policy.text.yaml import Scalar
from adjudge.policy.typed import Rule, SignalDeclaration
from adjudge.source import Span
from adjudge.texts import about, in_digits
from adjudge.values.fields import Bound, Field, read
from adjudge.values.literals import format_duration, format_timestamp
from adjudge.values.types import (
    BOOL,
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

_NUMBERS = (INT, DOUBLE, DURATION, TIMESTAMP)
_PER_CENT = 100


@dataclass(frozen=True, slots=True)
class Thresholds:
    """Reads the table of one policy.

    slots: every field by its full name. signals: by name. names: all that conditions can name; what only stands there
    has no threshold.
    """

    reader: Reader
    slots: Mapping[str, Field]
    signals: Mapping[str, SignalDeclaration]
    names: Mapping[str, Type]
    complete: bool = True
    rules: dict[str, Rule] = field(default_factory=dict)

    def read(self, entries: Entries) -> tuple[Rule, ...]:
        """Return the rules that the table stands for, in its order."""
        for path, (key, node) in entries.items():
            if path in self.slots:
                self.entry(path, self.slots[path], key, node)
            else:
                self.unknown(path, key)
        return tuple(self.rules.values())

    def unknown(self, path: str, key: Scalar) -> None:
        """Blame a path that leads to no field, unless it was its declaration that failed."""
        declared = self.signals[path].fields if path in self.signals else {}
        fields = [f"{path}.{name}" for name, one in declared.items() if not isinstance(one.type, ListType)]
        if fields:
            hint = f"name one of its fields: {', '.join(fields[:6])}"
            self.reader.blame("type-threshold", f"`{shown(path)}` is a signal, not a field", key.span, hint)
        elif path in self.names and not self.is_damaged(path):
            hint = "write a rule that reads it"
            self.reader.blame("type-threshold", f"`{shown(path)}` is not a field", key.span, hint)
        elif self.complete and not self.is_damaged(path):
            nearest = did_you_mean(path, self.slots)
            self.reader.blame("name-unknown", f"there is no field `{shown(path)}`", key.span, nearest)

    def is_damaged(self, path: str) -> bool:
        """Whether the declaration of a field, or of all its signal, was blamed."""
        return any(self.names.get(name) in (DYN, DAMAGED_SIGNAL) for name in beginnings(path))

    def entry(self, path: str, declared: Field, key: Scalar, node: yaml.YamlNode) -> None:
        """Read one field's part of the table; its shape follows the field's type."""
        match declared.type:
            case MapType(keys=keys, words=words) if keys is not None and declared.of is not None:
                for name, (inner, value) in self.reader.mapping(node, f"`{path}`", at=key.span).items():
                    if name in words:
                        self.entry(f"{path}.{name}", declared.of, inner, value)
                    else:
                        hint = did_you_mean(name, keys) or f"its keys are {listed(keys)}"
                        self.reader.blame("name-key", f"`{path}` has no key `{shown(name)}`", inner.span, hint)
            case EnumType(values=values) | SetType(values=values):
                self.vocabulary(path, declared, values, key, node)
            case type_ if type_ == BOOL:
                self.vocabulary(path, declared, ("true", "false"), key, node)
            case type_ if type_ in _NUMBERS:
                self.number(path, declared, key, node)
            case type_:
                way_out = "write a rule; or declare an enum, a set, or the map's keys"
                self.reader.blame(
                    "type-threshold", f"`{path}` is {named(type_)}, which cannot have thresholds", key.span, way_out
                )

    def vocabulary(self, path: str, declared: Field, values: tuple[str, ...], key: Scalar, node: yaml.YamlNode) -> None:
        """Read `{value: outcome}`."""
        words = frozenset(values)
        for value, (inner, outcome_node) in self.reader.mapping(node, f"`{path}`", at=key.span).items():
            if value not in words:
                hint = did_you_mean(value, values) or f"it holds {listed(values)}"
                message = f"`{shown(value)}` is not in the vocabulary of `{path}`"
                self.reader.blame("name-vocabulary", message, inner.span, hint)
                continue
            outcome = self.reader.outcome(outcome_node, "an outcome", CAUGHT)
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
            self.rule(f"{path}:{value}", condition, outcome, f"{path}.{value}", span)

    def number(self, path: str, declared: Field, key: Scalar, node: yaml.YamlNode) -> None:
        """Read `{review: x, reject: y}`, at or above, or the same under `below:`, at or below."""
        entries = self.reader.mapping(node, f"`{path}`", keys=(*BAND_KEYS, "below"), at=key.span)
        below = "below" in entries
        if below:
            inner, low = entries["below"]
            if len(entries) > 1:
                hint = "keep one direction here, and write rules for the other"
                self.reader.blame("schema-value", f"`{path}` has thresholds in both directions", inner.span, hint)
            entries = self.reader.mapping(low, "`below`", keys=BAND_KEYS, at=inner.span)
            node, key = low, inner
        if isinstance(node, yaml.Mapping) and not node.entries:
            self.reader.blame("schema-missing", f"`{path}` needs `review` or `reject`", key.span)
        bounds: dict[str, tuple[Bound, Span]] = {}
        for band, (inner, value) in entries.items():
            bound = self.bound(path, declared, value)
            if bound is None:
                continue
            bounds[band] = bound, value.span
            condition = _comparison(path, declared.type, "<=" if below else ">=", bound, value)
            self.rule(f"{path}:{band}", condition, Outcome(band), path, inner.span.to(value.span))
        self.ordered(bounds, below)

    def bound(self, path: str, declared: Field, node: yaml.YamlNode) -> Bound | None:
        """Return a threshold's value, of the field's type and inside its range."""
        if type(node) is yaml.YamlNode:
            return None
        value: object = node.value if isinstance(node, Scalar) else []
        reading = read(Field(type=declared.type), value)
        bound = reading.value
        if not isinstance(bound, int | float | datetime | timedelta):
            said = reading.problems[0][1]
            hint = {DURATION: "for example 168h", TIMESTAMP: "for example 2026-01-15T08:30:00Z"}.get(declared.type)
            self.reader.blame("type-threshold", f"a threshold of `{path}` {said}", node.span, hint)
            return None
        low, high = declared.minimum, declared.maximum
        if (low is not None and bound < low) or (high is not None and bound > high):  # type: ignore[operator]  # both are numbers of one type, as was looked at
            hint = _range_hint(path, bound, low, high)
            self.reader.blame("threshold-range", f"`{path}` can never be {_said(bound)}", node.span, hint)
            return None
        return bound

    def ordered(self, bounds: Mapping[str, tuple[Bound, Span]], below: bool) -> None:
        """Blame a review threshold that lies past the one for reject."""
        if len(bounds) < len(BAND_KEYS):
            return
        (review, span), (reject, _) = (bounds[band] for band in BAND_KEYS)
        if (review < reject) if below else (review > reject):  # type: ignore[operator]  # both are numbers of one type, as was looked at
            side, other = ("below", "above") if below else ("above", "below")
            message = (
                f"review begins at {_said(review)}, {side} reject at {_said(reject)}, so it could never be the outcome"
            )
            hint = f"swap the two{'' if below else f', or nest them under `{other}:` if low values are the risky ones'}"
            self.reader.blame("threshold-order", message, span, hint)

    def rule(self, name: str, condition: Node, outcome: Outcome, reason: str, span: Span) -> None:
        """Keep a rule of the table; a field's entry and the whole field's may name the same one."""
        rule_id = f"threshold:{name}"
        if rule_id in self.rules:
            message = f"`{name.rpartition(':')[0]}` already has this threshold"
            self.reader.blame("name-duplicate", message, span, "keep one of the two")
            return
        self.rules[rule_id] = Rule(
            id=rule_id,
            condition=condition,
            outcome=outcome,
            reason=upper_snake(reason),
            origin="threshold",
            span=span,
        )


def _comparison(path: str, type_: Type, operator: BinaryOperator, bound: Bound, node: yaml.YamlNode) -> Node:
    span = node.span
    if isinstance(bound, int | float):
        constant: Node = Literal(value=bound, span=span, type=type_)
    else:
        said = node.text.value if isinstance(node, Scalar) else ""
        constant = Call(
            function=type_.name, arguments=(Literal(value=said, span=span, type=STRING),), span=span, type=type_
        )
    return Binary(operator=operator, left=Name(name=path, span=span, type=type_), right=constant, span=span, type=BOOL)


def _range_hint(path: str, bound: Bound, low: Bound | None, high: Bound | None) -> str:
    """Say the range, and the same number as a share or in per cent where that lies inside."""
    if low is not None and high is not None:
        said = f"it ranges from {_said(low)} to {_said(high)}"
    else:
        said = f"it is {_said(low)} or more" if low is not None else f"it is {_said(high)} or less"
    if isinstance(bound, int | float) and isinstance(low, int | float) and isinstance(high, int | float):
        for meant in (bound / _PER_CENT, bound * _PER_CENT):
            if low < meant <= high:
                return f"{said}; did you mean {about(meant)}?"
    return said


def _said(bound: Bound | None) -> str:
    match bound:
        case timedelta():
            return format_duration(bound)
        case datetime():
            return format_timestamp(bound)
        case None:
            return ""
        case _:
            return in_digits(bound)
