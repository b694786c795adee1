"""Late answers over HTTP: 202 while one is awaited, and the route that a vendor sends it to."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from adjudge.audit.trail import AuditTrail
from adjudge.client import Engine as Client
from adjudge.config.service import ServiceSettings
from adjudge.engine import Engine
from adjudge.model import SignalStatus
from adjudge.registry import Registry, parse_policy
from adjudge.service.access.key_file import change_keys
from adjudge.service.access.keys import new_key
from adjudge.service.routes.signals import LATE_MAX_BYTES
from adjudge.signals.allowed import Allowed
from adjudge_plugins.http_late import sign_late
from adjudge_plugins.webhook.reader import Webhook
from adjudge_plugins.webhook.settings import read_settings
from client.serving import served
from plugins.hook_server import HookServer
from signals.late_vendor import POLICY as LATE_POLICY
from signals.late_vendor import SIGNED, LateProvider, engine, registry, request

SECRET = b"a secret of the vendor's"
POLICY = """
policy_language: 1
policy: onboarding
inputs: {country: string}
signals:
  check:
    provider: http.json
    with:
      url: URL
      body: {id: merchant_biz_id, answer_to: late_call}
      late: {within: 24h, secrets: [{environment: OLD_SECRET}, {environment: VENDOR_SECRET}]}
    fields: {fraud: bool}
rules: [{id: fraud, when: check.fraud, then: reject}]
"""


def document(merchant_biz_id: str = "1" * 32) -> dict[str, object]:
    return {"merchant_biz_id": merchant_biz_id, "scene_code": "a", "inputs": {"country": "SG", "email": "a@b.example"}}


def test_decision_that_awaits_an_answer_is_202(tmp_path: Path) -> None:
    vendor = LateProvider()
    with served(engine(vendor, tmp_path), over_tcp=True) as url, httpx.Client(base_url=url) as asking:
        for _ in range(2):
            first = asking.post("/v1/decisions", json=document())
            said = first.json()
            assert (first.status_code, said["outcome"]) == (202, "review")
            assert first.headers["location"] == f"/v1/decisions?merchant_biz_id={'1' * 32}"
            (awaited,) = said["awaits"]
            assert awaited == {
                "signal": "check",
                "call": said["signals"]["check"]["call"],
                "until": "2026-01-15T09:30:00Z",
            }
        assert awaited["call"] not in url and vendor.calls[0] not in first.text, "the ticket is the vendor's"
        answer = asking.post(f"/v1/signals/{vendor.calls[0]}", content=b"clean", headers=SIGNED)
        assert (answer.status_code, answer.content) == (204, b""), "the vendor learns nothing of the decision"
        second = asking.post("/v1/decisions", json=document())
        assert (second.status_code, second.json()["outcome"], second.json()["awaits"]) == (200, "pass", [])
        (newest, oldest) = asking.get(first.headers["location"]).json()["decisions"]
        assert newest["supersedes"] == oldest["decision_id"] == said["decision_id"]


def test_client_knows_what_is_awaited(tmp_path: Path) -> None:
    vendor = LateProvider()
    with served(engine(vendor, tmp_path)) as address, Client.open(address) as client:
        decision = client.decide_sync(request(face=None))
        (awaited,) = decision.awaits
        assert (awaited.status, awaited.until is not None) == (SignalStatus.PENDING, True)
        assert awaited.call == decision.signals["check"].call


def refused(asking: httpx.Client, call: str, body: bytes = b"clean", headers: dict[str, str] = SIGNED) -> object:
    answer = asking.post(f"/v1/signals/{call}", content=body, headers=headers)
    said = answer.json()
    return answer.status_code, said["code"], said["detail"]


def test_whoever_is_not_the_vendor_is_told_nothing(tmp_path: Path) -> None:
    vendor = LateProvider()
    with served(engine(vendor, tmp_path), over_tcp=True) as url, httpx.Client(base_url=url) as asking:
        asking.post("/v1/decisions", json=document())
        call = vendor.calls[0]
        body, _, seal = call.partition("~")
        told = {refused(asking, one) for one in ("a~0", "a", f"{call[:-1]}{'0' if call[-1] != '0' else '1'}", body)}
        told |= {refused(asking, call, headers={}), refused(asking, call, headers={"x-signature": "forged"})}
        assert len(told) == 1 and next(iter(told))[:2] == (403, "unknown-call")  # type: ignore[index]
        assert asking.get("/v1/decisions", params={"merchant_biz_id": "1" * 32}).json()["decisions"][1:] == []
        metrics = asking.get("/metrics").text
        assert 'code="unknown-call"' in metrics, "refusals are counted"
        assert seal not in metrics


def test_guessing_is_slowed_down(tmp_path: Path) -> None:
    with served(engine(LateProvider(), tmp_path), over_tcp=True) as url, httpx.Client(base_url=url) as asking:
        told = {asking.post("/v1/signals/a~0", content=b"x").status_code for _ in range(200)}
        assert told == {403, 429}


def test_other_answer_is_a_conflict_and_a_long_one_too_long(tmp_path: Path) -> None:
    vendor = LateProvider()
    with served(engine(vendor, tmp_path), over_tcp=True) as url, httpx.Client(base_url=url) as asking:
        asking.post("/v1/decisions", json=document())
        where = f"/v1/signals/{vendor.calls[0]}"
        assert asking.post(where, content=b"x" * (LATE_MAX_BYTES + 1), headers=SIGNED).status_code == 413
        assert [asking.post(where, content=b"clean", headers=SIGNED).status_code for _ in range(3)] == [204] * 3
        assert refused(asking, vendor.calls[0], b"fraud")[:2] == (409, "answered-otherwise")  # type: ignore[index]


def test_vendor_needs_no_key_where_callers_do(tmp_path: Path) -> None:
    vendor, keys = LateProvider(), tmp_path / "keys.yaml"
    key, _ = new_key("flow", frozenset({"decide"}))
    change_keys(keys, lambda known: {**known, key.id: key})
    deciding = engine(vendor, tmp_path / "log")
    with served(deciding, settings=ServiceSettings(keys=keys), over_tcp=True) as url:
        deciding.decide_sync(request())
        with httpx.Client(base_url=url) as asking:
            assert asking.post("/v1/decisions", json=document()).status_code == 401
            answer = asking.post(f"/v1/signals/{vendor.calls[0]}", content=b"clean", headers=SIGNED)
            assert answer.status_code == 204


@pytest.fixture
def vendor_server() -> Iterator[HookServer]:
    server = HookServer(answer=lambda sent: 202)
    yield server
    server.close()


def test_endpoint_of_http_json_answers_later(vendor_server: HookServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VENDOR_SECRET", SECRET.decode())
    monkeypatch.setenv("OLD_SECRET", "a secret of last year's")
    registry = Registry.discover()
    policy = parse_policy(POLICY.replace("URL", vendor_server.url), registry=registry)
    deciding = Engine(
        [policy], registry=registry, allowed=Allowed(environment=frozenset({"OLD_SECRET", "VENDOR_SECRET"}))
    )
    with served(deciding, over_tcp=True) as url, httpx.Client(base_url=url) as asking:
        for n in "12":
            asked = {"merchant_biz_id": n * 32, "scene_code": "a"}
            assert asking.post("/v1/decisions", json=asked).status_code == 202
        call, other = (sent.said["answer_to"] for sent in vendor_server.taken)
        body, now = b'{"fraud": true}', int(time.time())

        def send(to: str, signed: str) -> int:
            return asking.post(f"/v1/signals/{to}", content=body, headers={"Adjudge-Signature": signed}).status_code

        right = sign_late(call, body, [SECRET], now)
        assert send(other, right) == 403, "it is signed for another call"
        for wrong in ("", sign_late(call, b"{}", [SECRET], now), sign_late(call, body, [SECRET], now - 9999)):
            assert send(call, wrong) == 403
        assert send(call, sign_late(call, body, [b"a secret of nobody's"], now)) == 403
        assert send(call, right) == 204
        found = asking.get("/v1/decisions", params={"merchant_biz_id": "1" * 32}).json()["decisions"]
        assert (found[0]["outcome"], found[0]["status"]) == ("reject", "supersedes")


def test_superseding_decision_is_told_by_webhook(tmp_path: Path) -> None:
    (tmp_path / "secret").write_bytes(SECRET)
    hook, vendor = HookServer(), LateProvider()
    try:
        config = {"url": hook.url, "secrets": [{"file": str(tmp_path / "secret")}], "state": str(tmp_path / "state")}
        lent = registry(vendor)
        deciding = Engine(
            [parse_policy(LATE_POLICY, registry=lent)],
            registry=lent,
            trail=AuditTrail.open(tmp_path / "log", durability="flush"),
            readers={"webhook": Webhook(read_settings(config))},
        )
        with served(deciding, over_tcp=True) as url, httpx.Client(base_url=url) as asking:
            first = asking.post("/v1/decisions", json=document()).json()
            asking.post(f"/v1/signals/{vendor.calls[0]}", content=b"fraud", headers=SIGNED)
        told = [sent.said["decision"] for sent in hook.taken]
        assert [one["outcome"] for one in told] == ["review", "reject"]
        assert told[1]["supersedes"] == told[0]["decision_id"] == first["decision_id"]
    finally:
        hook.close()
