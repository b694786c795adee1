"""The door for plugins: what it offers is public, documented, and cheap to import."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

from adjudge import plugin

ROOT = Path(__file__).parents[1]


def test_door_offers_what_the_documentation_names() -> None:
    page = (ROOT / "docs" / "plugins.md").read_text("utf-8")
    table = page.split("## What a plugin imports", 1)[1].split("\n## ", 1)[0]
    documented = set(re.findall(r"`(\w+)`", table))
    assert documented == set(plugin.__all__)
    assert all(hasattr(plugin, name) for name in plugin.__all__)


def test_door_brings_nothing_heavy() -> None:
    """A plugin is imported by every command: what only some of them need stays out."""
    heavy = {"httpx", "yaml", "click", "structlog", "cachetools", "cryptography", "sqlite3", "z3", "duckdb"}
    script = f"import sys; import adjudge.plugin; print(sorted({heavy!r} & set(sys.modules)))"
    said = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=300, check=True)
    assert said.stdout.strip() == "[]"


def test_what_plugin_authors_are_shown_imports_the_door_and_the_tools_for_tests_alone() -> None:
    shown = [ROOT / "docs" / "plugins.md", *(ROOT / "examples" / "hello_plugin").glob("*.py")]
    used = {
        module for path in shown for module in re.findall(r"^(?:from|import) (adjudge[.\w]*)", path.read_text(), re.M)
    }
    assert used - {"adjudge_hello"} == {"adjudge.plugin", "adjudge.testing"}
