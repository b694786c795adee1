"""Imports point one way, and a step in the other direction is noticed."""

from __future__ import annotations

import ast
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]

LINT = "import sys; from importlinter.cli import lint_imports; sys.exit(lint_imports(config_filename=sys.argv[1]))"


def lint(root: Path) -> subprocess.CompletedProcess[str]:
    """Run import-linter over the sources under `root`, in a process of its own: it looks packages up by import."""
    return subprocess.run(
        [sys.executable, "-c", LINT, str(root / "pyproject.toml")],
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(root / "engine"), str(root / "plugins")])},
        cwd=root,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    for sources in ("engine", "plugins"):
        shutil.copytree(ROOT / sources, tmp_path / sources, ignore=shutil.ignore_patterns("__pycache__"))
    return tmp_path


def test_nobody_uses_the_event_loops_own_executor() -> None:
    """It is one for everybody: what hangs in it stops all, and the process does not end. `system.pools` has others."""
    theirs = re.compile(r"to_thread|run_in_executor|set_default_executor|ThreadPoolExecutor")
    found = {
        str(file.relative_to(ROOT))
        for folder in ("engine", "plugins")
        for file in (ROOT / folder).rglob("*.py")
        if theirs.search(file.read_text("utf-8"))
    }
    assert found <= {"engine/adjudge/testing/__init__.py"}, "which is for tests"


def test_layers_of_the_sources_are_kept(copy: Path) -> None:
    result = lint(copy)
    assert result.returncode == 0, result.stdout + result.stderr


@pytest.mark.parametrize(
    ("file", "line", "broken"),
    [
        ("engine/adjudge/errors.py", "import adjudge.model", "imports point one way"),
        ("engine/adjudge/expr/planted.py", "import adjudge.policy.typed", "imports point one way"),
        ("engine/adjudge/values/literals.py", "import adjudge.expr.nodes", "imports point one way"),
        ("engine/adjudge/policy/planted.py", "import adjudge_plugins.lists", "the engine imports no plugin"),
        (
            "plugins/adjudge_plugins/planted.py",
            "from adjudge.policy.typed import Rule",
            "plugins import adjudge.plugin alone",
        ),
        ("plugins/adjudge_plugins/planted.py", "import adjudge", "plugins import adjudge.plugin alone"),
        (
            "plugins/adjudge_plugins/planted.py",
            "from adjudge.errors import did_you_mean",
            "plugins import adjudge.plugin alone",
        ),
        ("engine/adjudge/audit/verify/lines.py", "import adjudge.errors", "the verifier of logs stands alone"),
    ],
)
def test_layers_import_against_the_direction_is_found(copy: Path, file: str, line: str, broken: str) -> None:
    with (copy / file).open("a") as source:
        source.write(f"\n{line}\n")
    result = lint(copy)
    assert result.returncode == 1
    assert f"{broken} BROKEN" in result.stdout, result.stdout + result.stderr
    assert "Contracts: 3 kept, 1 broken." in result.stdout


def test_layers_module_without_a_layer_is_refused(copy: Path) -> None:
    (copy / "engine/adjudge/planted.py").touch()
    result = lint(copy)
    assert result.returncode == 1
    assert "adjudge.planted" in result.stdout


BACK = {("adjudge.engine", "adjudge.config.file"): "`Engine.open` is a convenience over what stands above it"}
"""Imports that run up, imported when called, with the reason for each."""


def modules_in(root: Path) -> dict[str, Path]:
    """Return the modules of the sources under `root`, by name."""
    found = {}
    for sources in ("engine", "plugins"):
        for file in (root / sources).rglob("*.py"):
            parts = file.relative_to(root / sources).with_suffix("").parts
            found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = file
    return found


def imports(name: str, file: Path, modules: Mapping[str, Path]) -> Iterator[str]:
    """Yield what a module imports of ours, anywhere in it: in functions, and for types alone, too."""
    package = name if file.name == "__init__.py" else name.rpartition(".")[0]
    for node in ast.walk(ast.parse(file.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name in modules)
        elif isinstance(node, ast.ImportFrom):
            above = package.rsplit(".", node.level - 1)[0] + "." if node.level else ""
            base = (above + (node.module or "")).rstrip(".")
            for alias in node.names:
                whole = f"{base}.{alias.name}"
                target = whole if whole in modules else base
                if target in modules and target != name:
                    yield target


def circle(root: Path) -> list[str] | None:
    """Return modules that import each other in a ring; None where none do."""
    modules = modules_in(root)
    graph = {
        name: {other for other in imports(name, file, modules) if (name, other) not in BACK}
        for name, file in modules.items()
    }
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        found: list[str] = error.args[1]
        return found
    return None


def test_no_modules_import_each_other_in_a_circle() -> None:
    assert circle(ROOT) is None


def test_what_runs_up_is_still_there() -> None:
    modules = modules_in(ROOT)
    for name, other in BACK:
        assert other in imports(name, modules[name], modules), f"take {name} -> {other} off the list"


@pytest.mark.parametrize(
    "line",
    [
        "import adjudge.expr.python",
        "from adjudge.expr import python",
        "from adjudge.expr.python import compile_condition",
        "from . import python",
        "from .python import compile_condition",
        "def f():\n    from adjudge.expr.python import compile_condition",
        "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from adjudge.expr.python import compile_condition",
    ],
)
def test_a_circle_inside_a_room_is_found(tmp_path: Path, line: str) -> None:
    room = tmp_path / "engine/adjudge/expr"
    room.mkdir(parents=True)
    (room / "__init__.py").touch()
    (room / "python.py").write_text("from adjudge.expr.runtime import run\n", "utf-8")
    (room / "runtime.py").write_text("", "utf-8")
    assert circle(tmp_path) is None
    (room / "runtime.py").write_text(f"{line}\n", "utf-8")
    found = circle(tmp_path)
    assert found is not None and {"adjudge.expr.runtime", "adjudge.expr.python"} <= set(found)
