"""What a test gives: inputs and fields of signals, checked against the policy's declarations."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import cast

from adjudge.errors import did_you_mean, nearest
from adjudge.policy.loading.meant_values import scale_of, value_meant
from adjudge.policy.loading.other_words import choice_meant
from adjudge.policy.loading.reader import Reader, Refused
from adjudge.policy.slots import TEXTS, is_within, novel_name
from adjudge.policy.text import yaml
from adjudge.policy.text.syntax import shown
from adjudge.policy.text.yaml import Scalar, YamlNode
from adjudge.policy.typed import TypedPolicy
from adjudge.source import Edit, Span
from adjudge.values.fields import Field
from adjudge.values.reading import STRAY_KEY, STRAY_MEMBER, read
from adjudge.values.types import TIMESTAMP, EnumType

INPUTS, NOW, UNKNOWN = "inputs", "now", "unknown"

Given = dict[str, dict[str, tuple[object, YamlNode]] | None]
"""Values with their places: inputs under `inputs`, each signal's fields under its name, None for an unknown signal."""


@dataclass(slots=True)
class GivenReader:
    """Reads what the tests of one policy give. fields: those that can be given, by signal, and the inputs."""

    reader: Reader
    policy: TypedPolicy
    fields: dict[str, dict[str, Field]] = field(init=False)

    def __post_init__(self) -> None:
        policy = self.policy
        parts = {INPUTS: policy.inputs, **{name: signal.fields for name, signal in policy.signals.items()}}
        self.fields = {part: {**fields, **_novel(fields)} for part, fields in parts.items()}

    def now(self, node: YamlNode) -> datetime | None:
        """Return the clock."""
        value: object = node.value if isinstance(node, Scalar) else []
        reading = read(Field(type=TIMESTAMP), value)
        if reading.problems:
            meant = value_meant(node, TIMESTAMP) if isinstance(node, Scalar) and node.value is not None else None
            hint = f"write {meant.text}" if meant is not None else "for example 2026-01-15T08:30:00Z"
            fix = (Edit(span=node.span, text=meant.text),) if meant is not None else ()
            self.reader.blame("test-value", f"`now` {reading.problems[0][1]}", node.span, hint, fix=fix)
        return cast(datetime | None, reading.value)

    def read(self, node: YamlNode, what: str, at: Span, *, with_now: bool) -> tuple[Given, datetime | None]:
        """Return what a mapping of inputs and signals says."""
        given: Given = {}
        now = None
        for name, (key, value) in self.reader.mapping(node, what, at=at).items():
            if name == NOW and with_now:
                now = self.now(value)
            elif name in self.policy.of_request:
                given[INPUTS] = {**(given.get(INPUTS) or {}), **self.part(INPUTS, key, _entry(key, value))}
            elif name not in self.fields:
                self.unknown_part(name, key, what)
            elif self.is_unknown(value) and name != INPUTS:
                given[name] = None
            else:
                given[name] = {**(given.get(name) or {}), **self.part(name, key, value)}
        return given, now

    def unknown_part(self, name: str, key: Scalar, what: str) -> None:
        """Blame a name that is no signal."""
        if name in (NOW, "clock", "time", "at", "today"):
            self.clock(name, key)
            return
        if name in self.fields[INPUTS]:
            hint = f"`{name}` is an input; write it under `inputs:`"
            self.reader.blame("test-input", f"unknown key `{shown(name)}` in {what}", key.span, hint)
            return
        near = nearest(name, self.fields)
        hint = f"did you mean `{near}`?" if near is not None else f"{what} takes {', '.join(self.fields)}"
        fix = (Edit(span=key.span, text=near),) if near is not None else ()
        self.reader.blame("test-signal", f"the policy has no signal `{shown(name)}`", key.span, hint, fix=fix)

    def clock(self, name: str, key: Scalar) -> None:
        """Blame a clock that does not stand beside `given`."""
        message = f"`{shown(name)}` is no input and no signal: the clock of a test stands beside `given`"
        self.reader.blame("test-signal", message, key.span, f"write `{NOW}: 2026-01-15T08:30:00Z` before `given:`")

    def part(self, part: str, key: Scalar, node: YamlNode) -> dict[str, tuple[object, YamlNode]]:
        """Return what is said of the inputs, or of one signal's fields."""
        found: dict[str, tuple[object, YamlNode]] = {}
        what, code = ("an input", "test-input") if part == INPUTS else (f"a field of `{part}`", "test-field")
        for name, (inner, value) in self.reader.mapping(node, f"`{part}`", at=key.span).items():
            if name in self.fields[part]:
                try:
                    found[name] = (self.value(value), value)
                except Refused:
                    continue
            elif name == NOW:
                self.clock(name, inner)
            else:
                known = self.fields[part]
                near = nearest(name, known)
                hint = f"did you mean `{near}`?" if near is not None else f"`{part}` has {', '.join(known) or 'none'}"
                fix = (Edit(span=inner.span, text=near),) if near is not None else ()
                self.reader.blame(code, f"`{shown(name)}` is not {what}", inner.span, hint, fix=fix)
        return found

    def is_unknown(self, node: YamlNode) -> bool:
        """Whether a part is the plain word `unknown`; in quotes it is a text."""
        return isinstance(node, Scalar) and self.reader.source.text[node.span.start : node.span.end] == UNKNOWN

    def value(self, node: YamlNode) -> object:
        """Return what a part stands for, None for `unknown`. Raises Refused where some of it was blamed."""
        match node:
            case Scalar(value=None):
                hint = f"write `{UNKNOWN}`, or leave it out"
                self.reader.blame("schema-empty", "a value is empty", node.span, hint)
                raise Refused
            case Scalar(value=value):
                return None if self.is_unknown(node) else value
            case yaml.Sequence(items=items):
                return [self.value(item) for item in items]
            case yaml.Mapping(entries=entries):
                return {key.text.value: self.value(value) for key, value in entries}
            case _:
                raise Refused

    def check(self, given: Given, refused: Iterable[str]) -> None:
        """Blame values that no field could have, unless the test says that they are to be refused."""
        for part, values in given.items():
            for name, (value, node) in (values or {}).items():
                full = name if part == INPUTS else f"{part}.{name}"
                if any(is_within(one, full) for one in refused):
                    continue
                declared = self.fields[part][name]
                reading = read(declared, value)
                for path, problem in reading.problems:
                    if problem in (STRAY_MEMBER, STRAY_KEY):
                        continue  # said below, by name
                    place = f"{full}.{path}" if path else full
                    self.refused(place, problem, _part(node, path), declared if not path else None)
                if reading.novel and not isinstance(declared.type, EnumType):
                    stray = reading.novel[0]
                    more = f"a new one goes into `{novel_name(name, declared)}`"
                    hint = did_you_mean(stray, declared.vocabulary or ()) or more
                    message = f"`{shown(stray)}` is not in the vocabulary of `{full}`"
                    self.reader.blame("test-value", message, _within(node, stray), hint)

    def refused(self, place: str, problem: str, node: YamlNode, declared: Field | None) -> None:
        """Blame a value that no field could have, with what was most likely meant. declared: of a field as a whole."""
        hint = f"for a value that the policy must refuse, write `problems: [{place}]` in `expect`"
        meant = None
        if declared is not None and isinstance(node, Scalar) and node.value is not None:
            found = value_meant(node, declared.type, scale_of(declared))
            word = choice_meant(node.text.value, declared.type.values) if isinstance(declared.type, EnumType) else None
            meant = found.text if found is not None else word[0] if word is not None else None
        if meant is not None and meant != self.reader.written(node):
            hint = f"write {meant}; {hint}"
            fix = (Edit(span=node.span, text=meant),)
            self.reader.blame("test-value", f"`{place}` {problem}", node.span, hint, fix=fix)
        else:
            self.reader.blame("test-value", f"`{place}` {problem}", node.span, hint)

    def merged(self, defaults: Given, given: Given) -> dict[str, object]:
        """Return inputs and signals as `Policy.evaluate` takes them: field by field from `given`, else `defaults`."""
        merged: dict[str, object] = {}
        for part in self.fields:
            said = given.get(part, {})
            if said is None:
                continue
            values = {name: value for name, (value, _) in {**(defaults.get(part) or {}), **said}.items()}
            if part == INPUTS:
                merged |= values
            elif part in defaults or part in given:
                merged[part] = values
        return merged


def _entry(key: Scalar, value: YamlNode) -> yaml.Mapping:
    """Return a mapping of one entry."""
    return yaml.Mapping(span=value.span, entries=((key, value),))


def _novel(fields: Mapping[str, Field]) -> dict[str, Field]:
    """Return the lists under which what is outside a vocabulary appears."""
    names = [novel_name(name, declared) for name, declared in fields.items()]
    return {name: TEXTS for name in names if name is not None and name not in fields}


def _within(node: YamlNode, path: str) -> Span:
    """Return where a part of a value stands: a map's entry or a list's item by number or text; else the value."""
    return _part(node, path).span


def _part(node: YamlNode, path: str) -> YamlNode:
    """Return a part of a value: a map's entry or a list's item by number or text; else the value."""
    for step in path.split(".") if path else ():
        if isinstance(node, yaml.Mapping):
            entry = next(((key, value) for key, value in node.entries if key.text.value == step), None)
            if entry is None:
                break
            node = entry[1] if isinstance(entry[1], Scalar) else entry[0]
        elif isinstance(node, yaml.Sequence):
            texts = [item.text.value if isinstance(item, Scalar) else "" for item in node.items]
            at = texts.index(step) if step in texts else int(step) if step.isdigit() else len(texts)
            if at >= len(texts):
                break
            node = node.items[at]
    return node
