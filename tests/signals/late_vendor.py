"""A vendor that answers later, and engines that ask it."""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path

from adjudge.audit.trail import AuditTrail
from adjudge.engine import Engine
from adjudge.errors import SignalFailed, UnknownCall
from adjudge.model import Face, Request
from adjudge.plugin import Answer, Context, LateAnswer, Provider, SignalLater
from adjudge.registry import Registry, parse_policy
from adjudge.testing import FakeClock, fake_provider, registry_of
from adjudge.values.declared import parse_fields

POLICY = """
policy_language: 1
policy: onboarding
inputs:
  email: {type: string, personal: true}
  country: string
signals:
  check: {provider: acme.check}
  device: {provider: acme.device}
  own: {fields: {ok: bool}}
rules:
  - {id: fraud, when: check.fraud, then: reject}
  - {id: named, when: check.name == email, then: reject}
  - {id: emulated, when: device.emulator, then: review}
  - {id: abroad, when: country != "SG" && !own.ok, then: review}
"""
SIGNED = {"X-Signature": "right"}


@dataclass
class LateProvider:
    """A vendor that answers later, and then with fields as `name=value`. calls: the tickets that it was given."""

    within_s: float = 3600.0
    price: Decimal = Decimal(0)
    calls: list[str] = field(default_factory=list)
    read: list[LateAnswer] = field(default_factory=list)

    def provider(self) -> Provider:
        fields = parse_fields({"fraud": "bool", "name": {"type": "string", "personal": True}})
        return Provider(name="acme.check", fields=fields, open=lambda _: self, price=self.price)

    async def fetch(self, context: Context) -> Answer:
        self.calls.append(context.call)
        raise SignalLater(within_s=self.within_s, request_id="vendor-7")

    async def read_late(self, answer: LateAnswer) -> Answer:
        self.read.append(answer)
        if answer.headers.get("x-signature") != "right":
            raise UnknownCall
        if answer.body == b"failed":
            raise SignalFailed("the document was not legible", reason_code="ILLEGIBLE")
        if answer.body == b"bug":
            raise ZeroDivisionError
        return {"fraud": answer.body == b"fraud", "name": "mallory@example.com"}

    async def aclose(self) -> None:
        return None


def registry(vendor: LateProvider, *answers: object) -> Registry:
    device = fake_provider("acme.device", {"emulator": "bool"}, *(answers or ({"emulator": False},)))  # type: ignore[arg-type]
    return registry_of([vendor.provider(), device])


def engine(vendor: LateProvider, log: Path | None, clock: FakeClock | None = None, *answers: object) -> Engine:
    lent = registry(vendor, *answers)
    policy = parse_policy(POLICY, registry=lent)
    now = clock or FakeClock()
    trail = AuditTrail.open(log, durability="flush") if log is not None else None
    return Engine([policy], registry=lent, trail=trail, clock=now)


def request(**parts: object) -> Request:
    given = {"merchant_biz_id": "1" * 32, "scene_code": "a", "face": Face.from_bytes(b"\xff\xd8\xff\xe0 a face")}
    inputs = {"email": "alice@example.com", "country": "DE"}
    return Request(**{**given, "inputs": inputs, "signals": {"own": {"ok": True}}, **parts})  # type: ignore[arg-type]
