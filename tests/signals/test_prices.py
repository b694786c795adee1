"""A price that a signal's `with:` states is that of its own endpoint, wherever prices count."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from adjudge import Engine, Request, parse_policy
from adjudge.audit.read import read
from adjudge.audit.trail import AuditTrail
from adjudge.plugin import Limits
from adjudge.signals.admission import Guards
from adjudge.testing import FakeProvider, fake_provider, registry_of

POLICY = """
policy_language: 1
policy: p
gather: thrifty
signals:
  dear: {provider: acme.json, with: {url: a, price: "0.30"}, fields: {bad: bool}}
  cheap: {provider: acme.json, with: {url: b, price: "0.05"}, fields: {bad: bool}}
  free: {provider: acme.json, with: {url: c}, fields: {bad: bool}}
rules:
  - {id: bad, when: dear.bad || cheap.bad || free.bad, then: reject}
"""


def provider(*answers: dict[str, object]) -> FakeProvider:
    return fake_provider(
        "acme.json",
        None,
        *answers,  # type: ignore[arg-type]
        price_of=lambda config: Decimal(config["price"]) if "price" in config else None,
        account=lambda config: config["url"],
    )


def decided(tmp_path: Path, offered: FakeProvider, **facts: Any) -> Any:
    registry = registry_of([offered])
    engine = Engine(
        [parse_policy(POLICY, registry=registry)],
        registry=registry,
        trail=AuditTrail.open(tmp_path / "log"),
        guards=Guards(),
        **facts,
    )
    with engine:
        return engine.decide_sync(Request(merchant_biz_id="0" * 32, scene_code="a")), engine.usage()


def test_cheapest_endpoint_is_asked_first_and_each_is_paid_at_its_own_price(tmp_path: Path) -> None:
    asked = provider({"bad": False})
    decision, usage = decided(tmp_path, asked)

    assert [call.signal for call in asked.calls] == ["free", "cheap", "dear"]
    assert {name: one.price for name, one in decision.signals.items()} == {
        "free": 0,
        "cheap": Decimal("0.05"),
        "dear": Decimal("0.30"),
    }
    assert decision.cost == {"USD": Decimal("0.35")}
    assert {name: one.spent for name, one in usage.items()} == {
        "acme.json a": Decimal("0.30"),
        "acme.json b": Decimal("0.05"),
        "acme.json c": 0,
    }
    calls = [record for record in read(tmp_path / "log") if record.kind == "call"]
    assert len(calls) == 4, "a record before and after each that costs money"


def test_settled_verdict_leaves_the_dearer_endpoints_alone(tmp_path: Path) -> None:
    asked = provider({"bad": False}, {"bad": True})

    assert decided(tmp_path, asked)[0].outcome == "reject"
    assert [call.signal for call in asked.calls] == ["free", "cheap"]


@pytest.mark.parametrize(
    ("limits", "said"), [(Limits(daily_spend=Decimal("0.10")), "DAILY_SPEND_REACHED"), (Limits(price=Decimal(1)), None)]
)
def test_limits_count_each_endpoint_by_its_price(tmp_path: Path, limits: Limits, said: str | None) -> None:
    decision, usage = decided(tmp_path, provider({"bad": False}), limits={"acme.json": limits})

    assert decision.signals["dear"].reason_code == said
    if said is None:  # the operator's price goes before the policy's
        assert {one.spent for one in usage.values()} == {Decimal(1)}
