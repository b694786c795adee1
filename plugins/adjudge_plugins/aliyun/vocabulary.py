"""The vendor's own words, spelled as on the wire: operations, tags, results, return codes."""

from __future__ import annotations

import re
from collections.abc import Mapping

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

RESULTS: Mapping[str, str] = {"0": "low", "2": "suspicious", "1": "high"}
"""In order of risk."""

SUCCESS_CODES = ("Success", "200")

RETURN_CODES: Mapping[str, int] = {
    "MissingParameter": 400,
    "InvalidParameter": 400,
    "NoFaceDetected": 401,
    "UnqualifiedPhoto": 401,
    "ToolargeImage": 401,
    "DataDuplication": 401,
    "DownloadTimeout": 401,
    "Forbidden.RAMUserAccessDenied": 403,
    "Forbidden.AccountAccessDenied": 403,
    "Throttling.Api": 403,
    "Throttling.User": 400,
    "Throttling": 400,
    "InternalError": 500,
    "ServiceUnavailable": 503,
    "IncompleteSignature": 400,
    "SignatureDoesNotMatch": 400,
    "SignatureNonceUsed": 400,
    "InvalidAccessKeyId.NotFound": 404,
    "InvalidAccessKeyId.Inactive": 400,
    "MissingSecurityToken": 400,
    "InvalidSecurityToken.Malformed": 400,
    "InvalidSecurityToken.MismatchWithAccessKey": 400,
    "InvalidSecurityToken.Expired": 400,
    "InvalidTimeStamp.Format": 400,
    "InvalidTimeStamp.Expired": 400,
    "InvalidApi.NotFound": 404,
    "InvalidProtocol.NeedSsl": 400,
    "UnsupportedHTTPMethod": 400,
}
"""The operations' own codes and the gateway's, each with the HTTP status that the documentation lists beside it.

What each means stands in `meaning.py`.

Those of the security token are the vendor's for all products (error-center.alibabacloud.com, product Public); their
status stands in the table of its FPGA service, but for MissingSecurityToken, whose 400 is assumed.
"""

_WORD_STARTS = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")


def reason_code(code: str) -> str:
    """Return a vendor code as a reason code: `NoFaceDetected` is `NO_FACE_DETECTED`, `401` is `VENDOR_401`."""
    if code.isdigit():
        return f"VENDOR_{code}"
    return _WORD_STARTS.sub("_", code).replace(".", "_").replace("-", "_").upper()
