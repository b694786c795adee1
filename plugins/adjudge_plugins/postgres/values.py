"""Personal values in PostgreSQL, read by whoever replays or verifies: never written, and never kept for long."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, ExitStack
from types import TracebackType
from typing import TYPE_CHECKING, Any, Literal

import msgspec

from adjudge.ledger.kit import unsealed
from adjudge_plugins.postgres.database import told

if TYPE_CHECKING:
    import psycopg

    Connection = psycopg.Connection[tuple[Any, ...]]

_OF_ONE = b"""
select p.commitment, p.subject, p.name, p.sealed, k.key
    from adjudge.personal p left join adjudge.subject_keys k using (subject)
    where p.subject = (select subject from adjudge.personal where commitment = %s)
"""


class Values:
    """The personal values of one database. Those of one MerchantBizId are fetched together."""

    def __init__(self, connect: Callable[[], AbstractContextManager[Connection]]) -> None:
        """connect: called when a value is first asked for."""
        self._connect = connect
        self._stack = ExitStack()
        self._connection: Connection | None = None
        self._rows: dict[str, tuple[Any, ...]] = {}  # of the newest subject, by commitment

    def reveal(self, commitment: str) -> object:
        """Return the value of a commitment as its JSON reads; None where it is gone or cannot be opened."""
        text = self._text(commitment)
        return msgspec.json.decode(text) if isinstance(text, bytes) else None

    def standing(self, commitment: str) -> Literal["held", "absent", "unreadable"]:
        """Return whether the value of a commitment can be had."""
        text = self._text(commitment)
        return "held" if isinstance(text, bytes) else text

    def is_filed(self, commitment: str, subject: str, name: str) -> bool:
        """Whether a value stands where an erasure of its subject finds it."""
        row = self._row(commitment)
        return row is not None and row[1:3] == (subject, name)

    def close(self) -> None:
        """Let the connection go."""
        self._stack.close()
        self._connection = None
        self._rows = {}

    def __enter__(self) -> Values:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _text(self, commitment: str) -> bytes | Literal["absent", "unreadable"]:
        row = self._row(commitment)
        if row is None:
            return "absent"
        *_, sealed, key = row
        return (unsealed(key, commitment, sealed) if key is not None else None) or "unreadable"

    def _row(self, commitment: str) -> tuple[Any, ...] | None:
        if commitment not in self._rows:
            if self._connection is None:
                self._connection = self._stack.enter_context(self._connect())
            with told():
                rows = self._connection.execute(_OF_ONE, (commitment,)).fetchall()
                self._connection.rollback()  # the next look is at what stands then
            self._rows = {row[0]: row for row in rows}
        return self._rows.get(commitment)
