"""What a list of a million names costs: to load, to look into, and in a backtest."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path
from time import process_time

from adjudge import load_policy

NAMES, ROWS = 1_000_000, 1_000_000
POLICY = """policy_language: 1
policy: listed
inputs: {name: string}
lists: {known: {file: names.txt}}
rules: [{id: known, when: name in lists.known, then: review}]
"""


def rows() -> Iterator[tuple[str, str, str]]:
    """Return every row."""
    from adjudge.backtest.dataset import open_dataset
    from adjudge.backtest.duck import connect
    from adjudge.backtest.run import Runner

    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        text = "".join(f"M{at:08d}\n" for at in range(NAMES))
        (folder / "names.txt").write_text(text, "utf-8")
        (folder / "policy.yaml").write_text(POLICY, "utf-8")
        loads, plain = [], []
        for _ in range(3):
            begun = process_time()
            policy = load_policy(folder / "policy.yaml")
            loads.append(process_time() - begun)
            begun = process_time()
            dict.fromkeys((folder / "names.txt").read_text("utf-8").split("\n"))
            plain.append(process_time() - begun)
        load, bare = min(loads), min(plain)
        yield (
            f"loading a list of {NAMES:,} entries: {load:.2f} s of CPU",
            f"{load / bare:.1f}× reading its lines into a dict",
            "≤ 1 s",
        )
        with connect(threads=2) as connection:
            data = folder / "rows.parquet"
            some = f"select 'M' || lpad((random() * 2 * {NAMES})::int::varchar, 8, '0') as name from range({ROWS})"
            connection.execute(f"copy ({some}) to '{data}'")
            connection.execute("create temp table by_hand as select unnest($1::varchar[]) as value", [text.split()])
            runner = Runner(connection, policy, open_dataset(connection, data, policy.typed))
            hand = f"select count_if(name in (select value from by_hand)) from '{data}'"
            found, written = runner.backtest().rules[0].true, connection.execute(hand).fetchall()[0][0]
            assert found == written, "they count the same"
            ours, theirs = [], []
            for _ in range(3):
                begun = process_time()
                runner.backtest()
                ours.append(process_time() - begun)
                begun = process_time()
                connection.execute(hand).fetchall()
                theirs.append(process_time() - begun)
        yield (
            f"backtest of one rule that looks into it, {ROWS:,} rows: {min(ours):.2f} s of CPU",
            f"{min(ours) / min(theirs):.1f}× a semi-join by hand",
            "–",
        )


if __name__ == "__main__":
    for what, figure, wanted in rows():
        print(f"| {what} | {figure} | {wanted} |", flush=True)
