"""A holder of a ledger in a process of its own, for `LedgerContract`: it does what it is told, line by line.

`python -m adjudge.testing.holder PROGRAM`, where the program makes `ledger`. Each line that it reads is a command, a
JSON object with `do`; each line that it writes is the answer.
"""

from __future__ import annotations

import asyncio
import json
import sys
from typing import Any

from adjudge.errors import AdjudgeError
from adjudge.model import Decision
from adjudge.plugin import Busy, Claim, DecisionLedger, SharedLimits
from adjudge.testing.ledgers import (
    FIRST,
    ID,
    LONG_S,
    call_of,
    decide_as_engines_do,
    decision_and_record,
    ended,
    quota_of,
)


class Holder:
    """One holder, and the claim that it has."""

    def __init__(self, ledger: DecisionLedger) -> None:
        self.ledger = ledger
        self.claim: Claim | None = None

    async def do(self, do: str, **said: Any) -> Any:
        """Do one thing, and return what there is to say of it."""
        return await getattr(self, f"do_{do}")(**said)

    async def do_claim(self, fingerprint: str = FIRST, lease_s: float = LONG_S) -> str:
        """Claim the id; say what came."""
        found = await self.ledger.claim(ID, fingerprint, again=False, lease_s=lease_s)
        if isinstance(found, Claim):
            self.claim = found
        return "busy" if isinstance(found, Busy) else found.decision_id if isinstance(found, Decision) else "claimed"

    async def do_begin(self) -> str:
        """Begin a call for the claim."""
        assert self.claim is not None
        await self.ledger.begin_call(self.claim, call_of(self.claim))
        return "begun"

    async def do_admit(self, **bounds: Any) -> str:
        """Begin a call for the claim within a quota."""
        assert self.claim is not None
        if not isinstance(self.ledger, SharedLimits):
            return "unshared"
        await self.ledger.admit(quota_of(**bounds), self.claim, call_of(self.claim))
        return "begun"

    async def do_end(self) -> str:
        """End that call with an answer."""
        assert self.claim is not None
        await self.ledger.end_call(self.claim, ended(call_of(self.claim)))
        return "ended"

    async def do_conclude(self, decision_id: str) -> str:
        """Conclude the claim."""
        assert self.claim is not None
        await self.ledger.conclude(self.claim, *decision_and_record(self.ledger, decision_id=decision_id))
        return decision_id

    async def do_callers(self, count: int, prefix: str) -> dict[str, Any]:
        """Let many callers decide the id at once; say what each got, and how many decisions were made here."""
        made: list[str] = []
        deciding = (decide_as_engines_do(self.ledger, ID, made, prefix, presumes=n % 2 == 0) for n in range(count))
        return {"answers": await asyncio.gather(*deciding), "made": len(made)}


async def main(ledger: DecisionLedger) -> None:
    """Do what standard input says until it ends."""
    await ledger.open()
    holder = Holder(ledger)
    print(json.dumps("open"), flush=True)  # this is how the other process is told
    while line := sys.stdin.readline():
        try:
            answer = await holder.do(**json.loads(line))
        except AdjudgeError as error:
            answer = type(error).__name__
        print(json.dumps(answer), flush=True)
    await ledger.aclose()


if __name__ == "__main__":
    made: dict[str, Any] = {}
    exec(sys.argv[1], made)  # noqa: S102  # a test's own program
    asyncio.run(main(made["ledger"]))
