"""Each route is for callers with its scope, and records say whose request they are of."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
from starlette.requests import Request

from adjudge.audit.read import read
from adjudge.config.scopes import SCOPES, Scope
from adjudge.config.service import ServiceSettings
from adjudge.service.access.caller import Caller
from adjudge.service.access.gate import Gate
from adjudge.service.app import make_app
from adjudge.service.route import Route
from adjudge.service.routes import ROUTES
from client.serving import served
from engine.engines import engine, request

SCOPED = [route for route in ROUTES if route.scope is not None]


class Named(Gate):
    """Lets one caller in, whatever the request says."""

    def __init__(self, *scopes: Scope, name: str = "flow") -> None:
        super().__init__()
        self._caller = Caller(name, frozenset(scopes))

    async def caller_of(self, request: Request) -> Caller:
        return self._caller


def asked_by(gate: Gate, *asked: Callable[[httpx.AsyncClient], Any], at: Path | None = None) -> list[httpx.Response]:
    """Ask a service in this process, as a caller."""

    async def main() -> list[httpx.Response]:
        async with engine(at=at) as door:
            transport = httpx.ASGITransport(app=make_app(door, gate=gate))
            async with httpx.AsyncClient(transport=transport, base_url="http://x") as client:
                return [await ask(client) for ask in asked]

    return asyncio.run(main())


def anything(route: Route) -> Callable[[httpx.AsyncClient], Any]:
    path = route.path.replace("{merchant_biz_id}", "0" * 32).replace("{decision_id}", "0" * 32)
    return lambda client: client.request(
        route.method, path, content=b"{}", headers={"content-type": "application/json"}
    )


@pytest.mark.parametrize("route", SCOPED, ids=lambda route: f"{route.method} {route.path}")
def test_route_is_for_callers_with_its_scope_alone(route: Route) -> None:
    assert route.scope in SCOPES
    (answer,) = asked_by(Named(*(SCOPES - {route.scope})), anything(route))
    said = answer.json()
    assert (answer.status_code, said["code"], said["detail"]) == (
        403,
        "not-allowed",
        f"this needs the scope `{route.scope}`",
    )
    (answer,) = asked_by(Named(route.scope), anything(route))
    assert answer.status_code not in (401, 403)


def test_whoever_asks_is_answered_by_what_keeps_the_service_running_alone() -> None:
    anybody = {route.path for route in ROUTES if route.scope is None and not route.is_signed}
    assert anybody <= {"/healthz", "/readyz", "/openapi.json"}
    assert {route.path for route in ROUTES if route.is_signed} == {"/v1/signals/{call}"}


def post(path: str, document: dict[str, Any]) -> Callable[[httpx.AsyncClient], Any]:
    return lambda client: client.post(path, json=document)


@pytest.mark.parametrize(
    ("scopes", "by", "recorded"),
    [
        ((), None, "flow"),
        ((), "flow", "flow"),
        ((), "maria", None),
        (("admin",), "maria", "maria"),
        (("admin",), None, "flow"),
    ],
)
def test_records_are_by_the_caller(
    scopes: tuple[Scope, ...], by: str | None, recorded: str | None, tmp_path: Path
) -> None:
    who = {} if by is None else {"by": by}
    with served(engine(at=tmp_path), over_tcp=True) as url:
        document = {"merchant_biz_id": "0" * 32, "scene_code": "onboard001"}
        decision_id = httpx.post(f"{url}/v1/decisions", json=document).json()["decision_id"]
    label = {"decision_id": decision_id, "merchant_biz_id": "0" * 32, "label": "fraud", "source": "x", **who}
    erase = {"content": json.dumps(who), "headers": {"content-type": "application/json"}}
    answers = asked_by(
        Named("label", "erase", *scopes),
        post("/v1/labels", label),
        lambda client: client.request("DELETE", f"/v1/subjects/{'0' * 32}", **erase),  # type: ignore[arg-type]
        at=tmp_path,
    )
    assert [answer.status_code for answer in answers] == ([403, 403] if recorded is None else [204, 200])
    said = [json.loads(record.body).get("by") for record in read(tmp_path) if record.kind in ("label", "erasure")]
    assert said == ([] if recorded is None else [recorded, recorded])


def test_service_goes_by_the_names_of_its_configuration() -> None:
    with served(engine(), settings=ServiceSettings(hosts=("risk.internal",)), over_tcp=True) as url:
        asked = {"url": f"{url}/v1/decisions", "params": {"merchant_biz_id": request().merchant_biz_id}}
        statuses = [httpx.get(**asked, headers={"host": host}).status_code for host in ("Risk.Internal:80", "b")]
    assert statuses == [200, 421]
