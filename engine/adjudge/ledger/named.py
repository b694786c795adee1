"""The newest record of each kind and name, which says how something stands that moves: a rollout, for instance.

Each record says which one of its name it is, so the newest is known wherever they come from, in whatever order.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import MappingProxyType

import msgspec

from adjudge.audit.record import Record
from adjudge.errors import Overtaken, RequestError
from adjudge.patterns import late
from adjudge.plugin import BY_NAME, NAMED, NamedBody, NamedRecord

_NAME = late("[A-Za-z0-9._-]{1,64}")
_decoder = msgspec.json.Decoder(NamedBody)


class Named:
    """The newest records that one process knows."""

    def __init__(self, records: Iterable[Record] = ()) -> None:
        """records: of NAMED kinds, in any order; those without a name and a number are passed over."""
        self._found: dict[str, dict[str, NamedRecord]] = {kind: {} for kind in NAMED}
        for record in records:
            if (named := named_record(record)) is not None:
                self.add(named)

    def add(self, record: NamedRecord) -> NamedRecord:
        """Take a record in, if there is no newer one, and return it."""
        known = self._found[record.kind].get(record.name)
        if known is None or known.number < record.number:
            self._found[record.kind][record.name] = record
        return record

    def require_next(self, kind: str, record: NamedBody) -> None:
        """Raise Overtaken unless a record would be the next one of its name."""
        require_next(kind, record, self._found[kind].get(record.name))

    def newest(self, kind: str) -> Mapping[str, NamedRecord]:
        """Return the newest record of each name of a kind, as they stand now."""
        return MappingProxyType(dict(self._found[kind]))

    def count(self, kind: str) -> int:
        """Return how many records of a kind there are or were."""
        return sum(record.number for record in self._found[kind].values())


def require_next(kind: str, record: NamedBody, newest: NamedRecord | None) -> None:
    """Raise Overtaken unless a record would be the next one of its name. newest: of that name."""
    if record.number != (1 if newest is None else newest.number + 1):
        raise overtaken(kind, record.name)


def in_order(records: Iterable[NamedRecord]) -> tuple[NamedRecord, ...]:
    """Return the records of one name by their numbers, each once."""
    found = {record.number: record for record in records}
    return tuple(found[number] for number in sorted(found))


def named_record(record: Record) -> NamedRecord | None:
    """Return a record of the log as a named one; None where it has no name and number."""
    try:
        body = _decoder.decode(record.body)
    except msgspec.DecodeError:
        return None
    return NamedRecord(kind=record.kind, name=body.name, number=body.number, line=record.line)


def check_named(kind: str, record: NamedBody) -> None:
    """Raise RequestError for a kind that is not named, or a name that a record cannot have."""
    if kind not in (*NAMED, *BY_NAME):
        raise RequestError(f"must be {' or '.join((*NAMED, *BY_NAME))}", where="kind")
    if not _NAME.fullmatch(record.name):
        raise RequestError("must have 1 to 64 letters, digits, `.`, `_` and `-`", where="name")


def overtaken(kind: str, name: str) -> Overtaken:
    """Return what to raise where a number is not the next one."""
    return Overtaken(f"somebody else has written the next {kind} record of `{name}`: look at it, and try again")
