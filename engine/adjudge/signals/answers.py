"""What a provider said, as far as it was asked for and can be recorded: its answers and its failures."""

from __future__ import annotations

from collections.abc import Mapping

from adjudge.errors import SignalFailed, SignalLater
from adjudge.frozen import frozen
from adjudge.plugin import Answer, Unusable
from adjudge.policy.slots import TEXTS, novel_name
from adjudge.policy.typed import SignalDeclaration
from adjudge.values.fields import Field
from adjudge.values.recorded import recordable
from adjudge.values.types import named

REASON_MAX = 500
"""Characters that are kept of what a provider says of its failure."""
_FOR_EVER_S = 1e9
LATEST_S = 90 * 86400.0
"""Seconds within which an answer may come later, at most."""


@frozen
class ProviderAnswer:
    """A provider's answer: declared fields, what was wrong with others, and the other side's number for the call."""

    fields: Mapping[str, object]
    problems: tuple[tuple[str, str], ...]
    request_id: str | None


def provider_answer(declaration: SignalDeclaration, answer: Answer) -> ProviderAnswer:
    """Keep what is declared: anything else that a provider sends along has no business in the log."""
    fields: dict[str, object] = {}
    problems: list[tuple[str, str]] = []
    for name, declared in _readable(declaration.fields).items():
        value = answer.get(name)
        if value is None:
            value = declared.left_out
        if value is not None:
            slot = f"{declaration.name}.{name}"
            fields[name] = None  # it was answered, which `absent` must not forget
            try:
                if isinstance(value, Unusable):
                    problems.append((slot, _text(value.reason) or "cannot be used"))
                else:
                    fields[name] = recordable(declared, value, problems, slot)
            except TypeError as error:
                problems.append((slot, f"must be {named(declared.type)}, not {error}"))
            except RecursionError:
                problems.append((slot, "is nested too deeply"))
    return ProviderAnswer(fields, tuple(problems), _text(answer.get("request_id")))


def cleaned_failure(failure: SignalFailed) -> SignalFailed:
    """Return a plugin's failure with nothing in it but what its words allow, whatever stood there."""
    if isinstance(failure, SignalLater):
        within_s = _seconds(failure.within_s)
        if within_s is None:
            return SignalFailed("the provider says no time within which it answers")
        return SignalLater(
            within_s=min(within_s, LATEST_S),
            request_id=_text(failure.request_id),
            billed=failure.billed if failure.billed is True or failure.billed is False else None,
        )
    return SignalFailed(
        _text(failure.reason) or "no reason given",
        kind=_text(failure.kind) or "error",
        reason_code=_text(failure.reason_code),
        capture_again=_text(failure.capture_again),
        request_id=_text(failure.request_id),
        billed=failure.billed if failure.billed is True or failure.billed is False else None,
        retry_after_s=_seconds(failure.retry_after_s),
        asked=failure.asked is not False,
    )


def _readable(fields: Mapping[str, Field]) -> dict[str, Field]:
    """Return the fields that a signal may answer: those declared, and what each has outside its vocabulary."""
    novel = (novel_name(name, declared) for name, declared in fields.items())
    return {name: TEXTS for name in novel if name is not None} | dict(fields)


def _seconds(said: object) -> float | None:
    if isinstance(said, bool) or not isinstance(said, int | float) or not said >= 0:
        return None
    return float(min(said, _FOR_EVER_S))


def _text(said: object) -> str | None:
    """Return a provider's words as the log can hold them; None where they are no text."""
    return str.__str__(said)[:REASON_MAX].encode("utf-8", "replace").decode() if isinstance(said, str) else None
