"""Tests of a policy as written beside it, in `*_test.yaml`: read strictly, checked against the policy they test."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from adjudge.authoring.expected import Expected, ExpectedReader
from adjudge.authoring.given import INPUTS, NOW, Given, GivenReader
from adjudge.errors import PolicyErrors, did_you_mean
from adjudge.policy import yaml
from adjudge.policy.catalogue import Catalogue
from adjudge.policy.forms import Entries
from adjudge.policy.load import read_policy_file, read_source
from adjudge.policy.policy import Policy
from adjudge.policy.reader import Reader
from adjudge.policy.syntax import shown
from adjudge.policy.yaml import Node, Scalar, read_yaml
from adjudge.source import Source, Span

ENDINGS = ("_test.yaml", "_test.yml")
KEYS = ("policy", "description", "defaults", "tests")
CASE_KEYS = ("name", "description", "given", "now", "expect")


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


class _Cases:
    """Reads the tests of one file."""

    def __init__(self, reader: Reader, policy: Policy) -> None:
        self.reader = reader
        self.given = GivenReader(reader, policy.typed)
        fields = [(part, name) for part, fields in self.given.fields.items() for name in fields]
        names = [name if part == INPUTS else f"{part}.{name}" for part, name in fields]
        self.expected = ExpectedReader(reader, policy.typed, names)

    def read(self, entries: Entries) -> tuple[Case, ...]:
        defaults: Given = {}
        now: datetime | None = None
        if "defaults" in entries:
            key, node = entries["defaults"]
            defaults, now = self.given.read(node, "`defaults`", key.span, with_now=True)
            self.given.check(defaults, ())
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
        expected = self.expected.read(*entries["expect"]) if "expect" in entries else Expected()
        given: Given = {}
        if "given" in entries:
            key, node = entries["given"]
            given, _ = self.given.read(node, "`given`", key.span, with_now=False)
        self.given.check(given, expected.problems)
        moment = self.given.now(entries[NOW][1]) if NOW in entries else default_now
        if name is None:
            return None
        return Case(
            name=name,
            given=self.given.merged(defaults, given),
            now=moment,
            expected=expected,
            span=entries["name"][1].span,
        )
