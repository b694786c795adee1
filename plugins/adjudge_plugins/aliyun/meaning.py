"""What each return code of the vendor's means: for the decision, for the caller, and for the account.

The table in docs/deepfake.md says the same, and a test holds the two together. Dispatch on the code, never on the HTTP
status: a 401 here does not mean wrong keys, and a 403 is a missing permission or throttling.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

Kind = Literal["error", "unavailable", "misconfigured"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Meaning:
    """What a failing code means.

    kind: `unavailable` may pass, and is tried again; `error` is of this one request; `misconfigured` is the operator's
    to mend, and stops all calls for a while.
    billed: None where the vendor does not say ("charged per successful call" is all there is).
    advice: for the operator, beside the code.
    capture_again: a sentence for the applicant where a new picture is what helps.
    """

    kind: Kind
    billed: bool | None = False
    advice: str = ""
    capture_again: str | None = None


_NO_FACE = "We could not see a face. Please take a new picture with your whole face in the frame."
_UNCLEAR = "The picture was not clear enough. Please take a new one in good, even light, and hold still."
_TOO_LARGE = "The picture is too large. Please take a new one at a lower resolution."

_PASSING = Meaning(kind="unavailable")
_KEY = Meaning(kind="misconfigured", advice="check the AccessKey")
_TOKEN = Meaning(kind="misconfigured", advice="check the temporary keys and their token")
_CLOCK = Meaning(kind="misconfigured", advice="this machine's clock is more than 15 minutes off")
_WIRE = Meaning(kind="misconfigured", advice="the endpoint, or something before it, changed the request")

MEANINGS: Mapping[str, Meaning] = {
    "MissingParameter": Meaning(kind="error", advice="a parameter is missing"),
    "InvalidParameter": Meaning(kind="error", advice="a parameter is refused: look at the scene code and the media"),
    "NoFaceDetected": Meaning(kind="error", billed=None, capture_again=_NO_FACE),
    "UnqualifiedPhoto": Meaning(kind="error", billed=None, capture_again=_UNCLEAR),
    "ToolargeImage": Meaning(kind="error", advice="set `prepare: true`, or `upload: stream`", capture_again=_TOO_LARGE),
    "DataDuplication": Meaning(kind="error", advice="more than one picture was given"),
    "DownloadTimeout": Meaning(kind="unavailable", advice="the vendor could not fetch the picture's URL"),
    "Forbidden.RAMUserAccessDenied": Meaning(
        kind="misconfigured", advice="grant the RAM user AliyunAntCloudAuthFullAccess"
    ),
    "Forbidden.AccountAccessDenied": Meaning(
        kind="misconfigured", advice="activate the service in the console, or settle what is due"
    ),
    "Throttling.Api": _PASSING,
    "Throttling.User": _PASSING,
    "Throttling": _PASSING,
    "InternalError": _PASSING,
    "ServiceUnavailable": _PASSING,
    "SignatureNonceUsed": _PASSING,
    "IncompleteSignature": _WIRE,
    "SignatureDoesNotMatch": Meaning(kind="misconfigured", advice="check the AccessKey's secret"),
    "InvalidAccessKeyId.NotFound": _KEY,
    "InvalidAccessKeyId.Inactive": _KEY,
    "MissingSecurityToken": _TOKEN,
    "InvalidSecurityToken.Malformed": _TOKEN,
    "InvalidSecurityToken.MismatchWithAccessKey": _TOKEN,
    "InvalidSecurityToken.Expired": _TOKEN,
    "InvalidTimeStamp.Format": _WIRE,
    "InvalidTimeStamp.Expired": _CLOCK,
    "InvalidApi.NotFound": Meaning(kind="misconfigured", advice="this endpoint does not have the operation"),
    "InvalidProtocol.NeedSsl": _WIRE,
    "UnsupportedHTTPMethod": _WIRE,
}


def meaning(code: str | None, status: int) -> Meaning:
    """Return what an answer with a failing code or status means; a code that nobody knows may have been paid for."""
    if code is not None and code in MEANINGS:
        return MEANINGS[code]
    number = int(code) if code is not None and code.isdigit() and len(code) < 9 else status
    if code is not None and code.startswith("Throttling"):
        return _PASSING
    passes = number >= 500 or status >= 500 or 429 in (number, status)
    unnamed = code is None or code.isdigit()
    return Meaning(kind="unavailable" if passes else "error", billed=False if passes and not unnamed else None)
