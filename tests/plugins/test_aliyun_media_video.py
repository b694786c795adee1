"""Videos against the vendor's media table: made by PyAV, cut, turned, disguised, mutated, and built to explode."""

from __future__ import annotations

import io
import sys
from collections.abc import Callable
from fractions import Fraction
from functools import cache
from struct import pack
from typing import Any

import av
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adjudge_plugins.aliyun.media import Examined, examine

FRAGMENTS = (("movflags", "frag_keyframe+empty_moov+default_base_moof"),)


@cache
def recorded(
    form: str = "mp4",
    *,
    frames: int = 20,
    rate: int | Fraction = 10,
    width: int = 480,
    height: int = 640,
    codec: str = "mpeg4",
    turned: int = 0,
    sound_s: int = 0,
    options: tuple[tuple[str, str], ...] = (),
) -> bytes:
    """Return a video of one grey, by default of 2 s; 0 frames leave the video track out."""
    written = io.BytesIO()
    with av.open(written, "w", format=form, options=dict(options)) as container:
        sound = container.add_stream("aac", rate=8000, layout="mono") if sound_s else None
        if frames:
            stream: Any = container.add_stream(codec, rate=rate)
            stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
            if turned:
                stream.set_display_rotation(turned)
            for at in range(frames):
                frame = av.VideoFrame(width, height, "yuv420p")
                for plane in frame.planes:
                    plane.update(bytes(plane.buffer_size))
                frame.pts = at
                container.mux(stream.encode(frame))
            container.mux(stream.encode())
        for second in range(sound_s):
            silence: Any = av.AudioFrame("fltp", "mono", 8000)
            silence.planes[0].update(bytes(silence.planes[0].buffer_size))
            silence.rate, silence.pts = 8000, second * 8000
            assert sound is not None
            container.mux(sound.encode(silence))
        if sound is not None:
            container.mux(sound.encode())
    return written.getvalue()


def padded(data: bytes, size: int = 150_000) -> bytes:
    """Return a video of exactly so many bytes, by a free box at its end."""
    return data + (size - len(data)).to_bytes(4, "big") + b"free" + bytes(size - len(data) - 8)


def patched(data: bytes, box: bytes, offset: int, value: bytes) -> bytes:
    """Return a video with bytes of a box's content replaced, the first of its type."""
    at = data.index(box) + 4 + offset
    return data[:at] + value + data[at + len(value) :]


def replaced(data: bytes, box: bytes, content: bytes, *around: bytes) -> bytes:
    """Return a video with a box's content replaced, and the sizes of the boxes around it."""
    at = data.index(box) - 4
    old = int.from_bytes(data[at : at + 4], "big")
    grown = len(content) + 8 - old
    data = data[:at] + pack(">I", len(content) + 8) + box + content + data[at + old :]
    for outer in around:
        start = data.rindex(outer, 0, at) - 4
        data = data[:start] + pack(">I", int.from_bytes(data[start : start + 4], "big") + grown) + data[start + 4 :]
    return data


def errors(found: Examined) -> list[str]:
    return [finding.code for finding in found.errors]


def warnings(found: Examined) -> list[str]:
    return [finding.code for finding in found.warnings]


@pytest.mark.parametrize("form", ["mp4", "mov"])
@pytest.mark.parametrize("codec", ["mpeg4", "libx264"])
@pytest.mark.parametrize("options", [(), FRAGMENTS])
def test_examine_recommended_video_finds_nothing(form: str, codec: str, options: tuple[tuple[str, str], ...]) -> None:
    found = examine(padded(recorded(form, codec=codec, options=options)))
    assert found == Examined(
        media_type="video", errors=(), warnings=(), width=480, height=640, duration_s=2.0, frames_per_s=10.0
    )


# --- the numbers of the table


@pytest.mark.parametrize(
    ("size", "in_errors", "in_warnings"),
    [
        (99_999, ["MEDIA_TOO_SMALL"], []),
        (100_000, ["MEDIA_TOO_SMALL"], []),
        (100_001, [], ["MEDIA_BARELY_LARGE_ENOUGH"]),
        (102_400, [], ["MEDIA_BARELY_LARGE_ENOUGH"]),
        (102_401, [], []),
        (1_000_000, [], []),
        (1_000_001, [], ["MEDIA_BETTER_BY_URL"]),
        (10_000_000, [], ["MEDIA_BETTER_BY_URL"]),
        (10_000_001, ["MEDIA_TOO_LARGE"], ["MEDIA_BETTER_BY_URL"]),
    ],
)
def test_examine_video_bytes_around_each_limit(size: int, in_errors: list[str], in_warnings: list[str]) -> None:
    found = examine(padded(recorded(), size))
    assert (errors(found), warnings(found)) == (in_errors, in_warnings)


LENGTHS: list[tuple[int, int | Fraction, list[str]]] = [
    (9, 10, ["MEDIA_TOO_SHORT"]),
    (29, 30, ["MEDIA_TOO_SHORT"]),
    (10, 10, []),
    (30, 10, []),
    (90, 30, []),
    (31, 10, ["MEDIA_TOO_LONG"]),
    (91, 30, ["MEDIA_TOO_LONG"]),
    (8, 8, []),
    (24, 8, []),
    (16, Fraction(799, 100), ["MEDIA_FRAME_RATE"]),
    (16, Fraction(801, 100), []),
    (1500, 1000, []),
    (1502, 1001, ["MEDIA_FRAME_RATE"]),
]
LONE_FRAMES: list[tuple[int, int | Fraction, list[str]]] = [(1, 30, ["MEDIA_TOO_SHORT"]), (2, 1, ["MEDIA_FRAME_RATE"])]
"""Of these a muxer of fragments cannot know how long the last one lasts."""


@pytest.mark.parametrize(
    ("options", "frames", "rate", "in_errors"),
    [*(((), *case) for case in LENGTHS + LONE_FRAMES), *((FRAGMENTS, *case) for case in LENGTHS)],
)
def test_examine_length_and_rate_around_each_limit(
    options: tuple[tuple[str, str], ...], frames: int, rate: int | Fraction, in_errors: list[str]
) -> None:
    found = examine(padded(recorded(frames=frames, rate=rate, width=32, height=48, options=options), 600_000))
    assert errors(found) == in_errors
    assert found.duration_s == pytest.approx(float(frames / Fraction(rate)))
    assert found.frames_per_s == pytest.approx(float(rate))


@pytest.mark.parametrize(
    ("width", "height", "in_warnings"),
    [
        (480, 640, []),
        (478, 640, ["MEDIA_FEW_PIXELS"]),
        (480, 638, ["MEDIA_FEW_PIXELS"]),
        (638, 640, []),
        (640, 640, ["MEDIA_VIDEO_NOT_PORTRAIT"]),
        (642, 640, ["MEDIA_VIDEO_NOT_PORTRAIT"]),
        (64, 32, ["MEDIA_FEW_PIXELS", "MEDIA_VIDEO_NOT_PORTRAIT"]),
    ],
)
def test_examine_video_pixels_around_each_recommendation(width: int, height: int, in_warnings: list[str]) -> None:
    found = examine(padded(recorded(width=width, height=height)))
    assert (errors(found), warnings(found)) == ([], in_warnings)
    assert (found.width, found.height) == (width, height)


@pytest.mark.parametrize(("turned", "seen"), [(90, (480, 640)), (-90, (480, 640)), (180, (640, 480))])
def test_examine_turned_video_size_is_as_seen(turned: int, seen: tuple[int, int]) -> None:
    found = examine(padded(recorded(width=640, height=480, turned=turned)))
    assert (found.width, found.height) == seen
    assert errors(found) == []
    assert warnings(found) == [*(["MEDIA_VIDEO_NOT_PORTRAIT"] if turned == 180 else []), "MEDIA_STORED_TURNED"]
    assert "stored 640 by 480" in found.warnings[-1].message


def test_examine_video_with_longer_sound_is_too_long() -> None:
    assert errors(examine(padded(recorded(sound_s=2)))) == []
    found = examine(padded(recorded(sound_s=4)))
    assert errors(found) == ["MEDIA_TOO_LONG"]
    assert found.duration_s == 2.0


def test_examine_frames_that_an_edit_cuts_away_do_not_count() -> None:
    data = recorded(frames=50)
    tick = data.index(b"mdhd") + 4 + 12
    second = int.from_bytes(data[tick : tick + 4], "big")
    found = examine(padded(patched(data, b"elst", 8, pack(">II", 2000, second * 2))))
    assert (errors(found), found.duration_s, found.frames_per_s) == ([], 2.0, 10.0)


def test_examine_track_header_with_long_times_is_read() -> None:
    data = recorded(width=640, height=480, turned=90)
    at = data.index(b"tkhd") + 4
    short = data[at : at + 84]
    times = b"".join(bytes(4) + short[start : start + 4] for start in (4, 8))
    long = b"\x01" + short[1:4] + times + short[12:20] + bytes(4) + short[20:]
    found = examine(padded(replaced(data, b"tkhd", long, b"trak", b"moov")))
    assert (errors(found), found.width, found.height, found.duration_s) == ([], 480, 640, 2.0)


def test_examine_every_error_of_length_asks_for_another_video() -> None:
    for frames, rate in ((9, 10), (31, 10), (4, 2)):
        (finding,) = examine(padded(recorded(frames=frames, rate=rate))).errors
        assert finding.capture_again is not None and finding.capture_again.endswith(".")


# --- what is no video


def test_examine_sound_alone_has_no_video() -> None:
    found = examine(padded(recorded(frames=0, sound_s=2)))
    assert errors(found) == ["MEDIA_NO_VIDEO"]
    assert (found.width, found.duration_s) == (None, None)


def test_examine_header_without_frames_has_no_video() -> None:
    data = recorded(options=FRAGMENTS)
    assert errors(examine(padded(data[: data.index(b"moof") - 4]))) == ["MEDIA_NO_VIDEO"]


def test_examine_frames_without_duration_are_too_short() -> None:
    assert "MEDIA_TOO_SHORT" in errors(examine(padded(patched(recorded(frames=1), b"stts", 8, pack(">II", 1, 0)))))


def test_examine_frames_outside_the_file_are_found() -> None:
    data = padded(recorded())
    assert errors(examine(patched(data, b"stco", 8, pack(">I", len(data))))) == ["MEDIA_NO_VIDEO"]
    table = data.index(b"stsz") + 16
    sizes = [int.from_bytes(data[at : at + 4], "big") for at in range(table, table + 4 * 20, 4)]
    cut_in_a_frame = examine(patched(data, b"stco", 8, pack(">I", len(data) - sum(sizes) + 1)))
    assert errors(cut_in_a_frame) == ["MEDIA_DAMAGED"]
    cut_between_frames = examine(patched(data, b"stco", 8, pack(">I", len(data) - sum(sizes[:15]))))
    assert errors(cut_between_frames) == ["MEDIA_TRUNCATED"]
    assert "declares 2.000 s, but the file holds frames of 1.500 s" in cut_between_frames.errors[0].message


@pytest.mark.parametrize(
    ("form", "codec", "name"),
    [
        ("webm", "libvpx", "WebM"),
        ("matroska", "mpeg4", "Matroska"),
        ("avi", "mpeg4", "AVI"),
        ("flv", "flv", "FLV"),
        ("mpegts", "mpeg4", "MPEG-TS"),
        ("vob", "mpeg2video", "MPEG-PS"),
        ("asf", "mpeg4", "WMV"),
        ("3gp", "mpeg4", "3GP"),
        ("3g2", "mpeg4", "3GP2"),
    ],
)
def test_examine_videos_in_disguise_are_named(form: str, codec: str, name: str) -> None:
    found = examine(recorded(form, codec=codec, rate=25))
    assert (found.media_type, errors(found)) == ("video", ["MEDIA_NOT_MP4"])
    assert found.errors[0].message == f"the file is {name}; a picture must be JPEG, a video MP4 or MOV"


def test_examine_m4a_and_ogg_are_named() -> None:
    assert (
        "is M4A" in examine(recorded("ipod", frames=0, sound_s=1).replace(b"ftypM4V ", b"ftypM4A ")).errors[0].message
    )
    assert "is Ogg" in examine(b"OggS" + bytes(40)).errors[0].message


@pytest.mark.parametrize("brand", [b"isom", b"mp42", b"avc1", b"iso6", b"M4V ", b"qt  "])
def test_examine_brands_of_mp4_and_mov_are_taken(brand: bytes) -> None:
    data = recorded()
    assert data[4:8] == b"ftyp"
    found = examine(padded(data[:8] + brand + data[12:]))
    assert errors(found) == []


def test_examine_unknown_brand_goes_by_the_compatible_ones() -> None:
    for form in ("mp4", "mov"):
        data = recorded(form)
        assert errors(examine(padded(data[:8] + b"zzzz" + data[12:]))) == []


def test_examine_old_mov_without_a_brand_is_taken() -> None:
    data = recorded("mov")
    found = examine(padded(data[:4] + b"wide" + data[8:]))
    assert (found.media_type, errors(found), found.duration_s) == ("video", [], 2.0)


def test_examine_box_with_a_long_size_is_read() -> None:
    data = recorded()
    at = data.index(b"\x00\x00\x00\x08free")
    size = int.from_bytes(data[at + 8 : at + 12], "big") + 8
    found = examine(padded(data[:at] + b"\x00\x00\x00\x01mdat" + size.to_bytes(8, "big") + data[at + 16 :]))
    assert (errors(found), found.duration_s) == ([], 2.0)


def test_examine_track_with_an_empty_matrix_is_not_on_its_side() -> None:
    found = examine(padded(patched(recorded(), b"tkhd", 40, bytes(36))))
    assert (errors(found), found.width, found.height) == ([], 480, 640)


# --- structure


@pytest.mark.parametrize("is_header_first", [False, True])
def test_examine_video_cut_anywhere_is_found(is_header_first: bool) -> None:
    data = recorded(width=32, height=48)
    if is_header_first:
        first, media, header = data.index(b"free") - 4, data.index(b"mdat") - 4, data.index(b"moov") - 4
        data = patched(data, b"stco", 8, pack(">I", media + 8 + len(data) - header))
        data = data[:first] + data[header:] + data[first:header]
        assert examine(padded(data)).errors == ()
    for cut in range(12, len(data)):
        assert set(errors(examine(data[:cut]))) & {"MEDIA_TRUNCATED", "MEDIA_NO_VIDEO"}, cut


def test_examine_fragments_cut_inside_one_are_found() -> None:
    data = recorded(width=32, height=48, options=FRAGMENTS)
    ends, at = set(), 0
    while at < len(data):
        at += int.from_bytes(data[at : at + 4], "big")
        ends |= {at, at + 1, at + 2, at + 3}  # the zeros that begin the next box's size could be padding
    for cut in range(12, len(data)):
        if cut not in ends:
            assert "MEDIA_TRUNCATED" in errors(examine(data[:cut])), cut


def test_examine_bytes_after_the_video_are_found_unless_zero() -> None:
    data = padded(recorded())
    assert errors(examine(data + bytes(3))) == errors(examine(data + bytes(300))) == []
    assert errors(examine(data + b"xyz")) == errors(examine(data + b"PK\x03\x04" + bytes(9))) == ["MEDIA_TRUNCATED"]


def test_examine_damaged_boxes_are_found() -> None:
    data = padded(recorded())
    for broken, what in (
        (patched(data, b"trak", -8, pack(">I", 90_000)), "larger than the one around it"),
        (patched(data, b"tkhd", -8, pack(">I", 7)), "a box of 7 bytes"),
        (replaced(data, b"tkhd", bytes(12), b"trak", b"moov"), "track header of a wrong length"),
    ):
        found = examine(broken)
        assert errors(found) == ["MEDIA_DAMAGED"]
        assert what in found.errors[0].message


# --- bombs


def _samples(data: bytes) -> bytes:
    data = patched(data, b"stsz", 4, pack(">II", 1, 50_000_000))
    data = patched(data, b"stts", 8, pack(">II", 50_000_000, 1))
    return patched(data, b"stsc", 12, pack(">I", 50_000_000))


def _edits(data: bytes) -> bytes:
    edits = pack(">II", 0, 60_000) + pack(">iiI", 2000, 0, 65536) * 60_000
    return replaced(data, b"elst", edits, b"edts", b"trak", b"moov")


BOMBS: dict[str, tuple[Callable[[], bytes], str]] = {
    "samples": (lambda: _samples(recorded()), "declares 50,000,000 samples"),
    "samples hidden in a free box": (
        lambda: recorded() + b"\x00\x00\x00\x18freestsz" + pack(">III", 0, 1, 1_000_001),
        "declares 1,000,021 samples",
    ),
    "samples beside an empty edit list": (
        lambda: patched(patched(recorded(), b"stsz", 4, pack(">II", 1, 1_000_001)), b"elst", 4, bytes(4)),
        "declares 1,000,001 samples",
    ),
    "a fragment": (
        lambda: patched(recorded(options=FRAGMENTS), b"trun", 0, pack(">II", 0, 30_000_000)),
        "declares 30,000,0",
    ),
    "edits": (lambda: _edits(recorded()), "declares 1,200,000 samples"),
    "sound": (lambda: patched(recorded(), b"stsc", 12, pack(">I", 2_000_000_000)), "declares 3,906,270 samples"),
    "runs of chunks": (lambda: patched(recorded(), b"stsc", 4, pack(">I", 1_000_001)), "declares 1,000,001 samples"),
    "tables": (
        lambda: recorded() + pack(">I", 8 + 16 * 10_001) + b"free" + b"\x00\x00\x00\x10elst".ljust(16, b"\0") * 10_001,
        "more than 10,000 tables",
    ),
    "a packed header": (lambda: patched(recorded(), b"udta", -4, b"cmov"), "header is compressed"),
    "boxes": (lambda: recorded() + b"\x00\x00\x00\x08free" * 10_001, "more than 10,000 boxes"),
    "tracks": (
        lambda: replaced(recorded(), b"moov", b"\x00\x00\x00\x08trak" * 33 + recorded().partition(b"moov")[2]),
        "more than 32 tracks",
    ),
    "frames": (
        lambda: patched(
            patched(recorded(), b"stsz", 4, pack(">II", 1, 10_000)), b"stsc", 12, pack(">I", 10_000)
        ).replace(pack(">II", 20, 1024), pack(">II", 10_000, 1024)),
        "10,000 frames or more",
    ),
}


@pytest.mark.parametrize("kind", BOMBS)
def test_examine_video_bomb_is_not_set_off(kind: str) -> None:
    build, reason = BOMBS[kind]
    found = examine(padded(build(), 2_000_000))
    assert errors(found) == ["MEDIA_BOMB"]
    assert reason in found.errors[0].message


def test_examine_huge_video_is_not_opened(monkeypatch: pytest.MonkeyPatch) -> None:
    entry = recorded().index(b"mp4v") + 4 + 24
    for width, height, in_errors in ((4096, 2304, []), (4096, 2305, ["MEDIA_TOO_MANY_PIXELS"])):
        data = recorded()[:entry] + pack(">HH", width, height) + recorded()[entry + 4 :]
        found = examine(padded(data))
        assert (errors(found), found.width, found.height) == (in_errors, width, height)
        assert (found.duration_s is None) == bool(in_errors)


def test_examine_encrypted_video_is_not_opened() -> None:
    data = recorded() + b"\x00\x00\x00\x20free\x00\x00\x00\x0ctenc\x00\x00\x00\x00\x00\x00\x00\x0csenc\x00\x00\x00\x00"
    assert errors(examine(padded(data))) == ["MEDIA_ENCRYPTED"]
    assert errors(examine(padded(data.replace(b"tenc", b"text")))) == []
    assert errors(examine(padded(data.replace(b"senc", b"text")))) == []


def test_examine_media_data_that_spells_a_table_is_no_bomb() -> None:
    data = padded(recorded())
    assert errors(examine(data + b"\x00\x00\x00\x20mdatstsz" + b"\xff" * 20)) == []
    assert errors(examine(data + b"\x00\x00\x00\x20freestsz" + b"\xff" * 20)) == ["MEDIA_BOMB"]


# --- anything at all


@pytest.mark.parametrize("options", [(), FRAGMENTS])
@settings(max_examples=300, deadline=None)
@given(st.data())
def test_examine_mutated_video_is_answered(options: tuple[tuple[str, str], ...], data: st.DataObject) -> None:
    mutated = bytearray(recorded(width=32, height=48, sound_s=1, options=options))
    header = mutated.index(b"moov")
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(header - 8, len(mutated) - 1) | st.integers(0, len(mutated) - 1))
        stop = at + data.draw(st.integers(0, 4))
        mutated[at:stop] = data.draw(st.binary(max_size=4))
    found = examine(bytes(mutated))
    assert found.errors


# --- without the extra


def test_examine_video_without_the_extra_still_checks_its_headers(monkeypatch: pytest.MonkeyPatch) -> None:
    videos = [padded(recorded(), 100_000), padded(recorded(width=640, height=480, turned=90)), recorded()[:-9]]
    monkeypatch.setitem(sys.modules, "av", None)
    small, turned, cut = (examine(video) for video in videos)
    assert (errors(small), warnings(small)) == (["MEDIA_TOO_SMALL"], ["MEDIA_NOT_EXAMINED"])
    assert (small.width, small.height, small.duration_s, small.frames_per_s) == (480, 640, None, None)
    assert "install adjudge[media]" in small.warnings[0].message
    assert (turned.width, turned.height) == (480, 640)
    assert warnings(turned) == ["MEDIA_NOT_EXAMINED", "MEDIA_STORED_TURNED"]
    assert "MEDIA_TRUNCATED" in errors(cut)
