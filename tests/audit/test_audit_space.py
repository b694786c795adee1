"""Real disks that are full or read-only, and logs that are larger than memory should be."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from adjudge.audit.record import FIRST_PREV, encode, encode_body


def can_mount() -> bool:
    """Whether this user may have a mount namespace of their own."""
    if shutil.which("unshare") is None:
        return False
    try_ = ["unshare", "--mount", "sh", "-c", "mount -t tmpfs -o size=64k tmpfs /mnt"]
    return subprocess.run(try_, capture_output=True, check=False).returncode == 0


@pytest.mark.parametrize("durability", ["fsync", "flush"])
def test_a_full_disk_and_a_read_only_one_lose_nothing(tmp_path: Path, durability: str) -> None:
    if not can_mount():
        pytest.skip("needs a user who may mount a tmpfs in a namespace of their own (`unshare --mount`)")
    place = tmp_path / "disk"
    place.mkdir()
    script = Path(__file__).with_name("disk_full.py")
    command = ["unshare", "--mount", sys.executable, str(script), str(place), durability]
    ran = subprocess.run(command, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr
    found = json.loads(ran.stdout)
    assert found["before"] > 20 and found["full"] == 0, "a full disk takes no more, and says so"
    assert found["again"] == 20, "with room again it goes on by itself"
    assert found["verifies"]
    assert found["records"] >= found["before"] + 20
    assert found["read_only"] == 0
    assert found["after"] == 5
    assert found["verifies_after"]


LINES = 2000
"""Of one block of the large logs, about 1 kB each."""


def write_large(directory: Path, blocks: int) -> None:
    """Write a log that verifies and replays, without an engine: of one policy and of decisions like real ones."""
    directory.mkdir()
    seq, prev = 1, FIRST_PREV
    with (directory / "audit-000001.jsonl").open("wb") as file:
        for _ in range(blocks):
            lines = []
            for _ in range(LINES):
                members = encode_body({"n": seq, "outcome": "pass", "inputs": {"text": "x" * 800}, "rules": ["a", "b"]})
                line, prev = encode("note", seq, prev, members)
                lines.append(line)
                seq += 1
            file.write(b"".join(lines))


MEASURED = """
import resource, sys
from pathlib import Path
{work}
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""
WORKS = {
    "verify": "from adjudge.audit.verify import verify\nassert verify(Path(sys.argv[1])).problem is None",
    "read": "from adjudge.audit.read import read\nassert sum(1 for _ in read(Path(sys.argv[1]))) > 0",
    "replay": "from adjudge.replay.logs import replay_all\nreplay_all(Path(sys.argv[1]))",
    "tail": "from adjudge.audit.read import tail\nassert len(list(tail(Path(sys.argv[1]), max_records=5))) == 5",
}


def peak_kb(work: str, log: Path) -> int:
    """Return the most memory that some work took, in a process of its own."""
    ran = subprocess.run(
        [sys.executable, "-c", MEASURED.format(work=work), str(log)], capture_output=True, text=True, check=False
    )
    assert ran.returncode == 0, ran.stderr
    return int(ran.stdout)


@pytest.fixture(scope="module")
def logs(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    folder = tmp_path_factory.mktemp("large")
    write_large(folder / "small", 1)
    write_large(folder / "large", 40)
    return folder / "small", folder / "large"


@pytest.mark.xdist_group("large logs")
@pytest.mark.parametrize("name", WORKS)
def test_reading_a_log_takes_no_more_memory_the_larger_it_is(logs: tuple[Path, Path], name: str) -> None:
    small, large = logs
    assert large.joinpath("audit-000001.jsonl").stat().st_size > 80_000_000
    assert peak_kb(WORKS[name], large) - peak_kb(WORKS[name], small) < 8_000, "kB, for 80 MB more"
