"""`adjudge postgres`: the tables of the ledger, how it stands, and its chains as logs of files."""

from __future__ import annotations

import os
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from adjudge.plugin import split_lines

if TYPE_CHECKING:
    from adjudge_plugins.postgres.database import Connection

_DSN = click.argument("dsn", envvar="ADJUDGE_DSN")


@click.group("postgres")
def postgres() -> None:
    """The ledger in PostgreSQL.

    DSN: as libpq takes it, such as postgresql://adjudge@db.internal/adjudge; or in the variable ADJUDGE_DSN.
    """


@postgres.command("migrate")
@_DSN
def migrate_command(dsn: str) -> None:
    """Make the tables, or bring them up to date, and the partitions of the months ahead."""
    from adjudge_plugins.postgres.migrate import migrate

    for name in _done(dsn, migrate):
        click.echo(f"made {name}")
    click.echo("up to date")


@postgres.command("status")
@_DSN
def status_command(dsn: str) -> None:
    """Say what stands in the ledger."""

    async def ask(connection: Connection) -> list[tuple[Any, ...]]:
        from adjudge_plugins.postgres.database import told
        from adjudge_plugins.postgres.migrate import applied

        if not await applied(connection):
            return []
        with told():
            return await (await connection.execute(_STATUS)).fetchall()

    rows = _done(dsn, ask)
    if not rows:
        raise click.ClickException("there are no tables yet: adjudge postgres migrate")
    for name, value in rows:
        click.echo(f"{name:<28}{value}")


@postgres.command("export")
@_DSN
@click.argument("directory", type=click.Path(file_okay=False, path_type=Path))
def export_command(dsn: str, directory: Path) -> None:
    """Write each chain as a log of files, which `adjudge audit verify` and its like read."""
    made = _done(dsn, lambda connection: _exported(connection, directory))
    for log, records in made:
        click.echo(f"{split_lines(str(log))[0]}: {records:,} record{'' if records == 1 else 's'}")
    if not made:
        click.echo("there are no records")


_STATUS = b"""
select 'version of the tables', max(number)::text from adjudge.migrations
union all select 'writers', count(*)::text from adjudge.writers
union all select 'records', count(*)::text from adjudge.records
union all select 'ids with a decision', count(*)::text from adjudge.answers
union all select 'claims under way', count(*)::text from adjudge.claims where until > clock_timestamp()
union all select 'calls without a decision', count(*)::text from adjudge.calls where is_open
union all select 'records without a month', count(*)::text from adjudge.records_of_no_month
"""


async def _exported(connection: Connection, directory: Path) -> list[tuple[Path, int]]:
    from adjudge_plugins.postgres.database import told

    made = []
    with told():
        writers = await (
            await connection.execute(b"select writer from adjudge.writers where seq > 0 order by writer")
        ).fetchall()
        for (writer,) in writers:
            log = directory / f"writer-{writer}"
            log.mkdir(parents=True, exist_ok=True)
            count = 0
            file = os.open(log / "audit-000001.jsonl", os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            async with connection.transaction():
                with os.fdopen(file, "wb") as lines:
                    async with connection.cursor(f"chain_{writer}") as cursor:
                        await cursor.execute(
                            b"select line from adjudge.records where writer = %s order by seq", (writer,)
                        )
                        async for (line,) in cursor:
                            lines.write(line)
                            count += 1
            made.append((log, count))
    return made


def _done(dsn: str, work: Callable[[Connection], Coroutine[Any, Any, list[Any]]]) -> list[Any]:
    import asyncio  # every command of adjudge is found with this module

    from adjudge_plugins.postgres.database import connect

    async def main() -> list[Any]:
        connection = await connect(dsn)
        try:
            return await work(connection)
        finally:
            await connection.close()

    return asyncio.run(main())
