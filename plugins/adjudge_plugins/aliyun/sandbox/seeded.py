"""Chance that repeats: a draw is a hash of a seed, a purpose and a MerchantBizId, so order and time do not matter."""

from __future__ import annotations

import hashlib

from adjudge_plugins.aliyun.sandbox.reaction import Reaction
from adjudge_plugins.aliyun.vocabulary import RISK_TAGS

_SUSPICIOUS_FROM = 0.90
_HIGH_FROM = 0.96


def draw(seed: int, purpose: str, merchant_biz_id: str) -> float:
    """Return a number from 0 up to but not including 1; the same one for the same arguments, on every machine."""
    digest = hashlib.sha256(f"{seed}:{purpose}:{merchant_biz_id}".encode()).digest()
    return int.from_bytes(digest[:6], "big") / 2**48  # exact in a double, so never rounded up to 1


def random_reaction(seed: int, merchant_biz_id: str) -> Reaction:
    """Return a plausible answer: 90 of 100 low, 6 suspicious, 4 high, with tags and scores to match.

    Made up, as nobody published how the vendor's answers are spread. A low result has a low score or two and no tag; a
    suspicious one a tag scored 0.5 to 0.8, now and then none; a high one a tag or two scored 0.8 to 1.
    """

    def chance(purpose: str) -> float:
        return draw(seed, purpose, merchant_biz_id)

    ranked = sorted(RISK_TAGS, key=lambda tag: chance(f"rank {tag}"))
    which, some = chance("result"), chance("tags")
    if which < _SUSPICIOUS_FROM:
        result, hits, low, high = "low", 0, 0.0, 0.0
    elif which < _HIGH_FROM:
        result, hits, low, high = "suspicious", int(some < 0.8), 0.5, 0.8
    else:
        result, hits, low, high = "high", 1 + int(some < 0.3), 0.8, 1.0
    tags = tuple(ranked[:hits])
    score = {tag: round(low + (high - low) * chance(f"score {tag}"), 4) for tag in tags}
    for tag in ranked[hits : hits + int(3 * chance("noise"))]:
        score[tag] = round(0.3 * chance(f"score {tag}"), 4)
    return Reaction(result=result, tags=tags, score=score)
