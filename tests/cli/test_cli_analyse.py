from __future__ import annotations

import json
import sys
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("z3", reason="needs the extra `proofs`")

DEAD = "  - {id: never, when: device.score > 60.0 && device.score < 40.0, then: review}\n"


@pytest.fixture
def faulty(folder: Path) -> Path:
    policy = folder / "policy.yaml"
    head, rules, rest = policy.read_text().partition("rules:\n")
    policy.write_text(head + rules + DEAD + rest)
    return policy


def test_analyse_of_a_fine_policy_says_what_forces_an_outcome(run: Any, folder: Path) -> None:
    result = run("analyse", "policy.yaml")
    assert result.exit_code == 0, result.stdout
    assert "fields that can force an outcome on their own" in result.stdout
    assert result.stdout.rstrip().splitlines()[-1].startswith("policy.yaml: ")


def test_analyse_of_a_faulty_policy_names_the_rule(run: Any, faulty: Path) -> None:
    result = run("analyse", "policy.yaml")
    assert result.exit_code == 1
    assert "warning[never-true]: no input makes `never` true" in result.stdout


def test_analyse_json_holds_findings_and_forces(run: Any, faulty: Path) -> None:
    result = run("analyse", "policy.yaml", "--format", "json")
    assert result.exit_code == 1
    (document,) = json.loads(result.stdout)
    finding = next(finding for finding in document["findings"] if finding["code"] == "never-true")
    assert (finding["severity"], finding["rules"], finding["file"]) == ("warning", ["never"], "policy.yaml")
    assert {"field", "outcome", "witness"} == document["forces"][0].keys()


def test_analyse_of_a_policy_that_does_not_load_says_why(run: Any, folder: Path) -> None:
    (folder / "policy.yaml").write_text("policy_language: 1\n")
    result = run("analyse", "policy.yaml")
    assert result.exit_code == 2
    assert "schema-missing" in result.stderr


def test_analyse_without_the_solver_names_the_extra(run: Any, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for room, inner in (("adjudge.authoring", "proofs"), ("adjudge.expr", "smt")):  # importing anew replaces these too
        monkeypatch.setattr(import_module(room), inner, import_module(f"{room}.{inner}"))
    for name in [name for name in sys.modules if "proofs" in name or "smt" in name or name.split(".")[0] == "z3"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "z3", None)
    result = run("analyse", "policy.yaml")
    assert result.exit_code == 2
    assert "pip install 'adjudge[proofs]'" in result.stderr


OPEN = """policy_language: 1
policy: shop
inputs: {amount: {type: double, range: [0, 1000], riskier: higher}, names: {type: list, of: string}, code: string}
rules:
  - {id: long, when: 'names.exists(n, n.startsWith("A") && n.endsWith("Z") && size(names) > 7)', then: review}
  - {id: number, when: 'int(code) > 5 && int(code) < 5', then: review}
"""


def test_open_question_says_what_to_change(run: Any, folder: Path) -> None:
    (folder / "open.yaml").write_text(OPEN)
    result = run("analyse", "open.yaml", "--timeout", 60, "--total", 600, "--format", "json")
    assert result.exit_code == 1
    findings = json.loads(result.stdout)[0]["findings"]
    opened = {one["name"]: one["hint"] for one in findings if one["code"] == "not-proved"}
    assert opened
    for name, hint in opened.items():
        assert f"or accept it with `--allow {name}`" in hint
        assert hint.startswith(("`names` is a list, which is told apart", "`int(code)`: declare an input of that type"))


COVERED = """policy_language: 1
policy: shop
inputs: {share: {type: double, range: [0, 1]}}
rules:
  - {id: high, when: share > 0.5, then: reject}
  - {id: dead, when: share > 0.8, then: review}
  - {id: gone, when: share > 0.9, then: review}
"""


def test_findings_are_allowed_by_name(run: Any, folder: Path) -> None:
    (folder / "covered.yaml").write_text(COVERED)
    one = run("analyse", "covered.yaml", "--allow", "shadowed:dead")
    assert one.exit_code == 1 and one.stdout.count("(allowed)") == 1
    both = run("analyse", "covered.yaml", "--allow", "shadowed:dead", "--allow", "shadowed:gone")
    assert both.exit_code == 0
    assert both.stdout.count("(allowed)") == 2 and "0 warnings" in both.stdout


def test_allowed_name_that_nothing_has_is_told(run: Any, folder: Path) -> None:
    (folder / "covered.yaml").write_text(COVERED)
    result = run("analyse", "covered.yaml", "--allow", "shadowed:daed")
    assert result.exit_code == 1
    assert result.stderr.startswith("--allow shadowed:daed: nothing of that name was found; did you mean")
