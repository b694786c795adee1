"""What `adjudge audit verify --vault` says of the vault."""

from __future__ import annotations

from collections.abc import Iterator

from adjudge.audit.custody import Custody, Stray
from adjudge.audit.record import Place
from adjudge.cli.output import counted


def lines(custody: Custody | None) -> Iterator[str]:
    """Yield what the vault has of what the log names, and the first of what is not as the log says.

    custody: None where the log itself is not as it should be.
    """
    if custody is None:
        yield "vault: not checked, because the log is not as it should be"
        return
    for stray in custody.strays:
        whose = f"`{stray.name}` of {stray.merchant_biz_id}"
        yield f"vault: error[{stray.what}]: record {_at(stray.seq, stray.chain)}: {whose} {_said(stray)}"
    wrong = sum(custody.counts.values())
    if wrong > len(custody.strays):
        yield f"vault: and {wrong - len(custody.strays)} more"
    named = counted(custody.held + custody.erased + wrong, "commitment")
    yield f"vault: the log names {named}: {custody.held} held, {custody.erased} erased, {wrong} not as it says"


def _at(seq: int, chain: str) -> str:
    return str(Place(seq, seq, chain))


def _said(stray: Stray) -> str:
    match stray.what:
        case "missing":
            return "is not in the vault, and no record says that it was erased"
        case "unreadable":
            return "cannot be opened: it was changed, or its key is not the one that sealed it"
        case "misfiled":
            return "is filed in the vault as another's or under another name, where no erasure would find it"
        case "present":
            erased = _at(stray.erased_seq or 0, stray.erased_chain)
            return f"is in the vault, though record {erased} says that it was erased; erase it again"
