"""What the routes of one service share."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field

from adjudge.decision.door import Door
from adjudge.service.access.gate import Gate
from adjudge.service.admission import Admission
from adjudge.system.pools import Pool


@dataclass(slots=True)
class Shared:
    """What the routes of one service share. hosts: the names that it goes by; None for any.

    gate: says who asks. readers: threads that read long documents.
    """

    engine: Door
    admission: Admission = field(default_factory=Admission)
    hosts: Collection[str] | None = None
    gate: Gate = field(default_factory=Gate)
    readers: Pool = field(default_factory=lambda: Pool("adjudge-documents", 2))
