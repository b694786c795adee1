"""The observer `prometheus`: counts decisions, what was asked for them, and what that cost.

```yaml
observers: [{name: prometheus, with: {port: 9464, address: 127.0.0.1}}]
```

serves `http://127.0.0.1:9464/metrics`. With `port: 0` nothing is served: give `Metrics()` to your engine among its
`observers`, and `Metrics.registry` to whatever serves. Needs `pip install "adjudge[metrics]"`.

Labels are names from the policy and the plugins, never values of a request: no ids. A provider's reason codes are its
own to choose, so those past REASON_CODES_MAX, and what looks like none, count as `OTHER`. An observer is told of new
decisions only; what it has not seen, such as a request that was refused, is not counted.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from adjudge.plugin import Decision, PluginError, Register, Signal, SignalStatus, did_you_mean, hookimpl

if TYPE_CHECKING:
    from threading import Thread
    from wsgiref.simple_server import WSGIServer

OBSERVER = "prometheus"
PORT, ADDRESS = 9464, "127.0.0.1"
REASON_CODES_MAX = 64
"""Different reason codes that are told apart of one signal."""
OTHER = "OTHER"

_KEYS = ("port", "address")
_REASON_CODE = re.compile(r"[A-Za-z][A-Za-z0-9_.-]{0,63}", re.ASCII)
_BUCKETS_S = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 15.0, 30.0)
_NOT_ASKED = (SignalStatus.SKIPPED, SignalStatus.NOT_PROVIDED)


class Metrics:
    """Counts decisions in a registry of its own, and serves it where it is told to. Free to use by many engines."""

    def __init__(self) -> None:
        """Make the counters. Raises PluginError where prometheus-client is missing."""
        try:
            from prometheus_client import CollectorRegistry, Counter, Histogram
        except ImportError:
            said = 'prometheus-client is not installed: pip install "adjudge[metrics]"'
            raise PluginError(said, plugin=OBSERVER) from None
        registry = self.registry = CollectorRegistry()
        self._server: tuple[WSGIServer, Thread] | None = None
        self._reason_codes: dict[tuple[str, str], set[str]] = {}
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

    async def decided(self, decision: Decision) -> None:
        """Count a decision, and what was asked for it."""
        policy = decision.policy
        self._decisions.labels(
            policy, decision.outcome.value, decision.status, str(decision.verdict.settled).lower()
        ).inc()
        self._decision_seconds.labels(policy).observe(decision.duration_ms / 1000)
        for signal in decision.signals.values():
            self._count(policy, signal)
        if decision.capture_again is not None:
            asking = next((one for one in decision.signals.values() if one.capture_again is not None), None)
            name = asking.name if asking is not None else ""
            self._capture_again.labels(policy, self._reason_code(policy, name, decision.capture_reason)).inc()

    def _count(self, policy: str, signal: Signal) -> None:
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
            raise PluginError(f"cannot serve metrics on {address}:{port}: {said}", plugin=OBSERVER) from None

    def close(self) -> None:
        """Stop serving. No engine calls it: what it opened serves until the process ends."""
        if self._server is not None:
            server, thread = self._server
            self._server = None
            server.shutdown()
            server.server_close()
            thread.join()


def open_metrics(config: Mapping[str, Any]) -> Metrics:
    """Make the observer from its `with:`, and serve unless its port is 0. Raises PluginError."""
    for key in config:
        if key not in _KEYS:
            hint = did_you_mean(str(key), _KEYS) or f"it takes {', '.join(_KEYS)}"
            raise PluginError(f"unknown key `{key}`: {hint}", plugin=OBSERVER)
    port, address = config.get("port", PORT), config.get("address", ADDRESS)
    if not isinstance(port, int) or isinstance(port, bool) or not 0 <= port <= 65535:
        raise PluginError("`port` must be an integer from 0 to 65535", plugin=OBSERVER)
    if not isinstance(address, str) or not address:
        raise PluginError("`address` must be a string, such as 127.0.0.1", plugin=OBSERVER)
    metrics = Metrics()
    if port:
        metrics.serve(port, address)
    return metrics


@hookimpl
def register(register: Register) -> None:
    """Offer the observer."""
    register.observer(OBSERVER, open_metrics)
