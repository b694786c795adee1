"""The reader `prometheus`: counts decisions, what was asked for them and what that cost, and how far readers are.

```yaml
readers: [{name: prometheus, with: {port: 9464, address: 127.0.0.1}}]
```

serves `http://127.0.0.1:9464/metrics`. With `port: 0` nothing is served: give `Metrics()` to your engine among its
`readers`, and `Metrics.registry` to whatever serves. Needs `pip install "adjudge[metrics]"`.

Labels are names from the policy and the plugins, never values of a request: no ids. A provider's reason codes are its
own to choose, so those past REASON_CODES_MAX, and what looks like none, count as `OTHER`. Counted are the decisions
that this process records from its start on; what no record tells, such as a request that was refused, is not.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from decimal import Decimal
from typing import TYPE_CHECKING, Any
from weakref import WeakMethod

import msgspec

from adjudge.plugin import (
    LogRecord,
    PluginError,
    Position,
    ReaderState,
    Register,
    SignalStatus,
    did_you_mean,
    hookimpl,
)

if TYPE_CHECKING:
    from threading import Thread
    from wsgiref.simple_server import WSGIServer

    from prometheus_client.core import Metric

READER = "prometheus"
PORT, ADDRESS = 9464, "127.0.0.1"
REASON_CODES_MAX = 64
"""Different reason codes that are told apart of one signal."""
OTHER = "OTHER"

_KEYS = ("port", "address")
_REASON_CODE = re.compile(r"[A-Za-z][A-Za-z0-9_.-]{0,63}", re.ASCII)
_BUCKETS_S = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 15.0, 30.0)
_NOT_ASKED = (SignalStatus.SKIPPED, SignalStatus.NOT_PROVIDED)


class _Verdict(msgspec.Struct):
    outcome: str
    lower: str
    upper: str


class _Signal(msgspec.Struct):
    name: str
    status: SignalStatus
    provider: str | None = None
    reason_code: str | None = None
    capture_again: str | None = None
    duration_ms: float = 0.0
    price: Decimal = Decimal(0)
    currency: str | None = None


class _Decision(msgspec.Struct):
    """What is counted of a decision's record."""

    policy: str
    status: str
    verdict: _Verdict
    signals: dict[str, _Signal]
    duration_ms: float = 0.0
    capture_again: str | None = None
    capture_reason: str | None = None


_decoder = msgspec.json.Decoder(_Decision)


class Metrics:
    """Counts decisions in a registry of its own, and serves it where it is told to. Free to use by many engines."""

    of_process = True

    def __init__(self) -> None:
        """Make the counters. Raises PluginError where prometheus-client is missing."""
        try:
            from prometheus_client import CollectorRegistry, Counter, Histogram
        except ImportError:
            said = 'prometheus-client is not installed: pip install "adjudge[metrics]"'
            raise PluginError(said, plugin=READER) from None
        registry = self.registry = CollectorRegistry()
        self._server: tuple[WSGIServer, Thread] | None = None
        self._reason_codes: dict[tuple[str, str], set[str]] = {}
        self._held: dict[str, Position] = {}
        self._states: list[WeakMethod[Callable[[], Sequence[ReaderState]]]] = []
        self._decisions = Counter(
            "adjudge_decisions", "New decisions.", ("policy", "outcome", "status", "settled"), registry=registry
        )
        self._decision_seconds = Histogram(
            "adjudge_decision_duration_seconds",
            "Time from a request to its decision, before it is recorded.",
            ("policy",),
            buckets=_BUCKETS_S,
            registry=registry,
        )
        self._signals = Counter(
            "adjudge_signals",
            "Signals of new decisions by how asking for them ended; no provider: the caller supplies it.",
            ("policy", "signal", "provider", "status", "reason_code"),
            registry=registry,
        )
        self._signal_seconds = Histogram(
            "adjudge_signal_duration_seconds",
            "Time that a provider took for a signal, all tries together.",
            ("policy", "signal", "provider"),
            buckets=_BUCKETS_S,
            registry=registry,
        )
        self._cost = Counter(
            "adjudge_cost",
            "What calls cost, as decisions carry it.",
            ("policy", "provider", "currency"),
            registry=registry,
        )
        self._capture_again = Counter(
            "adjudge_capture_again",
            "Decisions that ask the applicant for a new picture.",
            ("policy", "reason_code"),
            registry=registry,
        )
        registry.register(_Readers(self._states))

    def open(self, end: Position) -> Position:
        """Say that all is counted up to what was counted last, and of a log that is new here, up to its end."""
        return self._held.get(end.log, end)

    def take(self, records: Sequence[LogRecord]) -> None:
        """Count the decisions among records."""
        for record in records:
            if record.kind == "decision":
                self._decided(_decoder.decode(record.line))
            self._held[record.log] = record.position

    def watch(self, states: Callable[[], Sequence[ReaderState]]) -> None:
        """Show how far the readers of an engine are, as long as that lives."""
        self._states[:] = [one for one in self._states if one() is not None]
        self._states.append(WeakMethod(states))

    def _decided(self, decision: _Decision) -> None:
        """Count a decision, and what was asked for it."""
        policy, verdict = decision.policy, decision.verdict
        self._decisions.labels(
            policy, verdict.outcome, decision.status, str(verdict.lower == verdict.upper).lower()
        ).inc()
        self._decision_seconds.labels(policy).observe(decision.duration_ms / 1000)
        for signal in decision.signals.values():
            self._count(policy, signal)
        if decision.capture_again is not None:
            asking = next((one for one in decision.signals.values() if one.capture_again is not None), None)
            name = asking.name if asking is not None else ""
            self._capture_again.labels(policy, self._reason_code(policy, name, decision.capture_reason)).inc()

    def _count(self, policy: str, signal: _Signal) -> None:
        provider, reason_code = signal.provider or "", self._reason_code(policy, signal.name, signal.reason_code)
        self._signals.labels(policy, signal.name, provider, signal.status.value, reason_code).inc()
        if signal.provider is not None and signal.status not in _NOT_ASKED:
            self._signal_seconds.labels(policy, signal.name, provider).observe(signal.duration_ms / 1000)
        if signal.price and signal.currency is not None:
            self._cost.labels(policy, provider, signal.currency).inc(float(signal.price))

    def _reason_code(self, policy: str, signal: str, code: str | None) -> str:
        """Return a reason code as a label: itself, or OTHER where it looks like none or there are too many of them."""
        if code is None:
            return ""
        known = self._reason_codes.setdefault((policy, signal), set())
        if code not in known:
            if len(known) >= REASON_CODES_MAX or not _REASON_CODE.fullmatch(code):
                return OTHER
            known.add(code)
        return code

    def serve(self, port: int = PORT, address: str = ADDRESS) -> None:
        """Serve the registry over HTTP, in a thread. Raises PluginError where the port cannot be had."""
        from prometheus_client import start_http_server

        try:
            self._server = start_http_server(port, address, self.registry)
        except (OSError, OverflowError) as error:  # of a port that is taken, and of an address that is not here
            said = getattr(error, "strerror", None) or str(error)
            raise PluginError(f"cannot serve metrics on {address}:{port}: {said}", plugin=READER) from None

    def close(self) -> None:
        """Do nothing: what was opened serves until the process ends, for other engines too."""

    def stop(self) -> None:
        """Stop serving. No engine calls it."""
        if self._server is not None:
            server, thread = self._server
            self._server = None
            server.shutdown()
            server.server_close()
            thread.join()


class _Readers:
    """Collects how far the readers of some engines are."""

    def __init__(self, states: Sequence[WeakMethod[Callable[[], Sequence[ReaderState]]]]) -> None:
        self._states = states

    def collect(self) -> Iterator[Metric]:
        """Yield a family for each thing that is known of a reader."""
        from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily

        by_name: dict[str, list[ReaderState]] = {}
        for state in (state for one in tuple(self._states) if (states := one()) is not None for state in states()):
            by_name.setdefault(state.name, []).append(state)
        lag_records = GaugeMetricFamily("adjudge_reader_lag_records", "Records that a reader lacks.", labels=["reader"])
        lag_s = GaugeMetricFamily(
            "adjudge_reader_lag_seconds", "Time for which a reader has lacked the oldest of them.", labels=["reader"]
        )
        batches = CounterMetricFamily("adjudge_reader_batches", "Batches that a reader took.", labels=["reader"])
        records = CounterMetricFamily("adjudge_reader_records", "Records that a reader took.", labels=["reader"])
        failures = CounterMetricFamily(
            "adjudge_reader_failures", "Calls of a reader that failed or hang, and records that were not to be had.",
            labels=["reader"],
        )  # fmt: skip
        for name, of in by_name.items():
            lag_records.add_metric([name], sum(one.lag_records for one in of))
            lag_s.add_metric([name], max(one.lag_s for one in of))
            batches.add_metric([name], sum(one.batches for one in of))
            records.add_metric([name], sum(one.records for one in of))
            failures.add_metric([name], sum(one.failures for one in of))
        yield from (lag_records, lag_s, batches, records, failures)


def open_metrics(config: Mapping[str, Any]) -> Metrics:
    """Make the reader from its `with:`, and serve unless its port is 0. Raises PluginError."""
    for key in config:
        if key not in _KEYS:
            hint = did_you_mean(str(key), _KEYS) or f"it takes {', '.join(_KEYS)}"
            raise PluginError(f"unknown key `{key}`: {hint}", plugin=READER)
    port, address = config.get("port", PORT), config.get("address", ADDRESS)
    if not isinstance(port, int) or isinstance(port, bool) or not 0 <= port <= 65535:
        raise PluginError("`port` must be an integer from 0 to 65535", plugin=READER)
    if not isinstance(address, str) or not address:
        raise PluginError("`address` must be a string, such as 127.0.0.1", plugin=READER)
    metrics = Metrics()
    if port:
        metrics.serve(port, address)
    return metrics


@hookimpl
def register(register: Register) -> None:
    """Offer the reader."""
    register.reader(READER, open_metrics)
