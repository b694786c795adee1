"""The command line run inside the test's process, and a folder of documents for it."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path

import pytest
import structlog
from cli_documents import POLICY, TESTS, request_document
from click.testing import CliRunner, Result

from adjudge.cli.group import adjudge

Run = Callable[..., Result]


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, patient_solver: None) -> Iterator[Run]:
    """Run `adjudge` with some arguments. Its proofs are made here: a process for each would start a second long."""
    if find_spec("z3") is not None:
        from adjudge.authoring.proofs.apart import here

        for module in ("proofs.analyse", "comparison.regions", "counterfactual"):
            monkeypatch.setattr(f"adjudge.authoring.{module}.apart", here)
    for variable in ("ADJUDGE_PLUGINS", "ADJUDGE_STRICT_PLUGINS", "ADJUDGE_TRACE_PLUGINS"):
        monkeypatch.delenv(variable, raising=False)

    def run_(*arguments: object, input: str | bytes | None = None) -> Result:
        return CliRunner().invoke(adjudge, [str(argument) for argument in arguments], input=input, prog_name="adjudge")

    yield run_
    structlog.reset_defaults()


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working directory, with a policy, its tests, and a request."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "policy.yaml").write_text(POLICY)
    (tmp_path / "policy_test.yaml").write_text(TESTS)
    (tmp_path / "request.json").write_text(json.dumps(request_document()))
    return tmp_path


@pytest.fixture
def log(folder: Path, run: Run) -> Path:
    """An audit log of four decisions: pass, review, reject, and review in doubt."""
    documents = [
        request_document(1),
        request_document(2, signals={"device": {"score": 75, "emulator": False}}),
        request_document(3, inputs={"country": "KP", "email": "canary@example.com"}),
        request_document(4, signals={}),
    ]
    lines = "\n".join(map(json.dumps, documents))
    assert run("decide", "-", "--policy", "policy.yaml", "--audit", "log", input=lines).exit_code == 0
    return Path("log")


@pytest.fixture
def steady() -> Callable[[str], str]:
    """Replace what differs from run to run: ids, hashes, times."""

    def replace(text: str) -> str:
        text = re.sub(r"\b[0-9a-f]{64}\b", "<hash>", text)
        text = re.sub(r"\b(?!a{31})[0-9a-f]{32}\b", "<id>", text)
        text = re.sub(r"\b[0-9a-f]{16}…", "<hash>…", text)
        text = re.sub(r"(?<=onboarding )[0-9a-f]{12}\b", "<digest>", text)
        text = re.sub(r"\d{4}-\d\d-\d\dT[\d:.]+Z", "<time>", text)
        return re.sub(r"\b\d+ ms", "<n> ms", text)

    return replace
