"""A request prepared: its values as the log has them, and what is known of it before anybody is asked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import Decimal

import msgspec
from msgspec import structs

from adjudge.decision.fingerprint import fingerprint, fingerprints
from adjudge.errors import NAME_SHOWN, RequestError, did_you_mean
from adjudge.model import Decision, Request, Signal, SignalStatus, Verdict
from adjudge.policy.policy import Policy
from adjudge.policy.slots import parts_of
from adjudge.values.fields import Field
from adjudge.values.reading import describe
from adjudge.values.recorded import as_it_came, canonical, recordable
from adjudge.values.types import named

NOT_SUPPLIED = "the caller did not supply it"
NOT_ASKED = "not asked: the request was decided again for a late answer alone"


class RequestKey(msgspec.Struct, frozen=True, gc=False):
    """What a request is known by: two requests with the same key are one.

    former: the fingerprint that version 0.1 gave it, which took two spellings of a value for two, and held the policy
    that its scene chose; None where that is the same.
    """

    merchant_biz_id: str
    fingerprint: str
    former: str | None = None

    def has(self, fingerprint: str) -> bool:
        """Whether a fingerprint, of this version or of one before it, is that of the request."""
        return fingerprint == self.fingerprint or fingerprint == self.former


class PreparedRequest(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A request that can be decided, its values in the form that the log has for them.

    request: as it came; what it holds may change in its caller's hands, so `inputs` and `supplied` are used instead.
    key: what it is known by. anew: decide again although there is an answer.
    problems: of its inputs, values that no log can hold and that are unknown: (full name, what was wrong).
    supplied: the signals that it brings along. of_request: its own parts that the policy reads, such as `attempts`.
    late: an answer that came later, for which it is decided again as the log has it: nobody else is asked.
    """

    request: Request
    inputs: Mapping[str, object]
    policy: Policy
    key: RequestKey
    anew: bool
    problems: tuple[tuple[str, str], ...]
    supplied: Mapping[str, Signal]
    of_request: Mapping[str, object]
    late: Signal | None = None


def as_taken(prepared: PreparedRequest) -> Request:
    """Return the request as providers are to see it."""
    signals = {name: signal.fields for name, signal in prepared.supplied.items()}
    return structs.replace(prepared.request, inputs=prepared.inputs, signals=signals)


def prepare(request: Request, policy: Policy, key: bytes, *, anew: bool = False) -> PreparedRequest:
    """Prepare a request.

    key: the secret behind its fingerprint. anew: whether to decide again although there is an answer.
    Raises RequestError for a name that the policy does not declare, since a typo is not to become unknown in silence,
    and for a kind of value that JSON does not have.
    """
    typed = policy.typed
    problems: list[tuple[str, str]] = []
    written: dict[str, object] = {}
    for name in typed.of_request and typed.of_request & request.inputs.keys():  # few policies read such a part
        raise RequestError(f"is a part of the request itself: give its `{name}`", where=f"inputs.{name}")
    inputs = _values(request.inputs, typed.inputs, "inputs.", "", problems, written)
    names = (policy.name,) if request.policy is not None else (None, policy.name)
    now, *others = fingerprints(request, inputs, names, key)
    former = others[0] if others else None
    if written:
        former = fingerprint(request, {**inputs, **written}, policy.name, key)
    inputs_lack, signals_lack = policy.may_lack
    supplied = {}
    for name, given in request.signals.items():
        declared = typed.signals.get(name)
        if declared is None:
            raise _not_declared("signals.", name, typed.signals)
        if declared.provider is not None:
            raise RequestError(f"comes from {declared.provider}, not from the caller", where=f"signals.{name}")
        refused: list[tuple[str, str]] = []
        came = _values(given, declared.fields, f"signals.{name}.", f"{name}.", refused, {})
        fields = _filled(came, signals_lack[name]) if name in signals_lack else came
        supplied[name] = Signal(name=name, status=SignalStatus.OK, fields=fields, problems=tuple(refused))
    return PreparedRequest(
        request=request,
        inputs=_filled(inputs, inputs_lack) if inputs_lack else inputs,
        policy=policy,
        key=RequestKey(request.merchant_biz_id, now, former),
        anew=anew,
        problems=tuple(problems),
        supplied=supplied,
        of_request={name: part for name, part in parts_of(request).items() if name in typed.of_request}
        if typed.of_request
        else {},
    )


def _values(
    given: Mapping[str, object],
    declared: Mapping[str, Field],
    where: str,
    prefix: str,
    refused: list[tuple[str, str]],
    written: dict[str, object],
) -> dict[str, object]:
    """Return what was given in the form that the log has for it.

    where: in the request; prefix: of full names. written: takes what was written in another form than that.
    """
    values = {}
    for name, value in given.items():
        field = declared.get(name)
        if value is None and field is not None:
            continue  # a JSON null is absence
        if field is None:
            raise _not_declared(where, name, declared)
        if (found := as_it_came(field, value)) is not None:
            values[name] = found
            continue
        try:
            said = recordable(field, value, refused, prefix + name)
            values[name] = canonical(field, said)
            if values[name] is not said and repr(values[name]) != repr(said):
                written[name] = said
        except TypeError as error:
            raise RequestError(f"must be {named(field.type)}, not {error}", where=f"{where}{name}") from None
        except RecursionError:
            raise RequestError("is nested too deeply", where=f"{where}{name}") from None
    return values


def _not_declared(where: str, name: object, declared: Mapping[str, object]) -> RequestError:
    said = name[:NAME_SHOWN] if isinstance(name, str) else describe(name)
    return RequestError("is not declared", where=f"{where}{said}", hint=did_you_mean(said, declared))


def _filled(values: dict[str, object], may_lack: Mapping[str, Field]) -> dict[str, object]:
    """Return what came, with what each field means that was left out of it, in the form that the log has for it.

    may_lack: the fields of which it is declared what that means.
    """
    absent = {
        name: recordable(field, field.left_out, [], name) for name, field in may_lack.items() if name not in values
    }
    return {**values, **absent} if absent else values


def verdict_on(prepared: PreparedRequest, now: datetime, signals: Mapping[str, Signal]) -> Verdict:
    """Evaluate the policy of a request on what is known. now: the decision's clock, aware."""
    fields = {name: signal.fields for name, signal in signals.items() if signal.status is SignalStatus.OK}
    given = {**prepared.inputs, **prepared.of_request, **fields}
    return prepared.policy.evaluate(prepared.policy.as_taken(given), now=now)


def is_answer(earlier: Decision, prepared: PreparedRequest, now: datetime) -> bool:
    """Whether an earlier decision is the answer: nothing failed, and the caller brings nothing that was missing.

    An answer that was to come later and has not is a failure once its time is over. now: aware.
    """
    if earlier.reviewed is not None:
        return True  # what a person has decided stands until somebody asks anew
    if prepared.late is not None:
        waited = earlier.signals.get(prepared.late.name)
        return waited is None or waited.status is not SignalStatus.PENDING or waited.call != prepared.late.call
    if not earlier.verdict.settled and any(_is_overdue(signal, now) for signal in earlier.signals.values()):
        return False
    brings = any(
        _completed(name, given, earlier).fields != earlier.signals[name].fields
        for name, given in prepared.supplied.items()
        if name in earlier.signals
    )
    return earlier.complete and (earlier.verdict.settled or not brings)


def _is_overdue(signal: Signal, now: datetime) -> bool:
    """Whether a signal's answer should have come by now, and it may be asked again."""
    return signal.status is SignalStatus.PENDING and not signal.is_final and not signal.is_awaited(now)


def supplied_signals(names: Sequence[str], prepared: PreparedRequest, kept: Decision | None) -> dict[str, Signal]:
    """Return the signals that callers supply: as given first, completed by what was missing then."""
    return {name: _completed(name, prepared.supplied.get(name), kept) for name in names}


def _completed(name: str, given: Signal | None, kept: Decision | None) -> Signal:
    """Return a supplied signal; a retry adds what was not known, and takes nothing back: it is no second chance."""
    before = kept.signals.get(name) if kept is not None else None
    if before is None or before.status is not SignalStatus.OK or kept is None:
        return given or before or Signal(name=name, status=SignalStatus.NOT_PROVIDED, reason=NOT_SUPPLIED)
    if given is None:
        return before
    lacking = set(kept.verdict.missing)
    added = {
        field: value
        for field, value in given.fields.items()
        if name in lacking or f"{name}.{field}" in lacking or field not in before.fields
    }
    return structs.replace(
        before, fields={**before.fields, **added}, problems=given.problems if added else before.problems
    )


def answered_before(
    names: Sequence[str], prepared: PreparedRequest, kept: Decision | None, now: datetime
) -> dict[str, Signal]:
    """Return what the same providers said before, now for nothing; only those that may say more are asked again.

    names: of all that are asked. now: aware.
    """
    before, signals = kept.signals if kept is not None else {}, prepared.policy.typed.signals
    same = {name for name in names if name in before and before[name].provider == signals[name].provider}
    if (late := prepared.late) is not None:
        found = {name: _as_before(before[name]) if name in same else _not_asked(name, prepared) for name in names}
        return {**found, late.name: late} if late.name in same else found
    return {
        name: _as_before(before[name])
        for name in names
        if name in same
        and (before[name].status is SignalStatus.OK or before[name].is_final or before[name].is_awaited(now))
        and not (kept is not None and kept.should_retry(before[name]))
    }


def _as_before(signal: Signal) -> Signal:
    return structs.replace(signal, price=Decimal(0))


def _not_asked(name: str, prepared: PreparedRequest) -> Signal:
    """Return a signal of a policy that came since; a retry asks for it."""
    provider = prepared.policy.typed.signals[name].provider
    return Signal(name=name, status=SignalStatus.UNAVAILABLE, reason=NOT_ASKED, provider=provider)
