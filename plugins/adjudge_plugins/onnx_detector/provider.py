"""The provider `onnx.detector`: one model for each signal that names one, asked by many tasks at once."""

from __future__ import annotations

import os
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from time import monotonic
from typing import Any

from adjudge.plugin import (
    DOUBLE,
    STRING,
    Answer,
    Context,
    EnumType,
    Field,
    Pool,
    Provider,
    ProviderConfigError,
    Request,
    SignalFailed,
    Uses,
    did_you_mean,
    named,
)
from adjudge_plugins.onnx_detector.model import Call, Model, load
from adjudge_plugins.onnx_detector.picture import tensor
from adjudge_plugins.onnx_detector.settings import OutputSettings, Settings, read_settings


@dataclass(slots=True)
class _OnnxClient:
    """A model and the threads that run it: one for each CPU, less where a picture takes several."""

    settings: Settings
    pool: Pool
    model: Model | None = None
    opening: threading.Lock = field(default_factory=threading.Lock)

    async def fetch(self, context: Context) -> Answer:
        data, call = _picture(context.request), Call()
        try:
            work = partial(self._detect, data, call)
            return await self.pool.run(work, deadline_s=context.deadline - monotonic())
        except TimeoutError:
            raise SignalFailed("no answer in time", kind="timeout", reason_code="TIMEOUT", billed=False) from None
        finally:
            call.stop()  # where nobody waits any more; it says nothing to what has ended

    def _detect(self, data: bytes, call: Call) -> Answer:
        with self.opening:  # the first opens the file, and whoever comes meanwhile waits for it
            call.go_on()
            model = self.model = self.model or load(self.settings)  # where it failed, the next one tries again
        call.go_on()
        made = tensor(data, self.settings.input, model.dtype)
        return model.run(made, call)

    async def aclose(self) -> None:
        self.pool.close()


def _picture(request: Request) -> bytes:
    if request.face is None:
        raise SignalFailed("the request has no face", reason_code="NO_FACE")
    if request.face.data is None:
        raise SignalFailed("a model needs the picture itself, not its URL", reason_code="MEDIA_NOT_SUPPORTED")
    if request.face.media_type != "image":
        raise SignalFailed("a model needs a picture, not a video", reason_code="MEDIA_NOT_SUPPORTED")
    return request.face.data


def _open(config: Mapping[str, Any]) -> _OnnxClient:
    settings = read_settings(config)
    workers = max(1, (os.cpu_count() or 1) // settings.threads)
    return _OnnxClient(settings, Pool("adjudge-onnx", workers))


def _check(config: Mapping[str, Any], fields: Mapping[str, Field]) -> None:
    settings = read_settings(config)
    for name, output in settings.outputs.items():
        if name not in fields:
            hint = did_you_mean(name, fields) or f"declare it under `fields:`, which has {', '.join(fields) or 'none'}"
            raise ProviderConfigError(f"there is no field `{name}`", "outputs", name, hint=hint)
        _require_type(name, output, fields[name])
    for name in fields:
        if name not in settings.outputs:
            hint = f"write `{name}: {{output: …}}` under `outputs:`, or delete the field"
            raise ProviderConfigError(f"no output is mapped to the field `{name}`", "outputs", hint=hint)


def _require_type(name: str, output: OutputSettings, declared: Field) -> None:
    if not output.labels:
        if declared.type != DOUBLE:
            hint = f"declare `{name}: {{type: double, range: [0, 1]}}`, or give the output `labels`"
            said = f"an output is a double, but `{name}` is declared as {named(declared.type)}"
            raise ProviderConfigError(said, "outputs", name, hint=hint)
    elif isinstance(declared.type, EnumType):
        for at, label in enumerate(output.labels):
            if label not in declared.type.values:
                hint = did_you_mean(label, declared.type.values) or f"it has {', '.join(declared.type.values)}"
                said = f"`{label}` is not one of the values of `{name}`"
                raise ProviderConfigError(said, "outputs", name, "labels", str(at), hint=hint)
    elif declared.type != STRING:
        hint = f"declare `{name}: {{type: enum, values: [{', '.join(output.labels)}]}}`"
        said = f"a label is a string, but `{name}` is declared as {named(declared.type)}"
        raise ProviderConfigError(said, "outputs", name, "labels", hint=hint)


ONNX_DETECTOR = Provider(
    name="onnx.detector",
    fields=None,
    open=_open,
    check=_check,
    reads=frozenset({"face"}),
    uses=lambda config: Uses(files=frozenset({str(read_settings(config).model)})),
    latency_s=0.1,
    description="A model file of your own, its outputs mapped to fields",
)
