"""A text that some readers cannot read: a locale that others have is missing."""

from __future__ import annotations

from collections.abc import Iterator

from adjudge.authoring.lint.finding import LintFinding
from adjudge.authoring.lint.subject import LintedPolicy

CODE = "missing-locale"


def check(subject: LintedPolicy) -> Iterator[LintFinding]:
    """Find texts by locale that lack one which another text for the same readers has."""
    typed = subject.typed
    kinds = [
        [(f"the message of `{rule.id}`", rule.message, rule.span) for rule in typed.rules if rule.message],
        [(f"the text of `{code}`", reason.text, reason.span) for code, reason in typed.reasons.items() if reason.text]
        + [(f"the text of the step `{name}`", step.text, step.span) for name, step in typed.steps.items() if step.text],
    ]
    for texts in kinds:
        wanted = dict.fromkeys(locale for _, text, _ in texts for locale in text if locale)
        for what, text, span in texts:
            missing = [locale for locale in wanted if locale not in text]
            if missing and "" not in text:
                yield subject.finding(
                    CODE, "note", f"{what} has no text for {', '.join(missing)}", span, "translate it"
                )
