"""What engines show when they are looked at: providers, budgets, readers, and what was answered without a record."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Protocol, get_args
from weakref import WeakSet

from adjudge.errors import EngineError
from adjudge.plugin import LedgerFigures, ReaderState

if TYPE_CHECKING:
    from prometheus_client.core import Metric

    from adjudge.decision.tally import Tally
    from adjudge.signals.admission import Usage


class Watched(Protocol):
    """What is looked at of an engine. Its methods return at once, from any thread."""

    @property
    def tally(self) -> Tally:
        """What it answered without a new record."""
        ...

    def usage(self) -> Mapping[str, Usage]:
        """What it asked of each provider."""
        ...

    def readers(self) -> Sequence[ReaderState]:
        """How far its readers are."""
        ...

    def ledger_figures(self) -> LedgerFigures | None:
        """What its ledger shows."""
        ...

    def fresh_until(self) -> Mapping[str, datetime]:
        """When another one should have come of each bundle that says so."""
        ...


class Engines:
    """Collects what some engines show, as long as they live."""

    def __init__(self) -> None:
        self._engines: WeakSet[Watched] = WeakSet()

    def add(self, engine: Watched) -> None:
        """Look at an engine from now on."""
        self._engines.add(engine)

    def collect(self) -> Iterator[Metric]:
        """Yield a family for each thing that is known."""
        engines = []
        for engine in tuple(self._engines):
            try:
                engines.append((engine, engine.usage(), engine.readers()))
            except EngineError:  # it is the parent's of this process
                continue
        yield from _tallies([engine.tally for engine, _, _ in engines])
        yield from _providers({name: usage for _, used, _ in engines for name, usage in used.items()})
        yield from _readers([state for _, _, states in engines for state in states])
        yield from _ledgers([found for engine, _, _ in engines if (found := engine.ledger_figures()) is not None])
        yield from _bundles([engine.fresh_until() for engine, _, _ in engines])


def _tallies(tallies: Sequence[Tally]) -> Iterator[Metric]:
    from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily

    refused: Counter[str] = Counter()
    for tally in tallies:
        refused.update(tally.refused)
    yield CounterMetricFamily(
        "adjudge_duplicates", "Requests that were answered with a decision that there was.",
        sum(tally.duplicates for tally in tallies),
    )  # fmt: skip
    family = CounterMetricFamily(
        "adjudge_refused", "Requests for decisions that were refused, by the error's code.", labels=["code"]
    )
    for code, count in sorted(refused.items()):
        family.add_metric([code], count)
    yield family
    if tallies:
        yield GaugeMetricFamily(
            "adjudge_audit_available", "0 from when the log could not be written or read until it could.",
            min(tally.is_recording for tally in tallies),
        )  # fmt: skip


def _providers(used: Mapping[str, Usage]) -> Iterator[Metric]:
    from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily

    from adjudge.signals.breaker import State

    labels = ["provider"]
    counted = {
        "calls": CounterMetricFamily(
            "adjudge_provider_calls", "Calls that were begun, retries included.", labels=labels
        ),
        "failed": CounterMetricFamily("adjudge_provider_failures", "Calls that failed.", labels=labels),
        "retried": CounterMetricFamily("adjudge_provider_retries", "Calls that were retries.", labels=labels),
        "refused": CounterMetricFamily(
            "adjudge_provider_refused", "Questions that were not asked, to protect the account.", labels=labels
        ),
        "in_doubt": CounterMetricFamily(
            "adjudge_provider_in_doubt", "Calls that may have been paid for, and had no answer.", labels=labels
        ),
    }
    breaker = GaugeMetricFamily(
        "adjudge_provider_breaker", "1 for the state that the breaker is in.", labels=["provider", "state"]
    )
    spent = CounterMetricFamily(
        "adjudge_provider_spent",
        "What calls cost that were or may have been paid for.",
        labels=["provider", "currency"],
    )
    used_today = GaugeMetricFamily(
        "adjudge_provider_budget_used", "What the day of UTC has taken of a budget, as far as this process knows.",
        labels=["provider", "budget"],
    )  # fmt: skip
    most = GaugeMetricFamily("adjudge_provider_budget", "What a day may take.", labels=["provider", "budget"])
    for name, usage in sorted(used.items()):
        for what, family in counted.items():
            family.add_metric([name], getattr(usage, what))
        for state in get_args(State):
            breaker.add_metric([name, state], state == usage.breaker)
        spent.add_metric([name, usage.currency], float(usage.spent))
        for budget, limit, today in (
            ("daily_calls", usage.daily_calls, usage.calls_today),
            ("daily_spend", usage.daily_spend, usage.spent_today),
        ):
            used_today.add_metric([name, budget], float(today))
            if limit is not None:
                most.add_metric([name, budget], float(limit))
    yield from (*counted.values(), breaker, spent, used_today, most)


def _ledgers(found: Sequence[LedgerFigures]) -> Iterator[Metric]:
    from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily

    lookups: Counter[tuple[str, str]] = Counter()
    for one in found:
        for cache, (hits, misses) in one.lookups.items():
            lookups.update({(cache, "hit"): hits, (cache, "miss"): misses})
    family = CounterMetricFamily(
        "adjudge_cache_lookups", "Decisions looked for in a cache of the ledger, by whether they were there.",
        labels=["cache", "result"],
    )  # fmt: skip
    for (cache, result), count in sorted(lookups.items()):
        family.add_metric([cache, result], count)
    yield family
    lags = [one.index_lag_records for one in found if one.index_lag_records is not None]
    if lags:
        yield GaugeMetricFamily(
            "adjudge_index_lag_records", "Records that the index of the log has not written down.", sum(lags)
        )


def _bundles(found: Sequence[Mapping[str, datetime]]) -> Iterator[Metric]:
    from prometheus_client.core import GaugeMetricFamily

    until = {name: at.timestamp() for one in found for name, at in one.items()}
    family = GaugeMetricFamily(
        "adjudge_bundle_fresh_until_seconds", "When another bundle should have come, since 1970.", labels=["bundle"]
    )
    for name, at in sorted(until.items()):
        family.add_metric([name], at)
    yield family


def _readers(states: Sequence[ReaderState]) -> Iterator[Metric]:
    from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily

    by_name: dict[str, list[ReaderState]] = {}
    for state in states:
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
