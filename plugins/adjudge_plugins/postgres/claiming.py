"""Questions for claims: those that come while one is under way are asked together, in one statement and one commit."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any

from adjudge.plugin import AuditUnavailable
from adjudge_plugins.postgres.arrays import Array, Flags, Floats, Numbers, Texts
from adjudge_plugins.postgres.database import Connections

GROUP_MAX = 256
"""So many claims are asked for at once."""
_CLAIM = (
    "select q.n, c.said, c.token, c.line, c.is_confirmed, c.others, c.calls"
    " from unnest(%s, %s, %s, %s, %s, %s, %s, %s)"
    " with ordinality as q(id, print, also, again, lease_s, answer_for_s, holder, writer, n),"
    " lateral adjudge.claim(q.id, q.print, q.also, q.again, q.lease_s, q.answer_for_s, q.holder, q.writer) as c"
)
_KINDS: tuple[Callable[[Any], Array], ...] = (
    Texts.from_str, Texts.from_str, Texts.from_str, Flags.from_bool,
    Floats.from_float, Floats.from_float, Texts.from_str, Numbers.from_int,
)  # fmt: skip
_Question = tuple[Any, ...]
_Answer = tuple[Any, ...]


class Claiming:
    """Asks for claims over the connections of one ledger."""

    def __init__(self, connections: Connections) -> None:
        """Ask nothing yet."""
        self._connections = connections
        self._waiting: list[tuple[_Question, asyncio.Future[_Answer]]] = []
        self._task: asyncio.Task[None] | None = None

    async def ask(self, question: _Question) -> _Answer:
        """Return what `adjudge.claim` says to its parameters. Raises AuditUnavailable."""
        done: asyncio.Future[_Answer] = asyncio.get_running_loop().create_future()
        self._waiting.append((question, done))
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._run())
        return await done

    async def _run(self) -> None:
        while self._waiting:
            group, self._waiting = self._waiting[:GROUP_MAX], self._waiting[GROUP_MAX:]
            group.sort(key=lambda one: str(one[0][0]))  # as whoever locks several claims locks them
            try:
                answers = await self._asked([question for question, _ in group])
            except Exception as error:
                for _, done in group:
                    if not done.done():
                        done.set_exception(
                            AuditUnavailable(str(error)) if isinstance(error, AuditUnavailable) else error
                        )
                continue
            left = []
            for (question, done), answer in zip(group, answers, strict=True):
                if not done.done():
                    done.set_result(answer)
                elif answer[0] == "claim":  # who asked was cancelled
                    left.append((question[0], answer[1], question[6]))
            if left:
                with suppress(AuditUnavailable):
                    await release(self._connections, left)

    async def _asked(self, questions: Sequence[_Question]) -> list[_Answer]:
        columns = zip(*questions, strict=True)
        rows = await self._connections.rows(
            _CLAIM, [kind(column) for kind, column in zip(_KINDS, columns, strict=True)]
        )
        return [row[1:] for row in sorted(rows, key=lambda row: int(row[0]))]


async def release(connections: Connections, claims: Sequence[tuple[str, int, str]]) -> None:
    """Give claims back, each by its id, token and holder. Raises AuditUnavailable."""
    ids, tokens, holders = zip(*claims, strict=True)
    columns = (Texts.from_str(ids), Numbers.from_int(tokens), Texts.from_str(holders))
    await connections.rows("select adjudge.release(%s, %s, %s)", columns)
