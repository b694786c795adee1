"""A model file, opened: read whole, compared with its pin, and held against what the policy says of it."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from adjudge.plugin import SignalFailed, did_you_mean, one_line
from adjudge_plugins.onnx_detector.settings import OutputSettings, Settings
from adjudge_plugins.onnx_detector.values import Shape, count, expected, value, written

if TYPE_CHECKING:
    import numpy as np

FILE_MAX_BYTES = 2**31 - 1
"""More a protobuf cannot have, and so no model in one file."""

_WEIGHTS_ELSEWHERE = b"\n\x08location\x12"
"""The key of a tensor that lies in another file, as protobuf writes it. No pin covers that file, and onnxruntime would
look for it in the working directory."""
_SAID_MAX = 200
_SILENT = 4
"""onnxruntime's level for what ends the process; what is less comes as an exception, and need not stand on stderr."""
_INPUT_TYPES = {
    "tensor(float)": "float32",
    "tensor(float16)": "float16",
    "tensor(double)": "float64",
    "tensor(uint8)": "uint8",
}
_OUTPUT_TYPES = frozenset(
    {"tensor(float)", "tensor(float16)", "tensor(double)"}
    | {f"tensor({sign}int{bits})" for sign in ("", "u") for bits in (8, 16, 32, 64)}
)


@dataclass(slots=True)
class Call:
    """One run of a model, which whoever waits for it may give up.

    options: onnxruntime's, from when it is about to run.
    """

    is_stopped: bool = False
    options: Any = None

    def stop(self) -> None:
        """Let the run end as soon as it can; from another thread."""
        self.is_stopped = True
        if self.options is not None:
            self.options.terminate = True

    def go_on(self) -> None:
        """Raise SignalFailed, which nobody hears, where the run was given up."""
        if self.is_stopped:
            raise SignalFailed("nothing waits for it any more")


@dataclass(frozen=True, slots=True, kw_only=True)
class Output:
    """A model's output as a field reads it. length: the number of values that it must have."""

    name: str
    length: int
    settings: OutputSettings


@dataclass(frozen=True, slots=True, kw_only=True)
class Model:
    """A model that fits the policy; free to use from many threads. dtype: numpy's, of its input. outputs: by field."""

    file: Path
    session: Any = field(repr=False)
    input: str
    dtype: str
    outputs: Mapping[str, Output]

    def run(self, tensor: np.ndarray[Any, Any], call: Call) -> dict[str, float | str | None]:
        """Return the fields' values, None where one is unknown. Raises SignalFailed."""
        import onnxruntime

        names = sorted({output.name for output in self.outputs.values()})
        call.options = onnxruntime.RunOptions()
        call.go_on()
        try:
            tensors = dict(zip(names, self.session.run(names, {self.input: tensor}, call.options), strict=True))
        except Exception as error:  # its classes have no base of their own
            raise SignalFailed(f"{self.file} failed: {_said(error)}", reason_code="MODEL_FAILED") from None
        for name, output in self.outputs.items():
            self._require(name, output, tensors[output.name].shape)
        return {name: value(tensors[output.name], output.settings) for name, output in self.outputs.items()}

    def _require(self, name: str, output: Output, shape: Shape) -> None:
        """Refuse an output of another length than it must have; onnxruntime lets it pass."""
        try:
            length = count(shape)
        except ValueError as error:
            raise _mismatch(self.file, f"the output of `{name}` {error}") from None
        if length != output.length:
            raise _mismatch(self.file, f"the output of `{name}` came with {length} values, not {output.length}")


def load(settings: Settings) -> Model:
    """Open a model's file, which may take seconds. Raises SignalFailed."""
    try:
        import numpy  # noqa: F401  # an extra that is half there is said at once
        import onnxruntime
        from PIL import Image  # noqa: F401  # as numpy
    except ImportError as error:
        said = f'{(error.name or "onnxruntime").partition(".")[0]} cannot be imported: pip install "adjudge[onnx]"'
        raise SignalFailed(said, kind="misconfigured", reason_code="EXTRA_MISSING") from None
    data = _read(settings)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = settings.threads
    options.inter_op_num_threads = 1
    options.log_severity_level = _SILENT
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")  # idle threads are to leave the CPU alone
    try:
        session = onnxruntime.InferenceSession(data, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # its classes have no base of their own
        raise SignalFailed(f"{settings.model} cannot be used: {_said(error)}", reason_code="MODEL_DAMAGED") from None
    return Model(
        file=settings.model,
        session=session,
        input=session.get_inputs()[0].name if session.get_inputs() else "",
        dtype=_input_type(settings, session.get_inputs()),
        outputs={
            name: _output(settings.model, name, output, session.get_outputs())
            for name, output in settings.outputs.items()
        },
    )


def _read(settings: Settings) -> bytes:
    """Return the file's bytes, the very ones that were compared with the pin."""
    try:
        if settings.model.exists() and not settings.model.is_file():  # a pipe that nobody writes to, an endless device
            said = f"{settings.model} cannot be read: it is not a file"
            raise SignalFailed(said, kind="unavailable", reason_code="MODEL_UNREADABLE")
        with settings.model.open("rb") as file:
            data = file.read(FILE_MAX_BYTES + 1)
    except OSError as error:
        said = f"{settings.model} cannot be read: {error.strerror}"
        raise SignalFailed(said, kind="unavailable", reason_code="MODEL_UNREADABLE") from None
    if len(data) > FILE_MAX_BYTES:
        raise SignalFailed(f"{settings.model} is larger than 2 GiB", reason_code="MODEL_DAMAGED")
    if settings.sha256 is not None and (found := hashlib.sha256(data).hexdigest()) != settings.sha256:
        said = f"{settings.model} is not the pinned file: its SHA-256 is {found}"
        raise SignalFailed(said, reason_code="MODEL_NOT_PINNED")
    if _WEIGHTS_ELSEWHERE in data:
        said = f"{settings.model} has its weights in another file: write it as one, as `external_data=False` does"
        raise SignalFailed(said, reason_code="MODEL_DAMAGED")
    return data


def _input_type(settings: Settings, inputs: Sequence[Any]) -> str:
    """Return the type of a model's input, numpy's name. Raises SignalFailed where the policy makes another tensor."""
    if len(inputs) != 1:
        raise _mismatch(settings.model, f"it takes {len(inputs)} inputs, not one picture")
    [taken] = inputs
    dtype = _INPUT_TYPES.get(taken.type)
    if dtype is None:
        raise _mismatch(settings.model, f"it takes {taken.type}, not floats or pixels")
    if dtype == "uint8" and not settings.input.is_raw:
        raise _mismatch(settings.model, "it takes pixels as they are: write `scale: 1`, without mean and std")
    made = settings.input.shape
    if taken.shape and not (  # an empty shape says nothing
        len(taken.shape) == len(made)
        and all(axis == ours or not isinstance(axis, int) for axis, ours in zip(taken.shape, made, strict=True))
    ):
        raise _mismatch(settings.model, f"it takes {written(taken.shape)}, and `input` makes {written(made)}")
    return dtype


def _output(file: Path, field: str, settings: OutputSettings, outputs: Sequence[Any]) -> Output:
    """Return the output that a field reads. Raises SignalFailed where the model has none such."""
    names = [output.name for output in outputs]
    if settings.output is None and len(outputs) != 1:
        raise _mismatch(file, f"it has {len(outputs)} outputs, and `{field}` does not say which: {', '.join(names)}")
    if isinstance(settings.output, str) and settings.output not in names:
        hint = did_you_mean(settings.output, names) or f"there are {', '.join(names)}"
        raise _mismatch(file, f"it has no output `{settings.output}`: {hint}")
    if isinstance(settings.output, int) and settings.output >= len(outputs):
        said = f"it has no output {settings.output}, counted from 0: there are {', '.join(names)}"
        raise _mismatch(file, said)
    found = outputs[names.index(settings.output) if isinstance(settings.output, str) else settings.output or 0]
    if found.type not in _OUTPUT_TYPES:
        raise _mismatch(file, f"its output `{found.name}` is {found.type}, not a tensor of numbers")
    try:
        return Output(
            name=found.name,
            # an empty shape is that of a single value, or of what the file does not say
            length=expected(count(found.shape) if found.shape else None, settings),
            settings=settings,
        )
    except ValueError as error:
        raise _mismatch(file, f"its output `{found.name}`, for `{field}`, {error}") from None


def _mismatch(file: Path, said: str) -> SignalFailed:
    return SignalFailed(f"{file} is not what the policy says: {said}", reason_code="MODEL_MISMATCH")


def _said(error: Exception) -> str:
    """Return what onnxruntime says, in one line, without its own names for the place."""
    said = str(error).rpartition("[ONNXRuntimeError] : ")[2].partition("\n")[0]
    return one_line(said[:_SAID_MAX])
