"""A request taken in: its names known to the policy, its values in the form that the audit log has for them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from msgspec import structs

from adjudge.errors import RequestError, did_you_mean
from adjudge.fields import Field, recordable
from adjudge.model import Request, Signal, SignalStatus
from adjudge.policy.policy import Policy
from adjudge.store.fingerprint import fingerprint


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """A request that can be decided, its values in the form that the log has for them.

    request: as it came; what it holds may change in its caller's hands, so `inputs` and `supplied` are used instead.
    mark: its fingerprint. anew: decide again although there is an answer.
    problems: of its inputs, values that no log can hold and that are unknown: (full name, what was wrong).
    supplied: the signals that it brings along.
    """

    request: Request
    inputs: Mapping[str, object]
    policy: Policy
    mark: str
    anew: bool
    problems: tuple[tuple[str, str], ...]
    supplied: Mapping[str, Signal]


def as_taken(case: Case) -> Request:
    """Return the request as providers are to see it."""
    signals = {name: signal.fields for name, signal in case.supplied.items()}
    return structs.replace(case.request, inputs=case.inputs, signals=signals)


def take(request: Request, policy: Policy, key: bytes, *, anew: bool = False) -> Case:
    """Take a request in.

    key: the secret behind its fingerprint. anew: whether to decide again although there is an answer.
    Raises RequestError for a name that the policy does not declare, since a typo is not to become unknown in silence,
    and for a kind of value that JSON does not have.
    """
    typed = policy.typed
    problems: list[tuple[str, str]] = []
    inputs = _values(request.inputs, typed.inputs, "inputs.", "", problems)
    supplied = {}
    for name, given in request.signals.items():
        declared = typed.signals.get(name)
        if declared is None:
            raise RequestError("is not declared", where=f"signals.{name}", hint=did_you_mean(str(name), typed.signals))
        if declared.provider is not None:
            raise RequestError(f"is asked from {declared.provider}, not taken from the caller", where=f"signals.{name}")
        refused: list[tuple[str, str]] = []
        fields = _values(given, declared.fields, f"signals.{name}.", f"{name}.", refused)
        supplied[name] = Signal(name=name, status=SignalStatus.OK, fields=fields, problems=tuple(refused))
    return Case(
        request=request,
        inputs=inputs,
        policy=policy,
        mark=fingerprint(request, inputs, policy.name, key),
        anew=anew,
        problems=tuple(problems),
        supplied=supplied,
    )


def _values(
    given: Mapping[str, object], declared: Mapping[str, Field], where: str, prefix: str, refused: list[tuple[str, str]]
) -> dict[str, object]:
    """Return what was given in the form that the log has for it. where: in the request; prefix: of full names."""
    values = {}
    for name, value in given.items():
        field = declared.get(name)
        if field is None:
            raise RequestError("is not declared", where=f"{where}{name}", hint=did_you_mean(str(name), declared))
        try:
            values[name] = recordable(field, value, refused, prefix + name)
        except TypeError as error:
            raise RequestError(f"must be a {field.type}, not {error}", where=f"{where}{name}") from None
        except RecursionError:
            raise RequestError("is nested too deeply", where=f"{where}{name}") from None
    return values
