"""`adjudge audit archive`, and every command that reads a log, with what was moved and without."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from cli_documents import request_document

from adjudge.audit.file import Segments
from adjudge.audit.kinds import records
from adjudge.audit.trail import AuditTrail
from adjudge.audit.verify import segments
from adjudge.documents import decode_request
from adjudge.engine import Engine
from adjudge.registry import load_policy
from adjudge.testing import registry_of

COUNT = 12


@pytest.fixture(name="grown")
def grown_(folder: Path) -> Path:
    """A log of twelve decisions in several segments."""
    registry = registry_of([])
    policy = load_policy(Path("policy.yaml"), registry=registry)
    trail = AuditTrail.open("log", segments=Segments(max_bytes=4000))
    with Engine([policy], registry=registry, trail=trail) as engine:
        for number in range(COUNT):
            engine.decide_sync(decode_request(json.dumps(request_document(merchant_biz_id=f"{number:032}")).encode()))
    assert len(segments(Path("log"))) >= 4
    return Path("log")


def moved(run: Any, grown: Path) -> list[str]:
    """Archive all but the newest segment, and return the ids of the decisions that went."""
    ids = [record.decode()["decision_id"] for record in records(grown) if record.kind == "decision"]
    result = run("audit", "archive", grown, "--to", "old", "--before", "2100-01-01", "--by", "kim", "--format", "json")
    assert result.exit_code == 0, result.output
    said = json.loads(result.stdout)
    assert [one["name"] for one in said] == [file.name for file in segments(Path("old"))]
    assert all(one["by"] == "kim" and one["to"] == str(Path("old").resolve()) for one in said)
    assert "who asks for one again gets no answer" in result.stderr
    stay = {record.decode()["decision_id"] for record in records(grown) if record.kind == "decision"}
    assert 0 < len(stay) < COUNT
    return [one for one in ids if one not in stay]


def test_archive_moves_nothing_that_is_not_old_and_nothing_twice(run: Any, grown: Path) -> None:
    result = run("audit", "archive", grown, "--to", "old", "--before", "2020-01-01", "--by", "kim")
    assert (result.exit_code, result.stdout) == (0, "0 segments moved to old\n")
    moved(run, grown)
    again = run("audit", "archive", grown, "--to", "old", "--before", "2100-01-01", "--by", "kim")
    assert again.exit_code == 0 and again.stdout.endswith("moved to old\n")
    shown = run("audit", "show", grown, "--kind", "archive").stdout.splitlines()
    assert shown and all("moved to " in line and ", by kim" in line for line in shown)
    assert run("audit", "show", grown, "--archive", "old", "--kind", "segment").stdout.count("audit-0000") >= 3


def test_every_reader_takes_the_archive_and_goes_on_without_it(run: Any, grown: Path) -> None:
    gone = moved(run, grown)
    here, both = (grown,), (grown, "--archive", "old")
    stays, first = COUNT - len(gone), gone[0]
    for log, count in ((here, stays), (both, COUNT)):
        verified = run("audit", "verify", *log)
        assert verified.exit_code == 0, verified.output
        assert ("verified from record " in verified.stdout) == (log is here)
        assert run("audit", "show", *log, "--kind", "decision", "--count").stdout == f"{count}\n"
        replayed = run("replay", *log)
        assert replayed.exit_code == 0 and replayed.stdout.startswith(f"{count} of {count} decision")
        assert run("audit", "calls", *log).exit_code == 0
        assert run("audit", "tail", *log, "--last", "1").exit_code == 0
        assert (run("audit", "show", *log, first).exit_code == 0) == (log is both)
        assert (run("explain", *log, first).exit_code == 0) == (log is both)
    data = json.loads(run("audit", "verify", *here, "--format", "json").stdout)
    assert data["away"][0][0] == 1 and data["vouched_seq"] > data["away"][-1][1]
    assert run("audit", "verify", "old").exit_code == 0
    assert run("replay", "old").stdout.startswith(f"{len(gone)} of {len(gone)} decision")


def test_exports_and_backtests_take_the_archive(run: Any, grown: Path) -> None:
    pytest.importorskip("pyarrow")
    gone = moved(run, grown)
    for log, count in (((grown,), COUNT - len(gone)), ((grown, "--archive", "old"), COUNT)):
        out = f"out-{count}"
        result = run("audit", "export", log[0], out, *log[1:])
        assert result.exit_code == 0, result.output
        assert result.stdout.startswith(f"{count} decision")
        tested = run("backtest", "policy.yaml", *log, "--format", "json")
        (said,) = json.loads(tested.stdout)["policies"]
        assert sum(one["rows"] for one in said["outcomes"].values()) == count
    again = run("audit", "export", grown, "out-12", "--archive", "old")
    assert again.exit_code == 0 and again.stdout.startswith("0 decisions")


def test_a_segment_that_is_missing_stops_every_reader_in_the_same_words(run: Any, grown: Path) -> None:
    segments(grown)[1].unlink()
    (words,) = {
        line.partition("records ")[2]
        for line in run("audit", "verify", grown).stdout.splitlines()
        if "error[missing]" in line
    }
    assert "no record says that they were archived; restore them from a copy" in words
    for asked in (("audit", "show"), ("audit", "tail"), ("replay",), ("audit", "calls")):
        result = run(*asked, grown)
        assert result.exit_code != 0 and words in result.stderr, asked
    result = run("decide", "request.json", "--policy", "policy.yaml", "--audit", grown)
    assert result.exit_code != 0 and words in result.stderr
