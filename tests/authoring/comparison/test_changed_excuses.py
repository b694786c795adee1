"""A changed excuse is a cause of its own, in proofs, on logged decisions and over rows."""

from __future__ import annotations

from pathlib import Path

import pytest

from adjudge.policy import parse_policy
from adjudge.replay.what_if import rules_moved

pytest.importorskip("z3", reason="needs the extra `proofs`")

from adjudge.authoring.comparison.regions import compare
from adjudge.authoring.proofs.analyse import analyse
from adjudge.model import Outcome

POLICY = """policy_language: 1
policy: shop
inputs: {fresh: bool, merchant: string, share: {type: double, range: [0, 1], riskier: higher}}
lists: {known_good: [flower-shop, LISTED]}
rules:
  - {id: fresh, when: fresh, then: review}
"""
EXCUSE = "excuse: {id: known-good, when: merchant in lists.known_good, from: review}\n"
OLD = parse_policy(POLICY.replace(", LISTED", ""))
NEW = parse_policy(POLICY.replace(", LISTED", "") + EXCUSE)


def test_new_excuse_is_the_cause_of_what_it_takes_back() -> None:
    found = compare(OLD, NEW, in_process=True)
    assert found.relation == "laxer"
    assert {region.in_doubt for region in found.regions} == {False, True}  # where the rule is true, and where unknown
    for region in found.regions:
        assert (region.old, region.new) == (Outcome.REVIEW, Outcome.PASS)
        assert (region.cause, region.because) == ("fresh", ("excuse known-good",))
    assert "+ excuse known-good: when merchant in lists.known_good" in map(str, found.changes)


def test_list_that_an_excuse_reads_is_the_cause() -> None:
    longer = parse_policy(POLICY.replace("LISTED", "coffee-corner") + EXCUSE)
    regions = compare(NEW, longer, in_process=True).regions
    assert regions
    for region in regions:
        assert (region.cause, region.because) == ("fresh", ("excuse known-good",))
        assert region.witness.given["merchant"] == "coffee-corner"


@pytest.mark.parametrize("is_new", [False, True])
@pytest.mark.parametrize(
    "rule",
    [
        "rules:\n  - {id: much, when: share > 0.2, then: review}\n",
        "tables: {t: {then: review, rows: [{merchant: A, share >=: 0.5}], else: review}}\n",
    ],
)
def test_rule_that_one_policy_lacks_is_no_changed_excuse(rule: str, is_new: bool) -> None:
    with_it = POLICY.replace("rules:\n", rule) if rule.startswith("rules") else POLICY + rule
    without = POLICY if rule.startswith("rules") else POLICY + rule.replace(", else: review", "")
    texts = (without, with_it) if is_new else (with_it, without)
    found = compare(*(parse_policy(text + EXCUSE) for text in texts), in_process=True)
    assert found.regions
    assert [region.because for region in found.regions] == [()] * len(found.regions)


def test_same_excuse_makes_no_difference() -> None:
    assert compare(NEW, NEW, in_process=True).relation == "same"


def test_excused_rule_is_told_where_a_decision_moved() -> None:
    given = {"fresh": True, "merchant": "flower-shop"}
    old, new = OLD.evaluate(given), NEW.evaluate(given)
    assert rules_moved(old, new) == ("+fresh excused", "-fresh")


def test_excuse_that_more_risk_makes_true_is_not_monotone() -> None:
    findings = analyse(parse_policy(POLICY + "excuse: {when: share > 0.5, from: review}\n"), in_process=True).findings
    assert [one.code for one in findings] == ["not-monotone"]
    assert findings[0].field == "share"
    safe = parse_policy(POLICY + "excuse: {when: share < 0.5, from: review}\n")
    assert not analyse(safe, in_process=True).findings


def test_excuse_of_what_is_unknown_is_softened_by_loss() -> None:
    findings = analyse(parse_policy(POLICY + "excuse: {when: '!has(share)', from: review}\n"), in_process=True).findings
    assert [one.code for one in findings] == ["softened-by-loss"]
    known = parse_policy(POLICY + "excuse: {when: has(share) && share < 0.1, from: review}\n")
    assert not analyse(known, in_process=True).findings


@pytest.mark.parametrize(
    ("when", "code"), [("share > 0.5 && share < 0.4", "never-true"), ("share >= 0.0", "always-true")]
)
def test_excuse_that_never_or_always_holds_is_found(when: str, code: str) -> None:
    findings = analyse(parse_policy(POLICY + f"excuse: {{when: {when}, from: review}}\n"), in_process=True).findings
    assert code in [one.code for one in findings]


def test_excuse_is_a_cause_over_rows(tmp_path: Path) -> None:
    pytest.importorskip("duckdb", reason="needs the extra `backtest`")
    from adjudge.backtest.dataset import open_dataset
    from adjudge.backtest.duck import connect
    from adjudge.backtest.run import Runner

    data = tmp_path / "rows.csv"
    data.write_text("fresh,merchant\ntrue,flower-shop\ntrue,nobody\nfalse,flower-shop\n")
    with connect(threads=1) as connection:
        before = Runner(connection, OLD, open_dataset(connection, data, OLD.typed), prefix="a_")
        after = Runner(connection, NEW, open_dataset(connection, data, NEW.typed), prefix="b_")
        assert after.causes(before) == ({"+excuse:known-good": 1}, {})
        (hits,) = [one for one in after.backtest().rules if one.id == "excuse:known-good"]
    assert (hits.true, hits.unknown, hits.outcome) == (2, 0, Outcome.PASS)
