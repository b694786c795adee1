"""Verifying a log that is not in files: each chain by the verifier that stands alone, and all of them together."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import partial
from pathlib import Path

from adjudge.audit.elsewhere import named
from adjudge.audit.verify import SUFFIX, Chain, Findings, Lines, Problem, check_hash, key_id, read_given, verify
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
    with source.look() as look:
        chains = look.chains()
        if not chains:
            raise NothingRead(f"{source}: holds no audit log")
        if len(chains) > 1 and (expect_last is not None or expect_count is not None):
            one = named(source, chains[0].name)
            raise ValueError(f"a count and a last hash are of one chain: name it, such as {one}")
        for chain in chains:
            name = named(source, chain.name)
            findings = verify(
                Chain(name, (Lines(name, partial(look.lines, chain.name)),)),
                keys=keys,
                mac_keys=mac_keys,
                closed=closed,
                anchors=_anchors_of(look, chain, kept),
                expect_last=expect_last and expect_last.lower(),
                expect_count=expect_count,
            )
            found[chain.name] = _held_against(chain, name, findings)
    unused = {key_id(one) for one in keys}.difference(*(one.keys for one in found.values()))
    if unused and all(one.is_good for one in found.values()):
        said = f"the key {min(unused)}, which was given, signed nothing in any chain"
        found[""] = Findings(problem=Problem(file=str(source), line=0, seq=0, what="unused-key", message=said))
    return found


def _held_against(chain: LogChain, name: str, found: Findings) -> Findings:
    """Hold the end of a chain that is good against what whoever keeps it says of its end."""
    if found.is_good and (found.last_seq, found.last_hash) != (chain.count, chain.last_hash):
        said = (
            f"the chain ends with record {found.last_seq}, where record {chain.count} was its last: its end was cut off"
        )
        if found.last_seq >= chain.count:
            said = f"the chain ends with record {found.last_seq}, where record {chain.count} was its last"
        if found.last_seq < chain.count:
            said += ": its end was cut off"
        elif not chain.count:
            said = "no writer is known that began this chain"
        found.problem = Problem(file=name, line=0, seq=found.last_seq, what="unexpected-end", message=said)
    return found


def _anchors_of(look: LogLook, chain: LogChain, kept: Iterable[bytes] | None) -> list[bytes] | None:
    """Return the anchors of one chain; None where there are none."""
    if kept is None:
        return None
    first = next(iter(look.lines(chain.name, 1, 1)), b"")
    log = SUFFIX.search(first)
    return [line for line in kept if log is not None and b'"log":"%b"' % log[1] in line] or None
