"""Documents at the edge, the same for the command line, HTTP and the client: requests, decisions and errors as JSON.

Each has a form, whose JSON Schema is `schema(form)`.
"""

from adjudge.documents.annotations import ErasedDocument, ErasureDocument, LabelDocument
from adjudge.documents.decisions import (
    DecisionDocument,
    DecisionsDocument,
    decision_document,
    decode_decision,
    verdict_document,
)
from adjudge.documents.forms import RequestDocument
from adjudge.documents.problems import Problem, error_document, error_of, problem_of
from adjudge.documents.requests import DOCUMENT_MAX_BYTES, decode_request, encode_request, read_json
from adjudge.documents.schemas import schema

__all__ = [
    "DOCUMENT_MAX_BYTES",
    "DecisionDocument",
    "DecisionsDocument",
    "ErasedDocument",
    "ErasureDocument",
    "LabelDocument",
    "Problem",
    "RequestDocument",
    "decision_document",
    "decode_decision",
    "decode_request",
    "encode_request",
    "error_document",
    "error_of",
    "problem_of",
    "read_json",
    "schema",
    "verdict_document",
]
