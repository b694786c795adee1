"""The OpenAPI document: the table of routes and the forms of documents, as other languages and tools read them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from http import HTTPStatus
from importlib.metadata import version
from typing import Any

from adjudge.documents.problems import CONTENT_TYPE, KINDS, TYPES, Problem
from adjudge.documents.schemas import schemas
from adjudge.service.route import Contents, Parameter, Route

OPENAPI = "3.1.1"
_REF = "#/components/schemas/{name}"
_REQUEST_ID = "#/components/parameters/RequestId"
_ABOUT = """\
Decides whether a face onboarding check passes, goes to a person for review, or is rejected, and keeps the log of it.

The same `merchant_biz_id` with the same request has the same answer, so asking again is safe. Errors are problem \
documents (RFC 9457); a program goes by their `code`. A parameter or a member that is not known is refused.
"""
_HEADERS: Mapping[str, Mapping[str, Any]] = {
    "RequestId": {
        "description": "What the service's events call this request: the caller's `X-Request-Id`, or one made for it.",
        "schema": {"type": "string"},
    },
    "RetryAfter": {"description": "Seconds after which to ask again.", "schema": {"type": "integer", "minimum": 1}},
}


def openapi_document(routes: Sequence[Route]) -> dict[str, Any]:
    """Return the OpenAPI document of a table of routes."""
    forms = _Forms(routes)
    paths: dict[str, dict[str, Any]] = {}
    for route in routes:
        paths.setdefault(route.path, {})[route.method.lower()] = _operation(route, forms)
    return {
        "openapi": OPENAPI,
        "info": {
            "title": "adjudge",
            "version": version("adjudge"),
            "description": _ABOUT,
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": "/"}],
        "paths": paths,
        "components": {
            "schemas": forms.parts,
            "headers": dict(_HEADERS),
            "parameters": {
                "RequestId": {
                    "name": "X-Request-Id",
                    "in": "header",
                    "description": "What to call this request in the service's events: 1 to 128 printable characters"
                    " without blanks. Any other is ignored.",
                    "schema": {"type": "string"},
                }
            },
            "securitySchemes": {
                "bearer": {
                    "type": "http",
                    "scheme": "bearer",
                    "description": "A key or a token, which must be allowed what the operation names. A service without"
                    " keys serves its own machine alone, and takes none.",
                }
            },
        },
    }


class _Forms:
    """The schemas of all forms that a table of routes names."""

    def __init__(self, routes: Iterable[Route]) -> None:
        forms: list[Any] = [Problem]
        for route in routes:
            forms += [one.form for one in route.parameters]
            for contents in (route.takes or {}, *route.gives.values()):
                forms += [form for form in contents.values() if form not in forms]
        shown, self.parts = schemas(forms, ref=_REF)
        self._shown = list(zip(forms, shown, strict=True))

    def of(self, form: Any) -> dict[str, Any]:
        return next(schema for one, schema in self._shown if one == form)

    def contents(self, contents: Contents) -> dict[str, Any]:
        return {media_type: {"schema": self.of(form)} for media_type, form in contents.items()}


def _operation(route: Route, forms: _Forms) -> dict[str, Any]:
    said: dict[str, Any] = {
        "operationId": operation_id(route),
        "summary": route.summary,
        "parameters": [*(_parameter(one, forms) for one in route.parameters), {"$ref": _REQUEST_ID}],
    }
    if route.takes:
        said["requestBody"] = {"required": route.is_body_required, "content": forms.contents(route.takes)}
    responses = {status: _answer(status, contents, forms) for status, contents in route.gives.items()}
    for status, codes in by_status(route.codes).items():
        told = _problems(codes)
        told["content"] |= responses.get(status, {}).get("content", {})
        responses[status] = told
    said["responses"] = {str(status): responses[status] for status in sorted(responses)}
    if route.is_repeatable:
        said["x-repeatable"] = True  # for generated clients: a lost answer may be asked for again
    said["security"] = [{"bearer": [route.scope]}] if route.scope is not None else []
    return said


def operation_id(route: Route) -> str:
    """Return the name that generated clients give to a route, such as `findDecision`."""
    first, *more = route.answer.__name__.split("_")
    return first + "".join(word.capitalize() for word in more)


def _parameter(one: Parameter, forms: _Forms) -> dict[str, Any]:
    """Return what is said of a parameter; its own words stand in place of those of its form."""
    schema = {key: value for key, value in forms.of(one.form).items() if key != "description"}
    return {
        "name": one.name,
        "in": one.place,
        "required": one.is_required,
        "description": one.description,
        "schema": schema,
    }


def _answer(status: int, contents: Contents, forms: _Forms) -> dict[str, Any]:
    said: dict[str, Any] = {
        "description": HTTPStatus(status).phrase,
        "headers": {"X-Request-Id": {"$ref": "#/components/headers/RequestId"}},
    }
    return said | ({"content": forms.contents(contents)} if contents else {})


def by_status(codes: Iterable[str]) -> dict[int, list[str]]:
    """Return codes of problems by the status that each has."""
    found: dict[int, list[str]] = {}
    for code in codes:
        found.setdefault(KINDS[code].status, []).append(code)
    return found


def _problems(codes: Sequence[str]) -> dict[str, Any]:
    """Return what is said of all problems of a status."""
    of_status = {"properties": {"code": {"enum": list(codes)}, "type": {"enum": [TYPES + code for code in codes]}}}
    headers = {"X-Request-Id": {"$ref": "#/components/headers/RequestId"}}
    if {"overloaded", "rate-limited"} & set(codes):
        headers["Retry-After"] = {"$ref": "#/components/headers/RetryAfter"}
    return {
        "description": "; ".join(f"`{code}`: {KINDS[code].title}" for code in codes),
        "headers": headers,
        "content": {CONTENT_TYPE: {"schema": {"allOf": [{"$ref": _REF.format(name="Problem")}, of_status]}}},
    }
