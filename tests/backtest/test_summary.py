"""The first lines of a report are what a person who counts the rows would say."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from pathlib import Path

import pytest

from adjudge.policy import parse_policy

duckdb = pytest.importorskip("duckdb", reason="needs the extra `backtest`")

from adjudge.backtest.dataset import open_dataset  # noqa: E402
from adjudge.backtest.duck import connect  # noqa: E402
from adjudge.backtest.report.page import page  # noqa: E402
from adjudge.backtest.report.study import study  # noqa: E402
from adjudge.backtest.report.summary import summary  # noqa: E402

OLD = """policy_language: 1
policy: shop
inputs: {share: {type: double, range: [0, 1]}, flag: bool}
thresholds: {share: {review: 0.5, reject: 0.9}}
scorecard: {points: [{id: flagged, when: flag, add: 30}, {when: share > 0.2, add: 5}], bands: {review: 30}}
"""
NEW = OLD.replace("review: 0.5", "review: 0.7")
ROWS = "share,flag,label,at,cost\n" + "".join(
    f"{at / 10},{str(at % 5 == 0).lower()},{'fraud' if at > 7 else 'genuine'},2026-03-0{1 + at % 4}T08:00:00Z,2.50\n"
    for at in range(11)
)


def test_summary_says_what_was_counted(tmp_path: Path) -> None:
    """Of 0.0 to 1.0: at 0.5, 0.7 and 0.9 thresholds begin; 0.0, 0.5 and 1.0 are flagged; 0.8 and more are frauds."""
    data = tmp_path / "rows.csv"
    data.write_text(ROWS)
    old, new = parse_policy(OLD), parse_policy(NEW)
    with connect(threads=1) as connection:
        datasets = [open_dataset(connection, data, policy.typed) for policy in (old, new)]
        found = study(connection, [("old", old), ("new <b>", new)], datasets, plots=True)
    assert summary(found, 0) == [
        "of 11 decisions from 2026-03-01 to 2026-03-04, 5 go to a person, 45.5% (95% interval 21.3% to 72.0%), 1 a day",
        "of 3 known frauds, 3 do not pass, 100.0% (95% interval 43.9% to 100.0%)",
        "of 8 people known to be genuine, 0 are rejected, 0.0% (95% interval 0.0% to 32.4%)",
        "what was asked of providers cost 27.50, 6.88 a day",
    ]
    first, *others = summary(found, 1)
    assert first.endswith("4 go to a person, 36.4% (95% interval 15.2% to 64.6%), 1 a day; -1 against old")
    assert others[0].endswith("; as many as old")
    text = page(found, made=datetime(2026, 4, 1, 9, 30, tzinfo=UTC))
    assert "Made on" not in text and "Made 2026-04-01 09:30 UTC by adjudge" in text
    assert "new &lt;b&gt;" in text and "<b>" not in text
    assert text.index("In short") < text.index("<table>") < text.index("<h2>Words</h2>")
    assert not re.search(r"(src|href)=|https?://|<script", text)
    assert text.count('class="scaled"') == 1 and "frauds stopped 3 of 3" in text and 'class="line review other"' in text
    (card,) = found.backtests[0].cards
    assert [(row.id, row.true, row.moves) for row in card.rows] == [("flagged", 3, 3), ("row 2", 8, 0)]
    assert card.totals == {0: 2, 5: 6, 30: 1, 35: 2}
