"""Tables of rules: headers are conditions, and each row is an ordinary rule with its own place."""

from __future__ import annotations

import csv
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import field, replace
from typing import cast

from adjudge.errors import did_you_mean, nearest
from adjudge.expr.nodes import LISTS, Binary, BinaryOperator, ListLiteral, Logic, Name, Node, Unary
from adjudge.frozen import frozen
from adjudge.model import OUTCOMES, Outcome
from adjudge.patterns import late
from adjudge.policy.loading.cells import Unfit, constant, value_of
from adjudge.policy.loading.choosing import PERSON, read_confirm
from adjudge.policy.loading.column_mistakes import ColumnMistakes
from adjudge.policy.loading.declarations import DAMAGED_SIGNAL
from adjudge.policy.loading.document import CAUGHT, REASON_CODE, RULE_ID, upper_snake
from adjudge.policy.loading.forms import Entries
from adjudge.policy.loading.headers import meant_header
from adjudge.policy.loading.other_words import choice_meant
from adjudge.policy.loading.period import Period, read_moment
from adjudge.policy.loading.reader import Reader
from adjudge.policy.loading.steps import asked, check_step, read_ask
from adjudge.policy.otherwise import none_of
from adjudge.policy.slots import beginnings
from adjudge.policy.text import yaml
from adjudge.policy.text.sheets import Placed, file_of
from adjudge.policy.text.syntax import as_value, shown
from adjudge.policy.text.workbook import SUFFIXES
from adjudge.policy.text.yaml import Scalar, YamlNode
from adjudge.policy.typed import Rule
from adjudge.source import Edit, Span
from adjudge.values.fields import Field
from adjudge.values.types import (
    BOOL,
    DATE,
    DOUBLE,
    DURATION,
    DYN,
    INT,
    STRING,
    TIMESTAMP,
    EnumType,
    ListType,
    MapType,
    SetType,
    Type,
    is_text,
    named,
)

TABLE_KEYS = ("description", "file", "sheet", "rows", "then", "reason", "when_unknown", "ask", "confirm", "else")
ELSE_KEYS = ("then", "reason", "when_unknown", "ask", "confirm")
SAYING = ("id", "then", "reason", "from", "until", "note", "when_unknown", "ask", "confirm")
"""Columns that are no conditions."""
LATER = ("ask", "confirm")
"""Those among them that are conditions where a field has the name."""
ELSE = "else"
ROWS_MAX = 100_000
MISTAKES_MAX = 50
"""So many mistakes of one table are told."""
_ORDERS = ("<", "<=", ">", ">=")
_OPERATORS = ("==", "!=", *_ORDERS, "in", "not in")
_ORDERED = (INT, DOUBLE, DURATION, TIMESTAMP, DATE)
_HEADER = late(r"(?P<name>.*?)\s*(?P<operator>==|!=|<=|>=|<|>|(?<=\s)in|(?<=\s)not\s+in)")
_OTHER_COMMA = late("[;|/，、；]|\\n")
_NO_COMMA = late("[;|\\r\\n\u060c\u061b\u3001\uff0c\uff1b\uff5c]")
_RANGED = late(r"(.+?)[\s_]+(?:between|range|from[\s_-]+to)", re.IGNORECASE)
_COMPARED = late(r"(>=|<=|!=|<>|==|=|>|<|!|not\s)\s*(.+)")
_IN_QUOTES = late('"[^"]*"')


@frozen
class Given:
    """A cell as written, in a file or in YAML. parts: of a YAML list, its texts. is_own: it stands in the policy."""

    text: str
    span: Span
    parts: tuple[str, ...] | None = None
    is_own: bool = False

    def fix(self, unfit: Unfit) -> tuple[Edit, ...]:
        """Return the edit that mends the cell; a cell of a file is mended in the file."""
        meant = as_value(unfit.meant, "", "{") if unfit.meant else ""
        return (Edit(span=self.span, text=meant),) if meant and self.is_own else ()


@frozen
class Record:
    """A row as written: its cells by header, those that are there; where it begins, and where each header stands."""

    cells: Mapping[str, Given]
    span: Span
    headers: Mapping[str, Span]


@frozen
class Column:
    """A header that is a condition: what it reads, and how each cell is compared with that."""

    name: Name
    declared: Field
    operator: str

    @property
    def is_alike(self) -> bool:
        """Whether what is wrong with one cell tells of the others: each word of a vocabulary is wrong by itself."""
        return self.operator in ("in", "not in") or not isinstance(self.declared.type, EnumType | SetType)


@frozen
class Tables:
    """Reads the tables of one policy.

    slots: every field by its full name. names: the types of all that a header can name, lists and variables included.
    sheets: the cells of tables' files. steps: names of what rows can ask for.
    complete: whether a name that is missing is a mistake of its own.
    """

    reader: Reader
    slots: Mapping[str, Field]
    names: Mapping[str, Type]
    sheets: Mapping[str, Placed]
    steps: Collection[str] = ()
    complete: bool = True
    taken: dict[str, Span] = field(default_factory=dict)

    def read(self, entries: Entries) -> tuple[Rule, ...]:
        """Return the rules of all tables, in their order."""
        return tuple(rule for key, node in entries.values() for rule in self.table(key, node))

    def table(self, key: Scalar, node: YamlNode) -> Iterator[Rule]:
        """Yield the rules of one table."""
        name = key.text.value
        if not RULE_ID.fullmatch(name) or name == "threshold":
            hint = "begin with a letter; then letters, digits, - _ and ., at most 100"
            self.reader.blame("name-invalid", f"`{shown(name)}` cannot be the name of a table", key.span, hint)
            return
        parts = self.reader.mapping(node, f"`{name}`", keys=TABLE_KEYS, at=key.span)
        if not isinstance(node, yaml.Mapping):
            return
        for text in ("description", "reason"):
            if text in parts:
                self.reader.text(parts[text][1], f"`{text}`")
        usual = self.usual(parts, _Usual(None, upper_snake(name), None, (), False))
        rows = tuple(self.rules(name, records_of(self.reader, self.sheets, key, node, parts), usual))
        yield from rows
        if ELSE in parts:
            yield from self.otherwise(name, *parts[ELSE], rows, usual)

    def usual(self, parts: Entries, otherwise: _Usual) -> _Usual:
        """Return what is said of each row, or else what stands for it."""
        confirm = parts.get("confirm")
        return _Usual(
            then=self.reader.outcome(parts["then"][1], "`then`", CAUGHT) if "then" in parts else otherwise.then,
            reason=self.reason(Given(parts["reason"][1].text.value, parts["reason"][1].span))
            if "reason" in parts and isinstance(parts["reason"][1], Scalar)
            else otherwise.reason,
            when_unknown=self.reader.outcome(parts["when_unknown"][1], "`when_unknown`")
            if "when_unknown" in parts
            else otherwise.when_unknown,
            ask=asked(self.reader, read_ask(self.reader, parts["ask"][1]), self.steps)
            if "ask" in parts
            else otherwise.ask,
            confirm=read_confirm(self.reader, confirm[1], Outcome.REJECT, confirm[0].span)
            if confirm is not None
            else otherwise.confirm,
        )

    def otherwise(self, table: str, key: Scalar, node: YamlNode, rows: Sequence[Rule], usual: _Usual) -> Iterator[Rule]:
        """Yield what happens where no row is true: `else: review`, or with what a row can say."""
        if isinstance(node, Scalar) and node.value is not None:
            said = replace(usual, then=self.reader.outcome(node, f"`{ELSE}`", CAUGHT))
        else:
            parts = self.reader.mapping(node, f"`{ELSE}`", keys=ELSE_KEYS, required=("then",), at=key.span)
            said = self.usual(parts, replace(usual, then=None))
            if "confirm" in parts and said.then is Outcome.REVIEW:
                read_confirm(self.reader, parts["confirm"][1], said.then, parts["confirm"][0].span)
        name = f"{table}:{ELSE}"
        if name in self.taken:
            hint = "give the row another id"
            self.reader.blame("name-duplicate", f"a row and `{ELSE}` are both called `{name}`", self.taken[name], hint)
        elif said.then is not None:
            yield Rule(
                id=name,
                condition=none_of([row.condition for row in rows]),
                outcome=said.then,
                reason=said.reason,
                when_unknown=said.when_unknown,
                origin="table",
                ask=said.ask,
                confirm=said.confirm and said.then is Outcome.REJECT,
                otherwise=True,
                span=key.span,
            )

    def rules(self, table: str, records: Iterator[Record], usual: _Usual) -> Iterator[Rule]:
        """Yield the rule of each row."""
        columns: dict[str, Column | None] = dict.fromkeys(SAYING)
        before = len(self.reader.errors)
        mistakes = ColumnMistakes(self.reader)
        words: dict[str, str] = {}
        for number, record in enumerate(records, 1):
            if len(self.reader.errors) - before > MISTAKES_MAX:
                break
            if record.headers.keys() - columns.keys() or (number == 1 and self.names.keys() & LATER):
                columns = {header: column for header, column in columns.items() if not self.is_field(header)}
                columns |= {
                    header: self.column(header, span)
                    for header, span in record.headers.items()
                    if header not in columns
                }
                words = {
                    header: word
                    for header, column in columns.items()
                    if column is None and header not in SAYING and (word := self.word(header)) is not None
                }
            if words:
                record = replace(record, cells={words.get(one, one): cell for one, cell in record.cells.items()})
            parts: list[Node] = []
            asks = bool(words)
            for header, given in record.cells.items():
                if header in SAYING and not self.is_field(header):
                    continue
                asks = True
                column = columns[header]
                so_far = len(self.reader.errors)
                part = self.part(column, given) if column is not None else None
                if len(self.reader.errors) > so_far and column is not None and column.is_alike:
                    mistakes.note(header, so_far)
                if part is not None:
                    parts.append(part)
            so_far = len(self.reader.errors)
            rule = self.rule(table, number, record, parts, usual)
            if rule is None:
                mistakes.note("then" if "then" in record.cells else f"then beside {', '.join(record.headers)}", so_far)
            if not asks:
                hint = "fill in a condition, or delete the row"
                self.reader.blame("table-row", "this row asks nothing, so it would be true of everybody",
                                  record.span, hint)  # fmt: skip
            elif rule is not None and parts:
                yield rule
        mistakes.tell_once()

    def word(self, header: str) -> str | None:
        """Return what a header that was blamed says of rows: `Then` is `then`; None where it asks something."""
        meant = meant_header(header, self.names, SAYING)
        return meant if meant in SAYING else None

    def is_field(self, header: str) -> bool:
        """Whether a header that came to say something of rows is the name of a field all the same."""
        return header in LATER and header in self.names

    def rule(self, table: str, number: int, record: Record, parts: Sequence[Node], usual: _Usual) -> Rule | None:
        """Return a row's rule; what its cells say goes before what the table says."""
        cells = record.cells
        outcome = self.outcome(cells["then"], CAUGHT) if "then" in cells else usual.then
        if outcome is None:
            if "then" not in cells:
                hint = "add a column `then`, or `then:` to the table"
                self.reader.blame("schema-missing", "this row has no outcome", record.span, hint)
            return None
        first, last = (
            read_moment(self.reader, cells[key].text, f"`{key}`", cells[key].span, is_own=cells[key].is_own)
            if key in cells
            else None
            for key in ("from", "until")
        )
        if first is not None and last is not None and first >= last:
            hint = "`from` is the first moment, `until` the first one after the end"
            self.reader.blame("schema-range", "the rule ends before it begins", cells["until"].span, hint)
        own = cells.get("id")
        name = f"{table}:{self.row_id(own) if own is not None else number}"
        if name in self.taken:
            line = self.reader.source.line_at(self.taken[name].start)
            hint = f"the row in {line} already has this id"
            self.reader.blame("name-duplicate", f"duplicate row id `{shown(name)}`",
                              (own or Given("", record.span)).span, hint)  # fmt: skip
        self.taken.setdefault(name, record.span)
        condition = (
            parts[0] if len(parts) == 1 else Logic(operator="&&", operands=tuple(parts), span=record.span, type=BOOL)
        )
        period = (
            Period(starts=first, ends=last, span=cells["from" if "from" in cells else "until"].span)
            if (first is not None or last is not None)
            else None
        )
        ask, confirm = (None if self.is_field(header) else cells.get(header) for header in LATER)
        return Rule(
            id=name,
            condition=condition if period is None else period.joined(condition),
            outcome=outcome,
            reason=self.reason(cells["reason"]) if "reason" in cells else usual.reason,
            when_unknown=self.outcome(cells["when_unknown"], OUTCOMES)
            if "when_unknown" in cells
            else usual.when_unknown,
            origin="table",
            description=cells["note"].text if "note" in cells else "",
            starts=first,
            ends=last,
            ask=self.asked(ask) if ask is not None else usual.ask,
            confirm=self.confirm(confirm, outcome)
            if confirm is not None
            else usual.confirm and outcome == Outcome.REJECT,
            span=record.span,
        )

    # headers

    def column(self, header: str, at: Span) -> Column | None:
        """Return what a header asks; None where it was blamed. at: where it stands."""
        found = _HEADER.fullmatch(header) if header not in self.names else None
        name, operator = (found["name"], " ".join(found["operator"].split())) if found else (header, "")
        type_ = self.names.get(name)
        if type_ is None:
            self.unknown(header, name, at)
            return None
        if type_ in (DYN, DAMAGED_SIGNAL):
            return None
        simple = type_ in (*_ORDERED, BOOL) or is_text(type_)
        holds = isinstance(type_, SetType) or (isinstance(type_, ListType) and not name.startswith(f"{LISTS}."))
        if not (simple or holds) or name.startswith(f"{LISTS}."):
            keys = type_.keys if isinstance(type_, MapType) else None
            hint = f"name one of its keys: {name}.{keys[0]}" if keys else "write a rule that reads it"
            self.reader.blame("table-column", f"`{shown(name)}` is {named(type_)}, which no cell can hold", at, hint)
            return None
        allowed = [*(() if holds else ("==", "!=")), *(_ORDERS if type_ in _ORDERED else ())]
        allowed += () if type_ == BOOL else ("in", "not in")
        if operator and operator not in allowed:
            hint = f"write `{name}`, or one of {', '.join(f'`{name} {one}`' for one in allowed)}"
            self.reader.blame("table-column", f"`{name}` is {named(type_)}, which `{operator}` does not take", at, hint)
            return None
        return Column(Name(name=name, span=at, type=type_), self.slots.get(name) or Field(type=type_), operator or "==")

    def unknown(self, header: str, name: str, at: Span) -> None:
        """Blame a header that names nothing."""
        meant = meant_header(header, self.names, SAYING)
        ranged = _RANGED.fullmatch(header)
        if ranged is not None and ranged[1] in self.names:
            hint = f"write two columns, `{ranged[1]} >=` and `{ranged[1]} <=`"
            self.reader.blame("table-column", f"`{shown(header)}` is no condition", at, hint)
        elif meant is not None:
            fix = (Edit(span=at, text=meant),) if self.is_own(at, header) else ()
            is_word = meant in SAYING
            message = f"there is no field `{shown(header)}`" if is_word else f"`{shown(header)}` is no condition"
            self.reader.blame("table-column", message, at, f"write `{meant}`", fix=fix)
        elif self.complete and not any(self.names.get(one) in (DYN, DAMAGED_SIGNAL) for one in beginnings(name)):
            near = nearest(name, (*self.names, *SAYING))
            fix = ()
            if near is not None and self.is_own(at, header):
                fix = (Edit(span=at, text=near + header.removeprefix(name)),)
            hint = (
                f"did you mean `{near}`?"
                if near is not None
                else f"a header is a field, perhaps with one of {' '.join(_OPERATORS)}; or {', '.join(SAYING)}"
            )
            self.reader.blame("table-column", f"there is no field `{shown(name)}`", at, hint, fix=fix)

    def is_own(self, at: Span, header: str) -> bool:
        """Whether a header stands in the policy as it is, and not in a table's file."""
        part, _ = self.reader.source.part(at.start)
        return part is self.reader.source.part(0)[0] and self.reader.source.text[at.start : at.end] == header

    # cells

    def part(self, column: Column, given: Given) -> Node | None:
        """Return what a cell asks; None where it was blamed."""
        several = column.operator in ("in", "not in")
        try:
            if several:
                return self.among(column, given)
            if given.parts is not None:
                hint = f"write `{column.name.name} in` above the column"
                raise Unfit("table-cell", "a cell of this column holds one value, not a list", hint)
            value = value_of(given.text, column.declared, column.name.name)
        except Unfit as unfit:
            mixed = several and not unfit.meant and _OTHER_COMMA.search(given.text) is not None
            way = "separate the values with commas: SG, ID" if mixed else unfit.hint
            fix = given.fix(unfit)
            compared = _COMPARED.match(given.text)
            if not several and column.operator in ("==", "!=") and self.are_values(column, given):
                word = "in" if column.operator == "==" else "not in"
                way, fix = f"write `{column.name.name} {word}` above the column, which takes several values", ()
            if compared is not None and not several and compared[1] != column.operator:
                operator = "!=" if compared[1].strip() in ("!", "not", "<>") else compared[1]
                way = f"write `{column.name.name} {operator}` above the column, and {compared[2].strip()} in the cell"
                fix = ()
            self.reader.blame(unfit.code, unfit.message, given.span, way, fix=fix)
            return None
        type_ = column.declared.type
        if isinstance(type_, SetType | ListType):
            member = constant(value, STRING, given.span)
            return Binary(operator="in", left=member, right=column.name, span=given.span, type=BOOL)
        operator = cast("BinaryOperator", column.operator)
        right = constant(value, type_, given.span)
        return Binary(operator=operator, left=column.name, right=right, span=given.span, type=BOOL)

    def are_values(self, column: Column, given: Given) -> bool:
        """Whether a cell of one value holds several, as `SG, ID`."""
        texts = [one.strip() for one in re.split(r"[,;|]", given.text)]
        try:
            return len(texts) > 1 and all(value_of(one, column.declared, column.name.name) is not None for one in texts)
        except Unfit:
            return False

    def among(self, column: Column, given: Given) -> Node:
        """Return what a cell of several values asks: `SG, ID`, or `lists.NAME`. Raises Unfit."""
        type_, span = column.declared.type, given.span
        if given.parts is None and given.text.startswith(f"{LISTS}."):
            if given.text not in self.names or not is_text(type_):
                known = [name for name in self.names if name.startswith(f"{LISTS}.")]
                hint = did_you_mean(given.text, known) if is_text(type_) else "a list holds texts"
                raise Unfit("table-cell", f"there is no such list, `{shown(given.text)}`", hint)
            right: Node = Name(name=given.text, span=span, type=self.names[given.text])
            found: Node = Binary(operator="in", left=column.name, right=right, span=span, type=BOOL)
        else:
            if given.parts is None and is_text(type_) and not self.reader.recorded:
                _require_commas(given.text)
            texts = given.parts if given.parts is not None else _split(given.text)
            values = dict.fromkeys(value_of(text, column.declared, column.name.name) for text in texts)
            if isinstance(type_, SetType | ListType):
                held: list[Node] = [
                    Binary(operator="in", left=constant(value, STRING, span), right=column.name, span=span, type=BOOL)
                    for value in values
                ]
                found = held[0] if len(held) == 1 else Logic(operator="||", operands=tuple(held), span=span, type=BOOL)
            else:
                inner = STRING if is_text(type_) else type_
                items = tuple(constant(value, type_, span) for value in values)
                right = ListLiteral(items=items, span=span, type=ListType(inner))
                found = Binary(operator="in", left=column.name, right=right, span=span, type=BOOL)
        return found if column.operator == "in" else Unary(operator="!", operand=found, span=span, type=BOOL)

    def outcome(self, given: Given, among: Collection[Outcome]) -> Outcome | None:
        """Return an outcome's cell."""
        word = given.text
        if word in among:
            return Outcome(word)
        fix: tuple[Edit, ...] = ()
        if word == Outcome.PASS:
            hint = "delete the row: whatever no rule catches passes"
        else:
            meant = choice_meant(word, among)
            hint = f"write {meant[0] if meant is not None else ' or '.join(among)}"
            fix = (Edit(span=given.span, text=meant[0]),) if meant is not None and given.is_own else ()
        self.reader.blame("schema-value", f"`{shown(word)}` is no outcome here", given.span, hint, fix=fix)
        return None

    def asked(self, given: Given) -> tuple[str, ...]:
        """Return the steps of a cell, `document, selfie`."""
        try:
            names = given.parts if given.parts is not None else _split(given.text)
        except Unfit as unfit:
            self.reader.blame(unfit.code, unfit.message, given.span, "separate the steps with commas: document, selfie")
            return ()
        for name in names:
            check_step(self.reader, name, given.span, self.steps, is_own=False)
        return tuple(dict.fromkeys(names))

    def confirm(self, given: Given, outcome: Outcome) -> bool:
        """Return whether a cell wants a person's word for a reject."""
        if given.text == PERSON and outcome is Outcome.REJECT:
            return True
        if given.text == PERSON:
            hint = "leave it out: a review is a person's anyway"
            self.reader.blame("schema-value", "`confirm` is for a reject", given.span, hint)
        else:
            hint = f"write {PERSON}, or leave the cell empty"
            self.reader.blame("schema-value", f"`{shown(given.text)}` cannot confirm", given.span, hint)
        return False

    def reason(self, given: Given) -> str:
        """Return a reason code's cell."""
        if not REASON_CODE.fullmatch(given.text):
            code = upper_snake(given.text)
            hint = "capital letters, digits and _" + (f", such as {code}" if REASON_CODE.fullmatch(code) else "")
            self.reader.blame("name-invalid", f"`{shown(given.text)}` cannot be a reason code", given.span, hint)
        return given.text

    def row_id(self, given: Given) -> str:
        """Return the cell that names a row."""
        if not ROW_ID.fullmatch(given.text):
            hint = "letters, digits, - _ and ., at most 100"
            self.reader.blame("name-invalid", f"`{shown(given.text)}` cannot be a row's id", given.span, hint)
        return given.text


ROW_ID = late(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}", re.ASCII)


@frozen
class _Usual:
    """What a table says of each row that says nothing else."""

    then: Outcome | None
    reason: str
    when_unknown: Outcome | None
    ask: tuple[str, ...]
    confirm: bool


def _split(text: str) -> list[str]:
    """Return the values of `SG, ID`; one that holds a comma stands in quotes."""
    try:
        texts = [one.strip() for one in next(csv.reader([text], skipinitialspace=True), [])]
    except csv.Error:  # a line's end between values, or one of more than 100,000 characters
        hint = "separate the values with commas: SG, ID"
        raise Unfit("table-cell", "the values of this cell cannot be told apart", hint) from None
    if "" in texts:
        raise Unfit("table-cell", "a value is missing between two commas", "write the values as in SG, ID, PH")
    return texts


def _require_commas(text: str) -> None:
    """Refuse what else people put between values: `6051；7995` would be one text that nothing equals."""
    if other := _NO_COMMA.search(_IN_QUOTES.sub("", text.strip())):
        said = "a line's end" if other.group() in "\r\n" else f"`{other.group()}`"
        meant = ", ".join(one.strip() for one in _NO_COMMA.split(text) if one.strip())
        hint = f"separate the values with commas: {shown(meant)}"
        raise Unfit("table-cell", f"{said} does not part values", hint, meant)


def records_of(
    reader: Reader, sheets: Mapping[str, Placed], key: Scalar, node: YamlNode, parts: Entries
) -> Iterator[Record]:
    """Yield the rows of a table's file, or those under `rows`."""
    if ("file" in parts) is ("rows" in parts):
        both = "file" in parts
        way = "keep one of the two" if both else "add `file: tables/limits.csv`, or write the rows under `rows`"
        said = "both `file` and `rows`" if both else "no rows"
        reader.blame("schema-missing", f"`{shown(key.text.value)}` has {said}", key.span, way)
    elif "rows" in parts:
        yield from _written_rows(reader, *parts["rows"])
    else:
        if reader.path(parts["file"][1], "the table's file") is None:
            return
        named_file = file_of(reader, node)
        placed = sheets.get(named_file[0]) if named_file is not None else None
        if "sheet" in parts and named_file is not None and not named_file[1].lower().endswith(SUFFIXES):
            reader.blame("schema-value", "only an XLSX file has sheets", parts["sheet"][0].span, "delete `sheet`")
        if placed is not None:
            yield from _rows_of_file(reader, placed)


def _written_rows(reader: Reader, key: Scalar, node: YamlNode) -> Iterator[Record]:
    items = reader.items(node, "`rows`")
    if isinstance(node, yaml.Sequence) and not items:
        reader.blame("schema-empty", "`rows` is empty", key.span, "add a row, or leave the table out")
    for item in items:
        if isinstance(item, Scalar | yaml.Sequence):
            hint = "write each cell behind its header, such as {country: SG, amount >=: 5000}"
            reader.unfit(item, "a row", "a mapping", hint)
            continue
        entries = reader.mapping(item, "a row", at=item.span)
        cells: dict[str, Given] = {}
        for header, (inner, value) in entries.items():
            if isinstance(value, yaml.Sequence):
                texts = [one.text.value if isinstance(one, Scalar) else None for one in value.items]
                if None in texts or not texts:
                    reader.unfit(value, f"`{shown(header)}`", "a value or a list of values")
                    continue
                cells[header] = Given("", inner.span, tuple(text for text in texts if text is not None))
            elif isinstance(value, Scalar):
                if value.text.value.strip():
                    cells[header] = Given(value.text.value.strip(), value.span, is_own=True)
            elif isinstance(value, yaml.Mapping):
                reader.unfit(value, f"`{shown(header)}`", "a value or a list of values")
        if entries or not isinstance(item, yaml.Mapping):
            first = next(iter(entries.values()), None)
            if first is not None:
                yield Record(cells, first[0].span, {header: inner.span for header, (inner, _) in entries.items()})
        else:
            reader.blame("table-row", "this row is empty", item.span, "fill it in, or delete it")


def _rows_of_file(reader: Reader, placed: Placed) -> Iterator[Record]:
    begins, all_records = placed.begins, placed.records
    at = next((at for at, record in enumerate(all_records) if any(cell.text for cell in record)), None)
    if at is None:
        reader.blame("table-row", "the table is empty", Span(begins, begins), "its first row holds the headers")
        return
    head = all_records[at]
    headers = [cell.text for cell in head]
    seen: dict[str, int] = {}
    for number, cell in enumerate(head):
        if cell.text and cell.text in seen:
            hint = "delete one of the two, or merge them with `in`"
            reader.blame("name-duplicate", f"the header `{shown(cell.text)}` is there twice",
                         Span(begins + cell.start, begins + cell.end), hint)  # fmt: skip
        seen.setdefault(cell.text, number)
    places = {
        text: Span(begins + head[number].start, begins + head[number].end) for text, number in seen.items() if text
    }
    count, whole = 0, True
    for record in all_records[at + 1 :]:
        cells: dict[str, Given] = {}
        for number, cell in enumerate(record):
            if not cell.text:
                continue
            span = Span(begins + cell.start, begins + cell.end)
            header = headers[number] if number < len(headers) else ""
            if not header:  # and so the cells before it may stand in the wrong places
                hint = "put a cell that holds a comma in quotes, or name the column"
                reader.blame("table-row", f"`{shown(cell.text)}` stands under no header", span, hint)
                cells, whole = {}, False
                break
            cells.setdefault(header, Given(cell.text, span))
        if cells:
            count += 1
            if count > ROWS_MAX:
                first = next(iter(cells.values()))
                reader.blame("table-row", f"a table has at most {ROWS_MAX:,} rows", first.span, "split it")
                return
            yield Record(cells, next(iter(cells.values())).span, places)
    if not count and whole and not reader.recorded:  # as where the wrong sheet was saved: it would catch nobody
        span = next(iter(places.values()))
        reader.blame("table-row", "the table has headers and no rows", span, "add a row, or leave the table out")
