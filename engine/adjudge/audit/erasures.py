"""What a log says was erased, for whoever finds that the vault lacks a value."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from adjudge.audit.annotations import ErasureBody
from adjudge.audit.elsewhere import AnyLog
from adjudge.audit.kinds import bodies
from adjudge.audit.record import Place
from adjudge.audit.verify import segments


@dataclass(slots=True)
class Erasures:
    """The erasures of a log, read when one is first asked for. log: its folder, or one of its files."""

    log: AnyLog
    _found: dict[str, list[tuple[Place, ErasureBody]]] | None = field(default=None)

    def of(self, subject: str, name: str, named: Place) -> Place | None:
        """Return the record by which a value was erased that a record names; None where there is none.

        named: where the record is that names it. Raises as `records`.
        """
        for at, body in self._all().get(subject, ()):
            if at.position > named.position and name in body.names:
                return at
        return None

    def _all(self) -> dict[str, list[tuple[Place, ErasureBody]]]:
        if self._found is None:
            self._found = {}
            whole = self.log
            if isinstance(whole, Path) and whole in segments(whole.parent):
                whole = whole.parent
            for record, body in bodies(whole, ErasureBody):
                self._found.setdefault(body.merchant_biz_id, []).append((record.place, body))
        return self._found
