"""A page of figures as Prometheus reads it, for tests."""

from __future__ import annotations

from collections.abc import Callable
from time import monotonic, sleep

import httpx
import pytest

pytest.importorskip("prometheus_client", reason='needs `pip install "adjudge[serve]"`')

Figures = dict[tuple[str, frozenset[tuple[str, str]]], float]


def read(page: str) -> Figures:
    """Return every sample of a page."""
    from prometheus_client.parser import text_string_to_metric_families

    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(page)
        for sample in family.samples
    }


def scraped(http: httpx.Client) -> Figures:
    answer = http.get("/metrics")
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
    return read(answer.text)


def value(figures: Figures, name: str, **labels: str) -> float | None:
    return figures.get((name, frozenset(labels.items())))


def total(figures: Figures, name: str, **labels: str) -> float:
    """Return the sum of the samples that have these labels among theirs."""
    wanted = set(labels.items())
    return sum(found for (of, has), found in figures.items() if of == name and wanted <= has)


def once(http: httpx.Client, is_so: Callable[[Figures], bool], within_s: float = 60.0) -> Figures:
    """Scrape until something is so: what is counted of a record comes a moment after it."""
    until = monotonic() + within_s
    while not is_so(figures := scraped(http)):
        assert monotonic() < until, figures
        sleep(0.02)
    return figures
