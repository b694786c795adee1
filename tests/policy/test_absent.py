"""What it means that a source left a field out of an object that came: the same wherever a policy is evaluated."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from adjudge import Engine, Outcome, Registry, Request, parse_policy
from adjudge.audit.trail import AuditTrail
from adjudge.plugin import Unusable
from adjudge.policy import Policy
from adjudge.replay.decisions import replay
from adjudge.testing import decide_once, fake_provider, registry_of

DECLARED = {
    "bool": ("bool, absent: true", True),
    "string": ("string, absent: none", "none"),
    "int": ("int, absent: 3", 3),
    "double": ("double, range: [0, 5], absent: 3", 3.0),
    "duration": ("duration, absent: 24h", timedelta(days=1)),
    "enum": ("enum, values: [a, b], absent: b", "b"),
    "set": ("set, values: [a, b], absent: [b]", ("b",)),
    "empty set": ("set, values: [a, b], absent: []", ()),
    "list": ("list, of: string, absent: []", ()),
}


def policy_of(form: str, condition: str = "has(s.f)") -> Policy:
    return parse_policy(f"""
policy_language: 1
policy: p
inputs: {{i: {{type: {form}}}}}
signals: {{s: {{fields: {{f: {{type: {form}}}, other: int}}}}}}
rules:
  - {{id: known, when: '{condition}', then: review}}
  - {{id: input, when: 'has(i)', then: reject}}
""")


@pytest.mark.parametrize("kind", DECLARED)
def test_evaluate_field_left_out_of_what_came_is_its_absent(kind: str) -> None:
    form, value = DECLARED[kind]
    policy = policy_of(form)

    for given, of_signal in (
        ({"s": {}}, value),
        ({"s": {"other": 1}}, value),
        ({"s": {"f": None}}, None),
        ({"s": {"f": b"wrong"}}, None),
        ({}, None),
        ({"s": None}, None),
        ({"s": 7}, None),
    ):
        read = policy.read(given).values
        assert read["s.f"] == of_signal
        assert read["i"] == value, "inputs always come"
        assert ("known" in policy.evaluate(given).matched) is (of_signal is not None)
        assert "input" in policy.evaluate(given).matched
    assert policy.evaluate({"i": None}).matched == ()
    assert policy.as_taken({"s": {}})["s"] == {"f": None}, "what was taken before was not left out"


ROOTED = """
policy_language: 1
policy: p
inputs: {vip: {type: bool%s}}
signals:
  device: {provider: acme.device, fields: {rooted: {type: bool%s}, score: int}}
  own: {fields: {flag: {type: bool%s}, other: int}}
rules:
  - {id: rooted, when: device.rooted || own.flag || vip, then: reject}
"""


def rooted(absent: str = ", absent: false") -> str:
    return ROOTED % ((absent,) * 3)


def decide(answer: object, policy: str = "", **request: Any) -> Any:
    return decide_once(policy or rooted(), providers=[fake_provider("acme.device", None, answer)], **request)  # type: ignore[arg-type]


def test_decide_vendor_that_names_only_what_is_true() -> None:
    own = {"own": {"other": 1}}

    assert decide({"score": 1}, signals=own).outcome is Outcome.PASS
    assert decide({"score": 1, "rooted": None}, signals=own).outcome is Outcome.PASS, "a JSON null is absence"
    assert decide({"score": 1, "rooted": True}, signals=own).outcome is Outcome.REJECT
    assert decide({"score": 1}, signals=own).signals["device"].fields == {"score": 1, "rooted": False}


@pytest.mark.parametrize(
    "answer", [{"rooted": "yes"}, {"rooted": 1e999}, {"rooted": object()}, {"rooted": Unusable("is odd")}]
)
def test_decide_answer_that_cannot_be_used_was_not_left_out(answer: dict[str, object]) -> None:
    assert decide(answer, signals={"own": {}}).outcome is Outcome.REVIEW


def test_decide_signal_that_did_not_come_stays_unknown() -> None:
    assert decide({"score": 1}).outcome is Outcome.REVIEW
    assert decide(None, signals={"own": {}}).outcome is Outcome.REVIEW


def registry(answer: object) -> Registry:
    return registry_of([fake_provider("acme.device", None, answer)])  # type: ignore[arg-type]


def test_replay_takes_what_was_recorded_and_lets_no_other_policy_fill_it(tmp_path: Path) -> None:
    offered = registry({"score": 1})
    for folder, absent in (("with", ", absent: false"), ("without", "")):
        policy = parse_policy(rooted(absent), registry=offered)
        with Engine([policy], registry=offered, trail=AuditTrail.open(tmp_path / folder)) as engine:
            request = Request(merchant_biz_id="0" * 32, scene_code="a", signals={"own": {"other": 1}})
            outcome = engine.decide_sync(request).outcome
        assert outcome is (Outcome.PASS if absent else Outcome.REVIEW)
        [replayed] = replay(tmp_path / folder)
        assert replayed.answer == "identical"

    candidate = parse_policy(rooted(), registry=offered)
    [replayed] = replay(tmp_path / "without", policy=candidate)
    assert replayed.recomputed is not None and replayed.recomputed.outcome is Outcome.REVIEW
    [replayed] = replay(tmp_path / "with", policy=parse_policy(rooted(""), registry=offered))
    assert replayed.recomputed is not None and replayed.recomputed.outcome is Outcome.PASS


def test_decide_a_policy_that_says_what_a_missing_input_means_makes_no_retry_a_conflict(tmp_path: Path) -> None:
    offered = registry({"score": 1, "rooted": False})
    request = Request(merchant_biz_id="0" * 32, scene_code="a", signals={"own": {"other": 1}})
    for absent in ("", ", absent: false"):
        policy = parse_policy(rooted(absent), registry=offered)
        with Engine([policy], registry=offered, trail=AuditTrail.open(tmp_path / "log")) as engine:
            engine.decide_sync(request)  # raises no MerchantBizIdConflict


def test_compare_sees_that_absence_came_to_mean_something() -> None:
    pytest.importorskip("z3", reason='needs `pip install "adjudge[proofs]"`')
    from adjudge.authoring.comparison.regions import compare

    for form, absent, condition in (("bool", "true", "s.f"), ("int", "3", "s.f > 1"), ("string", "x", 's.f == "x"')):
        old, new = (policy_of(said, condition) for said in (form, f"{form}, absent: {absent}"))
        assert compare(old, new, in_process=True).relation != "same"


@pytest.mark.parametrize("told", [True, False])
def test_policy_tests_leave_out_and_say_unknown(tmp_path: Path, told: bool) -> None:
    from click.testing import CliRunner

    from adjudge.cli.group import adjudge

    (tmp_path / "p.yaml").write_text(
        "policy_language: 1\npolicy: p\nsignals: {s: {fields: {f: {type: bool, absent: false}, n: int}}}\n"
        "rules:\n  - {id: r, when: s.f, then: reject}\n"
    )
    given, expected = ("{s: {n: 1}}", "pass") if told else ("{s: {f: unknown}}", "review")
    (tmp_path / "p_test.yaml").write_text(
        f"policy: p.yaml\ntests:\n  - {{name: a, given: {given}, expect: {expected}}}\n"
        f"  - {{name: b, given: {{s: unknown}}, expect: review}}\n"
    )
    result = CliRunner().invoke(adjudge, ["test", str(tmp_path / "p_test.yaml")])

    assert result.exit_code == 0, result.output
