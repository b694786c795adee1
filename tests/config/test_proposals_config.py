"""The `proposals:` of a configuration."""

from __future__ import annotations

from pathlib import Path

import pytest

from adjudge.config.file import read_config
from adjudge.errors import PolicyErrors
from adjudge.proposals.settings import ProposalSettings


def config(folder: Path, said: str) -> Path:
    path = folder / "adjudge.yaml"
    path.write_text(f"policies: [one.yaml]\n{said}\n")
    return path


@pytest.mark.parametrize(
    ("said", "settings"),
    [
        ("", None),
        ("proposals: {}", ProposalSettings()),
        ("proposals: {four_eyes: false}", ProposalSettings()),
        ("proposals: {four_eyes: true}", ProposalSettings(four_eyes=True)),
    ],
)
def test_configuration_says_whether_versions_are_proposed(
    tmp_path: Path, said: str, settings: ProposalSettings | None
) -> None:
    assert read_config(config(tmp_path, said)).proposals == settings


@pytest.mark.parametrize("said", ["proposals: {four_eye: true}", "proposals: {four_eyes: yes}", "proposals: true"])
def test_mistake_is_never_taken_for_two_eyes(tmp_path: Path, said: str) -> None:
    with pytest.raises(PolicyErrors):
        read_config(config(tmp_path, said))
