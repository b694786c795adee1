from __future__ import annotations

import base64
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from cli_documents import BIZ_ID, request_document

JPEG = Path(__file__).parents[2] / "engine/adjudge/cli/demo/face.jpg"


def decide(run: Any, folder: Path, document: Any, *options: str) -> Any:
    (folder / "request.json").write_text(document if isinstance(document, str) else json.dumps(document))
    return run("decide", "request.json", "--policy", "policy.yaml", *options)


@pytest.mark.parametrize(
    ("name", "changes"),
    [
        ("pass", {}),
        ("reject", {"inputs": {"country": "KP"}}),
        ("in_doubt", {"signals": {"device": {"score": "72.0"}}}),
    ],
)
def test_decide_says_why(
    run: Any,
    folder: Path,
    golden: Callable[[str, str], None],
    steady: Callable[[str], str],
    name: str,
    changes: dict[str, Any],
) -> None:
    result = decide(run, folder, request_document(**changes), "--audit", "log")
    assert (result.exit_code, result.stderr) == (0, "")
    golden(f"cli/decide_{name}.txt", steady(result.stdout))


def test_decide_json_is_one_document(run: Any, folder: Path) -> None:
    result = decide(run, folder, request_document(signals={}), "--format", "json", "--audit", "log")
    decision = json.loads(result.stdout)
    assert decision["outcome"] == "review" and decision["merchant_biz_id"] == f"{BIZ_ID}1"
    assert (decision["lower"], decision["upper"], decision["settled"]) == ("pass", "reject", False)
    assert decision["unresolved"] == ["threshold:device.score:review", "threshold:device.score:reject", "emulator"]
    assert decision["missing"] == ["device"]
    assert decision["signals"]["device"]["status"] == "not_provided"
    assert decision["notes"] == []


def test_decide_without_log_says_that_nothing_was_recorded(run: Any, folder: Path) -> None:
    assert "note       not recorded: the engine has no audit log" in decide(run, folder, request_document()).stdout


def test_decide_again_in_another_run_is_a_duplicate_from_the_log(run: Any, folder: Path) -> None:
    first = json.loads(decide(run, folder, request_document(), "--audit", "log", "--format", "json").stdout)
    again = json.loads(decide(run, folder, request_document(), "--audit", "log", "--format", "json").stdout)
    assert again["decision_id"] == first["decision_id"]
    assert again["status"] == "duplicate"


def test_decide_conflict_is_a_finding(run: Any, folder: Path) -> None:
    decide(run, folder, request_document(), "--audit", "log")
    result = decide(run, folder, request_document(inputs={"country": "DE"}), "--audit", "log")
    assert result.exit_code == 1
    assert result.stderr.startswith("error[merchant-biz-id-conflict]: ")


def test_decide_face_of_the_document_is_relative_to_it(run: Any, folder: Path) -> None:
    (folder / "requests").mkdir()
    (folder / "face.jpg").write_bytes(JPEG.read_bytes())
    (folder / "requests/one.json").write_text(json.dumps(request_document(face={"file": "../face.jpg"})))
    result = run("decide", "requests/one.json", "--policy", "policy.yaml", "--audit", "log")
    assert result.exit_code == 0
    shown = run("audit", "show", "log", "--format", "json", "--last", "2")
    assert json.loads(shown.stdout.splitlines()[0])["face"]["width"] == 480


def test_decide_face_option_goes_before_the_documents(run: Any, folder: Path) -> None:
    (folder / "face.jpg").write_bytes(JPEG.read_bytes())
    document = request_document(face={"base64": base64.b64encode(b"other").decode()})
    assert decide(run, folder, document, "--audit", "log", "--face", "face.jpg").exit_code == 0
    shown = json.loads(run("audit", "show", "log", "--format", "json", "--last", "2").stdout.splitlines()[0])
    assert shown["face"]["size"] == JPEG.stat().st_size


def test_decide_by_configuration(run: Any, folder: Path) -> None:
    (folder / "adjudge.yaml").write_text("policies: [policy.yaml]\naudit: {directory: log}\n")
    result = run("decide", "request.json", "--config", "adjudge.yaml")
    assert result.exit_code == 0 and result.stdout.startswith("PASS")
    assert (folder / "log/audit-000001.jsonl").is_file()
    assert run("decide", "request.json", "--config", "adjudge.yaml", "--audit", "log").exit_code == 2
    assert run("decide", "request.json", "--config", "adjudge.yaml", "--policy", "policy.yaml").exit_code == 2


@pytest.mark.parametrize(
    ("document", "said"),
    [
        ("", "line 1, column 1: is not JSON: expecting value"),
        (
            '{"merchant_biz_id": "x",\n "scene_code" "y"}',
            "line 2, column 15: is not JSON: a `:` is missing before this",
        ),
        ("[]", "a request must be a JSON object"),
        (request_document(merchant_biz_id="short"), "merchant_biz_id: must be 32 letters or digits"),
        (request_document(merchant_biz_id=7), "merchant_biz_id: must be a string, not a number"),
        (request_document(scenecode="x"), "scenecode: unknown key\n   hint: did you mean `scene_code`?"),
        (request_document(inputs=[]), "inputs: must be an object, not a list"),
        (request_document(inputs={"contry": "SG"}), "inputs.contry: is not declared"),
        (request_document(signals={"device": 3}), "signals.device: must be an object, not a number"),
        (request_document(signals={"devise": {}}), "did you mean `device`?"),
        (request_document(face={"fiel": "x"}), "face.fiel: unknown key\n   hint: did you mean `file`?"),
        (request_document(face={"file": "nowhere.jpg"}), "face.file: cannot read nowhere.jpg: No such file"),
        (request_document(face={"file": "."}), "face.file: cannot read .: Is a directory"),
        (request_document(face={"base64": "???"}), "face.base64: is not plain Base64"),
        (request_document(policy="other"), "policy: there is no policy `other`"),
    ],
)
def test_decide_bad_request_is_one_error_and_nothing_is_recorded(
    run: Any, folder: Path, document: Any, said: str
) -> None:
    result = decide(run, folder, document, "--audit", "log")
    assert result.exit_code == 2
    assert result.stderr.startswith("error[request]: ") and said in result.stderr
    assert result.stdout == ""
    log = folder / "log/audit-000001.jsonl"
    assert not log.exists() or not log.read_bytes()


def test_decide_bad_policy_is_rendered_with_its_place(run: Any, folder: Path) -> None:
    (folder / "policy.yaml").write_text("policy_language: 1\npolicy: p\nruels: []\n")
    result = run("decide", "request.json", "--policy", "policy.yaml")
    assert result.exit_code == 2
    assert "policy.yaml:3:1: error[schema-unknown-key]" in result.stderr
    assert "^^^^^" in result.stderr and "did you mean `rules`?" in result.stderr


def test_decide_broken_log_is_refused(run: Any, folder: Path, log: Path) -> None:
    file = log / "audit-000001.jsonl"
    file.write_bytes(file.read_bytes().replace(b'"KP"', b'"SG"'))
    result = run("decide", "request.json", "--policy", "policy.yaml", "--audit", log)
    assert result.exit_code == 1
    assert result.stderr.startswith("error[audit-broken]: ")


def test_decide_log_that_cannot_be_is_refused(run: Any, folder: Path) -> None:
    (folder / "file").write_text("")
    result = run("decide", "request.json", "--policy", "policy.yaml", "--audit", "file/log")
    assert result.exit_code == 2
    assert result.stderr.startswith("error[audit-unavailable]: ")


def test_decide_stream_answers_every_line_and_names_the_bad_one(run: Any, folder: Path) -> None:
    lines = [json.dumps(request_document(1)), "", "{oops", json.dumps(request_document(2)), '{"x": 1}']
    result = run("decide", "-", "--policy", "policy.yaml", "--format", "json", input="\n".join(lines))
    assert result.exit_code == 1
    answers = [json.loads(line) for line in result.stdout.splitlines()]
    assert [answer["line"] for answer in answers] == [1, 3, 4, 5]
    assert [answer.get("outcome") for answer in answers] == ["pass", None, "pass", None]
    assert answers[1]["error"]["where"] == "line 1, column 2"
    assert answers[3]["error"] == {
        "code": "request",
        "message": "x: unknown key",
        "where": "x",
        "hint": "it takes merchant_biz_id, scene_code, policy, face, inputs, signals, application_id, attempts",
    }


def test_decide_stream_as_text_keeps_going(run: Any, folder: Path) -> None:
    lines = ["{oops", json.dumps(request_document(2))]
    result = run("decide", "-", "--policy", "policy.yaml", input="\n".join(lines))
    assert result.exit_code == 1
    assert result.stdout.startswith("line 1: error[request]: line 1, column 2: is not JSON")
    assert f"\nPASS  {BIZ_ID}2\n" in result.stdout


def test_decide_stream_line_too_long_is_refused_and_the_next_is_read(
    run: Any, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("adjudge.cli.decide.DOCUMENT_MAX_BYTES", 500)
    monkeypatch.setattr("adjudge.documents.requests.DOCUMENT_MAX_BYTES", 500)
    lines = ["x" * 3_000_000, json.dumps(request_document(2))]
    result = run("decide", "-", "--policy", "policy.yaml", "--format", "json", input="\n".join(lines))
    first, second = map(json.loads, result.stdout.splitlines())
    assert "the document is larger than" in first["error"]["message"]
    assert (second["line"], second["outcome"]) == (2, "pass")


def test_decide_stream_of_nothing_is_fine(run: Any, folder: Path) -> None:
    result = run("decide", "-", "--policy", "policy.yaml", input="")
    assert (result.exit_code, result.stdout) == (0, "")


def test_an_option_given_twice_is_refused(run: Any, folder: Path) -> None:
    (folder / "other.yaml").write_text((folder / "policy.yaml").read_text())
    result = decide(run, folder, request_document(), "--policy", "other.yaml")
    assert result.exit_code == 2 and "--policy is given 2 times: give it once" in result.stderr
    several = ("--allow-environment", "A", "--allow-environment", "B")
    assert decide(run, folder, request_document(), *several).exit_code == 0
