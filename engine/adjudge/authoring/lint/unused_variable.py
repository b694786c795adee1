"""A variable, or a lookup table, that nothing reads."""

from __future__ import annotations

from collections.abc import Iterator

from adjudge.authoring.lint.finding import LintFinding
from adjudge.authoring.lint.subject import LintedPolicy
from adjudge.policy.slots import source_of

CODE = "unused-variable"


def check(subject: LintedPolicy) -> Iterator[LintFinding]:
    """Find variables that no rule or row reads, by way of other variables or not; of a lookup table, if none is read.

    Those of a fragment may be for another policy.
    """
    tables: dict[str, bool] = {}
    for name in subject.typed.variables:
        table = source_of(name)
        if ("lookup", table) in subject.declared:
            tables[table] = tables.get(table, False) or name in subject.named
        elif name not in subject.named and subject.is_own("variables", name):
            span, fix = subject.at("variables", name), subject.without("variables", name)
            hint = "delete it, or use it in a rule"
            yield subject.finding(CODE, "warning", f"no rule reads the variable `{name}`", span, hint, fix)
    for table, is_read in tables.items():
        if not is_read and subject.is_own("lookup", table):
            message = f"no rule reads the lookup table `{table}`"
            yield subject.finding(
                CODE, "warning", message, subject.at("lookup", table), "delete it, or use it in a rule"
            )
