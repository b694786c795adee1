from __future__ import annotations

import json
import math
import random
from collections import Counter
from datetime import date, datetime
from pathlib import Path
from typing import Any

import pytest

from cli.backtest_data import MAP, POLICY, write_data

pytest.importorskip("duckdb", reason="needs the extra `backtest`")
pytest.importorskip("pyarrow", reason="needs the extra `backtest`")

Rows = list[dict[str, str]]
UNTIL = ("--before", "2026-04-01", "--window", "30")


@pytest.fixture
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Rows:
    monkeypatch.chdir(tmp_path)
    Path("policy.yaml").write_text(POLICY)
    return write_data(Path("data.csv"), 6000)


def rewrite(rows: Rows, name: str = "data.csv") -> None:
    lines = [",".join(rows[0]), *(",".join(row.values()) for row in rows)]
    Path(name).write_text("\n".join(lines) + "\n")


def shift(rows: Rows) -> None:
    """Make the vendor's scores higher, and the results lost, from October on."""
    for row in rows:
        if row["at"] >= "2026-10-01":
            row["remake"] = f"{0.3 + float(row['remake']) / 2:.4f}" if row["remake"] else ""
            row["result"] = "" if random.Random(row["id"]).random() < 0.5 else row["result"]
    rewrite(rows)


def psi(here: list[float], there: list[float]) -> float:
    """As a textbook has it, over the tenths of the calibration set."""
    tenths = sorted(there)
    edges = [tenths[math.ceil(len(tenths) * at / 10) - 1] for at in range(1, 10)]
    shares = []
    for values in (here, there):
        counts = Counter(sum(value > edge for edge in edges) for value in values)
        shares.append([(counts[at] + 0.5) / (len(values) + 5) for at in range(10)])
    return sum((new - old) * math.log(new / old) for new, old in zip(*shares, strict=True))


def ks(here: list[float], there: list[float]) -> float:
    return max(
        abs(sum(one <= value for one in here) / len(here) - sum(one <= value for one in there) / len(there))
        for value in sorted({*here, *there})
    )


def drift(run: Any, *arguments: str, status: int = 0) -> dict[str, Any]:
    result = run("audit", "drift", "data.csv", "--policy", "policy.yaml", *MAP, "--format", "json", *arguments)
    assert result.exit_code == status, result.stderr
    found: dict[str, Any] = json.loads(result.stdout)
    return found


def test_steady_data_raise_no_alarm(run: Any, data: Rows) -> None:
    found = drift(run, *UNTIL)
    assert found["alarms"] == []
    assert [one["field"] for one in found["fields"]] == [
        "document_match", "device.score", "deepfake.result", "deepfake.score.SuspectRemake"]  # fmt: skip
    assert all(len(one["windows"]) == 9 for one in found["fields"]), "the last five days are no window"


def test_psi_and_ks_are_those_of_the_textbooks(run: Any, data: Rows) -> None:
    shift(data)
    found = drift(run, *UNTIL, status=1)
    assert found["alarms"] == ["deepfake.result", "deepfake.score.SuspectRemake"], "half of the results are lost"
    score = next(one for one in found["fields"] if one["field"] == "deepfake.score.SuspectRemake")
    before = [float(row["remake"]) for row in data if row["at"] < "2026-04-01" and row["remake"]]
    for window in score["windows"]:
        first = date.fromisoformat(window["begins"])
        rows = [row for row in data if 0 <= (datetime.fromisoformat(row["at"]).date() - first).days < 30]
        here = [float(row["remake"]) for row in rows if row["remake"]]
        assert window["rows"] == len(rows)
        assert window["unknown"] == pytest.approx(1 - len(here) / len(rows))
        assert window["ks"] == pytest.approx(ks(here, before), abs=0.0021)
        assert window["psi"] == pytest.approx(psi(here, before), rel=0.02, abs=0.01)
    result = next(one for one in found["fields"] if one["field"] == "deepfake.result")
    assert result["windows"][-1]["unknown"] > 0.4 > result["windows"][0]["unknown"]


def test_another_data_set_can_be_the_calibration_set(run: Any, data: Rows) -> None:
    write_data(Path("calibration.csv"), 1000, seed=9)
    assert drift(run, "--reference", "calibration.csv", "--window", "30")["alarms"] == []
    shift(data)
    found = drift(run, "--reference", "calibration.csv", "--window", "30", status=1)
    assert found["alarms"] == ["deepfake.result", "deepfake.score.SuspectRemake"], "half of the results are lost"
    assert found["fields"][0]["rows"] == 1000


def test_the_policys_calibration_says_where_windows_begin(run: Any, data: Rows) -> None:
    Path("policy.yaml").write_text(POLICY + "calibration: {deepfake.score: {on: 2026-03-01, source: pilot}}\n")
    assert drift(run, "--window", "30")["fields"][0]["windows"][0]["begins"] == "2026-03-01"


def test_drift_as_text_and_as_metrics(run: Any, data: Rows) -> None:
    shift(data)
    result = run("audit", "drift", "data.csv", "--policy", "policy.yaml", *MAP, *UNTIL, "--metrics", "drift.prom")
    assert result.exit_code == 1
    lines = result.stdout.splitlines()
    assert lines[1].split()[0] == "deepfake.score.SuspectRemake" and lines[1].endswith("drifted"), (
        "the worst comes first"
    )
    assert lines[-1] == "2 of 4 fields have drifted: PSI 0.25, KS 0.2 or 10% more unknown, and more"
    from prometheus_client.parser import text_string_to_metric_families

    families = {one.name: one.samples for one in text_string_to_metric_families(Path("drift.prom").read_text())}
    assert {name: len(samples) for name, samples in families.items()} == {
        "adjudge_drift_psi": 4, "adjudge_drift_ks": 4, "adjudge_drift_unknown_ratio": 4,
        "adjudge_drift_alarm": 4}  # fmt: skip
    alarms = {sample.labels["field"]: sample.value for sample in families["adjudge_drift_alarm"]}
    assert alarms == {"deepfake.score.SuspectRemake": 1, "deepfake.result": 1, "device.score": 0, "document_match": 0}


def test_drift_of_a_log_looks_at_its_policy(run: Any, folder: Path, log: Path) -> None:
    result = run("audit", "drift", log, "--before", "2026-01-01")
    assert result.exit_code == 2
    assert "the calibration set has 0 rows, and needs 200" in result.stderr


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--policy", "policy.yaml"], "say what the calibration set is: --reference DATA or --before DAY"),
        (["--before", "2026-04-01"], "is not a log: say whose fields to check, --policy POLICY"),
    ],
)
def test_what_drift_needs_to_know(run: Any, data: Rows, arguments: list[str], said: str) -> None:
    result = run("audit", "drift", "data.csv", *MAP, *arguments)
    assert result.exit_code == 2
    assert said in result.stderr
