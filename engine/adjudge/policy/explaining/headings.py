"""The words around what an applicant is told, in the languages that are kept here."""

from __future__ import annotations

from collections.abc import Mapping

from adjudge.policy.explaining.messages import in_locale
from adjudge.policy.explaining.neutral import kept

_WORDS: Mapping[str, Mapping[str, str]] = {
    "decision": {
        "en": "decision {id} by {policy}",
        "zh": "\u51b3\u5b9a {id}\uff08\u7b56\u7565 {policy}\uff09",
        "zh-Hant": "\u6c7a\u5b9a {id}\uff08\u7b56\u7565 {policy}\uff09",
    },
    "lacking": {
        "en": "not in the vault any more, so unknown here: {fields}",
        "zh": "\u4ee5\u4e0b\u4fe1\u606f\u5df2\u5220\u9664\uff0c\u6b64\u5904\u672a\u77e5\uff1a{fields}",
        "zh-Hant": "\u4ee5\u4e0b\u8cc7\u8a0a\u5df2\u522a\u9664\uff0c\u6b64\u8655\u672a\u77e5\uff1a{fields}",
    },
    "pass": {"en": "pass", "zh": "\u901a\u8fc7", "zh-Hant": "\u901a\u904e"},
    "review": {"en": "review", "zh": "\u4eba\u5de5\u5ba1\u6838", "zh-Hant": "\u4eba\u5de5\u5be9\u6838"},
    "reject": {"en": "reject", "zh": "\u672a\u901a\u8fc7", "zh-Hant": "\u672a\u901a\u904e"},
    "next": {"en": "next: {step}", "zh": "\u4e0b\u4e00\u6b65\uff1a{step}", "zh-Hant": "\u4e0b\u4e00\u6b65\uff1a{step}"},
    "changes": {
        "en": "what would have changed it:",
        "zh": "\u4ee5\u4e0b\u53d8\u5316\u4f1a\u6539\u53d8\u7ed3\u679c\uff1a",
        "zh-Hant": "\u4ee5\u4e0b\u8b8a\u5316\u6703\u6539\u8b8a\u7d50\u679c\uff1a",
    },
    "way": {
        "en": "{outcome} with {changes}",
        "zh": "{changes}\uff0c\u7ed3\u679c\u4e3a\u300c{outcome}\u300d",
        "zh-Hant": "{changes}\uff0c\u7d50\u679c\u70ba\u300c{outcome}\u300d",
    },
    "no way": {
        "en": "no change of up to {count} of these fields would have softened it",
        "zh": "\u6539\u53d8\u5176\u4e2d\u81f3\u591a {count} \u9879\u4e5f\u4e0d\u4f1a\u6539\u53d8\u7ed3\u679c",
        "zh-Hant": "\u6539\u8b8a\u5176\u4e2d\u81f3\u591a {count} \u9805\u4e5f\u4e0d\u6703\u6539\u8b8a\u7d50\u679c",
    },
    "withheld": {
        "en": "no change that can be told here would have softened it",
        "zh": "\u6ca1\u6709\u53ef\u4ee5\u5728\u6b64\u8bf4\u660e\u7684\u53d8\u5316",
        "zh-Hant": "\u6c92\u6709\u53ef\u4ee5\u5728\u6b64\u8aaa\u660e\u7684\u8b8a\u5316",
    },
    "not proved": {
        "en": "not proved: {why}",
        "zh": "\u672a\u80fd\u786e\u5b9a\u662f\u5426\u8fd8\u6709\u5176\u4ed6\u53d8\u5316",
        "zh-Hant": "\u672a\u80fd\u78ba\u5b9a\u662f\u5426\u9084\u6709\u5176\u4ed6\u8b8a\u5316",
    },
    "not fewest": {
        "en": "not proved that fewer changes do not do",
        "zh": "\u672a\u80fd\u786e\u5b9a\u66f4\u5c11\u7684\u53d8\u5316\u662f\u5426\u8db3\u591f",
        "zh-Hant": "\u672a\u80fd\u78ba\u5b9a\u66f4\u5c11\u7684\u8b8a\u5316\u662f\u5426\u8db3\u5920",
    },
    "answer": {
        "en": "an answer of {field}",
        "zh": "{field} \u6709\u7ed3\u679c",
        "zh-Hant": "{field} \u6709\u7d50\u679c",
    },
    "another": {
        "en": "another {field} than {old}",
        "zh": "{field} \u4e0d\u662f {old}",
        "zh-Hant": "{field} \u4e0d\u662f {old}",
    },
    "any": {"en": "any {field}", "zh": "{field} \u6709\u503c", "zh-Hant": "{field} \u6709\u503c"},
    "listed": {
        "en": "{field}: {old} \u2192 one that a list of the policy names",
        "zh": "{field}\uff1a{old} \u2192 \u7b56\u7565\u540d\u5355\u4e2d\u7684\u503c",
        "zh-Hant": "{field}\uff1a{old} \u2192 \u7b56\u7565\u540d\u55ae\u4e2d\u7684\u503c",
    },
    "field": {
        "en": "{field}: {old} \u2192 {new}",
        "zh": "{field}\uff1a{old} \u2192 {new}",
        "zh-Hant": "{field}\uff1a{old} \u2192 {new}",
    },
    "unknown": {"en": "unknown", "zh": "\u672a\u77e5", "zh-Hant": "\u672a\u77e5"},
    "true": {"en": "true", "zh": "\u662f", "zh-Hant": "\u662f"},
    "false": {"en": "false", "zh": "\u5426", "zh-Hant": "\u5426"},
    ", ": {"en": ", ", "zh": "\uff0c", "zh-Hant": "\uff0c"},
}  # fmt: skip


def heading(what: str, locale: str = "en", **parts: object) -> str:
    """Return what is said in a reader's locale, in English where there is none; other words than these as they are.

    parts: what stands in it by name.
    """
    text = in_locale(_WORDS[what], kept(locale)) if what in _WORDS else None
    return text.format(**parts) if text is not None else what
