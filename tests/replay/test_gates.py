"""Gates: their grammar, and that the documentation has every measure as it is."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from adjudge.errors import DataError
from adjudge.replay.gates import MEASURES, Gate, failed_gates

DOCS = Path(__file__).parents[2] / "docs" / "backtest.md"


def test_every_measure_is_documented_as_it_is() -> None:
    section = DOCS.read_text("utf-8").partition("\n## Gates\n")[2].partition("\n## ")[0]
    rows = re.findall(r"^\| `(\w+)` \| (.+) \|$", section, re.MULTILINE)
    assert rows == [(one.name, one.meaning) for one in MEASURES.values()]


@pytest.mark.parametrize(
    ("text", "value", "fails"),
    [
        ("review_share > 4%", 0.04, False), ("review_share >= 4%", 0.04, True), ("review_share > 0.04", 0.0401, True),
        (" review_share<4% ", 0.039, True), ("moved <= 3", 3.0, True), ("moved < 3", 3.0, False),
        ("review_share_change > +1%", 0.02, True), ("review_share_change < -1%", -0.02, True),
        ("cost > 1.5", None, True),
    ],
)  # fmt: skip
def test_a_gate_fails_where_it_holds_or_cannot_be_told(text: str, value: float | None, fails: bool) -> None:
    gate = Gate.read(text, [*MEASURES])
    assert bool(failed_gates([gate], {gate.measure.name: value})) == fails


@pytest.mark.parametrize("text", ["", "review_share", "review_share > x", "review_share == 4%", "> 4%", "a b > 1",
                                  "review_share > 4% 5%", "review_share > 1e3", "review_share > 104%"])  # fmt: skip
def test_what_is_no_gate_is_refused(text: str) -> None:
    with pytest.raises(DataError):
        Gate.read(text, [*MEASURES])
