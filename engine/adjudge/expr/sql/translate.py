"""From a typed condition to SQL that gives the same answer on every row, NULL standing for unknown.

A slot's column is a BOOLEAN, BIGINT, DOUBLE, VARCHAR, TIMESTAMP WITH TIME ZONE, BIGINT of microseconds for a length of
time, LIST, or MAP from VARCHAR; NULL is unknown. Inside, times are BIGINTs of microseconds since 1970. What SQL would
answer otherwise is guarded; what cannot be guarded is refused as NotTranslatable, never guessed.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field

from adjudge.expr import gaps
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
from adjudge.expr.sql.risk import risk_of
from adjudge.expr.sql.value import Binds, NotTranslatable, Sql, in_days, in_lengths, is_null, joined, negated
from adjudge.values.literals import TEXT_MAX
from adjudge.values.types import BOOL, DOUBLE, DURATION, INT, SCALARS, TIMESTAMP, MapType, SetType, Type, is_text
from adjudge.values.types import ListType as List

_EXACT = 2**53
_SIGNS = {"==": "=", "!=": "<>", "<": "<", "<=": "<=", ">": ">", ">=": ">="}


LENGTH_MAX = 50_000
"""Characters of a condition: a database takes longer to read more than the engine takes to answer."""


@dataclass(slots=True)
class Translator:
    """Translates the conditions of one policy.

    columns: of slots, by full name. variables: conditions by name. lists: constants by full name, `lists.x`.
    """

    columns: Mapping[str, str]
    variables: Mapping[str, Node] = field(default_factory=dict)
    lists: Mapping[str, tuple[object, ...]] = field(default_factory=dict)
    dialect: Dialect = DUCKDB
    functions: Mapping[str, tuple[Overload, ...]] = field(default_factory=lambda: FUNCTIONS)
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

    def value(self, node: Node, scope: Mapping[str, Sql]) -> Sql:
        """Return the SQL of any part. scope: the columns of comprehensions' variables."""
        found = self._value(node, scope)
        if len(found.text) > LENGTH_MAX:  # variables stand there each time that they are named
            raise NotTranslatable(f"more than {LENGTH_MAX:,} characters of SQL", node.span)
        return found

    def _value(self, node: Node, scope: Mapping[str, Sql]) -> Sql:
        folded = self._folded(node)
        if folded is not None:
            return folded
        match node:
            case Name(name=name) if name in self.variables:
                if scope and any(isinstance(part, Comprehension) for part in walk(self.variables[name])):
                    raise NotTranslatable("a macro of a variable, for each item of another", node.span)
                return self.value(self.variables[name], scope)
            case Name(name=name) if name in self.lists:
                return self._literal(self.lists[name], node)
            case Name(name=name) if name in self.columns:
                return Sql(self._taken(self.columns[name], node.type))
            case Local(name=name):
                return scope[name]
            case Has(operand=operand):
                return self._has(operand, scope)
            case Select(operand=operand, field=key) if isinstance(operand.type, MapType):
                return self._entry(self.value(operand, scope), self._literal(key, node), node)
            case Index():
                return self._item(node, scope)
            case Unary(operator="!", operand=operand):
                return negated(self.value(operand, scope))
            case Unary(operand=operand):
                found = self.value(operand, scope)
                if operand.type == INT:
                    return Sql(self.dialect.int_operation("-", "0", str(found)))
                return Sql(f"- {found.beside(Binds.SIGN)}", found.may_be_nan, Binds.SIGN)
            case Logic(operator=operator, operands=operands):
                return joined("and" if operator == "&&" else "or", *(self.value(one, scope) for one in operands))
            case Conditional(condition=condition, then=then, otherwise=otherwise):
                one, two = self.value(then, scope), self.value(otherwise, scope)
                asked = self.value(condition, scope)
                text = f"case when {asked.text} then {one.text} when {negated(asked).text} then {two.text} end"
                return Sql(text, one.may_be_nan or two.may_be_nan)
            case Binary(operator="in"):
                return self._in(node, scope)
            case Binary(operator=sign) if sign in _SIGNS:
                return self._compared(node, scope)
            case Binary():
                return self._arithmetic(node, scope)
            case Call(function="atLeast"):
                return self._at_least(node, scope)
            case Call():
                arguments = [self.value(argument, scope) for argument in node.arguments]
                return call(node, arguments, self.dialect)
            case Comprehension():
                return self._comprehension(node, scope)
        raise NotTranslatable(gaps.WRITTEN_OUT.said, node.span)

    # leaves

    def _folded(self, node: Node) -> Sql | None:
        """Return what a part without fields always is."""
        if isinstance(node, Literal):
            return self._literal(node.value, node)
        if any(isinstance(part, Name | Local | Comprehension) for part in walk(node)) or isinstance(node, ListLiteral):
            return None
        found = evaluate(node, {}, functions=self.functions)
        if isinstance(found, Unknown):
            return Sql("cast(null as boolean)" if node.type == BOOL else "null")
        return self._literal(found, node)

    def _literal(self, value: object, node: Node) -> Sql:
        try:
            text = self.dialect.literal(value)
        except (ValueError, UnicodeEncodeError) as error:
            raise NotTranslatable(f"{error} has no SQL form", node.span) from None
        return Sql(text, isinstance(value, float) and value != value, Binds.SIGN if text[0] == "-" else Binds.WHOLE)

    def _taken(self, column: str, type_: Type | None) -> str:
        """Return a column's value with its times as microseconds, in lists too."""
        if type_ == TIMESTAMP:
            return self.dialect.micros(column)
        if not isinstance(type_, List) or not _has_times(type_.item):
            return column
        with self._variable() as item:
            return self.dialect.each(column, item, self._taken(item, type_.item))

    @contextmanager
    def _variable(self) -> Iterator[str]:
        """Name the variable of a lambda: as no column is called, which it would hide."""
        word = "v"
        while any(word in column.lower() for column in self.columns.values()):
            word += "v"
        self._depth += 1
        try:
            yield f"{word}{self._depth}"
        finally:
            self._depth -= 1

    def _has(self, operand: Node, scope: Mapping[str, Sql]) -> Sql:
        if isinstance(operand, Name) and operand.name in self.columns:
            return is_null(Sql(self.columns[operand.name]), known=True)
        if isinstance(operand, Select) and isinstance(operand.operand, Name):
            return is_null(self.value(operand, scope), known=True)
        raise NotTranslatable(gaps.HAS_ITEM.said, operand.span)

    def _entry(self, entries: Sql, key: Sql, node: Node) -> Sql:
        if node.type is None or not (is_text(node.type) or node.type in (BOOL, INT, DOUBLE)):
            raise NotTranslatable("an entry that is neither text nor number", node.span)
        return Sql(self.dialect.entry(str(entries), key.text))

    def _item(self, node: Index, scope: Mapping[str, Sql]) -> Sql:
        items, key = self.value(node.operand, scope), self.value(node.key, scope)
        of = node.operand.type
        if isinstance(of, MapType) and node.key.type is not None and is_text(node.key.type):
            return self._entry(items, key, node)
        if not isinstance(of, List) or node.key.type != INT or isinstance(node.operand, ListLiteral):
            raise NotTranslatable("such an index", node.span)
        found = self.dialect.item(str(items), str(key))
        return Sql(f"case when {key} >= 0 and {key} < {self.dialect.length(items.text)} then {found} end")

    # operators

    def _compared(self, node: Binary, scope: Mapping[str, Sql]) -> Sql:
        sign, left, right = node.operator, node.left, node.right
        one, two = left.type, right.type
        if one is None or two is None or not _are_scalars(one, two):
            raise NotTranslatable(gaps.COMPARED_WHOLE.said, node.span)
        if {one, two} == {INT, DOUBLE} and not any(_is_exact(part) for part in (left, right)):
            raise NotTranslatable(gaps.INT_BESIDE_DOUBLE.said, node.span)
        a, b = self.value(left, scope), self.value(right, scope)
        plain = joined(_SIGNS[sign], a, b)
        if not a.may_be_nan and not b.may_be_nan:
            return plain
        nan = " or ".join(f"isnan({part.text})" for part in (a, b) if part.may_be_nan)
        otherwise = "true" if sign == "!=" else "false"
        unknown = joined("or", is_null(a), is_null(b)).text
        return Sql(f"case when {unknown} then null when {nan} then {otherwise} else {plain.text} end")

    def _in(self, node: Binary, scope: Mapping[str, Sql]) -> Sql:
        item, container = self.value(node.left, scope), self._written_out(node.right)
        if item.may_be_nan or node.left.type is None or not _are_scalars(node.left.type):
            raise NotTranslatable(gaps.IN_VALUE.said, node.span)
        if isinstance(container, Name) and container.name in self.lists:
            return self._among(item, [self._literal(value, container).text for value in self.lists[container.name]])
        if isinstance(container, ListLiteral):
            if any(part.type != node.left.type and not _are_texts(part, node.left) for part in container.items):
                raise NotTranslatable("`in` a list of another type", node.span)
            items = [self.value(part, scope) for part in container.items]
            if any(part.may_be_nan for part in items):
                raise NotTranslatable("`in` a list of such values", node.span)
            return self._among(item, [part.text for part in items])
        if not isinstance(container.type, List | SetType) or isinstance(container, Comprehension):
            raise NotTranslatable(gaps.IN_MAP.said, node.span)
        if not isinstance(container.type, SetType) and not _same_kind(container.type.item, node.left.type):
            raise NotTranslatable("`in` a list of another type", node.span)
        items_ = str(self.value(container, scope))
        dialect = self.dialect
        doubt = f"when {dialect.length(items_)} > {dialect.known(items_)} then null"
        unknown = f"case when {item} is null or {items_} is null then null"
        return Sql(f"{unknown} when {dialect.holds(items_, item.text)} then true {doubt} else false end")

    def _among(self, item: Sql, values: list[str]) -> Sql:
        if not values:
            return Sql(f"case when {item} is null then null else false end")
        return Sql(f"{item} in ({', '.join(values)})", binds=Binds.COMPARISON)

    def _arithmetic(self, node: Binary, scope: Mapping[str, Sql]) -> Sql:
        sign, one, two = node.operator, node.left.type, node.right.type
        a, b = self.value(node.left, scope), self.value(node.right, scope)
        dialect = self.dialect
        if one == two == DOUBLE:
            if sign == "/" and not dialect.divides_doubles_by_zero and not _is_nonzero(node.right):
                raise NotTranslatable(gaps.DIVISION.said, node.span)
            return joined(sign, a, b, may_be_nan=True)
        if one == two == INT:
            if sign == "/":
                return Sql(dialect.quotient(str(a), str(b)))
            if sign == "%":
                limit = f"{a} = {dialect.literal(-(2**63))} and {b} = -1"
                return Sql(f"case when {limit} then null else {a} % nullif({b.text}, 0) end")
            return Sql(dialect.int_operation(sign, str(a), str(b)))
        if sign == "+" and one is not None and two is not None and is_text(one) and is_text(two):
            short = f"length({a.text}) + length({b.text}) <= {TEXT_MAX}"
            return Sql(f"case when {short} then {joined('||', a, b).text} end")
        if sign in "+-" and {one, two} <= {TIMESTAMP, DURATION}:
            total = joined(sign, a, b)
            return Sql(in_lengths(str(total)) if one == two else in_days(str(total)))
        raise NotTranslatable(gaps.LISTS_ADDED.said, node.span)

    # comprehensions

    def _comprehension(self, node: Comprehension, scope: Mapping[str, Sql]) -> Sql:
        operand, dialect = self._written_out(node.operand), self.dialect
        if isinstance(operand, ListLiteral) and node.kind in ("all", "exists", "exists_one"):
            return self._each_written_out(node, operand, scope)
        if not isinstance(operand.type, List | SetType) or isinstance(operand, ListLiteral | Comprehension):
            raise NotTranslatable(gaps.MACRO_OVER.said, node.span)
        items = str(self.value(operand, scope))
        with self._variable() as variable:
            inner = {**scope, node.variable: Sql(variable)}
            predicate = str(self.value(node.predicate, inner)) if node.predicate is not None else "true"
            transform = self.value(node.transform, inner).text if node.transform is not None else None
        is_set = isinstance(operand.type, SetType)
        if node.kind in ("all", "exists"):
            decides = "true" if node.kind == "exists" else "false"
            if is_set:  # an unknown member may be none at all, and decides nothing
                predicate = f"case when {variable} is null and {predicate} = {decides} then null else {predicate} end"
            answers = dialect.each(items, variable, predicate)
            doubt = f"{dialect.length(answers)} > {dialect.known(answers)}"
            decided = f"case when {items} is null then null when {dialect.holds(answers, decides)} then {decides}"
            return Sql(f"{decided} when {doubt} then null else {'false' if decides == 'true' else 'true'} end")
        if transform is not None and (node.predicate is not None or node.type is None):
            raise NotTranslatable(gaps.MAP_IF.said, node.span)
        if transform is not None:
            if is_set:
                transform = f"case when {variable} is null then null else {transform} end"
            made = dialect.each(items, variable, transform)
            return Sql(f"case when {dialect.length(made)} = {dialect.known(made)} then {made} end")
        if node.kind == "filter" or is_set:  # what is kept must be known
            asked = f"case when {variable} is null and coalesce({predicate}, true) then null else {predicate} end"
        else:
            asked = predicate
        answers = dialect.each(items, variable, asked)
        if node.kind == "exists_one":
            lost = dialect.only(items, variable, f"{variable} is not null and ({asked}) is null")
            hits = dialect.length(dialect.only(answers, variable, variable))
            doubt = f"{dialect.length(answers)} > {dialect.known(answers)}"
            lost = f"case when {dialect.length(lost)} > 0 then null"
            return Sql(f"{lost} when {hits} > 1 then false when {doubt} then null else {hits} = 1 end")
        kept = dialect.only(items, variable, predicate)
        return Sql(f"case when {dialect.length(answers)} = {dialect.known(answers)} then {kept} end")

    def _each_written_out(self, node: Comprehension, operand: ListLiteral, scope: Mapping[str, Sql]) -> Sql:
        """Return a question about each item of a list that is written out: the question, for one after another."""
        assert node.predicate is not None
        items = [self.value(item, scope) for item in operand.items]
        asked = [self.value(node.predicate, {**scope, node.variable: item}) for item in items]
        if node.kind != "exists_one":
            if len(asked) > 1:
                return joined("or" if node.kind == "exists" else "and", *asked)
            return asked[0] if asked else self._literal(node.kind == "all", node)
        if not asked:
            return self._literal(False, node)
        pairs = zip(items, asked, strict=True)
        lost = [joined("and", is_null(item, known=True), is_null(one)) for item, one in pairs]
        hits, open_ = _counted(asked)
        answer = f"when {hits} > 1 then false when {open_} > {hits} then null else {hits} = 1"
        return Sql(f"case when {' or '.join(one.beside(Binds.OR) for one in lost)} then null {answer} end")

    def _at_least(self, node: Call, scope: Mapping[str, Sql]) -> Sql:
        """Return whether so many conditions are true: of those written out, or of a list."""
        wanted, conditions = self.value(node.arguments[0], scope), self._written_out(node.arguments[1])
        if isinstance(conditions, ListLiteral):
            asked = [self.value(item, scope) for item in conditions.items]
            hits, open_ = _counted(asked) if asked else ("0", "0")
            return Sql(f"case when {hits} >= {wanted} then true when {open_} < {wanted} then false end")
        items, dialect = str(self.value(conditions, scope)), self.dialect
        with self._variable() as variable:
            hits = dialect.length(dialect.only(items, variable, variable))
            misses = dialect.length(dialect.only(items, variable, f"not {variable}"))
        least = f"{dialect.length(items)} - {misses} < {wanted}"
        return Sql(f"case when {hits} >= {wanted} then true when {least} then false end")

    def _written_out(self, node: Node) -> Node:
        """Return what a variable stands for, where that is a list that is written out."""
        found = node
        while isinstance(found, Name) and found.name in self.variables:
            found = self.variables[found.name]
        return found if isinstance(found, ListLiteral) else node


def _counted(asked: list[Sql]) -> tuple[str, str]:
    """Return how many of some truths are true, and how many are not false; one at least."""
    hits = " + ".join(f"case when {one.text} then 1 else 0 end" for one in asked)
    open_ = " + ".join(f"case when {negated(one).text} then 0 else 1 end" for one in asked)
    return f"({hits})", f"({open_})"


def _has_times(type_: Type) -> bool:
    return type_ == TIMESTAMP or (isinstance(type_, List) and _has_times(type_.item))


def _are_scalars(*types: object) -> bool:
    return all(type_ in SCALARS.values() or is_text(type_) for type_ in types)  # type: ignore[arg-type]  # what is asked about is a type


def _same_kind(one: object, other: object) -> bool:
    return one == other or (is_text(one) and is_text(other))  # type: ignore[arg-type]  # what is asked about is a type


def _are_texts(one: Node, other: Node) -> bool:
    return one.type is not None and other.type is not None and is_text(one.type) and is_text(other.type)


def _is_exact(node: Node) -> bool:
    """Whether a number is written out and small enough that rounding the other side to a double changes nothing."""
    return isinstance(node, Literal) and isinstance(node.value, int | float) and abs(node.value) < _EXACT


def _is_nonzero(node: Node) -> bool:
    return isinstance(node, Literal) and node.value not in (0, 0.0)
