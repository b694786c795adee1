"""Generated code that takes the slots of a policy from what was given, and narrows the masks as it goes.

A value of exactly the declared type, within its range, is taken as it is; everything else goes by `SlotReader`,
which understands it as `fields.read` does, or says what is wrong.
"""

from __future__ import annotations

import ast
import sys
from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta

from adjudge.expr import pyast
from adjudge.frozen import frozen
from adjudge.policy.program.index import VALUE_LENGTH_MAX, VALUES_MAX, CutTable, Unsure, ValueTable
from adjudge.policy.slots import NOW, TEXTS, is_within, join_novel, novel_name
from adjudge.values.fields import Field
from adjudge.values.literals import DURATION_MAX, INT_MAX, INT_MIN
from adjudge.values.reading import describe, read
from adjudge.values.types import BOOL, DATE, DOUBLE, DURATION, INT, STRING, TIMESTAMP, EnumType, MapType, SetType

Problems = list[tuple[str, str]] | None

DOUBLE_MAX = sys.float_info.max


@frozen
class Tables:
    """What is known of one slot's facts.

    bit: of the slot among the unknown ones. unknown: masks while it is unknown.
    cuts, values: how to find the mask of a known value; None where no fact about it is indexed.
    """

    bit: int
    unknown: Unsure
    cuts: CutTable | None = None
    values: ValueTable | None = None


@frozen
class SetReading:
    """A set and what is outside its vocabulary, with the masks of both slots."""

    members: object
    novel: object
    alive: int
    sure: int
    unknown: int


class SlotReader:
    """Understands what is not exactly of its type. One for each program; its methods are called by the code."""

    def __init__(self, slots: Mapping[str, Field]) -> None:
        self._slots = slots

    def other(self, slot: str, value: object, problems: Problems) -> tuple[object, Problems]:
        """Understand a value that is not None and not exactly of its slot's type and range."""
        reading = read(self._slots[slot], value)
        return reading.value, _with(problems, slot, reading.problems)

    def part(
        self, name: str, given: object, nothing: Mapping[str, object], problems: Problems
    ) -> tuple[Mapping[str, object], Problems]:
        """Understand a signal that is not a dict; `nothing` of it came where it is no mapping."""
        if isinstance(given, Mapping):
            return dict(given), problems
        return nothing, _with(problems, name, (("", f"must be a map of fields, not {describe(given)}"),))

    def entries(self, slot: str, value: object, problems: Problems) -> tuple[dict[str, object] | None, Problems]:
        """Understand a record, or a keyed map that is not a dict of known keys."""
        reading = read(self._slots[slot], value)
        problems = _with(problems, slot, reading.problems)
        return (reading.value if isinstance(reading.value, dict) else None), problems

    def novel_keys(
        self, slot: str, novel_slot: str, value: object, named: object, problems: Problems
    ) -> tuple[object, Problems]:
        """Return the keys of a map outside its vocabulary, joined with those the provider names."""
        names = read(TEXTS, named)
        found = join_novel(read(self._slots[slot], value), named, names)
        return found, _with(problems, novel_slot, names.problems)


class SetReader:
    """Understands one set and its novel members, and remembers what came."""

    def __init__(
        self, slot: str, field: Field, novel: str, tables: Tables | None, novel_tables: Tables | None, every: int
    ) -> None:
        self._slot, self._field, self._novel = slot, field, novel
        self._tables, self._novel_tables, self._every = tables, novel_tables, every
        self.remembered: dict[tuple[object, ...], SetReading] = {}
        self.plain: dict[tuple[object, ...], int] = {}

    def read(self, value: object, named: object, problems: Problems) -> tuple[SetReading, Problems]:
        """Understand a set, given together with what the provider names as new."""
        reading, names = read(self._field, value), read(TEXTS, named)
        novel = join_novel(reading, named, names)
        alive = sure = self._every
        unknown = 0
        for tables, understood in ((self._tables, reading.value), (self._novel_tables, novel)):
            if tables is None:
                continue
            masks = tables.unknown
            if understood is None:
                unknown |= tables.bit
            else:
                assert tables.values is not None
                masks = tables.values.look(understood)
            alive, sure = alive & masks.alive, sure & masks.sure
        found = SetReading(reading.value, novel, alive, sure, unknown)
        if not reading.problems and not names.problems:
            if isinstance(value, list | tuple) and not named and _is_small(value):
                if len(self.remembered) >= VALUES_MAX:
                    self.remembered.clear()
                    self.plain.clear()
                self.remembered[tuple(value)] = found
                if sure == self._every and not unknown:
                    self.plain[tuple(value)] = alive
            return found, problems
        problems = _with(problems, self._slot, reading.problems)
        return found, _with(problems, self._novel, names.problems)


def _is_small(members: Sequence[object]) -> bool:
    return len(members) <= 16 and all(type(member) is str and len(member) <= VALUE_LENGTH_MAX for member in members)


def _with(problems: Problems, slot: str, found: Sequence[tuple[str, str]]) -> Problems:
    if not found:
        return problems
    return [*(problems or []), *((f"{slot}.{path}" if path else slot, text) for path, text in found)]


@dataclass(slots=True)
class SlotCode:
    """Emits the taking of slots.

    used: slots that facts or computed parts read. wanted: those whose value computed parts need.
    tables: by slot. every, possible: masks of all alternatives, and of those that can be at all.
    names: globals of the code. variables: the Python variable of each slot. sets: the readers of sets.
    """

    slots: Mapping[str, Field]
    used: frozenset[str]
    wanted: frozenset[str]
    tables: Mapping[str, Tables]
    every: int
    possible: int
    names: dict[str, object]
    variables: dict[str, str] = field(default_factory=dict)
    sets: dict[str, SetReader] = field(default_factory=dict)
    _count: int = 0

    def code(self, inputs: Mapping[str, Field], signals: Mapping[str, Mapping[str, Field]]) -> list[ast.stmt]:
        """Return the statements that take every used slot, `given` and `now` being at hand."""
        self.names |= {
            "reader": SlotReader(self.slots),
            "EMPTY": {},
            "dict": dict,
            "str": str,
            "float": float,
            "int": int,
        }
        self.names |= {"list": list, "timedelta": timedelta, "datetime": datetime, "date": date}
        self.names |= {"TypeError": TypeError, "bisect_right": bisect_right}
        body = [
            pyast.assign("alive", pyast.constant(self.possible)),
            pyast.branch(
                pyast.is_not(pyast.class_of("given"), pyast.load("dict")),
                [pyast.assign("given", pyast.call("dict", pyast.load("given")))],
            ),
        ]
        if NOW in self.used:
            body += self._scalar(NOW, pyast.load("now"))
        body.append(pyast.assign("get", pyast.attribute(pyast.load("given"), "get")))
        body += self._fields(inputs, "")
        for name, fields in signals.items():
            if not any(is_within(slot, name) for slot in self.used):
                continue
            body.append(pyast.assign("part", pyast.method(pyast.load("given"), "get", pyast.constant(name))))
            left_out = {one: None for one, declared in fields.items() if declared.left_out is not None}
            nothing = self.refer(left_out) if left_out else pyast.load("EMPTY")
            fallback = pyast.call_method(
                "reader", "part", pyast.constant(name), pyast.load("part"), nothing, pyast.load("problems")
            )
            body.append(
                pyast.branch(
                    pyast.is_(pyast.load("part"), pyast.NONE),
                    [pyast.assign("part", nothing)],
                    [
                        pyast.branch(
                            pyast.is_not(pyast.class_of("part"), pyast.load("dict")),
                            [pyast.assign_both("part", "problems", fallback)],
                        )
                    ],
                )
            )
            body.append(pyast.assign("get", pyast.attribute(pyast.load("part"), "get")))
            body += self._fields(fields, f"{name}.")
        return body

    def _fields(self, fields: Mapping[str, Field], prefix: str) -> list[ast.stmt]:
        body: list[ast.stmt] = []
        novels = {novel_name(name, field): name for name, field in fields.items()}
        for name, declared in fields.items():
            if name in novels:
                continue
            slot = prefix + name
            novel = novel_name(name, declared)
            if isinstance(declared.type, SetType):
                assert novel is not None
                if slot in self.used or prefix + novel in self.used:
                    body += self._set(slot, name, prefix + novel, novel, declared)
            elif declared.parts:
                body += self._record(slot, name, declared)
            elif isinstance(declared.type, MapType) and declared.type.keys is not None:
                assert novel is not None
                body += self._keyed_map(slot, name, prefix + novel, novel, declared)
            elif slot in self.used:
                body += self._scalar(slot, self._taken(name, declared))
        return body

    def _taken(self, name: str, declared: Field) -> ast.expr:
        """Take a field of what came, or what it means that it was left out."""
        if declared.left_out is None:
            return _get(name)
        return ast.Call(pyast.load("get"), [pyast.constant(name), self.refer(declared.left_out)], [])

    # one value

    def _scalar(self, slot: str, taken: ast.expr) -> list[ast.stmt]:
        """Take one value: first as it is, since nearly all are."""
        declared, tables = self.slots[slot], self.tables[slot]
        variable = self.variable(slot)
        value = pyast.load(variable)
        take = pyast.assign(variable, taken)
        if declared.type == BOOL:
            return [take, *self._bool(slot, variable, tables)]
        other = pyast.branch(pyast.is_not(value, pyast.NONE), [self._other(slot, variable)])
        is_unknown = pyast.is_(value, pyast.NONE)
        if tables.values is not None:
            mask = pyast.load("mask")
            get = self.refer_name(tables.values.masks.get)
            is_text = pyast.is_(pyast.class_of(variable), pyast.load("str"))
            looked = pyast.assign("mask", pyast.choose(is_text, pyast.call(get, value), pyast.NONE))
            look = pyast.assign("masks", pyast.call(self.refer_name(tables.values.look), value))
            known = [
                look,
                *(self._keep(name, pyast.attribute(pyast.load("masks"), name)) for name in ("alive", "sure")),
            ]
            cold = [other, pyast.branch(is_unknown, self._unknown(tables), known)]
            return [take, looked, pyast.branch(pyast.is_not(mask, pyast.NONE), [self._keep("alive", mask)], cold)]
        known = self._known(variable, tables)
        cold = [other, pyast.branch(is_unknown, self._unknown(tables), known)]
        return [take, pyast.branch(self._exact(declared, variable), known, cold)]

    @staticmethod
    def _keep(name: str, mask: ast.expr) -> ast.stmt:
        return pyast.add_to(name, ast.BitAnd(), mask)

    def _other(self, slot: str, variable: str) -> ast.stmt:
        understood = pyast.call_method(
            "reader", "other", pyast.constant(slot), pyast.load(variable), pyast.load("problems")
        )
        return pyast.assign_both(variable, "problems", understood)

    def _exact(self, declared: Field, variable: str) -> ast.expr:
        """Test that a value is exactly of its type and in range; a value of a type without such a test is read."""
        value, class_ = pyast.load(variable), pyast.class_of(variable)
        bounds: tuple[object, object] | None = None
        if declared.type == DOUBLE:
            bounds, python = (-DOUBLE_MAX, DOUBLE_MAX), "float"
        elif declared.type == INT:
            bounds, python = (INT_MIN, INT_MAX), "int"
        elif declared.type == DURATION:
            bounds, python = (-DURATION_MAX, DURATION_MAX), "timedelta"
        elif declared.type == STRING:
            is_text = pyast.is_(class_, pyast.load("str"))
            plain = [pyast.method(value, method) for method in ("isascii", "isprintable")]
            return ast.BoolOp(ast.And(), [is_text, *plain])
        elif isinstance(declared.type, EnumType):
            known = pyast.compare(value, ast.In(), self.refer(frozenset(declared.type.values)))
            return ast.BoolOp(ast.And(), [pyast.is_(class_, pyast.load("str")), known])
        elif declared.type == TIMESTAMP and declared.minimum is None and declared.maximum is None:
            zoned = pyast.is_not(pyast.attribute(value, "tzinfo"), pyast.NONE)
            return ast.BoolOp(ast.And(), [pyast.is_(class_, pyast.load("datetime")), zoned])
        elif declared.type == DATE:
            bounds, python = (date.min, date.max), "date"
        else:
            return pyast.FALSE
        low = bounds[0] if declared.minimum is None else declared.minimum
        high = bounds[1] if declared.maximum is None else declared.maximum
        within = ast.Compare(self.refer(low), [ast.LtE(), ast.LtE()], [value, self.refer(high)])
        return ast.BoolOp(ast.And(), [pyast.is_(class_, pyast.load(python)), within])

    def _bool(self, slot: str, variable: str, tables: Tables) -> list[ast.stmt]:
        value = pyast.load(variable)
        masks = tables.values
        known: dict[bool, list[ast.stmt]] = {}
        for answer in (True, False):
            found = masks.look(answer) if masks is not None else Unsure(self.every, self.every)
            known[answer] = self._narrow(found)
        otherwise = [
            pyast.branch(pyast.is_not(value, pyast.NONE), [self._other(slot, variable)]),
            *self._unknown(tables),
        ]
        inner = pyast.branch(pyast.is_(value, pyast.FALSE), known[False], otherwise)
        return [pyast.branch(pyast.is_(value, pyast.TRUE), known[True], [inner])]

    def _known(self, variable: str, tables: Tables) -> list[ast.stmt]:
        """Narrow by the table of an ordered slot."""
        if tables.cuts is None:
            return []
        if not tables.cuts.cuts:
            return self._narrow(Unsure(tables.cuts.masks[0], self.every))
        return [self._keep("alive", self.stretch(tables.cuts, pyast.load(variable)))]

    def stretch(self, table: CutTable, value: ast.expr) -> ast.expr:
        """Find the mask between cuts: by comparing where they are few, else by bisection."""
        if len(table.cuts) > 3:
            at = pyast.call("bisect_right", self.refer(table.cuts), value)
            return pyast.item(self.refer(table.masks), at)
        chosen: ast.expr = pyast.constant(table.masks[0])
        for cut, mask in zip(table.cuts, table.masks[1:], strict=True):
            chosen = pyast.choose(pyast.compare(value, ast.GtE(), self.refer(cut)), pyast.constant(mask), chosen)
        return chosen

    def _unknown(self, tables: Tables) -> list[ast.stmt]:
        return [*self._narrow(tables.unknown), pyast.add_to("unknown", ast.BitOr(), pyast.constant(tables.bit))]

    def _narrow(self, masks: Unsure) -> list[ast.stmt]:
        return [
            pyast.add_to(name, ast.BitAnd(), pyast.constant(mask))
            for name, mask in (("alive", masks.alive), ("sure", masks.sure))
            if mask != self.every
        ]

    # sets and maps

    def _set(self, slot: str, name: str, novel_slot: str, novel: str, declared: Field) -> list[ast.stmt]:
        reader = SetReader(slot, declared, novel_slot, self.tables.get(slot), self.tables.get(novel_slot), self.every)
        self.sets[slot] = reader
        reading = self._fresh()
        remembered = self.refer_name(reader.remembered)
        key = pyast.call("tuple", pyast.load("value"))
        fallback = pyast.call(
            self.refer_name(reader.read), pyast.load("value"), pyast.load("named"), pyast.load("problems")
        )
        exact = ast.BoolOp(
            ast.And(),
            [
                pyast.is_(pyast.class_of("value"), pyast.load("list")),
                names_nothing("named"),
            ],
        )
        quick = pyast.assign(reading, pyast.method(pyast.load(remembered), "get", key))
        body = [
            pyast.assign("value", self._taken(name, declared)),
            pyast.assign("named", _get(novel)),
            pyast.assign(reading, pyast.NONE),
            pyast.branch(exact, [pyast.attempt([quick], "TypeError", [ast.Pass()])]),  # a member may not hash
            pyast.branch(
                pyast.is_(pyast.load(reading), pyast.NONE), [pyast.assign_both(reading, "problems", fallback)]
            ),
            pyast.add_to("alive", ast.BitAnd(), pyast.attribute(pyast.load(reading), "alive")),
            pyast.add_to("sure", ast.BitAnd(), pyast.attribute(pyast.load(reading), "sure")),
            pyast.add_to("unknown", ast.BitOr(), pyast.attribute(pyast.load(reading), "unknown")),
        ]
        for of, part in ((slot, "members"), (novel_slot, "novel")):
            if of in self.wanted:
                body.append(pyast.assign(self.variable(of), pyast.attribute(pyast.load(reading), part)))
        return body

    def _keyed_map(self, slot: str, name: str, novel_slot: str, novel: str, declared: Field) -> list[ast.stmt]:
        assert isinstance(declared.type, MapType) and declared.type.keys is not None
        keys = [key for key in declared.type.keys if f"{slot}.{key}" in self.used]
        if not keys and slot not in self.used and novel_slot not in self.used:
            return []
        held = self.variable(slot)
        value = pyast.load(held)
        body = [pyast.assign(held, _get(name))]
        if novel_slot in self.used:
            found = pyast.call_method(
                "reader",
                "novel_keys",
                pyast.constant(slot),
                pyast.constant(novel_slot),
                value,
                _get(novel),
                pyast.load("problems"),
            )
            body.append(pyast.assign_both("joined", "problems", found))
            body += self._scalar(novel_slot, pyast.load("joined"))
        fallback = pyast.call_method("reader", "entries", pyast.constant(slot), value, pyast.load("problems"))
        known_keys = pyast.call(self.refer_name(frozenset(declared.type.keys).issuperset), value)
        exact: ast.expr = ast.BoolOp(ast.And(), [pyast.is_(pyast.class_of(held), pyast.load("dict")), known_keys])
        if slot in self.used:  # the map as a whole is read, so every entry must be understood first
            exact = pyast.FALSE
        read_it = [pyast.branch(pyast.is_not(value, pyast.NONE), [pyast.assign_both(held, "problems", fallback)])]
        body.append(pyast.branch(ast.UnaryOp(ast.Not(), exact), read_it))
        if slot in self.used:
            body.append(pyast.branch(pyast.is_(value, pyast.NONE), self._unknown(self.tables[slot])))
        absent: list[ast.expr] = []
        if keys:
            known = pyast.choose(pyast.is_(value, pyast.NONE), pyast.load("EMPTY"), value)
            body.append(pyast.assign("get_entry", pyast.attribute(known, "get")))
        if keys and declared.absent is not None:
            known_absent = pyast.choose(pyast.is_(value, pyast.NONE), pyast.NONE, self.refer(declared.absent))
            body.append(pyast.assign("absent", known_absent))
            absent = [pyast.load("absent")]
        for key in keys:
            entry = pyast.call("get_entry", pyast.constant(key), *absent)
            body += self._scalar(f"{slot}.{key}", entry)
        return body

    def _record(self, slot: str, name: str, declared: Field) -> list[ast.stmt]:
        """Take a record as a whole, which understands its fields, and then each field that is used."""
        parts = [part for part in declared.parts if f"{slot}.{part}" in self.used]
        if not parts and slot not in self.used:
            return []
        held = self.variable(slot)
        value, is_unknown = pyast.load(held), pyast.is_(pyast.load(held), pyast.NONE)
        understood = pyast.call_method("reader", "entries", pyast.constant(slot), value, pyast.load("problems"))
        body = [
            pyast.assign(held, self._taken(name, declared)),
            pyast.branch(pyast.is_not(value, pyast.NONE), [pyast.assign_both(held, "problems", understood)]),
        ]
        if slot in self.used:
            body.append(pyast.branch(is_unknown, self._unknown(self.tables[slot])))
        if parts:
            known = pyast.choose(is_unknown, pyast.load("EMPTY"), value)
            body.append(pyast.assign("get_entry", pyast.attribute(known, "get")))
        for part in parts:
            body += self._scalar(f"{slot}.{part}", pyast.call("get_entry", pyast.constant(part)))
        return body

    # names

    def variable(self, slot: str) -> str:
        """Return the Python variable of a slot."""
        return self.variables.setdefault(slot, f"f{len(self.variables)}")

    def _fresh(self) -> str:
        self._count += 1
        return f"s{self._count}"

    def refer_name(self, value: object) -> str:
        """Return the name under which the code finds an object."""
        name = f"k{len(self.names)}"
        self.names[name] = value
        return name

    def refer(self, value: object) -> ast.expr:
        """Return an expression for an object: itself if it is plain, else its name."""
        if type(value) in (bool, int, float, str):
            return ast.Constant(value)  # type: ignore[arg-type]  # one of these four
        return pyast.load(self.refer_name(value))


def names_nothing(variable: str) -> ast.expr:
    """Return the test that a provider names nothing as new; 0 or an empty text is no list, and so unknown."""
    empty = [pyast.is_(pyast.class_of(variable), pyast.load("list")), ast.UnaryOp(ast.Not(), pyast.load(variable))]
    return pyast.either([pyast.is_(pyast.load(variable), pyast.NONE), pyast.both(empty)])


def _get(name: str) -> ast.expr:
    return ast.Call(pyast.load("get"), [pyast.constant(name)], [])
