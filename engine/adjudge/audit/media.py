"""What a picture's first bytes say, without decoding it."""

from __future__ import annotations

_STANDALONE = frozenset((0x01, *range(0xD0, 0xDA)))
_NOT_FRAMES = frozenset((0xC4, 0xC8, 0xCC))


def jpeg_size(data: bytes) -> tuple[int, int] | None:
    """Return width and height in pixels as stored (before any EXIF rotation), or None where it is no JPEG.

    Source of the layout: ITU-T T.81, annex B.
    """
    if data[:2] != b"\xff\xd8":
        return None
    at = 2
    while at + 9 <= len(data):
        if data[at] != 0xFF:
            return None
        marker = data[at + 1]
        if marker == 0xFF:  # a fill byte
            at += 1
        elif marker in _STANDALONE:
            at += 2
        elif 0xC0 <= marker <= 0xCF and marker not in _NOT_FRAMES:
            return int.from_bytes(data[at + 7 : at + 9], "big"), int.from_bytes(data[at + 5 : at + 7], "big")
        else:
            at += 2 + int.from_bytes(data[at + 2 : at + 4], "big")
    return None
