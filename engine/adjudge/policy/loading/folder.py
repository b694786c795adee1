"""What lies below a folder of policies: its documents in the order of their names, told apart by their keys."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

from adjudge.errors import PolicyError, PolicyErrors
from adjudge.policy.loading.load import read_source
from adjudge.policy.text.yaml import Mapping, read_yaml
from adjudge.source import Source, Span

ENDINGS = (".yaml", ".yml")
TEST_ENDINGS = ("_test.yaml", "_test.yml")
FILES_MAX = 10_000
"""Files and folders below a folder of policies; one that has more was not meant."""
_OF_A_POLICY = frozenset({"policy_language", "rules", "thresholds", "scorecard", "scorecards"})

Kind = Literal["policy", "tests", "fragment", "configuration", "unreadable", "other"]


def is_test_file(path: Path) -> bool:
    """Whether a file's name says that it holds tests."""
    return path.name.endswith(TEST_ENDINGS)


def kind_of(file: Path) -> Kind:
    """Return what a YAML file holds, by its name and its keys. `unreadable`: nothing that has keys, such as nothing."""
    if is_test_file(file):
        return "tests"
    try:
        root, _ = read_yaml(read_source(file, "document"))
    except PolicyErrors:
        return "unreadable"
    keys = frozenset(key.text.value for key, _ in root.entries) if isinstance(root, Mapping) else frozenset()
    if not keys:
        return "unreadable"
    if "fragment" in keys:
        return "fragment"
    if keys & _OF_A_POLICY:
        return "policy"
    return "configuration" if "policies" in keys else "other"


def files_below(folder: Path) -> Iterator[Path]:
    """Yield the files below a folder in the order of their names, those of folders within among them.

    What is hidden is left out, and so are folders that are links. Raises PolicyErrors where it cannot be read, or holds
    more than FILES_MAX.
    """
    found: list[Path] = []
    count = 0
    for at, folders, names in os.walk(folder, onerror=lambda error: _cannot(folder, _said(error))):
        folders[:] = [name for name in folders if not name.startswith(".")]
        count += len(folders) + len(names)
        if count > FILES_MAX:
            _cannot(folder, f"it holds more than {FILES_MAX:,} files")
        found += [Path(at, name) for name in names if not name.startswith(".")]
    yield from sorted(file for file in found if file.is_file())


def documents_below(folder: Path) -> Iterator[tuple[Path, Kind]]:
    """Yield the YAML files below a folder, and what each holds; as `files_below`."""
    for file in files_below(folder):
        if file.suffix in ENDINGS:
            yield file, kind_of(file)


def policies_below(folder: Path) -> tuple[Path, ...]:
    """Return the policies below a folder, in the order of their names; what cannot be read may be one.

    Tests, fragments, configurations and other YAML are left alone. Raises PolicyErrors as `files_below`, and where
    there is none.
    """
    found = tuple(file for file, kind in documents_below(folder) if kind in ("policy", "unreadable"))
    if not found:
        _cannot(folder, "it holds no policy")
    return found


def _said(error: OSError) -> str:
    return (error.strerror or str(error)).lower()


def _cannot(folder: Path, why: str) -> None:
    message = f"cannot read the folder of policies: {why}"
    raise PolicyErrors([PolicyError("yaml-file", message, source=Source(str(folder), ""), span=Span(0, 0))])
