"""What a look at a picture or a video finds, and the rules that both share.

The numbers are the vendor's media table. It does not say whether a KB has 1000 or 1024 bytes: the stricter reading
counts, so a limit upwards is in thousands.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

FILE_MAX_BYTES = 10_000_000
URL_ABOVE_BYTES = 1_000_000
ADVISED_LONG_SIDE = 640
ADVISED_SHORT_SIDE = 480


@dataclass(frozen=True, slots=True, kw_only=True)
class MediaFinding:
    """One thing that is wrong with media, or not as recommended.

    message: for the operator, with the figure and the limit.
    capture_again: a sentence for the applicant where a new picture or video is what helps.
    """

    code: str
    message: str
    capture_again: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Examined:
    """What is known of media before it is sent.

    media_type: from the content, whatever the caller said; `image` where the content is neither.
    errors: what the vendor's hard limits refuse, and what nobody can read. warnings: recommendations not followed.
    width, height: pixels as seen, after EXIF orientation or a track's rotation; None where they cannot be found.
    duration_s, frames_per_s: of a video, None where they were not looked at.
    """

    media_type: Literal["image", "video"]
    errors: tuple[MediaFinding, ...]
    warnings: tuple[MediaFinding, ...]
    width: int | None = None
    height: int | None = None
    duration_s: float | None = None
    frames_per_s: float | None = None


class BrokenMediaError(Exception):
    """Media cannot be read any further; `finding` says why."""

    def __init__(self, code: str, message: str, capture_again: str | None = None) -> None:
        super().__init__(message)
        self.finding = MediaFinding(code=code, message=message, capture_again=capture_again)


def too_large(size: int, what: str, capture_again: str | None = None) -> Iterator[MediaFinding]:
    """Yield the error of a file above the limit."""
    if size > FILE_MAX_BYTES:
        message = f"the {what} has {size:,} bytes, at most {FILE_MAX_BYTES:,} are taken"
        yield MediaFinding(code="MEDIA_TOO_LARGE", message=message, capture_again=capture_again)


def better_by_url(size: int, what: str) -> Iterator[MediaFinding]:
    """Yield the warning of a file that should not travel as Base64."""
    if size > URL_ABOVE_BYTES:
        message = f"the {what} has {size:,} bytes, above {URL_ABOVE_BYTES:,} a URL or an upload is recommended"
        yield MediaFinding(code="MEDIA_BETTER_BY_URL", message=message)


def few_pixels(width: int, height: int, what: str, capture_again: str) -> Iterator[MediaFinding]:
    """Yield the warning of a picture or video below the recommended size, whichever way it is turned."""
    if max(width, height) < ADVISED_LONG_SIDE or min(width, height) < ADVISED_SHORT_SIDE:
        message = (
            f"the {what} is {width} wide and {height} high, "
            f"at least {ADVISED_SHORT_SIDE} by {ADVISED_LONG_SIDE} are recommended"
        )
        yield MediaFinding(code="MEDIA_FEW_PIXELS", message=message, capture_again=capture_again)
