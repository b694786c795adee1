"""Building adjudge, and environments to install it in."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import sysconfig
from collections.abc import Iterator
from importlib.metadata import Distribution, distribution
from pathlib import Path
from typing import Any

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

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


def asked_for(asking: Distribution, extra: str = "") -> Iterator[Distribution]:
    """Yield what a distribution asks for with an extra, and what that asks for, as it is installed beside the tests."""
    waiting, seen = [(asking, {"", extra})], set()
    while waiting:
        one, extras = waiting.pop()
        for requirement in map(Requirement, one.requires or ()):
            marker, wanted = requirement.marker, (canonicalize_name(requirement.name), frozenset(requirement.extras))
            if wanted in seen or (marker and not any(marker.evaluate({"extra": name}) for name in extras)):
                continue
            seen.add(wanted)
            found = distribution(requirement.name)
            assert found.version in requirement.specifier, f"{requirement} of {one.name}: {found.version} is installed"
            waiting.append((found, {"", *requirement.extras}))
            yield found


class Environment:
    """A fresh virtual environment, with no adjudge and no library in it."""

    def __init__(self, path: Path) -> None:
        run(sys.executable, "-m", "venv", "--without-pip", path, cwd=path.parent)
        self.bin = path / "bin"
        self.python = self.bin / "python"
        self.elsewhere = path  # a working directory that holds no sources
        (self.site_packages,) = path.glob("lib/python*/site-packages")

    def install(self, *what: str | Path) -> None:
        """Install without what is asked for."""
        pip = (sys.executable, "-m", "pip", "--python", self.python, "--disable-pip-version-check", "--no-input")
        options = ("--no-index", "--no-deps", "--no-build-isolation", "--no-compile")
        run(*pip, "install", *options, *what, cwd=self.elsewhere)

    def see_libraries(self) -> None:
        """Let it see all the libraries installed beside the tests, but no adjudge of theirs."""
        # A path listed here is not searched for `.pth` files, so an editable install of adjudge stays behind.
        (self.site_packages / "zz_libraries.pth").write_text(sysconfig.get_path("purelib") + "\n")

    def link(self, library: Distribution) -> None:
        """Let it see one library installed beside the tests, file by file: some share a folder."""
        for file in library.files or ():
            if file.parts[0] != "..":  # a command
                (self.site_packages / file).parent.mkdir(parents=True, exist_ok=True)
                (self.site_packages / file).symlink_to(library.locate_file(file))

    def ask(self, code: str) -> Any:
        """Run code that prints JSON."""
        return json.loads(run(self.python, "-I", "-W", "error", "-c", code, cwd=self.elsewhere))
