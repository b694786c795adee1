"""The one reader of what records hold: which body a kind has, and a log's records as what they are.

Everybody who reads a log does so through `records` or `bodies`, and so all do alike: a last line that its writer has
not finished is left to the writer, a log in which there is nothing is an error, and a record that verifies and yet is
not of its kind is one error with its number.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from functools import cache
from typing import TypeVar, cast, overload

import msgspec

from adjudge.audit.activation import ActivationBody
from adjudge.audit.annotations import ErasureBody, LabelBody
from adjudge.audit.bodies import DecisionBody, PolicyBody
from adjudge.audit.checkpoints import CheckpointBody
from adjudge.audit.closed import ArchiveBody, SegmentBody
from adjudge.audit.elsewhere import AnyLog, named, newest_elsewhere, read_elsewhere
from adjudge.audit.proposals import PROPOSAL, ProposalBody
from adjudge.audit.read import UnfinishedLine, read, tail
from adjudge.audit.record import Record, parse
from adjudge.audit.reviews import REVIEW, ReviewBody
from adjudge.audit.rollouts import ROLLOUT, TALLY, RolloutBody, TallyBody
from adjudge.audit.verify import LogPath
from adjudge.errors import AuditBroken, NothingRead
from adjudge.frozen import frozen
from adjudge.plugin import CallBody

KINDS: Mapping[str, type[msgspec.Struct]] = {
    "policy": PolicyBody,
    "call": CallBody,
    "decision": DecisionBody,
    "checkpoint": CheckpointBody,
    "label": LabelBody,
    "erasure": ErasureBody,
    "segment": SegmentBody,
    "archive": ArchiveBody,
    "activation": ActivationBody,
    ROLLOUT: RolloutBody,
    TALLY: TallyBody,
    PROPOSAL: ProposalBody,
    REVIEW: ReviewBody,
}
"""What a record of each kind holds. A kind that is not here is of a later version, and is passed over."""

_MOST = 10**15
"""Less money than this is in any record."""

_KIND_OF = {body: kind for kind, body in KINDS.items()}
_Body = TypeVar("_Body", bound=msgspec.Struct)
_Other = TypeVar("_Other", bound=msgspec.Struct)


def decode(body: type[_Body], seq: int, members: bytes) -> _Body:
    """Return a record's own members as its kind has them. Raises AuditBroken with the record's number."""
    try:
        found = _decoder(body).decode(members)
        _check(found)
    except (msgspec.DecodeError, RecursionError, ValueError, OverflowError) as error:
        raise AuditBroken(f"record {seq} is not a valid {_KIND_OF[body]}: {error}") from None
    return cast(_Body, found)


@cache
def _decoder(body: type[_Body]) -> msgspec.json.Decoder[_Body]:
    return msgspec.json.Decoder(body)


@frozen
class Block:
    """Records of one kind that were read, in a form that is soon sent to another process and soon decoded.

    seqs: their positions in the log. lines: their lines, one after another.
    """

    seqs: Sequence[int]
    lines: bytes

    @classmethod
    def of(cls, found: Sequence[Record]) -> Block:
        """Put records together."""
        return cls([record.place.position for record in found], b"".join([record.line for record in found]))

    def decode(self, body: type[_Body]) -> list[_Body]:
        """Return what each record holds, in order; as `decode`, which says what is wrong with one that is not valid."""
        found: list[_Body] = []
        try:
            found = _decoder(body).decode_lines(self.lines)  # the chain's members are none of the body's
            for one in found:
                _check(one)
        except (msgspec.DecodeError, RecursionError, ValueError, OverflowError):
            found = []
        if len(found) == len(self.seqs):
            return found
        lines = self.lines.split(b"\n")
        return [decode(body, seq, parse(line + b"\n").body) for seq, line in zip(self.seqs, lines, strict=False)]


def _check(found: msgspec.Struct) -> None:
    """Raise ValueError or OverflowError for what has the right type, and yet cannot be reckoned with."""
    at = getattr(found, "at", None)
    if isinstance(at, datetime) and at.tzinfo is not UTC:
        if at.tzinfo is None:
            raise ValueError("its time has no zone - at `$.at`")
        at.astimezone(UTC)
    if isinstance(found, DecisionBody):
        for amount in found.cost.values():
            _check_amount(amount)
        for signal in found.signals.values():
            if signal.price:
                _check_amount(signal.price)
    elif isinstance(found, CallBody):
        _check_amount(found.price)


def is_amount(amount: Decimal) -> bool:
    """Whether a price or cost can be reckoned with."""
    return not amount or (amount.is_finite() and abs(amount) < _MOST)


def _check_amount(amount: Decimal) -> None:
    if not is_amount(amount):
        raise ValueError("its price or cost is not an amount of money")


def body_of(path: AnyLog, record: Record) -> msgspec.Struct | None:
    """Return what a record of a log holds; None where its kind is of a later version. Raises AuditBroken."""
    body = KINDS.get(record.kind)
    try:
        return decode(body, record.seq, record.body) if body is not None else None
    except AuditBroken as error:
        raise AuditBroken(f"{_where(path, record)}: {error}") from None


def _where(path: AnyLog, record: Record) -> str:
    return str(path) if isinstance(path, LogPath) else named(path, record.chain)


def records(path: AnyLog, *, newest: int | None = None) -> Iterator[Record]:
    """Read a log's finished records in order, of which a folder or one file may be named; or only the newest ones.

    Those of several chains come as they were committed.

    Raises AuditUnavailable; NothingRead where there is no record; AuditBroken, after all records before it, at one
    that does not verify.
    """
    is_empty, is_torn = True, False
    try:
        for record in _found(path, newest):
            is_empty = False
            yield record
    except UnfinishedLine:
        is_torn = True
    if is_empty and newest != 0:
        said = "holds nothing but the beginning of a line" if is_torn else "holds no audit log"
        raise NothingRead(f"{path}: {said}")


def _found(path: AnyLog, newest: int | None) -> Iterator[Record]:
    if isinstance(path, LogPath):
        return read(path) if newest is None else tail(path, max_records=newest)
    return read_elsewhere(path) if newest is None else newest_elsewhere(path, newest)


@overload
def bodies(
    path: AnyLog, one: type[_Body], /, *, of: Iterable[Record] | None = None
) -> Iterator[tuple[Record, _Body]]: ...
@overload
def bodies(
    path: AnyLog, one: type[_Body], other: type[_Other], /, *, of: Iterable[Record] | None = None
) -> Iterator[tuple[Record, _Body | _Other]]: ...
@overload
def bodies(
    path: AnyLog, *wanted: type[msgspec.Struct], of: Iterable[Record] | None = None
) -> Iterator[tuple[Record, msgspec.Struct]]: ...
def bodies(
    path: AnyLog, *wanted: type[msgspec.Struct], of: Iterable[Record] | None = None
) -> Iterator[tuple[Record, msgspec.Struct]]:
    """Read the records of some kinds, each with what it holds.

    of: records of this log, in place of all. Raises as `records`.
    """
    for record in records(path) if of is None else of:
        if KINDS.get(record.kind) in wanted and (body := body_of(path, record)) is not None:
            yield record, body
