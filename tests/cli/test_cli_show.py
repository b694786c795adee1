"""`adjudge audit show`: which records, as what, and everything about one decision."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from adjudge.audit.activation import ActivationBody, BundleBody
from adjudge.audit.log import AuditLog
from adjudge.audit.reviews import ReviewBody
from adjudge.audit.trail import AuditTrail
from adjudge.engine import Engine
from adjudge.errors import SignalFailed
from adjudge.model import Outcome, Request
from adjudge.registry import parse_policy
from adjudge.testing import FakeClock, fake_provider, registry_of

POLICY = """
policy_language: 1
policy: paid
inputs: {country: string, email: {type: string, personal: true}}
signals: {face: {provider: acme.face}}
rules:
  - {id: forged, when: face.score >= 0.9, then: reject, reason: FORGED, tags: [face, fraud]}
  - {id: quiet, when: "false", then: review}
  - {id: abroad, when: country != "SG", then: review, when_unknown: pass}
"""
SUBJECT = "a" * 31


@pytest.fixture(name="paid")
def _paid(folder: Path, run: Any) -> Path:
    """A log of six decisions on three days: two while the vendor is down, one waived, one superseded."""
    down = SignalFailed("the vendor is down", kind="unavailable", billed=False)
    answers = [{"score": 0.1}, {"score": 0.95}, down, down, {"score": 0.2}, {"score": 0.1}, {"score": 0.1}]
    registry = registry_of([fake_provider("acme.face", {"score": "double"}, *answers, price=Decimal("0.40"))])
    clock = FakeClock()
    log = folder / "paid"
    asked = [
        (1, {"country": "SG", "email": "a@example.com"}), (2, {"country": "SG"}), (3, {"country": "KP"}),
        (4, {"country": "SG"}), (5, {}),
    ]  # fmt: skip
    with Engine([parse_policy(POLICY, registry=registry)], registry=registry, trail=AuditTrail.open(log),
                clock=clock) as engine:  # fmt: skip
        for n, inputs in asked:
            engine.decide_sync(Request(merchant_biz_id=f"{SUBJECT}{n}", scene_code="s", inputs=inputs))
            if n in (2, 4):
                clock.advance(86400)
        engine.decide_sync(Request(merchant_biz_id=f"{SUBJECT}2", scene_code="s", inputs={"country": "SG"}), anew=True)
    return log


def rows(run: Any, *arguments: object) -> list[dict[str, str]]:
    result = run("audit", "show", *arguments, "--format", "csv")
    assert result.exit_code == 0, result.output
    return list(csv.DictReader(io.StringIO(result.stdout)))


def ids(found: list[dict[str, str]]) -> str:
    """Return the last digits of the MerchantBizIds of decisions."""
    return "".join(row["merchant_biz_id"][-1] for row in found if row["kind"] == "decision")


@pytest.mark.parametrize(
    ("filters", "expected"),
    [
        ("", "123452"), ("--outcome reject", "2"), ("--outcome review", "34"), ("--rule forged", "234"),
        ("--rule abroad", "35"), ("--rule forged --outcome reject", "2"), ("--waived", "5"), ("--unknown face", "34"),
        ("--tag fraud", "2"), ("--tag fraud --outcome review", ""), ("--reason FORGED", "24"),
        ("--waiver abroad", "5"), ("--waiver forged", ""), ("--missing face", "34"), ("--missing country", "5"),
        ("--policy paid --tag face", "2"),
        ("--unknown face --outcome pass", ""), ("--status supersedes", "2"), ("--policy paid", "123452"),
        ("--kind label", ""), ("--kind decision --status fresh", "12345"),
        ("--since 2026-01-16", "3452"), ("--until 2026-01-15", "12"), ("--since 2026-01-16 --until 2026-01-16", "34"),
        ("--since 2026-01-16T00:00:00Z --until 2026-01-17T00:00:00Z", "34"),
        ("--since 2026-01-17T08:00:00+00:00", "52"),
        ("--since 2026-01-17 --until 9999-12-31", "52"), ("--rule quiet", ""),
        ("--last 2 --kind decision", "52"), ("--last 1 --unknown face", "4"),
    ],
)  # fmt: skip
def test_filters_select(run: Any, paid: Path, filters: str, expected: str) -> None:
    found = rows(run, paid, *filters.split())
    assert ids(found) == expected
    count = run("audit", "show", paid, *filters.split(), "--count")
    assert (count.exit_code, count.stdout) == (0, f"{len(found)}\n")


@pytest.mark.parametrize(
    ("filters", "said"),
    [
        ("--unknown fase", "no decision of this log has the signal `fase`; did you mean `face`?"),
        ("--policy payed", "no decision of this log has the policy `payed`; did you mean `paid`?"),
        ("--rule forgd", "no decision of this log has the rule `forgd`; did you mean `forged`?"),
        ("--waiver forgd", "has the rule `forgd`"),
        ("--reason FORGD", "has the reason `FORGD`; did you mean `FORGED`?"),
        ("--tag frad", "has the tag `frad`; did you mean `fraud`?"),
        ("--missing fase", "has the field or signal `fase`"),
        ("--rule threshold:face.scor:review", "no decision of this log has the rule"),
        ("--since 2026-01-17 --until 2026-01-16", "--until is not after --since"),
        ("--since yesterday", "is not a time such as 2026-03-01"), ("--since 2026-02-30", "is not a time such as"),
        ("--until 2026-01-15T00:00:00", "is not a time such as"), ("--outcome maybe", "'maybe' is not one of"),
        ("--last 2 " + "a" * 32, "not both"), ("--waived " + "a" * 32, "not both"),
    ],
)  # fmt: skip
def test_filters_that_name_nothing_are_said(run: Any, paid: Path, filters: str, said: str) -> None:
    result = run("audit", "show", paid, *filters.split())
    assert result.exit_code == 2 and said in result.stderr, result.output


def test_policy_is_found_by_its_digest_and_with_its_own_records(run: Any, paid: Path) -> None:
    (row,) = rows(run, paid, "--kind", "policy")
    assert row["at"].startswith("2026-01-15T") and row["policy"] == "paid"
    found = rows(run, paid, "--policy", row["policy_digest"][:12])
    assert [one["kind"] for one in found] == ["policy", *["decision"] * 6]


def test_table_has_a_cell_for_what_each_kind_holds(run: Any, paid: Path) -> None:
    found = rows(run, paid)
    decision = next(row for row in found if row["outcome"] == "reject")
    assert (decision["matched"], decision["reasons"], decision["cost"]) == ("forged", "FORGED", "0.40 USD")
    assert [row["unknown"] for row in found if row["kind"] == "decision"] == ["", "", "face", "face", "", ""]
    ended = [row for row in found if row["stage"] == "ended"]
    assert {(row["provider"], row["price"]) for row in ended} == {("acme.face", "0.40")}
    assert {row["billed"] for row in ended} == {"yes", "no"}


def test_one_decision_is_shown_with_all_that_stands_beside_it(
    run: Any, paid: Path, golden: Callable[[str, str], None], steady: Callable[[str], str]
) -> None:
    first, second = (row["decision_id"] for row in rows(run, paid, "--kind", "decision") if ids([row]) == "2")
    label = ("audit", "label", paid, first, "fraud", "--source", "chargeback", "--on", "2026-01-20", "--by", "kim")
    assert run(*label, "--note", "by letter").exit_code == 0
    subject = f"{SUBJECT}1"
    assert (
        run("audit", "erase", paid, "--merchant-biz-id", subject, "--yes", "--by", "kim", "--reason", "asked").exit_code
        == 0
    )
    one = run("audit", "show", paid, first).stdout
    assert f"superseded by {second}" in one and "label " in one and "by letter" in one
    other = run("audit", "show", paid, second).stdout
    assert f"supersedes {first}" in other and "label " not in other
    both = run("audit", "show", paid, f"{SUBJECT}2").stdout
    assert both.count("  decided ") == 2 and both.count("ended ok") == 2
    gone = run("audit", "show", paid, subject)
    golden("cli/audit_show_dossier.txt", steady(both + "\n" + gone.stdout))
    related = run("audit", "show", paid, first, "--format", "json").stdout.splitlines()
    assert [json.loads(line)["kind"] for line in related] == ["call", "call", "decision", "decision", "label"]
    kinds = [
        json.loads(line)["kind"] for line in run("audit", "show", paid, subject, "--format", "json").stdout.splitlines()
    ]
    assert kinds == ["call", "call", "decision", "erasure"]
    table = rows(run, paid, subject)
    assert [row["by"] for row in table if row["kind"] == "erasure"] == ["kim"]


def test_request_of_which_only_calls_are_known_is_shown(run: Any, paid: Path) -> None:
    from hostile_logs import members, write_chained

    known = [(kind, held) for kind, held in members(paid) if kind == "call"]
    write_chained(paid, known)
    result = run("audit", "show", paid, f"{SUBJECT}4")
    assert result.exit_code == 0
    assert result.stdout.startswith(f"no decision  {SUBJECT}4\n  call ")


def test_table_never_begins_a_formula(run: Any, paid: Path) -> None:
    decision = rows(run, paid, "--outcome", "reject")[0]["decision_id"]
    assert run("audit", "label", paid, decision, "fraud", "--source", "=1+1", "--by", "@kim").exit_code == 0
    (row,) = rows(run, paid, "--kind", "label")
    assert (row["source"], row["by"]) == ("'=1+1", "'@kim")


def test_table_says_what_was_sampled_and_what_a_person_has_to_confirm(run: Any, folder: Path) -> None:
    text = """
policy_language: 1
policy: drawn
sample: {share: 100%, of: pass, then: review, reason: QA}
inputs: {n: int}
rules:
  - {id: high, when: n > 2, then: reject}
  - {id: much, when: n > 1, then: reject, confirm: person}
"""
    log = folder / "drawn"
    with Engine([parse_policy(text)], registry=registry_of([]), trail=AuditTrail.open(log)) as engine:
        for n in (1, 2, 3):
            engine.decide_sync(Request(merchant_biz_id=f"{SUBJECT}{n}", scene_code="s", inputs={"n": n}))
    found = [(row["outcome"], row["sampled"], row["final"]) for row in rows(run, log) if row["kind"] == "decision"]
    assert found == [("review", "QA", "yes"), ("reject", "", "no"), ("reject", "", "yes")]
    assert all(row["final"] == "" for row in rows(run, log) if row["kind"] != "decision")
    assert run("audit", "show", log, "--output", "rows.csv").exit_code == 0
    assert Path("rows.csv").read_text().splitlines()[0].split(",")[7:11] == ["outcome", "sampled", "final", "status"]


def test_reviews_are_a_line_each_with_who_and_what(folder: Path, run: Any) -> None:
    at, one = datetime(2026, 3, 1, 9, tzinfo=UTC), "d" * 32
    said: dict[str, Any] = {"name": one, "at": at, "by": "kim", "merchant_biz_id": "1" * 32}
    with AuditLog.open(folder / "reviews") as log:
        log.write_blocking("review", ReviewBody(number=1, act="claimed", until=at, **said))
        log.write_blocking("review", ReviewBody(number=2, act="noted", note="call them", **said))
        log.write_blocking("review", ReviewBody(number=3, act="decided", outcome=Outcome.PASS, reason="KNOWN", **said))
    when = "2026-03-01T09:00:00.000Z"
    assert run("audit", "show", folder / "reviews", "--kind", "review").stdout.splitlines() == [
        f"     1  review    {when}  {one}  claimed until {when}, by kim",
        f"     2  review    {when}  {one}  noted, by kim: call them",
        f"     3  review    {when}  {one}  decided pass KNOWN, by kim",
    ]


def test_activations_are_a_line_each_with_who_why_and_what_was_wrong(folder: Path, run: Any) -> None:
    at = datetime(2026, 1, 1, tzinfo=UTC)
    bundle = BundleBody(counter=7, sha256="a" * 64, key="k1", made_at=at)
    with AuditLog.open(folder / "log") as log:
        for body in (
            ActivationBody(
                "policies",
                1,
                at=at,
                by="kim",
                accepted=True,
                reason="noon",
                after={"one": "d" * 64},
                bundles={"b": bundle},
            ),
            ActivationBody(
                "policies",
                2,
                at=at,
                by="engine",
                accepted=False,
                reason="changed",
                messages=("wrong", "worse"),
            ),
        ):
            log.write_blocking("activation", body)
    said = run("audit", "show", folder / "log", "--kind", "activation").stdout.splitlines()
    when = "2026-01-01T00:00:00.000Z"
    assert said == [
        f"     1  activation  {when}  accepted one {'d' * 12}, in b 7 signed with k1, noon, by kim",
        f"     2  activation  {when}  refused, changed, by engine: wrong; worse",
    ]
    assert [row["by"] for row in rows(run, folder / "log", "--kind", "activation")] == ["kim", "engine"]
