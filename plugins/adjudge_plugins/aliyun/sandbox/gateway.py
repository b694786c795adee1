"""What the vendor's gateway looks at before any operation: who signed, when, and whether the body is the signed one."""

from __future__ import annotations

import hashlib
import hmac
import re
import threading
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta

from adjudge_plugins.aliyun.sandbox.incoming import Incoming, Refused
from adjudge_plugins.aliyun.sandbox.keys import Account, token_refusal
from adjudge_plugins.aliyun.sandbox.legacy_signing import FIXED, REQUIRED, legacy_signature
from adjudge_plugins.aliyun.sandbox.switches import Switches
from adjudge_plugins.aliyun.signing import DATE_FORMAT, canonical_request, signature
from adjudge_plugins.aliyun.vocabulary import (
    AUTHORIZE_UPLOAD,
    AUTHORIZE_UPLOAD_VERSION,
    DETECT,
    DETECT_MAINLAND,
    DETECT_MAINLAND_VERSION,
    DETECT_STREAM,
    DETECT_VERSION,
)

DATE_WINDOW = timedelta(minutes=15)

_VERSIONS: Mapping[str, str] = {
    DETECT: DETECT_VERSION,
    DETECT_STREAM: DETECT_VERSION,
    DETECT_MAINLAND: DETECT_MAINLAND_VERSION,
    AUTHORIZE_UPLOAD: AUTHORIZE_UPLOAD_VERSION,
}
_METHODS: Mapping[str, tuple[str, ...]] = {AUTHORIZE_UPLOAD: ("GET", "POST")}
_AUTHORIZATION = re.compile(r"ACS3-HMAC-SHA256 Credential=([^,\s]+),SignedHeaders=([^,\s]+),Signature=([0-9a-f]{64})")
# not content-type: the vendor's async SDK sends one that it did not sign, on a GET without a body
_MUST_BE_SIGNED = frozenset(
    {"host", "x-acs-action", "x-acs-version", "x-acs-date", "x-acs-signature-nonce", "x-acs-content-sha256"}
)


class Gateway:
    """Verifies requests against the accounts it knows; safe for many threads at once.

    accounts: by AccessKey id. clock: aware UTC.
    """

    def __init__(self, accounts: Mapping[str, Account], clock: Callable[[], datetime]) -> None:
        self._accounts = accounts
        self._clock = clock
        self._lock = threading.Lock()
        self._nonces: dict[str, datetime] = {}

    def verify(self, incoming: Incoming, switches: Switches) -> str:
        """Return the action of a request that is in order, else raise Refused.

        The order of checks is fixed: action and version, transport, signature's form, key, token, date, nonce, body,
        signature, method, permission.
        """
        legacy = incoming.legacy_parameters
        action = legacy.get("Action", "") if legacy else incoming.header("x-acs-action")
        version = legacy.get("Version", "") if legacy else incoming.header("x-acs-version")
        if _VERSIONS.get(action) != version:
            raise Refused("InvalidApi.NotFound", "no such action in this version")
        if switches.plain_http == "refuse" and not incoming.is_tls:
            raise Refused("InvalidProtocol.NeedSsl", "only HTTPS is served")
        if legacy is None:
            account = self._verify_v3(incoming)
        elif switches.legacy_signature == "accept":
            account = self._verify_legacy(incoming, legacy)
        else:
            raise Refused("IncompleteSignature", "signatures of version 1.0 are not taken here")
        methods = _METHODS.get(action, ("POST",))
        if incoming.method not in methods:
            raise Refused("UnsupportedHTTPMethod", f"this action takes {' or '.join(methods)}")
        if not account.is_permitted:
            raise Refused("Forbidden.RAMUserAccessDenied", "this RAM user may not call the service")
        return action

    def _verify_v3(self, incoming: Incoming) -> Account:
        found = _AUTHORIZATION.fullmatch(incoming.header("authorization"))
        if found is None:
            raise Refused("IncompleteSignature", "the Authorization header is not ACS3-HMAC-SHA256")
        key, names, signed = found[1], found[2].split(";"), found[3]
        present = {name.lower() for name, _ in incoming.headers}
        required = _MUST_BE_SIGNED | (present & {"x-acs-security-token"})
        if missing := required.difference(names) | set(names).difference(present):
            raise Refused("IncompleteSignature", f"not signed, or not there: {', '.join(sorted(missing))}")
        account = self._account(key, incoming.header("x-acs-security-token"))
        now = self._check_date("x-acs-date", incoming.header("x-acs-date"))
        nonce = incoming.header("x-acs-signature-nonce")
        self._check_nonce(nonce)
        payload_hash = hashlib.sha256(incoming.body).hexdigest()
        if incoming.header("x-acs-content-sha256") != payload_hash:
            raise Refused("SignatureDoesNotMatch", "x-acs-content-sha256 is not the hash of the body")
        request = canonical_request(
            incoming.method, incoming.path, incoming.query, incoming.headers, names, payload_hash
        )
        if not hmac.compare_digest(signature(request, account.credentials.access_key_secret), signed):
            raise Refused("SignatureDoesNotMatch", "the signature is not that of this request")
        self._use_nonce(nonce, now)
        return account

    def _verify_legacy(self, incoming: Incoming, parameters: Mapping[str, str]) -> Account:
        if missing := [name for name in REQUIRED if not parameters.get(name)]:
            raise Refused("IncompleteSignature", f"missing: {', '.join(missing)}")
        for name, value in FIXED.items():
            if parameters[name] != value:
                raise Refused("IncompleteSignature", f"{name} is {value}")
        account = self._account(parameters["AccessKeyId"], parameters.get("SecurityToken", ""))
        now = self._check_date("Timestamp", parameters["Timestamp"])
        nonce = parameters["SignatureNonce"]
        self._check_nonce(nonce)
        expected = legacy_signature(incoming.method, parameters.items(), account.credentials.access_key_secret)
        if not hmac.compare_digest(expected.encode(), parameters["Signature"].encode()):
            raise Refused("SignatureDoesNotMatch", "the signature is not that of this request")
        self._use_nonce(nonce, now)
        return account

    def _account(self, key: str, token: str) -> Account:
        account = self._accounts.get(key)
        if account is None:
            raise Refused("InvalidAccessKeyId.NotFound", "no such AccessKey")
        if not account.is_active:
            raise Refused("InvalidAccessKeyId.Inactive", "this AccessKey is disabled")
        if (refusal := token_refusal(account, token)) is not None:
            raise Refused(*refusal)
        return account

    def _check_date(self, name: str, text: str) -> datetime:
        """Return the time now, where a request's is near it."""
        try:
            moment = datetime.strptime(text, DATE_FORMAT).replace(tzinfo=UTC)
        except ValueError:
            raise Refused("InvalidTimeStamp.Format", f"{name} is not YYYY-MM-DDTHH:MM:SSZ") from None
        now = self._clock()
        if abs(now - moment) > DATE_WINDOW:
            raise Refused("InvalidTimeStamp.Expired", f"{name} is more than 15 minutes off")
        return now

    def _check_nonce(self, nonce: str) -> None:
        if not nonce:
            raise Refused("IncompleteSignature", "the nonce is empty")
        if nonce in self._nonces:
            raise Refused("SignatureNonceUsed", "the nonce was used before")

    def _use_nonce(self, nonce: str, now: datetime) -> None:
        """Remember a nonce for as long as a date can be in the window; only that of a genuine request."""
        with self._lock:
            self._check_nonce(nonce)
            self._nonces[nonce] = now
            while now - self._nonces[oldest := next(iter(self._nonces))] > 2 * DATE_WINDOW:
                del self._nonces[oldest]
