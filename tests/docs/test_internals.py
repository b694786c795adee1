"""docs/internals.md names what is there: every path, every name in its file, and every room of the engine."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from docs.pages import ROOT

PAGE = (ROOT / "docs" / "internals.md").read_text("utf-8")
ENGINE = ROOT / "engine" / "adjudge"
PATHS = sorted(
    {path for path in re.findall(r"`([\w.-]+(?:/[\w.-]*)*)`", PAGE) if re.search(r"/|\.(py|md|toml|yaml)$", path)}
)


def found(path: str) -> Path | None:
    """Return the file or folder that the page means: of the repository, or below the engine's root."""
    return next((whole for whole in (ROOT / path, ENGINE / path) if whole.exists()), None)


@pytest.mark.parametrize("path", PATHS)
def test_path_that_the_page_names_exists(path: str) -> None:
    assert found(path) is not None or path == "adjudge.yaml"


def test_name_that_the_page_finds_in_a_file_is_there() -> None:
    named = re.findall(r"`(\w+)` (?:of|in) `([\w./-]+\.py)`", " ".join(PAGE.split()))

    assert len(named) > 5
    assert [(name, path) for name, path in named if not re.search(rf"\b{name}\b", found(path).read_text("utf-8"))] == []  # type: ignore[union-attr]


def test_mutation_checks_are_shown_on_modules_and_tests_that_are_there() -> None:
    texts = [(ROOT / name).read_text("utf-8") for name in ("CONTRIBUTING.md", ".ci/mutants")]
    shown = re.findall(r"\.ci/mutants '([\w./]+)' (tests/[\w./]+)", " ".join(texts))

    assert len(shown) == 2
    assert all((ENGINE / module).exists() and (ROOT / test).exists() for module, test in shown)


def test_every_room_of_the_engine_is_in_the_table() -> None:
    table = PAGE.partition("| room | holds |")[2].partition("\n\n")[0]
    told = set(re.findall(r"`([\w.]+?)/?`", "".join(line.split("|")[1] for line in table.splitlines()[2:])))
    rooms = {path.name for path in ENGINE.iterdir() if path.suffix == ".py" or (path / "__init__.py").exists()}

    assert told == rooms - {"__init__.py", "__main__.py"}


def test_table_of_rooms_goes_down_as_imports_do() -> None:
    layers = re.findall(r'(?m)^  "([^"]+)",$', (ROOT / "pyproject.toml").read_text("utf-8").partition("layers = [")[2])
    depth = {room.strip(" ()"): at for at, layer in enumerate(layers) for room in layer.split(":")}
    table = PAGE.partition("| room | holds |")[2].partition("\n\n")[0]
    rows = [re.findall(r"`(\w+)(?:/|\.py)`", line.split("|")[1]) for line in table.splitlines()[2:]]
    depths = [depth[room] for row in rows for room in row]

    assert depths == sorted(depths)
