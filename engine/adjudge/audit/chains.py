"""Verifying a log that is not in files: each chain by the verifier that stands alone, and all of them together."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from adjudge.audit.between import false_decision, missed_chain
from adjudge.audit.elsewhere import is_kept, moved_from, named
from adjudge.audit.record import MalformedLine, parse
from adjudge.audit.verify import (
    SUFFIX,
    Away,
    Chain,
    Decisions,
    Findings,
    Lines,
    Problem,
    check_hash,
    key_id,
    missing,
    read_given,
    verify,
)
from adjudge.errors import NothingRead
from adjudge.plugin import LogChain, LogLook, LogSource


def verify_elsewhere(
    source: LogSource,
    *,
    key: Sequence[Path] = (),
    mac_key: Sequence[Path] = (),
    closed: bool = False,
    anchors: Path | None = None,
    expect_last: str | None = None,
    expect_count: int | None = None,
) -> dict[str, Findings]:
    """Verify each chain as it stands at one moment, with keys and anchors from files; return findings by chain.

    What is wrong with no chain alone stands under the empty name. A chain may lack anchors, and a key may have signed
    others. Raises ValueError for what cannot be used, NothingRead where there is no record, AuditUnavailable.
    """
    check_hash(expect_last)
    keys, mac_keys, kept = read_given(key, mac_key, anchors)
    found: dict[str, Findings] = {}
    away: dict[str, list[Away]] = {}
    decisions, logs = Decisions(), list[bytes]()
    with source.look() as look:
        chains = look.chains()
        if not chains:
            raise NothingRead(f"{source}: holds no audit log")
        if len(chains) > 1 and (expect_last is not None or expect_count is not None):
            one = named(source, chains[0].name)
            raise ValueError(f"a count and a last hash are of one chain: name it, such as {one}")
        moved = moved_from(look)
        said: dict[bytes, str] = {}  # hashes of `archive` records in chains that are good, and whose they are
        for chain in chains:
            name, noted = named(source, chain.name), list[bytes]()
            parts = _parts(look, chain.name, name, moved.get(chain.name, ()), noted)
            away[chain.name] = [one for one in parts if isinstance(one, Away)]
            findings = verify(
                Chain(name, parts, frozenset(one.hash for one in away[chain.name])),
                keys=keys,
                mac_keys=mac_keys,
                closed=closed,
                anchors=_anchors_of(look, chain, away[chain.name], kept, logs),
                expect_last=expect_last and expect_last.lower(),
                expect_count=expect_count,
                decisions=decisions,
            )
            found[chain.name] = _held_against(chain, name, findings)
            if findings.is_good:
                said |= dict.fromkeys(noted, chain.name)
                findings.problem = _kept_wrongly(look, chain.name, name, away[chain.name])
        for at, those in away.items():
            _vouch(found, at, named(source, at), those, said)
        if len(chains) > 1 and all(one.is_good for one in found.values()):
            problem = false_decision(source, look, chains, decisions, may_lack=any(away.values()))
            if problem is not None:
                found[""] = Findings(problem=problem)
    is_one = str(source).endswith(f"#{chains[0].name}")
    if kept is not None and not is_one and (gone := missed_chain(source, kept, logs)) is not None:
        found.setdefault("", Findings(problem=gone))
    unused = {key_id(one) for one in keys}.difference(*(one.keys for one in found.values()))
    if unused and all(one.is_good for one in found.values()):
        why = f"the key {min(unused)}, which was given, signed nothing in any chain"
        found[""] = Findings(problem=Problem(file=str(source), line=0, seq=0, what="unused-key", message=why))
    return found


def lost_elsewhere(source: LogSource) -> list[str]:
    """Say of which chains decisions are gone that ids still name. Raises AuditUnavailable."""
    with source.look() as look:
        moved = {chain: [(one.first, one.last) for one in those] for chain, those in moved_from(look).items()}
        lost = look.lost(moved)
    if lost is None:
        return [f"{source}: whether ids name decisions that are gone was not looked at: this role may not read them"]
    return [
        f"{named(source, chain)}: {'1 id names' if count == 1 else f'{count} ids name'} a decision whose record is gone"
        for chain, count in lost.items()
    ]


def _held_against(chain: LogChain, name: str, found: Findings) -> Findings:
    """Hold the end of a chain that is good against what whoever keeps it says of its end."""
    if found.is_good and (found.last_seq, found.last_hash) != (chain.count, chain.last_hash):
        said = f"the chain ends with record {found.last_seq}, where record {chain.count} was its last"
        if found.last_seq < chain.count:
            said += ": its end was cut off"
        elif not chain.count:
            said = "no writer is known that began this chain"
        found.problem = Problem(file=name, line=0, seq=found.last_seq, what="unexpected-end", message=said)
    return found


def _parts(look: LogLook, chain: str, name: str, moved: Sequence[Away], noted: list[bytes]) -> tuple[Lines | Away, ...]:
    """Return the parts of a chain: lines, and what was moved, unless it is here again.

    noted: takes the hashes of `archive` records, as they are read.
    """

    def lines(first: int, last: int | None) -> Lines:
        return Lines(name, lambda: _noting(look.lines(chain, first, last), noted))

    parts, due = list[Lines | Away](), 1
    for away in moved:
        if away.first > due:
            parts.append(lines(due, away.first - 1))
        count = sum(1 for _ in look.lines(chain, away.first, away.last))
        parts.append(away if count <= len(away.policies) else lines(away.first, away.last))
        due = away.last + 1
    return (*parts, lines(due, None))


def _noting(lines: Iterable[bytes], noted: list[bytes]) -> Iterator[bytes]:
    for line in lines:
        if b'"kind":"archive",' in line[:256] and (digest := SUFFIX.search(line)):
            noted.append(digest[1])
        yield line


def _kept_wrongly(look: LogLook, chain: str, name: str, moved: Iterable[Away]) -> Problem | None:
    """Return what is wrong with the policies that stayed of what was moved."""
    for away in moved:
        for line in look.lines(chain, away.first, away.last):
            try:
                is_good = is_kept(parse(line), [away])
            except MalformedLine:
                is_good = False
            if not is_good:
                said = f"of records {away.first} to {away.last}, which were archived, a line is here that did not stay"
                return Problem(file=name, line=0, seq=away.first, what="edited", message=said)
    return None


def _vouch(found: dict[str, Findings], chain: str, name: str, moved: Sequence[Away], said: Mapping[bytes, str]) -> None:
    """Say what vouches for the parts of a chain that were moved: a record in a chain that is good, and no other."""
    mine = found[chain]
    for away in moved:
        if away.hash not in said and mine.is_good:
            mine.problem = Problem(
                file=name, line=0, seq=away.first, what="missing", message=missing(away.first, away.last)
            )
    if moved and mine.is_good and mine.vouched_seq <= moved[-1].last:
        by = found[said[moved[-1].hash]]
        if by.vouched_seq > moved[-1].seq:
            key = f", signed with {by.keys[-1]}" if by.signed else ""
            mine.vouched_by = f"{said[moved[-1].hash]}{key}"
            mine.vouched_seq, mine.vouched_at = by.vouched_seq, by.vouched_at


def _anchors_of(
    look: LogLook, chain: LogChain, moved: Sequence[Away], kept: Iterable[bytes] | None, logs: list[bytes]
) -> list[bytes] | None:
    """Return the anchors of one chain; None where there are none. logs: takes its name, the hash of its record 1."""
    if kept is None:
        return None
    log = SUFFIX.search(next(iter(look.lines(chain.name, 1, 1)), b""))
    name = log[1] if log is not None else moved[0].log.encode() if moved else b""
    logs.append(name)
    return [line for line in kept if name and b'"log":"%b"' % name in line] or None
