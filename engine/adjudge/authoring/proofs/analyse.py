"""Everything that can be proved of one policy."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import replace

from adjudge.authoring.proofs.apart import Ended, apart, here
from adjudge.authoring.proofs.excuses import excuse_findings
from adjudge.authoring.proofs.finding import ProofFinding
from adjudge.authoring.proofs.forces import Force, forces
from adjudge.authoring.proofs.idle_part import idle_parts
from adjudge.authoring.proofs.inquiry import NotProved
from adjudge.authoring.proofs.not_monotone import softening_changes
from adjudge.authoring.proofs.rules import dead_rules, shadowed_rules
from adjudge.authoring.proofs.scorecard import scorecard_findings
from adjudge.authoring.proofs.softened_by_loss import softening_losses
from adjudge.authoring.proofs.subject import not_proved, subject_of
from adjudge.authoring.proofs.tables import ROWS_ASKED_MAX, rows_of_tables, table_findings
from adjudge.frozen import frozen
from adjudge.policy.policy import Policy
from adjudge.source import Span

TIMEOUT_S = 2.0
"""For one question."""
TOTAL_S = 60.0
QUESTIONS = (
    "tables",
    "never-true",
    "shadowed",
    "idle-part",
    "band-unreachable",
    "not-monotone",
    "softened-by-loss",
    "force",
)


@frozen(kw_only=True)
class Analysis:
    """What was proved. findings: in order of their place; a question without an answer is a finding too."""

    policy: Policy
    findings: tuple[ProofFinding, ...]
    forces: tuple[Force, ...]

    @property
    def warnings(self) -> int:
        """How many findings are more than notes, and not allowed."""
        return sum(finding.severity == "warning" and not finding.is_allowed for finding in self.findings)

    def allowing(self, names: Collection[str]) -> Analysis:
        """Return the same with some findings allowed, by their names."""
        findings = (replace(one, is_allowed=one.name in names) for one in self.findings)
        return replace(self, findings=tuple(findings))


def analyse(
    policy: Policy, *, timeout_s: float = TIMEOUT_S, total_s: float = TOTAL_S, in_process: bool = False
) -> Analysis:
    """Prove of a policy what can be proved.

    timeout_s: for each question. total_s: for all of them, making them included; those that are left then are findings
    `not-proved`. It is kept by a process that is ended when it is over: in_process does without, and then total_s is
    kept only as far as z3 keeps its own.
    """
    findings: list[ProofFinding] = []
    forced: list[Force] = []
    left = list(QUESTIONS)
    pieces = here if in_process else apart
    try:
        for found in pieces(proofs, policy, timeout_s=timeout_s, total_s=total_s):
            if isinstance(found, ProofFinding):
                findings.append(found)
            elif isinstance(found, Force):
                forced.append(found)
            else:
                left.remove(found)
    except Ended as ended:
        if left:  # else it was ended after its last answer
            named = ", ".join(f"`{one}`" for one in left)
            what = f"the rest of the questions {named}"
            open_ = not_proved(policy, left[0], "rest", what, NotProved(str(ended)), Span(0, 0))
            way_out = "give it more time with --total, or simplify the conditions"
            findings.append(replace(open_, hint=f"{way_out}; or accept it with `--allow {open_.name}`"))
    findings.sort(key=lambda finding: finding.spans[0].start)
    return Analysis(policy=policy, findings=tuple(findings), forces=tuple(forced))


def proofs(policy: Policy, *, timeout_s: float, total_s: float) -> Iterator[ProofFinding | Force | str]:
    """Yield what is found, and each of QUESTIONS when it was asked of everything."""
    rows = rows_of_tables(policy)
    yield from table_findings(policy, alone=rows > ROWS_ASKED_MAX)
    yield "tables"
    if rows > ROWS_ASKED_MAX:
        yield from _without_rows(policy, rows, timeout_s=timeout_s, total_s=total_s)
        return
    subject = subject_of(policy, timeout_s=timeout_s, total_s=total_s)
    dead: set[str] = set()
    for finding in dead_rules(subject):
        dead.update(finding.rules if finding.code != "not-proved" else ())
        yield finding
    questions: dict[str, Callable[[], Iterable[ProofFinding]]] = {
        "never-true": lambda: excuse_findings(subject),
        "shadowed": lambda: shadowed_rules(subject, frozenset(dead)),
        "idle-part": lambda: idle_parts(subject, frozenset(dead)),
        "band-unreachable": lambda: scorecard_findings(subject),
        "not-monotone": lambda: softening_changes(subject),
        "softened-by-loss": lambda: softening_losses(subject),
    }
    for question, ask in questions.items():
        yield from ask()
        yield question
    forced, open_ = forces(subject)
    yield from forced
    yield from open_
    yield "force"


def _without_rows(policy: Policy, rows: int, *, timeout_s: float, total_s: float) -> Iterator[ProofFinding | str]:
    """Ask of the other rules what holds of them whatever the rows of tables say, and name what was not asked."""
    typed = policy.typed
    others = tuple(rule for rule in typed.rules if rule.origin != "table")
    subject = subject_of(Policy(replace(typed, rules=others), policy.functions), timeout_s=timeout_s, total_s=total_s)
    dead: set[str] = set()
    for finding in dead_rules(subject):
        dead.update(finding.rules if finding.code != "not-proved" else ())
        yield finding
    yield "never-true"
    yield from shadowed_rules(subject, frozenset(dead))
    yield "shadowed"
    yield from scorecard_findings(subject)
    yield "band-unreachable"
    open_ = [one for one in QUESTIONS if one not in ("tables", "never-true", "shadowed", "band-unreachable")]
    named = ", ".join(f"`{one}`" for one in open_)
    first = next(rule for rule in typed.rules if rule.origin == "table")
    answer = NotProved(f"a solver takes at most {ROWS_ASKED_MAX:,} rows of tables, and here are {rows:,}")
    yield replace(
        not_proved(policy, open_[0], "tables", f"{named} of the whole policy", answer, first.span),
        severity="note",
        hint="the rows were compared with each other; prove the policy without the table for the rest",
    )
    yield from open_
