"""Each extra, alone in an empty environment, does what it is for; without it, the command says which one is wanted.

An environment gets the wheel, and of the libraries installed beside the tests those that the wheel asks for.
"""

from __future__ import annotations

import os
import subprocess
import tomllib
from collections.abc import Mapping
from importlib.metadata import distributions
from pathlib import Path

import pytest
from packaging_tools import ROOT, Environment, asked_for

EXTRAS = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]

pytestmark = pytest.mark.xdist_group("packaging")

POLICY = """policy_language: 1
policy: small
inputs:
  country: string
  score: {type: double, range: [0, 1]}
rules:
  - {id: high, when: score >= 0.9, then: reject}
  - {id: named, when: 'country.matches("(?<first>K)P")', then: review}
  - {id: never, when: score >= 0.95, then: reject}
"""
OTHER = POLICY.replace("0.9,", "0.8,")
ROWS = "at,country,score,label\n" + "".join(
    f"2026-01-{1 + at // 40:02},{'SG' if at % 9 else 'KP'},{at % 100 / 100},{'genuine' if at % 5 else 'fraud'}\n"
    for at in range(1000)
)
ONNX = """
import io
import onnxruntime
from PIL import Image
from adjudge_plugins.onnx_detector import model, picture, settings, values
raw = io.BytesIO()
Image.new("RGB", (64, 64)).save(raw, "PNG")
size = {"height": 32, "width": 32, "layout": "nchw", "colour": "rgb", "resize": "fit"}
taken = settings.InputSettings(**size, scale=255.0, mean=(0.5,) * 3, std=(0.5,) * 3)
print(picture.tensor(raw.getvalue(), taken, "float32").shape)
"""
MEDIA = """
import io
import av
from PIL import Image
from adjudge_plugins.aliyun.media.preflight import examine, prepare
raw = io.BytesIO()
Image.new("RGB", (400, 300)).save(raw, "JPEG")
examine(prepare(raw.getvalue()))
"""
OTEL = """
import opentelemetry.trace
from adjudge.spans import propagated, trace_id
print("spans" if trace_id() or propagated() else "no SDK, no spans")
"""
POSTGRES = """
import asyncio
from adjudge_plugins.postgres.ledger import PostgresLedger
ledger = PostgresLedger("postgresql://nobody@127.0.0.1:1/none", b"k" * 32, answer_for_s=60)
try:
    asyncio.run(ledger.open())
except Exception as error:
    print(error)
"""
ARCHIVE = """
from adjudge.audit.shelf import shelf_of
print(shelf_of("s3://bucket/logs?region=eu-west-1"))
"""
SERVE = """
import subprocess
from adjudge import Request
from adjudge.client import Engine
open("adjudge.yaml", "w").write("policies: [small.yaml]")
command = ["venv/bin/adjudge", "serve", "adjudge.yaml", "--port", "0"]
with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as service:
    address = service.stdout.readline().split()[-1]
    with Engine(address) as engine:
        print(engine.decide_sync(Request(merchant_biz_id="0" * 32, scene_code="s", inputs={"country": "KP"})).outcome)
    service.terminate()
assert service.returncode == 0
"""
REDIS = """
import asyncio
from adjudge_plugins.redis.cache import Cache
cache = Cache("redis://127.0.0.1:1/0", b"k" * 32)
print(asyncio.run(cache.get("nothing")))
"""
METRICS = """
from adjudge_plugins.metrics import Metrics
Metrics().close()
"""
TABLES = POLICY + "tables:\n  limits: {rows: [{country: SG, score >=: 0.60, then: review}]}\n"
WORKS: Mapping[str, list[tuple[list[str], int, str]]] = {
    # commands, `python -c` among them, with their exit status and a part of what they say
    "proofs": [
        (["adjudge", "analyse", "small.yaml"], 1, "never"),
        (["adjudge", "compare", "small.yaml", "other.yaml"], 0, "high"),
    ],
    "backtest": [
        (["adjudge", "backtest", "small.yaml", "rows.csv"], 0, "1,000 rows"),
        (
            ["adjudge", "backtest", "small.yaml", "other.yaml", "rows.csv", "--format", "html", "-o", "r.html"],
            0,
            "wrote",
        ),
        (["adjudge", "tune", "small.yaml", "rows.csv", "--max-review", "50%"], 0, "learned from"),
        (["adjudge", "audit", "drift", "rows.csv", "--policy", "small.yaml", "--before", "2026-01-12"], 0, ""),
    ],
    "archive": [(["python", "-c", ARCHIVE], 0, "s3://bucket/logs")],
    "lsp": [(["adjudge", "lsp"], 0, "")],
    "media": [(["python", "-c", MEDIA], 0, "")],
    "metrics": [(["python", "-c", METRICS], 0, "")],
    "onnx": [(["python", "-c", ONNX], 0, "(1, 3, 32, 32)")],
    "otel": [(["python", "-c", OTEL], 0, "no SDK, no spans")],
    "postgres": [(["python", "-c", POSTGRES], 0, "PostgreSQL: connection failed")],
    "serve": [(["python", "-c", SERVE], 0, "review")],
    "redis": [(["python", "-c", REDIS], 0, "None")],
    "sheets": [
        (["adjudge", "table", "export", "tables.yaml", "-o", "tables.xlsx"], 0, "wrote 1 row of limits"),
        (["adjudge", "table", "import", "tables.yaml", "limits", "tables.xlsx"], 0, ""),
    ],
}
WANTED = {
    "proofs": ["adjudge", "analyse", "small.yaml"],
    "backtest": ["adjudge", "backtest", "small.yaml", "rows.csv"],
    "archive": ["adjudge", "audit", "verify", ".", "--archive", "s3://bucket/logs"],
    "lsp": ["adjudge", "lsp"],
    "serve": ["adjudge", "serve", "small.yaml"],
    "sheets": ["adjudge", "table", "export", "tables.yaml", "-o", "tables.xlsx"],
}


def test_every_extra_is_tried_and_all_has_them_all() -> None:
    assert WORKS.keys() == EXTRAS.keys() - {"all"}
    assert EXTRAS["all"] == [f"adjudge[{','.join(sorted(WORKS))}]"]


class Fresh:
    """An environment that holds the wheel, and nothing but what it asks for."""

    def __init__(self, folder: Path, wheel: Path, extra: str = "") -> None:
        self.folder, environment = folder, Environment(folder / "venv")
        environment.install(wheel)
        (adjudge,) = distributions(name="adjudge", path=[str(environment.site_packages)])
        assert extra in ("", *(adjudge.metadata.get_all("Provides-Extra") or ()))
        for library in asked_for(adjudge, extra):
            environment.link(library)
        for name, text in (
            ("small.yaml", POLICY),
            ("other.yaml", OTHER),
            ("tables.yaml", TABLES),
            ("rows.csv", ROWS),
        ):
            (folder / name).write_text(text)

    def run(self, command: list[str]) -> subprocess.CompletedProcess[str]:
        program, *arguments = command
        clean = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "MYPY"))}
        return subprocess.run(
            [self.folder / "venv/bin" / program, *arguments],
            cwd=self.folder,
            env=clean,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )


@pytest.mark.parametrize("name", sorted(WORKS))
def test_an_extra_alone_is_complete(name: str, wheel: Path, tmp_path: Path) -> None:
    fresh = Fresh(tmp_path, wheel, name)
    for command, status, said in WORKS[name]:
        done = fresh.run(command)
        assert "Traceback" not in done.stderr, f"{command}\n{done.stderr}"
        assert done.returncode == status, f"{command}\n{done.stdout}\n{done.stderr}"
        assert said in done.stdout, f"{command}\n{done.stdout}"


def test_without_an_extra_a_command_names_it(wheel: Path, tmp_path: Path) -> None:
    fresh = Fresh(tmp_path, wheel)
    assert fresh.run(["adjudge", "check", "small.yaml"]).returncode < 2
    for name, command in WANTED.items():
        done = fresh.run(command)
        assert (done.returncode, "Traceback" in done.stderr) == (2, False), done.stderr
        assert f"pip install 'adjudge[{name}]'" in done.stderr
