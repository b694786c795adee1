"""A comparison as a person reads it: text for a terminal, Markdown for a pull request, data for programs."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal

from adjudge.authoring.comparison.regions import Comparison, Region
from adjudge.authoring.comparison.traffic import Side, Traffic, outcome_shares
from adjudge.authoring.proofs.finding import given_text
from adjudge.model import OUTCOMES, Outcome
from adjudge.recorded import to_json

_SAYS = {
    "same": "no difference: both say the same of every input (proved)",
    "stricter": "stricter: wherever they differ, the new policy says more (proved)",
    "laxer": "laxer: wherever they differ, the new policy says less (proved)",
    "both": "stricter on some inputs and laxer on others",
    "not proved": "not proved: a question was not settled in its time",
}


def summary(comparison: Comparison) -> str:
    """Return the one sentence."""
    return _SAYS[comparison.relation]


def text(comparison: Comparison, traffic: Traffic | None) -> str:
    """Return the comparison for a terminal."""
    parts = [summary(comparison), *(f"note: {note}" for note in comparison.notes)]
    parts += [f"not proved: {question}" for question in comparison.open]
    for (old, new), regions in _by_outcome(comparison):
        lines = [f"{old} → {new}"]
        for region in regions:
            lines += [
                f"  {_cause(region)}",
                f"    when {region.condition}",
                f"    such as {given_text(region.witness)}",
            ]
        parts.append("\n".join(lines))
    if comparison.is_cut:
        parts.append("there are more regions than are shown")
    if comparison.changes:
        parts.append("\n".join(["written differently:", *(f"  {change}" for change in comparison.changes)]))
    if traffic is not None:
        parts.append("\n".join(_traffic_text(traffic)))
    return "\n\n".join(parts)


def markdown(comparison: Comparison, traffic: Traffic | None, gates: list[str]) -> str:
    """Return the comparison for a pull request. gates: what failed, in words."""
    names = f"`{comparison.old.typed.source.name}` → `{comparison.new.typed.source.name}`"
    parts = [f"### {comparison.new.name}: {comparison.relation}", f"{names}: {summary(comparison)}."]
    if gates:
        parts.append("\n".join(f"> **gate failed:** {gate}" for gate in gates))
    parts += [f"> not proved: {question}" for question in comparison.open]
    parts += [f"> {note}" for note in comparison.notes]
    if comparison.regions:
        rows = ["| from | to | cause | when | such as |", "|---|---|---|---|---|"]
        for region in comparison.regions:
            cells = (region.old, region.new, _cause(region), _code(region.condition), _code(given_text(region.witness)))
            rows.append("| " + " | ".join(str(cell) for cell in cells) + " |")
        parts.append("\n".join(rows))
    if traffic is not None:
        parts += list(_traffic_markdown(traffic))
    if comparison.changes:
        lines = "\n".join(f"{change}" for change in comparison.changes)
        parts.append(f"<details><summary>written differently</summary>\n\n```diff\n{lines}\n```\n\n</details>")
    return "\n\n".join(parts) + "\n"


def data(comparison: Comparison, traffic: Traffic | None, gates: list[str]) -> dict[str, object]:
    """Return the comparison as JSON has it."""
    return {
        "relation": comparison.relation,
        "open": list(comparison.open),
        "notes": list(comparison.notes),
        "regions": [
            {
                "old": region.old.value,
                "new": region.new.value,
                "cause": region.cause,
                "policy": "new" if region.is_new else "old",
                "in_doubt": region.in_doubt,
                "condition": region.condition,
                "because": list(region.because),
                "place": region.line,
                "witness": {"given": to_json(region.witness.given), "now": to_json(region.witness.now)},
            }
            for region in comparison.regions
        ],
        "regions_cut": comparison.is_cut,
        "changes": [
            {"kind": change.kind, "what": change.rule, "old": change.old, "new": change.new}
            for change in comparison.changes
        ],
        "traffic": _traffic_data(traffic) if traffic is not None else None,
        "failed_gates": gates,
    }


def _by_outcome(comparison: Comparison) -> Iterator[tuple[tuple[Outcome, Outcome], list[Region]]]:
    for old in OUTCOMES:
        for new in OUTCOMES:
            regions = [region for region in comparison.regions if (region.old, region.new) == (old, new)]
            if regions:
                yield (old, new), regions


def _cause(region: Region) -> str:
    doubt = " in doubt" if region.in_doubt else ""
    verb = "now speaks" if region.is_new else "no longer speaks"
    place = f" ({region.line})" if region.line is not None else ""
    because = f", as {' and '.join(region.because)} changed" if region.because else ""
    return f"{region.cause}{doubt} {verb}{because}{place}"


def _code(said: str) -> str:
    return "`" + said.replace("|", "\\|").replace("`", "'") + "`"


def _traffic_text(traffic: Traffic) -> Iterator[str]:
    yield f"{_flipped(traffic)} would come out otherwise"
    yield ""
    yield f"  {'old':<8}" + "".join(f"{f'→ {new}':>10}" for new in OUTCOMES)
    for old in OUTCOMES:
        yield f"  {old:<8}" + "".join(f"{traffic.matrix[old, new] or '·':>10}" for new in OUTCOMES)
    yield ""
    for label, before, after in _figures(traffic):
        yield f"  {label:<24}{before:>14} → {after}"
    if traffic.moved_by:
        yield "\nrules that moved them (+ came, - went, ? in doubt):"
        yield from (f"  {count:>5}  {rule}" for rule, count in traffic.moved_by.most_common(12))
    for (old, new), flips in sorted(traffic.examples.items()):
        yield f"\n{old} → {new}, such as:"
        yield from (f"  record {one.seq}, decision {one.decision_id}  {' '.join(one.rules)}" for one in flips)
    yield from _limits(traffic)


def _flipped(traffic: Traffic) -> str:
    return f"{traffic.flips} of {traffic.decisions} logged decisions ({traffic.flip_share:.2%})"


def _traffic_markdown(traffic: Traffic) -> Iterator[str]:
    yield f"**{_flipped(traffic)} would come out otherwise.**"
    rows = ["| old \\ new | " + " | ".join(OUTCOMES) + " |", "|---" * 4 + "|"]
    rows += [
        f"| **{old}** | " + " | ".join(str(traffic.matrix[old, new]) for new in OUTCOMES) + " |" for old in OUTCOMES
    ]
    yield "\n".join(rows)
    figures = ["| | old | new |", "|---|---|---|"]
    figures += [f"| {label} | {before} | {after} |" for label, before, after in _figures(traffic)]
    yield "\n".join(figures)
    if traffic.examples:
        lines = [
            f"- {old} → {new}: decision `{one.decision_id}` (record {one.seq}): {_code(' '.join(one.rules))}"
            for (old, new), flips in sorted(traffic.examples.items())
            for one in flips
        ]
        yield "<details><summary>examples</summary>\n\n" + "\n".join(lines) + "\n\n</details>"
    limits = list(_limits(traffic))
    if limits:
        yield "\n".join(f"> {line.strip()}" for line in limits)


def _figures(traffic: Traffic) -> Iterator[tuple[str, str, str]]:
    sides = traffic.old, traffic.new
    for outcome in OUTCOMES:
        yield f"{outcome} share", *(f"{side.share(outcome):.2%}" for side in sides)  # type: ignore[misc]
    yield "reviews a day", *(f"{side.outcomes[Outcome.REVIEW] / traffic.days:.1f}" for side in sides)  # type: ignore[misc]
    yield "not settled", *(str(side.unsettled) for side in sides)  # type: ignore[misc]
    names = dict.fromkeys([*traffic.old.calls, *traffic.new.calls])
    for name in names:
        yield f"calls for {name}", *(str(side.calls[name]) for side in sides)  # type: ignore[misc]
    for currency in dict.fromkeys([*traffic.old.cost, *traffic.new.cost]):
        yield f"cost, {currency}", *(f"{side.cost.get(currency, Decimal(0)):.2f}" for side in sides)  # type: ignore[misc]


def _limits(traffic: Traffic) -> Iterator[str]:
    for reason, count in traffic.lost.most_common():
        yield f"\n{count} decisions cannot be told: {reason}"
    for name, count in traffic.new.untold.items():
        yield f"\n{count} times the new policy would have asked for `{name}`, whose answer the log does not hold"


def _traffic_data(traffic: Traffic) -> dict[str, object]:
    return {
        "decisions": traffic.decisions,
        "flips": traffic.flips,
        "flip_share": traffic.flip_share,
        "days": traffic.days,
        "matrix": {old.value: {new.value: traffic.matrix[old, new] for new in OUTCOMES} for old in OUTCOMES},
        "old": _side(traffic.old),
        "new": _side(traffic.new),
        "rules": dict(traffic.moved_by.most_common()),
        "examples": [
            {
                "seq": one.seq,
                "decision_id": one.decision_id,
                "merchant_biz_id": one.merchant_biz_id,
                "old": one.old.value,
                "new": one.new.value,
                "rules": list(one.rules),
            }
            for flips in traffic.examples.values()
            for one in flips
        ],
        "not_told": dict(traffic.lost),
    }


def _side(side: Side) -> dict[str, object]:
    return {
        "outcomes": {outcome.value: side.outcomes[outcome] for outcome in OUTCOMES},
        "shares": outcome_shares(side),
        "not_settled": side.unsettled,
        "hits": dict(side.hits.most_common()),
        "calls": dict(side.calls),
        "cost": {currency: str(amount) for currency, amount in side.cost.items()},
        "not_in_log": dict(side.untold),
    }
