"""What a ledger in another place is made of: records as the log has them, and personal values as its vault seals them.

For a ledger of a plugin, beside `adjudge.plugin`.
"""

from adjudge.audit.bodies import DecisionBody, restore_decision
from adjudge.audit.record import FIRST_PREV, encode, encode_body, parse
from adjudge.audit.seals import canonical, new_key, seal, unsealed
from adjudge.ledger.claims import conflict
from adjudge.ledger.restoring import commitments_of, decision_of, with_values

__all__ = [
    "FIRST_PREV",
    "DecisionBody",
    "canonical",
    "commitments_of",
    "conflict",
    "decision_of",
    "encode",
    "encode_body",
    "new_key",
    "parse",
    "restore_decision",
    "seal",
    "unsealed",
    "with_values",
]
