"""From a typed condition to SQL that gives the same answer on every row, NULL standing for unknown.

A slot's column is a BOOLEAN, BIGINT, DOUBLE, VARCHAR, TIMESTAMP WITH TIME ZONE, DATE, BIGINT of microseconds for a
length of time, LIST, or MAP from VARCHAR; NULL is unknown. Inside, times are BIGINTs of microseconds since 1970, dates
of days. What SQL would answer otherwise is guarded; what cannot be guarded is refused as NotTranslatable, not guessed.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field

from adjudge.expr.functions import FUNCTIONS, Overload
from adjudge.expr.nodes import (
    Binary,
    Call,
    Comprehension,
    Conditional,
    Has,
    Index,
    ListLiteral,
    Literal,
    Local,
    Logic,
    MapLiteral,
    Name,
    Node,
    Select,
    Unary,
    walk,
)
from adjudge.expr.reference import Unknown, evaluate
from adjudge.expr.sql.calls import call
from adjudge.expr.sql.dialects.dialect import Dialect
from adjudge.expr.sql.dialects.duckdb import DUCKDB
from adjudge.expr.sql.entries import entry, has, item_of
from adjudge.expr.sql.macros import at_least, comprehension, unrolled, unrolls
from adjudge.expr.sql.members import contained
from adjudge.expr.sql.operations import SIGNS, arithmetic, compared
from adjudge.expr.sql.risk import risk_of
from adjudge.expr.sql.translation import LENGTH_MAX, SHORT, Scope
from adjudge.expr.sql.value import (
    Binds,
    NotTranslatable,
    Sql,
    alike,
    joined,
    negated,
)
from adjudge.values.types import (
    BOOL,
    DATE,
    INT,
    STRING,
    TIMESTAMP,
    MapType,
    RecordType,
    Type,
)
from adjudge.values.types import ListType as List


@dataclass(slots=True)
class Translator:
    """Translates the conditions of one policy.

    columns: of slots, by full name. variables: conditions by name. lists: constants by full name, `lists.x`.
    made: variables that are columns already, times in them as microseconds. shared: makes a column of an expression
    and returns its name; None where each stands in full. tables: returns a table whose column `value` holds a list's
    values; None where there can be none. known: slots that are NULL on no row.
    """

    columns: Mapping[str, str]
    variables: Mapping[str, Node] = field(default_factory=dict)
    lists: Mapping[str, tuple[object, ...]] = field(default_factory=dict)
    dialect: Dialect = DUCKDB
    functions: Mapping[str, tuple[Overload, ...]] = field(default_factory=lambda: FUNCTIONS)
    made: Mapping[str, Sql] = field(default_factory=dict)
    shared: Callable[[str], str] | None = None
    tables: Callable[[str], str] | None = None
    known: Container[str] = ()
    _depth: int = 0

    def condition(self, node: Node) -> str:
        """Return the SQL of a condition. Raises NotTranslatable."""
        return self.value(node, {}).text

    def risk(self, node: Node) -> str | None:
        """Return SQL that is true where only the engine can say whether a condition is too much work; None for nowhere.

        Without the engine beside the database, it is for who asks to bound lists and texts. Raises NotTranslatable.
        """
        if not self.dialect.has_engine_beside:
            return None
        return risk_of(node, self.variables, self.lists, lambda name: str(self.value(name, {})), self.dialect)

    def value(self, node: Node, scope: Scope) -> Sql:
        """Return the SQL of any part. scope: the columns of comprehensions' variables."""
        found = self._value(node, scope)
        if len(found.text) > LENGTH_MAX:  # variables stand there each time that they are named
            raise NotTranslatable(f"more than {LENGTH_MAX:,} characters of SQL", node.span)
        return found

    def _value(self, node: Node, scope: Scope) -> Sql:
        folded = self._folded(node)
        if folded is not None:
            return folded
        match node:
            case Name(name=name) if name in self.made:
                return self.made[name]
            case Name(name=name) if name in self.variables:
                if scope and any(isinstance(part, Comprehension) for part in walk(self.variables[name])):
                    raise NotTranslatable("a macro of a variable, for each item of another", node.span)
                return self.value(self.variables[name], scope)
            case Name(name=name) if name in self.lists:
                return self.literal(self.lists[name], node)
            case Name(name=name) if name in self.columns:
                nulls = frozenset(() if name in self.known else (self.columns[name],))
                return Sql(self.taken(self.columns[name], node.type), nulls=nulls)
            case Local(name=name):
                return scope[name]
            case Has(operand=operand):
                return has(self, operand, scope)
            case Select(operand=operand, field=key) if isinstance(operand.type, RecordType):
                return Sql(self.taken(self.dialect.member(str(self.value(operand, scope)), key), node.type))
            case Select(operand=operand, field=key) if isinstance(operand.type, MapType):
                return entry(self, operand, Literal(span=node.span, type=STRING, value=key), node, scope)
            case Index():
                return item_of(self, node, scope)
            case Unary(operator="!", operand=operand):
                return negated(self.value(operand, scope))
            case Unary(operand=operand):
                found = self.value(operand, scope)
                if operand.type == INT:
                    return Sql(self.dialect.int_operation("-", "0", str(found)))
                return Sql(f"- {found.beside(Binds.SIGN)}", found.may_be_nan, Binds.SIGN, found.nulls)
            case Logic(operator=operator, operands=operands):
                return joined("and" if operator == "&&" else "or", *(self.value(one, scope) for one in operands))
            case Conditional(condition=condition, then=then, otherwise=otherwise):
                one, two = self.value(then, scope), self.value(otherwise, scope)
                asked = self.value(condition, scope)
                text = f"case when {asked.text} then {one.text} when {negated(asked).text} then {two.text} end"
                return Sql(text, one.may_be_nan or two.may_be_nan, nulls=alike(asked, one, two))
            case Binary(operator="in"):
                return contained(self, node, scope)
            case Binary(operator=sign) if sign in SIGNS:
                return compared(self, node, scope)
            case Binary():
                return arithmetic(self, node, scope)
            case Call(function="atLeast"):
                return at_least(self, node, scope)
            case Call(function="size", arguments=(Comprehension(kind="filter") as over,)) if unrolls(self, over):
                return unrolled(self, over, scope)
            case Call():
                arguments = [self.value(argument, scope) for argument in node.arguments]
                return call(node, arguments, self.dialect, self.short)
            case Comprehension() if unrolls(self, node) and node.kind != "filter":
                return unrolled(self, node, scope)
            case Comprehension():
                return comprehension(self, node, scope)
            case ListLiteral(items=items) if items:
                parts = [self.value(item, scope) for item in items]
                made = self.dialect.list_of(", ".join(part.text for part in parts))
                return Sql(made, any(part.may_be_nan for part in parts))
        raise NotTranslatable("such a part", node.span)

    def short(self, sql: Sql) -> Sql:
        """Return a part that is to stand in several places, as a column if there can be some."""
        if self.shared is None or self._depth or len(sql.text) < SHORT:  # no column holds the variable of a lambda
            return sql
        return Sql(self.shared(sql.text), sql.may_be_nan, nulls=sql.nulls)

    # leaves

    def _folded(self, node: Node) -> Sql | None:
        """Return what a part without fields always is."""
        if isinstance(node, Literal):
            return self.literal(node.value, node)
        if any(isinstance(part, Name | Local | Comprehension) for part in walk(node)):
            return None
        if isinstance(node, ListLiteral | MapLiteral):
            return None
        found = evaluate(node, {}, functions=self.functions)
        if isinstance(found, Unknown):
            return Sql("cast(null as boolean)" if node.type == BOOL else "null")
        return self.literal(found, node)

    def literal(self, value: object, node: Node) -> Sql:
        """Return a value that is written out. Raises NotTranslatable."""
        try:
            text = self.dialect.literal(value)
        except (ValueError, UnicodeEncodeError) as error:
            raise NotTranslatable(f"{error} has no SQL form", node.span) from None
        binds = Binds.SIGN if text[0] == "-" else Binds.WHOLE
        return Sql(text, isinstance(value, float) and value != value, binds, frozenset())

    def taken(self, column: str, type_: Type | None) -> str:
        """Return a column's value with its times as microseconds, in lists too."""
        if type_ == TIMESTAMP:
            return self.dialect.micros(column)
        if type_ == DATE:
            return self.dialect.days(column)
        if not isinstance(type_, List) or not _has_times(type_.item):
            return column
        with self.variable() as item:
            return self.dialect.each(column, item, self.taken(item, type_.item))

    @contextmanager
    def variable(self) -> Iterator[str]:
        """Name the variable of a lambda: as no column is called, which it would hide."""
        word = "v"
        while any(word in column.lower() for column in self.columns.values()):
            word += "v"
        self._depth += 1
        try:
            yield f"{word}{self._depth}"
        finally:
            self._depth -= 1

    def written(self, node: Node) -> ListLiteral | MapLiteral | None:
        """Return the list or map that is written out here, or as a variable; None where it is none."""
        while isinstance(node, Name) and node.name in self.variables:
            node = self.variables[node.name]
        return node if isinstance(node, ListLiteral | MapLiteral) else None

    def is_made(self, node: Node) -> bool:
        """Whether a part is a column already."""
        return isinstance(node, Name) and node.name in self.made


def _has_times(type_: Type) -> bool:
    return type_ in (TIMESTAMP, DATE) or (isinstance(type_, List) and _has_times(type_.item))
