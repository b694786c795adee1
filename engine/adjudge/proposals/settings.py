"""What a configuration says of proposals; the proposals themselves stand in the log."""

from __future__ import annotations

from adjudge.frozen import frozen


@frozen(kw_only=True)
class ProposalSettings:
    """four_eyes: nobody approves a proposal of which they made a version."""

    four_eyes: bool = False
