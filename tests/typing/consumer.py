"""What an embedder and a plugin's author write; checked with `mypy --strict`, against the checkout and the wheel."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any, assert_type

from adjudge import Engine as Embedded
from adjudge.client import Engine as Client
from adjudge.plugin import (
    Context,
    Decision,
    Face,
    Field,
    Function,
    LogRecord,
    Outcome,
    Position,
    Provider,
    Register,
    Request,
    SignalFailed,
    Verdict,
    hookimpl,
    parse_fields,
    provider,
)

request = Request(
    merchant_biz_id="0123456789abcdef0123456789abcdef",
    scene_code="onboard001",
    face=Face.from_bytes(b"\xff\xd8\xff"),
    inputs={"country": "SG"},
    signals={"device": {"score": 12, "emulator": False}},
)
assert_type(request.merchant_biz_id, str)


@provider("shop.tenure", fields={"days": {"type": "int", "range": [0, 36500]}}, price=Decimal("0.01"), latency_s=0.2)
async def tenure(context: Context) -> Mapping[str, object]:
    """Days since the shop was opened."""
    if not context.request.merchant_biz_id:
        raise SignalFailed("no merchant", kind="unavailable")
    return {"days": 12}


assert_type(tenure, Provider)
assert_type(tenure.fields, Mapping[str, Field] | None)


async def ask(engine: Embedded | Client) -> None:
    """Ask either engine in the same words."""
    decision = await engine.decide(request, deadline_s=2.0)
    assert_type(decision, Decision)
    assert_type(engine.decide_sync(request, anew=True), Decision)
    await engine.label(decision.decision_id, decision.merchant_biz_id, "fraud", source="chargeback")
    assert_type(await engine.erase(decision.merchant_biz_id), int)
    assert_type(await engine.find(decision_id=decision.decision_id), Decision | None)
    assert_type(engine.in_flight, int)


async def main() -> None:
    """Open either engine in the same way."""
    async with Client.open("adjudge.sock") as client, Embedded.open("adjudge.yaml") as embedded:
        assert_type(client, Client)
        assert_type(embedded, Embedded)
        await ask(client)
        await ask(embedded)


double = Function(name="shop.double", parameters=("int",), result="int", call=lambda value: value * 2)


class Asker:
    """A provider written out, for one that holds connections."""

    async def fetch(self, context: Context) -> Mapping[str, object]:
        """Answer."""
        return {"open": True}

    async def aclose(self) -> None:
        """Let go."""


def open_asker(config: Mapping[str, Any]) -> Asker:
    """Make an asker of what the policy says under `with:`."""
    return Asker()


written_out = Provider(name="shop.open", fields=parse_fields({"open": "bool"}), open=open_asker)


def look_at(decision: Decision) -> None:
    """Look at a decision as its caller may."""
    assert_type(decision.outcome, Outcome)
    assert_type(decision.verdict, Verdict)
    assert_type(decision.verdict.settled, bool)
    assert_type(decision.verdict.reasons, tuple[str, ...])


class Reader:
    """Sent what it lacks of the log."""

    def __init__(self) -> None:
        """Hold nothing."""
        self.held: Position | None = None

    def open(self, end: Position) -> Position | None:
        """Say what is held."""
        return self.held

    def take(self, records: Sequence[LogRecord]) -> None:
        """Look at the records as a reader may."""
        for record in records:
            assert_type(record.line, bytes)
            assert_type(record.members(), dict[str, Any])
            self.held = record.position

    def close(self) -> None:
        """Let go."""


@hookimpl
def register(register: Register) -> None:
    """Offer all of it."""
    register.provider(tenure)
    register.provider(written_out)
    register.function(double)
    register.reader("shop", lambda config: Reader())
