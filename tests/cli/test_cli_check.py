from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from cli_documents import POLICY

from adjudge import AdjudgeError, Engine

BROKEN = POLICY.replace("device.score: {review: 70, reject: 90}", "device.scoer: {review: 70, reject: 90}").replace(
    "when: device.emulator, then: review", "when: device.emulatr, then: reveiw"
)


def test_check_good_documents_says_what_they_hold(run: Any, folder: Path) -> None:
    (folder / "adjudge.yaml").write_text("policies: [policy.yaml]\n")
    (folder / "other.yaml").write_text("colour: red\n")
    (folder / ".hidden").mkdir()
    (folder / ".hidden" / "bad.yaml").write_text("rules: {")
    result = run("check", ".")
    assert result.exit_code == 0
    assert result.stdout == "adjudge.yaml: ok (1 policy)\npolicy.yaml: ok (4 rules)\npolicy_test.yaml: ok (2 tests)\n"


def test_check_bad_policy_shows_all_errors_and_is_status_2(
    run: Any, folder: Path, golden: Callable[[str, str], None]
) -> None:
    (folder / "policy.yaml").write_text(BROKEN)
    (folder / "also.yaml").write_text("policy_language: 1\npolicy: also\nrules: []\n")
    result = run("check", "policy.yaml", "policy_test.yaml", "also.yaml")
    assert result.exit_code == 2
    golden("cli/check_bad_policy.txt", result.stdout)


def test_check_json_is_a_list_of_errors(run: Any, folder: Path) -> None:
    (folder / "policy.yaml").write_text(BROKEN)
    result = run("check", "policy.yaml", "--format", "json")
    assert result.exit_code == 2
    errors = json.loads(result.stdout)
    assert [error["code"] for error in errors] == ["name-unknown", "name-unknown", "schema-value"]
    assert errors[0] == {
        "code": "name-unknown",
        "severity": "error",
        "message": "there is no field `device.scoer`",
        "file": "policy.yaml",
        "line": 9,
        "column": 3,
        "hint": "did you mean `device.score`?",
        "fix": [{"line": 9, "column": 3, "end_line": 9, "end_column": 15, "text": "device.score"}],
    }


def test_check_json_of_good_documents_is_an_empty_list(run: Any, folder: Path) -> None:
    result = run("check", "policy.yaml", "--format", "json")
    assert (result.exit_code, json.loads(result.stdout)) == (0, [])


def test_check_folder_without_documents_is_status_2(run: Any, folder: Path) -> None:
    (folder / "empty").mkdir()
    result = run("check", "empty")
    assert result.exit_code == 2
    assert "no policy or test file in empty" in result.stderr


def test_check_damaged_yaml_in_a_folder_is_found(run: Any, folder: Path) -> None:
    (folder / "damaged.yaml").write_bytes(b"policy: \xff\n")
    result = run("check", ".")
    assert result.exit_code == 2
    assert "damaged.yaml:1:9: error[yaml-encoding]" in result.stdout


def test_check_configuration_with_limits_of_a_stranger_is_status_2(run: Any, folder: Path) -> None:
    (folder / "adjudge.yaml").write_text("policies: [policy.yaml]\nproviders: {aliyun.deepfaek: {rate: 1}}\n")
    result = run("check", "adjudge.yaml")
    assert result.exit_code == 2
    assert "adjudge.yaml:2:13: error[name-provider]: there is no provider `aliyun.deepfaek`" in result.stdout
    assert "did you mean `aliyun.deepfake`?" in result.stdout


@pytest.mark.parametrize(
    ("said", "wrong"),
    [
        ("policies: [polcy.yaml]", "polcy.yaml:1:1: error[yaml-file]: cannot read the policy"),
        ("policies: [adjudge.yaml]", "adjudge.yaml:1:1: error[schema-missing]: a policy needs `policy`"),
        ("policies: [policy.yaml, policy.yaml]", "error[name-duplicate]"),
        ('policies: ["a\\0b"]', "adjudge.yaml:1:12: error[schema-value]: `a\\u0000b` is not a path"),
        ('policies: [policy.yaml]\naudit: {directory: "a\\0b"}', "adjudge.yaml:2:20: error[schema-value]"),
        (
            'policies: [policy.yaml]\naudit: {directory: a, key: {file: "\\0"}}',
            "adjudge.yaml:2:35: error[schema-value]",
        ),
        ('policies: [policy.yaml]\nallow: {files: ["\\0"]}', "adjudge.yaml:2:17: error[schema-value]"),
        ("policies: ['shelf://x']", "error[name-plugin]: plugin `shelf`: no installed plugin offers the policy source"),
        ("policies: [policy.yaml]\nreaders: [{name: gone}]", "no installed plugin offers the reader `gone`"),
        ("policies: [policy.yaml]\nledger: {gone: {}}", "no installed plugin offers the ledger `gone`"),
        ("policies: [policy.yaml]\nobservers: [{name: gone}]", "there are no `observers` any more"),
        ("policies: [policy.yaml]\naudit: {directory: a, sinks: [{name: gone}]}", "`audit` has no `sinks` any more"),
        ("policies: [policy.yaml]\naudit: {directory: a, anchors: [{name: gone}]}", "an anchor is a file"),
        ("policies: [policy.yaml]\nowners: {lists: gone}", "plugin `gone`: does not offer `lists`"),
        ("policies: [policy.yaml]\nplugins: [gone]\nstrict_plugins: true", "plugin `gone`: is not installed"),
    ],
)
def test_check_configuration_finds_what_keeps_an_engine_from_opening(
    run: Any, folder: Path, said: str, wrong: str
) -> None:
    (folder / "adjudge.yaml").write_text(f"{said}\n")
    result = run("check", "adjudge.yaml")
    assert result.exit_code == 2
    assert wrong in result.stdout
    with pytest.raises(AdjudgeError):
        Engine.open("adjudge.yaml")
    assert not (folder / "a").exists()


def test_check_configuration_reads_policies_with_its_own_plugins(run: Any, folder: Path) -> None:
    (folder / "lists.yaml").write_text(
        "{policy_language: 1, policy: p, inputs: {a: string},"
        " signals: {s: {provider: lists, with: {x: {file: x.txt, of: inputs.a}}}},"
        " rules: [{id: x, when: s.x, then: reject}]}\n"
    )
    (folder / "adjudge.yaml").write_text("policies: [lists.yaml]\n")
    assert run("check", "adjudge.yaml").exit_code == 0
    (folder / "adjudge.yaml").write_text("policies: [lists.yaml]\nplugins: [http_json]\n")
    assert "error[name-provider]" in run("check", "adjudge.yaml").stdout


def test_check_fix_corrects_what_can_be_meant_in_one_way_only(run: Any, folder: Path) -> None:
    policy = folder / "typed.yaml"
    policy.write_text(
        "policy_language: 1\npolicy：p\ninputs: {a: int, b: string}\nrules:\n"
        "  - {id: a, when: a ＞ 5 AND b <> 'x', then: Review}\n  - {id: b, when: a > 5k, then: review}\n",
        "utf-8",
    )
    result = run("check", "--fix", "typed.yaml")
    assert "3 corrections" in result.stdout
    assert result.exit_code == 2
    assert policy.read_text("utf-8") == (
        "policy_language: 1\npolicy: p\ninputs: {a: int, b: string}\nrules:\n"
        '  - {id: a, when: a > 5 && b != "x", then: review}\n  - {id: b, when: a > 5k, then: review}\n'
    )


def test_check_fix_replaces_the_file_and_says_how_often(run: Any, folder: Path) -> None:
    head, ends = "policy_language: 1\npolicy: p\n", "rules:\n  - {id: a, when: a in lists.one, then: review}\n"
    unused = "  two:\n    - B\nvariables:\n  used: a == 'A'\n  unused: a in lists.two\n"
    policy = folder / "mend.yaml"
    policy.write_text(
        f"{head}inputs: {{a: string}}\nlists:\n  one: [A]\n{unused}{ends.replace('.one', '.one && used')}"
    )
    policy.chmod(0o640)
    result = run("check", "--fix", "mend.yaml")
    assert "mend.yaml: 2 fixes\nmend.yaml: ok (1 rule)" in result.stdout
    assert "two" not in policy.read_text() and "unused" not in policy.read_text()
    assert policy.stat().st_mode & 0o777 == 0o640
    before = policy.read_text()
    assert "fix" not in run("check", "--fix", "mend.yaml").stdout
    assert policy.read_text() == before
