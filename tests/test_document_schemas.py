"""The JSON Schema of each document, held to what reads and writes it: what one takes, the other takes."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import jsonschema_rs
import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from adjudge.audit.annotations import erasure_body, label_body
from adjudge.documents import (
    DecisionDocument,
    DecisionsDocument,
    ErasureDocument,
    LabelDocument,
    Problem,
    RequestDocument,
    decision_document,
    decode_decision,
    decode_request,
    schema,
)
from adjudge.documents.annotations import decode_erasure, decode_label
from adjudge.documents.problems import KINDS, decode_problem, problem
from adjudge.errors import JsonError, RequestError
from adjudge.model import Decision
from adjudge.values.reading import is_unicode
from test_documents import DOCUMENT, decisions


def reader(form: Any) -> jsonschema_rs.Draft202012Validator:
    return jsonschema_rs.Draft202012Validator(schema(form), validate_formats=True)


REQUESTS, LABELS, ERASURES = reader(RequestDocument), reader(LabelDocument), reader(ErasureDocument)
DECISIONS, PAGES, PROBLEMS = reader(DecisionDocument), reader(DecisionsDocument), reader(Problem)

patiently = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
"""A busy machine breaks nothing."""

ID = "0" * 32
BLANKS = ["\t", "\n", "\x1c", "\x1f", "\x85", "\xa0", " ", "\u2028", "\u3000", "\ufeff", "\u200b", "\u180e"]
TEXTS = st.one_of(
    st.sampled_from(
        ["", "a", "x" * 1000, "x" * 1001, "😀" * 1000, "é", "\ud800", "0", ID, ID + "\n", "fraud", "image"]
    ),
    st.lists(st.sampled_from(BLANKS), min_size=1, max_size=3).map("".join),
    st.text(max_size=40),
)
ANYTHING = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-3, 2_000_000),
    st.floats(allow_nan=False, allow_infinity=False),
    st.sampled_from([1.0, 1_000_000, 1_000_001, [], {}, [1], {"a": 1}, {"a": None}, {"a": {}}, {"a": {"b": [None]}}]),
    TEXTS,
)


def documents(known: dict[str, st.SearchStrategy[Any]], good: dict[str, Any]) -> st.SearchStrategy[Any]:
    """Documents that are good but for a few members: others, missing, or too many."""
    changed = st.dictionaries(st.sampled_from([*known, "unknown"]), st.none(), max_size=3).flatmap(
        lambda names: st.fixed_dictionaries({name: known.get(name, ANYTHING) | ANYTHING for name in names})
    )
    return st.builds(
        lambda changes, gone: {key: value for key, value in {**good, **changes}.items() if key not in gone},
        changed,
        st.lists(st.sampled_from([*good]), max_size=1),
    )


FACES = st.fixed_dictionaries(
    {},
    optional={
        "base64": st.sampled_from(["/9j/4AAQSkZJRg==", "", None, 1, "!", "AA==", "A"]),
        "url": st.sampled_from(
            [
                "https://a.example/x",
                "HTTP://a/",
                "ftp://a",
                "http:",
                "http://",
                "",
                None,
                3,
                "http://a/" + "x" * 8183,
                "http://a/" + "x" * 8184,
            ]
        ),
        "type": st.sampled_from(["image", "video", "gif", None, 1]),
        "file": st.sampled_from(["/etc/passwd", None]),
    },
)
REQUEST_PARTS: dict[str, st.SearchStrategy[Any]] = {
    "merchant_biz_id": st.text("0aZ_é\n", min_size=31, max_size=33) | st.text("0aZ", min_size=32, max_size=32),
    "scene_code": st.sampled_from(["", "a", "a" * 10, "a" * 11, "Z_9", "a\n", "-", "é"]),
    "policy": TEXTS,
    "face": FACES,
    "inputs": st.dictionaries(TEXTS, ANYTHING, max_size=2),
    "signals": st.dictionaries(TEXTS, st.none() | st.dictionaries(TEXTS, ANYTHING, max_size=2), max_size=2),
    "application_id": st.text("!~a é\n", max_size=4) | st.sampled_from(["a" * 128, "a" * 129]),
    "attempts": st.sampled_from([-1, 0, 1, 1.0, 1.5, True, 1_000_000, 1_000_001]),
}


def refusal(read: Callable[[], object]) -> Exception | None:
    """Return why a document was not read; None where it was."""
    try:
        read()
    except (RequestError, JsonError, ValueError) as error:
        return error
    return None


BEYOND_A_SCHEMA = {"face.base64": "Base64", "face.url": "URL", "attempts": "whole number", "policy": "Unicode"}
"""What is refused of a document that a schema allows: bytes in a text, the host of a URL, 1.0 and half a character."""


def is_of_halves(error: object) -> bool:
    """Whether it is of half a character, which JSON can say and no schema."""
    return "half a character" in str(error) or "not valid Unicode" in str(error)


def is_beyond(error: Exception) -> bool:
    return is_of_halves(error) or BEYOND_A_SCHEMA.get(getattr(error, "where", ""), "\0") in str(error)


@patiently
@given(documents(REQUEST_PARTS, {**DOCUMENT, "face": {"base64": "AAAA"}}))
def test_request_is_read_as_its_schema_says(document: dict[str, Any]) -> None:
    is_allowed = REQUESTS.is_valid(_without_halves(document))
    refused = refusal(lambda: decode_request(json.dumps(document).encode()))
    assert is_allowed is (refused is None) or (refused and is_beyond(refused)), refused or document


@pytest.mark.parametrize("document", [None, 1, "x", [], True])
def test_document_that_is_no_object_is_none(document: Any) -> None:
    for one in (REQUESTS, LABELS, ERASURES, DECISIONS, PROBLEMS):
        assert not one.is_valid(document)


DAYS = st.sampled_from(["2026-01-31", "2026-02-30", "2026-1-3", "2026-01-31T00:00:00Z", "20260131", "", "0000-01-01"])
LABEL_PARTS: dict[str, st.SearchStrategy[Any]] = {
    "decision_id": st.text("0aF\n", min_size=31, max_size=33) | st.text("0a", min_size=32, max_size=32),
    "merchant_biz_id": REQUEST_PARTS["merchant_biz_id"],
    "label": st.sampled_from(["fraud", "genuine", "Fraud", ""]),
    "source": TEXTS,
    "found_on": DAYS,
    "note": TEXTS,
    "by": TEXTS,
}
LABEL = {"decision_id": ID, "merchant_biz_id": ID, "label": "fraud", "source": "chargeback", "found_on": "2020-01-31"}


def recorded(document: dict[str, Any]) -> None:
    """Take a label as far as the engine takes it before it asks the log. Raises RequestError or ValueError."""
    said = decode_label(json.dumps(document).encode())
    decode_request(json.dumps({**DOCUMENT, "merchant_biz_id": said.merchant_biz_id}).encode())
    label_body(
        said.decision_id,
        said.merchant_biz_id,
        said.label,
        source=said.source,
        found_on=said.found_on,
        note=said.note,
        by="engine" if said.by is None else said.by,
    )


@patiently
@given(documents(LABEL_PARTS, LABEL))
def test_label_is_read_as_its_schema_says(document: dict[str, Any]) -> None:
    is_allowed = LABELS.is_valid(_without_halves(document))
    refused = refusal(lambda: recorded(document))
    assert is_allowed is (refused is None) or is_of_halves(refused), refused or document


def test_label_of_tomorrow_is_refused_although_no_schema_can_say_so() -> None:
    tomorrow = {**LABEL, "found_on": str((datetime.now(UTC) + timedelta(days=2)).date())}
    assert LABELS.is_valid(tomorrow)
    with pytest.raises(ValueError, match="in the future"):
        recorded(tomorrow)


def erased(document: dict[str, Any]) -> None:
    said = decode_erasure(json.dumps(document).encode())
    erasure_body(ID, (), by="engine" if said.by is None else said.by, reason=said.reason)


@patiently
@given(documents({"reason": TEXTS, "by": TEXTS}, {"reason": "asked", "by": "j.doe"}))
def test_erasure_is_read_as_its_schema_says(document: dict[str, Any]) -> None:
    is_allowed = ERASURES.is_valid(_without_halves(document))
    refused = refusal(lambda: erased(document))
    assert is_allowed is (refused is None) or is_of_halves(refused), refused or document


MADE = decisions().map(
    lambda made: msgspec.structs.replace(
        made, decision_id=ID, merchant_biz_id=ID, supersedes=None if made.supersedes is None else ID
    )
)


@patiently
@given(MADE)
def test_decision_is_written_as_its_schema_says(decision: Decision) -> None:
    document = json.loads(msgspec.json.encode(decision_document(decision)))
    DECISIONS.validate(document)
    PAGES.validate({"decisions": [document], "next": None})


@patiently
@given(MADE, st.data())
def test_decision_that_its_schema_allows_is_read_unless_it_contradicts_itself(
    decision: Decision, data: st.DataObject
) -> None:
    document = json.loads(msgspec.json.encode(decision_document(decision)))
    changes = data.draw(st.dictionaries(st.sampled_from([*document]), ANYTHING, max_size=2))
    changed = {**document, **changes}
    is_allowed = DECISIONS.is_valid(_without_halves(changed))
    refused = refusal(lambda: decode_decision(json.dumps(changed).encode()))
    half = "\ud800" in json.dumps(changed, ensure_ascii=False)
    assert not is_allowed or refused is None or half or "contradict" in str(refused), refused


@pytest.mark.parametrize("code", KINDS)
def test_problem_is_written_and_read_as_its_schema_says(code: str) -> None:
    written = msgspec.json.encode(problem(code, "why", where="inputs.x", hint="how", retry_after_s=1.0, request_id="r"))
    PROBLEMS.validate(json.loads(written))
    assert decode_problem(written) is not None


@patiently
@given(documents({"status": st.integers(300, 700)}, json.loads(msgspec.json.encode(problem("request", "why")))))
def test_problem_that_its_schema_allows_is_read(document: dict[str, Any]) -> None:
    if PROBLEMS.is_valid(_without_halves(document)) and document == _without_halves(document):
        assert decode_problem(json.dumps(document).encode()) is not None


def _without_halves(value: Any) -> Any:
    """Return a document for a reader of Rust, which knows no half characters: each becomes a whole one."""
    match value:
        case str():
            return value if is_unicode(value) else value.replace("\ud800", "?")
        case dict():
            return {_without_halves(key): _without_halves(one) for key, one in value.items()}
        case list():
            return [_without_halves(one) for one in value]
        case _:
            return value
