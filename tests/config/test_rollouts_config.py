"""The `rollouts:` of a configuration."""

from __future__ import annotations

from pathlib import Path

import pytest

from adjudge.config.file import open_engine, read_config, require_sound
from adjudge.config.rollouts import RolloutsForm
from adjudge.errors import PolicyErrors
from adjudge.rollouts.guard_rails import USUAL, GuardRails

POLICY = "{policy_language: 1, policy: NAME, inputs: {n: int}, rules: [{id: r, when: n > 1, then: review}]}"


def write(folder: Path, rollouts: str) -> Path:
    (folder / "next").mkdir()
    (folder / "one.yaml").write_text(POLICY.replace("NAME", "one"))
    (folder / "next" / "one.yaml").write_text(POLICY.replace("NAME", "one").replace("> 1", "> 2"))
    (folder / "next" / "two.yaml").write_text(POLICY.replace("NAME", "two"))
    path = folder / "adjudge.yaml"
    path.write_text(f"policies: [one.yaml]\nrollouts: {rollouts}\n")
    return path


def test_rollouts_are_read_with_what_is_usual(tmp_path: Path) -> None:
    path = write(tmp_path, "{candidates: {later: next/one.yaml}}")
    assert read_config(path).rollouts == RolloutsForm(candidates={"later": tmp_path / "next/one.yaml"}, rails=USUAL)
    with open_engine(path) as engine:
        assert engine.rollout_sync("start", "june", mode="shadow", candidate="later", by="kim").status == "running"


def test_guard_rails_are_read(tmp_path: Path) -> None:
    written = "{guard_rails: {review: 2, errors: never, fewer_stopped: 3}, false_alarm: 5%, enough: 7}"
    path = write(tmp_path, written)
    rails = {"review": 2.0, "reject": 1.25, "unknown": 1.25, "fewer_stopped": 3.0, "fewer_rejects": 2.0}
    assert read_config(path).rollouts == RolloutsForm(rails=GuardRails(limits=rails, false_alarm=0.05, enough=7))


@pytest.mark.parametrize(
    ("rollouts", "code", "why"),
    [
        ("[]", "type-mismatch", "rollouts"),
        ("{candidate: {}}", "schema-unknown-key", "candidate"),
        ("{candidates: {a: [x]}}", "type-mismatch", "a"),
        ("{guard_rails: {review: 0.5}}", "schema-range", "from 1 to 100"),
        ("{guard_rails: {review: often}}", "schema-range", "from 1 to 100"),
        ("{guard_rails: {pass: 2}}", "schema-unknown-key", "pass"),
        ("{false_alarm: 0%}", "schema-range", "above 0%"),
        ("{enough: 0}", "schema-range", "at least 1"),
    ],
)
def test_rollouts_that_cannot_be_are_blamed(tmp_path: Path, rollouts: str, code: str, why: str) -> None:
    with pytest.raises(PolicyErrors) as raised:
        read_config(write(tmp_path, rollouts))
    (error, *_) = raised.value.errors
    assert why in str(error) and (error.code == code or code == "type-mismatch")


@pytest.mark.parametrize(
    ("file", "why"), [("next/two.yaml", "which is no policy of the engine"), ("next/no.yaml", "no.yaml")]
)
def test_candidate_that_cannot_take_part_keeps_the_engine_from_opening(tmp_path: Path, file: str, why: str) -> None:
    path = write(tmp_path, f"{{candidates: {{later: {file}}}}}")
    for look in (open_engine, lambda path: require_sound(read_config(path))):
        with pytest.raises(PolicyErrors) as raised:
            look(path)
        assert why in str(raised.value.errors[0])
