from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from cli_documents import TESTS

FAILING = TESTS + "  - {name: an emulator is refused, given: {device: {emulator: true}}, expect: reject}\n"


@pytest.mark.parametrize("path", ["policy_test.yaml", "policy.yaml", "."])
def test_test_finds_the_tests_of_a_file_a_policy_or_a_folder(run: Any, folder: Path, path: str) -> None:
    result = run("test", path)
    assert (result.exit_code, result.stdout) == (0, "policy_test.yaml: 2 of 2 tests passed\n")


def test_test_of_a_policy_leaves_other_policies_tests_alone(run: Any, folder: Path) -> None:
    (folder / "other.yaml").write_text("policy_language: 1\npolicy: other\nrules: []\n")
    (folder / "other_test.yaml").write_text("policy: other.yaml\ntests: [{name: passes, expect: pass}]\n")
    (folder / "damaged_test.yaml").write_text("{")
    assert run("test", "other.yaml").stdout == "other_test.yaml: 1 of 1 test passed\n"


def test_test_failure_shows_why(run: Any, folder: Path, golden: Callable[[str, str], None]) -> None:
    (folder / "policy_test.yaml").write_text(FAILING)
    result = run("test", "policy.yaml")
    assert result.exit_code == 1
    golden("cli/test_failure.txt", result.stdout)


def test_test_json_holds_every_test(run: Any, folder: Path) -> None:
    (folder / "policy_test.yaml").write_text(FAILING)
    result = run("test", ".", "--format", "json")
    assert result.exit_code == 1
    report = json.loads(result.stdout)
    assert (report["passed"], report["failed"]) == (2, 1)
    (file,) = report["files"]
    assert file["file"] == "policy_test.yaml"
    assert [test["passed"] for test in file["tests"]] == [True, True, False]
    assert file["tests"][2]["failures"] == [{"what": "outcome", "expected": "reject", "actual": "review"}]
    assert [rule["id"] for rule in file["tests"][2]["explanation"]] == [
        "threshold:device.score:reject",  # what was expected, and why it is not true
        "sanctioned-country",
        "emulator",  # what decided
    ]


def test_test_without_tests_is_status_2(run: Any, folder: Path) -> None:
    (folder / "policy_test.yaml").unlink()
    for path in (".", "policy.yaml"):
        result = run("test", path)
        assert result.exit_code == 2
        assert f"no tests for {path}: tests are in files named …_test.yaml" in result.stderr


def test_test_bad_test_file_is_status_2_and_every_error_stands_once(run: Any, folder: Path) -> None:
    (folder / "policy_test.yaml").write_text(TESTS.replace("score: 5", "scoer: 5"))
    result = run("test", ".", "policy_test.yaml")
    assert result.exit_code == 2
    assert result.stderr.count("error[") == 1
    assert "policy_test.yaml:4:12: error[test-field]: `scoer` is not a field of `device`" in result.stderr


def test_test_coverage_names_what_no_test_tries(run: Any, folder: Path) -> None:
    result = run("test", ".", "--coverage")
    assert result.exit_code == 0
    assert "policy.yaml: coverage" in result.stdout
    assert "sanctioned-country: never true" in result.stdout


@pytest.mark.parametrize(("least", "status"), [("10", 0), ("100", 1)])
def test_test_coverage_min_is_a_gate(run: Any, folder: Path, least: str, status: int) -> None:
    result = run("test", ".", "--coverage-min", least)
    assert result.exit_code == status
    assert ("at least 100% is asked for" in result.stdout) is bool(status)


def test_test_suggestions_are_written_for_the_author_to_fill_in(run: Any, folder: Path) -> None:
    before = (folder / "policy_test.yaml").read_text()
    assert run("test", ".", "--suggest").stdout.startswith("  - name: ")
    assert (folder / "policy_test.yaml").read_text() == before
    assert run("test", ".", "--suggest", "--write").exit_code == 0
    text = (folder / "policy_test.yaml").read_text()
    assert text.startswith(before)
    assert run("test", ".").exit_code == 2
    (folder / "policy_test.yaml").write_text(text.replace("expect: # today: ", "expect: "))
    assert run("test", ".", "--coverage-min", "100").exit_code == 0
    assert run("test", ".", "--write").exit_code == 2


@pytest.mark.parametrize(
    "text",
    [
        "policy: policy.yaml\ntests:\n- name: one\n  expect: review\n# the end\n",
        "policy: policy.yaml\ntests: # all\n    - name: one\n      expect: review",
        "policy: policy.yaml\ntests:\n  - {name: one, expect: review} # first\n\n# usual\ndefaults: {inputs: {}}\n",
        "policy: policy.yaml\r\ntests:\r\n  - {name: one, expect: review}\r\n",
        "policy: policy.yaml\ntests:\n  - name: one\n    expect: review\n    description: |\n      why\n\ndefaults: {}",
    ],
)
def test_test_suggestions_are_written_where_the_tests_stand(run: Any, folder: Path, text: str) -> None:
    file = folder / "policy_test.yaml"
    file.write_bytes(text.encode())
    assert run("test", ".", "--suggest", "--write").exit_code == 0
    after = file.read_bytes().decode()
    assert after.count("\n") == after.count("\r\n") or "\r" not in text
    file.write_bytes(after.replace("expect: # today: ", "expect: ").encode())
    assert run("test", ".").exit_code == 0
    assert run("test", ".", "--suggest").stdout == ""


def test_test_suggestions_leave_a_file_alone_that_would_not_load(run: Any, folder: Path) -> None:
    text = "policy: policy.yaml\ntests: [{name: one, expect: review}]\n"
    (folder / "policy_test.yaml").write_text(text)
    result = run("test", ".", "--suggest", "--write")
    assert result.exit_code == 2
    assert "write each test after a dash first" in result.stderr
    assert (folder / "policy_test.yaml").read_text() == text


def test_test_suggestions_heed_the_policys_other_tests(run: Any, folder: Path) -> None:
    assert run("test", ".", "--suggest", "--write").exit_code == 0
    file = folder / "policy_test.yaml"
    (folder / "more_test.yaml").write_text(file.read_text().replace("expect: # today: ", "expect: "))
    file.write_text(TESTS)
    for path in (".", "policy.yaml"):
        assert run("test", path, "--suggest").stdout == ""


def test_test_writes_junit(run: Any, folder: Path) -> None:
    assert run("test", ".", "--coverage", "--junit", "out.xml").exit_code == 0
    text = (folder / "out.xml").read_text()
    assert '<testsuite name="policy_test.yaml" tests="2"' in text
    assert 'name="coverage of policy.yaml"' in text
    gaps = text.split('name="coverage of policy.yaml"')[1]
    assert "<skipped" in gaps
    assert "<failure" not in gaps
    assert run("test", ".", "--coverage-min", "100", "--junit", "out.xml").exit_code == 1
    assert "<failure" in (folder / "out.xml").read_text()


def test_test_junit_that_cannot_be_written_is_status_2(run: Any, folder: Path) -> None:
    result = run("test", ".", "--junit", "nowhere/out.xml")
    assert result.exit_code == 2
    assert "nowhere/out.xml: there is no folder nowhere\n" in result.stderr


@pytest.mark.parametrize("name", ["a" * 5000, r'"a\0b"'])
def test_test_of_a_policy_that_can_be_no_file_is_status_2(run: Any, folder: Path, name: str) -> None:
    (folder / "odd_test.yaml").write_text(f"policy: {name}\ntests: [{{name: one, expect: pass}}]\n")
    for command in ("test", "check"):
        result = run(command, ".")
        assert result.exit_code == 2
        assert "there is no policy" in result.output
        assert run(command, "policy.yaml").exit_code == 0


def test_test_suggest_begins_the_tests_of_a_policy_without_any(run: Any, tmp_path: Path) -> None:
    policy = tmp_path / "p.yaml"
    policy.write_text(
        "policy_language: 1\npolicy: p\ninputs: {n: int}\nrules:\n  - {id: r, when: n > 3, then: review}\n"
    )
    begun = "policy: p.yaml\ntests:\n  - name: nothing is known\n    expect: review\n"
    assert run("test", policy, "--suggest").stdout.startswith(begun)
    assert not (tmp_path / "p_test.yaml").exists()
    assert run("test", policy, "--suggest", "--write").exit_code == 0
    assert (tmp_path / "p_test.yaml").read_text("utf-8").startswith(begun)
    assert run("test", policy).exit_code == 2
