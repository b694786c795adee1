"""Running the tests that stand beside a policy, and saying what failed and why."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import field

from adjudge.authoring.policy_tests.cases import PolicyTest, PolicyTestFile
from adjudge.frozen import frozen
from adjudge.model import Verdict
from adjudge.policy.explaining.explanation import Explained, Explanation
from adjudge.policy.slots import is_within
from adjudge.policy.typed import SCORECARD, TypedPolicy
from adjudge.policy.written_rows import written_rows
from adjudge.source import Source
from adjudge.texts import lines_of

LINES_MAX = 12
"""Lines of a policy that a failure shows of one rule."""
RULES_MAX = 5
"""Rules that a failure shows where none decided."""


@frozen(kw_only=True)
class Failure:
    """One expectation that was not met. what: its key. rules: ids of the rules and excuses that explain it.

    more: how many others do so as well. cards: labels of scorecards whose rows explain it, the false ones too.
    """

    what: str
    expected: str
    actual: str
    rules: tuple[str, ...] = ()
    more: int = 0
    cards: tuple[str, ...] = ()


@frozen(kw_only=True)
class Result:
    """One test that was run. explanation: only where it failed."""

    case: PolicyTest
    file: PolicyTestFile = field(repr=False)
    verdict: Verdict
    failures: tuple[Failure, ...]
    explanation: Explanation | None = field(default=None, repr=False)

    @property
    def passed(self) -> bool:
        """Whether every expectation was met."""
        return not self.failures

    @property
    def line(self) -> int:
        """Where the test stands in its file."""
        return self.file.source.place(self.case.span.start)[0]

    def concerned(self) -> tuple[Explained, ...]:
        """Return the rules and rows that a failure is about, in the policy's order."""
        if self.explanation is None:
            return ()
        named = {rule for failure in self.failures for rule in failure.rules}
        cards = {card for failure in self.failures for card in failure.cards}
        listed = (card for card in self.file.policy.typed.scorecards.values() if card.label in cards)
        whole = {row.name for card in listed for row in written_rows(card)}
        rows = [row for row in self.explanation.rows if row.id in whole or row.truth is not False]
        excuses = [one for one in self.explanation.excuses if one.id in named or one.truth]
        return (*(rule for rule in self.explanation.rules if rule.id in named), *rows, *excuses)

    def totals(self) -> Iterator[str]:
        """Yield what each scorecard came to, and where its bands begin."""
        if self.explanation is None:
            return
        for card in self.file.policy.typed.scorecards.values():
            begins = {"review": card.review, "reject": card.reject}
            bands = ", ".join(f"{band} from {total}" for band, total in begins.items() if total is not None)
            yield f"{card.label}: {_range(self.verdict.totals[card.name])} points; {bands}"

    def render(self) -> str:
        """Return a failure as a person reads it: what was expected, what came, and the rules concerned."""
        lines = [f"{self.file.source.name}:{self.line}: failed: {self.case.name}"]
        for failure in self.failures:
            lines.append(f"  {failure.what}: expected {failure.expected}, got {failure.actual}")
        source = self.file.policy.typed.source
        for one in self.concerned():
            lines.append("")
            lines += ["  " + line for line in _quoted(source, one)]
            lines += ["    " + line for line in one.lines()]
        if totals := list(self.totals()):
            lines += ["", *(f"  {line}" for line in totals)]
        more = max((failure.more for failure in self.failures), default=0)
        if more:
            lines += ["", f"  and {more} more that are false"]
        return lines_of(lines)

    def data(self) -> dict[str, object]:
        """Return it as JSON has it."""
        return {
            "name": self.case.name,
            "line": self.line,
            "passed": self.passed,
            "outcome": self.verdict.outcome.value,
            "failures": [
                {"what": failure.what, "expected": failure.expected, "actual": failure.actual}
                for failure in self.failures
            ],
            "explanation": [one.data() for one in self.concerned()],
        }


def run(file: PolicyTestFile) -> tuple[Result, ...]:
    """Run the tests of a file, in its order."""
    return tuple(run_case(file, case) for case in file.cases)


def run_case(file: PolicyTestFile, case: PolicyTest) -> Result:
    """Run one test."""
    verdict = file.policy.evaluate(case.given, now=case.now)
    refused = [name for name, _ in file.policy.read(case.given, now=case.now).problems]
    explained: list[Explanation] = []

    def nearest(ids: Sequence[str]) -> Sequence[str]:
        """Return ids of rules that are false, those first of which the fewest parts are."""
        explained[:] = explained or [file.policy.explain(case.given, now=case.now, personal=True)]
        false = {one.id: sum(part.value is not True for part in one.condition.parts) for one in explained[0].rules}
        return sorted(ids, key=lambda name: false.get(name, 0)) if len(ids) > RULES_MAX else ids

    failures = tuple(_failures(file.policy.typed, case, verdict, refused, nearest))
    explained[:] = explained or ([file.policy.explain(case.given, now=case.now, personal=True)] if failures else [])
    explanation = explained[0] if failures else None
    return Result(case=case, file=file, verdict=verdict, failures=failures, explanation=explanation)


def _failures(
    policy: TypedPolicy,
    case: PolicyTest,
    verdict: Verdict,
    refused: Collection[str],
    nearest: Callable[[Sequence[str]], Sequence[str]],
) -> Iterable[Failure]:
    expected = case.expected
    deciding = (*verdict.matched, *verdict.unresolved)

    def unmet(what: str, wanted: str, got: str, meant: Iterable[str], cards: Iterable[str] = ()) -> Failure:
        """Return one that the rules explain which decided, and those that are meant and are false."""
        false = nearest([rule for rule in meant if rule not in deciding])
        rules, more = (*deciding, *verdict.excused, *false[:RULES_MAX]), len(false[RULES_MAX:])
        return Failure(what=what, expected=wanted, actual=got, rules=rules, more=more, cards=tuple(cards))

    for what in ("outcome", "lower", "upper", "settled"):
        wanted, got = getattr(expected, what), getattr(verdict, what)
        if wanted is not None and wanted != got:
            harder = what != "settled" and wanted > got
            meant = (rule.id for rule in policy.rules if harder and rule.outcome == wanted)
            yield unmet(what, _said(wanted), _said(got), meant)
    for what, had in (
        ("rules", verdict.matched),
        ("unresolved", verdict.unresolved),
        ("waived", verdict.waived),
        ("excused", verdict.excused),
    ):
        ids: tuple[str, ...] | None = getattr(expected, what)
        if ids == () and had:
            yield Failure(what=what, expected="none", actual=_listed(had), rules=had)
        lacking = tuple(name for name in ids or () if name not in had)
        if lacking:
            covering = [one.id for one in policy.excuses if what == "excused" and one.covers & set(lacking)]
            yield Failure(what=what, expected=_listed(lacking), actual=_listed(had), rules=(*lacking, *covering))
    if expected.reasons is not None and set(expected.reasons) != set(verdict.reasons):
        lacking_reasons = set(expected.reasons) - set(verdict.reasons)
        meant = (rule.id for rule in policy.rules if rule.reason in lacking_reasons)
        cards = [card.label for card in policy.scorecards.values() if card.reason in lacking_reasons]
        yield unmet("reasons", _listed(expected.reasons), _listed(verdict.reasons), meant, cards)
    if expected.ask is not None and set(expected.ask) != set(verdict.ask):
        lacking_steps = set(expected.ask) - set(verdict.ask)
        asking = (rule.id for rule in policy.rules if lacking_steps & set(rule.ask))
        cards = [
            card.label
            for card in policy.scorecards.values()
            if any(lacking_steps & set(ask) for ask in card.ask.values())
        ]
        yield unmet("ask", _listed(expected.ask), _listed(verdict.ask), asking, cards)
    if expected.score is not None and expected.score != verdict.score:
        got = _range(verdict.score or (0, 0))
        yield Failure(what="score", expected=_range(expected.score), actual=got, cards=(SCORECARD,))
    for name, total in expected.scores.items():
        if total != verdict.totals[name]:
            got = _range(verdict.totals[name])
            label = policy.scorecards[name].label
            yield Failure(what=f"score of {name}", expected=_range(total), actual=got, cards=(label,))
    taken = [name for name in expected.problems if not any(is_within(one, name) for one in refused)]
    if taken:
        yield Failure(what="problems", expected=_listed(taken), actual=f"{_listed(refused)} refused")


def _said(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _listed(names: Iterable[str]) -> str:
    return ", ".join(names) or "none"


def _range(score: tuple[int, int]) -> str:
    low, high = score
    return str(low) if low == high else f"{low} to {high}"


def _quoted(source: Source, one: Explained) -> list[str]:
    """Return the lines of the policy in which a rule stands."""
    part, begins = source.part(one.spans[0].start)
    offset = one.spans[0].start - begins
    spans = one.spans[:1] if one.kind == "table" else one.spans  # a row, without its headers
    places = [span for span in spans if source.part(span.start)[0] is part]  # a variable may stand in another file
    first = min(part.place(span.start - offset)[0] for span in places)
    last = max(part.place(max(span.start, span.end - 1) - offset)[0] for span in places)
    numbers = range(first, min(last, first + LINES_MAX - 1) + 1)
    return [f"{number:>5} | {part.line(number)}" for number in numbers]
