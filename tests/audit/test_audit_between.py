"""What is wrong between chains of one ledger, each of which verifies by itself."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from adjudge.audit.chains import verify_elsewhere
from adjudge.audit.checkpoints import Checkpoints
from adjudge.audit.record import FIRST_PREV, encode, encode_body
from adjudge.audit.verify import Findings
from adjudge.ledger.memory import MemoryLedger
from adjudge.plugin import Body, LogChain
from adjudge.testing.ledgers import ID, decision_and_record

A, B, C = ("a" * 32, "b" * 32, "c" * 32)


class Elsewhere:
    """Chains in memory, each of the records that are given. name: what it is called."""

    def __init__(self, *chains: Sequence[tuple[str, Body]], name: str = "memory:") -> None:
        self._name = name
        self.written: dict[str, list[bytes]] = {}
        self.last: dict[str, bytes] = {}
        for number, records in enumerate(chains, 1):
            prev, lines = FIRST_PREV, list[bytes]()
            for kind, body in (("ledger", {"ledger": "test", "writer": number}), *records):
                line, prev = encode(kind, len(lines) + 1, prev, encode_body(body))
                lines.append(line)
            self.written[f"writer-{number}"], self.last[f"writer-{number}"] = lines, prev

    def __str__(self) -> str:
        return self._name

    @contextmanager
    def look(self) -> Iterator[Elsewhere]:
        yield self

    def chains(self) -> Sequence[LogChain]:
        return [
            LogChain(name=name, count=len(lines), last_hash=self.last[name].decode())
            for name, lines in self.written.items()
        ]

    def lines(self, chain: str, first: int = 1, last: int | None = None) -> Iterator[bytes]:
        return iter(self.written[chain][first - 1 : last])

    def archived(self) -> Iterator[bytes]:
        return iter(())

    def lost(self, moved: Mapping[str, Any]) -> Mapping[str, int]:
        return {}

    def checkpoint(self, chain: str) -> bytes:
        """Return a checkpoint of a chain, as a witness has it."""
        log = self.written[chain][0][-67:-3].decode()
        return Checkpoints().encode(len(self.written[chain]) + 1, self.last[chain], log=log, gap=0)[0]


def decision(decision_id: str, supersedes: str | None = None, of: str = ID) -> tuple[str, Body]:
    ledger = MemoryLedger()
    return "decision", decision_and_record(ledger, of, decision_id=decision_id, supersedes=supersedes)[1]


def verified(source: Elsewhere, **how: Any) -> dict[str, Findings]:
    return verify_elsewhere(source, **how)  # type: ignore[arg-type]


def test_decisions_may_follow_from_those_of_other_chains() -> None:
    found = verified(Elsewhere([decision(A), decision(C, supersedes=B)], [decision(B, supersedes=A)]))
    assert {name: one.is_good for name, one in found.items()} == {"writer-1": True, "writer-2": True}


@pytest.mark.parametrize(
    ("first", "second", "place", "what", "said"),
    [
        ([decision(A)], [decision(A)], ("writer-2", 2), "same-decision", "writer-1:2 has the same `decision_id`"),
        (
            [decision(A), decision(B, supersedes=A)],
            [decision(C, supersedes=A)],
            ("writer-2", 2),
            "false-supersedes",
            "it supersedes a decision that writer-1:3 had superseded",
        ),
        ([], [decision(B, supersedes=A)], ("writer-2", 2), "false-supersedes", "a chain may have been deleted"),
        (
            [decision(A, of="9" * 32)],
            [decision(B, supersedes=A)],
            ("writer-2", 2),
            "false-supersedes",
            "is of another MerchantBizId",
        ),
    ],
)
def test_decisions_that_cannot_both_be_are_told_with_their_place(
    first: Any, second: Any, place: tuple[str, int], what: str, said: str
) -> None:
    found = verified(Elsewhere(first, second))
    problem = found[""].problem
    assert all(found[chain].is_good for chain in ("writer-1", "writer-2")), "each by itself is good"
    assert problem is not None
    assert (problem.file, problem.seq, problem.what) == (f"memory:#{place[0]}", place[1], what)
    assert said in problem.message


def test_chain_that_anchors_remember_is_missed(tmp_path: Path) -> None:
    whole = Elsewhere([decision(A)], [decision(B)])
    anchors = tmp_path / "anchors"
    anchors.write_bytes(whole.checkpoint("writer-1") + whole.checkpoint("writer-2"))
    alone = Elsewhere([decision(A)])
    alone.written, alone.last = ({"writer-2": those["writer-2"]} for those in (whole.written, whole.last))  # type: ignore[assignment]
    problem = verified(alone, anchors=anchors)[""].problem
    assert problem is not None and problem.what == "missing" and "and none here has that name" in problem.message
    alone._name = "memory:#writer-2"
    assert "" not in verified(alone, anchors=anchors), "who names one chain asks for no others"
