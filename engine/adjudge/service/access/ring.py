"""The keys that are taken now."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from hmac import compare_digest
from pathlib import Path

from adjudge.service.access.caller import Caller
from adjudge.service.access.key_file import read_keys
from adjudge.service.access.keys import Key, digest_of, key_id_of
from adjudge.service.access.refusals import Unauthenticated
from adjudge.service.access.watched import Watched

NO_DIGEST = "0" * 64
"""What a key of no known id is compared with: it takes as long as any other."""


def _now() -> datetime:
    return datetime.now(UTC)


class KeyRing:
    """The keys of a file, which may change while they are used."""

    def __init__(self, path: Path, *, now: Callable[[], datetime] = _now) -> None:
        """Read the file. Raises PolicyErrors and SetupError."""
        self._now = now
        self._file: Watched[Mapping[str, Key]] = Watched(path, read_keys, {})

    @property
    def trouble(self) -> str:
        """What is wrong with the file now; empty where nothing is."""
        return self._file.trouble

    async def caller_of(self, text: str) -> Caller:
        """Return whose key a text is. Raises Unauthenticated, after the same work whatever the reason."""
        keys = await self._file.current()
        key_id = key_id_of(text) or ""
        key = keys.get(key_id)
        is_right = compare_digest(digest_of(text), NO_DIGEST if key is None else key.sha256)
        if not key_id:
            raise Unauthenticated("malformed")
        if key is None:
            raise Unauthenticated("unknown", key=key_id)
        if not is_right:
            raise Unauthenticated("wrong", key=key_id)
        state = key.state(self._now())
        if state != "valid":
            raise Unauthenticated(state, key=key_id)
        return Caller(key.name, key.scopes, key.rate)
