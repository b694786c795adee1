"""From a model's output tensors to the values of fields."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from adjudge_plugins.onnx_detector.settings import OutputSettings

if TYPE_CHECKING:
    import numpy as np

Shape = Sequence[int | str | None]
"""Sizes of a tensor's axes; a name, or None, where one is not fixed."""


def count(shape: Shape) -> int | None:
    """Return how many values an output has for one picture, or None where its shape does not say so.

    The first of several axes counts pictures, and of the others one alone may be longer than 1. Raises ValueError.
    """
    axes = shape[1:] if len(shape) > 1 else shape
    if len(shape) > 1 and isinstance(shape[0], int) and shape[0] != 1:
        raise ValueError(f"is for {shape[0]} pictures at once")
    longer = [axis for axis in axes if axis != 1]
    if len([axis for axis in longer if isinstance(axis, int)]) > 1:
        raise ValueError(f"has the shape {written(shape)}, which is not a list of values")
    if len(longer) > 1 or any(not isinstance(axis, int) for axis in longer):
        return None
    return next((axis for axis in longer if isinstance(axis, int)), 1)


def written(shape: Shape) -> str:
    """Return a shape as people write it, such as `[1, 3, ?, ?]`."""
    return f"[{', '.join(str(axis) if isinstance(axis, int) else '?' for axis in shape)}]"


def expected(counted: int | None, settings: OutputSettings) -> int:
    """Return how many values an output has: by the model's file, by the policy, or by both where they agree.

    counted: as the file has it, None where it does not say. Raises ValueError, to be said of the output.
    """
    said = len(settings.labels) or settings.length or (1 if settings.index is None else None)
    if counted is None and said is None:
        raise ValueError("does not say how many values it has: write `length:`, so that an index cannot go astray")
    if counted is None or said is None or counted == said:
        length = counted if counted is not None else said or 0
        if settings.index is not None and settings.index >= length:
            raise ValueError(f"has {length} values, and none with index {settings.index}")
        if settings.activation == "softmax" and length == 1:
            raise ValueError("has one value, of which softmax is always 1: write sigmoid")
        return length
    if settings.labels:
        raise ValueError(f"has {counted} values, and there are {said} labels")
    if settings.length:
        raise ValueError(f"has {counted} values, and `length` says {said}")
    raise ValueError(f"has {counted} values, and no `index` says which counts")


def value(output: np.ndarray[Any, Any], settings: OutputSettings) -> float | str | None:
    """Return a field's value from an output of the expected length; None where it is not finite, and so unknown."""
    values: list[float] = [float(each) for each in output.ravel()]
    if settings.labels:
        if not all(map(math.isfinite, values)):
            return None
        return settings.labels[values.index(max(values))]
    chosen = values[settings.index or 0]
    if not math.isfinite(chosen):
        return None
    match settings.activation:
        case "sigmoid":
            return 1 / (1 + math.exp(-chosen)) if chosen >= 0 else math.exp(chosen) / (1 + math.exp(chosen))
        case "softmax":
            if not all(map(math.isfinite, values)):
                return None
            highest = max(values)  # taken off, so that no power is too large
            return math.exp(chosen - highest) / math.fsum(math.exp(each - highest) for each in values)
        case _:
            return chosen
