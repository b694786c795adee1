"""What is recorded of proposals: each act on one, from its making to what became of it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Literal

import msgspec

from adjudge.plugin import NamedBody

PROPOSAL = "proposal"
Act = Literal["made", "commented", "sent_back", "approved", "activated", "withdrawn"]
How = Literal["now", "canary", "back"]
"""How a version is activated: for all requests, for a share of them, or the one before it again."""


class FoundBody(msgspec.Struct, frozen=True, omit_defaults=True):
    """What the linter found. line: of the policy's text, from 1."""

    code: str
    severity: str
    message: str
    line: int


class TestsBody(msgspec.Struct, frozen=True, omit_defaults=True):
    """How the tests came out that were given with a policy. failures: the first of them, in words."""

    passed: int
    failed: int
    failures: tuple[str, ...] = ()


class RegionBody(msgspec.Struct, frozen=True, omit_defaults=True):
    """Where two policies differ: the outcomes of before and after, what causes it, and an input that shows it."""

    old: str
    new: str
    cause: str
    witness: str


class ComparisonBody(msgspec.Struct, frozen=True, omit_defaults=True):
    """What was proved of a policy against the one that it was made from.

    relation: `same`, `stricter`, `laxer`, `both` or `not proved`. open: what was not settled. more: whether there are
    further regions. changes: what is written differently.
    """

    relation: str
    regions: tuple[RegionBody, ...] = ()
    open: tuple[str, ...] = ()
    changes: tuple[str, ...] = ()
    more: bool = False


class ChecksBody(msgspec.Struct, frozen=True, omit_defaults=True):
    """What the checks of a version came to.

    findings: the first of them, and more: how many others there are. tests: None where none were given. comparison:
    None where nothing could be proved; missing says why.
    """

    findings: tuple[FoundBody, ...] = ()
    more: int = 0
    tests: TestsBody | None = None
    comparison: ComparisonBody | None = None
    missing: str = ""


class ProposalBody(NamedBody, frozen=True, omit_defaults=True, kw_only=True):
    """One act on a proposal.

    name: the proposal's and the step, `12.3`; number: 1, for an act is written once. step: 1 for the first act of a
    proposal, and one more each time, so of two people who act on the same state one is first.
    at: aware UTC. by: who did it; said: why, or the comment. digest: of the version that the act is about; of a return
    to the version before, that one's.
    Of what is made: policy: the name that callers know; text and lists, as in the record of a policy; base: the digest
    of the version that answered then; diff: against it, in the unified form; checks: what they came to.
    Of an activation: how, share: of a canary, rollout: by which it is done. four_eyes: whether the configuration let
    nobody approve their own.
    """

    proposal: str
    step: int
    at: datetime
    by: str
    act: Act
    said: str = ""
    digest: str = ""
    policy: str = ""
    text: str = ""
    lists: Mapping[str, str] = {}
    base: str = ""
    diff: str = ""
    checks: ChecksBody | None = None
    how: How | None = None
    share: float | None = None
    rollout: str = ""
    four_eyes: bool = False
