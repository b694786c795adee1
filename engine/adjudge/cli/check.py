"""`adjudge check`: what is wrong with policies and what stands beside them, and what is worth a look."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import click

from adjudge.authoring.lint.finding import LintFinding
from adjudge.authoring.lint.fix import corrected, mended
from adjudge.authoring.lint.run import lint
from adjudge.authoring.policy_tests.cases import read_tests
from adjudge.cli.files import write_file
from adjudge.cli.group import FINDINGS, FINE, WRONG
from adjudge.cli.output import JSON, counted, format_option, print_json, say, say_text
from adjudge.cli.settings import Settings
from adjudge.errors import PolicyError, PolicyErrors
from adjudge.patterns import late
from adjudge.policy.catalogue import Catalogue
from adjudge.policy.loading.folder import documents_below, is_test_file, kind_of
from adjudge.policy.loading.load import read_policy, read_policy_file, read_source
from adjudge.source import Edit, Source

_TESTED = late(r"""^policy:[ ]*["']?([^"'#\n\0]*[^"'#\s\0])""", re.MULTILINE)


@dataclass(slots=True)
class _Found:
    """What was read: lines about good documents, errors, findings, and how many fixes were made."""

    good: list[str] = field(default_factory=list)
    errors: dict[tuple[object, ...], PolicyError] = field(default_factory=dict)
    findings: list[LintFinding] = field(default_factory=list)
    fixes: list[str] = field(default_factory=list)


@click.command("check")
@click.argument("paths", nargs=-1, required=True, type=click.Path(exists=True, path_type=Path))
@click.option(
    "--fix", "with_fixes", is_flag=True, help="Fix what can be meant in one way only, and what changes no verdict."
)
@format_option
@click.pass_obj
def command(settings: Settings, paths: tuple[Path, ...], with_fixes: bool, form: str) -> int:
    """Find mistakes in policies and their tests, and what deserves a look.

    PATHS are policies, test files, configurations, or folders that are searched for them. Exit status 2 where something
    is wrong, 1 where there are warnings. A comment `# lint: allow CODE` on a line, or above it, allows a finding.
    """
    catalogue = settings.catalogue()
    found = _Found()
    for path in paths:
        for file in _documents(path):
            try:
                found.good.append(f"{file}: ok ({_read(file, catalogue, found, with_fixes)})")
            except PolicyErrors as errors:
                found.errors |= {(e.file, e.line, e.column, e.code, e.message): e for e in errors.errors}
    if not found.good and not found.errors:
        raise click.UsageError(f"no policy or test file in {', '.join(map(str, paths))}")
    if form == JSON:
        print_json([*(_data(error) for error in found.errors.values()), *(one.data() for one in found.findings)])
    else:
        _print(found)
    warnings = any(finding.severity == "warning" for finding in found.findings)
    return WRONG if found.errors else FINDINGS if warnings else FINE


def _print(found: _Found) -> None:
    for line in [*found.fixes, *found.good]:
        say(line)
    parts = [error.render() for error in found.errors.values()] + [finding.render() for finding in found.findings]
    if parts:
        say_text("\n\n".join(parts))
        warnings = sum(finding.severity == "warning" for finding in found.findings)
        counts = ((len(found.errors), "error"), (warnings, "warning"), (len(found.findings) - warnings, "note"))
        say("", ", ".join(counted(count, what) for count, what in counts if count))


def _read(file: Path, catalogue: Catalogue, found: _Found, with_fixes: bool) -> str:
    """Read one document and count what stands in it. Raises PolicyErrors."""
    if is_test_file(file):
        if with_fixes:
            _correct(file, found, lambda text: read_tests(file, catalogue, text))
        return counted(len(read_tests(file, catalogue).cases), "test")
    kind = kind_of(file)
    if kind == "fragment":
        return "a fragment; it is checked in the policies that include it"
    if kind == "configuration":
        from adjudge.config.file import read_config, require_sound  # which brings the whole engine

        return counted(require_sound(read_config(file)), "policy").replace("policys", "policies")
    if with_fixes:
        _correct(file, found, lambda text: read_policy(text, str(file), folder=file.parent, catalogue=catalogue))
    typed = read_policy_file(file, catalogue)
    has_tests = _has_tests(file)
    if with_fixes:
        text, count = mended(
            read_source(file, "policy").text,
            lambda text: read_policy(text, str(file), folder=file.parent, catalogue=catalogue),
            lambda typed: lint(typed, has_tests=has_tests),
        )
        if count:
            write_file(file, text)
            found.fixes.append(f"{file}: {count} {'fix' if count == 1 else 'fixes'}")
            typed = read_policy_file(file, catalogue)
    findings = lint(typed, has_tests=has_tests)
    found.findings += findings
    return counted(len(typed.rules), "rule")


def _correct(file: Path, found: _Found, read: Callable[[str], object]) -> None:
    """Correct in a document what can be meant in one way only. Raises PolicyErrors where it cannot be read at all."""
    text, count = corrected(read_source(file, "document").text, str(file), read)
    if count:
        write_file(file, text)
        found.fixes.append(f"{file}: {counted(count, 'correction')}")


def _has_tests(file: Path) -> bool:
    """Whether a test file beside a policy names it; what else stands in that file is not looked at here."""
    for other in file.parent.iterdir():
        if is_test_file(other) and other.is_file():
            named = _TESTED.search(other.read_text("utf-8", errors="replace"))
            if named is not None and (other.parent / named.group(1)).resolve() == file.resolve():
                return True
    return False


def _documents(path: Path) -> Iterator[Path]:
    """Yield a file, or the documents of ours below a folder; other YAML there is left alone."""
    if not path.is_dir():
        yield path
        return
    for file, kind in documents_below(path):
        if kind != "other":
            yield file


def _data(error: PolicyError) -> dict[str, object]:
    return {
        "code": error.code,
        "severity": "error",
        "message": error.message,
        "file": error.file,
        "line": error.line,
        "column": error.column,
        "hint": error.hint,
        "fix": [_edit(error.source, edit) for edit in error.fix],
    }


def _edit(source: Source, edit: Edit) -> dict[str, object]:
    """Return an edit as JSON has it: what stands from the first place up to the second becomes `text`."""
    (line, column), (end_line, end_column) = source.place(edit.span.start), source.place(edit.span.end)
    return {"line": line, "column": column, "end_line": end_line, "end_column": end_column, "text": edit.text}
