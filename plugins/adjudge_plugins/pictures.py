"""One reader of pictures, for all who look at pixels: upright, in RGB, white where it was transparent."""

from __future__ import annotations

import io
from collections.abc import Sequence
from types import MappingProxyType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from PIL import Image

_MODES = ("1", "L", "LA", "P", "PA", "RGB", "RGBA", "CMYK", "YCbCr")
"""Pillow's names of pixels with 8 bits for each channel."""
_DEEP_MODES = ("I;16", "I;16L", "I;16B", "I;16N", "I")
"""Its names of grey with 16 bits, which it would otherwise take for white wherever it is not nearly black."""
_DEEP = 65535 / 255
_EXIF = b"Exif\x00\x00"
_ORIENTATION = 0x0112
_INTEGERS = MappingProxyType({1: 1, 3: 2, 4: 4, 6: 1, 8: 2, 9: 4})
"""EXIF's types of whole numbers, and their bytes: phones write an orientation as SHORT, and some as LONG."""
_UPRIGHT = MappingProxyType(
    {
        2: "FLIP_LEFT_RIGHT",
        3: "ROTATE_180",
        4: "FLIP_TOP_BOTTOM",
        5: "TRANSPOSE",
        6: "ROTATE_270",
        7: "TRANSVERSE",
        8: "ROTATE_90",
    }
)
"""How a picture of each EXIF orientation is turned, in the words of Pillow."""


class PictureError(Exception):
    """A picture that cannot be read.

    reason_code: MEDIA_NOT_SUPPORTED, PICTURE_TOO_LARGE or PICTURE_DAMAGED. is_unreadable: nothing can be seen of it.
    """

    def __init__(self, message: str, reason_code: str, *, is_unreadable: bool = False) -> None:
        super().__init__(message)
        self.reason_code = reason_code
        self.is_unreadable = is_unreadable


def read_orientation(tiff: bytes) -> int:
    """Return the orientation that EXIF declares, 1 to 8, or 1 where there is none to be found; of several the first.

    tiff: EXIF without the `Exif` before it: the TIFF header, and the first directory somewhere after.
    """
    if tiff[:4] not in (b"II*\x00", b"MM\x00*"):
        return 1

    def number(at: int, size: int) -> int:
        return int.from_bytes(tiff[at : at + size], "little" if tiff[:2] == b"II" else "big")

    directory = number(4, 4)
    for entry in range(directory + 2, min(directory + 2 + 12 * number(directory, 2), len(tiff) - 11), 12):
        if number(entry, 2) == _ORIENTATION:
            size = _INTEGERS.get(number(entry + 2, 2), 0)
            value = number(entry + 8, size) if number(entry + 4, 4) == 1 else 0
            return value if 1 <= value <= 8 else 1
    return 1


def read_picture(data: bytes, *, formats: Sequence[str], pixels_max: int, short_side: int | None = None) -> Image.Image:
    """Return a picture as a person sees it: upright by its EXIF, in RGB, white behind what is transparent.

    formats: Pillow's names; no others are tried. pixels_max: as its header has them; more is not decoded.
    short_side: pixels that whoever asks needs of it: a JPEG may be decoded smaller, never to less than twice as many.
    Raises PictureError, and ImportError without Pillow. Cost: decodes.
    """
    from PIL import Image, UnidentifiedImageError

    try:
        with Image.open(io.BytesIO(data), formats=tuple(formats)) as opened:
            if opened.width * opened.height > pixels_max:
                raise _too_large(f"is {opened.width} by {opened.height}", pixels_max)
            if opened.format in ("PNG", "WEBP") and getattr(opened, "is_animated", False):
                raise PictureError("an animated picture is not supported", "MEDIA_NOT_SUPPORTED")
            if short_side is not None and (scale := short_side / min(opened.size)) < 1:
                opened.draft(None, (round(2 * scale * opened.width), round(2 * scale * opened.height)))
            opened.load()
            turned = _UPRIGHT.get(read_orientation(_exif(opened)))
            picture = _rgb(opened)
            return picture.transpose(Image.Transpose[turned]) if turned is not None else picture
    except (PictureError, MemoryError):
        raise
    except UnidentifiedImageError:
        said = f"the picture cannot be read as {' or '.join(formats)}"
        raise PictureError(said, "MEDIA_NOT_SUPPORTED", is_unreadable=True) from None
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):  # by its header, above Pillow's own bound
        raise _too_large("has far too many pixels", pixels_max) from None
    except Exception:  # decoders raise what they like of damaged pictures: SyntaxError, struct.error, EOFError …
        raise PictureError("the picture cannot be read: it is damaged", "PICTURE_DAMAGED", is_unreadable=True) from None


def _rgb(opened: Image.Image) -> Image.Image:
    from PIL import Image

    if opened.mode in _DEEP_MODES and not opened.has_transparency_data:
        return opened.convert("I").point(lambda value: value * (1 / _DEEP) + 0.5).convert("L").convert("RGB")
    if opened.mode not in _MODES:
        raise PictureError(f"a picture of the kind {opened.mode} is not supported", "MEDIA_NOT_SUPPORTED")
    if not opened.has_transparency_data:
        return opened.convert("RGB")
    white = Image.new("RGBA", opened.size, "white")  # its hidden colours do not count
    return Image.alpha_composite(white, opened.convert("RGBA")).convert("RGB")


def _exif(opened: Image.Image) -> bytes:
    exif = opened.info.get("exif")
    if isinstance(exif, bytes):
        return exif.removeprefix(_EXIF)
    profile = opened.info.get("Raw profile type exif")  # as ImageMagick writes it into a PNG: hexadecimal, with a head
    try:
        return bytes.fromhex("".join(profile.split("\n")[3:])).removeprefix(_EXIF) if isinstance(profile, str) else b""
    except ValueError:
        return b""


def _too_large(what: str, pixels_max: int) -> PictureError:
    return PictureError(f"the picture {what}, at most {pixels_max:,} pixels are decoded", "PICTURE_TOO_LARGE")
