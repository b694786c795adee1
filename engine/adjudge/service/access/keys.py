"""An API key: a random text that only its holder has, and what the service keeps of it.

A key reads `adj_ID_SECRET`: sixteen hex digits that name it, which may stand in any log; 64 that are secret; and eight
that check all before them, so that a key that was cut off or mistyped is known as such without asking anybody.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterable
from datetime import UTC, datetime
from hashlib import sha256
from zlib import crc32

from adjudge.audit.annotations import NAMED_NOBODY
from adjudge.config.scopes import Scope
from adjudge.frozen import frozen
from adjudge.patterns import late

PREFIX = "adj_"
NAME_RULE = "letters, digits, `.`, `_` and `-`, 64 at most, and not `engine`"
_FORM = late(r"adj_([0-9a-f]{16})_[0-9a-f]{72}")
_NAME = late(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")


@frozen(kw_only=True)
class Key:
    """What the service knows of a key. sha256: of the whole text, in hex. Times are aware UTC.

    name: of its holder, which records have as `by`; several keys may have one name. rate: requests a second.
    """

    id: str
    name: str
    scopes: frozenset[Scope]
    sha256: str
    made: datetime
    expires: datetime | None = None
    revoked: datetime | None = None
    rate: int | None = None

    def state(self, now: datetime) -> str:
        """Return `valid`, `expired` or `revoked`."""
        if self.revoked is not None:
            return "revoked"
        return "expired" if self.expires is not None and self.expires <= now else "valid"


def new_key(
    name: str, scopes: Iterable[Scope], *, expires: datetime | None = None, rate: int | None = None
) -> tuple[Key, str]:
    """Return a new key, and its text, which nothing else has."""
    start = f"{PREFIX}{secrets.token_hex(8)}_{secrets.token_hex(32)}"
    text = start + _check(start)
    key = Key(
        id=start[len(PREFIX) : len(PREFIX) + 16],
        name=name,
        scopes=frozenset(scopes),
        sha256=digest_of(text),
        made=datetime.now(UTC).replace(microsecond=0),
        expires=expires,
        rate=rate,
    )
    return key, text


def is_name(name: str) -> bool:
    """Whether the holder of a key may be called so."""
    return bool(_NAME.fullmatch(name)) and name != NAMED_NOBODY


def key_id_of(text: str) -> str | None:
    """Return the id that a key says; None for what is no key, or not a whole one."""
    found = _FORM.fullmatch(text)
    return found.group(1) if found is not None and text[-8:] == _check(text[:-8]) else None


def digest_of(text: str) -> str:
    """Return what is kept of a key. It is too random to be guessed from that."""
    return sha256(text.encode()).hexdigest()


def _check(text: str) -> str:
    return f"{crc32(text.encode()):08x}"
