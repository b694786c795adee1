"""`adjudge postgres`: the tables of the ledger, and how it stands."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import TYPE_CHECKING, Any

import click

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


@postgres.command("export", hidden=True, context_settings={"ignore_unknown_options": True})
@click.argument("arguments", nargs=-1)
def export_command(arguments: tuple[str, ...]) -> None:
    """Say what took the place of this command."""
    raise click.UsageError("chains are exported by `adjudge audit export postgresql://… DIRECTORY --jsonl`")


_STATUS = b"""
select 'version of the tables', max(number)::text from adjudge.migrations
union all select 'writers', count(*)::text from adjudge.writers
union all select 'records', count(*)::text from adjudge.records
union all select 'ids with a decision', count(*)::text from adjudge.answers
union all select 'claims under way', count(*)::text from adjudge.claims where until > clock_timestamp()
union all select 'calls without a decision', count(*)::text from adjudge.calls where is_open
union all select 'records without a month', count(*)::text from adjudge.records_of_no_month
"""


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
