"""The live back end: a checked condition becomes Python code, built as a syntax tree and compiled once.

Two forms of code stand for a node. Its *truth* is an expression that is True, False or None and never raises; its
*value* raises EvaluationError where it has none. A truth is made of values by looking whether they are known first,
so that unknown fields cost no exceptions, and by catching what still fails.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

from adjudge.expr import pyast, runtime
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
    is_field,
    walk,
)
from adjudge.expr.reference import Unknown, evaluate
from adjudge.expr.work import allowance
from adjudge.values.types import (
    BOOL,
    DATE,
    DOUBLE,
    DURATION,
    DYN,
    INT,
    TIMESTAMP,
    ListType,
    MapType,
    RecordType,
    SetType,
    Type,
    accepts,
    is_text,
)

_COMPARISONS: Mapping[str, type[ast.cmpop]] = {
    "==": ast.Eq,
    "!=": ast.NotEq,
    "<": ast.Lt,
    "<=": ast.LtE,
    ">": ast.Gt,
    ">=": ast.GtE,
}
_RUNTIME: Mapping[str, object] = {
    "_unknown": runtime.UNKNOWN,
    "_failures": runtime.Failures,
    **{
        function.__name__: function
        for function in (
            runtime.entry,
            runtime.element,
            runtime.equal,
            runtime.contains,
            runtime.negate,
            runtime.add,
            runtime.subtract,
            runtime.multiply,
            runtime.divide,
            runtime.remainder,
            runtime.divide_double,
            runtime.concatenate,
            runtime.shift,
            runtime.shift_back,
            runtime.shift_day,
            runtime.shift_day_back,
            runtime.days_between,
            runtime.add_duration,
            runtime.subtract_duration,
            runtime.between,
            runtime.mapping,
            runtime.whole,
            runtime.known,
        )
    },
}
_ARITHMETIC: Mapping[tuple[str, Type, Type], str] = {
    ("+", INT, INT): "add",
    ("-", INT, INT): "subtract",
    ("*", INT, INT): "multiply",
    ("/", INT, INT): "divide",
    ("%", INT, INT): "remainder",
    ("/", DOUBLE, DOUBLE): "divide_double",
    ("+", TIMESTAMP, DURATION): "shift",
    ("-", TIMESTAMP, DURATION): "shift_back",
    ("-", TIMESTAMP, TIMESTAMP): "between",
    ("+", DATE, DURATION): "shift_day",
    ("-", DATE, DURATION): "shift_day_back",
    ("-", DATE, DATE): "days_between",
    ("+", DURATION, DURATION): "add_duration",
    ("-", DURATION, DURATION): "subtract_duration",
}
_DOUBLE_OPERATORS: Mapping[str, type[ast.operator]] = {"+": ast.Add, "-": ast.Sub, "*": ast.Mult}


def compile_condition(
    tree: Node,
    *,
    functions: Mapping[str, tuple[Overload, ...]] = FUNCTIONS,
    constants: Mapping[str, tuple[object, ...]] | None = None,
) -> Callable[[Mapping[str, object]], object]:
    """Compile a checked tree without `dyn` parts into a function of the values by name.

    The function returns the value, or None where it is unknown. Values are as `expr.nodes` says.
    constants: values of names that never change, such as a policy's lists.
    """
    emitter = Emitter(functions, constants=dict(constants or {}))
    names = list(dict.fromkeys(node.name for node in walk(tree) if isinstance(node, Name)))
    names = [name for name in names if name not in emitter.constants]
    for at, name in enumerate(names):
        emitter.variables[name] = f"v{at}"
        emitter.emit(pyast.assign(f"v{at}", pyast.method(pyast.load("values"), "get", pyast.constant(name))))
    result = emitter.truth(tree) if tree.type == BOOL else emitter.guarded(tree)
    body = [*emitter.block, ast.Return(result)]
    definition = pyast.function("condition", ["values"], [], body)
    built = pyast.build(definition, "condition", "<condition>", emitter.names)
    assert callable(built)
    return built


def has_dynamic_parts(tree: Node) -> bool:
    """Whether only the reference can evaluate a tree, since types are looked at at run time."""
    return any(node.type is None or _holds_dyn(node.type) for node in walk(tree))


def _holds_dyn(type_: Type) -> bool:
    match type_:
        case ListType(item=item):
            return _holds_dyn(item)
        case MapType(key=key, value=value):
            return _holds_dyn(key) or _holds_dyn(value)
        case _:
            return type_ == DYN


@dataclass(slots=True)
class Emitter:
    """Code under construction.

    variables: the Python variable of each Name; it holds None where the field is unknown.
    constants: values of Names that never change, such as lists.
    names: what the code refers to outside itself.
    block: the statements so far, at the place where the next one goes.
    """

    functions: Mapping[str, tuple[Overload, ...]]
    variables: dict[str, str] = field(default_factory=dict)
    constants: dict[str, tuple[object, ...]] = field(default_factory=dict)
    names: dict[str, object] = field(default_factory=lambda: dict(_RUNTIME))
    block: list[ast.stmt] = field(default_factory=list)
    _scope: dict[str, str] = field(default_factory=dict)
    _needs: set[str] = field(default_factory=set)
    _lazy: bool = False
    _count: int = 0
    _is_bounded: bool = False

    def emit(self, *statements: ast.stmt) -> None:
        """Add statements at the current place."""
        self.block.extend(statements)

    def fresh(self) -> str:
        """Return a new variable."""
        self._count += 1
        return f"t{self._count}"

    def refer(self, value: object) -> ast.expr:
        """Return an expression for an object outside the code."""
        name = f"c{len(self.names)}"
        self.names[name] = value
        return pyast.load(name)

    @contextmanager
    def inside(self) -> Iterator[list[ast.stmt]]:
        """Collect the statements that are emitted meanwhile."""
        outer, self.block = self.block, []
        try:
            yield self.block
        finally:
            self.block = outer

    # truths

    def truth(self, node: Node) -> ast.expr:
        """Emit a bool node; the expression returned is True, False or None."""
        match node:
            case Literal(value=value):
                return pyast.constant(value)
            case Name(name=name) if name in self.variables:
                return pyast.load(self.variables[name])
            case Local(name=name):
                return pyast.load(self._scope[name])
            case Logic():
                return self._logic(node)
            case Unary(operator="!", operand=operand):
                return self._not(self.truth(operand))
            case Has(operand=operand):
                return self._has(operand)
            case Conditional():
                return self._either_branch(node)
            case Comprehension(kind="all" | "exists" | "exists_one"):
                return self._bounded_quantifier(node)
            case Binary(operator="in", left=left, right=right) if _holds_texts(right) and not self._is_constant(right):
                return self._text_membership(left, right)
            case _:
                return self.guarded(node)

    def _logic(self, node: Logic) -> ast.expr:
        """Kleene's and / or: `decisive` ends the chain, an unknown is remembered."""
        decisive, neutral = (pyast.FALSE, pyast.TRUE) if node.operator == "&&" else (pyast.TRUE, pyast.FALSE)
        result = self.fresh()
        self.emit(pyast.assign(result, self.truth(node.operands[0])))
        for operand in node.operands[1:]:
            with self.inside() as body:
                part = self.fresh()
                self.emit(pyast.assign(part, self.truth(operand)))
                kept = pyast.assign(result, pyast.load(part))
                self.emit(pyast.branch(pyast.is_not(pyast.load(part), neutral), [kept]))
            self.emit(pyast.branch(pyast.is_not(pyast.load(result), decisive), body))
        return pyast.load(result)

    def _not(self, operand: ast.expr) -> ast.expr:
        if isinstance(operand, ast.Constant):
            return pyast.constant(None if operand.value is None else not operand.value)
        name = self.fresh()
        self.emit(pyast.assign(name, operand))
        return pyast.choose(
            pyast.is_(pyast.load(name), pyast.NONE), pyast.NONE, ast.UnaryOp(ast.Not(), pyast.load(name))
        )

    def _has(self, operand: Node) -> ast.expr:
        match operand:
            case Name(name=name) if name in self.variables:
                return pyast.is_not(pyast.load(self.variables[name]), pyast.NONE)
            case Name():
                return pyast.TRUE
            case Select(operand=mapping, field=key):
                return self._has_entry(mapping, Literal(value=key))
            case Index(operand=mapping, key=key_node):
                return self._has_entry(mapping, key_node)
            case _:
                raise AssertionError("the checker admits only names and entries to has()")

    def _has_entry(self, mapping: Node, key: Node) -> ast.expr:
        found = self.fresh()
        self.emit(pyast.assign(found, self.guarded(mapping)))
        at = self.fresh()
        self.emit(pyast.assign(at, self.guarded(key)))
        if isinstance(mapping.type, MapType | RecordType):
            there = pyast.is_not(pyast.method(pyast.load(found), "get", pyast.load(at)), pyast.NONE)
        else:
            length = pyast.call("len", pyast.load(found))
            inside = ast.Compare(pyast.constant(0), [ast.LtE(), ast.Lt()], [pyast.load(at), length])
            present = pyast.is_not(pyast.item(pyast.load(found), pyast.load(at)), pyast.NONE)
            there = ast.BoolOp(ast.And(), [inside, present])
        missing = pyast.FALSE if is_field(mapping) else pyast.NONE
        unknown_key = pyast.choose(pyast.is_(pyast.load(at), pyast.NONE), pyast.NONE, there)
        return pyast.choose(pyast.is_(pyast.load(found), pyast.NONE), missing, unknown_key)

    def _either_branch(self, node: Conditional) -> ast.expr:
        condition, result = self.fresh(), self.fresh()
        self.emit(pyast.assign(condition, self.truth(node.condition)))
        branches = []
        for part in (node.then, node.otherwise):
            with self.inside() as body:
                self.emit(pyast.assign(result, self.truth(part)))
            branches.append(body)
        inner = pyast.branch(pyast.load(condition), branches[0], branches[1])
        unknown = pyast.is_(pyast.load(condition), pyast.NONE)
        self.emit(pyast.branch(unknown, [pyast.assign(result, pyast.NONE)], [inner]))
        return pyast.load(result)

    def _bounded_quantifier(self, node: Comprehension) -> ast.expr:
        """Run a quantifier that stands in no other macro only where its work is within bounds, see `expr.work`."""
        with self._within_bounds(node) as allowed:
            if allowed is None:
                return self._quantifier(node)
            result = self.fresh()
            with self.inside() as body:
                self.emit(pyast.assign(result, self._quantifier(node)))
            self.emit(pyast.branch(allowed, body, [pyast.assign(result, pyast.NONE)]))
            return pyast.load(result)

    @contextmanager
    def _within_bounds(self, node: Comprehension) -> Iterator[ast.expr | None]:
        """Emit a macro; yield the test that its work is within bounds, or None where that is known already."""
        if self._is_bounded:
            yield None
            return
        is_allowed, names, ask = allowance(node, self.constants)
        values = [pyast.load(self.variables[name]) for name in names]
        self._is_bounded = True
        try:
            yield ast.Call(self.refer(ask), values, []) if names else None if is_allowed else pyast.FALSE
        finally:
            self._is_bounded = False

    def _quantifier(self, node: Comprehension) -> ast.expr:
        """`all`, `exists`, `exists_one` as a loop over what is known, remembering what is not."""
        assert node.predicate is not None
        over, result, count = self.fresh(), self.fresh(), self.fresh()
        self.emit(pyast.assign(over, self.guarded(node.operand)))
        with self._loop(node.variable, over) as (body, header):
            part = self.fresh()
            self.emit(pyast.assign(part, self.truth(node.predicate)))
            if isinstance(node.operand.type, SetType):  # its None is any number of members, even none
                stray = pyast.is_(pyast.load(header), pyast.NONE)
                decides = pyast.is_(pyast.load(part), pyast.constant(node.kind != "all"))
                both = ast.BoolOp(ast.And(), [stray, decides])
                self.emit(pyast.branch(both, [pyast.assign(part, pyast.NONE)]))
            unknown = pyast.branch(pyast.is_(pyast.load(part), pyast.NONE), [pyast.assign(result, pyast.NONE)])
            if node.kind == "exists_one":
                hit = pyast.branch(pyast.load(part), [pyast.add_to(count, ast.Add(), pyast.constant(1))])
                # two known hits are enough to say no, but an item that is known has to have an answer
                lost = [pyast.assign(count, pyast.constant(0)), pyast.assign(result, pyast.NONE), ast.Break()]
                doubt = [pyast.assign(result, pyast.NONE)]
                of_known = pyast.branch(pyast.is_not(pyast.load(header), pyast.NONE), lost, doubt)
                self.emit(pyast.branch(pyast.is_(pyast.load(part), pyast.NONE), [of_known]), hit)
            else:
                decisive = pyast.FALSE if node.kind == "all" else pyast.TRUE
                found = [pyast.assign(result, decisive), ast.Break()]
                self.emit(pyast.branch(pyast.is_(pyast.load(part), decisive), found), unknown)
        one = node.kind == "exists_one"
        start = [pyast.assign(result, pyast.constant(node.kind != "exists"))]
        if one:
            start.append(pyast.assign(count, pyast.constant(0)))
        run = [*start, pyast.loop(header, pyast.load(over), body)]
        if one:
            exactly = pyast.compare(pyast.load(count), ast.Eq(), pyast.constant(1))
            open_ = pyast.choose(pyast.is_(pyast.load(result), pyast.NONE), pyast.NONE, exactly)
            several = pyast.compare(pyast.load(count), ast.Gt(), pyast.constant(1))
            run.append(pyast.assign(result, pyast.choose(several, pyast.FALSE, open_)))
        is_unknown = pyast.is_(pyast.load(over), pyast.NONE)
        self.emit(pyast.branch(is_unknown, [pyast.assign(result, pyast.NONE)], run))
        return pyast.load(result)

    @contextmanager
    def _loop(self, variable: str, over: str) -> Iterator[tuple[list[ast.stmt], str]]:
        """Emit a loop's body with its variable in scope."""
        name = self.fresh()
        outer, lazy = self._scope, self._lazy
        self._scope, self._lazy = {**outer, variable: name}, True
        with self.inside() as body:
            try:
                yield body, name
            finally:
                self._scope, self._lazy = outer, lazy

    def guarded(self, node: Node) -> ast.expr:
        """Emit a node of any type; the expression returned is its value, or None where it is unknown."""
        if isinstance(node, Literal):
            return pyast.constant(node.value)
        if isinstance(node, Name):
            return self._name(node)
        if isinstance(node, Local):
            return pyast.load(self._scope[node.name])
        if node.type == BOOL and not _is_leaf(node):
            return self.truth(node)
        needs, self._needs = self._needs, set()
        lazy, self._lazy = self._lazy, False
        result = self.fresh()
        with self.inside() as body:
            self.emit(pyast.assign(result, self.value(node)))
        tests = [pyast.is_(pyast.load(name), pyast.NONE) for name in sorted(self._needs)]
        self._needs, self._lazy = needs, lazy
        unknown = [pyast.assign(result, pyast.NONE)]
        statements = [pyast.attempt(body, "_failures", unknown)] if _can_fail(body) else body
        self.emit(pyast.branch(pyast.either(tests), unknown, statements) if tests else statements[0])
        if not tests:
            self.emit(*statements[1:])
        return pyast.load(result)

    # values

    def value(self, node: Node) -> ast.expr:
        """Emit a node as a value; unknown operands raise, or are among `_needs` where they always count."""
        match node:
            case Literal(value=value):
                return pyast.constant(value)
            case Name():
                return self._need(self._name(node))
            case Local(name=name):
                return self._check(self._scope[name])
            case Select(operand=operand, field=key):
                return pyast.call("entry", self.value(operand), pyast.constant(key))
            case Index(operand=operand, key=key_node):
                lookup = "entry" if isinstance(operand.type, MapType) else "element"
                return pyast.call(lookup, self.value(operand), self.value(key_node))
            case Unary(operator="-", operand=operand):
                inner = self.value(operand)
                return pyast.call("negate", inner) if node.type == INT else ast.UnaryOp(ast.USub(), inner)
            case Binary():
                return self._binary(node)
            case Call(arguments=arguments):
                overload = self._overload(node)
                given = [self._argument(argument, overload) for argument in arguments]
                return ast.Call(self.refer(overload.call), given, [])
            case ListLiteral(items=items):
                return ast.Tuple([self.guarded(item) for item in items], ast.Load())
            case MapLiteral() if (constant := self._written_map(node)) is not None:
                return self.refer(constant)
            case MapLiteral(entries=entries):
                return pyast.call("mapping", *(self.value(part) for entry in entries for part in entry))
            case Conditional() if node.type != BOOL:
                return self._chosen(node)
            case Comprehension(kind="map" | "filter"):
                with self._within_bounds(node) as allowed:
                    if allowed is not None:
                        self.emit(pyast.branch(ast.UnaryOp(ast.Not(), allowed), [pyast.raising("_unknown")]))
                    return self._collection(node)
            case _:
                name = self.fresh()
                self.emit(pyast.assign(name, self.truth(node)))
                return self._check(name)

    def _written_map(self, node: MapLiteral) -> object:
        """Return a map of constants, which is made once; None where it has no value, or hangs on anything."""
        for part in walk(node):
            if isinstance(part, Name | Local | Comprehension) or (
                isinstance(part, Call) and self.functions.get(part.function) != FUNCTIONS.get(part.function)
            ):
                return None
        answer = evaluate(node, {}, functions=self.functions)
        return None if isinstance(answer, Unknown) else answer

    def _argument(self, node: Node, overload: Overload) -> ast.expr:
        """Emit an argument; a function that does not take unknown items sees none."""
        value = self.value(node)
        is_container = isinstance(node.type, ListType | MapType | SetType)
        return pyast.call("whole", value) if is_container and not overload.partial else value

    def _name(self, node: Name) -> ast.expr:
        if node.name in self.constants:
            return self.refer(self.constants[node.name])
        return pyast.load(self.variables[node.name])

    def _need(self, variable: ast.expr) -> ast.expr:
        """Note that a field must be known: before the whole, or here where this part is not always reached."""
        if not isinstance(variable, ast.Name) or variable.id in self.names:
            return variable
        if self._lazy:
            return self._check(variable.id)
        self._needs.add(variable.id)
        return variable

    def _check(self, name: str) -> ast.expr:
        self.emit(pyast.branch(pyast.is_(pyast.load(name), pyast.NONE), [pyast.raising("_unknown")]))
        return pyast.load(name)

    def _binary(self, node: Binary) -> ast.expr:
        operator, left, right = node.operator, node.left, node.right
        assert left.type is not None and right.type is not None
        if operator == "in":
            return self._membership(left, right)
        a, b = self._pair(left, right)
        if operator in ("==", "!=") and isinstance(left.type, ListType | MapType):
            same = pyast.call("known", pyast.call("equal", a, b))
            return same if operator == "==" else ast.UnaryOp(ast.Not(), same)
        if operator in _COMPARISONS:
            return pyast.compare(a, _COMPARISONS[operator](), b)
        if (operator, left.type, right.type) == ("+", DURATION, TIMESTAMP):
            return pyast.call("shift", b, a)
        if (operator, left.type, right.type) == ("+", DURATION, DATE):
            return pyast.call("shift_day", b, a)
        if left.type == DOUBLE and operator in _DOUBLE_OPERATORS:
            return ast.BinOp(a, _DOUBLE_OPERATORS[operator](), b)
        return pyast.call(_ARITHMETIC.get((operator, left.type, right.type), "concatenate"), a, b)

    def _pair(self, left: Node, right: Node) -> tuple[ast.expr, ast.expr]:
        """Emit two operands; a set of which a member is unknown has no value as a whole."""
        a, b = self.value(left), self.value(right)
        if isinstance(left.type, SetType):
            a = pyast.call("whole", a)
        return a, pyast.call("whole", b) if isinstance(right.type, SetType) else b

    def _membership(self, left: Node, right: Node) -> ast.expr:
        wanted = self.value(left)
        simple = not isinstance(left.type, ListType | MapType)
        fixed: tuple[object, ...] | None = None
        if isinstance(right, Name):
            fixed = self.constants.get(right.name)
        elif isinstance(right, ListLiteral) and all(isinstance(item, Literal) for item in right.items):
            fixed = tuple(item.value for item in right.items if isinstance(item, Literal))
        if fixed is not None and simple:
            return pyast.compare(wanted, ast.In(), self.refer(frozenset(fixed)))
        found = self.value(right)
        if isinstance(right.type, MapType):
            return pyast.compare(wanted, ast.In(), found)
        return pyast.call("known", pyast.call("contains", found, wanted))

    def _is_constant(self, node: Node) -> bool:
        """Whether a part is a list of the policy, which has a table of its own to look into."""
        return isinstance(node, Name) and node.name in self.constants

    def _text_membership(self, left: Node, right: Node) -> ast.expr:
        """Look for a text in a set or list without a call: the most frequent question to a vendor's tags."""
        wanted, found = self.guarded(left), self.guarded(right)
        missing = [pyast.is_(part, pyast.NONE) for part in (wanted, found) if not isinstance(part, ast.Constant)]
        partly = pyast.choose(pyast.compare(pyast.NONE, ast.In(), found), pyast.NONE, pyast.FALSE)
        answer = pyast.choose(pyast.compare(wanted, ast.In(), found), pyast.TRUE, partly)
        return pyast.choose(pyast.either(missing), pyast.NONE, answer)

    def _overload(self, node: Call) -> Overload:
        types = [argument.type for argument in node.arguments]
        for overload in self.functions[node.function]:
            if overload.form == ("function" if node.method else "method") or len(overload.parameters) != len(types):
                continue
            if all(given and accepts(wanted, given) for wanted, given in zip(overload.parameters, types, strict=True)):
                return overload
        raise AssertionError(f"the checker found a form of {node.function} for these arguments")

    def _chosen(self, node: Conditional) -> ast.expr:
        condition, result = self.fresh(), self.fresh()
        self.emit(pyast.assign(condition, self.truth(node.condition)))
        self._check(condition)
        lazy, self._lazy = self._lazy, True
        branches = []
        for part in (node.then, node.otherwise):
            with self.inside() as body:
                self.emit(pyast.assign(result, self.value(part)))
            branches.append(body)
        self._lazy = lazy
        self.emit(pyast.branch(pyast.load(condition), branches[0], branches[1]))
        return pyast.load(result)

    def _collection(self, node: Comprehension) -> ast.expr:
        over, built = self.fresh(), self.fresh()
        self.emit(pyast.assign(over, self.value(node.operand)), pyast.assign(built, ast.List([], ast.Load())))
        with self._loop(node.variable, over) as (body, header):
            with self.inside() as kept:
                if isinstance(node.operand.type, SetType):
                    self._check(header)
                item = self._check(header) if node.transform is None else self.value(node.transform)
                self.emit(ast.Expr(pyast.method(pyast.load(built), "append", item)))
            if node.predicate is None:
                self.emit(*kept)
            else:
                part = self.fresh()
                self.emit(pyast.assign(part, self.truth(node.predicate)))
                self.emit(pyast.branch(self._check(part), kept))
        self.emit(pyast.loop(header, pyast.load(over), body))
        return pyast.call("tuple", pyast.load(built))


def _is_leaf(node: Node) -> bool:
    """Whether a bool node's truth is its guarded value."""
    return not isinstance(node, Literal | Name | Local | Logic | Has | Conditional | Unary) and not (
        isinstance(node, Comprehension)
    )


def _holds_texts(node: Node) -> bool:
    """Whether a node is a field that is a set, or a list of texts."""
    if not isinstance(node, Name | Local):
        return False
    return isinstance(node.type, SetType) or (isinstance(node.type, ListType) and is_text(node.type.item))


def _can_fail(body: Sequence[ast.stmt]) -> bool:
    """Whether code could raise: anything but comparing and assigning."""
    safe = (
        ast.Assign, ast.Name, ast.Store, ast.Load, ast.Constant, ast.Compare, ast.cmpop, ast.BoolOp, ast.boolop,
        ast.UnaryOp, ast.unaryop, ast.Tuple,
    )  # fmt: skip
    return not all(isinstance(part, safe) for statement in body for part in ast.walk(statement))
