"""Spans for OpenTelemetry: one a decision, one a call of a provider, below whatever span the caller is in.

A program that has an SDK gets them; in any other nothing is made, and nothing imported. An attribute is a name from the
policy or a plugin, an outcome or a random id: never a value of a request, and no MerchantBizId, which may identify a
person. An exception's text is none either.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from types import TracebackType
from typing import TYPE_CHECKING, Any, Literal

from adjudge.patterns import late

if TYPE_CHECKING:
    from opentelemetry.trace import Span, Tracer

Kind = Literal["INTERNAL", "SERVER", "CLIENT"]
_TYPE = late(r"[A-Za-z][A-Za-z0-9_.-]{0,63}")
_found: list[tuple[object, Tracer]] = []
"""The newest provider of tracers, and our tracer of it."""


class Nothing:
    """A span that nobody looks at."""

    __slots__ = ()

    def __enter__(self) -> Nothing:
        return self

    def __exit__(self, *how: object) -> None:
        pass

    def set(self, **attributes: str | bool | int) -> None:
        """Do nothing."""

    def failed(self, kind: str) -> None:
        """Do nothing."""


NOTHING = Nothing()


class _Attached:
    """A context of OpenTelemetry that work is done in."""

    __slots__ = ("_context", "_token")

    def __init__(self, context: Any) -> None:
        self._context = context

    def __enter__(self) -> None:
        from opentelemetry.context import attach

        self._token = attach(self._context)

    def __exit__(self, *how: object) -> None:
        from opentelemetry.context import detach

        detach(self._token)


class Made:
    """A span that is recorded; those begun inside are below it."""

    __slots__ = ("_attached", "_span")

    def __init__(self, span: Span) -> None:
        from opentelemetry.trace import set_span_in_context

        self._span, self._attached = span, _Attached(set_span_in_context(span))

    def __enter__(self) -> Made:
        self._attached.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._attached.__exit__()
        if kind is not None:
            self.failed(getattr(error, "code", kind.__name__))
        self._span.end()

    def set(self, **attributes: str | bool | int) -> None:
        """Say something, each `name=` as `adjudge.name`; `_` in a name becomes `.`."""
        self._span.set_attributes({f"adjudge.{name.replace('_', '.')}": said for name, said in attributes.items()})

    def failed(self, kind: str) -> None:
        """Say that it failed. kind: of few, such as an error's code; what looks like none is `other`."""
        from opentelemetry.trace import StatusCode

        self._span.set_attribute("error.type", kind if _TYPE.fullmatch(kind) else "_OTHER")
        self._span.set_status(StatusCode.ERROR)


def span(name: str, kind: Kind = "INTERNAL", **attributes: str | bool | int) -> Made | Nothing:
    """Return a span to do something in. attributes: as of `Made.set`."""
    tracer = _tracer()
    if tracer is None:
        return NOTHING
    from opentelemetry.trace import SpanKind

    made = Made(tracer.start_span(name, kind=SpanKind[kind], record_exception=False, set_status_on_exception=False))
    made.set(**attributes)
    return made


def continued(headers: Mapping[str, str]) -> _Attached | Nothing:
    """Return what to do something in that belongs to the caller's trace, as `traceparent` among headers says.

    Where there is a span already, as of whatever else looks at requests, that goes before.
    """
    if _tracer() is None or "traceparent" not in headers:
        return NOTHING
    from opentelemetry.trace import get_current_span
    from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

    if get_current_span().get_span_context().is_valid:
        return NOTHING
    said = {name: headers[name] for name in ("traceparent", "tracestate") if name in headers}
    return _Attached(TraceContextTextMapPropagator().extract(said))


def propagated() -> dict[str, str]:
    """Return the headers that have another service continue the trace; none where there is none."""
    if _tracer() is None:
        return {}
    from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

    headers: dict[str, str] = {}
    TraceContextTextMapPropagator().inject(headers)
    return headers


def trace_id() -> str:
    """Return the id of the trace, as events have it; empty where there is none."""
    if _tracer() is None:
        return ""
    from opentelemetry.trace import format_trace_id, get_current_span

    context = get_current_span().get_span_context()
    return format_trace_id(context.trace_id) if context.is_valid else ""


def _tracer() -> Tracer | None:
    """Return our tracer of the program's SDK; None where it has none, which costs a look."""
    api = sys.modules.get("opentelemetry.trace")
    if api is None:
        return None
    try:
        provider = api.get_tracer_provider()
        if isinstance(provider, api.ProxyTracerProvider):
            return None
    except AttributeError:  # it is being imported, by another thread
        return None
    if not _found or _found[0][0] is not provider:
        from importlib.metadata import version  # which takes longer to import than all of this

        _found[:] = [(provider, provider.get_tracer("adjudge", version("adjudge")))]
    return _found[0][1]
