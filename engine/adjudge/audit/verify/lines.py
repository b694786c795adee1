"""Lines as they stand in the files of a log: their frame, their hash, their members."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import re
import stat
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from .problem import Wrong

SCHEMA = 1
FIRST_PREV = b"0" * 64
MAX_LINE = 16 * 1024 * 1024
"""Bytes of the longest line, its newline included."""

PREFIX = re.compile(
    rb'\{"schema":(0|[1-9][0-9]{0,8}),"seq":([1-9][0-9]{0,17}),"prev":"([0-9a-f]{64})","kind":"([a-z][a-z_]{0,63})"(?=,)'
)
SUFFIX = re.compile(rb',"hash":"([0-9a-f]{64})"\}\n')
SUFFIX_LENGTH = 76
HASH = slice(-67, -3)
"""Where in a line its own hash stands."""

MAC = re.compile(rb',"mac":"[0-9a-f]{64}"')
MAC_LENGTH = 73
SIGNED = re.compile(rb',"key":"([0-9a-f]{16})","signature":"([0-9a-f]{128})"')
SIGNATURE_LENGTH = 143
SIGNED_LENGTH = SIGNATURE_LENGTH + 25
CHECKPOINT, DECISION, SEGMENT, LEDGER = b"checkpoint", b"decision", b"segment", b"ledger"
CHAIN_MEMBERS = frozenset({b"schema", b"seq", b"prev", b"kind", b"mac", b"hash"})


def opened(path: Path) -> BinaryIO:
    """Open a file for reading; raises OSError for anything but a regular one, which might never end."""
    if not stat.S_ISREG(path.stat().st_mode):
        raise OSError(errno.EINVAL, "is not a regular file", str(path))
    flags = os.O_RDONLY | getattr(os, "O_BINARY", 0) | getattr(os, "O_NONBLOCK", 0)
    file = os.open(path, flags)  # a pipe that has come in its place meanwhile holds nobody up
    if not stat.S_ISREG(os.fstat(file).st_mode):
        os.close(file)
        raise OSError(errno.EINVAL, "is not a regular file", str(path))
    return os.fdopen(file, "rb", 1024 * 1024)


@dataclass(slots=True, eq=False)
class Lines:
    """A part of a log that is in no file. name: what to call it. read: returns its lines, again at each call."""

    name: str
    read: Callable[[], Iterable[bytes]]

    def __str__(self) -> str:
        return self.name


def read_lines(files: Sequence[Path | Lines]) -> Iterator[tuple[Path | Lines, int, bytes]]:
    """Read files line by line, with the number of each; a longer line than there may be is not read to its end."""
    for path in files:
        if isinstance(path, Lines):
            yield from ((path, number, line) for number, line in enumerate(path.read(), 1))
            continue
        with opened(path) as file:
            number = 0
            while line := file.readline(MAX_LINE + 1):
                if not line.endswith(b"\n") and len(line) <= MAX_LINE:
                    time.sleep(0.1)  # a writer at work may be in the middle of this line
                    line += file.readline(MAX_LINE + 1 - len(line))
                number += 1
                yield path, number, line


def check_line(line: bytes, seq: int, prev: bytes) -> bytes:
    """Return the kind of a line that may follow the record with the hash `prev`. Raises Wrong."""
    if len(line) > MAX_LINE:
        raise Wrong("too-long", f"the line is longer than {MAX_LINE} bytes")
    if not line.endswith(b"\n"):
        raise Wrong("torn", "the file's last line is not finished: a crash, a cut, or a writer at work")
    prefix, suffix = PREFIX.match(line), SUFFIX.fullmatch(line, max(0, len(line) - SUFFIX_LENGTH))
    if not prefix or not suffix or prefix.end() > suffix.start():
        members_of(line)
        frame = '{"schema":…,"seq":…,"prev":…,"kind":…, and end ,"hash":…}'
        raise Wrong("wrong-schema", f"the line does not begin {frame}")
    schema, said = int(prefix[1]), int(prefix[2])
    if schema != SCHEMA:
        raise Wrong("wrong-schema", f"schema {schema}; this program knows schema {SCHEMA}", said)
    if hashlib.sha256(line[:-SUFFIX_LENGTH]).hexdigest().encode() != suffix[1]:
        raise Wrong("edited", "the record's bytes do not have the hash that it carries", said)
    if said > seq:
        raise Wrong("missing", f"records {seq} to {said - 1} are missing before this one", said)
    if said < seq:
        raise Wrong("inserted", f"record {said} is where record {seq} belongs", said)
    if prefix[3] != prev:
        why = f"one of records {seq - 1} and {seq} is false"
        raise Wrong("edited", f"`prev` is not the hash of the record before: {why}")
    members_of(line)
    return prefix[4]


_json = json.JSONDecoder(
    object_pairs_hook=tuple,
    parse_int=lambda digits: int(digits) if len(digits) < 19 else digits,
    parse_float=str,
    parse_constant=int,  # which refuses NaN and Infinity, as JSON does
)


def members_of(line: bytes) -> dict[str, Any]:
    """Return a record's members; objects inside are pairs, numbers that no machine holds are texts. Raises Wrong."""
    try:
        pairs = _json.decode(line.decode())
    except UnicodeDecodeError:
        raise Wrong("not-json", "the line is not UTF-8") from None
    except (ValueError, RecursionError):
        raise Wrong("not-json", "the line is not JSON") from None
    if not isinstance(pairs, tuple):
        return {}
    members = dict(pairs)
    if len(members) < len(pairs):
        twice = next(name for name, count in Counter(name for name, _ in pairs).items() if count > 1)
        raise Wrong("not-json", f"the member `{twice}` appears twice")
    return members


def mac_start(line: bytes) -> int:
    """Return where a line's `,"mac":"` begins; where it has none, where its `,"hash":"` does."""
    end = len(line) - SUFFIX_LENGTH
    at = end - MAC_LENGTH
    return at if at > 0 and line.startswith(b',"mac":"', at) and MAC.fullmatch(line, at, end) else end


def hashes_by_log(anchors: Sequence[bytes]) -> dict[str, dict[int, bytes]]:
    """Return what a witness remembers: hashes by log and seq, none where two differ. Raises ValueError."""
    logs: dict[str, dict[int, bytes]] = {}
    for number, line in enumerate(anchors, 1):
        prefix = PREFIX.match(line)
        try:
            is_checkpoint = prefix is not None and check_line(line, int(prefix[2]), prefix[3]) == CHECKPOINT
        except Wrong:
            is_checkpoint = False
        if prefix is None or not is_checkpoint:
            raise ValueError(f"line {number} is not a checkpoint")
        kept, seq = logs.setdefault(str(members_of(line).get("log")), {}), int(prefix[2])
        kept[seq] = line[HASH] if kept.get(seq, line[HASH]) == line[HASH] else b""
    return logs
