"""One record of the audit log: the making of its line, and the taking apart.

What a line looks like is said, for people without this program, at the top of `verify`.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Mapping
from functools import cache
from typing import NamedTuple, TypeVar, overload

import msgspec

from adjudge.audit.signing import Mac
from adjudge.audit.verify import (
    CHAIN_MEMBERS,
    FIRST_PREV,
    MAX_LINE,
    PREFIX,
    SCHEMA,
    SUFFIX,
    SUFFIX_LENGTH,
    mac_start,
)
from adjudge.plugin import Body
from adjudge.texts import with_article

__all__ = [
    "FIRST_PREV",
    "MAX_LINE",
    "SUFFIX_LENGTH",
    "Body",
    "MalformedLine",
    "Place",
    "Record",
    "encode",
    "encode_body",
    "following",
    "parse",
]

_T = TypeVar("_T")
_RESERVED = frozenset(name.decode() for name in CHAIN_MEMBERS)
_KIND = re.compile(rb'([a-z][a-z_]{0,63})"(?=,)')


class MalformedLine(Exception):
    """A line that is no record; the reader knows where it stands."""


def _encode_other(value: object) -> object:
    if isinstance(value, Mapping):
        return dict(value)
    raise TypeError(f"an audit record cannot hold {with_article(type(value).__name__)}")


_encoder = msgspec.json.Encoder(decimal_format="string", enc_hook=_encode_other)


def encode_body(body: Body) -> bytes:
    """Return a record's own members as they stand in the line, each led by a comma: `,"a":1,"b":2`.

    Decimals become strings, aware UTC datetimes RFC 3339 texts with `Z`.
    Raises ValueError where a name is one of the chain's, TypeError where a value has no JSON form.
    """
    taken = _taken(type(body)) if isinstance(body, msgspec.Struct) else _RESERVED.intersection(body)
    if taken:
        raise ValueError(f"`{min(taken)}` is a name of the chain's own")
    members = _encoder.encode(body)
    if members[:1] != b"{":
        raise TypeError("an audit record must be an object, not an array")
    return b"," + members[1:-1] if members != b"{}" else b""


@cache
def _taken(body: type[msgspec.Struct]) -> frozenset[str]:
    """Return which of the chain's names the members of a class have."""
    return _RESERVED & {*body.__struct_encode_fields__, str(body.__struct_config__.tag_field)}


def encode(kind: str, seq: int, prev: bytes, members: bytes, mac: Mac | None = None) -> tuple[bytes, bytes]:
    """Return a record's line, its newline included, and its hash in lower-case hex.

    members: from `encode_body`; prev: the hash of the record before, FIRST_PREV for the first.
    """
    hashed = b'{"schema":%d,"seq":%d,"prev":"%b","kind":"%b"%b' % (SCHEMA, seq, prev, kind.encode(), members)
    if mac is not None:
        hashed += b',"mac":"%b"' % mac.of(hashed)
    digest = hashlib.sha256(hashed).hexdigest().encode()
    return b'%b,"hash":"%b"}\n' % (hashed, digest), digest


class Place(NamedTuple):
    """Where a record stands in its log.

    position: in the order of reading, by which it is before or after another one. seq: in its chain; chain: that one's
    name, empty where there is only one, and the two numbers are the same.
    """

    position: int
    seq: int
    chain: str = ""

    def __str__(self) -> str:
        return f"{self.chain}:{self.seq}" if self.chain else str(self.seq)


class Record(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A record as it was read; its own hash has been checked.

    prev, hash: lower-case hex SHA-256. line: the exact bytes, newline included; from `members_at` to `members_end`
    stand its own members. chain: its name, and order: which one it was that was read, in a log of several chains.
    """

    seq: int
    prev: str
    kind: str
    hash: str
    line: bytes
    members_at: int
    members_end: int
    chain: str = ""
    order: int = 0

    def __repr__(self) -> str:
        return f"<Record {self.seq} {self.kind} {self.hash[:12]}>"

    @property
    def place(self) -> Place:
        """Where it stands in its log."""
        return Place(self.order or self.seq, self.seq, self.chain)

    @property
    def body(self) -> bytes:
        """The JSON object of the record's own members, without those of the chain."""
        return b"{" + self.line[self.members_at + 1 : self.members_end] + b"}"

    @property
    def has_mac(self) -> bool:
        """Whether the record carries a mac."""
        return self.members_end + SUFFIX_LENGTH < len(self.line)

    def is_by(self, mac: Mac) -> bool:
        """Whether the record carries the mac that a key makes."""
        return self.has_mac and hmac.compare_digest(
            mac.of(self.line[: self.members_end]), self.line[self.members_end + 8 : self.members_end + 72]
        )

    @overload
    def decode(self) -> dict[str, object]: ...
    @overload
    def decode(self, type: type[_T]) -> _T: ...
    def decode(self, type: type[object] = dict) -> object:
        """Return the record's own members as a dict, or as a type that msgspec knows.

        Raises msgspec.DecodeError where they are no JSON or not of the type.
        """
        return msgspec.json.decode(self.body, type=type)


def parse(line: bytes) -> Record:
    """Take a line apart and check its hash; its members are not looked into. Raises MalformedLine."""
    if not line.endswith(b"\n"):
        raise MalformedLine("the line is not finished")
    prefix, suffix = PREFIX.match(line), SUFFIX.fullmatch(line, max(0, len(line) - SUFFIX_LENGTH))
    if not prefix or not suffix or prefix.end() > suffix.start():
        raise MalformedLine("the line is not an audit record")
    if int(prefix[1]) != SCHEMA:
        raise MalformedLine(f"schema {int(prefix[1])}, where this version knows {SCHEMA}")
    if hashlib.sha256(line[:-SUFFIX_LENGTH]).hexdigest().encode() != suffix[1]:
        raise MalformedLine("the record's bytes do not have the hash that it carries")
    return Record(
        seq=int(prefix[2]),
        prev=prefix[3].decode(),
        kind=prefix[4].decode(),
        hash=suffix[1].decode(),
        line=line,
        members_at=prefix.end(),
        members_end=max(prefix.end(), mac_start(line)),
    )


def following(line: bytes, seq: int, prev: str) -> Record | None:
    """Take a line apart that holds the record after `prev`, and check its hash; None for any other line.

    Of most lines it is known how they have to begin and to end, so that they are only compared, in half the time of
    `parse`; which says what is wrong with one that is none.
    """
    start = b'{"schema":%d,"seq":%d,"prev":"%b","kind":"' % (SCHEMA, seq, prev.encode())
    kind = _KIND.match(line, len(start)) if line.startswith(start) else None
    if kind is None:
        return None
    digest = hashlib.sha256(memoryview(line)[:-SUFFIX_LENGTH]).hexdigest()
    at, end = kind.end(), len(line) - SUFFIX_LENGTH
    if at > end or not line.endswith(b',"hash":"%b"}\n' % digest.encode()):
        return None
    return Record(
        seq=seq,
        prev=prev,
        kind=kind[1].decode(),
        hash=digest,
        line=line,
        members_at=at,
        members_end=max(at, mac_start(line)),
    )
