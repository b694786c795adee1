"""The policy that risk teams start from: its own tests, and that those tests leave nothing of it out."""

from __future__ import annotations

from pathlib import Path

import pytest

from adjudge.authoring.policy_tests.cases import PolicyTestFile, read_tests
from adjudge.authoring.policy_tests.testing import run
from adjudge.registry import Registry
from adjudge_plugins.aliyun.vocabulary import RESULTS, RISK_TAGS

POLICIES = Path(__file__).parents[2] / "policies"


@pytest.fixture(scope="module")
def tests() -> PolicyTestFile:
    return read_tests(POLICIES / "onboarding_test.yaml", Registry.discover().catalogue())


def test_onboarding_own_tests_pass(tests: PolicyTestFile) -> None:
    failed = [result.render() for result in run(tests) if not result.passed]

    assert tests.cases and not failed, "\n\n".join(failed)


def test_onboarding_every_rule_and_row_is_seen_true_false_and_unknown(tests: PolicyTestFile) -> None:
    seen: dict[str, set[bool | None]] = {}
    for case in tests.cases:
        explanation = tests.policy.explain(case.given, now=case.now)
        for one in (*explanation.rules, *explanation.rows):
            seen.setdefault(one.id, set()).add(one.truth)

    assert {id_: truths for id_, truths in seen.items() if truths != {True, False, None}} == {}


def test_onboarding_every_rule_is_named_where_it_must_be_true(tests: PolicyTestFile) -> None:
    by_reason = {rule.reason: rule.id for rule in tests.policy.typed.rules}
    named = {rule for case in tests.cases for rule in case.expected.rules or ()}
    named |= {
        by_reason[reason] for case in tests.cases for reason in case.expected.reasons or () if reason in by_reason
    }

    assert {rule.id for rule in tests.policy.typed.rules} - named == set()


def test_onboarding_names_every_tag_and_every_bad_result_of_the_vendor(tests: PolicyTestFile) -> None:
    ids = {rule.id for rule in tests.policy.typed.rules}

    assert len(RISK_TAGS) == 6
    for tag in RISK_TAGS:
        assert f"threshold:deepfake.tags:{tag}" in ids
        assert f"threshold:deepfake.score.{tag}:review" in ids
    for result in set(RESULTS.values()) - {"low"}:
        assert f"threshold:deepfake.result:{result}" in ids


def test_onboarding_lists_say_that_they_must_be_replaced(tests: PolicyTestFile) -> None:
    assert tests.policy.typed.texts
    for text in tests.policy.typed.texts.values():
        comments = " ".join(line for line in text.splitlines() if line.startswith("#"))
        assert "xample" in comments and "replace" in comments
