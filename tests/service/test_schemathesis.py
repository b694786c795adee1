"""A stranger tries the service by its OpenAPI document: nothing is a fault, and every answer is described."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis import GenerationMode
from schemathesis.schemas import APIOperation
from schemathesis.specs.openapi import checks

from adjudge.service.openapi import openapi_document
from adjudge.service.routes import ROUTES
from client.serving import served
from engine.engines import engine


@schemathesis.serializer("application/x-ndjson")
def one_line(context: object, value: object) -> bytes:
    """A batch of one line; a bad one is that line's problem, and the batch is good."""
    return json.dumps(value).encode() + b"\n"


def without_keys(document: dict[str, Any]) -> dict[str, Any]:
    """Return the document of a service that asks for no key; `test_scopes.py` holds every route to its scope."""
    for operations in document["paths"].values():
        for operation in operations.values():
            operation["security"] = []
    return document


SCHEMA = schemathesis.openapi.from_dict(without_keys(openapi_document(ROUTES)))
HELD_TO = [
    schemathesis.checks.not_a_server_error,
    checks.status_code_conformance,
    checks.content_type_conformance,
    checks.response_headers_conformance,
    checks.response_schema_conformance,
    checks.negative_data_rejection,
]
EXAMPLES = 15
CASES = [
    pytest.param(SCHEMA[route.path][route.method], mode, id=f"{route.method} {route.path} {mode.name.lower()}")
    for route in ROUTES
    for mode in GenerationMode
    if mode is GenerationMode.POSITIVE or route.parameters or route.takes  # all else takes nothing that can be wrong
]


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with served(engine(at=tmp_path_factory.mktemp("log")), over_tcp=True) as address:
        yield address


@pytest.mark.parametrize(("operation", "mode"), CASES)
def test_service_answers_a_stranger_as_its_document_says(
    url: str, operation: APIOperation, mode: GenerationMode
) -> None:
    @settings(
        max_examples=EXAMPLES,
        derandomize=True,
        deadline=None,
        database=None,
        suppress_health_check=list(HealthCheck),
        phases=[Phase.generate],
    )
    @given(operation.as_strategy(generation_mode=mode))
    def ask(case: schemathesis.Case) -> None:
        is_batch = case.media_type == "application/x-ndjson"
        held_to = [check for check in HELD_TO if not (is_batch and check is checks.negative_data_rejection)]
        case.call_and_validate(base_url=url, checks=held_to)

    ask()
