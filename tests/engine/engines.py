"""What the tests of the engine share: a policy with every kind of field, and engines on a directory."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

from adjudge.audit.bodies import DecisionBody
from adjudge.audit.disk import Disk
from adjudge.audit.log import AuditLog, Durability
from adjudge.audit.read import read
from adjudge.audit.trail import AuditTrail
from adjudge.audit.vault import Vault
from adjudge.engine import Engine
from adjudge.ledger.file import FileLedger
from adjudge.ledger.memory import MemoryLedger
from adjudge.model import Face, Request
from adjudge.plugin import Provider
from adjudge.registry import parse_policy
from adjudge.testing import FakeClock, FakeProvider, fake_provider, registry_of

POLICY = """
policy_language: 1
policy: onboarding
inputs:
  country: string
  age: duration
  email: {type: string, personal: true}
  born: {type: timestamp, personal: true}
signals:
  face: {provider: acme.face}
  device: {provider: acme.device, timeout: 5s}
  own: {fields: {ok: bool, score: {type: int, range: [0, 9]}}}
rules:
  - {id: forged, when: face.score >= 0.9, then: reject}
  - {id: emulated, when: device.emulator, then: review}
  - {id: abroad, when: country != "SG" && !own.ok, then: review}
  - {id: mail, when: 'email.endsWith("@bad.example")', then: reject}
  - {id: young, when: 'now - born < duration("157680h")', then: review}
  - {id: owned, when: device.owner == email && age < duration("24h"), then: review}
"""
FACE_FIELDS = {"score": {"type": "double", "range": [0, 1]}}
DEVICE_FIELDS = {"emulator": "bool", "owner": {"type": "string", "personal": True}}
CLEAN: dict[str, object] = {
    "country": "SG", "age": "900h", "email": "alice@example.com", "born": "1990-01-01T00:00:00Z"}  # fmt: skip
MEDIA = b"\xff\xd8\xff\xe0 a face, CANARY-FACE-7f3a9c"


def face(*answers: Any, **facts: Any) -> FakeProvider:
    return fake_provider("acme.face", FACE_FIELDS, *(answers or ({"score": 0.1},)), price=Decimal("0.10"), **facts)


def device(*answers: Any, **facts: Any) -> FakeProvider:
    return fake_provider("acme.device", DEVICE_FIELDS, *(answers or ({"emulator": False, "owner": "bob"},)), **facts)


def request(n: int = 0, **parts: Any) -> Request:
    """Return the n-th request, clean unless said otherwise."""
    parts = {"face": Face.from_bytes(MEDIA), "inputs": CLEAN, **parts}
    return Request(**{"merchant_biz_id": f"{n:032x}", "scene_code": "onboard001", **parts})


def trail(directory: Path, *, disk: Disk | None = None, durability: Durability = "fsync") -> AuditTrail:
    """Open an audit trail, on a disk of one's own where wanted."""
    if disk is None:
        return AuditTrail.open(directory, durability=durability)
    AuditTrail.open(directory).close()  # for its key
    key = (directory / "fingerprint.key").read_bytes()
    return AuditTrail(AuditLog.open(directory, durability=durability, disk=disk), Vault.open(directory), key)


def engine(
    providers: Iterable[Provider] | None = None,
    *,
    policies: Sequence[str] = (POLICY,),
    at: Path | None = None,
    clock: FakeClock | None = None,
    answer_for_s: float | None = None,
    **parts: Any,
) -> Engine:
    """Put an engine together. at: the directory of its audit log; without one, nothing is recorded.

    answer_for_s: after which an answer's time is over, by the clock alone.
    """
    registry = registry_of([face(), device()] if providers is None else providers)
    if clock is not None:
        parts["clock"] = clock
    if at is not None:
        parts["trail"] = trail(at)
    if clock is not None and answer_for_s is not None:
        own: dict[str, Any] = {"answer_for_s": answer_for_s, "clock": clock, "timer": clock.timer}
        opened = parts.pop("trail", None)
        parts["ledger"] = MemoryLedger(**own) if opened is None else FileLedger(opened, **own)
    loaded = [parse_policy(policy, registry=registry) for policy in policies]
    return Engine(loaded, registry=registry, **parts)


def recorded(directory: Path) -> list[DecisionBody]:
    """Return the decisions in a log."""
    return [record.decode(DecisionBody) for record in read(directory) if record.kind == "decision"]
