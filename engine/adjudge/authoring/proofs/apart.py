"""Proofs in a process of their own, which can be ended: a solver does not always come back in time, or with the memory.

The process gets policies and numbers, and sends what it finds as it finds it. It ends with its parent.
"""

from __future__ import annotations

import json
import os
import pickle
import subprocess
import sys
import threading
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from importlib import import_module
from io import BytesIO
from pathlib import Path
from typing import IO, Any

import z3

from adjudge.expr.smt.logic import reason
from adjudge.policy.catalogue import Catalogue
from adjudge.policy.policy import Policy
from adjudge.values.types import DYN, NOTHING, SCALARS, Type

STARTING_S = 60.0
"""For the process to start and to read what it is given."""
GRACE_S = 1.0
"""Beyond the time for all questions: for the question that is being asked to give up by itself."""
MEMORY_MAX = 4 << 30
"""Bytes of address space."""
_DEPTH_MAX = 20_000
_SIZE = 8
_READY = "ready"
_CODE = (
    "import sys, json; sys.path[:] = json.loads(sys.argv[1]); from adjudge.authoring.proofs import apart; apart.main()"
)

Work = Callable[..., Iterator[Any]]


class Ended(Exception):
    """Work that did not come to its end, and why. What it found until then counts."""


def apart(work: Work, *policies: Policy, total_s: float, **numbers: Any) -> Iterator[Any]:
    """Yield what `work(*policies, total_s=total_s, **numbers)` yields, in a process that ends soon after `total_s`.

    work: a function of a module. Raises Ended where the process was ended, or failed.
    A policy whose functions cannot be sent, such as one of a plugin that is no module's, is worked on in this process.
    """
    try:
        job = _packed((work.__module__, work.__qualname__, [one.typed for one in policies], total_s, numbers))
    except (pickle.PicklingError, AttributeError, TypeError):
        job = b""
    if not job or not sys.executable:
        yield from here(work, *policies, total_s=total_s, **numbers)
        return
    with _process(job) as (process, limit):
        limit(STARTING_S)
        if _received(process.stdout) != _READY:
            yield from here(work, *policies, total_s=total_s, **numbers)  # it lacks a module that is known here
            return
        limit(max(0.0, total_s) + GRACE_S)
        while True:
            kind, what = _received(process.stdout) or ("ended", None)
            if kind == "found":
                yield what
            elif kind == "done":
                return
            elif isinstance(what, Exception):
                raise what
            else:
                raise Ended(what or ("no time was left" if limit.is_over else "the solver's process broke down"))


def here(work: Work, *policies: Policy, **numbers: Any) -> Iterator[Any]:
    """Yield the same in this process, which nothing ends. Raises Ended where z3 or the memory fails."""
    try:
        yield from work(*policies, **numbers)
    except z3.Z3Exception as error:
        raise Ended(f"the solver failed: {reason(error)}") from None
    except MemoryError:
        raise Ended("no memory was left") from None


class _Limit:
    """Kills a process when its time is over."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self.process = process
        self.is_over = False
        self.timer: threading.Timer | None = None

    def __call__(self, seconds: float) -> None:
        self.stop()
        self.timer = threading.Timer(seconds, self.end)
        self.timer.daemon = True
        self.timer.start()

    def stop(self) -> None:
        if self.timer is not None:
            self.timer.cancel()

    def end(self) -> None:
        self.is_over = True
        self.process.kill()


@contextmanager
def _process(job: bytes) -> Iterator[tuple[subprocess.Popen[bytes], _Limit]]:
    """Start a process and give it a job; it is gone when this is left, whatever happens."""
    command = [sys.executable, "-c", _CODE, json.dumps([path or str(Path.cwd()) for path in sys.path])]
    with subprocess.Popen(  # noqa: S603  # ourselves
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, start_new_session=True
    ) as process:
        limit = _Limit(process)
        try:
            with suppress(BrokenPipeError):
                assert process.stdin is not None
                _send(process.stdin, job)
            yield process, limit
        finally:
            limit.stop()
            process.kill()


class _Pickler(pickle.Pickler):
    """Writes a plain type by its name: whoever reads it gets the one object that stands for it, as `is` asks."""

    def persistent_id(self, value: object) -> str | None:
        return value.name if type(value) is Type else None


class _Unpickler(pickle.Unpickler):
    def persistent_load(self, name: str) -> Type:
        return _TYPES[name]


_TYPES = {**SCALARS, DYN.name: DYN, NOTHING.name: NOTHING}


def _packed(value: object) -> bytes:
    packed = BytesIO()
    _Pickler(packed).dump(value)
    return packed.getvalue()


def _send(to: IO[bytes], data: bytes) -> None:
    to.write(len(data).to_bytes(_SIZE, "big") + data)
    to.flush()


def _received(source: IO[bytes] | None) -> Any:
    """Return the next thing that was sent; None where there is no more."""
    assert source is not None
    head = source.read(_SIZE)
    body = source.read(int.from_bytes(head, "big")) if len(head) == _SIZE else b""
    if len(head) < _SIZE or len(body) < int.from_bytes(head, "big"):
        return None
    return _Unpickler(BytesIO(body)).load()  # from a process that was started here, or its parent


def main() -> None:
    """Do the job that stands on stdin, and send on stdout what it yields."""
    out = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what a plugin prints is no message
    sys.setrecursionlimit(_DEPTH_MAX)
    module, name, typed, total_s, numbers = _received(sys.stdin.buffer)
    work = getattr(import_module(module), name)
    policies = [Policy(one, Catalogue(functions=one.functions).overloads()) for one in typed]
    threading.Thread(target=_end_with_parent, daemon=True).start()
    _bound_memory()
    _send(out, _packed(_READY))
    try:
        for found in here(work, *policies, total_s=total_s, **numbers):
            _send(out, _packed(("found", found)))
        _send(out, _packed(("done", None)))
    except Ended as ended:
        _send(out, _packed(("ended", str(ended))))
    except Exception as error:  # the parent raises it
        error.add_note(traceback.format_exc())
        _send(out, _packed(("raised", error)))


def _end_with_parent() -> None:
    sys.stdin.buffer.read()
    os._exit(1)


def _bound_memory() -> None:
    with suppress(ImportError, ValueError, OSError):
        import resource

        _, hard = resource.getrlimit(resource.RLIMIT_AS)
        most = MEMORY_MAX if hard == resource.RLIM_INFINITY else min(MEMORY_MAX, hard)
        resource.setrlimit(resource.RLIMIT_AS, (most, hard))
