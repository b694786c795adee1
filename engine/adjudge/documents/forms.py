"""The form of a request document, which `decode_request` reads by hand: it names the place of a mistake."""

from __future__ import annotations

from typing import Annotated, Any

import msgspec
from msgspec import Meta

from adjudge.documents.terms import (
    ApplicationId,
    Attempts,
    Base64,
    FaceUrl,
    MerchantBizId,
    SceneCode,
    Values,
    said,
)
from adjudge.model import MediaType


def _only(way: str) -> dict[str, Any]:
    return {"type": "object", "required": [way], "properties": {way: {"type": "string"}}}


class FaceDocument(msgspec.Struct, forbid_unknown_fields=True):
    """A picture or video of a face: its bytes, its URL, or, on the command line alone, `file`: its path."""

    base64: Base64 | None = None
    url: FaceUrl | None = None
    type: Annotated[MediaType | None, said("Found from the content of `base64` unless given; `image` for a URL.")] = (
        None
    )


class RequestDocument(msgspec.Struct, forbid_unknown_fields=True):
    """One check to be decided. A member that is `null` is as one that is left out."""

    merchant_biz_id: MerchantBizId
    scene_code: SceneCode
    policy: Annotated[str | None, said("The name of a policy, where the engine holds several.", "face-onboarding")] = (
        None
    )
    face: Annotated[
        FaceDocument | None, Meta(extra_json_schema={"oneOf": [{"type": "null"}, _only("base64"), _only("url")]})
    ] = None
    inputs: Values | None = None
    signals: Annotated[
        dict[str, dict[str, Any] | None] | None,
        said(
            "Signals that the caller has already: values by field, by the names that the policy declares.",
            {"device": {"score": 12, "emulator": False}},
        ),
    ] = None
    application_id: ApplicationId | None = None
    attempts: Attempts | None = None


class FormDocument(msgspec.Struct):
    """A request and its face as a form of two parts."""

    request: Annotated[RequestDocument, said("The request, in JSON, without `face`.")]
    face: Annotated[
        str, said("The picture or video as it is; its kind is found from the content.", format="binary")
    ] = ""
