"""The main cause of doubt, where there is one: the field for want of which most rows go to review."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from adjudge.backtest.dataset import Dataset
from adjudge.backtest.measures import Ratio
from adjudge.backtest.run import Runner, VerdictCount
from adjudge.frozen import frozen
from adjudge.model import Outcome
from adjudge.policy.slots import NOW
from adjudge.policy.typed import TypedPolicy

DOUBTED_MIN = 0.2
"""So great a share of the reviews must come from doubt about one field, and `CAUSE_MIN` of those from any doubt."""
CAUSE_MIN = 0.5


@frozen(kw_only=True)
class MainDoubt:
    """Most of the reviews that come from doubt come from one field, or from several of one signal that lack together.

    name: the field, or the signal. reviews: rows that go to review because a rule that reads it is in doubt, of all
    that go to review. unknown: rows in which it is unknown, of all. why: what the data have instead.
    """

    name: str
    reviews: Ratio
    unknown: Ratio
    why: str


def main_doubt(runner: Runner, dataset: Dataset, cells: Sequence[VerdictCount]) -> MainDoubt | None:
    """Find the main cause of doubt in a backtest; None where doubt is rare, or has many causes."""
    reviews = sum(cell.rows for cell in cells if cell.outcome is Outcome.REVIEW)
    doubted = sum(cell.rows for cell in cells if cell.outcome is Outcome.REVIEW and cell.lower is not Outcome.REVIEW)
    if not doubted or doubted < DOUBTED_MIN * reviews:
        return None
    policy = runner.policy.typed
    readers = _readers(policy)
    found = runner.doubts(readers)
    most = max((by_doubt for by_doubt, _ in found.values()), default=0)
    if most < max(CAUSE_MIN * doubted, DOUBTED_MIN * reviews):
        return None
    causes = [slot for slot, (by_doubt, _) in found.items() if by_doubt == most]
    slot = causes[0]
    rows = sum(cell.rows for cell in cells)
    owner = policy.parts[slot].owner
    are_one = len(causes) > 1 and owner and all(policy.parts[one].owner == owner for one in causes)
    return MainDoubt(
        name=owner if are_one else slot,
        reviews=Ratio(most, reviews),
        unknown=Ratio(found[slot][1], rows),
        why=_why(policy, dataset, slot),
    )


def _readers(policy: TypedPolicy) -> Mapping[str, Sequence[int]]:
    """Return the conditions that read each slot, by their numbers."""
    found: dict[str, list[int]] = {}
    for at, node in enumerate(policy.conditions):
        for slot in sorted(policy.reads.slots(node)):
            found.setdefault(slot, []).append(at)
    return found


def _why(policy: TypedPolicy, dataset: Dataset, slot: str) -> str:
    if dataset.lacks(slot):
        return "no such time" if slot == NOW else "no such column"
    for one in dataset.unreadable:
        if one.column == dataset.named.get(slot):
            cells = f"{one.count:,} cells" + (f" such as `{one.examples[0][0]}`" if one.examples else "")
            return f"{cells} cannot be read"
    return "its cells are empty"
