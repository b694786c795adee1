"""The certificate that the service shows. A renewed one is taken without a restart, by the next connection."""

from __future__ import annotations

import ssl
import time
from collections.abc import Callable
from concurrent.futures import Future, wait
from pathlib import Path

from adjudge.config.service import Tls
from adjudge.errors import SetupError
from adjudge.events import Events
from adjudge.service.access.watched import LOOK_S, SILENT
from adjudge.system.files import FileState
from adjudge.system.pools import NoThread, Pool

WAITED_S = 0.25
"""Seconds that the service waits for a look; for files that gave no answer before, it does not."""

_events = Events("adjudge.service")


class Certificate:
    """What the service shows, from two files. trouble: what is wrong with them as they are now; empty where nothing."""

    def __init__(self, tls: Tls, *, clock: Callable[[], float] = time.monotonic) -> None:
        """Read the files. Raises SetupError."""
        self._tls, self._clock = tls, clock
        self.trouble = ""
        self._seen = self._states()
        self._shown = _context(tls)
        self._next = clock() + LOOK_S
        self._pool = Pool("adjudge-certificate", 1)
        self._looking: Future[None] | None = None
        self.context = _context(tls)
        self.context.sni_callback = self._show

    def _show(self, connection: ssl.SSLObject, name: str | None, context: ssl.SSLContext) -> None:
        """Show what the files hold now to one that connects; whether it says a name or not, this is called."""
        self._look_in_time()
        connection.context = self._shown

    def _look_in_time(self) -> None:
        is_looking = self._looking is not None and not self._looking.done()
        if self._clock() >= self._next and not is_looking:
            self._next = self._clock() + LOOK_S
            try:
                self._looking = self._pool.submit(self._look)
            except NoThread:
                return
            wait((self._looking,), timeout=0 if self.trouble == SILENT else WAITED_S)
            if not self._looking.done():
                self._tell(SILENT)

    def _look(self) -> None:
        """Look at the files, in a thread: where their file system is gone, whatever asks for them hangs."""
        states = self._states()
        if None not in states and states == self._seen and self.trouble != SILENT:
            return
        try:
            self._shown = _context(self._tls)
        except SetupError as error:  # such as one of the two files without the other
            self._tell(str(error))
        else:
            if self.trouble or None not in self._seen:
                _events.info("file_read", file=self._tls.certificate.name)
            self.trouble = ""
        self._seen = states

    def _tell(self, trouble: str) -> None:
        if trouble != self.trouble:
            _events.error("file_unusable", file=self._tls.certificate.name, trouble=trouble)
        self.trouble = trouble

    def _states(self) -> tuple[FileState | None, FileState | None]:
        return _state(self._tls.certificate), _state(self._tls.key)


def _state(path: Path) -> FileState | None:
    """Return what tells a file from a later one; None where it is too new to tell, or not there."""
    now = time.time_ns()
    try:
        state = FileState.of(path.stat())
    except OSError:
        return None
    return state if state.is_at_rest(now) else None


def _context(tls: Tls) -> ssl.SSLContext:
    """Return what meets a client with this certificate. Raises SetupError, without a word of the key."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    try:
        context.load_cert_chain(tls.certificate, tls.key, password=lambda: "")  # nobody is there to type one
    except ssl.SSLError as error:
        is_of_another = error.reason == "KEY_VALUES_MISMATCH"
        why = "the key is of another certificate" if is_of_another else "one is no PEM file, or the key is encrypted"
        raise SetupError(f"cannot use `{tls.certificate}` with `{tls.key}`: {why}") from None
    except (OSError, ValueError) as error:
        why = ((error.strerror if isinstance(error, OSError) else "") or str(error)).lower()
        raise SetupError(f"cannot read `{tls.certificate}` and `{tls.key}`: {why}") from None
    return context
