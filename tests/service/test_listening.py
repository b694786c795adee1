"""Where a service listens, and how its process begins and ends: one at a socket, and nobody from another machine."""

from __future__ import annotations

import os
import signal
import socket
import stat
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from adjudge.audit.read import read
from adjudge.audit.verify import verify
from adjudge.cli.group import adjudge
from adjudge.client import Engine as Client
from adjudge.config.service import ServiceSettings, Tls
from adjudge.errors import SetupError
from adjudge.model import Request
from adjudge.service.listening import listening_at, listening_on
from client.serving import folder_for_sockets

POLICY = """policy_language: 1
policy: selfie
inputs: {country: string}
signals: {risk: {provider: http.json, timeout: 60s, fields: {score: int}, with: {url: URL}}}
rules:
  - {id: sanctioned, when: 'country in ["IR", "KP"]', then: reject}
  - {id: risky, when: risk.score > 5, then: review}
"""


@pytest.fixture
def at() -> Iterator[Path]:
    with folder_for_sockets() as folder:
        yield folder / "s"


def connects(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX) as probe:
        return probe.connect_ex(str(path)) == 0


def test_socket_is_its_owners_and_goes_at_the_end(at: Path) -> None:
    before = os.umask(0)
    try:
        with listening_at(at) as listening:
            assert stat.S_IMODE(at.stat().st_mode) == 0o600
            assert listening.name == f"unix:{at}" and connects(at)
    finally:
        os.umask(before)
    assert not at.exists()
    with listening_at(at, mode=0o660):
        assert stat.S_IMODE(at.stat().st_mode) == 0o660


def test_socket_that_nobody_listens_at_is_replaced(at: Path) -> None:
    with socket.socket(socket.AF_UNIX) as left:
        left.bind(str(at))
    with listening_at(at):
        assert connects(at)


def test_socket_that_another_listens_at_stays_his(at: Path) -> None:
    with listening_at(at):
        with pytest.raises(SetupError, match="another process listens there"), listening_at(at):
            pass
        assert connects(at)


def test_socket_whose_queue_is_full_is_in_use(at: Path) -> None:
    with socket.socket(socket.AF_UNIX) as busy, ExitStack() as waiting:
        busy.bind(str(at))
        busy.listen(0)
        for _ in range(10):
            caller = waiting.enter_context(socket.socket(socket.AF_UNIX))
            caller.setblocking(False)
            caller.connect_ex(str(at))
        with pytest.raises(SetupError, match="another process listens there"), listening_at(at):
            pass
        assert at.exists()


def test_socket_of_a_service_started_since_is_not_removed(at: Path) -> None:
    with listening_at(at) as first:
        first.socket.close()
        with listening_at(at):
            pass
        at.touch()
    assert at.exists()


@pytest.mark.parametrize("what", ["file", "folder", "link"])
def test_what_is_no_socket_is_left_alone(at: Path, what: str) -> None:
    {"file": at.touch, "folder": at.mkdir, "link": lambda: at.symlink_to("/etc/passwd")}[what]()
    with pytest.raises(SetupError, match="there is a file that is no socket"), listening_at(at):
        pass
    assert os.path.lexists(at)


def test_place_for_a_socket_that_is_not_there_is_told(at: Path) -> None:
    with pytest.raises(SetupError, match="no such file or directory"), listening_at(at / "none" / "s"):
        pass
    with pytest.raises(SetupError, match="at most 107 bytes"), listening_at(Path("/" + "x" * 120)):
        pass


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1", "0"])
def test_service_without_keys_is_for_this_machine_alone(host: str) -> None:
    with pytest.raises(SetupError, match="this machine alone"), listening_on(host, 0):
        pass


KEPT = {"keys": Path("keys.yaml"), "hosts": ("risk.internal",)}


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"tls": Tls(Path("c"), Path("k")), "hosts": ("a",), "plain_http": True}, "without keys"),
        (KEPT, "in the clear"),
        ({**KEPT, "trusted_proxies": ("unix",)}, "in the clear"),
        ({**KEPT, "hosts": (), "plain_http": True}, "by which names it goes"),
    ],
)
def test_other_machines_reach_no_service_that_is_not_safe_to_reach(settings: dict[str, Any], said: str) -> None:
    with pytest.raises(SetupError, match=said), listening_on("0.0.0.0", 0, ServiceSettings(**settings)):
        pass


@pytest.mark.parametrize(
    "settings",
    [{"tls": Tls(Path("c"), Path("k"))}, {"plain_http": True}, {"trusted_proxies": ("10.0.0.7",)}],
)
def test_other_machines_reach_a_service_that_asks_for_keys(settings: dict[str, Any]) -> None:
    with listening_on("0.0.0.0", 0, ServiceSettings(**KEPT, **settings)) as listening:
        assert listening.name.startswith("https://0.0.0.0:" if "tls" in settings else "http://0.0.0.0:")
        assert listening.hosts is not None and {"risk.internal", "127.0.0.1"} < listening.hosts
    any_name = ServiceSettings(**{**KEPT, **settings, "hosts": ("*",)})
    with listening_on("0.0.0.0", 0, any_name) as listening:
        assert listening.hosts is None


def test_address_that_is_taken_or_none_is_told() -> None:
    with listening_on("127.0.0.1", 0) as listening:
        port = listening.socket.getsockname()[1]
        with pytest.raises(SetupError, match=f"cannot listen on 127.0.0.1:{port}: "), listening_on("127.0.0.1", port):
            pass
    with pytest.raises(SetupError, match="cannot listen on `no such host`"), listening_on("no such host", 0):
        pass


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--uds", "s", "--port", "1"], "--uds stands in place of --host and --port"),
        (["--uds-mode", "660"], "--uds-mode goes with --uds"),
        (["--uds", "s", "--uds-mode", "777777"], "is no mode of a file"),
        (["--uds", "s", "--uds-mode", "u=rw"], "is no mode of a file"),
        (["--host", "0.0.0.0"], "without keys"),
    ],
)
def test_command_refuses_what_does_not_fit(options: list[str], said: str, tmp_path: Path) -> None:
    (tmp_path / "policy.yaml").write_text(POLICY.replace("URL", "http://127.0.0.1:1/"), "utf-8")
    config = tmp_path / "adjudge.yaml"
    config.write_text("policies: [policy.yaml]\nallow: {hosts: ['127.0.0.1']}\n", "utf-8")
    done = CliRunner().invoke(adjudge, ["serve", str(config), *options])
    assert done.exit_code == 2
    assert said in done.output


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no /dev/full here")
def test_process_that_cannot_say_where_it_listens_ends(at: Path, tmp_path: Path) -> None:
    (tmp_path / "policy.yaml").write_text(POLICY.replace("URL", "http://127.0.0.1:1/"), "utf-8")
    (tmp_path / "adjudge.yaml").write_text("policies: [policy.yaml]\nallow: {hosts: ['127.0.0.1']}\n", "utf-8")
    command = [sys.executable, "-m", "adjudge", "serve", str(tmp_path / "adjudge.yaml"), "--uds", str(at)]
    with open("/dev/full", "wb") as full:
        done = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True, timeout=120, check=False)
    assert (done.returncode, at.exists(), "Traceback" in done.stderr) == (4, False, False)


class Vendor:
    """A vendor that answers one question, when it is let."""

    def __init__(self) -> None:
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self.listener.getsockname()[1]}/"
        self.asked, self.let_go = threading.Event(), threading.Event()
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        with self.listener:
            connection, _ = self.listener.accept()
        with connection:
            connection.recv(65536)
            self.asked.set()
            self.let_go.wait(60)
            connection.sendall(
                b'HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 12\r\n\r\n{"score": 9}'
            )


@contextmanager
def process(folder: Path, *options: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """Start the command, and yield it with what it listens on."""
    command = [sys.executable, "-m", "adjudge", "serve", str(folder / "adjudge.yaml"), *options]
    running = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert running.stdout is not None
    try:
        said = running.stdout.readline()
        assert said.startswith("listening on "), running.communicate()[1]
        yield running, said.removeprefix("listening on ").strip()
    finally:
        running.kill()
        running.communicate()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_process_answers_what_is_under_way_before_it_ends(number: int, at: Path, tmp_path: Path) -> None:
    vendor, found = Vendor(), []  # type: tuple[Vendor, list[Decision]]
    (tmp_path / "policy.yaml").write_text(POLICY.replace("URL", vendor.url), "utf-8")
    (tmp_path / "adjudge.yaml").write_text(
        "policies: [policy.yaml]\naudit: {directory: audit}\nallow: {hosts: ['127.0.0.1']}\ndeadline: 60s\n", "utf-8"
    )
    request = Request(merchant_biz_id="0" * 32, scene_code="onboard001", inputs={"country": "SG"})
    with process(tmp_path, "--uds", str(at)) as (running, listens), Client(at) as client:
        assert listens == f"unix:{at}"
        caller = threading.Thread(target=lambda: found.append(client.decide_sync(request)))
        caller.start()
        assert vendor.asked.wait(60)
        running.send_signal(number)
        while at.exists() and connects(at):  # it takes nobody any more
            pass
        vendor.let_go.set()
        caller.join(60)
        said = running.communicate(timeout=60)[1]
        assert (running.returncode, [decision.outcome for decision in found]) == (0, ["review"]), said
    assert said.startswith("no keys are configured: ") and "Traceback" not in said
    assert not at.exists()
    assert verify(tmp_path / "audit").is_good
    assert [record.kind for record in read(tmp_path / "audit")].count("decision") == 1
