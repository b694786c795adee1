"""The form of an explanation, which `adjudge explain --format json` prints, too."""

from __future__ import annotations

from typing import Annotated, Any

import msgspec

from adjudge.documents.terms import DecisionId, PolicyName, said
from adjudge.model import Outcome


class ExplanationDocument(msgspec.Struct):
    """Why a decision came out so. For `team`, it says more: each rule and row, and what of it was true or unknown."""

    decision_id: DecisionId
    policy: PolicyName
    policy_digest: Annotated[str, said("The SHA-256 of the policy.")]
    erased: Annotated[tuple[str, ...], said("Personal values that are kept no more, and are unknown here.", ["email"])]
    outcome: Outcome
    reasons: Annotated[tuple[dict[str, Any], ...], said("Why, as `text` in the locale; for `team`, by their codes.")]
    changes: Annotated[Any, said("The fewest changes that would have softened it, or why none can be told.")]
