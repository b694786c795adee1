"""Everything that a log holds of one request: decisions, the calls before them, and what came afterwards."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from adjudge.audit.annotations import ErasureBody, LabelBody
from adjudge.audit.bodies import COMMITMENT, DecisionBody
from adjudge.audit.elsewhere import AnyLog
from adjudge.audit.kinds import bodies
from adjudge.audit.record import Record
from adjudge.cli.audit.lines import call_said, erasure_said, label_said, milliseconds, reviewed_said
from adjudge.cli.output import verdict_lines
from adjudge.plugin import CallBody
from adjudge.policy.explaining.explanation import HIDDEN
from adjudge.values.literals import format_timestamp

_Told = DecisionBody | CallBody | LabelBody | ErasureBody


@dataclass(slots=True)
class Dossier:
    """One MerchantBizId. wanted: the decision that was asked for, where one was; without it all are meant."""

    merchant_biz_id: str
    wanted: str | None = None
    records: list[tuple[Record, _Told]] = field(default_factory=list)

    @classmethod
    def find(cls, log: AnyLog, one_id: str) -> Dossier | None:
        """Find a decision by its id, or a MerchantBizId; None where the log knows neither. Raises as `records`."""
        said = _in_line(one_id)
        found = None
        for record, body in bodies(log, DecisionBody, CallBody):
            if said not in record.line:
                continue
            if isinstance(body, DecisionBody) and body.decision_id == one_id:
                found = cls(body.merchant_biz_id, one_id)
                break
            if body.merchant_biz_id == one_id and found is None:
                found = cls(one_id)
        if found is not None:
            found._collect(log)
        return found

    def _collect(self, log: AnyLog) -> None:
        said = _in_line(self.merchant_biz_id)
        for record, body in bodies(log, DecisionBody, CallBody, LabelBody, ErasureBody):
            if said in record.line and isinstance(body, _Told) and body.merchant_biz_id == self.merchant_biz_id:
                self.records.append((record, body))

    def related(self) -> list[tuple[Record, _Told]]:
        """Return what is meant, in the log's order: all, or the decision that is wanted with what stands beside it."""
        if self.wanted is None:
            return self.records
        found = {
            record.place for record, body in self._decisions() if self.wanted in (body.decision_id, body.supersedes)
        }
        for record, body in self._decisions():
            if body.decision_id == self.wanted:
                found |= {call.place for call, _ in self._calls_of(record, body)}
        for record, other in self.records:
            if isinstance(other, ErasureBody) or (isinstance(other, LabelBody) and other.decision_id == self.wanted):
                found.add(record.place)
        return [one for one in self.records if one[0].place in found]

    def lines(self) -> Iterator[str]:
        """Yield it for a person: each decision with all that stands beside it."""
        shown = [(record, body) for record, body in self._decisions() if self.wanted in (None, body.decision_id)]
        for at, (record, body) in enumerate(shown):
            if at:
                yield ""
            yield from self._decision(record, body)
        held = {call.place for record, body in self._decisions() for call, _ in self._calls_of(record, body)}
        left = [
            (record, body) for record, body in self.records if isinstance(body, CallBody) and record.place not in held
        ]
        if self.wanted is None and (left or not shown):
            yield from [""] if shown else []
            yield f"no decision  {self.merchant_biz_id}"
            yield from _calls(left)
            yield from self._erasures(0) if not shown else []

    def _decisions(self) -> list[tuple[Record, DecisionBody]]:
        return [(record, body) for record, body in self.records if isinstance(body, DecisionBody)]

    def _decision(self, record: Record, body: DecisionBody) -> Iterator[str]:
        yield f"{body.outcome.value.upper()}  {body.merchant_biz_id}"
        yield from verdict_lines(body.verdict)
        yield from _rows("waived", body.verdict.waived)
        if body.sampled is not None:
            yield f"  sampled    {body.sampled.reason}: otherwise {body.verdict.outcome}"
        if body.reviewed is not None:
            yield f"  reviewed   {reviewed_said(body.reviewed)}; otherwise {body.verdict.outcome}"
        if not body.final:
            yield f"  final      {self._finality(body)}"
        yield f"  decided    {format_timestamp(body.at)}, {body.status}, {body.decision_id}"
        yield from _rows("supersedes", [body.supersedes] if body.supersedes else [])
        later = [other.decision_id for _, other in self._decisions() if other.supersedes == body.decision_id]
        yield from _rows("superseded", [f"by {one}" for one in later])
        yield f"  policy     {body.policy} {body.policy_digest}"
        yield f"  scene      {body.scene_code}"
        yield from _rows("part of", [body.application_id] if body.application_id else [])
        yield from _rows("attempt", [str(body.attempts)] if body.attempts is not None else [])
        if body.face is not None:
            size = f", {body.face.width} × {body.face.height} pixels" if body.face.width else ""
            yield f"  face       {body.face.media_type}{size}, SHA-256 {body.face.digest}"
        yield from _values("input", body.inputs)
        for name, signal in body.signals.items():
            reason = f": {signal.reason}" if signal.reason else ""
            price = f", {signal.price} {signal.currency}" if signal.price else ""
            yield f"  signal     {name} {signal.status.value.replace('_', ' ')}{price}{reason}"
            yield from _values("", {f"{name}.{field}": value for field, value in signal.fields.items()})
        yield from _rows("cost", [f"{amount} {currency}" for currency, amount in body.cost.items()])
        yield from _rows("applicant", [body.capture_again] if body.capture_again else [])
        yield from _rows("note", body.notes)
        yield from _calls(self._calls_of(record, body))
        for _, label in self.records:
            if isinstance(label, LabelBody) and label.decision_id == body.decision_id:
                yield f"  label      {milliseconds(label.at)}, {label_said(label)}"
        yield from self._erasures(record.place.position)
        yield f"  record     {record.place}, hash {record.hash}"

    def _finality(self, body: DecisionBody) -> str:
        """Say whether a decision is final that a person has to confirm, by its newest label."""
        labels = [one for _, one in self.records if isinstance(one, LabelBody) and one.decision_id == body.decision_id]
        if not labels:
            return "not yet: a person must confirm it"
        return "yes: a person confirmed it" if labels[-1].confirms else f"no: a person found it {labels[-1].label}"

    def _calls_of(self, record: Record, body: DecisionBody) -> list[tuple[Record, CallBody]]:
        """Return the calls that were made for a decision: those of its request since the decision before."""
        here = record.place.position
        before = max((at.place.position for at, one in self._decisions()
                      if at.place.position < here and one.fingerprint == body.fingerprint), default=0)  # fmt: skip
        return [
            (at, call)
            for at, call in self.records
            if isinstance(call, CallBody) and call.fingerprint == body.fingerprint and before < at.place.position < here
        ]

    def _erasures(self, after: int) -> Iterator[str]:
        for record, gone in self.records:
            if isinstance(gone, ErasureBody) and record.place.position > after:
                yield f"  erased     {milliseconds(gone.at)}, {erasure_said(gone)}, record {record.place}"


def _in_line(one_id: str) -> bytes:
    """Return what a line must have in it to be worth a look; nothing where JSON may write the id otherwise."""
    return one_id.encode() if one_id.isascii() and one_id.isalnum() else b""


def _calls(calls: Sequence[tuple[Record, CallBody]]) -> Iterator[str]:
    for record, call in calls:
        said = f"{call.provider} {call_said(call)}, attempt {call.attempt}"
        yield f"  call       {milliseconds(call.at)}, {said}, record {record.place}"


def _rows(label: str, texts: Sequence[str]) -> Iterator[str]:
    yield from (f"  {label:<11}{text}" for text in texts)


def _values(label: str, values: Mapping[str, object]) -> Iterator[str]:
    for name, value in values.items():
        personal = isinstance(value, Mapping) and value.keys() == {COMMITMENT}
        yield f"  {label:<11}{name} = {HIDDEN if personal else json.dumps(value, ensure_ascii=False)}"
