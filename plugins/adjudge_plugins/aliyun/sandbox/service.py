"""A sandbox of the vendor's service on loopback: same wire, same signatures, answers from a scenario.

It fetches nothing: a FaceUrl is only looked up in the scenario, by the digest of its text.
"""

from __future__ import annotations

import ssl
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from types import TracebackType
from typing import Any

from adjudge_plugins.aliyun.sandbox import answers
from adjudge_plugins.aliyun.sandbox.answers import Outgoing
from adjudge_plugins.aliyun.sandbox.gateway import Gateway
from adjudge_plugins.aliyun.sandbox.incoming import Incoming, Refused
from adjudge_plugins.aliyun.sandbox.keys import accounts_of
from adjudge_plugins.aliyun.sandbox.media import check_media
from adjudge_plugins.aliyun.sandbox.parameters import Parameters, read_parameters
from adjudge_plugins.aliyun.sandbox.reaction import Reaction
from adjudge_plugins.aliyun.sandbox.scenario import Scenario
from adjudge_plugins.aliyun.sandbox.server import Server
from adjudge_plugins.aliyun.sandbox.stats import Stats
from adjudge_plugins.aliyun.sandbox.switches import Switches
from adjudge_plugins.aliyun.sandbox.throttle import Throttle
from adjudge_plugins.aliyun.sandbox.upload_store import OBJECT_MAX_BYTES, UploadRefused, UploadStore
from adjudge_plugins.aliyun.signing import Credentials
from adjudge_plugins.aliyun.vocabulary import AUTHORIZE_UPLOAD

REFUSED_MEDIA_CODES = ("NoFaceDetected", "UnqualifiedPhoto")
"""Codes that are given after a look at the media; the switch `bill_refused_media` says whether that is paid for."""

_FORM_OVERHEAD_BYTES = 64 * 1024


class Sandbox:
    """A running sandbox: `with Sandbox() as sandbox: sandbox.url`.

    port: on 127.0.0.1; 0 takes a free one.
    credentials: the one key that is known, in the place of the sandbox's own.
    clock: aware UTC, the server's idea of now: of dates, nonces, uploads and the seconds of the quota.
    tls: for a second port, which speaks TLS; files are uploaded there then.
    Raises OSError where the port is taken.
    """

    def __init__(
        self,
        *,
        port: int = 0,
        scenario: Scenario | None = None,
        credentials: Credentials | None = None,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self.scenario = scenario or Scenario()
        self._gateway = Gateway(accounts_of(credentials), clock)
        self._throttle = Throttle(clock)
        self._uploads = UploadStore(clock)
        self._stats = Stats()
        self._clock = clock
        self._server = Server(self._dated, port=port, body_max_bytes=OBJECT_MAX_BYTES + _FORM_OVERHEAD_BYTES, tls=tls)

    @property
    def scenario(self) -> Scenario:
        """What it answers; may be replaced while it runs, and then `order` begins anew and no id was used."""
        return self._scenario

    @scenario.setter
    def scenario(self, scenario: Scenario) -> None:
        self._scenario = scenario
        self._judged = 0
        self._used_ids: set[str] = set()

    @property
    def port(self) -> int:
        """The port on 127.0.0.1."""
        return self._server.port

    @property
    def url(self) -> str:
        """The address to set as `endpoint`."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def tls_url(self) -> str | None:
        """The same over TLS, where there is a certificate."""
        port = self._server.tls_port
        return None if port is None else f"https://127.0.0.1:{port}"

    def __enter__(self) -> Sandbox:
        self._server.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._server.stop()

    def stats(self) -> dict[str, Any]:
        """Return what was counted: `calls` and `billed` in total, by operation and by MerchantBizId, and the rest."""
        flying = {"in_flight": self._server.in_flight, "most_in_flight": self._server.most_in_flight}
        return {**self._stats.document(), **flying}

    def _dated(self, incoming: Incoming) -> Outgoing:
        return replace(self._answer(incoming), at=self._clock())

    def _answer(self, incoming: Incoming) -> Outgoing:
        if incoming.method == "GET" and incoming.path == "/_sandbox/stats":
            return answers.document(200, self.stats())
        if incoming.header("content-type").startswith("multipart/form-data") and not incoming.header("x-acs-action"):
            return self._store(incoming)
        switches = self.scenario.switches
        try:
            action = self._gateway.verify(incoming, switches)
        except Refused as refused:
            self._stats.refuse(refused.code)
            return answers.refusal(refused, switches)
        if action == AUTHORIZE_UPLOAD:
            self._stats.upload("authorized")
            return answers.document(200, {"RequestId": answers.request_id(), **self._grant()})
        return self._detect(read_parameters(action, incoming, switches), switches)

    def _detect(self, parameters: Parameters, switches: Switches) -> Outgoing:
        end, billed, delay_s = "Success", False, 0.0
        try:
            self._throttled(parameters.operation)
            parameters.check(switches)
            media = parameters.media(self._uploads.find, switches)
            reaction = self._reaction(parameters.merchant_biz_id, media.digest, switches)
            delay_s = self.scenario.delay_s(reaction, parameters.merchant_biz_id)
            if reaction.code is not None:
                raise Refused(reaction.code, "as the scenario says")
            if reaction.is_billed:
                check_media(media, switches)
            billed = reaction.is_billed
            end = f"fault {reaction.fault}" if reaction.fault else "Success"
            outgoing = answers.spoiled(answers.success(reaction, parameters.operation, switches), reaction.fault)
        except Refused as refused:
            end = refused.code
            billed = end in REFUSED_MEDIA_CODES and switches.bill_refused_media == "on"
            outgoing = answers.refusal(refused, switches, retry_after_ms=self._throttle.retry_after_ms())
        self._stats.count(
            parameters.operation, parameters.merchant_biz_id, end, billed=billed, misplaced=parameters.misplaced
        )
        return replace(outgoing, delay_s=delay_s)

    def _throttled(self, operation: str) -> None:
        per_second = self.scenario.per_second
        if per_second is not None and self._throttle.is_over(operation, per_second):
            raise Refused("Throttling.Api", f"more than {per_second} calls a second")

    def _reaction(self, merchant_biz_id: str, digest: str, switches: Switches) -> Reaction:
        if switches.repeated_id == "refuse":
            if merchant_biz_id in self._used_ids:
                raise Refused("InvalidParameter", "this id was used before")
            self._used_ids.add(merchant_biz_id)
        self._judged += 1
        return self.scenario.reaction(merchant_biz_id, digest, number=self._judged)

    def _grant(self) -> dict[str, object]:
        grant = dict(self._uploads.grant(self.port))
        if self._server.tls_port is not None:
            grant |= {"Bucket": "127", "Endpoint": f"0.0.1:{self._server.tls_port}"}
        return grant

    def _store(self, incoming: Incoming) -> Outgoing:
        try:
            key = self._uploads.post(incoming)
        except UploadRefused as refused:
            self._stats.upload(f"refused {refused.code}")
            return answers.not_stored(refused.code, refused.status)
        self._stats.upload("stored")
        return answers.stored(self.tls_url if incoming.is_tls and self.tls_url else self.url, key)
