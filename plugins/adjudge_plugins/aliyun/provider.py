"""The provider `aliyun.deepfake`: which call a face needs, and with whose keys."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from adjudge.fields import Field, parse_fields
from adjudge.plugin import Answer, Context, Face, Provider, ProviderConfigError, SignalFailed
from adjudge_plugins.aliyun.endpoint import Endpoint, parse_endpoint, read_endpoint
from adjudge_plugins.aliyun.signing import SANDBOX_CREDENTIALS, Credentials
from adjudge_plugins.aliyun.vocabulary import DETECT, DETECT_STREAM, OPERATIONS, RESULTS, RISK_TAGS
from adjudge_plugins.http_exchange import connect, until
from adjudge_plugins.settings import choice, refuse_unknown_keys, text

if TYPE_CHECKING:
    from adjudge_plugins.aliyun.client import Client

BASE64_MAX_BYTES = 1_000_000
"""Above this size the vendor recommends not to send Base64; the stricter reading of 1 MB."""

_SCENE_CODE = re.compile(r"[0-9A-Za-z_]{1,10}", re.ASCII)
_KEYS = ("scene_code", "operation", "endpoint", "region", "network", "upload")

FIELDS = parse_fields(
    {
        "result": {
            "type": "enum",
            "values": list(RESULTS.values()),
            "description": "the vendor's own judgement",
        },
        "tags": {"type": "set", "values": list(RISK_TAGS), "description": "the risks that were found"},
        "score": {
            "type": "map",
            "keys": list(RISK_TAGS),
            "of": {"type": "double", "range": [0, 1], "riskier": "higher"},
            "absent": 0,
            "description": "how strongly each risk was found, 0 to 1",
        },
        "novel_tags": {
            "type": "list",
            "of": "string",
            "description": "tags and score names outside the vocabulary: the vendor has learnt something new",
        },
        "request_id": {"type": "string", "description": "the vendor's id of the call"},
        "transaction_id": {"type": "string", "description": "the vendor's id of the check, where it gives one"},
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """The `with:` of a policy, read.

    scene_code, operation: None where the request and the media decide.
    """

    scene_code: str | None
    operation: str | None
    upload: str
    endpoint: Endpoint


def read_settings(config: Mapping[str, Any]) -> Settings:
    """Read a `with:`. Raises ProviderConfigError."""
    refuse_unknown_keys(config, _KEYS)
    scene_code = text(config, "scene_code")
    if scene_code is not None and not _SCENE_CODE.fullmatch(scene_code):
        raise ProviderConfigError("`scene_code` is 1 to 10 letters, digits or `_`", "scene_code")
    operation = choice(config, "operation", OPERATIONS)
    upload = choice(config, "upload", ("auto", "base64", "stream")) or "auto"
    if operation == DETECT and upload == "stream":
        raise ProviderConfigError(
            f"only {DETECT_STREAM} takes an uploaded file", "upload", hint=f"write `operation: {DETECT_STREAM}`"
        )
    return Settings(scene_code=scene_code, operation=operation, upload=upload, endpoint=read_endpoint(config))


def credentials_from_environment() -> Credentials | None:
    """Return the AccessKey of the vendor's standard variables, or None where there is none."""
    key = os.environ.get("ALIBABA_CLOUD_ACCESS_KEY_ID", "").strip()
    secret = os.environ.get("ALIBABA_CLOUD_ACCESS_KEY_SECRET", "").strip()
    token = os.environ.get("ALIBABA_CLOUD_SECURITY_TOKEN", "").strip()
    if not key or not secret:
        return None
    if not (key + secret + token).isascii() or not (key + secret + token).isprintable():
        raise SignalFailed("the AccessKey in the environment is damaged", reason_code="CREDENTIALS_DAMAGED")
    return Credentials(access_key_id=key, access_key_secret=secret, security_token=token or None)


def endpoint_from_environment(region: str) -> Endpoint | None:
    """Return the endpoint of ADJUDGE_ALIYUN_ENDPOINT, which goes before the policy's, or None."""
    address = os.environ.get("ADJUDGE_ALIYUN_ENDPOINT", "").strip()
    if not address:
        return None
    try:
        return parse_endpoint(address, region)
    except ProviderConfigError as error:
        reason = f"ADJUDGE_ALIYUN_ENDPOINT: {error.message}"
        raise SignalFailed(reason, reason_code="ENDPOINT_WRONG") from None


def uses_upload(settings: Settings, face: Face) -> bool:
    """Whether a face goes by the three-step upload. Raises SignalFailed where no way is left for it."""
    if face.data is None:
        return False
    if face.media_type == "video" and (settings.upload == "base64" or settings.operation == DETECT):
        raise SignalFailed("a video from memory needs the stream upload", reason_code="MEDIA_NOT_SUPPORTED")
    if settings.upload != "auto" or settings.operation == DETECT:
        return settings.upload == "stream"
    return face.media_type == "video" or len(face.data) > BASE64_MAX_BYTES


@dataclass(frozen=True, slots=True)
class _DeepfakeAsker:
    settings: Settings
    client: Client

    async def fetch(self, context: Context) -> Answer:
        from adjudge_plugins.aliyun.client import Detection

        request, settings = context.request, self.settings
        if request.face is None:
            raise SignalFailed("the request has no face", reason_code="NO_FACE")
        detection = Detection(
            operation=settings.operation or DETECT,
            merchant_biz_id=request.merchant_biz_id,
            scene_code=settings.scene_code or request.scene_code,
        )
        async with until(context.deadline):
            if uses_upload(settings, request.face):
                return await self.client.detect_uploaded(detection, request.face)
            return await self.client.detect(detection, request.face)

    async def aclose(self) -> None:
        await self.client.http.aclose()


def _open(config: Mapping[str, Any]) -> _DeepfakeAsker:
    from adjudge_plugins.aliyun.client import Client

    settings = read_settings(config)
    endpoint = endpoint_from_environment(settings.endpoint.region) or settings.endpoint
    credentials = credentials_from_environment() or (SANDBOX_CREDENTIALS if endpoint.is_loopback else None)
    if credentials is None:
        raise SignalFailed(
            "no AccessKey: set ALIBABA_CLOUD_ACCESS_KEY_ID and ALIBABA_CLOUD_ACCESS_KEY_SECRET",
            reason_code="CREDENTIALS_MISSING",
        )
    http = connect(loopback=endpoint.is_loopback)
    return _DeepfakeAsker(settings, Client(http=http, endpoint=endpoint, credentials=credentials))


def _check(config: Mapping[str, Any], fields: Mapping[str, Field]) -> None:
    read_settings(config)


DEEPFAKE = Provider(
    name="aliyun.deepfake",
    fields=FIELDS,
    open=_open,
    check=_check,
    reads=frozenset({"face"}),
    price=Decimal("0.4"),
    currency="USD",
    latency_s=1.0,
    description="Alibaba Cloud's DeepfakeDetectIntl: is this face real, forged, or a picture of a picture",
)
