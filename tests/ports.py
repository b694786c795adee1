"""Ports for servers that a test starts by number."""

from __future__ import annotations

import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def reserved_port() -> Iterator[int]:
    """Yield a port of this machine that nobody else is given meanwhile: no other test, and no client's connection.

    Where a port is chosen and let go, somebody may have it before the server does. Linux lets a server have a port that
    is bound and not listened at, if both say SO_REUSEADDR, and gives such a port to nobody who asks for any. Other
    systems do not, so there the port is let go.
    """
    with socket.socket() as holder:
        holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        holder.bind(("127.0.0.1", 0))
        port: int = holder.getsockname()[1]
        if sys.platform != "linux":
            holder.close()
        yield port
