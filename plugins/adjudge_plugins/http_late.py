"""Late answers of `http.json`: who sends one, by an HMAC-SHA256 over the time, the call and the body.

The header is `adjudge-signature: t=SECONDS,v1=HEX`, as of our own webhooks. What is signed is `CALL.BODY`, so that an
answer to one call is none to another. A signature counts for five minutes.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from adjudge.plugin import EvaluationError, LateAnswer, ProviderConfigError, SignalFailed, UnknownCall, parse_duration
from adjudge_plugins.settings import mapping, refuse_unknown_keys, required_text
from adjudge_plugins.webhook.message import SIGNATURE, signature, verify

SECRET_MIN_BYTES = 16
LONGEST = timedelta(days=90)
_KEYS = ("within", "secrets")


@dataclass(frozen=True, slots=True, kw_only=True)
class LateSettings:
    """within_s: seconds within which the answer counts. secrets: names of variables of the environment, new first."""

    within_s: float
    secrets: tuple[str, ...]


def read_late_settings(config: Mapping[str, Any]) -> LateSettings | None:
    """Read `late:`; None where it is not there. Raises ProviderConfigError."""
    if "late" not in config:
        return None
    said = mapping(config, "late")
    refuse_unknown_keys(said, _KEYS, "late")
    text = required_text(said, "within", "late", hint="write `within: 24h`")
    try:
        within = parse_duration(text)
    except EvaluationError:
        within = timedelta()
    if not timedelta(0) < within <= LONGEST:
        raise ProviderConfigError("`within` must be a time of up to 90 days", "late", "within", hint="such as `24h`")
    return LateSettings(within_s=within.total_seconds(), secrets=_names(said.get("secrets")))


def _names(given: object) -> tuple[str, ...]:
    names: list[str] = []
    for entry in given if isinstance(given, list | tuple) else ():
        match entry:
            case {"environment": str(name), **more} if not more and name:
                names.append(name)
            case _:
                names.clear()
                break
    if not names:
        hint = "write `secrets: [{environment: DEVICE_ANSWER_SECRET}]`, the new one first"
        raise ProviderConfigError("`secrets` must name what answers are signed with", "late", "secrets", hint=hint)
    return tuple(names)


def sign_late(call: str, body: bytes, secrets: Sequence[bytes], at: int) -> str:
    """Return the value of the header `adjudge-signature` of a late answer. at: seconds since 1970."""
    return signature(call.encode() + b"." + body, secrets, at)


def check_late(answer: LateAnswer, settings: LateSettings) -> None:
    """Raise UnknownCall for an answer that is not signed by who was asked; SignalFailed where we have no secret."""
    secrets = [value.encode() for name in settings.secrets if (value := os.environ.get(name, "").strip())]
    if not secrets or any(len(secret) < SECRET_MIN_BYTES for secret in secrets):
        said = f"the environment has no secret of {SECRET_MIN_BYTES} bytes in {', '.join(settings.secrets)}"
        raise SignalFailed(said, kind="misconfigured", reason_code="CREDENTIALS_MISSING")
    signed = answer.call.encode() + b"." + answer.body
    if not verify(signed, answer.headers.get(SIGNATURE, ""), secrets, now=answer.now.timestamp()):
        raise UnknownCall
