"""What callers may ask of an engine, wherever it runs: the embedded one and the client of a service are both this."""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections.abc import AsyncGenerator, AsyncIterable, Callable, Coroutine, Iterable, Mapping
from contextlib import aclosing
from datetime import date
from functools import partial, update_wrapper
from math import inf
from types import TracebackType
from typing import Any, Concatenate, Literal, ParamSpec, TypeVar, get_args

import msgspec

from adjudge.audit.annotations import NAMED_NOBODY, LabelBody, check_by, check_decision_id, check_reason, label_body
from adjudge.decision.home import Home
from adjudge.decision.many import in_order
from adjudge.documents.proposals import ProposalCommand, ProposalDocument
from adjudge.documents.reviews import ReviewCommand, ReviewDocument, ReviewQuery, ReviewsDocument
from adjudge.documents.rollouts import RolloutCommand, RolloutDocument
from adjudge.errors import AdjudgeError, EngineError, RequestError
from adjudge.model import Decision, DecisionPage, DecisionQuery, Request, ServedPolicy, check_merchant_biz_id
from adjudge.patterns import late
from adjudge.system.given import check_count, is_number

AT_ONCE = 32
"""Requests of `decide_many` that are decided at a time, unless said otherwise."""

Audience = Literal["team", "applicant"]
"""Who an explanation is for."""
_LOCALE = late(r"[A-Za-z0-9]{1,8}([_-][A-Za-z0-9]{1,8}){0,4}")
_PROPOSAL_NAME = late("[A-Za-z0-9_-]{1,32}")
_POLICY_NAME = late(r"[A-Za-z0-9][A-Za-z0-9_-]{0,99}")

_T = TypeVar("_T")
_P = ParamSpec("_P")
_Self = TypeVar("_Self", bound="Door")
_Command = TypeVar("_Command", RolloutCommand, ProposalCommand)


def in_thread(
    method: Callable[Concatenate[_Self, _P], Coroutine[Any, Any, _T]],
) -> Callable[Concatenate[_Self, _P], _T]:
    """Return a method of a door as threads without an event loop may call it."""
    name = method.__name__

    def blocking(self: _Self, /, *given: _P.args, **named: _P.kwargs) -> _T:
        _check_no_loop(f"{name}_sync", f"`await engine.{name}(…)`")
        return self._home.run_blocking(lambda: method(self, *given, **named))

    update_wrapper(blocking, method)
    blocking.__name__, blocking.__qualname__ = f"{name}_sync", f"{method.__qualname__}_sync"
    blocking.__doc__ = f"Do as `{name}` does, for a thread without an event loop. Raises EngineError inside a loop."
    return blocking


class Door(ABC):
    """Takes what callers ask, from any task, event loop or thread, and does it on the home loop of its engine.

    Use it as `async with` from one event loop, or as `with` from threads; while it is open, other loops and threads
    may call it too.
    """

    _home: Home

    @property
    @abstractmethod
    def in_flight(self) -> int:
        """How many ids are being decided."""

    async def decide(self, request: Request, *, anew: bool = False, deadline_s: float | None = None) -> Decision:
        """Decide a request and return the decision once it is recorded, or the one its MerchantBizId already has.

        anew: decide again although there is an answer; the new decision supersedes it.
        deadline_s: seconds for gathering signals, where that is less than the engine's own; what has not come by then
        is unknown, and the policy says what that means. An id that is being decided already keeps its first deadline.
        Raises RequestError, MerchantBizIdConflict; Overloaded, AuditUnavailable or AuditBroken, and then nothing is
        decided; EngineError where the engine is not open here. All are AdjudgeError.
        A vendor that fails raises nothing: its fields are unknown, and the policy says what that means.
        """
        if asyncio.get_running_loop() is self._home.loop():
            return await self._decide(request, anew, deadline_s)
        return await self._home.run(partial(self._decide, request, anew, deadline_s))

    decide_sync = in_thread(decide)

    async def decide_many(
        self,
        requests: AsyncIterable[Request] | Iterable[Request],
        *,
        anew: bool = False,
        deadline_s: float | None = None,
        at_once: int = AT_ONCE,
    ) -> AsyncGenerator[Decision | AdjudgeError]:
        """Decide requests, so many at a time, and yield what became of each in its turn: a decision, or an error.

        requests: are asked for one after another, as there is room. The rest is as of `decide`, of each of them.
        """

        async def work(request: Request) -> Decision | AdjudgeError:
            try:
                return await self.decide(request, anew=anew, deadline_s=deadline_s)
            except AdjudgeError as error:
                return error

        check_count("at_once", at_once)
        async with aclosing(in_order(requests, work, at_once=at_once)) as found:
            async for one in found:
                yield one

    async def label(
        self,
        decision_id: str,
        merchant_biz_id: str,
        label: str,
        *,
        source: str,
        found_on: date | None = None,
        note: str = "",
        by: str = NAMED_NOBODY,
    ) -> None:
        """Record what was later found out about a decision: `fraud` or `genuine`, who says so, and since which day.

        A reject that a person has to confirm is final once its label says `fraud`.
        found_on: today in UTC unless given. by: who records it: a person, or a key's name.
        Raises RequestError, also where the log has no such decision of that MerchantBizId; what may be archived is
        taken. Raises AuditUnavailable and AuditBroken.
        """
        body = _label(decision_id, merchant_biz_id, label, source, found_on, note, by)
        await self._home.run(lambda: self._label(body))

    label_sync = in_thread(label)

    async def erase(self, merchant_biz_id: str, *, reason: str = "", by: str = NAMED_NOBODY) -> int:
        """Erase the personal values of a MerchantBizId, in memory and on disk, and return how many the vault held.

        The decision stays, and answers a retry. One that is being made is waited for, and erased from.
        by: who asked for it: a person, or a key's name.
        Raises RequestError; AuditUnavailable and AuditBroken, and then erase again.
        """
        _check_erasure(merchant_biz_id, reason, by)
        return await self._home.run(lambda: self._erase(merchant_biz_id, reason, by))

    erase_sync = in_thread(erase)

    async def find(self, *, decision_id: str | None = None, merchant_biz_id: str | None = None) -> Decision | None:
        """Return the decision of an id, or the newest one of a MerchantBizId, however old; None where there is none.

        Raises RequestError unless one of the two is given, and can be one; AuditUnavailable and AuditBroken.
        """
        _check_one(decision_id, merchant_biz_id)
        return await self._home.run(lambda: self._find(decision_id, merchant_biz_id))

    find_sync = in_thread(find)

    async def search(self, query: DecisionQuery | None = None, *, cursor: str | None = None) -> DecisionPage:
        """Return a page of the decisions that a query asks for, or of all, newest first.

        cursor: the `next` of the page before, of the same query. Decisions made meanwhile are on none of its pages.
        Raises RequestError, also where the ledger cannot be searched; AuditUnavailable and AuditBroken.
        """
        query = _query(query)
        return await self._home.run(lambda: self._search(query, cursor))

    search_sync = in_thread(search)

    async def check_ready(self) -> None:
        """Raise what a decision would raise now because of the ledger: AuditUnavailable, AuditBroken or EngineError.

        Cheap: the ledger is asked whether it answers, and writes nothing. A disk that is full is noticed by whoever
        writes to it.
        """
        await self._home.run(self._check_ready)

    async def explain(
        self, decision_id: str, *, locale: str = "en", audience: Audience = "team"
    ) -> Mapping[str, object] | None:
        """Return why a decision came out so, and what would have changed it, as `adjudge explain --format json` says.

        None where there is no such decision. The policy is that of the decision, from the log; personal values are
        hidden. locale: of the policy's texts. audience: `applicant` for what an applicant may be told alone.
        Raises RequestError; Overloaded while others are explained; AuditUnavailable, and AuditBroken where the log does
        not hold the policy. It takes up to ten seconds.
        """
        _check_explained(decision_id, locale, audience)
        return await self._home.run(lambda: self._explain(decision_id, locale, audience))

    explain_sync = in_thread(explain)

    async def served(self) -> tuple[ServedPolicy, ...]:
        """Return which policies answer now, by their names, without their texts."""
        return await self._home.run(lambda: self._served_policies(None))

    served_sync = in_thread(served)

    async def find_policy(self, name: str) -> ServedPolicy | None:
        """Return a policy that answers now, with its text; None where there is none. Raises RequestError."""
        _check_name(name)
        return next(iter(await self._home.run(lambda: self._served_policies(name))), None)

    find_policy_sync = in_thread(find_policy)

    async def rollouts(self) -> tuple[RolloutDocument, ...]:
        """Return how all rollouts stand, by name. Raises AuditUnavailable and AuditBroken."""
        return await self._home.run(self._rollouts_now)

    rollouts_sync = in_thread(rollouts)

    async def rollout(
        self,
        action: str,
        name: str,
        *,
        mode: str | None = None,
        candidate: str | None = None,
        share: float | None = None,
        reason: str = "",
        by: str = NAMED_NOBODY,
    ) -> RolloutDocument:
        """Do something with a rollout: `start`, `ramp`, `promote` or `abort` it; return how it stands once it is so.

        mode, candidate: to start: `shadow`, `canary` or `hold-out`, and a version by its name in the configuration.
        share: above 0 and up to 1, to start a canary or a hold-out, and to ramp it.
        Raises RequestError where that cannot be done, or the engine takes part in no rollouts; AuditUnavailable and
        AuditBroken.
        """
        command = _command(action, name, mode, candidate, share, reason, by)
        return await self._home.run(lambda: self._rollout(command, by))

    rollout_sync = in_thread(rollout)

    async def proposals(self) -> tuple[ProposalDocument, ...]:
        """Return how all proposals stand, without their texts. Raises AuditUnavailable and AuditBroken."""
        return await self._home.run(self._proposals_now)

    proposals_sync = in_thread(proposals)

    async def find_proposal(self, name: str) -> ProposalDocument:
        """Return how a proposal stands, with its text and how it differs from what it was made from.

        Raises RequestError where there is none of that name; AuditUnavailable and AuditBroken.
        """
        _check_proposal_name(name)
        return await self._home.run(lambda: self._find_proposal(name))

    find_proposal_sync = in_thread(find_proposal)

    async def proposal(
        self,
        action: str,
        name: str | None = None,
        *,
        seen: int | None = None,
        text: str | None = None,
        lists: Mapping[str, str] | None = None,
        tests: Mapping[str, str] | None = None,
        how: str | None = None,
        share: float | None = None,
        reason: str = "",
        by: str = NAMED_NOBODY,
    ) -> ProposalDocument:
        """Do something with a proposal, and return how it stands once it is so.

        `make` one, or a further version of it; `comment`, `approve`, `send-back`, `activate`, `roll-back`, `withdraw`.
        name: left out, what is made is called by the next whole number. seen: the number of the last act that whoever
        asks has looked at; needed but to make a new one and to comment.
        text, lists, tests: to make one: the policy, the files that it reads by the paths in it, and files of tests.
        Without a text the version that there is is made again from what answers by now.
        how, share: to activate: `now`, or as a `canary` of a share above 0 and up to 1. reason: why, or the comment.
        Raises RequestError where it cannot be done; Overtaken where somebody else did something that was not seen;
        PolicyErrors; Overloaded while others are checked; AuditUnavailable and AuditBroken. To make one takes up to a
        minute, most of it for proofs.
        """
        command = _proposal(action, name, seen, text, lists, tests, how, share, reason, by)
        return await self._home.run(lambda: self._proposal(command, by))

    proposal_sync = in_thread(proposal)

    async def reviews(self, query: ReviewQuery | None = None, *, by: str = NAMED_NOBODY) -> ReviewsDocument:
        """Return what waits for a person, the oldest first.

        by: who asks; who is to look a second time is not told what the first one decided.
        Raises RequestError, also where the ledger keeps no reviews; AuditUnavailable and AuditBroken.
        """
        query = _review_query(query, by)
        return await self._home.run(lambda: self._reviews_now(query, by))

    reviews_sync = in_thread(reviews)

    async def find_review(self, decision_id: str, *, by: str = NAMED_NOBODY) -> ReviewDocument:
        """Return how the review of a decision stands. by: as of `reviews`.

        Raises RequestError where the decision has none; AuditUnavailable and AuditBroken.
        """
        _check_review(decision_id, by)
        return await self._home.run(lambda: self._review_now(decision_id, by))

    find_review_sync = in_thread(find_review)

    async def review(
        self,
        action: str,
        decision_id: str,
        *,
        outcome: str | None = None,
        reason: str = "",
        note: str = "",
        by: str,
    ) -> ReviewDocument:
        """Do something with the review of a decision: `claim`, `note`, `release` or `decide` it; return how it stands.

        outcome, reason: to decide: `pass` or `reject`, and a code. The answer is then a new decision, which supersedes
        that one. by: who does it; another one may not decide what they have claimed.
        Raises RequestError where that cannot be done; AuditUnavailable and AuditBroken.
        """
        command = _review_command(action, decision_id, outcome, reason, note, by)
        return await self._home.run(lambda: self._review(command, by))

    review_sync = in_thread(review)

    async def review_many(
        self, query: ReviewQuery, *, count: int, outcome: str, reason: str, note: str = "", by: str
    ) -> tuple[ReviewDocument | RequestError, ...]:
        """Claim and decide all reviews that a query shows, in the same way; return how each stands, or why it does not.

        query: by policy, reason or what is due; of what it shows, what nobody else has claimed and nobody has decided.
        count: how many that are: with another number nothing is done, so nobody decides what they have not seen.
        Raises RequestError where the query shows another number, or names nothing; the rest as `review`.
        """
        if not isinstance(query, ReviewQuery) or query.status not in (None, "due") or query.holder is not None:
            raise RequestError("must be a ReviewQuery of a policy, a reason or what is due", where="query")
        if query.policy is None and query.reason is None and query.status is None:
            raise RequestError("must name a policy, a reason or what is due", where="query")
        shown = await self.reviews(query, by=by)
        those = [one for one in shown.reviews if one.status == "open" or (one.status == "claimed" and one.holder == by)]
        those = [one for one in those if one.first is None]
        if not shown.complete or len(those) != count:
            more = "" if shown.complete else " or more"
            raise RequestError(f"the query shows {len(those)}{more}: nothing was decided", where="count")
        done: list[ReviewDocument | RequestError] = []
        for one in those:
            try:
                await self.review("claim", one.decision_id, by=by)
                done.append(
                    await self.review("decide", one.decision_id, outcome=outcome, reason=reason, note=note, by=by)
                )
            except RequestError as error:  # somebody else came first
                done.append(error)
        return tuple(done)

    review_many_sync = in_thread(review_many)

    async def aclose(self) -> None:
        """Close, as leaving `async with` does; an engine that is closed already, or was never opened, is let go."""
        await self._home.close()

    def close(self) -> None:
        """Close from a thread without an event loop; as `aclose` otherwise. Raises EngineError inside a loop."""
        if self._home.is_open:
            _check_no_loop("close", "`await engine.aclose()`")
        self._home.close_blocking()

    async def __aenter__(self: _Self) -> _Self:
        self._home.open()
        await self._home.begin(self._begin)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()

    def __enter__(self: _Self) -> _Self:
        _check_no_loop("`with engine:`", "`async with engine:`")
        self._home.open_thread()
        self._home.begin_blocking(self._begin)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @abstractmethod
    async def _begin(self) -> None:
        """Do what comes first on the home loop."""

    @abstractmethod
    async def _close(self) -> None:
        """Let what is under way end, then let go of everything."""

    @abstractmethod
    async def _decide(self, request: Request, anew: bool, deadline_s: float | None) -> Decision: ...

    @abstractmethod
    async def _label(self, body: LabelBody) -> None: ...

    @abstractmethod
    async def _erase(self, merchant_biz_id: str, reason: str, by: str) -> int: ...

    @abstractmethod
    async def _check_ready(self) -> None: ...

    @abstractmethod
    async def _find(self, decision_id: str | None, merchant_biz_id: str | None) -> Decision | None: ...

    @abstractmethod
    async def _explain(self, decision_id: str, locale: str, audience: Audience) -> Mapping[str, object] | None: ...

    @abstractmethod
    async def _served_policies(self, name: str | None) -> tuple[ServedPolicy, ...]: ...

    @abstractmethod
    async def _search(self, query: DecisionQuery, cursor: str | None) -> DecisionPage: ...

    @abstractmethod
    async def _reviews_now(self, query: ReviewQuery, by: str) -> ReviewsDocument: ...

    @abstractmethod
    async def _review_now(self, decision_id: str, by: str) -> ReviewDocument: ...

    @abstractmethod
    async def _review(self, command: ReviewCommand, by: str) -> ReviewDocument: ...

    @abstractmethod
    async def _rollouts_now(self) -> tuple[RolloutDocument, ...]: ...

    @abstractmethod
    async def _rollout(self, command: RolloutCommand, by: str) -> RolloutDocument: ...

    @abstractmethod
    async def _proposals_now(self) -> tuple[ProposalDocument, ...]: ...

    @abstractmethod
    async def _find_proposal(self, name: str) -> ProposalDocument: ...

    @abstractmethod
    async def _proposal(self, command: ProposalCommand, by: str) -> ProposalDocument: ...


def _check_no_loop(called: str, way: str) -> None:
    """Raise EngineError inside a running event loop: what blocks it may wait for that loop itself, for ever."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return
    raise EngineError(f"{called} would block the event loop that it is called in: write {way}")


def check_asked(request: object, anew: object, deadline_s: float | None) -> None:
    """Raise RequestError for what is no request, and for an option that is none."""
    if not isinstance(request, Request):
        raise RequestError("must be a Request", where="request")
    if not isinstance(anew, bool):
        raise RequestError("must be True or False", where="anew")
    if deadline_s is not None and not (is_number(deadline_s) and 0 < deadline_s < inf):
        raise RequestError("must be a number of seconds above 0", where="deadline_s")


def _check_explained(decision_id: str, locale: object, audience: object) -> None:
    _check_one(decision_id, None)
    if not isinstance(locale, str) or not _LOCALE.fullmatch(locale):
        raise RequestError("must be a locale such as en or pt-BR", where="locale")
    if audience not in get_args(Audience):
        raise RequestError("must be team or applicant", where="audience")


def _check_name(name: object) -> None:
    if not isinstance(name, str) or not _POLICY_NAME.fullmatch(name):
        raise RequestError("must be a policy's name", where="policy")


def _check_proposal_name(name: object) -> None:
    if not isinstance(name, str) or not _PROPOSAL_NAME.fullmatch(name):
        raise RequestError("must be a proposal's name", where="name")


def _query(query: object) -> DecisionQuery:
    if query is None:
        return DecisionQuery()
    if not isinstance(query, DecisionQuery):
        raise RequestError("must be a DecisionQuery", where="query")
    return query


def check_who(by: str) -> None:
    """Raise RequestError where `by` names nobody."""
    try:
        check_by(by)
    except ValueError as error:
        raise RequestError(str(error), where="by") from None


def _command(
    action: str,
    name: str,
    mode: str | None,
    candidate: str | None,
    share: float | None,
    reason: str,
    by: str,
) -> RolloutCommand:
    _check_done(reason, by)
    command = RolloutCommand(action=action, name=name, mode=mode, candidate=candidate, share=share, reason=reason)
    return _as_said(command, "rollout")


def _proposal(
    action: str,
    name: str | None,
    seen: int | None,
    text: str | None,
    lists: Mapping[str, str] | None,
    tests: Mapping[str, str] | None,
    how: str | None,
    share: float | None,
    reason: str,
    by: str,
) -> ProposalCommand:
    _check_done(reason, by)
    command = ProposalCommand(
        action=action,
        name=name,
        seen=seen,
        text=text,
        lists=lists or {},
        tests=tests or {},
        how=how,
        share=share,
        reason=reason,
    )
    return _as_said(command, "proposal")


def _check_done(reason: str, by: str) -> None:
    """Raise RequestError where it cannot be recorded who did something, and why."""
    check_who(by)
    try:
        check_reason(reason)
    except ValueError as error:
        raise RequestError(str(error), where="reason") from None


def _as_said(command: _Command, where: str) -> _Command:
    """Return a command whose members are of their types. Raises RequestError."""
    try:
        return msgspec.convert(msgspec.to_builtins(command), type(command))
    except (TypeError, msgspec.ValidationError) as error:
        raise RequestError(str(error).lower(), where=where) from None


def _review_query(query: object, by: str) -> ReviewQuery:
    check_who(by)
    if query is None:
        return ReviewQuery()
    if not isinstance(query, ReviewQuery):
        raise RequestError("must be a ReviewQuery", where="query")
    return query


def _check_review(decision_id: str, by: str) -> None:
    check_who(by)
    _check_one(decision_id, None)


def _review_command(
    action: str, decision_id: str, outcome: str | None, reason: str, note: str, by: str
) -> ReviewCommand:
    _check_review(decision_id, by)
    try:
        check_reason(note)
    except ValueError:
        raise RequestError("must be a text of at most 1000 characters", where="note") from None
    command = ReviewCommand(action=action, decision_id=decision_id, outcome=outcome, reason=reason, note=note)
    try:
        return msgspec.convert(msgspec.to_builtins(command), ReviewCommand)
    except (TypeError, msgspec.ValidationError) as error:
        raise RequestError(str(error).lower(), where="review") from None


def _label(
    decision_id: str, merchant_biz_id: str, label: str, source: str, found_on: date | None, note: str, by: str
) -> LabelBody:
    check_merchant_biz_id(merchant_biz_id)
    try:
        return label_body(decision_id, merchant_biz_id, label, source=source, by=by, found_on=found_on, note=note)
    except ValueError as error:
        raise RequestError(str(error), where="label") from None


def _check_erasure(merchant_biz_id: str, reason: str, by: str) -> None:
    check_merchant_biz_id(merchant_biz_id)
    check_who(by)
    try:
        check_reason(reason)
    except ValueError as error:
        raise RequestError(str(error), where="reason") from None


def _check_one(decision_id: str | None, merchant_biz_id: str | None) -> None:
    if (decision_id is None) == (merchant_biz_id is None):
        raise RequestError("give a decision_id or a merchant_biz_id", where="find")
    if decision_id is None:
        check_merchant_biz_id(merchant_biz_id)
        return
    try:
        check_decision_id(decision_id)
    except ValueError as error:
        raise RequestError(str(error), where="decision_id") from None
