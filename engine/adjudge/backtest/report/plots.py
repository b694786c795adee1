"""Plots as SVG texts: no script, no colour that carries a meaning alone, every mark with its number as a tooltip."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from math import log10

from adjudge.backtest.curves import Histogram, Setting
from adjudge.backtest.measures import Ratio
from adjudge.backtest.report.study import Moves
from adjudge.backtest.report.words import percent, ratio
from adjudge.backtest.run import Backtest
from adjudge.backtest.totals import CardTotals
from adjudge.backtest.tunable_thresholds import TunableThreshold
from adjudge.model import OUTCOMES, Outcome
from adjudge.texts import in_html

WIDTH, HEIGHT = 720, 240
LEFT, RIGHT, TOP, BOTTOM = 56, 16, 14, 34
DASHES = ("", "6 4", "2 3", "8 3 2 3")
POINTS_MAX = 90


def _svg(body: Sequence[str], label: str, height: int = HEIGHT) -> str:
    box = f'viewBox="0 0 {WIDTH} {height}" role="img" aria-label="{in_html(label)}"'
    return f"<svg {box}>{''.join(body)}</svg>"


def _text(x: float, y: float, said: str, anchor: str = "middle", kind: str = "") -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" class="{kind}">{in_html(said)}</text>'


def _line(points: Sequence[tuple[float, float]], kind: str, dash: str = "") -> str:
    path = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
    return f'<polyline points="{path}" class="line {kind}" stroke-dasharray="{dash}"/>'


def _dot(x: float, y: float, kind: str, said: str) -> str:
    return f'<circle cx="{x:.1f}" cy="{y:.1f}" r="2.5" class="{kind}"><title>{in_html(said)}</title></circle>'


def _shares(top: float) -> list[str]:
    """Return the grid of an axis of shares from 0 to `top`."""
    found = []
    for at in range(5):
        share = top * at / 4
        y = _y(share, top)
        found.append(f'<line x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y:.1f}" y2="{y:.1f}" class="grid"/>')
        found.append(_text(LEFT - 6, y + 4, percent(share), "end"))
    return found


def _y(share: float, top: float) -> float:
    return HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * share / (top or 1)


def _nice(share: float) -> float:
    return next((top for top in (0.01, 0.02, 0.05, 0.1, 0.2, 0.4, 0.6, 0.8) if share <= top), 1.0)


def over_time(titles: Sequence[str], backtests: Sequence[Backtest]) -> str | None:
    """Draw the shares of review and reject by day, or by stretches of days where there are many; None without times."""
    days = sorted({cell.day for one in backtests for cell in one.cells if cell.day is not None})
    if len(days) < 2:
        return None
    first, span = days[0], (days[-1] - days[0]).days + 1
    step = -(-span // POINTS_MAX)
    series = [
        (title, outcome, _by_stretch(one, outcome, first, step))
        for title, one in zip(titles, backtests, strict=True)
        for outcome in (Outcome.REVIEW, Outcome.REJECT)
    ]
    top = _nice(max((share.share or 0.0) for _, _, found in series for share in found.values()))
    body = _shares(top)
    for at, (title, outcome, found) in enumerate(series):
        points = []
        for number, share in sorted(found.items()):
            x = LEFT + (WIDTH - LEFT - RIGHT) * number * step / max(1, span - 1)
            points.append((min(x, WIDTH - RIGHT), _y(share.share or 0.0, top)))
        body.append(_line(points, outcome.value, DASHES[at // 2 % len(DASHES)]))
        for (x, y), (number, share) in zip(points, sorted(found.items()), strict=True):
            day = date.fromordinal(first.toordinal() + number * step)
            said = f"{title}: {outcome} {percent(share.share)} of {share.of:,} rows from {day}"
            body.append(_dot(x, y, outcome.value, said))
    body += [_text(LEFT, HEIGHT - 8, str(first), "start"), _text(WIDTH - RIGHT, HEIGHT - 8, str(days[-1]), "end")]
    return _svg(body, "Shares of review and reject over time")


def _by_stretch(backtest: Backtest, outcome: Outcome, first: date, step: int) -> Mapping[int, Ratio]:
    rows: dict[int, list[int]] = {}
    for cell in backtest.cells:
        if cell.day is not None:
            found = rows.setdefault((cell.day - first).days // step, [0, 0])
            found[0] += cell.rows if cell.outcome is outcome else 0
            found[1] += cell.rows
    return {at: Ratio(hits, of) for at, (hits, of) in rows.items()}


def flow(moves: Moves) -> str:
    """Draw how many rows go from each outcome to each."""
    total = sum(moves.rows.values()) or 1
    height, gap = 260, 8
    room = height - TOP - BOTTOM - 2 * gap
    left, right = LEFT + 60, WIDTH - RIGHT - 92
    body = [_text(left, height - 8, moves.before), _text(right + 14, height - 8, moves.after)]
    starts, ends = _stacks(moves, 0, room, total, gap), _stacks(moves, 1, room, total, gap)
    for old in OUTCOMES:
        for new in OUTCOMES:
            rows = moves.rows.get((old, new), 0)
            if rows:
                size = max(1.0, room * rows / total)
                y, z = starts[old], ends[new]
                starts[old], ends[new] = y + room * rows / total, z + room * rows / total
                middle = (left + 14 + right) / 2
                path = (
                    f"M{left + 14} {y:.1f} C{middle} {y:.1f} {middle} {z:.1f} {right} {z:.1f} L{right} {z + size:.1f} "
                    f"C{middle} {z + size:.1f} {middle} {y + size:.1f} {left + 14} {y + size:.1f} Z"
                )
                said = f"{old} → {new}: {rows:,} rows, {percent(rows / total)}"
                body.append(f'<path d="{path}" class="ribbon {new.value}"><title>{in_html(said)}</title></path>')
    for side, x in ((0, left), (1, right)):
        at = _stacks(moves, side, room, total, gap)
        for outcome in OUTCOMES:
            rows = sum(count for pair, count in moves.rows.items() if pair[side] is outcome)
            size = max(1.0, room * rows / total)
            body.append(f'<rect x="{x}" y="{at[outcome]:.1f}" width="14" height="{size:.1f}" class="{outcome.value}"/>')
            where = (x - 6, "end") if side == 0 else (x + 20, "start")
            said = f"{outcome} {percent(rows / total)}"
            body.append(_text(where[0], at[outcome] + size / 2 + 4, said, where[1]))
    return _svg(body, f"From {moves.before} to {moves.after}", height)


def _stacks(moves: Moves, side: int, room: float, total: int, gap: int) -> dict[Outcome, float]:
    at, found = float(TOP), {}
    for outcome in OUTCOMES:
        found[outcome] = at
        at += room * sum(rows for pair, rows in moves.rows.items() if pair[side] is outcome) / total + gap
    return found


def distribution(shape: Histogram, thresholds: Sequence[TunableThreshold], *, is_log: bool = False) -> str:
    """Draw how a field is distributed, all rows upward and frauds downward on the same scale, with its thresholds.

    is_log: by the logarithm of the counts, so that few frauds are seen beside many rows.
    """

    def size(rows: int) -> float:
        return log10(1 + rows) if is_log else rows

    count = max(len(bins) for bins in shape.bins.values())
    every = [sum(bins[at] for bins in shape.bins.values()) for at in range(count)]
    frauds = shape.bins.get("fraud", [0] * count)
    most = size(max(every)) or 1
    both = most + size(max(frauds))
    base = TOP + (HEIGHT - BOTTOM - TOP) * most / both
    body = [f'<line x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{base}" y2="{base}" class="axis"/>']
    width = (WIDTH - LEFT - RIGHT) / count
    step = (shape.high - shape.low) / count
    for at in range(count):
        x, said = LEFT + width * at, f"{shape.low + step * at:.4g} to {shape.low + step * (at + 1):.4g}"
        high = (base - TOP) * size(every[at]) / most
        body.append(_bar(x, base - high, width, high, "all", f"{said}: {every[at]:,} rows"))
        if any(frauds):
            low = (base - TOP) * size(frauds[at]) / most
            body.append(_bar(x, base, width, low, "reject", f"{said}: {frauds[at]:,} frauds"))
    body.append(_text(LEFT - 6, TOP + 10, f"{max(every):,}", "end"))
    if any(frauds):
        body += [_text(LEFT - 6, HEIGHT - BOTTOM, f"{max(frauds):,}", "end")]
    kinds = [("all rows", "all"), *([("frauds, downward", "reject")] if any(frauds) else [])]
    for number, (said, kind) in enumerate(kinds):
        x = WIDTH - RIGHT - 130 * (len(kinds) - number)
        body += [_bar(x, TOP + 2, 12, 10, kind, said), _text(x + 18, TOP + 11, said, "start")]
    for threshold in thresholds:
        x = LEFT + (WIDTH - LEFT - RIGHT) * (threshold.value - shape.low) / (shape.high - shape.low)
        if LEFT <= x <= WIDTH - RIGHT:
            title = f"<title>{in_html(threshold.name)}</title>"
            body.append(f'<line x1="{x:.1f}" x2="{x:.1f}" y1="{TOP}" y2="{HEIGHT - BOTTOM}" class="now">{title}</line>')
            body.append(_text(x, TOP - 3, f"{threshold.value:g}"))
    body += [*_ends(shape.low, shape.high), *_axis(shape.slot)]
    return _svg(body, f"Distribution of {shape.slot}{', logarithmic' if is_log else ''}")


def totals(card: CardTotals) -> str:
    """Draw how the totals of a scorecard are spread, with the bands."""
    bars = card.bars()
    low, high = bars[0][0], bars[-1][1] + 1
    base, most = HEIGHT - BOTTOM, max(rows for _, _, rows in bars) or 1
    width = (WIDTH - LEFT - RIGHT) / len(bars)
    body = [f'<line x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{base}" y2="{base}" class="axis"/>']
    for at, (first, last, rows) in enumerate(bars):
        said = f"{first} to {last}" if last > first else str(first)
        kind = "reject" if card.reject is not None and first >= card.reject else "all"
        kind = "review" if kind == "all" and card.review is not None and first >= card.review else kind
        size = (base - TOP) * rows / most
        body.append(_bar(LEFT + width * at, base - size, width, size, kind, f"{said} points: {rows:,} decisions"))
    body.append(_text(LEFT - 6, TOP + 10, f"{most:,}", "end"))
    for name, bound in (("review", card.review), ("reject", card.reject)):
        if bound is not None and low <= bound <= high:
            x = _x(bound, low, high)
            body.append(f'<line x1="{x:.1f}" x2="{x:.1f}" y1="{TOP}" y2="{base}" class="now"/>')
            body.append(_text(x, TOP - 3, f"{name} {bound}"))
    body += _ends(low, high - 1)
    return _svg(body, f"Totals of {card.label}")


def _ends(low: float, high: float) -> list[str]:
    return [_text(LEFT, HEIGHT - 8, f"{low:g}", "start"), _text(WIDTH - RIGHT, HEIGHT - 8, f"{high:g}", "end")]


def _bar(x: float, y: float, width: float, height: float, kind: str, said: str) -> str:
    box = f'x="{x + 0.5:.1f}" y="{y:.1f}" width="{max(0.5, width - 1):.1f}" height="{height:.1f}"'
    return f'<rect {box} class="{kind}"><title>{in_html(said)}</title></rect>'


def trade_off(
    threshold: TunableThreshold, settings: Sequence[Setting], others: Mapping[str, Sequence[Setting]] | None = None
) -> str:
    """Draw what each setting of a threshold would stop, and what share of the frauds; of other policies, thinner."""
    low, high = settings[0].value, settings[-1].value
    body = _shares(1.0)
    every = [("", settings), *(others or {}).items()]
    for number, (title, of) in enumerate(every):
        for name, found in _stopped(of).items():
            points = [(_x(value, low, high), _y(share.share or 0.0, 1.0)) for value, share in found]
            dash = DASHES[0] if name == "review" else DASHES[1]
            body.append(_line(points, f"{name} other" if number else name, dash))
            for (x, y), (value, share) in zip(points, found, strict=True):
                by = f"{title}: " if title else ""
                said = f"{by}{threshold.slot} {threshold.operator} {value:g}: {_WORDS[name]} {ratio(share)}"
                body.append(_dot(x, y, name, said))
    x = _x(threshold.value, low, high)
    body.append(f'<line x1="{x:.1f}" x2="{x:.1f}" y1="{TOP}" y2="{HEIGHT - BOTTOM}" class="now"/>')
    body += [_text(x, TOP - 3, f"{threshold.value:g}"), *_ends(low, high), *_axis(threshold.slot)]
    body += _legend([(_WORDS[name], name, DASHES[at]) for at, name in enumerate(_stopped(settings))])
    return _svg(body, f"Trade-off of {threshold.name}")


_WORDS = {"review": "not passed", "caught": "frauds stopped"}


def _stopped(settings: Sequence[Setting]) -> dict[str, list[tuple[float, Ratio]]]:
    """Return by setting the share of all rows that do not pass, and of frauds, where there are any."""
    lines: dict[str, list[tuple[float, Ratio]]] = {"review": []}
    for one in settings:
        stopped = {label: [0, 0] for label in ("fraud", None)}
        for (label, outcome), rows in one.counts.items():
            for key in {None, label} & stopped.keys():
                stopped[key][0] += rows if outcome is not Outcome.PASS else 0
                stopped[key][1] += rows
        lines["review"].append((one.value, Ratio(*stopped[None])))
        if stopped["fraud"][1]:
            lines.setdefault("caught", []).append((one.value, Ratio(*stopped["fraud"])))
    return lines


def _legend(entries: Sequence[tuple[str, str, str]]) -> list[str]:
    """Return a line of what the lines mean: words, class and dash of each."""
    found, x = [], WIDTH - RIGHT - 150 * len(entries)
    for said, kind, dash in entries:
        found.append(_line([(x, TOP + 8), (x + 26, TOP + 8)], kind, dash))
        found.append(_text(x + 32, TOP + 12, said, "start"))
        x += 150
    return found


def _axis(said: str) -> list[str]:
    return [_text((LEFT + WIDTH - RIGHT) / 2, HEIGHT - 8, said)]


def _x(value: float, low: float, high: float) -> float:
    return LEFT + (WIDTH - LEFT - RIGHT) * (value - low) / ((high - low) or 1)
