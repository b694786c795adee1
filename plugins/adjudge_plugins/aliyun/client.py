"""The vendor's wire: one billed detection, with an upload before it where the media asks for one.

DeepfakeDetectIntl takes its parameters in the query and Base64 in the form; DeepfakeDetectIntlStream takes all in
the form. A file goes in three requests: AuthorizeFileUpload, PostObject to the object store, then the call. Nothing
is tried twice.
"""

from __future__ import annotations

import base64
import re
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING
from urllib.parse import quote_plus, urlsplit

from adjudge.plugin import Answer, Face, SignalFailed
from adjudge_plugins.aliyun.answer import read_answer, read_document
from adjudge_plugins.aliyun.endpoint import Endpoint
from adjudge_plugins.aliyun.signing import Credentials, canonical_query, sign
from adjudge_plugins.aliyun.vocabulary import (
    AUTHORIZE_UPLOAD,
    AUTHORIZE_UPLOAD_VERSION,
    DETECT_MAINLAND,
    DETECT_MAINLAND_VERSION,
    DETECT_STREAM,
    DETECT_VERSION,
    PRODUCT_CODE,
    reason_code,
)
from adjudge_plugins.http_exchange import exchange, is_loopback

if TYPE_CHECKING:
    import httpx

_FORM = "application/x-www-form-urlencoded"
_STORE_HOST = re.compile(r"[a-z0-9][a-z0-9.-]*\.aliyuncs\.com", re.ASCII)
_UNQUOTED = re.compile(r'[^"\r\n]{1,1024}')
_XML_CODE = re.compile(rb"<Code>([0-9A-Za-z.]{1,64})</Code>")


@dataclass(frozen=True, slots=True, kw_only=True)
class Detection:
    """What one call says besides the media."""

    operation: str
    merchant_biz_id: str
    scene_code: str

    def parameters(self, face: Face) -> dict[str, str]:
        """Return the parameters that every form of the call has."""
        kind = {"FaceInputType": face.media_type.upper()}
        if self.operation == DETECT_MAINLAND:
            return {**kind, "OuterOrderNo": self.merchant_biz_id}
        return {
            **kind,
            "MerchantBizId": self.merchant_biz_id,
            "ProductCode": PRODUCT_CODE,
            "SceneCode": self.scene_code,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Client:
    """Calls one endpoint; safe for many tasks at once. user_agent: signed, so nothing on the way may change it."""

    http: httpx.AsyncClient
    endpoint: Endpoint
    clock: Callable[[], datetime] = field(default=lambda: datetime.now(UTC))
    nonce: Callable[[], str] = field(default=lambda: secrets.token_hex(16))
    user_agent: str = "adjudge"

    async def detect(self, detection: Detection, face: Face, key: Credentials, *, deadline: float) -> Answer:
        """Send a face by its URL, or from memory as Base64.

        deadline: `time.monotonic()` seconds. Raises SignalFailed.
        """
        request = self.request(detection, face, key)
        return read_answer(await exchange(self.http, request, deadline=deadline))

    async def detect_uploaded(self, detection: Detection, face: Face, key: Credentials, *, deadline: float) -> Answer:
        """Upload a face from memory and have it judged by the stream operation. Raises SignalFailed."""
        try:
            url = await self._upload(face.data or b"", key, deadline)
        except SignalFailed as failed:
            failed.billed = False  # an upload costs nothing
            raise
        return read_answer(await exchange(self.http, self.request(detection, face, key, url), deadline=deadline))

    def request(
        self, detection: Detection, face: Face, key: Credentials, face_file: str | None = None
    ) -> httpx.Request:
        """Return the signed request of a call. face_file: the URL of an upload, in place of the face itself."""
        parameters = detection.parameters(face)
        form = b""
        if face_file is not None:
            parameters["FaceFile"] = face_file
        elif face.url is not None:
            parameters["FaceUrl"] = face.url
        else:
            # Base64 has three characters to escape, and the general encoder takes a tenth of a second a megabyte
            escaped = base64.b64encode(face.data or b"").replace(b"+", b"%2B").replace(b"/", b"%2F")
            form = b"FaceBase64=" + escaped.replace(b"=", b"%3D")
        operation = DETECT_STREAM if face_file is not None else detection.operation
        version = DETECT_MAINLAND_VERSION if operation == DETECT_MAINLAND else DETECT_VERSION
        if operation == DETECT_STREAM:
            rest = "&".join(f"{name}={quote_plus(value)}" for name, value in sorted(parameters.items()))
            form, parameters = b"&".join(part for part in (form, rest.encode()) if part), {}
        headers = {"content-type": _FORM}
        return self._signed("POST", self.endpoint.url, operation, version, parameters, key, form, headers)

    def upload_request(self, key: Credentials) -> httpx.Request:
        """Return the signed request for permission to upload a file."""
        query = {"Product": "Cloudauth-intl", "RegionId": self.endpoint.region}
        return self._signed("GET", self.endpoint.open_platform, AUTHORIZE_UPLOAD, AUTHORIZE_UPLOAD_VERSION, query, key)

    def _signed(
        self,
        method: str,
        url: str,
        action: str,
        version: str,
        query: Mapping[str, str],
        key: Credentials,
        body: bytes = b"",
        headers: Mapping[str, str] | None = None,
    ) -> httpx.Request:
        import httpx

        own = {"host": urlsplit(url).netloc, "accept": "application/json", "user-agent": self.user_agent}
        own["x-acs-credentials-provider"] = "static_ak" if key.security_token is None else "static_sts"
        if key.security_token is not None:
            own["x-acs-accesskey-id"] = key.access_key_id
        signed = sign(
            method,
            "/",
            query.items(),
            {**own, **(headers or {})},
            body,
            key,
            action=action,
            version=version,
            at=self.clock(),
            nonce=self.nonce(),
        )
        target = f"{url}/?{canonical_query(query.items())}" if query else f"{url}/"
        return httpx.Request(method, target, headers={**signed, "accept-encoding": "identity"}, content=body)

    async def _upload(self, data: bytes, key: Credentials, deadline: float) -> str:
        """Put a file where the vendor reads it and return the URL that the call names it by."""
        import httpx

        reply = await exchange(self.http, self.upload_request(key), deadline=deadline)
        grant = _read_grant(read_document(reply))
        store = self._store_url(grant)
        boundary = secrets.token_hex(16)
        request = httpx.Request(
            "POST",
            f"{store}/",
            headers={
                "content-type": f"multipart/form-data; boundary={boundary}",
                "accept-encoding": "identity",
            },
            content=_multipart(boundary, grant, data),
        )
        stored = await exchange(self.http, request, deadline=deadline)
        if not 200 <= stored.status < 300:
            found = _XML_CODE.search(stored.body)
            code = found[1].decode() if found else str(stored.status)
            kind = "unavailable" if stored.status >= 500 else "error"
            raise SignalFailed(f"the upload was answered {code}", kind=kind, reason_code=f"UPLOAD_{reason_code(code)}")
        return f"http://{store.partition('://')[2]}/{grant['ObjectKey']}"

    def _store_url(self, grant: Mapping[str, str]) -> str:
        """Return where the file goes: the vendor's own domain over TLS, or from one sandbox to the same machine."""
        name = f"{grant['Bucket']}.{grant['Endpoint']}"
        if self.endpoint.is_loopback:
            url = name if name.startswith("http://") else f"https://{name}"
            if is_loopback(urlsplit(url).hostname or ""):
                return url
        elif _STORE_HOST.fullmatch(name):
            return f"https://{name}"
        raise SignalFailed("the upload leads to a host that is not the vendor's", reason_code="BAD_ANSWER")


def _read_grant(document: Mapping[str, object]) -> dict[str, str]:
    grant = {}
    for name in ("AccessKeyId", "Bucket", "EncodedPolicy", "Endpoint", "ObjectKey", "Signature"):
        value = document.get(name)
        if not isinstance(value, str) or not _UNQUOTED.fullmatch(value):
            raise SignalFailed(f"the upload's permission has no {name}", reason_code="BAD_ANSWER")
        grant[name] = value
    return grant


def _multipart(boundary: str, grant: Mapping[str, str], data: bytes) -> bytes:
    """Return the form in the order that the object store wants: texts by name, the file last, its type empty."""
    texts = {
        "OSSAccessKeyId": grant["AccessKeyId"],
        "Signature": grant["Signature"],
        "host": grant["Endpoint"],
        "key": grant["ObjectKey"],
        "policy": grant["EncodedPolicy"],
        "success_action_status": "201",
    }
    parts = [
        f'--{boundary}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'
        for name, value in texts.items()
    ]
    parts.append(
        f'--{boundary}\r\nContent-Disposition: form-data; name="file"; filename="{grant["ObjectKey"]}"\r\n'
        "Content-Type: \r\n\r\n"
    )
    return b"".join(("".join(parts).encode(), data, f"\r\n--{boundary}--\r\n".encode()))
