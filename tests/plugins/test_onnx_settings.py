"""The `with:` of `onnx.detector`, checked when a policy loads: before there is a model, or anything to run it."""

from __future__ import annotations

import math
import subprocess
import sys
from collections.abc import Sequence
from typing import Any

import pytest

from adjudge.errors import PolicyErrors
from adjudge.plugin import ProviderConfigError
from adjudge.registry import parse_policy
from adjudge.testing import registry_of
from adjudge.values.declared import parse_fields
from adjudge_plugins.onnx_detector.provider import ONNX_DETECTOR

INPUT = {"size": [2, 3], "layout": "nchw", "colour": "rgb", "resize": "stretch", "scale": 1}
NUMBER = parse_fields({"a": {"type": "double"}})
SINGLE = {"index": 0, "length": 1, "activation": "softmax"}
GOOD: dict[str, Any] = {"model": "m.onnx", "input": INPUT, "outputs": {"a": {"index": 1, "activation": "softmax"}}}


def changed(*path: str, to: Any) -> dict[str, Any]:
    """Return GOOD with one key set, or without it where `to` is None."""

    def change(form: dict[str, Any], path: Sequence[str]) -> dict[str, Any]:
        value = change(form.get(path[0], {}), path[1:]) if len(path) > 1 else to
        return {key: kept for key, kept in {**form, path[0]: value}.items() if kept is not None}

    return change(GOOD, path)


@pytest.mark.parametrize(
    ("said", "path", "hint"),
    [
        ({}, (), "write `model: models/forgery.onnx`"),
        (changed("modle", to="m"), ("modle",), "did you mean `model`?"),
        (changed("model", to=7), ("model",), None),
        (changed("sha256", to="9f86"), ("sha256",), "what `sha256sum` prints of the model's file"),
        (changed("sha256", to=12), ("sha256",), None),
        (changed("threads", to=0), ("threads",), None),
        (changed("threads", to=65), ("threads",), None),
        (changed("threads", to=True), ("threads",), None),
        (changed("threads", to="all"), ("threads",), None),
        (changed("input", to=None), (), "write `input: {size: [224, 224], layout: nchw, colour: rgb, "),
        (changed("input", to=[224, 224]), ("input",), None),
        (changed("input", "color", to="rgb"), ("input", "color"), "did you mean `colour`?"),
        (changed("input", "size", to=None), ("input",), "write `size: [224, 224]`, height and width in pixels"),
        (changed("input", "size", to=224), ("input", "size"), "write `size: [224, 224]`, height and width in pixels"),
        (changed("input", "size", to=[224]), ("input", "size"), None),
        (changed("input", "size", to=[224, 0]), ("input", "size", "1"), None),
        (changed("input", "size", to=[2049, 1]), ("input", "size", "0"), None),
        (changed("input", "size", to=[224.0, 1]), ("input", "size", "0"), None),
        (changed("input", "size", to=[True, 1]), ("input", "size", "0"), None),
        (changed("input", "layout", to=None), ("input",), "write one of nchw, nhwc"),
        (changed("input", "layout", to="nhcw"), ("input", "layout"), "did you mean `nhwc`?"),
        (changed("input", "colour", to="gray"), ("input", "colour"), "did you mean `grey`?"),
        (changed("input", "resize", to=None), ("input",), "write one of crop, fit, stretch"),
        (changed("input", "resize", to="cover"), ("input", "resize"), "one of crop, fit, stretch"),
        (changed("input", "scale", to=None), ("input",), "write `scale: 255` where the model wants pixels from 0 to 1"),
        (changed("input", "scale", to=0), ("input", "scale"), None),
        (changed("input", "scale", to="255"), ("input", "scale"), None),
        (changed("input", "scale", to=math.nan), ("input", "scale"), None),
        (changed("input", "scale", to=10**400), ("input", "scale"), None),
        (changed("input", "mean", to=0.5), ("input", "mean"), "one for each of rgb"),
        (changed("input", "mean", to=[0.5]), ("input", "mean"), "one for each of rgb"),
        (changed("input", "mean", to=[0, 0, math.inf]), ("input", "mean", "2"), None),
        (changed("input", "std", to=[1, 0, 1]), ("input", "std", "1"), None),
        (changed("input", "std", to=[1, 1, True]), ("input", "std", "2"), None),
        (changed("outputs", to=None), (), "write `forgery: {output: logits, index: 1, activation: softmax}`"),
        (changed("outputs", to={}), ("outputs",), None),
        (changed("outputs", to=["a"]), ("outputs",), None),
        (changed("outputs", "a", to="logits"), ("outputs", "a"), None),
        (changed("outputs", "a", "indx", to=1), ("outputs", "a", "indx"), "did you mean `index`?"),
        (changed("outputs", "a", "output", to=True), ("outputs", "a", "output"), None),
        (changed("outputs", "a", "output", to=-1), ("outputs", "a", "output"), None),
        (changed("outputs", "a", "output", to=""), ("outputs", "a", "output"), None),
        (changed("outputs", "a", "output", to=["x"]), ("outputs", "a", "output"), None),
        (changed("outputs", "a", "index", to=-1), ("outputs", "a", "index"), None),
        (changed("outputs", "a", "index", to=None), ("outputs", "a"), "write which of its values counts, such as"),
        (changed("outputs", "a", "length", to=1), ("outputs", "a", "index"), None),
        (changed("outputs", "a", to=SINGLE), ("outputs", "a", "activation"), "write sigmoid"),
        (changed("outputs", "a", "activation", to="sofmax"), ("outputs", "a", "activation"), "did you mean `softmax`?"),
        (changed("outputs", "a", "activation", to=7), ("outputs", "a", "activation"), None),
        (changed("outputs", "a", "labels", to=["x", "y"]), ("outputs", "a", "index"), "delete `index`, or `labels`"),
        (changed("outputs", "a", to={"labels": ["x"]}), ("outputs", "a", "labels"), None),
        (changed("outputs", "a", to={"labels": "xy"}), ("outputs", "a", "labels"), None),
        (changed("outputs", "a", to={"labels": ["x", 7]}), ("outputs", "a", "labels", "1"), None),
        (changed("outputs", "a", to={"labels": ["x", "x"]}), ("outputs", "a", "labels", "1"), None),
        (changed("outputs", "b", to={"index": 0}), ("outputs", "b"), "declare it under `fields:`, which has a"),
    ],
)  # fmt: skip
def test_check_wrong_configuration_is_refused_at_its_key(
    said: dict[str, Any], path: tuple[str, ...], hint: str | None
) -> None:
    ONNX_DETECTOR.check(GOOD, NUMBER)

    with pytest.raises(ProviderConfigError) as caught:
        ONNX_DETECTOR.check(said, NUMBER)

    assert caught.value.path == path
    if hint:
        assert (caught.value.hint or "").startswith(hint)


LABELS = {"labels": ["real", "print"]}


@pytest.mark.parametrize(
    ("output", "declared", "path", "hint"),
    [
        ({}, {"a": "int"}, ("outputs", "a"), "declare `a: {type: double, range: [0, 1]}`"),
        ({}, {"a": "bool"}, ("outputs", "a"), None),
        (LABELS, {"a": "double"}, ("outputs", "a", "labels"), "declare `a: {type: enum, values: [real, print]}`"),
        (
            LABELS,
            {"a": {"type": "enum", "values": ["real", "prnt"]}},
            ("outputs", "a", "labels", "1"),
            "did you mean `prnt`?",
        ),
        ({}, {"a": "double", "b": "double"}, ("outputs",), "write `b: {output: …}` under `outputs:`"),
        ({}, {"aa": "double"}, ("outputs", "a"), "did you mean `aa`?"),
    ],
)
def test_check_fields_and_outputs_must_fit(
    output: dict[str, Any], declared: dict[str, Any], path: tuple[str, ...], hint: str | None
) -> None:
    with pytest.raises(ProviderConfigError) as caught:
        ONNX_DETECTOR.check(GOOD | {"outputs": {"a": output}}, parse_fields(declared))

    assert caught.value.path == path
    if hint:
        assert (caught.value.hint or "").startswith(hint)


@pytest.mark.parametrize("declared", [{"type": "enum", "values": ["print", "real", "mask"]}, {"type": "string"}])
def test_check_labels_fit_a_string_and_an_enum_that_has_them(declared: dict[str, Any]) -> None:
    ONNX_DETECTOR.check(GOOD | {"outputs": {"a": LABELS}}, parse_fields({"a": declared}))


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


def test_policy_mistake_is_shown_in_its_line() -> None:
    broken = POLICY.replace("index: 1,", "indx: 1,")

    with pytest.raises(PolicyErrors) as caught:
        parse_policy(broken, registry=registry_of([ONNX_DETECTOR]))

    [error] = caught.value.errors
    assert (error.code, error.hint) == ("schema-provider", "did you mean `index`?")
    assert broken.splitlines()[error.line - 1][error.column - 1 :].startswith(("indx", "1"))


def test_policy_loads_without_onnxruntime_numpy_or_the_file() -> None:
    code = f"""
import sys
from adjudge.registry import parse_policy
from adjudge.testing import registry_of
from adjudge_plugins.onnx_detector.provider import ONNX_DETECTOR
parse_policy({POLICY!r}, registry=registry_of([ONNX_DETECTOR]))
print(*sorted({{"onnxruntime", "numpy", "PIL"}} & set(sys.modules)))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert done.stdout.strip() == ""
