from __future__ import annotations

from pathlib import Path
from typing import Any

UGLY = "policy:   other\npolicy_language: 1\nrules: [{then: review,   id: a, when: true}]\n"


def test_format_writes_the_house_form_and_keeps_the_mode(run: Any, folder: Path) -> None:
    ugly = folder / "ugly.yaml"
    ugly.write_text(UGLY)
    ugly.chmod(0o640)
    assert run("format", "ugly.yaml", "--check").exit_code == 1
    assert ugly.read_text() == UGLY
    assert "+policy: other" in run("format", "ugly.yaml", "--diff").stdout
    result = run("format", ".")
    assert result.exit_code == 0
    assert ugly.read_text() == "policy_language: 1\npolicy: other\nrules: [{id: a, when: true, then: review}]\n"
    assert ugly.stat().st_mode & 0o777 == 0o640
    assert run("format", ".", "--check").exit_code == 0
    assert [file.name for file in folder.iterdir() if file.name.startswith(".")] == []


def test_format_of_standard_input_prints_it(run: Any, folder: Path) -> None:
    assert run("format", "-", input=UGLY).stdout.startswith("policy_language: 1\npolicy: other\n")


def test_format_leaves_what_does_not_parse(run: Any, folder: Path) -> None:
    (folder / "broken.yaml").write_text("policy: {\n")
    result = run("format", "broken.yaml")
    assert result.exit_code == 2
    assert "broken.yaml:" in result.stderr
    assert (folder / "broken.yaml").read_text() == "policy: {\n"
    assert run("format", "nowhere.yaml").exit_code == 2


def test_format_of_a_folder_passes_over_nothing(run: Any, folder: Path) -> None:
    (folder / "empty").mkdir()
    result = run("format", "--check", "empty")
    assert (result.exit_code, result.stdout) == (2, "")
    assert "no policy or test file in empty" in result.stderr
    (folder / "broken.yaml").write_text("policy_language: 1\npolicy: x\nrules: [\n")
    (folder / "latin.yaml").write_bytes(b"policy: caf\xe9\n")
    result = run("format", "--check", ".")
    assert result.exit_code == 2
    assert "broken.yaml:" in result.stderr and "latin.yaml:" in result.stderr


def test_format_keeps_the_line_ends_of_windows(run: Any, folder: Path) -> None:
    ugly = folder / "ugly.yaml"
    ugly.write_bytes(UGLY.replace("\n", "\r\n").encode())
    assert run("format", "ugly.yaml").exit_code == 0
    text = ugly.read_bytes()
    assert text.startswith(b"policy_language: 1\r\npolicy: other\r\n")
    assert text.count(b"\n") == text.count(b"\r\n")
    assert run("format", "--check", "ugly.yaml").exit_code == 0
