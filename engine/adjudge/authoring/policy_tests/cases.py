"""Tests of a policy as written beside it, in `*_test.yaml`: read strictly, checked against the policy they test."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import field
from datetime import datetime
from pathlib import Path

from adjudge.authoring.policy_tests.expected import Expected, ExpectedReader
from adjudge.authoring.policy_tests.given import INPUTS, NOW, Given, GivenReader
from adjudge.authoring.policy_tests.tables import read_table
from adjudge.errors import PolicyError, PolicyErrors, did_you_mean
from adjudge.frozen import frozen
from adjudge.policy.catalogue import Catalogue
from adjudge.policy.loading.folder import is_test_file
from adjudge.policy.loading.forms import Entries
from adjudge.policy.loading.load import read_policy_file, read_source
from adjudge.policy.loading.reader import Reader
from adjudge.policy.policy import Policy
from adjudge.policy.text import yaml
from adjudge.policy.text.recovery import read_on
from adjudge.policy.text.syntax import shown
from adjudge.policy.text.yaml import Scalar, YamlNode, read_yaml
from adjudge.source import Source, Span

KEYS = ("policy", "description", "defaults", "tests")
LINES_MAX = 10
"""So many lines are named of tests that expect nothing yet."""
CASE_KEYS = ("name", "description", "given", "now", "expect", "table")


@frozen(kw_only=True)
class PolicyTest:
    """One test. given: as `Policy.evaluate` takes it, defaults merged in; span: where its name stands."""

    name: str
    given: Mapping[str, object]
    now: datetime | None
    expected: Expected
    span: Span


@frozen(kw_only=True)
class PolicyTestFile:
    """The tests of one file, and the policy that they are for. defaults: a test that gives nothing else."""

    path: Path
    source: Source = field(repr=False)
    policy: Policy
    cases: tuple[PolicyTest, ...]
    defaults: PolicyTest


def policy_of(path: Path) -> Path | None:
    """Return the path of the policy that a file of tests is for, as far as it says; never raises."""
    try:
        root, _ = read_yaml(read_source(path, "test file"))
    except PolicyErrors:
        return None
    named = root.get("policy") if isinstance(root, yaml.Mapping) else None
    if not isinstance(named, Scalar) or not isinstance(named.value, str) or "\0" in named.value:
        return None
    return path.parent / named.value


def read_tests(
    path: str | Path, catalogue: Catalogue | None = None, text: str | None = None, policy: Policy | None = None
) -> PolicyTestFile:
    """Read the tests of a file, and their policy, whose path is relative to the file.

    catalogue: the providers and functions that the policy may name. text: in place of the file's own, as in an editor.
    policy: in place of the one that the file names, which is then not looked for.
    Raises PolicyErrors with everything that is wrong with either.
    """
    path = Path(path)
    own = Source(str(path), text) if text is not None else read_source(path, "test file")
    policies: dict[str, Policy] = {}
    found, errors = _read(path, own, catalogue, policies, policy)
    if found is None and len(errors) > 1 and all(error.source.text == own.text for error in errors):
        from adjudge.policy.text.one_edit import explained  # a file that is right does without

        def again(text: str) -> list[PolicyError]:
            return _read(path, Source(str(path), text), catalogue, policies, policy)[1]

        errors = explained(own, errors, again, ("tests",))
    if found is None:
        raise PolicyErrors(errors)
    return found


def _read(
    path: Path, own: Source, catalogue: Catalogue | None, policies: dict[str, Policy], given: Policy | None
) -> tuple[PolicyTestFile | None, list[PolicyError]]:
    """Return the tests of a text, or all that is wrong with it. policies: by name those that were read; it grows."""
    source, root, errors, is_whole = read_on(own)
    reader = Reader(source, errors, is_whole=is_whole)
    entries = (
        reader.mapping(root, "a test file", keys=KEYS, required=("policy", "tests"), at=_head(root)) if root else {}
    )
    policy = given
    if policy is None and "policy" in entries:
        policy = _policy(reader, path, entries, catalogue, policies)
    if policy is None:
        return None, reader.errors
    cases, defaults = _Cases(reader, policy).read(entries)
    if reader.errors:
        return None, reader.errors
    return PolicyTestFile(path=path, source=reader.source, policy=policy, cases=cases, defaults=defaults), []


def _policy(
    reader: Reader, path: Path, entries: Entries, catalogue: Catalogue | None, policies: dict[str, Policy]
) -> Policy | None:
    _, node = entries["policy"]
    named = reader.text(node, "the policy's file")
    if named is None:
        return None
    if named in policies:
        return policies[named]
    file = path.parent / named
    if not _is_file(file):
        beside = [other.name for other in sorted(path.parent.glob("*.y*ml")) if not is_test_file(other)]
        hint = did_you_mean(named, beside) or "the path is relative to this file"
        reader.blame("test-policy", f"there is no policy `{shown(named)}`", node.span, hint)
        return None
    catalogue = catalogue or Catalogue()
    try:
        policies[named] = Policy(read_policy_file(file, catalogue), catalogue.overloads())
        return policies[named]
    except PolicyErrors as errors:
        reader.errors.extend(errors.errors)
        return None


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except OSError:  # such as for a name that is too long
        return False


def _head(node: YamlNode | None) -> Span:
    """Return where a mapping's first key stands."""
    if isinstance(node, yaml.Mapping) and node.entries:
        return node.entries[0][0].span
    return node.span if node is not None else Span(0, 0)


def _is_empty(node: YamlNode) -> bool:
    return isinstance(node, Scalar) and node.value is None


class _Cases:
    """Reads the tests of one file."""

    def __init__(self, reader: Reader, policy: Policy) -> None:
        self.reader = reader
        self.given = GivenReader(reader, policy.typed)
        fields = [(part, name) for part, fields in self.given.fields.items() for name in fields]
        names = [name if part == INPUTS else f"{part}.{name}" for part, name in fields]
        self.expected = ExpectedReader(reader, policy.typed, names)
        self.unfilled: list[Span] = []

    def read(self, entries: Entries) -> tuple[tuple[PolicyTest, ...], PolicyTest]:
        """Return the tests, and one that gives the defaults only."""
        defaults: Given = {}
        now: datetime | None = None
        if "defaults" in entries:
            key, node = entries["defaults"]
            defaults, now = self.given.read(node, "`defaults`", key.span, with_now=True)
            self.given.check(defaults, ())
        cases: list[PolicyTest] = []
        lines: dict[str, int] = {}
        if "tests" in entries:
            key, node = entries["tests"]
            items = self.reader.items(node, "`tests`")
            if isinstance(node, yaml.Sequence) and not items:
                self.reader.blame("test-empty", "there are no tests", key.span, "add a test, or delete the file")
            for item in items:
                cases += self.cases(item, defaults, now, lines)
            self.blame_unfilled()
        given = self.given.merged(defaults, {})
        return tuple(cases), PolicyTest(name="defaults", given=given, now=now, expected=Expected(), span=Span(0, 0))

    def cases(
        self, item: YamlNode, defaults: Given, default_now: datetime | None, lines: dict[str, int]
    ) -> Iterator[PolicyTest]:
        """Yield a test, or one for each row of its table."""
        reader = self.reader
        entries = reader.mapping(
            item, "a test", keys=CASE_KEYS, required=("name",), may_be_empty=("expect",), at=_head(item)
        )
        name = self.name(entries, lines)
        given: Given = {}
        if "given" in entries:
            key, node = entries["given"]
            given, _ = self.given.read(node, "`given`", key.span, with_now=False)
        now = self.given.now(entries[NOW][1]) if NOW in entries else default_now
        if "table" in entries:
            if "expect" in entries:
                hint = "each row of the table has its own"
                reader.blame("schema-value", "a test with a `table` has no `expect`", entries["expect"][0].span, hint)
            yield from self.rows(entries["table"], name, defaults, given, now)
            return
        if "expect" in entries and not _is_empty(entries["expect"][1]):
            expected = self.expected.read(*entries["expect"])
        else:
            expected = Expected()
            if isinstance(item, yaml.Mapping):
                self.unfilled.append(entries["expect"][0].span if "expect" in entries else _head(item))
        self.given.check(given, expected.problems)
        if name is not None:
            merged = self.given.merged(defaults, given)
            yield PolicyTest(name=name, given=merged, now=now, expected=expected, span=entries["name"][1].span)

    def rows(
        self, table: tuple[Scalar, YamlNode], name: str | None, defaults: Given, given: Given, now: datetime | None
    ) -> Iterator[PolicyTest]:
        """Yield a test for each row of a table."""
        key, node = table
        self.given.check(given, ())
        base = overlaid(defaults, given)
        labels: set[str] = set()
        for row in read_table(self.reader, self.given, node, base, key.span):
            expected = self.expected.read(*row.expect)
            self.given.check(row.given, expected.problems)
            moment = self.given.now(row.now) if row.now is not None else now
            if row.label in labels:
                self.reader.blame("test-duplicate", "this row is already in the table", row.span)
            labels.add(row.label)
            if name is not None:
                merged = self.given.merged(base, row.given)
                yield PolicyTest(
                    name=f"{name}: {row.label}", given=merged, now=moment, expected=expected, span=row.span
                )

    def blame_unfilled(self) -> None:
        """Say once which tests expect nothing yet, as suggested ones do."""
        if not self.unfilled:
            return
        first, *more = self.unfilled
        hint = "write the outcome that each must have: `expect: review`"
        if not more:
            self.reader.blame("schema-missing", "a test needs `expect`", first, "add `expect: …`")
            return
        numbers = [str(self.reader.source.place(span.start)[0]) for span in more]
        left = len(numbers) - LINES_MAX
        lines = ", ".join(numbers[:LINES_MAX]) + (f" and {left} more" if left > 0 else "")
        where = "that in line" if len(numbers) == 1 else "those in lines"
        message = f"{len(self.unfilled)} tests have no `expect` yet: this one, and {where} {lines}"
        self.reader.blame("schema-missing", message, first, hint)

    def name(self, entries: Entries, lines: dict[str, int]) -> str | None:
        """Return a test's name, which no other has."""
        name = self.reader.text(entries["name"][1], "the test's name") if "name" in entries else None
        if name is not None:
            span = entries["name"][1].span
            if name in lines:
                hint = f"the test in line {lines[name]} already has this name"
                self.reader.blame("test-duplicate", f"duplicate test name `{shown(name)}`", span, hint)
            lines.setdefault(name, self.reader.source.place(span.start)[0])
        return name


def overlaid(defaults: Given, given: Given) -> Given:
    """Return what a test gives, field by field before its defaults."""
    result: Given = dict(defaults)
    for part, said in given.items():
        result[part] = None if said is None else {**(defaults.get(part) or {}), **said}
    return result
