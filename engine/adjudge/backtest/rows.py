"""Single rows of a backtest, for a person to look at: those that move, or those with one outcome."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import timedelta

from adjudge.backtest.dataset import Dataset
from adjudge.backtest.run import Runner
from adjudge.model import OUTCOMES
from adjudge.policy.slots import NOW
from adjudge.policy.typed import TypedPolicy
from adjudge.values.literals import format_duration
from adjudge.values.types import BOOL, DATE, DOUBLE, DURATION, INT, TIMESTAMP, ListType, SetType, Type, is_text

FIRST = {
    "id": "text", "at": "time", "label": "text", "cost": "number", "before": "text", "after": "text", "lower": "text",
    "upper": "text", "matched": "texts", "in_doubt": "texts", "came": "texts", "went": "texts",
}  # fmt: skip
"""The columns that every row has, with their kinds; behind them are the policy's fields.

came, went: rules that hold now and did not before, and the other way round; with `?` where they are in doubt.
"""


def fields_of(policy: TypedPolicy, dataset: Dataset) -> Mapping[str, str]:
    """Return the fields that rows are shown with, and their kinds: what the policy reads and the data has.

    Personal ones are left out, and so are maps, whose entries stand there.
    """
    read = frozenset().union(*map(policy.reads.slots, policy.conditions))
    found = {}
    for slot, declared in policy.slots.items():
        kind = _kind(declared.type)
        if slot in read and slot != NOW and kind and not declared.personal and not dataset.lacks(slot):
            found[slot] = kind
    return found


def _kind(type_: Type) -> str:
    if isinstance(type_, SetType) or (isinstance(type_, ListType) and is_text(type_.item)):
        return "texts"
    return {BOOL: "bool", INT: "int", DOUBLE: "number", TIMESTAMP: "time"}.get(type_) or (
        "text" if is_text(type_) or type_ in (DURATION, DATE) else ""
    )


def single_rows(runner: Runner, before: Runner | None, which: str) -> Iterator[list[object]]:
    """Yield the cells of rows, in the order of the data: `FIRST`, then `fields_of`.

    before: the policy that this one is held against; None for what was recorded. which: `moved`, `all` or an outcome.
    """
    policy, dataset = runner.policy.typed, runner.dataset
    fields = fields_of(policy, dataset)
    durations = [at for at, slot in enumerate(fields) if policy.slots[slot].type == DURATION]
    days = [at for at, slot in enumerate(fields) if policy.slots[slot].type == DATE]
    ids, olds = runner.sql.ids, before.sql.ids if before is not None else ()
    for id_, at, label, cost, old, new, lower, upper, *rest in runner.single(before, list(fields), which):
        answers, rest = rest[: len(ids)], rest[len(ids) :]
        earlier, cells = rest[: len(olds)], rest[len(olds) :]
        now = _names(ids, answers)
        then = _names(olds, earlier)
        for place in durations:
            if cells[place] is not None:
                cells[place] = format_duration(timedelta(microseconds=cells[place]))
        for place in days:
            if cells[place] is not None:
                cells[place] = cells[place].isoformat()
        is_told = before is not None and old != new
        yield [
            id_,
            at,
            label,
            cost,
            OUTCOMES[old].value if old is not None else None,
            OUTCOMES[new].value,
            OUTCOMES[lower].value,
            OUTCOMES[upper].value,
            [one for one, answer in zip(ids, answers, strict=True) if answer],
            [one for one, answer in zip(ids, answers, strict=True) if answer is None],
            [one for one in now if one not in then] if is_told else None,
            [one for one in then if one not in now] if is_told else None,
            *cells,
        ]


def _names(ids: tuple[str, ...], answers: list[object]) -> list[str]:
    """Return rules that are true, and those in doubt with `?`."""
    said = zip(ids, answers, strict=True)
    return [name if answer else f"{name}?" for name, answer in said if answer or answer is None]
