"""The RPC signature that came before V3: HMAC-SHA1 over all parameters (the SDK's `signature_algorithm="v2"`).

Whether the vendor still takes it for these operations is unverified; a sandbox does where its switch says so.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Iterable, Mapping

from adjudge_plugins.aliyun.signing import canonical_query, percent_encode

REQUIRED = ("AccessKeyId", "Action", "SignatureMethod", "SignatureNonce", "SignatureVersion", "Timestamp", "Version")
FIXED: Mapping[str, str] = {"SignatureMethod": "HMAC-SHA1", "SignatureVersion": "1.0"}


def legacy_signature(method: str, parameters: Iterable[tuple[str, str]], access_key_secret: str) -> str:
    """Return the signature of a request to `/`, in Base64.

    parameters: of the query and the form, decoded; a `Signature` among them is left out.
    """
    canonical = canonical_query((name, value) for name, value in parameters if name != "Signature")
    to_sign = f"{method.upper()}&%2F&{percent_encode(canonical)}"
    signed = hmac.new(f"{access_key_secret}&".encode(), to_sign.encode(), hashlib.sha1)
    return base64.b64encode(signed.digest()).decode()
