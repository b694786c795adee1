"""What is to be known of a version of a policy before somebody approves it: findings, tests, and what is proved."""

from __future__ import annotations

from collections.abc import Mapping
from difflib import unified_diff
from typing import TYPE_CHECKING

from adjudge.audit.proposals import ChecksBody, ComparisonBody, FoundBody, RegionBody, TestsBody
from adjudge.authoring.lint.run import lint
from adjudge.authoring.policy_tests.cases import read_tests
from adjudge.authoring.policy_tests.testing import run
from adjudge.errors import MissingExtra
from adjudge.policy.catalogue import Catalogue
from adjudge.policy.policy import Policy
from adjudge.texts import one_line, split_lines

if TYPE_CHECKING:
    from adjudge.authoring.comparison.regions import Comparison

FINDINGS_MAX, FAILURES_MAX, CHANGES_MAX, OPEN_MAX = 50, 20, 50, 10
WORDS_MAX = 1000
"""Characters of each thing that is said."""
DIFF_MAX = 64 * 1024
PROVED_WITHIN_S = 20.0


def checked(base: Policy, proposed: Policy, tests: Mapping[str, str], catalogue: Catalogue) -> ChecksBody:
    """Check a version against the one that it was made from.

    tests: the texts of test files, by their names; they are run on this version, whichever policy they name.
    Raises PolicyErrors for tests that cannot be read. Cost: what proving takes, up to PROVED_WITHIN_S.
    """
    findings = lint(proposed.typed, has_tests=bool(tests))
    shown = tuple(
        FoundBody(code=one.code, severity=one.severity, message=_short(one.message), line=one.place[1])
        for one in findings[:FINDINGS_MAX]
    )
    ran = _ran(proposed, tests, catalogue) if tests else None
    comparison, missing = _compared(base, proposed)
    return ChecksBody(shown, len(findings) - len(shown), ran, comparison, missing)


def diff_of(base: Policy, proposed: Policy) -> str:
    """Return what is written differently, in the unified form; cut where it is long, and then it says so."""
    before, after = (policy.typed.source.part(0)[0].text for policy in (base, proposed))
    names = f"{base.name}@{base.digest[:12]}", f"{proposed.name}@{proposed.digest[:12]}"
    lines = list(unified_diff(split_lines(before), split_lines(after), *names, lineterm=""))
    for path in sorted(base.typed.texts.keys() | proposed.typed.texts.keys()):
        old, new = (split_lines(policy.typed.texts.get(path, "")) for policy in (base, proposed))
        lines += unified_diff(old, new, path, path, lineterm="")
    text = "\n".join(lines)
    if len(text) <= DIFF_MAX:
        return text
    return text[:DIFF_MAX].rpartition("\n")[0] + "\n… the rest is not shown"


def _ran(proposed: Policy, tests: Mapping[str, str], catalogue: Catalogue) -> TestsBody:
    results = [
        result for name, text in tests.items() for result in run(read_tests(name, catalogue, text, policy=proposed))
    ]
    failures = [
        f"{one.case.name}: {', '.join(f'{each.what} is {each.actual}, not {each.expected}' for each in one.failures)}"
        for one in results
        if not one.passed
    ]
    shown = tuple(_short(one) for one in failures[:FAILURES_MAX])
    return TestsBody(len(results) - len(failures), len(failures), shown)


def _compared(base: Policy, proposed: Policy) -> tuple[ComparisonBody | None, str]:
    """Return what was proved, or why nothing could be."""
    try:
        from adjudge.authoring.comparison.regions import compare
    except ModuleNotFoundError as error:
        if error.name != "z3":
            raise
        missing = MissingExtra("proofs", "z3")
        return None, f"{missing}: {missing.hint}"
    return _body(compare(base, proposed, total_s=PROVED_WITHIN_S)), ""


def _body(comparison: Comparison) -> ComparisonBody:
    from adjudge.authoring.comparison.report import cause_of
    from adjudge.authoring.proofs.finding import given_text

    return ComparisonBody(
        relation=comparison.relation,
        regions=tuple(
            RegionBody(one.old.value, one.new.value, _short(cause_of(one)), _short(given_text(one.witness)))
            for one in comparison.regions
        ),
        open=tuple(_short(str(one)) for one in comparison.open[:OPEN_MAX]),
        changes=tuple(_short(str(one)) for one in comparison.changes[:CHANGES_MAX]),
        more=comparison.is_cut,
    )


def _short(text: str) -> str:
    text = one_line(text)
    return text if len(text) <= WORDS_MAX else f"{text[: WORDS_MAX - 1]}…"
