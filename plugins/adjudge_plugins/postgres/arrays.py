"""Arrays as PostgreSQL has them on the wire. For a list, psycopg asks of each element anew what it is, which of many
records takes longer than to decide them."""

from __future__ import annotations

from collections.abc import Iterable
from struct import pack
from typing import ClassVar

_NULL = pack(">i", -1)


class Array(bytes):
    """An array of one dimension; None is null. array_oid, oid: of the type, and of its elements."""

    array_oid: ClassVar[int]
    oid: ClassVar[int]

    @classmethod
    def of(cls, items: Iterable[bytes | None]) -> Array:
        """Put elements together, each as the type has it on the wire."""
        parts, length = [b""], 0
        for item in items:
            parts += (_NULL,) if item is None else (pack(">i", len(item)), item)
            length += 1
        parts[0] = pack(">iiIii", 1, 1, cls.oid, length, 1) if length else pack(">iiI", 0, 0, cls.oid)
        return cls(b"".join(parts))


class Blobs(Array):
    """`bytea[]`."""

    array_oid, oid = 1001, 17


class Texts(Array):
    """`text[]`."""

    array_oid, oid = 1009, 25

    @classmethod
    def from_str(cls, items: Iterable[str | None]) -> Array:
        """Put texts together."""
        return cls.of(None if one is None else one.encode() for one in items)


class Numbers(Array):
    """`bigint[]`."""

    array_oid, oid = 1016, 20

    @classmethod
    def from_int(cls, items: Iterable[int | None]) -> Array:
        """Put numbers together."""
        return cls.of(None if one is None else pack(">q", one) for one in items)


class Floats(Array):
    """`double precision[]`."""

    array_oid, oid = 1022, 701

    @classmethod
    def from_float(cls, items: Iterable[float]) -> Array:
        """Put numbers together."""
        return cls.of(pack(">d", one) for one in items)


class Flags(Array):
    """`boolean[]`."""

    array_oid, oid = 1000, 16

    @classmethod
    def from_bool(cls, items: Iterable[bool]) -> Array:
        """Put truth values together."""
        return cls.of(b"\x01" if one else b"\x00" for one in items)
