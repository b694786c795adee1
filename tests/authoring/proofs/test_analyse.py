"""Faults that are planted are found, clean policies are left alone, and every witness does what is said of it."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.strategies import DrawFn

from adjudge.model import Outcome
from adjudge.policy import Policy, parse_policy
from depth import examples
from policy.random_policies import NOW, policies, requests

pytest.importorskip("z3", reason="needs the extra `proofs`")

from adjudge.authoring.proofs import inquiry
from adjudge.authoring.proofs.advice import advice
from adjudge.authoring.proofs.analyse import Analysis, analyse
from adjudge.authoring.proofs.finding import ProofFinding, Witness
from adjudge.authoring.proofs.world import Input

CLEAN = """policy_language: 1
policy: shop
inputs:
  country: string
  age: {{type: duration, range: [0s, 87600h]}}
  match: {{type: double, range: [0, 1], riskier: lower}}
  email: string
signals:
  face:
    fields:
      result: {{type: enum, values: [low, suspicious, high], riskier: higher}}
      tags: {{type: set, values: [Forgery, Remake], riskier: higher}}
      score: {{type: map, keys: [Forgery, Remake], of: {{type: double, range: [0, 1], riskier: higher}}, absent: 0}}
  device:
    fields:
      score: {{type: int, range: [0, 100], riskier: higher}}
      emulator: {{type: bool, riskier: true}}
lists: {{bad: [KP, IR]}}
variables: {{risky: device.score >= {device} || device.emulator}}
thresholds:
  face.result: {{suspicious: review, high: reject}}
  face.tags: {{Forgery: review}}
  face.score:
    Forgery: {{review: {review}, reject: {reject}}}
    Remake: {{review: {review}}}
  match: {{below: {{review: 0.8, reject: 0.5}}}}
rules:
  - {{id: bad-country, when: country in lists.bad, then: reject}}
  - {{id: fresh-and-risky, when: 'risky && age < duration("{hours}h")', unless: match > 0.97, then: review}}
  - {{id: mail, when: 'email.endsWith("@{domain}")', then: review}}
  - {{id: novel, when: size(face.novel_tags) > 0, then: review}}
scorecard:
  points:
    - {{when: risky, add: {points}}}
    - {{when: 'age < duration("720h")', add: 20}}
    - {{when: face.score.Remake > 0.2, add: 15}}
    - {{when: match < 0.9, add: 10}}
  bands: {{review: {band}, reject: {all}}}
"""


ONE = CLEAN.format(device=70, review=0.6, reject=0.9, hours=24, domain="x.com", points=40, band=70, all=85)


@st.composite
def clean_texts(draw: DrawFn) -> str:
    """Return a policy without a fault."""
    points = draw(st.integers(20, 60))
    return CLEAN.format(
        device=draw(st.integers(30, 90)),
        review=draw(st.sampled_from((0.3, 0.45, 0.6))),
        reject=draw(st.sampled_from((0.7, 0.85, 0.9))),
        hours=draw(st.sampled_from((24, 48, 100))),
        domain=draw(st.sampled_from(("x.com", "mail.example", "ü.de"))),
        points=points,
        band=draw(st.integers(points + 21, points + 30)),
        all=points + 45,
    )


def add_rule(text: str, rule: str) -> str:
    return text.replace("scorecard:\n", f"  - {{id: planted, {rule}}}\nscorecard:\n", 1)


@dataclass(frozen=True)
class Fault:
    """What is planted, the code of the finding, and a rule that it must name too."""

    plant: Callable[[str], str]
    code: str
    related: str | None = None


def rule(text: str, code: str, related: str | None = None) -> Fault:
    return Fault(lambda policy: add_rule(policy, text), code, related)


FRESH = 'when: age < duration("5h"), then: reject, unless:'
FAULTS = {
    "contradiction": rule("when: device.score > 60 && device.score < 40, then: review", "never-true"),
    "contradiction over a variable": rule("when: '!risky && device.emulator', then: review", "never-true"),
    "contradiction of times": rule(
        """when: 'age < duration("1h") && age > duration("2h")', then: reject""", "never-true"
    ),
    "contradiction of a list": rule("""when: 'country in lists.bad && country == "SG"', then: reject""", "never-true"),
    "contradiction of texts": rule(
        """when: 'email.endsWith("@a.com") && email.endsWith("@b.com")', then: reject""", "never-true"
    ),
    "always": rule("when: device.score <= 100, then: review", "always-true"),
    "shadowed by a more severe rule": rule(
        "when: country in lists.bad && device.score > 50, then: review", "shadowed", "bad-country"
    ),
    "shadowed by a threshold": rule("when: match < 0.3, then: reject", "shadowed", "threshold:match:reject"),
    "shadowed beside a choice": rule(
        "when: 'match <= 0.8 && (device.emulator || device.score < 9)', then: review",
        "shadowed",
        "threshold:match:review",
    ),
    "idle operand": rule(
        """when: 'device.score > 95 && device.score > 50 && age > duration("9h")', then: reject""", "idle-part"
    ),
    "idle part of a count": rule(
        "when: 'atLeast(1, [device.score > 95, device.score > 97])', then: reject", "idle-part"
    ),
    "idle alternative": rule("when: 'device.score > 95 || device.score > 97', then: reject", "idle-part"),
    "exception that never applies": rule(
        "when: device.score > 95, unless: device.score < 90, then: reject", "idle-part"
    ),
    "band that is not reached": Fault(lambda text: _band(text), "band-unreachable"),
    "more risk excuses": rule(f"{FRESH} device.score > 50", "not-monotone"),
    "a tag excuses": rule(f"{FRESH} '\"Remake\" in face.tags'", "not-monotone"),
    "a worse result excuses": rule(f"{FRESH} 'face.result == \"suspicious\"'", "not-monotone"),
    "points for risk are taken away": Fault(
        lambda text: text.replace("  points:\n", "  points:\n    - {when: device.score > 20, add: -19}\n"),
        "not-monotone",
    ),
    "has": rule("""when: 'has(device.score) && age < duration("5h")', then: review""", "softened-by-loss"),
    "waiver": Fault(
        lambda text: text.replace("  device:\n", "  device:\n    when_unknown: pass\n"), "softened-by-loss"
    ),
    "waiver of a rule": rule("when: device.score > 97, then: reject, when_unknown: pass", "softened-by-loss"),
}


def _band(text: str) -> str:
    head, _, bands = text.rpartition("reject: ")
    return f"{head}reject: 10{bands}"


def analysis_of(text: str) -> Analysis:
    return analyse(parse_policy(text), timeout_s=10, total_s=200, in_process=True)


def shows(policy: Policy, finding: ProofFinding) -> bool:
    """Whether the engine says of a finding's witnesses what the finding says."""
    return all(
        str(policy.evaluate(one.input.given, now=one.input.now).outcome) == one.outcome for one in finding.witnesses
    )


@settings(max_examples=6, deadline=None, suppress_health_check=list(HealthCheck))
@given(clean_texts())
def test_clean_policy_has_no_findings(text: str) -> None:
    assert [finding.message for finding in analysis_of(text).findings] == []


@pytest.mark.parametrize(
    "rest",
    [
        "rules:\n  - {id: big, when: big, unless: shop in lists.pilot, then: review}\n",
        "rules:\n  - {id: big, when: '!big && shop in lists.pilot', then: reject}\n",
        "rules:\n  - {id: big, when: '!big || lists.pilot.exists(one, one == shop)', then: reject}\n",
        "rules:\n  - {id: big, when: big, then: review}\nexcuse: {when: shop in lists.pilot, from: review}\n",
        "scorecard: {points: [{when: shop in lists.pilot, add: 40}], bands: {review: 40}}\n",
    ],
)
def test_entries_that_end_are_no_idle_part(rest: str) -> None:
    text = (
        "policy_language: 1\npolicy: p\ninputs: {shop: string, big: bool}\n"
        "lists: {pilot: [m1, {value: m2, until: 2027-01-15}, {value: m3, until: 2027-03-15}]}\n"
    )
    assert [finding.message for finding in analysis_of(text + rest).findings if finding.code == "idle-part"] == []


@pytest.mark.parametrize("fault", FAULTS)
@settings(max_examples=3, deadline=None, suppress_health_check=list(HealthCheck))
@given(text=clean_texts())
def test_planted_fault_is_found(fault: str, text: str) -> None:
    planted = FAULTS[fault]
    code, related = planted.code, planted.related
    analysis = analysis_of(planted.plant(text))
    found = [finding for finding in analysis.findings if finding.code == code]
    assert found, [finding.message for finding in analysis.findings]
    if code in ("never-true", "always-true", "shadowed"):
        assert found[0].rules[0] == "planted"
    if related is not None:
        assert related in found[0].rules
    assert all(shows(analysis.policy, finding) for finding in analysis.findings)
    if code in ("not-monotone", "softened-by-loss"):
        before, after = found[0].witnesses
        assert Outcome(after.outcome) < Outcome(before.outcome)


@settings(max_examples=examples(12), deadline=None, suppress_health_check=list(HealthCheck))
@given(st.data())
def test_findings_hold_on_requests_of_all_kinds(data: st.DataObject) -> None:
    """Nothing that is said never to happen happens, and nothing is said that an evaluation contradicts."""
    policy = data.draw(policies())
    analysis = analyse(policy, timeout_s=0.2, total_s=2, in_process=True)  # what stays open contradicts nothing
    assert all(shows(policy, finding) for finding in analysis.findings)
    for force in analysis.forces:
        assert policy.evaluate(force.witness.input.given, now=force.witness.input.now).lower >= force.outcome
    never = {finding.rules[0] for finding in analysis.findings if finding.code == "never-true" and finding.rules}
    always = {finding.rules[0] for finding in analysis.findings if finding.code == "always-true" and finding.rules}
    shadowed = {finding.rules[0] for finding in analysis.findings if finding.code == "shadowed"}
    smaller = {
        rule: Policy(
            replace(policy.typed, rules=tuple(r for r in policy.typed.rules if r.id != rule)), policy.functions
        )
        for rule in shadowed
    }
    for _ in range(8):
        request = data.draw(requests(policy))
        verdict = policy.evaluate(request, now=NOW)
        assert not never & set(verdict.matched)
        assert always <= {*verdict.matched, *verdict.unresolved}
        for rule, without in smaller.items():
            assert without.evaluate(request, now=NOW).outcome == verdict.outcome, rule


def test_question_without_an_answer_is_said_to_be_open() -> None:
    text = add_rule(ONE, "when: 'match * match * match - match * 0.7 == 0.1234567', then: reject")
    analysis = analyse(parse_policy(text), timeout_s=0.05, total_s=30)
    assert "not-proved" in {finding.code for finding in analysis.findings}
    assert analysis.warnings


def test_no_time_at_all_proves_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inquiry.Inquiry, "left_s", lambda self: 0.0)
    text = add_rule(ONE, "when: device.score > 60 && device.score < 40, then: review")
    codes = [finding.code for finding in analyse(parse_policy(text), in_process=True).findings]
    assert codes and set(codes) == {"not-proved"}


def test_finding_reads_well(tmp_path: Path, golden: Callable[[str, str], None]) -> None:
    """In a process of its own: which input a solver finds hangs on what it was asked before."""
    text = ONE
    for plant in ("contradiction", "shadowed by a threshold", "idle operand", "more risk excuses", "waiver of a rule"):
        text = FAULTS[plant].plant(text).replace("id: planted", f"id: {plant.replace(' ', '-')}")
    (tmp_path / "shop.yaml").write_text(text)
    command = [sys.executable, "-m", "adjudge", "analyse", "shop.yaml"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=300, check=False)
    assert (done.returncode, done.stderr) == (1, "")
    golden("proofs/findings.txt", done.stdout)


def test_witness_as_json_is_what_a_test_takes() -> None:
    witness = Witness(about="alone", input=Input(given={"age": NOW - NOW}, now=NOW), outcome="review")
    assert witness.data()["now"] == "2026-11-23T08:30:00Z"
    assert witness.data()["given"] == {"age": "0s"}


HEAD = "policy_language: 1\npolicy: x\n"
LOSSES = {
    "has of a variable": """signals: {d: {fields: {score: int}}}
variables: {v: d.score > 50}
rules: [{id: r, when: has(v) && v, then: review}]
""",
    "has of what is new": """inputs: {d: {type: set, values: [a, b]}}
rules: [{id: r, when: has(novel_d) && size(novel_d) > 0, then: review}]
""",
    "the policy waives all doubt": """when_unknown: pass
signals: {d: {fields: {score: int}}}
rules: [{id: r, when: d.score > 50, then: reject}]
""",
    "a rule waives what a policy does": """when_unknown: pass
signals: {d: {when_unknown: review, fields: {score: int}}}
rules: [{id: r, when: d.score > 50, then: reject, when_unknown: pass}]
""",
    "one field": """signals: {d: {fields: {score: int, id: int}}}
rules: [{id: r, when: (has(d.score) && d.score > 50) || !has(d.id), then: review}]
""",
}


@pytest.mark.parametrize("name", LOSSES)
def test_loss_that_softens_is_told(name: str) -> None:
    analysis = analysis_of(HEAD + LOSSES[name])
    (finding,) = [finding for finding in analysis.findings if finding.code == "softened-by-loss"]
    assert finding.field == ("d.score" if name == "one field" else "d")
    assert finding.severity == ("note" if "waives" in name else "warning")
    assert shows(analysis.policy, finding)


CARD = """signals: {d: {fields: {emu: bool}}}
inputs: {n: {type: int, range: [0, 9]}}
scorecard:
  points: [{when: d.emu, add: 100}, {when: 'string(n) == "abc"', add: 10}, {when: n > 3 && n > 2, add: 1}]
  bands: {reject: 80}
"""


def test_scorecard_forces_an_outcome() -> None:
    (force,) = analysis_of(HEAD + CARD).forces
    assert (force.field, force.outcome) == ("d.emu", Outcome.REJECT)


def test_row_without_an_answer_is_said_to_be_open() -> None:
    said = [finding.message for finding in analysis_of(HEAD + CARD).findings if finding.code == "not-proved"]
    assert [one.partition(" (")[0] for one in said] == ["not proved: whether row 2 of the scorecard can be true"]


WEIGHED = """inputs: {country: {type: enum, values: [SG, ID]}, n: {type: int, range: [0, 3]}}
lookup: {weight: {by: country, values: {SG: 10, ID: 20}}}
scorecard:
  points:
    - {id: partly, when: 'country != "ID"', add: weight}
    - {id: never, when: n > 2 && n < 2, add: weight}
    - {id: idle, when: n > 2 && n > 1, add: n}
  bands: {review: 10}
"""


def test_row_of_many_steps_is_found_once() -> None:
    found = [(one.code, one.message) for one in analysis_of(HEAD + WEIGHED).findings if one.severity == "warning"]
    assert found == [
        ("never-true", "no input gives some of this row's points: 20 or more"),
        ("never-true", "no input makes this row true: its 0 to +20 points are never given"),
        ("idle-part", "in `idle` of the scorecard `n > 1` is true whenever the rest is, and changes nothing"),
    ]


def test_no_time_leaves_rows_parts_and_forces_open() -> None:
    said = " ".join(finding.message for finding in analyse(parse_policy(HEAD + CARD), total_s=0).findings)
    assert "row 2 of the scorecard can be true" in said
    assert "`n > 2` makes a difference in row 3" in said
    assert "`d.emu` alone can force reject" in said


RISK = "{type: double, range: [0, 1], riskier: higher}"
MORE_RISK = {
    "key of a map read whole": (f"m: {{type: map, keys: [a, b], of: {RISK}}}", "m.exists(k, m[k] < 0.5)"),
    "second member": ("m: {type: set, values: [A, B], riskier: higher}", "size(m) == 1"),
    "second new member": ("m: {type: set, values: [A, B], riskier: higher}", "size(novel_m) == 1"),
}


@pytest.mark.parametrize("name", MORE_RISK)
def test_more_risk_that_softens_is_told(name: str) -> None:
    declared, when = MORE_RISK[name]
    analysis = analysis_of(f"{HEAD}inputs: {{{declared}}}\nrules: [{{id: r, when: '{when}', then: reject}}]\n")
    found = [finding for finding in analysis.findings if finding.code == "not-monotone"]
    assert found
    assert shows(analysis.policy, found[0])
    before, after = found[0].witnesses
    assert Outcome(after.outcome) < Outcome(before.outcome)


@pytest.mark.parametrize(
    ("declared", "when"),
    [
        (f"m: {{type: list, of: {RISK}}}", "m.exists(k, k < 0.5)"),
        (f"m: {{type: map, of: {RISK}}}", "m.exists(k, m[k] < 0.5)"),
    ],
)
def test_risk_that_is_not_asked_about_is_said_to_be_open(declared: str, when: str) -> None:
    text = f"{HEAD}inputs: {{{declared}}}\nrules: [{{id: r, when: '{when}', then: review}}]\n"
    said = [finding.message for finding in analysis_of(text).findings]
    assert "not proved: that more risk in `m` never softens the outcome (its items cannot be told apart)" in said


def test_rule_is_covered_by_no_more_rules_than_it_takes() -> None:
    found = analysis_of("""policy_language: 1
policy: shop
inputs: {n: {type: int, range: [0, 100]}}
rules:
  - {id: more, when: n > 50, then: review}
  - {id: between, when: n > 10 && n < 40, then: review}
  - {id: high, when: n > 30, then: reject}
  - {id: low, when: n <= 30 && n > 5, then: reject}
""").findings
    covered = {finding.rules[0]: set(finding.rules[1:]) for finding in found if finding.code == "shadowed"}
    assert covered == {"more": {"high"}, "between": {"high", "low"}}


@pytest.mark.parametrize(
    ("when", "said"),
    [
        ('date(e, "Europe/Paris") < date(e, "Europe/London")', "offsets from UTC for the years 2000 to 2039 only"),
        ('e.getMonth("UTC") == 1 && e.getDayOfMonth("UTC") == 29', "does not have the calendar"),
        ('s.matches("^a+$")', "instead of a pattern"),
    ],
)
def test_advice_names_a_function_of_the_engine_as_its_own(when: str, said: str) -> None:
    policy = parse_policy(
        f"{HEAD}inputs: {{e: timestamp, s: string}}\nrules: [{{id: r, when: '{when}', then: review}}]\n"
    )
    told = advice(policy, "r")
    assert told is not None
    assert said in told
    assert "plugin" not in told


@pytest.mark.parametrize(
    "when",
    [
        'date(e, "America/New_York") > date(e, "Asia/Tokyo")',
        'date(e, "America/New_York") > date(e, "Europe/Berlin")',
        'e.timeOfDay("America/New_York") >= duration("24h")',
        'e.getHours("Europe/Berlin") == 3 && e.timeOfDay("Europe/Berlin") > duration("4h")',
        'date(e, "Asia/Singapore") < date(e, "UTC")',
    ],
)
def test_clocks_of_zones_that_change_are_settled_at_any_time(when: str) -> None:
    text = f"{HEAD}inputs: {{e: timestamp}}\nrules: [{{id: r, when: '{when}', then: review}}]\n"
    assert {finding.code for finding in analysis_of(text).findings} == {"never-true"}


COVERED = [
    ("x > 5, then: reject, confirm: person", "x > 8, then: reject", False),
    ("x > 5, then: reject", "x > 8, then: reject, confirm: person", True),
    ("x > 5, then: reject, confirm: person", "x > 8, then: reject, confirm: person", True),
    ("x > 5, then: reject, confirm: person", "x > 8, then: review", True),
    ("x > 5, then: review", "x > 8, then: review, ask: [doc]", False),
    ("x > 5, then: review, ask: [doc]", "x > 8, then: review, ask: [doc]", True),
    ("x > 5, then: review, ask: [face]", "x > 8, then: review, ask: [doc]", False),
    ("x > 5, then: review, ask: [face, doc]", "x > 8, then: review, ask: [doc]", True),
    ("x > 5, then: reject, ask: [face]", "x > 8, then: reject, ask: [doc]", False),
    ("x > 5, then: reject, when_unknown: reject", "x > 8, then: review, ask: [doc]", True),
    ("x > 5, then: reject, when_unknown: review", "x > 8, then: review, ask: [doc]", False),
]


@pytest.mark.parametrize("in_a_table", [False, True])
@pytest.mark.parametrize(("wide", "narrow", "is_covered"), COVERED)
def test_rule_that_asks_or_confirms_otherwise_is_not_covered(
    wide: str, narrow: str, is_covered: bool, in_a_table: bool
) -> None:
    head = f"{HEAD}inputs: {{x: int}}\nsteps: {{doc: D, face: F}}\n"
    rules = f"rules:\n  - {{id: wide, when: {wide}}}\n  - {{id: narrow, when: {narrow}}}\n"
    if in_a_table:
        rows = [f"      - {{{one.replace('x >', 'x >:')}}}\n" for one in (wide, narrow)]
        rules = f"tables:\n  t:\n    then: review\n    rows:\n{''.join(rows)}"
    found = analysis_of(head + rules).findings
    said = [finding.rules for finding in found if finding.code == "shadowed"]
    assert said == ([("t:2", "t:1") if in_a_table else ("narrow", "wide")] if is_covered else [])
