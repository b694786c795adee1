"""The argument DATA of commands over tables: how its columns are read, and which of its rows."""

from __future__ import annotations

import signal
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from adjudge.cli.logs import is_log, told
from adjudge.cli.progress import progress_bar, size_of
from adjudge.policy.policy import Policy
from adjudge.policy.slices import Slice
from adjudge.registry import Registry

if TYPE_CHECKING:
    import duckdb

    from adjudge.backtest.dataset import Dataset


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """How a table is read. mapping: columns by field or role. memory, threads: what the database may use."""

    mapping: Mapping[str, str]
    memory: str
    threads: int | None

    @contextmanager
    def connected(self) -> Iterator[duckdb.DuckDBPyConnection]:
        """Open a database."""
        from adjudge.backtest.duck import connect

        with connect(memory=self.memory, threads=self.threads) as connection:
            yield connection

    @contextmanager
    def opened(
        self,
        connection: duckdb.DuckDBPyConnection,
        registry: Registry,
        policies: Sequence[Policy],
        data: Path,
        wanted: Slice,
    ) -> Iterator[list[Dataset]]:
        """Open data for each policy; a log becomes an export first, which is forgotten afterwards.

        wanted: which rows, as the first policy reads them.
        """
        from adjudge.backtest.dataset import open_dataset
        from adjudge.backtest.export import export
        from adjudge.backtest.slices import sliced

        name = policies[0].name  # one set of rows for all

        def datasets(path: Path) -> list[Dataset]:
            found = [
                open_dataset(connection, path, policy.typed, mapping=self.mapping, name=name) for policy in policies
            ]
            return sliced(connection, found, policies[0], wanted)

        if not is_log(data):
            yield datasets(data)
            return
        personal = any(field.personal for policy in policies for field in policy.typed.slots.values())
        with _ended_by_sigterm(), tempfile.TemporaryDirectory(prefix="adjudge-backtest-") as folder:
            out = Path(folder) / "export"
            with progress_bar("reading the log", size_of(told(data))) as bar:
                export(data, out, functions=registry.catalogue().functions, with_personal=personal, progress=bar)
            yield [replace(one, path=data) for one in datasets(out)]


def table_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options of a table, which the command takes as one argument, `table`."""
    options = (
        click.option(
            "--map", "mapped", multiple=True, metavar="SLOT=COLUMN",
            help="Read a field, or id, at, label, cost, outcome (@id … where a field has that name), from this column;"
            " may be given several times.",
        ),
        click.option("--memory", default="1GB", show_default=True, help="As much as the database may use."),
        click.option("--threads", type=click.IntRange(min=1), help="[default: one for each processor]"),
    )  # fmt: skip

    @wraps(command)
    def with_table(*given: Any, mapped: tuple[str, ...], memory: str, threads: int | None, **others: Any) -> Any:
        return command(*given, table=Table(mapping=mapping_of(mapped), memory=memory, threads=threads), **others)

    decorated: Callable[..., Any] = with_table
    for option in reversed(options):
        decorated = option(decorated)
    return decorated


def mapping_of(mapped: Sequence[str]) -> dict[str, str]:
    """Return `slot=column` texts as a mapping."""
    pairs = [one.partition("=") for one in mapped]
    for slot, sign, column in pairs:
        if not (slot and sign and column):
            raise click.UsageError(f"--map {slot}{sign}{column}: write SLOT=COLUMN, such as --map amount=AMT_TOTAL")
    return {slot: column for slot, _, column in pairs}


@contextmanager
def _ended_by_sigterm() -> Iterator[None]:
    """Let SIGTERM end the work as Ctrl-C does, so that nothing of a log stays behind."""

    def stop(number: int, frame: object) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
