"""Every file in `invalid/` has one mistake; its first line names the code, a golden text shows what an author reads."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from adjudge.errors import PolicyErrors
from adjudge.policy.catalogue import Catalogue
from adjudge.policy.loading.load import read_policy_file

ROOT = Path(__file__).parent.parent.parent
FILES = sorted((Path(__file__).parent / "invalid").glob("*.yaml"))
WITHOUT_A_FILE = {"yaml-file", "yaml-size", "list-folder", "list-size", "list-encoding", "syntax-length"} | {
    "include-folder",
    "name-plugin",
    "name-policy",
    "include-size",
    "table-folder",
    "table-size",
}
"""What no small file beside its lists can show; `test_load`, `test_yaml` and the tests of configurations do."""


def code_of(path: Path) -> str:
    found = re.search(rb"# code: (\S+)", path.read_bytes().splitlines()[0])
    assert found, f"{path.name} does not say its code"
    return found.group(1).decode()


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_invalid_policy_one_mistake_gives_one_error(
    path: Path, catalogue: Catalogue, golden: Callable[[str, str], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(path.parent)
    with pytest.raises(PolicyErrors) as caught:
        read_policy_file(path.name, catalogue)
    assert [error.code for error in caught.value.errors] == [code_of(path)]
    golden(f"policy/{path.stem}.txt", caught.value.render())


def test_error_codes_of_the_corpus_are_those_of_the_documentation() -> None:
    documented = set(re.findall(r"^\| `([a-z-]+)` \|", (ROOT / "docs" / "policy-errors.md").read_text("utf-8"), re.M))
    assert documented == {code_of(path) for path in FILES} | WITHOUT_A_FILE


def test_error_codes_of_the_documentation_are_those_of_the_code() -> None:
    """Whatever code the engine can give stands in the documentation, and nothing else."""
    families = "yaml|schema|name|type|threshold|list|include|table"
    given = set()
    for path in (ROOT / "engine" / "adjudge").rglob("*.py"):
        text = path.read_text("utf-8")
        given |= set(re.findall(rf'"((?:{families})-[a-z-]+)"', text))
        given |= {f"syntax-{code}" for code in re.findall(r'(?:failure|self\.fail)\(\s*"([a-z]+)"', text)}
    documented = set(re.findall(r"^\| `([a-z-]+)` \|", (ROOT / "docs" / "policy-errors.md").read_text("utf-8"), re.M))
    assert documented == given
