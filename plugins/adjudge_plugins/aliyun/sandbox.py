"""A sandbox of the vendor's service on loopback: same wire, same signatures, answers from a scenario.

It fetches nothing: a FaceUrl is only looked up in the scenario, by the digest of its text.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
import re
import socket
import sys
import threading
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any
from urllib.parse import parse_qsl
from xml.sax.saxutils import escape

from adjudge_plugins.aliyun.gateway import Gateway, Incoming, Refused
from adjudge_plugins.aliyun.scenario import Reaction, Scenario
from adjudge_plugins.aliyun.signing import SANDBOX_CREDENTIALS, Credentials
from adjudge_plugins.aliyun.upload_store import OBJECT_MAX_BYTES, UploadRefused, UploadStore
from adjudge_plugins.aliyun.vocabulary import (
    AUTHORIZE_UPLOAD,
    DETECT_STREAM,
    PRODUCT_CODE,
    RESULTS,
    RETURN_CODES,
)

MEDIA_MAX_BYTES = 10_000_000

_RESULT_CODES = {meaning: code for code, meaning in RESULTS.items()}
_JSON = "application/json;charset=utf-8"
_XML = "application/xml"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Outgoing:
    status: int
    body: bytes
    content_type: str = _JSON
    delay_s: float = 0.0


@dataclass(slots=True)
class _Count:
    calls: int = 0
    billed: int = 0


@dataclass(slots=True)
class _Stats:
    """Calls of the two operations that were genuine, and those of them that succeeded and so cost money."""

    total: _Count = field(default_factory=_Count)
    by_operation: dict[str, _Count] = field(default_factory=dict)
    by_merchant_biz_id: dict[str, _Count] = field(default_factory=dict)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def count(self, operation: str, merchant_biz_id: str, *, billed: bool) -> None:
        with self.lock:
            for counted in (
                self.total,
                self.by_operation.setdefault(operation, _Count()),
                self.by_merchant_biz_id.setdefault(merchant_biz_id, _Count()),
            ):
                counted.calls += not billed
                counted.billed += billed

    def document(self) -> dict[str, Any]:
        def shown(count: _Count) -> dict[str, int]:
            return {"calls": count.calls, "billed": count.billed}

        with self.lock:
            return {
                **shown(self.total),
                "by_operation": {name: shown(count) for name, count in self.by_operation.items()},
                "by_merchant_biz_id": {name: shown(count) for name, count in self.by_merchant_biz_id.items()},
            }


class Sandbox:
    """A running sandbox: `with Sandbox() as sandbox: sandbox.url`.

    port: on 127.0.0.1; 0 takes a free one. scenario: may be replaced while it runs.
    clock: aware UTC, the server's idea of now.
    Raises OSError where the port is taken.
    """

    def __init__(
        self,
        *,
        port: int = 0,
        scenario: Scenario | None = None,
        credentials: Credentials = SANDBOX_CREDENTIALS,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self.scenario = scenario or Scenario()
        self._gateway = Gateway(credentials, clock)
        self._uploads = UploadStore(clock)
        self._stats = _Stats()
        self._stopping = threading.Event()
        self._server = _Server(port, self)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), name="sandbox", daemon=True)

    @property
    def port(self) -> int:
        """The port on 127.0.0.1."""
        return int(self._server.server_address[1])

    @property
    def url(self) -> str:
        """The address to set as `endpoint`."""
        return f"http://127.0.0.1:{self.port}"

    def __enter__(self) -> Sandbox:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._stopping.set()
        self._server.shutdown()
        self._server.server_close()
        self._server.close_connections()
        self._thread.join()

    def stats(self) -> dict[str, Any]:
        """Return `calls` and `billed`: in total, `by_operation` and `by_merchant_biz_id`."""
        return self._stats.document()

    def wait(self, seconds: float) -> None:
        """Wait, or until the sandbox stops."""
        self._stopping.wait(seconds)

    def answer(self, incoming: Incoming) -> _Outgoing | None:
        """Return the answer to a request; None closes the connection without one."""
        if incoming.method == "GET" and incoming.path == "/_sandbox/stats":
            return _json(200, self.stats())
        if incoming.header("content-type").startswith("multipart/form-data") and not incoming.header("x-acs-action"):
            return self._store(incoming)
        request_id = str(uuid.uuid4()).upper()
        try:
            action = self._gateway.verify(incoming)
            if action == AUTHORIZE_UPLOAD:
                return _json(200, {"RequestId": request_id, **self._uploads.grant(self.port)})
            if incoming.method != "POST":
                raise Refused("UnsupportedHTTPMethod", "this action takes POST")
            return self._detect(action, incoming, request_id)
        except Refused as refused:
            return _refusal(refused, request_id)

    def _detect(self, operation: str, incoming: Incoming, request_id: str) -> _Outgoing | None:
        parameters = dict(incoming.query) | dict(
            parse_qsl(incoming.body.decode("utf-8", "replace"), keep_blank_values=True)
        )
        merchant_biz_id = parameters.get("MerchantBizId", "")
        self._stats.count(operation, merchant_biz_id, billed=False)
        _check_parameters(parameters)
        media = self._media(operation, parameters)
        content = media if media is not None else parameters["FaceUrl"].encode()
        reaction = self.scenario.reaction(merchant_biz_id, hashlib.sha256(content).hexdigest())
        if reaction.fault == "close":
            self.wait(reaction.delay_s)
            return None
        if reaction.code is not None:
            return _refusal(Refused(reaction.code, "as the scenario says"), request_id, reaction.delay_s)
        if media is not None:
            _check_media(media, parameters.get("FaceInputType", "IMAGE"))
        self._stats.count(operation, merchant_biz_id, billed=True)
        return _json(200, _success(reaction, request_id), delay_s=reaction.delay_s)

    def _media(self, operation: str, parameters: Mapping[str, str]) -> bytes | None:
        """Return the media's bytes, or None where there is only its URL."""
        allowed = ("FaceUrl", "FaceBase64", "FaceFile") if operation == DETECT_STREAM else ("FaceUrl", "FaceBase64")
        given = [name for name in allowed if parameters.get(name)]
        if not given:
            raise Refused("MissingParameter", f"one of {', '.join(allowed)} is missing")
        if len(given) > 1:
            raise Refused("DataDuplication", f"only one of {', '.join(given)} may be given")
        value = parameters[given[0]]
        if given == ["FaceFile"]:
            data = self._uploads.find(value)
            if data is None:
                raise Refused("DownloadTimeout", "FaceFile was not uploaded here")
            return data
        if given == ["FaceUrl"]:
            if not re.match(r"https?://[^/\s]+", value):
                raise Refused("InvalidParameter", "FaceUrl is not an http or https URL")
            return None
        if parameters.get("FaceInputType", "IMAGE") != "IMAGE":
            raise Refused("InvalidParameter", "FaceBase64 is for images only")
        try:
            return base64.b64decode(value, validate=True)
        except (binascii.Error, ValueError):
            raise Refused("InvalidParameter", "FaceBase64 is not plain Base64") from None

    def _store(self, incoming: Incoming) -> _Outgoing:
        try:
            key = escape(self._uploads.post(incoming))
        except UploadRefused as refused:
            error = f"<Error><Code>{refused.code}</Code><Message>refused</Message></Error>"
            return _Outgoing(status=refused.status, body=error.encode(), content_type=_XML)
        place = f"<PostResponse><Location>{self.url}/{key}</Location><Key>{key}</Key></PostResponse>"
        return _Outgoing(status=201, body=place.encode(), content_type=_XML)


def _check_parameters(parameters: Mapping[str, str]) -> None:
    rules = {
        "ProductCode": PRODUCT_CODE,
        "SceneCode": r"[0-9A-Za-z_]{1,10}",
        "MerchantBizId": r"[0-9A-Za-z]{32}",
    }
    for name, pattern in rules.items():
        if not parameters.get(name):
            raise Refused("MissingParameter", f"{name} is missing")
        if not re.fullmatch(pattern, parameters[name], re.ASCII):
            raise Refused("InvalidParameter", f"{name} is invalid")
    if parameters.get("FaceInputType", "IMAGE") not in ("IMAGE", "VIDEO"):
        raise Refused("InvalidParameter", "FaceInputType is IMAGE or VIDEO")


def _check_media(media: bytes, kind: str) -> None:
    if len(media) > MEDIA_MAX_BYTES:
        raise Refused("ToolargeImage", "more than 10 MB")
    if not (media.startswith(b"\xff\xd8") if kind == "IMAGE" else media[4:8] == b"ftyp"):
        raise Refused("UnqualifiedPhoto", "not a JPEG" if kind == "IMAGE" else "not an MP4 or MOV")


def _success(reaction: Reaction, request_id: str) -> dict[str, Any]:
    return {
        "RequestId": request_id,
        "Code": "Success",
        "Message": "success",
        "ResultObject": {
            "Result": _RESULT_CODES[reaction.result or "low"],
            "RiskTag": ",".join((*reaction.tags, *(tag for tag in reaction.novel_tags if tag not in reaction.tags))),
            "RiskScore": {tag: f"{score:.4f}" for tag, score in reaction.score.items()},
            "TransactionId": f"sandbox{uuid.uuid4().hex}",
        },
    }


def _refusal(refused: Refused, request_id: str, delay_s: float = 0.0) -> _Outgoing:
    document = {"RequestId": request_id, "HostId": "sandbox", "Code": refused.code, "Message": refused.message}
    return _json(RETURN_CODES[refused.code].status, document, delay_s=delay_s)


def _json(status: int, document: Mapping[str, Any], *, delay_s: float = 0.0) -> _Outgoing:
    return _Outgoing(status=status, body=json.dumps(document).encode(), delay_s=delay_s)


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 1024

    def __init__(self, port: int, sandbox: Sandbox) -> None:
        self.sandbox = sandbox
        self._connections: set[socket.socket] = set()
        super().__init__(("127.0.0.1", port), _Handler)

    def process_request(self, request: Any, client_address: Any) -> None:
        self._connections.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        self._connections.discard(request)
        super().shutdown_request(request)

    def close_connections(self) -> None:
        """End the connections that clients keep alive, and with them their threads."""
        for connection in tuple(self._connections):
            try:
                connection.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass

    def handle_error(self, request: Any, client_address: Any) -> None:
        if not isinstance(sys.exception(), ConnectionError | TimeoutError):
            super().handle_error(request, client_address)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server_version = "adjudge-sandbox"
    sys_version = ""
    disable_nagle_algorithm = True
    wbufsize = -1
    timeout = 60
    server: _Server

    def do_GET(self) -> None:
        self._handle()

    def do_POST(self) -> None:
        self._handle()

    def _handle(self) -> None:
        length = self.headers.get("content-length", "0")
        if not length.isascii() or not length.isdigit() or "transfer-encoding" in self.headers:
            self.send_error(411)
            return
        if int(length) > OBJECT_MAX_BYTES:
            self.send_error(413)
            return
        incoming = Incoming(
            method=self.command,
            target=self.path,
            headers=tuple(self.headers.items()),
            body=self.rfile.read(int(length)),
        )
        outgoing = self.server.sandbox.answer(incoming)
        if outgoing is None:
            self.close_connection = True
            return
        self.server.sandbox.wait(outgoing.delay_s)
        self.send_response(outgoing.status)
        self.send_header("content-type", outgoing.content_type)
        self.send_header("content-length", str(len(outgoing.body)))
        self.end_headers()
        self.wfile.write(outgoing.body)

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing: requests hold pictures and keys."""
