"""Every answer that a test of the service gets is held to what the OpenAPI document says of its route."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from typing import Any

import jsonschema_rs
import msgspec
import pytest

from adjudge.documents.problems import CONTENT_TYPE
from adjudge.service import app
from adjudge.service.openapi import openapi_document
from adjudge.service.route import Route
from adjudge.service.routes import ROUTES

undescribed: list[str] = []


@functools.cache
def described() -> dict[str, Any]:
    return openapi_document(ROUTES)


@functools.cache
def validator(path: str, method: str, status: str, media_type: str) -> jsonschema_rs.Draft202012Validator:
    said = described()["paths"][path][method]["responses"][status]["content"][media_type]["schema"]
    return jsonschema_rs.Draft202012Validator({**said, "components": described()["components"]}, validate_formats=True)


def check(route: Route, response: Any) -> None:
    """Note what the document does not say of an answer."""
    name, status = f"{route.method} {route.path}", str(response.status_code)
    if status == "400" and not response.body:
        return  # to one who has gone
    said = described()["paths"][route.path][route.method.lower()]["responses"].get(status)
    if said is None:
        undescribed.append(f"{name} answers {status}, which its row does not say")
        return
    media_type = response.headers.get("content-type", "").partition(";")[0]
    if media_type not in said.get("content", {"": None}):
        undescribed.append(f"{name} answers {status} with `{media_type}`, which its row does not say")
    elif media_type in ("application/json", CONTENT_TYPE) and hasattr(response, "body"):
        one = validator(route.path, route.method.lower(), status, media_type)
        content = msgspec.json.decode(response.body)
        undescribed.extend(f"{name} answers {status}: {error.message}" for error in one.iter_errors(content))


@pytest.fixture(scope="session", autouse=True)
def answers_are_looked_at() -> Iterator[None]:
    """Look at what every route of every application answers."""
    answering = app._answering

    def looked_at(*given: Any, **named: Any) -> Any:
        (route,) = [one for one in (*given, *named.values()) if isinstance(one, Route)]
        answer = answering(*given, **named)

        async def answered(request: Any) -> Any:
            response = await answer(request)
            if route in ROUTES:  # not one that a test made
                check(route, response)
            return response

        answered.__name__ = route.answer.__name__
        return answered

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(app, "_answering", looked_at)
        yield


@pytest.fixture(autouse=True)
def nothing_is_answered_that_is_not_described(answers_are_looked_at: None) -> Iterator[None]:
    undescribed.clear()
    yield
    assert not undescribed, "\n".join(undescribed)
