"""Files are replaced as a whole, through links, with their modes, and stand where that fails."""

from __future__ import annotations

import os
import stat
import threading
from pathlib import Path

import pytest

from adjudge.system.files import replace_file


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


@pytest.mark.parametrize("there", [True, False])
def test_file_is_replaced_and_keeps_its_mode(tmp_path: Path, there: bool) -> None:
    file = tmp_path / "a.yaml"
    if there:
        file.write_text("old, and longer than what follows")
        file.chmod(0o640)
    replace_file(file, b"new")
    assert file.read_bytes() == b"new"
    assert names(tmp_path) == {"a.yaml"}
    umask = os.umask(0o022)
    os.umask(umask)
    assert mode(file) == (0o640 if there else 0o666 & ~umask)


def test_new_file_may_be_private(tmp_path: Path) -> None:
    replace_file(tmp_path / "secret", b"x", mode=0o600)
    assert mode(tmp_path / "secret") == 0o600


@pytest.mark.parametrize("there", [True, False])
@pytest.mark.parametrize("links", [["real/a"], ["hop", "real/a"]])
def test_link_stays_a_link(tmp_path: Path, there: bool, links: list[str]) -> None:
    (tmp_path / "real").mkdir()
    if there:
        (tmp_path / "real/a").write_text("old")
    for name, target in zip(["link", *links], links, strict=False):
        (tmp_path / name).symlink_to(target)
    replace_file(tmp_path / "link", b"new")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "real/a").read_bytes() == b"new"
    assert not (tmp_path / "real/a").is_symlink()
    assert names(tmp_path / "real") == {"a"}


def test_links_in_a_circle_are_an_error(tmp_path: Path) -> None:
    (tmp_path / "a").symlink_to("b")
    (tmp_path / "b").symlink_to("a")
    with pytest.raises(OSError, match="symbolic links"):
        replace_file(tmp_path / "a", b"new")
    assert names(tmp_path) == {"a", "b"}


@pytest.mark.parametrize("step", ["fsync", "fchmod", "rename"])
@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), KeyboardInterrupt()])
def test_old_file_stands_where_a_step_fails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str, error: BaseException
) -> None:
    def fail(*_: object) -> None:
        raise error

    file = tmp_path / "a"
    file.write_text("old")
    with monkeypatch.context() as patch:
        patch.setattr(*((Path, "replace", fail) if step == "rename" else (os, step, fail)))
        with pytest.raises(type(error)):
            replace_file(file, b"new")
    assert file.read_text() == "old"
    assert names(tmp_path) == {"a"}


def test_owner_that_may_not_be_given_is_no_failure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError

    (tmp_path / "a").write_text("old")
    monkeypatch.setattr(os, "fchown", refuse)
    replace_file(tmp_path / "a", b"new")
    assert (tmp_path / "a").read_text() == "new"


def test_pipe_is_written_to(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    got: list[bytes] = []
    reader = threading.Thread(target=lambda: got.append(pipe.read_bytes()))
    reader.start()
    replace_file(pipe, b"new")
    reader.join()
    assert got == [b"new"]
    assert stat.S_ISFIFO(pipe.stat().st_mode)


def test_full_device_is_an_error() -> None:
    if not Path("/dev/full").exists():
        pytest.skip("this system has no /dev/full")
    with pytest.raises(OSError, match="No space left"):
        replace_file(Path("/dev/full"), b"new")
    assert stat.S_ISCHR(Path("/dev/full").stat().st_mode)
