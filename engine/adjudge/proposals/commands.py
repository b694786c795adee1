"""What may be done with a proposal, and the record that it leads to."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from adjudge.audit.proposals import Act, How, ProposalBody
from adjudge.documents.proposals import WAYS, ProposalCommand
from adjudge.errors import Overtaken, RequestError, did_you_mean, listed
from adjudge.frozen import frozen
from adjudge.patterns import late
from adjudge.proposals.state import ALLOWED, Proposal, Status, name_of, person

_NAME = late("[A-Za-z0-9_-]{1,32}")
ACTS_MAX = 1000
"""Acts on one proposal."""
_ACTS: Mapping[str, Act] = {
    "make": "made",
    "comment": "commented",
    "approve": "approved",
    "send-back": "sent_back",
    "activate": "activated",
    "roll-back": "activated",
    "withdraw": "withdrawn",
}
_SAID: Mapping[Status, str] = {
    "open": "has yet to be approved",
    "sent_back": "was sent back: make it again",
    "approved": "is approved already",
    "activated": "was activated",
    "rolled_back": "was rolled back",
    "withdrawn": "was withdrawn",
}
_SHOWN = 5


@frozen(kw_only=True)
class Known:
    """What a command is held against.

    proposals: by name. answering: the digests of the versions that answer, by the policy's name.
    """

    proposals: Mapping[str, Proposal]
    answering: Mapping[str, str]
    four_eyes: bool


def next_act(command: ProposalCommand, by: str, known: Known, at: datetime, made: ProposalBody | None) -> ProposalBody:
    """Return the record that a command leads to.

    made: what was read and checked of a version that is to be made; its place and its maker are filled in here.
    Raises RequestError where it cannot be done, Overtaken where there are acts that whoever asks has not seen.
    """
    act = _ACTS.get(command.action)
    if act is None:
        raise RequestError(f"`{command.action}` is not {listed(_ACTS)}", where="action")
    _check_parts(command)
    if command.name is not None and not _NAME.fullmatch(command.name):
        raise RequestError("must have 1 to 32 letters, digits, `_` and `-`", where="name")
    if act == "made":
        assert made is not None, "what is made was read before"
        return _made(command, by, known, at, made)
    before = found(command.name, known.proposals)
    _require_seen(command, before)
    _require_allowed(before, act, command.action)
    if len(before.acts) >= ACTS_MAX:
        raise RequestError(f"has {ACTS_MAX} acts already: make another one", where="name")
    digest, how = before.made.digest, None
    match command.action:
        case "comment" | "send-back":
            if not command.reason.strip():
                raise RequestError("say what you think of it", where="reason")
        case "approve":
            _require_fresh(before, known)
            _require_another(before, by, known)
        case "activate":
            _require_fresh(before, known)
            _require_approved(before, known)
            how = _way(command)
        case "roll-back":
            if before.status != "activated":
                raise RequestError(f"`{before.name}` {_SAID[before.status]}, so nothing is to be undone", where="name")
            digest, how = before.made.base, "back"
    return ProposalBody(
        name=name_of(before.name, before.step + 1),
        number=1,
        proposal=before.name,
        step=before.step + 1,
        at=at,
        by=by,
        act=act,
        said=command.reason,
        digest=digest,
        how=how,
        share=command.share,
        rollout=rollout_of(before.name) if how is not None else "",
        four_eyes=known.four_eyes and act in ("approved", "activated"),
    )


def rollout_of(proposal: str) -> str:
    """Return the name of the rollout by which a proposal is activated, and of its candidate."""
    return f"proposal-{proposal}"


def found(name: str | None, proposals: Mapping[str, Proposal]) -> Proposal:
    """Return a proposal by its name. Raises RequestError."""
    if name is None or name not in proposals:
        hint = did_you_mean(name, proposals) if name is not None else None
        raise RequestError(
            f"there is no proposal `{name}`" if name is not None else "is missing", where="name", hint=hint
        )
    return proposals[name]


def _made(command: ProposalCommand, by: str, known: Known, at: datetime, made: ProposalBody) -> ProposalBody:
    name = command.name
    if name is None:
        numbers = [int(one) for one in known.proposals if one.isdecimal() and one.isascii()]
        name = str(max(numbers, default=0) + 1)
    before = known.proposals.get(name)
    if before is not None:
        _require_seen(command, before)
        _require_allowed(before, "made", "make")
        if before.made.policy != made.policy:
            raise RequestError(f"is a proposal for `{before.made.policy}`, not `{made.policy}`", where="name")
    elif command.seen is not None:
        raise RequestError(f"there is no proposal `{name}`", where="name")
    if not command.reason.strip():
        raise RequestError("say what it is for", where="reason")
    step = before.step + 1 if before is not None else 1
    if step > ACTS_MAX:
        raise RequestError(f"has {ACTS_MAX} acts already: make another one", where="name")
    parts = {field: getattr(made, field) for field in ("digest", "policy", "text", "lists", "base", "diff", "checks")}
    return ProposalBody(
        name=name_of(name, step),
        number=1,
        proposal=name,
        step=step,
        at=at,
        by=by,
        act="made",
        said=command.reason,
        **parts,
    )


def _check_parts(command: ProposalCommand) -> None:
    """Raise RequestError for what is said of an action that has no use for it."""
    for name, of in (
        ("text", "make"),
        ("lists", "make"),
        ("tests", "make"),
        ("how", "activate"),
        ("share", "activate"),
    ):
        if getattr(command, name) not in (None, {}) and command.action != of:
            raise RequestError(f"is for `{of}` alone", where=name)


def _require_seen(command: ProposalCommand, before: Proposal) -> None:
    if command.seen is None:
        if command.action == "comment":
            return
        raise RequestError(f"say which act of `{before.name}` you have seen last; it is at {before.step}", where="seen")
    if command.seen > before.step:
        raise RequestError(f"`{before.name}` has no act {command.seen}; it is at {before.step}", where="seen")
    later = before.acts[command.seen :]
    if later:
        said = [f"{one.step} {one.act.replace('_', ' ')} by {one.by}" for one in later[:_SHOWN]]
        more = f", and {len(later) - _SHOWN} more" if len(later) > _SHOWN else ""
        raise Overtaken(
            f"`{before.name}` has changed since act {command.seen}: {', '.join(said)}{more}; look at it, and do it"
            " again"
        )


def _require_allowed(before: Proposal, act: Act, action: str) -> None:
    if before.status not in ALLOWED[act]:
        raise RequestError(f"`{before.name}` {_SAID[before.status]}, so `{action}` cannot be done", where="name")


def is_stale(proposal: Proposal, answering: Mapping[str, str]) -> bool:
    """Whether another version answers than a proposal was made from, while it may still be activated."""
    made = proposal.made
    return proposal.status in ("open", "sent_back", "approved") and answering.get(made.policy) != made.base


def _require_fresh(before: Proposal, known: Known) -> None:
    made = before.made
    if not is_stale(before, known.answering):
        return
    now = known.answering.get(made.policy)
    said = f"and {now[:12]} answers by now" if now is not None else f"and `{made.policy}` is no policy here any more"
    raise RequestError(
        f"`{before.name}` was made from {made.base[:12]}, {said}",
        where="name",
        hint="make it again: with another text, or with the same one to confirm it against what answers now",
    )


def _require_another(before: Proposal, by: str, known: Known) -> None:
    if person(by) in {person(one.by) for one in before.approvals}:
        raise RequestError(f"has approved `{before.name}` already", where="by")
    if known.four_eyes and before.is_maker(by):
        raise RequestError(f"has made a version of `{before.name}`, and nobody approves their own", where="by")


def _require_approved(before: Proposal, known: Known) -> None:
    if known.four_eyes and all(before.is_maker(one.by) for one in before.approvals):
        said = f"`{before.name}` is approved by nobody but who made it, and the configuration asks for somebody else"
        raise RequestError(said, where="name")


def _way(command: ProposalCommand) -> How:
    if command.how not in WAYS:
        raise RequestError(f"must be {listed(WAYS)}", where="how")
    if command.how == "canary":
        if command.share is None or isinstance(command.share, bool) or not 0 < command.share <= 1:
            raise RequestError("must be above 0 and at most 1, such as 0.05 for 5%", where="share")
        return "canary"
    if command.share is not None:
        raise RequestError("is for a canary alone", where="share")
    return "now"
