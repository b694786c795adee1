"""What tells two requests with one MerchantBizId apart."""

from __future__ import annotations

import hashlib
import hmac

import msgspec

from adjudge.errors import RequestError
from adjudge.fields import describe, to_json
from adjudge.model import Request

_canonical = msgspec.json.Encoder(order="deterministic", decimal_format="string")


def fingerprint(request: Request, policy: str, key: bytes) -> str:
    """Return a digest of the scene, the media's SHA-256, the inputs and the policy's name, as lower-case hex.

    key: a secret of this installation, so that nobody can guess inputs from the log by trying them.
    Raises RequestError where an input has no JSON form.
    """
    face = request.face
    try:
        content = _canonical.encode(
            [policy, request.scene_code, face and [face.media_type, face.digest], to_json(request.inputs)]
        )
    except (TypeError, ValueError, RecursionError):
        wrong = [name for name, value in request.inputs.items() if not _has_json_form(value)] or [""]
        said = f"{describe(request.inputs.get(wrong[0]))} cannot be an input"
        raise RequestError(said, where=f"inputs.{wrong[0]}".rstrip(".")) from None
    return hmac.new(key, content, hashlib.sha256).hexdigest()


def _has_json_form(value: object) -> bool:
    try:
        _canonical.encode(to_json(value))
    except (TypeError, ValueError, RecursionError):
        return False
    return True
