"""The standard streams as every command sees them, whatever they are: files, terminals, full, closed or absent.

What is printed is UTF-8, with what would steer a terminal written out. Where it cannot be delivered the command ends
with the status UNDELIVERED, never as if all were well.
"""

from __future__ import annotations

import errno
import io
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import IO, Any, BinaryIO, TextIO, cast

import click

from adjudge.texts import on_terminal, one_line

UNDELIVERED = 4
"""The exit status where a result could not be written: to the standard output, or to a file that was named."""
NOT_WRITTEN = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO, errno.EROFS, errno.EPIPE})
"""What keeps a file from being written, whoever asked for it."""
CLOSED = "it is closed"
NO_INPUT = "the standard input is closed, and there is nothing to read"


class Undelivered(click.ClickException):
    """A result that could not be written where it was wanted."""

    exit_code = UNDELIVERED

    def __init__(self, where: object, error: OSError) -> None:
        """where: a file, or `the standard output`."""
        super().__init__(f"cannot write {where}: {(error.strerror or str(error)).lower()}")
        self.besides = ""
        """What else there is to say."""
        self.reader_left = error.errno == errno.EPIPE

    def show(self, file: IO[Any] | None = None) -> None:
        """Say it, but to nobody whose reader took what it wanted, such as `head`."""
        if self.besides or not self.reader_left:
            click.echo(one_line(f"error[undelivered]: {self.message}{self.besides}"), err=True)


class Output(io.TextIOBase):
    """A standard stream that is written to. `write` shows what is hidden; `write_exact` changes nothing."""

    encoding = "utf-8"
    errors = "backslashreplace"

    def __init__(self, stream: TextIO | None, name: str, *, needed: bool) -> None:
        """stream: None where it is closed. needed: raise Undelivered where it cannot be written; else be silent."""
        self.stream = stream
        self.name = name
        self.needed = needed
        self.lost: OSError | None = OSError(errno.EBADF, CLOSED) if stream is None else None

    def write(self, text: str) -> int:
        """Write a text as a terminal may get it. Raises Undelivered."""
        self.write_exact(on_terminal(text))
        return len(text)

    def write_exact(self, text: str) -> None:
        """Write a text as it is. Raises Undelivered."""
        if text:
            self._try(lambda stream: stream.write(text))

    def write_bytes(self, data: bytes) -> None:
        """Write bytes as they are, and hand them on. Raises Undelivered."""
        self._try(lambda stream: stream.buffer.write(data))
        self.flush()

    def flush(self) -> None:
        """Hand on what was written. Raises Undelivered."""
        if self.stream is not None and not self.stream.closed:
            self._try(lambda stream: stream.flush())

    def _try(self, action: Callable[[TextIO], object]) -> None:
        """Do something with the stream. What is lost once is lost: it is written to nowhere from there on."""
        if self.stream is not None and self.lost is None:
            try:
                action(self.stream)
            except OSError as error:
                self.lost = error
                with suppress(OSError):  # else what is left in buffers would raise again at the process's end
                    nowhere = os.open(os.devnull, os.O_WRONLY)
                    os.dup2(nowhere, self.stream.fileno())
                    os.close(nowhere)
        if self.lost is not None and self.needed:
            raise Undelivered(self.name, self.lost)

    def isatty(self) -> bool:
        """Whether a person is looking."""
        return self.stream is not None and self.stream.isatty()

    def fileno(self) -> int:
        """Return the descriptor. Raises OSError where there is none."""
        if self.stream is None:
            raise io.UnsupportedOperation(f"{self.name} is closed")
        return self.stream.fileno()

    def writable(self) -> bool:
        """Say that this is written to."""
        return True


class ClosedInput(io.TextIOBase):
    """A standard input that is closed: whoever reads it is told so."""

    encoding = "utf-8"
    errors = "replace"

    @property
    def buffer(self) -> BinaryIO:
        """Raise click.UsageError."""
        raise click.UsageError(NO_INPUT)

    def read(self, size: int | None = -1) -> str:
        """Raise click.UsageError."""
        raise click.UsageError(NO_INPUT)

    def readline(self, size: int = -1) -> str:  # type: ignore[override]  # a text stream, for which the standard library has no base to fill in
        """Raise click.UsageError."""
        return self.read()


@contextmanager
def standard_streams() -> Iterator[None]:
    """Put our streams in the place of the process's own, which come back at the end."""
    before = sys.stdin, sys.stdout, sys.stderr
    for stream in before[1:]:
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(encoding="utf-8", errors="backslashreplace", newline="\n")
    if isinstance(sys.stdin, io.TextIOWrapper):
        with suppress(io.UnsupportedOperation):  # somebody has read from it
            sys.stdin.reconfigure(encoding="utf-8", errors="replace")
    sys.stdin = before[0] if before[0] is not None else ClosedInput()
    sys.stdout = Output(before[1], "the standard output", needed=True)
    sys.stderr = Output(before[2], "the standard error", needed=False)
    try:
        yield
    finally:
        sys.stdin, sys.stdout, sys.stderr = before


def hold_descriptors() -> None:
    """Put something into the places of closed streams, before a file of ours is opened there and written over.

    Reading what was no input fails, and so does writing what was no output; what is said to no one is dropped.
    """
    for descriptor, flags in enumerate((os.O_WRONLY, os.O_RDONLY, os.O_WRONLY)):
        try:
            os.fstat(descriptor)
        except OSError:
            os.set_inheritable(os.open(os.devnull, flags), True)  # the lowest that is free


def standard_input() -> BinaryIO:
    """Return the bytes that come in. Raises click.UsageError where nothing can."""
    return sys.stdin.buffer


def standard_output() -> Output:
    """Return what a command's results are written to."""
    return cast(Output, sys.stdout)
