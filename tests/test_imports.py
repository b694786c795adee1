"""What a program pays for at import: only what it uses. Modules are counted here, never milliseconds."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

POLICY = """policy_language: 1
policy: onboarding
inputs:
  country: string
  document_match: {type: double, range: [0, 1]}
lists: {sanctioned: [KP]}
thresholds:
  document_match: {below: {review: 0.8, reject: 0.5}}
rules:
  - {id: country, when: country in lists.sanctioned, then: reject}
"""

BACK_ENDS = {"adjudge.expr.sql", "adjudge.expr.smt", "duckdb", "pyarrow", "pyspark", "z3"}
FOR_AUTHORS = {
    f"adjudge.authoring.{room}" for room in ("comparison", "language_server", "proofs", "scaffold", "schema")
}
FOR_COMMANDS = {"adjudge.authoring", "adjudge.backtest", "adjudge.cli", "adjudge.replay", "adjudge.testing", "click"}
FOR_DECISIONS = {"adjudge.audit", "adjudge.decision", "adjudge.engine", "adjudge.ledger", "adjudge.signals", "asyncio"}
FOR_LOADING = {"adjudge.expr.check", "adjudge.expr.parse", "adjudge.policy.loading", "adjudge.policy.text", "yaml"}
FOR_EVALUATION = {"adjudge.expr.python", "adjudge.policy.program"}
FOR_MISTAKES = {"adjudge.expr.foreign", "adjudge.policy.text.edits", "adjudge.policy.text.one_edit"}
"""What understands SQL, spreadsheets and Python, and tries what a document lacks: where something was refused."""
FOR_SOME_POLICIES = {"adjudge.expr.clocks", "python_calamine", "re2", "tzdata", "xlsxwriter", "zoneinfo"}
FOR_SOME_PROVIDERS = {"cryptography", "httpx", "numpy", "onnxruntime", "PIL"}
FOR_EVENTS = {"attr", "colorama", "pygments", "rich", "structlog"}
"""Few processes tell one, and structlog brings along whatever can show a traceback."""

FOR_A_CLIENT_NOT = {
    *("adjudge.config", "adjudge.engine", "adjudge.expr", "adjudge.ledger", "adjudge.plugin", "adjudge.policy"),
    *("adjudge.registry", "adjudge.signals", "pluggy", "sqlite3", "starlette", "uvicorn", "yaml"),
}
"""What the service does for a client. httpx is imported when one is opened."""

NOWHERE = BACK_ENDS | FOR_AUTHORS | FOR_EVENTS | FOR_MISTAKES | FOR_SOME_POLICIES | FOR_SOME_PROVIDERS

IMPORT = "from adjudge import Engine, load_policy"
DECIDE = """
import asyncio
from adjudge import Engine, Registry, Request, load_policy

async def decide():
    async with Engine([load_policy("policy.yaml")], registry=Registry()) as engine:
        request = Request(merchant_biz_id="1" * 32, scene_code="onboard001", inputs={"country": "SG"})
        assert (await engine.decide(request)).outcome == "review"

asyncio.run(decide())
"""
CLIENT = "from adjudge.client import Engine; engine = Engine('adjudge.sock')"
CHECK = """
import sys
from contextlib import suppress
from adjudge.cli import main

sys.argv = ["adjudge", "check", "policy.yaml"]
with suppress(SystemExit):
    main()
"""


def loaded(code: str, folder: Path) -> set[str]:
    """Run code in a process of its own, and return the modules that are there at its end."""
    said = subprocess.run(
        [sys.executable, "-c", f"{code}\nimport sys\nprint(*sys.modules)"],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    return set(said.stdout.splitlines()[-1].split())


@pytest.mark.parametrize(
    ("code", "needless"),
    [
        pytest.param(IMPORT, NOWHERE | FOR_COMMANDS | FOR_LOADING | FOR_EVALUATION, id="import"),
        pytest.param(DECIDE, NOWHERE | FOR_COMMANDS - {"click"}, id="decide"),  # a plugin of ours offers a command
        pytest.param(CLIENT, NOWHERE | FOR_COMMANDS | FOR_A_CLIENT_NOT, id="client"),
        pytest.param(CHECK, NOWHERE | FOR_DECISIONS | FOR_EVALUATION, id="check"),
    ],
)
def test_program_imports_nothing_that_it_does_not_use(code: str, needless: set[str], tmp_path: Path) -> None:
    (tmp_path / "policy.yaml").write_text(POLICY, "utf-8")
    assert sorted(loaded(code, tmp_path) & needless) == []


def test_package_alone_imports_only_what_finds_old_names(tmp_path: Path) -> None:
    assert {name for name in loaded("import adjudge", tmp_path) if name.startswith("adjudge")} == {
        "adjudge",
        "adjudge.moved",
    }
