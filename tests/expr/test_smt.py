"""Terms against the reference: what it answers, the terms must allow; and where they are exact, nothing else."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from adjudge.expr.nodes import Node
from adjudge.expr.reference import Unknown, evaluate
from adjudge.policy import Policy, parse_policy
from policy.random_policies import policies, requests

z3 = pytest.importorskip("z3", reason="needs the extra `proofs`")

from adjudge.authoring.proofs.world import fixed, world_of  # noqa: E402

NOW = datetime(2026, 11, 23, 8, 30, tzinfo=UTC)


def allowed(policy: Policy, nodes: list[Node], values: Mapping[str, object]) -> list[set[bool | None]]:
    """Return for each condition which answers its term allows where the fields are fixed."""
    world, translator = world_of(policy)
    truths = [translator.truth(node) for node in nodes]
    solver = z3.Solver()
    solver.set("timeout", 60_000)
    solver.add(*[c for c in world.constraints if not isinstance(c, bool)])
    solver.add(*fixed(world, policy, values))
    assert solver.check() != z3.unsat, "the inputs themselves are not in the world"
    found = []
    for truth in truths:
        answers: set[bool | None] = set()
        for answer, prop in ((True, truth.true), (False, truth.false), (None, None)):
            claim: Any = prop if prop is not None else z3.Not(z3.Or(truth.true, truth.false))
            if solver.check(*[claim if not isinstance(claim, bool) else z3.BoolVal(claim)]) != z3.unsat:
                answers.add(answer)
        found.append(answers)
    return found


@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.data())
def test_terms_allow_what_the_reference_answers(data: st.DataObject) -> None:
    policy = data.draw(policies())
    request = data.draw(requests(policy))
    typed = policy.typed
    values: dict[str, object] = dict(policy.read(request, now=NOW).values)
    constants: dict[str, object] = {f"lists.{name}": members for name, members in typed.lists.items()}
    everything = {**values, **constants}
    for name, node in typed.variables.items():
        answer = evaluate(node, everything)
        everything[name] = None if isinstance(answer, Unknown) else answer
    nodes = [rule.condition for rule in typed.rules]
    for node, answers in zip(nodes, allowed(policy, nodes, values), strict=True):
        expected = evaluate(node, everything)
        assert (None if isinstance(expected, Unknown) else expected) in answers, (node, values)


@pytest.mark.parametrize(
    "name", ["Europe/Berlin", "Asia/Singapore", "America/New_York", "Australia/Lord_Howe", "+05:30"]
)
@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
@given(moment=st.datetimes(datetime(2000, 1, 2), datetime(2039, 12, 30), timezones=st.just(UTC)))
def test_clocks_of_a_zone_are_exact_where_its_offsets_are_looked_up(name: str, moment: datetime) -> None:
    text = f"""policy_language: 1
policy: clocks
rules:
  - {{id: time, when: 'now.timeOfDay("{name}") >= duration("13h5m")', then: review}}
  - {{id: hour, when: 'now.getHours("{name}") == 13', then: review}}
  - {{id: day, when: 'now.getDayOfWeek("{name}") == 3', then: review}}
"""
    policy = parse_policy(text)
    nodes = [rule.condition for rule in policy.typed.rules]
    for node, answers in zip(nodes, allowed(policy, nodes, {"now": moment}), strict=True):
        assert answers == {evaluate(node, {"now": moment})}


@pytest.mark.parametrize("name", ["Europe/Berlin", "Asia/Manila", "Africa/Casablanca", "Pacific/Apia"])
@settings(max_examples=15, deadline=None, suppress_health_check=list(HealthCheck))
@given(moment=st.datetimes(datetime(1, 1, 4), datetime(9999, 12, 28), timezones=st.just(UTC)))
@example(moment=datetime(1, 1, 4, tzinfo=UTC))
@example(moment=datetime(1844, 12, 30, 3, tzinfo=UTC))
@example(moment=datetime(2040, 7, 1, 12, tzinfo=UTC))
def test_clocks_of_a_zone_may_show_what_they_show_at_any_time(name: str, moment: datetime) -> None:
    text = f"""policy_language: 1
policy: clocks
rules:
  - {{id: time, when: 'now.timeOfDay("{name}") >= duration("13h5m")', then: review}}
  - {{id: day, when: 'date(now, "{name}") > date(now, "UTC")', then: review}}
  - {{id: before, when: 'date(now, "{name}") < date(now, "UTC")', then: review}}
"""
    policy = parse_policy(text)
    nodes = [rule.condition for rule in policy.typed.rules]
    for node, answers in zip(nodes, allowed(policy, nodes, {"now": moment}), strict=True):
        answer = evaluate(node, {"now": moment})
        assert (None if isinstance(answer, Unknown) else answer) in answers
