"""Running the linter's rules over a policy, and taking allowances into account."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime

from adjudge.authoring.formatting.comments import ALLOWANCE, Subjects, comments
from adjudge.authoring.lint import (
    against_riskier,
    bound_scale,
    counted_conditions,
    doubtful_number,
    doubtful_text,
    duplicate_rule,
    empty_list,
    excuse_of_unknown,
    expired_entry,
    expired_rule,
    junk_in_list,
    missing_locale,
    no_tests,
    overlapping_points,
    personal_in_message,
    reason_without_text,
    shared_reason,
    softening_has,
    stale_calibration,
    two_in_one_entry,
    uncalibrated_threshold,
    undeclared_input,
    unhandled_novel,
    unmentioned_tag,
    unused_input,
    unused_list,
    unused_signal,
    unused_variable,
    waiver,
)
from adjudge.authoring.lint import review_past_reject as threshold_order
from adjudge.authoring.lint.finding import LintFinding
from adjudge.authoring.lint.subject import LintedPolicy
from adjudge.frozen import frozen
from adjudge.policy.text.yaml import YamlNode
from adjudge.policy.typed import TypedPolicy
from adjudge.source import Edit, Source, Span

UNUSED_ALLOWANCE = "unused-allowance"
RULES: dict[str, Callable[[LintedPolicy], Iterator[LintFinding]]] = {
    module.CODE: module.check
    for module in (
        unused_input,
        undeclared_input,
        unused_signal,
        empty_list,
        unused_list,
        unused_variable,
        unmentioned_tag,
        unhandled_novel,
        threshold_order,
        against_riskier,
        bound_scale,
        uncalibrated_threshold,
        stale_calibration,
        softening_has,
        excuse_of_unknown,
        waiver,
        shared_reason,
        overlapping_points,
        personal_in_message,
        missing_locale,
        reason_without_text,
        no_tests,
        duplicate_rule,
        two_in_one_entry,
        doubtful_number,
        doubtful_text,
        counted_conditions,
        expired_rule,
        expired_entry,
        junk_in_list,
    )
}
"""By code; `unused-allowance` besides."""


@frozen
class _Allowance:
    """`# lint: allow code` at the end of a line, or on a line of its own before the one that it is about.

    about: what it covers, in the joined text. has_line: it has a line of its own. alone: it says nothing else.
    """

    source: Source
    about: tuple[Span, ...]
    code: str
    span: Span
    has_line: bool
    alone: bool

    def covers(self, span: Span) -> bool:
        """Whether a finding at a span is about what this speaks of."""
        return any(about.start <= span.start <= max(about.start, about.end - 1) for about in self.about)


def lint(typed: TypedPolicy, *, today: date | None = None, has_tests: bool | None = None) -> tuple[LintFinding, ...]:
    """Return what is worth a look, in order of its place.

    today: for what runs out; the present day in UTC unless given. has_tests: whether tests stand beside the policy;
    None to leave that question out.
    """
    subject = LintedPolicy(typed, today or datetime.now(UTC).date(), has_tests)
    found = [finding for check in RULES.values() for finding in check(subject)]
    allowances = [one for document in subject.documents for one in _allowances(*document)]
    used: set[_Allowance] = set()
    kept = []
    for finding in found:
        allowed = [one for one in allowances if one.code == finding.code and one.covers(finding.span)]
        used.update(allowed)
        if not allowed:
            kept.append(finding)
    kept += [_unused(subject, one) for one in allowances if one not in used]
    return tuple(sorted(kept, key=lambda finding: (finding.span.start, finding.code)))


def _allowances(begins: int, source: Source, root: YamlNode) -> Iterator[_Allowance]:
    if "lint:" not in source.text:
        return
    subjects = Subjects(source, root)
    for comment in comments(source.text, root):
        found = ALLOWANCE.match(comment.text)
        if found is not None:
            about = tuple(Span(begins + one.span.start, begins + one.span.end) for one in subjects.of(comment))
            span = Span(begins + comment.start, begins + comment.start + len(comment.text))
            codes = [code.strip() for code in found.group(1).split(",")]
            alone = len(codes) == 1 and found.end() == len(comment.text)
            for code in codes:
                yield _Allowance(source, about, code, span, comment.starts_line, alone)


def _unused(subject: LintedPolicy, one: _Allowance) -> LintFinding:
    known = one.code in RULES
    message = f"`{one.code}` finds nothing here to allow" if known else f"there is no lint rule `{one.code}`"
    text = subject.sources[0][1].text
    fix: tuple[Edit, ...] = ()
    if one.source is subject.sources[0][1] and one.alone:
        start = text.rfind("\n", 0, one.span.start) + 1
        end = text.find("\n", one.span.end)
        whole = Span(start, len(text) if end < 0 else end + 1)
        behind = Span(len(text[: one.span.start].rstrip(" \t")), one.span.end)
        fix = (Edit(span=whole if one.has_line else behind, text=""),)
    return subject.finding(UNUSED_ALLOWANCE, "note", message, one.span, "delete it", fix)
