"""The tags of rules, from the records of their policies."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from adjudge import load_policy
from adjudge.audit.bodies import policy_body
from adjudge.audit.record import FIRST_PREV, encode, encode_body
from adjudge.errors import AuditBroken
from adjudge.ledger.tags import recorded_tags, tags_in

MAIN = """
policy_language: 1
policy: main
include: [parts/common.yaml]
inputs: {n: int}
rules:
  - {id: one, when: n > 1, then: review, tags: [aml, "007"]}
  - {id: two, when: n > 2, then: review}
"""
COMMON = """
policy_language: 1
fragment: common
rules: [{id: three, when: n > 3, then: reject, tags: [aml]}]
"""


def test_tags_are_those_of_the_policy_and_of_what_it_includes(tmp_path: Path) -> None:
    (tmp_path / "parts").mkdir()
    (tmp_path / "parts" / "common.yaml").write_text(COMMON)
    (tmp_path / "main.yaml").write_text(MAIN)
    policy = load_policy(tmp_path / "main.yaml")
    body = policy_body(policy, {}, "1.0", datetime.now(UTC))
    expected: dict[str, set[str]] = {}
    for rule in policy.typed.rules:
        for tag in rule.tags:
            expected.setdefault(tag, set()).add(rule.id)
    assert tags_in(body) == expected == {"aml": {"one", "three"}, "007": {"one"}}
    line, _ = encode("policy", 1, FIRST_PREV, encode_body(body))
    assert recorded_tags(policy.digest, line) == expected
    for digest, given in (("0" * 64, line), (policy.digest, None), (policy.digest, encode("x", 1, FIRST_PREV, b"")[0])):
        with pytest.raises(AuditBroken, match="nobody can tell the tags"):
            recorded_tags(digest, given)
    with pytest.raises(AuditBroken, match="not what was written"):
        recorded_tags(policy.digest, line.replace(b"aml", b"oml"))
