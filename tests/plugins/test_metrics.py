"""The reader `prometheus`: what it counts of real decisions, and what it serves."""

from __future__ import annotations

import gc
import socket
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from adjudge import Engine, Request
from adjudge.audit.bodies import DecisionBody
from adjudge.audit.record import encode, encode_body
from adjudge.errors import PluginError
from adjudge.metrics.decisions import REASON_CODES_MAX
from adjudge.model import Arm, Decision, Outcome, Signal, SignalStatus, Verdict
from adjudge.plugin import LogReader, LogRecord, Position, ReaderFailed, SignalFailed
from adjudge.registry import Registry, parse_policy
from adjudge.testing import Slow, fake_provider, registry_of
from adjudge_plugins.metrics import Metrics, open_metrics
from ports import reserved_port

pytest.importorskip("prometheus_client", reason='needs `pip install "adjudge[metrics]"`: nothing can be counted')

POLICY = """
policy_language: 1
policy: selfie
inputs: {country: string}
signals:
  face: {provider: acme.face}
  device: {provider: acme.device}
  own: {fields: {ok: bool}}
rules:
  - {id: forged, when: face.score > 0.5, then: reject}
  - {id: emulated, when: device.emulator, then: review}
  - {id: abroad, when: 'country == "KP"', then: reject}
"""
FACE, DEVICE = {"score": "double"}, {"emulator": "bool"}
AGAIN = "Please take a new picture."


@pytest.fixture
def metrics() -> Iterator[Metrics]:
    made = open_metrics({"port": 0})
    yield made
    made.stop()


def decide(
    metrics: Metrics, *answers: Any, device: Any = None, policy: str = POLICY, own: Any = None, **facts: Any
) -> list[Decision]:
    """Decide one request for each answer of the face's provider, and return once they are counted."""
    face = fake_provider("acme.face", FACE, *answers, price=Decimal("0.40"), **facts)
    registry = registry_of([face, fake_provider("acme.device", DEVICE, device or {"emulator": False})])
    with Engine(
        [parse_policy(policy, registry=registry)], registry=registry, readers={"prometheus": metrics}
    ) as engine:
        facts = {"scene_code": "test", "inputs": {"country": "SG"}, "signals": {"own": own} if own else {}}
        return [engine.decide_sync(Request(merchant_biz_id=f"{at:032x}", **facts)) for at in range(len(answers))]


def value(metrics: Metrics, name: str, **labels: str) -> float | None:
    return metrics.registry.get_sample_value(name, labels)


def test_decided_decisions_are_counted_by_outcome_status_and_certainty(metrics: Metrics) -> None:
    decide(metrics, {"score": 0.9}, {"score": 0.9}, {"score": 0.1}, SignalFailed("down", kind="unavailable"))

    def count(outcome: str, settled: str, status: str = "fresh") -> float | None:
        return value(
            metrics, "adjudge_decisions_total", policy="selfie", outcome=outcome, status=status, settled=settled
        )

    assert (count("reject", "true"), count("pass", "true"), count("review", "false")) == (2, 1, 1)
    assert count("review", "true") is None and count("reject", "true", "duplicate") is None
    assert value(metrics, "adjudge_decision_duration_seconds_count", policy="selfie") == 4


def test_decided_duplicate_is_no_new_decision_and_a_second_one_supersedes(metrics: Metrics) -> None:
    registry = registry_of(
        [
            fake_provider("acme.face", FACE, SignalFailed("down", kind="unavailable"), {"score": 0.1}),
            fake_provider("acme.device", DEVICE, {"emulator": False}),
        ]
    )
    request = Request(merchant_biz_id="0" * 32, scene_code="test", inputs={"country": "SG"})
    with Engine(
        [parse_policy(POLICY, registry=registry)], registry=registry, readers={"prometheus": metrics}
    ) as engine:
        statuses = [engine.decide_sync(request).status for _ in range(3)]

    assert statuses == ["fresh", "supersedes", "duplicate"]
    labels = {"policy": "selfie", "outcome": "pass", "settled": "true"}
    assert value(metrics, "adjudge_decisions_total", status="supersedes", **labels) == 1
    assert value(metrics, "adjudge_decisions_total", status="duplicate", **labels) is None


def test_decided_signals_are_counted_by_how_they_ended(metrics: Metrics) -> None:
    failed = SignalFailed("down", kind="unavailable", reason_code="HTTP_503")
    decide(metrics, {"score": 0.1}, failed, SignalFailed("odd"), {"score": 0.1})

    def count(signal: str, given_by: str, status: str, reason_code: str = "") -> float | None:
        labels = {"signal": signal, "provider": given_by, "status": status, "reason_code": reason_code}
        return value(metrics, "adjudge_signals_total", policy="selfie", **labels)

    assert count("face", "acme.face", "ok") == 2
    assert count("face", "acme.face", "unavailable", "HTTP_503") == 1
    assert count("face", "acme.face", "error") == 1
    assert count("device", "acme.device", "ok") == 4
    assert count("own", "", "not_provided") == 4


def test_decided_cost_is_that_of_the_calls_by_provider_and_currency(metrics: Metrics) -> None:
    decisions = decide(metrics, {"score": 0.1}, {"score": 0.9}, SignalFailed("x", billed=False), currency="SGD")

    assert sum(decision.cost.get("SGD", Decimal(0)) for decision in decisions) == Decimal("0.80")
    labels = {"policy": "selfie", "provider": "acme.face", "currency": "SGD"}
    assert value(metrics, "adjudge_cost_total", **labels) == pytest.approx(0.8)
    assert b'provider="acme.device",currency' not in exposed(metrics)


def test_decided_durations_are_seconds_of_the_providers_that_were_asked(metrics: Metrics) -> None:
    [decision] = decide(metrics, Slow(0.06, {"score": 0.1}), own={"ok": True})

    def seconds(what: str, **labels: str) -> float:
        return value(metrics, f"adjudge_{what}_duration_seconds_sum", policy="selfie", **labels) or 0.0

    assert seconds("signal", signal="face", provider="acme.face") == pytest.approx(
        decision.signals["face"].duration_ms / 1000
    )
    assert seconds("signal", signal="face", provider="acme.face") > 0.05
    assert seconds("decision") == pytest.approx(decision.duration_ms / 1000)
    assert decision.signals["own"].status == "ok"
    assert b'duration_seconds_count{policy="selfie",provider="",signal="own"}' not in exposed(metrics)


def test_decided_skipped_signal_is_counted_and_took_no_time(metrics: Metrics) -> None:
    thrifty = POLICY.replace("inputs:", "gather: thrifty\ninputs:")
    decide(metrics, {"score": 0.1}, device={"emulator": False}, policy=thrifty.replace('"KP"', '"SG"'))

    labels = {"policy": "selfie", "signal": "face", "provider": "acme.face"}
    assert value(metrics, "adjudge_signals_total", status="skipped", reason_code="", **labels) == 1
    assert value(metrics, "adjudge_signal_duration_seconds_count", **labels) is None


def test_decided_new_pictures_asked_for_are_counted_by_reason(metrics: Metrics) -> None:
    decide(
        metrics,
        SignalFailed("no face", reason_code="NO_FACE_DETECTED", capture_again=AGAIN, billed=False),
        SignalFailed("no reason", capture_again=AGAIN, billed=False),
        {"score": 0.1},
    )

    def count(reason_code: str) -> float | None:
        return value(metrics, "adjudge_capture_again_total", policy="selfie", reason_code=reason_code)

    assert (count("NO_FACE_DETECTED"), count("")) == (1, 1)


def record_of(
    reason_code: str | None, at: int = 0, capture_again: str | None = None, arm: Arm | None = None
) -> LogRecord:
    signal = Signal(
        name="face", status=SignalStatus.ERROR, provider="acme.face", reason_code=reason_code, request_id=f"{at:x}"
    )
    body = DecisionBody(
        decision_id=f"{at:032x}",
        merchant_biz_id=f"{at:032x}",
        scene_code="test",
        status="fresh",
        verdict=Verdict(outcome=Outcome.REVIEW, lower=Outcome.PASS, upper=Outcome.REJECT),
        policy="selfie",
        policy_digest=f"{at:064x}",
        fingerprint=f"{at:064x}",
        at=datetime.now(UTC),
        durability="fsync",
        inputs={},
        signals={"face": signal},
        capture_again=capture_again,
        capture_reason=reason_code,
        arm=arm,
    )
    line, digest = encode("decision", at + 1, b"0" * 64, encode_body(body))
    return LogRecord(log="log", seq=at + 1, kind="decision", hash=digest.decode(), line=line)


def test_decided_arms_of_a_rollout_are_counted(metrics: Metrics) -> None:
    arms = [Arm(rollout="new", number=1, name=name) for name in ("champion", "canary", "canary")]  # type: ignore[arg-type]
    metrics.take([record_of(None, at, arm=arm) for at, arm in enumerate([*arms, None])])

    def count(arm: str) -> float | None:
        return value(metrics, "adjudge_rollout_decisions_total", rollout="new", arm=arm, outcome="review")

    assert (count("champion"), count("canary"), count("hold-out")) == (1, 2, None)


def series(metrics: Metrics) -> int:
    return sum(len(family.samples) for family in metrics.registry.collect())


def test_readers_are_shown_with_their_lag_and_failures(metrics: Metrics) -> None:
    class Failing:
        def open(self, end: Position) -> Position | None:
            raise ReaderFailed("no", retry_after_s=600)

        def take(self, records: Sequence[LogRecord]) -> None: ...

        def close(self) -> None: ...

    registry = registry_of([fake_provider("acme.face", FACE), fake_provider("acme.device", DEVICE)])
    readers: dict[str, LogReader] = {"prometheus": metrics, "failing": Failing()}
    assert value(metrics, "adjudge_reader_failures_total", reader="failing") is None
    engine = Engine([parse_policy(POLICY, registry=registry)], registry=registry, readers=readers)
    with capture_logs(), engine:
        engine.decide_sync(Request(merchant_biz_id="0" * 32, scene_code="test", inputs={"country": "SG"}))

    def of(name: str, what: str) -> float | None:
        return value(metrics, f"adjudge_reader_{what}", reader=name)

    count = of("prometheus", "records_total")
    assert count and [of("prometheus", what) for what in ("lag_records", "lag_seconds", "failures_total")] == [0, 0, 0]
    assert of("prometheus", "batches_total")
    assert [of("failing", what) for what in ("lag_records", "failures_total", "records_total")] == [count, 1, 0]
    assert (of("failing", "lag_seconds") or 0) > 0
    del engine
    gc.collect()
    assert of("failing", "failures_total") is None, "an engine that is gone is shown no more"


def test_decided_ids_make_no_series(metrics: Metrics) -> None:
    metrics.take([record_of("NO_FACE", 1, AGAIN)])
    before = series(metrics)

    metrics.take([record_of("NO_FACE", at, AGAIN) for at in range(2, 50)])

    assert series(metrics) == before


@pytest.mark.parametrize("code", ["{at}", "answered {at}", "Ünicode{at}", "x" * 65 + "{at}", "E{at}"])
def test_decided_reason_codes_that_differ_each_time_are_bounded(metrics: Metrics, code: str) -> None:
    metrics.take([record_of(code.format(at=at), at, AGAIN) for at in range(1000)])

    labels = {"policy": "selfie", "signal": "face", "provider": "acme.face", "status": "error"}
    others = 1000 - REASON_CODES_MAX if code.startswith("E") else 1000
    assert value(metrics, "adjudge_signals_total", reason_code="OTHER", **labels) == others
    assert value(metrics, "adjudge_capture_again_total", policy="selfie", reason_code="OTHER") == others
    assert len({sample.labels["reason_code"] for sample in samples(metrics, "adjudge_signals")}) <= 65


def samples(metrics: Metrics, family: str) -> list[Any]:
    return [sample for one in metrics.registry.collect() if one.name == family for sample in one.samples]


def exposed(metrics: Metrics) -> bytes:
    from prometheus_client import generate_latest

    return generate_latest(metrics.registry)


def test_registry_is_its_own(metrics: Metrics) -> None:
    from prometheus_client import REGISTRY

    other = open_metrics({"port": 0})
    metrics.take([record_of(None)])

    assert value(metrics, "adjudge_decision_duration_seconds_count", policy="selfie") == 1
    assert value(other, "adjudge_decision_duration_seconds_count", policy="selfie") is None
    assert not [family.name for family in REGISTRY.collect() if family.name.startswith("adjudge")]


@pytest.fixture
def port() -> Iterator[int]:
    with reserved_port() as port:
        yield port


def get(port: int) -> str:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=60) as answer:
        text: bytes = answer.read()
        return text.decode()


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[Metrics]]:
    """The readers that configurations open, stopped in the end: an engine does not."""
    made: list[Metrics] = []
    init = Metrics.__init__

    def noted(self: Metrics) -> None:
        init(self)
        made.append(self)

    monkeypatch.setattr(Metrics, "__init__", noted)
    yield made
    for metrics in made:
        metrics.stop()


def test_serve_engine_of_a_configuration_shows_its_decisions(tmp_path: Path, opened: list[Metrics], port: int) -> None:
    rule = "{id: abroad, when: 'country == \"KP\"', then: reject}"
    policy = f"{{policy_language: 1, policy: selfie, inputs: {{country: string}}, rules: [{rule}]}}"
    (tmp_path / "policy.yaml").write_text(policy)
    (tmp_path / "adjudge.yaml").write_text(
        f"policies: [policy.yaml]\nplugins: [metrics]\nreaders: [{{name: prometheus, with: {{port: {port}}}}}]\n"
    )
    engine = Engine.open(tmp_path / "adjudge.yaml")
    assert "adjudge_decisions_total{" not in get(port)

    with engine:
        engine.decide_sync(Request(merchant_biz_id="0" * 32, scene_code="test", inputs={"country": "KP"}))

    line = 'adjudge_decisions_total{outcome="reject",policy="selfie",settled="true",status="fresh"} 1.0'
    assert line in get(port).splitlines()
    opened[0].stop()
    opened[0].stop()
    with pytest.raises(urllib.error.URLError):
        get(port)


def test_serve_is_for_this_machine_alone_unless_told_otherwise(opened: list[Metrics], port: int) -> None:
    open_metrics({"port": port})
    with reserved_port() as other:
        open_metrics({"port": other, "address": "0.0.0.0"})

    assert [metrics._server[0].server_address[0] for metrics in opened if metrics._server] == ["127.0.0.1", "0.0.0.0"]


@pytest.mark.parametrize("address", [None, "203.0.113.1", "nowhere.invalid"])
def test_serve_port_that_cannot_be_had_is_said(address: str | None) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        place = f"{address or '127.0.0.1'}:{port}"

        with pytest.raises(PluginError, match=f"plugin `prometheus`: cannot serve metrics on {place}: ") as caught:
            open_metrics({"port": port} | ({"address": address} if address else {}))

    assert address or str(caught.value).endswith("Address already in use")


def test_open_without_the_extra_says_how_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "prometheus_client", None)

    with pytest.raises(PluginError) as caught:
        open_metrics({})

    assert str(caught.value) == (
        'plugin `prometheus`: prometheus-client is not installed: pip install "adjudge[metrics]"'
    )


@pytest.mark.parametrize(
    ("config", "said"),
    [
        ({"prot": 1}, "unknown key `prot`: did you mean `port`?"),
        ({"path": "/"}, "unknown key `path`: it takes port, address"),
        ({"port": "9464"}, "`port` must be an integer from 0 to 65535"),
        ({"port": True}, "`port` must be an integer from 0 to 65535"),
        ({"port": -1}, "`port` must be an integer from 0 to 65535"),
        ({"port": 65536}, "`port` must be an integer from 0 to 65535"),
        ({"address": 127}, "`address` must be a string, such as 127.0.0.1"),
        ({"address": ""}, "`address` must be a string, such as 127.0.0.1"),
    ],
)
def test_open_wrong_configuration_is_refused(config: dict[str, Any], said: str) -> None:
    with pytest.raises(PluginError) as caught:
        open_metrics(config)

    assert str(caught.value) == f"plugin `prometheus`: {said}"


def test_open_is_found_by_its_entry_point() -> None:
    assert Registry.discover(only=["metrics"], strict=True).opener("reader", "prometheus") is open_metrics
