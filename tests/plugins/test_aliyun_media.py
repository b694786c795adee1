"""Pictures against the vendor's media table: made by Pillow, cut, turned, disguised and mutated."""

from __future__ import annotations

import io
import re
import sys
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageOps

from adjudge_plugins.aliyun.media import Examined, examine, prepare

CORNERS = {(0, 0): "red", (1, 0): "lime", (0, 1): "blue", (1, 1): "yellow"}


def drawn(width: int, height: int, mode: str = "RGB") -> Image.Image:
    """Return a picture whose four quarters differ, so that every way of turning it shows."""
    picture = Image.new("RGB", (width, height))
    for (right, low), colour in CORNERS.items():
        picture.paste(colour, (right * width // 2, low * height // 2, width, height if low else height // 2))
    return picture.convert(mode)


def encoded(picture: Image.Image, form: str = "JPEG", **options: Any) -> bytes:
    written = io.BytesIO()
    picture.save(written, form, **options)
    return written.getvalue()


def padded(data: bytes, size: int) -> bytes:
    """Return a JPEG of exactly so many bytes, by comments behind its first marker."""
    missing = size - len(data)
    comments = []
    while missing:
        length = min(missing, 60_000)
        if 0 < missing - length < 4:
            length -= 4
        comments.append(b"\xff\xfe" + (length - 2).to_bytes(2, "big") + bytes(length - 4))
        missing -= length
    return data[:2] + b"".join(comments) + data[2:]


def portrait(width: int = 720, height: int = 960, size: int = 80_000, **options: Any) -> bytes:
    return padded(encoded(drawn(width, height), **options), size)


def exif(orientation: int, *, thumbnail: bytes = b"") -> bytes:
    order = b"\xff\xe1" + (2 + 6 + 26 + len(thumbnail)).to_bytes(2, "big") + b"Exif\x00\x00"
    entry = b"\x01\x12\x00\x03\x00\x00\x00\x01" + orientation.to_bytes(2, "big") + b"\x00\x00"
    return order + b"MM\x00*\x00\x00\x00\x08\x00\x01" + entry + bytes(4) + thumbnail


def with_exif(data: bytes, orientation: int, *, thumbnail: bytes = b"") -> bytes:
    return data[:2] + exif(orientation, thumbnail=thumbnail) + data[2:]


def errors(found: Examined) -> list[str]:
    return [finding.code for finding in found.errors]


def warnings(found: Examined) -> list[str]:
    return [finding.code for finding in found.warnings]


def with_declared_size(data: bytes, width: int, height: int) -> bytes:
    at = re.search(rb"\xff[\xc0-\xc2]\x00\x11", data)
    assert at is not None
    return data[: at.end() + 1] + height.to_bytes(2, "big") + width.to_bytes(2, "big") + data[at.end() + 5 :]


def test_examine_recommended_picture_finds_nothing() -> None:
    found = examine(portrait())
    assert found == Examined(media_type="image", errors=(), warnings=(), width=720, height=960)


# --- the numbers of the table


@pytest.mark.parametrize(
    ("size", "in_errors", "in_warnings"),
    [
        (49_999, [], ["MEDIA_FEW_BYTES"]),
        (50_000, [], []),
        (100_000, [], []),
        (100_001, [], ["MEDIA_MANY_BYTES"]),
        (1_000_000, [], ["MEDIA_MANY_BYTES"]),
        (1_000_001, [], ["MEDIA_MANY_BYTES", "MEDIA_BETTER_BY_URL"]),
        (10_000_000, [], ["MEDIA_MANY_BYTES", "MEDIA_BETTER_BY_URL"]),
        (10_000_001, ["MEDIA_TOO_LARGE"], ["MEDIA_MANY_BYTES", "MEDIA_BETTER_BY_URL"]),
    ],
)
def test_examine_picture_bytes_around_each_limit(size: int, in_errors: list[str], in_warnings: list[str]) -> None:
    found = examine(portrait(size=size))
    assert (errors(found), warnings(found)) == (in_errors, in_warnings)


@pytest.mark.parametrize(
    ("width", "height", "in_errors", "in_warnings"),
    [
        (1080, 1920, [], ["MEDIA_SCALE_DOWN"]),
        (1081, 1920, ["MEDIA_TOO_MANY_PIXELS"], ["MEDIA_SCALE_DOWN"]),
        (1080, 1921, ["MEDIA_TOO_MANY_PIXELS"], ["MEDIA_SCALE_DOWN"]),
        (721, 960, [], ["MEDIA_SCALE_DOWN"]),
        (720, 960, [], []),
        (480, 640, [], []),
        (479, 640, [], ["MEDIA_FEW_PIXELS"]),
        (480, 639, [], ["MEDIA_FEW_PIXELS"]),
        (720, 721, [], []),
        (720, 720, ["MEDIA_NOT_PORTRAIT"], []),
        (721, 720, ["MEDIA_NOT_PORTRAIT"], []),
        (1920, 1080, ["MEDIA_NOT_PORTRAIT"], ["MEDIA_SCALE_DOWN"]),
    ],
)
def test_examine_picture_pixels_around_each_limit(
    width: int, height: int, in_errors: list[str], in_warnings: list[str]
) -> None:
    found = examine(portrait(width, height))
    assert (errors(found), warnings(found)) == (in_errors, in_warnings)
    assert (found.width, found.height) == (width, height)


def test_examine_messages_name_figure_and_limit() -> None:
    found = examine(portrait(1200, 1100, size=10_000_001))
    assert [finding.message for finding in (*found.errors, *found.warnings)] == [
        "the picture has 10,000,001 bytes, at most 10,000,000 are taken",
        "the picture is 1200 by 1100, at most 1080 by 1920 are taken",
        "the picture is 1200 wide and 1100 high, it must be higher than wide",
        "the picture has 10,000,001 bytes, 50,000 to 100,000 are recommended",
        "the picture has 10,000,001 bytes, above 1,000,000 a URL or an upload is recommended",
        "the picture's short side has 1100 pixels, 720 are recommended",
    ]


# --- orientation


@pytest.mark.parametrize("orientation", range(1, 9))
def test_examine_orientation_size_is_as_seen(orientation: int) -> None:
    found = examine(with_exif(portrait(720, 960), orientation))
    assert (found.width, found.height) == ((960, 720) if orientation >= 5 else (720, 960))
    assert errors(found) == []
    assert warnings(found) == ([] if orientation == 1 else ["MEDIA_STORED_TURNED"])


@pytest.mark.parametrize("orientation", [5, 6, 7, 8])
def test_examine_portrait_only_one_way_is_warned_of(orientation: int) -> None:
    as_seen = examine(with_exif(portrait(960, 720), orientation))
    as_stored = examine(with_exif(portrait(720, 960), orientation))
    assert errors(as_seen) == errors(as_stored) == []
    assert "portrait only as seen" in as_seen.warnings[0].message
    assert "portrait only as stored" in as_stored.warnings[0].message


@pytest.mark.parametrize("orientation", range(1, 9))
def test_examine_square_is_portrait_no_way(orientation: int) -> None:
    assert errors(examine(with_exif(portrait(720, 720), orientation))) == ["MEDIA_NOT_PORTRAIT"]


@pytest.mark.parametrize("orientation", range(1, 9))
def test_examine_orientation_as_a_library_writes_it(orientation: int) -> None:
    written = Image.Exif()
    written[0x010F] = "a maker of cameras"
    written[0x0112] = orientation
    found = examine(encoded(drawn(720, 960), exif=written))
    assert (found.width, found.height) == ((960, 720) if orientation >= 5 else (720, 960))
    assert any(f"EXIF orientation {orientation}" in finding.message for finding in found.warnings) == (orientation > 1)


def test_examine_orientation_of_another_type_is_ignored() -> None:
    assert exif(6).count(b"\x01\x12\x00\x03") == 1
    other = exif(6).replace(b"\x01\x12\x00\x03", b"\x01\x12\x00\x04")
    found = examine(portrait()[:2] + other + portrait()[2:])
    assert (found.width, found.height) == (720, 960)


@pytest.mark.parametrize("orientation", [0, 9, 65535])
def test_examine_orientation_out_of_range_is_upright(orientation: int) -> None:
    found = examine(with_exif(portrait(), orientation))
    assert (found.width, found.height, warnings(found)) == (720, 960, [])


def test_examine_damaged_exif_is_upright() -> None:
    whole = exif(6)
    for cut in range(10, len(whole)):
        broken = b"\xff\xe1" + (cut - 2).to_bytes(2, "big") + whole[4:cut]
        found = examine(portrait()[:2] + broken + portrait()[2:])
        assert (found.width, errors(found)) in ((720, []), (960, [])), cut


def test_examine_second_exif_is_ignored_as_readers_do() -> None:
    found = examine(with_exif(with_exif(portrait(), 6), 1))
    assert (found.width, found.height) == (720, 960)


# --- structure

SMALL = drawn(48, 64)
FORMS: dict[str, Callable[[], bytes]] = {
    "baseline": lambda: encoded(SMALL),
    "progressive": lambda: encoded(SMALL, progressive=True),
    "restarts": lambda: encoded(SMALL, restart_marker_blocks=1),
    "grey": lambda: encoded(SMALL.convert("L")),
    "cmyk": lambda: encoded(SMALL.convert("CMYK")),
    "fill bytes": lambda: re.sub(rb"\xff([\xc0\xc4\xda\xdb]\x00)", b"\xff\xff\xff\\1", encoded(SMALL)),
    "fill bytes before restarts": lambda: re.sub(
        rb"\xff([\xd0-\xd7\xd9])", b"\xff\xff\\1", encoded(SMALL, restart_marker_blocks=1)
    ),
    "thumbnail": lambda: with_exif(encoded(SMALL), 1, thumbnail=encoded(drawn(12, 16))),
}


@pytest.mark.parametrize("form", FORMS)
def test_examine_whole_jpeg_of_every_form_is_whole(form: str) -> None:
    data = FORMS[form]()
    Image.open(io.BytesIO(data)).load()
    found = examine(data)
    assert errors(found) == []
    assert (found.width, found.height) == (48, 64)
    assert ("MEDIA_UNUSUAL_JPEG" in warnings(found)) == (form == "cmyk")


@pytest.mark.parametrize("form", FORMS)
def test_examine_jpeg_cut_anywhere_is_found(form: str) -> None:
    data = FORMS[form]()
    for cut in range(2, len(data)):
        assert errors(examine(data[:cut])) == ["MEDIA_TRUNCATED"], cut
    for cut in range(2):
        assert errors(examine(data[:cut])), cut


def test_examine_truncated_jpeg_still_tells_its_size_and_asks_for_another() -> None:
    found = examine(portrait()[:-1])
    assert (found.width, found.height) == (720, 960)
    assert found.errors[0].message == "the JPEG breaks off: its 79,999 bytes hold no end of the picture"
    assert found.errors[0].capture_again == "The picture did not arrive whole. Please send it again, or take a new one."


@pytest.mark.parametrize(
    ("after", "named"), [(b"\x00" * 9, "known"), (b"PK\x03\x04", "ZIP"), (b"\x00\x00\x00\x10ftypisom", "MP4")]
)
def test_examine_data_after_the_picture_is_named(after: bytes, named: str) -> None:
    found = examine(portrait() + after)
    assert (errors(found), warnings(found)) == ([], ["MEDIA_TRAILING_DATA"])
    assert f"{len(after)} bytes" in found.warnings[0].message and named in found.warnings[0].message


def test_examine_damaged_jpegs_are_found() -> None:
    data = encoded(SMALL)
    frame = data.index(b"\xff\xc0")
    scan = data.index(b"\xff\xda")
    table = data.index(b"\xff\xdb")
    length = int.from_bytes(data[frame + 2 : frame + 4], "big")
    cases = {
        "no frame header": data[:frame] + data[frame + 2 + length :],
        "two frame headers": data[:scan] + data[frame : frame + 2 + length] + data[scan:],
        "no scan": data[:scan] + b"\xff\xd9",
        "an empty scan": data[: scan + 14] + b"\xff\xd9",
        "no quantization table": data[:table] + data[data.index(b"\xff\xc0") :],
        "declared size of 0 by 64": with_declared_size(data, 0, 64),
        "declared size of 48 by 0": with_declared_size(data, 48, 0),
        "no marker at byte 2": data[:2] + b"junk" + data[2:],
        "marker D8": data[:2] + data,
        "marker D0": data[:2] + b"\xff\xd0" + data[2:],
        "a segment of length 1": data[:2] + b"\xff\xe0\x00\x01" + data[2:],
        "a frame header of a wrong length": data[: frame + 9] + b"\x04" + data[frame + 10 :],
    }
    for what, broken in cases.items():
        found = examine(broken)
        assert errors(found) == ["MEDIA_DAMAGED"], what
        assert what in found.errors[0].message


@pytest.mark.parametrize(
    ("at", "byte", "named"), [(1, 0xC9, "rare process C9"), (4, 12, "12 bits"), (1, 0xC3, "rare process C3")]
)
def test_examine_rare_jpegs_are_warned_of(at: int, byte: int, named: str) -> None:
    data = bytearray(portrait())
    data[data.index(b"\xff\xc0") + at] = byte
    found = examine(bytes(data))
    assert (errors(found), warnings(found)) == ([], ["MEDIA_UNUSUAL_JPEG"])
    assert named in found.warnings[0].message


def test_examine_lossless_jpeg_needs_no_quantization_table() -> None:
    data = encoded(SMALL)
    tables, frame = data.index(b"\xff\xdb"), data.index(b"\xff\xc0")
    assert errors(examine(data[:tables] + b"\xff\xc3" + data[frame + 2 :])) == []


# --- bombs


def test_examine_declared_bomb_is_refused_undecoded(monkeypatch: pytest.MonkeyPatch) -> None:
    bomb = with_declared_size(portrait(), 65_535, 65_535)
    for module in ("PIL", "PIL.Image"):
        monkeypatch.setitem(sys.modules, module, None)
    found = examine(bomb)
    assert errors(found) == ["MEDIA_TOO_MANY_PIXELS", "MEDIA_NOT_PORTRAIT"]
    assert "65535 by 65535" in found.errors[0].message


@pytest.mark.parametrize("segment", [b"\xff\xfe\x00\x02", b"\xff\x01", b"\xff\xda\x00\x02\x00"])
def test_examine_jpeg_of_endless_segments_is_given_up(segment: bytes) -> None:
    data = portrait()
    scan = data.index(b"\xff\xda")
    assert errors(examine(data[:scan] + segment * 1_001 + data[scan:])) == ["MEDIA_BOMB"]


# --- disguises


def _iso(brand: bytes, *others: bytes) -> bytes:
    content = brand + bytes(4) + b"".join(others)
    return (8 + len(content)).to_bytes(4, "big") + b"ftyp" + content + bytes(200)


@pytest.mark.parametrize(
    ("data", "name"),
    [
        (encoded(SMALL, "PNG"), "PNG"),
        (encoded(SMALL, "GIF"), "GIF"),
        (encoded(SMALL, "WEBP"), "WebP"),
        (encoded(SMALL, "BMP"), "BMP"),
        (encoded(SMALL, "TIFF"), "TIFF"),
        (b"MM\x00*" + bytes(20), "TIFF"),
        (_iso(b"heic", b"mif1"), "HEIC"),
        (_iso(b"heix"), "HEIC"),
        (_iso(b"mif1", b"heic"), "HEIF"),
        (_iso(b"avif", b"mif1"), "AVIF"),
        (_iso(b"crx ", b"isom"), "CR3"),
        (_iso(b"zzzz"), "of no known kind"),
        (b"%PDF-1.7\n", "PDF"),
        (b"PK\x03\x04" + bytes(30), "ZIP"),
        (b"\x1f\x8b\x08" + bytes(30), "gzip"),
        (b"\n<!DOCTYPE html><title>403</title>", "HTML"),
        (b"\xef\xbb\xbf<html>", "HTML"),
        (b"<?xml version='1.0'?><Error/>", "XML"),
        (b"<svg xmlns=''/>", "SVG"),
        (b"a letter", "text"),
        ("é".encode() * 400 + b"x", "text"),
        (("x" + "é" * 400).encode(), "text"),
        (b"/9j/4AAQSkZJRg==", "Base64 of a JPEG, not its bytes"),
        (b"data:image/jpeg;base64,/9j/", "a data URI, not the bytes that it holds"),
        (b"iVBORw0KGgoAAAA", "Base64 of a PNG"),
        (b"RIFF\x00\x00\x00\x00WAVE", "WAV"),
        (b"RIFF\x00\x00\x00\x00????", "of no known kind"),
        (bytes(100), "of no known kind"),
        (b"\x00\xff\xd8\xff", "of no known kind"),
        (b" \n", "of no known kind"),
    ],
)
def test_examine_other_files_are_named(data: bytes, name: str) -> None:
    found = examine(data)
    assert (found.media_type, errors(found), found.warnings) == ("image", ["MEDIA_NOT_JPEG"], ())
    assert found.errors[0].message == f"the file is {name}; a picture must be JPEG, a video MP4 or MOV"
    assert found.errors[0].capture_again is not None


def test_examine_nothing_is_empty() -> None:
    assert errors(examine(b"")) == ["MEDIA_EMPTY"]


def test_examine_jpeg_that_spells_a_box_type_is_a_jpeg() -> None:
    segment = b"\xff\xe0ftypisom".ljust(2 + 0x6674, b"\x00")
    found = examine(portrait()[:2] + segment + portrait()[2:])
    assert (found.media_type, errors(found), found.width) == ("image", [], 720)


# --- anything at all


@settings(max_examples=200, deadline=None)
@given(
    st.binary(max_size=300), st.sampled_from([b"", b"\xff\xd8", b"\x00\x00\x00\x20ftypmp42", b"\x00\x00\x00\x10moov"])
)
def test_examine_any_bytes_are_answered(data: bytes, first: bytes) -> None:
    found = examine(first + data)
    assert found.errors


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_examine_mutated_jpeg_is_answered(data: st.DataObject) -> None:
    mutated = bytearray(with_exif(encoded(SMALL), 6, thumbnail=encoded(drawn(12, 16))))
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(mutated) - 1))
        stop = at + data.draw(st.integers(0, 3))
        mutated[at:stop] = data.draw(st.binary(max_size=4))
    found = examine(bytes(mutated))
    assert found.media_type in ("image", "video")
    try:
        assert prepare(bytes(mutated)).startswith(b"\xff\xd8")
    except ValueError:
        pass


# --- prepare


@pytest.mark.parametrize(
    ("size", "prepared"),
    [
        ((1080, 1920), (720, 1280)),
        ((1500, 2000), (720, 960)),
        ((3000, 4001), (720, 960)),
        ((721, 1000), (720, 999)),
        ((720, 960), (720, 960)),
        ((480, 640), (480, 640)),
        ((2000, 1500), (960, 720)),
    ],
)
def test_prepare_short_side_is_720_and_nothing_is_enlarged(size: tuple[int, int], prepared: tuple[int, int]) -> None:
    with Image.open(io.BytesIO(prepare(encoded(drawn(*size))))) as picture:
        assert (picture.format, picture.mode, picture.size) == ("JPEG", "RGB", prepared)


@pytest.mark.parametrize("form", ["JPEG", "PNG"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_prepare_orientation_is_applied(orientation: int, form: str) -> None:
    written = Image.Exif()
    written[0x0112] = orientation
    data = encoded(drawn(900, 1200), form, exif=written)
    with Image.open(io.BytesIO(data)) as picture:
        upright = ImageOps.exif_transpose(picture).convert("RGB")

    with Image.open(io.BytesIO(prepare(data))) as picture:
        assert picture.size == ((960, 720) if orientation >= 5 else (720, 960))
        for across, down in ((1, 1), (3, 1), (1, 3), (3, 3)):
            got = picture.getpixel((picture.width * across // 4, picture.height * down // 4))
            wanted = upright.getpixel((upright.width * across // 4, upright.height * down // 4))
            assert isinstance(got, tuple) and isinstance(wanted, tuple)
            assert max(abs(one - other) for one, other in zip(got, wanted, strict=True)) < 12


def test_prepare_result_has_no_metadata_and_examines_without_findings() -> None:
    written = Image.Exif()
    written[0x010F] = "a maker of cameras"
    written[0x0112] = 6
    noise = Image.effect_noise((1920, 1080), 40).convert("RGB")
    data = encoded(noise, exif=written, comment=b"secret", icc_profile=b"profile" * 30, xmp=b"<x/>", dpi=(300, 300))
    assert "MEDIA_STORED_TURNED" in warnings(examine(data))

    prepared = prepare(data)

    found = examine(prepared)
    assert errors(found) == []
    assert set(warnings(found)) <= {"MEDIA_MANY_BYTES"}
    assert (found.width, found.height) == (720, 1280)
    assert all(secret not in prepared for secret in (b"Exif", b"camera", b"secret", b"profile", b"<x/>", b"ICC"))
    with Image.open(io.BytesIO(prepared)) as picture:
        assert set(picture.info) <= {"jfif", "jfif_version", "jfif_unit", "jfif_density"}
        assert picture.info["jfif_density"] == (1, 1)


def test_prepare_quality_is_80() -> None:
    prepared = prepare(encoded(drawn(720, 960), quality=95))
    with Image.open(io.BytesIO(prepared)) as picture, Image.open(io.BytesIO(portrait(quality=80))) as wanted:
        assert picture.quantization == wanted.quantization  # type: ignore[attr-defined]  # of JPEG files only


@pytest.mark.parametrize("mode", ["L", "CMYK", "RGBA", "LA", "P", "1", "I;16"])
def test_prepare_takes_every_mode(mode: str) -> None:
    picture = Image.new(mode, (60, 80))
    with Image.open(io.BytesIO(prepare(encoded(picture, "JPEG" if mode == "CMYK" else "PNG")))) as prepared:
        assert (prepared.format, prepared.mode, prepared.size) == ("JPEG", "RGB", (60, 80))
        white = mode in ("CMYK", "RGBA", "LA")  # no ink, and nothing but transparency
        assert prepared.getpixel((30, 40)) == ((255, 255, 255) if white else (0, 0, 0))


def test_prepare_jpeg_of_several_pictures_is_its_first() -> None:
    several = encoded(drawn(480, 640), "MPO", save_all=True, append_images=[drawn(64, 48)])
    with Image.open(io.BytesIO(prepare(several))) as picture:
        assert picture.size == (480, 640)


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "the file is empty, 0 bytes"),
        (b"%PDF-1.7", "the file is PDF"),
        (encoded(SMALL, "WEBP"), "the file is WebP"),
        (encoded(SMALL)[:-1], "the JPEG breaks off"),
        (encoded(SMALL, "PNG")[:-40], "the picture cannot be read"),
        (with_declared_size(encoded(SMALL), 8001, 8000), "the picture is 8001 by 8000, at most 64,000,000 pixels"),
        (
            with_declared_size(encoded(SMALL), 65_535, 65_535),
            "the picture is 65535 by 65535, at most 64,000,000 pixels",
        ),
        (encoded(SMALL, "PNG").replace(b"\x00\x00\x00\x30\x00\x00\x00\x40", b"\x00\x00\x30\x00" * 2), "12288 by 12288"),
    ],
)
def test_prepare_what_cannot_be_read_is_refused(data: bytes, reason: str) -> None:
    with pytest.raises(ValueError, match=re.escape(reason)):
        prepare(data)


def test_prepare_png_with_a_second_header_is_refused_before_decoding() -> None:
    data = encoded(SMALL, "PNG")
    large = encoded(Image.new("1", (9_000, 8_000)), "PNG")
    with pytest.raises(ValueError, match="9000 by 8000"):
        prepare(data[:33] + large[8:33] + data[33:])


def test_prepare_without_the_extra_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    data = portrait()
    monkeypatch.setitem(sys.modules, "PIL", None)
    with pytest.raises(ImportError, match=re.escape("pip install adjudge[media]")):
        prepare(data)


def test_examine_picture_needs_no_library(monkeypatch: pytest.MonkeyPatch) -> None:
    pictures = portrait(), with_exif(portrait(), 6), portrait()[:-2]
    wanted = [examine(data) for data in pictures]
    for module in ("PIL", "PIL.Image", "av"):
        monkeypatch.setitem(sys.modules, module, None)
    assert [examine(data) for data in pictures] == wanted
