"""Running the linter's rules over a policy, and taking allowances into account."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime

from adjudge.authoring.lint import (
    duplicate_rule,
    expired_rule,
    missing_locale,
    no_tests,
    overlapping_points,
    personal_in_message,
    shared_reason,
    softening_has,
    stale_calibration,
    threshold_order,
    uncalibrated_threshold,
    unhandled_novel,
    unmentioned_tag,
    unused_input,
    unused_list,
    unused_signal,
    unused_variable,
    waiver,
)
from adjudge.authoring.lint.finding import Edit, Finding
from adjudge.authoring.lint.subject import Subject
from adjudge.policy.typed import TypedPolicy
from adjudge.source import Source, Span

UNUSED_ALLOWANCE = "unused-allowance"
RULES: dict[str, Callable[[Subject], Iterator[Finding]]] = {
    module.CODE: module.check
    for module in (
        unused_input,
        unused_signal,
        unused_list,
        unused_variable,
        unmentioned_tag,
        unhandled_novel,
        threshold_order,
        uncalibrated_threshold,
        stale_calibration,
        softening_has,
        waiver,
        shared_reason,
        overlapping_points,
        personal_in_message,
        missing_locale,
        no_tests,
        duplicate_rule,
        expired_rule,
    )
}
"""By code; `unused-allowance` besides."""

_ALLOWANCE = re.compile(r"#[ ]*lint:[ ]*allow[ ]+([a-z-]+(?:,[ ]*[a-z-]+)*)")


@dataclass(frozen=True, slots=True)
class _Allowance:
    """`# lint: allow code` at the end of a line, or on a line of its own before the one that it is about."""

    source: Source
    line: int
    code: str
    span: Span


def lint(typed: TypedPolicy, *, today: date | None = None, has_tests: bool | None = None) -> tuple[Finding, ...]:
    """Return what is worth a look, in order of its place.

    today: for what runs out; the present day in UTC unless given. has_tests: whether tests stand beside the policy;
    None to leave that question out.
    """
    subject = Subject(typed, today or datetime.now(UTC).date(), has_tests)
    found = [finding for check in RULES.values() for finding in check(subject)]
    allowances = [one for begins, source in subject.sources for one in _allowances(source, begins)]
    used: set[_Allowance] = set()
    kept = []
    for finding in found:
        file, line, _ = finding.place
        allowed = [one for one in allowances if (one.source.name, one.line, one.code) == (file, line, finding.code)]
        used.update(allowed)
        if not allowed:
            kept.append(finding)
    kept += [_unused(subject, one) for one in allowances if one not in used]
    return tuple(sorted(kept, key=lambda finding: (finding.span.start, finding.code)))


def _allowances(source: Source, begins: int) -> Iterator[_Allowance]:
    if "lint:" not in source.text:
        return
    at = 0
    lines = source.text.splitlines(keepends=True)
    for number, line in enumerate(lines, 1):
        found = _ALLOWANCE.search(line)
        if found is not None:
            about = number
            if not line[: found.start()].strip():  # a line of its own is about the next one that is no comment
                about = next(
                    (n for n, after in enumerate(lines[number:], number + 1) if not after.lstrip().startswith("#")),
                    number,
                )
            span = Span(begins + at + found.start(), begins + at + len(line.rstrip()))
            for code in found.group(1).split(","):
                yield _Allowance(source, about, code.strip(), span)
        at += len(line)


def _unused(subject: Subject, one: _Allowance) -> Finding:
    known = one.code in RULES
    message = f"nothing is found here that `{one.code}` allows" if known else f"there is no lint rule `{one.code}`"
    text = subject.sources[0][1].text
    fix: tuple[Edit, ...] = ()
    if one.source is subject.sources[0][1] and "," not in text[one.span.start : one.span.end].partition("allow")[2]:
        start = text.rfind("\n", 0, one.span.start) + 1
        alone = not text[start : one.span.start].strip()
        end = min(one.span.end + 1, len(text)) if alone else one.span.end
        begin = start if alone else len(text[: one.span.start].rstrip(" "))
        fix = (Edit(span=Span(begin, end), text=""),)
    return subject.finding(UNUSED_ALLOWANCE, "note", message, one.span, "delete it", fix)


def fixed(text: str, findings: tuple[Finding, ...]) -> tuple[str, int]:
    """Return a policy's own text with all fixes made, and how many there were."""
    edits = sorted((edit for finding in findings for edit in finding.fix), key=lambda edit: -edit.span.start)
    for edit in edits:
        text = text[: edit.span.start] + edit.text + text[edit.span.end :]
    return text, len(edits)
