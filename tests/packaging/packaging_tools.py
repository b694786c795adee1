"""Building adjudge, and environments to install it in."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import sysconfig
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]


def run(*command: str | Path, cwd: Path) -> str:
    """Run a command with nothing of this process's import path. Returns its output; fails the test with all of it."""
    environment = {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "MYPYPATH")}
    result = subprocess.run(
        [str(part) for part in command],
        cwd=cwd,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=300,
        check=False,
    )
    assert result.returncode == 0, f"{command}\n{result.stdout}"
    return result.stdout


def hatchling(target: str, source: Path, to: Path) -> Path:
    run(sys.executable, "-m", "hatchling", "build", "--target", target, "--directory", to, cwd=source)
    (built,) = to.iterdir()
    return built


class Environment:
    """A fresh virtual environment that sees the libraries installed beside the tests, but no adjudge of theirs."""

    def __init__(self, path: Path) -> None:
        run(sys.executable, "-m", "venv", "--without-pip", path, cwd=path.parent)
        self.bin = path / "bin"
        self.python = self.bin / "python"
        self.elsewhere = path  # a working directory that holds no sources
        (site_packages,) = path.glob("lib/python*/site-packages")
        # A path listed here is not searched for `.pth` files, so an editable install of adjudge stays behind.
        (site_packages / "zz_libraries.pth").write_text(sysconfig.get_path("purelib") + "\n")

    def install(self, *what: str | Path) -> None:
        pip = (sys.executable, "-m", "pip", "--python", self.python, "--disable-pip-version-check", "--no-input")
        run(*pip, "install", "--no-index", "--no-deps", "--no-build-isolation", *what, cwd=self.elsewhere)

    def ask(self, code: str) -> Any:
        """Run code that prints JSON."""
        return json.loads(run(self.python, "-I", "-W", "error", "-c", code, cwd=self.elsewhere))
