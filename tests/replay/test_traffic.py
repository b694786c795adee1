"""Two policies on a log, against counts made by hand and against what an engine did."""

from __future__ import annotations

import random
import sqlite3
from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from adjudge.audit.bodies import DecisionBody
from adjudge.audit.read import read
from adjudge.audit.vault import Vault
from adjudge.authoring.comparison import traffic_report
from adjudge.errors import AuditBroken, AuditUnavailable
from adjudge.model import Outcome
from adjudge.replay.decisions import replay
from adjudge.replay.traffic import EXAMPLES, Traffic, compare_traffic
from replay.traffic_logs import CHEAP, DEAR, POLICY, Shop

PASS, REVIEW, REJECT = Outcome
EARLIER = POLICY.replace("cheap.score >= 50", "cheap.score >= 30")
OK = {"country": "SG", "email": "a@ok"}
REQUESTS = (
    ({"country": "KP", "email": "a@ok"}, 10.0, 10.0),  # rejected without asking anybody
    (OK, 10.0, 95.0),  # passes on the cheap answer
    (OK, 40.0, 95.0),  # passes too; the earlier threshold wants the dear answer, which was not bought
    (OK, 60.0, 95.0),  # rejected
    (OK, 60.0, 20.0),  # passes on both answers
    (OK, None, 95.0),  # the cheap one fails: in doubt, both times
    ({"country": "SG", "email": "eve@bad"}, 10.0, 10.0),  # erased below
)


def erase(log: Path, email: str) -> None:
    """Erase what the vault holds of the subject with an address."""
    vault = Vault.open(log)
    subjects = {
        record.decode(DecisionBody).merchant_biz_id
        for record in read(log)
        if record.kind == "decision"
        for commitment in [record.decode(DecisionBody).inputs["email"]]
        if vault.reveal(commitment["commitment"]) == email
    }
    vault.close()
    with sqlite3.connect(log / "vault.sqlite") as opened:
        (subject,) = subjects
        assert opened.execute("delete from personal where subject = ?", (subject,)).rowcount == 1
    opened.close()


def compared(shop: Shop, new: str, *logs: Path, old: str = POLICY) -> Traffic:
    return compare_traffic(logs, shop.policy(old), shop.policy(new), shop.providers())


def test_figures_are_those_counted_by_hand(tmp_path: Path) -> None:
    shop = Shop()
    decisions = shop.decide(tmp_path, REQUESTS)
    assert [decision.outcome for decision in decisions] == [REJECT, PASS, PASS, REJECT, PASS, REVIEW, REVIEW]
    erase(tmp_path, "eve@bad")
    traffic = compared(shop, EARLIER, tmp_path)
    lost = "is missing, and no record says that it was erased: `adjudge audit verify --vault`"
    assert dict(traffic.lost) == {f"`email` {lost}": 1}
    assert dict(traffic.matrix) == {
        (REJECT, REJECT): 2, (PASS, PASS): 2, (PASS, REVIEW): 1, (REVIEW, REVIEW): 1,
    }  # fmt: skip
    assert (traffic.decisions, traffic.flips, traffic.unlike) == (6, 1, 0)
    assert [round(traffic.new.share(outcome), 4) for outcome in Outcome] == [0.3333, 0.3333, 0.3333]
    assert traffic.days == 2.5
    assert [traffic.reviews_a_day(side) for side in (traffic.old, traffic.new)] == [0.4, 0.8]
    assert [side.unsettled for side in (traffic.old, traffic.new)] == [1, 2]
    (flip,) = traffic.examples[PASS, REVIEW]
    assert (flip.merchant_biz_id, flip.decision_id) == (decisions[2].merchant_biz_id, decisions[2].decision_id)
    assert flip.rules == ("+strong?",)
    assert dict(traffic.moved_by) == {"+strong?": 1}


def test_calls_are_those_that_a_thrifty_engine_would_make(tmp_path: Path) -> None:
    shop = Shop()
    shop.decide(tmp_path, REQUESTS[:6])
    traffic = compared(shop, EARLIER, tmp_path)
    assert dict(traffic.old.calls) == {"cheap": 5, "dear": 3}
    assert dict(traffic.new.calls) == {"cheap": 5, "dear": 4}
    assert traffic.old.cost == {"USD": 5 * CHEAP + 3 * DEAR}
    assert traffic.new.cost == {"USD": 5 * CHEAP + 4 * DEAR}
    assert dict(traffic.old.untold) == {}  # a call that failed is no call that the log lacks
    assert dict(traffic.new.untold) == {"dear": 1}
    eager = compared(shop, POLICY.replace("thrifty", "eager"), tmp_path)
    assert dict(eager.new.calls) == {"cheap": 6, "dear": 6}
    assert dict(eager.new.untold) == {"cheap": 1, "dear": 3}
    assert eager.flips == 0


@pytest.mark.parametrize("gather", ["thrifty", "eager", "thrifty\nexplore: 30%"])
def test_policy_of_the_log_is_charged_for_what_the_engine_asked(tmp_path: Path, gather: str) -> None:
    shop, drawn = Shop(), random.Random(gather)
    text = POLICY.replace("gather: thrifty", f"gather: {gather}")
    scores = (None, 10.0, 40.0, 60.0, 95.0)
    requests = [
        ({"country": drawn.choice(("SG", "KP")), "email": drawn.choice(("a@ok", "b@bad"))},
         drawn.choice(scores), drawn.choice(scores))
        for _ in range(60)
    ]  # fmt: skip
    decisions = shop.decide(tmp_path, requests, text)
    asked = [signal for _, signal in shop.asked]
    traffic = compared(shop, EARLIER, tmp_path, old=text)
    assert dict(traffic.old.calls) == {name: asked.count(name) for name in ("cheap", "dear")}
    assert (traffic.unlike, dict(traffic.old.untold)) == (0, {})
    assert [traffic.old.outcomes[outcome] for outcome in Outcome] == [
        [decision.outcome for decision in decisions].count(outcome) for outcome in Outcome
    ]
    new = shop.policy(EARLIER)
    replayed = [one.recomputed.outcome for one in replay(tmp_path, policy=new) if one.recomputed is not None]
    assert [traffic.new.outcomes[outcome] for outcome in Outcome] == [replayed.count(outcome) for outcome in Outcome]
    assert all(len(flips) <= EXAMPLES for flips in traffic.examples.values())


def test_rules_that_hold_more_or_less_often_are_counted(tmp_path: Path) -> None:
    shop = Shop()
    shop.decide(tmp_path, [(OK, 60.0, score) for score in (91.0, 93.0, 95.0, 97.0)] + [({"country": "KP"}, 0.0, 0.0)])
    later = POLICY.replace("dear.score >= 90", "dear.score >= 94").replace("bad-country", "sanctioned")
    traffic = compared(shop, later, tmp_path)
    assert traffic.hits_moved() == [("strong", 4, 2), ("bad-country", 1, 0), ("sanctioned", 0, 1)]
    assert traffic.matrix[REJECT, PASS] == 2


def test_several_logs_are_added_up(tmp_path: Path) -> None:
    shop = Shop()
    shop.decide(tmp_path / "one", REQUESTS[:3])
    shop.decide(tmp_path / "two", REQUESTS[3:6])
    traffic = compared(shop, EARLIER, tmp_path / "one", tmp_path / "two")
    assert (traffic.decisions, traffic.flips) == (6, 1)
    assert dict(traffic.new.calls) == {"cheap": 5, "dear": 4}


def test_decisions_of_another_policy_are_left_out_and_named(tmp_path: Path) -> None:
    shop = Shop()
    shop.decide(tmp_path, REQUESTS[:2])
    shop.decide(tmp_path, REQUESTS[2:5], POLICY.replace("policy: shop", "policy: payout"))
    traffic = compared(shop, EARLIER, tmp_path)
    assert (traffic.decisions, dict(traffic.lost)) == (2, {"`payout` decided, another policy": 3})
    renamed = compared(shop, EARLIER.replace("policy: shop", "policy: payout"), tmp_path)
    assert (renamed.decisions, dict(renamed.lost)) == (5, {})


def test_log_that_another_version_decided_is_told(tmp_path: Path) -> None:
    shop = Shop()
    shop.decide(tmp_path, [(OK, 60.0, 95.0), (OK, 60.0, 20.0)], EARLIER.replace("then: reject}", "then: review}"))
    assert compared(shop, EARLIER, tmp_path).unlike == 1


def test_erased_value_that_neither_reads_loses_nothing(tmp_path: Path) -> None:
    shop = Shop()
    shop.decide(tmp_path, REQUESTS)
    erase(tmp_path, "eve@bad")
    blind = POLICY.replace("  - {id: bad-mail, when: 'email.endsWith(\"@bad\")', then: review}\n", "")
    traffic = compare_traffic((tmp_path,), shop.policy(blind), shop.policy(blind), shop.providers())
    assert (traffic.decisions, dict(traffic.lost)) == (7, {})


def test_log_without_decisions_has_no_shares(tmp_path: Path) -> None:
    shop = Shop()
    shop.decide(tmp_path, REQUESTS[:2], POLICY.replace("policy: shop", "policy: payout"))
    traffic = compared(shop, EARLIER, tmp_path)
    assert (traffic.decisions, traffic.flip_share, traffic.days) == (0, 0.0, 1.0)
    assert traffic.new.share(REVIEW) == traffic.new.unsettled_share == 0.0


def test_broken_log_is_not_counted(tmp_path: Path) -> None:
    shop = Shop()
    shop.decide(tmp_path / "log", REQUESTS)
    with pytest.raises(AuditUnavailable):
        compared(shop, EARLIER, tmp_path / "elsewhere")
    (segment,) = (tmp_path / "log").glob("*.jsonl")
    segment.write_bytes(segment.read_bytes().replace(b'"SG"', b'"SO"', 1))
    with pytest.raises(AuditBroken):
        compared(shop, EARLIER, tmp_path / "log")


def test_providers_that_are_not_there_are_not_charged(tmp_path: Path) -> None:
    shop = Shop()
    shop.decide(tmp_path, REQUESTS[:6])
    traffic = compare_traffic((tmp_path,), shop.policy(POLICY), shop.policy(EARLIER))
    assert (dict(traffic.new.calls), traffic.new.cost, traffic.flips) == ({}, {}, 1)
    assert traffic.last is not None and traffic.first is not None
    assert traffic.last - traffic.first == timedelta(hours=60)
    assert sum(traffic.new.cost.values(), Decimal(0)) == 0


def test_scorecard_is_a_cause_like_a_rule(tmp_path: Path) -> None:
    shop = Shop()
    card = "scorecard:\n  points:\n    - {when: cheap.score >= 30, add: 3}\n  bands: {review: BOUND}\n"
    shop.decide(tmp_path, REQUESTS[:6])
    traffic = compared(shop, POLICY + card.replace("BOUND", "2"), tmp_path, old=POLICY + card.replace("BOUND", "9"))
    assert traffic.flips > 0
    assert not traffic.moved_by
    assert dict(traffic.moved_by_scorecard) == {"band review 9 → 2": traffic.flips}
    assert ("scorecard:review", 0, traffic.new.hits["scorecard:review"]) in traffic.hits_moved()
    told = {"; ".join(map(str, flip.scorecards)) for flips in traffic.examples.values() for flip in flips}
    assert told == {"scorecard band review 9 → 2"}
    assert "    scorecard band review 9 → 2" in list(traffic_report.text(traffic))
    assert any("| `scorecard band review 9 → 2` |" in part for part in traffic_report.markdown(traffic))
