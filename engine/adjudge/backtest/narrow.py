"""Decisions as an export reads them: of the fields of inputs and signals only those that have a column.

Half of the time that it takes to decode a record goes into dicts of its fields. Here fields are members of structs,
which are made for the policies of a log; other fields are passed over.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC
from typing import Any

import msgspec
from msgspec.structs import astuple

from adjudge.audit.bodies import DecisionBody
from adjudge.audit.kinds import Block, is_amount
from adjudge.backtest.table import Columns
from adjudge.model import Signal


class Narrow:
    """Decodes decisions of some policies."""

    def __init__(self, columns: Iterable[Columns]) -> None:
        """columns: of every policy that may have made one."""
        inputs: dict[str, None] = {}
        signals: dict[str, dict[str, None]] = {}
        for one in columns:
            inputs |= dict.fromkeys(one.names(one.inputs))
            for name, fields in one.signals.items():
                signals[name] = {**signals.get(name, {}), **dict.fromkeys(one.names(fields))}
        told = {name: _like(Signal, fields=_struct(dict.fromkeys(names, Any), None)) for name, names in signals.items()}
        held = _struct({name: one | msgspec.UnsetType for name, one in told.items()}, msgspec.UNSET)
        row = _like(DecisionBody, inputs=_struct(dict.fromkeys(inputs, Any), None), signals=held)
        self._decoder = msgspec.json.Decoder(row)

    def decode(self, block: Block) -> Sequence[Any]:
        """Return decisions as structs that have the members of a DecisionBody, for `Columns.table`.

        Where one may not be valid they are DecisionBody, whose reader says what is wrong. Raises AuditBroken.
        """
        try:
            rows: list[Any] = self._decoder.decode_lines(block.lines)
        except (msgspec.DecodeError, RecursionError, ValueError, OverflowError):
            rows = []
        if len(rows) == len(block.seqs) and all(map(_is_sound, rows)):
            return rows
        return block.decode(DecisionBody)


def _is_sound(row: Any) -> bool:
    amounts = [*row.cost.values(), *(one.price for one in astuple(row.signals) if one is not msgspec.UNSET)]
    return row.at.tzinfo is UTC and all(map(is_amount, amounts))


def _struct(members: dict[str, Any], empty: object) -> Any:
    """Make a class of members with any names. empty: what one is that is left out."""
    names = {f"member_{at}": name for at, name in enumerate(members)}
    fields = [(python, members[name], empty) for python, name in names.items()]
    return msgspec.defstruct("Members", fields, rename=names, frozen=True, gc=False)


def _like(model: type[msgspec.Struct], **others: Any) -> Any:
    """Make a class with the members of a model, some of which are of another type."""
    members: list[tuple[str, Any] | tuple[str, Any, Any]] = []
    for one in msgspec.structs.fields(model):
        type_ = others.get(one.name, one.type)
        if one.required:
            members.append((one.name, type_))
        elif one.name in others:
            members.append((one.name, type_, type_()))
        elif one.default is not msgspec.NODEFAULT:
            members.append((one.name, type_, one.default))
        else:
            members.append((one.name, type_, msgspec.field(default_factory=one.default_factory)))
    return msgspec.defstruct(model.__name__, members, kw_only=True, frozen=True, gc=False)
