"""The `with:` of a policy, read without looking at the model: what it says must make sense by itself."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from adjudge.plugin import ProviderConfigError, did_you_mean
from adjudge_plugins.settings import mapping, refuse_unknown_keys, required_text, text

SIDE_MAX = 2048
"""Pixels of a model's input at most, each way: 2048 × 2048 × 3 floats are 48 MiB for each picture under way."""
THREADS_MAX = 64

_KEYS = ("model", "sha256", "threads", "input", "outputs")
_INPUT_KEYS = ("size", "layout", "colour", "resize", "scale", "mean", "std")
_OUTPUT_KEYS = ("output", "index", "length", "activation", "labels")
_LAYOUTS = ("nchw", "nhwc")
_CHANNELS = {"rgb": 3, "bgr": 3, "grey": 1}
_RESIZES = ("crop", "fit", "stretch")
_ACTIVATIONS = ("none", "sigmoid", "softmax")
_SMALLEST, _LARGEST = 1e-9, 1e9
_SHA256 = re.compile(r"[0-9a-fA-F]{64}", re.ASCII)
_INPUT_EXAMPLE = "write `input: {size: [224, 224], layout: nchw, colour: rgb, resize: crop, scale: 255}`"
_OUTPUT_EXAMPLE = "write `forgery: {output: logits, index: 1, activation: softmax}`"


@dataclass(frozen=True, slots=True, kw_only=True)
class InputSettings:
    """How a picture becomes a tensor.

    height, width: pixels. colour: `rgb`, `bgr` or `grey`, the order of the channels.
    A value of the tensor is (pixel / scale - mean) / std, for pixels from 0 to 255; mean, std: by channel.
    """

    height: int
    width: int
    layout: str
    colour: str
    resize: str
    scale: float
    mean: tuple[float, ...]
    std: tuple[float, ...]

    @property
    def shape(self) -> tuple[int, ...]:
        """The tensor's, for one picture."""
        if self.layout == "nchw":
            return 1, len(self.mean), self.height, self.width
        return 1, self.height, self.width, len(self.mean)

    @property
    def is_raw(self) -> bool:
        """Whether the tensor holds pixels as they are, 0 to 255."""
        return self.scale == 1 and not any(self.mean) and set(self.std) == {1}


@dataclass(frozen=True, slots=True, kw_only=True)
class OutputSettings:
    """Where a field's value lies.

    output: a name or a place, from 0; None for the only output. index: from 0; None where it has one value, or labels.
    length: how many values it has, None where the model says so. labels: of all its values in order, or none.
    """

    output: str | int | None
    index: int | None
    length: int | None
    activation: str
    labels: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """The `with:` of a policy, read. sha256: lower-case hex, or None. threads: for one picture. outputs: by field."""

    model: Path
    sha256: str | None
    threads: int
    input: InputSettings
    outputs: Mapping[str, OutputSettings]


def read_settings(config: Mapping[str, Any]) -> Settings:
    """Read a `with:`. Raises ProviderConfigError."""
    refuse_unknown_keys(config, _KEYS)
    model = required_text(config, "model", hint="write `model: models/forgery.onnx`")
    sha256 = text(config, "sha256")
    if sha256 is not None and not _SHA256.fullmatch(sha256):
        hint = "what `sha256sum` prints of the model's file"
        raise ProviderConfigError("`sha256` must be 64 hexadecimal digits", "sha256", hint=hint)
    if "input" not in config:
        raise ProviderConfigError("`input` is missing", hint=_INPUT_EXAMPLE)
    outputs = mapping(config, "outputs")
    if not outputs:
        at = ("outputs",) if "outputs" in config else ()
        raise ProviderConfigError("no output is mapped to a field", *at, hint=_OUTPUT_EXAMPLE)
    return Settings(
        model=Path(model),
        sha256=sha256.lower() if sha256 is not None else None,
        threads=_integer(config, "threads", 1, THREADS_MAX) or 1,
        input=_read_input(mapping(config, "input")),
        outputs={str(name): _read_output(str(name), form) for name, form in outputs.items()},
    )


def _read_input(form: Mapping[str, Any]) -> InputSettings:
    """Read `input:`. Only mean and std may be left out: any other guess would give wrong numbers, and no error."""
    refuse_unknown_keys(form, _INPUT_KEYS, "input")
    sides = _list(form, "size", 2, hint="write `size: [224, 224]`, height and width in pixels")
    for at, side in enumerate(sides):
        if not isinstance(side, int) or isinstance(side, bool) or not 1 <= side <= SIDE_MAX:
            raise ProviderConfigError(f"a side must have 1 to {SIDE_MAX} pixels", "input", "size", str(at))
    layout = _choice(form, "layout", _LAYOUTS, "input")
    colour = _choice(form, "colour", tuple(_CHANNELS), "input")
    resize = _choice(form, "resize", _RESIZES, "input")
    if form.get("scale") is None:
        hint = "write `scale: 255` where the model wants pixels from 0 to 1, `scale: 1` where from 0 to 255"
        raise ProviderConfigError("`scale` is missing", "input", hint=hint)
    channels = _CHANNELS[colour]
    mean = _list({"mean": (0,) * channels} | _given(form, "mean"), "mean", channels, hint=f"one for each of {colour}")
    std = _list({"std": (1,) * channels} | _given(form, "std"), "std", channels, hint=f"one for each of {colour}")
    return InputSettings(
        height=sides[0],
        width=sides[1],
        layout=layout,
        colour=colour,
        resize=resize,
        scale=_number(form["scale"], "input", "scale", lowest=_SMALLEST),
        mean=tuple(_number(value, "input", "mean", str(at), lowest=-_LARGEST) for at, value in enumerate(mean)),
        std=tuple(_number(value, "input", "std", str(at), lowest=_SMALLEST) for at, value in enumerate(std)),
    )


def _read_output(name: str, form: object) -> OutputSettings:
    path = ("outputs", name)
    if not isinstance(form, Mapping):
        raise ProviderConfigError("an output must be a mapping", *path, hint=_OUTPUT_EXAMPLE)
    refuse_unknown_keys(form, _OUTPUT_KEYS, *path)
    output = form.get("output")
    if isinstance(output, bool) or not (output is None or isinstance(output, str | int)) or output == "":
        raise ProviderConfigError("`output` must be a name, or a position from 0", *path, "output")
    if isinstance(output, int) and output < 0:
        raise ProviderConfigError("outputs count from 0", *path, "output")
    index = _integer(form, "index", 0, None, *path)
    length = _integer(form, "length", 1, None, *path)
    labels = _labels(form, *path)
    if labels:
        for key in ("index", "length", "activation"):
            if form.get(key) is not None:
                message = f"`labels` takes the largest of all values, so `{key}` has no meaning here"
                raise ProviderConfigError(message, *path, key, hint=f"delete `{key}`, or `labels`")
    activation = _choice({"activation": "none"} | _given(form, "activation"), "activation", _ACTIVATIONS, *path)
    if activation == "softmax" and index is None:
        hint = "write which of its values counts, such as `index: 1`; for a single value, `activation: sigmoid`"
        raise ProviderConfigError("softmax is over several values, and needs `index`", *path, hint=hint)
    if index is not None and length is not None and index >= length:
        raise ProviderConfigError(f"the last of {length} has index {length - 1}", *path, "index")
    if length == 1 and activation == "softmax":
        raise ProviderConfigError("softmax of a single value is always 1", *path, "activation", hint="write sigmoid")
    return OutputSettings(output=output, index=index, length=length, activation=activation, labels=labels)


def _labels(form: Mapping[str, Any], *path: str) -> tuple[str, ...]:
    labels = form.get("labels")
    if labels is None:
        return ()
    if not isinstance(labels, list | tuple) or len(labels) < 2:
        hint = "write `labels: [real, print, screen]`, in the order of the model's values"
        raise ProviderConfigError("`labels` must be a list of two or more strings", *path, "labels", hint=hint)
    for at, label in enumerate(labels):
        if not isinstance(label, str):
            raise ProviderConfigError("a label must be a string", *path, "labels", str(at))
        if label in labels[:at]:
            raise ProviderConfigError(f"duplicate label `{label}`", *path, "labels", str(at))
    return tuple(labels)


def _given(form: Mapping[str, Any], key: str) -> dict[str, Any]:
    return {key: form[key]} if form.get(key) is not None else {}


def _choice(form: Mapping[str, Any], key: str, values: tuple[str, ...], *path: str) -> str:
    value = required_text(form, key, *path, hint=f"write one of {', '.join(values)}")
    if value not in values:
        hint = did_you_mean(value, values) or f"one of {', '.join(values)}"
        raise ProviderConfigError(f"`{key}` cannot be `{value}`", *path, key, hint=hint)
    return value


def _integer(form: Mapping[str, Any], key: str, lowest: int, highest: int | None, *path: str) -> int | None:
    value = form.get(key)
    if value is None:
        return None
    if not isinstance(value, int) or isinstance(value, bool) or value < lowest or (highest and value > highest):
        said = f"from {lowest} to {highest}" if highest else f"of at least {lowest}"
        raise ProviderConfigError(f"`{key}` must be an integer {said}", *path, key)
    return value


def _list(form: Mapping[str, Any], key: str, count: int, *, hint: str) -> tuple[Any, ...]:
    """Return the list of a key of `input:`."""
    values = form.get(key)
    if values is None:
        raise ProviderConfigError(f"`{key}` is missing", "input", hint=hint)
    if not isinstance(values, list | tuple) or len(values) != count:
        said = f"{count} numbers" if count > 1 else "one number"
        raise ProviderConfigError(f"`{key}` must be a list of {said}", "input", key, hint=hint)
    return tuple(values)


def _number(value: object, *path: str, lowest: float) -> float:
    if not isinstance(value, int | float) or isinstance(value, bool) or not lowest <= value <= _LARGEST:
        said = f"from {lowest:g} to {_LARGEST:g}"
        raise ProviderConfigError(f"this must be a number {said}", *path)
    return value
