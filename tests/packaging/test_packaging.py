"""What is built, what is installed, and what others find there. No test needs a network."""

from __future__ import annotations

import shutil
import sys
import tarfile
import tomllib
import zipfile
from pathlib import Path

import pytest
from packaging_tools import ROOT, Environment, run

ASSETS = ROOT / "engine" / "adjudge" / "console" / "assets"
"""What the files of the console are built from: in the sdist, and not in the wheel."""

HELLO = ROOT / "examples" / "hello_plugin"
ENTRY_POINTS = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["entry-points"]["adjudge"]

pytestmark = pytest.mark.xdist_group("packaging")  # one worker builds and installs once for all of them


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Environment:
    environment = Environment(tmp_path_factory.mktemp("installed") / "venv")
    environment.see_libraries()
    environment.install(wheel)
    return environment


@pytest.fixture(scope="module")
def editable(tmp_path_factory: pytest.TempPathFactory) -> Environment:
    environment = Environment(tmp_path_factory.mktemp("editable") / "venv")
    environment.see_libraries()
    environment.install("--editable", ROOT)
    return environment


def names(wheel: Path) -> set[str]:
    with zipfile.ZipFile(wheel) as archive:
        return set(archive.namelist())


def test_wheel_top_level_is_the_two_packages_and_nothing_else(wheel: Path) -> None:
    tops = {name.partition("/")[0] for name in names(wheel)}
    assert {top for top in tops if not top.endswith(".dist-info")} == {"adjudge", "adjudge_plugins"}
    assert len(tops) == 3


def test_wheel_holds_every_source_and_data_file(wheel: Path) -> None:
    expected = {
        path.relative_to(root).as_posix()
        for root in (ROOT / "engine", ROOT / "plugins")
        for path in root.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts and ASSETS not in path.parents
    }
    assert {name for name in names(wheel) if ".dist-info/" not in name} == expected
    assert {"adjudge/py.typed", "adjudge_plugins/py.typed"} <= expected


def test_wheel_declares_license_entry_points_and_command(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        (info,) = {name.partition("/")[0] for name in archive.namelist() if ".dist-info/" in name}
        metadata = archive.read(f"{info}/METADATA").decode()
        entry_points = archive.read(f"{info}/entry_points.txt").decode()
        assert archive.read(f"{info}/licenses/LICENSE") == (ROOT / "LICENSE").read_bytes()
    assert "License-Expression: Apache-2.0\n" in metadata
    assert "Requires-Python: >=3.11\n" in metadata
    assert "adjudge = adjudge.cli:main\n" in entry_points
    for name, module in ENTRY_POINTS.items():
        assert f"{name} = {module}\n" in entry_points


def test_sdist_holds_sources_and_papers_only(sdist: Path) -> None:
    with tarfile.open(sdist) as archive:
        tops = {member.name.split("/")[1] for member in archive.getmembers() if "/" in member.name}
    papers = {"CHANGELOG.md", "LICENSE", "README.md"}
    with tarfile.open(sdist) as archive:
        names = set(archive.getnames())
    assert {"package-lock.json", "build.mjs"} <= {name.rpartition("/")[2] for name in names if "/assets/" in name}
    assert not any("node_modules" in name for name in names)
    assert tops == {"engine", "plugins", "pyproject.toml", "PKG-INFO", ".gitignore"} | papers


IMPORT = """
import json, adjudge, adjudge_plugins
from importlib.metadata import entry_points, version
loaded = {point.name: point.load().__name__ for point in entry_points(group="adjudge")}
print(json.dumps([adjudge.__file__, adjudge_plugins.__file__, version("adjudge"), loaded]))
"""


def test_wheel_imports_and_entry_points_load_from_a_foreign_folder(installed: Environment) -> None:
    engine, plugins, version, loaded = installed.ask(IMPORT)
    for file in (engine, plugins):
        assert Path(file).is_relative_to(installed.elsewhere)
    assert version == tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    assert {name: loaded[name] for name in ENTRY_POINTS} == ENTRY_POINTS


def test_editable_install_imports_the_checkout(editable: Environment) -> None:
    engine, plugins, _, loaded = editable.ask(IMPORT)
    assert Path(engine) == ROOT / "engine/adjudge/__init__.py"
    assert Path(plugins) == ROOT / "plugins/adjudge_plugins/__init__.py"
    assert {name: loaded[name] for name in ENTRY_POINTS} == ENTRY_POINTS


def test_wheel_command_starts_from_a_foreign_folder(installed: Environment) -> None:
    assert "adjudge" in run(installed.bin / "adjudge", "--help", cwd=installed.elsewhere)


def test_wheel_types_pass_strict_mypy_in_a_consumer(installed: Environment, tmp_path: Path) -> None:
    shutil.copy(ROOT / "tests/typing/consumer.py", tmp_path)
    shutil.copy(HELLO / "adjudge_hello.py", tmp_path)
    mypy = (sys.executable, "-m", "mypy", "--strict", "--config-file=", "--python-executable", installed.python)
    report = run(*mypy, "consumer.py", "adjudge_hello.py", cwd=tmp_path)
    assert "Success: no issues found in 2 source files" in report


HELLO_PLUGIN = """
import json
from importlib.metadata import entry_points
from adjudge.plugin import Register
(point,) = entry_points(group="adjudge", name="hello")
offered = []
point.load().register(Register("hello", lambda kind, name, thing: offered.append((kind, name, list(thing.fields)))))
print(json.dumps([point.dist.name, offered]))
"""


def test_third_party_plugin_installs_and_registers_its_signal(installed: Environment, tmp_path: Path) -> None:
    source = shutil.copytree(HELLO, tmp_path / "hello")
    installed.install(source)
    assert installed.ask(HELLO_PLUGIN) == ["adjudge-hello", [["provider", "hello.id_length", ["characters"]]]]
