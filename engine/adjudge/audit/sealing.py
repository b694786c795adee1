"""Personal values on their way into the vault, in a thread of the vault's own, and erasures that go between them."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import TypeVar

from adjudge.audit.seals import canonical
from adjudge.audit.vault import Vault
from adjudge.errors import AuditUnavailable
from adjudge.system.pools import Pool

DEADLINE_S = 10.0
"""Seconds that anybody waits for the vault; SQLite itself waits five for another program."""

_T = TypeVar("_T")


class Sealing:
    """Seals for one event loop. What comes while a transaction is under way shares the next one, and its sync."""

    def __init__(self, vault: Vault) -> None:
        """Take a vault; it is not opened here."""
        self._vault = vault
        self._pool = Pool("adjudge-vault", 1)
        self._waiting: list[_Wanted] = []
        self._task: asyncio.Task[None] | None = None
        self._subjects = _Subjects()

    @asynccontextmanager
    async def sealed(self, subject: str, values: Mapping[str, object]) -> AsyncIterator[Mapping[str, str]]:
        """Give the commitments of a subject's values, by name; they are on the disk.

        An erasure of the subject waits until the record that names them is written, which is to be done within; what
        comes during one waits for its end. Raises AuditUnavailable; TypeError where a value has no JSON form.
        """
        if not values:
            yield {}
            return
        texts = {name: canonical(value) for name, value in values.items()}
        await self._subjects.begin(subject)
        try:
            wanted = _Wanted(subject, texts, asyncio.get_running_loop().create_future())
            self._waiting.append(wanted)
            if self._task is None or self._task.done():
                self._task = asyncio.create_task(self._run())
            yield dict(zip(texts, await wanted.done, strict=True))
        finally:
            self._subjects.end(subject)

    @asynccontextmanager
    async def erasing(self, subject: str) -> AsyncIterator[tuple[str, ...]]:
        """Give the names of a subject's values, and erase these at the end. Raises AuditUnavailable."""
        async with self._subjects.erasing(subject):
            yield await self._do(partial(self._vault.names, subject))
            await self._do(partial(self._vault.erase, subject))

    async def reveal(self, commitments: Sequence[str]) -> dict[str, object]:
        """Return the values of commitments; those that the vault lacks are left out. Raises AuditUnavailable."""
        found = await self._do(lambda: [self._vault.reveal(one) for one in commitments])
        return {one: value for one, value in zip(commitments, found, strict=True) if value is not None}

    def close(self) -> None:
        """Let the thread and the vault go."""
        self._pool.close()
        self._vault.close()

    async def _run(self) -> None:
        """Commit what waits. As a task it begins after everybody who was ready, and so has them all."""
        while self._waiting:
            batch, self._waiting = self._waiting, []
            rows = [(one.subject, name, text) for one in batch for name, text in one.texts.items()]
            try:
                commitments = iter(await self._do(partial(self._vault.commit_all, rows)))
            except Exception as error:
                for one in batch:
                    if not one.done.done():
                        one.done.set_exception(AuditUnavailable(str(error)))
                continue
            for one in batch:
                mine = [next(commitments) for _ in one.texts]
                if not one.done.done():
                    one.done.set_result(mine)

    async def _do(self, work: Callable[[], _T]) -> _T:
        try:
            return await self._pool.run(work, deadline_s=DEADLINE_S)
        except (TimeoutError, RuntimeError) as error:
            raise AuditUnavailable(f"{self._vault.path}: {error}") from error


@dataclass(frozen=True, slots=True, eq=False)
class _Wanted:
    subject: str
    texts: Mapping[str, bytes]
    done: asyncio.Future[list[str]]


@dataclass(slots=True)
class _Erasure:
    may_begin: asyncio.Event = field(default_factory=asyncio.Event)
    is_over: asyncio.Event = field(default_factory=asyncio.Event)


class _Subjects:
    """Keeps apart, subject by subject, records in the making and erasures: no record names what is being erased."""

    def __init__(self) -> None:
        self._recording: Counter[str] = Counter()
        self._erasing: dict[str, _Erasure] = {}

    async def begin(self, subject: str) -> None:
        """Begin a record, of which there may be any number at a time, but none during an erasure; `end` it."""
        while (erasure := self._erasing.get(subject)) is not None:
            await erasure.is_over.wait()
        self._recording[subject] += 1

    def end(self, subject: str) -> None:
        """End a record that was begun."""
        self._recording[subject] -= 1
        if not self._recording[subject]:
            del self._recording[subject]
            if (erasure := self._erasing.get(subject)) is not None:
                erasure.may_begin.set()

    @asynccontextmanager
    async def erasing(self, subject: str) -> AsyncIterator[None]:
        """One at a time, once the records under way are written."""
        while (other := self._erasing.get(subject)) is not None:
            await other.is_over.wait()
        mine = self._erasing[subject] = _Erasure()
        try:
            if subject in self._recording:
                await mine.may_begin.wait()
            yield
        finally:
            del self._erasing[subject]
            mine.is_over.set()
