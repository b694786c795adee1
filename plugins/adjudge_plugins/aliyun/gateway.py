"""What the vendor's gateway looks at before any operation: who signed, when, and whether the body is the signed one."""

from __future__ import annotations

import hashlib
import hmac
import re
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qsl, urlsplit

from adjudge_plugins.aliyun.signing import DATE_FORMAT, Credentials, canonical_request, signature
from adjudge_plugins.aliyun.vocabulary import (
    AUTHORIZE_UPLOAD,
    AUTHORIZE_UPLOAD_VERSION,
    DETECT_VERSION,
    OPERATIONS,
)

DATE_WINDOW = timedelta(minutes=15)

_VERSIONS: Mapping[str, str] = dict.fromkeys(OPERATIONS, DETECT_VERSION) | {AUTHORIZE_UPLOAD: AUTHORIZE_UPLOAD_VERSION}
_AUTHORIZATION = re.compile(r"ACS3-HMAC-SHA256 Credential=([^,\s]+),SignedHeaders=([^,\s]+),Signature=([0-9a-f]{64})")
_MUST_BE_SIGNED = frozenset(
    {"host", "x-acs-action", "x-acs-version", "x-acs-date", "x-acs-signature-nonce", "x-acs-content-sha256"}
)


class Refused(Exception):
    """A request that is answered with a failing return code."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message


@dataclass(frozen=True, slots=True, kw_only=True)
class Incoming:
    """A request as it came: the target in origin or absolute form, headers in order, the body's exact bytes."""

    method: str
    target: str
    headers: tuple[tuple[str, str], ...] = field(repr=False)
    body: bytes = field(repr=False)

    @property
    def path(self) -> str:
        """The path without host and query."""
        return urlsplit(self.target).path or "/"

    @property
    def query(self) -> list[tuple[str, str]]:
        """The query's names and values, decoded; a `+` is a space."""
        return parse_qsl(urlsplit(self.target).query, keep_blank_values=True)

    def header(self, name: str) -> str:
        """Return the first header of a name, empty where there is none."""
        return next((value for key, value in self.headers if key.lower() == name), "")


class Gateway:
    """Verifies requests against one set of credentials; safe for many threads at once."""

    def __init__(self, credentials: Credentials, clock: Callable[[], datetime]) -> None:
        self._credentials = credentials
        self._clock = clock
        self._lock = threading.Lock()
        self._nonces: dict[str, datetime] = {}

    def verify(self, incoming: Incoming) -> str:
        """Return the action of a request that is in order, else raise Refused. The order of checks is fixed."""
        action = incoming.header("x-acs-action")
        if _VERSIONS.get(action) != incoming.header("x-acs-version"):
            raise Refused("InvalidApi.NotFound", "no such action in this version")
        found = _AUTHORIZATION.fullmatch(incoming.header("authorization"))
        if found is None:
            raise Refused("IncompleteSignature", "the Authorization header is not ACS3-HMAC-SHA256")
        key, names, signed = found[1], found[2].split(";"), found[3]
        present = {name.lower() for name, _ in incoming.headers}
        required = _MUST_BE_SIGNED | (present & {"x-acs-security-token"})
        if missing := required.difference(names) | set(names).difference(present):
            raise Refused("IncompleteSignature", f"not signed, or not there: {', '.join(sorted(missing))}")
        if key != self._credentials.access_key_id:
            raise Refused("InvalidAccessKeyId.NotFound", "no such AccessKey")
        now = self._clock()
        self._check_date(incoming.header("x-acs-date"), now)
        nonce = incoming.header("x-acs-signature-nonce")
        if not nonce or nonce in self._nonces:
            raise Refused("SignatureNonceUsed", "the nonce was used before")
        payload_hash = hashlib.sha256(incoming.body).hexdigest()
        if incoming.header("x-acs-content-sha256") != payload_hash:
            raise Refused("SignatureDoesNotMatch", "x-acs-content-sha256 is not the hash of the body")
        request = canonical_request(
            incoming.method, incoming.path, incoming.query, incoming.headers, names, payload_hash
        )
        if not hmac.compare_digest(signature(request, self._credentials.access_key_secret), signed):
            raise Refused("SignatureDoesNotMatch", "the signature is not that of this request")
        self._use_nonce(nonce, now)
        return action

    def _check_date(self, text: str, now: datetime) -> None:
        try:
            moment = datetime.strptime(text, DATE_FORMAT).replace(tzinfo=UTC)
        except ValueError:
            raise Refused("InvalidTimeStamp.Format", "x-acs-date is not YYYY-MM-DDTHH:MM:SSZ") from None
        if abs(now - moment) > DATE_WINDOW:
            raise Refused("InvalidTimeStamp.Expired", "x-acs-date is more than 15 minutes off")

    def _use_nonce(self, nonce: str, now: datetime) -> None:
        """Remember a nonce for as long as a date can be in the window; only that of a genuine request."""
        with self._lock:
            if nonce in self._nonces:
                raise Refused("SignatureNonceUsed", "the nonce was used before")
            self._nonces[nonce] = now
            while now - self._nonces[oldest := next(iter(self._nonces))] > 2 * DATE_WINDOW:
                del self._nonces[oldest]
