"""What a client shows a service: a key, or a token that is asked for anew each time. Its text stands in no repr."""

from __future__ import annotations

import ipaddress
from collections.abc import Callable
from urllib.parse import urlsplit

from adjudge.client.address import Address
from adjudge.errors import SetupError
from adjudge.patterns import late

KEY_MAX = 8192
_TOKEN = late(r"[A-Za-z0-9._~+/-]+=*")


class Credential:
    """A key, or whatever gives a token."""

    __slots__ = ("_give",)

    def __init__(self, key: str | Callable[[], str]) -> None:
        """Check a key. Raises SetupError, which does not repeat it."""
        self._give: Callable[[], str]
        if isinstance(key, str):
            text = _checked(key)
            self._give = lambda: text
        elif callable(key):
            self._give = key
        else:
            raise SetupError("`key` must be a string, or a function that returns one")

    def header(self) -> str:
        """Return what stands in `Authorization`. Raises SetupError where a function gave no token."""
        try:
            key = self._give()
        except Exception as error:
            raise SetupError(f"`key` is a function that raised {type(error).__name__}") from error
        return f"Bearer {_checked(key)}"


def check_way(address: Address, *, plain_http: bool) -> None:
    """Raise SetupError for a way on which others could read a key."""
    if plain_http or address.socket is not None or not address.url.startswith("http://"):
        return
    host = urlsplit(address.url).hostname or ""
    if not (host == "localhost" or _is_loopback(host)):
        raise SetupError(
            f"a key would go to {address.name} in the clear: use https://, or say `plain_http=True` where the network"
            " between is yours"
        )


def _checked(key: object) -> str:
    """Return a key that a header can hold. Raises SetupError."""
    if not isinstance(key, str) or not _TOKEN.fullmatch(key[: KEY_MAX + 1]) or len(key) > KEY_MAX:
        said = "`key` must be one key or token, without spaces or line ends"
        raise SetupError(f"{said}: strip what was read from a file" if _is_padded(key) else said)
    return key


def _is_padded(key: object) -> bool:
    return isinstance(key, str) and key != key.strip()


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
