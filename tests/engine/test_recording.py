"""Answers and the log: none without a record, the same ones after a restart, and nothing in it that must not be."""

from __future__ import annotations

import asyncio
import hashlib
import os
import sqlite3
import threading
from base64 import b64encode
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from random import Random

import pytest
import structlog
from engines import CLEAN, FACE_FIELDS, MEDIA, POLICY, device, engine, face, recorded, request, trail
from msgspec.structs import replace
from readers import Keeping
from structlog.testing import capture_logs

from adjudge.audit.bodies import FaceBody
from adjudge.audit.checkpoints import Checkpoints
from adjudge.audit.log import AuditLog, Durability
from adjudge.audit.read import read
from adjudge.audit.trail import AuditTrail
from adjudge.audit.vault import Vault
from adjudge.engine import Engine
from adjudge.errors import AuditBroken, AuditUnavailable, MerchantBizIdConflict, SetupError, SignalFailed
from adjudge.model import Decision, Face, Outcome
from adjudge.plugin import LogRecord
from adjudge.replay.decisions import replay
from adjudge.system.pools import NoThread, Pool
from adjudge.testing import FakeClock, FakeProvider, fake_provider
from audit.audit_logs import FaultyDisk, assert_verifies

SEGMENT = "audit-000001.jsonl"


class SwitchedDisk(FaultyDisk):
    """A disk that fails every write while it is off."""

    is_off = False

    def _fails(self, call: str) -> bool:
        super()._fails(call)
        return self.is_off and call in ("write", "datasync")


def ids(directory: Path) -> list[str]:
    return [one.decision_id for one in recorded(directory)]


def test_decide_returns_when_policy_and_decision_are_recorded(tmp_path: Path) -> None:
    with engine(at=tmp_path) as door:
        decision = door.decide_sync(request())
        assert ids(tmp_path) == [decision.decision_id], "before the engine is closed"
        door.decide_sync(request(1))
    calls = ["call", "call", "decision"]
    assert [record.kind for record in read(tmp_path)] == ["policy", *calls, *calls, "checkpoint"]
    assert_verifies(tmp_path)
    body = recorded(tmp_path)[0]
    assert (body.merchant_biz_id, body.scene_code, body.status) == (f"{0:032x}", "onboard001", "fresh")
    assert (body.policy, body.policy_digest, body.fingerprint) == (
        decision.policy, decision.policy_digest, decision.fingerprint)  # fmt: skip
    assert (body.at, body.durability, body.verdict) == (decision.decided_at, "fsync", decision.verdict)
    assert (body.duration_ms, body.cost, body.notes) == (decision.duration_ms, decision.cost, decision.notes)
    assert body.face == FaceBody(digest=hashlib.sha256(MEDIA).hexdigest(), media_type="image", size=len(MEDIA))
    assert body.signals["face"].fields == {"score": 0.1}
    assert body.personal == ("email", "born", "device.owner")


@pytest.mark.parametrize("durability", ["flush", "async"])
def test_decision_names_its_durability(durability: Durability, tmp_path: Path) -> None:
    with engine(trail=trail(tmp_path, durability=durability)) as door:
        door.decide_sync(request(face=Face.from_url("https://cdn.example/face.jpg")))
    assert [one.durability for one in recorded(tmp_path)] == [durability]
    digest = hashlib.sha256(b"https://cdn.example/face.jpg").hexdigest()
    assert recorded(tmp_path)[0].face == FaceBody(digest=digest, media_type="image")


def test_log_that_cannot_be_written_decides_nothing_and_recovers_by_itself(tmp_path: Path) -> None:
    disk = SwitchedDisk()
    asked, copy = [face(), device()], Keeping()
    with capture_logs(), engine(asked, trail=trail(tmp_path, disk=disk), readers={"copy": copy}) as door:
        disk.is_off = True
        for _ in range(3):
            with pytest.raises(AuditUnavailable):
                door.decide_sync(request())
        assert asyncio.run(door._ledger.find(merchant_biz_id=request().merchant_biz_id)) is None
        disk.is_off = False
        decision = door.decide_sync(request())
        assert decision.status == "fresh", "what was not recorded was not made"
        disk.is_off = True
        assert door.decide_sync(request()).status == "duplicate", "an answer that stands needs no new record"
        with pytest.raises(AuditUnavailable):
            door.decide_sync(request(1))
        disk.is_off = False
        other = door.decide_sync(request(1))
    assert len(asked[1].calls) == 6, "a failure is never kept as an answer"
    assert len(asked[0].calls) == 2, "what costs money is not asked while it cannot be recorded"
    assert ids(tmp_path) == [decision.decision_id, other.decision_id]
    assert_verifies(tmp_path)
    assert b"".join(record.line for record in copy.taken) == (tmp_path / SEGMENT).read_bytes()
    assert all(one.answer == "identical" for one in replay(tmp_path))


def test_log_that_fails_under_load_keeps_the_two_in_step(tmp_path: Path) -> None:
    disk = FaultyDisk(Random(7).sample(range(8, 4000), 700), "half")
    refused: list[int] = []
    decisions: list[Decision] = []

    async def call(n: int) -> None:
        try:
            decisions.append(await door.decide(request(n, inputs={"country": "SG"})))
        except AuditUnavailable:
            refused.append(n)

    async def main() -> None:
        async with door:
            for group in range(20):
                await asyncio.gather(*(call(group * 100 + n) for n in range(10)))

    with capture_logs():
        door = engine(trail=trail(tmp_path, disk=disk))
        asyncio.run(main())
    assert refused and decisions
    assert sorted(ids(tmp_path)) == sorted(decision.decision_id for decision in decisions)
    assert_verifies(tmp_path)
    assert all(one.answer == "identical" for one in replay(tmp_path))


def test_log_that_lost_a_policys_record_gets_it_again(tmp_path: Path) -> None:
    """With `flush` a failed sync may take the policy's record along; later decisions must still replay."""
    with capture_logs():
        book = trail(tmp_path, durability="flush")
        with engine(trail=book) as door:
            door.decide_sync(request())
            assert book.log is not None
            book.log._committer.chain.dropped += 2  # as the log says when it lost two records
            door.decide_sync(request(1))
            door.decide_sync(request(2))
    calls = ["call", "call", "decision"]
    assert [record.kind for record in read(tmp_path)] == ["policy", *calls, "policy", *calls, *calls, "checkpoint"]


def test_vault_that_cannot_be_written_decides_nothing(tmp_path: Path) -> None:
    (tmp_path / "vault.sqlite").mkdir()
    (tmp_path / "vault-keys.sqlite").touch()
    with engine(at=tmp_path) as door:
        with pytest.raises(AuditUnavailable, match=r"vault\.sqlite"):
            door.decide_sync(request())
        assert recorded(tmp_path) == []
        (tmp_path / "vault.sqlite").rmdir()
        assert door.decide_sync(request()).status == "fresh"


def test_log_changed_by_another_hand_stops_the_engine(tmp_path: Path) -> None:
    with capture_logs(), engine(at=tmp_path) as door:
        door.decide_sync(request())
        with (tmp_path / SEGMENT).open("ab") as file:
            file.write(b"{}\n")
        for n in (1, 2):
            with pytest.raises(AuditBroken):
                door.decide_sync(request(n))
        assert door.decide_sync(request()).status == "duplicate"


def restart(directory: Path, clock: FakeClock, *asked: FakeProvider, ttl_s: float = 86400) -> Engine:
    """Open another engine on a log, as after a crash."""
    return engine(asked or None, at=directory, answer_for_s=ttl_s, clock=clock)


def test_restart_gives_the_recorded_answer_personal_values_included(tmp_path: Path) -> None:
    clock = FakeClock()
    given = request(signals={"own": {"ok": True}})
    with restart(tmp_path, clock) as door:
        before = door.decide_sync(given)
    asked = [face(), device()]
    with restart(tmp_path, clock, *asked) as door:
        after = door.decide_sync(given)
        with pytest.raises(MerchantBizIdConflict):
            door.decide_sync(request(face=None))
    rounded = {name: replace(one, duration_ms=round(one.duration_ms, 3)) for name, one in before.signals.items()}
    assert after == replace(before, status="duplicate", signals=rounded)
    assert after.signals["device"].fields["owner"] == "bob"
    assert [len(provider.calls) for provider in asked] == [0, 0]
    assert len(ids(tmp_path)) == 1


def test_restart_respects_the_time_to_live(tmp_path: Path) -> None:
    clock = FakeClock()
    with restart(tmp_path, clock, ttl_s=60) as door:
        first = door.decide_sync(request())
        clock.advance(40)
        second = door.decide_sync(request(1))
    clock.advance(30)
    with restart(tmp_path, clock, ttl_s=60) as door:
        assert door.decide_sync(request()).decision_id != first.decision_id
        assert door.decide_sync(request(1)).decision_id == second.decision_id
        clock.advance(31)
        assert door.decide_sync(request(1)).decision_id != second.decision_id, "its time goes on where it stood"


def test_restart_of_an_incomplete_decision_asks_only_what_had_failed(tmp_path: Path) -> None:
    clock = FakeClock()
    with capture_logs(), restart(tmp_path, clock, face(), device(SignalFailed("down"))) as door:
        first = door.decide_sync(request())
    asked = [face(), device()]
    with restart(tmp_path, clock, *asked) as door:
        second = door.decide_sync(request())
    assert (second.status, second.supersedes, second.outcome) == ("supersedes", first.decision_id, Outcome.PASS)
    assert [len(provider.calls) for provider in asked] == [0, 1]


def test_restart_gives_the_newest_of_several_decisions(tmp_path: Path) -> None:
    clock = FakeClock()
    with restart(tmp_path, clock) as door:
        door.decide_sync(request())
        newest = door.decide_sync(request(), anew=True)
    with restart(tmp_path, clock) as door:
        assert door.decide_sync(request()).decision_id == newest.decision_id


def test_restart_under_another_policy_still_gives_the_answer_that_was_given(tmp_path: Path) -> None:
    with engine(at=tmp_path) as door:
        before = door.decide_sync(request())
    with engine(at=tmp_path, policies=[POLICY.replace("0.9", "0.05")]) as door:
        assert door.decide_sync(request()).decision_id == before.decision_id
        assert door.decide_sync(request(), anew=True).outcome is Outcome.REJECT


def test_restart_under_a_policy_that_asks_another_provider_asks_it(tmp_path: Path) -> None:
    policy = POLICY.replace("acme.face", "other.face")
    other = fake_provider("other.face", FACE_FIELDS, {"score": 0.95})
    with capture_logs(), engine([face(), device(SignalFailed("down"))], at=tmp_path) as door:
        door.decide_sync(request())
    with capture_logs(), engine([other, device()], policies=[policy], at=tmp_path) as door:
        second = door.decide_sync(request())
    assert (second.status, second.outcome, len(other.calls)) == ("supersedes", Outcome.REJECT, 1)


def test_restart_with_an_erased_value_gives_the_answer_without_it(tmp_path: Path) -> None:
    with engine(at=tmp_path) as door:
        before = door.decide_sync(request())
    with sqlite3.connect(tmp_path / "vault.sqlite") as vault:
        vault.execute("delete from personal")
    vault.close()
    with engine(at=tmp_path) as door:
        after = door.decide_sync(request())
    assert after.decision_id == before.decision_id
    assert after.signals["device"].fields == {"emulator": False}


def test_restart_on_a_decision_of_another_shape_says_which(tmp_path: Path) -> None:
    AuditTrail.open(tmp_path).close()
    with AuditLog.open(tmp_path) as log:
        log.write_blocking("decision", {"decision_id": 5})
    with pytest.raises(AuditBroken, match=r"record 1 is not a valid decision: .*decision_id"):
        engine(at=tmp_path)


@pytest.mark.parametrize(
    "spoil", [lambda key: key.write_bytes(b"short"), lambda key: (key.unlink(), key.mkdir())], ids=["short", "folder"]
)
def test_audit_trail_with_a_key_that_is_none_is_refused_and_lets_the_log_go(
    spoil: Callable[[Path], object], tmp_path: Path
) -> None:
    engine(at=tmp_path)._ledger.close()
    key = tmp_path / "fingerprint.key"
    kept = key.read_bytes()
    assert (len(kept), key.stat().st_mode & 0o777) == (32, 0o600)
    spoil(key)
    with pytest.raises(AuditUnavailable, match=r"fingerprint\.key"):
        AuditTrail.open(tmp_path)
    if key.is_dir():
        key.rmdir()
    key.write_bytes(kept)
    with engine(at=tmp_path) as door:
        assert door.decide_sync(request()).status == "fresh"


CANARIES = {
    "email": "canary-mail-91ab@example.com",
    "born": "canary-born-77cd",
    "owner": "canary-owner-53ef",
    "secret": "canary-secret-28aa",
    "undeclared": "canary-undeclared-64bb",
}


def test_personal_values_secrets_and_faces_are_in_no_byte_but_the_vaults(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """Canaries go through every path: right and wrong values, answers, undeclared fields, exceptions, tracebacks."""
    secret = CANARIES["secret"]

    class Holder:
        """Something whose repr is a secret."""

        def __repr__(self) -> str:
            return secret

    class Loud(Keeping):
        def take(self, records: Sequence[LogRecord]) -> None:
            password = secret  # noqa: F841
            raise ValueError(secret)

    policy = POLICY.replace(
        "  own: {fields:",
        "  deep:\n    fields:\n"
        "      people: {type: map, of: {type: string, personal: true}}\n"
        "      days: {type: list, personal: true, of: {type: int, range: [0, 9]}}\n"
        "      kinds: {type: set, values: [x], personal: true}\n"
        "      ages: {type: map, personal: true, of: int}\n"
        "  own: {fields:",
    )
    policy += '  - {id: deep, when: "size(deep.people) + size(deep.days) + size(deep.ages) > 90", then: review}\n'
    policy += '  - {id: kinds, when: "size(deep.novel_kinds) > 90", then: review}\n'
    answers = [
        {"emulator": False, "owner": CANARIES["owner"], "junk": CANARIES["undeclared"], "face": MEDIA},
        ValueError(secret),
        SystemExit(secret),
        {"emulator": "yes", "owner": 918273645546372},
        {"emulator": MEDIA, "owner": [CANARIES["owner"]]},
        {"owner": Holder(), "emulator": Holder()},
    ]
    deep = {
        "people": {CANARIES["owner"]: CANARIES["email"]},
        "days": [918273645546372, 5],
        "kinds": ["x", CANARIES["owner"]],
        "ages": {CANARIES["owner"]: "x", "y": float("nan")},
    }
    structlog.configure(logger_factory=structlog.PrintLoggerFactory())
    said: list[str] = []
    try:
        with engine([face(), device(*answers)], policies=[policy], at=tmp_path, readers={"loud": Loud()}) as door:
            for n in range(len(answers)):
                given = CLEAN | {"email": CANARIES["email"], "born": CANARIES["born"]}
                given |= {"email": 918273645546372} if n == 3 else {}
                one = request(n, inputs=given, signals={"deep": deep})
                said += [repr(one), repr(door.decide_sync(one))]
            for wrong in ({"email": Holder()}, {"country": MEDIA}):
                with pytest.raises(Exception, match="must be a string") as refused:
                    door.decide_sync(request(99, inputs=wrong))
                said.append(repr(refused.value))
        with engine([face(), device()], policies=[policy], at=tmp_path) as door:  # warmed from the vault
            said.append(repr(door.decide_sync(one)))
    finally:
        structlog.reset_defaults()
    assert all(replayed.answer == "identical" for replayed in replay(tmp_path))
    out, err = capfd.readouterr()
    assert "provider_failed" in out and "reader_failed" in out
    needles = [value.encode() for value in CANARIES.values()]
    needles += [MEDIA, MEDIA[4:], b"CANARY-FACE", b64encode(MEDIA), b64encode(MEDIA)[:20], b"918273645546372"]
    texts = {"stdout": out.encode(), "stderr": err.encode(), "reprs": "\n".join(said).encode()}
    files = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    assert {SEGMENT, "fingerprint.key"} <= files.keys() and len(files[SEGMENT]) > 5000
    for name, content in {**texts, **files}.items():
        found = [needle for needle in needles if needle in content]
        assert not found, f"{name} holds {found}"
    with Vault.open(tmp_path) as vault:
        assert {"email", "born", "face.owner"} & {*vault.names(one.merchant_biz_id)} == {"email", "born"}
    assert not (tmp_path / "vault.sqlite").stat().st_mode & 0o077
    assert os.stat(tmp_path / "fingerprint.key").st_mode & 0o077 == 0


@pytest.mark.parametrize("closes", [True, False])
def test_audit_trail_with_the_key_of_another_log_is_refused_and_lets_the_log_go(closes: bool, tmp_path: Path) -> None:
    """With it every retry would be a conflict. Who writes without any key, as a command does, forgets nothing."""
    for name in ("one", "other"):
        with engine(policies=[PERSONAL_POLICY], at=tmp_path / name) as door:
            decision = door.decide_sync(request(inputs={}))
    with AuditLog.open(tmp_path / "one", checkpoints=Checkpoints()) as log:
        log.write_blocking("label", {"note": "by a command"})
    if not closes:
        file = tmp_path / "one" / SEGMENT
        file.write_bytes(b"".join(file.read_bytes().splitlines(keepends=True)[:-1]))
    key, other = (tmp_path / name / "fingerprint.key" for name in ("one", "other"))
    honest = key.read_bytes()
    key.write_bytes(other.read_bytes())
    for given in (None, other.read_bytes(), b"another key, which is long enough"):
        with pytest.raises(AuditUnavailable, match="is not the key that this log was written with"):
            AuditTrail.open(tmp_path / "one", fingerprint_key=given)
    key.unlink()
    for wrong in (b"", b"short", "no bytes, but quite long, which it has to be"):
        with pytest.raises(SetupError, match="must be 32 bytes or more"):
            AuditTrail.open(tmp_path / "one", fingerprint_key=wrong)  # type: ignore[arg-type]
    again = AuditTrail.open(tmp_path / "one", fingerprint_key=honest)
    assert not key.exists()
    with engine(policies=[PERSONAL_POLICY], trail=again) as door:
        assert door.decide_sync(request(inputs={})).status == "duplicate"
    assert decision.status == "fresh"
    assert_verifies(tmp_path / "one")


def test_audit_trail_without_its_key_beside_records_is_refused_and_lets_the_log_go(tmp_path: Path) -> None:
    AuditTrail.open(tmp_path).close()
    with AuditLog.open(tmp_path) as log:
        log.write_blocking("decision", {"decision_id": "x"})
    key = tmp_path / "fingerprint.key"
    kept = key.read_bytes()
    key.unlink()
    with pytest.raises(AuditUnavailable, match=r"fingerprint\.key: is missing beside a log with records"):
        AuditTrail.open(tmp_path)
    assert not key.exists(), "no other key takes its place"
    key.write_bytes(kept)
    AuditTrail.open(tmp_path).close()


PERSONAL_POLICY = """
policy_language: 1
policy: personal
inputs: {email: {type: string, personal: true}}
signals: {own: {fields: {ok: bool, owner: {type: string, personal: true}}}}
rules: [{id: odd, when: own.ok && email == own.owner, then: review}]
"""


def test_engine_labels_and_erases_while_it_runs(tmp_path: Path) -> None:
    with engine(policies=[PERSONAL_POLICY], at=tmp_path) as door:
        given = request(inputs={"email": "canary@example.com"}, signals={"own": {"owner": "canary-owner", "ok": True}})
        decision = door.decide_sync(given)
        assert "canary" in repr(decision.signals["own"].fields)
        assert asyncio.run(door.erase(decision.merchant_biz_id, reason="asked")) == 2
        again = door.decide_sync(given)
        assert again.status == "duplicate" and "canary" not in repr(again.signals["own"].fields)
        asyncio.run(door.label(decision.decision_id, decision.merchant_biz_id, "fraud", source="chargeback"))
        with pytest.raises(ValueError, match="a label must be"):
            asyncio.run(door.label(decision.decision_id, decision.merchant_biz_id, "frod", source="chargeback"))
        assert asyncio.run(door.erase("f" * 32)) == 0
    assert [record.kind for record in read(tmp_path)] == ["policy", "decision", "erasure", "label", "checkpoint"]
    assert b"canary" not in b"".join(file.read_bytes() for file in tmp_path.iterdir())
    assert_verifies(tmp_path)


def test_erasure_reaches_what_is_being_decided(tmp_path: Path) -> None:
    """Its values would be recorded afterwards; it is waited for, and they go with the rest."""
    begun, let_go = asyncio.Event(), asyncio.Event()

    async def answer(context: object) -> dict[str, float]:
        begun.set()
        await let_go.wait()
        return {"score": 0.1}

    async def main() -> None:
        async with engine([face(answer), device()], at=tmp_path) as door:
            deciding = asyncio.create_task(door.decide(request()))
            await begun.wait()
            erasing = asyncio.create_task(door.erase(request().merchant_biz_id, reason="asked"))
            assert await door.erase("f" * 32) == 0, "others wait for nothing"
            assert not erasing.done()
            let_go.set()
            assert (await deciding).status == "fresh"
            assert await erasing == 3

    asyncio.run(main())
    with Vault.open(tmp_path) as vault:
        assert vault.names(request().merchant_biz_id) == ()
    assert [record.kind for record in read(tmp_path)][-2:] == ["erasure", "checkpoint"]


def test_label_without_a_log_has_no_place() -> None:
    with engine(policies=[PERSONAL_POLICY]) as door:
        with pytest.raises(AuditUnavailable, match="no place for labels"):
            asyncio.run(door.label("0" * 32, "1" * 32, "fraud", source="x"))
        assert asyncio.run(door.erase("1" * 32)) == 0


def test_default_executor_that_hangs_holds_up_neither_decisions_nor_closing(tmp_path: Path) -> None:
    gate = threading.Event()

    async def main() -> str:
        loop = asyncio.get_running_loop()
        loop.set_default_executor(ThreadPoolExecutor(1))
        hung = loop.run_in_executor(None, gate.wait)
        async with engine(at=tmp_path) as opened:
            decision = await opened.decide(request())
            assert await opened.erase(decision.merchant_biz_id, reason="asked") == 3
        gate.set()
        await hung
        return decision.decision_id

    decision_id = asyncio.run(main())
    assert [body.decision_id for body in recorded(tmp_path)] == [decision_id]


def test_disk_that_hangs_holds_up_closing_no_longer_than_its_deadline(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("adjudge.audit.trail.CLOSE_S", 0.05)
    opened, gate = trail(tmp_path), threading.Event()
    close = opened.log.close if opened.log is not None else None
    assert close is not None
    monkeypatch.setattr(opened.log, "close", gate.wait)
    with pytest.raises(AuditUnavailable, match=r"the disk holds up the closing of the log: .* within 0\.05 s"):
        asyncio.run(opened.aclose())
    gate.set()
    close()


def test_audit_trail_closes_although_no_thread_can_be_started(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    opened = trail(tmp_path)

    def refuse(pool: Pool, work: object) -> None:
        raise NoThread("the process ends")

    monkeypatch.setattr(Pool, "submit", refuse)
    asyncio.run(opened.aclose())
    trail(tmp_path).close()
