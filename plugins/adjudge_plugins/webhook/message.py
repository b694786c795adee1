"""What a webhook is told: a decision as a JSON document, and the signature by which the other side knows it is ours."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec

from adjudge.plugin import LogRecord

SIGNATURE = "adjudge-signature"
TOLERANCE_S = 300
_OF_THE_RECORD = (
    *("decision_id", "merchant_biz_id", "scene_code", "status", "supersedes", "policy", "policy_digest"),
    *("application_id", "attempts", "capture_again", "capture_reason"),
)
_OF_THE_VERDICT = ("lower", "upper", "settled", "reasons", "doubts", "matched", "unresolved", "missing", "ask")


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """One thing to tell. event_id: the same each time that it is sent. body: the exact bytes that are signed."""

    log: str
    seq: int
    merchant_biz_id: str
    body: bytes = field(repr=False)

    @property
    def event_id(self) -> str:
        """The record that it tells of, by its log and number."""
        return f"{self.log}:{self.seq}"


def message_of(record: LogRecord, members: Mapping[str, Any]) -> Message:
    """Return what is told of a record of a decision: no input and no field of a signal, which may be personal.

    What a record lacks, such as one of an earlier version, is left out.
    """
    verdict, sampled = members.get("verdict", {}), members.get("sampled")
    said = {name: members[name] for name in _OF_THE_RECORD if members.get(name) is not None}
    said |= {"outcome": outcome_of(members), "final": members.get("final", True), "decided_at": members.get("at")}
    said |= {name: verdict[name] for name in _OF_THE_VERDICT if name in verdict}
    if sampled is not None:
        said["sampled"] = sampled
    event = {"type": "decision", "log": record.log, "seq": record.seq, "hash": record.hash, "decision": said}
    return Message(
        log=record.log,
        seq=record.seq,
        merchant_biz_id=members.get("merchant_biz_id", ""),
        body=msgspec.json.encode(event),
    )


def outcome_of(members: Mapping[str, Any]) -> str | None:
    """Return what was to happen: the verdict's outcome, unless the decision was drawn for a person to look at."""
    sampled: Mapping[str, Any] | None = members.get("sampled")
    outcome: str | None = members.get("verdict", {}).get("outcome") if sampled is None else sampled["then"]
    return outcome


def signature(body: bytes, secrets: Sequence[bytes], at: int) -> str:
    """Return the value of the header `adjudge-signature`. at: seconds since 1970, which are signed too."""
    return ",".join([f"t={at}", *(f"v1={_mac(body, secret, at)}" for secret in secrets)])


def verify(body: bytes, header: str, secrets: Sequence[bytes], *, now: float, tolerance_s: float = TOLERANCE_S) -> bool:
    """Whether a body came from whoever has one of the secrets, and lately. For the other side.

    header: of `adjudge-signature`. now: seconds since 1970. tolerance_s: between the two clocks.
    """
    parts = [part.partition("=") for part in header[:4096].split(",")]
    times = [value for name, _, value in parts if name == "t"]
    if len(times) != 1 or not (times[0].isascii() and times[0].isdecimal() and len(times[0]) <= 12):
        return False
    at = int(times[0])
    given = [value.encode() for name, _, value in parts if name == "v1"]
    wanted = [_mac(body, secret, at).encode() for secret in secrets]
    found = [hmac.compare_digest(one, mac) for one in given for mac in wanted]
    return any(found) and abs(now - at) <= tolerance_s


def _mac(body: bytes, secret: bytes, at: int) -> str:
    return hmac.new(secret, f"{at}.".encode() + body, hashlib.sha256).hexdigest()
