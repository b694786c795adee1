"""The media limits that a sandbox enforces: those that can be read off the first bytes of a file.

Source: the vendor's table of media requirements. Which of them the real service enforces, and by which code, is open.
"""

from __future__ import annotations

from adjudge_plugins.aliyun.sandbox.incoming import Refused
from adjudge_plugins.aliyun.sandbox.parameters import Media
from adjudge_plugins.aliyun.sandbox.switches import Switches

MEDIA_MAX_BYTES = 10_000_000
"""10 MB by the stricter reading; the switch `size_limit` has the others."""

_BINARY_MAX_BYTES = 10 * 1024 * 1024
_VIDEO_MIN_BYTES = 100_000
_HEIGHT_MAX, _WIDTH_MAX = 1920, 1080
_START_OF_FRAME = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}


def check_media(media: Media, switches: Switches) -> None:
    """Raise Refused where media in memory break a limit; of a URL nothing is known."""
    content = media.content
    if content is None:
        return
    size = media.encoded_bytes if switches.size_limit == "encoded" and media.encoded_bytes else len(content)
    if size > (_BINARY_MAX_BYTES if switches.size_limit == "binary" else MEDIA_MAX_BYTES):
        raise Refused("ToolargeImage", "more than 10 MB")
    is_image = media.kind == "IMAGE"
    if not (content.startswith(b"\xff\xd8") if is_image else content[4:8] == b"ftyp"):
        raise Refused("UnqualifiedPhoto", "not a JPEG" if is_image else "not an MP4 or MOV")
    if switches.media_limits == "strict":
        _check_strictly(content, is_image=is_image)


def _check_strictly(content: bytes, *, is_image: bool) -> None:
    if not is_image:
        if len(content) <= _VIDEO_MIN_BYTES:
            raise Refused("UnqualifiedPhoto", "a video has more than 100 KB")
        return
    size = jpeg_size(content)
    if size is None:
        raise Refused("UnqualifiedPhoto", "a JPEG without a size")
    height, width = size
    if height > _HEIGHT_MAX or width > _WIDTH_MAX:
        raise Refused("UnqualifiedPhoto", f"more than {_HEIGHT_MAX} pixels high or {_WIDTH_MAX} wide")
    if height <= width:
        raise Refused("UnqualifiedPhoto", "not portrait")


def jpeg_size(content: bytes) -> tuple[int, int] | None:
    """Return height and width in pixels as the file stores them, before EXIF turns it; None where there are none."""
    at = 2
    while at + 9 <= len(content) and content[at] == 0xFF:
        marker, length = content[at + 1], int.from_bytes(content[at + 2 : at + 4], "big")
        if marker in _START_OF_FRAME:
            return int.from_bytes(content[at + 5 : at + 7], "big"), int.from_bytes(content[at + 7 : at + 9], "big")
        at += 2 + length
    return None
