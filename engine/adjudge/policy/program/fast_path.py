"""The fast path: one expression for requests in which everything is known and of exactly its type.

Most requests of a day are such. Each slot gives a mask, or None (so that `&` raises TypeError) where its value is out
of range; a missing key raises KeyError. Whatever does not go through here takes the general way of `slot_code`.
"""

from __future__ import annotations

import ast
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import reduce

from adjudge.expr import pyast
from adjudge.policy.program.index import CutTable
from adjudge.policy.program.slot_code import DOUBLE_MAX, SlotCode, Tables, names_nothing
from adjudge.policy.slots import novel_name
from adjudge.values.fields import Field
from adjudge.values.literals import DURATION_MAX, INT_MAX, INT_MIN
from adjudge.values.types import BOOL, DOUBLE, DURATION, INT, STRING, EnumType, MapType, SetType, Type

_COMPARED_MAX = 4
"""Up to so many cuts, comparing one after the other is faster than bisection."""


def fast_path_first(
    reader: SlotCode,
    inputs: Mapping[str, Field],
    signals: Mapping[str, Mapping[str, Field]],
    then: Sequence[ast.stmt],
) -> list[ast.stmt]:
    """Return the code that takes every slot: the fast path, and the general one where that fails.

    then: what follows at once on the fast path where nothing has to be computed.
    """
    general = reader.code(inputs, signals)
    path = _Path(reader)
    if not path.covers(inputs, signals):
        return general
    if reader.possible != reader.every or not path.masks:
        path.masks.append(pyast.constant(reader.possible))
    chosen = [pyast.assign("alive", _all(path.masks)), *then]
    for takes, tests in reversed(path.levels):
        chosen = [*takes, pyast.branch(pyast.both(tests), chosen)] if tests else [*takes, *chosen]
    reader.names["Missing"] = (KeyError, TypeError)
    return [
        pyast.assign("alive", pyast.NONE),
        pyast.attempt(chosen, "Missing", [ast.Pass()]),
        pyast.branch(pyast.is_(pyast.load("alive"), pyast.NONE), general),
    ]


@dataclass(slots=True)
class _Path:
    """The parts of the fast path.

    levels: what was laid so far, each part to be taken and the tests that it fits; a request that fails one goes no
    deeper. takes, tests: of the level that is being laid.
    """

    reader: SlotCode
    takes: list[ast.stmt] = field(default_factory=list)
    tests: list[ast.expr] = field(default_factory=list)
    masks: list[ast.expr] = field(default_factory=list)
    levels: list[tuple[list[ast.stmt], list[ast.expr]]] = field(default_factory=list)

    def covers(self, inputs: Mapping[str, Field], signals: Mapping[str, Mapping[str, Field]]) -> bool:
        """Lay the path; False where some slot in use has no fast path."""
        if "now" in self.reader.used:
            return False
        asked = {name: fields for name, fields in signals.items() if self._uses(f"{name}.")}
        read = sum(self._is_read(name, declared) for name, declared in inputs.items())
        self._mapping("given", read + len(asked))
        if not all(self._slot("", name, "given", declared) for name, declared in inputs.items()):
            return False
        self._level()
        for name, fields in asked.items():
            part = f"p{name}"
            self.takes.append(pyast.assign(part, _item("given", name)))
            self._mapping(part, sum(self._is_read(f"{name}.{one}", declared) for one, declared in fields.items()))
            if not all(self._slot(f"{name}.", one, part, declared) for one, declared in fields.items()):
                return False
            self._level()
        return True

    def _level(self) -> None:
        if self.takes or self.tests:
            self.levels.append((self.takes, self.tests))
        self.takes, self.tests = [], []

    def _uses(self, prefix: str) -> bool:
        return any(slot.startswith(prefix) for slot in self.reader.used)

    def _is_read(self, slot: str, declared: Field) -> bool:
        keyed = isinstance(declared.type, MapType) and self._uses(f"{slot}.")
        return slot in self.reader.used or keyed

    def _mapping(self, variable: str, entries: int) -> None:
        """Begin a mapping; refuse early, and without an exception, one with too few entries for all to be known."""
        self.tests.append(pyast.is_(pyast.class_of(variable), pyast.load("dict")))
        if entries > 2:
            enough = pyast.compare(pyast.call("len", pyast.load(variable)), ast.GtE(), pyast.constant(entries))
            self.tests.append(enough)
        self._level()

    def _slot(self, prefix: str, key: str, mapping: str, declared: Field) -> bool:
        slot, used = prefix + key, self.reader.used
        novel = novel_name(key, declared)
        if novel is not None and prefix + novel in used and not isinstance(declared.type, SetType):
            return False
        if isinstance(declared.type, SetType):
            assert novel is not None
            return self._set(slot, key, prefix + novel, novel, mapping)
        if isinstance(declared.type, MapType) and declared.type.keys is not None:
            return slot not in used and (not self._uses(f"{slot}.") or self._keyed(slot, key, mapping, declared))
        if declared.parts:
            return slot not in used and not self._uses(f"{slot}.")
        return slot not in used or self._scalar(slot, _item(mapping, key), declared)

    def _set(self, slot: str, key: str, novel_slot: str, novel: str, mapping: str) -> bool:
        used = self.reader.used
        if slot not in used and novel_slot not in used:
            return True
        if slot in self.reader.wanted or novel_slot in self.reader.wanted:
            return False
        held = self._fresh()
        named = f"{held}_named"
        self.takes.append(pyast.assign(held, _item(mapping, key)))
        self.takes.append(pyast.assign(named, pyast.method(pyast.load(mapping), "get", pyast.constant(novel))))
        self.tests += [pyast.is_(pyast.class_of(held), pyast.load("list")), names_nothing(named)]
        self.masks.append(
            pyast.item(self.reader.refer(self.reader.sets[slot].plain), pyast.call("tuple", pyast.load(held)))
        )
        return True

    def _keyed(self, slot: str, key: str, mapping: str, declared: Field) -> bool:
        """Take the entries of a map that is empty, where that means something, or has every key."""
        assert isinstance(declared.type, MapType) and declared.type.keys is not None and declared.of is not None
        keys = [one for one in declared.type.keys if f"{slot}.{one}" in self.reader.used]
        held = self._fresh()
        value = pyast.load(held)
        inner = _Path(self.reader)
        if not all(inner._scalar(f"{slot}.{one}", _item(held, one), declared.of) for one in keys):
            return False
        every = declared.type.keys
        unread = [ast.Expr(_item(held, one)) for one in every if one not in keys]  # KeyError where one is not there
        full = pyast.compare(pyast.call("len", value), ast.Eq(), pyast.constant(len(every)))
        taken = [*inner.takes, *unread, *inner.mask(f"{held}_mask")]
        self.takes += [pyast.assign(held, _item(mapping, key)), pyast.assign(f"{held}_mask", pyast.NONE)]
        partly = [] if declared.absent is None else self._partly(slot, keys, held, declared, inner)
        is_dict = pyast.is_(pyast.class_of(held), pyast.load("dict"))
        self.takes.append(pyast.branch(is_dict, [pyast.branch(full, taken, partly)]))
        self.masks.append(pyast.load(f"{held}_mask"))
        return True

    def _partly(self, slot: str, keys: list[str], held: str, declared: Field, inner: _Path) -> list[ast.stmt]:
        """Take a map of which some keys are absent, where that means something: a vendor names only its hits."""
        assert isinstance(declared.type, MapType) and declared.type.keys is not None
        get = f"{held}_get"
        absent = self.reader.refer(declared.absent)
        takes = [
            pyast.assign(self.reader.variable(f"{slot}.{one}"), pyast.call(get, pyast.constant(one), absent))
            for one in keys
        ]
        known = pyast.call(self.reader.refer_name(frozenset(declared.type.keys).issuperset), pyast.load(held))
        found = [pyast.assign(get, pyast.attribute(pyast.load(held), "get")), *takes, *inner.mask(f"{held}_mask")]
        return [pyast.branch(known, found)]

    def mask(self, variable: str) -> list[ast.stmt]:
        """Return the code that puts the mask of all slots into a variable, if they fit."""
        return [pyast.branch(pyast.both(self.tests), [pyast.assign(variable, _all(self.masks))])]

    def _scalar(self, slot: str, taken: ast.expr, declared: Field) -> bool:
        variable = self.reader.variable(slot)
        tables = self.reader.tables[slot]
        value = pyast.load(variable)
        classes = {DOUBLE: "float", INT: "int", DURATION: "timedelta", STRING: "str"}
        self.takes.append(pyast.assign(variable, taken))
        if declared.type == BOOL:
            self.masks.append(self._bool(value, tables))
            return True
        name = "str" if isinstance(declared.type, EnumType) else classes.get(declared.type)
        if name is None:
            return False
        self.tests.append(pyast.is_(pyast.class_of(variable), pyast.load(name)))
        if tables.values is not None:
            self.masks.append(pyast.item(self.reader.refer(tables.values.masks), value))
        else:
            self.masks.append(self._stretch(declared, tables.cuts, value))
        return True

    def _bool(self, value: ast.expr, tables: Tables) -> ast.expr:
        masks = {True: self.reader.every, False: self.reader.every}
        if tables.values is not None:
            masks = {answer: tables.values.look(answer).alive for answer in masks}
        no = pyast.choose(pyast.is_(value, pyast.FALSE), pyast.constant(masks[False]), pyast.NONE)
        return pyast.choose(pyast.is_(value, pyast.TRUE), pyast.constant(masks[True]), no)

    def _stretch(self, declared: Field, cuts: CutTable | None, value: ast.expr) -> ast.expr:
        """Find the mask of a number or duration, None outside its range; no comparison holds for a NaN."""
        low, high = _bounds(declared.type)
        low = low if declared.minimum is None else declared.minimum
        high = high if declared.maximum is None else declared.maximum
        table = cuts or CutTable((), (self.reader.every,))
        pairs = zip(table.cuts, table.masks[1:], strict=True)
        below = [cut <= low for cut in table.cuts]  # type: ignore[operator]  # all of one type
        inside = [(cut, mask) for cut, mask in pairs if low < cut <= high]  # type: ignore[operator]  # bounds and cuts are of the field's type
        lowest = table.masks[below.count(True)]
        if len(inside) > _COMPARED_MAX:
            at = pyast.call("bisect_right", self.reader.refer((low, *(cut for cut, _ in inside))), value)
            masks = (None, lowest, *(mask for _, mask in inside))
            found: ast.expr = pyast.item(self.reader.refer(masks), at)
        else:
            found = pyast.choose(
                pyast.compare(value, ast.GtE(), self.reader.refer(low)), pyast.constant(lowest), pyast.NONE
            )
            for cut, mask in inside:
                found = pyast.choose(
                    pyast.compare(value, ast.GtE(), self.reader.refer(cut)), pyast.constant(mask), found
                )
        return pyast.choose(pyast.compare(value, ast.LtE(), self.reader.refer(high)), found, pyast.NONE)

    def _fresh(self) -> str:
        return f"m{len(self.levels)}_{len(self.takes)}"


def _bounds(type_: Type) -> tuple[object, object]:
    if type_ == INT:
        return INT_MIN, INT_MAX
    return (-DURATION_MAX, DURATION_MAX) if type_ == DURATION else (-DOUBLE_MAX, DOUBLE_MAX)


def _all(masks: list[ast.expr]) -> ast.expr:
    return reduce(lambda one, other: ast.BinOp(one, ast.BitAnd(), other), masks)


def _item(mapping: str, key: str) -> ast.expr:
    return pyast.item(pyast.load(mapping), pyast.constant(key))
