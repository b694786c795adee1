"""Amounts of money in another currency: `limit.in("USD")` becomes a choice by currency, and a product."""

from __future__ import annotations

from collections.abc import Mapping

from adjudge.expr.nodes import Binary, Call, Conditional, Literal, Node
from adjudge.source import Span
from adjudge.values.types import BOOL, DOUBLE, INT, STRING, MoneyType


def converted(
    amount: Node, currency: Node, type_: MoneyType, rates: Mapping[str, float], into: str, span: Span
) -> Node:
    """Return an amount in a currency as a double, unknown for a currency without a rate.

    amount, currency: the parts of a value of the type. rates: what one of each other currency is worth in `into`.
    """
    *most, last = type_.currencies
    found = _worth(amount, last, rates, into, span)
    for one in reversed(most):
        is_it = Binary(
            operator="==", left=currency, right=Literal(value=one, span=span, type=STRING), span=span, type=BOOL
        )
        worth = _worth(amount, one, rates, into, span)
        found = Conditional(condition=is_it, then=worth, otherwise=found, span=span, type=DOUBLE)
    return found


def _worth(amount: Node, currency: str, rates: Mapping[str, float], into: str, span: Span) -> Node:
    if currency == into:
        return amount
    if currency not in rates:  # there is no such number, so it is unknown in every back end
        one, none = (Literal(value=value, span=span, type=INT) for value in (1, 0))
        ratio = Binary(operator="/", left=one, right=none, span=span, type=INT)
        return Call(function="double", arguments=(ratio,), span=span, type=DOUBLE)
    rate = Literal(value=rates[currency], span=span, type=DOUBLE)
    return Binary(operator="*", left=amount, right=rate, span=span, type=DOUBLE)
