"""Decisions counted from their records: outcomes, what was asked for them, how long that took and what it cost.

Labels are names from the policy and the plugins, never values of a request: no ids. A provider's reason codes are its
own to choose, so those past REASON_CODES_MAX, and what looks like none, count as `OTHER`.
"""

from __future__ import annotations

import re
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import msgspec

from adjudge.model import SignalStatus

if TYPE_CHECKING:
    from prometheus_client import CollectorRegistry
    from prometheus_client.metrics import MetricWrapperBase

REASON_CODES_MAX = 64
"""Different reason codes that are told apart of one signal."""
OTHER = "OTHER"
BUCKETS_S = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 15.0, 30.0)

_REASON_CODE = re.compile(r"[A-Za-z][A-Za-z0-9_.-]{0,63}", re.ASCII)
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


class _Arm(msgspec.Struct):
    rollout: str
    name: str


class _Decision(msgspec.Struct):
    """What is counted of a decision's record."""

    policy: str
    status: str
    verdict: _Verdict
    signals: dict[str, _Signal]
    duration_ms: float = 0.0
    capture_again: str | None = None
    capture_reason: str | None = None
    arm: _Arm | None = None


_decoder = msgspec.json.Decoder(_Decision)


class _Children(dict[tuple[str, ...], Any]):
    """A family's series by their labels: to look one up there takes longer than to count in it."""

    def __init__(self, family: MetricWrapperBase) -> None:
        self._family = family

    def __missing__(self, labels: tuple[str, ...]) -> Any:
        child = self[labels] = self._family.labels(*labels)
        return child


class Decisions:
    """The families that are counted of decisions."""

    def __init__(self, registry: CollectorRegistry) -> None:
        from prometheus_client import Counter, Histogram

        self._reason_codes: dict[tuple[str, str], set[str]] = {}
        self._decisions = _Children(
            Counter(
                "adjudge_decisions", "New decisions.", ("policy", "outcome", "status", "settled"), registry=registry
            )
        )
        self._decision_seconds = _Children(
            Histogram(
                "adjudge_decision_duration_seconds",
                "Time from a request to its decision, before it is recorded.",
                ("policy",),
                buckets=BUCKETS_S,
                registry=registry,
            )
        )
        self._signals = _Children(
            Counter(
                "adjudge_signals",
                "Signals of new decisions by how asking for them ended; no provider: the caller supplies it.",
                ("policy", "signal", "provider", "status", "reason_code"),
                registry=registry,
            )
        )
        self._signal_seconds = _Children(
            Histogram(
                "adjudge_signal_duration_seconds",
                "Time that a provider took for a signal, all tries together.",
                ("policy", "signal", "provider"),
                buckets=BUCKETS_S,
                registry=registry,
            )
        )
        self._cost = _Children(
            Counter(
                "adjudge_cost",
                "What calls cost, as decisions carry it.",
                ("policy", "provider", "currency"),
                registry=registry,
            )
        )
        self._arms = _Children(
            Counter(
                "adjudge_rollout_decisions",
                "New decisions while a rollout runs, by the version that made them.",
                ("rollout", "arm", "outcome"),
                registry=registry,
            )
        )
        self._capture_again = _Children(
            Counter(
                "adjudge_capture_again",
                "Decisions that ask the applicant for a new picture.",
                ("policy", "reason_code"),
                registry=registry,
            )
        )

    def count(self, line: bytes) -> None:
        """Count the decision of a record, and what was asked for it. line: of the log."""
        decision = _decoder.decode(line)
        policy, verdict = decision.policy, decision.verdict
        settled = "true" if verdict.lower == verdict.upper else "false"
        self._decisions[policy, verdict.outcome, decision.status, settled].inc()
        self._decision_seconds[(policy,)].observe(decision.duration_ms / 1000)
        for signal in decision.signals.values():
            self._signal(policy, signal)
        if decision.arm is not None:
            self._arms[decision.arm.rollout, decision.arm.name, verdict.outcome].inc()
        if decision.capture_again is not None:
            asking = next((one for one in decision.signals.values() if one.capture_again is not None), None)
            name = asking.name if asking is not None else ""
            self._capture_again[policy, self._reason_code(policy, name, decision.capture_reason)].inc()

    def _signal(self, policy: str, signal: _Signal) -> None:
        provider, reason_code = signal.provider or "", self._reason_code(policy, signal.name, signal.reason_code)
        self._signals[policy, signal.name, provider, signal.status.value, reason_code].inc()
        if signal.provider is not None and signal.status not in _NOT_ASKED:
            self._signal_seconds[policy, signal.name, provider].observe(signal.duration_ms / 1000)
        if signal.price and signal.currency is not None:
            self._cost[policy, provider, signal.currency].inc(float(signal.price))

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
