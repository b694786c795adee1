"""What tells two requests with one MerchantBizId apart."""

from __future__ import annotations

import hmac
from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache

import msgspec

from adjudge.model import Request

_canonical = msgspec.json.Encoder(order="deterministic")


def fingerprint(request: Request, inputs: Mapping[str, object], policy: str | None, key: bytes) -> str:
    """Return a digest of the scene, the media's SHA-256, the inputs and the policy's name, as lower-case hex.

    policy: as the caller named it, None where its scene chose it: another policy that answers the scene by now changes
    no answer that was given. Version 0.1 took the name of the policy that was chosen.
    The application and the attempt count where they are given: another attempt is another check, with a MerchantBizId
    of its own.
    inputs: in the form that the log has for them. Their order does not matter, nor that of the members of a set.
    key: a secret of this installation, so that nobody can guess inputs from the log by trying them.
    """
    return next(fingerprints(request, inputs, (policy,), key))


def fingerprints(
    request: Request, inputs: Mapping[str, object], policies: Iterable[str | None], key: bytes
) -> Iterator[str]:
    """Yield the fingerprints of a request with each of several policies; as `fingerprint`."""
    face = request.face
    content: list[object] = [request.scene_code, face and [face.media_type, face.digest], inputs]
    if request.application_id is not None or request.attempts is not None:
        content.append([request.application_id, request.attempts])
    rest = _canonical.encode(content)[1:]
    for policy in policies:
        keyed = _keyed(key).copy()
        keyed.update(b"[%b,%b" % (_canonical.encode(policy), rest))
        yield keyed.hexdigest()


@lru_cache(maxsize=16)
def _keyed(key: bytes) -> hmac.HMAC:
    """Return what hashes with a key: to copy it takes half of the time of making it."""
    return hmac.new(key, digestmod="sha256")
