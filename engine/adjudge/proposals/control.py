"""The proposals of one engine: read from its ledger, and each act on one recorded there."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime
from functools import partial
from typing import TypeVar

import msgspec
from msgspec import structs

from adjudge.audit.kinds import decode
from adjudge.audit.proposals import PROPOSAL, ChecksBody, ProposalBody
from adjudge.audit.record import parse
from adjudge.audit.rollouts import RolloutBody
from adjudge.documents.proposals import SIZE_MAX, ActDocument, ChecksDocument, ProposalCommand, ProposalDocument
from adjudge.errors import AuditUnavailable, Overloaded, Overtaken, PolicyErrors, RequestError
from adjudge.events import Events
from adjudge.frozen import frozen
from adjudge.plugin import DecisionLedger
from adjudge.policy.catalogue import Catalogue
from adjudge.policy.policy import Policy
from adjudge.proposals.commands import Known, found, is_stale, next_act, rollout_of
from adjudge.proposals.settings import ProposalSettings
from adjudge.proposals.state import Proposal, fold
from adjudge.system.pools import NoThread, Pool

_T = TypeVar("_T")

_TRIES = 10
_SHOWN = 20
_WITHIN_S, _AGAIN_S = 120.0, 5.0
_events = Events("adjudge.proposals")


@frozen(kw_only=True)
class Draft:
    """A version that is to be made, as it was read. base: what it is made from. tests: their texts, by name."""

    base: Policy
    policy: Policy
    tests: Mapping[str, str]


Check = Callable[[Draft], tuple[str, ChecksBody]]
"""Return how a draft differs from its base in its text, and what the checks came to. Raises PolicyErrors."""


class Proposals:
    """All methods run on the engine's home loop."""

    def __init__(
        self,
        settings: ProposalSettings | None,
        ledger: DecisionLedger,
        catalogue: Callable[[], Catalogue],
        clock: Callable[[], datetime],
    ) -> None:
        """settings: None for an engine that shows proposals, and takes none."""
        self.settings = settings
        self._ledger, self._catalogue, self._clock = ledger, catalogue, clock
        self._acts: dict[str, ProposalBody] = {}
        self._known: Mapping[str, Proposal] = {}
        self._noted = -1
        self._checking = Pool("adjudge-proposals", 1)
        self._loading = Pool("adjudge-activations", 1)  # which waits for no check

    def close(self) -> None:
        """Begin no check any more."""
        self._checking.close()
        self._loading.close()

    async def look(self) -> Mapping[str, Proposal]:
        """Read what the ledger has, and return how all proposals stand. Raises AuditUnavailable and AuditBroken."""
        if not getattr(self._ledger, "keeps_named", True):
            return {}
        noted = await self._ledger.noted(PROPOSAL)
        if noted != self._noted:
            for name, one in (await self._ledger.newest(PROPOSAL)).items():
                if name not in self._acts:  # an act is written once
                    record = parse(one.line)
                    self._acts[name] = decode(ProposalBody, record.seq, record.body)
            self._known, self._noted = fold(self._acts.values()), noted
        return self._known

    async def command(
        self,
        command: ProposalCommand,
        by: str,
        answering: Mapping[str, Policy],
        check: Check,
        require: Callable[[ProposalBody], Awaitable[None]],
    ) -> ProposalBody:
        """Record what is asked for, and return the record.

        answering: the policies that answer, by name. require: raises RequestError where an activation cannot be done.
        Raises RequestError, Overloaded, Overtaken, PolicyErrors; Overloaded, AuditUnavailable and AuditBroken.
        """
        if self.settings is None:
            said = "this engine takes no proposals: its configuration has no `proposals`"
            raise RequestError(said, where="proposal")
        made = None
        if command.action == "make":
            made, draft = await self._read(command, answering)
            next_act(
                command, by, self._known_with(await self.look(), answering), self._clock(), made
            )  # before the work
            diff, checks = await _beside(self._checking, lambda: check(draft))
            made = structs.replace(made, diff=diff, checks=checks)
        for _ in range(_TRIES):
            body = next_act(command, by, self._known_with(await self.look(), answering), self._clock(), made)
            if body.how is not None:
                await require(body)
            try:
                await self._ledger.note(PROPOSAL, body)
            except Overtaken:  # by another worker, whose act is looked at next
                self._noted = -1
                continue
            self._noted = -1
            _events.info("proposal_changed", proposal=body.proposal, act=body.act, step=body.step, by=body.by)
            return body
        raise AuditUnavailable(f"somebody else writes of the proposal `{command.name}` all the time: try again")

    def _known_with(self, proposals: Mapping[str, Proposal], answering: Mapping[str, Policy]) -> Known:
        assert self.settings is not None
        digests = {name: policy.digest for name, policy in answering.items()}
        return Known(proposals=proposals, answering=digests, four_eyes=self.settings.four_eyes)

    async def _read(self, command: ProposalCommand, answering: Mapping[str, Policy]) -> tuple[ProposalBody, Draft]:
        """Return what a record says of the version that is to be made, but for its checks, and the version itself."""
        text, lists = command.text, dict(command.lists)
        if text is None:
            again = found(command.name, await self.look()).made
            text, lists = again.text, dict(again.lists)
        if len(text) + sum(map(len, lists.values())) + sum(map(len, command.tests.values())) > SIZE_MAX:
            raise RequestError(f"with its files it is longer than {SIZE_MAX:,} characters", where="text")
        from adjudge.policy.loading.load import read_policy  # of which few engines have need once they are open

        catalogue = self._catalogue()

        def read() -> Policy:
            typed = read_policy(text, "policy.yaml", texts=lists, recorded=False, catalogue=catalogue)
            return Policy(typed, catalogue.overloads())

        policy = await _beside(self._checking, read)
        typed, base = policy.typed, answering.get(policy.name)
        if base is None:
            raise RequestError(f"is a version of `{typed.name}`, which is no policy of this engine", where="text")
        if base.digest == policy.digest:
            raise RequestError(f"is the version of `{typed.name}` that answers already", where="text")
        body = ProposalBody(
            name="",
            number=1,
            proposal="",
            step=0,
            at=self._clock(),
            by="",
            act="made",
            digest=policy.digest,
            policy=policy.name,
            text=text,
            lists=dict(typed.texts),
            base=base.digest,
        )
        return body, Draft(base=base, policy=policy, tests=command.tests)

    async def candidate(self, name: str, digest: str) -> Policy | None:
        """Return the version that a rollout calls so; None where it is no proposal's, or does not load here."""
        for proposal in (await self.look()).values():
            if rollout_of(proposal.name) != name:
                continue
            for one in proposal.acts:
                if one.act == "made" and one.digest == digest:
                    return await _beside(self._loading, partial(self.load, one))
        return None

    def load(self, made: ProposalBody) -> Policy | None:
        """Load a version from its record; None, and an event, where it does not load with what is installed here."""
        from adjudge.policy.loading.load import read_policy

        catalogue = self._catalogue()
        try:
            typed = read_policy(made.text, f"{made.policy}@{made.digest[:12]}", texts=made.lists, catalogue=catalogue)
        except PolicyErrors as errors:
            _events.error("proposal_not_loaded", proposal=made.proposal, reason=str(errors.errors[0]))
            return None
        return Policy(typed, catalogue.overloads()) if typed.digest == made.digest else None

    async def status(
        self, answering: Mapping[str, Policy], rollouts: Mapping[str, RolloutBody]
    ) -> tuple[ProposalDocument, ...]:
        """Return how all proposals stand, by name, without their texts. Raises AuditUnavailable and AuditBroken."""
        known = (await self.look()).values()
        return tuple(self._document(one, answering, rollouts) for one in sorted(known, key=_place))

    async def find(
        self, name: str, answering: Mapping[str, Policy], rollouts: Mapping[str, RolloutBody]
    ) -> ProposalDocument:
        """Return how one stands, with its text. Raises RequestError, AuditUnavailable and AuditBroken."""
        return self._document(found(name, await self.look()), answering, rollouts, is_whole=True)

    def _document(
        self,
        proposal: Proposal,
        answering: Mapping[str, Policy],
        rollouts: Mapping[str, RolloutBody],
        *,
        is_whole: bool = False,
    ) -> ProposalDocument:
        made = proposal.made
        digests = {name: policy.digest for name, policy in answering.items()}
        rollout = proposal.activation.rollout if proposal.activation is not None else ""
        return ProposalDocument(
            name=proposal.name,
            policy=made.policy,
            status=proposal.status,
            step=proposal.step,
            versions=proposal.versions,
            digest=made.digest,
            base=made.base,
            by=made.by,
            at=made.at,
            reason=made.said,
            stale=is_stale(proposal, digests),
            live=digests.get(made.policy) == made.digest,
            four_eyes=self.settings is not None and self.settings.four_eyes,
            approved_by=tuple(one.by for one in proposal.approvals),
            acts=tuple(_act(one) for one in proposal.acts),
            rollout=rollout,
            rollout_status=rollouts[rollout].status if rollout in rollouts else "",
            checks=msgspec.convert(msgspec.to_builtins(made.checks), ChecksDocument | None),
            text=made.text if is_whole else None,
            diff=made.diff if is_whole else None,
        )


async def _beside(pool: Pool, work: Callable[[], _T]) -> _T:
    """Do work in a thread. Raises RequestError for what is wrong with a policy, Overloaded where it takes too long."""
    try:
        return await pool.run(work, deadline_s=_WITHIN_S)
    except PolicyErrors as errors:
        more = f"\nand {len(errors.errors) - _SHOWN} more" if len(errors.errors) > _SHOWN else ""
        raise RequestError("\n".join(map(str, errors.errors[:_SHOWN])) + more, where="text") from None
    except (TimeoutError, NoThread):
        raise Overloaded("other proposals are being checked", retry_after_s=_AGAIN_S) from None


def _place(proposal: Proposal) -> tuple[bool, int, str]:
    """Return where a proposal stands in a list: those with numbers by these, before the others."""
    number = int(proposal.name) if proposal.name.isascii() and proposal.name.isdecimal() else None
    return number is None, number or 0, proposal.name


def _act(body: ProposalBody) -> ActDocument:
    return ActDocument(
        step=body.step,
        act=body.act,
        by=body.by,
        at=body.at,
        reason=body.said,
        digest=body.digest,
        how=body.how,
        share=body.share,
    )
