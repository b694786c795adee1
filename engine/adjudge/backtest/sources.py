"""What stands after `from`: an export, Parquet files, or CSV."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from adjudge.backtest import files
from adjudge.backtest.columns import DataError
from adjudge.backtest.delimited import columns_of, is_delimited
from adjudge.backtest.duck import fetched, is_made
from adjudge.backtest.state import LABELS, STATE, read_state
from adjudge.frozen import frozen


@frozen(kw_only=True)
class RowSource:
    """Rows.

    parquet: the files behind them, whose ends are known without reading.
    csv: the files behind a table, which `read_columns` makes.
    notes: what a reader must know.
    """

    relation: str
    parquet: Sequence[Path] = ()
    csv: Sequence[Path] = ()
    is_export: bool = False
    notes: tuple[str, ...] = ()


def open_source(connection: Any, path: Path, policy: str) -> RowSource:
    """Find rows. policy: the name of the policy whose decisions are wanted from an export. Raises DataError."""
    if not path.is_dir():
        if is_delimited(path):
            return _csv(path, [path])
        if not files.is_parquet(path):
            raise DataError(
                f"{path}: is not a Parquet or CSV file", "name a .parquet or .csv file, a folder of them, or a log"
            )
        return _parquet([path])
    if (path / STATE).is_file():
        return _export(connection, path, policy)
    if (path.parent / STATE).is_file() and path.name in read_state(path.parent).folders:
        return _folder(connection, path.parent, path.name)
    found = files.files_of(path)
    if found.parquet and found.csv:
        few = f"{len(found.parquet)} Parquet and {len(found.csv)} CSV files"
        raise DataError(f"{path}: holds {few}", "name the files of one kind, or a folder that holds no others")
    if not found.parquet and not found.csv:
        hint = "`adjudge audit export` makes one"
        raise DataError(f"{path}: holds no Parquet or CSV files, and is not an export", hint)
    rest = f"{len(found.others):,} other files are left out, such as {found.others[0]}" if found.others else None
    notes = (rest,) if rest is not None else ()
    return _parquet(found.parquet, notes) if found.parquet else _csv(path, found.csv, notes)


def _parquet(paths: Sequence[Path], notes: tuple[str, ...] = ()) -> RowSource:
    return RowSource(relation=files.parquet(paths), parquet=paths, notes=notes)


def _csv(path: Path, paths: Sequence[Path], notes: tuple[str, ...] = ()) -> RowSource:
    """Return CSV as a table, which `read_columns` makes, once however many policies are tried on it."""
    digest = hashlib.sha256(str(path.absolute()).encode(errors="surrogateescape")).hexdigest()
    table = f"adjudge_csv_{digest[:16]}"
    return RowSource(relation=table, csv=paths, notes=notes)


def described(connection: Any, source: RowSource) -> dict[str, str]:
    """Return the types of columns by name; SQL has no way to say one without a name. Raises DataError."""
    if source.csv and not is_made(connection, source.relation):
        return dict.fromkeys(columns_of(source.csv), "VARCHAR")
    return {row[0]: row[1] for row in fetched(connection, f"describe select * from {source.relation}") if row[0]}


def _export(connection: Any, path: Path, policy: str) -> RowSource:
    """Return an export's decisions of a policy; of its folders the newest, in which fields have the types of today."""
    folders = sorted(read_state(path).folders, key=lambda name: (name.partition("~")[0], len(name), name))
    own = [name for name in folders if name.partition("~")[0] == policy]
    chosen = own[-1] if own else folders[0] if len(folders) == 1 else None
    if chosen is None:
        names = ", ".join(folders)
        said = f"holds decisions of {names or 'no policy'}, and none of {policy}"
        raise DataError(f"{path}: {said}", f"name one of the export's folders: {names}" if names else None)
    source = _folder(connection, path, chosen)
    notes = []
    for name in own[:-1]:
        ((count,),) = fetched(connection, f"select count(*) from {files.parquet(_parts(path, name))}")
        notes.append(f"{count:,} earlier decisions are left out, {name}: a field has another type since then")
    return RowSource(relation=source.relation, parquet=source.parquet, is_export=True, notes=tuple(notes))


def _parts(path: Path, name: str) -> Sequence[Path]:
    return files.files_of(path / name).parquet


def _folder(connection: Any, path: Path, name: str) -> RowSource:
    """Return decisions without those that later ones supersede, each with the newest label of its MerchantBizId."""
    parts = _parts(path, name)
    rows = every = files.parquet(parts)
    later = f"select supersedes as decision_id from {every} where supersedes is not null"
    if fetched(connection, f"{later} limit 1"):
        rows = f"{rows} anti join ({later}) using (decision_id)"
    if labels := sorted((path / LABELS).glob("*.parquet")):
        own = f"select merchant_biz_id, arg_max(label, seq) as label from {files.parquet(labels)} group by all"
        rows = f"{rows} left join ({own}) using (merchant_biz_id)"
    return RowSource(relation=f"(select * from {rows})", parquet=parts, is_export=True)
