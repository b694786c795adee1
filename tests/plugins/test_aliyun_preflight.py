"""Media before they are paid for: what the provider does with what the look at them found."""

from __future__ import annotations

import io
import sys
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from pictures import portrait
from PIL import Image

from adjudge.model import Face, Request
from adjudge.plugin import Answer, SignalFailed
from adjudge_plugins.aliyun.provider import DEEPFAKE
from adjudge_plugins.aliyun.sandbox import Sandbox
from adjudge_plugins.aliyun.sandbox.scenario import read_scenario

Ask = Callable[..., Answer]
RequestOf = Callable[..., Request]
LANDSCAPE = portrait(640, 480)


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    with Sandbox() as running:
        yield running


def png(width: int = 480, height: int = 640) -> bytes:
    written = io.BytesIO()
    Image.new("L", (width, height)).save(written, "PNG")
    return written.getvalue()


@pytest.mark.parametrize(
    ("data", "code"),
    [(LANDSCAPE, "MEDIA_NOT_PORTRAIT"), (png(), "MEDIA_NOT_JPEG"), (portrait()[:-2], "MEDIA_TRUNCATED")],
)
def test_fetch_media_that_break_a_limit_are_not_paid_for(
    sandbox: Sandbox, ask: Ask, request_of: RequestOf, data: bytes, code: str
) -> None:
    with pytest.raises(SignalFailed, match="not sent: ") as refused:
        ask(DEEPFAKE, {"endpoint": sandbox.url}, request_of(Face.from_bytes(data)))

    assert (refused.value.reason_code, refused.value.kind, refused.value.billed) == (code, "error", False)
    assert refused.value.capture_again is not None
    assert sandbox.stats()["calls"] == 0


def test_fetch_media_that_break_a_limit_are_sent_where_that_is_wanted(
    sandbox: Sandbox, ask: Ask, request_of: RequestOf
) -> None:
    request = request_of(Face.from_bytes(LANDSCAPE))

    warned = ask(DEEPFAKE, {"endpoint": sandbox.url, "preflight": "warn"}, request)
    unseen = ask(DEEPFAKE, {"endpoint": sandbox.url, "preflight": "off"}, request)

    assert any("640" in text for text in list(warned["media_warnings"]))  # type: ignore[call-overload]  # a list
    assert unseen["media_warnings"] == []
    assert sandbox.stats()["billed"] == 2


def test_fetch_recommendations_stand_in_a_field_that_policies_can_read(
    sandbox: Sandbox, ask: Ask, request_of: RequestOf
) -> None:
    answer = ask(DEEPFAKE, {"endpoint": sandbox.url}, request_of(Face.from_bytes(portrait(800, 1200))))

    assert answer["result"] == "low"
    assert answer["media_warnings"]


def test_fetch_kind_of_media_comes_from_their_content(endpoint: Any, ask: Ask, request_of: RequestOf) -> None:
    endpoint.body = b'{"Code":"200","ResultObject":{"Result":"0"}}'

    ask(DEEPFAKE, {"endpoint": endpoint.url}, request_of(Face(data=portrait(), media_type="video")))

    assert "FaceInputType=IMAGE" in endpoint.seen[0].target
    assert b"FaceBase64" in endpoint.seen[0].body, "a video would have been uploaded"


def test_fetch_prepare_sends_what_the_vendor_recommends(sandbox: Sandbox, ask: Ask, request_of: RequestOf) -> None:
    large = Face.from_bytes(portrait(2160, 3840))
    sandbox.scenario = read_scenario({"media": {large.digest: {"result": "high"}}})

    with pytest.raises(SignalFailed, match="not sent"):
        ask(DEEPFAKE, {"endpoint": sandbox.url}, request_of(large))
    answer = ask(DEEPFAKE, {"endpoint": sandbox.url, "prepare": True}, request_of(large))

    assert answer["result"] == "low", "other bytes than the caller's were sent"
    assert sandbox.stats()["billed"] == 1


def test_fetch_prepare_of_what_is_no_picture_is_left_to_the_preflight(
    sandbox: Sandbox, ask: Ask, request_of: RequestOf
) -> None:
    with pytest.raises(SignalFailed) as refused:
        ask(DEEPFAKE, {"endpoint": sandbox.url, "prepare": True}, request_of(Face.from_bytes(b"<html>")))

    assert refused.value.reason_code == "MEDIA_NOT_JPEG"


def test_fetch_prepare_without_the_extra_says_how_to_get_it(
    sandbox: Sandbox, ask: Ask, request_of: RequestOf, monkeypatch: pytest.MonkeyPatch
) -> None:
    request = request_of(Face.from_bytes(portrait()))
    monkeypatch.setitem(sys.modules, "PIL", None)

    with pytest.raises(SignalFailed, match="adjudge\\[media\\]") as refused:
        ask(DEEPFAKE, {"endpoint": sandbox.url, "prepare": True}, request)

    assert (refused.value.kind, refused.value.reason_code) == ("misconfigured", "EXTRA_MISSING")
    assert ask(DEEPFAKE, {"endpoint": sandbox.url}, request)["result"] == "low"


def test_fetch_url_is_not_looked_at(sandbox: Sandbox, ask: Ask, request_of: RequestOf) -> None:
    face = Face.from_url("https://media.example/landscape.png")
    assert ask(DEEPFAKE, {"endpoint": sandbox.url, "prepare": True}, request_of(face))["media_warnings"] == []
