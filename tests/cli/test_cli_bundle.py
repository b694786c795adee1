"""`adjudge bundle`: made of what is right and tested, signed, opened as a service does, and shown."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from cli_documents import POLICY, TESTS


@pytest.fixture
def inside(folder: Path, run: Any) -> Path:
    """A folder of a policy with its tests, and keys beside it."""
    for name in ("one", "two"):
        assert run("audit", "keygen", name).exit_code == 0
    made = folder / "inside"
    made.mkdir()
    (made / "policy.yaml").write_text(POLICY)
    (made / "policy_test.yaml").write_text(TESTS)
    (made / ".hidden").write_text("x")
    return made


def make(run: Any, *more: object) -> Any:
    return run("bundle", "make", "inside", "--name", "risk", "--counter", 7, "--made-at", "2026-05-01T12:00:00Z", *more)


def test_bundle_is_made_signed_verified_and_shown(inside: Path, run: Any) -> None:
    made = make(run, "--key", "one")
    assert made.exit_code == 0 and made.stdout.startswith("risk.tar.gz: risk 7, 1 policy, 2 files, signed with ")
    first = Path("risk.tar.gz").read_bytes()
    assert make(run, "--key", "one").exit_code == 0 and Path("risk.tar.gz").read_bytes() == first
    verified = run("bundle", "verify", "risk.tar.gz", "--key", "one.pub", "--name", "risk", "--format", "json")
    facts = json.loads(verified.stdout)
    assert (facts["bundle"], facts["counter"], facts["made_at"]) == ("risk", 7, "2026-05-01T12:00:00Z")
    assert [file["name"] for file in facts["files"]] == ["policy.yaml", "policy_test.yaml"]
    assert "2 files" in run("bundle", "verify", "risk.tar.gz", "--key", "two.pub", "--key", "one.pub").stdout
    shown = run("bundle", "show", "risk.tar.gz").stdout.splitlines()
    assert shown[:2] == ["risk 7, made at 2026-05-01 12:00:00 UTC", f"signed with {facts['key']}"]
    assert json.loads(run("bundle", "show", "risk.tar.gz", "--format", "json").stdout)["signed_by"] == [facts["key"]]


def test_bundle_is_signed_elsewhere_and_again(inside: Path, run: Any) -> None:
    assert "not signed yet" in make(run).stdout
    assert run("bundle", "show", "risk.tar.gz").stdout.splitlines()[1] == "not signed"
    refused = run("bundle", "verify", "risk.tar.gz", "--key", "one.pub")
    assert refused.exit_code == 2 and "error[bundle-refused]: it is not signed" in refused.stderr
    for key in ("one", "two"):
        assert run("bundle", "sign", "risk.tar.gz", "--key", key).exit_code == 0
        assert run("bundle", "verify", "risk.tar.gz", "--key", f"{key}.pub").exit_code == 0
    wrong = run("bundle", "verify", "risk.tar.gz", "--key", "one.pub", "--name", "other")
    assert wrong.exit_code == 2 and "it is the bundle `risk`" in wrong.stderr


def test_no_bundle_is_made_of_what_is_wrong(inside: Path, run: Any) -> None:
    (inside / "policy_test.yaml").write_text(TESTS.replace("expect: pass", "expect: reject"))
    failed = make(run)
    assert failed.exit_code == 1 and "1 test failed, so no bundle was made" in failed.stdout
    assert not Path("risk.tar.gz").exists()
    assert make(run, "--no-tests").exit_code == 0
    Path("risk.tar.gz").unlink()
    (inside / "policy.yaml").write_text(POLICY.replace("device.emulator,", "device.emulatr,"))
    wrong = make(run, "--no-tests")
    assert wrong.exit_code == 2 and "inside/policy.yaml:" in wrong.stderr and not Path("risk.tar.gz").exists()


@pytest.mark.parametrize(
    ("name", "text", "why"),
    [
        ("risk.key", "-----BEGIN PRIVATE KEY-----", "holds a private key"),
        ("größe.txt", "x", "is no name of a file"),
        ("a b.txt", "x", "is no name of a file"),
    ],
)
def test_file_that_has_no_place_in_a_bundle_is_told(inside: Path, run: Any, name: str, text: str, why: str) -> None:
    (inside / name).write_text(text)
    refused = make(run)
    assert refused.exit_code == 2 and why in refused.stderr and not Path("risk.tar.gz").exists()


def test_what_is_no_bundle_or_key_is_told(inside: Path, run: Any) -> None:
    Path("risk.tar.gz").write_text("x" * 20)
    for arguments in (("show", "risk.tar.gz"), ("sign", "risk.tar.gz", "--key", "one")):
        said = run("bundle", *arguments)
        assert said.exit_code == 2 and "it is no gzip" in said.stderr
    assert run("bundle", "verify", "risk.tar.gz", "--key", "risk.tar.gz").exit_code == 2
    assert run("bundle", "make", "inside", "--name", "Not So").exit_code == 2
