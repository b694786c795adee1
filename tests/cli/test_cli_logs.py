"""Every command that reads a log, on logs that end in the middle, hold nothing, or hold what nobody writes."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from cli_documents import BIZ_ID
from hostile_logs import READERS, SEGMENT, arguments, changed, members, write_chained

READS_ALL = [name for name in READERS if name not in ("explain", "show one", "show a request", "label")]
UNFINISHED = "log: the last line is not finished: a writer is at work, or it crashed\n"


@pytest.fixture(name="decision_id")
def _decision_id(log: Path) -> str:
    return [held["decision_id"] for kind, held in members(log) if kind == "decision"][2]


@pytest.mark.parametrize("reader", [name for name in READERS if name != "label"])
def test_line_that_is_not_finished_is_said_and_passed_over(run: Any, log: Path, decision_id: str, reader: str) -> None:
    before = run(*arguments(reader, log, decision_id))
    if Path("out").exists():
        Path("out").rename("out before")
    with (log / SEGMENT).open("ab") as file:
        file.write(b'{"schema":1,"seq":7,"prev":"')
    result = run(*arguments(reader, log, decision_id))
    assert result.exit_code == before.exit_code
    if reader not in ("backtest", "drift"):  # whose figures hold times
        assert result.stdout == before.stdout
    if reader != "drift":
        assert UNFINISHED in result.stderr


@pytest.mark.parametrize("reader", READERS)
@pytest.mark.parametrize("left", ["no file", "an empty file", "half a line", "no log's text"])
def test_log_in_which_there_is_nothing_is_no_success(run: Any, log: Path, reader: str, left: str) -> None:
    if left == "no file":
        (log / SEGMENT).unlink()
    else:
        held = {"an empty file": b"", "half a line": b'{"schema":1,"seq":1', "no log's text": b"\x00\xff" * 24}[left]
        (log / SEGMENT).write_bytes(held)
    result = run(*arguments(reader, log))
    assert result.exit_code in (1, 2), result.output
    assert result.exit_code == 1 or left == "no file" or reader == "label"
    assert "log: holds " in result.stderr or "log is not a log" in result.stderr, result.output
    assert "Traceback" not in result.output


@pytest.mark.parametrize("reader", ["replay", "what if", "compare", "backtest"])
def test_log_without_a_decision_is_no_success_for_what_is_measured_on_them(run: Any, log: Path, reader: str) -> None:
    write_chained(log, [(kind, held) for kind, held in members(log) if kind == "policy"])
    result = run(*arguments(reader, log))
    assert result.exit_code in (1, 2) and "Traceback" not in result.output, result.output


def _set(*names: str | int, to: object) -> Callable[[dict[str, Any]], None]:
    def change(held: dict[str, Any]) -> None:
        *above, last = names
        place: Any = held
        for name in above:
            place = place[name]
        place[last] = to

    return change


MISSHAPEN: dict[str, tuple[int, Callable[[dict[str, Any]], None]]] = {
    "a decision without members": (3, dict.clear),
    "an id that is a number": (3, _set("decision_id", to=5)),
    "a time without a zone": (3, _set("at", to="2026-01-01T00:00:00")),
    "a time beyond all years": (3, _set("at", to="9999-12-31T23:59:59.999999-23:59")),
    "an outcome that is none": (3, _set("verdict", "outcome", to="\x1b[31mmaybe")),
    "money that is none": (3, _set("cost", to={"USD": "sNaN"})),
    "money beyond all sums": (3, _set("signals", "device", "price", to="1e999999")),
    "a policy of numbers": (0, _set("text", to=[1, 2])),
    "a policy without members": (0, dict.clear),
}


@pytest.mark.parametrize("wrong", MISSHAPEN)
def test_record_that_is_chained_and_misshapen_is_one_error_with_its_number(
    run: Any, log: Path, decision_id: str, wrong: str
) -> None:
    at, change = MISSHAPEN[wrong]
    records = [one for one in members(log) if one[0] != "checkpoint"]  # which names the hash of what it follows
    write_chained(log, changed(records, at, change))
    assert run("audit", "verify", log).exit_code == 0, "the chain itself is whole"
    for reader in READS_ALL:
        result = run(*arguments(reader, log, decision_id))
        if reader == "calls":  # which reads records of calls alone
            assert result.exit_code == 0, (reader, result.output)
            continue
        assert result.exit_code == 1, (reader, result.output)
        said = f"record {at + 1} is not a valid {records[at][0]}: "
        assert said in result.stderr and result.stderr.count("error[audit-broken]") == 1, (reader, result.output)
        assert "\x1b" not in result.output


TWISTED = "\x1b[31m\u202e\n  record 9, decision"


def test_text_of_others_is_shown_and_obeyed_nowhere(run: Any, log: Path, decision_id: str) -> None:
    def twist(held: dict[str, Any]) -> None:
        held["inputs"]["country"] = held["scene_code"] = held["verdict"]["matched"][0] = TWISTED
        held["signals"]["device"]["reason"] = held["verdict"]["reasons"][0] = TWISTED

    records = changed(list(members(log)), 3, twist)
    call = {
        "call_id": "c", "stage": "begun", "merchant_biz_id": f"{BIZ_ID}3", "fingerprint": "f", "policy_digest": "d",
        "signal": "device", "provider": TWISTED, "version": "1", "attempt": 1, "price": "0.4", "currency": TWISTED,
        "at": "2026-01-01T00:00:00Z",
    }  # fmt: skip
    mark = {"merchant_biz_id": f"{BIZ_ID}3", "at": "2026-01-01T00:00:00Z", "by": TWISTED}
    label = {**mark, "decision_id": decision_id, "label": "fraud", "found_on": "2026-01-01", "source": TWISTED}
    erased = {**mark, "names": [TWISTED], "reason": TWISTED}
    write_chained(log, [*records, ("call", call), ("label", label), ("erasure", erased)])
    for reader in (*READERS, "show as it stands"):
        said = ["audit", "show", str(log), "--format", "json"] if reader.endswith("stands") else arguments(
            reader, log, decision_id)  # fmt: skip
        result = run(*said)
        assert result.exit_code != 3, (reader, result.output)
        if reader != "show as it stands":  # byte for byte to a program
            assert not {"\x1b", "\u202e"} & set(result.output), (reader, result.output)
        assert "\n  record 9, decision" not in result.output, reader
    rows = [json.loads(line) for line in run("audit", "show", log, "--format", "json").stdout.splitlines()]
    assert [row["reason"] for row in rows if row["kind"] == "erasure"] == [TWISTED]
