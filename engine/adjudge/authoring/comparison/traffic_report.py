"""What two policies make of a log, as a person reads it, and as data."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from decimal import Decimal

from adjudge.model import OUTCOMES
from adjudge.policy.explaining.scorecard_moves import MOVED_BY, causes, data_of, most
from adjudge.policy.slices import title_of
from adjudge.replay.segment_report import segment_data, segment_lines
from adjudge.replay.slices import told_segments
from adjudge.replay.traffic import Traffic
from adjudge.replay.what_if import Side
from adjudge.texts import in_code, in_markdown

RULES_MAX = 12
"""How many rules of a log a person is shown."""


def text(traffic: Traffic) -> Iterator[str]:
    """Yield the lines for a terminal."""
    yield f"{_flipped(traffic)} would change"
    yield ""
    yield f"  {'old':<8}" + "".join(f"{f'→ {new}':>10}" for new in OUTCOMES)
    for old in OUTCOMES:
        yield f"  {old:<8}" + "".join(f"{traffic.matrix[old, new] or '·':>10}" for new in OUTCOMES)
    yield ""
    for label, before, after in _figures(traffic):
        yield f"  {label:<24}{before:>14} → {after}"
    if traffic.by is not None:
        yield ""
        yield from segment_lines(traffic.by, traffic.segments, has_moved=True)
    moved = traffic.hits_moved()
    if moved:
        yield ""
        yield "rules that hold more or less often:"
        yield from (f"  {before:>7} → {after:<7} {rule}" for rule, before, after in moved[:RULES_MAX])
    moved_by = most(traffic.moved_by, traffic.moved_by_scorecard)
    if moved_by:
        yield ""
        yield MOVED_BY
        yield from (f"  {count:>7}  {cause}" for cause, count in moved_by[:RULES_MAX])
    for (old, new), flips in sorted(traffic.examples.items()):
        yield ""
        yield f"{old} → {new}, such as:"
        for one in flips:
            yield f"  record {one.seq}, MerchantBizId {one.merchant_biz_id}, decision {one.decision_id}"
            yield f"    {causes(one.rules, one.scorecards)}"
    for line in _limits(traffic):
        yield ""
        yield line


def _flipped(traffic: Traffic) -> str:
    return f"{traffic.flips} of {traffic.decisions} logged decisions ({traffic.flip_share:.2%})"


def markdown(traffic: Traffic) -> Iterator[str]:
    """Yield the paragraphs for a pull request, without any MerchantBizId."""
    yield f"**{_flipped(traffic)} would change.**"
    rows = ["| old \\ new | " + " | ".join(OUTCOMES) + " |", "|---" * 4 + "|"]
    rows += [
        f"| **{old}** | " + " | ".join(str(traffic.matrix[old, new]) for new in OUTCOMES) + " |" for old in OUTCOMES
    ]
    yield "\n".join(rows)
    figures = ["| | old | new |", "|---|---|---|"]
    figures += [f"| {in_markdown(label)} | {before} | {after} |" for label, before, after in _figures(traffic)]
    yield "\n".join(figures)
    if traffic.by is not None:
        lines = [f"| {in_markdown(traffic.by)} | decisions | " + " | ".join(OUTCOMES) + " | moved |", "|---" * 6 + "|"]
        for value, others, one in told_segments(traffic.segments):
            shares = " | ".join(f"{one.count(new=outcome) / one.total:.2%}" for outcome in OUTCOMES)
            lines.append(f"| {in_code(title_of(value, others))} | {one.total} | {shares} | {one.moved} |")
        yield "\n".join(lines)
    moved = traffic.hits_moved()
    if moved:
        lines = ["| rule holds | old | new |", "|---|---|---|"]
        lines += [f"| {in_code(rule)} | {before} | {after} |" for rule, before, after in moved[:RULES_MAX]]
        yield "<details><summary>rules</summary>\n\n" + "\n".join(lines) + "\n\n</details>"
    moved_by = most(traffic.moved_by, traffic.moved_by_scorecard)
    if moved_by:
        lines = ["| what moved them | decisions |", "|---|---|"]
        lines += [f"| {in_code(cause)} | {count} |" for cause, count in moved_by[:RULES_MAX]]
        yield "\n".join(lines)
    if traffic.examples:
        lines = [
            f"- {old} → {new}: decision `{one.decision_id}` (record {one.seq}): "
            + in_code(causes(one.rules, one.scorecards))
            for (old, new), flips in sorted(traffic.examples.items())
            for one in flips
        ]
        yield "<details><summary>examples</summary>\n\n" + "\n".join(lines) + "\n\n</details>"
    yield from (f"> {in_markdown(line)}" for line in _limits(traffic))


def _figures(traffic: Traffic) -> Iterator[tuple[str, str, str]]:
    old, new = traffic.old, traffic.new
    for outcome in OUTCOMES:
        yield f"{outcome} share", f"{old.share(outcome):.2%}", f"{new.share(outcome):.2%}"
    yield "reviews a day", f"{traffic.reviews_a_day(old):.1f}", f"{traffic.reviews_a_day(new):.1f}"
    yield "not settled", f"{old.unsettled_share:.2%}", f"{new.unsettled_share:.2%}"
    names = dict.fromkeys([*old.calls, *new.calls])
    for name in names:
        yield f"calls for {name}", str(old.calls[name]), str(new.calls[name])
    for currency in dict.fromkeys([*old.cost, *new.cost]):
        before, after = (side.cost.get(currency, Decimal(0)) for side in (old, new))
        yield f"cost, {currency}", f"{before:.2f}", f"{after:.2f}"


def _limits(traffic: Traffic) -> Iterator[str]:
    if traffic.sliced is not None:
        yield f"slice {traffic.sliced}"
    for reason, count in traffic.lost.most_common():
        yield f"left out, because it cannot be compared: {reason} ({count})"
    if traffic.unlike:
        yield f"in the log with another outcome than the old policy gives: {traffic.unlike}"
    for which, side in (("old", traffic.old), ("new", traffic.new)):
        for name, count in side.untold.items():
            yield f"unknown here: `{name}`, for which the {which} policy would have asked and the log did not ({count})"


def data(traffic: Traffic) -> dict[str, object]:
    """Return it as JSON has it."""
    return {
        "decisions": traffic.decisions,
        "flips": traffic.flips,
        "flip_share": traffic.flip_share,
        "days": traffic.days,
        "reviews_a_day": {"old": traffic.reviews_a_day(traffic.old), "new": traffic.reviews_a_day(traffic.new)},
        "matrix": {old.value: {new.value: traffic.matrix[old, new] for new in OUTCOMES} for old in OUTCOMES},
        "old": _side(traffic.old),
        "new": _side(traffic.new),
        "rules": dict(traffic.moved_by.most_common()),
        "scorecard": dict(traffic.moved_by_scorecard.most_common()),
        "examples": [
            {
                "seq": one.seq,
                "decision_id": one.decision_id,
                "merchant_biz_id": one.merchant_biz_id,
                "old": one.old.value,
                "new": one.new.value,
                "rules": list(one.rules),
                **data_of(one.scorecards),
            }
            for flips in traffic.examples.values()
            for one in flips
        ],
        "not_told": dict(traffic.lost),
        "unlike_the_log": traffic.unlike,
        "slice": asdict(traffic.sliced) if traffic.sliced is not None else None,
        "by": traffic.by,
        "segments": segment_data(traffic.segments),
    }


def _side(side: Side) -> dict[str, object]:
    return {
        "outcomes": {outcome.value: side.outcomes[outcome] for outcome in OUTCOMES},
        "shares": {outcome.value: side.share(outcome) for outcome in OUTCOMES},
        "not_settled": side.unsettled,
        "not_settled_share": side.unsettled_share,
        "hits": dict(side.hits.most_common()),
        "calls": dict(side.calls),
        "cost": {currency: str(amount) for currency, amount in side.cost.items()},
        "not_in_log": dict(side.untold),
    }
