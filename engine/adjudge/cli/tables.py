"""The argument DATA of commands over tables: how its columns are read, and which of its rows."""

from __future__ import annotations

import os
import signal
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence, Set
from contextlib import contextmanager
from dataclasses import replace
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from adjudge.cli.logs import Data, archive_option, is_log
from adjudge.cli.logs import opened as opened_log
from adjudge.cli.mapping import read_mapping
from adjudge.cli.progress import progress_bar, size_of
from adjudge.errors import DataError
from adjudge.expr.nodes import names_in
from adjudge.frozen import frozen
from adjudge.policy.asked import asked, with_request
from adjudge.policy.policy import Policy
from adjudge.policy.slices import Slice
from adjudge.registry import Registry

if TYPE_CHECKING:
    import duckdb

    from adjudge.backtest.dataset import Dataset


@frozen(kw_only=True)
class Table:
    """How a table is read.

    mapping: columns by field or role. assumed: values by field, as texts. is_strict: whether a cell that cannot be read
    is an error. memory, threads: what the database may use. archives: folders with segments of a log.
    """

    mapping: Mapping[str, str]
    assumed: Mapping[str, str]
    is_strict: bool
    memory: str
    threads: int | None
    archives: tuple[Path | str, ...] = ()

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
        data: Data,
        wanted: Slice,
    ) -> Iterator[list[Dataset]]:
        """Open data for each policy; a log becomes an export first, which is forgotten afterwards.

        wanted: which rows, as the first policy reads them. Each dataset has the field of `wanted.by`.
        """
        from adjudge.backtest.answers import Answers
        from adjudge.backtest.assumed import check_assumed
        from adjudge.backtest.dataset import open_dataset
        from adjudge.backtest.export import export
        from adjudge.backtest.slices import sliced

        name = policies[0].name  # one set of rows for all
        answers = Answers(jobs=self.threads or os.cpu_count() or 1, bar=progress_bar)
        check_assumed([policy.typed for policy in policies], self.assumed)

        slots = [frozenset(policy.typed.slots) for policy in policies]
        whole = with_request(policies[0], f"{wanted.where or ''} {wanted.by or ''}")
        every = frozenset(whole.typed.slots).union(*slots)

        def opened(path: Path, policy: Policy, own: frozenset[str]) -> Dataset:
            """Open data for one policy, which needs no column for a field that only others have."""
            mapping = {slot: column for slot, column in self.mapping.items() if slot in own or slot not in every}
            assumed = {slot: value for slot, value in self.assumed.items() if slot in own}
            return open_dataset(
                connection,
                path,
                policy.typed,
                mapping=mapping,
                name=name,
                assumed=assumed,
                is_strict=self.is_strict,
                answers=answers,
            )

        def datasets(path: Path) -> list[Dataset]:
            found = [opened(path, policy, own) for policy, own in zip(policies, slots, strict=True)]
            there = found[0] if whole is policies[0] else opened(path, whole, frozenset(whole.typed.slots))
            for option, slots_read in _asks(whole, wanted):
                for slot in sorted((slots_read & whole.typed.of_request) - there.named.keys()):
                    hint = f"map a column: --map {slot}=COLUMN"
                    raise DataError(f"{option} reads `{slot}`, which the data lacks", hint)
            by = {slot: text for slot, text in there.columns.items() if slot == wanted.by}
            return [
                replace(one, columns={**by, **one.columns})
                for one in sliced(connection, [there, *found], whole, wanted)[1:]
            ]

        if isinstance(data, Path) and not is_log(data):
            yield datasets(data)
            return
        personal = any(field.personal for policy in policies for field in policy.typed.slots.values())
        with _ended_by_sigterm(), tempfile.TemporaryDirectory(prefix="adjudge-backtest-") as folder:
            out, log = Path(folder) / "export", opened_log(data, self.archives)
            with progress_bar("reading the log", size_of(log)) as bar:
                export(log, out, functions=registry.catalogue().functions, with_personal=personal, progress=bar)
            yield [replace(one, path=data) for one in datasets(out)]


def _asks(policy: Policy, wanted: Slice) -> Iterator[tuple[str, Set[str]]]:
    """Yield the options that read fields, and the fields."""
    if wanted.where is not None:
        yield "--where", names_in(asked(policy, wanted.where, "--where")).keys()
    if wanted.by is not None:
        yield "--by", {wanted.by}


def table_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options of a table, which the command takes as one argument, `table`."""
    options = (
        click.option(
            "--map", "mapped", multiple=True, metavar="FIELD=COLUMN|FILE",
            help="Read a field, or id, at, label, cost, outcome (@id … where a field has that name), from this column;"
            " or a file of such lines, map.yaml, as backtest --map-from writes it. May be given several times.",
        ),
        click.option(
            "--assume", "assumed", multiple=True, metavar="FIELD=VALUE",
            help="Take a field that the data lacks to be this on every row; may be given several times.",
        ),
        click.option("--strict", "is_strict", is_flag=True,
                     help="Stop at a cell that cannot be read; else it is unknown in its row."),
        archive_option,
        click.option("--memory", default="1GB", show_default=True, help="As much as the database may use."),
        click.option("--threads", type=click.IntRange(min=1), help="[default: one for each processor]"),
    )  # fmt: skip

    @wraps(command)
    def with_table(
        *given: Any,
        mapped: Sequence[str],
        assumed: Sequence[str],
        is_strict: bool,
        memory: str,
        threads: int | None,
        archives: tuple[Path | str, ...],
        **others: Any,
    ) -> Any:
        table = Table(
            mapping=_mapping(mapped),
            assumed=_assumed(assumed),
            is_strict=is_strict,
            memory=memory,
            threads=threads,
            archives=archives,
        )
        return command(*given, table=table, **others)

    decorated: Callable[..., Any] = with_table
    for option in reversed(options):
        decorated = option(decorated)
    return decorated


def _mapping(mapped: Sequence[str]) -> dict[str, str]:
    """Return `field=column` texts, and the lines of files, as one mapping; such a text counts over a file's line."""
    found: dict[str, str] = {}
    own: dict[str, str] = {}
    for one in mapped:
        field, sign, column = one.partition("=")
        if not sign and Path(one).is_file():
            found |= read_mapping(Path(one))
        elif field and column:
            _put_once("--map", own, field, column)
        else:
            ways = "write FIELD=COLUMN, such as --map amount=AMT_TOTAL, or the name of a file, such as --map map.yaml"
            raise click.UsageError(f"--map {one}: {ways}")
    return found | own


def _assumed(assumed: Sequence[str]) -> dict[str, str]:
    found: dict[str, str] = {}
    for one in assumed:
        field, sign, value = one.partition("=")
        if not field or not sign:
            raise click.UsageError(f"--assume {one}: write FIELD=VALUE, such as --assume country=SG")
        _put_once("--assume", found, field, value)
    return found


def _put_once(option: str, found: dict[str, str], field: str, value: str) -> None:
    """Keep what an option says of a field, of which it can say one thing. Raises UsageError."""
    if found.setdefault(field, value) != value:
        raise click.UsageError(f"{option} says two things of `{field}`, {found[field]} and {value}: give one of them")


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
