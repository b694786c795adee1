"""Tests of a policy as written beside it, in `*_test.yaml`: read strictly, checked against the policy they test."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import cast

from adjudge.errors import PolicyErrors, did_you_mean
from adjudge.expr.types import TIMESTAMP, EnumType
from adjudge.fields import Field, read
from adjudge.model import OUTCOMES, Outcome
from adjudge.policy import yaml
from adjudge.policy.catalogue import Catalogue
from adjudge.policy.forms import Entries
from adjudge.policy.load import read_policy_file, read_source
from adjudge.policy.policy import Policy
from adjudge.policy.reader import Reader, Refused
from adjudge.policy.slots import TEXTS, novel_name
from adjudge.policy.syntax import shown
from adjudge.policy.yaml import Node, Scalar, read_yaml
from adjudge.source import Source, Span

ENDINGS = ("_test.yaml", "_test.yml")
KEYS = ("policy", "description", "defaults", "tests")
CASE_KEYS = ("name", "description", "given", "now", "expect")
EXPECT_KEYS = (
    "outcome",
    "lower",
    "upper",
    "settled",
    "rules",
    "unresolved",
    "reasons",
    "score",
    "waived",
    "problems",
)
INPUTS, NOW, UNKNOWN = "inputs", "now", "unknown"
SCORECARD = "scorecard"
POINTS_MAX = 10**9


@dataclass(frozen=True, slots=True, kw_only=True)
class Expected:
    """What a verdict must be; None for what the test does not say.

    rules, unresolved, waived: ids that must be among the verdict's; none at all where empty.
    reasons: exactly these codes, in any order. score: lowest and highest total.
    problems: full names of the given values that must be refused.
    """

    outcome: Outcome | None = None
    lower: Outcome | None = None
    upper: Outcome | None = None
    settled: bool | None = None
    rules: tuple[str, ...] | None = None
    unresolved: tuple[str, ...] | None = None
    reasons: tuple[str, ...] | None = None
    score: tuple[int, int] | None = None
    waived: tuple[str, ...] | None = None
    problems: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One test. given: as `Policy.evaluate` takes it, defaults merged in; span: where its name stands."""

    name: str
    given: Mapping[str, object]
    now: datetime | None
    expected: Expected
    span: Span


@dataclass(frozen=True, slots=True, kw_only=True)
class CaseFile:
    """The tests of one file, and the policy that they are for."""

    path: Path
    source: Source = field(repr=False)
    policy: Policy
    cases: tuple[Case, ...]


def is_test_file(path: Path) -> bool:
    """Whether a file's name says that it holds tests."""
    return path.name.endswith(ENDINGS)


def policy_of(path: Path) -> Path | None:
    """Return the path of the policy that a file of tests is for, as far as it says; never raises."""
    try:
        root, _ = read_yaml(read_source(path, "test file"))
    except PolicyErrors:
        return None
    named = root.get("policy") if isinstance(root, yaml.Mapping) else None
    return path.parent / named.value if isinstance(named, Scalar) and isinstance(named.value, str) else None


def read_tests(path: str | Path, catalogue: Catalogue | None = None) -> CaseFile:
    """Read the tests of a file, and their policy, whose path is relative to the file.

    catalogue: the providers and functions that the policy may name.
    Raises PolicyErrors with everything that is wrong with either.
    """
    path = Path(path)
    reader = Reader(read_source(path, "test file"))
    root, reader.errors[:] = read_yaml(reader.source)
    entries = (
        reader.mapping(root, "a test file", keys=KEYS, required=("policy", "tests"), at=_head(root)) if root else {}
    )
    policy = _policy(reader, path, entries, catalogue) if "policy" in entries else None
    if policy is None:
        raise PolicyErrors(reader.errors)
    cases = _Cases(reader, policy).read(entries)
    if reader.errors:
        raise PolicyErrors(reader.errors)
    return CaseFile(path=path, source=reader.source, policy=policy, cases=cases)


def _policy(reader: Reader, path: Path, entries: Entries, catalogue: Catalogue | None) -> Policy | None:
    _, node = entries["policy"]
    named = reader.text(node, "the policy's file")
    if named is None:
        return None
    file = path.parent / named
    if not file.is_file():
        beside = [other.name for other in sorted(path.parent.glob("*.y*ml")) if not is_test_file(other)]
        hint = did_you_mean(named, beside) or "the path is relative to this file"
        reader.blame("test-policy", f"there is no policy `{shown(named)}`", node.span, hint)
        return None
    catalogue = catalogue or Catalogue()
    try:
        return Policy(read_policy_file(file, catalogue), catalogue.overloads())
    except PolicyErrors as errors:
        reader.errors.extend(errors.errors)
        return None


def _head(node: Node | None) -> Span:
    """Return where a mapping's first key stands."""
    if isinstance(node, yaml.Mapping) and node.entries:
        return node.entries[0][0].span
    return node.span if node is not None else Span(0, 0)


Given = dict[str, dict[str, tuple[object, Node]] | None]
"""Values with their places: inputs under `inputs`, each signal's fields under its name, None for an unknown signal."""


@dataclass(slots=True)
class _Cases:
    """Reads the tests of one file."""

    reader: Reader
    policy: Policy
    fields: dict[str, dict[str, Field]] = field(init=False)

    def __post_init__(self) -> None:
        typed = self.policy.typed
        parts = {INPUTS: typed.inputs, **{name: signal.fields for name, signal in typed.signals.items()}}
        self.fields = {part: {**fields, **_novel(fields)} for part, fields in parts.items()}

    def read(self, entries: Entries) -> tuple[Case, ...]:
        defaults: Given = {}
        now: datetime | None = None
        if "defaults" in entries:
            key, node = entries["defaults"]
            defaults, now = self.given(node, "`defaults`", key.span, with_now=True)
            self.check(defaults, ())
        cases: list[Case] = []
        lines: dict[str, int] = {}
        if "tests" not in entries:
            return ()
        key, node = entries["tests"]
        items = self.reader.items(node, "`tests`")
        if isinstance(node, yaml.Sequence) and not items:
            self.reader.blame("test-empty", "there are no tests here", key.span, "add a test, or delete the file")
        for item in items:
            case = self.case(item, defaults, now, lines)
            if case is not None:
                cases.append(case)
        return tuple(cases)

    def case(self, item: Node, defaults: Given, default_now: datetime | None, lines: dict[str, int]) -> Case | None:
        reader = self.reader
        entries = reader.mapping(item, "a test", keys=CASE_KEYS, required=("name", "expect"), at=_head(item))
        name = reader.text(entries["name"][1], "the test's name") if "name" in entries else None
        if name is not None:
            span = entries["name"][1].span
            if name in lines:
                hint = f"it is the name of the test in line {lines[name]} already"
                reader.blame("test-duplicate", f"there are two tests `{shown(name)}`", span, hint)
            lines.setdefault(name, reader.source.place(span.start)[0])
        expected = self.expected(*entries["expect"]) if "expect" in entries else Expected()
        given: Given = {}
        if "given" in entries:
            key, node = entries["given"]
            given, _ = self.given(node, "`given`", key.span, with_now=False)
        self.check(given, expected.problems)
        moment = self.now(entries[NOW][1]) if NOW in entries else default_now
        if name is None:
            return None
        return Case(
            name=name,
            given=self.merged(defaults, given),
            now=moment,
            expected=expected,
            span=entries["name"][1].span,
        )

    def now(self, node: Node) -> datetime | None:
        value: object = node.value if isinstance(node, Scalar) else []
        reading = read(Field(type=TIMESTAMP), value)
        if reading.problems:
            hint = "for example 2026-01-15T08:30:00Z"
            self.reader.blame("test-value", f"`now` {reading.problems[0][1]}", node.span, hint)
        return cast(datetime | None, reading.value)

    def given(self, node: Node, what: str, at: Span, *, with_now: bool) -> tuple[Given, datetime | None]:
        """Return what a mapping of inputs and signals says."""
        given: Given = {}
        now = None
        for name, (key, value) in self.reader.mapping(node, what, at=at).items():
            if name == NOW and with_now:
                now = self.now(value)
            elif name not in self.fields:
                self.unknown_part(name, key, what)
            elif self.is_unknown(value) and name != INPUTS:
                given[name] = None
            else:
                given[name] = self.part(name, key, value)
        return given, now

    def unknown_part(self, name: str, key: Scalar, what: str) -> None:
        if name in self.fields[INPUTS]:
            hint = f"`{name}` is an input; write it under `inputs:`"
            self.reader.blame("test-input", f"`{shown(name)}` means nothing in {what}", key.span, hint)
            return
        hint = did_you_mean(name, self.fields) or f"{what} takes {', '.join(self.fields)}"
        self.reader.blame("test-signal", f"the policy has no signal `{shown(name)}`", key.span, hint)

    def part(self, part: str, key: Scalar, node: Node) -> dict[str, tuple[object, Node]]:
        """Return what is said of the inputs, or of one signal's fields."""
        found: dict[str, tuple[object, Node]] = {}
        what, code = ("an input", "test-input") if part == INPUTS else (f"a field of `{part}`", "test-field")
        for name, (inner, value) in self.reader.mapping(node, f"`{part}`", at=key.span).items():
            if name in self.fields[part]:
                try:
                    found[name] = (self.value(value), value)
                except Refused:
                    continue
            else:
                known = self.fields[part]
                hint = did_you_mean(name, known) or f"`{part}` has {', '.join(known) or 'none'}"
                self.reader.blame(code, f"`{shown(name)}` is not {what}", inner.span, hint)
        return found

    def is_unknown(self, node: Node) -> bool:
        """Whether a part is the plain word `unknown`; in quotes it is a text."""
        return isinstance(node, Scalar) and self.reader.source.text[node.span.start : node.span.end] == UNKNOWN

    def value(self, node: Node) -> object:
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
                if any(one == full or one.startswith(f"{full}.") for one in refused):
                    continue
                declared = self.fields[part][name]
                reading = read(declared, value)
                for path, problem in reading.problems:
                    place = f"{full}.{path}" if path else full
                    hint = f"for a value that the policy is to refuse, say `problems: [{place}]` in `expect`"
                    self.reader.blame("test-value", f"`{place}` {problem}", _within(node, path), hint)
                if reading.novel and not isinstance(declared.type, EnumType):
                    stray = reading.novel[0]
                    more = f"a new one stands in `{novel_name(name, declared)}`"
                    hint = did_you_mean(stray, declared.vocabulary or ()) or more
                    message = f"`{shown(stray)}` is not in the vocabulary of `{full}`"
                    self.reader.blame("test-value", message, _within(node, stray), hint)

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

    def expected(self, key: Scalar, node: Node) -> Expected:
        if isinstance(node, Scalar):
            return Expected(outcome=self.reader.outcome(node, "`expect`"))
        entries = self.reader.mapping(node, "`expect`", keys=EXPECT_KEYS, at=key.span)
        if isinstance(node, yaml.Mapping) and not node.entries:
            self.reader.blame("test-empty", "`expect` says nothing", key.span, f"one of {', '.join(OUTCOMES)}")
        typed = self.policy.typed
        ids = [rule.id for rule in typed.rules]
        codes = [rule.reason for rule in typed.rules] + ([typed.scorecard.reason] if typed.scorecard else [])
        return Expected(
            outcome=self.outcome(entries, "outcome"),
            lower=self.outcome(entries, "lower"),
            upper=self.outcome(entries, "upper"),
            settled=self.settled(entries["settled"][1]) if "settled" in entries else None,
            rules=self.names(entries, "rules", ids, "test-rule", "rule"),
            unresolved=self.names(entries, "unresolved", ids, "test-rule", "rule"),
            reasons=self.names(entries, "reasons", codes, "test-reason", "reason code"),
            score=self.score(entries["score"][1]) if "score" in entries else None,
            waived=self.names(entries, "waived", [*ids, SCORECARD], "test-rule", "rule"),
            problems=self.problems(entries),
        )

    def outcome(self, entries: Entries, key: str) -> Outcome | None:
        return self.reader.outcome(entries[key][1], f"`{key}`") if key in entries else None

    def settled(self, node: Node) -> bool | None:
        said = self.reader.choice(node, "`settled`", ("true", "false"))
        return None if said is None else said == "true"

    def names(self, entries: Entries, key: str, known: Iterable[str], code: str, what: str) -> tuple[str, ...] | None:
        if key not in entries:
            return None
        found = []
        known = tuple(dict.fromkeys(known))
        for item in self.reader.items(entries[key][1], f"`{key}`"):
            name = self.reader.text(item, f"a {what}")
            if name is not None and name not in known:
                hint = did_you_mean(name, known)
                self.reader.blame(code, f"the policy has no {what} `{shown(name)}`", item.span, hint)
            elif name is not None:
                found.append(name)
        return tuple(found)

    def problems(self, entries: Entries) -> tuple[str, ...]:
        """Return the fields whose values are to be refused, a part inside a field by its dotted path."""
        if "problems" not in entries:
            return ()
        known = [name if part == INPUTS else f"{part}.{name}" for part, names in self.fields.items() for name in names]
        found = []
        for item in self.reader.items(entries["problems"][1], "`problems`"):
            name = self.reader.text(item, "a field")
            if name is not None and not any(name == one or name.startswith(f"{one}.") for one in known):
                hint = did_you_mean(name, known)
                self.reader.blame("test-field", f"the policy has no field `{shown(name)}`", item.span, hint)
            elif name is not None:
                found.append(name)
        return tuple(found)

    def score(self, node: Node) -> tuple[int, int] | None:
        if self.policy.typed.scorecard is None:
            self.reader.blame("test-score", "the policy has no scorecard", node.span)
            return None
        ends = node.items if isinstance(node, yaml.Sequence) else (node, node)
        if len(ends) != 2:
            self.reader.unfit(node, "`score`", "a number of points, or [lowest, highest]")
            return None
        low, high = (self.reader.integer(end, "`score`", POINTS_MAX) for end in ends)
        return None if low is None or high is None else (low, high)


def _novel(fields: Mapping[str, Field]) -> dict[str, Field]:
    """Return the lists under which what is outside a vocabulary appears."""
    names = [novel_name(name, declared) for name, declared in fields.items()]
    return {name: TEXTS for name in names if name is not None and name not in fields}


def _within(node: Node, path: str) -> Span:
    """Return where a part of a value stands: a map's entry or a list's item by number or text; else the value."""
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
    return node.span
