"""An answer that came later: what it says of its signal, and its request as the log has it, to be decided again."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal

from msgspec import structs

from adjudge.audit.bodies import DecisionBody, restore_fields
from adjudge.audit.record import parse
from adjudge.decision.prepared import PreparedRequest, RequestKey
from adjudge.errors import SignalFailed, UnknownCall
from adjudge.events import Events
from adjudge.ledger.restoring import decision_of
from adjudge.model import Decision, Face, Request, Signal, SignalStatus
from adjudge.plugin import Evidence, LateAnswer, ReadsLate
from adjudge.policy.policy import Policy
from adjudge.policy.slots import novel_name, parts_of
from adjudge.signals.answers import cleaned_failure, provider_answer
from adjudge.signals.ask import OpenedSignal
from adjudge.signals.tickets import Ticket
from adjudge.system.faults import is_operators
from adjudge.values.reading import describe

READ_WITHIN_S = 10.0
"""Seconds in which a provider reads an answer that came later."""

_events = Events("adjudge.signals")


def asked_by(ticket: Ticket, decision: Decision | None) -> Signal | None:
    """Return the signal of a decision that a ticket is of, answered or not; None where it has none such."""
    signal = decision.signals.get(ticket.signal) if decision is not None else None
    return signal if signal is not None and signal.call == ticket.call else None


async def read(
    source: OpenedSignal | None, before: Signal, ticket: str, body: bytes, headers: Mapping[str, str], now: datetime
) -> Signal:
    """Return a signal as its late answer has it. before: the signal while it was waited for.

    Raises UnknownCall where its provider is not asked any more, or does not know who sent this; SignalFailed where the
    provider failed to read it.
    """
    client: object = source.client if source is not None else None
    if source is None or source.provider.name != before.provider or not isinstance(client, ReadsLate):
        raise UnknownCall
    declaration = source.declaration
    late = LateAnswer(
        call=ticket,
        signal=declaration.name,
        body=body,
        headers={name.lower(): value for name, value in headers.items()},
        now=now,
        fields=declaration.fields,
        secrets=source.secrets,
    )
    try:
        async with asyncio.timeout(READ_WITHIN_S):
            answer: object = await client.read_late(late)
    except UnknownCall:
        raise UnknownCall from None  # in the words that say nothing
    except SignalFailed as failed:
        failure = cleaned_failure(failed)
        if failure.kind == "misconfigured":  # ours to mend; the answer may be sent again
            raise failure from None
        return structs.replace(
            before,
            status=SignalStatus.ERROR,
            reason=failure.reason,
            reason_code=failure.reason_code,
            capture_again=failure.capture_again,
            price=Decimal(0),
            is_final=True,  # it is what the provider came to
        )
    except asyncio.CancelledError:
        raise
    except BaseException as error:
        if is_operators(error):
            raise
        _events.exception("provider_failed", signal=declaration.name, provider=source.provider.name)
        raise SignalFailed(f"the provider raised {type(error).__name__}") from None
    if not isinstance(answer, Mapping):
        raise SignalFailed(f"the provider answered {describe(answer)}, not a map of fields")
    heard = provider_answer(declaration, answer)
    return structs.replace(
        before,
        status=SignalStatus.OK,
        fields=heard.fields,
        problems=heard.problems,
        reason=None,
        reason_code=None,
        request_id=heard.request_id or before.request_id,
        price=Decimal(0),
        is_final=False,
    )


def says_same(one: Signal, other: Signal) -> bool:
    """Whether two answers to a call are the same, as far as the log has them."""
    return (one.status, one.fields, one.problems, one.reason) == (
        other.status,
        other.fields,
        other.problems,
        other.reason,
    )


def unread(ticket: Ticket, policy: Policy, late: Signal) -> PreparedRequest:
    """Return the request of a ticket, to be decided again with a late answer; what it said is yet to be read."""
    return PreparedRequest(
        request=Request(merchant_biz_id=ticket.merchant_biz_id, scene_code="unread"),
        inputs={},
        policy=policy,
        key=RequestKey(ticket.merchant_biz_id, ticket.fingerprint),
        anew=False,
        problems=(),
        supplied={},
        of_request={},
        late=late,
    )


def restored(prepared: PreparedRequest, evidence: Evidence, earlier: Decision) -> PreparedRequest:
    """Return what was unread as its request was. evidence: of the decision that it is to supersede.

    Raises UnknownCall where a personal value of it was erased: what came later is none of anybody's business then.
    """
    body, policy = decision_of(parse(evidence.decision)), prepared.policy
    inputs, lacking = restore_fields(body.inputs, "", body.personal, evidence.values.get)
    erased = [
        name
        for signal in body.signals.values()
        for name in restore_fields(signal.fields, f"{signal.name}.", body.personal, evidence.values.get)[1]
    ]
    if lacking or erased:
        raise UnknownCall
    if policy.digest != body.policy_digest:  # another version answers by now; what it does not declare is left out
        inputs = {name: value for name, value in inputs.items() if name in _slots(policy)}
    return structs.replace(
        prepared,
        request=_request(body, inputs),
        inputs=inputs,
        problems=earlier.problems,
        of_request={name: part for name, part in parts_of(body).items() if name in policy.typed.of_request},
    )


def _slots(policy: Policy) -> set[str]:
    novel = (novel_name(name, declared) for name, declared in policy.typed.inputs.items())
    return {*policy.typed.inputs, *(name for name in novel if name is not None)}


def _request(body: DecisionBody, inputs: Mapping[str, object]) -> Request:
    face = body.face
    return Request(
        merchant_biz_id=body.merchant_biz_id,
        scene_code=body.scene_code,
        face=Face.recorded(face.digest, "video" if face.media_type == "video" else "image") if face else None,
        policy=body.policy,
        inputs=inputs,
        application_id=body.application_id,
        attempts=body.attempts,
    )
