"""What stands after `from`: an export, Parquet files, or CSV."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from adjudge.backtest.columns import DataError
from adjudge.backtest.duck import fetched
from adjudge.backtest.state import LABELS, STATE, read_state
from adjudge.expr.sql.dialect import DUCKDB

_CSV = (".csv", ".tsv", ".gz")


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """Rows.

    files: the Parquet files behind them, whose ends are known without reading. csv: the pattern of CSV files.
    notes: what a reader must know.
    """

    relation: str
    files: str | None = None
    csv: str | None = None
    is_export: bool = False
    notes: tuple[str, ...] = ()

    def typed(self, types: Mapping[str, str]) -> Source:
        """Return CSV with types for some of its columns."""
        assert self.csv is not None
        return Source(relation=_csv(self.csv, types), csv=self.csv, notes=self.notes)


def open_source(connection: Any, path: Path, policy: str) -> Source:
    """Find rows. policy: the name of the policy whose decisions are wanted from an export. Raises DataError."""
    if path.is_dir():
        if (path / STATE).is_file():
            return _export(connection, path, policy)
        if (path.parent / STATE).is_file() and path.name in read_state(path.parent).folders:
            return _folder(connection, path.parent, path.name)
        if any(path.rglob("*.parquet")):
            return _parquet(f"{path}/**/*.parquet")
        if any(path.rglob("*.csv")):
            pattern = f"{path}/**/*.csv"
            return Source(relation=_csv(pattern, {}), csv=pattern)
        raise DataError(
            f"{path}: holds no Parquet and no CSV files, and is no export", "`adjudge audit export` makes one"
        )
    if path.suffix.lower() in _CSV:
        return Source(relation=_csv(str(path), {}), csv=str(path))
    if path.suffix.lower() != ".parquet":
        raise DataError(
            f"{path}: is no Parquet or CSV file", "name a .parquet or .csv file, a folder of them, or a log"
        )
    return _parquet(str(path))


def _parquet(pattern: str) -> Source:
    files = f"read_parquet({DUCKDB.text(pattern)}, union_by_name = true, hive_partitioning = false)"
    return Source(relation=files, files=files)


def _csv(pattern: str, types: Mapping[str, str]) -> str:
    said = ", ".join(f"{DUCKDB.text(name)}: {DUCKDB.text(type_)}" for name, type_ in types.items())
    typed = f", types = {{{said}}}" if types else ""
    return f"read_csv({DUCKDB.text(pattern)}, sample_size = -1, union_by_name = true{typed})"


def _export(connection: Any, path: Path, policy: str) -> Source:
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
        (count,) = fetched(connection, f"select count(*) from {_parquet(f'{path}/{name}/**/*.parquet').relation}")[0]
        notes.append(f"{count:,} earlier decisions are left out, {name}: a field has another type since then")
    return Source(relation=source.relation, files=source.files, is_export=True, notes=tuple(notes))


def _folder(connection: Any, path: Path, name: str) -> Source:
    """Return decisions without those that later ones supersede, each with the newest label of its MerchantBizId."""
    files = _parquet(f"{path}/{name}/**/*.parquet").relation
    rows = files
    later = f"select supersedes as decision_id from {files} where supersedes is not null"
    if fetched(connection, f"{later} limit 1"):
        rows = f"{rows} anti join ({later}) using (decision_id)"
    if any((path / LABELS).glob("*.parquet")):
        labels = _parquet(f"{path}/{LABELS}/*.parquet").relation
        newest = f"select merchant_biz_id, arg_max(label, seq) as label from {labels} group by merchant_biz_id"
        rows = f"{rows} left join ({newest}) using (merchant_biz_id)"
    return Source(relation=f"(select * from {rows})", files=files, is_export=True)
