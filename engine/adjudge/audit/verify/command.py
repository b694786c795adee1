"""The command line, and files in place of bytes."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from .findings import Findings, render
from .keys import read_keys, read_mac_key
from .lines import hashes_by_log, opened
from .log import verify
from .segments import LogPath, WithArchive, folder_of


def main(arguments: list[str] | None = None) -> int:
    """Run the command line. Returns the exit status: 0 good, 1 something is wrong, 2 nothing to verify."""
    import argparse  # for the command alone: whoever imports the functions does not need it

    parser = argparse.ArgumentParser(prog="verify", description="Check an audit log.")
    parser.add_argument("log", type=Path, help="the log's folder, or a copy of its only segment")
    parser.add_argument("--archive", type=Path, action="append", default=[], help="a folder of moved segments")
    parser.add_argument("--key", type=Path, action="append", default=[], help="a file of public keys, in PEM form")
    parser.add_argument("--mac-key", type=Path, action="append", default=[], help="a key for macs, or one that signs")
    parser.add_argument("--closed", action="store_true", help="require that nothing follows an orderly close")
    parser.add_argument("--anchors", type=Path, help="a file of checkpoints that was kept elsewhere")
    parser.add_argument("--expect-last", metavar="HASH", help="the hash of the last record, from an outside witness")
    parser.add_argument("--expect-count", metavar="N", type=int, help="the number of records, from an outside witness")
    parser.add_argument("--format", choices=("text", "json"), default="text")
    options = vars(parser.parse_args(arguments))
    form, archives = options.pop("format"), tuple(options.pop("archive"))
    options["log"] = WithArchive(options["log"], archives) if archives else options["log"]
    try:
        findings = verify_files(**options)
    except ValueError as error:
        print(error, file=sys.stderr)
        return 2
    print(json.dumps(asdict(findings)) if form == "json" else render(findings))
    return 0 if findings.is_good else 1


def verify_files(
    log: LogPath,
    *,
    key: Sequence[Path] = (),
    mac_key: Sequence[Path] = (),
    closed: bool = False,
    anchors: Path | None = None,
    expect_last: str | None = None,
    expect_count: int | None = None,
) -> Findings:
    """Verify a log with keys and anchors from files. Raises ValueError for any file that cannot be used, or no hash."""
    check_hash(expect_last)
    keys, mac_keys, kept = read_given(key, mac_key, anchors)
    at = folder_of(log)
    try:
        return verify(
            log,
            expect_last=expect_last and expect_last.lower(),
            expect_count=expect_count,
            keys=keys,
            mac_keys=mac_keys,
            closed=closed,
            anchors=kept,
        )
    except (OSError, ValueError) as error:
        raise ValueError(f"{at}: {(isinstance(error, OSError) and error.strerror) or error}") from None


def check_hash(expect_last: str | None) -> None:
    """Raise ValueError for what is no hash of a last record."""
    if expect_last is not None and not re.fullmatch("[0-9a-fA-F]{64}", expect_last):
        raise ValueError("the hash of the last record, as the witness has it, is not 64 hex digits")


def read_given(
    key: Sequence[Path], mac_key: Sequence[Path], anchors: Path | None
) -> tuple[list[bytes], list[bytes], list[bytes] | None]:
    """Read keys, keys of macs and anchors from files. Raises ValueError with the file that cannot be used."""
    at = Path()
    try:
        keys, mac_keys, kept = list[bytes](), list[bytes](), None
        for at in key:
            keys += read_keys(_text(at))
        for at in mac_key:
            mac_keys.append(read_mac_key(_text(at)))
        if anchors is not None:
            with opened(at := anchors) as file:
                kept = [line for line in file if line.endswith(b"\n")]  # a last one may not be finished
            hashes_by_log(kept)
        return keys, mac_keys, kept
    except (OSError, ValueError) as error:
        raise ValueError(f"{at}: {(isinstance(error, OSError) and error.strerror) or error}") from None


def _text(path: Path) -> str:
    with opened(path) as file:
        return file.read(1024 * 1024).decode()
