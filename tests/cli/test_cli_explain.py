from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("z3", reason="needs the extra `proofs`")


def decisions(run: Any, log: Path) -> list[dict[str, Any]]:
    lines = run("audit", "show", log, "--format", "json").stdout.splitlines()
    return [record for record in map(json.loads, lines) if record["kind"] == "decision"]


def test_explain_says_why_and_what_would_have_changed_it(run: Any, log: Path) -> None:
    _, review, *_ = decisions(run, log)
    result = run("explain", log, review["decision_id"])
    assert result.exit_code == 0, result.stderr
    assert "because of DEVICE_SCORE" in result.stdout
    assert "pass with device.score: 75.0 → 69.9" in result.stdout


def test_explain_json_holds_both(run: Any, log: Path) -> None:
    _, review, *_ = decisions(run, log)
    document = json.loads(run("explain", log, review["decision_id"], "--format", "json").stdout)
    assert document["reasons"] == [{"code": "DEVICE_SCORE", "text": None, "in_doubt": False}]
    assert document["changes"]["ways"][0]["outcome"] == "pass"


TOLD = """policy_language: 1
policy: told
inputs: {age: int, country: string, hobbies: {type: list, of: string}}
rules:
  - {id: young, when: age < 18, then: review}
  - {id: outside, when: 'country == "KP"', then: reject}
  - {id: busy, when: size(hobbies) > 1, then: review, message: "does {hobbies}"}
reasons:
  YOUNG: {text: You are too young.}
  OUTSIDE: {text: We do not serve your country.}
"""


def told(run: Any, folder: Path, **inputs: object) -> Callable[..., str]:
    (folder / "told.yaml").write_text(TOLD)
    document = {"merchant_biz_id": "0" * 32, "scene_code": "a", "inputs": inputs}
    (folder / "told.json").write_text(json.dumps(document))
    assert (
        run("decide", folder / "told.json", "--policy", folder / "told.yaml", "--audit", folder / "log").exit_code == 0
    )
    (decision,) = decisions(run, folder / "log")
    return lambda *options: run("explain", folder / "log", decision["decision_id"], *options).stdout


def test_explain_tells_an_applicant_facts_and_no_doubts(run: Any, tmp_path: Path) -> None:
    explain = told(run, tmp_path, age=17)
    said = explain("--applicant")
    assert "too young" in said and "your country" not in said
    assert json.loads(explain("--applicant", "--format", "json"))["reasons"] == [{"text": "You are too young."}]


def test_explain_tells_an_applicant_in_doubt_no_reason(run: Any, tmp_path: Path) -> None:
    explain = told(run, tmp_path, hobbies=[])
    said = explain("--applicant")
    assert "not everything that is needed could be checked" in said
    assert "young" not in said and "country" not in said and "YOUNG" not in said
    document = json.loads(explain("--applicant", "--format", "json"))
    assert (document["in_doubt"], document["reasons"]) == (
        True,
        [{"text": "not everything that is needed could be checked"}],
    )
    assert "in doubt about YOUNG, OUTSIDE" in explain()


def test_explain_never_tells_an_applicant_a_code(run: Any, tmp_path: Path) -> None:
    explain = told(run, tmp_path, age=20, country="SG", hobbies=["chess", "golf"])
    assert "because of BUSY" in explain()
    assert "BUSY" not in explain("--applicant") and "BUSY" not in explain("--applicant", "--format", "json")


def test_explain_tells_an_applicant_a_neutral_text_where_the_policy_has_none(run: Any, tmp_path: Path) -> None:
    explain = told(run, tmp_path, age=20, country="SG", hobbies=["chess", "golf"])
    said = explain("--applicant")
    assert "this application is looked at by a person" in said or "cannot be accepted as it stands" in said
    assert json.loads(explain("--applicant", "--format", "json"))["reasons"] != []


def test_explain_reads_a_list_in_a_message_as_words(run: Any, tmp_path: Path) -> None:
    explain = told(run, tmp_path, age=20, country="SG", hobbies=["chess", "golf"])
    assert "“does chess, golf”" in explain()


def test_explain_says_of_a_message_in_doubt_that_it_may_not_be_so(run: Any, tmp_path: Path) -> None:
    assert "if it is so: “does unknown”" in told(run, tmp_path, age=20, country="SG")()


def test_explain_names_the_recorded_policy_by_its_digest_and_not_by_a_file(run: Any, tmp_path: Path) -> None:
    said = told(run, tmp_path, age=17)()
    digest = said.partition(" by told ")[2][:12]
    assert f"(told@{digest}:5)" in said and "told.yaml" not in said


def test_explain_tells_an_applicant_no_rules(run: Any, log: Path) -> None:
    _, review, *_ = decisions(run, log)
    said = run("explain", log, review["decision_id"], "--applicant").stdout
    assert "threshold:" not in said
    assert "no change of up to" in said


def test_explain_of_a_pass_has_nothing_to_change(run: Any, log: Path) -> None:
    passed, *_ = decisions(run, log)
    assert "what would have changed it" not in run("explain", log, passed["decision_id"]).stdout


def test_explain_of_another_id_says_so(run: Any, log: Path) -> None:
    result = run("explain", log, "nobody")
    assert result.exit_code == 2
    assert "holds no decision nobody" in result.stderr
