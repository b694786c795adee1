"""Gates of runs over past decisions: `--fail-if 'review_share > 4%'`, with one grammar for every command.

A gate is a measure, `>`, `>=`, `<` or `<=`, and a number; shares may be written in per cent. It fails where that holds,
and where the measure cannot be told, for a gate that looks at nothing passes nothing.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Literal

from adjudge.errors import DataError, did_you_mean
from adjudge.frozen import frozen
from adjudge.model import Outcome
from adjudge.texts import about

if TYPE_CHECKING:
    from adjudge.replay.logs import ReplayTally
    from adjudge.replay.traffic import Traffic

Kind = Literal["share", "change", "number"]
"""A share is 0 to 1, a change of a share -1 to 1."""


@frozen
class Measure:
    """What a gate can look at. meaning: as the documentation says it."""

    name: str
    kind: Kind
    meaning: str


MEASURES: Mapping[str, Measure] = {
    one.name: one
    for one in (
        Measure("rows", "number", "rows, or decisions, that were looked at"),
        Measure("pass_share", "share", "of all rows, those that pass"),
        Measure("review_share", "share", "of all rows, those that go to review"),
        Measure("reject_share", "share", "of all rows, those that are rejected"),
        Measure("review_share_change", "change", "the share of reviews, less that of before"),
        Measure("reject_share_change", "change", "the share of rejects, less that of before"),
        Measure("reviews_per_day", "number", "reviews a day, from the first row's day to the last one's"),
        Measure("unsettled_share", "share", "of all rows, those that something unknown could change"),
        Measure("moved", "number", "rows with another outcome than before"),
        Measure("moved_share", "share", "of the rows with an outcome before, those with another one now"),
        Measure("frauds_missed", "number", "rows labelled fraud that pass"),
        Measure("frauds_missed_share", "share", "of the rows labelled fraud, those that pass"),
        Measure("frauds_missed_change", "number", "rows labelled fraud that pass, less those of before"),
        Measure("turned_away", "number", "rows labelled genuine that are rejected"),
        Measure("turned_away_share", "share", "of the rows labelled genuine, those that are rejected"),
        Measure("precision", "share", "of the labelled rows that do not pass, the frauds"),
        Measure("labelled_share", "share", "of all rows, those with a label"),
        Measure("cost", "number", "what the calls to providers cost, in the currency of the data"),
        Measure("cost_change", "number", "what they cost, less what they did before"),
        Measure("unreadable_cells", "number", "cells that cannot be read"),
        Measure("different", "number", "decisions that do not come out as recorded"),
        Measure("not_replayable", "number", "decisions that cannot be made again"),
    )
}
"""Before is the first policy where several are compared, else what was recorded."""

_GATE = re.compile(r"\s*([A-Za-z_]+)\s*(>=|<=|>|<)\s*([+-]?\d+(?:\.\d+)?)\s*(%?)\s*", re.ASCII)
_SIGNS = {">": operator.gt, ">=": operator.ge, "<": operator.lt, "<=": operator.le}

Values = Mapping[str, float | None]
"""What a run came to, by measure; None where that cannot be told."""


@frozen
class Gate:
    """What must not hold. bound: a share is 0 to 1."""

    measure: Measure
    sign: str
    bound: float
    text: str

    @classmethod
    def read(cls, text: str, known: Sequence[str]) -> Gate:
        """Read `review_share > 4%`. known: the measures of the command. Raises DataError."""
        said = _GATE.fullmatch(text)
        if said is None:
            hint = "write a measure, >, >=, < or <=, and a number: --fail-if 'review_share > 4%'"
            raise DataError(f"--fail-if {text}: this is no gate", hint)
        name, sign, number, percent = said.groups()
        if name not in known:
            hint = did_you_mean(name, known) or f"it has {', '.join(known)}"
            raise DataError(f"--fail-if {text}: there is no measure `{name}` here", hint)
        measure, bound = MEASURES[name], float(number)
        if measure.kind == "number" and percent:
            raise DataError(f"--fail-if {text}: `{name}` is a number, and no share", "write it without `%`")
        bound = bound / 100 if percent else bound
        low = -1 if measure.kind == "change" else 0
        if measure.kind != "number" and not low <= bound <= 1:
            raise DataError(f"--fail-if {text}: `{name}` is a share, {low} to 1", f"write {number}%, if that is meant")
        return cls(measure, sign, bound, text.strip())

    def failed(self, value: float | None) -> str | None:
        """Return why it fails; None where it does not."""
        name = self.measure.name
        if value is None:
            return f"`{name}` cannot be told: {_WHY.get(name, 'there is nothing to compare with')}"
        if not _SIGNS[self.sign](value, self.bound):
            return None
        return f"{name} is {self._said(value)}; it must not be {self.sign} {self._said(self.bound)}"

    def _said(self, value: float) -> str:
        return f"{value:.2%}" if self.measure.kind != "number" else about(value)


_WHY = dict.fromkeys(
    ("frauds_missed", "frauds_missed_share", "turned_away", "turned_away_share", "precision"), "no row has the label"
) | {"reviews_per_day": "the rows have no times", "cost": "no row has a cost, or they are in several currencies"}


OF_TRAFFIC = (
    "rows", "pass_share", "review_share", "reject_share", "review_share_change", "reject_share_change", "moved",
    "moved_share", "reviews_per_day", "unsettled_share", "cost", "cost_change",
)  # fmt: skip
"""The measures of `compare --log`."""
OF_REPLAY = (*OF_TRAFFIC[:8], "different", "not_replayable")
"""The measures of `replay`: of what the other policy decides, or else of what comes out."""


def values_of_traffic(traffic: Traffic) -> Values:
    """Return what two policies make of a log."""
    total = traffic.decisions
    found: dict[str, float | None] = {"rows": total, "moved": traffic.flips if total else None}
    if not total:
        return {**dict.fromkeys(OF_TRAFFIC), "rows": 0}
    for outcome in Outcome:
        found[f"{outcome}_share"] = traffic.new.share(outcome)
        found[f"{outcome}_share_change"] = traffic.new.share(outcome) - traffic.old.share(outcome)
    found |= {"moved_share": traffic.flip_share, "unsettled_share": traffic.new.unsettled_share}
    found["reviews_per_day"] = traffic.reviews_a_day(traffic.new)
    money = {*traffic.old.cost, *traffic.new.cost}
    before, after = (float(sum(side.cost.values())) if len(money) <= 1 else None for side in (traffic.old, traffic.new))
    found["cost"] = after
    found["cost_change"] = after - before if after is not None and before is not None else None
    return found


def values_of_replay(tally: ReplayTally, *, is_what_if: bool) -> Values:
    """Return what a replay came to. is_what_if: whether another policy decided."""
    found: dict[str, float | None] = dict.fromkeys(OF_REPLAY)
    found |= {"rows": tally.total, "not_replayable": tally.answers.get("not replayable", 0)}
    told = sum(cell.count for cell in tally.cells.values())
    if not is_what_if:
        return {**found, "different": tally.answers.get("different", 0)}
    if told:
        found |= {"moved": tally.changed, "moved_share": tally.changed / told}
        for outcome in Outcome:
            before, after = (
                sum(tally.count(*pair) for pair in pairs) / told
                for pairs in ([(outcome, one) for one in Outcome], [(one, outcome) for one in Outcome])
            )
            found[f"{outcome}_share"], found[f"{outcome}_share_change"] = after, after - before
    return found


def failed_gates(gates: Sequence[Gate], values: Values) -> tuple[str, ...]:
    """Return a sentence for each gate that fails."""
    found = (gate.failed(values[gate.measure.name]) for gate in gates)
    return tuple(one for one in found if one is not None)
