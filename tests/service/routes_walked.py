"""Requests to every route, made from what its row says: a new route is tried by itself."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import quote

import httpx

from adjudge.service.openapi import openapi_document
from adjudge.service.route import Route
from adjudge.service.routes import ROUTES

DOCUMENT = openapi_document(ROUTES)
BOUNDARY = b"b0undary"


def operation(route: Route) -> dict[str, Any]:
    said: dict[str, Any] = DOCUMENT["paths"][route.path][route.method.lower()]
    return said


def example(schema: Mapping[str, Any], known: Mapping[str, Any], name: str = "") -> Any:
    """Return a value of a schema. known: what parts of these names are to be."""
    if name in known:
        return known[name]
    if "$ref" in schema:
        return example(DOCUMENT["components"]["schemas"][schema["$ref"].rpartition("/")[2]], known)
    if schema.get("examples"):
        return schema["examples"][0]
    if "enum" in schema:
        return schema["enum"][0]
    if "anyOf" in schema:
        return example(schema["anyOf"][0], known)
    match schema.get("type"):
        case "object":
            parts = schema.get("properties", {})
            needed = {*schema.get("required", ()), *known}
            return {part: example(of_part, known, part) for part, of_part in parts.items() if part in needed}
        case "array":
            return []
        case "integer" | "number":
            return schema.get("minimum", 1)
        case "boolean":
            return False
        case _:
            return "a"


def bodies(route: Route, known: Mapping[str, Any]) -> dict[str, Any]:
    """Return a document for the body of a route by media type; none where it takes no body."""
    content = operation(route).get("requestBody", {}).get("content", {})
    return {media_type: example(said["schema"], known) for media_type, said in content.items()}


def sent(media_type: str, text: bytes) -> tuple[bytes, str]:
    """Return a body and its content type. text: of JSON; each member of an object is a part of a form."""
    if not media_type.startswith("multipart/"):
        return text, media_type
    try:
        document = json.loads(text)
    except (ValueError, RecursionError):
        document = None
    parts = dict(document) if isinstance(document, dict) and document else {"request": text}
    if "face" in parts and isinstance(parts.get("request"), dict):
        parts["request"] = {name: value for name, value in parts["request"].items() if name != "face"}
    body = b"".join(
        b'--%b\r\ncontent-disposition: form-data; name="%b"%b\r\n\r\n%b\r\n'
        % (BOUNDARY, _quoted(name), b'; filename="x"' if name == "face" else b"", _part(value))
        for name, value in parts.items()
    )
    return body + b"--%b--\r\n" % BOUNDARY, f"{media_type}; boundary={BOUNDARY.decode()}"


def _quoted(name: str) -> bytes:
    return name.encode("utf-8", "replace").replace(b"\r", b"%0D").replace(b"\n", b"%0A").replace(b'"', b"%22")


def _part(value: Any) -> bytes:
    """Return what a part of a form says: a face as it is, all else as JSON."""
    if isinstance(value, dict) and isinstance(value.get("base64"), str):
        return base64.b64decode(value["base64"])
    return value if isinstance(value, bytes) else json.dumps(value).encode()


def url(route: Route, parts: Mapping[str, str], query: Mapping[str, str] = {}) -> str:
    """Return the path of a route with its parts, and a query."""
    path = re.sub(r"\{(\w+)\}", lambda part: quote(parts.get(part[1], "0" * 32), safe=""), route.path)
    return path + (
        "?" + "&".join(f"{quote(name)}={quote(value, safe='')}" for name, value in query.items()) if query else ""
    )


def asked(
    http: httpx.Client, route: Route, *, known: Mapping[str, Any], text: Any = None, headers: Mapping[str, Any] = {},
    parts: Mapping[str, str] = {}, query: Mapping[str, str] = {},
) -> Iterator[httpx.Response]:  # fmt: skip
    """Ask a route, once for each media type that it takes. text: makes the body of a document; JSON unless given."""
    at = url(route, {**{name: str(value) for name, value in known.items()}, **parts}, query)
    made = text or (lambda document: json.dumps(document).encode())
    for media_type, document in (bodies(route, known) or {"": None}).items():
        body, kind = sent(media_type, made(document)) if media_type else (b"", "")
        given = {**headers, **({"content-type": kind} if kind else {})}
        yield http.request(route.method, at, content=body, headers=given)
