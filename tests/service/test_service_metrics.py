"""What the service counts: by route and never by path, with decisions and providers on a page, and no value of any."""

from __future__ import annotations

import asyncio
import re
import threading
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import httpx
import pytest

from adjudge.client import Engine as ClientEngine
from adjudge.engine import Engine
from adjudge.errors import SignalFailed
from adjudge.metrics.metrics import Metrics
from adjudge.model import Arm
from adjudge.plugin import Limits
from adjudge.service.admission import Admission
from adjudge.service.routes import ROUTES
from adjudge.signals.admission import Guards
from audit.audit_logs import FaultyDisk
from client.serving import served
from docs.pages import ROOT
from engine.engines import MEDIA, device, engine, face, trail
from plugins.test_metrics import record_of
from service.exposition import once, scraped, total, value
from service.test_service import DOCUMENT, asked, post

DECIDE = {"method": "POST", "route": "/v1/decisions"}


class SwitchedDisk(FaultyDisk):
    """A disk that fails every write while it is off."""

    is_off = False

    def _fails(self, call: str) -> bool:
        return super()._fails(call) or (self.is_off and call in ("write", "datasync"))


def document(n: int, **more: Any) -> dict[str, Any]:
    return {**DOCUMENT, "merchant_biz_id": f"{n:032x}", **more}


def test_requests_are_counted_by_route_status_and_problem() -> None:
    with asked() as http:
        for n in (1, 2, 2):
            assert post(http, document(n)).is_success
        post(http, document(2, inputs={"country": "KP"}))
        post(http, b"{")
        http.get(f"/v1/decisions/{'0' * 32}")
        figures = once(http, lambda found: total(found, "adjudge_decisions_total") == 2)

    requests = {
        status: value(figures, "adjudge_http_requests_total", status=status, **DECIDE)
        for status in ("200", "400", "409")
    }
    assert requests == {"200": 3, "400": 1, "409": 1}
    assert value(figures, "adjudge_http_problems_total", code="merchant-biz-id-conflict", **DECIDE) == 1
    assert value(figures, "adjudge_http_problems_total", code="request", **DECIDE) == 1
    one = {"method": "GET", "route": "/v1/decisions/{decision_id}"}
    assert value(figures, "adjudge_http_problems_total", code="no-decision", **one) == 1
    assert value(figures, "adjudge_http_request_duration_seconds_count", **DECIDE) == 5
    assert value(figures, "adjudge_duplicates_total") == 1
    assert value(figures, "adjudge_refused_total", code="merchant-biz-id-conflict") == 1
    assert value(figures, "adjudge_audit_available") == 1
    assert total(figures, "adjudge_worker_info") == 1


def test_labels_are_the_table_of_routes_whatever_is_asked() -> None:
    with asked() as http:
        for path in ("/v1/decisions/..", "/CANARY-PATH", "/metrics/x", "/v1/decisions/" + "a" * 500, "/%0a%22"):
            http.get(path)
        http.put("/v1/labels")
        http.request("PROPFIND", "/nowhere")
        figures = scraped(http)

    labels = [dict(has) for name, has in figures if name.startswith("adjudge_http_") and ("route" in dict(has))]
    assert {(one["method"], one["route"]) for one in labels} <= {(one.method, one.path) for one in ROUTES} | {
        ("none", "none")
    }
    assert value(figures, "adjudge_http_problems_total", method="none", route="none", code="no-route") == 5
    assert value(figures, "adjudge_http_problems_total", method="none", route="none", code="no-method") == 1
    assert "CANARY" not in str(figures)


def test_no_value_of_a_request_is_a_label(tmp_path: Path) -> None:
    mail = "canary@secret.example"
    with asked(at=tmp_path) as http:
        assert post(
            http, document(0xCAFE, inputs={"email": mail, "country": "SG"}), headers={"x-request-id": "canary-id"}
        ).is_success
        post(http, document(0xCAFE, inputs={"country": "canary-country"}))
        once(http, lambda found: total(found, "adjudge_decisions_total") == 1)
        page = http.get("/metrics").text
    assert "canary" not in page and f"{0xCAFE:032x}" not in page and MEDIA.decode("latin-1") not in page


def test_providers_budgets_and_cost_are_shown() -> None:
    limits = {"acme.face": Limits(daily_calls=10, daily_spend=Decimal("0.5"), breaker_failures=2, breaker_pause_s=600)}
    down = SignalFailed("down", kind="unavailable", reason_code="HTTP_503", billed=False)
    with asked(providers=[face({"score": 0.1}, down, down), device()], limits=limits, guards=Guards()) as http:
        for n in range(4):
            assert post(http, document(n)).is_success
        figures = once(http, lambda found: total(found, "adjudge_decisions_total") == 4)

    of = {"provider": "acme.face"}
    assert [value(figures, f"adjudge_provider_{what}_total", **of) for what in ("calls", "failures", "refused")] == [
        3,
        2,
        1,
    ]
    states = {
        state: value(figures, "adjudge_provider_breaker", state=state, **of) for state in ("closed", "open", "trying")
    }
    assert states == {"closed": 0, "open": 1, "trying": 0}
    budgets = {
        what: (
            value(figures, "adjudge_provider_budget_used", budget=what, **of),
            value(figures, "adjudge_provider_budget", budget=what, **of),
        )
        for what in ("daily_calls", "daily_spend")
    }
    assert budgets == {"daily_calls": (1, 10), "daily_spend": (0.1, 0.5)}
    assert value(figures, "adjudge_provider_budget", budget="daily_calls", provider="acme.device") is None
    assert value(figures, "adjudge_cost_total", policy="onboarding", currency="USD", **of) == pytest.approx(0.1)
    unknown = {
        reason: total(figures, "adjudge_signals_total", signal="face", reason_code=reason)
        for reason in ("", "HTTP_503", "BREAKER_OPEN")
    }
    assert unknown == {"": 1, "HTTP_503": 2, "BREAKER_OPEN": 1}
    assert value(figures, "adjudge_signal_duration_seconds_count", policy="onboarding", signal="face", **of) == 4
    assert value(figures, "adjudge_provider_spent_total", currency="USD", **of) == pytest.approx(0.1)


def test_figures_are_to_be_had_however_much_is_under_way() -> None:
    begun, let_go = threading.Event(), threading.Event()

    async def wait(context: object) -> dict[str, Any]:
        begun.set()
        while not let_go.is_set():
            await asyncio.sleep(0.01)
        return {"score": 0.1}

    with asked(providers=[face(wait), device()], admission=Admission(requests_max=1, held_max_bytes=1000)) as http:
        first = threading.Thread(target=lambda: post(http))
        first.start()
        assert begun.wait(60)
        assert post(http, document(1)).status_code == 503
        figures = scraped(http)
        let_go.set()
        first.join(60)
        assert post(http, document(2, policy="x" * 2000)).status_code == 503
        assert value(figures, "adjudge_http_under_way") == value(figures, "adjudge_http_under_way_max") == 1
        assert (value(figures, "adjudge_http_held_bytes") or 0) > 0
        assert value(figures, "adjudge_http_turned_away_total", full="requests") == 1
        figures = scraped(http)
    assert value(figures, "adjudge_http_turned_away_total", full="bytes") == 1
    assert value(figures, "adjudge_http_held_bytes") == value(figures, "adjudge_http_under_way") == 0


def test_log_that_fails_is_shown_until_it_is_written_again(tmp_path: Path) -> None:
    disk = SwitchedDisk()
    door = engine(trail=trail(tmp_path, disk=disk))
    with served(door, over_tcp=True) as url, httpx.Client(base_url=url, trust_env=False) as http:
        assert post(http, document(1)).is_success
        assert value(scraped(http), "adjudge_audit_available") == 1
        disk.is_off = True
        assert post(http, document(2)).status_code == 503
        figures = scraped(http)
        assert value(figures, "adjudge_audit_available") == 0
        assert value(figures, "adjudge_refused_total", code="audit-unavailable") == 1
        disk.is_off = False
        assert post(http, document(3)).is_success
        assert value(scraped(http), "adjudge_audit_available") == 1


def test_ledger_and_readers_are_shown(tmp_path: Path) -> None:
    with asked(at=tmp_path) as http:
        for n in (1, 2, 1):
            assert post(http, document(n)).is_success
        figures = once(http, lambda found: value(found, "adjudge_reader_lag_records", reader="prometheus") == 0)
    assert value(figures, "adjudge_cache_lookups_total", cache="memory", result="hit") == 1
    assert value(figures, "adjudge_cache_lookups_total", cache="memory", result="miss") == 2
    assert value(figures, "adjudge_index_lag_records") is not None


def test_reader_of_the_configuration_is_the_one_that_counts() -> None:
    counted = Metrics()
    with asked(readers={"mine": counted}) as http:
        assert post(http, document(1)).is_success
        once(http, lambda found: total(found, "adjudge_decisions_total") == 1)
        assert counted.registry.get_sample_value("adjudge_http_requests_total", {"status": "200", **DECIDE}) == 1
        assert value(scraped(http), "adjudge_reader_lag_records", reader="prometheus") is None
    with pytest.raises(ValueError, match="Duplicated"), served(engine(readers={"mine": counted})):
        raise AssertionError("two services cannot count in one place")


def test_service_before_another_one_counts_its_requests() -> None:
    with (
        served(engine()) as behind,
        served(ClientEngine(behind), over_tcp=True) as url,
        httpx.Client(base_url=url, trust_env=False) as http,
    ):
        assert post(http, document(1)).is_success
        figures = scraped(http)
    assert value(figures, "adjudge_http_requests_total", status="200", **DECIDE) == 1
    assert total(figures, "adjudge_decisions_total") == 0


def test_parameter_of_the_figures_is_refused() -> None:
    with asked() as http:
        assert http.get("/metrics?format=json").status_code == 400
        assert http.get("/metrics", headers={"host": "evil.example"}).status_code == 421


def test_every_family_is_described_with_its_labels(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Engine, "fresh_until", lambda engine: {"risk": datetime(2026, 5, 1, tzinfo=UTC)})
    limits = {"acme.face": Limits(daily_calls=10)}
    again = SignalFailed("no face", reason_code="NO_FACE", capture_again="Again, please.")
    counted = Metrics()
    counted.take([record_of(None, arm=Arm(rollout="new", number=1, name="canary"))])
    parts: dict[str, Any] = {"limits": limits, "guards": Guards(), "readers": {"mine": counted}}
    with asked(providers=[face({"score": 0.1}, again), device()], at=tmp_path, **parts) as http:
        for n in range(2):
            assert post(http, document(n)).is_success
        post(http, b"{")
        post(http, document(0, inputs={}))
        post(http, headers={"host": "evil.example"})
        figures = once(http, lambda found: total(found, "adjudge_decisions_total") == 3)
    page = (ROOT / "docs" / "metrics.md").read_text("utf-8")
    rows = [row.split(" | ") for row in page.splitlines() if row.startswith("| `adjudge_")]
    told = {name: {*re.findall(r"`(\w+)`", row[1])} for row in rows for name in re.findall(r"`(\w+)`", row[0])}
    shown: dict[str, set[str]] = {}
    for name, labels in figures:
        if not name.endswith("_created"):
            family = re.sub(r"(?<=seconds)_(bucket|sum|count)$", "", name)
            shown.setdefault(family, set()).update(label for label, _ in labels if label != "le")
    assert shown == told
