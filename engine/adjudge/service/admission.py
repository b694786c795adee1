"""What is let in: so many requests and so many bytes of them at a time, each body in time; the rest is told at once."""

from __future__ import annotations

from collections.abc import Coroutine
from dataclasses import dataclass
from time import monotonic
from typing import Any, cast

from starlette.requests import ClientDisconnect, Request
from starlette.types import Message

from adjudge.documents.problems import Problem, problem
from adjudge.errors import Overloaded
from adjudge.system.eager import within

REQUESTS_MAX = 1000
"""Requests under way at a time; who comes then is told to come again."""
HELD_MAX_BYTES = 512 * 1024 * 1024
"""Of the bodies of all requests under way."""
BODY_WITHIN_S = 30.0
RETRY_AFTER_S = 1.0


class Refused(Exception):
    """A request that is not taken, with the problem to tell."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem.detail)
        self.problem = problem


@dataclass(slots=True)
class Admission:
    """How much is under way, of one service, and for how many requests there was no room."""

    requests_max: int = REQUESTS_MAX
    held_max_bytes: int = HELD_MAX_BYTES
    body_within_s: float = BODY_WITHIN_S
    requests: int = 0
    held_bytes: int = 0
    refused_requests: int = 0
    refused_bytes: int = 0
    refused_connections: int = 0

    def admitted(self) -> Held:
        """Count a request, and return what counts it no more when it is left. Raises Overloaded."""
        if self.requests >= self.requests_max:
            self.refused_requests += 1
            said = f"{self.requests_max} requests are under way, which is all that the service takes at a time"
            raise Overloaded(said, retry_after_s=RETRY_AFTER_S)
        self.requests += 1
        return Held(self)

    def uncounted(self) -> Held:
        """Return what a request holds that is answered however much is under way."""
        return Held(self, is_kept=True)


@dataclass(slots=True)
class Held:
    """What one request holds of the memory for bodies."""

    admission: Admission
    taken: int = 0
    is_kept: bool = False

    def __enter__(self) -> Held:
        return self

    def __exit__(self, *how: object) -> None:
        if not self.is_kept:
            self.release()

    def keep(self) -> None:
        """Stay under way after the route has returned: its answer is made while it is read, and calls `release`."""
        self.is_kept = True

    def release(self) -> None:
        """Be under way no more."""
        self.admission.requests -= 1
        self.give(self.taken)

    async def read(self, request: Request, *, max_bytes: int) -> bytes:
        """Return the body of a request. Raises Refused for one that is too large or too slow, and Overloaded."""
        length = request.headers.get("content-length", "")
        if length.isascii() and length.isdigit():  # what HTTP takes for a length, it has seen to
            self._check(int(length[:20]), max_bytes)
            self.take(int(length))
        pieces, size = [], 0
        end = monotonic() + self.admission.body_within_s
        try:
            while True:
                receiving = cast("Coroutine[Any, Any, Message]", request.receive())  # which every server gives
                message = await within(receiving, end - monotonic())
                if message["type"] == "http.disconnect":
                    raise ClientDisconnect
                piece = message.get("body", b"")
                size += len(piece)
                self._check(size, max_bytes)
                if size > self.taken:
                    self.take(size - self.taken)
                pieces.append(piece)
                if not message.get("more_body", False):
                    break
        except TimeoutError:
            said = f"the body did not come within {self.admission.body_within_s:g} s"
            raise Refused(problem("body-too-slow", said)) from None
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)

    def _check(self, size: int, max_bytes: int) -> None:
        if size > max_bytes:
            said = f"the body is larger than {max_bytes:,} bytes, which is all that is taken here"
            raise Refused(problem("body-too-large", said))

    def give(self, count: int) -> None:
        """Give back so many bytes."""
        self.admission.held_bytes -= count
        self.taken -= count

    def take(self, count: int) -> None:
        """Take so many bytes of the memory for bodies. Raises Overloaded."""
        if self.admission.held_bytes + count > self.admission.held_max_bytes:
            self.admission.refused_bytes += 1
            raise Overloaded(
                "the bodies of other requests take all the memory that there is", retry_after_s=RETRY_AFTER_S
            )
        self.admission.held_bytes += count
        self.taken += count
