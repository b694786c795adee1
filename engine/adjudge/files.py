"""Files that are replaced as a whole: whoever reads one finds the old or the new, never half, empty or another's."""

from __future__ import annotations

import os
import secrets
import stat
from contextlib import suppress
from pathlib import Path


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
