"""Tests that are missing, for an author to fill in: inputs that try what no test has tried."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal, TypeVar

from adjudge.authoring.formatting.scalars import text_scalar
from adjudge.authoring.policy_tests.cases import PolicyTest, PolicyTestFile, read_tests
from adjudge.authoring.policy_tests.coverage import Item, Tracker, coverage, described
from adjudge.authoring.policy_tests.row_items import condition_of
from adjudge.authoring.policy_tests.testing import run_case
from adjudge.authoring.proofs.guesses import guesses
from adjudge.errors import PolicyErrors
from adjudge.errors import SuggestFault as SuggestFault
from adjudge.expr.nodes import Node
from adjudge.frozen import frozen
from adjudge.model import Outcome
from adjudge.policy.catalogue import Catalogue
from adjudge.policy.explaining.explanation import shown
from adjudge.policy.policy import Policy
from adjudge.policy.slots import NOW, source_of
from adjudge.policy.text import yaml
from adjudge.policy.text.yaml import read_yaml
from adjudge.policy.typed import TypedPolicy
from adjudge.policy.written_rows import rows_written
from adjudge.texts import split_lines
from adjudge.values.literals import format_timestamp

if TYPE_CHECKING:
    from adjudge.authoring.proofs.inputs import InputSearch
    from adjudge.authoring.proofs.world import Input


@frozen(kw_only=True)
class Suggestion:
    """A test that tries some items. given: what differs from the file's defaults; None for a signal that is lost.

    today: what the policy says now, for the author to agree with or not.
    """

    name: str
    given: Mapping[str, object]
    now: datetime | None
    items: tuple[Item, ...]
    today: Outcome

    def render(self, indent: str = "  ", *, agreed: bool = False) -> str:
        """Return it as an entry of `tests`; its `expect` is for the author to fill in, unless they have agreed."""
        lines = [f"- name: {text_scalar(self.name)}"]
        if self.given:
            lines.append(f"  given: {_flow(self.given)}")
        if self.now is not None:
            lines.append(f"  now: {format_timestamp(self.now)}")
        lines.append(f"  expect: {'' if agreed else '# today: '}{self.today}")
        return "\n".join(indent + line for line in lines)


def suggest(
    file: PolicyTestFile, others: Iterable[PolicyTestFile] = ()
) -> tuple[tuple[Suggestion, ...], tuple[Item, ...]]:
    """Return tests that try what is missing, fewest first, and what no input was found for.

    others: more tests of the same policy, in files of their own; what they try is not missing.
    """
    others = tuple(others)
    searcher = _Searcher(file, others)
    left = list(coverage([file, *others]).missing)
    found: list[Suggestion] = []
    names = {case.name for case in file.cases}
    unfound: list[Item] = []
    while left:
        item = left[0]
        suggestion = searcher.find(item, left)
        if suggestion is None:
            unfound.append(left.pop(0))
            continue
        name = suggestion.name
        number = 2
        while name in names:
            name, number = f"{suggestion.name} ({number})", number + 1
        names.add(name)
        found.append(replace(suggestion, name=name))
        left = [one for one in left if one not in suggestion.items]
    return tuple(found), tuple(unfound)


def appended(file: PolicyTestFile, suggestions: Sequence[Suggestion], catalogue: Catalogue) -> str:
    """Return a file's text with suggestions behind its last test, each with an `expect` to fill in.

    Raises SuggestFault where the file would not load, or a test would fail, once they are filled in as of today.
    """
    text = file.source.text
    root, _ = read_yaml(file.source)
    tests = root.get("tests") if isinstance(root, yaml.Mapping) else None
    assert tests is not None
    indent = text[text.rfind("\n", 0, tests.span.start) + 1 : tests.span.start]
    if indent.strip():
        raise SuggestFault(f"{file.path}: `tests` is in brackets; write each test after a dash first")
    at = _line_after(text, tests.span.end)
    line_end = "\r\n" if "\r\n" in text else "\n"

    def joined(*, agreed: bool) -> str:
        entries = "".join(f"{one.render(indent, agreed=agreed)}\n" for one in suggestions).replace("\n", line_end)
        return text[:at] + ("" if text[:at].endswith("\n") else line_end) + entries + text[at:]

    names = {one.name for one in suggestions}
    try:
        again = read_tests(file.path, catalogue, joined(agreed=True))
    except PolicyErrors as errors:
        said = errors.errors[0].message
        raise SuggestFault(f"{file.path}: it would not load with the tests suggested: {said}") from None
    results = [run_case(again, case) for case in again.cases if case.name in names]
    if len(results) != len(names) or not all(result.passed for result in results):
        raise SuggestFault(f"{file.path}: the tests suggested would not say there what they are meant to")
    return joined(agreed=False)


def _line_after(text: str, end: int) -> int:
    """Return where the line after a part begins; the end of the text where nothing but comments is left."""
    at = end if text[:end].endswith("\n") else (text.find("\n", end) + 1 or len(text))
    left = (line.strip() for line in split_lines(text[at:]))
    return len(text) if all(not line or line.startswith("#") for line in left) else at


SEARCH_S = 20.0
"""For all that the solver is asked of one policy."""


class _Searcher:
    def __init__(self, file: PolicyTestFile, others: Iterable[PolicyTestFile]) -> None:
        self.file, self.policy = file, file.policy
        self.tracker = Tracker(file.policy)
        self.bases: list[PolicyTest] = [file.defaults, *file.cases, *(case for other in others for case in other.cases)]

    def find(self, item: Item, left: list[Item]) -> Suggestion | None:
        """Return a test that tries an item, and what else it tries of those that are left."""
        for base in self.bases:
            for changes in (written for guess in self.changes(item) for written in _written(guess)):
                given, now = _changed(base.given, changes, self.policy.typed), changes.get(NOW, base.now)
                moment = now if isinstance(now, datetime) else None
                tried = self.tracker.tried(given, moment)
                if item in tried:
                    return self.suggestion(item, left, given, moment)
        found = self.solved(item)
        return self.suggestion(item, left, found.given, found.now) if found is not None else None

    def suggestion(self, item: Item, left: list[Item], given: Mapping[str, object], now: datetime | None) -> Suggestion:
        """Return a test of an input, with a clock only where it says something."""
        plain = self.file.defaults.now
        if now != plain and item in self.tracker.tried(given, plain):
            now = plain
        tried = self.tracker.tried(given, now)
        return Suggestion(
            name=described(item),
            given=_difference(self.file.defaults.given, given, self.policy),
            now=now if now != self.file.defaults.now else None,
            items=tuple(one for one in left if one in tried),
            today=self.policy.evaluate(given, now=now).outcome,
        )

    def solved(self, item: Item) -> Input | None:
        """Return an input that tries what no guess does."""
        search = self.search
        if search is None or item.kind == "threshold":
            return None

        def tries(found: Input) -> bool:
            return item in self.tracker.tried(found.given, found.now)

        match item.kind, item.what:
            case "rule" | "row", what:
                node = self.condition(item)
                truths: dict[str, Literal["false", "unknown"]] = {"false": "false", "unknown": "unknown"}
                return search.where(node, truths.get(what, "true"), tries)
            case "band", what:
                card = next(card for card in self.policy.typed.scorecards.values() if card.label == item.name)
                return search.band(card.name, Outcome(what.removeprefix("in ")), tries)
        return search.outcome(Outcome(item.what), tries)

    @cached_property
    def search(self) -> InputSearch | None:
        """What finds the rest; without the extra `proofs`, guesses are all there is."""
        try:
            from adjudge.authoring.proofs.inputs import InputSearch
        except ModuleNotFoundError:
            return None
        base = self.file.defaults
        return InputSearch.of(self.policy, base.given, base.now, total_s=SEARCH_S)

    def changes(self, item: Item) -> Iterator[Mapping[str, object]]:
        """Yield values by slot that may try an item."""
        typed = self.policy.typed
        if item.kind == "threshold":
            one = next(b for b in self.tracker.boundaries if (b.name, b.span) == (item.name, item.span))
            yield {one.slot: one.beside(item.what)}
        elif item.kind in ("rule", "row", "excuse"):
            node = self.condition(item)
            if item.what == "unknown":
                slots = sorted(typed.reads.slots(node))
                yield from ({source_of(slot): None} for slot in slots)
                yield dict.fromkeys(map(source_of, slots))
            else:
                yield from guesses(node, typed, item.what != "false")
        elif item.kind == "outcome":
            yield {}
            if item.what == "pass":
                yield _all_at_once(next(guesses(rule.condition, typed, False), {}) for rule in typed.rules)
            for rule in typed.rules:
                if rule.outcome.value == item.what:
                    yield from guesses(rule.condition, typed)
        else:
            yield {}
            card = next(card for card in typed.scorecards.values() if card.label == item.name)
            joined: dict[str, object] = {}
            for row in sorted(card.rows, key=lambda row: -row.points):
                joined |= next(iter(guesses(row.condition, typed)), {})
                yield dict(joined)

    def condition(self, item: Item) -> Node:
        """Return the condition of a rule, excuse or row, or that a row adds the points of the item."""
        typed = self.policy.typed
        if item.kind == "rule":
            return next(rule.condition for rule in typed.rules if rule.id == item.name)
        if item.kind == "excuse":
            return next(excuse.condition for excuse in typed.excuses if excuse.id == item.name)
        row = next(row for row in rows_written(typed) if row.name == item.name)
        return row.row.condition if row.is_plain else condition_of(row, item.what)


def _all_at_once(parts: Iterable[Mapping[str, object]]) -> dict[str, object]:
    """Return values that several conditions want; of one slot, what the last says."""
    return {slot: value for part in parts for slot, value in part.items()}


def _written(guess: Mapping[str, object]) -> Iterator[Mapping[str, object]]:
    """Yield a guess with values as a person would write them, farther from a bound first; then as it is."""
    found: list[Mapping[str, object]] = []
    for step in (0, 1):
        written = {slot: _rounder(value, step) for slot, value in guess.items()}
        if written != guess and written not in found:
            found.append(written)
    yield from [*found, guess]


def _rounder(value: object, step: int) -> object:
    """Return a value at the very edge of a bound a step farther from it: a minute, or one of its last digits."""
    match value:
        case float() if math.isfinite(value) and len(repr(value)) > 12:
            bound = float(f"{value:.12g}")
            places = max(0, -Decimal(repr(bound)).normalize().as_tuple().exponent)  # type: ignore[operator]  # it is finite
            places += step + (1 if places or abs(bound) <= 1 else 0)
            return round(bound + math.copysign(10.0**-places, value - bound), places)
        case timedelta() if value.microseconds:
            span, side = _next_second(value, value.microseconds)
            return span + side * _UNITS[step]
        case datetime() if value.microsecond:
            moment, side = _next_second(value, value.microsecond)
            return moment + side * _UNITS[step]
    return value


_Time = TypeVar("_Time", timedelta, datetime)
_UNITS = (timedelta(minutes=1), timedelta(seconds=1))


def _next_second(value: _Time, microseconds: int) -> tuple[_Time, int]:
    """Return the full second that a time lies next to, and on which side of it."""
    if microseconds >= 500_000:
        return value + timedelta(microseconds=1_000_000 - microseconds), -1
    return value - timedelta(microseconds=microseconds), 1


def _changed(given: Mapping[str, object], changes: Mapping[str, object], typed: TypedPolicy) -> dict[str, Any]:
    changed: dict[str, Any] = dict(given)
    for slot, value in changes.items():
        if slot == NOW:
            continue
        owner, *path = typed.path_of(slot)
        if not path:
            changed[owner] = value
            continue
        part = changed[owner] = dict(changed.get(owner) or {})
        for step in path[:-1]:
            inner = part.get(step)
            part[step] = dict(inner) if isinstance(inner, Mapping) else {}
            part = part[step]
        part[path[-1]] = value
    return {name: value for name, value in changed.items() if value is not None}


def _difference(defaults: Mapping[str, Any], given: Mapping[str, Any], policy: Policy) -> dict[str, object]:
    """Return what a test must say for its `given` to come to this; unknown is None."""
    said: dict[str, object] = {}
    inputs = {name: given.get(name) for name in policy.typed.inputs if given.get(name) != defaults.get(name)}
    if inputs:
        said["inputs"] = inputs
    for name in policy.typed.signals:
        before, after = defaults.get(name), given.get(name)
        if before == after:
            continue
        if after is None:
            said[name] = None
            continue
        before = before if isinstance(before, Mapping) else {}
        fields = {key: after.get(key) for key in {**before, **after} if after.get(key) != before.get(key)}
        said[name] = fields
    return said


def _flow(value: object) -> str:
    match value:
        case None:
            return "unknown"
        case Mapping():
            return "{" + ", ".join(f"{text_scalar(str(key))}: {_flow(part)}" for key, part in value.items()) + "}"
        case list() | tuple():
            return "[" + ", ".join(_flow(part) for part in value) + "]"
        case str():
            return text_scalar(value)
        case _:
            return shown(value)
