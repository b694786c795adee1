"""What an applicant is told where the policy has no text for what decided, in the languages that are kept here."""

from __future__ import annotations

from collections.abc import Mapping

from adjudge.model import Outcome
from adjudge.policy.explaining.messages import in_locale

IN_DOUBT: Mapping[str, str] = {
    "en": "not everything that is needed could be checked",
    "zh": "\u90e8\u5206\u5fc5\u8981\u4fe1\u606f\u672a\u80fd\u6838\u5b9e",
    "zh-Hant": "\u90e8\u5206\u5fc5\u8981\u8cc7\u8a0a\u672a\u80fd\u6838\u5be6",
}
"""Of what was only in doubt."""
_FACTS: Mapping[Outcome, Mapping[str, str]] = {
    Outcome.REVIEW: {
        "en": "this application is looked at by a person",
        "zh": "\u6b64\u7533\u8bf7\u5c06\u7531\u4eba\u5de5\u5ba1\u6838",
        "zh-Hant": "\u6b64\u7533\u8acb\u5c07\u7531\u4eba\u5de5\u5be9\u6838",
    },
    Outcome.REJECT: {
        "en": "this application cannot be accepted as it stands",
        "zh": "\u6b64\u7533\u8bf7\u76ee\u524d\u65e0\u6cd5\u901a\u8fc7",
        "zh-Hant": "\u6b64\u7533\u8acb\u76ee\u524d\u7121\u6cd5\u901a\u904e",
    },
}
_TRADITIONAL = ("zh-TW", "zh-HK", "zh-MO", "zh-Hant-")


def neutral(outcome: Outcome, locale: str, *, in_doubt: bool = False) -> tuple[str, ...]:
    """Return the text of an outcome in a reader's locale, in English where there is none; nothing of a pass.

    locale: a language tag such as `zh-CN`. in_doubt: whether only a doubt decided.
    """
    if outcome is Outcome.PASS:
        return ()
    text = in_locale(IN_DOUBT if in_doubt else _FACTS[outcome], kept(locale))
    return (text,) if text is not None else ()


def kept(locale: str) -> str:
    """Return the locale whose texts are kept here for a reader's: those of Taiwan and Hong Kong read `zh-Hant`."""
    return "zh-Hant" if locale.startswith(_TRADITIONAL) else locale
