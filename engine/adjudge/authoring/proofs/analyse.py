"""Everything that can be proved of one policy."""

from __future__ import annotations

from dataclasses import dataclass

from adjudge.authoring.proofs.finding import Finding
from adjudge.authoring.proofs.forces import Force, forces
from adjudge.authoring.proofs.lost import softening_losses
from adjudge.authoring.proofs.parts import idle_parts
from adjudge.authoring.proofs.riskier import softening_changes
from adjudge.authoring.proofs.rules import dead_rules, shadowed_rules
from adjudge.authoring.proofs.scorecard import scorecard_findings
from adjudge.authoring.proofs.subject import subject_of
from adjudge.policy.policy import Policy

TIMEOUT_S = 2.0
"""For one question."""
TOTAL_S = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Analysis:
    """What was proved. findings: in order of their place; a question without an answer is a finding too."""

    policy: Policy
    findings: tuple[Finding, ...]
    forces: tuple[Force, ...]

    @property
    def warnings(self) -> int:
        """How many findings are more than notes."""
        return sum(finding.severity == "warning" for finding in self.findings)


def analyse(policy: Policy, *, timeout_s: float = TIMEOUT_S, total_s: float = TOTAL_S) -> Analysis:
    """Prove of a policy what can be proved.

    timeout_s: for each question. total_s: for all of them; those that are left then are findings `not-proved`.
    """
    subject = subject_of(policy, timeout_s=timeout_s, total_s=total_s)
    findings = list(dead_rules(subject))
    dead = frozenset(rule for finding in findings if finding.code != "not-proved" for rule in finding.rules)
    findings += shadowed_rules(subject, dead)
    findings += idle_parts(subject, dead)
    findings += scorecard_findings(subject)
    findings += softening_changes(subject)
    findings += softening_losses(subject)
    forced, open_ = forces(subject)
    findings += open_
    findings.sort(key=lambda finding: finding.spans[0].start)
    return Analysis(policy=policy, findings=tuple(findings), forces=forced)
