"""Real pictures for tests, of nobody."""

from __future__ import annotations

import io

from PIL import Image


def portrait(width: int = 480, height: int = 640) -> bytes:
    """Return a real JPEG, grey from dark to light."""
    written = io.BytesIO()
    Image.linear_gradient("L").resize((width, height)).save(written, "JPEG")
    return written.getvalue()
