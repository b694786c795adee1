"""What could stand at the cursor."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Literal

from adjudge.authoring.language_server.describe import described_field, signature
from adjudge.authoring.language_server.document import Document
from adjudge.authoring.language_server.places import Place, place_at
from adjudge.authoring.schema.keys import OBJECTS, Key
from adjudge.expr.parse import MACROS
from adjudge.frozen import frozen
from adjudge.model import Outcome
from adjudge.policy.catalogue import Catalogue
from adjudge.policy.loading.builtin_lists import BUILTIN
from adjudge.policy.loading.expiry import is_part
from adjudge.policy.loading.tables import SAYING
from adjudge.policy.slots import NOW, OF_REQUEST
from adjudge.policy.typed import TypedPolicy
from adjudge.values.declared import FIELD_FORMS
from adjudge.values.types import BOOL, INT, STRING, EnumType, MapType, RecordType, SetType

Kind = Literal["key", "field", "value", "function", "name"]
_OPEN_STRING = re.compile(r"""["']([\w ]*)$""")
_COMPARED = re.compile(r"""([\w.]+)\s*(?:==|!=|in)\s*\[?(?:\s*["']\w*["']\s*,)*\s*["'][\w ]*$""")
_NAME = re.compile(r"(?:([A-Za-z_][\w.]*)\.)?\w*$")
"""What a name is begun with, and what it is a part of."""
_OBJECT_AT: Mapping[tuple[str, ...], str] = {
    (): "policy",
    ("rules",): "rule",
    ("scorecard",): "scorecard",
    ("scorecard", "points"): "row",
    ("scorecard", "bands"): "bands",
    ("scorecard", "bands", "review"): "band",
    ("scorecard", "bands", "reject"): "band",
    ("excuse",): "excuse",
    ("sample",): "sample",
    ("tests",): "test",
}
_OBJECT_BELOW: Mapping[str, str] = {
    "signals": "signal",
    "reasons": "reason",
    "calibration": "calibration",
    "lists": "list",
    "tables": "table",
    "lookup": "lookup",
}
_OUTCOME_WORDS = ("pass", "review", "reject")
_BOOLS = ("true", "false")
_OUTCOMES: Mapping[str, tuple[str, ...]] = {
    "then": ("review", "reject"),
    **dict.fromkeys(("when_unknown", "expect", "outcome", "lower", "upper"), _OUTCOME_WORDS),
    **dict.fromkeys(("personal", "actionable", "settled"), _BOOLS),
    "gather": ("eager", "thrifty"),
    "when_billing_unknown": ("unknown", "ask_again"),
    "riskier": ("higher", "lower"),
    "confirm": ("person",),
    "type": tuple(FIELD_FORMS),
}


@frozen(kw_only=True)
class Candidate:
    """One thing to insert. detail: its type or what it is. about: what it means."""

    label: str
    kind: Kind
    detail: str = ""
    about: str = ""


def complete(document: Document, offset: int, catalogue: Catalogue) -> list[Candidate]:
    """Return what could stand at an offset, whether or not the document loads."""
    place = place_at(document.text, offset)
    typed = document.typed
    if place.is_condition:
        after = document.text[offset : offset + 200].partition("\n")[0]
        return list(_in_condition(typed, place.before, after, catalogue)) if typed is not None else []
    found = list(_values(place, typed, catalogue, is_test=document.is_test))
    return found or list(_keys(place, typed, is_test=document.is_test))


def _in_condition(typed: TypedPolicy, before: str, after: str, catalogue: Catalogue) -> Iterator[Candidate]:
    text = before.strip()
    if text[:1] in "'\"" and text.count(text[:1]) % 2 == 1:
        before = text[1:]  # the condition itself stands in quotes
    if _OPEN_STRING.search(before) and before.count('"') % 2 == 1:
        yield from _words(typed, before, after)
        return
    name = _NAME.search(before)
    if name is not None and name.group(1):
        yield from _below(typed, name.group(1))
        return
    for slot, declared in typed.slots.items():
        if typed.parts[slot].path == (slot,):
            yield Candidate(label=slot, kind="field", detail=str(declared.type), about=declared.description)
    for part, declared in OF_REQUEST.items():
        if part not in typed.slots and part not in typed.signals and part not in typed.variables:
            yield Candidate(label=part, kind="field", detail=str(declared.type), about=declared.description)
    yield from (Candidate(label=name, kind="name", detail="signal") for name in typed.signals)
    yield from (Candidate(label=name, kind="name", detail=str(node.type)) for name, node in typed.variables.items())
    if typed.lists:
        yield Candidate(label="lists", kind="name", detail="the policy's lists")
    for function, overloads in catalogue.overloads().items():
        if any(one.form != "method" for one in overloads):
            yield Candidate(label=function, kind="function", detail=signature(function, overloads))
    yield Candidate(label="has", kind="function", detail="has(field) → bool: whether it is known")


def _below(typed: TypedPolicy, owner: str) -> Iterator[Candidate]:
    if owner == "lists":
        yield from (
            Candidate(label=name, kind="name", detail=f"{len(of)} values")
            for name, of in typed.lists.items()
            if not is_part(name)
        )
        return
    for slot, declared in typed.slots.items():
        part = typed.parts[slot]
        above = str(part.whole) if part.key is not None else part.owner
        if above == owner:
            yield Candidate(
                label=part.path[-1], kind="field", detail=described_field(declared), about=declared.description
            )
    if owner in typed.slots and isinstance(typed.slots[owner].type, MapType | SetType):
        yield from (Candidate(label=macro, kind="function", detail="macro") for macro in sorted(MACROS))


def _words(typed: TypedPolicy, before: str, after: str) -> Iterator[Candidate]:
    """Yield the vocabulary of what a text is compared with; of every field where that is not to be seen."""
    compared = _COMPARED.search(before)
    names = [compared.group(1)] if compared is not None else []
    beside = re.match(r"""[\w ]*["']?\s*in\s+([\w.]+)""", after)
    names += [beside.group(1)] if beside is not None else []
    fields = {name: typed.slots[name] for name in names if name in typed.slots} or typed.slots
    seen: set[str] = set()
    for slot, declared in fields.items():
        for word in declared.vocabulary or ():
            if word not in seen:
                seen.add(word)
                yield Candidate(label=word, kind="value", detail=slot)


def _values(place: Place, typed: TypedPolicy | None, catalogue: Catalogue, *, is_test: bool) -> Iterator[Candidate]:
    key = place.path[-1] if place.path else ""
    inside = place.path[:1]
    if key in _OUTCOMES and inside != ("thresholds",):
        yield from (Candidate(label=word, kind="value") for word in _OUTCOMES[key])
    elif key == "provider":
        for name, provider in sorted(catalogue.providers.items()):
            yield Candidate(label=name, kind="value", detail=f"{provider.price} {provider.currency} a call")
    elif key == "builtin":
        yield from (Candidate(label=name, kind="value", detail=f"{len(of)} values") for name, of in BUILTIN.items())
    elif key == "from" and inside == ("excuse",):
        yield Candidate(label="review", kind="value")
    elif key == "ask" and typed is not None:
        yield from (Candidate(label=step, kind="value", detail="step") for step in typed.steps)
    elif inside == ("excuse",) and key in ("rules", "tags") and typed is not None:
        reviews = [rule for rule in typed.rules if rule.outcome is Outcome.REVIEW]
        names = [rule.id for rule in reviews] if key == "rules" else [tag for rule in reviews for tag in rule.tags]
        yield from (Candidate(label=name, kind="value") for name in dict.fromkeys(names))
    elif (
        key in ("rules", "unresolved", "waived", "excused", "reasons")
        and is_test
        and len(place.path) > 1
        and typed is not None
    ):
        names = [rule.reason if key == "reasons" else rule.id for rule in typed.rules]
        yield from (Candidate(label=name, kind="value") for name in dict.fromkeys(names))
    elif key == "by" and inside in (("thresholds",), ("lookup",)) and typed is not None:
        yield from _choosers(typed)
    elif inside == ("thresholds",) and typed is not None:
        yield from _in_thresholds(typed, place.path[1:])


def _choosers(typed: TypedPolicy) -> Iterator[Candidate]:
    """Yield what `by` can name: fields of single values."""
    for slot, declared in typed.slots.items():
        if declared.type in (BOOL, INT, STRING) or isinstance(declared.type, EnumType):
            yield Candidate(label=slot, kind="field", detail=described_field(declared), about=declared.description)


def _headers(typed: TypedPolicy, *, is_rule: bool) -> Iterator[Candidate]:
    """Yield what a table's row can have as headers."""
    if is_rule:
        yield from (Candidate(label=word, kind="key") for word in SAYING)
    for slot, declared in typed.slots.items():
        if not isinstance(declared.type, MapType | RecordType) and slot != NOW:
            yield Candidate(label=slot, kind="field", detail=described_field(declared), about=declared.description)


def _in_thresholds(typed: TypedPolicy, keys: Sequence[str]) -> Iterator[Candidate]:
    path = ".".join(keys)
    declared = typed.slots.get(path)
    if not path:
        for slot, field in typed.slots.items():
            if slot != NOW and not typed.parts[slot].novel:
                yield Candidate(label=slot, kind="field", detail=described_field(field))
    elif declared is None:
        *above, last = keys
        owner = ".".join(key for key in above if key != "below")
        is_number = last in ("review", "reject") and not _has_words(typed, owner)
        if above and last == "confirm":
            yield Candidate(label="person", kind="value")
            return
        if not is_number:
            yield from (Candidate(label=word, kind="value") for word in ("review", "reject"))
        if owner:
            for key in ("at" if is_number else "then", "ask", "confirm"):
                yield Candidate(label=key, kind="key", about=OBJECTS["threshold"][1][key].meaning)
    elif declared.vocabulary is not None:
        yield from (Candidate(label=word, kind="value", detail=path) for word in declared.vocabulary)
    elif declared.type == BOOL:
        yield from (Candidate(label=word, kind="value") for word in ("true", "false"))
    elif not isinstance(declared.type, EnumType):
        yield from (Candidate(label=word, kind="key") for word in ("review", "reject", "below", "by"))


def _has_words(typed: TypedPolicy, field: str) -> bool:
    return field in typed.slots and typed.slots[field].vocabulary is not None


def _keys(place: Place, typed: TypedPolicy | None, *, is_test: bool) -> Iterator[Candidate]:
    path = place.path
    is_named_card = path[:1] == ("scorecards",) and len(path) > 1
    name = "tests" if is_test and not path else _OBJECT_AT.get(("scorecard", *path[2:]) if is_named_card else path)
    if len(path) == 2:
        name = _OBJECT_BELOW.get(path[0], name)
    if path[:1] == ("tables",) and path[2:] == ("else",):
        name = "else"
    if path[:1] == ("lists",) and len(path) == 2:
        yield from (Candidate(label=key, kind="key", detail=one.said, about=one.meaning)
                    for key, one in OBJECTS["entry"][1].items())  # fmt: skip
    if path[2:] == ("rows",) and path[0] in ("tables", "lookup") and typed is not None:
        yield from _headers(typed, is_rule=path[0] == "tables")
    if name is not None:
        keys: Mapping[str, Key] = OBJECTS[name][1]
        yield from (Candidate(label=key, kind="key", detail=one.said, about=one.meaning) for key, one in keys.items())
    elif path == ("reasons",) and typed is not None:
        codes = dict.fromkeys(rule.reason for rule in typed.rules)
        yield from (Candidate(label=code, kind="value", detail="reason code") for code in codes)
    elif path == ("calibration",) and typed is not None:
        yield from (Candidate(label=slot, kind="field") for slot in typed.slots)
