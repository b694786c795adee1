"""Where the service listens: a Unix socket that its owner may open, or this machine's own addresses."""

from __future__ import annotations

import errno
import fcntl
import ipaddress
import os
import socket
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from adjudge.client.address import SOCKET_PATH_MAX
from adjudge.config.service import ANY, ServiceSettings
from adjudge.errors import SetupError
from adjudge.frozen import frozen
from adjudge.service.room import backlog
from adjudge.system.files import FileState

LOCAL_NAMES = frozenset({"localhost", "127.0.0.1", "[::1]"})


@frozen
class Listening:
    """A socket that takes connections. name: as it is told. hosts: that it goes by, None for any."""

    socket: socket.socket
    name: str
    hosts: frozenset[str] | None


@contextmanager
def listening_at(path: Path, *, mode: int = 0o600) -> Iterator[Listening]:
    """Listen at a Unix socket, and remove it at the end. A file of one that nobody listens at is replaced.

    mode: of the file. Raises SetupError.
    """
    if len(os.fsencode(path)) > SOCKET_PATH_MAX:
        raise SetupError(f"the path of a Unix socket has at most {SOCKET_PATH_MAX} bytes, and `{path}` has more")
    listener = socket.socket(socket.AF_UNIX)
    try:
        try:
            with _alone_in(path.parent):
                _make_way(path)
                _bind(listener, path, mode)
                made = FileState.of(path.lstat())
        except OSError as error:
            raise SetupError(f"cannot listen at `{path}`: {(error.strerror or str(error)).lower()}") from None
        yield Listening(listener, f"unix:{path}", None)
    finally:
        listener.close()
        with suppress(OSError, UnboundLocalError):
            if FileState.of(path.lstat()) == made:  # not that of a service started since
                path.unlink()


@contextmanager
def _alone_in(folder: Path) -> Iterator[None]:
    """Keep other services from making a socket in a folder meanwhile."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


def _make_way(path: Path) -> None:
    """Remove a socket that nobody listens at. Raises SetupError for one that is used, and for any other file."""
    try:
        found = path.lstat()
    except FileNotFoundError:
        return
    if not stat.S_ISSOCK(found.st_mode):
        raise SetupError(f"cannot listen at `{path}`: there is a file that is no socket")
    with socket.socket(socket.AF_UNIX) as probe:
        probe.settimeout(1.0)
        try:
            probe.connect(os.fspath(path))
        except OSError as error:
            if error.errno == errno.ECONNREFUSED:
                path.unlink()
                return
            if error.errno not in (errno.EAGAIN, errno.ETIMEDOUT):  # as of one whose queue is full
                raise
    raise SetupError(f"cannot listen at `{path}`: another process listens there")


def _bind(listener: socket.socket, path: Path, mode: int) -> None:
    listener.bind(os.fspath(path))
    path.chmod(mode)  # before anybody can get in
    listener.listen(backlog())


@contextmanager
def listening_on(host: str, port: int, settings: ServiceSettings | None = None) -> Iterator[Listening]:
    """Listen on an address: one of this machine alone, or any where the settings make that safe.

    port: 0 takes a free one. Raises SetupError.
    """
    said = settings or ServiceSettings()
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except (OSError, UnicodeError) as error:
        raise SetupError(
            f"cannot listen on `{host}`: {(getattr(error, 'strerror', '') or str(error)).lower()}"
        ) from None
    if not all(ipaddress.ip_address(str(address[0]).partition("%")[0]).is_loopback for *_, address in found):
        _check_reach(host, said)
    family, kind, protocol, _, address = found[0]
    with socket.socket(family, kind, protocol) as listener:
        try:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind(address)
            listener.listen(backlog())
        except OSError as error:
            raise SetupError(f"cannot listen on {host}:{port}: {(error.strerror or str(error)).lower()}") from None
        shown = f"[{host}]" if ":" in host else host
        name = f"{'http' if said.tls is None else 'https'}://{shown}:{listener.getsockname()[1]}"
        names = LOCAL_NAMES | {shown.lower()} | set(said.hosts)
        yield Listening(listener, name, None if ANY in names else names)


def _check_reach(host: str, settings: ServiceSettings) -> None:
    """Raise SetupError where other machines would reach what they should not."""
    way = ""
    if settings.is_open:
        way = "without keys the service is for this machine alone: take 127.0.0.1 or a Unix socket, or name `keys`"
    elif settings.tls is None and not settings.plain_http and not set(settings.trusted_proxies) - {"unix"}:
        way = "keys would come over the network in the clear: name `tls`, or the `trusted_proxies` that do it"
    elif not settings.hosts:
        way = "say by which names it goes: name its `hosts`"
    if way:
        raise SetupError(f"cannot listen on `{host}`: {way} under `service` in the configuration")
