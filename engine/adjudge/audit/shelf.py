"""Where segments are moved to: a folder, or object storage that a URL names, such as `s3://bucket/logs`.

Object storage is spoken to by pyarrow's file systems: S3 and what speaks like it, Google's and Azure's. Who may write
there is said where these look for it themselves, in the environment or on the machine, and never in the URL, which the
log records.
"""

from __future__ import annotations

import errno
import os
import re
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import urlsplit

from adjudge.audit.closed import BLOCK, blocks
from adjudge.audit.disk import forget_cached, sync_directory
from adjudge.audit.verify import segments
from adjudge.audit.verify.segments import NAME
from adjudge.errors import AuditUnavailable, MissingExtra
from adjudge.system.files import replace_file

_SCHEMES = ("s3", "gs", "abfs", "abfss")
_SECRET = re.compile(r"(?i)[?&][^=&]*(?:key|secret|token|password|sig)[^=&]*=")
_CANNOT = (errno.EXDEV, errno.EINVAL, errno.ENOSYS, errno.EOPNOTSUPP, errno.EBADF)


class Shelf(Protocol):
    """A place for segments, by the names of their files. Every method raises OSError where it fails.

    Written as text it is what the log records as the place.
    """

    def at(self, name: str) -> str:
        """Return where a file of that name is or would be, for people."""
        ...

    def has(self, name: str) -> bool:
        """Whether there is a file of that name."""
        ...

    def put(self, file: Path) -> AbstractContextManager[Callable[[], Iterator[bytes]]]:
        """Copy a file, and give what reads the copy back from where it lies; leaving it in peace makes it stand there.

        Left by an exception, there is no copy.
        """
        ...

    def blocks(self, name: str) -> Iterator[bytes]:
        """Read a file in blocks."""
        ...

    def post(self, name: str, data: bytes) -> None:
        """Write a small file, in place of any other of its name."""
        ...

    def settle(self) -> None:
        """Return once all names survive a power cut."""
        ...


def shelf_of(to: str | Path) -> Shelf:
    """Return the shelf in a folder, made if needed, or at a URL.

    Raises OSError; AuditUnavailable for a URL that cannot be one, and MissingExtra where it needs the extra `archive`.
    """
    return Store(to) if isinstance(to, str) and is_url(to) else Folder(Path(to))


def is_url(to: str) -> bool:
    """Whether a text names object storage, or tries to, and not a folder."""
    return "://" in to


class Folder:
    """A folder."""

    def __init__(self, path: Path) -> None:
        path.mkdir(parents=True, exist_ok=True)
        self.path = path.resolve()

    def __str__(self) -> str:
        return str(self.path)

    def at(self, name: str) -> str:
        """Return where a file of that name is or would be."""
        return str(self.path / name)

    def has(self, name: str) -> bool:
        """Whether there is a file of that name."""
        return (self.path / name).exists()

    @contextmanager
    def put(self, file: Path) -> Iterator[Callable[[], Iterator[bytes]]]:
        """Copy a file to its disk, and give what reads the copy back from there."""
        part = self.path / f".{file.name}.part"
        part.unlink(missing_ok=True)
        try:
            with file.open("rb", buffering=0) as source, part.open("xb", buffering=0) as copy:
                _pour(source.fileno(), copy.fileno())
                os.fsync(copy.fileno())
            forget_cached(part)
            yield lambda: blocks(part)
            part.replace(self.path / file.name)
            sync_directory(self.path)
        finally:
            part.unlink(missing_ok=True)

    def blocks(self, name: str) -> Iterator[bytes]:
        """Read a file in blocks."""
        return blocks(self.path / name)

    def post(self, name: str, data: bytes) -> None:
        """Write a small file, in place of any other of its name."""
        replace_file(self.path / name, data)

    def settle(self) -> None:
        """Return once all names survive a power cut."""
        sync_directory(self.path)


class Store:
    """A place in object storage. An object is there whole or not at all, once the storage has said so."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        if parts.scheme not in _SCHEMES:
            said = f"{parts.scheme}:// is no place for segments; a folder is, and s3://, gs:// and abfs://"
            raise AuditUnavailable(said)
        if parts.password is not None or _SECRET.search(url):
            said = "the URL holds a secret, which the log would record: give it in the environment, as of the storage"
            raise AuditUnavailable(said)
        try:
            from pyarrow import fs
        except ModuleNotFoundError:
            raise MissingExtra("archive", "pyarrow") from None
        self._url = url.rstrip("/") if not parts.query else url
        self._kinds: Any = fs.FileType
        self._select: Any = fs.FileSelector
        with _told(url):
            self._storage, base = fs.FileSystem.from_uri(self._url)
        self._base = base.rstrip("/")

    def __str__(self) -> str:
        return self._url

    def at(self, name: str) -> str:
        """Return the URL of a file of that name, without what says how to reach the storage."""
        return f"{self._url.partition('?')[0]}/{name}"

    def has(self, name: str) -> bool:
        """Whether there is a file of that name."""
        with _told(self._url):
            return bool(self._storage.get_file_info(self._key(name)).type == self._kinds.File)

    @contextmanager
    def put(self, file: Path) -> Iterator[Callable[[], Iterator[bytes]]]:
        """Copy a file to the storage, and give what reads the copy back from there."""
        try:
            with _told(self._url), self._storage.open_output_stream(self._key(file.name), compression=None) as copy:
                for block in blocks(file):
                    copy.write(block)
            yield lambda: self.blocks(file.name)
        except BaseException:
            self._remove(file.name)
            raise

    def blocks(self, name: str) -> Iterator[bytes]:
        """Read a file in blocks."""
        with _told(self._url), self._storage.open_input_stream(self._key(name), compression=None) as source:
            while block := source.read(BLOCK):
                yield block

    def post(self, name: str, data: bytes) -> None:
        """Write a small file, in place of any other of its name."""
        with _told(self._url), self._storage.open_output_stream(self._key(name), compression=None) as copy:
            copy.write(data)

    def settle(self) -> None:
        """Return at once: an object that is there stays."""

    def version(self, name: str) -> str | None:
        """Return what tells one state of a file from another; None where there is no such file."""
        with _told(self._url):
            found = self._storage.get_file_info(self._key(name))
        return f"{found.mtime_ns} {found.size}" if found.type == self._kinds.File else None

    def names(self) -> list[str]:
        """Return the names of the files that are there."""
        with _told(self._url):
            found = self._storage.get_file_info(self._select(self._base))
        return [one.base_name for one in found if one.type == self._kinds.File]

    def _key(self, name: str) -> str:
        return f"{self._base}/{name}"

    def _remove(self, name: str) -> None:
        try:
            self._storage.delete_file(self._key(name))
        except OSError:
            pass  # there was none; or what is there is not what it should be, and the next run says so


def fetch(url: str, log: Path, to: Path) -> int:
    """Copy the segments at a URL that a log does not have itself to a folder; return how many bytes these are.

    log: its folder. Raises OSError, and AuditUnavailable and MissingExtra as `shelf_of`.
    """
    store = Store(url)
    here = {file.name for file in segments(log)}
    count = 0
    for name in sorted({*store.names()} - here):
        if NAME.fullmatch(name):
            with (to / name).open("xb") as copy:
                count += sum(map(copy.write, store.blocks(name)))
    return count


@contextmanager
def _told(url: str) -> Iterator[None]:
    """Say what failed at which URL; pyarrow's own errors are long, and name a place within the storage alone."""
    try:
        yield
    except OSError as error:
        raise OSError(error.errno or errno.EIO, str(error).partition("\n")[0], url) from error
    except ValueError as error:  # of pyarrow, for a URL that it does not take
        raise AuditUnavailable(f"{url}: {error}") from None


def _pour(source: int, copy: int) -> None:
    """Copy all bytes, inside the system where it can."""
    try:
        while os.copy_file_range(source, copy, 64 * BLOCK):
            pass
    except OSError as error:
        if error.errno not in _CANNOT:
            raise
        while block := os.read(source, BLOCK):
            rest = memoryview(block)
            while rest:
                rest = rest[os.write(copy, rest) :]
