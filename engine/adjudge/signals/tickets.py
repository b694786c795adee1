"""Tickets: what a late answer is sent to. They say whose call they are of, signed, so no ledger has to look one up.

Any worker that has the ledger's key can open them, and nobody else can make one: a ticket that was guessed is told from
a true one before anything is read for it. A ticket is no secret and allows nothing by itself; who sends an answer is
for its provider to find out.
"""

from __future__ import annotations

import hmac
import secrets
from base64 import urlsafe_b64decode, urlsafe_b64encode
from binascii import Error

import msgspec

from adjudge.errors import UnknownCall

TICKET_MAX = 512
_PURPOSE = b"adjudge late answer\0"


class Ticket(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """A call whose answer may come later. fingerprint: of its request. call: what the log knows it by."""

    merchant_biz_id: str
    fingerprint: str
    signal: str
    call: str

    def sealed(self, key: bytes) -> str:
        """Return the ticket as its sender gives it back. key: of the ledger."""
        said = urlsafe_b64encode(msgspec.json.encode(self)).rstrip(b"=")
        return f"{said.decode()}~{_seal(said, key)}"


def new_call() -> str:
    """Return a name for a call that nothing else has."""
    return secrets.token_hex(16)


def opened(text: str, key: bytes) -> Ticket:
    """Return the ticket that a text is. Raises UnknownCall for one that this ledger's engines did not give out."""
    said, _, seal = text.partition("~") if len(text) <= TICKET_MAX and text.isascii() else ("", "", "")
    if not said or not hmac.compare_digest(_seal(said.encode(), key), seal):
        raise UnknownCall
    try:
        return _decoder.decode(urlsafe_b64decode(said + "=" * (-len(said) % 4)))
    except (msgspec.MsgspecError, Error):  # of another version
        raise UnknownCall from None


def _seal(said: bytes, key: bytes) -> str:
    return hmac.new(key, _PURPOSE + said, "sha256").hexdigest()


_decoder = msgspec.json.Decoder(Ticket)
