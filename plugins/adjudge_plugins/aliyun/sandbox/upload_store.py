"""The object store of the sandbox: permission to upload one file, and the upload itself (PostObject)."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import re
import secrets
import threading
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from email import message_from_bytes
from email.message import Message

from adjudge_plugins.aliyun.sandbox.incoming import Incoming

OBJECT_MAX_BYTES = 100 * 1024 * 1024
_OBJECTS_KEPT = 4096
_KEPT_MAX_BYTES = 512 * 1024 * 1024
_KEY = re.compile(r"sandbox/[0-9a-f]{32}/face\Z")
_ACCESS_KEY_ID = "adjudge-sandbox-uploader"


class UploadRefused(Exception):
    """An upload that is answered with an error; `code` is the object store's."""

    def __init__(self, code: str, status: int) -> None:
        super().__init__(code)
        self.code = code
        self.status = status


class UploadStore:
    """Keeps the newest uploads in memory by key, half a gigabyte at most; safe for many threads at once."""

    def __init__(self, clock: Callable[[], datetime]) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._secret = secrets.token_bytes(32)
        self._objects: dict[str, bytes] = {}
        self._kept_bytes = 0

    def grant(self, port: int) -> Mapping[str, object]:
        """Return permission to upload one object to this machine.

        Bucket and endpoint join to `http://127.0.0.1:<port>`, the form that makes the vendor's SDK use plain HTTP.
        """
        key = f"sandbox/{secrets.token_hex(16)}/face"
        expiration = self._clock() + timedelta(hours=1)
        policy = {
            "expiration": expiration.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.000Z"),
            "conditions": [["eq", "$key", key], ["content-length-range", 0, OBJECT_MAX_BYTES]],
        }
        encoded = base64.b64encode(json.dumps(policy).encode()).decode()
        return {
            "AccessKeyId": _ACCESS_KEY_ID,
            "Bucket": "http://127",
            "EncodedPolicy": encoded,
            "Endpoint": f"0.0.1:{port}",
            "ObjectKey": key,
            "Signature": self._sign(encoded),
            "UseAccelerate": False,
        }

    def post(self, incoming: Incoming) -> str:
        """Keep an uploaded file and return its key. Raises UploadRefused."""
        form = _read_form(incoming)
        texts = {name: value.decode("utf-8", "replace") for name, value in form.items() if name != "file"}
        if "file" not in form or "key" not in texts:
            raise UploadRefused("MalformedPOSTRequest", 400)
        policy = texts.get("policy", "")
        if texts.get("OSSAccessKeyId") != _ACCESS_KEY_ID:
            raise UploadRefused("InvalidAccessKeyId", 403)
        if not hmac.compare_digest(texts.get("Signature", "").encode(), self._sign(policy).encode()):
            raise UploadRefused("SignatureDoesNotMatch", 403)
        # the policy is signed, so it is the one that `grant` wrote
        allowed = json.loads(base64.b64decode(policy))
        if self._clock() > datetime.fromisoformat(allowed["expiration"]) or allowed["conditions"][0][2] != texts["key"]:
            raise UploadRefused("AccessDenied", 403)
        if len(form["file"]) > OBJECT_MAX_BYTES:
            raise UploadRefused("EntityTooLarge", 400)
        self._keep(texts["key"], form["file"])
        return texts["key"]

    def _keep(self, key: str, data: bytes) -> None:
        with self._lock:
            self._kept_bytes += len(data) - len(self._objects.pop(key, b""))
            self._objects[key] = data
            while len(self._objects) > _OBJECTS_KEPT or self._kept_bytes > _KEPT_MAX_BYTES:
                self._kept_bytes -= len(self._objects.pop(next(iter(self._objects))))

    def find(self, url: str) -> bytes | None:
        """Return the object whose key ends a URL, whatever scheme and host stand before it."""
        found = _KEY.search(url)
        with self._lock:
            return self._objects.get(found[0]) if found else None

    def _sign(self, encoded_policy: str) -> str:
        return base64.b64encode(hmac.new(self._secret, encoded_policy.encode(), hashlib.sha1).digest()).decode()


def _read_form(incoming: Incoming) -> dict[str, bytes]:
    """Take a multipart form apart, byte for byte."""
    content = Message()
    content["content-type"] = incoming.header("content-type")
    boundary = _parameter(content, "content-type", "boundary")
    if not boundary:
        raise UploadRefused("MalformedPOSTRequest", 400)
    form: dict[str, bytes] = {}
    for piece in (b"\r\n" + incoming.body).split(f"\r\n--{boundary}".encode())[1:]:
        if piece.startswith(b"--"):
            return form
        head, gap, value = piece.partition(b"\r\n\r\n")
        if not gap:
            break
        form[_parameter(message_from_bytes(head.lstrip()), "content-disposition", "name")] = value
    raise UploadRefused("MalformedPOSTRequest", 400)


def _parameter(message: Message, header: str, name: str) -> str:
    found = message.get_param(name, "", header)
    return found if isinstance(found, str) else ""
