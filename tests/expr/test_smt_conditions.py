"""Conditions of every kind as terms: what the reference answers, the terms must allow, and mostly nothing else."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from adjudge.expr.reference import Unknown, evaluate
from adjudge.policy import parse_policy

pytest.importorskip("z3", reason="needs the extra `proofs`")

from expr.conditions import EXACT, HEAD, LOOSE, NOW, inputs
from expr.test_smt import allowed


@pytest.mark.parametrize("exact", [True, False], ids=["exact", "loose"])
@settings(max_examples=45, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_terms_allow_what_the_reference_answers(exact: bool, data: st.DataObject) -> None:
    texts = EXACT if exact else LOOSE
    chosen = data.draw(st.lists(st.sampled_from(texts), min_size=8, max_size=8, unique=True))
    rules = "".join(f'  - {{id: r{at}, when: "{_yaml(text)}", then: review}}\n' for at, text in enumerate(chosen))
    policy = parse_policy(f"{HEAD}rules:\n{rules}")
    values: dict[str, object] = dict(policy.read(data.draw(inputs()), now=NOW).values)
    nodes = [rule.condition for rule in policy.typed.rules]
    everything = {**values, "lists.known": policy.typed.lists["known"]}
    for text, node, answers in zip(chosen, nodes, allowed(policy, nodes, values), strict=True):
        expected = evaluate(node, everything)
        answer = None if isinstance(expected, Unknown) else expected
        assert answer in answers, (text, values, answer, answers)
        long = any(isinstance(value, tuple) and len(value) > 3 for value in values.values())
        assert not exact or len(answers) == 1 or long, (text, values, answers)


def _yaml(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"')
