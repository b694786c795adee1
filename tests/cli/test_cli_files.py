"""Every command that writes a file: whole or not at all, through links, with status 4 where it cannot."""

from __future__ import annotations

from pathlib import Path

import pytest

from adjudge.cli.streams import UNDELIVERED
from conftest import Run

UGLY = """\
policy_language: 1
policy: onboarding
inputs: {country: string}
rules: # lint: allow unused-input
  - {id: a,   when: 'country == "KP"', then: reject}
"""


def write_policy(folder: Path) -> Path:
    (folder / "real").mkdir()
    (folder / "real" / "p.yaml").write_text(UGLY)
    (folder / "real" / "p_test.yaml").write_text(
        "policy: p.yaml\ntests:\n  - {name: one, given: {inputs: {country: SG}}, expect: pass}\n"
    )
    (folder / "p.yaml").symlink_to("real/p.yaml")
    (folder / "p_test.yaml").symlink_to("real/p_test.yaml")
    return folder / "real"


WRITERS = {
    "format": (["format", "p.yaml"], "p.yaml"),
    "check --fix": (["check", "--fix", "p.yaml"], "p.yaml"),
    "test --suggest": (["test", "p_test.yaml", "--suggest", "--write"], "p_test.yaml"),
}
"""Commands that change a file that is there: what to run, and which file."""


@pytest.mark.parametrize("name", WRITERS)
def test_file_behind_a_link_is_changed_and_the_link_stays(folder: Path, run: Run, name: str) -> None:
    arguments, changed = WRITERS[name]
    real = write_policy(folder)
    before = (real / changed).read_text()
    (real / changed).chmod(0o600)
    assert run(*arguments).exit_code in (0, 1)
    assert (folder / changed).is_symlink()
    assert (real / changed).read_text() != before
    assert (real / changed).stat().st_mode & 0o777 == 0o600
    assert {path.name for path in real.iterdir()} == {"p.yaml", "p_test.yaml"}


@pytest.mark.parametrize("name", WRITERS)
def test_file_stands_where_the_disk_is_full(folder: Path, run: Run, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(handle: int) -> None:
        raise OSError(28, "No space left on device")

    arguments, changed = WRITERS[name]
    real = write_policy(folder)
    before = (real / changed).read_text()
    monkeypatch.setattr("os.fsync", full)
    result = run(*arguments)
    assert result.exit_code == UNDELIVERED
    assert f"error[undelivered]: cannot write {changed}: no space left on device" in result.stderr
    assert (real / changed).read_text() == before
    assert {path.name for path in real.iterdir()} == {"p.yaml", "p_test.yaml"}


@pytest.mark.parametrize(
    "arguments",
    [
        ["test", "policy.yaml", "--junit", "/dev/full"],
        ["backtest", "policy.yaml", "log", "--format", "html", "-o", "/dev/full"],
    ],
)
def test_report_that_cannot_be_written_is_said(log: Path, run: Run, arguments: list[str]) -> None:
    if not Path("/dev/full").exists():
        pytest.skip("this system has no /dev/full")
    result = run(*arguments)
    assert result.exit_code == UNDELIVERED
    assert "cannot write /dev/full: no space left on device" in result.stderr


def test_new_writes_through_no_link(folder: Path, run: Run) -> None:
    (folder / "fresh.yaml").symlink_to("elsewhere.yaml")
    result = run("new", "fresh", "--yes")
    assert result.exit_code == 2
    assert "already exists" in result.stderr
    assert not (folder / "elsewhere.yaml").exists()
