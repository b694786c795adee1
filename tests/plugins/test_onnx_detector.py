"""`onnx.detector` on tiny models that the tests build: what a picture becomes, what is read of it, what is refused."""

from __future__ import annotations

import asyncio
import hashlib
import io
import math
import os
import sys
import threading
import time
import warnings
import zlib
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from adjudge.model import Face, Request
from adjudge.plugin import Answer, Context, SignalFailed
from adjudge.testing import decide_once
from adjudge_plugins.onnx_detector import provider
from adjudge_plugins.onnx_detector.model import load
from adjudge_plugins.onnx_detector.provider import ONNX_DETECTOR
from adjudge_plugins.onnx_detector.settings import read_settings

WHY = 'needs onnx and `pip install "adjudge[onnx]"`: no model can be built or run'
RAW = {"size": [2, 3], "layout": "nchw", "colour": "rgb", "resize": "stretch", "scale": 1}

Build = Callable[..., Path]


@pytest.fixture
def build(tmp_path: Path) -> Build:
    """Write a model: `nodes` from the input `x`, of `shape` and `dtype`, to `outputs`, name to shape."""
    onnx = pytest.importorskip("onnx", reason=WHY)
    pytest.importorskip("onnxruntime", reason=WHY)
    helper, types = onnx.helper, onnx.TensorProto

    def write(
        nodes: Sequence[tuple[str, Sequence[str], Sequence[str], dict[str, Any]]],
        outputs: dict[str, Any],
        *,
        shape: Sequence[Any] = ("n", 3, 2, 3),
        dtype: str = "FLOAT",
        to: str = "FLOAT",
        constants: dict[str, Any] | None = None,
        inputs: Sequence[str] = ("x",),
        **saved: Any,
    ) -> Path:
        graph = helper.make_graph(
            [helper.make_node(kind, list(taken), list(made), **facts) for kind, taken, made, facts in nodes],
            "tiny",
            [helper.make_tensor_value_info(name, getattr(types, dtype), shape) for name in inputs],
            [helper.make_tensor_value_info(name, getattr(types, to), its) for name, its in outputs.items()],
            [onnx.numpy_helper.from_array(value, name) for name, value in (constants or {}).items()],
        )
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
        path = tmp_path / "tiny.onnx"
        onnx.save_model(model, path, **saved)
        return path

    return write


@pytest.fixture
def flat(build: Build) -> Build:
    """Write a model whose one output, `flat`, is its input in a row: 18 values unless said otherwise."""

    def write(*, count: Any = 18, **more: Any) -> Path:
        return build([("Flatten", ["x"], ["flat"], {})], {"flat": ["n", count]}, **more)

    return write


@pytest.fixture
def heads(build: Build) -> Build:
    """Write a model over the mean of each channel, in the range of its input.

    `logits` is (red - green, green - red), `single` is blue, each with `shift` added.
    """
    numpy = pytest.importorskip("numpy", reason=WHY)

    def write(*, shift: float = 0.0, logits: Any = ("n", 2), single: Any = ("n", 1), **more: Any) -> Path:
        return build(
            [
                ("ReduceMean", ["x"], ["mean"], {"axes": [2, 3], "keepdims": 0}),
                ("Add", ["mean", "shift"], ["shifted"], {}),
                ("MatMul", ["shifted", "difference"], ["logits"], {}),
                ("MatMul", ["shifted", "blue"], ["single"], {}),
            ],
            {"logits": logits, "single": single},
            constants={
                "shift": numpy.array([shift], numpy.float32),
                "difference": numpy.array([[1, -1], [-1, 1], [0, 0]], numpy.float32),
                "blue": numpy.array([[0], [0], [1]], numpy.float32),
            },
            **more,
        )

    return write


def png(picture: Any, **saved: Any) -> bytes:
    data = io.BytesIO()
    picture.save(data, "PNG", **saved)
    return data.getvalue()


def numbered() -> Any:
    """Return a picture 3 wide and 2 high; red is 0 to 5 by row, green 10 more, blue 20 more."""
    image = pytest.importorskip("PIL.Image", reason=WHY)
    picture = image.new("RGB", (3, 2))
    picture.putdata([(at, at + 10, at + 20) for at in range(6)])
    return picture


def plain(*colour: int, size: tuple[int, int] = (8, 8), mode: str = "RGB") -> Any:
    image = pytest.importorskip("PIL.Image", reason=WHY)
    return image.new(mode, size, colour if len(colour) > 1 else colour[0])


def config(model: Path, outputs: dict[str, Any], **changes: Any) -> dict[str, Any]:
    """Return a `with:`; changes: of `input`, and of the rest where it is no key of it."""
    outer = {key: changes.pop(key) for key in ("sha256", "threads") if key in changes}
    return {"model": str(model), "input": RAW | changes, "outputs": outputs, **outer}


@pytest.fixture
def fetch(ask: Callable[..., Answer], request_of: Callable[..., Request]) -> Callable[..., Answer]:
    def run(said: dict[str, Any], picture: Any, **changes: Any) -> Answer:
        data = picture if isinstance(picture, bytes) else png(picture)
        return ask(ONNX_DETECTOR, said, request_of(Face(data=data), **changes))

    return run


Fetch = Callable[..., Answer]


def row(flat: Build, fetch: Fetch, picture: Any, count: int = 18, **changes: Any) -> list[Any]:
    """Return the tensor that a picture becomes, flattened."""
    model = changes.pop("model", None) or flat(count=count)
    outputs = {f"v{at}": {"index": at} for at in range(count)}
    answer = fetch(config(model, outputs, **changes), picture)
    return [answer[f"v{at}"] for at in range(count)]


# The tensor


def test_input_nchw_has_one_channel_after_another_row_by_row(flat: Build, fetch: Fetch) -> None:
    assert row(flat, fetch, numbered()) == [*range(6), *range(10, 16), *range(20, 26)]


def test_input_bgr_has_blue_first(flat: Build, fetch: Fetch) -> None:
    assert row(flat, fetch, numbered(), colour="bgr") == [*range(20, 26), *range(10, 16), *range(6)]


def test_input_nhwc_has_the_channels_of_each_pixel_together(flat: Build, fetch: Fetch) -> None:
    model = flat(shape=["n", 2, 3, 3])
    expected = [value for at in range(6) for value in (at, at + 10, at + 20)]

    assert row(flat, fetch, numbered(), model=model, layout="nhwc") == expected


def test_input_grey_is_one_channel_of_brightness(flat: Build, fetch: Fetch) -> None:
    model = flat(shape=["n", 1, 2, 3], count=6)
    luma = (100 * 299 + 50 * 587 + 200 * 114) / 1000

    values = row(flat, fetch, plain(100, 50, 200, size=(3, 2)), count=6, model=model, colour="grey")

    assert values == pytest.approx([luma] * 6, abs=1)
    assert row(flat, fetch, plain(77, size=(3, 2), mode="L"), count=6, model=model, colour="grey") == [77] * 6


def test_input_is_scaled_then_normalised_by_channel_in_the_order_of_colour(flat: Build, fetch: Fetch) -> None:
    normal = {"scale": 255, "mean": [0.5, 0.25, 0.125], "std": [0.5, 0.2, 0.1]}
    picture = plain(255, 51, 0, size=(3, 2))

    rgb = row(flat, fetch, picture, **normal)
    bgr = row(flat, fetch, picture, colour="bgr", **normal)

    assert rgb[::6] == pytest.approx([(1 - 0.5) / 0.5, (0.2 - 0.25) / 0.2, (0 - 0.125) / 0.1])
    assert bgr[::6] == pytest.approx([(0 - 0.5) / 0.5, (0.2 - 0.25) / 0.2, (1 - 0.125) / 0.1])


def stripes() -> Any:
    """Return a picture 60 wide and 20 high: black, white, black from left to right."""
    picture = plain(0, 0, 0, size=(60, 20))
    picture.paste((255, 255, 255), (20, 0, 40, 20))
    return picture


def test_input_crop_takes_the_middle(flat: Build, fetch: Fetch) -> None:
    model = flat(shape=["n", 3, 4, 4], count=48)

    values = row(flat, fetch, stripes(), count=48, model=model, size=[4, 4], resize="crop")

    assert values[1] == values[2] == values[13] == 255
    assert values[0] == values[3] > 200  # at the edges a little of what was cut off shines through


def test_input_fit_keeps_everything_and_is_black_around_it(flat: Build, fetch: Fetch) -> None:
    model = flat(shape=["n", 3, 6, 6], count=108)
    white = plain(255, 255, 255, size=(30, 10))

    values = row(flat, fetch, white, count=108, model=model, size=[6, 6], resize="fit")

    assert values[:36] == [0] * 12 + [255] * 12 + [0] * 12


def test_input_stretch_keeps_everything_and_loses_proportions(flat: Build, fetch: Fetch) -> None:
    model = flat(shape=["n", 3, 3, 3], count=27)

    values = row(flat, fetch, stripes(), count=27, model=model, size=[3, 3], resize="stretch")

    assert values[0] == values[2] == values[8] < 64 < 128 < values[1] == values[7]


def test_input_is_turned_upright_as_exif_says(flat: Build, fetch: Fetch) -> None:
    picture = numbered()
    exif = picture.getexif()
    exif[0x0112] = 6  # to be turned clockwise by a quarter
    model = flat(shape=["n", 3, 3, 2])

    values = row(flat, fetch, png(picture, exif=exif), model=model, size=[3, 2])

    assert values[:6] == [3, 0, 4, 1, 5, 2]


def test_input_transparent_parts_are_white_whatever_colour_they_hide(flat: Build, fetch: Fetch) -> None:
    hidden = plain(255, 0, 0, 0, size=(3, 2), mode="RGBA")

    assert row(flat, fetch, hidden) == [255] * 18


@pytest.mark.parametrize(("mode", "colour"), [("L", (7,)), ("1", (1,)), ("P", (0,)), ("LA", (7, 255))])
def test_input_pictures_of_other_kinds_become_rgb(
    flat: Build, fetch: Fetch, mode: str, colour: tuple[int, ...]
) -> None:
    values = row(flat, fetch, plain(*colour, size=(3, 2), mode=mode))

    assert values == [{"L": 7, "1": 255, "P": 0, "LA": 7}[mode]] * 18


@pytest.mark.parametrize("form", ["JPEG", "WEBP", "MPO"])
def test_input_other_formats_are_read(flat: Build, fetch: Fetch, form: str) -> None:
    data = io.BytesIO()
    plain(40, 80, 120).save(data, form)

    assert row(flat, fetch, data.getvalue())[::6] == pytest.approx([40, 80, 120], abs=4)


@pytest.mark.parametrize(("dtype", "to"), [("FLOAT16", "FLOAT16"), ("DOUBLE", "DOUBLE"), ("UINT8", "UINT8")])
def test_input_has_the_type_that_the_model_takes(flat: Build, fetch: Fetch, dtype: str, to: str) -> None:
    model = flat(dtype=dtype, to=to)

    assert row(flat, fetch, numbered(), model=model)[:6] == [*range(6)]


@pytest.mark.parametrize("shape", [None, ["n", "c", "h", "w"], [1, 3, 2, 3]])
def test_input_is_taken_by_a_model_that_says_less_or_just_this(flat: Build, fetch: Fetch, shape: Any) -> None:
    assert row(flat, fetch, numbered(), model=flat(shape=shape))[:6] == [*range(6)]


def test_input_past_half_precision_is_unknown(flat: Build, fetch: Fetch) -> None:
    values = row(flat, fetch, numbered(), model=flat(dtype="FLOAT16", to="FLOAT16"), scale=1e-6)

    assert values[:2] == [0, None]


# The fields


def test_outputs_are_read_by_name_place_and_index_through_their_activation(heads: Build, fetch: Fetch) -> None:
    outputs = {
        "raw": {"output": "logits", "index": 0},
        "soft": {"output": "logits", "index": 1, "activation": "softmax"},
        "sigmoid": {"output": 0, "index": 1, "activation": "sigmoid"},
        "single": {"output": "single", "activation": "sigmoid"},
        "place": {"output": 1},
    }

    answer = fetch(config(heads(), outputs, scale=100), plain(100, 200, 300 - 255))

    assert answer["raw"] == pytest.approx(-1)
    assert answer["soft"] == pytest.approx(math.e / (math.e + 1 / math.e))
    assert answer["sigmoid"] == pytest.approx(1 / (1 + math.exp(-1)))
    assert answer["single"] == pytest.approx(1 / (1 + math.exp(-0.45)))
    assert answer["place"] == pytest.approx(0.45)


@pytest.mark.parametrize(("scale", "expected"), [(0.01, 0.0), (1, math.exp(-255) / (1 + math.exp(-255)))])
def test_outputs_activation_of_large_values_does_not_overflow(
    heads: Build, fetch: Fetch, scale: float, expected: float
) -> None:
    outputs = {
        "low": {"output": "logits", "index": 1, "activation": "sigmoid"},
        "high": {"output": "logits", "index": 0, "activation": "sigmoid"},
        "soft": {"output": "logits", "index": 0, "activation": "softmax"},
    }

    answer = fetch(config(heads(), outputs, scale=scale), plain(255, 0, 0))

    assert answer == {"low": pytest.approx(expected), "high": 1, "soft": 1}


@pytest.mark.parametrize(("colour", "label"), [((9, 0, 0), "real"), ((0, 9, 0), "print")])
def test_outputs_label_is_that_of_the_largest(
    heads: Build, fetch: Fetch, colour: tuple[int, int, int], label: str
) -> None:
    outputs = {"kind": {"output": "logits", "labels": ["real", "print"]}}

    assert fetch(config(heads(), outputs), plain(*colour)) == {"kind": label}


@pytest.mark.parametrize("shift", [math.nan, math.inf])
def test_outputs_that_are_not_finite_are_unknown(heads: Build, fetch: Fetch, shift: float) -> None:
    outputs = {
        "raw": {"output": "single"},
        "sigmoid": {"output": "single", "activation": "sigmoid"},
        "soft": {"output": "logits", "index": 0, "activation": "softmax"},
        "kind": {"output": "logits", "labels": ["real", "print"]},
    }

    assert set(fetch(config(heads(shift=shift), outputs), plain(1, 2, 3)).values()) == {None}


def test_outputs_softmax_beside_an_infinite_value_is_unknown(build: Build, fetch: Fetch) -> None:
    numpy = pytest.importorskip("numpy")
    model = build(
        [("Flatten", ["x"], ["f"], {}), ("Add", ["f", "far"], ["y"], {})],
        {"y": [1, 2]},
        shape=[1, 1, 1, 2],
        constants={"far": numpy.array([[0, math.inf]], numpy.float32)},
    )
    outputs = {"near": {"index": 0}, "soft": {"index": 0, "activation": "softmax"}}

    answer = fetch(config(model, outputs, size=[1, 2], colour="grey"), plain(7, 7, 7))

    assert answer == {"near": 7, "soft": None}


@pytest.mark.parametrize("shape", [["n", 2, 1, 1], [1, 2], ["n", "c"], [2]])
def test_outputs_length_comes_from_the_model_or_the_policy(build: Build, fetch: Fetch, shape: list[Any]) -> None:
    numpy = pytest.importorskip("numpy", reason=WHY)
    to = numpy.array([1, 2, 1, 1][: len(shape)] if len(shape) > 1 else [2], numpy.int64)
    model = build(
        [("Flatten", ["x"], ["f"], {}), ("Add", ["to", "zero"], ["there"], {}), ("Reshape", ["f", "there"], ["y"], {})],
        {"y": shape},
        shape=["n", 1, "h", "w"],
        constants={"to": to, "zero": numpy.zeros(len(to), numpy.int64)},
    )
    output = {"index": 1} if 2 in shape else {"index": 1, "length": 2}

    assert fetch(config(model, {"a": output}, size=[1, 2], colour="grey"), plain(7, 7, 7)) == {"a": 7}


def test_outputs_length_comes_from_the_policy_where_the_model_does_not_even_know_its_axes(
    build: Build, fetch: Fetch
) -> None:
    numpy = pytest.importorskip("numpy", reason=WHY)
    nodes = [
        ("Reshape", ["x", "row"], ["r"], {}),
        ("Cast", ["r"], ["to"], {"to": 7}),  # pixels of 1 and 2 make the shape [1, 2]
        ("Reshape", ["x", "to"], ["y"], {}),
    ]
    model = build(nodes, {"y": None}, shape=["n", 1, 1, "w"], constants={"row": numpy.array([-1])})
    picture = plain(1, size=(2, 1), mode="L")
    picture.putpixel((1, 0), 2)
    said = {"size": [1, 2], "colour": "grey"}

    assert fetch(config(model, {"a": {"index": 1, "length": 2}}, **said), picture) == {"a": 2}
    with pytest.raises(SignalFailed, match="does not say how many values it has"):
        fetch(config(model, {"a": {"index": 1}}, **said), picture)


def test_outputs_of_integers_are_doubles(flat: Build, fetch: Fetch) -> None:
    answer = fetch(config(flat(dtype="UINT8", to="UINT8"), {"a": {"index": 5}}), numbered())

    assert answer == {"a": 5.0} and isinstance(answer["a"], float)


# What is refused: the face


@pytest.mark.parametrize(
    ("face", "reason_code"),
    [
        (None, "NO_FACE"),
        (Face(url="https://example.com/face.jpg"), "MEDIA_NOT_SUPPORTED"),
        (Face(data=b"\x00\x00\x00\x18ftypmp42", media_type="video"), "MEDIA_NOT_SUPPORTED"),
    ],
)
def test_fetch_face_that_is_no_picture_in_memory_fails_before_the_model_is_opened(
    ask: Callable[..., Answer], request_of: Callable[..., Request], face: Face | None, reason_code: str
) -> None:
    request = Request(merchant_biz_id="0" * 32, scene_code="test", face=face)

    with pytest.raises(SignalFailed) as caught:
        ask(ONNX_DETECTOR, config(Path("nowhere.onnx"), {"a": {}}), request)

    assert caught.value.reason_code == reason_code


@pytest.mark.parametrize(
    ("data", "reason_code", "again"),
    [
        (b"not a picture", "MEDIA_NOT_SUPPORTED", True),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", "MEDIA_NOT_SUPPORTED", True),
        (b"\xff\xd8\xff\xe0" + bytes(range(256)) * 4 + b"\xff\xd9", "MEDIA_NOT_SUPPORTED", True),
        ("cut", "PICTURE_DAMAGED", True),
        ("animated", "MEDIA_NOT_SUPPORTED", False),
    ],
)
def test_fetch_picture_that_cannot_be_read_fails(
    flat: Build, fetch: Fetch, data: bytes | str, reason_code: str, again: bool
) -> None:
    if data == "cut":
        data = png(numbered())[:-30]
    elif data == "animated":
        written = io.BytesIO()
        plain(0).save(written, "PNG", save_all=True, append_images=[plain(255)])
        data = written.getvalue()

    with pytest.raises(SignalFailed) as caught:
        fetch(config(flat(), {"a": {"index": 0}}), data)

    assert (caught.value.reason_code, caught.value.capture_again is not None) == (reason_code, again)


@pytest.mark.parametrize("side", [7_500, 10_000, 20_000])
@pytest.mark.parametrize("filtered", ["error", "ignore"])
def test_fetch_picture_of_too_many_pixels_is_refused_before_it_is_decoded(
    flat: Build, fetch: Fetch, monkeypatch: pytest.MonkeyPatch, side: int, filtered: Any
) -> None:
    from PIL import ImageOps

    bomb = bytearray(png(plain(1, mode="1")))
    bomb[16:24] = side.to_bytes(4, "big") * 2
    bomb[29:33] = zlib.crc32(bomb[12:29]).to_bytes(4, "big")
    monkeypatch.setattr(ImageOps, "exif_transpose", lambda picture: pytest.fail("it is decoded"))

    said = config(flat(), {"a": {"index": 0}})
    with warnings.catch_warnings():
        warnings.simplefilter(filtered)
        with pytest.raises(SignalFailed) as caught:
            fetch(said, bytes(bomb))

    assert caught.value.reason_code == "PICTURE_TOO_LARGE"


# What is refused: the model


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="the system has no pipes")
def test_load_pipe_or_device_is_no_model(tmp_path: Path) -> None:
    pytest.importorskip("onnxruntime", reason=WHY)
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path / "pipe", tmp_path, Path("/dev/zero")):
        with pytest.raises(SignalFailed, match="it is not a file") as caught:
            load(read_settings(config(path, {"a": {}})))
        assert caught.value.reason_code == "MODEL_UNREADABLE"


@pytest.mark.parametrize(
    ("content", "reason_code", "kind"),
    [
        (None, "MODEL_UNREADABLE", "unavailable"),
        (b"", "MODEL_DAMAGED", "error"),
        (b"nonsense", "MODEL_DAMAGED", "error"),
        ("half", "MODEL_DAMAGED", "error"),
    ],
)
def test_fetch_model_that_is_missing_or_damaged_fails(
    flat: Build, fetch: Fetch, content: bytes | str | None, reason_code: str, kind: str
) -> None:
    model = flat()
    if content is None:
        model.unlink()
    else:
        model.write_bytes(model.read_bytes()[:60] if isinstance(content, str) else content)

    with pytest.raises(SignalFailed, match=r"tiny\.onnx cannot be") as caught:
        fetch(config(model, {"a": {"index": 0}}), numbered())

    assert (caught.value.reason_code, caught.value.kind) == (reason_code, kind)
    assert "\n" not in caught.value.reason


def test_fetch_pin_lets_its_own_file_through_and_no_other(flat: Build, fetch: Fetch) -> None:
    model = flat()
    digest = hashlib.sha256(model.read_bytes()).hexdigest()
    assert fetch(config(model, {"a": {"index": 5}}, sha256=digest.upper()), numbered()) == {"a": 5}

    with pytest.raises(SignalFailed, match=f"its SHA-256 is {digest}") as caught:
        fetch(config(model, {"a": {"index": 5}}, sha256="0" * 64), numbered())

    assert caught.value.reason_code == "MODEL_NOT_PINNED"


def test_fetch_weights_in_another_file_are_never_read(
    heads: Build, fetch: Fetch, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = heads(save_as_external_data=True, location="weights.bin", size_threshold=0)
    assert (model.parent / "weights.bin").is_file()
    monkeypatch.chdir(model.parent)  # where onnxruntime looks of itself

    with pytest.raises(SignalFailed, match="write it as one, as `external_data=False` does") as caught:
        fetch(config(model, {"a": {"output": "single"}}), numbered())

    assert caught.value.reason_code == "MODEL_DAMAGED"


@pytest.mark.parametrize("module", ["onnxruntime", "numpy", "PIL"])
def test_fetch_without_the_extra_says_how_to_install_it(
    fetch: Fetch, flat: Build, monkeypatch: pytest.MonkeyPatch, module: str
) -> None:
    model, picture = flat(), png(numbered())
    monkeypatch.setitem(sys.modules, module, None)
    if module == "PIL":
        monkeypatch.delitem(sys.modules, "PIL.Image", raising=False)

    with pytest.raises(SignalFailed) as caught:
        fetch(config(model, {"a": {"index": 0}}), picture)

    assert caught.value.reason == f'{module} cannot be imported: pip install "adjudge[onnx]"'
    assert (caught.value.reason_code, caught.value.kind) == ("EXTRA_MISSING", "misconfigured")


@pytest.mark.parametrize(
    ("made", "changes", "output", "said"),
    [
        ({"shape": ["n", 2, 3, 3]}, {}, {"index": 0}, r"it takes \[\?, 2, 3, 3\], and `input` makes \[1, 3, 2, 3\]"),
        ({"shape": ["n", 3, 3, 2]}, {}, {"index": 0}, r"it takes \[\?, 3, 3, 2\]"),
        ({"shape": [4, 3, 2, 3]}, {}, {"index": 0}, r"it takes \[4, 3, 2, 3\]"),
        ({"shape": ["n", 18]}, {}, {"index": 0}, r"it takes \[\?, 18\]"),
        ({"shape": ["n", "all"]}, {}, {"index": 0}, r"it takes \[\?, \?\], and `input` makes \[1, 3, 2, 3\]"),
        ({"dtype": "INT64", "to": "INT64"}, {}, {"index": 0}, r"it takes tensor\(int64\), not floats"),
        ({"dtype": "UINT8", "to": "UINT8"}, {"scale": 255}, {"index": 0}, "write `scale: 1`"),
        ({"dtype": "UINT8", "to": "UINT8"}, {"mean": [1, 0, 0]}, {"index": 0}, "write `scale: 1`"),
        ({"dtype": "UINT8", "to": "UINT8"}, {"std": [1, 1, 2]}, {"index": 0}, "write `scale: 1`"),
        ({}, {}, {"output": "flta", "index": 0}, "no output `flta`: did you mean `flat`"),
        ({}, {}, {"output": "logits", "index": 0}, "no output `logits`: there are flat"),
        ({}, {}, {"output": 1, "index": 0}, "no output 1, counted from 0: there are flat"),
        ({}, {}, {"index": 18}, "`flat`, for `a`, has 18 values, and none with index 18"),
        ({}, {}, {"index": 1, "length": 17}, "has 18 values, and `length` says 17"),
        ({}, {}, {"labels": ["x", "y"]}, "has 18 values, and there are 2 labels"),
        ({}, {}, {}, "has 18 values, and no `index` says which counts"),
        ({"count": "m", "shape": ["n", "c", "h", "w"]}, {}, {"index": 1}, "does not say how many values it has"),
    ],
)
def test_fetch_model_that_is_not_as_said_fails(
    flat: Build, fetch: Fetch, made: dict[str, Any], changes: dict[str, Any], output: dict[str, Any], said: str
) -> None:
    model = flat(**made)

    with pytest.raises(SignalFailed, match=r"tiny\.onnx is not what the policy says: .*" + said) as caught:
        fetch(config(model, {"a": output}, **changes), numbered())

    assert (caught.value.reason_code, caught.value.kind) == ("MODEL_MISMATCH", "error")


@pytest.mark.parametrize(
    ("made", "output", "said"),
    [
        ({}, {"index": 0}, "has 2 outputs, and `a` does not say which: logits, single"),
        ({}, {"output": "single", "index": 0, "activation": "softmax"}, "softmax is always 1"),
        ({"inputs": ["x", "z"]}, {"output": "single"}, "it takes 2 inputs, not one picture"),
    ],
)
def test_fetch_model_of_several_outputs_or_inputs_must_be_told_apart(
    heads: Build, fetch: Fetch, made: dict[str, Any], output: dict[str, Any], said: str
) -> None:
    with pytest.raises(SignalFailed, match=said) as caught:
        fetch(config(heads(**made), {"a": output}), numbered())

    assert caught.value.reason_code == "MODEL_MISMATCH"


@pytest.mark.parametrize(
    ("nodes", "outputs", "to", "said"),
    [
        ([("SequenceConstruct", ["x"], ["y"], {})], {}, "FLOAT", r"`y` is seq\(tensor\(float\)\)"),
        ([("Cast", ["x"], ["y"], {"to": 8})], {"y": ["n", 3, 2, 3]}, "STRING", r"`y` is tensor\(string\)"),
        ([("Relu", ["x"], ["y"], {})], {"y": ["n", 3, 2, 3]}, "FLOAT", r"has the shape \[\?, 3, 2, 3\], which is no"),
        ([("Transpose", ["x"], ["y"], {"perm": [1, 2, 3, 0]})], {"y": [3, 2, 3, 1]}, "FLOAT", "is for 3 pictures"),
    ],
)
def test_fetch_output_that_is_no_list_of_numbers_fails(
    build: Build, fetch: Fetch, nodes: Any, outputs: dict[str, Any], to: str, said: str
) -> None:
    if not outputs:
        onnx = pytest.importorskip("onnx", reason=WHY)
        model = build(nodes, {"y": [1]})
        loaded = onnx.load(model)
        item = onnx.helper.make_tensor_type_proto(1, None)
        loaded.graph.output[0].CopyFrom(onnx.helper.make_value_info("y", onnx.helper.make_sequence_type_proto(item)))
        onnx.save(loaded, model)
    else:
        model = build(nodes, outputs, to=to)

    with pytest.raises(SignalFailed, match=said) as caught:
        fetch(config(model, {"a": {"index": 0}}), numbered())

    assert caught.value.reason_code == "MODEL_MISMATCH"


@pytest.mark.parametrize(
    ("output", "said"),
    [
        ({"index": 1, "length": 2}, "the output of `a` came with 18 values, not 2"),
        ({"labels": ["x", "y"]}, "the output of `a` came with 18 values, not 2"),
        ({}, "the output of `a` came with 18 values, not 1"),
        ({"index": 1, "in_the_file": 2}, "the output of `a` came with 18 values, not 2"),
    ],
)
def test_fetch_output_that_comes_with_another_length_fails(
    flat: Build, fetch: Fetch, output: dict[str, Any], said: str
) -> None:
    output = dict(output)
    model = flat(count=output.pop("in_the_file", "m"), shape=["n", "c", "h", "w"])

    with pytest.raises(SignalFailed, match=said) as caught:
        fetch(config(model, {"a": output}), numbered())

    assert caught.value.reason_code == "MODEL_MISMATCH"


def test_fetch_output_that_comes_with_another_rank_fails(build: Build, fetch: Fetch) -> None:
    model = build([("Relu", ["x"], ["y"], {})], {"y": None}, shape=["n", "c", "h", "w"])

    with pytest.raises(SignalFailed, match=r"has the shape \[1, 3, 2, 3\]"):
        fetch(config(model, {"a": {"index": 0, "length": 18}}), numbered())


def test_fetch_model_that_fails_at_work_fails(build: Build, fetch: Fetch) -> None:
    numpy = pytest.importorskip("numpy", reason=WHY)
    model = build(
        [("Reshape", ["x", "to"], ["y"], {})],
        {"y": [1, 5]},
        shape=["n", "c", "h", "w"],
        constants={"to": numpy.array([1, 5], numpy.int64)},
    )

    with pytest.raises(SignalFailed, match=r"tiny\.onnx failed: ") as caught:
        fetch(config(model, {"a": {"index": 0}}), numbered())

    assert caught.value.reason_code == "MODEL_FAILED"


# Many tasks


def context_of(data: bytes) -> Context:
    request = Request(merchant_biz_id="0" * 32, scene_code="test", face=Face(data=data))
    return Context(request=request, signal="own", deadline=time.monotonic() + 60, now=datetime.now(UTC))


def test_fetch_many_tasks_share_one_session_and_keep_their_answers_apart(
    flat: Build, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened: list[Any] = []
    monkeypatch.setattr(provider, "load", lambda settings: opened.append(settings) or load(settings))
    said = config(flat(), {"red": {"index": 0}, "blue": {"index": 12}}, threads=2)
    pictures = [png(plain(at, 0, 255 - at, size=(3, 2))) for at in range(64)]

    async def run() -> list[Answer]:
        client = ONNX_DETECTOR.open(said)
        answers = await asyncio.gather(*(client.fetch(context_of(data)) for data in pictures))
        await client.aclose()
        return answers

    assert asyncio.run(run()) == [{"red": at, "blue": 255 - at} for at in range(64)]
    assert len(opened) == 1 and opened[0].threads == 2


def test_load_session_has_the_threads_that_the_policy_says(flat: Build) -> None:
    said = config(flat(), {"a": {"index": 0}})

    sessions = [load(read_settings(said | more)).session for more in ({}, {"threads": 3})]

    assert [session.get_session_options().intra_op_num_threads for session in sessions] == [1, 3]


def test_fetch_model_that_was_missing_is_opened_when_it_is_there(flat: Build) -> None:
    model = flat()
    away = model.rename(model.with_suffix(".away"))

    async def run() -> list[object]:
        client = ONNX_DETECTOR.open(config(model, {"a": {"index": 5}}))
        seen: list[object] = []
        for _ in range(2):
            try:
                seen.append(await client.fetch(context_of(png(numbered()))))
            except SignalFailed as failed:
                seen.append(failed.reason_code)
                away.rename(model)
        await client.aclose()
        return seen

    assert asyncio.run(run()) == ["MODEL_UNREADABLE", {"a": 5}]


@pytest.fixture
def endless(build: Build) -> Path:
    """A model that multiplies for most of an hour: a test that does not end it does not end."""
    onnx = pytest.importorskip("onnx", reason=WHY)
    numpy = pytest.importorskip("numpy", reason=WHY)
    helper, types = onnx.helper, onnx.TensorProto
    info = helper.make_tensor_value_info
    body = helper.make_graph(
        [helper.make_node("MatMul", ["a", "w"], ["b"]), helper.make_node("Identity", ["go"], ["on"])],
        "body",
        [info("at", types.INT64, []), info("go", types.BOOL, []), info("a", types.FLOAT, [200, 200])],
        [info("on", types.BOOL, []), info("b", types.FLOAT, [200, 200])],
    )
    return build(
        [
            ("Loop", ["times", "go", "w"], ["l"], {"body": body}),
            ("ReduceMean", ["l"], ["m"], {"keepdims": 0}),
            ("ReduceMean", ["x"], ["z"], {"keepdims": 0}),
            ("Add", ["m", "z"], ["y"], {}),
        ],
        {"y": []},
        constants={
            "times": numpy.array(10_000_000),
            "go": numpy.array(True),
            "w": numpy.zeros((200, 200), numpy.float32),
        },
    )


def test_fetch_leaves_the_event_loop_free_and_endedwhen_it_is_cancelled(
    endless: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    async def run() -> None:
        client = ONNX_DETECTOR.open(config(endless, {"a": {}}))
        tasks = [asyncio.create_task(client.fetch(context_of(png(numbered())))) for _ in range(8)]
        for _ in range(20):  # were the loop held up, it would not come back from the first
            await asyncio.sleep(0.01)
        assert not any(task.done() for task in tasks)
        for task in tasks:
            task.cancel()
        ended = await asyncio.gather(*tasks, return_exceptions=True)
        await client.aclose()
        assert all(isinstance(end, asyncio.CancelledError) for end in ended)

    asyncio.run(run())

    assert capfd.readouterr().err == ""


def test_fetch_cancelled_while_the_model_opens_leaves_it_to_the_others(
    flat: Build, monkeypatch: pytest.MonkeyPatch
) -> None:
    opens, opened = threading.Event(), []

    def slow(settings: Any) -> Any:
        opened.append(settings)
        opens.wait(120)
        return load(settings)

    monkeypatch.setattr(provider, "load", slow)
    said = config(flat(), {"a": {"index": 5}})

    async def run() -> Answer:
        client = ONNX_DETECTOR.open(said)
        first = asyncio.create_task(client.fetch(context_of(png(numbered()))))
        second = asyncio.create_task(client.fetch(context_of(png(numbered()))))
        while not opened:
            await asyncio.sleep(0.01)
        first.cancel()
        await asyncio.gather(first, return_exceptions=True)
        opens.set()
        answer = await second
        await client.aclose()
        return answer

    assert asyncio.run(run()) == {"a": 5}
    assert len(opened) == 1


# The policy

POLICY = """
policy_language: 1
policy: own-model
signals:
  own:
    provider: onnx.detector
    with:
      model: MODEL
      input: {size: [2, 3], layout: nchw, colour: rgb, resize: crop, scale: 255}
      outputs:
        forgery: {output: logits, index: 1, activation: softmax}
        kind: {output: logits, labels: [real, print]}
    fields:
      forgery: {type: double, range: [0, 1], riskier: higher}
      kind: {type: enum, values: [real, print]}
rules:
  - {id: forged, when: own.forgery > 0.7, then: reject}
  - {id: printed, when: own.kind == "print", then: review}
"""


@pytest.mark.parametrize(
    ("colour", "outcome", "reasons"),
    [((255, 0, 0), "pass", ()), ((0, 255, 0), "reject", ("FORGED", "PRINTED")), ((90, 100, 0), "review", ("PRINTED",))],
)
def test_decide_own_model_decides(
    heads: Build, colour: tuple[int, int, int], outcome: str, reasons: tuple[str, ...]
) -> None:
    policy = POLICY.replace("MODEL", str(heads()))

    decision = decide_once(policy, providers=[ONNX_DETECTOR], face=Face(data=png(plain(*colour))))

    assert (decision.outcome, set(decision.verdict.matched)) == (outcome, {reason.lower() for reason in reasons})
    assert decision.signals["own"].status == "ok" and decision.cost == {}


def test_decide_model_that_fails_leaves_its_fields_unknown() -> None:
    policy = POLICY.replace("MODEL", "/nowhere/m.onnx")

    decision = decide_once(policy, providers=[ONNX_DETECTOR], face=Face(data=b"x"))

    assert (decision.outcome, decision.verdict.missing) == ("review", ("own",))
    assert decision.signals["own"].reason_code in ("MODEL_UNREADABLE", "EXTRA_MISSING")
