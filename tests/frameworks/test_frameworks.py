"""The examples of frameworks, each really started: one decision for one id, however many processes ask."""

from __future__ import annotations

import ast
import asyncio
import contextlib
import inspect
import io
import json
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx
import pytest

from client.serving import folder_for_sockets

ROOT = Path(__file__).parents[2]
EXAMPLES = ROOT / "examples" / "frameworks"
POLICY = """policy_language: 1
policy: selfie
inputs: {country: string}
signals: {risk: {provider: http.json, timeout: 60s, fields: {score: int}, with: {url: "URL"}}}
rules:
  - {id: sanctioned, when: 'country in ["IR", "KP"]', then: reject}
  - {id: risky, when: risk.score > 5, then: review}
"""

pytestmark = pytest.mark.xdist_group("frameworks")  # one service for all of them


class Vendor(ThreadingHTTPServer):
    """A vendor that counts what it is asked."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Answer)
        self.calls = 0
        self.counting = threading.Lock()


class _Answer(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        assert isinstance(self.server, Vendor)
        with self.server.counting:
            self.server.calls += 1
        body = b'{"score": 9}'
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_POST = do_GET

    def log_message(self, *said: object) -> None:
        pass


@pytest.fixture(scope="module")
def vendor() -> Iterator[Vendor]:
    with Vendor() as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.shutdown()


@pytest.fixture(scope="module")
def folder(vendor: Vendor) -> Iterator[Path]:
    """A folder with a configuration, in which everything runs."""
    with folder_for_sockets() as folder:
        url = f"http://127.0.0.1:{vendor.server_address[1]}/"
        (folder / "policy.yaml").write_text(POLICY.replace("URL", url), "utf-8")
        (folder / "adjudge.yaml").write_text(
            "policies: [policy.yaml]\naudit: {directory: audit}\nallow: {hosts: ['127.0.0.1']}\nplugins: [http_json]\n",
            "utf-8",
        )
        yield folder


@contextlib.contextmanager
def running(
    folder: Path, *command: str, until: Callable[[str], bool], **environment: str
) -> Iterator[subprocess.Popen[str]]:
    """Run a module of Python until the block ends. until: whether a line that it says means that it is ready."""
    env = {**os.environ, "PYTHONPATH": str(EXAMPLES), "PYTHONUNBUFFERED": "1", **environment}
    process = subprocess.Popen(
        [sys.executable, "-m", *command],
        cwd=folder,
        env=env,
        text=True,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    assert process.stdout is not None
    said: list[str] = []
    try:
        for line in process.stdout:
            said.append(line)
            if until(line):
                break
        else:
            raise AssertionError("".join(said))
        rest = threading.Thread(target=lambda: said.extend(process.stdout or ()), daemon=True)
        rest.start()
        yield process
        process.terminate()
        assert process.wait(60) in (0, -signal.SIGTERM), "".join(said)  # uvicorn ends, and then by the signal
        rest.join(60)
        assert "Traceback" not in "".join(said), "".join(said)
    finally:
        if process.poll() is None:
            process.kill()
        process.wait()
        process.stdout.close()


@pytest.fixture(scope="module")
def service(folder: Path) -> Iterator[str]:
    """`adjudge serve` at a Unix socket."""
    command = ("adjudge", "serve", "adjudge.yaml", "--uds", "adjudge.sock")
    with running(folder, *command, until=lambda line: line.startswith("listening on")):
        yield str(folder / "adjudge.sock")


def documents(name: str) -> list[dict[str, object]]:
    """Ten requests, each twice."""
    return [
        {"merchant_biz_id": f"{name}{number:0{32 - len(name)}}", "scene_code": "s", "inputs": {"country": "SG"}}
        for number in [*range(10)] * 2
    ]


def check(
    vendor: Vendor, calls_before: int, asked: Sequence[dict[str, Any]], answers: Sequence[dict[str, Any]]
) -> None:
    """One decision for each id, and one call."""
    assert {answer["outcome"] for answer in answers} == {"review"}
    pairs = {
        (document["merchant_biz_id"], answer["decision_id"]) for document, answer in zip(asked, answers, strict=True)
    }
    assert len(pairs) == len({one for one, _ in pairs}) == len({one for _, one in pairs}) == 10
    assert vendor.calls - calls_before == 10


def at_once(
    post: Callable[[dict[str, object]], httpx.Response], asked: Sequence[dict[str, Any]]
) -> list[dict[str, Any]]:
    with ThreadPoolExecutor(8) as pool:
        return [answer.raise_for_status().json() for answer in pool.map(post, asked)]


def over(socket_path: Path) -> httpx.Client:
    return httpx.Client(transport=httpx.HTTPTransport(uds=str(socket_path)), base_url="http://localhost", timeout=60)


def test_flask_under_gunicorn_with_workers_threads_and_preload(folder: Path, service: str, vendor: Vendor) -> None:
    pytest.importorskip("flask")
    command = (
        "gunicorn",
        "flask_app:app",
        "--bind",
        "unix:flask.sock",
        "--workers",
        "2",
        "--threads",
        "4",
        "--preload",
    )
    before, asked = vendor.calls, documents("flask")
    workers: list[str] = []

    def is_up(line: str) -> bool:
        workers.extend([line] if "Booting worker" in line else [])
        return len(workers) == 2

    with running(folder, *command, until=is_up, ADJUDGE_SERVICE=service), over(folder / "flask.sock") as http:
        check(vendor, before, asked, at_once(lambda document: http.post("/checks", json=document), asked))
        conflict = http.post("/checks", json={**asked[0], "inputs": {"country": "KP"}})
        assert (conflict.status_code, conflict.json()["code"]) == (409, "merchant-biz-id-conflict")
        assert http.post("/checks", content=b"{").status_code == 400


@pytest.mark.parametrize("how", ["its own engine", "several workers"])
def test_fastapi(how: str, folder: Path, vendor: Vendor, request: pytest.FixtureRequest) -> None:
    pytest.importorskip("fastapi")
    command = ("uvicorn", "fastapi_app:app", "--uds", "fastapi.sock")
    environment = {}
    if how == "several workers":
        environment["ADJUDGE_SERVICE"] = request.getfixturevalue("service")
        command = (*command, "--workers", "2")
        at = folder
    else:
        at = folder / "own"
        at.mkdir()
        for name in ("policy.yaml", "adjudge.yaml"):
            (at / name).write_bytes((folder / name).read_bytes())
    before, asked = vendor.calls, documents(f"fast{len(how)}")
    with (
        running(at, *command, until=lambda line: "Application startup complete" in line, **environment),
        over(at / "fastapi.sock") as http,
    ):
        check(vendor, before, asked, at_once(lambda document: http.post("/checks", json=document), asked))
        assert http.post("/checks", json={**asked[0], "scene_code": "other"}).status_code == 409


DJANGO = """
import asyncio, json, sys
import django_app
from django.test import AsyncClient, Client
asked = json.load(sys.stdin)
kind = {"content_type": "application/json"}
answers = [Client().post("/checks", document, **kind).json() for document in asked[:10]]
async def main():
    posts = [AsyncClient().post("/acheck", document, **kind) for document in asked[10:]]
    return [answer.json() for answer in await asyncio.gather(*posts)]
answers += asyncio.run(main())
conflict = Client().post("/checks", {**asked[0], "scene_code": "other"}, **kind)
print(json.dumps([answers, conflict.status_code]))
"""
CELERY = """
import json, sys
from celery_app import check
results = [check.delay(document) for document in json.load(sys.stdin)]
print(json.dumps([result.get(timeout=60, interval=0.05) for result in results]))
"""
LAMBDA = """
import json, sys
from lambda_handler import handler
class Context:
    def get_remaining_time_in_millis(self):
        return 30_000
asked = json.load(sys.stdin)
answers = [handler({"body": json.dumps(document)}, Context()) for document in asked]
conflict = handler({"body": json.dumps({**asked[0], "scene_code": "other"})}, Context())
print(json.dumps([[json.loads(answer["body"]) for answer in answers], conflict["statusCode"]]))
"""


def ran(program: str, folder: Path, asked: object, **environment: str) -> Any:
    """Run a program beside the examples, and return what it prints as JSON."""
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(EXAMPLES), **environment},
        input=json.dumps(asked),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_django_views_of_both_kinds(folder: Path, service: str, vendor: Vendor) -> None:
    pytest.importorskip("django")
    before, asked = vendor.calls, documents("django")
    answers, conflict = ran(DJANGO, folder, asked, ADJUDGE_SERVICE=service)
    check(vendor, before, asked, answers)
    assert conflict == 409


def test_celery_with_its_prefork_pool(folder: Path, service: str, vendor: Vendor) -> None:
    pytest.importorskip("celery")
    queue = folder / "queue"
    queue.mkdir()
    environment = {
        "ADJUDGE_SERVICE": service,
        "BROKER_URL": "filesystem://",
        "RESULT_BACKEND": f"file://{queue}",
        "CELERY_QUEUE": str(queue),
    }
    (folder / "celery_queue.py").write_text(
        "import os\nfrom celery_app import app\nfolder = os.environ['CELERY_QUEUE']\n"
        "app.conf.broker_transport_options = {'data_folder_in': folder, 'data_folder_out': folder,"
        " 'control_folder': folder, 'polling_interval': 0.05}\n",
        "utf-8",
    )
    before, asked = vendor.calls, documents("celery")
    command = ("celery", "-A", "celery_queue", "worker", "--concurrency", "2", "--without-gossip", "--without-mingle")
    here = os.pathsep.join([str(EXAMPLES), str(folder)])
    with running(folder, *command, "-l", "INFO", until=lambda line: " ready" in line, **environment, PYTHONPATH=here):
        answers = ran("import celery_queue\n" + CELERY, folder, asked, **environment, PYTHONPATH=here)
        check(vendor, before, asked, answers)


def test_handler_of_a_function_in_a_cloud(folder: Path, service: str, vendor: Vendor) -> None:
    before, asked = vendor.calls, documents("lambda")
    answers, conflict = ran(LAMBDA, folder, asked, ADJUDGE_SERVICE=service)
    check(vendor, before, asked, answers)
    assert conflict == 409


def test_notebook_in_its_event_loop(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("policy.yaml", "adjudge.yaml"):
        (tmp_path / name).write_bytes((folder / name).read_bytes())
    monkeypatch.chdir(tmp_path)
    cells = json.loads((EXAMPLES / "notebook.ipynb").read_text("utf-8"))["cells"]
    said = io.StringIO()

    async def main() -> None:
        names: dict[str, object] = {}
        for cell in cells:
            code = compile("".join(cell["source"]), "cell", "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
            with contextlib.redirect_stdout(said):
                found = eval(code, names)
                if inspect.isawaitable(found):
                    await found

    asyncio.run(main())
    assert said.getvalue() == (
        "review fresh\ndecide_sync would block the event loop that it is called in: write `await engine.decide(…)`\n"
    )


def test_every_example_is_told_on_its_page() -> None:
    page = (ROOT / "docs" / "frameworks.md").read_text("utf-8")
    assert [file.name for file in EXAMPLES.iterdir() if file.is_file() and f"frameworks/{file.name})" not in page] == []


def test_socket_of_the_tests_is_short() -> None:
    with folder_for_sockets() as folder, socket.socket(socket.AF_UNIX) as probe:
        probe.bind(str(folder / "fastapi.sock"))
