"""A JPEG's structure, without decoding it: segments and scans up to its end (ITU-T T.81, annex B), and orientation."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from adjudge_plugins.aliyun.media.finding import BrokenMediaError, MediaFinding
from adjudge_plugins.pictures import read_orientation

SEGMENTS_MAX = 1000
"""More than any camera writes: an hour of scans can be packed into a small progressive file."""

LOSSLESS = frozenset((0xC3, 0xC7, 0xCB, 0xCF))
"""The processes of frame headers that need no quantization table."""

_TEM, _SOI, _EOI, _SOS, _DQT, _APP1 = 0x01, 0xD8, 0xD9, 0xDA, 0xDB, 0xE1
_RESTARTS = range(0xD0, 0xD8)
_NOT_FRAMES = frozenset((0xC4, 0xC8, 0xCC))  # DHT, JPG and DAC lie among the frame headers
_FILL = re.compile(rb"\xff*+")
_END_OF_SCAN = re.compile(rb"\xff[^\x00\xd0-\xd7\xff]")  # neither a stuffed zero, nor a restart, nor a fill byte
_EXIF = b"Exif\x00\x00"
_SEND_AGAIN = "The picture did not arrive whole. Please send it again, or take a new one."


@dataclass(frozen=True, slots=True, kw_only=True)
class Frame:
    """A frame header. process: the SOF marker, 0xC0 for baseline. width, height: pixels as stored."""

    process: int
    bits: int
    width: int
    height: int
    components: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Jpeg:
    """What the segments say, as far as they can be read.

    orientation: of EXIF, 1 to 8; 1 where there is none.
    end: where the picture ends in the file, or None where it does not.
    fault: why it could not be read to its end.
    """

    frame: Frame | None
    orientation: int
    end: int | None
    fault: MediaFinding | None


def read_jpeg(data: bytes) -> Jpeg:
    """Read a JPEG's segments. Cost: 0.1 ms for 100 KB, linear."""
    frame: Frame | None = None
    exif: bytes | None = None
    end: int | None = None
    fault: MediaFinding | None = None
    seen: set[int] = set()
    try:
        for marker, start, stop in _segments(data):
            if 0xC0 <= marker <= 0xCF and marker not in _NOT_FRAMES:
                if frame is not None:  # readers differ in which of two they believe
                    raise _damaged("two frame headers")
                frame = _read_frame(marker, data[start:stop])
            elif marker == _APP1 and exif is None and data.startswith(_EXIF, start, stop):
                exif = data[start + len(_EXIF) : stop]
            elif marker == _SOS and frame is None:
                raise _damaged("no frame header")
            elif marker == _SOS and _DQT not in seen and frame and frame.process not in LOSSLESS:
                raise _damaged("no quantization table")
            elif marker == _EOI:
                end = stop
            seen.add(marker)
        if _SOS not in seen:
            raise _damaged("no scan")
    except BrokenMediaError as error:
        fault = error.finding
    return Jpeg(frame=frame, orientation=read_orientation(exif or b""), end=end, fault=fault)


def _segments(data: bytes) -> Iterator[tuple[int, int, int]]:
    """Yield marker, start and end of each segment's content, EOI last. Raises BrokenMediaError.

    An embedded thumbnail lies inside a segment, so its EOI is never seen; nor is what follows the picture's own.
    """
    at = 2
    for _ in range(SEGMENTS_MAX):
        if data[at : at + 1] not in (b"\xff", b""):
            raise _damaged(f"no marker at byte {at:,}")
        filled = _FILL.match(data, at)
        at = filled.end() if filled else at
        if at >= len(data):
            raise _truncated(data)
        marker = data[at]
        at += 1
        if marker == _EOI:
            yield marker, at, at
            return
        if marker == _TEM:
            continue
        if marker <= 0xBF or marker == _SOI or marker in _RESTARTS:  # what is below is reserved, or no marker
            raise _damaged(f"marker {marker:02X} at byte {at - 1:,}")
        length = int.from_bytes(data[at : at + 2], "big")
        stop = at + length
        if at + 2 > len(data) or stop > len(data):
            raise _truncated(data)
        if length < 2:
            raise _damaged(f"a segment of length {length} at byte {at:,}")
        yield marker, at + 2, stop
        at = stop
        if marker == _SOS:
            after = _END_OF_SCAN.search(data, at)
            if after is None:
                raise _truncated(data)
            if after.start() == at:
                raise _damaged("an empty scan")
            at = after.start()
    raise BrokenMediaError("MEDIA_BOMB", f"the JPEG has more than {SEGMENTS_MAX:,} segments")


def _read_frame(process: int, content: bytes) -> Frame:
    components = content[5] if len(content) > 5 else 0
    if not components or len(content) != 6 + 3 * components:
        raise _damaged("a frame header of a wrong length")
    frame = Frame(
        process=process,
        bits=content[0],
        height=int.from_bytes(content[1:3], "big"),
        width=int.from_bytes(content[3:5], "big"),
        components=components,
    )
    if not frame.width or not frame.height:  # T.81 lets the height follow the first scan, which hardly anyone reads
        raise _damaged(f"a declared size of {frame.width} by {frame.height}")
    return frame


def _damaged(what: str) -> BrokenMediaError:
    return BrokenMediaError("MEDIA_DAMAGED", f"the JPEG is damaged: {what}", _SEND_AGAIN)


def _truncated(data: bytes) -> BrokenMediaError:
    return BrokenMediaError(
        "MEDIA_TRUNCATED", f"the JPEG breaks off: its {len(data):,} bytes hold no end of the picture", _SEND_AGAIN
    )
