"""Give every part of a condition its type, or say what is wrong with it, all of it at once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field, replace
from functools import cached_property
from itertools import islice

from adjudge.errors import CANDIDATES_MAX, EvaluationError, PolicyError, did_you_mean, listed
from adjudge.expr.extensions import NAMESPACES, way_out
from adjudge.expr.functions import FUNCTIONS, Overload, spelled_out
from adjudge.expr.money import converted
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
)
from adjudge.expr.operators import (
    Mismatch,
    arithmetic,
    equality,
    membership,
    negation,
    number_hint,
    ordering,
    vocabulary_slip,
)
from adjudge.frozen import frozen
from adjudge.source import Source, Span
from adjudge.texts import with_article
from adjudge.values.types import (
    BOOL,
    DOUBLE,
    DYN,
    INT,
    NOTHING,
    STRING,
    ListType,
    MapType,
    MoneyType,
    RecordType,
    SetType,
    Type,
    accepts,
    is_dynamic,
    is_text,
    item_of,
    join,
    named,
)

TOLD_MAX = 6
"""So many ways to call a function are told."""
NESTED_MAX = 3
"""How deep `exists`, `all` and their like may stand inside each other in a policy."""


@frozen(slots=False)
class Environment:
    """What a condition can name.

    names: types of fields, variables and lists by their full dotted name.
    strict: as in a policy: no mixed lists, no call that can be seen to fail, macros nested three deep at most.
    rates: of exchange, by the currency into which they convert, and the one that they convert.
    """

    names: Mapping[str, Type]
    functions: Mapping[str, tuple[Overload, ...]] = field(default_factory=lambda: FUNCTIONS)
    strict: bool = True
    rates: Mapping[str, Mapping[str, float]] = field(default_factory=dict)

    @cached_property
    def fields_of(self) -> Mapping[str, tuple[str, ...]]:
        """The names below the first part of each dotted name, without it."""
        found: dict[str, list[str]] = {}
        for name in self.names:
            owner, dot, rest = name.partition(".")
            if dot:
                found.setdefault(owner, []).append(rest)
        return {owner: tuple(rests) for owner, rests in found.items()}

    @cached_property
    def by_last_part(self) -> Mapping[str, str]:
        """Dotted names by their last part."""
        return {name.rpartition(".")[2]: name for name in self.names if "." in name}


def check(
    tree: Node, environment: Environment, *, source: Source, expect: Type | None = None
) -> tuple[Node | None, list[PolicyError]]:
    """Return the tree with types and resolved names, or None and every error found.

    expect: the type that the whole must have, such as BOOL for a rule.
    """
    checker = _Checker(environment, source)
    typed = checker.visit(tree, {})
    if expect is not None and not checker.errors and not accepts(expect, checker.type(typed)):
        found = checker.type(typed)
        hint = "compare it with something, for example `… > 0`" if expect is BOOL else None
        checker.error("type-mismatch", f"this must be {named(expect)}, not {named(found)}", tree.span, hint=hint)
    return (None if checker.errors else typed), checker.errors


class _Checker:
    """One pass over one tree. A part that is wrong becomes dyn, so that it is blamed once."""

    def __init__(self, environment: Environment, source: Source) -> None:
        self.environment = environment
        self.names = environment.names
        self.functions = environment.functions
        self.strict = environment.strict
        self.source = source
        self.errors: list[PolicyError] = []

    def error(self, code: str, message: str, span: Span, *, hint: str | None = None, note: str = "") -> Type:
        self.errors.append(PolicyError(code, message, source=self.source, span=span, hint=hint, note=note))
        return DYN

    @staticmethod
    def type(node: Node) -> Type:
        assert node.type is not None
        return node.type

    def visit(self, node: Node, scope: Mapping[str, Type]) -> Node:
        """Return the typed form of a node; `scope` holds the variables of comprehensions around it."""
        match node:
            case Literal(value=value):
                return replace(node, type=_LITERALS[type(value)])
            case Name() | Select():
                return self.path(node, scope)
            case Has():
                return self.has(node, scope)
            case Index():
                return self.index(node, scope)
            case Unary():
                return self.unary(node, scope)
            case Binary():
                return self.binary(node, scope)
            case Logic(operands=operands):
                parts = tuple(self.boolean(operand, scope) for operand in operands)
                return replace(node, operands=parts, type=BOOL)
            case Conditional():
                return self.conditional(node, scope)
            case Call():
                return self.call(node, scope)
            case Comprehension():
                return self.comprehension(node, scope)
            case ListLiteral(items=items):
                typed = tuple(self.visit(item, scope) for item in items)
                return replace(node, items=typed, type=ListType(self.common(typed, "list")))
            case MapLiteral():
                return self.map_literal(node, scope)
            case _:
                raise AssertionError(f"no such node before the checker: {node!r}")

    def boolean(self, node: Node, scope: Mapping[str, Type]) -> Node:
        typed = self.visit(node, scope)
        if not accepts(BOOL, self.type(typed)):
            self.error(
                "type-mismatch", f"this must be a bool, not {named(typed.type)}", node.span, note="expected bool"
            )
        return typed

    # names

    def path(self, node: Name | Select, scope: Mapping[str, Type]) -> Node:
        """Resolve a dotted path: a comprehension's variable, or the longest declared name, then map entries."""
        chain: list[Select] = []
        root: Node = node
        while isinstance(root, Select):
            chain.append(root)
            root = root.operand
        chain.reverse()
        if not isinstance(root, Name):
            assert isinstance(node, Select)
            return self.select(replace(node, operand=self.visit(node.operand, scope)))
        if root.name in scope and not root.absolute:
            found: Node = Local(name=root.name, span=root.span, type=scope[root.name])
            used = 0
        else:
            parts = [root.name, *(select.field for select in chain)]
            for used in range(len(chain), -1, -1):
                full = ".".join(parts[: used + 1])
                if full in self.names:
                    end = chain[used - 1] if used else root
                    found = Name(name=full, span=end.span, type=self.names[full])
                    break
            else:
                return self.unknown_name(root, chain, parts, scope)
        for select in chain[used:]:
            found = self.select(replace(select, operand=found))
        return found

    def unknown_name(self, root: Name, chain: list[Select], parts: list[str], scope: Mapping[str, Type]) -> Node:
        whole = chain[-1] if chain else root
        below = self.environment.fields_of.get(root.name)
        if below and not chain:
            fields = [f"{root.name}.{name}" for name in below if "." not in name]
            hint: str | None = f"name one of its fields: {', '.join(sorted(fields)[:6])}"
            self.error("name-unknown", f"`{root.name}` is not a value itself", root.span, hint=hint)
        elif below:
            first = chain[0]
            field_span = Span(first.span.end - len(first.field), first.span.end)
            known = dict.fromkeys(name.partition(".")[0] for name in islice(below, CANDIDATES_MAX))
            hint = did_you_mean(first.field, known) or f"it has {listed(known)}"
            self.error("name-unknown", f"`{root.name}` has no field `{first.field}`", field_span, hint=hint)
        else:
            hint = did_you_mean(".".join(parts), (*islice(self.names, CANDIDATES_MAX), *scope))
            if hint is None and chain:
                hint = did_you_mean(root.name, (*islice(self.names, CANDIDATES_MAX), *scope))
            if hint is None and root.name in self.environment.by_last_part:
                hint = f"did you mean `{self.environment.by_last_part[root.name]}`?"
            self.error("name-unknown", f"`{root.name}` is not declared", root.span, hint=hint)
        return replace(whole, type=DYN)

    def select(self, node: Select) -> Node:
        """Type a map's entry; an entry of a declared vocabulary of keys is a name of its own."""
        operand = node.operand
        match operand.type:
            case MapType(keys=keys, value=value, words=words) if keys is not None and isinstance(operand, Name):
                if node.field in words:
                    return Name(name=f"{operand.name}.{node.field}", span=node.span, type=value)
                hint = did_you_mean(node.field, keys) or f"its keys are {listed(keys)}"
                span = Span(max(operand.span.end, node.span.end - len(node.field)), node.span.end)
                return replace(
                    node, type=self.error("name-key", f"`{operand.name}` has no key `{node.field}`", span, hint=hint)
                )
            case RecordType(of=of):
                if node.field in of:
                    return replace(node, type=of[node.field])
                hint = did_you_mean(node.field, of) or f"it has {listed(of)}"
                message = f"the record has no field `{node.field}`"
                return replace(node, type=self.error("name-unknown", message, node.span, hint=hint))
            case MapType(key=key, value=value) if accepts(STRING, key):
                return replace(node, type=value)
            case type_ if is_dynamic(type_):
                return replace(node, type=DYN)
            case type_:
                return replace(
                    node, type=self.error("type-select", f"{named(type_)} has no field `{node.field}`", node.span)
                )

    def has(self, node: Has, scope: Mapping[str, Type]) -> Node:
        operand = self.visit(node.operand, scope)
        if not isinstance(operand, Name | Select | Index):
            self.error(
                "type-has",
                "`has` takes a field or a map's entry",
                node.span,
                hint="for example has(device.score)",
            )
        return replace(node, operand=operand, type=BOOL)

    def index(self, node: Index, scope: Mapping[str, Type]) -> Node:
        operand, key = self.visit(node.operand, scope), self.visit(node.key, scope)
        typed = replace(node, operand=operand, key=key)
        match operand.type:
            case MapType(keys=keys) if keys is not None and isinstance(key, Literal) and isinstance(key.value, str):
                return self.select(Select(operand=operand, field=key.value, span=node.span))
            case MapType(key=expected, value=value):
                if not accepts(expected, self.type(key)):
                    self.error("type-mismatch", f"the keys are {expected}s, not {key.type}s", node.key.span)
                return replace(typed, type=value)
            case ListType(item=item):
                if not accepts(INT, self.type(key)):
                    self.error("type-mismatch", f"a list's index must be an int, not {named(key.type)}", node.key.span)
                return replace(typed, type=item)
            case SetType():
                hint = 'ask whether it holds a member: `"…" in …`'
                return replace(
                    typed, type=self.error("type-index", "a set has no order to index", node.span, hint=hint)
                )
            case type_ if is_dynamic(type_):
                return replace(typed, type=DYN)
            case type_:
                return replace(typed, type=self.error("type-index", f"{named(type_)} cannot be indexed", node.span))

    # operators

    def unary(self, node: Unary, scope: Mapping[str, Type]) -> Node:
        if node.operator == "!":
            return replace(node, operand=self.boolean(node.operand, scope), type=BOOL)
        operand = self.visit(node.operand, scope)
        return replace(node, operand=operand, type=self.judged(node, negation(self.type(operand))))

    def binary(self, node: Binary, scope: Mapping[str, Type]) -> Node:
        left, right = self.visit(node.left, scope), self.visit(node.right, scope)
        typed = replace(node, left=left, right=right)
        match node.operator:
            case "==" | "!=":
                result = equality(left, right)
            case "in":
                result = membership(left, right)
            case "<" | "<=" | ">" | ">=":
                result = ordering(left, right)
            case _:
                result = arithmetic(node.operator, left, right)
        slip = vocabulary_slip(node.operator, left, right)
        if slip is not None:
            literal, known = slip
            hint = did_you_mean(str(literal.value), known) or f"it holds {listed(known)}"
            self.error("name-vocabulary", f"`{literal.value}` is not in the vocabulary", literal.span, hint=hint)
        return replace(typed, type=self.judged(node, result))

    def judged(self, node: Node, result: Type | Mismatch) -> Type:
        if isinstance(result, Type):
            return result
        return self.error(result.code, result.message, result.span or node.span, hint=result.hint, note=result.note)

    def conditional(self, node: Conditional, scope: Mapping[str, Type]) -> Node:
        condition = self.boolean(node.condition, scope)
        then, otherwise = self.visit(node.then, scope), self.visit(node.otherwise, scope)
        type_ = join(self.type(then), self.type(otherwise))
        if type_ is None:
            message = f"one branch is {named(then.type)}, the other {named(otherwise.type)}"
            type_ = self.error("type-branches", message, node.otherwise.span, note=f"expected {then.type}")
        return replace(node, condition=condition, then=then, otherwise=otherwise, type=type_)

    # calls and macros

    def call(self, node: Call, scope: Mapping[str, Type]) -> Node:
        if node.function == "in" and node.method:
            return self.money(node, scope)
        extension = self.extension(node, scope)
        if extension is not None:
            name, way = extension
            message = f"there is no function `{name}`"
            return replace(node, type=self.error("name-function", message, node.span, hint=way))
        node = spelled_out(node)
        arguments = tuple(self.visit(argument, scope) for argument in node.arguments)
        typed = replace(node, arguments=arguments)
        overloads = self.functions.get(node.function)
        if overloads is None:
            hint = did_you_mean(node.function, [*self.functions, "exists", "all", "filter", "map", "exists_one", "has"])
            return replace(
                typed, type=self.error("name-function", f"there is no function `{node.function}`", node.span, hint=hint)
            )
        wrong_form = "function" if node.method else "method"
        form = [overload for overload in overloads if overload.form != wrong_form]
        if not form:
            way = f"f(x), `{node.function}(…)`" if node.method else f"after its value, `x.{node.function}(…)`"
            message = f"`{node.function}` is written {way}"
            return replace(typed, type=self.error("type-call", message, node.span))
        types = [self.type(argument) for argument in arguments]
        fitting = [
            overload
            for overload in form
            if len(overload.parameters) == len(types) and all(map(accepts, overload.parameters, types))
        ]
        if not fitting:
            each = list(dict.fromkeys(f"({', '.join(map(str, overload.parameters))})" for overload in form))
            takes = " or ".join(each[:TOLD_MAX]) + (", …" if len(each) > TOLD_MAX else "")
            numbers = number_hint(*arguments) if {INT, DOUBLE} <= set(types) else None
            message = f"`{node.function}` does not accept ({', '.join(map(str, types))})"
            hint = numbers or _TAKES.get(node.function, f"it takes {takes}")
            return replace(typed, type=self.error("type-call", message, node.span, hint=hint))
        self.constant_call(node, fitting[0], arguments)
        results = {overload.result for overload in fitting}
        return replace(typed, type=results.pop() if len(results) == 1 or not any(map(is_dynamic, types)) else DYN)

    def money(self, node: Call, scope: Mapping[str, Type]) -> Node:
        """Spell out `limit.in("USD")`."""
        value, *into = (self.visit(argument, scope) for argument in node.arguments)
        type_ = value.type
        if is_dynamic(type_):  # it was blamed where it is declared
            return replace(node, type=DYN)
        if not isinstance(type_, MoneyType):
            hint = 'for example `limit.in("USD")`; to look into a list write `x in list`'
            message = f"`.in(…)` converts money, not {named(type_)}"
            return replace(node, type=self.error("type-call", message, node.span, hint=hint))
        if len(into) != 1 or not isinstance(into[0], Literal) or not isinstance(into[0].value, str):
            message, hint = "`.in(…)` takes the code of one currency", 'for example `limit.in("USD")`'
            return replace(node, type=self.error("type-call", message, node.span, hint=hint))
        code, rates = into[0].value, self.environment.rates
        if code not in rates and type_.currencies != (code,):
            other = next(one for one in type_.currencies if one != code)
            way_out = (
                did_you_mean(code, rates) or f"declare `rates: {{{code}: {{{other}: 0.74}}}}`, what one {other} is"
            )
            message = f"there are no rates for `{code}`"
            return replace(node, type=self.error("name-unknown", message, into[0].span, hint=way_out))
        amount, currency = (self.part(value, name, type_) for name in ("amount", "currency"))
        found = converted(amount, currency, type_, rates.get(code, {}), code, node.span)
        written = replace(node, arguments=(value, *into))
        return replace(found, written=written) if isinstance(found, Conditional) else found

    def part(self, value: Node, name: str, type_: RecordType) -> Node:
        """Return a record's field; that of a field of a policy has a name of its own."""
        if isinstance(value, Name) and f"{value.name}.{name}" in self.names:
            return Name(name=f"{value.name}.{name}", span=value.span, type=type_.of[name])
        return Select(operand=value, field=name, span=value.span, type=type_.of[name])

    def extension(self, node: Call, scope: Mapping[str, Type]) -> tuple[str, str] | None:
        """Return the name of a function of CEL's extensions and the way out; None for any other call."""
        before = node.arguments[0] if node.method and node.arguments else None
        namespace = before.name if isinstance(before, Name) else None
        if namespace is not None and (
            namespace in self.names or namespace in scope or f"{namespace}.{node.function}" in self.functions
        ):
            namespace = None
        if node.function in self.functions and namespace is None:
            return None
        hint = way_out(node.function, namespace)
        if hint is None:
            return None
        return (f"{namespace}.{node.function}" if namespace in NAMESPACES else node.function), hint

    def constant_call(self, node: Call, overload: Overload, arguments: tuple[Node, ...]) -> None:
        """Refuse a call that can be seen to fail: `duration("24x")`, or a pattern that is none."""
        pattern = node.function == "matches" and isinstance(arguments[-1], Literal)
        if not self.strict or not (pattern or all(isinstance(argument, Literal) for argument in arguments)):
            return
        values = [argument.value if isinstance(argument, Literal) else "" for argument in arguments]
        try:
            overload.call(*values)
        except EvaluationError as error:
            self.error("type-constant", str(error), node.arguments[-1].span)

    def comprehension(self, node: Comprehension, scope: Mapping[str, Type]) -> Node:
        operand = self.visit(node.operand, scope)
        item = item_of(self.type(operand))
        if item is None:
            message = f"`{node.kind}` runs over a list, a set or a map, not {named(operand.type)}"
            item = self.error("type-mismatch", message, node.operand.span)
        if self.strict and len(scope) >= NESTED_MAX:
            self.error("type-nested", f"macros are nested more than {NESTED_MAX} deep", node.span)
        inner = {**scope, node.variable: item}
        predicate = self.boolean(node.predicate, inner) if node.predicate is not None else None
        transform = self.visit(node.transform, inner) if node.transform is not None else None
        match node.kind:
            case "map":
                assert transform is not None
                result: Type = ListType(self.type(transform))
            case "filter":
                result = ListType(item)
            case _:
                result = BOOL
        return replace(node, operand=operand, predicate=predicate, transform=transform, type=result)

    def map_literal(self, node: MapLiteral, scope: Mapping[str, Type]) -> Node:
        entries = tuple((self.visit(key, scope), self.visit(value, scope)) for key, value in node.entries)
        for key, _ in entries:
            if self.type(key) == DOUBLE or isinstance(self.type(key), ListType | MapType | SetType):
                self.error(
                    "type-key", f"a map's key must be a string, an int or a bool, not {named(key.type)}", key.span
                )
        keys = self.common([key for key, _ in entries], "map's keys")
        values = self.common([value for _, value in entries], "map")
        return replace(node, entries=entries, type=MapType(keys, values))

    def common(self, nodes: list[Node] | tuple[Node, ...], what: str) -> Type:
        """Return the type that all nodes share; a policy's lists hold values of one type."""
        common: Type = NOTHING
        for node in nodes:
            joined = join(common, self.type(node))
            if joined is None:
                if not self.strict:
                    return DYN
                hint = "write 1.0 for 1 among doubles" if {common, node.type} == {INT, DOUBLE} else None
                message = f"all values of {with_article(what)} must have one type: {common} before, {node.type} here"
                return self.error("type-mixed", message, node.span, hint=hint, note=f"expected {common}")
            common = joined
        if common != NOTHING and is_text(common) and all(isinstance(node, Literal) for node in nodes):
            return STRING
        return common


_LITERALS: Mapping[type, Type] = {bool: BOOL, int: INT, float: DOUBLE, str: STRING}
_TAKES: Mapping[str, str] = {"today": 'name the zone: `today("Asia/Singapore")`'}
"""How to call a function, where that needs another word than its types."""
