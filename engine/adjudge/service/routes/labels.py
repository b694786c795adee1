"""What is said of decisions afterwards: labels, and erasures."""

from __future__ import annotations

from starlette.responses import Response

from adjudge.documents.annotations import (
    ErasedDocument,
    ErasureDocument,
    LabelDocument,
    decode_erasure,
    decode_label,
)
from adjudge.documents.terms import MerchantBizId
from adjudge.service.answers import JSON, document
from adjudge.service.asked import Asked
from adjudge.service.route import Route, parameter

ANNOTATION_MAX_BYTES = 64 * 1024


async def label(asked: Asked) -> Response:
    """Record a label."""
    said = decode_label(await asked.json(max_bytes=ANNOTATION_MAX_BYTES))
    given = {name: getattr(said, name) for name in said.__struct_fields__}
    await asked.shared.engine.label(**{**given, "by": asked.caller.named(said.by)})
    return Response(status_code=204)


async def erase(asked: Asked) -> Response:
    """Erase a subject."""
    said = decode_erasure(await asked.held.read(asked.request, max_bytes=ANNOTATION_MAX_BYTES))
    by = asked.caller.named(said.by)
    erased = await asked.shared.engine.erase(asked.part("merchant_biz_id"), reason=said.reason, by=by)
    return document(ErasedDocument(erased=erased))


ROUTES = (
    Route(
        method="POST",
        path="/v1/labels",
        answer=label,
        scope="label",
        summary="Say what was found out about a decision",
        takes={JSON: LabelDocument},
        gives={204: {}},
    ),
    Route(
        method="DELETE",
        path="/v1/subjects/{merchant_biz_id}",
        answer=erase,
        scope="erase",
        summary="Erase the personal values of a MerchantBizId; its decision stays",
        parameters=(parameter("merchant_biz_id", MerchantBizId, "The check whose subject it is.", place="path"),),
        takes={JSON: ErasureDocument},
        is_body_required=False,
        gives={200: {JSON: ErasedDocument}},
    ),
)
