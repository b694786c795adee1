"""The forms of a sandbox's answers: success and refusal as the switches have them, and what faults make of them."""

from __future__ import annotations

import json
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from xml.sax.saxutils import escape

from adjudge_plugins.aliyun.sandbox.incoming import Refused
from adjudge_plugins.aliyun.sandbox.reaction import Reaction
from adjudge_plugins.aliyun.sandbox.switches import Switches
from adjudge_plugins.aliyun.vocabulary import DETECT_MAINLAND, RESULTS, RETURN_CODES

JSON = "application/json;charset=utf-8"
XML = "application/xml"

BUSINESS_CODES = (
    "MissingParameter",
    "InvalidParameter",
    "NoFaceDetected",
    "UnqualifiedPhoto",
    "ToolargeImage",
    "DataDuplication",
    "DownloadTimeout",
    "InternalError",
)
"""Codes of the operations themselves, which may come inside a 200; those of the gateway surely have their status."""

_RESULT_CODES = {meaning: code for code, meaning in RESULTS.items()}
_PAGE = b"<html><head><title>502 Bad Gateway</title></head><body><h1>502 Bad Gateway</h1></body></html>\n"
_PORTAL = b"<html><head><title>Sign in</title></head><body><h1>Sign in to this network</h1></body></html>\n"


@dataclass(frozen=True, slots=True, kw_only=True)
class Outgoing:
    """An answer, and how it is sent: after `delay_s` seconds, and by the way of a fault where there is one.

    at: aware UTC, the server's idea of now.
    """

    status: int
    body: bytes = field(repr=False)
    content_type: str = JSON
    headers: tuple[tuple[str, str], ...] = ()
    delay_s: float = 0.0
    fault: str | None = None
    at: datetime = field(default_factory=lambda: datetime.now(UTC))


def request_id() -> str:
    """Return a new id of a request, as the vendor writes them."""
    return str(uuid.uuid4()).upper()


def document(status: int, content: Mapping[str, Any]) -> Outgoing:
    """Return a JSON answer."""
    return Outgoing(status=status, body=json.dumps(content).encode())


def success(reaction: Reaction, operation: str, switches: Switches) -> Outgoing:
    """Return the answer of a detection that was done."""
    code = "200" if operation == DETECT_MAINLAND else switches.success_code
    outcome: dict[str, Any] = {"Result": _RESULT_CODES[reaction.result or "low"]}
    tags = [_spelled(tag, switches) for tag in dict.fromkeys((*reaction.tags, *reaction.novel_tags))]
    score = {_spelled(tag, switches): score for tag, score in reaction.score.items()}
    separator = ", " if switches.tag_separator == "comma_space" else ","
    for name, value in (("RiskTag", separator.join(tags)), ("RiskScore", _scores(score, switches))):
        if (tags if name == "RiskTag" else score) or switches.empty == "blank":
            outcome[name] = value
        elif switches.empty == "null":
            outcome[name] = None
    if switches.transaction_id == "on":
        outcome["TransactionId"] = f"sandbox{uuid.uuid4().hex}"
    return document(200, {"RequestId": request_id(), "Code": code, "Message": "success", "ResultObject": outcome})


def refusal(refused: Refused, switches: Switches, *, retry_after_ms: int | None = None) -> Outgoing:
    """Return the answer of a failing code. retry_after_ms: sent with a throttled one where the switch is on."""
    status, code = RETURN_CODES[refused.code], refused.code
    content = {"RequestId": request_id(), "HostId": "sandbox", "Code": code, "Message": refused.message}
    if code in BUSINESS_CODES and switches.errors != "status":
        if switches.errors == "body_number":
            content["Code"] = str(status)
        status = 200
    if status == 200 or switches.host_id == "off":
        del content["HostId"]
    headers: tuple[tuple[str, str], ...] = ()
    if code.startswith("Throttling") and switches.retry_after == "on" and retry_after_ms is not None:
        headers = (("x-acs-retry-after", str(retry_after_ms)),)
    return Outgoing(status=status, body=json.dumps(content).encode(), headers=headers)


def spoiled(outgoing: Outgoing, fault: str | None) -> Outgoing:
    """Return what a fault puts in the place of a good answer; how it travels is the server's part."""
    body, status, content_type = outgoing.body, outgoing.status, outgoing.content_type
    match fault:
        case "truncate":
            body = body[: len(body) // 2]
        case "html":
            body, status, content_type = _PAGE, 502, "text/html"
        case "html_200":
            body, content_type = _PORTAL, "text/html"
        case "wrong_type":
            content_type = "text/plain"
        case "garbage":
            body = body.replace(b'"Code": ', b'"Code": \xff', 1).replace(b"}", b"]")
    return Outgoing(status=status, body=body, content_type=content_type, fault=fault)


def stored(url: str, key: str) -> Outgoing:
    """Return the object store's answer to an upload; the vendor's SDK needs XML even where all went well."""
    place = f"<Location>{escape(url)}/{escape(key)}</Location><Bucket>sandbox</Bucket><Key>{escape(key)}</Key>"
    return _xml(201, f"<PostResponse>{place}</PostResponse>")


def not_stored(code: str, status: int) -> Outgoing:
    """Return the object store's refusal of an upload."""
    origin = f"<RequestId>{request_id()}</RequestId><HostId>sandbox</HostId>"
    return _xml(status, f"<Error><Code>{code}</Code><Message>refused</Message>{origin}</Error>")


def _xml(status: int, text: str) -> Outgoing:
    body = f'<?xml version="1.0" encoding="UTF-8"?>\n{text}\n'.encode()
    return Outgoing(status=status, body=body, content_type=XML)


def _spelled(tag: str, switches: Switches) -> str:
    """Write the watermark's tag as the switch has it; the vendor's own texts have both spellings."""
    return tag.replace("WarterMark", switches.watermark_tag) if tag == "SuspectWarterMark" else tag


def _scores(score: Mapping[str, float], switches: Switches) -> object:
    if switches.risk_score == "numbers":
        return dict(score)
    texts = {tag: f"{each:.4f}" for tag, each in score.items()}
    return json.dumps(texts) if switches.risk_score == "json" else texts
