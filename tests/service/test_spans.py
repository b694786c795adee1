"""Spans of decisions and calls in a program with an SDK of OpenTelemetry; none, and nothing loaded, in any other."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import httpx
import pytest
from structlog.testing import capture_logs

from adjudge import spans
from adjudge.client import Engine as ClientEngine
from adjudge.errors import MerchantBizIdConflict, SignalFailed
from adjudge.plugin import Limits
from adjudge.signals.admission import Guards
from client.serving import served
from engine.engines import CLEAN, device, engine, face, request
from service.test_service import DOCUMENT, JSON

pytest.importorskip("opentelemetry.sdk", reason="needs opentelemetry-sdk, which takes the spans")

from opentelemetry import trace
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

TRACE, PARENT = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
CALM = {"emulator": False, "owner": "bob"}
TRACEPARENT = f"00-{TRACE}-{PARENT}-01"


@pytest.fixture
def exporter(monkeypatch: pytest.MonkeyPatch) -> Iterator[InMemorySpanExporter]:
    exporter, provider = InMemorySpanExporter(), TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    monkeypatch.setattr(trace, "get_tracer_provider", lambda: provider)
    yield exporter
    provider.shutdown()


def named(exporter: InMemorySpanExporter, name: str) -> list[ReadableSpan]:
    return [one for one in exporter.get_finished_spans() if one.name == name]


def attributes(span: ReadableSpan) -> dict[str, Any]:
    return dict(span.attributes or {})


def parent_of(span: ReadableSpan) -> str:
    return trace.format_span_id(span.parent.span_id) if span.parent is not None else ""


def own(span: ReadableSpan) -> tuple[str, str]:
    context = span.get_span_context()
    return trace.format_trace_id(context.trace_id), trace.format_span_id(context.span_id)


def test_decision_is_a_span_with_one_for_each_call_below_it(exporter: InMemorySpanExporter) -> None:
    down = SignalFailed("CANARY is down", kind="unavailable", reason_code="HTTP_503", billed=False)
    odd = SignalFailed("x", reason_code="CANARY says no", billed=False)
    limits = {"acme.face": Limits(attempts=2)}
    with engine([face(down, {"score": 0.1}), device(odd, CALM)], limits=limits, guards=Guards()) as door:
        decision = door.decide_sync(request(0xCAFE))
        assert [door.decide_sync(request(0xCAFE)).status for _ in range(2)] == ["supersedes", "duplicate"]
        with pytest.raises(MerchantBizIdConflict):
            door.decide_sync(request(0xCAFE, inputs={}))

    first, second, again, refused = named(exporter, "decide")
    assert attributes(first) == {
        "adjudge.decision.id": decision.decision_id, "adjudge.policy": "onboarding", "adjudge.status": "fresh",
        "adjudge.outcome": decision.outcome.value, "adjudge.settled": decision.verdict.settled,
    }  # fmt: skip
    assert attributes(again)["adjudge.status"] == "duplicate"
    assert attributes(refused) == {"error.type": "merchant-biz-id-conflict"}
    *calls, last = named(exporter, "ask")
    assert parent_of(last) == own(second)[1] and "error.type" not in attributes(last)
    assert {parent_of(call) for call in calls} == {own(first)[1]} and first.parent is None
    found = {
        (at["adjudge.signal"], at["adjudge.provider"], at["adjudge.attempt"], at.get("error.type"))
        for at in map(attributes, calls)
    }
    assert found == {
        ("face", "acme.face", 1, "HTTP_503"), ("face", "acme.face", 2, None), ("device", "acme.device", 1, "_OTHER")
    }  # fmt: skip
    assert {call.kind for call in calls} == {trace.SpanKind.CLIENT}
    assert [one.status.status_code.name for one in (first, refused)] == ["UNSET", "ERROR"]


def test_no_value_of_a_request_is_in_a_span(exporter: InMemorySpanExporter) -> None:
    class Broken(Exception):
        pass

    with engine([face(Broken("CANARY-TEXT")), device()]) as door:
        door.decide_sync(request(0xCAFE, inputs={**CLEAN, "email": "canary@secret.example", "country": "CANARY"}))
    told = "".join(one.to_json() for one in exporter.get_finished_spans())
    assert "canary" not in told.lower() and f"{0xCAFE:032x}" not in told and not told.count("exception")


def test_span_is_below_that_of_whoever_asks_from_a_task_or_a_thread(exporter: InMemorySpanExporter) -> None:
    tracer = trace.get_tracer_provider().get_tracer("test")

    async def ask() -> None:
        async with engine([face(), device()]) as door:
            with tracer.start_as_current_span("caller"):
                await door.decide(request(1))

    asyncio.run(ask())
    elsewhere = {"traceparent": TRACEPARENT}
    with engine([face(), device()]) as door, tracer.start_as_current_span("caller"), spans.continued(elsewhere):
        door.decide_sync(request(2))
    callers, made = named(exporter, "caller"), named(exporter, "decide")
    assert [parent_of(one) for one in made] == [own(one)[1] for one in callers]


def test_those_who_wait_for_one_answer_have_a_span_each_and_calls_are_made_once(
    exporter: InMemorySpanExporter,
) -> None:
    async def ask() -> None:
        async def slowly(context: object) -> dict[str, Any]:
            await asyncio.sleep(0.05)
            return {"score": 0.1}

        async with engine([face(slowly), device()]) as door:
            await asyncio.gather(*(door.decide(request(1)) for _ in range(3)))

    asyncio.run(ask())
    assert (len(named(exporter, "decide")), len(named(exporter, "ask"))) == (3, 2)


def decide(url: str, **headers: str) -> dict[str, Any]:
    with httpx.Client(base_url=url, trust_env=False, timeout=60) as http:
        answer = http.post("/v1/decisions", content=json.dumps(DOCUMENT), headers={**JSON, **headers})
        assert answer.is_success
        found: dict[str, Any] = answer.json()
        return found


@pytest.mark.parametrize("given", [TRACEPARENT, "00-xyz", f"00-{'0' * 32}-{PARENT}-01", "\x7f"])
def test_callers_trace_goes_on_over_http(exporter: InMemorySpanExporter, given: str) -> None:
    with capture_logs() as events, served(engine(), over_tcp=True) as url:
        decide(url, traceparent=given, tracestate="a=b")
    [made] = named(exporter, "decide")
    is_good = given == TRACEPARENT
    assert (own(made)[0], parent_of(made)) == (TRACE, PARENT) if is_good else made.parent is None
    told = [event.get("trace_id") for event in events if event["event"] == "request_answered"]
    assert told == ([TRACE] if is_good else [None])


def test_client_hands_the_trace_on(exporter: InMemorySpanExporter) -> None:
    tracer = trace.get_tracer_provider().get_tracer("test")
    with served(engine()) as address, ClientEngine(address) as client:
        with tracer.start_as_current_span("caller"):
            client.decide_sync(request(1))
        client.decide_sync(request(2))
    [caller], [within, alone] = named(exporter, "caller"), named(exporter, "decide")
    assert (own(within)[0], parent_of(within)) == own(caller) and alone.parent is None


def test_nothing_is_made_or_loaded_without_an_sdk(monkeypatch: pytest.MonkeyPatch) -> None:
    assert isinstance(trace.get_tracer_provider(), trace.ProxyTracerProvider)
    made: list[Callable[[], object]] = [lambda: spans.span("x"), lambda: spans.continued({"traceparent": TRACEPARENT})]
    assert [make() for make in made] == [spans.NOTHING] * 2
    assert (spans.propagated(), spans.trace_id()) == ({}, "")
    program = (
        "import sys\nfrom adjudge import Engine, Registry, Request, parse_policy\n"
        "policy = parse_policy('{policy_language: 1, policy: p, inputs: {a: int}, rules: "
        "[{id: r, when: a > 1, then: reject}]}')\n"
        "with Engine([policy], registry=Registry.discover()) as engine:\n"
        "    engine.decide_sync(Request(merchant_biz_id='0' * 32, scene_code='s', inputs={'a': 1}))\n"
        "print([name for name in sys.modules if name.startswith('opentelemetry')])"
    )
    ended: Sequence[str] = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=120, check=True
    ).stdout.split("\n")
    assert ended[0] == "[]"
