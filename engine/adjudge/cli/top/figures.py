"""What `adjudge top` shows, from the pages of services; as JSON has it."""

from __future__ import annotations

import msgspec

from adjudge.cli.top.page import Page

OUTCOMES = ("pass", "review", "reject")
_SECONDS = "adjudge_http_request_duration_seconds"
_ARMS = "adjudge_rollout_decisions_total"
_CALLS = "adjudge_provider_calls_total"
_UNKNOWN = ("timeout", "error", "unavailable", "not_provided")


class RouteFigures(msgspec.Struct, kw_only=True):
    """A route: requests a second, the share answered with a status of 500 or more, and seconds; None for no request."""

    route: str
    per_s: float
    failed: float
    p50_s: float | None
    p99_s: float | None


class BudgetFigures(msgspec.Struct, kw_only=True):
    """A budget of a day. limit: None where there is none."""

    budget: str
    used: float
    limit: float | None


class ProviderFigures(msgspec.Struct, kw_only=True):
    """A provider: calls a second, the share that failed, seconds, the breaker's state, and what the day has taken."""

    provider: str
    per_s: float
    failed: float
    p95_s: float | None
    breaker: str
    budgets: list[BudgetFigures]
    cost: dict[str, float]


class SignalFigures(msgspec.Struct, kw_only=True):
    """A signal, and the share of those wanted that were not had."""

    policy: str
    signal: str
    unknown: float


class ReaderFigures(msgspec.Struct, kw_only=True):
    """A reader of the log, and how far it is behind."""

    reader: str
    lag_records: float
    lag_s: float


class ArmFigures(msgspec.Struct, kw_only=True):
    """A version of a policy while a rollout runs: decisions a second, and the share of each outcome."""

    rollout: str
    arm: str
    per_s: float
    outcomes: dict[str, float]


class Figures(msgspec.Struct, kw_only=True):
    """All of it. Rates and shares are of the last `seconds`; `decided` is since the processes began."""

    workers: list[str]
    trouble: list[str]
    seconds: float
    requests_per_s: float
    problems_per_s: dict[str, float]
    not_let_in_per_s: float
    under_way: float
    under_way_max: float
    decisions_per_s: float
    outcomes: dict[str, float]
    decided: dict[str, float]
    duplicates_per_s: float
    refused_per_s: dict[str, float]
    audit_available: bool | None
    index_lag_records: float | None
    cache_hits: dict[str, float]
    routes: list[RouteFigures]
    providers: list[ProviderFigures]
    signals: list[SignalFigures]
    rollouts: list[ArmFigures]
    readers: list[ReaderFigures]


def figures_of(new: Page, after: Page, seconds: float, *, trouble: list[str] | None = None) -> Figures:
    """Return the figures of some workers, taken together.

    new: what was counted in the last `seconds`. after: how things stand. trouble: with those that gave nothing.
    """

    def rate(count: float) -> float:
        return count / seconds if seconds > 0 else 0.0

    outcomes = {name: new.total("adjudge_decisions_total", outcome=name) for name in OUTCOMES}
    decided = sum(outcomes.values())
    available = after.samples.get("adjudge_audit_available")
    index = after.samples.get("adjudge_index_lag_records")
    return Figures(
        workers=[worker for (worker,) in after.by("adjudge_worker_info", "worker")],
        trouble=trouble or [],
        seconds=seconds,
        requests_per_s=rate(new.total("adjudge_http_requests_total")),
        problems_per_s={code: rate(n) for (code,), n in new.by("adjudge_http_problems_total", "code").items() if n},
        not_let_in_per_s=rate(new.total("adjudge_access_refused_total")),
        under_way=after.total("adjudge_http_under_way"),
        under_way_max=after.total("adjudge_http_under_way_max"),
        decisions_per_s=rate(decided),
        outcomes={name: _share(count, decided) for name, count in outcomes.items()},
        decided={name: after.total("adjudge_decisions_total", outcome=name) for name in OUTCOMES},
        duplicates_per_s=rate(new.total("adjudge_duplicates_total")),
        refused_per_s={code: rate(n) for (code,), n in new.by("adjudge_refused_total", "code").items() if n},
        audit_available=min(available.values()) > 0 if available else None,
        index_lag_records=sum(index.values()) if index else None,
        cache_hits={
            cache: _share(new.total("adjudge_cache_lookups_total", cache=cache, result="hit"), count)
            for (cache,), count in new.by("adjudge_cache_lookups_total", "cache").items()
        },
        routes=_routes(new, seconds),
        providers=[_provider(name, new, after, seconds) for (name,) in after.by(_CALLS, "provider")],
        signals=_signals(new),
        rollouts=[_arm(rollout, arm, new, seconds) for rollout, arm in after.by(_ARMS, "rollout", "arm")],
        readers=[
            ReaderFigures(reader=name, lag_records=lag, lag_s=after.total("adjudge_reader_lag_seconds", reader=name))
            for (name,), lag in after.by("adjudge_reader_lag_records", "reader").items()
        ],
    )


def _routes(new: Page, seconds: float) -> list[RouteFigures]:
    """Return the routes that were asked, the slowest first."""
    found = []
    for (method, route), count in new.by("adjudge_http_requests_total", "method", "route").items():
        if count <= 0:
            continue
        statuses = new.by("adjudge_http_requests_total", "status", method=method, route=route)
        failed = sum(of for (status,), of in statuses.items() if status.startswith("5"))
        found.append(
            RouteFigures(
                route=f"{method} {route}" if method != route else "no route",
                per_s=count / seconds if seconds > 0 else 0.0,
                failed=_share(failed, count),
                p50_s=new.quantile(0.5, _SECONDS, method=method, route=route),
                p99_s=new.quantile(0.99, _SECONDS, method=method, route=route),
            )
        )
    return sorted(found, key=lambda one: (-(one.p99_s or 0.0), one.route))


def _provider(name: str, new: Page, after: Page, seconds: float) -> ProviderFigures:
    calls = new.total(_CALLS, provider=name)
    limits = after.by("adjudge_provider_budget", "budget", provider=name)
    used = after.by("adjudge_provider_budget_used", "budget", provider=name)
    states = after.by("adjudge_provider_breaker", "state", provider=name)
    spent = after.by("adjudge_provider_spent_total", "currency", provider=name)
    return ProviderFigures(
        provider=name,
        per_s=calls / seconds if seconds > 0 else 0.0,
        failed=_share(new.total("adjudge_provider_failures_total", provider=name), calls),
        p95_s=new.quantile(0.95, "adjudge_signal_duration_seconds", provider=name),
        breaker=next((state for state in ("open", "trying", "closed") if states.get((state,), 0) > 0), ""),
        budgets=[BudgetFigures(budget=of, used=count, limit=limits.get((of,))) for (of,), count in used.items()],
        cost={currency: amount for (currency,), amount in spent.items() if amount},
    )


def _arm(rollout: str, arm: str, new: Page, seconds: float) -> ArmFigures:
    counts = {name: new.total(_ARMS, rollout=rollout, arm=arm, outcome=name) for name in OUTCOMES}
    made = sum(counts.values())
    return ArmFigures(
        rollout=rollout,
        arm=arm,
        per_s=made / seconds if seconds > 0 else 0.0,
        outcomes={name: _share(count, made) for name, count in counts.items()},
    )


def _signals(new: Page) -> list[SignalFigures]:
    """Return the signals that were not always had, the worst first."""
    found: list[SignalFigures] = []
    for policy, signal in new.by("adjudge_signals_total", "policy", "signal"):
        counts = new.by("adjudge_signals_total", "status", policy=policy, signal=signal)
        wanted = sum(count for (status,), count in counts.items() if status != "skipped")
        unknown = sum(counts.get((status,), 0.0) for status in _UNKNOWN)
        if unknown > 0:
            found.append(SignalFigures(policy=policy, signal=signal, unknown=_share(unknown, wanted)))
    return sorted(found, key=lambda one: (-one.unknown, one.policy, one.signal))


def _share(part: float, whole: float) -> float:
    return part / whole if whole > 0 else 0.0
