"""What the routes of one service share."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass, field

from adjudge.decision.door import Door
from adjudge.engine import Engine
from adjudge.service.access.gate import Gate
from adjudge.service.admission import Admission
from adjudge.service.readiness import Readiness
from adjudge.service.seen import Seen
from adjudge.system.pools import Pool


@dataclass(slots=True)
class Shared:
    """What the routes of one service share. hosts: the names that it goes by; None for any.

    seen: what is counted of it. gate: says who asks. description: makes the OpenAPI document.
    readiness: whether requests are taken. readers: threads that read long documents.
    """

    engine: Door
    admission: Admission
    seen: Seen
    hosts: Collection[str] | None = None
    gate: Gate = field(default_factory=Gate)
    description: Callable[[], bytes] = lambda: b"{}"
    readiness: Readiness = field(init=False)
    readers: Pool = field(default_factory=lambda: Pool("adjudge-documents", 2))

    def __post_init__(self) -> None:
        notes = {"access": self.gate.note}
        if isinstance(self.engine, Engine):
            notes["policies"] = self.engine.policies_note
        self.readiness = Readiness(self.engine, notes)
