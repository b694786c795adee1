"""What a ledger in another place is made of: records as the log has them, and personal values as its vault seals them.

For a ledger of a plugin, beside `adjudge.plugin`.
"""

from adjudge.audit.bodies import DecisionBody, restore_decision
from adjudge.audit.checkpoints import EVERY, SECONDS, Anchors, Checkpoints, FileAnchor, Witness
from adjudge.audit.closed import ArchiveBody
from adjudge.audit.kinds import decode
from adjudge.audit.proof import CHECKPOINT, Proof
from adjudge.audit.record import FIRST_PREV, MalformedLine, Record, encode, encode_body, following, parse
from adjudge.audit.seals import canonical, new_key, seal, unsealed
from adjudge.audit.signing import (
    mac_key_from_environment,
    mac_key_from_file,
    signer_from_environment,
    signer_from_file,
)
from adjudge.ledger.claims import conflict, no_such_decision
from adjudge.ledger.named import check_named, in_order, named_record, overtaken
from adjudge.ledger.restoring import all_commitments_of, commitments_of, decision_of, with_values
from adjudge.ledger.searching import Gathering, glance, whole
from adjudge.ledger.tags import Tags, recorded_tags

__all__ = [
    "CHECKPOINT",
    "EVERY",
    "FIRST_PREV",
    "SECONDS",
    "Anchors",
    "ArchiveBody",
    "Checkpoints",
    "DecisionBody",
    "FileAnchor",
    "Gathering",
    "MalformedLine",
    "Proof",
    "Record",
    "Tags",
    "Witness",
    "all_commitments_of",
    "canonical",
    "check_named",
    "commitments_of",
    "conflict",
    "decision_of",
    "decode",
    "encode",
    "encode_body",
    "following",
    "glance",
    "in_order",
    "mac_key_from_environment",
    "mac_key_from_file",
    "named_record",
    "new_key",
    "no_such_decision",
    "overtaken",
    "parse",
    "recorded_tags",
    "restore_decision",
    "seal",
    "signer_from_environment",
    "signer_from_file",
    "unsealed",
    "whole",
    "with_values",
]
