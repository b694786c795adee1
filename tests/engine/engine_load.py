"""Fork engines that decide under load until they are killed; each notes what was answered.

Reads lines `DIRECTORY NOTES FIRST` and forks an engine for each, whose 64 tasks decide requests from number FIRST on,
every fifth of them a second time, and append `NUMBER DECISION_ID` of each answer to NOTES. Prints its process id, and
`ended` once it is gone. Forking spares a start of Python for every round.
"""

from __future__ import annotations

import asyncio
import itertools
import os
import sys
from pathlib import Path

from engines import device, engine, face, request

TASKS = 64


async def load(directory: Path, notes: str, first: int) -> None:
    """Decide for ever."""
    noted = os.open(notes, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    numbers = itertools.count(first)

    async def decide() -> None:
        for number in numbers:
            given = request(
                number, inputs={"country": "SG", "email": f"{number}@example.com"} if number % 4 == 0 else {}
            )
            for _ in range(2 if number % 5 == 0 else 1):
                decision = await door.decide(given)
                os.write(noted, f"{number} {decision.decision_id}\n".encode())

    async with engine([face({"score": 0.1}), device({"emulator": False})], at=directory) as door:
        await asyncio.gather(*(decide() for _ in range(TASKS)))


def main() -> None:
    for line in sys.stdin:
        directory, notes, first = line.split()
        process = os.fork()
        if process == 0:
            asyncio.run(load(Path(directory), notes, int(first)))
        print(process, flush=True)
        os.waitpid(process, 0)
        print("ended", flush=True)


if __name__ == "__main__":
    main()
