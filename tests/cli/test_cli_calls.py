from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from msgspec import structs

from adjudge.audit.log import AuditLog
from adjudge.plugin import CallBody

BEGUN = CallBody(
    call_id="1" * 32,
    stage="begun",
    merchant_biz_id="a" * 32,
    fingerprint="f" * 64,
    policy_digest="d" * 64,
    signal="deepfake",
    provider="aliyun.deepfake",
    version="1",
    attempt=1,
    price=Decimal("0.40"),
    currency="USD",
    at=datetime(2026, 1, 15, 23, 59, 59, tzinfo=UTC),
)


def ended(call: CallBody, billed: Any, **parts: Any) -> CallBody:
    after = datetime(2026, 1, 16, tzinfo=UTC)
    return structs.replace(call, stage="ended", billed=billed, at=after, latency_ms=812.5, **parts)


@pytest.fixture
def log(tmp_path: Path) -> Path:
    paid, lost, refused, never = (structs.replace(BEGUN, call_id=f"{n}" * 32) for n in range(1, 5))
    bodies = [
        paid,
        ended(paid, "yes", status="ok", request_id="R-1"),
        lost,
        ended(lost, "unknown", status="timeout", reason="no answer in time", reason_code="TIMEOUT"),
        refused,
        ended(refused, "no", status="unavailable", reason="answered Throttling.Api"),
        structs.replace(never, at=datetime(2026, 1, 16, 8, tzinfo=UTC)),
    ]

    async def write() -> None:
        with AuditLog.open(tmp_path / "log") as opened:
            for body in bodies:
                await opened.write("call", body)

    asyncio.run(write())
    return tmp_path / "log"


def test_audit_calls_sums_days_and_names_what_is_in_doubt(
    run: Any, log: Path, golden: Callable[[str, str], None]
) -> None:
    result = run("audit", "calls", log)
    assert result.exit_code == 0
    golden("cli/audit_calls.txt", result.stdout)


def test_audit_calls_as_json_has_the_same_facts(run: Any, log: Path) -> None:
    document = json.loads(run("audit", "calls", log, "--format", "json").stdout)
    assert [(day["day"], day["calls"], day["billed"], day["paid"], day["in_doubt"]) for day in document["days"]] == [
        ("2026-01-15", 3, 1, "0.40", 1),
        ("2026-01-16", 1, 0, "0", 1),
    ]
    assert [(call["seq"], call["stage"]) for call in document["in_doubt"]] == [(4, "ended"), (7, "begun")]


def test_audit_show_lists_calls(run: Any, log: Path, golden: Callable[[str, str], None]) -> None:
    golden("cli/audit_show_calls.txt", run("audit", "show", log).stdout)


def test_audit_calls_of_a_log_without_any_says_so(run: Any, tmp_path: Path) -> None:
    with AuditLog.open(tmp_path / "empty") as opened:
        opened.write_blocking("policy", {"policy": "p"})
    assert run("audit", "calls", tmp_path / "empty").stdout == "no billed calls\n"
