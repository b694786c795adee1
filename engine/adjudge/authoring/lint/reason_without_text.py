"""A reason code that applicants are told nothing of, in a policy that has texts for others."""

from __future__ import annotations

from collections.abc import Iterator

from adjudge.authoring.lint.finding import LintFinding
from adjudge.authoring.lint.subject import LintedPolicy
from adjudge.errors import listed

CODE = "reason-without-text"


def check(subject: LintedPolicy) -> Iterator[LintFinding]:
    """Name the codes without a text, once, where the first of them is given."""
    typed = subject.typed
    told = {code for code, reason in typed.reasons.items() if reason.text}
    if not told:
        return  # a policy whose decisions no applicant reads
    places = {rule.reason: rule.span for rule in reversed(typed.rules)}
    for card in typed.scorecards.values():
        places.setdefault(card.reason, card.rows[0].span if card.rows else typed.reasons[next(iter(told))].span)
    untold = [code for code in places if code not in told]
    if untold:
        ordered = sorted(untold, key=lambda code: places[code].start)
        is_one = len(ordered) == 1
        message = f"applicants are told nothing of {listed([f'`{code}`' for code in ordered])}"
        locales = sorted({locale for code in told for locale in typed.reasons[code].text if locale})
        within = f" in {' and '.join(locales)}" if len(locales) > 1 else ""
        added = f"add a text for {'it' if is_one else 'each'}{within} under `reasons:`"
        hint = f"{added}; until then they read a neutral one"
        yield subject.finding(CODE, "note", message, places[ordered[0]], hint)
