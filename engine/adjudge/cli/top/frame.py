"""The figures of `adjudge top` as lines of a terminal, as wide as that is."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator, Mapping, Sequence

from adjudge.cli.top.figures import OUTCOMES, Figures, ProviderFigures
from adjudge.texts import in_digits, one_line

NARROWEST = 20
SIGNALS_SHOWN = 5
NEAR = 0.9
"""The share of a budget from which on it is near its end."""
_BAR = {"pass": "#", "review": "=", "reject": "!"}

Line = tuple[str, bool]
"""A line, and whether somebody should look at it."""


def frame(figures: Figures, width: int, at: str) -> list[Line]:
    """Return the lines of one frame. at: the time, as it is shown."""
    width = max(width, NARROWEST)
    lines = [*_head(figures, at), *_decisions(figures, width), *_routes(figures, width), *_providers(figures, width)]
    lines += [*_signals(figures), *_rollouts(figures, width), *_readers(figures)]
    return [(_cut(one_line(text), width), is_odd) for text, is_odd in lines]


def _head(of: Figures, at: str) -> Iterator[Line]:
    count = len(of.workers)
    yield f"adjudge  {at}  {count} worker{'' if count == 1 else 's'}, the last {of.seconds:.3g} s", False
    for trouble in of.trouble:
        yield trouble, True
    yield f"requests   {_rate(of.requests_per_s)}  under way {of.under_way:.0f} of {of.under_way_max:.0f}", False
    if of.problems_per_s:
        yield f"problems   {_counted(of.problems_per_s)}", False
    if of.not_let_in_per_s:
        yield f"not let in {_rate(of.not_let_in_per_s)}", True
    log = {None: "not said", True: "can be written", False: "CANNOT BE WRITTEN"}[of.audit_available]
    index = "" if of.index_lag_records is None else f"  index {of.index_lag_records:.0f} records behind"
    caches = "".join(f"  {name} hits {_percent(share)}" for name, share in of.cache_hits.items())
    yield f"log        {log}{index}{caches}", of.audit_available is False


def _decisions(of: Figures, width: int) -> Iterator[Line]:
    more = f"  duplicates {_rate(of.duplicates_per_s)}" if of.duplicates_per_s else ""
    yield f"decisions  {_rate(of.decisions_per_s)}{more}", False
    if of.refused_per_s:
        yield f"refused    {_counted(of.refused_per_s)}", False
    if of.decisions_per_s:
        shown = "  ".join(f"{name} {_BAR[name]} {_percent(share)}" for name, share in of.outcomes.items())
        yield f"outcomes   {shown}", False
        yield f"[{_bar(of.outcomes, width - 2)}]", False
    total = sum(of.decided.values())
    if total:
        yield "in all     " + "  ".join(f"{name} {count:.0f}" for name, count in of.decided.items()), False


def _routes(of: Figures, width: int) -> Iterator[Line]:
    rows = [
        (one.route, _rate(one.per_s), _percent(one.failed), _time(one.p50_s), _time(one.p99_s)) for one in of.routes
    ]
    lines = _table(("route, slowest first", "rate", "failed", "p50", "p99"), rows, width)
    yield from zip(lines, [False, *(one.failed > 0 for one in of.routes)], strict=False)


def _providers(of: Figures, width: int) -> Iterator[Line]:
    rows = [
        (one.provider, _rate(one.per_s), _percent(one.failed), _time(one.p95_s), one.breaker) for one in of.providers
    ]
    lines = [*_table(("provider", "calls", "failed", "p95", "breaker"), rows, width)]
    yield from ((line, False) for line in lines[:1])
    for line, one in zip(lines[1:], of.providers, strict=True):
        yield line, one.breaker == "open"
        yield from _budgets(one)


def _budgets(of: ProviderFigures) -> Iterator[Line]:
    for one in of.budgets:
        if one.limit is not None:
            share = one.used / one.limit if one.limit else 1.0
            yield f"  {one.budget} {_amount(one.used)} of {_amount(one.limit)}: {_percent(share)}", share >= NEAR
    if of.cost:
        yield "  cost " + "  ".join(f"{_amount(spent)} {currency}" for currency, spent in of.cost.items()), False


def _signals(of: Figures) -> Iterator[Line]:
    if of.signals:
        yield "unknown", False
    for one in of.signals[:SIGNALS_SHOWN]:
        yield f"  {one.policy}: {one.signal} {_percent(one.unknown)}", False


def _rollouts(of: Figures, width: int) -> Iterator[Line]:
    rows = [
        (f"{one.rollout}: {one.arm}", _rate(one.per_s), *map(_percent, one.outcomes.values())) for one in of.rollouts
    ]
    yield from ((line, False) for line in _table(("rollout", "rate", *OUTCOMES), rows, width))


def _readers(of: Figures) -> Iterator[Line]:
    if of.readers:
        yield "reader", False
    for one in of.readers:
        yield f"  {one.reader} {one.lag_records:.0f} records behind, {_time(one.lag_s)}", one.lag_s > 300


def _table(head: Sequence[str], rows: Sequence[Sequence[str]], width: int) -> Iterator[str]:
    """Yield the lines of a table whose first column gives way where the terminal is narrow; none without rows."""
    if not rows:
        return
    sizes = [max(_width(row[at]) for row in (head, *rows)) for at in range(len(head))]
    sizes[0] = max(8, min(sizes[0], width - sum(sizes[1:]) - 2 * (len(head) - 1)))
    for row in (head, *rows):
        first = _cut(one_line(row[0]), sizes[0])
        cells = [first + " " * (sizes[0] - _width(first)), *(f"{row[at]:>{sizes[at]}}" for at in range(1, len(head)))]
        yield "  ".join(cells).rstrip()


def _bar(shares: Mapping[str, float], width: int) -> str:
    """Return a bar of so many characters; what there is at all has one of them."""
    sizes = {name: max(1, round(share * width)) if share else 0 for name, share in shares.items()}
    largest = max(sizes, key=lambda name: sizes[name])
    sizes[largest] = max(0, sizes[largest] + width - sum(sizes.values()))
    return "".join(_BAR[name] * size for name, size in sizes.items())[:width]


def _counted(rates: Mapping[str, float]) -> str:
    return "  ".join(f"{name} {_rate(rate)}" for name, rate in sorted(rates.items(), key=lambda one: -one[1]))


def _rate(per_s: float) -> str:
    return f"{per_s:.0f}/s" if per_s >= 100 else f"{per_s:.1f}/s"


def _percent(share: float) -> str:
    return f"{100 * share:.1f}%"


def _time(seconds: float | None) -> str:
    if seconds is None:
        return "-"
    return f"{seconds:.3g} s" if seconds >= 1 or not seconds else f"{1000 * seconds:.3g} ms"


def _amount(value: float) -> str:
    return in_digits(round(value, 2))


def _width(text: str) -> int:
    return sum(2 if unicodedata.east_asian_width(char) in "WF" else 1 for char in text)


def _cut(text: str, width: int) -> str:
    """Return as much of a text as a terminal has room for in one line."""
    if _width(text) <= width:
        return text
    kept, used = [], 1
    for char in text:
        used += _width(char)
        if used > width:
            break
        kept.append(char)
    return "".join(kept) + "…"
