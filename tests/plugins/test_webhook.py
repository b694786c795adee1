"""The webhook: signed, at least once, in order for each MerchantBizId, and what is never taken is a dead letter."""

from __future__ import annotations

import errno
import json
import shutil
import socket
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from structlog.testing import capture_logs

from adjudge import Engine, Registry, Request
from adjudge.audit.trail import AuditTrail
from adjudge.plugin import LogReader, LogRecord, Position, ProviderConfigError, ReaderFailed
from adjudge.registry import parse_policy
from adjudge.testing import ReaderContract
from adjudge.testing.readers import log_records
from adjudge_plugins.webhook.command import webhook
from adjudge_plugins.webhook.message import SIGNATURE, signature, verify
from adjudge_plugins.webhook.reader import ASIDE_AFTER, Webhook
from adjudge_plugins.webhook.settings import read_settings
from adjudge_plugins.webhook.state import State
from plugins.hook_server import HookServer, Sent

SECRET = b"0123456789abcdef-canary"
LOG = "a" * 64


@pytest.fixture
def server() -> Iterator[HookServer]:
    found = HookServer()
    yield found
    found.close()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "webhook.key").write_bytes(SECRET + b"\n")
    return tmp_path


_made: list[Webhook] = []


@pytest.fixture(autouse=True)
def left() -> Iterator[None]:
    """Close what a test left behind as a process that was killed leaves it."""
    yield
    while _made:
        _made.pop().close()


def made(settings: dict[str, Any]) -> Webhook:
    _made.append(Webhook(read_settings(settings)))
    return _made[-1]


def config(folder: Path, url: str, **more: Any) -> dict[str, Any]:
    return {"url": url, "secrets": [{"file": str(folder / "webhook.key")}], "state": str(folder / "state"), **more}


def opened(folder: Path, url: str, **more: Any) -> Webhook:
    reader = made(config(folder, url, **more))
    reader.open(Position(log=LOG, seq=0, hash="0" * 64))
    return reader


def decision(seq: int, number: int, **more: Any) -> LogRecord:
    verdict = {"outcome": "pass", "lower": "pass", "upper": "pass", "settled": True, "matched": [], "reasons": []}
    verdict |= more.pop("verdict", {})
    members = {"merchant_biz_id": f"{number:032}", "decision_id": f"{seq:032x}", "policy_digest": "p", "at": "x"}
    line = json.dumps({"kind": "decision", **members, "verdict": verdict, **more}).encode()
    return LogRecord(log=LOG, seq=seq, kind="decision", hash=f"{seq:064x}", line=line)


def seqs(found: Sequence[Sent]) -> list[int]:
    return [one.said["seq"] for one in found]


class TestWebhookContract(ReaderContract):
    @pytest.fixture(autouse=True)
    def place(self, folder: Path, server: HookServer) -> None:
        self.folder, self.server = folder, server

    def open_reader(self) -> LogReader:
        return made(config(self.folder, self.server.url, parallel=1))

    def held(self) -> Sequence[tuple[str, int]]:
        return [(one.said["log"], one.said["seq"]) for one in self.server.taken]

    def wanted(self, record: LogRecord) -> bool:
        return record.kind == "decision"

    def break_place(self, is_broken: bool) -> bool:
        self.server.answer = (lambda sent: 503) if is_broken else (lambda sent: 200)
        return True


def test_message_is_signed_and_holds_no_input(folder: Path, server: HookServer) -> None:
    opened(folder, server.url).take([decision(1, 7, inputs={"email": "CANARY"}, signals={"x": "CANARY"})])
    (sent,) = server.taken
    assert sent.headers["adjudge-event-id"] == f"{LOG}:1" and sent.headers["content-type"] == "application/json"
    assert sent.said["type"] == "decision" and sent.said["decision"]["outcome"] == "pass"
    assert b"CANARY" not in sent.body and SECRET.decode() not in str(sent.headers)
    header, now = sent.headers[SIGNATURE], time.time()
    assert verify(sent.body, header, [SECRET], now=now)
    assert not verify(sent.body + b" ", header, [SECRET], now=now)
    assert not verify(sent.body, header, [b"another secret!!"], now=now)
    assert not verify(sent.body, header, [SECRET], now=now + 301), "an old one that is played again"


def test_either_secret_of_a_rotation_verifies() -> None:
    header = signature(b"{}", [b"new", b"old"], 1000)
    for secrets in ([b"new"], [b"old"], [b"older", b"old"]):
        assert verify(b"{}", header, secrets, now=1000)
    for forged in ("", "t=1000", f"t=1001,{header.partition(',')[2]}", f"{header},t=1000", "t=²,v1=x", "v1=é,t=1000"):
        assert not verify(b"{}", forged, [b"new", b"old"], now=1000), forged


@pytest.mark.parametrize(
    ("on", "told"),
    [
        ({}, [1, 2, 3, 4]),
        ({"outcomes": ["reject"]}, [2]),
        ({"rules": ["mule"]}, [3]),
        ({"tags": ["aml"]}, [3]),
        ({"tags": ["nobody"]}, []),
        ({"outcomes": ["review"], "tags": ["aml"]}, [3, 4]),
    ],
)
def test_told_are_the_decisions_that_were_asked_for(
    folder: Path, server: HookServer, on: dict[str, Any], told: list[int]
) -> None:
    text = "rules:\n  - {id: mule, tags: [aml, NO], when: x, then: review}\n  - {id: other, when: y, then: review}\n"
    line = json.dumps({"digest": "p", "text": text}).encode()
    policy = LogRecord(log=LOG, seq=0, kind="policy", hash="0" * 64, line=line)
    records = [
        decision(1, 1, verdict={"matched": ["other"]}),
        decision(2, 2, verdict={"outcome": "reject"}),
        decision(3, 3, verdict={"matched": ["mule"]}),
        decision(4, 4, verdict={"outcome": "pass"}, sampled={"then": "review", "share": 0.1, "reason": "look"}),
    ]
    opened(folder, server.url, on=on, parallel=1).take([policy, *records[:2]])
    opened(folder, server.url, on=on, parallel=1).take(records[2:])  # as after a restart: tags are remembered
    assert seqs(server.taken) == told


def test_tags_that_nobody_knows_are_told_rather_than_kept_back(folder: Path, server: HookServer) -> None:
    """As where the webhook was set up after the policy's record was written."""
    records = [decision(1, 1, verdict={"matched": ["mule"]}), decision(2, 2)]
    opened(folder, server.url, on={"tags": ["aml"]}).take(records)
    assert seqs(server.taken) == [1]


def test_one_id_is_told_in_order_while_others_go_on(folder: Path, server: HookServer) -> None:
    server.answer = lambda sent: 503 if sent.said["seq"] == 1 else 200
    reader, records = opened(folder, server.url), [decision(1, 1), decision(2, 2), decision(3, 1), decision(4, 3)]
    reader.take(records)
    with pytest.raises(ReaderFailed, match="2 messages set aside: it answered 503"):
        reader.again()
    reader = opened(folder, server.url)  # killed meanwhile
    assert reader.open(Position(log=LOG, seq=0, hash="0" * 64)).seq == 4, "and nothing comes twice"
    reader.take([decision(5, 1), decision(6, 2)])
    assert sorted(seqs(server.taken)) == [2, 4, 6]
    server.answer = lambda sent: 200
    reader.again()
    reader.again()
    assert seqs(server.taken)[3:] == [1, 3, 5]
    assert [one.headers["adjudge-attempt"] for one in server.tried if one.said["seq"] == 1] == ["1", "2", "3"]


def test_id_that_is_never_taken_does_not_hold_up_the_log_where_nothing_else_comes(
    folder: Path, server: HookServer
) -> None:
    """Batches of a reader that fails become smaller, down to the one message that is refused."""
    server.answer = lambda sent: 503 if sent.said["seq"] == 1 else 200
    reader, failed = opened(folder, server.url), 0
    while True:
        try:
            reader.take([decision(1, 1)])
            break
        except ReaderFailed:
            failed += 1
    assert failed == ASIDE_AFTER - 1
    reader.take([decision(2, 1), decision(3, 2)])
    assert seqs(server.taken) == [3]


def test_other_side_that_is_down_is_not_asked_for_each_message(folder: Path, server: HookServer) -> None:
    """It may hang as long as it can each time."""
    server.answer = lambda sent: 503
    reader, records = opened(folder, server.url, parallel=2), [decision(seq, seq) for seq in range(1, 40)]
    for _ in range(2):
        with pytest.raises(ReaderFailed):
            reader.take(records)
    assert len(server.tried) <= 2 * 2 * 2
    server.answer = lambda sent: 503 if sent.said["seq"] < 3 else 200
    for _ in range(ASIDE_AFTER):  # both that are asked first go on being refused
        try:
            reader.take(records)
        except ReaderFailed:
            continue
        break
    assert sorted(seqs(server.taken)) == list(range(3, 40))


def test_more_than_can_be_set_aside_waits_in_the_log(
    folder: Path, server: HookServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("adjudge_plugins.webhook.reader.ASIDE_MAX", 2)
    server.answer = lambda sent: 503 if sent.said["seq"] < 4 else 200
    reader, records = opened(folder, server.url), [decision(1, 1), decision(2, 2), decision(3, 1), decision(4, 4)]
    with pytest.raises(ReaderFailed):
        reader.take(records)
    assert reader.open(Position(log=LOG, seq=0, hash="0" * 64)).seq == 2
    written = folder / "adjudge.yaml"
    written.write_text(json.dumps({"readers": [{"name": "webhook", "with": config(folder, server.url)}]}))
    assert CliRunner().invoke(webhook, ["dead", str(written)]).output == "0 dead letters, 2 set aside for a while\n"
    server.answer = lambda sent: 200
    reader.again()
    reader.take(records[2:])
    assert (sorted(seqs(server.taken)), seqs(server.taken)[3]) == ([1, 2, 3, 4], 3)


def test_two_webhooks_do_not_tell_from_one_folder(folder: Path, server: HookServer) -> None:
    other, said = opened(folder, server.url), []

    def answer(_: Sent) -> int:
        with pytest.raises(ReaderFailed, match="another webhook tells from this folder") as refused:
            other.take([decision(1, 1)])
        said.append(refused.value)
        return 200

    server.answer = answer
    opened(folder, server.url).take([decision(1, 1)])
    assert seqs(server.taken) == [1] and len(said) == 1


def test_engine_tells_of_others_while_an_id_is_not_taken(folder: Path, server: HookServer) -> None:
    """Also where each comes alone, and what was set aside once it is taken."""
    is_up, stuck = threading.Event(), f"{0:032}"
    server.answer = lambda sent: 503 if sent.merchant_biz_id == stuck and not is_up.is_set() else 200
    policy = parse_policy(
        "policy_language: 1\npolicy: p\ninputs: {a: int}\nrules: [{id: r, when: a > 1, then: review}]"
    )
    reader = made(config(folder, server.url))
    engine = Engine([policy], registry=Registry(), trail=AuditTrail.open(folder / "log"), readers={"webhook": reader})
    with engine:
        for number in range(4):
            asked = Request(merchant_biz_id=f"{number:032}", scene_code="a", policy="p", inputs={"a": 1})
            engine.decide_sync(asked)
        _wait(lambda: len(server.taken) == 3)
        (state,) = engine.readers()
        _wait(lambda: engine.readers()[0].reason != "")
        is_up.set()
        _wait(lambda: len(server.taken) == 4)
        _wait(lambda: engine.readers()[0].reason == "")
    assert not (folder / "state" / "aside.json").exists() and state.name == "webhook"


def _wait(is_so: Callable[[], bool]) -> None:
    until = time.monotonic() + 60
    while not is_so():
        assert time.monotonic() < until
        time.sleep(0.01)


def test_lost_position_is_told_rather_than_passed_over(folder: Path, server: HookServer) -> None:
    """It would begin at the end of the log, and what was not told yet never would be."""
    opened(folder, server.url).take([decision(1, 1)])
    (folder / "state" / "positions.json").unlink()
    with pytest.raises(ReaderFailed, match=r"positions\.json is gone"):
        opened(folder, server.url)
    shutil.rmtree(folder / "state")
    opened(folder, server.url).take([decision(2, 1)])
    assert seqs(server.taken) == [1, 2]


def test_secret_is_rotated_while_it_runs(folder: Path, server: HookServer) -> None:
    reader, new = opened(folder, server.url), b"another secret of 16"
    reader.take([decision(1, 1)])
    (folder / "webhook.key").write_bytes(new)
    reader.take([decision(2, 1)])
    (folder / "webhook.key").write_bytes(b"short")
    reader.take([decision(3, 1)])
    known = [[secret for secret in (SECRET, new) if verify(one.body, one.headers[SIGNATURE], [secret], now=time.time())]
             for one in server.taken]  # fmt: skip
    assert known == [[SECRET], [new], [new]]


def test_message_that_is_never_taken_is_a_dead_letter_and_holds_back_its_id(folder: Path, server: HookServer) -> None:
    server.answer = lambda sent: 422 if sent.said["seq"] == 1 else 200
    records = [decision(1, 1), decision(2, 2), decision(3, 1)]
    reader = opened(folder, server.url, tries=2)
    reader.take(records)
    reader = opened(folder, server.url, tries=2)  # killed meanwhile; the tries are remembered
    with capture_logs() as events:
        reader.again()
    assert seqs(server.taken).count(3) == 0, "what comes after a dead letter waits behind it"
    assert [one["event"] for one in events] == ["webhook_dead_letter"] * 2
    assert sorted(set(seqs(server.taken))) == [2]

    (folder / "adjudge.yaml").write_text(
        json.dumps({"readers": [{"name": "webhook", "with": config(folder, server.url)}]})
    )
    listed = CliRunner().invoke(webhook, ["dead", str(folder / "adjudge.yaml")])
    assert "it answered 422" in listed.output and listed.output.endswith("2 dead letters\n"), listed.output
    rows = CliRunner().invoke(webhook, ["dead", str(folder / "adjudge.yaml"), "--format", "json"]).output.splitlines()
    assert [(json.loads(row)["seq"], json.loads(row)["tries"]) for row in rows] == [(1, 2), (3, 0)]

    again = CliRunner().invoke(webhook, ["replay", str(folder / "adjudge.yaml")])
    assert (again.exit_code, again.output.splitlines()[-1]) == (1, "0 delivered, 2 left")
    server.answer = lambda sent: 200
    again = CliRunner().invoke(webhook, ["replay", str(folder / "adjudge.yaml")])
    assert (again.exit_code, again.output) == (0, "2 delivered, 0 left\n")
    assert seqs(server.taken)[-2:] == [1, 3]
    reader.take([decision(4, 1)])
    assert seqs(server.taken)[-1] == 4, "nothing holds the id back any more"


def test_letter_that_cannot_be_written_leaves_no_sender_behind(
    folder: Path, server: HookServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It would send beside the next attempt: twice, and out of order."""
    server.answer = lambda sent: 422 if sent.said["seq"] == 1 else 200
    reader, records = opened(folder, server.url, tries=1), [decision(1, 1), *(decision(seq, 2) for seq in range(2, 7))]

    def full(_: object) -> None:
        raise OSError(errno.ENOSPC, "no space left on device")

    with monkeypatch.context() as broken:
        broken.setattr("adjudge_plugins.webhook.state.State.bury", lambda self, letter: full(letter))
        with pytest.raises(OSError, match="no space"):
            reader.take(records)
    reader.take(records)
    assert seqs(server.taken) == [2, 3, 4, 5, 6]
    assert '"seq":1,' in (folder / "state" / "dead.jsonl").read_text()


def test_message_is_not_put_behind_letters_that_were_sent_again_meanwhile(
    folder: Path, server: HookServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`replay` has the letters to itself while it sends them, so whoever waits for it looks again."""
    server.answer = lambda sent: 422 if sent.said["seq"] == 1 else 200
    reader = opened(folder, server.url, tries=1)
    reader.take([decision(1, 1)])
    alone = State.alone

    @contextmanager
    def waiting(state: State) -> Iterator[None]:
        with alone(state):
            state.put_letters([])  # as it was left by `replay`, for which this one waited
            yield

    monkeypatch.setattr(State, "alone", waiting)
    reader.take([decision(2, 1)])
    assert seqs(server.taken) == [2]
    assert (folder / "state" / "dead.jsonl").read_text() == ""


def test_scheme_is_the_same_in_capitals(folder: Path, server: HookServer) -> None:
    opened(folder, server.url.replace("http", "HTTP")).take([decision(1, 1)])
    assert seqs(server.taken) == [1]


@pytest.mark.parametrize("text", ["rules: [", "- a", 7])
def test_tags_of_a_text_that_is_not_to_be_read_are_not_known(folder: Path, server: HookServer, text: object) -> None:
    line = json.dumps({"kind": "policy", "digest": "p", "text": text}).encode()
    policy = LogRecord(log=LOG, seq=1, kind="policy", hash=f"{1:064x}", line=line)
    opened(folder, server.url, on={"tags": ["aml"]}).take([policy, decision(2, 1, verdict={"matched": ["mule"]})])
    assert seqs(server.taken) == [2]


@pytest.mark.parametrize("status", [401, 404, 408, 429, 500, 502, 503])
def test_webhook_that_is_down_is_waited_for(folder: Path, server: HookServer, status: int) -> None:
    server.answer = lambda sent: (status, {"retry-after": "7"})
    reader = opened(folder, server.url, tries=1)
    for _ in range(3):
        with pytest.raises(ReaderFailed) as failed:
            reader.take([decision(1, 1)])
    assert failed.value.retry_after_s == 7.0
    assert not (folder / "state" / "dead.jsonl").exists()


def test_what_could_not_be_sent_for_long_is_given_up(folder: Path, server: HookServer) -> None:
    server.answer = lambda sent: 503
    opened(folder, server.url, give_up_after="1us").take([decision(1, 1)])
    assert (folder / "state" / "dead.jsonl").exists()


@pytest.mark.parametrize("host", ["10.0.0.7", "[::1]", "169.254.169.254", "[::ffff:127.0.0.1]", "0x7f.1", "0.0.0.0"])
def test_address_that_is_not_public_is_not_called(folder: Path, host: str) -> None:
    with pytest.raises(ReaderFailed, match=r"not public|keys"):
        opened(folder, f"https://{host}/").take([decision(1, 1)])


def test_name_that_leads_to_this_machine_is_not_called(
    folder: Path, server: HookServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever the resolver says, at each call: the address that was looked at is the one that is connected."""
    port = int(server.url.rsplit(":", 1)[1].partition("/")[0])
    answers = [[(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", port))]] * 9
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: answers.pop())
    with pytest.raises(ReaderFailed, match=r"leads to 127\.0\.0\.1, which is not public"):
        opened(folder, f"https://cases.example:{port}/").take([decision(1, 1)])
    assert not server.tried


def test_redirect_is_looked_at_as_the_first_address_was(folder: Path, server: HookServer) -> None:
    server.answer = lambda sent: (307, {"location": "https://10.0.0.7/hook"})
    with pytest.raises(ReaderFailed, match=r"10\.0\.0\.7, which is not public"):
        opened(folder, server.url).take([decision(1, 1)])
    server.answer = lambda sent: (307, {"location": server.url})
    with pytest.raises(ReaderFailed, match="more than 3 times"):
        opened(folder, server.url).take([decision(1, 1)])
    server.answer = lambda sent: (302, {"location": server.url})
    with pytest.raises(ReaderFailed, match="it answered 302"):
        opened(folder, server.url).take([decision(1, 1)])


@pytest.mark.parametrize(
    ("wrong", "path"),
    [
        ({"url": "http://cases.example/"}, "url"),
        ({"url": "https://user:CANARY@cases.example/"}, "url"),
        ({"url": "https://cases.example/\r\nx: y"}, "url"),
        ({"url": "file:///etc/passwd"}, "url"),
        ({"url": "https://cases.example:x/"}, "url"),
        ({"secrets": []}, "secrets"),
        ({"secrets": [{"file": "/nowhere"}]}, "secrets"),
        ({"secrets": ["plain"]}, "secrets"),
        ({"secrets": [{"environment": "NOT_SET_ANYWHERE"}]}, "secrets"),
        ({"on": {"outcomes": ["rejct"]}}, "on.outcomes"),
        ({"on": {"outcome": []}}, "on.outcome"),
        ({"allow": ["10.0.0.0/99"]}, "allow"),
        ({"timeout": 3}, "timeout"),
        ({"timeout": "soon"}, "timeout"),
        ({"tries": 0}, "tries"),
        ({"urls": "x"}, "urls"),
        ({"state": None}, ""),
    ],
)
def test_settings_are_read_strictly(folder: Path, wrong: dict[str, Any], path: str) -> None:
    with pytest.raises(ProviderConfigError) as refused:
        read_settings({**config(folder, "https://cases.example/"), **wrong})
    assert ".".join(refused.value.path) == path
    assert "CANARY" not in str(refused.value)


def test_engine_tells_of_what_it_decides(folder: Path, server: HookServer) -> None:
    text = "policy_language: 1\npolicy: p\ninputs: {country: string}\nrules:\n"
    text += "  - {id: sanctioned, when: 'country == \"KP\"', then: reject, tags: [aml]}\n"
    registry = Registry()
    reader = Webhook(read_settings(config(folder, server.url, on={"tags": ["aml"]})))
    engine = Engine(
        [parse_policy(text, registry=registry)],
        registry=registry,
        trail=AuditTrail.open(folder / "audit"),
        readers={"webhook": reader},
    )
    with engine:
        for number, country in enumerate(["SG", "KP", "SG", "KP"]):
            asked = Request(merchant_biz_id=f"{number:032}", scene_code="onboard001", inputs={"country": country})
            engine.decide_sync(asked)
    assert sorted(one.merchant_biz_id for one in server.taken) == [f"{1:032}", f"{3:032}"]


def test_files_of_another_kind_are_told(folder: Path, server: HookServer) -> None:
    (folder / "state").mkdir()
    (folder / "state" / "dead.jsonl").write_text("{}\n")
    with pytest.raises(ReaderFailed, match="no file of dead letters"):
        opened(folder, server.url).take([decision(1, 1)])
    (folder / "adjudge.yaml").write_text("readers: []\n")
    told = CliRunner().invoke(webhook, ["dead", str(folder / "adjudge.yaml")])
    assert told.exit_code == 2 and "0 readers with the name `webhook`" in told.output


def test_first_record_is_the_first_after_it_was_set_up(folder: Path, server: HookServer) -> None:
    end = log_records(5)[-1].position
    reader = Webhook(read_settings(config(folder, server.url)))
    assert reader.open(end) == end
    assert Webhook(read_settings(config(folder, server.url))).open(end) == end
