"""What the records of a decision and of a policy hold, and the way back from them."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any

import msgspec
from msgspec import structs

from adjudge.audit.media import jpeg_size
from adjudge.model import Arm, Decision, DecisionStatus, Face, Outcome, Request, Reviewed, Sampled, Signal, Verdict
from adjudge.plugin import Provider
from adjudge.policy.policy import Policy
from adjudge.policy.slots import novel_name
from adjudge.values.fields import Field
from adjudge.values.recorded import form_of

COMMITMENT = "commitment"

Sealed = Mapping[str, str]
"""The commitments of personal values, by their full names."""


class FaceBody(msgspec.Struct, frozen=True, omit_defaults=True, gc=False):
    """A face as the log knows it: never the media itself. width, height: in pixels, of a JPEG."""

    digest: str
    media_type: str
    size: int | None = None
    width: int | None = None
    height: int | None = None


class ShadowBody(msgspec.Struct, frozen=True, gc=False):
    """What a shadow policy would have come to. rollout: its name. digest: of the policy.

    It was judged on the signals that the answer was made of: what it lacked is unknown, and the bounds hold whatever
    that is. outcome: with its own `when_unknown` for what it lacked.
    """

    rollout: str
    digest: str
    outcome: Outcome
    lower: Outcome
    upper: Outcome


class DecisionBody(msgspec.Struct, frozen=True, omit_defaults=True, gc=False):
    """A decision. `at` is the decision's clock; money is a string, durations are milliseconds.

    inputs, signals: fields as they came, times and lengths of time as texts.

    personal: full names of the fields, such as `email` or `device.owner`, that stand here as commitments.
    arm, shadows: while rollouts run. reviewed: where a person has decided.
    """

    decision_id: str
    merchant_biz_id: str
    scene_code: str
    status: DecisionStatus
    policy: str
    policy_digest: str
    fingerprint: str
    at: datetime
    durability: str
    inputs: dict[str, Any]
    signals: dict[str, Signal]
    verdict: Verdict
    personal: tuple[str, ...] = ()
    face: FaceBody | None = None
    supersedes: str | None = None
    duration_ms: float = 0.0
    cost: dict[str, Decimal] = {}
    capture_again: str | None = None
    capture_reason: str | None = None
    notes: tuple[str, ...] = ()
    problems: tuple[tuple[str, str], ...] = ()
    application_id: str | None = None
    attempts: int | None = None
    sampled: Sampled | None = None
    final: bool = True
    arm: Arm | None = None
    shadows: tuple[ShadowBody, ...] = ()
    reviewed: Reviewed | None = None

    @property
    def outcome(self) -> Outcome:
        """What was to happen, as of `Decision`."""
        if self.reviewed is not None:
            return self.reviewed.then
        return self.verdict.outcome if self.sampled is None else self.sampled.then

    @property
    def judged_at(self) -> datetime:
        """The policy's `now`: when it was decided, or when the verdict was made that a person then decided about."""
        return self.at if self.reviewed is None else self.reviewed.judged_at


class PolicyBody(msgspec.Struct, frozen=True, omit_defaults=True):
    """A policy as it was used: enough to load it again without its files and its plugins.

    lists: texts of list files by the path in the policy. providers: what each declared, by name.
    at: when this process first used it, aware UTC; None in records of version 0.1.0.
    """

    policy: str
    digest: str
    policy_language: int
    engine: str
    text: str
    lists: dict[str, str] = {}
    providers: dict[str, ProviderBody] = {}
    at: datetime | None = None

    def is_same(self, other: PolicyBody | None) -> bool:
        """Whether another record is of the same policy with the same providers, whenever either was first used."""
        return other is not None and structs.replace(self, at=other.at) == other


class ProviderBody(msgspec.Struct, frozen=True, omit_defaults=True):
    """What a provider declared.

    fields: always; None where the policy declares them. derived: for each `with:`, where the fields follow from it.
    """

    version: str
    fields: dict[str, dict[str, Any]] | None = None
    derived: list[DerivedBody] = []


class DerivedBody(msgspec.Struct, frozen=True):
    """The fields that a provider made of a `with:`."""

    config: dict[str, Any]
    fields: dict[str, dict[str, Any]]


def policy_body(policy: Policy, providers: Mapping[str, Provider], engine: str, at: datetime) -> PolicyBody:
    """Return the record of a policy. engine: this package's version. at: when it is first used, aware UTC."""
    typed = policy.typed
    used: dict[str, ProviderBody] = {}
    for signal in typed.signals.values():
        if signal.provider is not None:
            provider = providers[signal.provider]
            fields = {name: form_of(field) for name, field in signal.fields.items()}
            if provider.derive is not None:
                derived = DerivedBody(dict(signal.config), fields)
                before = used[signal.provider].derived if signal.provider in used else []
                used[signal.provider] = ProviderBody(provider.version, derived=[*before, derived])
            else:
                used[signal.provider] = ProviderBody(provider.version, fields if provider.fields is not None else None)
    return PolicyBody(
        policy=typed.name,
        digest=typed.digest,
        policy_language=typed.policy_language,
        engine=engine,
        text=typed.source.part(0)[0].text,
        lists=dict(typed.texts),
        providers=used,
        at=at,
    )


class Recorder:
    """Turns the decisions of one policy into records."""

    def __init__(self, policy: Policy, durability: str) -> None:
        """Note which fields are personal. durability: named in each record."""
        self._durability = durability
        typed = policy.typed
        self._inputs = _personal(typed.inputs)
        self._signals = {name: _personal(signal.fields) for name, signal in typed.signals.items()}
        self.is_personal = any((self._inputs, *self._signals.values()))

    def personal(self, inputs: Mapping[str, object], signals: Iterable[Signal]) -> dict[str, object]:
        """Return the personal values among inputs and signals, by full name: what is to be sealed."""
        found = {name: inputs[name] for name in self._inputs if inputs.get(name) is not None}
        for signal in signals:
            for name in self._signals[signal.name]:
                if signal.fields.get(name) is not None:
                    found[f"{signal.name}.{name}"] = signal.fields[name]
        return found

    def body(
        self,
        decision: Decision,
        request: Request,
        inputs: Mapping[str, object],
        sealed: Sealed,
        shadows: tuple[ShadowBody, ...] = (),
    ) -> DecisionBody:
        """Return the record of a decision.

        inputs: of the request, in the form that the log has for them. sealed: what is `personal` in these and in the
        decision's signals. shadows: what others would have come to.
        """
        return DecisionBody(
            decision_id=decision.decision_id,
            merchant_biz_id=decision.merchant_biz_id,
            scene_code=request.scene_code,
            status=decision.status,
            policy=decision.policy,
            policy_digest=decision.policy_digest,
            fingerprint=decision.fingerprint,
            at=decision.decided_at,
            durability=self._durability,
            inputs=_written(inputs, self._inputs, "", sealed),
            signals={name: self.signal(signal, sealed) for name, signal in decision.signals.items()}
            if self.is_personal
            else dict(decision.signals),
            verdict=decision.verdict,
            personal=tuple(sealed),
            face=_face_body(request.face) if request.face is not None else None,
            supersedes=decision.supersedes,
            duration_ms=decision.duration_ms,
            cost=dict(decision.cost),
            capture_again=decision.capture_again,
            capture_reason=decision.capture_reason,
            notes=decision.notes,
            problems=decision.problems,
            application_id=request.application_id,
            attempts=request.attempts,
            sampled=decision.sampled,
            final=decision.final,
            arm=decision.arm,
            shadows=shadows,
            reviewed=decision.reviewed,
        )

    def signal(self, signal: Signal, sealed: Sealed) -> Signal:
        """Return a signal as it is recorded."""
        personal = self._signals[signal.name]
        if not personal:
            return signal
        return structs.replace(signal, fields=_written(signal.fields, personal, f"{signal.name}.", sealed))


def _written(fields: Mapping[str, object], names: Sequence[str], prefix: str, sealed: Sealed) -> dict[str, Any]:
    """Return fields with commitments in place of those `names` that are known. prefix: of full names."""
    standing = dict(fields)
    for name in names:
        if standing.get(name) is not None:
            standing[name] = {COMMITMENT: sealed[prefix + name]}
    return standing


def _personal(fields: Mapping[str, Field]) -> tuple[str, ...]:
    """Return the names of personal fields, and of what each may have outside its vocabulary."""
    names = {name: novel_name(name, field) for name, field in fields.items() if field.personal}
    return (*names, *(novel for novel in names.values() if novel is not None))


def _face_body(face: Face) -> FaceBody:
    if face.data is None:
        return FaceBody(digest=face.digest, media_type=face.media_type)
    width, height = jpeg_size(face.data) or (None, None)
    return FaceBody(face.digest, face.media_type, len(face.data), width, height)


Reveal = Callable[[str], object]
"""Return the value behind a commitment; None where the vault lacks it."""


def restore_decision(body: DecisionBody, reveal: Reveal) -> Decision:
    """Return the decision that a record holds; a field whose value is gone is left out."""
    signals: Mapping[str, Signal] = body.signals
    if body.personal:
        signals = {name: _restored(signal, body.personal, reveal) for name, signal in body.signals.items()}
    return Decision(
        decision_id=body.decision_id,
        merchant_biz_id=body.merchant_biz_id,
        status=body.status,
        verdict=body.verdict,
        policy=body.policy,
        policy_digest=body.policy_digest,
        fingerprint=body.fingerprint,
        decided_at=body.at,
        signals=signals,
        supersedes=body.supersedes,
        duration_ms=body.duration_ms,
        cost=body.cost,
        capture_again=body.capture_again,
        capture_reason=body.capture_reason,
        notes=body.notes,
        problems=body.problems,
        sampled=body.sampled,
        final=body.final,
        arm=body.arm,
        reviewed=body.reviewed,
    )


def _restored(signal: Signal, personal: Collection[str], reveal: Reveal) -> Signal:
    fields, lacking = restore_fields(signal.fields, f"{signal.name}.", personal, reveal)
    for name in lacking:
        del fields[name.removeprefix(f"{signal.name}.")]
    return structs.replace(signal, fields=fields)


def restore_fields(
    fields: Mapping[str, object], prefix: str, personal: Collection[str], reveal: Reveal
) -> tuple[dict[str, object], tuple[str, ...]]:
    """Return fields with the values behind their commitments, and the full names of those that the vault lacks.

    prefix: of full names, `device.`, or empty for inputs. personal: as in the decision's record.
    """
    restored = dict(fields)
    if not personal:
        return restored, ()
    lacking: list[str] = []
    for name, value in fields.items():
        if prefix + name in personal and isinstance(value, dict):
            restored[name] = reveal(str(value.get(COMMITMENT)))
            if restored[name] is None:
                lacking.append(prefix + name)
    return restored, tuple(lacking)
