"""`adjudge postgres`: the tables of the ledger, and how it stands."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from adjudge.plugin import split_lines

if TYPE_CHECKING:
    from adjudge_plugins.postgres.database import Connection

_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)
RETRIES = timedelta(hours=48)
"""So long a caller may ask again and expect the same answer, unless it is configured otherwise."""
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


@postgres.command("archive")
@_DSN
@click.option("--month", required=True, type=click.DateTime(["%Y-%m"]), help="Which one, such as 2026-11; it is over.")
@click.option("--to", required=True, type=click.Path(file_okay=False, path_type=Path), help="The folder to write to.")
@click.option("--by", required=True, help="Who does this; it is recorded.")
@click.option("--key", type=_FILE, help="The private key that signs what is recorded.")
@click.option("--mac-key", type=_FILE, help="The key of macs, where there is one of its own.")
def archive_command(dsn: str, month: datetime, to: Path, by: str, key: Path | None, mac_key: Path | None) -> None:
    """Write a month's records as files, record that they went there, and drop its partition."""
    from adjudge.ledger.kit import Checkpoints, mac_key_from_file, signer_from_file
    from adjudge_plugins.postgres.archive import archive

    now = datetime.now(UTC)
    if (month.year, month.month) >= (now.year, now.month):
        raise click.UsageError(f"{month:%Y-%m} is not over yet")
    if not by.strip():
        raise click.UsageError("--by names nobody")
    points = Checkpoints(
        signer=signer_from_file(key) if key is not None else None,
        mac_key=mac_key_from_file(mac_key) if mac_key is not None else None,
    )
    import asyncio

    if _still_answers(month, now.replace(tzinfo=None)):
        said = "decisions of the last 48 hours go too: who asks for one again gets no answer while it is away"
        click.echo(said, err=True)
    moved = asyncio.run(archive(dsn, month.date(), to, by=by, points=points))
    for body in moved:
        click.echo(f"{Path(body.to).name}/{body.name}  records {body.first} to {body.last}, {body.bytes:,} bytes")
    click.echo(f"{month:%Y-%m} is archived in {split_lines(str(to))[0]}")


def _still_answers(month: datetime, now: datetime) -> bool:
    """Whether a month has decisions that still answer, unless it is configured otherwise; both in UTC."""
    return (now - RETRIES).timetuple()[:2] <= month.timetuple()[:2]


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
