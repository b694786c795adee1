"""The TypeScript client: made from the OpenAPI document, and used against the real service by the system's Node."""

from __future__ import annotations

import json
import shutil
import socket
import subprocess
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from typing import Any

import pytest

from client.serving import served
from engine.engines import engine
from ports import reserved_port

CLIENT = Path(__file__).parents[2] / "clients" / "typescript"
NODE = shutil.which("node")


def generated() -> dict[str, str]:
    spec = spec_from_file_location("generate_typescript", CLIENT / "generate.py")
    assert spec is not None and spec.loader is not None
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    texts: dict[str, str] = module.generated()
    return texts


def test_client_is_that_of_the_document() -> None:
    for name, text in generated().items():
        assert (CLIENT / name).read_text("utf-8") == text, (
            f"make it again: python clients/typescript/generate.py ({name})"
        )


def test_client_has_the_version_of_the_package_and_names_no_host() -> None:
    package = json.loads((CLIENT / "package.json").read_text("utf-8"))
    ours = (CLIENT.parents[1] / "pyproject.toml").read_text("utf-8")
    assert f'\nversion = "{package["version"]}"\n' in ours
    assert "dependencies" not in package
    assert "//" not in (CLIENT / "package-lock.json").read_text("utf-8")


@contextmanager
def breaking() -> Iterator[tuple[str, Counter[str]]]:
    """A server that reads each request and breaks off its answer; yields its URL, and what was asked how often."""
    asked: Counter[str] = Counter()
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            while True:
                try:
                    connection, _ = listener.accept()
                except OSError:
                    return
                with connection:
                    head = connection.recv(65536).partition(b"\r\n")[0].decode()
                    asked[head.removesuffix(" HTTP/1.1")] += 1
                    connection.sendall(
                        b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 99\r\n\r\n{"
                    )

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}", asked
        listener.shutdown(socket.SHUT_RDWR)
    thread.join(60)


@pytest.fixture(scope="module")
def said(tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, Any], Counter[str]]:
    if NODE is None:
        pytest.skip("needs node, which is not here")
    script = str(Path(__file__).with_name("typescript.mjs"))
    log = tmp_path_factory.mktemp("log")
    with served(engine(at=log), over_tcp=True) as url, breaking() as (broken, asked), reserved_port() as port:
        module = (CLIENT / "index.js").as_uri()
        command = [NODE, script, module, url, broken, f"http://127.0.0.1:{port}"]
        done = subprocess.run(command, capture_output=True, text=True, encoding="utf-8", timeout=300)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout), asked


def test_client_asks_the_real_service(said: tuple[dict[str, Any], Counter[str]]) -> None:
    came, _ = said
    assert came["decision"] == {"status": "fresh", "outcome": "review"}
    assert (came["again"], came["anew"], came["found"], came["absent"]) == ("duplicate", "supersedes", True, None)
    assert (came["searched"], came["ready"], came["health"]) == (1, True, "ok")
    assert "labelled" not in came and came["erased"] >= 0


def test_client_raises_problems_by_their_code(said: tuple[dict[str, Any], Counter[str]]) -> None:
    came, _ = said
    assert came["conflict"] == {"kind": "ProblemError", "code": "merchant-biz-id-conflict"}
    assert came["mistake"] == {"kind": "ProblemError", "code": "request", "where": "inputs.contry"}
    assert came["path"] == {"kind": "TypeError"}
    assert came["aborted"]["kind"] == "AbortError"


def test_client_asks_again_only_where_that_does_no_more_than_asking_once(
    said: tuple[dict[str, Any], Counter[str]],
) -> None:
    came, asked = said
    unavailable = {"kind": "ServiceUnavailable", "code": "service-unavailable"}
    assert came["lost"] == dict.fromkeys(("decide", "anew", "findOne", "label", "erase"), unavailable)
    assert asked == {
        "POST /v1/decisions": 3,
        "POST /v1/decisions?anew=true": 1,
        f"GET /v1/decisions/{'0' * 32}": 3,
        "POST /v1/labels": 1,
        f"DELETE /v1/subjects/{came['id']}": 1,
    }
    assert came["nobody"] == unavailable


def test_mistake_of_the_caller_is_no_fault_of_the_connection(said: tuple[dict[str, Any], Counter[str]]) -> None:
    """It is raised as it is, asked once, and sent nowhere."""
    came, asked = said
    assert {name: one["kind"] for name, one in came["mine"].items()} == {
        **dict.fromkeys(("body", "number", "header", "key"), "TypeError"),
        "noKey": "RangeError",
    }
    assert "GET /readyz" not in asked
    assert (came["stuck"]["kind"], came["left"]["kind"]) == ("ServiceUnavailable", "AbortError")


def test_types_are_those_that_a_caller_needs() -> None:
    compiler = CLIENT / "node_modules" / "typescript" / "bin" / "tsc"
    if NODE is None or not compiler.exists():
        pytest.skip("needs the TypeScript compiler: npm ci --prefix clients/typescript")
    done = subprocess.run([NODE, compiler, "-p", CLIENT], capture_output=True, text=True, encoding="utf-8", timeout=300)
    assert done.returncode == 0, done.stdout
