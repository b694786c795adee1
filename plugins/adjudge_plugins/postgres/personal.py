"""Personal values in PostgreSQL: sealed under a key of their subject, which an erasure deletes for all workers."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

import msgspec

from adjudge.ledger.kit import DecisionBody, canonical, new_key, seal, unsealed
from adjudge.plugin import Body, CallBody
from adjudge_plugins.postgres.database import Connections

KEEP = (
    "insert into adjudge.personal select m.one, k.subject, m.name, m.data from ("
    " select subject from adjudge.subject_keys where subject = %s and key = %s for key share) as k,"
    " unnest(%s::text[], %s::text[], %s::bytea[]) as m(name, one, data)"
    " on conflict do nothing"
)
"""Keeps values under a key that is there still, which cannot be erased before they can."""


@asynccontextmanager
async def sealed(
    connections: Connections, subject: str, values: Mapping[str, object]
) -> AsyncIterator[Mapping[str, str]]:
    """Keep the personal values of a MerchantBizId, and give their commitments by name; see `DecisionLedger.sealed`.

    Where an erasure comes between this and the record, the record is not written: see `named_in`.
    """
    if not values:
        yield {}
        return
    key = await _key(connections, subject)
    known = await connections.rows(
        "select name, commitment, sealed from adjudge.personal where subject = %s", (subject,)
    )
    texts = {name: canonical(value) for name, value in values.items()}
    kept = {name: one for name, one, data in known if texts.get(name) == unsealed(key, one, data)}
    made = [(name, *seal(key, text)) for name, text in texts.items() if name not in kept]
    if made:
        names, commitments, data = (list(column) for column in zip(*made, strict=True))
        await connections.rows(KEEP, (subject, key, names, commitments, data))
    yield kept | {name: one for name, one, _ in made}


async def erase(connections: Connections, subject: str, write: Callable[[tuple[str, ...]], Any]) -> int:
    """Erase a subject's key and values, and return how many there were. write: records that they go, by their names."""
    recorded: set[str] = set()
    count = 0
    while True:
        rows = await connections.rows("select name from adjudge.personal where subject = %s order by name", (subject,))
        names = tuple(str(name) for (name,) in rows)
        if not {*names} <= recorded:
            await write(names)
            recorded |= {*names}
        count = len(names)
        ((is_done,),) = await connections.rows("select adjudge.erase(%s, %s::text[])", (subject, [*recorded]))
        if is_done:
            return count


async def revealed(connections: Connections, commitments: Iterable[str]) -> dict[str, Any]:
    """Return the personal values behind commitments; those that are gone are left out."""
    wanted = list(commitments)
    if not wanted:
        return {}
    rows = await connections.rows(
        "select p.commitment, p.sealed, k.key from adjudge.personal p join adjudge.subject_keys k using (subject)"
        " where p.commitment = any(%s)",
        (wanted,),
    )
    texts = {one: unsealed(key, one, data) for one, data, key in rows}
    return {one: msgspec.json.decode(text) for one, text in texts.items() if text is not None}


def named_in(record: Body) -> list[str]:
    """Return the commitments that a record names: they must stand when it is committed."""
    return list(_commitments(record)) if isinstance(record, DecisionBody | CallBody) and record.personal else []


def _commitments(record: DecisionBody | CallBody) -> Iterator[str]:
    if isinstance(record, DecisionBody):
        groups = {"": record.inputs} | {f"{name}.": signal.fields for name, signal in record.signals.items()}
    else:
        groups = {f"{record.signal}.": record.answer.fields} if record.answer is not None else {}
    for prefix, fields in groups.items():
        for name, value in fields.items():
            if prefix + name in record.personal and isinstance(value, Mapping):
                yield str(value["commitment"])


async def _key(connections: Connections, subject: str) -> bytes:
    """Return the key of a subject, which is made where there is none."""
    while True:
        rows = await connections.rows(
            "with made as (insert into adjudge.subject_keys values (%s, %s) on conflict do nothing returning key)"
            " select key from made union all select key from adjudge.subject_keys where subject = %s limit 1",
            (subject, new_key(), subject),
        )
        if rows:  # none where another worker makes it at this moment
            return bytes(rows[0][0])
