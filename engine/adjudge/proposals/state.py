"""How proposals stand: folded from the records of what was done with each, and from nothing else."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import field, replace
from typing import Literal

from adjudge.audit.proposals import Act, ProposalBody
from adjudge.frozen import frozen

Status = Literal["open", "sent_back", "approved", "activated", "rolled_back", "withdrawn"]
STATUSES: tuple[Status, ...] = ("open", "sent_back", "approved", "activated", "rolled_back", "withdrawn")
_CHANGEABLE: tuple[Status, ...] = ("open", "sent_back", "approved")
ALLOWED: Mapping[Act, tuple[Status, ...]] = {
    "made": (*_CHANGEABLE, "rolled_back"),
    "commented": STATUSES,
    "sent_back": ("open", "approved"),
    "approved": ("open", "approved"),
    "activated": ("approved", "activated"),
    "withdrawn": _CHANGEABLE,
}
"""What may be done with a proposal, by how it stands."""


@frozen(kw_only=True)
class Proposal:
    """How a proposal stands after its acts, in their order.

    made: the act that made its newest version. makers: who made any version of it. approvals: of the newest version.
    activation: the act that let it answer, or led back from it.
    """

    made: ProposalBody
    status: Status = "open"
    makers: frozenset[str] = frozenset()
    approvals: tuple[ProposalBody, ...] = ()
    activation: ProposalBody | None = None
    acts: tuple[ProposalBody, ...] = field(default=(), repr=False)

    @property
    def name(self) -> str:
        """What it is called."""
        return self.made.proposal

    @property
    def step(self) -> int:
        """The number of its last act."""
        return len(self.acts)

    @property
    def versions(self) -> int:
        """How many versions of it were made."""
        return sum(one.act == "made" for one in self.acts)

    def is_maker(self, by: str) -> bool:
        """Whether somebody made a version of it."""
        return person(by) in self.makers


def person(by: str) -> str:
    """Return whom a name stands for: the same for names that people take for the same."""
    return " ".join(unicodedata.normalize("NFKC", by).casefold().split())


def fold(records: Iterable[ProposalBody]) -> Mapping[str, Proposal]:
    """Return how all proposals stand, by name; the order of the records does not matter.

    An act counts where all acts before it are there. One that is not allowed as things stand changes nothing: whoever
    wrote it did not look, and everybody reads it alike.
    """
    acts: dict[str, dict[int, ProposalBody]] = {}
    for one in records:
        if (one.name, one.number) == (name_of(one.proposal, one.step), 1):
            acts.setdefault(one.proposal, {})[one.step] = one
    found: dict[str, Proposal] = {}
    for name, steps in sorted(acts.items()):
        state: Proposal | None = None
        for step in range(1, len(steps) + 1):
            if step not in steps or (state is None and steps[step].act != "made"):
                break
            state = after(state, steps[step])
        if state is not None:
            found[name] = state
    return found


def name_of(proposal: str, step: int) -> str:
    """Return the name of the record of an act."""
    return f"{proposal}.{step}"


def after(before: Proposal | None, act: ProposalBody) -> Proposal:
    """Return how a proposal stands after an act. before: None for the first act, which makes it."""
    if before is None:
        return Proposal(made=act, makers=frozenset({person(act.by)}), acts=(act,))
    kept = replace(before, acts=(*before.acts, act))
    if before.status not in ALLOWED[act.act] or (act.act == "made" and act.policy != before.made.policy):
        return kept
    match act.act:
        case "commented":
            return kept
        case "made":
            makers = before.makers | {person(act.by)}
            return replace(kept, made=act, status="open", makers=makers, approvals=(), activation=None)
        case "sent_back":
            return replace(kept, status="sent_back", approvals=())
        case "withdrawn":
            return replace(kept, status="withdrawn")
        case "approved":
            if act.digest != before.made.digest:
                return kept
            return replace(kept, status="approved", approvals=(*before.approvals, act))
        case "activated":
            return _activated(before, kept, act)


def _activated(before: Proposal, kept: Proposal, act: ProposalBody) -> Proposal:
    if act.how == "back":
        is_so = before.status == "activated" and act.digest == before.made.base
        return replace(kept, status="rolled_back", activation=act) if is_so else kept
    return replace(kept, status="activated", activation=act) if act.digest == before.made.digest else kept
