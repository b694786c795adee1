"""From the bytes of a picture to a model's tensor. Runs in a thread; what it refuses, it refuses before decoding."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from adjudge.plugin import SignalFailed
from adjudge_plugins.onnx_detector.settings import InputSettings
from adjudge_plugins.pictures import PictureError, read_picture

if TYPE_CHECKING:
    import numpy as np
    from PIL import Image

PIXELS_MAX = 50_000_000
"""Of a picture as its header has it; 150 MB when decoded. Pillow's own bound is global, and so not ours to set."""

_FORMATS = ("JPEG", "PNG", "WEBP")  # others are not tried: Pillow would start programs for some of them
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
    try:
        return read_picture(data, formats=_FORMATS, pixels_max=PIXELS_MAX)
    except PictureError as error:
        again = _AGAIN if error.is_unreadable else None
        raise SignalFailed(str(error), reason_code=error.reason_code, capture_again=again) from None


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
