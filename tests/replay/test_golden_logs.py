"""Logs that earlier versions wrote: they verify, replay, and keep the names that they were written with, for ever.

Each folder of `tests/golden/logs/` is one, as its writer left it. `oldest` has neither calls nor the times of policies.
`every_kind` has each kind of record, in five segments, signed with one key and then with another, and its vault.
"""

from __future__ import annotations

import json
import shutil
from collections import Counter
from pathlib import Path
from typing import Any

import msgspec
import pytest

from adjudge.audit.custody import check_vault
from adjudge.audit.kinds import body_of, records
from adjudge.audit.verify import verify_files
from adjudge.replay.decisions import replay

LOGS = Path(__file__).parents[1] / "golden" / "logs"
ANSWERS = {
    "every_kind": {"identical": 14, "erased": 1},
    "oldest": {"identical": 4},
    "on_in_doubt": {"identical": 3},
}


@pytest.fixture(params=sorted(ANSWERS))
def log(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """A copy, so that nothing can be written into the log itself."""
    return Path(shutil.copytree(LOGS / request.param, tmp_path / request.param))


def test_every_golden_log_is_tested() -> None:
    assert {path.name for path in LOGS.iterdir()} == ANSWERS.keys()


def test_golden_log_verifies_and_its_vault_is_as_it_says(log: Path) -> None:
    keys = log / "keys.pub"
    findings = verify_files(log, key=[keys] if keys.exists() else ())
    assert findings.is_good and findings.signed_seq == (findings.last_seq if keys.exists() else 0)
    if (log / "vault.sqlite").exists():
        custody = check_vault(log)
        assert custody.is_good and custody.held and custody.erased


def test_golden_log_replays(log: Path) -> None:
    assert Counter(one.answer for one in replay(log)) == ANSWERS[log.name]


def test_golden_log_is_read_by_the_names_that_it_was_written_with(log: Path) -> None:
    """A member that is now read by another name is lost in silence: whatever is optional may be missing.

    A member that came later is there as well, and empty.
    """
    for record in records(log):
        read = json.loads(msgspec.json.encode(body_of(log, record)))
        assert without_what_came_later(read, json.loads(record.body)) == json.loads(record.body), f"record {record.seq}"


def without_what_came_later(read: Any, written: Any) -> Any:
    """Return what was read without those members that are empty, and were not written."""
    if not isinstance(read, dict) or not isinstance(written, dict):
        return read
    kept = {name: value for name, value in read.items() if name in written or value not in (None, [], {})}
    return {name: without_what_came_later(value, written.get(name)) for name, value in kept.items()}


def test_golden_logs_have_every_kind_of_record() -> None:
    found = {record.kind for record in records(LOGS / "every_kind")}
    assert found == {"policy", "call", "decision", "checkpoint", "label", "erasure"}
