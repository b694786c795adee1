"""Recorded decisions of one policy as a table of Arrow, a column at a time."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import accumulate, chain
from operator import attrgetter, is_, itemgetter
from typing import TYPE_CHECKING, Any

import msgspec
import pyarrow as pa
import pyarrow.compute as pc
from msgspec.structs import astuple

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
    ByName = Callable[[str], Raw]

_PLAIN: Mapping[Type, type] = {BOOL: bool, INT: int, DOUBLE: float, STRING: str}
_TEXT_FIELD = Field(type=STRING)
_TEXT, _TEXTS = pa.string(), pa.list_(pa.string())
_TIME = pa.timestamp("us", "UTC")
_MONEY = pa.map_(pa.string(), pa.float64())
_TOTALS = pa.map_(pa.string(), pa.list_(pa.int64()))

_META: Mapping[str, tuple[pa.DataType, str]] = {
    "decision_id": (_TEXT, "decision_id"),
    "merchant_biz_id": (_TEXT, "merchant_biz_id"),
    "scene_code": (_TEXT, "scene_code"),
    "application_id": (_TEXT, "application_id"),
    "attempts": (pa.int64(), "attempts"),
    "sampled_share": (pa.float64(), "sampled.share"),
    "at": (_TIME, "at"),
    "policy": (_TEXT, "policy"),
    "policy_digest": (_TEXT, "policy_digest"),
    "status": (_TEXT, "status"),
    "supersedes": (_TEXT, "supersedes"),
    "outcome": (_TEXT, "verdict.outcome"),
    "lower": (_TEXT, "verdict.lower"),
    "upper": (_TEXT, "verdict.upper"),
    "settled": (pa.bool_(), "verdict.settled"),
    "score_low": (pa.int64(), "verdict.score.low"),
    "score_high": (pa.int64(), "verdict.score.high"),
    "scores": (_TOTALS, "verdict.totals"),
    "matched": (_TEXTS, "verdict.matched"),
    "unresolved": (_TEXTS, "verdict.unresolved"),
    "reasons": (_TEXTS, "verdict.reasons"),
    "missing": (_TEXTS, "verdict.missing"),
    "waived": (_TEXTS, "verdict.waived"),
    "excused": (_TEXTS, "verdict.excused"),
    "ask": (_TEXTS, "verdict.ask"),
    "duration_ms": (pa.float64(), "duration_ms"),
    "cost": (_MONEY, "cost"),
    "face.media_type": (_TEXT, "face.media_type"),
    "face.size": (pa.int64(), "face.size"),
    "face.width": (pa.int64(), "face.width"),
    "face.height": (pa.int64(), "face.height"),
}
"""The columns that every export has, and what of a decision stands in them, as `_held` names it."""


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

    @staticmethod
    def names(fields: Mapping[str, Field]) -> list[str]:
        """Return under which names a record holds fields, and what is outside of their vocabularies."""
        novels = (novel_name(name, field) for name, field in fields.items())
        return [*fields, *(name for name in novels if name is not None)]

    def table(self, seqs: Sequence[int], bodies: Sequence[DecisionBody], reveal: Reveal) -> pa.Table:
        """Return decisions as a table; there is at least one. bodies: all of them of one class, see `Narrow`."""
        held = _held(bodies)
        made = {"seq": pa.array(seqs, pa.int64())}
        made |= {name: _array(held[of], type_) for name, (type_, of) in _META.items()}
        personal = held["personal"] if any(held["personal"]) else None
        _fill(made, "inputs.", self.inputs, _revealing(_by_name(held["inputs"]), "", personal, reveal))
        by_signal = _by_name(held["signals"])
        for name, fields in self.signals.items():
            signals: Raw = [one or None for one in by_signal(name)]
            made[f"status.{name}"] = _array([one and one.status for one in signals], _TEXT)
            nothing: object = next((type(one.fields)() for one in signals if one is not None), {})
            known = [one.fields if one and one.status is SignalStatus.OK else nothing for one in signals]
            _fill(made, f"signals.{name}.", fields, _revealing(_by_name(known), f"{name}.", personal, reveal))
        return pa.table(made)


def _held(bodies: Sequence[DecisionBody]) -> dict[str, Raw]:
    """Return what decisions hold, each member of all of them together."""
    held = _members("", bodies)
    held |= _members("verdict.", held["verdict"])
    scores, faces = held["verdict.score"], held["face"]
    held["verdict.settled"] = list(map(is_, held["verdict.lower"], held["verdict.upper"]))
    held["verdict.score.low"] = _each(scores, itemgetter(0))
    held["verdict.score.high"] = _each(scores, itemgetter(1))
    held["verdict.totals"] = _each(held["verdict.scores"], lambda totals: [*totals.items()])
    if any(held["reviewed"]):  # a policy is evaluated at the time of the verdict, not of what a person made of it
        held["at"] = [one.judged_at if one else at for one, at in zip(held["reviewed"], held["at"], strict=True)]
    held["sampled.share"] = _each(held["sampled"], attrgetter("share"))
    for name in ("media_type", "size", "width", "height"):
        held[f"face.{name}"] = _each(faces, attrgetter(name))
    return held


def _members(prefix: str, structs: Sequence[msgspec.Struct]) -> dict[str, Raw]:
    names = (prefix + name for name in structs[0].__struct_fields__)
    return dict(zip(names, zip(*map(astuple, structs), strict=True), strict=True))


def _each(values: Raw, of: Callable[[Any], object]) -> Raw:
    """Return something of each value; nothing of those that are none or empty, as most often all are."""
    return [of(one) if one else None for one in values] if any(values) else (None,) * len(values)


def _array(values: Raw, type_: pa.DataType) -> pa.Array:
    """Return values as a column; there is at least one. Often all are alike, which is seen at once."""
    first = values[0]
    if (isinstance(first, str) or first is None) and first == values[-1] and values.count(first) == len(values):
        return pa.repeat(pa.scalar(first, type_), len(values))
    if type_ == _TEXTS:
        return pa.ListArray.from_arrays(_ends(values), pa.array(list(chain.from_iterable(values)), _TEXT))
    if type_ == _MONEY:
        amounts = pa.array(list(map(float, chain.from_iterable(map(dict.values, values)))), pa.float64())
        return pa.MapArray.from_arrays(_ends(values), pa.array(list(chain.from_iterable(values)), _TEXT), amounts)
    return pa.array(values, type_)


def _ends(values: Raw) -> pa.Array:
    """Return where each of some lists or maps begins among the items of all, and where the last one ends."""
    return pa.array(list(accumulate(map(len, values), initial=0)), pa.int32())


def _chosen(fields: Mapping[str, Field], with_personal: bool) -> dict[str, Field]:
    novels = {novel_name(name, field) for name, field in fields.items()}
    hidden = {name for name, field in fields.items() if field.personal and not with_personal}
    return {name: field for name, field in fields.items() if name not in hidden and name not in novels}


def _types(prefix: str, fields: Mapping[str, Field]) -> dict[str, pa.DataType]:
    made: dict[str, pa.Array] = {}
    _fill(made, prefix, fields, lambda name: ())
    return {name: values.type for name, values in made.items()}


def _by_name(given: Raw) -> ByName:
    """Return what mappings hold under a name, or structs, which are turned into tuples at once."""
    if isinstance(given[0], Mapping):
        return lambda name: [one.get(name) for one in given]
    columns: Raw = list(zip(*map(astuple, given), strict=True))
    return dict(zip(given[0].__struct_encode_fields__, columns, strict=True)).__getitem__


def _revealing(by_name: ByName, prefix: str, personal: Raw | None, reveal: Reveal) -> ByName:
    """Return what is behind commitments in their place. personal: which fields are, of each decision; None: none is."""
    if personal is None:
        return by_name

    def revealed(name: str) -> Raw:
        pairs = zip(by_name(name), personal, strict=True)
        return [restore_fields({name: value}, prefix, names, reveal)[0][name] for value, names in pairs]

    return revealed


def _fill(made: dict[str, pa.Array], prefix: str, fields: Mapping[str, Field], given: ByName) -> None:
    for name, field in fields.items():
        raw = given(name)
        entries = field.entries
        alike = _alike(field, raw) if entries else None
        if alike is not None:
            made[prefix + name] = alike.column
            made |= {f"{prefix}{name}.{key}": alike.entry(key) for key in entries}
        else:
            made[prefix + name] = column(open_field(field), raw)
            for key, entry in entries.items():
                values = [one.get(key) if type(one) is dict else None for one in raw]
                made[f"{prefix}{name}.{key}"] = column(open_field(entry), values)
        novel = novel_name(name, field)
        if novel is not None:
            made[prefix + novel] = _novels(field, raw, given(novel))


def _novels(field: Field, raw: Raw, named: Raw) -> pa.Array:
    """Return what is outside a vocabulary, with what is named as such; most often nothing is, which is seen at once."""
    kinds = set(map(type, raw)) - {type(None)}
    if field.vocabulary is not None and kinds <= {list, dict} and named.count(None) == len(named):
        try:
            found = set(chain.from_iterable(one for one in raw if one is not None))
            if found.issubset(field.vocabulary):
                return pa.array([None if one is None else () for one in raw], _TEXTS)
        except TypeError:
            pass  # an item that cannot be in a set
    pairs = zip(raw, named, strict=True)
    return pa.array([_novel(field, value, one) for value, one in pairs], _TEXTS)


def _novel(field: Field, value: object, named: object) -> object:
    if named is None and isinstance(value, list | dict) and field.vocabulary is not None:
        try:
            if frozenset(field.vocabulary).issuperset(value):
                return []
        except TypeError:
            pass
    return to_arrow(join_novel(read(field, value), named, read(TEXTS, named)), TEXTS.type)


@frozen
class _Alike:
    """Maps that all have the same keys in the same order, as what a provider says always has, in one column."""

    keys: Sequence[str]
    column: pa.Array

    def entry(self, key: str) -> pa.Array:
        """Return the values of a key as a column."""
        items = self.column.items
        if key not in self.keys:
            return pa.nulls(len(self.column), items.type)
        return items.take(pa.array(range(self.keys.index(key), len(items), len(self.keys)), pa.int32()))


def _alike(field: Field, raw: Raw) -> _Alike | None:
    """Return maps of plain values that have the same keys, as `column` would have them; None where they have not."""
    if field.of is None or not isinstance(field.type, MapType) or set(map(type, raw)) != {dict} or not raw[0]:
        return None
    keys, names = [*raw[0]], list(chain.from_iterable(raw))
    if names != keys * len(raw):
        return None
    of = open_field(field.of)
    items = _plain(of, list(chain.from_iterable(map(dict.values, raw)))) if of.type in _PLAIN else None
    texts = _plain(_TEXT_FIELD, names)
    if items is None or texts is None:
        return None
    ends = pa.array(range(0, len(names) + 1, len(keys)), pa.int32())
    return _Alike(keys, pa.MapArray.from_arrays(ends, texts, items))


def column(field: Field, raw: Raw) -> pa.Array:
    """Return values as they were given as a column; NULL where one is not of the field's type."""
    made = _plain(field, raw)
    if made is None:  # one of them is not as it should be; each is looked at alone
        return pa.array([to_arrow(read(field, value).value, field.type) for value in raw], arrow_type(field.type))
    return made


def _plain(field: Field, raw: Raw) -> pa.Array | None:
    """Return values as a column that are all of a field's type, as most are; None where one may not be."""
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
        pass
    return None


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
