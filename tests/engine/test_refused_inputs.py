"""Inputs that no log can hold: unknown, and named wherever the decision is told, afterwards too."""

from __future__ import annotations

from pathlib import Path

from adjudge import Engine, Request
from adjudge.documents import decision_document

POLICY = """
policy_language: 1
policy: p
inputs: {n: int, d: double}
rules: [{id: r, when: n > 5 || d > 5.0, then: reject}]
"""


def test_input_past_64_bits_is_named_in_the_problems_and_its_neighbour_is_known(tmp_path: Path) -> None:
    request = Request(merchant_biz_id="0" * 31 + "1", scene_code="s", inputs={"n": 2**63, "d": 6})
    expected = [{"field": "n", "problem": "is an integer past 64 bits", "by": "log"}]
    (tmp_path / "p.yaml").write_text(POLICY, "utf-8")
    (tmp_path / "adjudge.yaml").write_text("policies: [p.yaml]\naudit: {directory: log}\n", "utf-8")
    for status in ("fresh", "duplicate"):
        with Engine.open(tmp_path / "adjudge.yaml") as engine:
            decision = engine.decide_sync(request)
        assert (decision.outcome, decision.status) == ("reject", status)
        assert decision_document(decision)["problems"] == expected, "of the log too, after a restart"
