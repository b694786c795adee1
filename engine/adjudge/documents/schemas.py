"""JSON Schema (2020-12) of documents, made from their forms: the same for a person, an editor, and OpenAPI."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from inspect import cleandoc
from typing import Any

import msgspec

DIALECT = "https://json-schema.org/draft/2020-12/schema"
_SUFFIX = "Document"


def schema(form: Any) -> dict[str, Any]:
    """Return the JSON Schema of one form, on its own.

    form: a struct of this package such as `RequestDocument`, or any type that msgspec knows.
    """
    (shown,), parts = schemas([form], ref="#/$defs/{name}")
    return {"$schema": DIALECT, **shown, **({"$defs": parts} if parts else {})}


def schemas(forms: Iterable[Any], *, ref: str) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """Return a schema for each form, and by their names those that they refer to.

    ref: how one refers to another, with `{name}` in it. A name is that of the struct without `Document`.
    """
    shown, parts = msgspec.json.schema_components(list(forms), ref_template="{name}")
    named = {_name(name): _readable(part, ref) for name, part in sorted(parts.items())}
    return [_readable(one, ref) for one in shown], named


def _name(name: str) -> str:
    return name.removesuffix(_SUFFIX)


def _readable(part: Any, ref: str) -> Any:
    """Return a schema with its references and names as they are shown, and its texts without Python's indentation."""
    match part:
        case {"$ref": str(name)}:
            return {**part, "$ref": ref.format(name=_name(name))}
        case Mapping():
            shown = {
                key: _readable(value, ref) for key, value in part.items() if not (key == "default" and value is None)
            }
            if isinstance(part.get("title"), str):
                shown["title"] = _name(part["title"])
            if isinstance(part.get("description"), str):
                shown["description"] = cleandoc(part["description"])
            return shown
        case list() | tuple():
            return [_readable(one, ref) for one in part]
        case _:
            return part
