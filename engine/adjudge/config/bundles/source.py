"""Where a bundle comes from: a file, HTTP, or object storage. What comes is bounded before anything is done with it."""

from __future__ import annotations

import hashlib
import ssl
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from threading import Timer
from time import monotonic
from urllib.parse import urlsplit

from adjudge.audit.verify import read_keys
from adjudge.config.bundles.archive import ARCHIVE_MAX_BYTES, too_large
from adjudge.config.bundles.bundle import Bundle, open_bundle
from adjudge.config.bundles.manifest import ids_of
from adjudge.config.bundles.settings import BundleSettings, host_of, is_named
from adjudge.errors import AdjudgeError, AuditUnavailable, BundleRefused, BundleUnavailable, MissingExtra, TargetRefused
from adjudge.events import Events
from adjudge.patterns import late
from adjudge.signals.allowed import Allowed
from adjudge.system.outgoing import public_addresses

FETCHED_WITHIN_S = 60.0
STALLED_S = 10.0
"""Seconds for connecting, and for each piece of an answer."""
_KEY_MAX_BYTES = 64 * 1024
_ETAG_MAX = 256
_TOKEN_MAX_BYTES = 8192
_TOKEN = late(r"[A-Za-z0-9._~+/-]+=*")
_KEYS_MAX = 20

_events = Events("adjudge.policies")


@dataclass(slots=True)
class BundleSource:
    """One bundle of a configuration, and what was last found at its place.

    allowed: hosts that may be private. missed: why it was not to be had when it was last asked for; None where it was.
    """

    settings: BundleSettings
    allowed: Allowed
    missed: str | None = None
    _content: bytes | None = None
    _version: str = ""
    _failed: AdjudgeError | None = None
    _asked_at: float | None = None

    @property
    def file(self) -> Path | None:
        """The file that it is; None where it is elsewhere."""
        return self.settings.location if isinstance(self.settings.location, Path) else None

    @property
    def state(self) -> str:
        """What tells one state of what was found elsewhere from another."""
        content = hashlib.sha256(self._content).hexdigest() if self._content is not None else ""
        return f"{content} {self._failed or ''}" if isinstance(self._failed, BundleRefused) else content

    def look(self) -> None:
        """Ask for it, if it is elsewhere and its time has come. Never raises; blocks for a minute at most."""
        now = monotonic()
        if self.file is not None or (self._asked_at is not None and now - self._asked_at < self.settings.every_s):
            return
        self._asked_at = now
        try:
            self._fetch(str(self.settings.location))
        except BundleRefused as error:
            self._failed, self.missed = error, None
        except Exception as error:
            is_ours = isinstance(error, BundleUnavailable | MissingExtra)
            said = str(error) if is_ours else type(error).__name__  # others may quote the URL
            _events.warning("bundle_not_fetched", bundle=self.settings.name, why=said)
            self.missed = self._said(said)
            self._failed = BundleUnavailable(self.missed) if self._content is None else None
        else:
            self._failed = self.missed = None

    def open(self) -> Bundle:
        """Open what was found last. Raises BundleRefused, BundleUnavailable."""
        if self._failed is not None:
            raise self._failed
        with self._told():
            data = _read(self.file, ARCHIVE_MAX_BYTES) if self.file is not None else self._content
            if data is None:
                raise BundleRefused("nothing was fetched")
            return open_bundle(data, self._keys(), self.settings.name)

    def _keys(self) -> dict[str, bytes]:
        found: list[bytes] = []
        for file in self.settings.keys:
            try:
                found += read_keys(_read(file, _KEY_MAX_BYTES).decode("ascii", "replace"))
            except ValueError as error:
                raise BundleRefused(f"{file}: {error}") from None
        return ids_of(found[:_KEYS_MAX])

    @contextmanager
    def _told(self) -> Iterator[None]:
        """Name the bundle and its place in whatever is wrong."""
        try:
            yield
        except BundleRefused as error:
            raise BundleRefused(self._said(str(error))) from None
        except OSError as error:
            why = f"{error.filename or ''}: {(error.strerror or str(error)).lower()}"
            raise BundleRefused(self._said(why.lstrip(": "))) from None

    def _said(self, why: str) -> str:
        return f"bundle `{self.settings.name}` from {self.settings.where}: {why}"

    def _fetch(self, url: str) -> None:
        """Take what stands at a URL, if it is not what was there before."""
        with self._told():
            target = host_of(url)
            addresses = self._addresses(url, *target) if target is not None else []
            if urlsplit(url).scheme in ("http", "https"):
                self._fetch_http(url, addresses[0])
            else:
                self._fetch_stored(url)

    def _addresses(self, url: str, host: str, port: int) -> list[str]:
        """Return where a host is, once that may be asked. Raises BundleRefused, BundleUnavailable."""
        named = is_named(self.allowed, host, port)
        if urlsplit(url).scheme == "http" and not named:
            raise BundleRefused(f"http:// is for hosts that `allow: {{hosts: [{host}]}}` names; write https://")
        try:
            return public_addresses(host, port, allowed={host.lower()} if named else ())
        except TargetRefused as error:
            raise BundleRefused(f"{error}: `allow: {{hosts: [{host}]}}`") from None
        except OSError:
            raise BundleUnavailable(f"the name {host} is not found") from None

    def _fetch_http(self, url: str, address: str) -> None:
        """Ask the address that was looked at, under the name in the URL, by a transport, which tells no log of it."""
        import httpx

        parts = urlsplit(url)
        headers = {"host": parts.netloc, "accept-encoding": "identity", "user-agent": "adjudge"}
        if self._version:
            headers["if-none-match"] = self._version
        if self.settings.token is not None:
            headers["authorization"] = f"Bearer {_token(self.settings.token)}"
        trusted = _trusted(self.settings.ca) if self.settings.ca is not None else True
        times = dict.fromkeys(("connect", "read", "write", "pool"), STALLED_S)
        until = monotonic() + FETCHED_WITHIN_S
        try:
            target = httpx.URL(url).copy_with(host=address)
            extensions = {"sni_hostname": parts.hostname, "timeout": times}
            request = httpx.Request("GET", target, headers=headers, extensions=extensions)
            with (
                httpx.HTTPTransport(trust_env=False, verify=trusted) as transport,
                _ended_after(FETCHED_WITHIN_S, transport.close),
            ):
                answer = transport.handle_request(request)
                answer.request = request
                try:
                    if answer.status_code == 304:
                        return
                    if answer.status_code != 200:
                        raise BundleUnavailable(f"it answered {answer.status_code}{_redirected(answer.status_code)}")
                    if answer.headers.get("content-encoding", "identity") != "identity":
                        raise BundleUnavailable("the answer is compressed once more, which was not asked for")
                    content, version = _bounded(answer.iter_raw(), until), answer.headers.get("etag", "")
                finally:
                    answer.close()
        except (httpx.HTTPError, httpx.InvalidURL, OSError, ValueError) as error:  # its text may quote the URL
            raise BundleUnavailable(f"no connection, or no HTTP: {type(error).__name__}") from None
        self._content = content
        self._version = version if len(version) <= _ETAG_MAX and version.isascii() and version.isprintable() else ""

    def _fetch_stored(self, url: str) -> None:
        from adjudge.audit.shelf import Store

        place, _, query = url.partition("?")
        folder, _, name = place.rpartition("/")
        try:
            store = Store(f"{folder}?{query}" if query else folder)
            version = store.version(name)
            if version is None:
                raise BundleUnavailable("there is no such object")
            if version != self._version:
                self._content = _bounded(store.blocks(name), monotonic() + FETCHED_WITHIN_S)
                self._version = version
        except (OSError, AuditUnavailable) as error:  # its text may quote the URL
            raise BundleUnavailable(f"the storage does not give it: {type(error).__name__}") from None


@contextmanager
def _ended_after(seconds: float, end: Callable[[], object]) -> Iterator[None]:
    """End what goes on inside after so long, however often something comes: each wait alone has a bound already."""
    timer = Timer(seconds, end)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


def _bounded(pieces: Iterator[bytes], until: float) -> bytes:
    """Return what comes, as long as it is not too much and does not take too long."""
    found = bytearray()
    for piece in pieces:
        found += piece
        if len(found) > ARCHIVE_MAX_BYTES:
            raise too_large()
        if monotonic() > until:
            raise BundleUnavailable(f"it did not come within {FETCHED_WITHIN_S:g} s")
    return bytes(found)


def _token(file: Path) -> str:
    """Return a bearer token, which is read each time, so that another one may take its place."""
    try:
        text = _read(file, _TOKEN_MAX_BYTES).decode("ascii").strip()
    except (OSError, ValueError, BundleRefused):
        text = ""
    if not _TOKEN.fullmatch(text):
        raise BundleUnavailable(f"{file} cannot be read, or holds no bearer token")
    return text


def _trusted(file: Path) -> ssl.SSLContext:
    """Return what trusts the authorities of a file, and no others."""
    try:
        return ssl.create_default_context(cafile=file)
    except (OSError, ValueError):
        raise BundleUnavailable(f"{file} cannot be read, or holds no certificate in PEM") from None


def _redirected(status: int) -> str:
    return ", and redirects are not followed: name the place itself" if 300 <= status < 400 else ""


def _read(file: Path, max_bytes: int) -> bytes:
    with file.open("rb") as stream:
        data = stream.read(max_bytes + 1)
    if len(data) > max_bytes:
        raise BundleRefused(f"{file} is larger than {max_bytes:,} bytes")
    return data
