"""Run in a mount namespace of its own: a log on a disk that fills up, empties, and turns read-only."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from adjudge.audit.log import AuditLog
from adjudge.audit.verify import verify
from adjudge.errors import AuditUnavailable

place = Path(sys.argv[1])
durability = sys.argv[2]
BODY = {"outcome": "pass", "text": "x" * 900}


def mount(*options: str) -> None:
    subprocess.run(["mount", *options, str(place)], check=True)


def write_until_refused(log: AuditLog, most: int) -> int:
    """Write records, and return how many were acknowledged before one was refused."""
    for number in range(most):
        try:
            log.write_blocking("decision", BODY)
        except AuditUnavailable:
            return number
    return most


mount("-t", "tmpfs", "-o", "size=256k", "tmpfs")
found: dict[str, object] = {}
ballast = place / "ballast"
ballast.write_bytes(b"x" * 100_000)
with AuditLog.open(place / "log", durability=durability) as log:  # type: ignore[arg-type]
    found["before"] = write_until_refused(log, 10_000)
    found["full"] = write_until_refused(log, 3)
    ballast.unlink()
    found["again"] = write_until_refused(log, 20)
found["verifies"] = verify(place / "log").problem is None
found["records"] = verify(place / "log").count
mount("-o", "remount,ro")
try:
    with AuditLog.open(place / "log", durability=durability) as log:  # type: ignore[arg-type]
        found["read_only"] = write_until_refused(log, 3)
except AuditUnavailable as error:
    found["read_only"] = 0
    found["said"] = str(error)
mount("-o", "remount,rw")
with AuditLog.open(place / "log", durability=durability) as log:  # type: ignore[arg-type]
    found["after"] = write_until_refused(log, 5)
findings = verify(place / "log")
found["verifies_after"] = findings.problem is None
found["records_after"] = findings.count
print(json.dumps(found))
