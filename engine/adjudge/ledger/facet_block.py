"""A block of a log's decisions, by what can be asked of them: a bitmap for each outcome, rule, reason and so on.

A block is a stretch of one segment with some ten thousand decisions, which are counted from its beginning. It says with
which record it ends: the hash of that one stands for everything before it.
"""

from __future__ import annotations

import re
from array import array
from bisect import bisect_left
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from hashlib import blake2b
from typing import Protocol
from zlib import compress, decompress, error

import msgspec

from adjudge.errors import AuditBroken
from adjudge.ledger.searching import Glance, TagsOf, glance
from adjudge.plugin import DecisionQuery

DECISIONS = 65_536
"""Of a block, at the most."""
NAMES_MAX = 4096
"""Names for which a block has bitmaps: one with more ends early. In memory each takes 8 KB."""
CHUNK = 4096
"""Decisions whose places and times stand together."""
MATCHED, BROKEN = "matched", "broken"
"""The names for decisions with a rule that matched, and for those that cannot be read: they are for whoever asks."""
_HASH = slice(-67, -3)
_POLICY = re.compile(rb'[^}]{90,200}"kind":"policy","policy":"[^"]*","digest":"([0-9a-f]{64})"')
_EPOCH, _US = datetime(1970, 1, 1, tzinfo=UTC), timedelta(microseconds=1)
_ASKED = ("outcome", "policy", "rule", "reason", "missing", "waiver", "unknown")


class SpoiltBlock(Exception):
    """A block is not what was written, or does not belong to the log."""


class Chunk(msgspec.Struct, array_like=True, gc=False):
    """Some decisions. first: where the first begins. earliest, latest: of their times, in microseconds since 1970."""

    first: int
    earliest: int
    latest: int


class Head(msgspec.Struct, gc=False):
    """What a block says of itself. All places are bytes of its segment.

    begin, end: the stretch. last, hash: of the record that it ends with. parts: the digest of each, by its name.
    policies: where the records of policies begin, by the policy's digest.
    """

    segment: int
    begin: int
    end: int
    last: int
    hash: str
    count: int
    chunks: list[Chunk]
    parts: dict[str, str]
    policies: dict[str, int] = {}


class Block(Protocol):
    """What a query looks through, on disk or while it is made."""

    @property
    def count(self) -> int:
        """How many decisions it has."""
        ...

    def names(self) -> Iterator[str]:
        """Yield the names of its bitmaps."""
        ...

    def mask(self, name: str) -> int:
        """Return a bitmap: bit n is decision n. Raises SpoiltBlock."""
        ...

    def chunks(self) -> list[Chunk]:
        """Return what is known of each chunk."""
        ...

    def chunk(self, number: int) -> tuple[array[int], array[int]]:
        """Return where the decisions of a chunk begin, and their times. Raises SpoiltBlock."""
        ...


class OpenBlock:
    """A block while it is made: records are added at its end. Its user sees to it that one thread calls at a time."""

    def __init__(self, segment: int, begin: int) -> None:
        """Begin at a byte of a segment."""
        self.segment, self.begin, self.end = segment, begin, begin
        self.count = 0
        self._last, self._hash = begin, ""
        self._starts, self._times = array("q"), array("q")
        self._bits: dict[str, bytearray] = {}
        self.policies: dict[str, int] = {}

    @property
    def is_full(self) -> bool:
        """Whether it is time for another one."""
        return self.count >= DECISIONS or len(self._bits) >= NAMES_MAX

    def add(self, line: bytes) -> None:
        """Add the record that follows."""
        try:
            found = glance(line)
            names = _names(found) if found is not None else []
        except AuditBroken:
            found, names = None, [BROKEN]
        if names:
            byte, bit = self.count >> 3, 1 << (self.count & 7)
            for name in names:
                bits = self._bits.get(name)
                if bits is None:
                    bits = self._bits[name] = bytearray(DECISIONS // 8)
                bits[byte] |= bit
            self._starts.append(self.end)
            self._times.append(us_of(found.at) if found is not None else 0)
            self.count += 1
        elif policy := _POLICY.match(line):
            self.policies[policy[1].decode()] = self.end
        self._last, self._hash = self.end, line[_HASH].decode("ascii", "replace")
        self.end += len(line)

    def names(self) -> Iterator[str]:
        """As of `Block`."""
        return iter([*self._bits])

    def mask(self, name: str) -> int:
        """As of `Block`."""
        return int.from_bytes(self._bits.get(name, b""), "little")

    def chunks(self) -> list[Chunk]:
        """As of `Block`."""
        found = []
        for at in range(0, self.count, CHUNK):
            times = self._times[at : at + CHUNK]
            found.append(Chunk(self._starts[at], min(times), max(times)))
        return found

    def chunk(self, number: int) -> tuple[array[int], array[int]]:
        """As of `Block`."""
        some = slice(number * CHUNK, (number + 1) * CHUNK)
        return self._starts[some], self._times[some]

    def closed(self) -> tuple[Head, dict[str, bytes]]:
        """Return it as it is kept: its head, and its parts by their names."""
        parts = {name: compress(bits.rstrip(b"\0"), 1) for name, bits in self._bits.items()}
        chunks = self.chunks()
        for number in range(len(chunks)):
            starts, times = self.chunk(number)
            parts[_chunk_name(number)] = compress(starts.tobytes() + times.tobytes(), 1)
        head = Head(
            segment=self.segment,
            begin=self.begin,
            end=self.end,
            last=self._last,
            hash=self._hash,
            count=self.count,
            chunks=chunks,
            parts={name: digest_of(data) for name, data in parts.items()},
            policies=self.policies,
        )
        return head, parts


class Parts(Protocol):
    """Where the parts of blocks are kept."""

    def part(self, head: Head, name: str) -> bytes:
        """Return a part as it was written. Raises SpoiltBlock."""
        ...


class KeptBlock:
    """A block that is kept."""

    def __init__(self, head: Head, parts: Parts) -> None:
        """Take a head that was read, and where its parts are."""
        self.head, self._parts = head, parts
        self.count = head.count

    @property
    def has_room(self) -> bool:
        """Whether it is much smaller than it could be: one of a process that ended."""
        return self.count < DECISIONS // 2 and len(self.head.parts) < NAMES_MAX // 2

    def names(self) -> Iterator[str]:
        """As of `Block`."""
        return iter(self.head.parts)

    def mask(self, name: str) -> int:
        """As of `Block`."""
        if name not in self.head.parts:
            return 0
        return int.from_bytes(self._part(name), "little")

    def chunks(self) -> list[Chunk]:
        """As of `Block`."""
        return self.head.chunks

    def chunk(self, number: int) -> tuple[array[int], array[int]]:
        """As of `Block`."""
        numbers = array("q")
        try:
            numbers.frombytes(self._part(_chunk_name(number)))
        except ValueError:
            raise SpoiltBlock("half a number") from None
        return numbers[: len(numbers) // 2], numbers[len(numbers) // 2 :]

    def _part(self, name: str) -> bytes:
        try:
            return decompress(self._parts.part(self.head, name))
        except error as damage:
            raise SpoiltBlock(str(damage)) from None


def wanted_in(block: Block, query: DecisionQuery, before: int, tags: TagsOf) -> int:
    """Return the bitmap of the decisions that a query asks for, of those that begin before a byte of the segment.

    Raises SpoiltBlock, and what `tags` raises where a decision would be wanted but for that.
    """
    found = _before(block, before, (1 << block.count) - 1)
    found = _between(block, query, found)
    broken = found & block.mask(BROKEN)
    for name in _ASKED:
        value = getattr(query, name)
        if value is not None and found:
            found &= block.mask(f"{name} {value}")
    if query.tag is not None and found:
        found = _tagged(block, query.tag, found & block.mask(MATCHED), tags)
    return found | broken


def places_in(block: Block, mask: int) -> Iterator[int]:
    """Yield where the decisions of a bitmap begin, the newest first. Raises SpoiltBlock."""
    number, starts = -1, array("q")
    for at in range(-(-block.count // CHUNK) - 1, -1, -1):
        few = mask >> (at * CHUNK) & (1 << CHUNK) - 1
        while few:
            bit = few.bit_length() - 1
            few ^= 1 << bit
            if number != at:
                number, starts = at, block.chunk(at)[0]
            if bit >= len(starts):
                raise SpoiltBlock("more decisions than places")
            yield starts[bit]


def us_of(at: datetime) -> int:
    """Return microseconds since 1970."""
    return (at - _EPOCH) // _US


def digest_of(data: bytes) -> str:
    """Return what tells a part from any other."""
    return blake2b(data, digest_size=8).hexdigest()


def _names(found: Glance) -> set[str]:
    verdict = found.verdict
    return {
        f"outcome {found.outcome.value}",
        f"policy {found.policy}",
        f"digest {found.policy_digest}",
        *(f"rule {one}" for one in verdict.matched),
        *(f"reason {one}" for one in verdict.reasons),
        *(f"missing {one}" for one in verdict.missing),
        *(f"waiver {one}" for one in verdict.waived),
        *(f"unknown {one}" for one in found.unknown),
        *((MATCHED,) if verdict.matched else ()),
    }


def _chunk_name(number: int) -> str:
    return f"chunk {number}"


def _before(block: Block, before: int, mask: int) -> int:
    chunks = block.chunks()
    number = bisect_left(chunks, before, key=lambda chunk: chunk.first) - 1
    if number < 0:
        return 0
    return mask & (1 << number * CHUNK + bisect_left(block.chunk(number)[0], before)) - 1


def _between(block: Block, query: DecisionQuery, mask: int) -> int:
    """Leave out what was decided at other times. Of chunks that are so in part, each is looked at."""
    if query.since is None and query.until is None:
        return mask
    since = us_of(query.since) if query.since is not None else -(2**63)
    until = us_of(query.until) if query.until is not None else 2**63
    within = 0
    for number, chunk in enumerate(block.chunks()):
        some = mask >> number * CHUNK & (1 << CHUNK) - 1
        if not some or chunk.latest < since or chunk.earliest >= until:
            continue
        if not (since <= chunk.earliest and chunk.latest < until):
            some &= sum(1 << bit for bit, at in enumerate(block.chunk(number)[1]) if since <= at < until)
        within |= some << number * CHUNK
    return within | mask & block.mask(BROKEN)  # nobody knows the time of these


def _tagged(block: Block, tag: str, mask: int, tags: TagsOf) -> int:
    found = 0
    for name in block.names():
        if name.startswith("digest ") and (of := mask & block.mask(name)):
            for rule in tags(name.removeprefix("digest ")).get(tag, ()):
                found |= of & block.mask(f"rule {rule}")
    return found
