"""The provider `aliyun.deepfake`: which call a face needs, with whose key, and whether it is worth its price."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from decimal import Decimal
from functools import partial
from time import monotonic
from typing import TYPE_CHECKING, Any

from adjudge.plugin import (
    Answer,
    Context,
    Face,
    Field,
    Limits,
    Pool,
    Provider,
    ProviderConfigError,
    SignalFailed,
    Uses,
    parse_fields,
)
from adjudge_plugins.aliyun.credentials import Keyring, read_keyring
from adjudge_plugins.aliyun.endpoint import Endpoint, parse_endpoint, read_endpoint
from adjudge_plugins.aliyun.vocabulary import (
    DETECT,
    DETECT_MAINLAND,
    DETECT_STREAM,
    OPERATIONS,
    RESULTS,
    RISK_TAGS,
)
from adjudge_plugins.http_exchange import connect
from adjudge_plugins.settings import choice, flag, refuse_unknown_keys, text

if TYPE_CHECKING:
    from adjudge_plugins.aliyun.client import Client

_OF_THE_VENDOR = re.compile(r"cloudauth(-intl)?(-vpc)?(\.[a-z0-9-]+)?\.aliyuncs\.com", re.ASCII)
_SENT = ("ALIBABA_CLOUD_ACCESS_KEY_ID", "ALIBABA_CLOUD_SECURITY_TOKEN")
_SCENE_CODE = re.compile(r"[0-9A-Za-z_]{1,10}", re.ASCII)
_KEYS = (
    "scene_code",
    "operation",
    "endpoint",
    "region",
    "network",
    "upload",
    "credentials",
    "preflight",
    "prepare",
)

FIELDS = parse_fields(
    {
        "result": {
            "type": "enum",
            "values": list(RESULTS.values()),
            "riskier": "higher",
            "description": "the vendor's own judgement",
        },
        "tags": {
            "type": "set",
            "values": list(RISK_TAGS),
            "riskier": "higher",
            "description": "the risks that were found",
        },
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
        "media_warnings": {
            "type": "list",
            "of": "string",
            "description": "what the vendor would have liked better of the picture or video, found before the call",
        },
        "request_id": {"type": "string", "description": "the vendor's id of the call"},
        "transaction_id": {"type": "string", "description": "the vendor's id of the check, where it gives one"},
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """The `with:` of a policy, read.

    scene_code, operation: None where the request and the media decide.
    preflight: `strict` refuses media that break one of the vendor's limits, `warn` sends them all the same, `off` does
    not look. prepare: make a picture as the vendor recommends it before it is sent.
    """

    scene_code: str | None
    operation: str | None
    upload: str
    endpoint: Endpoint
    keyring: Keyring
    preflight: str
    prepare: bool


def read_settings(config: Mapping[str, Any]) -> Settings:
    """Read a `with:`. Raises ProviderConfigError."""
    refuse_unknown_keys(config, _KEYS)
    scene_code = text(config, "scene_code")
    if scene_code is not None and not _SCENE_CODE.fullmatch(scene_code):
        raise ProviderConfigError("`scene_code` must be 1 to 10 letters, digits or `_`", "scene_code")
    operation = choice(config, "operation", OPERATIONS)
    upload = choice(config, "upload", ("auto", "base64", "stream")) or "auto"
    if operation in (DETECT, DETECT_MAINLAND) and upload == "stream":
        raise ProviderConfigError(
            f"only {DETECT_STREAM} takes an uploaded file", "upload", hint=f"write `operation: {DETECT_STREAM}`"
        )
    if operation == DETECT_MAINLAND and scene_code is not None:
        raise ProviderConfigError(f"{DETECT_MAINLAND} takes no scene code", "scene_code", hint="delete it")
    return Settings(
        scene_code=scene_code,
        operation=operation,
        upload=upload,
        endpoint=read_endpoint(config),
        keyring=read_keyring(config),
        preflight=choice(config, "preflight", ("strict", "warn", "off")) or "strict",
        prepare=flag(config, "prepare"),
    )


def endpoint_from_environment(region: str) -> Endpoint | None:
    """Return the endpoint of ADJUDGE_ALIYUN_ENDPOINT, which goes before the policy's, or None."""
    address = os.environ.get("ADJUDGE_ALIYUN_ENDPOINT", "").strip()
    if not address:
        return None
    try:
        return parse_endpoint(address, region)
    except ProviderConfigError as error:
        reason = f"ADJUDGE_ALIYUN_ENDPOINT: {error.message}"
        raise SignalFailed(reason, kind="misconfigured", reason_code="ENDPOINT_WRONG", billed=False) from None


def uses_upload(settings: Settings, face: Face) -> bool:
    """Whether a face goes by the three-step upload. Raises SignalFailed where no way is left for it."""
    from adjudge_plugins.aliyun.media.finding import URL_ABOVE_BYTES

    if face.data is None:
        return False
    direct = settings.operation in (DETECT, DETECT_MAINLAND)
    if face.media_type == "video" and (settings.upload == "base64" or direct):
        said = "a video from memory needs the stream upload"
        raise SignalFailed(said, reason_code="MEDIA_NOT_SUPPORTED", billed=False)
    if settings.upload != "auto" or direct:
        return settings.upload == "stream"
    return face.media_type == "video" or len(face.data) > URL_ABOVE_BYTES


def look_at(face: Face, settings: Settings) -> tuple[Face, list[str]]:
    """Return a face as it is to be sent, and what speaks against it without ruling it out.

    Raises SignalFailed, with a sentence for the applicant where a new picture helps, for what would only cost money.
    """
    from adjudge_plugins.aliyun import media

    if face.data is None or (settings.preflight == "off" and not settings.prepare):
        return face, []
    if settings.prepare and face.media_type == "image":
        face = _prepared(face, media.prepare)
    if settings.preflight == "off":
        return face, []
    examined = media.examine(face.data or b"")
    if examined.errors and settings.preflight == "strict":
        worst = examined.errors[0]
        raise SignalFailed(
            "not sent: " + "; ".join(error.message for error in examined.errors),
            reason_code=worst.code,
            capture_again=next((error.capture_again for error in examined.errors if error.capture_again), None),
            billed=False,
        )
    if examined.media_type != face.media_type:
        face = replace(face, media_type=examined.media_type)  # what it is counts, whatever the caller called it
    return face, [found.message for found in (*examined.errors, *examined.warnings)]


def _takes_long(face: Face, settings: Settings) -> bool:
    """Whether a look at a face would hold the event loop: a picture of 100 KB takes 0.1 ms, as a thread does."""
    from adjudge_plugins.aliyun.media.finding import URL_ABOVE_BYTES

    if face.data is None:
        return False
    return settings.prepare or face.data[:2] != b"\xff\xd8" or len(face.data) > URL_ABOVE_BYTES


def _prepared(face: Face, prepare: Any) -> Face:
    try:
        return Face(data=prepare(face.data), media_type="image")
    except ValueError:
        return face  # the preflight says what is wrong with it
    except ImportError:
        said = '`prepare` needs an extra: pip install "adjudge[media]"'
        raise SignalFailed(said, kind="misconfigured", reason_code="EXTRA_MISSING", billed=False) from None


@dataclass(frozen=True, slots=True)
class _DeepfakeClient:
    """The vendor's account, and threads of its own for looking at pictures that take long."""

    settings: Settings
    client: Client
    pool: Pool

    async def fetch(self, context: Context) -> Answer:
        from adjudge_plugins.aliyun.client import Detection

        request, settings = context.request, self.settings
        if request.face is None:
            raise SignalFailed("the request has no face", reason_code="NO_FACE", billed=False)
        key = await settings.keyring.read(self.client.endpoint, context.secrets)
        if _takes_long(request.face, settings):
            face, warnings = await self._looked_at(request.face, context.deadline)
        else:
            face, warnings = look_at(request.face, settings)
        detection = Detection(
            operation=settings.operation or DETECT,
            merchant_biz_id=request.merchant_biz_id,
            scene_code=settings.scene_code or request.scene_code,
        )
        detect = self.client.detect_uploaded if uses_upload(settings, face) else self.client.detect
        return {**await detect(detection, face, key, deadline=context.deadline), "media_warnings": warnings}

    async def _looked_at(self, face: Face, deadline: float) -> tuple[Face, list[str]]:
        work = partial(look_at, face, self.settings)
        try:
            return await self.pool.run(work, deadline_s=deadline - monotonic())
        except TimeoutError:
            said = "not sent: there was no time to look at the picture"
            raise SignalFailed(said, kind="timeout", reason_code="NO_TIME", billed=False, asked=False) from None

    async def aclose(self) -> None:
        self.pool.close()
        await self.client.http.aclose()


def _open(config: Mapping[str, Any]) -> _DeepfakeClient:
    from adjudge_plugins.aliyun.client import Client

    settings = read_settings(config)
    endpoint = endpoint_from_environment(settings.endpoint.region) or settings.endpoint
    pool = Pool("adjudge-media", max(2, os.cpu_count() or 1))
    return _DeepfakeClient(settings, Client(http=connect(loopback=endpoint.is_loopback), endpoint=endpoint), pool)


def _account(settings: Settings) -> str:
    """Name who is billed: an address, and where its key comes from, which tells two accounts apart."""
    keyring = settings.keyring
    key = keyring.plugin or (f"{keyring.file} {keyring.profile}" if keyring.file else "")
    return f"{settings.endpoint.url} {key}".strip()


def _uses(config: Mapping[str, Any]) -> Uses:
    """Name what a policy chose: an address in place of the vendor's, which gets the key's id and token, a file of keys.

    A sandbox on this machine is an address as others are; what it gets of the environment stays on this machine.
    """
    settings = read_settings(config)
    file, address = settings.keyring.file, settings.endpoint.url.partition("://")[2]
    is_chosen = "endpoint" in config and not _OF_THE_VENDOR.fullmatch(address)
    sends_ours = is_chosen and not settings.endpoint.is_loopback and file is None and settings.keyring.plugin is None
    return Uses(
        environment=frozenset(_SENT if sends_ours else ()),
        hosts=frozenset({address} if is_chosen else ()),
        files=frozenset({file} if file is not None else ()),
    )


def _check(config: Mapping[str, Any], fields: Mapping[str, Field]) -> None:
    read_settings(config)


DEEPFAKE = Provider(
    name="aliyun.deepfake",
    fields=FIELDS,
    open=_open,
    check=_check,
    reads=frozenset({"face"}),
    uses=_uses,
    price=Decimal("0.4"),
    currency="USD",
    latency_s=1.0,
    account=lambda config: _account(read_settings(config)),
    limits=Limits(rate=10, in_flight=64, attempts=3, breaker_failures=5),
    description="Alibaba Cloud's DeepfakeDetectIntl: is this face real, forged, or a picture of a picture",
)
