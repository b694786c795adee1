"""The JSON Schema of policies and tests, with what is installed here: providers, their fields and vocabularies."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from adjudge.authoring.schema.keys import OBJECTS, POLICY, TESTS, TEXT, THRESHOLD, Key
from adjudge.policy.catalogue import Catalogue
from adjudge.policy.loading.builtin_lists import BUILTIN
from adjudge.values.declared import FIELD_FORMS
from adjudge.values.fields import Field
from adjudge.values.types import BOOL, DATE, DOUBLE, DURATION, INT, TIMESTAMP, EnumType, MapType, SetType

DIALECT = "https://json-schema.org/draft/2020-12/schema"
_CAUGHT = {"enum": ["review", "reject"]}


def schema_of_policies(catalogue: Catalogue) -> dict[str, Any]:
    """Return the schema of a policy document.

    A schema cannot know everything: conditions, names and thresholds of the policy's own fields are checked by
    `adjudge check`; what it refuses is wrong, what it takes may be.
    """
    schema = _object(POLICY)
    schema["properties"]["thresholds"] = _thresholds(catalogue)
    return {"$schema": DIALECT, "title": "adjudge policy", **schema, "$defs": _definitions(catalogue)}


def schema_of_tests(catalogue: Catalogue) -> dict[str, Any]:
    """Return the schema of a test file."""
    return {
        "$schema": DIALECT,
        "title": "adjudge tests",
        **_object(TESTS),
        "$defs": {"test": _definitions(catalogue)["test"]},
    }


def _definitions(catalogue: Catalogue) -> dict[str, Any]:
    definitions = {name: _object(keys) for name, (_, keys) in OBJECTS.items() if name not in ("policy", "tests")}
    definitions["field"] = _field()
    definitions["signal"]["properties"]["provider"] = {
        "enum": sorted(catalogue.providers),
        "description": "who is asked; installed here",
    }
    listed, entry = definitions["list"], {"$ref": "#/$defs/entry"}
    listed["properties"]["builtin"] = {"enum": sorted(BUILTIN)}
    listed |= {"minProperties": 1, "maxProperties": 1}
    definitions["list"] = {"oneOf": [{"type": "array", "items": {"anyOf": [TEXT, entry]}}, listed]}
    for name, sources in (("table", ("file", "rows")), ("lookup", ("file", "rows", "values"))):
        definitions[name]["oneOf"] = [{"required": [source]} for source in sources]
    definitions["calibration"] = {"oneOf": [{"type": "string"}, definitions["calibration"]]}
    return definitions


def _object(keys: Mapping[str, Key]) -> dict[str, Any]:
    schema: dict[str, Any] = {
        "type": "object",
        "properties": {
            name: {**key.schema, "description": key.meaning, "examples": [key.example]} for name, key in keys.items()
        },
        "additionalProperties": False,
    }
    needed = [name for name, key in keys.items() if key.needed]
    return {**schema, "required": needed} if needed else schema


def _field() -> dict[str, Any]:
    """Return the declaration of a field: a type's name, or a mapping with what that type takes."""
    parts: dict[str, Any] = {
        "range": {"type": "array", "minItems": 2, "maxItems": 2},
        "values": {"type": "array", "items": TEXT, "minItems": 1, "uniqueItems": True},
        "keys": {"type": "array", "items": TEXT, "uniqueItems": True},
        "of": {"$ref": "#/$defs/field"},
        "currencies": {"type": "array", "items": TEXT, "minItems": 1, "uniqueItems": True},
        "absent": {},
        "within": {"type": "string", "minLength": 1},
        "riskier": {"enum": ["higher", "lower", True, False]},
        "personal": {"type": "boolean"},
        "actionable": {"type": "boolean"},
        "description": {"type": "string"},
    }
    whole = [name for name in FIELD_FORMS if not {"values", "of", "currencies"} & set(FIELD_FORMS[name])]
    forms = []
    for name, takes in FIELD_FORMS.items():
        properties = {"type": {"const": name}, **{key: parts[key] for key in takes if key != "type"}}
        if name == "record":
            properties["of"] = {"type": "object", "minProperties": 1, "additionalProperties": parts["of"]}
        needed = ["type", *(key for key in ("values", "of", "currencies") if key in takes)]
        forms.append({"type": "object", "properties": properties, "required": needed, "additionalProperties": False})
    return {"oneOf": [{"enum": whole}, *forms]}


def _thresholds(catalogue: Catalogue) -> dict[str, Any]:
    """Return the table's schema: a signal's name is the policy's own, so that fields are known by how they end.

    Where two providers have a field of one name, either's words are taken.
    """
    shapes: dict[str, list[dict[str, Any]]] = {}
    for provider in catalogue.providers.values():
        for name, declared in (provider.fields or {}).items():
            shape = _shape(declared)
            if shape is not None and shape not in shapes.setdefault(name, []):
                shapes[name].append(shape)
    patterns = {
        f"^[A-Za-z_][A-Za-z0-9_]*\\.{name}$": {"anyOf": [*found, {"type": "object"}]} for name, found in shapes.items()
    }
    return {
        "type": "object",
        "description": POLICY["thresholds"].meaning,
        "patternProperties": patterns,
        "additionalProperties": {"type": "object"},
    }


def _shape(declared: Field) -> dict[str, Any] | None:
    match declared.type:
        case EnumType(values=words) | SetType(values=words):
            return _words(words)
        case MapType(keys=tuple(keys)) if declared.of is not None:
            inner = _shape(declared.of)
            return {"type": "object", "properties": dict.fromkeys(keys, inner)} if inner is not None else None
        case type_ if type_ == BOOL:
            return _words(("true", "false"))
        case type_ if type_ in (INT, DOUBLE, DURATION, TIMESTAMP, DATE):
            bound: dict[str, Any] = {"type": "number"} if type_ in (INT, DOUBLE) else {"type": "string"}
            if isinstance(declared.minimum, int | float) and isinstance(declared.maximum, int | float):
                bound |= {"minimum": declared.minimum, "maximum": declared.maximum}
            band = _beside("at", bound)
            bands = {"review": band, "reject": band}
            below = {"type": "object", "properties": bands}
            return {"type": "object", "properties": {**bands, "below": below}}
    return None


def _words(words: tuple[str, ...]) -> dict[str, Any]:
    return {"type": "object", "properties": dict.fromkeys(words, _beside("then", _CAUGHT))}


def _beside(key: str, schema: dict[str, Any]) -> dict[str, Any]:
    """Return the schema of an entry: its value alone, or with what it asks for beside it."""
    parts = {key: schema, "ask": THRESHOLD["ask"].schema, "confirm": THRESHOLD["confirm"].schema}
    return {
        "anyOf": [schema, {"type": "object", "properties": parts, "required": [key], "additionalProperties": False}]
    }
