"""Conditions that are asked of a policy's fields from outside it, such as which decisions somebody wants to see."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

from adjudge.errors import PolicyError, PolicyErrors
from adjudge.expr.check import Environment, check
from adjudge.expr.nodes import Node, names_in
from adjudge.expr.parse import parse
from adjudge.expr.python import compile_condition
from adjudge.policy.policy import Policy
from adjudge.policy.slots import OF_REQUEST
from adjudge.source import Source
from adjudge.values.types import BOOL, STRING, ListType, Type

Answer = Callable[[Mapping[str, object]], object]
"""Returns a condition's value for known slots by full name, as `Policy.read` has them; None where it is unknown."""


def asked(policy: Policy, text: str, name: str) -> Node:
    """Return a condition over a policy's fields, variables and lists, typed. Raises PolicyErrors.

    name: what to call the text in errors, such as `--where`.
    """
    typed, source = policy.typed, Source(name, text)
    names: dict[str, Type] = {slot: field.type for slot, field in typed.slots.items()}
    names |= {variable: node.type for variable, node in typed.variables.items() if node.type is not None}
    names |= dict.fromkeys(typed.constants, ListType(STRING))
    environment = Environment(names, policy.functions, rates=typed.rates)
    errors: list[PolicyError] = []
    node = None
    try:
        node, errors = check(parse(source.whole()), environment, source=source, expect=BOOL)
    except PolicyError as error:
        errors = [error]
    if node is None:
        from adjudge.expr.foreign.mend import told  # a condition that is right does without

        raise PolicyErrors(told(source.whole(), environment, errors, fields=typed.slots, expect=BOOL))
    return node


def with_request(policy: Policy, text: str) -> Policy:
    """Return a policy that also has those parts of a request that a text names and the policy does not read."""
    typed = policy.typed
    taken = {*typed.inputs, *typed.signals, *typed.variables}
    more = {name: field for name, field in OF_REQUEST.items() if name not in taken and name in text}
    if not more:
        return policy
    slots, inputs = {**typed.slots, **more}, {**typed.inputs, **more}
    whole = replace(typed, inputs=inputs, slots=slots, of_request=typed.of_request | more.keys())
    return Policy(whole, policy.functions)


def answering(policy: Policy, node: Node) -> Answer:
    """Compile a typed condition over a policy's slots, through the variables that it reads."""
    typed, functions = policy.typed, policy.functions
    read = {*names_in(node)}
    steps: list[tuple[str, Answer]] = []
    for name in reversed(list(typed.variables)):  # each reads only those before it
        if name in read:
            variable = typed.variables[name]
            read |= names_in(variable).keys()
            steps.insert(0, (name, compile_condition(variable, functions=functions, constants=typed.constants)))
    condition = compile_condition(node, functions=functions, constants=typed.constants)

    def answer(slots: Mapping[str, object]) -> object:
        known = dict(slots)
        for name, step in steps:
            known[name] = step(known)
        return condition(known)

    return answer
