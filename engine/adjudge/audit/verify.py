"""Check an audit log without the engine: `python verify.py DIRECTORY`. Needs Python 3.11 and nothing else.

A log is a directory of segments `audit-000001.jsonl`, `audit-000002.jsonl` … that are read as one. Every line is one
record, a JSON object without spaces between its members, ended by a newline:

    {"schema":1,"seq":7,"prev":"<64 hex>","kind":"decision", … ,"hash":"<64 hex>"}

`hash` is the SHA-256 of the line's bytes before `,"hash":"`, so of everything but its last 76 bytes (75 and the
newline). `prev` is the hash of the record before, 64 zeros for the first. `seq` counts from 1 without gaps.

What this proves: nobody changed, removed, added or moved a record without also computing every later hash anew.
What it cannot prove: a chain needs no secret. A log cut off at the border of two records, or written anew from some
record on, is a perfect log. Only somebody outside who remembers a hash and a count can tell: give them as
`--expect-last` and `--expect-count`.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import re
import sys
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path

SCHEMA = 1
FIRST_PREV = b"0" * 64
MAX_LINE = 16 * 1024 * 1024
"""Bytes of the longest line, its newline included."""

SEGMENT = re.compile(r"audit-([0-9]{6,})\.jsonl")
PREFIX = re.compile(
    rb'\{"schema":(0|[1-9][0-9]{0,8}),"seq":([1-9][0-9]{0,17}),"prev":"([0-9a-f]{64})","kind":"([a-z][a-z_]{0,63})"(?=,)'
)
SUFFIX = re.compile(rb',"hash":"([0-9a-f]{64})"\}\n')
SUFFIX_LENGTH = 76
CHAIN_MEMBERS = frozenset({b"schema", b"seq", b"prev", b"kind", b"hash"})


def _value(depth: int) -> str:
    """Return a pattern of a JSON value nested at most `depth` deep, as RFC 8259 has it, without spaces."""
    string = r'"[^"\\\x00-\x1f]*+(?:\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4})[^"\\\x00-\x1f]*+)*+"'
    number = r"-?+(?:0|[1-9][0-9]*+)(?:\.[0-9]++)?+(?:[eE][+-]?+[0-9]++)?+"
    nested = ""
    if depth:
        inner = _value(depth - 1)
        nested = rf"\{{(?:{string}:{inner}(?:,(?!\}})|(?=\}})))*+\}}|\[(?:{inner}(?:,(?!\])|(?=\])))*+\]|"
    return f"(?>{string}|{nested}true|false|null|{number})"


@cache
def _member() -> re.Pattern[bytes]:
    """Return the pattern of one member of a record, compiled when first needed.

    A whole JSON parser takes four times as long as all other checks together; lines that this pattern does not cover,
    because they nest deeper or are no JSON, go to the parser.
    """
    return re.compile(rf',"([0-9A-Za-z_.-]++)":{_value(5)}'.encode())


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """The first record that is wrong.

    seq: as the record says, or else the one that should stand here.
    what: `edited`, `missing`, `inserted`, `reordered`, `torn`, `not-json`, `wrong-schema`, `too-long`,
        or `unexpected-end` where a witness remembers another last record.
    """

    file: str
    line: int
    seq: int
    what: str
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Findings:
    """What a verification found. last_seq, last_hash: of the last good record; 0 and zeros without one."""

    count: int
    last_seq: int
    last_hash: str
    problem: Problem | None

    @property
    def is_good(self) -> bool:
        """Whether every record verifies."""
        return self.problem is None


def segments(path: Path) -> list[Path]:
    """Return the files of a log in order; a path that is a file stands for itself. Raises OSError."""
    if not path.is_dir():
        path.open("rb").close()
        return [path]
    numbered = [(int(match[1]), file) for file in path.iterdir() if (match := SEGMENT.fullmatch(file.name))]
    return [file for _, file in sorted(numbered)]


def verify(path: Path, *, expect_last: str | None = None, expect_count: int | None = None) -> Findings:
    """Check every record of a log, as far as the first that is wrong, in constant memory.

    expect_last: the hash of the last record; expect_count: the number of records; as an outside witness has them.
    Raises OSError where a file cannot be read, FileNotFoundError where there is no segment.
    """
    files = segments(path)
    if not files:
        raise FileNotFoundError(2, "holds no audit-000001.jsonl", str(path))
    seq, prev, problem = 0, FIRST_PREV, None
    file, number = files[-1], 0
    for file in files:
        for number, line in _lines(file):
            what, message, said = _check(line, seq + 1, prev)
            if what == "missing" and _stands_later(files, file, number, seq + 1):
                what, message = "reordered", f"record {said} stands where record {seq + 1} belongs, which comes later"
            if what:
                problem = Problem(file=str(file), line=number, seq=said, what=what, message=message)
                break
            seq, prev = seq + 1, line[-SUFFIX_LENGTH + 9 : -3]
        if problem:
            break
    last = prev.decode()
    if problem is None and (expect_last not in (None, last) or expect_count not in (None, seq)):
        message = f"the log ends with record {seq} and hash {last}; the witness remembers otherwise"
        problem = Problem(file=str(file), line=number, seq=seq, what="unexpected-end", message=message)
    return Findings(count=seq, last_seq=seq, last_hash=last, problem=problem)


def _lines(path: Path) -> Iterator[tuple[int, bytes]]:
    with path.open("rb", buffering=1024 * 1024) as file:
        number = 0
        while line := file.readline(MAX_LINE + 1):
            if not line.endswith(b"\n") and len(line) <= MAX_LINE:
                time.sleep(0.1)  # a writer at work may be in the middle of this line
                line += file.readline(MAX_LINE + 1 - len(line))
            number += 1
            yield number, line


def _check(line: bytes, seq: int, prev: bytes) -> tuple[str, str, int]:
    """Return what is wrong with a line (empty if nothing is), in words, and the seq it claims."""
    if len(line) > MAX_LINE:
        return "too-long", f"the line is longer than {MAX_LINE} bytes", seq
    if not line.endswith(b"\n"):
        return "torn", "the last line is not finished: a crash, a cut, or a writer at work", seq
    prefix, suffix = PREFIX.match(line), SUFFIX.fullmatch(line, max(0, len(line) - SUFFIX_LENGTH))
    if not prefix or not suffix or prefix.end() > suffix.start():
        return *_misshapen(line), seq
    said = int(prefix[2])
    if int(prefix[1]) != SCHEMA:
        return "wrong-schema", f"schema {int(prefix[1])}; this program knows schema {SCHEMA}", said
    if hashlib.sha256(line[:-SUFFIX_LENGTH]).hexdigest().encode() != suffix[1]:
        return "edited", "the record's bytes do not have the hash that it carries", said
    if said > seq:
        return "missing", f"records {seq} to {said - 1} are missing before this one", said
    if said < seq:
        return "inserted", f"record {said} stands where record {seq} belongs", said
    if prefix[3] != prev:
        return (
            "edited",
            f"`prev` is not the hash of the record before: one of records {seq - 1} and {seq} is false",
            said,
        )
    return *_check_members(line, prefix.end(), suffix.start()), said


def _check_members(line: bytes, start: int, end: int) -> tuple[str, str]:
    """Look for members that are no JSON or come twice; objects deeper inside may repeat a name."""
    parts = _member().split(line[start:end])
    names = set(parts[1::2])
    if any(parts[::2]) or len(names) != len(parts) // 2 or names & CHAIN_MEMBERS:
        return _misshapen(line, well_framed=True)
    try:
        line.isascii() or line.decode()
    except UnicodeDecodeError:
        return "not-json", "the line is not UTF-8"
    return "", ""


def _misshapen(line: bytes, *, well_framed: bool = False) -> tuple[str, str]:
    """Parse the whole line to say what is wrong with it."""
    twice: list[str] = []

    def once(pairs: list[tuple[str, object]]) -> None:
        names = Counter(name for name, _ in pairs)
        twice[:] = [name for name, count in names.items() if count > 1]  # the outermost object comes last

    def refuse(constant: str) -> object:
        raise ValueError(constant)

    try:
        json.loads(line.decode(), object_pairs_hook=once, parse_constant=refuse, parse_int=str, parse_float=str)
    except (ValueError, RecursionError):
        return "not-json", "the line is not JSON"
    if twice:
        return "not-json", f"the member `{twice[0]}` comes twice"
    if well_framed:
        return "", ""
    return "wrong-schema", 'the line does not begin {"schema":…,"seq":…,"prev":…,"kind":…, and end ,"hash":…}'


def _stands_later(files: list[Path], file: Path, number: int, seq: int) -> bool:
    """Look for a record in the lines after a given one."""
    begin = re.compile(rb'\{"schema":[0-9]+,"seq":%d,' % seq)
    for later in files[files.index(file) :]:
        if any(begin.match(line) for at, line in _lines(later) if later != file or at > number):
            return True
    return False


def main(arguments: list[str] | None = None) -> int:
    """Run the command line. Returns the exit status: 0 good, 1 something is wrong, 2 nothing to verify."""
    parser = argparse.ArgumentParser(prog="verify", description="Check an audit log.")
    parser.add_argument("log", type=Path, help="the log's directory, or a copy of its only segment")
    parser.add_argument("--expect-last", metavar="HASH", help="the hash of the last record, from an outside witness")
    parser.add_argument("--expect-count", metavar="N", type=int, help="the number of records, from an outside witness")
    parser.add_argument("--format", choices=("text", "json"), default="text")
    options = parser.parse_args(arguments)
    try:
        findings = verify(options.log, expect_last=options.expect_last, expect_count=options.expect_count)
    except OSError as error:
        print(f"{options.log}: {error.strerror}", file=sys.stderr)
        return 2
    print(json.dumps(asdict(findings)) if options.format == "json" else render(findings))
    return 0 if findings.is_good else 1


def render(findings: Findings) -> str:
    """Return the findings as a person reads them."""
    counted = f"{findings.count} record{' verifies' if findings.count == 1 else 's verify'}"
    good = f"{counted}, last seq {findings.last_seq}, last hash {findings.last_hash}"
    if findings.problem is None:
        return good
    problem = findings.problem
    return f"{problem.file}:{problem.line}: error[{problem.what}]: record {problem.seq}: {problem.message}\n{good}"


if __name__ == "__main__":
    sys.exit(main())
