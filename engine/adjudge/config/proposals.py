"""The `proposals:` of a configuration: that versions of policies may be proposed, and who may approve one.

proposals: {four_eyes: true}      # nobody approves a proposal of which they made a version
"""

from __future__ import annotations

from adjudge.policy.loading.reader import Reader
from adjudge.policy.text.yaml import YamlNode
from adjudge.proposals.settings import ProposalSettings

KEYS = ("four_eyes",)


def read_proposals(reader: Reader, node: YamlNode | None) -> ProposalSettings | None:
    """Read `proposals:`; what is wrong is blamed in the reader. None where it is left out."""
    if node is None:
        return None
    parts = {name: value for name, (_, value) in reader.mapping(node, "`proposals`", keys=KEYS, at=node.span).items()}
    said = parts.get("four_eyes")
    four_eyes = said is not None and reader.choice(said, "`four_eyes`", ("true", "false")) == "true"
    return ProposalSettings(four_eyes=four_eyes)
