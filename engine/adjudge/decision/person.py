"""What is a person's after the verdict: a random share of what passes, and rejects that somebody has to confirm."""

from __future__ import annotations

import hmac

from adjudge.model import Outcome, Sampled, Verdict
from adjudge.policy.typed import TypedPolicy


def drawn(policy: TypedPolicy, verdict: Verdict, merchant_biz_id: str, key: bytes) -> Sampled | None:
    """Return that a decision is drawn for a person to look at; None where it is not.

    key: a secret of this installation, so that nobody can choose an id that is not drawn. The same id is always drawn,
    or never, so a retry changes nothing.
    """
    sample = policy.sample
    if sample is None or verdict.outcome is not sample.of:
        return None
    digest = hmac.digest(key, b"sample\0" + merchant_biz_id.encode(), "sha256")
    if int.from_bytes(digest[:8], "big") / 2**64 >= sample.share:
        return None
    return Sampled(then=sample.then, reason=sample.reason, share=sample.share)


def needs_person(policy: TypedPolicy, verdict: Verdict) -> bool:
    """Whether a verdict is a reject that a person has to confirm: whatever decided it says so."""
    if verdict.outcome is not Outcome.REJECT:
        return False
    speaking = frozenset(verdict.matched if verdict.lower is Outcome.REJECT else verdict.unresolved)
    reasons = frozenset(verdict.reasons)
    confirms = [
        rule.confirm
        for rule in policy.rules
        if rule.outcome is Outcome.REJECT and rule.id in speaking and rule.reason in reasons
    ]
    is_doubt = verdict.lower is not Outcome.REJECT
    for name, total in verdict.totals.items():
        card = policy.scorecards[name]
        if card.reason in reasons and card.outcome_of(total[is_doubt]) is Outcome.REJECT:
            confirms.append(card.confirm)
    return bool(confirms) and all(confirms)
