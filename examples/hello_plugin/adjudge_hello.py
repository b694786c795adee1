"""A signal of our own: how long the merchant's id is."""

from adjudge.plugin import Context, Register, hookimpl, provider


@provider("hello.id_length", fields={"characters": {"type": "int", "range": [0, 64]}})
async def id_length(context: Context) -> dict[str, object]:
    """Length of the MerchantBizId, in characters."""
    return {"characters": len(context.request.merchant_biz_id)}


@hookimpl
def register(register: Register) -> None:
    """Offer the signal."""
    register.provider(id_length)
