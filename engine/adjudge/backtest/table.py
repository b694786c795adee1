"""Recorded decisions of one policy as a table of Arrow, a column at a time."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from operator import attrgetter
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc

from adjudge.audit.bodies import DecisionBody, Reveal, restore_fields
from adjudge.backtest.layout import arrow_type, open_field, to_arrow
from adjudge.frozen import frozen
from adjudge.model import SignalStatus
from adjudge.policy.slots import TEXTS, join_novel, novel_name
from adjudge.policy.typed import TypedPolicy
from adjudge.values.fields import Field
from adjudge.values.reading import read
from adjudge.values.types import BOOL, DOUBLE, INT, STRING, ListType, MapType, Type

if TYPE_CHECKING:
    Raw = Sequence[Any]

_PLAIN: Mapping[Type, type] = {BOOL: bool, INT: int, DOUBLE: float, STRING: str}
_TEXT, _TEXTS = pa.string(), pa.list_(pa.string())
_TIME = pa.timestamp("us", "UTC")
_MONEY = pa.map_(pa.string(), pa.float64())
_TOTALS = pa.map_(pa.string(), pa.list_(pa.int64()))

Rows = Sequence[tuple[int, DecisionBody]]
_META: Mapping[str, tuple[pa.DataType, Callable[[DecisionBody], object]]] = {
    "decision_id": (_TEXT, attrgetter("decision_id")),
    "merchant_biz_id": (_TEXT, attrgetter("merchant_biz_id")),
    "scene_code": (_TEXT, attrgetter("scene_code")),
    "application_id": (_TEXT, attrgetter("application_id")),
    "attempts": (pa.int64(), attrgetter("attempts")),
    "sampled_share": (pa.float64(), lambda body: body.sampled and body.sampled.share),
    "at": (_TIME, attrgetter("at")),
    "policy": (_TEXT, attrgetter("policy")),
    "policy_digest": (_TEXT, attrgetter("policy_digest")),
    "status": (_TEXT, attrgetter("status")),
    "supersedes": (_TEXT, attrgetter("supersedes")),
    "outcome": (_TEXT, attrgetter("verdict.outcome")),
    "lower": (_TEXT, attrgetter("verdict.lower")),
    "upper": (_TEXT, attrgetter("verdict.upper")),
    "settled": (pa.bool_(), attrgetter("verdict.settled")),
    "score_low": (pa.int64(), lambda body: body.verdict.score and body.verdict.score[0]),
    "score_high": (pa.int64(), lambda body: body.verdict.score and body.verdict.score[1]),
    "scores": (_TOTALS, lambda body: [(name, list(total)) for name, total in body.verdict.scores.items()] or None),
    "matched": (_TEXTS, attrgetter("verdict.matched")),
    "unresolved": (_TEXTS, attrgetter("verdict.unresolved")),
    "reasons": (_TEXTS, attrgetter("verdict.reasons")),
    "missing": (_TEXTS, attrgetter("verdict.missing")),
    "waived": (_TEXTS, attrgetter("verdict.waived")),
    "excused": (_TEXTS, attrgetter("verdict.excused")),
    "ask": (_TEXTS, attrgetter("verdict.ask")),
    "duration_ms": (pa.float64(), attrgetter("duration_ms")),
    "cost": (_MONEY, lambda body: body.cost and [(name, float(amount)) for name, amount in body.cost.items()]),
    "face.media_type": (_TEXT, lambda body: body.face and body.face.media_type),
    "face.size": (pa.int64(), lambda body: body.face and body.face.size),
    "face.width": (pa.int64(), lambda body: body.face and body.face.width),
    "face.height": (pa.int64(), lambda body: body.face and body.face.height),
}


@frozen
class Columns:
    """The fields of a policy that are exported: of the inputs, and of each signal."""

    inputs: Mapping[str, Field]
    signals: Mapping[str, Mapping[str, Field]]

    @classmethod
    def of(cls, policy: TypedPolicy, *, with_personal: bool) -> Columns:
        """Return those of a policy; personal ones only if wanted."""
        return cls(
            _chosen({k: field for k, field in policy.inputs.items() if k not in policy.of_request}, with_personal),
            {name: _chosen(signal.fields, with_personal) for name, signal in policy.signals.items()},
        )

    def types(self) -> dict[str, pa.DataType]:
        """Return the columns of fields, with their types."""
        made = _types("inputs.", self.inputs)
        for name, fields in self.signals.items():
            made |= _types(f"signals.{name}.", fields)
        return made

    def table(self, rows: Rows, reveal: Reveal) -> pa.Table:
        """Return decisions as a table."""
        bodies = [body for _, body in rows]
        made = {"seq": pa.array([seq for seq, _ in rows], pa.int64())}
        made |= {name: pa.array(list(map(of, bodies)), type_) for name, (type_, of) in _META.items()}
        inputs = [_restored(body.inputs, "", body, reveal) for body in bodies]
        _fill(made, "inputs.", self.inputs, inputs)
        for name, fields in self.signals.items():
            signals = [body.signals.get(name) for body in bodies]
            made[f"status.{name}"] = pa.array([one and one.status for one in signals], _TEXT)
            given = [
                _restored(one.fields, f"{name}.", body, reveal) if one and one.status is SignalStatus.OK else {}
                for one, body in zip(signals, bodies, strict=True)
            ]
            _fill(made, f"signals.{name}.", fields, given)
        return pa.table(made)


def _chosen(fields: Mapping[str, Field], with_personal: bool) -> dict[str, Field]:
    novels = {novel_name(name, field) for name, field in fields.items()}
    hidden = {name for name, field in fields.items() if field.personal and not with_personal}
    return {name: field for name, field in fields.items() if name not in hidden and name not in novels}


def _types(prefix: str, fields: Mapping[str, Field]) -> dict[str, pa.DataType]:
    made: dict[str, pa.Array] = {}
    _fill(made, prefix, fields, [])
    return {name: values.type for name, values in made.items()}


def _restored(fields: Mapping[str, object], prefix: str, body: DecisionBody, reveal: Reveal) -> Mapping[str, object]:
    return restore_fields(fields, prefix, body.personal, reveal)[0] if body.personal else fields


def _fill(made: dict[str, pa.Array], prefix: str, fields: Mapping[str, Field], given: Raw) -> None:
    for name, field in fields.items():
        raw = [one.get(name) for one in given]
        made[prefix + name] = column(open_field(field), raw)
        for key, entry in field.entries.items():
            entries = [one.get(key) if type(one) is dict else None for one in raw]
            made[f"{prefix}{name}.{key}"] = column(open_field(entry), entries)
        novel = novel_name(name, field)
        if novel is not None:
            named = [one.get(novel) for one in given]
            made[prefix + novel] = pa.array([_novel(field, *pair) for pair in zip(raw, named, strict=True)], _TEXTS)


def _novel(field: Field, value: object, named: object) -> object:
    """Return what is outside a vocabulary; most often nothing is, which is seen at once."""
    if named is None and isinstance(value, list | dict) and field.vocabulary is not None:
        try:
            if frozenset(field.vocabulary).issuperset(value):
                return []
        except TypeError:
            pass
    return to_arrow(join_novel(read(field, value), named, read(TEXTS, named)), TEXTS.type)


def column(field: Field, raw: Raw) -> pa.Array:
    """Return values as they were given as a column; NULL where one is not of the field's type."""
    kinds = set(map(type, raw)) - {type(None)}
    try:
        if kinds <= {_PLAIN.get(field.type)}:
            made = pa.array(raw, arrow_type(field.type))
            if field.type != DOUBLE or pc.all(pc.is_finite(made)).as_py() is not False:
                return made
        elif field.type == ListType(STRING) and kinds <= {list}:
            return pa.array(raw, _TEXTS)
        elif isinstance(field.type, MapType) and field.of is not None and kinds <= {dict}:
            return _map(field.of, raw)
    except (pa.ArrowException, OverflowError, UnicodeEncodeError, TypeError):
        pass  # one of them is not as it should be; each is looked at alone
    return pa.array([to_arrow(read(field, value).value, field.type) for value in raw], arrow_type(field.type))


def _map(of: Field, raw: Raw) -> pa.Array:
    offsets: list[int | None] = []
    keys: list[str] = []
    items: list[object] = []
    for entries in raw:
        offsets.append(len(keys) if entries is not None else None)
        if entries:
            keys.extend(entries)
            items.extend(entries.values())
    offsets.append(len(keys))
    return pa.MapArray.from_arrays(pa.array(offsets, pa.int32()), pa.array(keys, _TEXT), column(of, items))
