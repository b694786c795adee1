"""A study as one page of HTML that needs nothing else: no script, no font, no network."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from datetime import UTC, datetime
from importlib.metadata import version

from adjudge.backtest.curves import Histogram
from adjudge.backtest.measures import Ratio
from adjudge.backtest.report import plots
from adjudge.backtest.report.study import Moves, Study
from adjudge.backtest.report.summary import summary
from adjudge.backtest.report.words import (
    RULES_MAX,
    headline,
    pairs,
    percent,
    period,
    points_table,
    remarks,
    segment_table,
    totals_said,
)
from adjudge.backtest.tunable_thresholds import TunableThreshold
from adjudge.model import OUTCOMES
from adjudge.policy.explaining.scorecard_moves import MOVED_BY, most
from adjudge.texts import in_html

_STYLE = """
:root { --ink: #1c2126; --soft: #5b6670; --line: #d8dee3; --paper: #fff; --all: #9aa7b2;
  --pass: #009e73; --review: #c98600; --reject: #c8400a; --caught: #0072b2; }
@media (prefers-color-scheme: dark) {
  :root { --ink: #e6eaee; --soft: #9aa7b2; --line: #39424a; --paper: #14181c; --all: #5b6670;
    --pass: #2fc79b; --review: #e9b24a; --reject: #f0743f; --caught: #56b4e9; } }
body { font: 15px/1.5 system-ui, sans-serif; color: var(--ink); background: var(--paper); margin: 2rem auto;
  max-width: 60rem; padding: 0 1rem; }
h1 { font-size: 1.5rem; } h2 { font-size: 1.15rem; margin-top: 2.2rem; } h3 { font-size: 1rem; }
p.note, figcaption, ul { color: var(--soft); } ul { padding-left: 1.2rem; }
.wide { overflow-x: auto; } table { border-collapse: collapse; font-variant-numeric: tabular-nums; }
th, td { padding: .2rem .8rem; text-align: right; border-bottom: 1px solid var(--line); white-space: nowrap; }
th:first-child, td:first-child { text-align: left; padding-left: 0; } th { font-weight: 600; }
p.headline { font-weight: 600; }
figure { margin: 1rem 0; } svg { width: 100%; height: auto; } svg text { font-size: 11px; fill: var(--soft); }
.grid, .axis { stroke: var(--line); } .now { stroke: var(--ink); stroke-width: 1.5; stroke-dasharray: 3 3; }
.line { fill: none; stroke-width: 2; } rect.all { fill: var(--all); }
.line.review { stroke: var(--review); } .line.reject { stroke: var(--reject); } .line.caught { stroke: var(--caught); }
rect.pass, path.pass, circle.pass { fill: var(--pass); }
rect.review, path.review, circle.review { fill: var(--review); }
rect.reject, path.reject, circle.reject { fill: var(--reject); } circle.caught { fill: var(--caught); }
.other { stroke-width: 1; opacity: .7; }
ul.summary { color: var(--ink); font-size: 1.05rem; } dt { font-weight: 600; } dd { margin: 0 0 .4rem 1.2rem; }
.scaled > div { display: none; } .scaled > input.counts:checked ~ div.counts,
.scaled > input.logarithm:checked ~ div.logarithm { display: block; } .scaled label { margin-right: 1rem; }
.ribbon { opacity: .35; } .ribbon:hover { opacity: .7; }
"""


GLOSSARY = (
    ("pass, review, reject", "what becomes of a request: it goes on, a person looks, or it ends here"),
    ("settled", "nothing that is unknown could change the outcome"),
    ("unknown", "a field that was not given, did not arrive in time, or holds what it cannot hold"),
    ("frauds caught", "of the decisions that people labelled fraud, those that do not pass"),
    ("genuine ones turned away", "of the decisions that people labelled genuine, those that are rejected"),
    ("precision, fraud of labelled", "of the labelled decisions with an outcome or a rule, those that are fraud"),
    ("95% interval", "where the share lies that these rows are a sample of; Wilson's interval"),
    ("moves", "decisions that have another outcome than before"),
    ("decides, of a row of points", "decisions that lie in another band with its points than without them"),
    ("influence, of a threshold", "how far its settings move the share that does not pass, all else as it is"),
)


def page(study: Study, *, made: datetime | None = None) -> str:
    """Return the page. made: when, aware; left out of the page where it is None."""
    first = study.backtests[0]
    when = period(first)
    said = f"{first.rows:,} rows{f', {when}' if when else ''}, from {str(first.dataset.path).rpartition('/')[2]}"
    title = f"Backtest of {', '.join(study.titles)}"
    body = [f"<h1>{in_html(title)}</h1>", f'<p class="note">{in_html(said)}</p>', *_summaries(study), *_body(study)]
    body += [*_glossary(), *_made(study, made)]
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{in_html(title)}</title><style>{_STYLE}</style></head>\n<body>\n"
        + "\n".join(body)
        + "\n</body></html>\n"
    )


def _summaries(study: Study) -> Iterator[str]:
    for at, title in enumerate(study.titles):
        yield f"<h2>In short: {in_html(title)}</h2>"
        said = "".join(f"<li>{in_html(one[0].upper() + one[1:])}.</li>" for one in summary(study, at))
        yield f'<ul class="summary">{said}</ul>'


def _glossary() -> Iterator[str]:
    yield "<h2>Words</h2>"
    yield "<dl>" + "".join(f"<dt>{in_html(word)}</dt><dd>{in_html(said)}</dd>" for word, said in GLOSSARY) + "</dl>"


def _made(study: Study, made: datetime | None) -> Iterator[str]:
    policies = "; ".join(
        f"{title}: {one.policy.typed.source.name}, digest {one.policy.digest[:12]}"
        for title, one in zip(study.titles, study.backtests, strict=True)
    )
    when = f"Made {made.astimezone(UTC):%Y-%m-%d %H:%M} UTC by adjudge {version('adjudge')}. " if made else ""
    yield f'<p class="note">{in_html(f"{when}Data: {study.backtests[0].dataset.path}. Policies: {policies}.")}</p>'


def _body(study: Study) -> Iterator[str]:
    yield from _side_by_side(study)
    if study.by is not None:
        for at, title in enumerate(study.titles):
            yield f"<h2>{in_html(title)} by {in_html(study.by)}</h2>"
            yield _table(*segment_table(study, at))
    trend = plots.over_time(study.titles, study.backtests)
    if trend is not None:
        dashes = (
            "" if len(study.titles) == 1 else f" Whole lines: {study.titles[0]}; dashed: {', '.join(study.titles[1:])}."
        )
        yield "<h2>Over time</h2>"
        yield _figure(trend, f"The shares of rows that are reviewed and rejected.{dashes}")
    for moves in study.moves:
        yield f"<h2>{in_html(moves.before)} → {in_html(moves.after)}</h2>"
        yield _figure(plots.flow(moves), "Every row by its outcome before and after.")
        yield _matrix(moves)
        if causes := most(moves.rules, moves.scorecard):
            yield _table([MOVED_BY.rstrip(":"), "rows"], [[cause, f"{rows:,}"] for cause, rows in causes[:RULES_MAX]])
    for at, title in enumerate(study.titles):
        yield f"<h2>Rules of {in_html(title)}</h2>"
        yield _rules(study, at)
        for card in study.backtests[at].cards:
            yield f"<h3>{in_html(card.label)} of {in_html(title)}</h3>"
            if card.totals:
                yield _figure(
                    plots.totals(card), f"Decisions by total: {totals_said(card)}. Dashed: where a band begins."
                )
            yield _table(*points_table(card, study.backtests[at].rows))
    if study.plotted:
        yield f"<h2>Thresholds of {in_html(study.titles[-1])}</h2>"
        if study.left_out:
            yield f'<p class="note">{study.left_out} more thresholds are not drawn.</p>'
        yield '<p class="note">Those that move most decisions come first.</p>'
        for number, plotted in enumerate(study.plotted):
            shape = plotted.histogram
            yield f"<h3>{in_html(shape.slot)}</h3>"
            said = f"Rows by value, unknown on {shape.unknown:,}; dashed: the thresholds that stand."
            yield _scaled(number, shape, plotted.curves, said)
            for threshold, settings in plotted.curves.items():
                others = plotted.others.get(threshold, {})
                said = (
                    f"{threshold.name}, turned alone: the shares of all decisions and of known frauds that do not pass."
                )
                said += f" Thin: {', '.join(others)}." if others else ""
                yield _figure(plots.trade_off(threshold, settings, others), said)


def _scaled(number: int, shape: Histogram, thresholds: Collection[TunableThreshold], said: str) -> str:
    """Return a distribution with a choice between counts and their logarithms, which needs no script."""
    parts = []
    for name, is_log in (("counts", False), ("logarithm", True)):
        key = f"scale{number}-{name}"
        checked = "" if is_log else " checked"
        parts.append(f'<input type="radio" name="scale{number}" id="{key}" class="{name}"{checked}>')
        parts.append(f'<label for="{key}">{name}</label>')
    drawn = "".join(
        f'<div class="{name}">{plots.distribution(shape, list(thresholds), is_log=is_log)}</div>'
        for name, is_log in (("counts", False), ("logarithm", True))
    )
    return f'<figure class="scaled">{"".join(parts)}{drawn}<figcaption>{in_html(said)}</figcaption></figure>'


def _figure(svg: str, said: str) -> str:
    return f"<figure>{svg}<figcaption>{in_html(said)}</figcaption></figure>"


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    def row(cells: Sequence[str], tag: str) -> str:
        return "<tr>" + "".join(f"<{tag}>{in_html(cell)}</{tag}>" for cell in cells) + "</tr>"

    return f'<div class="wide"><table>{row(head, "th")}{"".join(row(one, "td") for one in rows)}</table></div>'


def _side_by_side(study: Study) -> Iterator[str]:
    for at, title in enumerate(study.titles):
        measures = study.measures[at]
        currency = study.backtests[at].dataset.currency or ""
        has_cost = any(one.costed for one in measures.outcomes.values())
        yield f"<h2>{in_html(title)}</h2>"
        doubt = study.doubts[at]
        if doubt is not None:
            yield f'<p class="headline">{in_html(headline(doubt))}</p>'
        head = [
            "",
            "rows",
            "share",
            "fraud",
            "genuine",
            "no label",
            *([f"cost {currency}".strip()] if has_cost else []),
        ]
        rows = []
        for outcome in OUTCOMES:
            one = measures.outcomes[outcome]
            share = percent(Ratio(one.rows, measures.rows).share)
            cells = [outcome.value, f"{one.rows:,}", share, f"{one.fraud:,}", f"{one.genuine:,}", f"{one.unlabelled:,}"]
            rows.append([*cells, *([f"{one.cost:,.2f}"] if has_cost else [])])
        yield _table(head, rows)
        yield "<ul>" + "".join(f"<li>{in_html(one.strip())}</li>" for one in remarks(study, at)) + "</ul>"


def _matrix(moves: Moves) -> str:
    rows = [[old.value, *(f"{moves.rows.get((old, new), 0):,}" for new in OUTCOMES)] for old in OUTCOMES]
    return _table(["", *(f"→ {new}" for new in OUTCOMES)], rows)


def _rules(study: Study, at: int) -> str:
    backtest = study.backtests[at]
    found = sorted(backtest.rules, key=lambda rule: -rule.true)
    rows = []
    for rule in found[:RULES_MAX]:
        share, known = Ratio(rule.true, backtest.rows), Ratio(rule.fraud, rule.fraud + rule.genuine)
        precision = f"{percent(known.share)} of {known.of:,}" if known.of else "–"
        rows.append(
            [rule.id, rule.outcome.value, f"{rule.true:,}", percent(share.share), f"{rule.unknown:,}", precision]
        )
    said = _table(["rule", "outcome", "true", "share", "unknown", "fraud, of labelled"], rows)
    more = [f"{len(found) - RULES_MAX} rules are true less often."] if len(found) > RULES_MAX else []
    more += (
        [f"True together, of {backtest.overlap_rows:,} rows: {'; '.join(pairs(backtest))}."] if pairs(backtest) else []
    )
    return said + "".join(f'<p class="note">{in_html(one)}</p>' for one in more)
