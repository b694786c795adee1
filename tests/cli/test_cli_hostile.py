"""A hostile text in every place that others write reaches no terminal, report or program as anything but a text."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from cli_documents import request_document

from adjudge.audit.read import read
from adjudge.texts import is_hidden

HOSTILE = "h\x1b[31m\x9b2J\x1b]0;owned\x07\u202eevil\u2066\u200b\u2028\r\nFORGED: ok\n\x7f`|<b>=1+1&@all</b>"
QUOTED = json.dumps(HOSTILE)
POLICY = f"""policy_language: 1
policy: onboarding
description: {QUOTED}
inputs:
  country: {{type: string, actionable: true, description: {QUOTED}}}
  email: {{type: string, personal: true}}
  kind: {{type: enum, values: [plain, other]}}
signals:
  device: {{fields: {{score: {{type: double, range: [0, 100]}}, note: {{type: string}}}}}}
thresholds:
  device.score: {{review: 70, reject: 90}}
rules:
  - id: words
    when: {json.dumps(f'country == {QUOTED} || device.note.contains("FORGED") || email == "x"')}
    then: review
    description: {QUOTED}
    message: {json.dumps(f"{HOSTILE} {{country}}")}
reasons:
  WORDS: {{text: {json.dumps(f"{HOSTILE} {{country}}")}}}
"""
TESTS = f"""policy: policy.yaml
tests:
  - {{name: {QUOTED}, given: {{inputs: {{country: SG, kind: plain}}}}, expect: pass}}
"""
REQUEST = request_document(
    1,
    inputs={"country": HOSTILE, "email": HOSTILE, "kind": HOSTILE},
    signals={"device": {"score": 75, "note": "FORGED `|<b>=1+1&@all</b>"}},
)
"""What is hidden in an input makes it unknown; what is not, of a signal here, is explained."""


@pytest.fixture
def hostile(folder: Path, run: Any) -> str:
    """A folder whose every document holds such a text, and a log; the id of its decision."""
    (folder / "policy.yaml").write_text(POLICY)
    (folder / "stricter.yaml").write_text(POLICY.replace("then: review", "then: reject"))
    (folder / "policy_test.yaml").write_text(TESTS)
    (folder / "request.json").write_text(json.dumps(REQUEST))
    assert run("decide", "request.json", "--policy", "policy.yaml", "--audit", "log").exit_code == 0
    (found,) = [str(record.decode()["decision_id"]) for record in read(Path("log")) if record.kind == "decision"]
    assert run("audit", "label", "log", found, "fraud", "--source", HOSTILE, "--note", HOSTILE).exit_code == 0
    return found


COMMANDS = {
    "decide": "decide request.json --policy policy.yaml",
    "check": "check .",
    "test": "test . --coverage",
    "suggest": "test . --suggest",
    "analyse": "analyse policy.yaml",
    "compare": "compare policy.yaml stricter.yaml --log log",
    "explain": "explain log ID",
    "explain to the applicant": "explain log ID --applicant",
    "replay": "replay log",
    "replay with another": "replay log --policy stricter.yaml --verbose",
    "backtest": "backtest policy.yaml stricter.yaml log",
    "show": "audit show log",
    "show as a table": "audit show log --format csv",
    "show one": "audit show log ID",
    "tail": "audit tail log",
    "calls": "audit calls log",
    "verify": "audit verify log",
    "drift": "audit drift log --before 2100-01-01",
    "erase": "audit erase log --merchant-biz-id HOSTILE --dry-run",
    "unknown decision": "explain log HOSTILE",
    "unknown file": "check HOSTILE",
    "unknown option": "check --HOSTILE",
    "eval": "eval s+s --given GIVEN",
    "eval broken": "eval HOSTILE",
    "plugins": "plugins",
    "schema": "schema",
}
NO_JSON = {"audit show log", "audit tail log", "audit show log ID"}
"""Their JSON is the log's own bytes, for a file or a program, and shown on a terminal only."""


def assert_shown(text: str) -> None:
    hidden = {char for char in text if is_hidden(char) and char != "\n"}
    assert not hidden, (hidden, text)
    forged = [line for line in text.split("\n") if re.match(r"[\s|>]*FORGED", line)]
    assert not forged, text


def arguments(command: str, decision_id: str) -> list[str]:
    words = {"ID": decision_id, "HOSTILE": HOSTILE.replace("\0", ""), "GIVEN": json.dumps({"s": HOSTILE})}
    return [words.get(word, word.replace("HOSTILE", HOSTILE)) for word in command.split()]


@pytest.mark.parametrize("name", COMMANDS)
def test_command_shows_it_as_a_text(hostile: str, run: Any, name: str) -> None:
    result = run(*arguments(COMMANDS[name], hostile))
    assert result.exit_code in (0, 1, 2), result.output
    assert_shown(result.stdout)
    if "Usage: " not in result.stderr:  # where the words of one's own command line are repeated
        assert_shown(result.stderr)
    assert not {char for char in result.stderr if is_hidden(char) and char != "\n"}


@pytest.mark.parametrize("name", [name for name, one in COMMANDS.items() if one not in NO_JSON])
def test_json_shows_it_and_says_it(hostile: str, run: Any, name: str) -> None:
    if name in ("schema", "suggest", "show as a table"):
        pytest.skip("has no form but its own")
    result = run(*arguments(COMMANDS[name], hostile), "--format", "json")
    assert_shown(result.stdout)
    for line in (result.stdout.split("\n") if name.startswith("replay") else [result.stdout]) if result.stdout else ():
        if line.strip():
            json.loads(line)


def test_reports_show_it_as_a_text(hostile: str, run: Any, folder: Path) -> None:
    assert run("compare", "policy.yaml", "stricter.yaml", "--log", "log", "--format", "markdown").exit_code == 0
    markdown = run("compare", "policy.yaml", "stricter.yaml", "--log", "log", "--format", "markdown").stdout
    assert_shown(markdown)
    outside = re.sub(r"`[^`]*`", "", re.sub(r"(?s)```.*?```", "", markdown))
    assert "<b>" not in outside
    run("test", ".", "--junit", "out.xml")
    assert_shown(Path("out.xml").read_text("utf-8"))
    suite = ElementTree.fromstring(Path("out.xml").read_text("utf-8"))  # our own
    assert "FORGED" in str(suite.find(".//testcase").attrib["name"])  # type: ignore[union-attr]
    assert run("backtest", "policy.yaml", "log", "--format", "html", "-o", "out.html").exit_code == 0
    page = Path("out.html").read_text("utf-8")
    assert "<b>" not in page
    assert_shown(page)


def test_events_of_the_engine_stay_on_their_lines(folder: Path, run: Any) -> None:
    import structlog

    from adjudge.cli.telling import tell_events

    tell_events(level=0)
    run("plugins")
    with_hostile = run("--verbose", "decide", "request.json", "--policy", "policy.yaml")
    assert_shown(with_hostile.output)
    structlog.reset_defaults()


def test_name_of_a_file_is_shown_as_a_text(folder: Path, run: Any) -> None:
    name = "p\x1b[31m\nFORGED: ok\udcff.yaml"
    (folder / name).write_text(POLICY)
    for command in (["check", name], ["test", name], ["format", "--check", name], ["analyse", name]):
        result = run(*command)
        assert result.exit_code in (0, 1, 2), result.output
        assert "Traceback" not in result.output
        assert not {char for char in result.output if is_hidden(char) and char != "\n"}
