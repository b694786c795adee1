"""The example's readers keep the contract of every reader, and bring everything to places that fail as real ones do."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from typing import Any

import pytest
from postgres_server import PROGRAMS, Server, Way
from structlog.testing import capture_logs

from adjudge.audit.read import read
from adjudge.audit.trail import AuditTrail
from adjudge.decision import feed as feed_module
from adjudge.decision import feeds as feeds_module
from adjudge.engine import Engine
from adjudge.model import Request
from adjudge.plugin import LogReader, LogRecord, Position, ReaderFailed, Register
from adjudge.registry import Registry, parse_policy
from adjudge.testing import ReaderContract
from adjudge.testing.readers import log_records
from ports import reserved_port

try:
    import psycopg
except ImportError:
    psycopg = None  # type: ignore[assignment]  # the tests that need it are skipped

_spec = spec_from_file_location(
    "adjudge_readers", Path(__file__).parents[2] / "examples" / "readers_plugin" / "adjudge_readers.py"
)
assert _spec is not None
example: Any = module_from_spec(_spec)
assert _spec.loader is not None
_spec.loader.exec_module(example)
FileCopy, Webhook, Table = example.FileCopy, example.Webhook, example.Table

POLICY = "{policy_language: 1, policy: p, inputs: {n: int}, rules: [{id: r, when: n > 1, then: review}]}"
SEGMENT = "audit-000001.jsonl"


@pytest.fixture(autouse=True)
def _in_haste(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(feed_module, "FIRST_PAUSE_S", 0.001)
    monkeypatch.setattr(feed_module, "LONGEST_PAUSE_S", 0.02)
    monkeypatch.setattr(feeds_module, "LOOK_EVERY_S", 0.005)


def until(condition: Callable[[], object]) -> None:
    """Wait for what has to come, at most a minute."""
    for _ in range(12000):
        if condition():
            return
        time.sleep(0.005)
    raise AssertionError("it did not come")


def engine(*, at: Path, readers: Mapping[str, LogReader] | None = None) -> Engine:
    """Put an engine together. Its log has the policy, a record for each decision, and a checkpoint at the end."""
    registry = Registry()
    policies = [parse_policy(POLICY, registry=registry)]
    return Engine(policies, registry=registry, trail=AuditTrail.open(at), readers=readers)


def request(number: int = 0) -> Request:
    return Request(merchant_biz_id=f"{number:032x}", scene_code="test", inputs={"n": number})


def failures(door: Engine) -> int:
    return door.readers()[0].failures


class TestFileCopy(ReaderContract):
    takes_many_logs = False

    @pytest.fixture(autouse=True)
    def _place(self, tmp_path: Path) -> None:
        self.path = tmp_path / "copy.jsonl"

    def open_reader(self) -> LogReader:
        return FileCopy(str(self.path))

    def held(self) -> Sequence[tuple[str, int]]:
        rows = [json.loads(line) for line in self.path.read_bytes().splitlines()]
        return [(rows[0]["hash"], row["seq"]) for row in rows]

    def break_place(self, is_broken: bool) -> bool:
        aside = self.path.with_suffix(".aside")
        if is_broken:
            self.path.rename(aside)
            self.path.mkdir()
        else:
            self.path.rmdir()
            aside.rename(self.path)
        return True

    @pytest.mark.parametrize("cut", [1, 5, 80, 700, 70_000, 200_000])
    def test_line_that_was_not_finished_is_cut_and_comes_again(self, cut: int) -> None:
        records = log_records(14, size=10_000)
        reader = self.open_reader()
        reader.take(records)
        whole = self.path.read_bytes()
        self.path.write_bytes(whole[:-cut])
        held = self.open_reader().open(records[-1].position)
        assert held is not None and held.seq < 14
        assert self.path.read_bytes() == b"".join(record.line for record in records[: held.seq])
        self.open_reader().take(records[held.seq :])
        assert self.path.read_bytes() == whole

    @pytest.mark.parametrize("left", [b"", b"{", b'{"schema":1,'])
    def test_file_without_a_line_holds_nothing(self, left: bytes) -> None:
        self.path.write_bytes(left)
        assert self.open_reader().open(log_records(1)[0].position) is None
        assert self.path.read_bytes() == b""


class Hook:
    """A server on loopback that takes what is posted, and answers as it is told.

    say: what to answer next: a status, (status, Retry-After), `hang` for nobody, `drop` for a connection that is cut
    after the request was taken. Then 200.
    """

    def __init__(self, port: int) -> None:
        self.taken: list[tuple[str, int]] = []
        self.bodies: list[bytes] = []
        self.say: list[Any] = []
        self.over = threading.Event()
        hook = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                said = hook.say.pop(0) if hook.say else 200
                if said == "hang":
                    hook.over.wait(120)
                    self.close_connection = True
                    return
                status, later = said if isinstance(said, tuple) else (said, None)
                if said == "drop" or 200 <= status < 300:
                    hook.taken.append((self.headers["adjudge-log"], int(self.headers["adjudge-seq"])))
                    hook.bodies.append(body)
                if said == "drop":
                    self.close_connection = True
                    return
                self.send_response(status)
                if later is not None:
                    self.send_header("retry-after", str(later))
                self.send_header("content-length", "0")
                self.end_headers()

            def log_message(self, format: str, *args: object) -> None: ...

        self._server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
        self._server.daemon_threads = True
        self.port: int = self._server.server_address[1]
        self.url = f"http://127.0.0.1:{self.port}/decisions"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)
        self._thread.start()

    def close(self) -> None:
        self.over.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


@pytest.fixture
def hook() -> Iterator[Hook]:
    with reserved_port() as port:  # nobody else has it while the server is away
        made = Hook(port)
        yield made
        made.close()


class TestWebhook(ReaderContract):
    @pytest.fixture(autouse=True)
    def _place(self, tmp_path: Path, hook: Hook) -> None:
        self.path, self.hook = tmp_path / "positions.json", hook

    def open_reader(self) -> LogReader:
        return Webhook(self.hook.url, str(self.path), timeout_s=20.0)

    def wanted(self, record: LogRecord) -> bool:
        return record.kind == "decision"

    def held(self) -> Sequence[tuple[str, int]]:
        return self.hook.taken

    def break_place(self, is_broken: bool) -> bool:
        self.hook.say[:] = [503] * 99 if is_broken else []
        return True

    def test_file_that_is_none_of_positions_is_told(self) -> None:
        self.path.write_text("{}")
        with pytest.raises(ReaderFailed, match=r"positions\.json: is no file of positions; delete it to be sent"):
            self.open_reader().open(log_records(1)[0].position)


def posted(hook: Hook) -> list[int]:
    return [seq for _, seq in hook.taken]


def decisions(at: Path) -> list[int]:
    return [record.seq for record in read(at) if record.kind == "decision"]


def test_webhook_that_fails_in_every_way_gets_every_decision_in_order(tmp_path: Path, hook: Hook) -> None:
    at = tmp_path / "log"
    hook.say += [500, 429, (429, 0), (503, "soon"), 404, 301, "hang", "drop", 200, 500, 200]
    reader = Webhook(hook.url, str(tmp_path / "positions.json"), timeout_s=3.0)
    with capture_logs() as events, engine(at=at, readers={"hook": reader}) as door:
        for number in range(6):
            door.decide_sync(request(number))
        until(lambda: len(set(posted(hook))) == 6)
    assert list(dict.fromkeys(posted(hook))) == decisions(at)
    assert len(posted(hook)) == 7, "what was taken by one that did not answer comes twice, with its log and number"
    lines = {record.seq: record.line for record in read(at)}
    assert all(body == lines[seq] for body, seq in zip(hook.bodies, posted(hook), strict=True))
    told = [event["why"] for event in events if event["event"] == "reader_failed"]
    assert told[:6] == [f"the webhook answered {status}" for status in (500, 429, 429, 503, 404, 301)]
    assert told[6:8] == [f"the webhook does not answer: {name}" for name in ("ReadTimeout", "RemoteProtocolError")]


def test_webhook_that_asks_to_be_left_alone_is(tmp_path: Path, hook: Hook) -> None:
    hook.say += [(429, 3600)]
    reader = Webhook(hook.url, str(tmp_path / "positions.json"))
    with capture_logs() as events, engine(at=tmp_path / "log", readers={"hook": reader}) as door:
        door.decide_sync(request())
        until(lambda: failures(door))
        assert door.readers()[0].reason == "the webhook answered 429"
    assert [event["again_in_s"] for event in events if event["event"] == "reader_failed"] == [3600]
    assert not hook.taken


def test_webhook_that_dies_is_told_what_it_missed_when_it_is_back(tmp_path: Path, hook: Hook) -> None:
    at, positions = tmp_path / "log", str(tmp_path / "positions.json")
    reader = Webhook(hook.url, positions)
    with capture_logs():
        with engine(at=at, readers={"hook": reader}) as door:
            door.decide_sync(request(0))
            until(lambda: len(posted(hook)) == 1)
            hook.close()
            reader.close()
            reader._client = None  # a connection that is kept open would outlive the server's end
            for number in range(1, 4):
                door.decide_sync(request(number))
            until(lambda: failures(door) > 1)
        again = Hook(hook.port)
        try:
            with engine(at=at, readers={"hook": Webhook(hook.url, positions)}) as door:
                door.decide_sync(request(4))
                until(lambda: len(posted(again)) == 4)
        finally:
            again.close()
    assert posted(hook) + posted(again) == decisions(at)


def test_webhook_of_an_old_log_gets_only_what_comes_from_now_on_and_all_of_that(tmp_path: Path, hook: Hook) -> None:
    at = tmp_path / "log"
    with engine(at=at) as door:
        for number in range(5):
            door.decide_sync(request(number))
    hook.say += [500] * 999
    with capture_logs():
        reader = Webhook(hook.url, str(tmp_path / "positions.json"))
        with engine(at=at, readers={"hook": reader}) as door:
            door.decide_sync(request(5))
            until(lambda: failures(door))
        hook.say.clear()
        with engine(at=at, readers={"hook": Webhook(hook.url, str(tmp_path / "positions.json"))}) as door:
            door.decide_sync(request(6))
    assert posted(hook) == decisions(at)[5:], "what failed before the restart is not lost"


needs_server = pytest.mark.skipif(
    psycopg is None or PROGRAMS is None, reason="needs the extra `postgres`, and PostgreSQL: apt-get install postgresql"
)


def rows(dsn: str) -> list[tuple[str, int, bytes]]:
    with psycopg.connect(dsn) as connection:
        return connection.execute("select log, seq, line from adjudge_records order by ctid").fetchall()


@needs_server
@pytest.mark.xdist_group("postgres")
class TestTable(ReaderContract):
    @pytest.fixture(autouse=True)
    def _place(self, server: Server) -> Iterator[None]:
        name = server.database()
        self.dsn, self.way = server.dsn(name), Way(server.port)
        self.through = server.dsn(name, self.way.port)
        self._made: list[LogReader] = []
        yield
        for reader in self._made:
            reader.close()
        self.way.close()

    def open_reader(self) -> LogReader:
        self._made.append(Table(self.through))
        return self._made[-1]

    def held(self) -> Sequence[tuple[str, int]]:
        return [(log, seq) for log, seq, _ in rows(self.dsn)]

    def break_place(self, is_broken: bool) -> bool:
        if is_broken:
            self.way.cut()
        else:
            self.way.is_cut = False
        return True

    @pytest.mark.parametrize("fault", ["swallow", "drop"])
    def test_commit_whose_answer_is_lost_is_not_taken_twice(self, fault: str) -> None:
        records = log_records(10)
        reader = self.open_reader()
        reader.open(records[-1].position)
        reader.take(records[:4])
        setattr(self.way, fault, True)
        with pytest.raises(psycopg.Error):
            reader.take(records[4:])
        held = reader.open(records[-1].position)
        assert held is not None
        reader.take(records[held.seq :])
        assert self.held() == [(one.log, one.seq) for one in records]


@needs_server
@pytest.mark.xdist_group("postgres")
def test_table_holds_the_log_whatever_becomes_of_the_way_to_its_database(tmp_path: Path, server: Server) -> None:
    at, name = tmp_path / "log", server.database()
    way = Way(server.port)
    table = Table(server.dsn(name, way.port))
    with capture_logs(), engine(at=at, readers={"table": table}) as door:
        for number in range(8):
            if number == 4:
                until(lambda: door.readers()[0].records >= 5)
                way.cut()
            door.decide_sync(request(number))
        until(lambda: failures(door) > 1)
        way.is_cut = False
        until(lambda: door.readers()[0].records >= 9)
    way.close()
    assert b"".join(bytes(line) for _, _, line in rows(server.dsn(name))) == (at / SEGMENT).read_bytes()


def test_plugin_offers_the_three_and_refuses_other_settings(tmp_path: Path) -> None:
    seen: dict[str, Any] = {}
    example.register(Register("readers", lambda kind, name, thing: seen.update({f"{kind} {name}": thing})))
    assert set(seen) == {"reader file_copy", "reader http_post", "reader table"}
    assert isinstance(seen["reader file_copy"]({"path": str(tmp_path / "x")}), FileCopy)
    assert isinstance(seen["reader table"]({"dsn": "host=x"}), Table)
    with pytest.raises(ValueError, match="`pth` is not one of path"):
        seen["reader file_copy"]({"pth": "x"})


def test_nobody_listens_is_a_failure_of_the_reader_in_words(tmp_path: Path) -> None:
    records = log_records(3)
    with reserved_port() as port:
        reader = Webhook(f"http://127.0.0.1:{port}/", str(tmp_path / "positions.json"))
        reader.open(Position(log=records[0].log, seq=0, hash="0" * 64))
        with pytest.raises(ReaderFailed, match="the webhook does not answer: ConnectError"):
            reader.take(records)
