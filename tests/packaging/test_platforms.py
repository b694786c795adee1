"""What docs/platforms.md says of Windows, on this system with the modules and calls of POSIX taken away."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

WITHOUT_POSIX = """
import os, sys
for name in ("fcntl", "resource", "pwd", "grp", "termios"):
    sys.modules[name] = None
for name in ("register_at_fork", "fork", "getuid", "fchmod", "O_DIRECTORY", "O_NOFOLLOW", "O_CLOEXEC"):
    if hasattr(os, name):
        delattr(os, name)
"""

POLICY = """\
policy_language: 1
policy: shop
inputs: {country: string}
rules:
  - {id: sanctioned, when: country == "KP", then: reject}
"""

TESTS = """\
policy: shop.yaml
tests:
  - {name: a country on no list, given: {inputs: {country: SG}}, expect: pass}
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with a policy and its test, in which no Python process finds what POSIX has."""
    (tmp_path / "sitecustomize.py").write_text(WITHOUT_POSIX)
    (tmp_path / "shop.yaml").write_text(POLICY)
    (tmp_path / "shop_test.yaml").write_text(TESTS)
    return tmp_path


def run(folder: Path, *args: str) -> subprocess.CompletedProcess[str]:
    path = os.pathsep.join([str(folder), *(str(ROOT / name) for name in ("engine", "plugins"))])
    return subprocess.run(
        [sys.executable, *args],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": path},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize(
    "command",
    [
        "check shop.yaml",
        "test shop.yaml",
        "eval 1==1",
        "format --check shop.yaml",
        "schema",
        "plugins",
        "analyse shop.yaml",
        "lsp --help",
    ],
)
def test_command_that_writes_no_log_needs_no_posix(folder: Path, command: str) -> None:
    done = run(folder, "-m", "adjudge", *command.split())

    assert done.returncode == 0, done.stdout + done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("command", ["decide request.json --policy shop.yaml", "audit verify log", "replay log"])
def test_command_with_a_log_says_which_systems_it_needs(folder: Path, command: str) -> None:
    done = run(folder, "-m", "adjudge", *command.split())

    assert done.returncode == 2
    assert done.stderr == "Error: an audit log needs Linux or macOS; on Windows, use WSL 2\n"


def test_policy_is_loaded_and_evaluated_without_posix(folder: Path) -> None:
    code = "from adjudge import load_policy; print(load_policy('shop.yaml').evaluate({'country': 'KP'}).outcome)"

    done = run(folder, "-c", code)

    assert (done.returncode, done.stdout) == (0, "reject\n"), done.stderr


def test_process_of_the_folder_finds_no_posix(folder: Path) -> None:
    assert "ModuleNotFoundError" in run(folder, "-c", "import fcntl").stderr
