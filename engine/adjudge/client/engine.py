"""The client of a service, with the methods and the exceptions of the embedded engine.

Opening it connects to nothing: a worker may start before its service, and lives on while that is started anew.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import NoReturn

import msgspec

from adjudge.audit.annotations import NAMED_NOBODY, LabelBody
from adjudge.client.address import read_address
from adjudge.client.credential import Credential, check_way
from adjudge.client.exchange import DEADLINE_MAX_S, Answer, Exchange, Question, trusting
from adjudge.decision.door import Audience, Door, check_asked
from adjudge.decision.home import Home
from adjudge.documents.annotations import encode_erasure, encode_label
from adjudge.documents.decisions import decode_decision, decode_page
from adjudge.documents.policies import decode_policies
from adjudge.documents.problems import NO_DECISION, NO_POLICY, error_of
from adjudge.documents.proposals import ProposalCommand, ProposalDocument, decode_proposal, decode_proposals
from adjudge.documents.queries import encode_query, encode_review_query
from adjudge.documents.requests import encode_request
from adjudge.documents.reviews import (
    ReviewCommand,
    ReviewDocument,
    ReviewQuery,
    ReviewsDocument,
    decode_review,
    decode_reviews,
)
from adjudge.documents.rollouts import RolloutCommand, RolloutDocument, decode_rollout, decode_rollouts
from adjudge.errors import JsonError, ServiceMismatch
from adjudge.model import Decision, DecisionPage, DecisionQuery, Request, ServedPolicy
from adjudge.system.given import check_count, check_kind, check_seconds

ANSWER_WITHIN_S = 60.0
"""Seconds for one call, beyond the deadline that it gives for signals, unless said otherwise."""
CHECKED_WITHIN_S = 60.0
"""Seconds more for a proposal that is checked before it is made."""
CONNECTIONS = 100


class _Erased(msgspec.Struct):
    erased: int


class Engine(Door):
    """Asks a service for decisions, labels and erasures, as the embedded engine makes them.

    Signals of its decisions have no `fields`: what providers said of a person stays with the service.
    """

    def __init__(
        self,
        address: str | Path,
        *,
        key: str | Callable[[], str] | None = None,
        plain_http: bool = False,
        authorities: str | Path | None = None,
        answer_within_s: float = ANSWER_WITHIN_S,
        connections: int = CONNECTIONS,
    ) -> None:
        """Set up a client.

        address: the path of a Unix socket, or `http://HOST:PORT` or `https://HOST`.
        key: of the service; a function gives one for each question, at once, such as a token that is renewed.
        plain_http: whether a key may go to another machine without TLS.
        authorities: a file of certificates, in place of the usual ones, that vouch for the service.
        answer_within_s: seconds for one call in all, beyond the deadline that it gives for signals.
        connections: how many there may be at once; who comes then waits for one within those seconds.
        Raises SetupError.
        """
        check_seconds("answer_within_s", answer_within_s)
        check_count("connections", connections)
        check_kind("plain_http", plain_http, bool, "True or False")
        self._address, self._within_s, self._connections = read_address(address), answer_within_s, connections
        self._credential = Credential(key) if key is not None else None
        if self._credential is not None:
            check_way(self._address, plain_http=plain_http)
        self._tls = trusting(authorities) if authorities is not None else None
        self._exchange: Exchange | None = None
        self._deciding: Counter[str] = Counter()
        self._asking: set[asyncio.Future[None]] = set()
        self._home = Home(self._close, lambda: None)

    @classmethod
    def open(cls, address: str | Path, *, key: str | Callable[[], str] | None = None) -> Engine:
        """Set up a client with what is usual, as `Engine.open` does of a configuration. Raises SetupError."""
        return cls(address, key=key)

    @property
    def in_flight(self) -> int:
        """How many ids are being decided for this client. Raises EngineError where it is closed or was forked."""
        self._home.check_not_over()
        return len(self._deciding)

    async def _begin(self) -> None:
        self._exchange = Exchange(self._address, self._connections, credential=self._credential, tls=self._tls)

    async def _close(self) -> None:
        while self._asking:
            await asyncio.wait(self._asking)
        if self._exchange is not None:
            await self._exchange.aclose()

    async def _decide(self, request: Request, anew: bool, deadline_s: float | None) -> Decision:
        check_asked(request, anew, deadline_s)
        question = Question(
            method="POST",
            path="/v1/decisions",
            query={"anew": "true"} if anew else None,
            body=encode_request(request),
            is_safe=not anew,  # the same MerchantBizId has the same answer
            deadline_s=deadline_s,
        )
        merchant_biz_id = request.merchant_biz_id
        self._deciding[merchant_biz_id] += 1
        try:
            answer = await self._ask(question, self._within_s + min(deadline_s or 0.0, DEADLINE_MAX_S))
        finally:
            self._deciding[merchant_biz_id] -= 1
            if not self._deciding[merchant_biz_id]:
                del self._deciding[merchant_biz_id]
        return self._decision(self._good(answer), merchant_biz_id=merchant_biz_id)

    async def _label(self, body: LabelBody) -> None:
        question = Question(method="POST", path="/v1/labels", body=encode_label(body))
        answer = await self._ask(question, self._within_s)
        self._good(answer)
        if not answer.is_bare:
            self._refuse("does not say that it recorded the label")

    async def _erase(self, merchant_biz_id: str, reason: str, by: str) -> int:
        document = encode_erasure(reason, by)
        question = Question(method="DELETE", path=f"/v1/subjects/{merchant_biz_id}", body=document)
        body = self._good(await self._ask(question, self._within_s))
        try:
            return msgspec.json.decode(body, type=_Erased).erased
        except msgspec.MsgspecError:
            self._refuse("does not say how many values it erased")

    async def _check_ready(self) -> None:
        await self._find("0" * 32, None)  # which no decision has

    async def _find(self, decision_id: str | None, merchant_biz_id: str | None) -> Decision | None:
        if decision_id is not None:
            answer = await self._ask(
                Question(method="GET", path=f"/v1/decisions/{decision_id}", is_safe=True), self._within_s
            )
            if answer.problem is not None and answer.problem.code == NO_DECISION:
                return None
            return self._decision(self._good(answer), decision_id=decision_id)
        query, page = DecisionQuery(merchant_biz_id=merchant_biz_id, limit=1), DecisionPage(next="")
        while not page.decisions and page.next is not None:  # the log may be long
            page = await self._search(query, page.next or None)
        return page.decisions[0] if page.decisions else None

    async def _search(self, query: DecisionQuery, cursor: str | None) -> DecisionPage:
        said = encode_query(query) | ({} if cursor is None else {"cursor": cursor})
        question = Question(method="GET", path="/v1/decisions", query=said, is_safe=True)
        body = self._good(await self._ask(question, self._within_s))
        try:
            page = decode_page(body)
        except JsonError as error:
            self._refuse(f"gave what {error.message}")
        ids = {one.merchant_biz_id for one in page.decisions}
        if len(page.decisions) > query.limit or (query.merchant_biz_id is not None and ids - {query.merchant_biz_id}):
            self._refuse("gave the decisions of another request")
        return page

    async def _explain(self, decision_id: str, locale: str, audience: Audience) -> Mapping[str, object] | None:
        path, query = f"/v1/decisions/{decision_id}/explanation", {"locale": locale, "audience": audience}
        answer = await self._ask(Question(method="GET", path=path, query=query, is_safe=True), self._within_s)
        if answer.problem is not None and answer.problem.code == NO_DECISION:
            return None
        try:
            found = msgspec.json.decode(self._good(answer), type=dict[str, object])
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            self._refuse("gave no explanation")
        if found.get("decision_id") != decision_id:
            self._refuse("explained another decision")
        return found

    async def _served_policies(self, name: str | None) -> tuple[ServedPolicy, ...]:
        path = "/v1/policies" if name is None else f"/v1/policies/{name}"
        answer = await self._ask(Question(method="GET", path=path, is_safe=True), self._within_s)
        if name is not None and answer.problem is not None and answer.problem.code == NO_POLICY:
            return ()
        try:
            return decode_policies(self._good(answer), is_one=name is not None)
        except JsonError as error:
            self._refuse(f"gave what {error.message}")

    async def _reviews_now(self, query: ReviewQuery, by: str) -> ReviewsDocument:
        question = Question(method="GET", path="/v1/reviews", query=encode_review_query(query), is_safe=True)
        answer = await self._ask(question, self._within_s)
        try:
            return decode_reviews(self._good(answer))
        except JsonError as error:
            self._refuse(error.message)

    async def _review_now(self, decision_id: str, by: str) -> ReviewDocument:
        question = Question(method="GET", path=f"/v1/reviews/{decision_id}", is_safe=True)
        return self._reviewed(await self._ask(question, self._within_s), decision_id)

    async def _review(self, command: ReviewCommand, by: str) -> ReviewDocument:
        asked = msgspec.json.encode(msgspec.structs.replace(command, by=None if by == NAMED_NOBODY else by))
        answer = await self._ask(Question(method="POST", path="/v1/reviews", body=asked), self._within_s)
        return self._reviewed(answer, command.decision_id)

    def _reviewed(self, answer: Answer, decision_id: str) -> ReviewDocument:
        try:
            found = decode_review(self._good(answer))
        except JsonError as error:
            self._refuse(error.message)
        if found.decision_id != decision_id:
            self._refuse("gave the review of another decision")
        return found

    async def _rollouts_now(self) -> tuple[RolloutDocument, ...]:
        answer = await self._ask(Question(method="GET", path="/v1/rollouts", is_safe=True), self._within_s)
        try:
            return decode_rollouts(self._good(answer))
        except JsonError as error:
            self._refuse(error.message)

    async def _rollout(self, command: RolloutCommand, by: str) -> RolloutDocument:
        asked = msgspec.json.encode(msgspec.structs.replace(command, by=None if by == NAMED_NOBODY else by))
        answer = await self._ask(Question(method="POST", path="/v1/rollouts", body=asked), self._within_s)
        try:
            return decode_rollout(self._good(answer))
        except JsonError as error:
            self._refuse(error.message)

    async def _proposals_now(self) -> tuple[ProposalDocument, ...]:
        answer = await self._ask(Question(method="GET", path="/v1/proposals", is_safe=True), self._within_s)
        try:
            return decode_proposals(self._good(answer))
        except JsonError as error:
            self._refuse(error.message)

    async def _find_proposal(self, name: str) -> ProposalDocument:
        answer = await self._ask(Question(method="GET", path=f"/v1/proposals/{name}", is_safe=True), self._within_s)
        try:
            return decode_proposal(self._good(answer))
        except JsonError as error:
            self._refuse(error.message)

    async def _proposal(self, command: ProposalCommand, by: str) -> ProposalDocument:
        asked = msgspec.json.encode(msgspec.structs.replace(command, by=None if by == NAMED_NOBODY else by))
        within_s = self._within_s + (CHECKED_WITHIN_S if command.action == "make" else 0.0)
        answer = await self._ask(Question(method="POST", path="/v1/proposals", body=asked), within_s)
        try:
            return decode_proposal(self._good(answer))
        except JsonError as error:
            self._refuse(error.message)

    async def _ask(self, question: Question, within_s: float) -> Answer:
        async with self._asked() as exchange:
            return await exchange.ask(question, within_s=within_s)

    @asynccontextmanager
    async def _asked(self) -> AsyncIterator[Exchange]:
        """Keep the connections open meanwhile."""
        assert self._exchange is not None, "it is open"
        over = asyncio.get_running_loop().create_future()
        self._asking.add(over)
        try:
            yield self._exchange
        finally:
            self._asking.discard(over)
            over.set_result(None)

    def _good(self, answer: Answer) -> bytes:
        """Return what a success says. Raises what the service raised."""
        if answer.problem is not None:
            raise error_of(answer.problem)
        return answer.body

    def _decision(
        self, document: bytes, *, merchant_biz_id: str | None = None, decision_id: str | None = None
    ) -> Decision:
        """Return the decision that was asked for; that of another request is none."""
        try:
            decision = decode_decision(document)
        except JsonError as error:
            self._refuse(f"gave what {error.message}")
        if merchant_biz_id not in (None, decision.merchant_biz_id) or decision_id not in (None, decision.decision_id):
            self._refuse("gave the decision of another request")
        return decision

    def _refuse(self, did: str) -> NoReturn:
        raise ServiceMismatch(f"what is at {self._address.name} is no service of this version: it {did}")
