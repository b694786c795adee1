"""A page of figures in the text format of Prometheus, read as far as `adjudge top` has use for it."""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Callable, Iterable, Mapping
from math import inf, isfinite

from adjudge.frozen import frozen

Labels = tuple[tuple[str, str], ...]
SAMPLES_MAX = 100_000
"""Of one page; what is more is not read."""
_SAMPLE = re.compile(r"([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{(.*)\})? (\S+)(?: -?\d+)?", re.ASCII)
_LABEL = re.compile(r'([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\]|\\.)*)"(?:,|$)', re.ASCII)
_ESCAPED = re.compile(r"\\(.)")
_ESCAPES = {"n": "\n"}
_OF_LEAST = frozenset({"adjudge_audit_available"})
_OF_MOST = frozenset(
    {
        "adjudge_provider_breaker",
        "adjudge_provider_budget",
        "adjudge_provider_budget_used",
        "adjudge_reader_lag_seconds",
    }
)
"""What several workers say of one thing, each for itself; all else is added up."""


@frozen
class Page:
    """Samples by metric, and by the labels of each."""

    samples: Mapping[str, Mapping[Labels, float]]

    def total(self, name: str, **labels: str) -> float:
        """Return the sum of a metric's samples that have labels among theirs."""
        wanted = set(labels.items())
        return sum(value for has, value in self.samples.get(name, {}).items() if wanted <= set(has))

    def by(self, name: str, *labels: str, **only: str) -> dict[tuple[str, ...], float]:
        """Return a metric's sums by the values of some labels, in their order. only: of these samples."""
        found: dict[tuple[str, ...], float] = {}
        wanted = set(only.items())
        for has, value in self.samples.get(name, {}).items():
            if wanted <= set(has):
                said = dict(has)
                key = tuple(said.get(label, "") for label in labels)
                found[key] = found.get(key, 0.0) + value
        return dict(sorted(found.items()))

    def quantile(self, share: float, name: str, **labels: str) -> float | None:
        """Return a quantile of a histogram, between the bounds of its bucket; None where nothing was observed."""
        buckets = sorted((_number(le), count) for (le,), count in self.by(f"{name}_bucket", "le", **labels).items())
        if not buckets or buckets[-1][1] <= 0:
            return None
        bounds, counts = [bound for bound, _ in buckets], [count for _, count in buckets]
        at = min(bisect_left(counts, share * counts[-1]), len(counts) - 1)
        if not isfinite(bounds[at]):
            return bounds[at - 1] if at else None
        low, below = (bounds[at - 1], counts[at - 1]) if at else (0.0, 0.0)
        return low + (bounds[at] - low) * (share * counts[-1] - below) / max(counts[at] - below, 1e-9)


def read_page(text: str) -> Page:
    """Read a page. A line that is none of a sample is passed over."""
    found: dict[str, dict[Labels, float]] = {}
    count = 0
    for line in text.split("\n"):
        sample = _SAMPLE.fullmatch(line) if line.startswith("adjudge_") else None
        if sample is None or sample[1].endswith("_created"):
            continue
        labels = tuple((label, _ESCAPED.sub(_unescaped, value)) for label, value in _LABEL.findall(sample[2] or ""))
        value = _number(sample[3])
        if isfinite(value):
            found.setdefault(sample[1], {})[labels] = value
            count += 1
        if count >= SAMPLES_MAX:
            break
    return Page(found)


def together(pages: Iterable[Page]) -> Page:
    """Return what several workers show, as one."""
    found: dict[str, dict[Labels, float]] = {}
    for page in pages:
        for name, samples in page.samples.items():
            of = found.setdefault(name, {})
            join = _join(name)
            for labels, value in samples.items():
                of[labels] = join(of[labels], value) if labels in of else value
    return Page(found)


def since(before: Page, after: Page) -> Page:
    """Return what was counted between two pages; of a process that was started anew, all that it counted."""
    found: dict[str, dict[Labels, float]] = {}
    for name, samples in after.samples.items():
        earlier = before.samples.get(name, {})
        found[name] = {
            labels: value - earlier.get(labels, 0.0) if value >= earlier.get(labels, 0.0) else value
            for labels, value in samples.items()
        }
    return Page(found)


def _join(name: str) -> Callable[[float, float], float]:
    if name in _OF_LEAST:
        return min
    return max if name in _OF_MOST else lambda one, other: one + other


def _unescaped(found: re.Match[str]) -> str:
    return _ESCAPES.get(found[1], found[1])


def _number(text: str) -> float:
    try:
        return inf if text == "+Inf" else float(text)
    except ValueError:
        return inf
