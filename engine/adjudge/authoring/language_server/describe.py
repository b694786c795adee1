"""What a name means, for somebody who points at it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from adjudge.authoring.language_server.document import Document
from adjudge.authoring.language_server.places import word_at
from adjudge.expr.functions import Overload
from adjudge.expr.printing import unparse
from adjudge.policy.catalogue import Catalogue
from adjudge.policy.slots import beginnings
from adjudge.policy.typed import TypedPolicy
from adjudge.source import Span
from adjudge.values.fields import Field

CONDITION_MAX = 600


def described_field(declared: Field) -> str:
    """Return a field's type with what it takes."""
    said = str(declared.type)
    if declared.minimum is not None or declared.maximum is not None:
        said += f" [{declared.minimum}, {declared.maximum}]"
    if declared.riskier is not None:
        said += f", riskier: {declared.riskier}"
    if declared.personal:
        said += ", personal"
    return said + (", actionable" if declared.actionable else "")


def signature(name: str, overloads: Sequence[Overload]) -> str:
    """Return how a function is called."""
    forms = []
    for one in overloads:
        parameters = [str(parameter) for parameter in one.parameters]
        if one.form == "method":
            forms.append(f"{parameters[0]}.{name}({', '.join(parameters[1:])}) → {one.result}")
        else:
            forms.append(f"{name}({', '.join(parameters)}) → {one.result}")
    return "; ".join(forms)


def describe(document: Document, offset: int, catalogue: Catalogue) -> tuple[str, Span] | None:
    """Return what stands at an offset, in Markdown, and the range that it is about."""
    found = word_at(document.text, offset)
    if found is None or document.typed is None:
        return None
    word, span = found
    said = _said(document.typed, word, catalogue.overloads())
    if said is None and "." in word:  # the part up to the cursor, such as the signal of a field
        upto = next((name for name in beginnings(word) if len(name) >= offset - span.start), word)
        said = _said(document.typed, upto, catalogue.overloads())
    return (said, span) if said is not None else None


def _short(condition: str) -> str:
    """Return a condition as a hover can show it: a lookup table may be one of thousands of entries."""
    return condition if len(condition) <= CONDITION_MAX else f"{condition[: CONDITION_MAX - 1]}…"


def _said(typed: TypedPolicy, word: str, functions: Mapping[str, Sequence[Overload]]) -> str | None:
    if word in typed.slots:
        declared = typed.slots[word]
        owner = typed.signals.get(typed.parts[word].owner)
        source = (
            "an input" if owner is None else f"from `{owner.provider}`" if owner.provider else "supplied by the caller"
        )
        about = f"\n\n{declared.description}" if declared.description else ""
        return (
            f"`{word}`: {described_field(declared)}, {source if word != 'now' else 'the clock of the decision'}{about}"
        )
    if word in typed.variables:
        return f"`{word}`: {typed.variables[word].type}\n\n`{_short(unparse(typed.variables[word]))}`"
    if word in typed.signals:
        signal = typed.signals[word]
        fields = "".join(f"\n- `{name}`: {described_field(field)}" for name, field in signal.fields.items())
        doubt = signal.when_unknown or typed.when_unknown
        return f"signal `{word}`, {signal.provider or 'supplied by the caller'}; in doubt {doubt}\n{fields}"
    if word in typed.constants:
        values = typed.constants[word]
        return f"`{word}`: {len(values)} values: {', '.join(values[:8])}{', …' if len(values) > 8 else ''}"
    for rule in typed.rules:
        if rule.id == word:
            return f"rule `{word}` → {rule.outcome}, {rule.reason}\n\n`{unparse(rule.condition)}`"
    called = next((name for name in functions if f".{word}".endswith(f".{name}")), None)
    return f"`{signature(called, functions[called])}`" if called is not None else None
