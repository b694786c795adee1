"""Proposals as JSON: how they stand, and what is to be done with one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, TypeVar

import msgspec

from adjudge.documents.annotations import decoded
from adjudge.documents.rollouts import Share
from adjudge.documents.terms import PolicyName, Text, Timestamp, Who, said
from adjudge.errors import JsonError

_T = TypeVar("_T")
ACTIONS = ("make", "comment", "approve", "send-back", "activate", "roll-back", "withdraw")
ACTS = ("made", "commented", "sent_back", "approved", "activated", "withdrawn")
STATUSES = ("open", "sent_back", "approved", "activated", "rolled_back", "withdrawn")
WAYS = ("now", "canary")
SIZE_MAX = 1024 * 1024
"""Characters of a version's text, lists and tests together."""
Name = Annotated[
    str,
    said(
        "The proposal's name: 1 to 32 letters, digits, `_` and `-`.",
        "12",
        pattern="^[A-Za-z0-9_-]{1,32}$",
        minLength=1,
        maxLength=32,
    ),
]
Step = Annotated[int, said("The number of an act on a proposal, from 1.", 3, minimum=1)]
Texts = Mapping[str, Annotated[str, said("The text of a file.", maxLength=SIZE_MAX)]]


class ProposalCommand(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True):
    """What is to be done with a proposal."""

    action: Annotated[str, said("What to do.", "approve", enum=ACTIONS)]
    name: Annotated[Name | None, said("Which one; a new one is called by the next whole number unless named.")] = None
    seen: Annotated[
        Step | None,
        said("The last act that whoever asks has seen: where there are later ones, nothing is done."),
    ] = None
    text: Annotated[
        str | None,
        said("To make one: the policy. Left out to make a version again from what answers by now.", maxLength=SIZE_MAX),
    ] = None
    lists: Annotated[Texts, said("To make one: the files that the policy reads, by the paths in it.")] = {}
    tests: Annotated[Texts, said("To make one: files of tests, by their names.")] = {}
    how: Annotated[str | None, said("To activate it: for all requests, or a share of them.", enum=[*WAYS, None])] = None
    share: Annotated[Share | None, said("To activate it as a canary.")] = None
    reason: Annotated[Text, said("Why, or the comment.")] = ""
    by: Annotated[Who | None, said("Who asks for it, where that is not the caller.")] = None


class ActDocument(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One thing that was done with a proposal."""

    step: Step
    act: Annotated[str, said("What was done.", "approved", enum=ACTS)]
    by: Who
    at: Timestamp
    reason: Text = ""
    digest: Annotated[str, said("The SHA-256 of the version that it is about.")] = ""
    how: Annotated[str | None, said("How it was activated.", "canary", enum=[*WAYS, "back", None])] = None
    share: Annotated[Share | None, said("Of a canary.")] = None


class FoundDocument(msgspec.Struct, frozen=True, omit_defaults=True):
    """What `adjudge check` finds in a version."""

    code: Annotated[str, said("Of the finding.", "unused-input")]
    severity: Annotated[str, said("How much it matters.", "warning", enum=["warning", "note"])]
    message: Annotated[str, said("What it is.")]
    line: Annotated[int, said("Of the policy's text.", 4, minimum=1)]


class TestsDocument(msgspec.Struct, frozen=True, omit_defaults=True):
    """How the tests came out that were given with a version."""

    passed: Annotated[int, said("Tests.", 12, minimum=0)]
    failed: Annotated[int, said("Tests.", 0, minimum=0)]
    failures: Annotated[tuple[str, ...], said("The first that failed, and in what.")] = ()


class RegionDocument(msgspec.Struct, frozen=True, omit_defaults=True):
    """Where a version differs from the one that it was made from."""

    old: Annotated[str, said("The outcome before.", "pass")]
    new: Annotated[str, said("The outcome of this version.", "review")]
    cause: Annotated[str, said("What makes the difference.")]
    witness: Annotated[str, said("An input that shows it.", "n: 21")]


class ComparisonDocument(msgspec.Struct, frozen=True, omit_defaults=True):
    """What was proved of a version against the one that it was made from."""

    relation: Annotated[
        str, said("What it is to it.", "stricter", enum=["same", "stricter", "laxer", "both", "not proved"])
    ]
    regions: Annotated[tuple[RegionDocument, ...], said("Where they differ.")] = ()
    open: Annotated[tuple[str, ...], said("What was not settled.")] = ()
    changes: Annotated[tuple[str, ...], said("What is written differently.")] = ()
    more: Annotated[bool, said("Whether they differ elsewhere too.")] = False


class ChecksDocument(msgspec.Struct, frozen=True, omit_defaults=True):
    """What the checks of a version came to."""

    findings: Annotated[tuple[FoundDocument, ...], said("Mistakes that load.")] = ()
    more: Annotated[int, said("Findings that are not shown.", 0, minimum=0)] = 0
    tests: Annotated[TestsDocument | None, said("None where no tests were given.")] = None
    comparison: Annotated[ComparisonDocument | None, said("None where nothing could be proved.")] = None
    missing: Annotated[str, said("Why nothing could be proved.")] = ""


class ProposalDocument(msgspec.Struct, frozen=True, kw_only=True):
    """How a proposal stands."""

    name: Name
    policy: PolicyName
    status: Annotated[str, said("How it stands.", "open", enum=STATUSES)]
    step: Annotated[Step, said("The number of its last act.")]
    versions: Annotated[int, said("How many versions of it were made.", 1, minimum=1)]
    digest: Annotated[str, said("The SHA-256 of its newest version.")]
    base: Annotated[str, said("The SHA-256 of the version that it was made from.")]
    by: Annotated[Who, said("Who made the newest version.")]
    at: Timestamp
    reason: Text
    stale: Annotated[
        bool, said("Whether another version answers by now than it was made from, so that it has to be made again.")
    ]
    live: Annotated[bool, said("Whether its newest version answers now, a canary's share apart.")]
    four_eyes: Annotated[bool, said("Whether nobody may approve a proposal of which they made a version.")]
    approved_by: Annotated[tuple[Who, ...], said("Who approved the newest version.")]
    acts: Annotated[tuple[ActDocument, ...], said("All that was done with it, in order.")]
    rollout: Annotated[str, said("The rollout by which it is activated; empty before.", "proposal-12")]
    rollout_status: Annotated[
        str, said("How that rollout stands.", "running", enum=["", "running", "promoted", "ended"])
    ]
    checks: Annotated[ChecksDocument | None, said("What the checks of the newest version came to.")]
    text: Annotated[str | None, said("The policy; only where one proposal is asked for.")] = None
    diff: Annotated[str | None, said("What is written differently, likewise.")] = None


class ProposalsDocument(msgspec.Struct, frozen=True):
    """All proposals, by name."""

    proposals: tuple[ProposalDocument, ...]


def decode_command(document: bytes) -> ProposalCommand:
    """Return what a document asks for. Raises RequestError."""
    return decoded(document, ProposalCommand, "proposal")


def decode_proposals(document: bytes) -> tuple[ProposalDocument, ...]:
    """Return the proposals that a document lists. Raises JsonError."""
    return _said(document, ProposalsDocument).proposals


def decode_proposal(document: bytes) -> ProposalDocument:
    """Return the proposal that a document describes. Raises JsonError."""
    return _said(document, ProposalDocument)


def _said(document: bytes, kind: type[_T]) -> _T:
    try:
        return msgspec.json.decode(document, type=kind)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise JsonError(f"says nothing of proposals: {str(error)[:200].lower()}") from None
