"""Many decisions in one request: a line for each, in and out, while both are on their way."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing

import msgspec
from starlette.requests import ClientDisconnect
from starlette.responses import Response

from adjudge.decision.many import in_order
from adjudge.documents.batch import BatchLine
from adjudge.documents.decisions import decision_document
from adjudge.documents.forms import RequestDocument
from adjudge.documents.problems import FAULT, Problem, problem
from adjudge.errors import Overloaded, RateLimited, RequestError
from adjudge.events import Events, bound
from adjudge.model import Decision, Request, check_merchant_biz_id
from adjudge.service.answers import NDJSON, NOT_LET_IN, encoded
from adjudge.service.asked import Asked, request_id_of
from adjudge.service.failures import problem_from
from adjudge.service.reading import DEADLINE, read_request
from adjudge.service.route import Route, parameter
from adjudge.service.streams import Streamed, lines_of

LINE_MAX_BYTES = 8 * 1024 * 1024
"""Of one request: a face of 6 MB. A larger one is sent by itself."""
HELD_MAX_BYTES = 16 * 1024 * 1024
"""Of the lines that one batch has under way; it reads on when some are answered."""
AT_ONCE = 32
"""Requests of one batch that are decided at a time."""
PAUSES = 60
"""How often a line that finds the engine full waits and tries again."""
PAUSE_MAX_S = 1.0

_events = Events("adjudge.service")
_Line = tuple[int, bytes | None]


class _Named(msgspec.Struct):
    merchant_biz_id: str


_named = msgspec.json.Decoder(_Named).decode


async def decide_batch(asked: Asked) -> Response:
    """Decide the request on each line of the body, and answer with a line for each, in the same order."""
    anew, deadline_s = asked.flag("anew"), asked.deadline_s()
    asked.check_type(NDJSON)
    asked.held.keep()
    return Streamed(_answers(asked, anew, deadline_s), NDJSON, then=asked.held.release)


async def _answers(asked: Asked, anew: bool, deadline_s: float | None) -> AsyncGenerator[bytes]:
    read = 0

    async def lines() -> AsyncIterator[_Line]:
        nonlocal read
        within_s = asked.shared.admission.body_within_s
        async with aclosing(lines_of(asked.request, asked.held, max_bytes=LINE_MAX_BYTES, within_s=within_s)) as found:
            async for line in found:
                if line is not None and not line.strip():
                    read += 1
                    asked.held.give(len(line) + 1)
                    continue
                if read:  # the request itself has been let in
                    await _let_in(asked)
                read += 1
                yield read, line
                while asked.held.taken > HELD_MAX_BYTES and answered.under_way:
                    await answered.wait()

    answered = _Room()

    async def answer(one: _Line) -> bytes:
        with bound(request_id=request_id, caller=asked.caller.name):
            answered.under_way += 1
            try:
                return await _answer(asked, one, anew, deadline_s)
            finally:
                if one[1] is not None:
                    asked.held.give(len(one[1]) + 1)
                answered.leave()

    request_id = request_id_of(asked.request)
    try:
        async with aclosing(in_order(lines(), answer, at_once=AT_ONCE)) as found:
            async for line in found:
                yield line
    except ClientDisconnect:
        pass  # nobody reads on
    except Exception as error:
        said = _told(error)
        if said.code in NOT_LET_IN:
            asked.shared.gate.refused(asked.request, said.code, error)
        yield _encoded(BatchLine(line=read + 1, problem=said, ended=True))


class _Room:
    """How many lines are under way, and a way to wait until there are fewer."""

    def __init__(self) -> None:
        self.under_way, self._left = 0, asyncio.Event()

    def leave(self) -> None:
        self.under_way -= 1
        self._left.set()

    async def wait(self) -> None:
        self._left.clear()
        await self._left.wait()


async def _let_in(asked: Asked) -> None:
    """Count a line as a request of its caller, whose key has to be good still; wait where that is too often."""
    while True:
        try:
            await asked.shared.gate.admit(asked.request, "decide")
            return
        except RateLimited as error:
            await asyncio.sleep(error.retry_after_s)


async def _answer(asked: Asked, one: _Line, anew: bool, deadline_s: float | None) -> bytes:
    number, line = one
    if line is None:
        said = problem("body-too-large", f"the line is longer than {LINE_MAX_BYTES:,} bytes: send it by itself")
        return _encoded(BatchLine(line=number, problem=said))
    try:
        request = await read_request(asked.shared.readers, line)
        decision = await _decided(asked, request, anew, deadline_s)
    except Exception as error:
        return _encoded(BatchLine(line=number, merchant_biz_id=_id_in(line), problem=_told(error)))
    said_of = {"line": number, "merchant_biz_id": decision.merchant_biz_id, "decision": decision_document(decision)}
    return encoded(said_of) + b"\n"


async def _decided(asked: Asked, request: Request, anew: bool, deadline_s: float | None) -> Decision:
    """Decide; where the engine is full, wait for the others."""
    for left in reversed(range(PAUSES)):
        try:
            return await asked.shared.engine.decide(request, anew=anew, deadline_s=deadline_s)
        except Overloaded as error:
            if not left:
                raise
            await asyncio.sleep(min(error.retry_after_s, PAUSE_MAX_S))
    raise AssertionError("the last try returns or raises")


def _told(error: Exception) -> Problem:
    said = problem_from(error)
    if said.code == FAULT:
        _events.exception("request_failed")
    return said


def _id_in(line: bytes) -> str | None:
    """Return the MerchantBizId of a request that was refused, where it says one."""
    try:
        found = _named(line).merchant_biz_id
        check_merchant_biz_id(found)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError, RequestError):
        return None
    return found


def _encoded(line: BatchLine) -> bytes:
    return encoded(line) + b"\n"


ROUTES = (
    Route(
        method="POST",
        path="/v1/decisions:batch",
        answer=decide_batch,
        scope="decide",
        summary="Decide the request on each line, and answer with a line for each",
        parameters=(
            parameter("anew", bool, "Whether to decide again although there are answers, which are superseded then."),
            DEADLINE,
        ),
        takes={NDJSON: RequestDocument},
        gives={200: {NDJSON: BatchLine}},
    ),
)
