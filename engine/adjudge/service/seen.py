"""What the service shows of its requests: rates, errors and durations by route, an event each, and what is let in."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator, Mapping, Sequence
from importlib.metadata import version
from typing import TYPE_CHECKING

from prometheus_client import Counter, Gauge, Histogram, ProcessCollector, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from starlette.responses import Response

from adjudge.events import Events
from adjudge.metrics.metrics import Metrics
from adjudge.service.access.refusals import Refusals
from adjudge.service.admission import Admission
from adjudge.service.answers import ProblemResponse
from adjudge.system.pools import Pool

if TYPE_CHECKING:
    from prometheus_client.core import Metric

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
BUCKETS_S = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 15.0, 30.0, 60.0)
SHOWN_WITHIN_S = 10.0
OVERLOADED = "overloaded"
NO_ROUTE = "none"
"""Route and method of what no route takes: were they the caller's own, each would be another series."""

_events = Events("adjudge.service")


class Seen:
    """Counts requests in the registry where decisions are counted, too. Labels come from the table of routes."""

    def __init__(
        self, metrics: Metrics, admission: Admission, refusals: Refusals, *, tells_requests: bool = True
    ) -> None:
        """tells_requests: whether each request is told as an event."""
        self._tells_requests = tells_requests
        registry = self._registry = metrics.registry
        self._requests = Counter(
            "adjudge_http_requests", "Requests answered.", ("method", "route", "status"), registry=registry
        )
        self._problems = Counter(
            "adjudge_http_problems", "Requests answered with a problem.", ("method", "route", "code"), registry=registry
        )
        self._seconds = Histogram(
            "adjudge_http_request_duration_seconds",
            "Time from a request's headers to its answer.",
            ("method", "route"),
            buckets=BUCKETS_S,
            registry=registry,
        )
        worker = Gauge("adjudge_worker_info", "The process that answers.", ("worker", "version"), registry=registry)
        worker.labels(f"{socket.gethostname()}-{os.getpid()}", version("adjudge")).set(1)
        ProcessCollector(namespace="adjudge", registry=registry)
        registry.register(_Admitted(admission, refusals))
        self._pool = Pool("adjudge-metrics", 1)
        self.unread = self._of(NO_ROUTE, NO_ROUTE, tells=False)
        """Counts what was refused before it was a request. It has no event: a stranger could fill a disk with them."""

    def of(self, method: str = NO_ROUTE, path: str = NO_ROUTE) -> RouteSeen:
        """Return what counts the requests of a route. path: as it stands in the table of routes."""
        return self._of(method, path, tells=self._tells_requests)

    def _of(self, method: str, path: str, *, tells: bool) -> RouteSeen:
        return RouteSeen(method, path, self._requests, self._problems, self._seconds, tells)

    async def page(self) -> bytes:
        """Return all that is counted, as Prometheus reads it. Raises TimeoutError."""
        return await self._pool.run(lambda: generate_latest(self._registry), deadline_s=SHOWN_WITHIN_S)


class RouteSeen:
    """Counts the requests of one route."""

    def __init__(
        self, method: str, path: str, requests: Counter, problems: Counter, seconds: Histogram, tells: bool
    ) -> None:
        self.method, self.path, self._tells = method, path, tells
        self._requests, self._problems = requests, problems
        self._observe = seconds.labels(method, path).observe
        self._of_status: dict[int, Counter] = {}

    def answered(self, response: Response, seconds: float, facts: Mapping[str, object]) -> None:
        """Count an answer, and tell it. seconds: that it took. facts: of the request, for the event."""
        status = response.status_code
        counter = self._of_status.get(status)
        if counter is None:
            counter = self._of_status[status] = self._requests.labels(self.method, self.path, str(status))
        counter.inc()
        self._observe(seconds)
        code = response.code if isinstance(response, ProblemResponse) else ""
        if code:
            self._problems.labels(self.method, self.path, code).inc()
        if self._tells:
            tell = _events.warning if status >= 500 and code != OVERLOADED else _events.info
            more = {"code": code} if code else {}
            took_ms = round(seconds * 1000, 3)
            tell(
                "request_answered",
                method=self.method,
                route=self.path,
                status=status,
                duration_ms=took_ms,
                **more,
                **facts,
            )


class _Admitted:
    """Collects how much is under way, and who was not let in."""

    def __init__(self, admission: Admission, refusals: Refusals) -> None:
        self._admission, self._refusals = admission, refusals

    def collect(self) -> Iterator[Metric]:
        """Yield a family for each thing that is bounded, and its bound."""
        admission = self._admission
        gauges: Sequence[tuple[str, str, float]] = (
            ("adjudge_http_under_way", "Requests under way.", admission.requests),
            ("adjudge_http_under_way_max", "Requests that may be under way at a time.", admission.requests_max),
            ("adjudge_http_held_bytes", "Bytes of bodies of requests under way.", admission.held_bytes),
            ("adjudge_http_held_max_bytes", "Bytes of bodies that may be held at a time.", admission.held_max_bytes),
        )
        for name, said, value in gauges:
            yield GaugeMetricFamily(name, said, value)
        family = CounterMetricFamily(
            "adjudge_http_turned_away", "Requests for which there was no room, by what was full.", labels=["full"]
        )
        family.add_metric(["requests"], admission.refused_requests)
        family.add_metric(["bytes"], admission.refused_bytes)
        family.add_metric(["connections"], admission.refused_connections)
        yield family
        family = CounterMetricFamily(
            "adjudge_access_refused", "Requests that were not let in.", labels=["code", "reason"]
        )
        for (code, reason), count in sorted(self._refusals.counts.copy().items()):
            family.add_metric([code, reason], count)
        yield family
