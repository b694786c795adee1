"""Where a service is: a Unix socket, or a URL."""

from __future__ import annotations

import os
from pathlib import Path
from urllib.parse import urlsplit

from adjudge.errors import SetupError
from adjudge.frozen import frozen
from adjudge.system.given import is_path

SOCKET_PATH_MAX = 107
"""Bytes of the path of a Unix socket; the system takes no longer one."""


@frozen
class Address:
    """socket: its path; None for HTTP over TCP. url: what the paths of routes are appended to. name: for people."""

    socket: str | None
    url: str
    name: str


def read_address(address: str | Path) -> Address:
    """Read `http://HOST:PORT`, `https://…`, or the path of a Unix socket. Raises SetupError."""
    if isinstance(address, str) and "://" in address:
        return _of_url(address)
    path = os.fspath(address) if isinstance(address, str | Path) else ""
    if not path or not is_path(path):
        raise SetupError("the address of a service must be `http://…`, `https://…`, or the path of a Unix socket")
    path = str(Path(path).absolute())  # wherever the process goes afterwards
    if len(os.fsencode(path)) > SOCKET_PATH_MAX:
        raise SetupError(f"the path of a Unix socket has at most {SOCKET_PATH_MAX} bytes, and `{path}` has more")
    return Address(socket=path, url="http://adjudge", name=path)


def _of_url(text: str) -> Address:
    try:
        parts = urlsplit(text)
        is_good = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
        is_good = is_good and text.isprintable() and " " not in text
    except ValueError:
        is_good = False
    if not is_good:
        raise SetupError("the URL of a service must be `http://HOST:PORT` or `https://HOST`")
    if parts.username is not None or parts.query or parts.fragment:
        raise SetupError("the URL of a service has no user, password, query or fragment")
    url = f"{parts.scheme}://{parts.netloc}{parts.path.rstrip('/')}"
    return Address(socket=None, url=url, name=url)
