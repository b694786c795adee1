"""An engine gives no answer that its log does not prove."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest
from engines import engine, request

from adjudge.audit.checkpoints import Checkpoints
from adjudge.audit.signing import Signer, generate
from adjudge.audit.trail import AuditTrail
from adjudge.engine import Engine
from adjudge.errors import AuditBroken

SEGMENT = "audit-000001.jsonl"


@pytest.fixture
def signer(tmp_path: Path) -> Signer:
    return generate(tmp_path / "audit.key")


def opened(place: Path, signer: Signer | None) -> Engine:
    return engine(trail=AuditTrail.open(place / "log", checkpoints=Checkpoints(signer=signer)))


def forge(place: Path) -> None:
    """Append a copy of the decision that says something else, chained as the page says."""
    file = place / "log" / SEGMENT
    lines = file.read_bytes().splitlines(keepends=True)
    last, seq = lines[-1], len(lines) + 1
    line = next(line for line in lines if b'"kind":"decision"' in line)
    members = line[line.index(b',"kind"') : -76].replace(b'"outcome":"', b'"outcome":"reject","was":"', 1)
    hashed = b'{"schema":1,"seq":%d,"prev":"%b"%b' % (seq, last[-67:-3], members)
    file.write_bytes(b"".join([*lines, b'%b,"hash":"%b"}\n' % (hashed, hashlib.sha256(hashed).hexdigest().encode())]))


def test_answer_that_somebody_else_wrote_is_not_given(tmp_path: Path, signer: Signer) -> None:
    with opened(tmp_path, signer) as door:
        first = door.decide_sync(request())
    with opened(tmp_path, signer) as door:
        again = door.decide_sync(request())
        assert (again.status, again.decision_id) == ("duplicate", first.decision_id)
    forge(tmp_path)
    with pytest.raises(AuditBroken, match=r"record \d+: its mac was not made with the key"):
        opened(tmp_path, signer)


def test_answer_of_a_log_that_another_key_signed_is_not_given(tmp_path: Path, signer: Signer) -> None:
    with opened(tmp_path, generate(tmp_path / "thief.key")) as door:
        door.decide_sync(request())
    before = (tmp_path / "log" / SEGMENT).read_bytes()
    with pytest.raises(AuditBroken, match="signed with another key"):
        opened(tmp_path, signer)
    assert (tmp_path / "log" / SEGMENT).read_bytes() == before


def test_log_that_was_changed_after_it_was_looked_at_is_not_believed(tmp_path: Path, signer: Signer) -> None:
    with opened(tmp_path, signer) as door:
        first = door.decide_sync(request())
    file = tmp_path / "log" / SEGMENT
    honest = file.read_bytes()
    trail = AuditTrail.open(tmp_path / "log", checkpoints=Checkpoints(signer=signer))
    forge(tmp_path)
    with engine(trail=trail) as door:
        with pytest.raises(AuditBroken, match="another program changed this file"):
            door.decide_sync(request(1))
        assert door.decide_sync(request()).verdict == first.verdict
    file.write_bytes(honest)
    trail = AuditTrail.open(tmp_path / "log", checkpoints=Checkpoints(signer=signer))
    file.write_bytes(b"".join(honest.splitlines(keepends=True)[:-1]))
    with pytest.raises(AuditBroken, match="is not the one that was found at the start"):
        engine(trail=trail)
    file.write_bytes(honest)
    trail.close()


def test_log_without_a_key_is_believed_and_that_is_told(tmp_path: Path) -> None:
    from structlog.testing import capture_logs

    with opened(tmp_path, None) as door:
        door.decide_sync(request())
    with capture_logs() as events, opened(tmp_path, None) as door:
        assert door.decide_sync(request()).status == "duplicate"
    assert [event["event"] for event in events] == ["audit_not_proven"]
    assert "anybody who can write to its folder can have written its end" in events[0]["reason"]
