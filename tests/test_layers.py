"""Imports point one way, and a step in the other direction is noticed."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
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
    assert found <= {"engine/adjudge/testing.py"}, "which is for tests"


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
        ("engine/adjudge/audit/verify.py", "import adjudge.errors", "the verifier of logs stands alone"),
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
