"""Documents at the edge, the same for the command line, HTTP and the client: requests, decisions and errors as JSON."""

from adjudge.documents.decisions import decision_document, decode_decision, verdict_document
from adjudge.documents.problems import Problem, error_document, error_of, problem_of
from adjudge.documents.requests import DOCUMENT_MAX_BYTES, decode_request, encode_request, read_json

__all__ = [
    "DOCUMENT_MAX_BYTES",
    "Problem",
    "decision_document",
    "decode_decision",
    "decode_request",
    "encode_request",
    "error_document",
    "error_of",
    "problem_of",
    "read_json",
    "verdict_document",
]
