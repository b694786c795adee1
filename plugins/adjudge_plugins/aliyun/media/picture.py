"""A picture against the vendor's media table, from its structure alone: nothing is decoded, no library is needed."""

from __future__ import annotations

from collections.abc import Iterator

from adjudge_plugins.aliyun.media.finding import Examined, MediaFinding, better_by_url, few_pixels, too_large
from adjudge_plugins.aliyun.media.jpeg import Frame, Jpeg, read_jpeg
from adjudge_plugins.aliyun.media.kind import recognise

LONG_SIDE_MAX = 1920
SHORT_SIDE_MAX = 1080
ADVISED_BYTES = (50_000, 100_000)
PREPARED_SHORT_SIDE = 720

_COMMON_PROCESSES = (0xC0, 0xC1, 0xC2)  # baseline, extended and progressive, each with Huffman codes
_HOLD_UPRIGHT = "Please hold your phone upright, and take a new picture."
_USE_CAMERA = "The picture is very small. Please take a new one with the camera."


def examine_picture(data: bytes) -> Examined:
    """Examine a file that begins as a JPEG does."""
    jpeg = read_jpeg(data)
    width, height = _seen(jpeg)
    return Examined(
        media_type="image",
        errors=(*too_large(len(data), "picture"), *_errors(jpeg)),
        warnings=(*_of_size(len(data)), *_of_structure(data, jpeg), *_of_pixels(jpeg)),
        width=width,
        height=height,
    )


def _seen(jpeg: Jpeg) -> tuple[int | None, int | None]:
    if jpeg.frame is None:
        return None, None
    sides = jpeg.frame.width, jpeg.frame.height
    return sides[::-1] if jpeg.orientation >= 5 else sides


def _errors(jpeg: Jpeg) -> Iterator[MediaFinding]:
    if jpeg.fault is not None:
        yield jpeg.fault
    if jpeg.frame is None:
        return
    width, height = jpeg.frame.width, jpeg.frame.height
    if max(width, height) > LONG_SIDE_MAX or min(width, height) > SHORT_SIDE_MAX:
        message = f"the picture is {width} by {height}, at most {SHORT_SIDE_MAX} by {LONG_SIDE_MAX} are taken"
        yield MediaFinding(code="MEDIA_TOO_MANY_PIXELS", message=message)
    if not _is_portrait(jpeg.frame, turned=False) and not _is_portrait(jpeg.frame, turned=jpeg.orientation >= 5):
        wide, high = _seen(jpeg)
        message = f"the picture is {wide} wide and {high} high, it must be higher than wide"
        yield MediaFinding(code="MEDIA_NOT_PORTRAIT", message=message, capture_again=_HOLD_UPRIGHT)


def _is_portrait(frame: Frame, *, turned: bool) -> bool:
    return frame.width > frame.height if turned else frame.height > frame.width


def _of_size(size: int) -> Iterator[MediaFinding]:
    least, most = ADVISED_BYTES
    if size < least:
        message = f"the picture has {size:,} bytes, {least:,} to {most:,} are recommended"
        yield MediaFinding(code="MEDIA_FEW_BYTES", message=message)
    if size > most:
        message = f"the picture has {size:,} bytes, {least:,} to {most:,} are recommended"
        yield MediaFinding(code="MEDIA_MANY_BYTES", message=message)
    yield from better_by_url(size, "picture")


def _of_structure(data: bytes, jpeg: Jpeg) -> Iterator[MediaFinding]:
    if jpeg.end is not None and jpeg.end < len(data):
        after = data[jpeg.end :]
        message = f"{len(after):,} bytes follow the end of the picture, {recognise(after).name}"
        yield MediaFinding(code="MEDIA_TRAILING_DATA", message=message)
    if jpeg.frame is not None:
        oddities = tuple(_oddities(jpeg.frame))
        if oddities:
            message = f"the JPEG is {' and '.join(oddities)}, which not every reader takes"
            yield MediaFinding(code="MEDIA_UNUSUAL_JPEG", message=message)


def _oddities(frame: Frame) -> Iterator[str]:
    if frame.process not in _COMMON_PROCESSES:
        yield f"of the rare process {frame.process:02X}"
    if frame.bits != 8:
        yield f"of {frame.bits} bits a sample"
    if frame.components not in (1, 3):
        yield f"of {frame.components} colour components"


def _of_pixels(jpeg: Jpeg) -> Iterator[MediaFinding]:
    """Yield what is recommended of the pixels.

    Whether the vendor turns a picture by its EXIF before it looks is not known. Portrait must hold both ways to be
    sure of, but one that holds one way is what most phones send: refusing it would refuse them, so it is a warning.
    """
    if jpeg.frame is None:
        return
    width, height = jpeg.frame.width, jpeg.frame.height
    yield from few_pixels(width, height, "picture", _USE_CAMERA)
    if min(width, height) > PREPARED_SHORT_SIDE:
        message = f"the picture's short side has {min(width, height)} pixels, {PREPARED_SHORT_SIDE} are recommended"
        yield MediaFinding(code="MEDIA_SCALE_DOWN", message=message)
    if jpeg.orientation != 1:
        stored, seen = _is_portrait(jpeg.frame, turned=False), _is_portrait(jpeg.frame, turned=jpeg.orientation >= 5)
        portrait = "" if stored == seen else f", and is portrait only as {'stored' if stored else 'seen'}"
        message = (
            f"the picture is stored turned (EXIF orientation {jpeg.orientation}){portrait}; `prepare` sets it upright"
        )
        yield MediaFinding(code="MEDIA_STORED_TURNED", message=message)
