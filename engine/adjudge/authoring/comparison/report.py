"""A comparison as a person reads it: text for a terminal, Markdown for a pull request, data for programs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from adjudge.authoring.comparison import traffic_report
from adjudge.authoring.comparison.reasons import OtherReasons
from adjudge.authoring.comparison.regions import Comparison, Region
from adjudge.authoring.proofs.finding import given_text
from adjudge.authoring.proofs.world import Input
from adjudge.model import OUTCOMES, Outcome
from adjudge.policy.explaining.scorecard_moves import causes, data_of
from adjudge.replay.traffic import Traffic
from adjudge.texts import in_code, in_fence, in_markdown, lines_of, one_line
from adjudge.values.recorded import to_json

_SAYS = {
    "same": "no difference: both give every input the same outcome (proved)",
    "stricter": "stricter: where outcomes differ, the new policy's is the more severe one (proved)",
    "laxer": "laxer: where outcomes differ, the new policy's is the softer one (proved)",
    "both": "stricter on some inputs and laxer on others",
    "not proved": "not proved: some questions were not settled",
}


def summary(comparison: Comparison) -> str:
    """Return the one sentence."""
    return _SAYS[comparison.relation]


def text(comparison: Comparison, traffic: Traffic | None, failed: Sequence[str] = ()) -> str:
    """Return the comparison for a terminal. failed: gates, in words."""
    parts = [summary(comparison), *(one_line(f"note: {note}") for note in comparison.notes)]
    parts += [one_line(f"not proved: {question}") for question in comparison.open]
    for (old, new), regions in _by_outcome(comparison):
        lines = [f"{old} → {new}"]
        for region in regions:
            lines += [
                f"  {cause_of(region)}",
                f"    when {region.condition}",
                f"    such as {given_text(region.witness)}",
            ]
        parts.append(lines_of(lines))
    if comparison.is_cut:
        parts.append("there are more regions than are shown")
    if comparison.other_reasons is not None:
        parts.append(one_line(f"note: {_reasons(comparison.other_reasons)}"))
    if comparison.changes:
        parts.append(lines_of(["written differently:", *(f"  {change}" for change in comparison.changes)]))
    if traffic is not None:
        parts.append(lines_of(traffic_report.text(traffic)))
    parts += [one_line(f"gate failed: {gate}") for gate in failed]
    return "\n\n".join(parts)


def markdown(comparison: Comparison, traffic: Traffic | None, failed: Sequence[str] = ()) -> str:
    """Return the comparison for a pull request. failed: gates, in words."""
    names = f"{in_code(comparison.old.typed.source.name)} → {in_code(comparison.new.typed.source.name)}"
    parts = [f"### {in_markdown(comparison.new.name)}: {comparison.relation}", f"{names}: {summary(comparison)}."]
    if failed:
        parts.append("\n".join(f"> **gate failed:** {in_markdown(gate)}" for gate in failed))
    parts += [f"> not proved: {in_markdown(str(question))}" for question in comparison.open]
    parts += [f"> {in_markdown(note)}" for note in comparison.notes]
    if comparison.regions:
        rows = ["| from | to | cause | when | such as |", "|---|---|---|---|---|"]
        for region in comparison.regions:
            cells = (
                region.old,
                region.new,
                in_markdown(cause_of(region)),
                in_code(region.condition),
                in_code(given_text(region.witness)),
            )
            rows.append("| " + " | ".join(str(cell) for cell in cells) + " |")
        parts.append("\n".join(rows))
    if comparison.is_cut:
        parts.append("> there are more regions than are shown")
    if comparison.other_reasons is not None:
        parts.append(f"> {in_markdown(_reasons(comparison.other_reasons))}")
    if traffic is not None:
        parts += list(traffic_report.markdown(traffic))
    if comparison.changes:
        lines = in_fence(map(str, comparison.changes), "diff")
        parts.append(f"<details><summary>written differently</summary>\n\n{lines}\n\n</details>")
    return "\n\n".join(parts) + "\n"


def data(comparison: Comparison, traffic: Traffic | None, failed: Sequence[str] = ()) -> dict[str, object]:
    """Return the comparison as JSON has it. failed: gates, in words."""
    other = comparison.other_reasons
    return {
        "relation": comparison.relation,
        "open": [str(question) for question in comparison.open],
        "notes": list(comparison.notes),
        "regions": [
            {
                "old": region.old.value,
                "new": region.new.value,
                "cause": region.cause,
                "policy": "new" if region.is_new else "old",
                "twin": region.twin.value if region.twin is not None else None,
                "in_doubt": region.in_doubt,
                "condition": region.condition,
                "because": list(region.because),
                **data_of(region.scorecards),
                "place": region.place,
                "witness": _witness(region.witness),
            }
            for region in comparison.regions
        ],
        "regions_cut": comparison.is_cut,
        "other_reasons": other
        and {
            "outcome": other.outcome.value,
            "old": list(other.old),
            "new": list(other.new),
            "witness": _witness(other.witness),
        },
        "changes": [
            {"kind": change.kind, "what": change.rule, "old": change.old, "new": change.new}
            for change in comparison.changes
        ],
        "traffic": traffic_report.data(traffic) if traffic is not None else None,
        "failed_gates": list(failed),
    }


def _witness(found: Input) -> dict[str, object]:
    return {"given": to_json(found.given), "now": to_json(found.now)}


def _reasons(other: OtherReasons) -> str:
    old, new = ", ".join(other.old), ", ".join(other.new)
    return f"{other.outcome} can have other reasons: {old} → {new}, such as {given_text(other.witness)}"


def _by_outcome(comparison: Comparison) -> Iterator[tuple[tuple[Outcome, Outcome], list[Region]]]:
    for old in OUTCOMES:
        for new in OUTCOMES:
            regions = [region for region in comparison.regions if (region.old, region.new) == (old, new)]
            if regions:
                yield (old, new), regions


def cause_of(region: Region) -> str:
    """Say what makes the difference of a region."""
    if region.scorecards:
        return causes((), region.scorecards)
    doubt = " in doubt" if region.in_doubt else ""
    place = f" ({region.place})" if region.place is not None else ""
    because = f", as {' and '.join(region.because)} changed" if region.because else ""
    return f"{region.cause}{doubt} {_change(region)}{because}{place}"


def _change(region: Region) -> str:
    level = max(region.old, region.new)
    if region.twin is None:
        return "is new" if region.is_new else "is gone"
    if region.twin < level:
        return f"now says {level}, not {region.twin}" if region.is_new else f"now says {region.twin}, not {level}"
    return "now applies" if region.is_new else "no longer applies"
