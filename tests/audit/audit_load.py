"""Fork writers that write to one audit log until they are killed; each notes what was acknowledged.

Reads lines `DIRECTORY NOTES` and forks a writer for each, which appends `SEQ HASH` of each receipt to NOTES. Prints
its process id, and `ended` once it is gone. Forking spares a start of Python each time.
"""

from __future__ import annotations

import asyncio
import os
import random
import sys
import threading
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from adjudge.audit.checkpoints import Checkpoints
from adjudge.audit.file import Segments
from adjudge.audit.log import AuditLog, Receipt
from adjudge.audit.signing import read_signer

_KEY = Ed25519PrivateKey.from_private_bytes(b"k" * 32)
SIGNER = read_signer(_KEY.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()), "the test's key")
SMALL = Segments(max_bytes=300_000)
OFTEN = Checkpoints(every=40, seconds=0.02, signer=SIGNER)


def load(directory: Path, notes: str) -> None:
    """Write from three threads and sixteen coroutines, for ever."""
    noted = os.open(notes, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    draw = random.Random()

    def body() -> dict[str, object]:
        return {"n": draw.random(), "padding": "x" * draw.choice((10, 300, 3000, 40_000))}

    def note(receipt: Receipt) -> None:
        os.write(noted, f"{receipt.seq} {receipt.hash}\n".encode())

    def from_thread() -> None:
        while True:
            note(log.write_blocking("decision", body()))

    async def coroutine() -> None:
        while True:
            note(await log.write("decision", body()))

    async def main() -> None:
        await asyncio.gather(*(coroutine() for _ in range(16)))

    log = AuditLog.open(directory, segments=SMALL, checkpoints=OFTEN)
    for _ in range(3):
        threading.Thread(target=from_thread, daemon=True).start()
    asyncio.run(main())


def main() -> None:
    for line in sys.stdin:
        directory, notes = line.split()
        process = os.fork()
        if process == 0:
            load(Path(directory), notes)
        print(process, flush=True)
        os.waitpid(process, 0)
        print("ended", flush=True)


if __name__ == "__main__":
    main()
