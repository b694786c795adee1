"""The reviews of one engine: what waits, read from its ledger, and what people do, recorded there."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from random import Random
from time import monotonic

from msgspec import structs

from adjudge.audit.bodies import DecisionBody, restore_decision
from adjudge.audit.kinds import decode
from adjudge.audit.record import MalformedLine, parse
from adjudge.audit.reviews import REVIEW, ReviewBody
from adjudge.decision.cursors import searched
from adjudge.documents.reviews import (
    WITHIN_DAYS,
    LookDocument,
    NoteDocument,
    ReviewCommand,
    ReviewDocument,
    ReviewQuery,
    ReviewsDocument,
)
from adjudge.errors import AuditBroken, AuditUnavailable, LostClaim, MerchantBizIdConflict, Overtaken, RequestError
from adjudge.events import Events
from adjudge.frozen import frozen
from adjudge.model import SEARCH_LIMIT_MAX, Decision, DecisionQuery, Outcome, Reviewed
from adjudge.plugin import Busy, Claim, DecisionLedger, ExplainableLedger, KeepsHistories
from adjudge.reviews.acts import next_act, require_decision
from adjudge.reviews.settings import ReviewSettings
from adjudge.reviews.state import Review, folded, is_drawn

PAGES_MAX = 40
"""Pages of the search for one look at the queue: of the records of more, nobody is told."""
LOOKED_MAX = 20_000
"""Decisions that are looked at for it, about a millisecond each; others are answered in between."""
_LEASE_S = 30.0
_TRIES = 10
_events = Events("adjudge.reviews")


@frozen(kw_only=True)
class _Standing:
    """A decision that is for a person, and how its review stands. answer: the decision that ended it."""

    decision: Decision
    review: Review
    answer: Decision | None = None


class Reviews:
    """All methods run on the engine's home loop."""

    def __init__(
        self,
        settings: ReviewSettings,
        ledger: DecisionLedger,
        clock: Callable[[], datetime],
        confirms: Callable[[], bool],
    ) -> None:
        """confirms: whether a policy that answers has rejects that a person has to confirm."""
        self.settings = settings
        self._ledger, self._clock, self._confirms = ledger, clock, confirms
        self._ids = Random()  # noqa: S311  # seeded by the system in each process; unique, not secret

    async def queue(self, query: ReviewQuery, by: str | None) -> ReviewsDocument:
        """Return what waits for a person, the oldest first. by: who asks; None for nobody who may take one.

        Raises RequestError where the ledger cannot be searched; AuditUnavailable and AuditBroken.
        """
        now = self._clock()
        since = query.since if query.since is not None else now - timedelta(days=WITHIN_DAYS)
        outcomes = (Outcome.REVIEW, Outcome.REJECT) if self._confirms() else (Outcome.REVIEW,)
        found: list[ReviewDocument] = []
        is_complete, looked = True, 0
        for outcome in outcomes:
            wanted = DecisionQuery(
                outcome=outcome, policy=query.policy, reason=query.reason, since=since, limit=SEARCH_LIMIT_MAX
            )
            cursor, pages = None, 0
            while True:
                page = await searched(self._ledger, wanted, cursor)
                for decision in page.decisions:
                    looked += 1
                    one = await self._standing(decision) if is_for_person(decision) else None
                    if one is not None:
                        document = self._document(one, now, by)
                        if _is_wanted(document, query, now):
                            found.append(document)
                cursor, pages = page.next, pages + 1
                if cursor is None:
                    break
                if pages >= PAGES_MAX or looked >= LOOKED_MAX:
                    is_complete = False
                    break
        found.sort(key=lambda one: (one.decided_at, one.decision_id))
        return ReviewsDocument(
            reviews=tuple(found[: query.limit]), since=since, complete=is_complete and len(found) <= query.limit
        )

    async def show(self, decision_id: str, by: str | None) -> ReviewDocument:
        """Return how the review of a decision stands. Raises RequestError where it has none; as `queue` otherwise."""
        return self._document(await self._of(decision_id), self._clock(), by)

    async def act(self, command: ReviewCommand, by: str) -> ReviewDocument:
        """Do something with a review, and return how it stands then.

        Raises RequestError where that cannot be done; AuditUnavailable and AuditBroken.
        """
        for _ in range(_TRIES):
            one = await self._of(command.decision_id)
            now, decision = self._clock(), one.decision
            body = next_act(command, by, one.review, decision.merchant_biz_id, self.settings, now)
            if body.act == "decided":
                try:
                    await self._decide(command, by, decision)
                except (LostClaim, Overtaken):
                    continue
            elif not await self._noted(body):
                continue
            _events.info("review_acted", act=body.act, decision_id=command.decision_id, by=by)
            done = await self._standing(decision) or one
            return self._document(done, self._clock(), by)
        raise AuditUnavailable(f"somebody else writes of the review of {command.decision_id} all the time: try again")

    async def _of(self, decision_id: str) -> _Standing:
        decision = await self._ledger.find(decision_id=decision_id)
        if decision is None:
            raise RequestError("there is no such decision", where="decision_id")
        if not is_for_person(decision):
            said = "is decided by a person already" if decision.reviewed is not None else "is not for a person"
            raise RequestError(said, where="decision_id")
        one = await self._standing(decision)
        if one is None:
            raise RequestError("was decided anew since: another decision has its place", where="decision_id")
        return one

    async def _standing(self, decision: Decision) -> _Standing | None:
        """Return how the review of a decision stands; None where another one took its place, and no person's."""
        newest = await self._ledger.find(merchant_biz_id=decision.merchant_biz_id)
        review = folded(await self._acts(decision.decision_id))
        if newest is not None and newest.reviewed is not None and newest.supersedes == decision.decision_id:
            if review.decided is None:  # whoever decided died before it was noted
                await self._note_decided(decision, newest, review, note="")
                review = folded(await self._acts(decision.decision_id))
            return _Standing(decision=decision, review=review, answer=newest)
        if review.decided is not None:
            return _Standing(decision=decision, review=review)
        if newest is None or newest.decision_id != decision.decision_id:
            return None
        return _Standing(decision=decision, review=review)

    async def _acts(self, decision_id: str) -> Sequence[ReviewBody]:
        if not isinstance(self._ledger, KeepsHistories):
            raise RequestError("this ledger keeps no reviews", where="review")
        found: list[ReviewBody] = []
        for record in await self._ledger.history(REVIEW, decision_id):
            try:
                taken = parse(record.line)
            except MalformedLine as error:
                raise AuditBroken(f"the review of {decision_id}: {error}") from None
            found.append(decode(ReviewBody, taken.seq, taken.body))
        return found

    async def _noted(self, body: ReviewBody) -> bool:
        """Record an act; False where somebody else did something first."""
        try:
            await self._ledger.note(REVIEW, body)
        except Overtaken:
            return False
        return True

    async def _note_decided(self, decision: Decision, answer: Decision, review: Review, note: str) -> None:
        """Record that a review has ended, if nobody did; what ended it is in the log already."""
        reviewed = answer.reviewed
        assert reviewed is not None, "a person's decision"
        for _ in range(_TRIES):
            body = ReviewBody(
                name=decision.decision_id,
                number=review.number + 1,
                at=answer.decided_at,
                act="decided",
                by=reviewed.by,
                merchant_biz_id=decision.merchant_biz_id,
                outcome=reviewed.then,
                reason=reviewed.reason,
                decision=answer.decision_id,
                again=is_drawn(self._ledger.key, decision.merchant_biz_id, self.settings.second),
                note=note,
            )
            if await self._noted(body):
                return
            review = folded(await self._acts(decision.decision_id))
            if review.decided is not None:
                return
        raise AuditUnavailable(f"somebody else writes of the review of {decision.decision_id} all the time: try again")

    async def _decide(self, command: ReviewCommand, by: str, decision: Decision) -> None:
        """Put a person's decision in the place of another one.

        The id is claimed meanwhile, so that nobody decides it otherwise; who held the review is looked at again then.
        Raises RequestError, LostClaim, AuditUnavailable and AuditBroken.
        """
        claim = await self._claimed(decision)
        try:
            one = await self._of(decision.decision_id)
            now = self._clock()
            outcome = require_decision(command, one.review, by, self.settings, now)
            if one.review.decided is not None:
                raise Overtaken(f"somebody else has decided {decision.decision_id}")
            body = await self._recorded(decision)
            reviewed = Reviewed(then=outcome, reason=command.reason, by=by, judged_at=body.judged_at)
            record = structs.replace(
                body,
                decision_id=f"{self._ids.getrandbits(128):032x}",
                status="supersedes",
                supersedes=decision.decision_id,
                at=now,
                durability=self._ledger.durability,
                signals={name: structs.replace(signal, price=Decimal(0)) for name, signal in body.signals.items()},
                duration_ms=0.0,
                cost={},
                capture_again=None,
                capture_reason=None,
                notes=(*self._ledger.notes, f"a person decided it: {command.reason}"),
                final=True,
                arm=None,
                shadows=(),
                reviewed=reviewed,
            )
            answer = restore_decision(record, lambda _: None)
            await self._ledger.conclude(claim, answer, record)
        except BaseException:
            await self._ledger.release(claim)
            raise
        await self._note_decided(decision, answer, one.review, command.note)

    async def _claimed(self, decision: Decision) -> Claim:
        until = monotonic() + _LEASE_S
        while True:
            try:
                found = await self._ledger.claim(
                    decision.merchant_biz_id, decision.fingerprint, again=True, lease_s=_LEASE_S
                )
            except MerchantBizIdConflict:
                raise RequestError(
                    "its MerchantBizId was decided for another request since", where="decision_id"
                ) from None
            if isinstance(found, Claim):
                return found
            if monotonic() > until:
                raise AuditUnavailable("the MerchantBizId is being decided: try again")
            if isinstance(found, Busy):
                await self._ledger.wait(found, until)

    async def _recorded(self, decision: Decision) -> DecisionBody:
        """Return what the log has of a decision, as it was judged."""
        if not isinstance(self._ledger, ExplainableLedger):
            raise RequestError("this ledger does not give what a decision was made of", where="review")
        evidence = await self._ledger.evidence(decision.decision_id)
        if evidence is None:
            raise RequestError("there is no such decision", where="decision_id")
        record = parse(evidence.decision)
        return decode(DecisionBody, record.seq, record.body)

    def _document(self, one: _Standing, now: datetime, by: str | None) -> ReviewDocument:
        decision, review = one.decision, one.review
        is_blind = review.awaits_second and (review.decided is None or review.decided.by != by)
        holder = review.held_by(now)
        if review.decided is None or review.awaits_second:
            status = "claimed" if holder else "second" if review.decided is not None else "open"
        else:
            status = "decided"
        drawn = (decision.sampled.reason,) if decision.sampled is not None else ()
        return ReviewDocument(
            decision_id=decision.decision_id,
            merchant_biz_id=decision.merchant_biz_id,
            policy=decision.policy,
            decided_at=decision.decided_at,
            due=decision.decided_at + timedelta(seconds=self.settings.within_s),
            outcome=decision.outcome.value,
            reasons=drawn or decision.verdict.reasons,
            status=status,
            holder=holder,
            until=review.until if holder else None,
            notes=() if is_blind else tuple(NoteDocument(at=n.at, by=n.by, note=n.note) for n in review.notes),
            first=_look(None if is_blind else review.decided),
            second=_look(review.second),
            decision=None if is_blind or review.decided is None else review.decided.decision,
            agrees=review.agrees,
        )


def is_for_person(decision: Decision) -> bool:
    """Whether a decision waits for a person, or did: it is a review, or a reject that somebody has to confirm."""
    if decision.reviewed is not None:
        return False
    return decision.outcome is Outcome.REVIEW or (decision.outcome is Outcome.REJECT and not decision.final)


def _look(body: ReviewBody | None) -> LookDocument | None:
    if body is None or body.outcome is None:
        return None
    return LookDocument(at=body.at, by=body.by, outcome=body.outcome.value, reason=body.reason)


def _is_wanted(one: ReviewDocument, query: ReviewQuery, now: datetime) -> bool:
    if query.holder is not None and one.holder != query.holder:
        return False
    if query.status == "due":
        return one.status in ("open", "claimed") and one.first is None and one.due <= now
    if query.status is None:
        return one.status != "decided"
    return one.status == query.status
