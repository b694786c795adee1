"""The vendor's own words, spelled as on the wire: operations, tags, results, return codes."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

DETECT = "DeepfakeDetectIntl"
DETECT_STREAM = "DeepfakeDetectIntlStream"
DETECT_VERSION = "2022-08-09"
DETECT_MAINLAND = "DeepfakeDetect"
DETECT_MAINLAND_VERSION = "2019-03-07"
"""The twin of product `cloudauth`: OuterOrderNo in the place of MerchantBizId, no ProductCode, no SceneCode."""
OPERATIONS = (DETECT, DETECT_STREAM, DETECT_MAINLAND)
AUTHORIZE_UPLOAD = "AuthorizeFileUpload"
AUTHORIZE_UPLOAD_VERSION = "2019-12-19"
PRODUCT_CODE = "FACE_DEEPFAKE"

RISK_TAGS = (
    "SuspectDeepForgery",
    "SuspectPSFace",
    "SuspectTemple",
    "SuspectRemake",
    "SuspectAIGCFace",
    "SuspectWarterMark",
)
"""`SuspectTemple` and `SuspectWarterMark` are the vendor's spellings."""

RESULTS: Mapping[str, str] = {"0": "low", "1": "high", "2": "suspicious"}

SUCCESS_CODES = ("Success", "200")

_NO_FACE = "We could not see a face. Please take a new picture with your whole face in the frame."
_UNCLEAR = "The picture was not clear enough. Please take a new one in good, even light, and hold still."


@dataclass(frozen=True, slots=True)
class ReturnCode:
    """What a failing code means.

    status: the HTTP status that the documentation lists beside it.
    kind: `unavailable` where the same request may succeed later, else `error`.
    capture_again: a sentence for the applicant where a new picture is what helps.
    """

    status: int
    kind: Literal["error", "unavailable"]
    capture_again: str | None = None


RETURN_CODES: Mapping[str, ReturnCode] = {
    "MissingParameter": ReturnCode(400, "error"),
    "InvalidParameter": ReturnCode(400, "error"),
    "NoFaceDetected": ReturnCode(401, "error", _NO_FACE),
    "UnqualifiedPhoto": ReturnCode(401, "error", _UNCLEAR),
    "ToolargeImage": ReturnCode(401, "error"),
    "DataDuplication": ReturnCode(401, "error"),
    "DownloadTimeout": ReturnCode(401, "unavailable"),
    "Forbidden.RAMUserAccessDenied": ReturnCode(403, "error"),
    "Forbidden.AccountAccessDenied": ReturnCode(403, "error"),
    "Throttling.Api": ReturnCode(403, "unavailable"),
    "Throttling.User": ReturnCode(400, "unavailable"),
    "Throttling": ReturnCode(400, "unavailable"),
    "InternalError": ReturnCode(500, "unavailable"),
    "ServiceUnavailable": ReturnCode(503, "unavailable"),
    "IncompleteSignature": ReturnCode(400, "error"),
    "SignatureDoesNotMatch": ReturnCode(400, "error"),
    "SignatureNonceUsed": ReturnCode(400, "unavailable"),
    "InvalidAccessKeyId.NotFound": ReturnCode(404, "error"),
    "InvalidAccessKeyId.Inactive": ReturnCode(400, "error"),
    "MissingSecurityToken": ReturnCode(400, "error"),
    "InvalidSecurityToken.Malformed": ReturnCode(400, "error"),
    "InvalidSecurityToken.MismatchWithAccessKey": ReturnCode(400, "error"),
    "InvalidSecurityToken.Expired": ReturnCode(400, "error"),
    "InvalidTimeStamp.Format": ReturnCode(400, "error"),
    "InvalidTimeStamp.Expired": ReturnCode(400, "error"),
    "InvalidApi.NotFound": ReturnCode(404, "error"),
    "InvalidProtocol.NeedSsl": ReturnCode(400, "error"),
    "UnsupportedHTTPMethod": ReturnCode(400, "error"),
}
"""The operations' own codes and the gateway's. Dispatch on the code: a 401 here never means bad credentials.

Those of the security token are the vendor's for all products (error-center.alibabacloud.com, product Public); their
status stands in the table of its FPGA service, but for MissingSecurityToken, whose 400 is assumed.
"""

_WORD_STARTS = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")


def reason_code(code: str) -> str:
    """Return a vendor code as a reason code: `NoFaceDetected` is `NO_FACE_DETECTED`, `401` is `VENDOR_401`."""
    if code.isdigit():
        return f"VENDOR_{code}"
    return _WORD_STARTS.sub("_", code).replace(".", "_").replace("-", "_").upper()
