"""A video against the vendor's media table: by its headers, and with the extra `media` by its frames' times."""

from __future__ import annotations

import io
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from itertools import islice

from adjudge_plugins.aliyun.media.boxes import Track, read_track
from adjudge_plugins.aliyun.media.finding import (
    ADVISED_LONG_SIDE,
    ADVISED_SHORT_SIDE,
    BrokenMediaError,
    Examined,
    MediaFinding,
    better_by_url,
    few_pixels,
    too_large,
)

FILE_ABOVE_BYTES = 100_000
FILE_SURELY_ABOVE_BYTES = 102_400
LENGTH_S = (1, 3)
LENGTH_TOLERANCE_S = Fraction(1, 4)
"""How much longer a track may claim to be than its frames: two of the slowest, of which some files omit the last."""

RATE_MIN = 8
RATE_MAX = 1000
"""Frames a second; no phone records faster, so a file that says so is wrong about its times."""

PIXELS_MAX = 4096 * 2304
"""The vendor names no limit; this one is ours: no camera for faces records more."""

FRAMES_MAX = 10_000

# No decoder is opened, whatever the file asks for: times and sizes do not need one.
_OPTIONS = {"codec_whitelist": "none", "max_streams": "64", "ignore_chapters": "1"}

_TWO_SECONDS = "Please record a new video of about two seconds."
_SMOOTHER = "The video was not smooth enough. Please record a new one in good, even light."
_AGAIN = "We could not read the video. Please record a new one."


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """How long a video is, in seconds: by the times of its frames, as its track says, and as the file says with sound.

    by_track, by_file: None where they do not say.
    """

    frames: int
    by_frames: Fraction
    by_track: Fraction | None
    by_file: Fraction | None


def examine_clip(data: bytes) -> Examined:
    """Examine a file that begins as an MP4 or MOV does."""
    errors, warnings = [*_size_errors(len(data))], [*_size_warnings(len(data))]
    track: Track | None = None
    measured: Measured | None = None
    try:
        track = read_track(data)
        if track.width * track.height > PIXELS_MAX:
            message = f"the video is {track.width} by {track.height}, more than {PIXELS_MAX:,} pixels are not opened"
            raise BrokenMediaError("MEDIA_TOO_MANY_PIXELS", message)
        measured = _measure(data, track)
        errors += _time_errors(measured)
    except BrokenMediaError as error:
        errors.append(error.finding)
    except ImportError:
        message = "length and frame rate were not looked at: install adjudge[media]"
        warnings.append(MediaFinding(code="MEDIA_NOT_EXAMINED", message=message))
    width, height = _seen(track)
    if track is not None and width and height:
        warnings += few_pixels(width, height, "video", f"The video is very small. {_TWO_SECONDS}")
        warnings += _orientation_warnings(track, width, height)
    return Examined(
        media_type="video",
        errors=tuple(errors),
        warnings=tuple(warnings),
        width=width,
        height=height,
        duration_s=float(measured.by_frames) if measured else None,
        frames_per_s=float(measured.frames / measured.by_frames) if measured and measured.by_frames else None,
    )


def _seen(track: Track | None) -> tuple[int | None, int | None]:
    if track is None or not track.width or not track.height:
        return None, None
    return (track.height, track.width) if track.is_on_its_side else (track.width, track.height)


def _size_errors(size: int) -> Iterator[MediaFinding]:
    yield from too_large(size, "video", f"The video is too large. {_TWO_SECONDS}")
    if size <= FILE_ABOVE_BYTES:
        message = f"the video has {size:,} bytes, more than {FILE_ABOVE_BYTES:,} are needed"
        yield MediaFinding(
            code="MEDIA_TOO_SMALL", message=message, capture_again=f"The video is too small. {_TWO_SECONDS}"
        )


def _size_warnings(size: int) -> Iterator[MediaFinding]:
    if FILE_ABOVE_BYTES < size <= FILE_SURELY_ABOVE_BYTES:
        message = f"the video has {size:,} bytes, too few if the vendor's 100 KB are {FILE_SURELY_ABOVE_BYTES:,}"
        yield MediaFinding(code="MEDIA_BARELY_LARGE_ENOUGH", message=message)
    yield from better_by_url(size, "video")


def _orientation_warnings(track: Track, width: int, height: int) -> Iterator[MediaFinding]:
    if width >= height:
        message = (
            f"the video is {width} wide and {height} high, {ADVISED_SHORT_SIDE} by {ADVISED_LONG_SIDE} is recommended"
        )
        yield MediaFinding(code="MEDIA_VIDEO_NOT_PORTRAIT", message=message)
    if track.is_turned:
        message = f"the video is stored {track.width} by {track.height} and turned when it is shown; the vendor may not"
        yield MediaFinding(code="MEDIA_STORED_TURNED", message=message)


def _time_errors(measured: Measured) -> Iterator[MediaFinding]:
    """Yield what is wrong with length and rate.

    A file's two lengths differ by its sound, or where one is wrong. Which the vendor reads is not known: both must do.
    """
    if measured.by_track is not None and measured.by_track > measured.by_frames + LENGTH_TOLERANCE_S:
        message = (
            f"the video's track declares {float(measured.by_track):.3f} s, "
            f"but the file holds frames of {float(measured.by_frames):.3f} s"
        )
        yield MediaFinding(code="MEDIA_TRUNCATED", message=message, capture_again=_AGAIN)
    least, most = LENGTH_S
    lengths = [length for length in (measured.by_frames, measured.by_file) if length is not None]
    if min(lengths) < least:
        message = f"the video lasts {float(min(lengths)):.3f} s, at least {least} s are needed"
        yield MediaFinding(
            code="MEDIA_TOO_SHORT", message=message, capture_again=f"The video is too short. {_TWO_SECONDS}"
        )
    if max(lengths) > most:
        message = f"the video lasts {float(max(lengths)):.3f} s, at most {most} s are taken"
        yield MediaFinding(
            code="MEDIA_TOO_LONG", message=message, capture_again=f"The video is too long. {_TWO_SECONDS}"
        )
    rate = measured.frames / measured.by_frames if measured.by_frames > 0 else None
    if rate is not None and rate < RATE_MIN:
        message = f"the video has {float(rate):.2f} frames a second, at least {RATE_MIN} are needed"
        yield MediaFinding(code="MEDIA_FRAME_RATE", message=message, capture_again=_SMOOTHER)
    if rate is not None and rate > RATE_MAX:
        message = f"the video has {float(rate):,.0f} frames a second, which no camera records"
        yield MediaFinding(code="MEDIA_FRAME_RATE", message=message, capture_again=_AGAIN)


def _measure(data: bytes, track: Track) -> Measured:
    """Read the times of a track's frames. Raises BrokenMediaError; ImportError without the extra."""
    import av

    starts, ends, packets = [], [], 0
    try:
        with av.open(io.BytesIO(data), "r", format="mp4", options=_OPTIONS, metadata_errors="replace") as container:
            stream = next(stream for stream in container.streams.video if stream.id == track.number)
            for packet in islice(container.demux(stream), FRAMES_MAX):
                packets += 1
                if packet.pts is None or packet.is_discard:  # the one that ends the stream, and what an edit cuts away
                    continue
                if packet.is_corrupt:
                    raise EOFError("a frame is cut off")
                starts.append(packet.pts)
                ends.append(packet.pts + max(packet.duration or 0, 0))
            tick = stream.time_base or Fraction(0)
            by_track = stream.duration * tick if stream.duration else None
            by_file = Fraction(container.duration, av.time_base) if container.duration else None
    except Exception as error:  # whatever the library makes of hostile bytes, the file is unreadable
        raise BrokenMediaError("MEDIA_DAMAGED", f"the video cannot be read: {error}", _AGAIN) from None
    if packets >= FRAMES_MAX:
        raise BrokenMediaError("MEDIA_BOMB", f"the video has {FRAMES_MAX:,} frames or more")
    if not starts:
        raise BrokenMediaError("MEDIA_NO_VIDEO", "the video has no frame", _AGAIN)
    by_frames = (max(ends) - min(starts)) * tick
    return Measured(frames=len(starts), by_frames=by_frames, by_track=by_track, by_file=by_file)
