"""A zone's clocks, taken apart, against the zone itself."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from random import Random

import pytest

from adjudge.expr.clocks import Clocks, clocks_of, moment_of
from adjudge.expr.functions import _zone_names, zone

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
SECOND = timedelta(seconds=1)


def probes(name: str, clocks: Clocks) -> list[int]:
    draw = Random(name)  # moments, not secrets
    found = [draw.randrange(-62_135_400_000, 253_402_100_000) for _ in range(20)]
    found += [draw.randrange(-3_000_000_000, 6_000_000_000) for _ in range(20)]
    found += [second + by for second, _ in clocks.changes[1:] for by in (-1, 0)]
    if clocks.rule is not None:
        begun = (EPOCH + clocks.rule_from * SECOND).year + 1
        for year in (*range(begun, begun + 3), 2100, 2399, 2400, 9998):
            for change in (clocks.rule.begins, clocks.rule.ends):
                found += [moment_of(change, year) + by for by in (-1, 0)]
            found.append((datetime(year, 1, 1, tzinfo=UTC) - EPOCH) // SECOND)
    return found


@pytest.mark.parametrize("letter", sorted({name[0] for name in _zone_names()}))
def test_every_zone_is_taken_apart_exactly(letter: str) -> None:
    for name in sorted(one for one in _zone_names() if one.startswith(letter)):
        clocks, there = clocks_of(name), zone(name)
        assert clocks is not None, f"{name} goes on by a rule of a form that nothing reads"
        for second in probes(name, clocks):
            expected = (EPOCH + second * SECOND).astimezone(there).utcoffset()
            assert timedelta(seconds=clocks.offset(second)) == expected, f"{name} at {second}"
            assert clocks.ends[0] <= clocks.offset(second) <= clocks.ends[1], f"{name} at {second}"
