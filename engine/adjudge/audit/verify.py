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
`--closed` demands that nothing stands after it. With `--mac-key`, also after it; where nothing is signed, `--closed`
then demands that the log ends with an orderly close. That the log was cut off, or that its writer keeps two, only an
outside witness can tell: give the file of checkpoints that was kept elsewhere as `--anchors`, or a hash and a count as
`--expect-last`, `--expect-count`.

To judge this program, read `_Log`: it says what is checked, and in which order. The rest is how a line is read
(`_read`), what saves time and memory but decides nothing (`_Shapes`, `_Decisions`), Ed25519 (`signs`), and a command
line.
"""

from __future__ import annotations

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
from dataclasses import asdict, dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Any, BinaryIO

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
HASH = slice(-67, -3)
"""Where in a line its own hash stands."""

MAC = re.compile(rb',"mac":"[0-9a-f]{64}"')
MAC_LENGTH = 73
SIGNED = re.compile(rb',"key":"([0-9a-f]{16})","signature":"([0-9a-f]{128})"')
SIGNATURE_LENGTH = 143
SIGNED_LENGTH = SIGNATURE_LENGTH + 25
CHECKPOINT, DECISION = b"checkpoint", b"decision"
CHAIN_MEMBERS = frozenset({b"schema", b"seq", b"prev", b"kind", b"mac", b"hash"})


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


@dataclass(slots=True, kw_only=True)
class Findings:
    """What a verification found, as far as the first problem; it grows as the log is read.

    last_seq, last_hash: of the last good record; 0 and zeros without one. checkpoints, signed: how many there are.
    signed_seq: the last signed checkpoint, 0 without one; unsigned: how many records stand after it. keys: ids of the
    keys that signed, in order. is_authentic: every signature was held against a key that was given. is_closed: the last
    record is the checkpoint of an orderly close. proven_seq: the last record whose mac was held against a key that was
    given. adopted: records that a checkpoint took over although nothing proved them. gap: records lost by disks, as
    checkpoints say. anchored: how many anchors there are of this log.
    """

    count: int = 0
    last_seq: int = 0
    last_hash: str = FIRST_PREV.decode()
    problem: Problem | None = None
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
    filled = []
    for _, file in numbered:
        try:
            found = file.stat()
        except FileNotFoundError:
            raise OSError(errno.EINVAL, f"{file.name} is a link to nothing", str(path)) from None
        if not stat.S_ISREG(found.st_mode):
            raise OSError(errno.EINVAL, f"{file.name} is not a regular file", str(path))
        filled += [file] if found.st_size else []
    return filled or [file for _, file in numbered[:1]]


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
    them must have signed. mac_keys: 32 bytes; what no signature vouches for must have a mac by one of them. Of several
    each must have made one, and none makes any more once another has.
    closed: nothing may stand after the last signature; where nothing is signed, after the checkpoint of an orderly
    close, whose mac must hold.
    anchors: checkpoints of this log, and perhaps of others, as they were kept elsewhere, a line each.
    Raises OSError where a file cannot be read; ValueError where an anchor is no checkpoint.
    """
    files = segments(path)
    log = _Log(keys, mac_keys, None if anchors is None else _hashes_by_log(anchors))
    problem, file, number = None, (files[-1] if files else path), 0
    lines = _lines(files)
    for file, number, line in lines:
        try:
            log.take(file, number, line)
        except _Wrong as wrong:
            problem = wrong.problem(file, number, log.seq + 1)
            begin = re.compile(rb'\{"schema":[0-9]+,"seq":%d,' % (log.seq + 1))
            if problem.what == "missing" and any(begin.match(later) for _, _, later in lines):
                said = f"record {problem.seq} is where record {log.seq + 1} belongs, which comes later"
                problem = replace(problem, what="reordered", message=said)
            break
    seq, last = log.seq, log.last
    if log.doubt is not None:  # it stands before any other
        problem, last = log.doubt
        seq = problem.seq - 1
    if log.decisions.is_doubtful() and (false := _first_false_decision(files, seq, may_lack=log.found.gap > 0)):
        problem, last = false
        seq = problem.seq - 1
    if problem is None:
        try:
            log.end(expect_last=expect_last, expect_count=expect_count, closed=closed)
        except _Wrong as wrong:
            problem = wrong.problem(file, number, seq)
    found = log.found
    found.count, found.last_seq, found.last_hash, found.problem = seq, seq, last.decode(), problem
    found.unsigned = max(0, seq - found.signed_seq)
    found.is_authentic = bool(keys and found.signed)
    found.proven_seq = min(seq, found.proven_seq)
    found.anchored = len(log.kept)
    return found


class _Wrong(Exception):
    """What is wrong with a record, in words, and the seq that it claims; None where it is the one that belongs here."""

    def __init__(self, what: str, message: str, said: int | None = None) -> None:
        super().__init__(what, message)
        self.what, self.message, self.said = what, message, said

    def problem(self, file: Path, line: int, seq: int) -> Problem:
        """Say where it stands."""
        return Problem(file=str(file), line=line, seq=self.said or seq, what=self.what, message=self.message)


class _Log:
    """What a log has said so far. What is checked, in this order:

    | of | in | that |
    |---|---|---|
    | every record | `_read` | its frame, hash, seq and prev are right, and it is JSON without a member twice |
    | a checkpoint | `_check_checkpoint` | it says of the log what is so, and is signed as those before it |
    | one where a checkpoint is due | `take` | it is one |
    | every record | `take` | a witness remembers no other here |
    | a decision | `_Decisions` | its id is new, and it supersedes one that it may |
    | every record | `_look_for_proof` | it is proven, or so is one after it; it does not follow an orderly close |
    | the end | `end` | it is where the witnesses and the keys have it |
    """

    def __init__(
        self, keys: Sequence[bytes], mac_keys: Sequence[bytes], witness: dict[str, dict[int, bytes]] | None
    ) -> None:
        self.keys, self.mac_keys, self.witness = {key_id(key): key for key in keys}, [*dict.fromkeys(mac_keys)], witness
        self.found, self.shapes, self.decisions = Findings(), _Shapes(), _Decisions()
        self.seq, self.last = 0, FIRST_PREV
        self.log = FIRST_PREV.decode()  # the hash of record 1
        self.kept: dict[int, bytes] = {}  # what the witness remembers of this log: hashes by seq
        self.checkpoint_seq = self.every = 0  # of the newest checkpoint
        self.used_mac_keys: list[bytes] = []
        self.has_macs = False
        self.doubt: tuple[Problem, bytes] | None = None  # the first record that nothing proves, and the hash before it

    def take(self, file: Path, number: int, line: bytes) -> None:
        """Check the next line. Raises _Wrong."""
        seq, last = self.seq + 1, line[HASH]
        kind, decision = self.shapes.find(line, seq, self.last)
        is_new = not kind
        if is_new:
            kind = _read(line, seq, self.last)
            self.shapes.learn(line, kind)
        if kind == CHECKPOINT:
            self._check_checkpoint(line, seq)
        elif 0 < self.every < seq - self.checkpoint_seq:
            due = f"record {self.checkpoint_seq} says that a checkpoint comes here at the latest"
            raise _Wrong("no-checkpoint", due)
        if self.kept and self.kept.get(seq, last) != last:
            raise _Wrong("forked", "the witness remembers another record here")
        if kind == DECISION:
            self.decisions.take(*(decision or _decision(line)))
        has_mac = line[-149:-141] == b',"mac":"'
        if is_new or kind == CHECKPOINT or self.mac_keys or self.found.is_closed or has_mac != self.has_macs:
            self._look_for_proof(file, number, line, kind)  # any other is as good as the one before it
        self.seq, self.last = seq, last
        if seq == 1:
            self.log = last.decode()
            self.kept = (self.witness or {}).get(self.log, {})

    def _check_checkpoint(self, line: bytes, seq: int) -> None:
        record, found = _members(line), self.found
        if (record.get("count"), record.get("last"), record.get("log")) != (seq - 1, self.last.decode(), self.log):
            raise _Wrong("false-checkpoint", "what the checkpoint says about the log is wrong")
        every, gap = record.get("every"), record.get("gap")
        if type(every) is not int or type(gap) is not int or every < 1 or gap < found.gap:
            raise _Wrong("false-checkpoint", "the checkpoint's `every` or `gap` is impossible")
        end = mac_start(line)
        signature = SIGNED.fullmatch(line, max(0, end - SIGNED_LENGTH), end)
        if signature is not None:
            self._check_signature(signature, line[: end - SIGNATURE_LENGTH], record.get("retires"))
            found.signed, found.signed_seq = found.signed + 1, seq
        elif found.signed or "signature" in record:
            before = "though one before it does" if found.signed else "only a member of that name"
            raise _Wrong("unsigned", f"the checkpoint carries no signature, {before}")
        met = dict(record["found"]) if isinstance(record.get("found"), tuple) else {}
        if met.get("proof") == "none" and type(met.get("unsigned")) is int:
            found.adopted += met["unsigned"]
        self.checkpoint_seq, self.every, found.gap = seq, every, gap
        found.checkpoints += 1

    def _check_signature(self, signature: re.Match[bytes], signed: bytes, retires: object) -> None:
        key, used = signature[1].decode(), self.found.keys
        if self.keys and key not in self.keys:
            raise _Wrong("foreign-key", f"the checkpoint is signed with the key {key}, which was not given")
        if key in used[:-1]:
            raise _Wrong("retired-key", f"the checkpoint is signed with the key {key}, which another had replaced")
        newest = used[-1] if used else key
        if retires not in (None, newest):
            why = f"the checkpoint retires another key than {newest}, which signed before it"
            raise _Wrong("false-checkpoint", why)
        if self.keys and not signs(self.keys[key], signed, bytes.fromhex(signature[2].decode())):
            raise _Wrong("false-signature", f"the checkpoint was not signed with the key {key}")
        self.found.keys = used if key in used else (*used, key)

    def _look_for_proof(self, file: Path, number: int, line: bytes, kind: bytes) -> None:
        """Look what vouches for a record, and so for all before it, or else speaks against it."""
        seq, end, found, by = self.seq + 1, mac_start(line), self.found, None
        has_mac = end + SUFFIX_LENGTH < len(line)
        for key in self.mac_keys if has_mac else ():
            if hmac.digest(key, line[:end], "sha256").hex().encode() == line[end + 8 : end + 72]:
                by = key
                if key not in self.used_mac_keys:
                    self.used_mac_keys.append(key)
                break
        is_retired = by in self.used_mac_keys[:-1]
        is_signed = found.signed_seq == seq and bool(self.keys or not self.mac_keys)  # checked, or nothing else can be
        if by is not None and not is_retired:
            found.proven_seq, self.doubt = seq, None
        elif is_signed:
            self.doubt = None
        elif self.doubt is None:
            what = ""
            if is_retired:
                what, message = "retired-key", "the record's `mac` was made with a key that another had replaced"
            elif has_mac and self.mac_keys:
                what, message = "false-mac", "the record's `mac` was not made with the key"
            elif not has_mac and (self.mac_keys or self.has_macs):
                what, message = "no-mac", "the record carries no `mac`"
            if what:
                message += ", and no signature vouches for it"
            elif found.is_closed and not (kind == CHECKPOINT and b',"found":{' in line):
                what, message = "after-close", "the record follows the checkpoint of an orderly close"
            if what:
                self.doubt = (_Wrong(what, message).problem(file, number, seq), self.last)
        found.is_closed = kind == CHECKPOINT and b',"closed":true' in line
        self.has_macs |= has_mac

    def end(self, *, expect_last: str | None, expect_count: int | None, closed: bool) -> None:
        """Check that nothing is missing where the log ends. Raises _Wrong."""
        found, newest, ends = self.found, self.last.decode(), f"the log ends with record {self.seq}"
        unsigned = self.seq - found.signed_seq
        if not self.seq:
            raise _Wrong("empty", "contains no record of an audit log")
        if expect_last not in (None, newest) or expect_count not in (None, self.seq):
            raise _Wrong("unexpected-end", f"{ends} and hash {newest}; the witness remembers otherwise")
        if self.keys and not found.signed:
            raise _Wrong("unsigned", "no checkpoint of the log is signed, though a key was given")
        why = "the log ends too early, or somebody with an older key rewrote it"
        if unused := [key for key in self.keys if key not in found.keys]:
            raise _Wrong("unused-key", f"the key {unused[0]}, which was given, signed nothing: {why}")
        if len(self.mac_keys) > len(self.used_mac_keys) and len(self.mac_keys) > 1:
            number = [key in self.used_mac_keys for key in self.mac_keys].index(False) + 1
            raise _Wrong("unused-key", f"key {number} of the {len(self.mac_keys)} for macs made none: {why}")
        if closed and unsigned and (found.signed or not found.is_closed or found.proven_seq < self.seq):
            said = "neither a signature nor a mac proves where the log ends"
            if found.signed:
                said = f"{_records(unsigned)} after the last signature"
            elif self.mac_keys:
                said = "nothing is signed, and it does not end with the checkpoint of an orderly close"
            elif self.has_macs:
                said = "nothing is signed, and only `--mac-key` tells"
            raise _Wrong("not-closed", said)
        if self.witness is not None and not self.kept:
            raise _Wrong("forked", "none of the anchors is of this log")
        if self.kept and max(self.kept) > self.seq:
            raise _Wrong("unexpected-end", f"{ends}; the witness remembers record {max(self.kept)}")


def _lines(files: Sequence[Path]) -> Iterator[tuple[Path, int, bytes]]:
    """Read files line by line, with the number of each; a longer line than there may be is not read to its end."""
    for path in files:
        with opened(path) as file:
            number = 0
            while line := file.readline(MAX_LINE + 1):
                if not line.endswith(b"\n") and len(line) <= MAX_LINE:
                    time.sleep(0.1)  # a writer at work may be in the middle of this line
                    line += file.readline(MAX_LINE + 1 - len(line))
                number += 1
                yield path, number, line


def _read(line: bytes, seq: int, prev: bytes) -> bytes:
    """Return the kind of a line that may follow the record with the hash `prev`. Raises _Wrong."""
    if len(line) > MAX_LINE:
        raise _Wrong("too-long", f"the line is longer than {MAX_LINE} bytes")
    if not line.endswith(b"\n"):
        raise _Wrong("torn", "the file's last line is not finished: a crash, a cut, or a writer at work")
    prefix, suffix = PREFIX.match(line), SUFFIX.fullmatch(line, max(0, len(line) - SUFFIX_LENGTH))
    if not prefix or not suffix or prefix.end() > suffix.start():
        _members(line)
        frame = '{"schema":…,"seq":…,"prev":…,"kind":…, and end ,"hash":…}'
        raise _Wrong("wrong-schema", f"the line does not begin {frame}")
    schema, said = int(prefix[1]), int(prefix[2])
    if schema != SCHEMA:
        raise _Wrong("wrong-schema", f"schema {schema}; this program knows schema {SCHEMA}", said)
    if hashlib.sha256(line[:-SUFFIX_LENGTH]).hexdigest().encode() != suffix[1]:
        raise _Wrong("edited", "the record's bytes do not have the hash that it carries", said)
    if said > seq:
        raise _Wrong("missing", f"records {seq} to {said - 1} are missing before this one", said)
    if said < seq:
        raise _Wrong("inserted", f"record {said} is where record {seq} belongs", said)
    if prefix[3] != prev:
        why = f"one of records {seq - 1} and {seq} is false"
        raise _Wrong("edited", f"`prev` is not the hash of the record before: {why}")
    _members(line)
    return prefix[4]


_json = json.JSONDecoder(
    object_pairs_hook=tuple,
    parse_int=lambda digits: int(digits) if len(digits) < 19 else digits,
    parse_float=str,
    parse_constant=int,  # which refuses NaN and Infinity, as JSON does
)


def _members(line: bytes) -> dict[str, Any]:
    """Return a record's members; objects inside are pairs, numbers that no machine holds are texts. Raises _Wrong."""
    try:
        pairs = _json.decode(line.decode())
    except UnicodeDecodeError:
        raise _Wrong("not-json", "the line is not UTF-8") from None
    except (ValueError, RecursionError):
        raise _Wrong("not-json", "the line is not JSON") from None
    if not isinstance(pairs, tuple):
        return {}
    members = dict(pairs)
    if len(members) < len(pairs):
        twice = next(name for name, count in Counter(name for name, _ in pairs).items() if count > 1)
        raise _Wrong("not-json", f"the member `{twice}` appears twice")
    return members


def mac_start(line: bytes) -> int:
    """Return where a line's `,"mac":"` begins; where it has none, where its `,"hash":"` does."""
    end = len(line) - SUFFIX_LENGTH
    return end - MAC_LENGTH if end > MAC_LENGTH and MAC.fullmatch(line, end - MAC_LENGTH, end) else end


def _hashes_by_log(anchors: Sequence[bytes]) -> dict[str, dict[int, bytes]]:
    """Return what a witness remembers: hashes by log and seq, none where two differ. Raises ValueError."""
    logs: dict[str, dict[int, bytes]] = {}
    for number, line in enumerate(anchors, 1):
        prefix = PREFIX.match(line)
        try:
            is_checkpoint = prefix is not None and _read(line, int(prefix[2]), prefix[3]) == CHECKPOINT
        except _Wrong:
            is_checkpoint = False
        if prefix is None or not is_checkpoint:
            raise ValueError(f"line {number} is not a checkpoint")
        kept, seq = logs.setdefault(str(_members(line).get("log")), {}), int(prefix[2])
        kept[seq] = line[HASH] if kept.get(seq, line[HASH]) == line[HASH] else b""
    return logs


def _decision(line: bytes) -> tuple[bytes, bytes, bytes | None]:
    """Return a decision's id, whose it is, and which one it supersedes; the line itself where it says nothing of it."""
    record = _members(line)
    decision, superseded = record.get("decision_id"), record.get("supersedes")
    return (
        decision.encode("utf-8", "surrogatepass") if isinstance(decision, str) else line,
        str(record.get("merchant_biz_id")).encode("utf-8", "surrogatepass"),
        None if superseded is None else str(superseded).encode("utf-8", "surrogatepass"),
    )


class _Decisions:
    """The decisions of a log, so far, by hashes that differ from run to run: enough to suspect what cannot be.

    Whether it is so is then looked at in a second reading.
    """

    def __init__(self) -> None:
        self.ids, self.owned = array("q"), array("q")
        self.superseding: list[tuple[int, int]] = []  # where in the log; which decision, with whose it has to be

    def take(self, decision: bytes, subject: bytes, superseded: bytes | None = None) -> None:
        """Take note of a decision: its id, whose it is, and which one it supersedes."""
        if superseded is not None:
            self.superseding.append((len(self.ids), hash((superseded, subject))))
        self.ids.append(hash(decision))
        self.owned.append(hash((decision, subject)))

    def is_doubtful(self) -> bool:
        """Whether a decision seems to stand twice, or one to supersede what it cannot."""
        parts: list[array[int]] = [array("q") for _ in range(64)]  # a set of all would take ten times the memory
        for one in self.ids:
            parts[one & 63].append(one)
        if any(len(set(part)) < len(part) for part in parts):
            return True
        wanted = {one for _, one in self.superseding}
        places = {one: at for at, one in enumerate(self.owned) if one in wanted} if wanted else {}
        return len(wanted) < len(self.superseding) or any(places.get(one, at) >= at for at, one in self.superseding)


def _first_false_decision(files: list[Path], count: int, *, may_lack: bool) -> tuple[Problem, bytes] | None:
    """Read the first `count` records again; return the first decision that cannot be, and the hash before it.

    may_lack: a failing disk has lost some, it is said.
    """
    known: dict[bytes, bytes] = {}
    superseded: set[bytes] = set()
    prev = FIRST_PREV
    for seq, (file, number, line) in enumerate(islice(_lines(files), count), 1):
        prefix = PREFIX.match(line)
        if prefix is not None and prefix[4] == DECISION:
            decision, subject, earlier = _decision(line)
            wrong = None
            if decision in known:
                wrong = _Wrong("same-decision", "an earlier record has the same `decision_id`")
            elif earlier is not None and earlier not in known and not may_lack:
                wrong = _Wrong("false-supersedes", "it supersedes a decision that is not before it")
            elif earlier is not None and known.get(earlier, subject) != subject:
                wrong = _Wrong("false-supersedes", "it supersedes a decision of another MerchantBizId")
            elif earlier in superseded:
                wrong = _Wrong("false-supersedes", "it supersedes a decision that another had superseded")
            if wrong is not None:
                return wrong.problem(file, number, seq), prev
            known[decision] = subject
            if earlier is not None:
                superseded.add(earlier)
        prev = line[HASH]
    return None


_PLAIN = r'"[^"\\\x00-\x1f]*+"'
_STRING = r'"[^"\\\x00-\x1f]*+(?:\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4})[^"\\\x00-\x1f]*+)*+"'
_NUMBER = r"-?+(?:0|[1-9][0-9]*+)(?:\.[0-9]++)?+(?:[eE][+-]?+[0-9]++)?+"
_SCALAR = f"(?>{_NUMBER}|true|false|null|{_STRING})"
_PLAINS = rf"\[(?:{_PLAIN}(?:,{_PLAIN})*+)?+\]"
_SCALARS = rf"\[(?:{_SCALAR}(?:,{_SCALAR})*+)?+\]"
_DECISION = rb',"decision_id":"([0-9a-f]{32})","merchant_biz_id":"([^"\\\x00-\x1f]*+)"'
_TOKEN = re.compile(
    rf"(?s:{_STRING}(?=:)|((?!\[\]){_PLAINS})|({_SCALARS})|({_PLAIN})|({_STRING})|({_SCALAR})|.)".encode()
)
_LIKE = tuple(pattern.encode() for pattern in (_PLAINS, _SCALARS, _PLAIN, _STRING, _SCALAR))
"""What may stand in the place of each of these; a text without escapes is matched much faster than any text."""
_SHAPES, _SHAPE_LENGTH = 8, 65_536
"""So many shapes are remembered of each kind of record, of members of so many bytes."""


class _Shapes:
    """Records that were found to be good, as patterns: one that differs only in its values is good too.

    They save time and decide nothing: to parse every line takes half as long again as all checks together.
    """

    def __init__(self) -> None:
        self.by_kind: dict[bytes, list[re.Pattern[bytes]]] = {}

    def find(self, line: bytes, seq: int, prev: bytes) -> tuple[bytes, tuple[bytes, ...]]:
        """Return the kind of a line that is good and like others before it, and of most decisions id and subject.

        The kind is empty for a line that has to be read.
        """
        start = b'{"schema":%d,"seq":%d,"prev":"%b","kind":"' % (SCHEMA, seq, prev)
        if len(line) > MAX_LINE or not line.startswith(start):
            return b"", ()
        if line.endswith(b',"hash":"%b"}\n' % hashlib.sha256(line[:-SUFFIX_LENGTH]).hexdigest().encode()):
            at = line.find(b'"', len(start), len(start) + 65)
            kind = line[len(start) : at]
            for shape in self.by_kind.get(kind, ()):
                like = shape.fullmatch(line, at + 1, len(line) - SUFFIX_LENGTH)
                if like is not None and (line.isascii() or _is_utf8(line)):
                    return kind, like.groups()
        return b"", ()

    def learn(self, line: bytes, kind: bytes) -> None:
        """Remember the shape of a line that is good."""
        known = self.by_kind.setdefault(kind, [])
        if len(known) < _SHAPES and len(line) <= _SHAPE_LENGTH:
            start, end = line.index(b'"kind":"') + 9 + len(kind), mac_start(line)
            decision = None if "supersedes" in _members(line) else re.compile(_DECISION).match(line, start)
            start, shape = (decision.end(), _DECISION) if decision else (start, b"")
            mac = MAC.pattern if end + SUFFIX_LENGTH < len(line) else b""
            known.append(re.compile(shape + _TOKEN.sub(_any_like_it, line[start:end]) + mac))


def _is_utf8(line: bytes) -> bool:
    try:
        return bool(line.decode())
    except UnicodeDecodeError:
        return False


def _any_like_it(token: re.Match[bytes]) -> bytes:
    """Return a pattern of the values that may stand in the place of one; of names and brackets only themselves."""
    return _LIKE[token.lastindex - 1] if token.lastindex else re.escape(token[0])


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
    import argparse  # for the command alone: whoever imports the functions does not need it

    parser = argparse.ArgumentParser(prog="verify", description="Check an audit log.")
    parser.add_argument("log", type=Path, help="the log's folder, or a copy of its only segment")
    parser.add_argument("--key", type=Path, action="append", default=[], help="a file of public keys, in PEM form")
    parser.add_argument("--mac-key", type=Path, action="append", default=[], help="a key for macs, or one that signs")
    parser.add_argument("--closed", action="store_true", help="require that nothing follows an orderly close")
    parser.add_argument("--anchors", type=Path, help="a file of checkpoints that was kept elsewhere")
    parser.add_argument("--expect-last", metavar="HASH", help="the hash of the last record, from an outside witness")
    parser.add_argument("--expect-count", metavar="N", type=int, help="the number of records, from an outside witness")
    parser.add_argument("--format", choices=("text", "json"), default="text")
    options = vars(parser.parse_args(arguments))
    form = options.pop("format")
    try:
        findings = verify_files(**options)
    except ValueError as error:
        print(error, file=sys.stderr)
        return 2
    print(json.dumps(asdict(findings)) if form == "json" else render(findings))
    return 0 if findings.is_good else 1


def verify_files(
    log: Path,
    *,
    key: Sequence[Path] = (),
    mac_key: Sequence[Path] = (),
    closed: bool = False,
    anchors: Path | None = None,
    expect_last: str | None = None,
    expect_count: int | None = None,
) -> Findings:
    """Verify a log with keys and anchors from files. Raises ValueError for any file that cannot be used, or no hash."""
    if expect_last is not None and not re.fullmatch("[0-9a-fA-F]{64}", expect_last):
        raise ValueError("the hash of the last record, as the witness has it, is not 64 hex digits")
    at = log
    try:
        keys, mac_keys, kept = [], [], None
        for at in key:
            keys += read_keys(_text(at))
        for at in mac_key:
            mac_keys.append(read_mac_key(_text(at)))
        if anchors is not None:
            with opened(at := anchors) as file:
                kept = [line for line in file if line.endswith(b"\n")]  # a last one may not be finished
            _hashes_by_log(kept)
        at = log
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
        lines.append("unsigned: anybody who can write to the folder can have written any of it")
    if findings.adopted:
        lines.append(f"{findings.adopted} of them were adopted without proof, according to checkpoints")
    if findings.anchored and findings.is_good:
        lines.append(f"{findings.anchored} anchor{' agrees' if findings.anchored == 1 else 's agree'}")
    if findings.gap:
        lines.append(f"according to the log, a failing disk lost {findings.gap} records that the writer had accepted")
    return "\n".join(lines)


def _records(count: int) -> str:
    return f"{count} record{' stands' if count == 1 else 's stand'}"


if __name__ == "__main__":
    sys.exit(main())
