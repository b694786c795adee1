"""The boxes of an MP4 or MOV, read by hand: is the file whole, what does it declare, and is it safe to open?

Source of the layout: ISO/IEC 14496-12. A few bytes of a table can declare more samples than memory holds, and a
library builds an index of them when it opens the file; so the declarations are added up before one does.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from struct import iter_unpack

from adjudge_plugins.aliyun.media.finding import BrokenMediaError

SAMPLES_MAX = 1_000_000
"""Seconds of uncompressed sound have 150,000; a library's index takes 24 bytes for each."""

BOXES_MAX = 10_000
TRACKS_MAX = 32

# Searched for as bytes, not by descending: a library descends into more boxes than the standard has, and a table that
# only it sees is the dangerous one. The price is that a text of the metadata with such a word in it may be refused.
_DECLARATIONS = re.compile(rb"stsz|stz2|stsc|stco|co64|trun|elst|cmov|tenc|senc|saiz")
_SAMPLES_AN_ENTRY = 512  # of uncompressed sound a library makes one entry of its index of so many samples or more

_UPRIGHT = (0x10000, 0, 0, 0x10000)  # a, b, c and d of a track's matrix, in 16.16
_SEND_AGAIN = "The video did not arrive whole. Please send it again, or record a new one."
_NO_PICTURE = "There is no picture in the video. Please record a new one."


@dataclass(frozen=True, slots=True, kw_only=True)
class Track:
    """The first video track, as its headers declare it. width, height: pixels as stored, 0 where none are declared."""

    number: int
    width: int
    height: int
    is_turned: bool
    is_on_its_side: bool


def read_track(data: bytes) -> Track:
    """Return the video track of a file that is whole and safe to open. Raises BrokenMediaError."""
    movie: tuple[int, int] | None = None
    headers = []
    for kind, start, stop in _boxes(data, 0, len(data)):
        if kind == b"moov" and movie is None:
            movie = start, stop
        if kind != b"mdat":
            headers.append(data[start - 4 : stop])
    if movie is None:
        raise BrokenMediaError("MEDIA_TRUNCATED", "the video has no movie header: it breaks off", _SEND_AGAIN)
    _check_declarations(b"".join(headers))
    for count, (_, start, stop) in enumerate(_find(data, movie, b"trak")):
        if count >= TRACKS_MAX:
            raise _bomb(f"more than {TRACKS_MAX} tracks")
        if any(data[at + 8 : at + 12] == b"vide" for _, at, _ in _find(data, (start, stop), b"mdia", b"hdlr")):
            return _read_track(data, (start, stop))
    raise BrokenMediaError("MEDIA_NO_VIDEO", "the file has no video track", _NO_PICTURE)


def _read_track(data: bytes, trak: tuple[int, int]) -> Track:
    number = 0
    matrix: tuple[int, ...] = _UPRIGHT
    for _, start, stop in _find(data, trak, b"tkhd"):
        has_long_times = start < stop and data[start] == 1
        if stop - start < (96 if has_long_times else 84):
            raise _damaged("a track header of a wrong length")
        number = _number(data, start + (20 if has_long_times else 12), 4)
        at = start + (52 if has_long_times else 40)
        matrix = tuple(_number(data, at + offset, 4) for offset in (0, 4, 12, 16))
    width = height = 0
    for _, start, stop in _find(data, trak, b"mdia", b"minf", b"stbl", b"stsd"):
        if stop - start >= 44:
            width, height = _number(data, start + 40, 2), _number(data, start + 42, 2)
    return Track(
        number=number,
        width=width,
        height=height,
        is_turned=matrix != _UPRIGHT,
        is_on_its_side=matrix[0] == matrix[3] == 0 and matrix[1] != 0,
    )


def _boxes(data: bytes, start: int, stop: int) -> Iterator[tuple[bytes, int, int]]:
    """Yield type, start and end of each box's content. Raises BrokenMediaError."""
    at = start
    for _ in range(BOXES_MAX):
        if stop - at < 8:
            if stop == len(data) and data[at:stop].strip(b"\x00"):
                raise _truncated(data)
            return
        size, head = _number(data, at, 4), 8
        if size == 0:  # to the end
            size = stop - at
        elif size == 1:
            size, head = _number(data, at + 8, 8), 16
        if at + size > stop:
            raise _truncated(data) if stop == len(data) else _damaged("a box is larger than the one around it")
        if size < head:
            raise _damaged(f"a box of {size} bytes at byte {at:,}")
        yield data[at + 4 : at + 8], at + head, at + size
        at += size
    raise _bomb(f"more than {BOXES_MAX:,} boxes side by side")


def _find(data: bytes, within: tuple[int, int], *path: bytes) -> Iterator[tuple[bytes, int, int]]:
    """Yield every box at the end of a path of types. Raises BrokenMediaError."""
    for kind, start, stop in _boxes(data, *within):
        if kind == path[0] and len(path) == 1:
            yield kind, start, stop
        elif kind == path[0]:
            yield from _find(data, (start, stop), *path[1:])


def _check_declarations(headers: bytes) -> None:
    """Refuse tables that declare more than an index may hold. Raises BrokenMediaError."""
    found = list(islice(_DECLARATIONS.finditer(headers), BOXES_MAX + 1))
    if len(found) > BOXES_MAX:
        raise _bomb(f"more than {BOXES_MAX:,} tables")
    seen = {table[0] for table in found}

    def counts(*kinds: bytes, offset: int = 4) -> list[int]:
        return [_number(headers, table.end() + offset, 4) for table in found if table[0] in kinds]

    samples = sum(counts(b"stsz", b"stz2", offset=8)) + sum(counts(b"trun"))
    samples *= max([1, *counts(b"elst")])  # each edit may show every sample once more
    runs = sum(counts(b"stsc"))
    if max(samples, runs) <= SAMPLES_MAX:
        chunks = sum(counts(b"stco", b"co64"))
        samples += chunks * max(_samples_a_chunk(headers, found), default=0) // _SAMPLES_AN_ENTRY
    if max(samples, runs) > SAMPLES_MAX:
        raise _bomb(f"it declares {max(samples, runs):,} samples, at most {SAMPLES_MAX:,} are indexed")
    if b"cmov" in seen:
        raise _bomb("its header is compressed")
    if b"tenc" in seen and seen & {b"senc", b"saiz"}:
        raise BrokenMediaError("MEDIA_ENCRYPTED", "the video is encrypted")


def _samples_a_chunk(headers: bytes, found: list[re.Match[bytes]]) -> Iterator[int]:
    for table in found:
        if table[0] == b"stsc":
            at = table.end() + 8
            rows = min(_number(headers, at - 4, 4), (len(headers) - at) // 12)
            yield from (row[1] for row in iter_unpack(">3I", headers[at : at + 12 * rows]))


def _number(data: bytes, at: int, size: int) -> int:
    return int.from_bytes(data[at : at + size], "big")


def _bomb(what: str) -> BrokenMediaError:
    return BrokenMediaError("MEDIA_BOMB", f"the video is not opened: {what}")


def _damaged(what: str) -> BrokenMediaError:
    return BrokenMediaError("MEDIA_DAMAGED", f"the video is damaged: {what}", _SEND_AGAIN)


def _truncated(data: bytes) -> BrokenMediaError:
    return BrokenMediaError("MEDIA_TRUNCATED", f"the video breaks off after {len(data):,} bytes", _SEND_AGAIN)
