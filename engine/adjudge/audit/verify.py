"""Check an audit log without the engine: `python verify.py DIRECTORY`. Needs Python 3.11 and nothing else.

A log is a directory of segments `audit-000001.jsonl`, `audit-000002.jsonl` … that are read as one. Every line is one
record, a JSON object without spaces between its members, ended by a newline:

    {"schema":1,"seq":7,"prev":"<64 hex>","kind":"decision", … ,"mac":"<64 hex>","hash":"<64 hex>"}

`hash` is the SHA-256 of the line's bytes before `,"hash":"`, so of everything but its last 76 bytes (75 and the
newline). `prev` is the hash of the record before, 64 zeros for the first. `seq` counts from 1 without gaps.

`mac` is there where the writer has a key: HMAC-SHA-256 over the line's bytes before `,"mac":"`, so of everything but
its last 149 bytes. Its key is given, 32 bytes, or derived from the private key that signs (`mac_key_of`).

Every so often, and when a writer closes, comes a checkpoint. It repeats what it stands behind (`count` records, the
`last` hash, and `log`, the hash of record 1), how many records a failing disk has lost (`gap`), and after how many
records the next one comes at the latest (`every`). A signed one ends

    … ,"key":"<16 hex>","signature":"<128 hex>","mac":"<64 hex>","hash":"<64 hex>"}

where `signature` is Ed25519 over the line's bytes before `,"signature":"`, and `key` is the beginning of the SHA-256 of
the public key's 32 bytes. The one of an orderly close says `"closed":true`. What comes next is the checkpoint of
another start; it says in `found` how many records after the last checkpoint that start met, and what
proved them. The first one by another key says in `retires` which key it takes the place of.

A record that is signed, or whose mac holds, vouches for all before it, because it holds their hash. So what has to be
looked at is what stands after the last of these.

What this proves without keys: nobody changed, removed, added or moved a record without also computing every later hash
anew. With `--key`: nobody without the private key did so before the last signature, and no signature was taken out;
`--closed` demands that nothing stands after it. With `--mac-key`, also after it. That the log was cut off, or that its
writer keeps two, only an outside witness can tell: give the file of checkpoints that was kept elsewhere as `--anchors`,
or a hash and a count as `--expect-last`, `--expect-count`.
"""

from __future__ import annotations

import argparse
import base64
import errno
import hashlib
import hmac
import json
import os
import re
import stat
import sys
import time
from array import array
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from typing import BinaryIO

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
MAC = re.compile(rb',"mac":"([0-9a-f]{64})"')
MAC_LENGTH = 73
SIGNED = re.compile(rb',"key":"([0-9a-f]{16})","signature":"([0-9a-f]{128})"')
SIGNATURE_LENGTH = 143
SIGNED_LENGTH = SIGNATURE_LENGTH + 25
CHECKPOINT = b"checkpoint"
CHAIN_MEMBERS = frozenset({b"schema", b"seq", b"prev", b"kind", b"mac", b"hash"})
_CLOSED = b',"closed":true'
_MAC = rb',"mac":"[0-9a-f]{64}"'
_DECISION = rb',"decision_id":"([0-9a-f]{32})","merchant_biz_id":"([^"\\\x00-\x1f]*)"'


_STRING = r'"[^"\\\x00-\x1f]*+(?:\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4})[^"\\\x00-\x1f]*+)*+"'
_NUMBER = r"-?+(?:0|[1-9][0-9]*+)(?:\.[0-9]++)?+(?:[eE][+-]?+[0-9]++)?+"
_SCALAR = f"(?>{_STRING}|{_NUMBER}|true|false|null)"
_SCALARS = rf"\[(?:{_SCALAR}(?:,{_SCALAR})*+)?+\]"
_TOKEN = f"({_STRING}(?=:))|({_SCALARS})|({_STRING})|({_SCALAR})"
_SHAPES, _SHAPE_LENGTH = 8, 65_536
"""So many shapes are remembered of each kind of record, of members of so many bytes."""


def _value(depth: int) -> str:
    """Return a pattern of a JSON value nested at most `depth` deep, as RFC 8259 has it, without spaces."""
    nested = ""
    if depth:
        inner = _value(depth - 1)
        nested = rf"\{{(?:{_STRING}:{inner}(?:,(?!\}})|(?=\}})))*+\}}|\[(?:{inner}(?:,(?!\])|(?=\])))*+\]|"
    return f"(?>{_STRING}|{nested}true|false|null|{_NUMBER})"


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
    what: `edited`, `missing`, `inserted`, `reordered`, `torn`, `not-json`, `wrong-schema`, `too-long`; `empty`;
        of checkpoints `false-checkpoint`, `no-checkpoint`, `unsigned`, `false-signature`, `foreign-key`, `retired-key`,
        `unused-key`; of records after the last signature `false-mac`, `no-mac`, `after-close`, `not-closed`;
        of decisions `same-decision`, `false-supersedes`;
        `unexpected-end` or `forked` where a witness remembers another log.
    """

    file: str
    line: int
    seq: int
    what: str
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Findings:
    """What a verification found, as far as the first problem.

    last_seq, last_hash: of the last good record; 0 and zeros without one. checkpoints, signed: how many there are.
    signed_seq: the last signed checkpoint, 0 without one; unsigned: how many records stand after it. keys: ids of the
    keys that signed, in order. is_authentic: every signature was held against a key that was given. is_closed: the last
    record is the checkpoint of an orderly close. proven_seq: the last record whose mac was held against a key that was
    given. adopted: records that a checkpoint took over although nothing proved them. gap: records lost by disks, as
    checkpoints say. anchored: how many anchors there are of this log.
    """

    count: int
    last_seq: int
    last_hash: str
    problem: Problem | None
    checkpoints: int = 0
    signed: int = 0
    signed_seq: int = 0
    unsigned: int = 0
    keys: tuple[str, ...] = ()
    is_authentic: bool = False
    is_closed: bool = False
    proven_seq: int = 0
    adopted: int = 0
    gap: int = 0
    anchored: int = 0

    @property
    def is_good(self) -> bool:
        """Whether every record verifies."""
        return self.problem is None


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


def segments(path: Path) -> list[Path]:
    """Return the files of a log in order; a path that is a file stands for itself. Raises OSError.

    Empty ones are left out: a writer that dies as it begins one leaves it so, and goes on in the one before.
    """
    if not path.is_dir():
        opened(path).close()
        return [path]
    numbered = sorted((int(match[1]), file) for file in path.iterdir() if (match := SEGMENT.fullmatch(file.name)))
    sizes = {}
    for _, file in numbered:
        try:
            found = file.stat()
        except FileNotFoundError:
            raise OSError(errno.EINVAL, f"{file.name} is a link to nothing", str(path)) from None
        if not stat.S_ISREG(found.st_mode):
            raise OSError(errno.EINVAL, f"{file.name} is not a regular file", str(path))
        sizes[file] = found.st_size
    return [file for _, file in numbered if sizes[file]] or [file for _, file in numbered[:1]]


def verify(
    path: Path,
    *,
    expect_last: str | None = None,
    expect_count: int | None = None,
    keys: Sequence[bytes] = (),
    mac_keys: Sequence[bytes] = (),
    closed: bool = False,
    anchors: Sequence[bytes] | None = None,
) -> Findings:
    """Check every record of a log, as far as the first that is wrong; of each decision 16 bytes are kept in memory.

    expect_last: the hash of the last record; expect_count: the number of records; as an outside witness has them.
    keys: public keys of 32 bytes; from the first signed checkpoint on each must be signed by one of them, and each of
    them must have signed. mac_keys: 32 bytes; what no signature vouches for must have a mac by one of them.
    closed: nothing may stand after the last signature.
    anchors: checkpoints of this log, and perhaps of others, as they were kept elsewhere, a line each.
    Raises OSError where a file cannot be read; ValueError where an anchor is no checkpoint.
    """
    files = segments(path)
    seals, shapes, decisions = _Seals(keys), _Shapes(), _Decisions()
    doubts = _Doubts(mac_keys, may_sign=bool(keys) or not mac_keys)
    kept: dict[int, bytes] = {}
    witness = None if anchors is None else _Witness(anchors)
    seq, prev, problem = 0, FIRST_PREV, None
    file, number = (files[-1] if files else path), 0
    for file in files:
        for number, line in _lines(file):
            plain = shapes.kind_of(line, seq + 1, prev)
            if plain is not None:
                what, message, said, kind = "", "", seq + 1, plain
            else:
                what, message, said, kind = _check(line, seq + 1, prev)
                if not what:
                    shapes.learn(line, kind)
            last = line[-SUFFIX_LENGTH + 9 : -3]
            if what == "missing" and _stands_later(files, file, number, seq + 1):
                what, message = "reordered", f"record {said} stands where record {seq + 1} belongs, which comes later"
            if not what and (kind == CHECKPOINT or seq - seals.at == seals.every):
                what, message = seals.check(line, kind, said)
            if not what and kept and kept.get(said, last) != last:
                what, message = "forked", "the witness remembers another record here"
            if what:
                problem = Problem(file=str(file), line=number, seq=said, what=what, message=message)
                break
            if kind == b"decision":
                decisions.take(*(shapes.decision if plain and shapes.decision else _decision(line)))
            has_mac = line[-149:-141] == b',"mac":"'
            if plain is None or kind == CHECKPOINT or doubts.watches or has_mac != doubts.has_macs:
                doubts.take(line, kind, said, prev, (file, number), is_signed=seals.signed_seq == said)
            seq, prev = said, last
            if seq == 1:
                seals.log = prev.decode()
                kept = witness.of(seals.log) if witness is not None else {}
        if problem:
            break
    if doubts.problem is not None:  # it stands before any other
        seq, prev, problem = doubts.problem.seq - 1, doubts.before, doubts.problem
    if decisions.is_doubtful() and (found := _first_false_decision(files, seq, may_lack=seals.gap > 0)):
        problem, prev = found
        seq = problem.seq - 1
    if problem is None:
        what, message = seals.at_end(seq, closed=closed)
        if not seq:
            what, message = "empty", "holds no record of an audit log"
        elif expect_last not in (None, prev.decode()) or expect_count not in (None, seq):
            what = "unexpected-end"
            message = f"the log ends with record {seq} and hash {prev.decode()}; the witness remembers otherwise"
        elif not what and witness is not None and not kept:
            what, message = "forked", "none of the anchors is of this log"
        elif not what and kept and max(kept) > seq:
            what = "unexpected-end"
            message = f"the log ends with record {seq}; the witness remembers record {max(kept)}"
        if what:
            problem = Problem(file=str(file), line=number, seq=seq, what=what, message=message)
    return Findings(
        count=seq,
        last_seq=seq,
        last_hash=prev.decode(),
        problem=problem,
        checkpoints=seals.count,
        signed=seals.signed,
        signed_seq=seals.signed_seq,
        unsigned=seq - min(seq, seals.signed_seq),
        keys=tuple(seals.used),
        is_authentic=bool(keys and seals.signed),
        is_closed=doubts.is_closed,
        proven_seq=min(seq, doubts.proven_seq),
        adopted=seals.adopted,
        gap=seals.gap,
        anchored=len(kept),
    )


class _Seals:
    """The checkpoints of a log, so far. at: where the last one stands; every: after how many records the next comes."""

    def __init__(self, keys: Sequence[bytes]) -> None:
        self.keys = {key_id(key): key for key in keys}
        self.log = FIRST_PREV.decode()
        self.at = self.every = 0
        self.count = self.signed = self.signed_seq = self.adopted = self.gap = 0
        self.used: dict[str, None] = {}

    def check(self, line: bytes, kind: bytes, seq: int) -> tuple[str, str]:
        """Look at a checkpoint, or at what stands where one belongs."""
        if kind != CHECKPOINT:
            if not self.count:
                return "", ""
            return "no-checkpoint", f"record {self.at} says that a checkpoint stands here at the latest"
        record = _members(line)
        if (record.get("count"), record.get("last"), record.get("log")) != (seq - 1, record["prev"], self.log):
            return "false-checkpoint", "what the checkpoint says of the log is not so"
        every, gap = record.get("every"), record.get("gap")
        if type(every) is not int or type(gap) is not int or every < 1 or gap < self.gap:
            return "false-checkpoint", "the checkpoint's `every` or `gap` cannot be"
        end = mac_start(line)
        found = SIGNED.fullmatch(line, max(0, end - SIGNED_LENGTH), end)
        if found is not None:
            what, message = self._signature(
                found[1].decode(), line[: end - SIGNATURE_LENGTH], found[2].decode(), record.get("retires")
            )
            if what:
                return what, message
            self.signed, self.signed_seq = self.signed + 1, seq
        elif self.signed or "signature" in record:
            before = "though one before it does" if self.signed else "only a member of that name"
            return "unsigned", f"the checkpoint carries no signature, {before}"
        met = record.get("found")
        if isinstance(met, dict) and met.get("proof") == "none" and type(met.get("unsigned")) is int:
            self.adopted += met["unsigned"]
        self.at, self.every, self.count, self.gap = seq, every, self.count + 1, gap
        return "", ""

    def _signature(self, key: str, signed: bytes, signature: str, retires: object) -> tuple[str, str]:
        if self.keys and key not in self.keys:
            return "foreign-key", f"the checkpoint is signed with the key {key}, which was not given"
        newest = next(reversed(self.used), key)
        if key in self.used and key != newest:
            return "retired-key", f"the checkpoint is signed with the key {key}, which another had replaced"
        if retires not in (None, newest):
            return "false-checkpoint", f"the checkpoint retires another key than {newest}, which signed before it"
        if self.keys and not signs(self.keys[key], signed, bytes.fromhex(signature)):
            return "false-signature", f"the checkpoint was not signed with the key {key}"
        self.used[key] = None
        return "", ""

    def at_end(self, seq: int, *, closed: bool) -> tuple[str, str]:
        """Look at what is missing when `seq` records are good."""
        if self.keys and not self.signed:
            return "unsigned", "no checkpoint of the log is signed, though a key was given"
        if unused := [key for key in self.keys if key not in self.used]:
            why = "the log ends before its time, or who has an older key wrote it anew"
            return "unused-key", f"the key {unused[0]}, which was given, signed nothing: {why}"
        if closed and seq > self.signed_seq:
            return "not-closed", f"{_records(seq - self.signed_seq)} after the last signature"
        return "", ""


class _Doubts:
    """What speaks against the records after the last one that vouches for all before it.

    may_sign: whether a signature vouches, because it was checked, or nothing else can be.
    problem: the first of them that is doubtful; before: the hash of the record before that. watches: whether the next
    record matters, even one like others before it.
    """

    def __init__(self, mac_keys: Sequence[bytes], *, may_sign: bool) -> None:
        self.mac_keys, self.may_sign = mac_keys, may_sign
        self.problem: Problem | None = None
        self.before = FIRST_PREV
        self.proven_seq = 0
        self.has_macs = self.is_closed = False
        self.watches = bool(mac_keys)

    def take(self, line: bytes, kind: bytes, seq: int, prev: bytes, at: tuple[Path, int], *, is_signed: bool) -> None:
        """Look at a record that is good so far."""
        end = mac_start(line)
        has_mac, holds = end + SUFFIX_LENGTH < len(line), False
        if has_mac and self.mac_keys:
            holds = any(mac_of(key, line[:end]) == line[end + 8 : end + 72] for key in self.mac_keys)
        if holds:
            self.proven_seq = seq
        if holds or (is_signed and self.may_sign):
            self.problem = None
        elif self.problem is None and (found := self._against(line, kind, has_mac=has_mac)):
            self.problem = Problem(file=str(at[0]), line=at[1], seq=seq, what=found[0], message=found[1])
            self.before = prev
        self.has_macs |= has_mac
        self.is_closed = kind == CHECKPOINT and _CLOSED in line
        self.watches = self.is_closed or bool(self.mac_keys)

    def _against(self, line: bytes, kind: bytes, *, has_mac: bool) -> tuple[str, str] | None:
        if has_mac and self.mac_keys:
            return "false-mac", "the record's `mac` was not made with the key, and no signature vouches for it"
        if not has_mac and (self.mac_keys or self.has_macs):
            return "no-mac", "the record carries no `mac`, and no signature vouches for it"
        if self.is_closed and not (kind == CHECKPOINT and b',"found":{' in line):
            return "after-close", "the record follows the checkpoint of an orderly close"
        return None


class _Decisions:
    """The decisions of a log, so far, by hashes that differ from run to run: enough to suspect what cannot be.

    Whether it is so is then looked at in a second reading.
    """

    def __init__(self) -> None:
        self.ids, self.subjects = array("q"), array("q")
        self.superseding: list[tuple[int, int, int]] = []  # where in the log, which decision, whose

    def take(self, decision: bytes, subject: bytes, superseded: bytes | None) -> None:
        """Take note of a decision: its id, whose it is, and which one it supersedes."""
        if superseded is not None:
            self.superseding.append((len(self.ids), hash(superseded), hash(subject)))
        self.ids.append(hash(decision))
        self.subjects.append(hash(subject))

    def is_doubtful(self) -> bool:
        """Whether a decision seems to stand twice, or one to supersede what it cannot."""
        parts: list[array[int]] = [array("q") for _ in range(64)]
        for one in self.ids:
            parts[one & 63].append(one)
        if any(len(set(part)) < len(part) for part in parts):
            return True
        wanted = {one for _, one, _ in self.superseding}
        places = {one: at for at, one in enumerate(self.ids) if one in wanted} if wanted else {}
        return len(wanted) < len(self.superseding) or any(
            places.get(one, at) >= at or self.subjects[places[one]] != whose for at, one, whose in self.superseding
        )


def _members(line: bytes) -> dict[str, object]:
    """Return a record's members; a number that is no whole one of at most 18 digits stays a text."""
    record = json.loads(line, parse_int=lambda digits: int(digits) if len(digits) < 19 else digits, parse_float=str)
    assert isinstance(record, dict)
    return record


def _decision(line: bytes) -> tuple[bytes, bytes, bytes | None]:
    """Return a decision's id, whose it is, and which one it supersedes; the line itself where it says nothing of it."""
    record = _members(line)
    decision, superseded = record.get("decision_id"), record.get("supersedes")
    return (
        decision.encode("utf-8", "surrogatepass") if isinstance(decision, str) else line,
        str(record.get("merchant_biz_id")).encode("utf-8", "surrogatepass"),
        None if superseded is None else str(superseded).encode("utf-8", "surrogatepass"),
    )


def _first_false_decision(files: list[Path], last: int, *, may_lack: bool) -> tuple[Problem, bytes] | None:
    """Read the first `last` records again; return the first decision that cannot be, and the hash before it.

    may_lack: a failing disk has lost some, it is said.
    """
    known: dict[bytes, bytes] = {}
    superseded: set[bytes] = set()
    seq, prev = 0, FIRST_PREV
    for file in files:
        for number, line in _lines(file):
            if seq == last:
                return None
            prefix = PREFIX.match(line)
            if prefix is not None and prefix[4] == b"decision":
                decision, subject, earlier = _decision(line)
                what, message = "", ""
                if decision in known:
                    what, message = "same-decision", "a record before it has the same `decision_id`"
                elif earlier is not None and earlier not in known and not may_lack:
                    what, message = "false-supersedes", "it supersedes a decision that does not stand before it"
                elif earlier is not None and known.get(earlier, subject) != subject:
                    what, message = "false-supersedes", "it supersedes a decision of another MerchantBizId"
                elif earlier in superseded:
                    what, message = "false-supersedes", "it supersedes a decision that another had superseded"
                if what:
                    return Problem(file=str(file), line=number, seq=seq + 1, what=what, message=message), prev
                known[decision] = subject
                if earlier is not None:
                    superseded.add(earlier)
            seq, prev = seq + 1, line[-SUFFIX_LENGTH + 9 : -3]
    return None


class _Witness:
    """Checkpoints that were kept elsewhere: hashes by log and number, none where two differ. Raises ValueError."""

    def __init__(self, anchors: Sequence[bytes]) -> None:
        self.kept: dict[str, dict[int, bytes]] = {}
        for number, line in enumerate(anchors, 1):
            prefix = PREFIX.match(line)
            if prefix is None or prefix[4] != CHECKPOINT or _check(line, int(prefix[2]), prefix[3])[0]:
                raise ValueError(f"line {number} is no checkpoint")
            seq, found = int(prefix[2]), line[-SUFFIX_LENGTH + 9 : -3]
            kept = self.kept.setdefault(str(_members(line).get("log")), {})
            kept[seq] = found if kept.get(seq, found) == found else b""

    def of(self, log: str) -> dict[int, bytes]:
        """Return the hashes of a log, by the number of their record."""
        return self.kept.get(log, {})


def _lines(path: Path) -> Iterator[tuple[int, bytes]]:
    with opened(path) as file:
        number = 0
        while line := file.readline(MAX_LINE + 1):
            if not line.endswith(b"\n") and len(line) <= MAX_LINE:
                time.sleep(0.1)  # a writer at work may be in the middle of this line
                line += file.readline(MAX_LINE + 1 - len(line))
            number += 1
            yield number, line


class _Shapes:
    """Members that were found to be good, as patterns: what differs only in its values is good too.

    decision: what the newest line says of itself, where it is a decision that supersedes none.
    """

    def __init__(self) -> None:
        self.of: dict[bytes, list[re.Pattern[bytes]]] = {}
        self.token = re.compile(_TOKEN.encode())
        self.decision: tuple[bytes, bytes, None] | None = None

    def kind_of(self, line: bytes, seq: int, prev: bytes) -> bytes | None:
        """Return the kind of a line that is good and like others before it, else None: it is to be looked at."""
        start = b'{"schema":%d,"seq":%d,"prev":"%b","kind":"' % (SCHEMA, seq, prev)
        end = len(line) - SUFFIX_LENGTH
        if (
            len(line) > MAX_LINE
            or not line.startswith(start)
            or line[end : end + 9] != b',"hash":"'
            or line[-3:] != b'"}\n'
        ):
            return None
        if hashlib.sha256(line[:end]).hexdigest().encode() != line[end + 9 : -3] or not line.isascii():
            return None
        at = line.find(b'"', len(start), len(start) + 65)
        kind = line[len(start) : at]
        for shape in self.of.get(kind, ()):
            if found := shape.fullmatch(line, at + 1, end):
                self.decision = (found[1], found[2], None) if shape.groups else None
                return kind
        return None

    def learn(self, line: bytes, kind: bytes) -> None:
        """Remember the shape of a line that is good."""
        known = self.of.setdefault(kind, [])
        if len(known) >= _SHAPES or len(line) > _SHAPE_LENGTH:
            return
        start = line.index(b'"kind":"') + 9 + len(kind)
        parts, at, members = [], 0, line[start : mac_start(line)]
        if (begin := re.match(_DECISION, members)) and b"supersedes" not in line and b"\\u" not in line:
            parts, at = [_DECISION], begin.end()
        for found in self.token.finditer(members, at):
            name, scalars, text = found[1], found[2], found[3]
            parts.append(re.escape(members[at : found.start()]))
            value = _SCALARS if scalars else _STRING if text else _SCALAR
            parts.append(re.escape(name) if name else value.encode())
            at = found.end()
        mac = _MAC if start + len(members) + SUFFIX_LENGTH < len(line) else b""
        known.append(re.compile(b"".join([*parts, re.escape(members[at:]), mac])))


def _check(line: bytes, seq: int, prev: bytes) -> tuple[str, str, int, bytes]:
    """Return what is wrong with a line (empty if nothing is), in words, the seq it claims, and its kind."""
    if len(line) > MAX_LINE:
        return "too-long", f"the line is longer than {MAX_LINE} bytes", seq, b""
    if not line.endswith(b"\n"):
        return "torn", "the file's last line is not finished: a crash, a cut, or a writer at work", seq, b""
    prefix, suffix = PREFIX.match(line), SUFFIX.fullmatch(line, max(0, len(line) - SUFFIX_LENGTH))
    if not prefix or not suffix or prefix.end() > suffix.start():
        return *_misshapen(line), seq, b""
    said, kind = int(prefix[2]), prefix[4]
    if int(prefix[1]) != SCHEMA:
        return "wrong-schema", f"schema {int(prefix[1])}; this program knows schema {SCHEMA}", said, kind
    if hashlib.sha256(line[:-SUFFIX_LENGTH]).hexdigest().encode() != suffix[1]:
        return "edited", "the record's bytes do not have the hash that it carries", said, kind
    if said > seq:
        return "missing", f"records {seq} to {said - 1} are missing before this one", said, kind
    if said < seq:
        return "inserted", f"record {said} stands where record {seq} belongs", said, kind
    if prefix[3] != prev:
        return (
            "edited",
            f"`prev` is not the hash of the record before: one of records {seq - 1} and {seq} is false",
            said,
            kind,
        )
    return *_check_members(line, prefix.end(), suffix.start()), said, kind


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


def mac_start(line: bytes) -> int:
    """Return where a line's `,"mac":"` begins; where it has none, where its `,"hash":"` does."""
    end = len(line) - SUFFIX_LENGTH
    return end - MAC_LENGTH if end > MAC_LENGTH and MAC.fullmatch(line, end - MAC_LENGTH, end) else end


def mac_of(key: bytes, line: bytes) -> bytes:
    """Return the mac, in lower-case hex, of a line's bytes before it."""
    return hmac.digest(key, line, "sha256").hex().encode()


def mac_key_of(private: bytes) -> bytes:
    """Derive the key of macs from the 32 bytes of a private key: HKDF-SHA-256 (RFC 5869) without salt."""
    return hmac.digest(hmac.digest(bytes(32), private, "sha256"), b"adjudge audit mac\x01", "sha256")


def read_mac_key(text: str) -> bytes:
    """Return the key of macs from 64 hex digits, or from the private key that signs, in PEM. Raises ValueError."""
    found = re.search(r"-----BEGIN PRIVATE KEY-----([A-Za-z0-9+/=\s]+)-----END PRIVATE KEY-----", text)
    if found is not None:
        data = base64.b64decode("".join(found[1].split()), validate=True)
        if len(data) == 48 and data[:16] == _PRIVATE:
            return mac_key_of(data[16:])
    elif re.fullmatch("[0-9a-fA-F]{64}", text.strip()):
        return bytes.fromhex(text.strip())
    raise ValueError("holds neither 64 hex digits nor an Ed25519 private key in PEM form")


def key_id(public: bytes) -> str:
    """Return the id of a public key of 32 bytes."""
    return hashlib.sha256(public).hexdigest()[:16]


def read_keys(text: str) -> list[bytes]:
    """Return the Ed25519 public keys in a PEM text. Raises ValueError where there is none, or another kind of key."""
    blocks = re.findall(r"-----BEGIN PUBLIC KEY-----([A-Za-z0-9+/=\s]+)-----END PUBLIC KEY-----", text)
    keys = [base64.b64decode("".join(block.split()), validate=True) for block in blocks]
    if not keys or any(len(key) != 44 or key[:12] != _PUBLIC for key in keys):
        raise ValueError("holds no Ed25519 public key in PEM form")
    return [key[12:] for key in keys]


def read_anchors(path: Path) -> list[bytes]:
    """Return the lines of a file of anchors; a last one that was not finished is left out. Raises OSError."""
    with opened(path) as file:
        return [line for line in file if line.endswith(b"\n")]


_PUBLIC = bytes.fromhex("302a300506032b6570032100")
_PRIVATE = bytes.fromhex("302e020100300506032b657004220420")
_P = 2**255 - 19
_ORDER = 2**252 + 27742317777372353535851937790883648493
_D = -121665 * pow(121666, -1, _P) % _P

Point = tuple[int, int, int, int]
"""A point of the curve as X, Y, Z, T with x = X/Z, y = Y/Z, xy = T/Z."""


def signs(public: bytes, message: bytes, signature: bytes) -> bool:
    """Whether a signature of 64 bytes is the key's over a message: Ed25519, as RFC 8032, 5.1.7 has it; takes 2 ms.

    s·B = R + k·A is seen as s·B - k·A = R. There is no secret here that the time it takes could give away.
    """
    key, scalar = _point(public), int.from_bytes(signature[32:], "little")
    if key is None or len(signature) != 64 or scalar >= _ORDER:
        return False
    k = int.from_bytes(hashlib.sha512(signature[:32] + public + message).digest(), "little") % _ORDER
    base = _point((4 * pow(5, -1, _P) % _P).to_bytes(32, "little"))
    assert base is not None
    minus = (-key[0] % _P, key[1], 1, -key[3] % _P)
    sums = (None, base, minus, _add(base, minus))
    total: Point = (0, 1, 1, 0)
    for at in range(252, -1, -1):
        total = _add(total, total)
        one = sums[(scalar >> at & 1) + 2 * (k >> at & 1)]
        total = total if one is None else _add(total, one)
    inverse = pow(total[2], -1, _P)
    x, y = total[0] * inverse % _P, total[1] * inverse % _P
    return (y | (x & 1) << 255).to_bytes(32, "little") == signature[:32]


def _add(one: Point, other: Point) -> Point:
    a = (one[1] - one[0]) * (other[1] - other[0]) % _P
    b = (one[1] + one[0]) * (other[1] + other[0]) % _P
    c, d = 2 * one[3] * other[3] * _D % _P, 2 * one[2] * other[2] % _P
    e, f, g, h = b - a, d - c, d + c, b + a
    return e * f % _P, g * h % _P, f * g % _P, e * h % _P


def _point(encoded: bytes) -> Point | None:
    """Return the point that 32 bytes stand for: y, and in the highest bit the sign of x. None where there is none."""
    number = int.from_bytes(encoded, "little")
    sign, y = number >> 255, number & (1 << 255) - 1
    square = (y * y - 1) * pow(_D * y * y + 1, -1, _P) % _P
    x = pow(square, (_P + 3) // 8, _P)
    if (x * x - square) % _P:
        x = x * pow(2, (_P - 1) // 4, _P) % _P
    if y >= _P or (x * x - square) % _P or (sign and not x):
        return None
    x = x if x & 1 == sign else _P - x
    return x, y, 1, x * y % _P


def main(arguments: list[str] | None = None) -> int:
    """Run the command line. Returns the exit status: 0 good, 1 something is wrong, 2 nothing to verify."""
    parser = argparse.ArgumentParser(prog="verify", description="Check an audit log.")
    parser.add_argument("log", type=Path, help="the log's directory, or a copy of its only segment")
    parser.add_argument("--key", type=Path, action="append", default=[], help="a file of public keys, in PEM form")
    parser.add_argument("--mac-key", type=Path, action="append", default=[], help="a key of macs, or one that signs")
    parser.add_argument("--closed", action="store_true", help="demand that nothing stands after the last signature")
    parser.add_argument("--anchors", type=Path, help="a file of checkpoints that was kept elsewhere")
    parser.add_argument("--expect-last", metavar="HASH", help="the hash of the last record, from an outside witness")
    parser.add_argument("--expect-count", metavar="N", type=int, help="the number of records, from an outside witness")
    parser.add_argument("--format", choices=("text", "json"), default="text")
    options = parser.parse_args(arguments)
    try:
        findings = verify_files(
            options.log,
            options.key,
            options.anchors,
            options.expect_last,
            options.expect_count,
            mac_keys=options.mac_key,
            closed=options.closed,
        )
    except ValueError as error:
        print(error, file=sys.stderr)
        return 2
    print(json.dumps(asdict(findings)) if options.format == "json" else render(findings))
    return 0 if findings.is_good else 1


def verify_files(
    log: Path,
    keys: Sequence[Path],
    anchors: Path | None,
    expect_last: str | None,
    expect_count: int | None,
    *,
    mac_keys: Sequence[Path] = (),
    closed: bool = False,
) -> Findings:
    """Verify a log with keys and anchors from files. Raises ValueError for any file that cannot be used, or no hash."""
    if expect_last is not None and not re.fullmatch("[0-9a-fA-F]{64}", expect_last):
        raise ValueError("the hash of the last record, as the witness has it, is not 64 hex digits")
    at = log
    try:
        found, macs = [], []
        for at in keys:
            found += read_keys(_text(at))
        for at in mac_keys:
            macs.append(read_mac_key(_text(at)))
        kept = None
        if anchors is not None:
            at = anchors
            kept = read_anchors(at)
            _Witness(kept)
        at = log
        return verify(
            log,
            expect_last=expect_last and expect_last.lower(),
            expect_count=expect_count,
            keys=found,
            mac_keys=macs,
            closed=closed,
            anchors=kept,
        )
    except (OSError, ValueError) as error:
        raise ValueError(f"{at}: {(isinstance(error, OSError) and error.strerror) or error}") from None


def _text(path: Path) -> str:
    with opened(path) as file:
        return file.read(1024 * 1024).decode()


def render(findings: Findings) -> str:
    """Return the findings as a person reads them."""
    lines = []
    if findings.problem is not None:
        problem = findings.problem
        at = f"{problem.file}:{problem.line}" if problem.line else problem.file
        record = f"record {problem.seq}: " if problem.line else ""
        lines.append(f"{at}: error[{problem.what}]: {record}{problem.message}")
    many = f"{findings.count} record{' verifies' if findings.count == 1 else 's verify'}"
    if findings.count:
        lines.append(f"{many}, last seq {findings.last_seq}, last hash {findings.last_hash}")
    if findings.signed:
        how = "signed" if findings.is_authentic else "signed, as it says (give --key to check),"
        rest = f"; {_records(findings.unsigned)} after it, unsigned" if findings.unsigned else ""
        lines.append(f"{how} up to record {findings.signed_seq} with {', '.join(findings.keys)}{rest}")
    if findings.proven_seq:
        lines.append(f"macs hold up to record {findings.proven_seq}")
    elif findings.count and not findings.signed:
        lines.append("unsigned: who can write the folder can have written any of it")
    if findings.adopted:
        lines.append(f"{findings.adopted} of them were taken over without proof, say checkpoints")
    if findings.anchored and findings.is_good:
        lines.append(f"{findings.anchored} anchor{' agrees' if findings.anchored == 1 else 's agree'}")
    if findings.gap:
        lines.append(f"a failing disk lost {findings.gap} records that the writer had taken, it says")
    return "\n".join(lines)


def _records(count: int) -> str:
    return f"{count} record{' stands' if count == 1 else 's stand'}"


if __name__ == "__main__":
    sys.exit(main())
