"""From the bytes of a picture to a model's tensor. Runs in a thread; what it refuses, it refuses before decoding."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any

from adjudge.plugin import SignalFailed
from adjudge_plugins.onnx_detector.settings import InputSettings

if TYPE_CHECKING:
    import numpy as np
    from PIL import Image

PIXELS_MAX = 50_000_000
"""Of a picture as its header has it; 150 MB when decoded. Pillow's own bound is global, and so not ours to set."""

_FORMATS = ("JPEG", "PNG", "WEBP")  # others are not tried: Pillow would start programs for some of them
_MODES = ("1", "L", "LA", "P", "PA", "RGB", "RGBA", "CMYK", "YCbCr")
"""Pillow's names of pixels with 8 bits for each channel. From 16 bits it takes what is too bright for white."""

_AGAIN = "We could not read the picture. Please take a new one."


def tensor(data: bytes, settings: InputSettings, dtype: str) -> np.ndarray[Any, Any]:
    """Return a picture as a model takes it, of `settings.shape`. Raises SignalFailed."""
    import numpy as np

    pixels = np.asarray(_resized(_decode(data), settings), dtype=np.float32)
    pixels = pixels.reshape(settings.height, settings.width, len(settings.mean))
    if settings.colour == "bgr":
        pixels = pixels[:, :, ::-1]
    mean, std = np.asarray(settings.mean, np.float32), np.asarray(settings.std, np.float32)
    values = (pixels / np.float32(settings.scale) - mean) / std
    if settings.layout == "nchw":
        values = values.transpose(2, 0, 1)
    with np.errstate(over="ignore"):  # what half precision cannot hold is infinite, and its answer unknown
        return np.ascontiguousarray(values[np.newaxis], dtype=dtype)


def _decode(data: bytes) -> Image.Image:
    """Return a picture upright and in RGB."""
    from PIL import Image, ImageOps, UnidentifiedImageError

    try:
        with Image.open(io.BytesIO(data), formats=_FORMATS) as picture:
            width, height = picture.size
            if width * height > PIXELS_MAX:
                raise _too_large()
            if picture.mode not in _MODES:
                said = f"a picture of the kind {picture.mode} is not supported"
                raise SignalFailed(said, reason_code="MEDIA_NOT_SUPPORTED")
            upright = ImageOps.exif_transpose(picture)
            if upright.has_transparency_data:  # white behind it, as a person sees it; its hidden colours do not count
                white = Image.new("RGBA", upright.size, "white")
                upright = Image.alpha_composite(white, upright.convert("RGBA"))
            return upright.convert("RGB")
    except SignalFailed:
        raise
    except UnidentifiedImageError:
        said = "the face cannot be read as JPEG, PNG or WebP"
        raise SignalFailed(said, reason_code="MEDIA_NOT_SUPPORTED", capture_again=_AGAIN) from None
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):  # by its header, above Pillow's own bound
        raise _too_large() from None
    except MemoryError:
        raise
    except Exception:  # decoders raise what they like of damaged pictures: SyntaxError, struct.error, EOFError …
        raise SignalFailed("the picture is damaged", reason_code="PICTURE_DAMAGED", capture_again=_AGAIN) from None


def _too_large() -> SignalFailed:
    said = f"the picture has more than {PIXELS_MAX // 1_000_000} million pixels"
    return SignalFailed(said, reason_code="PICTURE_TOO_LARGE")


def _resized(picture: Image.Image, settings: InputSettings) -> Image.Image:
    """Return a picture of the model's size: cut at its longer side, framed in black, or without its proportions."""
    from PIL import Image, ImageOps

    size, bilinear = (settings.width, settings.height), Image.Resampling.BILINEAR
    if settings.resize == "crop":
        picture = ImageOps.fit(picture, size, method=bilinear)
    elif settings.resize == "fit":
        picture = ImageOps.pad(picture, size, method=bilinear, color="black")
    else:
        picture = picture.resize(size, bilinear)
    return picture.convert("L") if settings.colour == "grey" else picture
