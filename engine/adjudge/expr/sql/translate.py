"""From a typed condition to SQL that gives the same answer on every row, NULL standing for unknown.

A slot's column is a BOOLEAN, BIGINT, DOUBLE, VARCHAR, TIMESTAMP WITH TIME ZONE, DATE, BIGINT of microseconds for a
length of time, LIST, or MAP from VARCHAR; NULL is unknown. Inside, times are BIGINTs of microseconds since 1970, dates
of days. What SQL would answer otherwise is guarded; what cannot be guarded is refused as NotTranslatable, not guessed.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Iterator, Mapping, Sequence
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
    MapLiteral,
    Name,
    Node,
    Select,
    Unary,
    children,
    walk,
)
from adjudge.expr.reference import Unknown, evaluate
from adjudge.expr.sql.calls import call
from adjudge.expr.sql.dialects.dialect import Dialect
from adjudge.expr.sql.dialects.duckdb import DUCKDB
from adjudge.expr.sql.risk import risk_of
from adjudge.expr.sql.value import (
    DAY_US,
    Binds,
    NotTranslatable,
    Sql,
    alike,
    in_dates,
    in_days,
    in_lengths,
    is_null,
    joined,
    negated,
    strict,
)
from adjudge.expr.written_maps import written_entries
from adjudge.values.literals import TEXT_MAX
from adjudge.values.types import (
    BOOL,
    DATE,
    DOUBLE,
    DURATION,
    INT,
    SCALARS,
    STRING,
    TIMESTAMP,
    MapType,
    RecordType,
    SetType,
    Type,
    is_text,
)
from adjudge.values.types import ListType as List

_EXACT = 2**53
_TURNED = {"==": "==", "!=": "!=", "<": ">", "<=": ">=", ">": "<", ">=": "<="}
_SIGNS = {"==": "=", "!=": "<>", "<": "<", "<=": "<=", ">": ">", ">=": ">="}


LENGTH_MAX = 50_000
"""Characters of a condition: a database takes longer to read more than the engine takes to answer."""
UNROLLED_MAX = 100
"""A macro over a list that is written out is written out itself, up to so many items."""
SHORT = 48
"""An expression of fewer characters may stand in several places as it is."""
LISTED_MAX = 100
"""A longer list of the policy stands in a table, where there can be one."""

Scope = Mapping[str, Sql]


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
                return self._literal(self.lists[name], node)
            case Name(name=name) if name in self.columns:
                nulls = frozenset(() if name in self.known else (self.columns[name],))
                return Sql(self._taken(self.columns[name], node.type), nulls=nulls)
            case Local(name=name):
                return scope[name]
            case Has(operand=operand):
                return self._has(operand, scope)
            case Select(operand=operand, field=key) if isinstance(operand.type, RecordType):
                return Sql(self._taken(self.dialect.member(str(self.value(operand, scope)), key), node.type))
            case Select(operand=operand, field=key) if isinstance(operand.type, MapType):
                return self._entry(operand, Literal(span=node.span, type=STRING, value=key), node, scope)
            case Index():
                return self._item(node, scope)
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
                return self._in(node, scope)
            case Binary(operator=sign) if sign in _SIGNS:
                return self._compared(node, scope)
            case Binary():
                return self._arithmetic(node, scope)
            case Call(function="atLeast"):
                return self._at_least(node, scope)
            case Call(function="size", arguments=(Comprehension(kind="filter") as over,)) if self._unrolls(over):
                return self._unrolled(over, scope)
            case Call():
                arguments = [self.value(argument, scope) for argument in node.arguments]
                return call(node, arguments, self.dialect, self.short)
            case Comprehension() if self._unrolls(node) and node.kind != "filter":
                return self._unrolled(node, scope)
            case Comprehension():
                return self._comprehension(node, scope)
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
            return self._literal(node.value, node)
        if any(isinstance(part, Name | Local | Comprehension) for part in walk(node)):
            return None
        if isinstance(node, ListLiteral | MapLiteral):
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
        binds = Binds.SIGN if text[0] == "-" else Binds.WHOLE
        return Sql(text, isinstance(value, float) and value != value, binds, frozenset())

    def _taken(self, column: str, type_: Type | None) -> str:
        """Return a column's value with its times as microseconds, in lists too."""
        if type_ == TIMESTAMP:
            return self.dialect.micros(column)
        if type_ == DATE:
            return self.dialect.days(column)
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

    def _has(self, operand: Node, scope: Scope) -> Sql:
        if isinstance(operand, Name) and operand.name in self.columns:
            return is_null(Sql(self.columns[operand.name]), known=True)
        if isinstance(operand, Name) and operand.name in self.variables:
            return is_null(self.value(operand, scope), known=True)
        if isinstance(operand, Select) and isinstance(operand.operand.type, RecordType):
            whole = self.value(operand.operand, scope)
            there = is_null(self.value(operand, scope), known=True)
            otherwise = "false" if _is_field(operand.operand) else "null"
            return Sql(f"case when {is_null(whole).text} then {otherwise} else {there.text} end")
        if isinstance(operand, Select) and isinstance(operand.operand, Name):
            return is_null(self.value(operand, scope), known=True)
        if not isinstance(operand, Select | Index):
            raise NotTranslatable("such a part", operand.span)
        container = operand.operand
        key_node = operand.key if isinstance(operand, Index) else Literal(type=STRING, value=operand.field)
        key = self.value(key_node, scope)
        if self._written(container) is not None or not isinstance(container.type, MapType | List):
            raise NotTranslatable("`has` of such a part", operand.span)
        items = self.short(self.value(container, scope))
        if isinstance(container.type, MapType):
            there = is_null(Sql(self.dialect.entry(str(items), key.text)), known=True)
        elif key_node.type != INT:
            raise NotTranslatable("`has` of such a part", operand.span)
        else:
            there = is_null(self._within(items, key), known=True)
        otherwise = "false" if _is_field(container) else "null"
        lost = f"case when {is_null(items).text} then {otherwise} when {is_null(key).text} then null"
        return Sql(f"{lost} else {there.text} end")

    def _entry(self, entries: Node, key: Node, node: Node, scope: Scope) -> Sql:
        """Return an entry of a map."""
        written = self._written(entries)
        if isinstance(written, MapLiteral):
            return self._chosen(written, key, scope)
        found = self.dialect.entry(str(self.value(entries, scope)), self.value(key, scope).text)
        if entries.type is not None and node.type is not None and not self._is_made(entries):
            found = self._taken(found, node.type)
        return Sql(found)

    def _chosen(self, written: MapLiteral, key: Node, scope: Scope) -> Sql:
        """Return an entry of a map that is written out, which is unknown where any part of it is."""
        keys = [self.value(one, scope) for one, _ in written.entries]
        values = [self.short(self.value(one, scope)) for _, one in written.entries]
        if not keys or key.type is None or not _same_kind(written.entries[0][0].type, key.type):
            raise NotTranslatable("such a part", written.span)
        arms = " ".join(f"when {one.text} then {two.text}" for one, two in zip(keys, values, strict=True))
        chosen = f"case {self.value(key, scope)} {arms} end"
        lost = [*_lost([one for one, _ in written.entries], keys), *_lost([one for _, one in written.entries], values)]
        lost += _twice([one for one, _ in written.entries], keys)
        may_be_nan = any(one.may_be_nan for one in values)
        return Sql(f"case when {' or '.join(lost)} then null else {chosen} end" if lost else chosen, may_be_nan)

    def _item(self, node: Index, scope: Scope) -> Sql:
        of, key = node.operand.type, node.key
        nested = written_entries(node, self.variables)
        if nested is not None and len(nested.keys) > 1:
            return self._nested(nested.root, nested.keys, scope)
        if isinstance(of, MapType) and key.type is not None and (is_text(key.type) or self._written(node.operand)):
            return self._entry(node.operand, key, node, scope)
        if not isinstance(of, List) or key.type != INT:
            raise NotTranslatable("such an index", node.span)
        items = self.short(self.value(node.operand, scope))
        return self._within(items, self.short(self.value(key, scope)))

    def _nested(self, written: MapLiteral, keys: Sequence[Node], scope: Scope) -> Sql:
        """Return an entry of maps of constants inside each other, by a key of each."""
        first, *rest = keys
        if not rest:
            return self._chosen(written, first, scope)
        arms = []
        for key, inner in written.entries:
            assert isinstance(inner, MapLiteral)
            arms.append(f"when {self.value(key, scope).text} then {self._nested(inner, rest, scope).text}")
        return Sql(f"case {self.value(first, scope)} {' '.join(arms)} end")

    def _within(self, items: Sql, key: Sql) -> Sql:
        """Return a list's item, NULL past its ends."""
        found = self.dialect.item(str(items), str(key))
        within = f"{key} >= 0 and {key} < {self.dialect.length(items.text)}"
        return Sql(f"case when {within} then {found} end", items.may_be_nan)

    def _written(self, node: Node) -> ListLiteral | MapLiteral | None:
        """Return the list or map that is written out here, or as a variable; None where it is none."""
        while isinstance(node, Name) and node.name in self.variables:
            node = self.variables[node.name]
        return node if isinstance(node, ListLiteral | MapLiteral) else None

    def _is_made(self, node: Node) -> bool:
        return isinstance(node, Name) and node.name in self.made

    # operators

    def _compared(self, node: Binary, scope: Scope) -> Sql:
        sign, left, right = node.operator, node.left, node.right
        one, two = left.type, right.type
        if one is None or two is None or not _are_scalars(one, two):
            raise NotTranslatable(gaps.COMPARED_WHOLE.said, node.span)
        a, b = self.value(left, scope), self.value(right, scope)
        if {one, two} == {INT, DOUBLE} and not any(_is_exact(part) for part in (left, right)):
            return self._int_beside_double(sign, self.short(a), self.short(b), is_first=one == INT)
        if a.may_be_nan or b.may_be_nan:
            a, b = self.short(a), self.short(b)
        return _ordered(sign, a, b)

    def _int_beside_double(self, sign: str, a: Sql, b: Sql, *, is_first: bool) -> Sql:
        """Compare an int with a double, neither of which is rounded. is_first: whether the int is on the left."""
        number, double = (a, b) if is_first else (b, a)
        sign = sign if is_first else _TURNED[sign]
        within = f"{double} >= -9223372036854775808e0 and {double} < 9223372036854775808e0"
        up, down = (self.dialect.int_of_double(f"{name}({double.text})", within) for name in ("ceil", "floor"))
        if sign in ("==", "!="):
            same = f"coalesce({double} = floor({double.text}) and {number} = {down}, false)"
            answer = same if sign == "==" else f"not {same}"
        else:
            bound = up if sign in ("<", ">=") else down
            is_over = "true" if sign in ("<", "<=") else "false"
            is_under = "false" if sign in ("<", "<=") else "true"
            high, low = f"{double} >= 9223372036854775808e0", f"{double} < -9223372036854775808e0"
            compared = f"{number} {_SIGNS[sign]} ({bound})"
            answer = f"case when {high} then {is_over} when {low} then {is_under} else {compared} end"
        nan = f" when isnan({double.text}) then {'true' if sign == '!=' else 'false'}" if double.may_be_nan else ""
        unknown = joined("or", is_null(number), is_null(double)).text
        return Sql(f"case when {unknown} then null{nan} else {answer} end", nulls=strict(number, double))

    def _in(self, node: Binary, scope: Scope) -> Sql:
        item, container = self.value(node.left, scope), node.right
        if node.left.type is None or not _are_scalars(node.left.type):
            raise NotTranslatable(gaps.IN_VALUE.said, node.span)
        if isinstance(container, Name) and container.name in self.lists:
            return self._listed(item, container, scope)
        written = self._written(container)
        if isinstance(written, ListLiteral):
            return self._in_written(node, item, written.items, scope)
        if isinstance(written, MapLiteral):
            keys = [key for key, _ in written.entries]
            parts = [self.value(part, scope) for part in keys]
            values = [value for _, value in written.entries]
            lost = [*_lost(values, [self.value(value, scope) for value in values]), *_twice(keys, parts)]
            found = self._in_written(node, item, keys, scope)
            return Sql(f"case when {' or '.join(lost)} then null else {found.text} end") if lost else found
        if isinstance(container.type, MapType):
            if node.left.type is None or not is_text(node.left.type):
                raise NotTranslatable("`in` such a part", node.span)
            entries = self.short(self.value(container, scope))
            unknown = joined("or", is_null(item), is_null(entries)).text
            return Sql(f"case when {unknown} then null else {self.dialect.has_key(entries.text, item.text)} end")
        if not isinstance(container.type, List | SetType):
            raise NotTranslatable("`in` such a part", node.span)
        if not isinstance(container.type, SetType) and not _same_kind(container.type.item, node.left.type):
            raise NotTranslatable("`in` a list of another type", node.span)
        many = self.short(self.value(container, scope))
        if item.may_be_nan or many.may_be_nan:
            raise NotTranslatable(gaps.IN_VALUE.said, node.span)
        items_, dialect = str(many), self.dialect
        doubt = f"when {dialect.length(items_)} > {dialect.known(items_)} then null"
        unknown = f"case when {item} is null or {items_} is null then null"
        return Sql(f"{unknown} when {dialect.holds(items_, item.text)} then true {doubt} else false end")

    def _listed(self, item: Sql, container: Name, scope: Scope) -> Sql:
        """Whether a value is in a list of the policy."""
        values = self.lists[container.name]
        if self.tables is not None and not scope and len(values) > LISTED_MAX:
            return Sql(self.dialect.in_table(str(item), self.tables(container.name)), nulls=item.nulls)
        if len(values) * 2 > LENGTH_MAX:
            raise NotTranslatable(f"more than {LENGTH_MAX:,} characters of SQL", container.span)
        return self._among(item, [self._literal(value, container) for value in values])

    def _in_written(self, node: Binary, item: Sql, items: Sequence[Node], scope: Scope) -> Sql:
        """Whether a value is in a list that is written out."""
        if any(not _same_kind(part.type, node.left.type) for part in items):
            raise NotTranslatable("`in` a list of another type", node.span)
        parts = [self.value(part, scope) for part in items]
        if parts and (item.may_be_nan or any(part.may_be_nan for part in parts)):
            item = self.short(item)
            return joined("or", *(_ordered("==", item, part) for part in parts))
        return self._among(item, parts)

    def _among(self, item: Sql, values: list[Sql]) -> Sql:
        if not values:
            return Sql(f"case when {item} is null then null else false end", nulls=item.nulls)
        nulls = None if any(value.nulls is None or value.nulls for value in values) else item.nulls
        return Sql(f"{item} in ({', '.join(value.text for value in values)})", binds=Binds.COMPARISON, nulls=nulls)

    def _arithmetic(self, node: Binary, scope: Scope) -> Sql:
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
        if sign in "+-" and {one, two} <= {DATE, DURATION}:
            if one == two:
                return Sql(in_lengths(f"(({joined(sign, a, b).text}) * {DAY_US})"))
            day, length = (a, self.short(b)) if one == DATE else (b, self.short(a))
            moved = in_dates(f"({day} {sign} {dialect.part_of(str(length), DAY_US)})")
            return Sql(f"case when {length} % {DAY_US} = 0 then {moved} end")
        if sign == "+" and isinstance(one, List | SetType) and isinstance(two, List | SetType):
            a, b = self.short(a), self.short(b)
            short = f"{dialect.length(a.text)} + {dialect.length(b.text)} <= {TEXT_MAX}"
            known = [f"{dialect.length(part.text)} = {dialect.known(part.text)}"
                     for part, of in ((a, one), (b, two)) if isinstance(of, SetType)]  # fmt: skip
            found = joined("||", a, b, may_be_nan=a.may_be_nan or b.may_be_nan)
            return Sql(f"case when {' and '.join([short, *known])} then {found.text} end", found.may_be_nan)
        raise NotTranslatable("such an operation", node.span)

    # comprehensions

    def _unrolls(self, node: Comprehension) -> bool:
        """Whether a macro can be written out for each item."""
        written = self._written(node.operand)
        is_filtered = node.kind == "map" and node.predicate is not None
        return written is not None and 0 < len(children(written)) <= UNROLLED_MAX and not is_filtered

    def _unrolled(self, node: Comprehension, scope: Scope) -> Sql:
        """Return a macro over a list or map that is written out; of `filter`, how many items it keeps."""
        written = self._written(node.operand)
        assert written is not None
        parts = [self.short(self.value(part, scope)) for part in children(written)]
        items, lost = parts, []
        if isinstance(written, MapLiteral):  # which is unknown where a part of it is
            items = parts[::2]
            lost = [*_lost(children(written), parts), *_twice([key for key, _ in written.entries], items)]
        inner = [{**scope, node.variable: item} for item in items]
        asked = [self.value(node.predicate, one) for one in inner] if node.predicate is not None else []
        if node.kind in ("all", "exists"):
            answer = joined("or" if node.kind == "exists" else "and", *asked)
        elif node.kind == "map":
            assert node.transform is not None
            made = [self.value(node.transform, one) for one in inner]
            lost += _lost([node.transform] * len(made), made)
            listed = self.dialect.list_of(", ".join(one.text for one in made))
            answer = Sql(listed, any(one.may_be_nan for one in made))
        elif node.kind == "filter":  # an item that is kept must be known
            pairs = zip(items, asked, strict=True)
            each = [
                f"case when {one.beside(Binds.AND)} and {item} is not null then 1 when {negated(one).text} then 0 end"
                for item, one in pairs
            ]
            answer = Sql(" + ".join(each), binds=Binds.SUM)
        else:
            hits, open_ = _counted(asked)
            pairs = zip(items, asked, strict=True)
            lost += [f"({joined('and', is_null(item, known=True), is_null(one)).text})" for item, one in pairs]
            answer = Sql(f"case when {hits} > 1 then false when {open_} > {hits} then null else {hits} = 1 end")
        if not lost:
            return answer
        return Sql(f"case when {' or '.join(lost)} then null else {answer.text} end", answer.may_be_nan)

    def _at_least(self, node: Call, scope: Scope) -> Sql:
        """Return whether so many conditions are true: of those written out, or of a list."""
        wanted, conditions = self.value(node.arguments[0], scope), self._written(node.arguments[1])
        if isinstance(conditions, ListLiteral):
            asked = [self.short(self.value(item, scope)) for item in conditions.items]
            hits, open_ = _counted(asked) if asked else ("0", "0")
            nulls = frozenset[str]() if strict(wanted, *asked) == frozenset() else None
            text = f"case when {hits} >= {wanted} then true when {open_} < {wanted} then false end"
            return Sql(text, nulls=nulls)
        items, dialect = str(self.short(self.value(node.arguments[1], scope))), self.dialect
        with self._variable() as variable:
            hits = dialect.length(dialect.only(items, variable, variable))
            misses = dialect.length(dialect.only(items, variable, f"not {variable}"))
        least = f"{dialect.length(items)} - {misses} < {wanted}"
        return Sql(f"case when {hits} >= {wanted} then true when {least} then false end")

    def _comprehension(self, node: Comprehension, scope: Scope) -> Sql:
        operand, dialect = node.operand, self.dialect
        over = self.short(self.value(operand, scope))
        items, is_map = str(over), isinstance(operand.type, MapType)
        if is_map:
            items = dialect.keys(items)
        elif not isinstance(operand.type, List | SetType):
            raise NotTranslatable("a macro over such a part", node.span)
        with self._variable() as variable:
            inner = {**scope, node.variable: Sql(variable, over.may_be_nan and not is_map)}
            predicate = str(self.value(node.predicate, inner)) if node.predicate is not None else "true"
            made = self.value(node.transform, inner) if node.transform is not None else None
        is_set = isinstance(operand.type, SetType)
        if node.kind in ("all", "exists"):
            decides = "true" if node.kind == "exists" else "false"
            if is_set:  # an unknown member may be none at all, and decides nothing
                predicate = f"case when {variable} is null and {predicate} = {decides} then null else {predicate} end"
            answers = dialect.each(items, variable, predicate)
            doubt = f"{dialect.length(answers)} > {dialect.known(answers)}"
            decided = f"case when {items} is null then null when {dialect.holds(answers, decides)} then {decides}"
            return Sql(f"{decided} when {doubt} then null else {'false' if decides == 'true' else 'true'} end")
        if node.kind == "filter" or is_set:  # what is kept must be known
            asked = f"case when {variable} is null and coalesce({predicate}, true) then null else {predicate} end"
        else:
            asked = predicate
        answers = dialect.each(items, variable, asked)
        is_known = f"{dialect.length(answers)} = {dialect.known(answers)}"
        kept = dialect.only(items, variable, predicate) if node.predicate is not None else items
        if made is not None:
            transform = f"case when {variable} is null then null else {made.text} end" if is_set else made.text
            found = dialect.each(kept, variable, transform)
            is_made = f"{dialect.length(found)} = {dialect.known(found)}"
            all_known = f"{is_known} and {is_made}" if node.predicate is not None else is_made
            return Sql(f"case when {all_known} then {found} end", made.may_be_nan)
        if node.kind == "exists_one":
            lost = dialect.only(items, variable, f"{variable} is not null and ({asked}) is null")
            hits = dialect.length(dialect.only(answers, variable, variable))
            doubt = f"{dialect.length(answers)} > {dialect.known(answers)}"
            lost = f"case when {dialect.length(lost)} > 0 then null"
            return Sql(f"{lost} when {hits} > 1 then false when {doubt} then null else {hits} = 1 end")
        return Sql(f"case when {is_known} then {kept} end", over.may_be_nan)


def _counted(asked: list[Sql]) -> tuple[str, str]:
    """Return how many of some truths are true, and how many are not false; one at least."""
    hits = " + ".join(f"case when {one.text} then 1 else 0 end" for one in asked)
    open_ = " + ".join(f"case when {negated(one).text} then 0 else 1 end" for one in asked)
    return f"({hits})", f"({open_})"


def _ordered(sign: str, a: Sql, b: Sql) -> Sql:
    """Compare two values of one type, or a number with one that is written out."""
    plain = joined(_SIGNS[sign], a, b)
    if not a.may_be_nan and not b.may_be_nan:
        return plain
    nan = " or ".join(f"isnan({part.text})" for part in (a, b) if part.may_be_nan)
    otherwise = "true" if sign == "!=" else "false"
    unknown = joined("or", is_null(a), is_null(b)).text
    return Sql(f"case when {unknown} then null when {nan} then {otherwise} else {plain.text} end", nulls=plain.nulls)


def _lost(nodes: Sequence[Node], parts: Sequence[Sql]) -> list[str]:
    """Return tests that one of some parts is unknown; what is written out never is."""
    tests = (is_null(one).text for one, of in zip(parts, nodes, strict=True) if not isinstance(of, Literal))
    return list(dict.fromkeys(tests))


def _twice(nodes: Sequence[Node], keys: Sequence[Sql]) -> list[str]:
    """Return tests that a key stands twice in a map; two that are written out were told apart before."""
    written = [node.value for node in nodes if isinstance(node, Literal)]
    if len(set(written)) < len(written):
        return ["true"]
    return [
        joined("=", keys[at], keys[other]).text
        for at in range(len(keys))
        for other in range(at)
        if not (isinstance(nodes[at], Literal) and isinstance(nodes[other], Literal))
    ]


def _is_field(node: Node) -> bool:
    """Whether a part is a name, or an entry within one."""
    while isinstance(node, Select | Index):
        node = node.operand
    return isinstance(node, Name)


def _has_times(type_: Type) -> bool:
    return type_ in (TIMESTAMP, DATE) or (isinstance(type_, List) and _has_times(type_.item))


def _are_scalars(*types: object) -> bool:
    return all(type_ in SCALARS.values() or is_text(type_) for type_ in types)  # type: ignore[arg-type]  # what is asked about is a type


def _same_kind(one: object, other: object) -> bool:
    return one == other or (is_text(one) and is_text(other))  # type: ignore[arg-type]  # what is asked about is a type


def _is_exact(node: Node) -> bool:
    """Whether a number is written out and small enough that rounding the other side to a double changes nothing."""
    return isinstance(node, Literal) and isinstance(node.value, int | float) and abs(node.value) < _EXACT


def _is_nonzero(node: Node) -> bool:
    return isinstance(node, Literal) and node.value not in (0, 0.0)
