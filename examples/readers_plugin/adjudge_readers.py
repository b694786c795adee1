"""Readers of the audit log: a copy in a file, a webhook, and a table in PostgreSQL."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from adjudge.plugin import LogRecord, Position, PositionFile, ReaderFailed, Register, hookimpl

if TYPE_CHECKING:
    import httpx
    from psycopg import Connection


class FileCopy:
    """A file with every line of one log, byte for byte. What it holds is what stands in it."""

    def __init__(self, path: str) -> None:
        """path: of the file, which is made if needed."""
        self._path = Path(path)

    def open(self, end: Position) -> Position | None:
        """Cut a line that was not finished, and say which one is the last."""
        if not self._path.exists():
            return None
        with self._path.open("r+b") as file:
            first, at, last = file.readline(), 0, b""
            size = file.seek(0, os.SEEK_END)
            reach = 64 * 1024
            while size and not last:
                file.seek(max(0, size - reach))
                block = file.read(reach)
                whole = block[: block.rfind(b"\n") + 1]
                last = whole[whole.rfind(b"\n", 0, -1) + 1 :] if whole.count(b"\n") > 1 or reach >= size else b""
                at = max(0, size - reach) + len(whole)
                if reach >= size:
                    break
                reach *= 2
            if at < size:
                file.truncate(at)
        if not last:
            return None
        record = json.loads(last)
        return Position(log=json.loads(first)["hash"], seq=record["seq"], hash=record["hash"])

    def take(self, records: Sequence[LogRecord]) -> None:
        """Append the lines, and have them on disk."""
        with self._path.open("ab") as file:
            file.write(b"".join(record.line for record in records))
            file.flush()
            os.fsync(file.fileno())

    def close(self) -> None:
        """Do nothing: no file is held open."""


class Webhook:
    """Posts each decision. The other side tells one that comes twice by its headers `adjudge-log` and `adjudge-seq`."""

    def __init__(self, url: str, positions: str, timeout_s: float = 10.0) -> None:
        """positions: a file that remembers what was posted. timeout_s: for each wait of one call."""
        self._url, self._timeout_s = url, timeout_s
        self._positions = PositionFile(positions)
        self._client: httpx.Client | None = None

    def open(self, end: Position) -> Position:
        """Say what was posted; of a log that is new here, only what comes from now on is to be."""
        held = self._positions.of(end.log)
        if held is None:
            self._positions.put(end)
        return held or end

    def take(self, records: Sequence[LogRecord]) -> None:
        """Post the decisions in order; what was posted before one fails is remembered."""
        for record in records:
            if record.kind == "decision":
                self._post(record)
                self._positions.put(record.position)
        self._positions.put(records[-1].position)

    def _post(self, record: LogRecord) -> None:
        import httpx

        if self._client is None:
            self._client = httpx.Client(timeout=self._timeout_s)
        headers = {"content-type": "application/json", "adjudge-log": record.log, "adjudge-seq": str(record.seq)}
        try:
            with self._client.stream("POST", self._url, content=record.line, headers=headers) as answer:
                status, later = answer.status_code, answer.headers.get("retry-after", "")
        except httpx.HTTPError as error:
            raise ReaderFailed(f"the webhook does not answer: {type(error).__name__}") from None
        if not 200 <= status < 300:
            raise ReaderFailed(
                f"the webhook answered {status}", retry_after_s=int(later) if later.isdecimal() else None
            )

    def close(self) -> None:
        """Let the connection go."""
        if self._client is not None:
            self._client.close()


class Table:
    """A table with a row for each record. What it holds is what was committed."""

    def __init__(self, dsn: str) -> None:
        """dsn: of the database, as libpq takes it."""
        self._dsn = dsn
        self._connection: Connection[tuple[Any, ...]] | None = None

    def open(self, end: Position) -> Position | None:
        """Connect anew, and say what was committed last."""
        import psycopg

        self.close()
        self._connection = psycopg.connect(self._dsn, connect_timeout=10, options="-c statement_timeout=30s")
        with self._connection.transaction():
            self._connection.execute(
                "create table if not exists adjudge_records (log text, seq bigint, kind text not null,"
                " hash text not null, line bytea not null, primary key (log, seq))"
            )
            last = "select seq, hash from adjudge_records where log = %s order by seq desc limit 1"
            row = self._connection.execute(last, (end.log,)).fetchone()
        return Position(log=end.log, seq=row[0], hash=row[1]) if row is not None else None

    def take(self, records: Sequence[LogRecord]) -> None:
        """Insert all of them or none; a record that is there already stays as it is."""
        if self._connection is None:
            raise ReaderFailed("the table is not open")
        with self._connection.transaction(), self._connection.cursor() as cursor:
            cursor.executemany(
                "insert into adjudge_records values (%s, %s, %s, %s, %s) on conflict do nothing",
                [(one.log, one.seq, one.kind, one.hash, one.line) for one in records],
            )

    def close(self) -> None:
        """Let the connection go."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None


def _settings(config: Mapping[str, Any], **types: type) -> dict[str, Any]:
    for key, value in config.items():
        if key not in types or not isinstance(value, types[key]):
            raise ValueError(f"`{key}` is not one of {', '.join(types)}, or not of its type")
    return dict(config)


@hookimpl
def register(register: Register) -> None:
    """Offer the three."""
    register.reader("file_copy", lambda config: FileCopy(**_settings(config, path=str)))
    register.reader("http_post", lambda config: Webhook(**_settings(config, url=str, positions=str, timeout_s=float)))
    register.reader("table", lambda config: Table(**_settings(config, dsn=str)))
