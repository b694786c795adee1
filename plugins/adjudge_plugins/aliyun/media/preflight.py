"""Media before it is paid for: is it what the vendor's media table asks for? And how to make it so.

Limits are errors, recommendations are warnings. A picture needs no library for `examine`; the length and frame rate
of a video, and `prepare`, need the extra `media`.
"""

from __future__ import annotations

import io

from adjudge_plugins.aliyun.media.clip import examine_clip
from adjudge_plugins.aliyun.media.finding import Examined, MediaFinding
from adjudge_plugins.aliyun.media.jpeg import read_jpeg
from adjudge_plugins.aliyun.media.kind import JPEG, MOV, MP4, PNG, Kind, recognise
from adjudge_plugins.aliyun.media.picture import PREPARED_SHORT_SIDE, examine_picture
from adjudge_plugins.pictures import PictureError, read_picture

__all__ = ["Examined", "MediaFinding", "examine", "prepare"]

PREPARED_QUALITY = 80
PREPARE_MAX_PIXELS = 64_000_000
"""More is not decoded: a progressive JPEG takes up to six bytes of memory a pixel."""

_USE_CAMERA = "We could not read this file. Please take a new picture with the camera."


def examine(data: bytes) -> Examined:
    """Hold a file against the vendor's media table; whatever the bytes are, this is an answer and never an exception.

    Nothing is decoded, and what a file declares is bounded before memory is taken for it.
    Cost: 0.1 ms for a picture of 100 KB; 1 ms for a video, and 0.2 s for the import of PyAV before the first.
    """
    kind = recognise(data)
    if kind is JPEG:
        return examine_picture(data)
    if kind in (MP4, MOV):
        return examine_clip(data)
    return Examined(media_type=kind.media_type, errors=(_wrong_kind(data, kind),), warnings=())


def prepare(data: bytes) -> bytes:
    """Return a picture as the vendor recommends it: a JPEG, its short side 720 pixels, of quality 80, without metadata.

    It is set upright by its EXIF orientation, and never enlarged; one that is wider than high stays so. A PNG is taken
    as well, its transparent parts white. A colour profile is dropped, and the colours left as they are.
    Raises: ValueError where the picture cannot be read whole or has too many pixels; ImportError without the extra
    `media`. Cost: decodes; 50 ms for two megapixels, 80 ms for twelve.
    """
    kind = recognise(data)
    _check_readable(data, kind)
    try:
        from PIL import Image
    except ImportError:
        raise ImportError("scaling a picture needs Pillow: pip install adjudge[media]") from None
    try:
        picture = read_picture(
            data, formats=(kind.name,), pixels_max=PREPARE_MAX_PIXELS, short_side=PREPARED_SHORT_SIDE
        )
        scale = min(1.0, PREPARED_SHORT_SIDE / min(picture.size))
        size = round(picture.width * scale), round(picture.height * scale)
        picture = picture.resize(size, Image.Resampling.LANCZOS, reducing_gap=3.0)
        picture.info = {}  # what stands here would be written, a comment for one
        written = io.BytesIO()
        picture.save(written, "JPEG", quality=PREPARED_QUALITY)
    except (PictureError, MemoryError) as error:
        raise ValueError(str(error) or "the picture takes more memory than there is") from None
    return written.getvalue()


def _check_readable(data: bytes, kind: Kind) -> None:
    """Raise ValueError, before any decoding, for what cannot be read whole or is too large."""
    if kind is JPEG:
        jpeg = read_jpeg(data)
        if jpeg.fault is not None or jpeg.frame is None:
            raise ValueError(jpeg.fault.message if jpeg.fault else "the JPEG is damaged")
        _check_pixels(jpeg.frame.width, jpeg.frame.height)
    elif kind is PNG:  # it may have a second header, and the library believes the last: that is looked at too
        _check_pixels(int.from_bytes(data[16:20], "big"), int.from_bytes(data[20:24], "big"))
    else:
        raise ValueError(_wrong_kind(data, kind).message)


def _check_pixels(width: int, height: int) -> None:
    if width * height > PREPARE_MAX_PIXELS:
        raise ValueError(f"the picture is {width} by {height}, at most {PREPARE_MAX_PIXELS:,} pixels are decoded")


def _wrong_kind(data: bytes, kind: Kind) -> MediaFinding:
    if not data:
        return MediaFinding(code="MEDIA_EMPTY", message="the file is empty, 0 bytes", capture_again=_USE_CAMERA)
    code = "MEDIA_NOT_JPEG" if kind.media_type == "image" else "MEDIA_NOT_MP4"
    message = f"the file is {kind.name}; a picture must be JPEG, a video MP4 or MOV"
    return MediaFinding(code=code, message=message, capture_again=_USE_CAMERA)
