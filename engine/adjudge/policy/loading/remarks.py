"""What a policy says about its rules rather than in them: tags, messages, and its reason codes."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping

from adjudge.errors import did_you_mean
from adjudge.patterns import late
from adjudge.policy.explaining.messages import PLACEHOLDER
from adjudge.policy.loading.forms import Entries
from adjudge.policy.loading.reader import Reader
from adjudge.policy.text import yaml
from adjudge.policy.text.syntax import quoted, shown
from adjudge.policy.text.yaml import Scalar
from adjudge.policy.typed import Reason
from adjudge.source import Edit

ANY_LOCALE = ""
REASON_KEYS = ("weight", "text")
WEIGHT_MAX = 1000

_LOCALE = late(r"[a-z]{2,3}(?:-[A-Za-z0-9]{2,8})*", re.ASCII)
_FIELD = late(r"\{[A-Za-z_][\w.]*\}", re.ASCII)
_TAG = late(r"[A-Za-z0-9][A-Za-z0-9._/-]{0,99}", re.ASCII)


def read_tags(reader: Reader, node: yaml.YamlNode) -> tuple[str, ...]:
    """Return a rule's tags, each once."""
    tags: dict[str, None] = {}
    for item in reader.names(node, "`tags`"):
        tag = reader.text(item, "a tag") if type(item) is not yaml.YamlNode else None
        if tag is not None and not _TAG.fullmatch(tag):
            hint = "letters, digits, . _ - and /, at most 100"
            reader.blame("name-invalid", f"`{shown(tag)}` cannot be a tag", item.span, hint)
        elif tag is not None:
            tags[tag] = None
    return tuple(tags)


def read_texts(reader: Reader, node: yaml.YamlNode, what: str) -> dict[str, Scalar]:
    """Return a text by locale: `{en: …, de: …}`, or one alone under ANY_LOCALE."""
    if isinstance(node, Scalar):
        return {ANY_LOCALE: node} if reader.text(node, what) is not None else {}
    texts: dict[str, Scalar] = {}
    if isinstance(node, yaml.Sequence):
        reader.unfit(node, what, "a string, or strings by locale", "for example {en: …, de: …}")
        return texts
    if _is_field_alone(reader, node, what):
        return texts
    for locale, (key, value) in reader.mapping(node, what, at=node.span).items():
        if not _LOCALE.fullmatch(locale):
            hint = "a language tag such as en, pt-BR or zh-Hans"
            reader.blame("name-invalid", f"`{shown(locale)}` is not a locale", key.span, hint)
        elif _is_field_alone(reader, value, what):
            continue
        elif reader.text(value, what) is not None and isinstance(value, Scalar):
            texts[locale] = value
    return texts


def _is_field_alone(reader: Reader, node: yaml.YamlNode, what: str) -> bool:
    """Blame a text such as `{country}` that is read as a mapping whose value is missing."""
    said = reader.source.text[node.span.start : node.span.end]
    if not isinstance(node, yaml.Mapping) or _FIELD.fullmatch(said) is None:
        return False
    hint, fix = f"write {quoted(said)}", (Edit(span=node.span, text=quoted(said)),)
    reader.blame("schema-type", f"{what} begins with `{{`, and stands in quotes then", node.span, hint, fix=fix)
    return True


def check_texts(reader: Reader, texts: Mapping[str, Scalar], fields: Collection[str]) -> dict[str, str]:
    """Return the texts; blames a `{placeholder}` that is none of the fields."""
    for scalar in texts.values():
        for found in PLACEHOLDER.finditer(scalar.text.value):
            name, span = found.group(1), scalar.text.span(*found.span())
            if found.group() in ("{{", "}}") or name in fields:
                continue
            if name is None:
                hint = "write {{ or }} for the brace itself"
                reader.blame("type-message", f"unpaired `{found.group()}`", span, hint)
            else:
                hint = did_you_mean(name, fields) or "write an input between the braces, or a field as `signal.field`"
                reader.blame("name-unknown", f"there is no field `{shown(name)}`", span, hint)
    return {locale: str(scalar.text.value) for locale, scalar in texts.items()}


def read_reasons(
    reader: Reader, entries: Entries, codes: Collection[str], fields: Collection[str]
) -> dict[str, Reason]:
    """Return what a policy says of its reason codes. codes: those that it can give."""
    reasons = {}
    is_blamed = any("reason" in error.message for error in reader.errors)  # so that codes are missing
    for code, (key, node) in entries.items():
        if code not in codes and reader.is_whole and not is_blamed:
            hint = did_you_mean(code, codes) or "reason codes are those of rules, thresholds and the scorecard"
            reader.blame("name-reason", f"no rule has the reason `{shown(code)}`", key.span, hint)
        parts = reader.mapping(node, "a reason", keys=REASON_KEYS, at=key.span)
        weight = reader.integer(parts["weight"][1], "`weight`", WEIGHT_MAX) if "weight" in parts else None
        texts = read_texts(reader, parts["text"][1], "a reason's text") if "text" in parts else {}
        text = check_texts(reader, texts, fields)
        reasons[code] = Reason(code=code, weight=weight or 0, text=text, span=key.span)
    return reasons
