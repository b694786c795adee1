"""The parts that documents have in common, with what a person and a program need to know of each.

What a schema says here is checked where the part is read, whose messages name the place: `extra_json_schema` says it to
others, and checks nothing.
"""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Annotated, Any

from msgspec import Meta

from adjudge.model import ATTEMPTS_MAX, URL_MAX_CHARS

NOT_BLANK = "[^\\t-\\r\\x1c-\\x20\\x85\\xa0\\u1680\\u2000-\\u200a\\u2028\\u2029\\u202f\\u205f\\u3000]"
"""A character that is no blank to `str.strip`: what JSON Schema calls a blank differs by a few."""
TEXT_MAX = 1000
"""Characters of a label's source and note, and of the reason of an erasure."""


def said(description: str, *examples: object, **schema: Any) -> Meta:
    """Return what is said of a part. schema: what JSON Schema adds to the part's type."""
    return Meta(description=description, examples=list(examples) or None, extra_json_schema=schema or None)


MerchantBizId = Annotated[
    str,
    said(
        "The caller's id of one check: 32 letters or digits. The same id with the same request has the same answer.",
        "0123456789abcdef0123456789abcdef",
        pattern="^[0-9A-Za-z]{32}$",
        minLength=32,
        maxLength=32,
    ),
]
DecisionId = Annotated[
    str,
    said(
        "The id of a decision: 32 lower-case hex digits.",
        "0199f2c58d4b7c3e9a1f00d2c4b6a8e0",
        pattern="^[0-9a-f]{32}$",
        minLength=32,
        maxLength=32,
    ),
]
Cursor = Annotated[
    str, said("Where a page ended.", "8Lxi6Ec3sw0xMjM", pattern="^[0-9A-Za-z_-]{12,256}$", minLength=12, maxLength=256)
]
PolicyName = Annotated[
    str,
    said(
        "The name of a policy.",
        "face-onboarding",
        pattern="^[A-Za-z0-9][A-Za-z0-9_-]{0,99}$",
        minLength=1,
        maxLength=100,
    ),
]
SceneCode = Annotated[
    str,
    said(
        "The scene of the check: 1 to 10 letters, digits or `_`.",
        "onboard001",
        pattern="^[0-9A-Za-z_]{1,10}$",
        minLength=1,
        maxLength=10,
    ),
]
ApplicationId = Annotated[
    str,
    said(
        "What the check is a part of: 1 to 128 printable characters without blanks. Each try has a MerchantBizId of its"
        " own, and the application stays.",
        "app-2026-000417",
        pattern="^[!-~]{1,128}$",
        minLength=1,
        maxLength=128,
    ),
]
Attempts = Annotated[int, said("Which try this is, from 1.", 1, minimum=1, maximum=ATTEMPTS_MAX)]
FaceUrl = Annotated[
    str,
    said(
        "A public http or https URL, which the provider fetches; adjudge itself does not.",
        "https://media.example/selfie.jpg",
        pattern="^[hH][tT][tT][pP][sS]?:",
        minLength=1,
        maxLength=URL_MAX_CHARS,
    ),
]
Base64 = Annotated[
    str,
    said(
        "The picture or video as plain Base64, without a `data:` prefix.", "/9j/4AAQSkZJRg==", contentEncoding="base64"
    ),
]
Values = Annotated[
    dict[str, Any],
    said(
        "Values by the names that the policy declares. What is left out is unknown.",
        {"country": "SG", "account_age": "72h"},
    ),
]
Who = Annotated[
    str, said("A person, or the name of a key.", "j.doe", minLength=1, maxLength=TEXT_MAX, pattern=NOT_BLANK)
]
Text = Annotated[str, said("A few words.", maxLength=TEXT_MAX)]
Money = Annotated[
    Decimal, said("An exact amount, as text.", "0.10", pattern=r"^-?[0-9]+(\.[0-9]+)?([eE][+-]?[0-9]+)?$")
]
Timestamp = Annotated[datetime, Meta(tz=True, description="A time with its zone.", examples=["2026-01-31T09:30:00Z"])]
RuleIds = tuple[str, ...]
Points = Annotated[tuple[int, int], said("The lowest and highest total that is possible, in points.", [10, 35])]
