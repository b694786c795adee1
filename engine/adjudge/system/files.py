"""Files that are replaced as a whole: whoever reads one finds the old or the new, never half, empty or another's.

And files that are watched: what tells one state of a file from another.
"""

from __future__ import annotations

import os
import secrets
import stat
from contextlib import suppress
from pathlib import Path

from adjudge.frozen import frozen

AT_REST_NS = 1_000_000_000
"""Longer than any tick of a file system's clock."""


@frozen
class FileState:
    """What tells one state of a file from another, times in nanoseconds.

    Size, inode and the time of its contents may all be those of another file that an archive unpacked in its place;
    the time of its last change is given by the system, and to nobody to set.
    """

    device: int
    inode: int
    size: int
    modified: int
    changed: int

    @classmethod
    def of(cls, status: os.stat_result) -> FileState:
        """Return the state that `os.stat` or `os.fstat` tell."""
        return cls(status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns)

    def is_at_rest(self, now_ns: int) -> bool:
        """Whether every later change will be seen: one within the same tick of the system's clock would not be.

        now_ns: nanoseconds since 1970, from before the file was read.
        """
        return now_ns - self.changed > AT_REST_NS


def replace_file(path: Path, data: bytes, *, mode: int = 0o666) -> None:
    """Put new contents into a file, which is made where there is none. Raises OSError, and the old file stands then.

    A symbolic link stays one: its target is replaced. The file keeps its mode, and its owner and group where we may
    give them. What is no regular file, such as a pipe or `/dev/stdout`, is written to.

    mode: of a new file, less the umask.
    """
    before = _status(path)
    if path.parts[1:2] in (("dev",), ("proc",)) or (before is not None and not stat.S_ISREG(before.st_mode)):
        with path.open("wb") as stream:
            stream.write(data)
        return
    target = Path(os.path.realpath(path))
    temporary = target.with_name(f".adjudge-{secrets.token_hex(8)}")
    handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, mode if before is None else 0o600)
    try:
        with os.fdopen(handle, "wb") as file:
            if before is not None:
                with suppress(OSError):
                    os.fchown(handle, before.st_uid, before.st_gid)
                os.fchmod(handle, stat.S_IMODE(before.st_mode))
            file.write(data)
            file.flush()
            os.fsync(handle)
        temporary.replace(target)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def _status(path: Path) -> os.stat_result | None:
    """Return what a path leads to; None where that is nothing yet."""
    try:
        return path.stat()
    except FileNotFoundError:
        return None
