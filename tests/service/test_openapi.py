"""What the OpenAPI document says, held to the table of routes; `conftest.py` holds every answer of a test to it."""

from __future__ import annotations

import json
import re
from typing import Any

import jsonschema
import pytest
import schemathesis
from click.testing import CliRunner

from adjudge.cli import adjudge
from adjudge.documents.problems import KINDS
from adjudge.service.openapi import openapi_document, operation_id
from adjudge.service.route import Route
from adjudge.service.routes import ROUTES

DOCUMENT = openapi_document(ROUTES)
ids = [f"{route.method} {route.path}" for route in ROUTES]


def test_document_is_openapi() -> None:
    schemathesis.openapi.from_dict(DOCUMENT).validate()
    for schema in DOCUMENT["components"]["schemas"].values():
        jsonschema.Draft202012Validator.check_schema(schema)


def schemas(part: Any) -> list[dict[str, Any]]:
    """Every object in a part of the document that could be a schema."""
    if isinstance(part, list):
        return [one for item in part for one in schemas(item)]
    if not isinstance(part, dict):
        return []
    return [part, *(one for item in part.values() for one in schemas(item))]


def test_every_reference_leads_somewhere() -> None:
    for one in schemas(DOCUMENT):
        if isinstance(one.get("$ref"), str):
            at: Any = DOCUMENT
            for step in one["$ref"].removeprefix("#/").split("/"):
                at = at[step]
            assert at


def test_every_part_of_a_document_says_what_it_means() -> None:
    """A person reads it, who has nothing else."""
    bare = []
    for name, schema in DOCUMENT["components"]["schemas"].items():
        if not schema.get("description"):
            bare.append(name)
        for part, of_part in schema.get("properties", {}).items():
            texts = [one.get("description") or one.get("$ref") or one.get("const") for one in schemas(of_part)]
            if not any(texts):
                bare.append(f"{name}.{part}")
    assert bare == []


@pytest.mark.parametrize("route", ROUTES, ids=ids)
def test_row_stands_in_the_document_as_a_person_wants_to_read_it(route: Route) -> None:
    said = DOCUMENT["paths"][route.path][route.method.lower()]
    assert re.fullmatch(r"[A-Z][^\n]{5,100}[^.\n]", route.summary), "a line without a full stop"
    assert said["summary"] == route.summary and said["operationId"] == operation_id(route)
    assert {int(status) for status in said["responses"]} == {
        *route.gives,
        *(KINDS[code].status for code in route.codes),
    }
    told = [
        code
        for answer in said["responses"].values()
        for schema in schemas(answer.get("content", {}))
        for code in schema.get("properties", {}).get("code", {}).get("enum", ())
    ]
    assert sorted(told) == list(route.codes)
    in_path = {one.name for one in route.parameters if one.place == "path"}
    assert in_path == set(re.findall(r"\{(\w+)", route.path))
    for one in route.parameters:
        assert re.fullmatch(r"[^\n]+\.", one.description), f"{one.name}: a sentence"
    assert (said["security"] == []) is (route.scope is None)


def test_operations_have_names_of_their_own() -> None:
    names = [operation_id(route) for route in ROUTES]
    assert len(set(names)) == len(names)
    assert len({(route.method, route.path) for route in ROUTES}) == len(ROUTES)


def test_command_line_prints_the_document() -> None:
    done = CliRunner().invoke(adjudge, ["schema", "--openapi"])
    assert done.exit_code == 0 and json.loads(done.stdout) == json.loads(json.dumps(DOCUMENT))
    assert CliRunner().invoke(adjudge, ["schema", "--openapi", "--tests"]).exit_code == 2
