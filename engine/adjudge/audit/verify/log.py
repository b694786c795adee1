"""What is checked of a log, and in which order."""

from __future__ import annotations

import hmac
import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from .decisions import Decisions, decision_of, first_false_decision
from .ed25519 import signs
from .files import Files
from .findings import Findings, records_stand
from .keys import key_id
from .lines import (
    CHECKPOINT,
    DECISION,
    FIRST_PREV,
    HASH,
    LEDGER,
    SEGMENT,
    SIGNATURE_LENGTH,
    SIGNED,
    SIGNED_LENGTH,
    SUFFIX_LENGTH,
    Lines,
    check_line,
    hashes_by_log,
    mac_start,
    members_of,
    read_lines,
)
from .problem import Problem, Wrong
from .segments import ARCHIVE, Away, Chain, LogPath, Piece, Pieces, folder_of, missing, pieces, unsaid
from .shapes import Shapes


def verify(
    path: LogPath | Chain,
    *,
    expect_last: str | None = None,
    expect_count: int | None = None,
    keys: Sequence[bytes] = (),
    mac_keys: Sequence[bytes] = (),
    closed: bool = False,
    anchors: Sequence[bytes] | None = None,
    decisions: Decisions | None = None,
) -> Findings:
    """Check every record of a log, as far as the first that is wrong; of each decision 16 bytes are kept in memory.

    expect_last: the hash of the last record; expect_count: the number of records; as an outside witness has them.
    keys: public keys of 32 bytes; from the first signed checkpoint on each must be signed by one of them, and each of
    them must have signed. mac_keys: 32 bytes; what no signature vouches for must have a mac by one of them. Of several
    each must have made one, and none makes any more once another has.
    closed: nothing may stand after the last signature; where nothing is signed, after the checkpoint of an orderly
    close, whose mac must hold.
    anchors: checkpoints of this log, and perhaps of others, as they were kept elsewhere, a line each.
    decisions: takes those of this log too, of whoever looks at several chains.
    Raises OSError where a file cannot be read; ValueError where an anchor is no checkpoint.
    """
    of_files = Pieces(()) if isinstance(path, Chain) else pieces(path)
    parts: Sequence[Piece | Lines] = path.parts if isinstance(path, Chain) else of_files.found
    log = Log(keys, mac_keys, None if anchors is None else hashes_by_log(anchors))
    problem, number = of_files.fault, 0
    file: Path | Lines = Lines(path.name, list) if isinstance(path, Chain) else folder_of(path)
    lines = _walk(parts)
    for file, number, line in lines:
        try:
            if isinstance(line, Away):
                log.skip(line)
            else:
                log.take(file, number, line)
        except Wrong as wrong:
            problem = wrong.problem(file, number, log.seq + 1)
            begin = re.compile(rb'\{"schema":[0-9]+,"seq":%d,' % (log.seq + 1))
            if problem.what == "missing" and any(
                isinstance(later, bytes) and begin.match(later) for _, _, later in lines
            ):
                said = f"record {problem.seq} is where record {log.seq + 1} belongs, which comes later"
                problem = replace(problem, what="reordered", message=said)
            break
    seq, last = log.seq, log.last
    if decisions is not None:
        decisions.add(log.decisions)
    if log.doubt is not None:  # it stands before any other
        problem, last = log.doubt
        seq = problem.seq - 1
    if log.decisions.is_doubtful() and (
        false := first_false_decision(parts, seq, may_lack=log.found.gap > 0 or log.is_one_of_several)
    ):
        problem, last = false
        seq = problem.seq - 1
    if problem is None:
        try:
            log.end(expect_last=expect_last, expect_count=expect_count, closed=closed)
            log.check_away(is_moved=of_files.is_moved, said=path.said if isinstance(path, Chain) else frozenset())
        except Wrong as wrong:
            problem = wrong.problem(file, number, seq)
    found = log.found
    found.last_seq, found.last_hash, found.problem = seq, last.decode(), problem
    found.away = tuple((away.first, away.last) for away in log.away if away.last <= seq)
    found.count = seq - sum(last - first + 1 for first, last in found.away)
    found.unsigned = max(0, seq - found.signed_seq)
    found.is_authentic = bool(keys and found.signed)
    found.proven_seq = min(seq, found.proven_seq)
    found.anchored = len(log.kept)
    found.unvouched = log.files.unvouched(log.away[-1].last if log.away else 0)
    return found


def _walk(parts: Sequence[Piece | Lines]) -> Iterator[tuple[Path | Lines, int, bytes | Away]]:
    """Read files line by line, and name what is away in its place."""
    for piece in parts:
        if isinstance(piece, Away):
            yield piece.signpost or Path(piece.name), 0, piece
        else:
            yield from read_lines([piece])


class Log:
    """What a log has said so far. What is checked, in this order:

    | of | in | that |
    |---|---|---|
    | every record | `check_line` | its frame, hash, seq and prev are right, and it is JSON without a member twice |
    | a checkpoint | `_check_checkpoint` | it says of the log what is so, and is signed as those before it |
    | one where a checkpoint is due | `take` | it is one |
    | every record | `take` | a witness remembers no other here |
    | a decision | `Decisions` | its id is new, and it supersedes one that it may |
    | every record | `_look_for_proof` | it is proven, or so is one after it; it does not follow an orderly close |
    | a segment's | `Files` | it says of a file that was read what is so |
    | the end | `end`, `check_away` | it is where the witnesses and the keys have it |
    """

    def __init__(
        self, keys: Sequence[bytes], mac_keys: Sequence[bytes], witness: dict[str, dict[int, bytes]] | None
    ) -> None:
        self.keys, self.mac_keys, self.witness = {key_id(key): key for key in keys}, [*dict.fromkeys(mac_keys)], witness
        self.found, self.shapes, self.decisions = Findings(), Shapes(), Decisions()
        self.seq, self.last = 0, FIRST_PREV
        self.log = FIRST_PREV.decode()  # the hash of record 1
        self.kept: dict[int, bytes] = {}  # what the witness remembers of this log: hashes by seq
        self.checkpoint_seq = self.every = 0  # of the newest checkpoint
        self.used_mac_keys: list[bytes] = []
        self.has_macs = False
        self.files = Files()
        self.is_one_of_several = False  # chains of one ledger: what a decision supersedes may stand in another
        self.away: list[Away] = []
        self.archived: dict[int, bytes] = {}  # hashes of the records that say that a segment was moved, by seq
        self.doubt: tuple[Problem, bytes] | None = None  # the first record that nothing proves, and the hash before it

    def take(self, file: Path | Lines, number: int, line: bytes) -> None:
        """Check the next line. Raises Wrong."""
        seq, last = self.seq + 1, line[HASH]
        kind, decision = self.shapes.find(line, seq, self.last)
        is_new = not kind
        if is_new:
            kind = check_line(line, seq, self.last)
            self.shapes.learn(line, kind)
        if kind == CHECKPOINT:
            self._check_checkpoint(line, seq)
        elif 0 < self.every < seq - self.checkpoint_seq:
            due = f"record {self.checkpoint_seq} says that a checkpoint comes here at the latest"
            raise Wrong("no-checkpoint", due)
        if self.kept and self.kept.get(seq, last) != last:
            raise Wrong("forked", "the witness remembers another record here")
        if kind == DECISION:
            self.decisions.take(*(decision or decision_of(line)))
        self.files.take(file, seq, line)
        if kind == SEGMENT:
            self.files.check(members_of(line))
        elif kind == ARCHIVE:
            self.archived[seq] = last
        has_mac = line[-149:-141] == b',"mac":"'
        if is_new or kind == CHECKPOINT or self.mac_keys or self.found.is_closed or has_mac != self.has_macs:
            self._look_for_proof(file, number, line, kind)  # any other is as good as the one before it
        self.seq, self.last = seq, last
        if seq == 1:
            self._named(last.decode())
            self.is_one_of_several = kind == LEDGER

    def _named(self, log: str) -> None:
        """Learn the hash of record 1."""
        self.log, self.kept = log, (self.witness or {}).get(log, {})

    def skip(self, away: Away) -> None:
        """Go on after records that are elsewhere. Raises _Wrong."""
        if away.first != self.seq + 1:
            raise Wrong("missing", f"record {self.seq + 1} is neither here nor among those that were archived")
        if not self.seq:
            self._named(away.log)
        self.away.append(away)
        self.seq, self.last, self.checkpoint_seq = away.last, away.last_hash, away.last
        self.found.is_closed = False

    def _check_checkpoint(self, line: bytes, seq: int) -> None:
        record, found = members_of(line), self.found
        if (record.get("count"), record.get("last"), record.get("log")) != (seq - 1, self.last.decode(), self.log):
            raise Wrong("false-checkpoint", "what the checkpoint says about the log is wrong")
        every, gap = record.get("every"), record.get("gap")
        if type(every) is not int or type(gap) is not int or every < 1 or gap < found.gap:
            raise Wrong("false-checkpoint", "the checkpoint's `every` or `gap` is impossible")
        end = mac_start(line)
        signature = SIGNED.fullmatch(line, max(0, end - SIGNED_LENGTH), end)
        if signature is not None:
            self._check_signature(signature, line[: end - SIGNATURE_LENGTH], record.get("retires"))
            found.signed, found.signed_seq = found.signed + 1, seq
        elif found.signed or "signature" in record:
            before = "though one before it does" if found.signed else "only a member of that name"
            raise Wrong("unsigned", f"the checkpoint carries no signature, {before}")
        met = dict(record["found"]) if isinstance(record.get("found"), tuple) else {}
        if met.get("proof") == "none" and type(met.get("unsigned")) is int:
            found.adopted += met["unsigned"]
        self.checkpoint_seq, self.every, found.gap = seq, every, gap
        if signature is not None or not found.signed:
            found.vouched_seq, found.vouched_at = seq, str(record.get("at"))
        found.checkpoints += 1

    def _check_signature(self, signature: re.Match[bytes], signed: bytes, retires: object) -> None:
        key, used = signature[1].decode(), self.found.keys
        if self.keys and key not in self.keys:
            raise Wrong("foreign-key", f"the checkpoint is signed with the key {key}, which was not given")
        if key in used[:-1]:
            raise Wrong("retired-key", f"the checkpoint is signed with the key {key}, which another had replaced")
        newest = used[-1] if used else key
        if retires not in (None, newest) and (used or not self.away):  # else the other key signed what is away
            why = f"the checkpoint retires another key than {newest}, which signed before it"
            raise Wrong("false-checkpoint", why)
        if self.keys and not signs(self.keys[key], signed, bytes.fromhex(signature[2].decode())):
            raise Wrong("false-signature", f"the checkpoint was not signed with the key {key}")
        self.found.keys = used if key in used else (*used, key)

    def _look_for_proof(self, file: Path | Lines, number: int, line: bytes, kind: bytes) -> None:
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
                self.doubt = (Wrong(what, message).problem(file, number, seq), self.last)
        found.is_closed = kind == CHECKPOINT and b',"closed":true' in line
        self.has_macs |= has_mac

    def check_away(self, *, is_moved: bool, said: frozenset[bytes]) -> None:
        """Check that the log says of all that is elsewhere that it was moved. Raises Wrong.

        is_moved: what is here was moved itself, so the record that says it may be in the log's later part.
        said: hashes of such records that stand in another log.
        """
        doubtful = [one for one in self.away if one.hash not in said]
        if away := unsaid(doubtful, self.archived, self.seq, is_moved=is_moved):
            raise Wrong("missing", missing(away.first, away.last), away.first)

    def end(self, *, expect_last: str | None, expect_count: int | None, closed: bool) -> None:
        """Check that nothing is missing where the log ends. Raises Wrong."""
        found, newest, ends = self.found, self.last.decode(), f"the log ends with record {self.seq}"
        unsigned = self.seq - found.signed_seq
        if not self.seq:
            raise Wrong("empty", "contains no record of an audit log")
        if expect_last not in (None, newest) or expect_count not in (None, self.seq):
            raise Wrong("unexpected-end", f"{ends} and hash {newest}; the witness remembers otherwise")
        is_elsewhere = bool(self.away and self.seq == self.away[-1].last)  # the end of a chain, with what signed it
        if self.keys and not found.signed and not is_elsewhere:
            raise Wrong("unsigned", "no checkpoint of the log is signed, though a key was given")
        why = "the log ends too early, or somebody with an older key rewrote it"
        unused = [key for key in self.keys if key not in found.keys]
        if unused and not self.away and not self.is_one_of_several:  # what is elsewhere may be signed with it
            raise Wrong("unused-key", f"the key {unused[0]}, which was given, signed nothing: {why}")
        may_lack = self.away or self.is_one_of_several
        if len(self.mac_keys) > len(self.used_mac_keys) and len(self.mac_keys) > 1 and not may_lack:
            number = [key in self.used_mac_keys for key in self.mac_keys].index(False) + 1
            raise Wrong("unused-key", f"key {number} of the {len(self.mac_keys)} for macs made none: {why}")
        if (
            closed
            and unsigned
            and not is_elsewhere
            and (found.signed or not found.is_closed or found.proven_seq < self.seq)
        ):
            said = "neither a signature nor a mac proves where the log ends"
            if found.signed:
                said = f"{records_stand(unsigned)} after the last signature"
            elif self.mac_keys:
                said = "nothing is signed, and it does not end with the checkpoint of an orderly close"
            elif self.has_macs:
                said = "nothing is signed, and only `--mac-key` tells"
            raise Wrong("not-closed", said)
        if self.witness is not None and not self.kept:
            raise Wrong("forked", "none of the anchors is of this log")
        if self.kept and max(self.kept) > self.seq:
            raise Wrong("unexpected-end", f"{ends}; the witness remembers record {max(self.kept)}")
