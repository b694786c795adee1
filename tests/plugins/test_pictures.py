"""The one reader of pictures: every kind of pixel and every orientation, as a person would see them."""

from __future__ import annotations

import io
import random
import struct
from typing import Any

import pytest

np = pytest.importorskip("numpy", reason='needs `pip install "adjudge[media]"` and numpy')
Image = pytest.importorskip("PIL.Image", reason='needs `pip install "adjudge[media]"`')

from adjudge_plugins.aliyun.media import examine, prepare  # noqa: E402
from adjudge_plugins.onnx_detector.picture import _decode  # noqa: E402
from adjudge_plugins.pictures import PictureError, read_orientation, read_picture  # noqa: E402

RAMP = np.tile(np.linspace(0, 255, 256).astype(np.uint8), (64, 1))
"""Black at the left, white at the right."""


def encoded(picture: Any, form: str = "PNG", **how: Any) -> bytes:
    written = io.BytesIO()
    picture.save(written, form, **how)
    return written.getvalue()


def read(data: bytes) -> Any:
    return np.asarray(read_picture(data, formats=("JPEG", "PNG", "WEBP"), pixels_max=10**6)).astype(int)


def grey16(values: Any) -> bytes:
    return encoded(Image.fromarray(values.astype(np.uint16)))


def of_mode(mode: str) -> Any:
    """Return the ramp in a mode of Pillow's."""
    if mode.startswith("I;16"):
        return Image.fromarray(RAMP.astype(np.uint16) * 257)
    if mode == "1":
        return Image.fromarray(RAMP).point(lambda value: 255 * (value > 127)).convert("1", dither=Image.Dither.NONE)
    if mode == "P":
        return Image.fromarray(RAMP).convert("P")
    return Image.fromarray(RAMP).convert("RGB" if mode == "CMYK" else "L").convert(mode)


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA", "I;16"])
def test_read_picture_ramp_of_each_mode_of_png_stays_a_ramp(mode: str) -> None:
    expected = 255 * (RAMP > 127) if mode == "1" else RAMP

    found = read(encoded(of_mode(mode)))

    assert found.shape == (64, 256, 3)
    assert abs(found - np.repeat(expected[:, :, None], 3, 2).astype(int)).max() <= 1


@pytest.mark.parametrize("mode", ["L", "RGB", "CMYK"])
def test_read_picture_ramp_of_each_mode_of_jpeg_stays_a_ramp(mode: str) -> None:
    found = read(encoded(of_mode(mode), "JPEG", quality=95))

    assert abs(found - RAMP[:, :, None].astype(int)).max() <= 4


def test_read_picture_grey_of_16_bits_is_its_upper_half_for_every_consumer() -> None:
    draw = np.random.default_rng(5)
    values = np.sort(draw.integers(0, 65536, (640, 480)), axis=1)

    data = grey16(values)
    assert abs(read(data)[:, :, 0] - np.rint(values / 257)).max() <= 1
    assert abs(np.asarray(_decode(data))[:, :, 0].astype(int) - np.rint(values / 257)).max() <= 1
    assert abs(np.asarray(Image.open(io.BytesIO(prepare(data))).convert("L")).astype(float) - values / 257).mean() < 3


@pytest.mark.parametrize("mode", ["LA", "RGBA", "PA"])
def test_read_picture_transparent_parts_are_white(mode: str) -> None:
    picture = Image.new("RGBA", (20, 20), (200, 0, 0, 0)).convert("RGBA" if mode == "PA" else mode)
    picture.paste(Image.new(picture.mode, (10, 20), (0, 255) if mode == "LA" else (0, 0, 0, 255)), (0, 0))
    if mode == "PA":
        picture = picture.quantize(8)

    found = read(encoded(picture))

    assert found[:, :10].max() == 0 and found[:, 10:].min() == 255


@pytest.mark.parametrize("transparency", [0, b"\x00\xff"])
def test_read_picture_palette_with_transparency_is_white_there(transparency: Any) -> None:
    picture = Image.new("P", (4, 4), 0)
    picture.putpalette([255, 0, 0, 0, 0, 0])
    picture.putpixel((0, 0), 1)

    found = read(encoded(picture, transparency=transparency))

    assert found[0, 0].tolist() == [0, 0, 0] and found[1, 1].tolist() == [255, 255, 255]


def test_read_picture_grey_of_16_bits_with_a_transparent_colour_is_refused() -> None:
    data = encoded(Image.fromarray(RAMP.astype(np.uint16)), transparency=0)
    if not Image.open(io.BytesIO(data)).has_transparency_data:
        pytest.skip("this Pillow does not write it")

    with pytest.raises(PictureError, match="not supported"):
        read(data)


@pytest.mark.parametrize("form", ["PNG", "WEBP"])
def test_read_picture_animated_is_refused_for_it_shows_more_than_one(form: str) -> None:
    data = encoded(Image.new("RGB", (8, 8)), form, save_all=True, append_images=[Image.new("RGB", (8, 8), "white")])

    with pytest.raises(PictureError, match="animated"):
        read(data)


@pytest.mark.parametrize("form", ["GIF", "TIFF", "BMP", "ICO"])
def test_read_picture_other_formats_are_not_tried(form: str) -> None:
    with pytest.raises(PictureError, match="cannot be read as JPEG or PNG or WEBP"):
        read(encoded(Image.new("RGB", (16, 16)), form))


TYPES = {1: "B", 3: "H", 4: "I", 6: "b", 8: "h", 9: "i"}


def tiff(*entries: tuple[int, int, int, bytes], order: str = "<") -> bytes:
    """Return EXIF of entries (tag, type, count, value of 4 bytes)."""
    head = (b"II*\0" if order == "<" else b"MM\0*") + struct.pack(order + "I", 8)
    body = b"".join(struct.pack(order + "HHI", tag, type_, count) + value for tag, type_, count, value in entries)
    return head + struct.pack(order + "H", len(entries)) + body + b"\0\0\0\0"


def value(type_: int, number: int, order: str) -> bytes:
    return struct.pack(order + TYPES[type_], number).ljust(4, b"\0")


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("type_", TYPES)
@pytest.mark.parametrize("orientation", range(1, 9))
def test_read_orientation_of_every_type_of_whole_number(order: str, type_: int, orientation: int) -> None:
    entry = (0x112, type_, 1, value(type_, orientation, order))

    assert read_orientation(tiff((0x10F, 2, 4, b"abc\0"), entry, order=order)) == orientation


@pytest.mark.parametrize(
    "entry",
    [
        (0x112, 3, 1, value(3, 0, "<")),
        (0x112, 3, 1, value(3, 9, "<")),
        (0x112, 4, 1, value(4, 0x10006, "<")),
        (0x112, 9, 1, value(9, -6, "<")),
        (0x112, 3, 2, struct.pack("<HH", 6, 6)),
        (0x112, 3, 0, value(3, 6, "<")),
        (0x112, 2, 1, b"6\0\0\0"),
        (0x112, 7, 1, b"\x06\0\0\0"),
        (0x112, 11, 1, struct.pack("<f", 6)),
        (0x112, 99, 1, b"\x06\0\0\0"),
    ],
)
def test_read_orientation_that_is_none_is_1(entry: tuple[int, int, int, bytes]) -> None:
    assert read_orientation(tiff(entry)) == 1


def test_read_orientation_that_stands_twice_is_the_first() -> None:
    assert read_orientation(tiff((0x112, 3, 1, value(3, 6, "<")), (0x112, 3, 1, value(3, 8, "<")))) == 6


def test_read_orientation_of_damaged_exif_never_raises() -> None:
    draw = random.Random(3)
    whole = tiff((0x112, 3, 1, value(3, 6, "<")), (0x10F, 2, 4, b"abc\0"))
    for _ in range(2000):
        data = bytearray(whole[: draw.randrange(len(whole) + 1)])
        for _ in range(draw.randrange(3)):
            if data:
                data[draw.randrange(len(data))] = draw.randrange(256)
        assert 1 <= read_orientation(bytes(data)) <= 8


@pytest.mark.parametrize("form", ["JPEG", "PNG", "WEBP"])
@pytest.mark.parametrize("type_", [3, 4])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_orientation_is_the_same_to_all_who_look(form: str, type_: int, orientation: int) -> None:
    picture = Image.new("RGB", (96, 160), "white")
    picture.paste((255, 0, 0), (0, 0, 48, 80))  # what was red lies where the orientation takes it
    exif = b"Exif\0\0" + tiff((0x112, type_, 1, value(type_, orientation, "<")))
    data = encoded(picture, form, exif=exif, **({"lossless": True} if form == "WEBP" else {"quality": 95}))
    turns = {2: (0, 1), 3: (1, 1), 4: (1, 0), 5: (0, 0), 6: (0, 1), 7: (1, 1), 8: (1, 0)}  # the red corner: row, column

    seen = [read(data), np.asarray(_decode(data)).astype(int)]
    if form != "WEBP":
        seen.append(np.asarray(Image.open(io.BytesIO(prepare(data)))).astype(int))
    for pixels in seen:
        height, width = pixels.shape[:2]
        assert (height < width) == (orientation >= 5)
        corners = {
            (row, column): pixels[height // 4 + row * height // 2, width // 4 + column * width // 2][1] < 100
            for row in (0, 1)
            for column in (0, 1)
        }
        assert [corner for corner, is_red in corners.items() if is_red] == [turns.get(orientation, (0, 0))]
    if form == "JPEG":
        examined = examine(data)
        assert (examined.width, examined.height) == ((160, 96) if orientation >= 5 else (96, 160))
