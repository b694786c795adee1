"""What the audit log asks of a disk, so that tests can let every single operation fail."""

from __future__ import annotations

import errno
import fcntl
import os
import stat
import sys
from pathlib import Path
from typing import Protocol


class Disk(Protocol):
    """Operations on files by descriptor. Each raises OSError where it fails."""

    def open(self, path: Path, *, create: bool) -> int:
        """Open a file for appending; a new one is durable in its directory when this returns."""
        ...

    def write(self, file: int, data: memoryview) -> int:
        """Append, and return how many bytes were taken: possibly fewer than were given."""
        ...

    def datasync(self, file: int) -> None:
        """Return once what was written survives a power cut."""
        ...

    def truncate(self, file: int, size: int) -> None:
        """Cut a file to `size` bytes."""
        ...


class LocalDisk:
    """The operating system's own files."""

    def open(self, path: Path, *, create: bool) -> int:
        """Open a file for appending; a new one is durable in its directory when this returns."""
        flags = os.O_WRONLY | os.O_APPEND | os.O_CLOEXEC | os.O_NONBLOCK  # a pipe without a reader would wait for one
        file = os.open(path, flags | os.O_CREAT if create else flags, 0o640)
        try:
            found = os.fstat(file)
            if not stat.S_ISREG(found.st_mode):
                raise OSError(errno.EINVAL, "is not a regular file", str(path))
            if create and not found.st_size:
                sync_directory(path.parent)
        except OSError:
            os.close(file)
            raise
        return file

    def write(self, file: int, data: memoryview) -> int:
        """Append, and return how many bytes were taken."""
        return os.write(file, data)

    def datasync(self, file: int) -> None:
        """Return once what was written survives a power cut."""
        if sys.platform == "darwin":
            fcntl.fcntl(file, fcntl.F_FULLFSYNC)  # fsync there leaves the data in the drive's own cache
        else:
            os.fdatasync(file)

    def truncate(self, file: int, size: int) -> None:
        """Cut a file to `size` bytes."""
        os.ftruncate(file, size)


def sync_directory(path: Path) -> None:
    """Make the names in a directory survive a power cut."""
    directory = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)


def forget_cached(path: Path) -> None:
    """Ask the system to drop its cached pages of a file, so that the next read comes from the disk itself."""
    if hasattr(os, "posix_fadvise"):
        file = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        try:
            os.posix_fadvise(file, 0, 0, os.POSIX_FADV_DONTNEED)
        finally:
            os.close(file)
