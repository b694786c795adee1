"""Rates of exchange: what one of a currency is worth in another."""

from __future__ import annotations

from collections.abc import Mapping
from math import isfinite

from adjudge.policy.loading.forms import Entries
from adjudge.policy.loading.meant_values import value_meant
from adjudge.policy.loading.reader import Reader
from adjudge.policy.text.syntax import shown
from adjudge.policy.text.yaml import Scalar, YamlNode
from adjudge.source import Edit
from adjudge.values.declared import is_currency
from adjudge.values.types import DOUBLE


def read_rates(reader: Reader, entries: Entries) -> Mapping[str, Mapping[str, float]]:
    """Return rates by the currency into which they convert, and by the currency that they convert."""
    found: dict[str, dict[str, float]] = {}
    for into, (key, node) in entries.items():
        rates = found.setdefault(into, {})
        _code(reader, key)
        if isinstance(node, Scalar) and isinstance(node.value, int | float):
            hint = f"write {{SGD: {node.text.value}}}, what one of each other currency is worth in {shown(into)}"
            reader.unfit(node, f"the rates of `{shown(into)}`", "a mapping", hint)
            continue
        for currency, (inner, value) in reader.mapping(node, f"the rates of `{shown(into)}`", at=key.span).items():
            _code(reader, inner)
            rate = value.value if isinstance(value, Scalar) else None
            if not isinstance(rate, int | float) or isinstance(rate, bool) or not isfinite(rate) or rate <= 0:
                meant = value_meant(value, DOUBLE) if isinstance(value, Scalar) else None
                is_plain = meant is not None and float(meant.text) > 0
                fix = (Edit(span=value.span, text=meant.text),) if meant is not None and is_plain else ()
                hint = f"what one {shown(currency)} is worth in {shown(into)}, for example 0.74"
                hint = f"write {meant.text}" if meant is not None and is_plain else hint
                if type(value) is not YamlNode:  # blamed already
                    reader.blame("schema-value", "a rate must be a number above 0", value.span, hint, fix=fix)
            elif currency == into:
                reader.blame("schema-value", f"one {shown(into)} is one {shown(into)}", inner.span, "delete the line")
            else:
                rates[currency] = float(rate)
    return found


def _code(reader: Reader, key: Scalar) -> None:
    if not is_currency(key.text.value):
        message, meant = f"`{shown(key.text.value)}` is not a currency's code", key.text.value.strip().upper()
        fix = (Edit(span=key.span, text=meant),) if is_currency(meant) else ()
        hint = f"write {meant}" if fix else "capital letters, such as SGD"
        reader.blame("name-invalid", message, key.span, hint, fix=fix)
