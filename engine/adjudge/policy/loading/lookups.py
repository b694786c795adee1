"""Lookup tables: from what one or several fields are to a value, as variables that conditions read.

A table of one value, under `values`, is read by its own name, `limit`; one with columns by theirs, `limits.review`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TypeAlias

from adjudge.errors import did_you_mean
from adjudge.expr.nodes import Binary, Conditional, Index, ListLiteral, Logic, MapLiteral, Name, Node
from adjudge.frozen import frozen
from adjudge.patterns import late
from adjudge.policy.loading.cells import Unfit, Value, constant, value_of
from adjudge.policy.loading.declarations import DAMAGED_SIGNAL
from adjudge.policy.loading.forms import Entries
from adjudge.policy.loading.meant_values import text_meant
from adjudge.policy.loading.other_words import key_meant
from adjudge.policy.loading.reader import Reader
from adjudge.policy.loading.tables import Given, records_of
from adjudge.policy.text import yaml
from adjudge.policy.text.sheets import Placed
from adjudge.policy.text.syntax import shown
from adjudge.policy.text.yaml import Scalar, YamlNode
from adjudge.source import Edit, Span
from adjudge.values.fields import Field
from adjudge.values.meant import quantity
from adjudge.values.types import (
    BOOL,
    DATE,
    DOUBLE,
    DURATION,
    DYN,
    INT,
    SCALARS,
    STRING,
    EnumType,
    ListType,
    MapType,
    Type,
    is_text,
    named,
)

LOOKUP_KEYS = ("description", "by", "values", "file", "sheet", "rows", "else", "type")
COMBINATIONS_MAX = 200_000
"""How many combinations of keys a table with `else` may have."""
_NAME = late(r"[A-Za-z_][A-Za-z0-9_]*", re.ASCII)
_NOTE = "note"
Keys: TypeAlias = tuple[Value, ...]


@frozen
class Lookup:
    """A table as written. reads: the names under `by`, in order. build: its variables, once those have their types."""

    key: Scalar
    reads: tuple[str, ...]
    build: Callable[[Mapping[str, Type]], Mapping[str, Node]]


def read_lookups(
    reader: Reader, entries: Entries, slots: Mapping[str, Field], sheets: Mapping[str, Placed]
) -> dict[str, Lookup]:
    """Return the lookup tables by name; what is wrong is blamed, some of it when they are built."""
    found: dict[str, Lookup] = {}
    for name, (key, node) in entries.items():
        if _values_beside(reader, name, key, node):
            continue
        parts = reader.mapping(node, f"`{shown(name)}`", keys=LOOKUP_KEYS, required=("by",), at=key.span)
        by = _by(reader, parts["by"][1]) if "by" in parts else ()
        table = _Table(reader, name, key, node, parts, by, slots, sheets)
        found[name] = Lookup(key, tuple(one.text.value for one in by), table.variables)
    return found


def _values_beside(reader: Reader, name: str, key: Scalar, node: YamlNode) -> bool:
    """Blame values that stand beside `by`, not under `values`: `{by: country, SG: 0.74}`."""
    if not isinstance(node, yaml.Mapping) or any(one in ("values", "file", "rows") for one in _keys_of(node)):
        return False
    values = [(inner, value) for inner, value in node.entries if inner.text.value not in LOOKUP_KEYS]
    if not values or any(not isinstance(value, Scalar) or value.value is None for _, value in values):
        return False
    if any(key_meant(inner.text.value, LOOKUP_KEYS, ()) is not None for inner, _ in values):
        return False
    message = f"the values of `{shown(name)}` stand under `values`"
    below = ", ".join(f"{reader.written(inner)}: {reader.written(value)}" for inner, value in values)
    beside = {inner.text.value: reader.written(value) for inner, value in node.entries if (inner, value) not in values}
    text = ", ".join(f"{one}: {said}" for one, said in {**beside, "values": f"{{{below}}}"}.items())
    fix = (Edit(span=node.span, text=f"{{{text}}}"),) if "by" in beside else ()
    hint = f"write `{{{text if fix else 'by: country, ' + text}}}`"
    reader.blame("schema-missing", message, values[0][0].span, hint, fix=fix)
    return True


def _keys_of(node: yaml.Mapping) -> Iterator[str]:
    return (inner.text.value for inner, _ in node.entries)


def _by(reader: Reader, node: YamlNode) -> tuple[Scalar, ...]:
    items = node.items if isinstance(node, yaml.Sequence) else (node,)
    named_ = tuple(item for item in items if isinstance(item, Scalar) and reader.text(item, "`by`") is not None)
    if not items:
        reader.blame("schema-empty", "`by` is empty", node.span, "name the field, such as country")
    return named_ if len(named_) == len(items) else ()


@frozen
class _Table:
    reader: Reader
    name: str
    key: Scalar
    node: YamlNode
    parts: Entries
    by: tuple[Scalar, ...]
    slots: Mapping[str, Field]
    sheets: Mapping[str, Placed]

    def variables(self, names: Mapping[str, Type]) -> Mapping[str, Node]:
        """Return the table's variables, `limit` or `limits.review`; none of what was blamed."""
        choosers = [chooser(self.reader, one, names, self.slots) for one in self.by]
        if not choosers or None in choosers:
            return {}
        keyed = [one for one in choosers if one is not None]
        before = len(self.reader.errors)
        if not self.parts.keys() & {"values", "file", "rows"}:
            hint = "add `values: {…}`, `rows` or `file: tables/limits.csv`"
            self.reader.blame("schema-missing", f"`{shown(self.name)}` has no values", self.key.span, hint)
            return {}
        columns = self.of_values(keyed) if "values" in self.parts else self.of_rows(keyed)
        if len(self.reader.errors) > before:
            return {}
        types = self.types(columns)
        return {
            name: node
            for name, cells in columns.items()
            if name in types and (node := self.tree(name, keyed, cells, types[name])) is not None
        }

    # what is written

    def of_values(self, keyed: Sequence[tuple[Name, Field]]) -> dict[str, dict[Keys, Given]]:
        """Return the cells under `values`, `{SG: 50000}`, by key."""
        at, node = self.parts["values"]
        for other in ("file", "rows"):
            if other in self.parts:
                hint = "keep one of the two"
                self.reader.blame("schema-missing", f"`{self.name}` has both `values` and `{other}`", at.span, hint)
        if len(keyed) > 1:
            hint = "write `rows`, with a column for each"
            self.reader.blame("schema-value", "`values` has one key, and `by` several", at.span, hint)
            return {}
        cells: dict[Keys, Given] = {}
        for word, (inner, value) in self.reader.mapping(node, "`values`", at=at.span).items():
            key = self.value(Given(word, inner.span, is_own=True), *keyed[0])
            if isinstance(value, Scalar) and key is not None:
                self.keep(cells, (key,), Given(value.text.value.strip(), value.span, is_own=True), inner.span)
            elif not isinstance(value, Scalar):
                self.reader.unfit(value, f"`{shown(word)}`", "a value")
        return {self.name: cells}

    def of_rows(self, keyed: Sequence[tuple[Name, Field]]) -> dict[str, dict[Keys, Given]]:
        """Return the cells of the columns that are no keys, by key."""
        keys = [name.name for name, _ in keyed]
        columns: dict[str, dict[Keys, Given]] = {}
        seen: dict[Keys, Given] = {}
        checked: set[str] = set()
        for record in records_of(self.reader, self.sheets, self.key, self.node, self.parts):
            for header in record.headers.keys() - checked - {*keys, _NOTE}:
                checked.add(header)
                alike = next((one for one in columns if one.casefold() == f"{self.name}.{header}".casefold()), None)
                if alike is not None and not self.reader.recorded:
                    hint = f"write `{alike.removeprefix(f'{self.name}.')}`"
                    message = f"`{shown(header)}` is a column beside `{alike.removeprefix(f'{self.name}.')}`"
                    self.reader.blame("table-column", message, record.headers[header], hint)
                if _NAME.fullmatch(header):
                    columns.setdefault(f"{self.name}.{header}", {})
                else:
                    hint = did_you_mean(header, keys) or "letters, digits and _, not starting with a digit"
                    message = f"`{shown(header)}` cannot be the name of a column of values"
                    self.reader.blame("table-column", message, record.headers[header], hint)
            missing = [name for name in keys if name not in record.cells]
            if missing:
                hint = "write it, or leave the row to `else`"
                self.reader.blame("table-row", f"this row has no `{missing[0]}`", record.span, hint)
                continue
            values = [self.value(record.cells[name.name], name, of) for name, of in keyed]
            if None in values:
                continue
            key = tuple(value for value in values if value is not None)
            if not self.keep(seen, key, record.cells[keys[0]], record.span):
                continue
            for header, given in record.cells.items():
                if f"{self.name}.{header}" in columns and header not in keys:
                    columns[f"{self.name}.{header}"][key] = given
        return columns

    def value(self, given: Given, name: Name, of: Field) -> Value | None:
        """Return a key."""
        try:
            return value_of(given.text, of, name.name)
        except Unfit as unfit:
            self.reader.blame(unfit.code, unfit.message, given.span, unfit.hint, fix=given.fix(unfit))
            return None

    def keep(self, cells: dict[Keys, Given], key: Keys, given: Given, at: Span) -> bool:
        """Keep a key's cell, unless another row has the key."""
        if key not in cells:
            cells[key] = given
            return True
        line = self.reader.source.line_at(cells[key].span.start)
        said = ", ".join(str(part) for part in key)
        self.reader.blame("name-duplicate", f"`{shown(said)}` is there twice", at, f"it is already in {line}")
        return False

    # types and trees

    def types(self, columns: Mapping[str, Mapping[Keys, Given]]) -> dict[str, Type]:
        """Return the type of each column: as `type` says, else as all its cells read."""
        said = self.parts["type"][1] if "type" in self.parts else None
        stated: dict[str, Type] = {}
        if isinstance(said, yaml.Mapping):
            for header, (inner, node) in self.reader.mapping(said, "`type`", at=said.span).items():
                name = f"{self.name}.{header}"
                if name not in columns:
                    hint = did_you_mean(name, columns)
                    self.reader.blame("name-unknown", f"there is no column `{shown(header)}`", inner.span, hint)
                elif (word := self.reader.choice(node, "`type`", SCALARS)) is not None:
                    stated[name] = SCALARS[word]
        elif said is not None and (word := self.reader.choice(said, "`type`", SCALARS)) is not None:
            stated = dict.fromkeys(columns, SCALARS[word])
        otherwise = {name: [given] if (given := self.otherwise(name)) is not None else [] for name in columns}
        return {
            name: stated[name] if name in stated else self.type_of([*cells.values(), *otherwise[name]])
            for name, cells in columns.items()
        }

    def type_of(self, cells: Sequence[Given]) -> Type:
        """Return the first type that all cells read as; numbers that are written in another way are numbers."""
        type_ = _type_of(cells)
        if type_ != STRING or self.reader.recorded:
            return type_
        number = Field(type=DOUBLE)
        unread = [given for given in cells if not _reads(given, number)]
        meant = all(text_meant(given.text, DOUBLE) is not None for given in unread)
        plain = len(unread) < len(cells) or all(_is_number(given.text) for given in unread)
        return DOUBLE if meant and plain else type_

    def otherwise(self, name: str) -> Given | None:
        """Return what `else` says of a column."""
        at, node = self.parts.get("else", (None, None))
        if isinstance(node, yaml.Mapping):
            node = node.get(name.removeprefix(f"{self.name}."))
        return (
            Given(node.text.value.strip(), node.span, is_own=True)
            if at is not None and isinstance(node, Scalar)
            else None
        )

    def tree(
        self, name: str, keyed: Sequence[tuple[Name, Field]], cells: Mapping[Keys, Given], type_: Type
    ) -> Node | None:
        """Return `{"SG": 50000.0}[country]`, in which a key that is not there is unknown, or the value of `else`."""
        declared = Field(type=type_)
        values: dict[Keys, Node] = {}
        for key, given in cells.items():
            node = self.constant(given, declared, name)
            if node is not None:
                values[key] = node
        if not values:
            if not cells:
                self.reader.blame("schema-empty", f"`{shown(name)}` has no values", self.key.span, "add a row")
            return None
        otherwise = self.otherwise(name)
        default = self.constant(otherwise, declared, name) if otherwise is not None else None
        if default is None:
            return _indexed(keyed, values, type_, self.key.span)
        seen = [list(dict.fromkeys(key[at] for key in values)) for at in range(len(keyed))]
        size = 1
        for part in seen:
            size *= len(part)
        if size > COMBINATIONS_MAX:
            message = f"`{self.name}` with `else` has more than {COMBINATIONS_MAX:,} combinations"
            self.reader.blame("table-row", message, self.key.span, "leave `else` out, or split the table")
            return None
        full: dict[Keys, Node] = {}
        _fill(full, (), seen, values, default)
        covered = [
            Binary(operator="in", left=field, right=_list(part, of.type, field.span), span=field.span, type=BOOL)
            for (field, of), part in zip(keyed, seen, strict=True)
        ]
        is_covered: Node = (
            covered[0]
            if len(covered) == 1
            else Logic(operator="&&", operands=tuple(covered), span=self.key.span, type=BOOL)
        )
        found = _indexed(keyed, full, type_, self.key.span)
        return Conditional(condition=is_covered, then=found, otherwise=default, span=self.key.span, type=type_)

    def constant(self, given: Given, declared: Field, name: str) -> Node | None:
        """Return a cell's value as a constant."""
        if given.parts is not None:
            self.reader.blame("table-cell", "a cell of values holds one value, not a list", given.span)
            return None
        try:
            return constant(value_of(given.text, declared, name), declared.type, given.span)
        except Unfit as unfit:
            self.reader.blame(unfit.code, unfit.message, given.span, unfit.hint, fix=given.fix(unfit))
            return None


def chooser(
    reader: Reader, node: Scalar, names: Mapping[str, Type], slots: Mapping[str, Field]
) -> tuple[Name, Field] | None:
    """Return the field or variable that a `by` names, with its declaration; None where it was blamed."""
    name = node.text.value
    type_ = names.get(name)
    if type_ in (DYN, DAMAGED_SIGNAL):
        return None
    if type_ is None:
        hint = did_you_mean(name, names)
        reader.blame("name-unknown", f"there is no field `{shown(name)}`", node.span, hint)
        return None
    if type_ not in (BOOL, INT, STRING) and not isinstance(type_, EnumType):
        hint = "choose by an enum, a string, an int or a bool"
        message = f"`{name}` is {named(type_)}, which has no single values to choose by"
        reader.blame("type-threshold", message, node.span, hint)
        return None
    return Name(name=name, span=node.span, type=type_), slots.get(name) or Field(type=type_)


def _type_of(cells: Sequence[Given]) -> Type:
    """Return the first type that all cells read as: `2` and `2.5` together are doubles."""
    for type_ in (BOOL, INT, DOUBLE, DURATION, DATE):
        declared = Field(type=type_)
        if all(_reads(given, declared) for given in cells):
            return type_
    return STRING


def _is_number(text: str) -> bool:
    """Whether a text is a number and nothing beside it, such as `5,000`, `50%` or one in full-width digits."""
    found = quantity(text)
    return found is not None and found.unit in ("", "%")


def _reads(given: Given, declared: Field) -> bool:
    try:
        value_of(given.text, declared, "")
    except Unfit:
        return False
    return True


def _fill(
    full: dict[Keys, Node], key: Keys, seen: Sequence[Sequence[Value]], values: Mapping[Keys, Node], default: Node
) -> None:
    if len(key) == len(seen):
        full[key] = values.get(key, default)
        return
    for value in seen[len(key)]:
        _fill(full, (*key, value), seen, values, default)


def _list(values: Sequence[Value], type_: Type, span: Span) -> Node:
    items = tuple(constant(value, type_, span) for value in values)
    return ListLiteral(items=items, span=span, type=ListType(STRING if is_text(type_) else type_))


def _indexed(keyed: Sequence[tuple[Name, Field]], values: Mapping[Keys, Node], type_: Type, span: Span) -> Node:
    """Return the map of all values, a map inside it for each further key, looked up by the fields."""
    found: Node = _map([of for _, of in keyed], values, type_, span)
    for name, _ in keyed:
        assert isinstance(found.type, MapType)
        found = Index(operand=found, key=name, span=span, type=found.type.value)
    return found


def _map(fields: Sequence[Field], values: Mapping[Keys, Node], type_: Type, span: Span) -> Node:
    first, *rest = fields
    key_type = STRING if is_text(first.type) else first.type
    parts: dict[Value, dict[Keys, Node]] = {}
    for key, node in values.items():
        parts.setdefault(key[0], {})[key[1:]] = node
    entries = tuple(
        (
            constant(value, first.type, span),
            _map(rest, inner, type_, span) if rest else inner[()],
        )
        for value, inner in parts.items()
    )
    inner_type: Type = type_
    for of in reversed(rest):
        inner_type = MapType(STRING if is_text(of.type) else of.type, inner_type)
    return MapLiteral(entries=entries, span=span, type=MapType(key_type, inner_type))
