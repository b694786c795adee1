"""The connection by which a worker is known to live, and on which it hears which claims were given back.

It holds a lock of its session for as long as it lives; where the worker is killed, the database lets the lock go, and
its claims are free at once. A pooler shares connections, so nothing of a session holds behind one: there claims lapse.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from adjudge.plugin import AuditUnavailable
from adjudge_plugins.postgres.database import DEADLINE_S, connect, told

if TYPE_CHECKING:
    from adjudge_plugins.postgres.database import Connection

AGAIN_S = 1.0
"""Seconds between two tries to begin a session that broke anew."""


class Session:
    """The session of one writer. is_up: whether the database would notice the end of this worker."""

    def __init__(self, dsn: str) -> None:
        """Connect nothing yet."""
        self._dsn = dsn
        self.is_up = False
        self._is_over = False
        self._waiting: dict[str, set[asyncio.Event]] = {}  # by the token of a claim, as it is told
        self._connection: Connection | None = None
        self._task: asyncio.Task[None] | None = None

    async def begin(self, writer: int) -> None:
        """Begin; behind a pooler, do nothing. Raises AuditUnavailable."""
        if await self._begun(writer):
            self._task = asyncio.create_task(self._run(writer))

    @contextmanager
    def hearing(self, token: int) -> Iterator[asyncio.Event]:
        """Give what is set once a claim was given back, or where that may have gone unheard."""
        event, told_of = asyncio.Event(), str(token)
        self._waiting.setdefault(told_of, set()).add(event)
        try:
            yield event
        finally:
            self._waiting[told_of].discard(event)
            if not self._waiting[told_of]:
                del self._waiting[told_of]

    async def aclose(self) -> None:
        """End it: from now on, others may take what this worker still has."""
        self._is_over = True
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])
        if self._connection is not None:
            await self._connection.close()
        self.is_up = False

    def close(self) -> None:
        """End it at once, where no event loop runs any more."""
        self._is_over = True
        if self._connection is not None:
            self._connection.pgconn.finish()
        self.is_up = False

    async def _begun(self, writer: int) -> bool:
        """Connect, and return whether there is no pooler between: one gives numbers of its own to connections."""
        connection = await connect(self._dsn)
        try:
            with told():
                async with asyncio.timeout(DEADLINE_S):
                    process = await (await connection.execute(b"select pg_backend_pid()")).fetchone()
                    is_direct = process == (connection.info.backend_pid,)
                    if is_direct:
                        await connection.execute(b"select pg_advisory_lock(4061990, %s::int)", (writer,))
                        await connection.execute(b"listen adjudge_claims")
        except BaseException:
            await connection.close()
            raise
        if not is_direct:
            await connection.close()
            return False
        self._connection, self.is_up = connection, True
        return True

    async def _run(self, writer: int) -> None:
        import psycopg

        while not self._is_over:
            connection = self._connection
            assert connection is not None
            try:
                async for told_of in connection.notifies():
                    for event in self._waiting.get(told_of.payload, ()):
                        event.set()
            except psycopg.Error:
                pass
            self.is_up = False
            await connection.close()
            for events in self._waiting.values():
                for event in events:
                    event.set()
            while not self.is_up and not self._is_over:
                try:
                    if not await self._begun(writer):
                        return  # there is a pooler now
                except AuditUnavailable:
                    await asyncio.sleep(AGAIN_S)
        if self._connection is not None:
            await self._connection.close()
