"""Decisions and calls as they were, from what records hold of them and the personal values that are still kept."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping

from msgspec import structs

from adjudge.audit.bodies import COMMITMENT, DecisionBody, restore_fields
from adjudge.audit.kinds import decode
from adjudge.audit.record import Record
from adjudge.plugin import CallBody


def decision_of(record: Record) -> DecisionBody:
    """Return what a decision's record holds. Raises AuditBroken."""
    return decode(DecisionBody, record.seq, record.body)


def commitments_of(body: DecisionBody | CallBody) -> list[str]:
    """Return the commitments that stand in the signals of a decision, or in the answer of a call."""
    if not body.personal:
        return []
    signals = body.signals if isinstance(body, DecisionBody) else {body.signal: body.answer}
    return [
        commitment
        for name, signal in signals.items()
        if signal is not None
        for commitment in _commitments(signal.fields, f"{name}.", body.personal)
    ]


def all_commitments_of(body: DecisionBody) -> list[str]:
    """Return the commitments that stand in a decision, those of its inputs among them."""
    return [*_commitments(body.inputs, "", body.personal), *commitments_of(body)] if body.personal else []


def with_values(call: CallBody, reveal: Callable[[str], object]) -> CallBody:
    """Return a call with the personal values of its answer; without the answer where one of them was erased."""
    if call.answer is None or not call.personal:
        return call
    fields, erased = restore_fields(call.answer.fields, f"{call.signal}.", call.personal, reveal)
    return structs.replace(call, answer=None if erased else structs.replace(call.answer, fields=fields))


def _commitments(fields: Mapping[str, object], prefix: str, personal: Collection[str]) -> Iterator[str]:
    """Yield the commitments among recorded fields. prefix: of full names."""
    for name, value in fields.items():
        if prefix + name in personal and isinstance(value, dict):
            yield str(value.get(COMMITMENT))
