"""What the vendor answered, as fields: every documented or plausible form is read, anything else is unknown.

Unknown here is None or absence, never a harmless value:

- `result` is absent unless `Result` is 0, 1 or 2.
- An absent, null or empty `RiskTag` means no tags where `Result` is recognised; of another type, `tags` is absent.
- An absent, null or empty `RiskScore` means no scores where `Result` is low; otherwise `score` is absent.
- A score that is not a number from 0 to 1 is None, and so is that of a tag which was hit but came without a score.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from adjudge.plugin import Answer, JsonError, SignalFailed, read_json
from adjudge_plugins.aliyun.meaning import meaning
from adjudge_plugins.aliyun.vocabulary import RESULTS, RISK_TAGS, SUCCESS_CODES, reason_code
from adjudge_plugins.http_exchange import Reply

_CODE = re.compile(r"[0-9A-Za-z][0-9A-Za-z.-]{0,63}", re.ASCII)
_REQUEST_ID = re.compile(r"[0-9A-Za-z-]{1,64}", re.ASCII)
_DECIMAL = re.compile(r"[0-9]{1,20}(\.[0-9]{1,20})?([eE]-?[0-9]{1,2})?", re.ASCII)
_TAG_BY_FOLDED: Mapping[str, str] = {tag.casefold(): tag for tag in RISK_TAGS} | {
    "suspectwatermark": "SuspectWarterMark"
}


def read_document(reply: Reply) -> Mapping[str, object]:
    """Return the JSON object of a successful answer. Raises SignalFailed for every other answer.

    The vendor's `Message` is not passed on: that of a refused signature quotes what was signed, a token included.
    """
    document, why = _read(reply.body)
    if not isinstance(document, Mapping):
        # a proxy's page, a cut answer: nobody knows whether the vendor saw the request
        said = f"answered {reply.status} without a JSON object{why}"
        raise SignalFailed(said, kind="unavailable", reason_code="BAD_ANSWER")
    request_id = _matching(_REQUEST_ID, document.get("RequestId"))
    code = document.get("Code")
    if isinstance(code, int) and not isinstance(code, bool):
        code = str(code)
    if reply.status >= 300 or (code is not None and code not in SUCCESS_CODES):
        raise _failure(reply, _matching(_CODE, code), request_id)
    return document


def _read(body: bytes) -> tuple[object, str]:
    """Return what an answer says, or None and why, where it is JSON but for that."""
    try:
        return read_json(body), ""
    except JsonError as error:
        return None, "" if error.message.startswith("is not JSON") else f": {error.message}"


def read_answer(reply: Reply) -> Answer:
    """Return the fields of a detection's answer. Raises SignalFailed where it holds no result."""
    document = read_document(reply)
    request_id = _matching(_REQUEST_ID, document.get("RequestId"))
    outcome = document.get("ResultObject")
    if document.get("Code") is None or not isinstance(outcome, Mapping):
        said = "the answer holds no result"
        raise SignalFailed(said, reason_code="BAD_ANSWER", request_id=request_id, billed=True)
    result = _result(outcome.get("Result"))
    hits = _tags(outcome.get("RiskTag"), recognised=result is not None)
    score = _scores(outcome.get("RiskScore"), low=result == "low")
    answer: dict[str, object] = {"result": result, "tags": hits, "score": score, "request_id": request_id}
    if score is not None:
        answer["score"] = {**dict.fromkeys(hits or ()), **score}
    novel = sorted({*(hits or ()), *(score or ())}.difference(RISK_TAGS))
    if novel or hits is not None:
        answer["novel_tags"] = novel
    transaction_id = outcome.get("TransactionId")
    answer["transaction_id"] = transaction_id if isinstance(transaction_id, str) else None
    return {name: value for name, value in answer.items() if value is not None}


def _failure(reply: Reply, code: str | None, request_id: str | None) -> SignalFailed:
    if code in SUCCESS_CODES:
        code = None  # of a failing status: the status counts
    found = meaning(code, reply.status)
    said = f"answered {code or reply.status}" + (f": {found.advice}" if found.advice else "")
    if code == "InvalidTimeStamp.Expired" and (off := _clock_off(reply)) is not None:
        said += f" ({off})"
    return SignalFailed(
        said,
        kind=found.kind,
        reason_code=reason_code(code) if code is not None else f"HTTP_{reply.status}",
        capture_again=found.capture_again,
        request_id=request_id,
        billed=found.billed,
        retry_after_s=_retry_after_s(reply) if found.kind == "unavailable" else None,
    )


def _clock_off(reply: Reply) -> str | None:
    """Return by how much this machine's clock differs from the `Date` of an answer."""
    try:
        theirs = parsedate_to_datetime(reply.headers.get("date", ""))
        minutes = round((datetime.now(UTC) - theirs).total_seconds() / 60)
    except (TypeError, ValueError, OverflowError):
        return None
    return f"{abs(minutes)} minutes {'ahead of' if minutes > 0 else 'behind'} the vendor's"


def _retry_after_s(reply: Reply) -> float | None:
    """Return the seconds that an answer asks to be left alone: the vendor's own header has milliseconds."""
    for name, unit in (("x-acs-retry-after", 1000), ("retry-after", 1)):
        value = reply.headers.get(name, "")
        if value.isascii() and value.isdigit() and len(value) < 9:
            return int(value) / unit
    return None


def _matching(pattern: re.Pattern[str], value: object) -> str | None:
    return value if isinstance(value, str) and pattern.fullmatch(value) else None


def _result(value: object) -> str | None:
    if isinstance(value, int) and not isinstance(value, bool):
        value = str(value)
    return RESULTS.get(value.strip()) if isinstance(value, str) else None


def _tag(name: str) -> str:
    blank_free = "".join(name.split())
    return _TAG_BY_FOLDED.get(blank_free.casefold(), blank_free)


def _tags(value: object, *, recognised: bool) -> list[str] | None:
    if not isinstance(value, str | None):
        return None
    tags = list(dict.fromkeys(tag for tag in map(_tag, (value or "").split(",")) if tag))
    return tags if tags or recognised else None


def _scores(value: object, *, low: bool) -> dict[str, float | None] | None:
    if value is None or (isinstance(value, str) and not value.strip()):
        return {} if low else None
    if isinstance(value, str):
        try:
            value = read_json(value.encode())
        except (JsonError, UnicodeEncodeError):
            return None
    if not isinstance(value, Mapping):
        return None
    scores: dict[str, float | None] = {}
    for name, item in value.items():
        tag, score = _tag(name), _score(item)
        if tag in scores:
            # two spellings of one tag: the riskier of both, and unknown where either is
            known = scores[tag]
            score = None if known is None or score is None else max(known, score)
        scores[tag] = score
    return scores


def _score(value: object) -> float | None:
    if isinstance(value, str):
        value = value.strip()
        if not _DECIMAL.fullmatch(value):
            return None
        value = float(value)
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return float(value) if 0 <= value <= 1 else None
