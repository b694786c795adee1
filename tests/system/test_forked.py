"""Work in another process: what it returns and what it raises comes back, and so does word of its death."""

from __future__ import annotations

import os
import signal
from functools import partial

import pytest

from adjudge.errors import DataError
from adjudge.system.forked import CAN_FORK, Forked

pytestmark = pytest.mark.skipif(not CAN_FORK, reason="the system cannot fork")


def fail(error: BaseException) -> None:
    raise error


def test_what_it_returns_comes_back_from_another_process() -> None:
    several = [Forked(os.getpid) for _ in range(3)]
    assert len({os.getpid(), *(one.result() for one in several)}) == 4


def test_what_it_raises_comes_back_whole() -> None:
    with pytest.raises(DataError, match="in there") as told:
        Forked(partial(fail, DataError("in there", "look"))).result()
    assert told.value.hint == "look"
    with pytest.raises(KeyboardInterrupt):
        Forked(partial(fail, KeyboardInterrupt())).result()


def test_one_that_dies_is_told() -> None:
    with pytest.raises(ChildProcessError, match="died with status -9"):
        Forked(lambda: os.kill(os.getpid(), signal.SIGKILL)).result()


def test_one_that_nobody_asks_any_more_ends() -> None:
    begun = Forked(lambda: "x" * 10_000_000)  # more than a pipe holds
    begun.join()
    assert begun._process.exitcode == 0
