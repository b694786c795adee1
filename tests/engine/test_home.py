"""An engine's life: whoever calls is answered, whatever becomes of the loop, the process or the plugins around it."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import textwrap
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from engines import device, engine, face, request
from structlog.testing import capture_logs

from adjudge.audit.trail import AuditTrail
from adjudge.decision import home as home_module
from adjudge.engine import Engine
from adjudge.errors import AdjudgeError, AuditUnavailable, EngineError
from adjudge.ledger.memory import MemoryLedger
from adjudge.model import Outcome
from adjudge.plugin import Claim, LogRecord, Position

needs_fork = pytest.mark.skipif(not hasattr(os, "fork"), reason="the system cannot fork")


def run(program: str, at: Path, *options: str) -> subprocess.CompletedProcess[str]:
    """Run a program beside the tests' own helpers. at: where its log is to be."""
    head = f"import sys\nsys.path.insert(0, {str(Path(__file__).parent)!r})\nfrom pathlib import Path\n"
    head += f"from engines import *\nAT = Path({str(at)!r})\n"
    command = [sys.executable, *options, "-c", head + textwrap.dedent(program)]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)


FORKED = """
import asyncio, os
from adjudge.errors import AdjudgeError
def tell(name, work):
    try:
        work()
    except AdjudgeError as error:
        print(name, error.code, "fork first" in str(error))
    else:
        print(name, "answered")
door = engine(at=AT)
OPEN
sys.stdout.flush()
if (child := os.fork()) == 0:
    for name, work in {
        "decide_sync": lambda: door.decide_sync(request()),
        "decide": lambda: asyncio.run(door.decide(request())),
        "label": lambda: asyncio.run(door.label("0" * 32, "0" * 32, "fraud", source="me")),
        "erase": lambda: asyncio.run(door.erase("0" * 32)),
        "usage": lambda: door.usage(),
        "readers": lambda: door.readers(),
        "in_flight": lambda: door.in_flight,
        "open": lambda: door.__enter__(),
        "open on a loop": lambda: asyncio.run(door.__aenter__()),
    }.items():
        tell(name, work)
    CLOSE
    sys.stdout.flush()
    HOW
print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
with door:
    print(door.decide_sync(request(1)).status)
"""


@needs_fork
@pytest.mark.parametrize(
    "close", ["pass", "door.__exit__(None, None, None)", "asyncio.run(door.__aexit__(None, None, None))"]
)
@pytest.mark.parametrize("how", ["os._exit(7)", "sys.exit(7)"])
def test_forked_engine_says_so_at_once_in_every_method_and_the_parents_lives_on(
    close: str, how: str, tmp_path: Path
) -> None:
    """Not opened, so that its `with` comes after; the log is open all the same."""
    program = FORKED.replace("OPEN", "").replace("CLOSE", close).replace("HOW", how)
    ended = run(program, tmp_path, "-W", "ignore")
    said = ended.stdout.splitlines()
    assert said[:9] == [
        f"{name} engine True"
        for name in (
            "decide_sync",
            "decide",
            "label",
            "erase",
            "usage",
            "readers",
            "in_flight",
            "open",
            "open on a loop",
        )
    ], ended.stderr
    assert said[9:] == ["7", "fresh"]
    assert run("from adjudge.audit.verify import verify\nprint(verify(AT).is_good)", tmp_path).stdout == "True\n"


@needs_fork
def test_forked_open_engine_is_closed_by_its_parent_alone(tmp_path: Path) -> None:
    ended = run(
        """
        import os
        with engine(at=AT) as door:
            door.decide_sync(request())
            if (child := os.fork()) == 0:
                try:
                    door.decide_sync(request(1))
                except RuntimeError as error:
                    print(type(error).__name__)
                sys.exit(0)  # through the `with`, which closes nothing here
            os.waitpid(child, 0)
            print(door.decide_sync(request(2)).status, flush=True)
        from adjudge.audit.verify import verify
        print(verify(AT).is_good, [body.merchant_biz_id[-1] for body in recorded(AT)])
        """,
        tmp_path, "-W", "ignore",
    )  # fmt: skip
    assert ended.stdout.splitlines() == ["EngineError", "fresh", "True ['0', '2']"], ended.stderr


@needs_fork
def test_forked_process_puts_an_engine_of_its_own_together(tmp_path: Path) -> None:
    """Also where the parent's calls were under way: their places and locks are not the child's."""
    ended = run(
        """
        import os, threading
        from adjudge.plugin import Limits
        entered, go_on = threading.Event(), threading.Event()
        def waits(context):
            entered.set()
            go_on.wait(60)
            return {"score": 0.1}
        asked = [face(waits, limits=Limits(in_flight=1)), device()]
        with engine(asked, at=AT / "parent") as door:
            caller = threading.Thread(target=door.decide_sync, args=(request(),))
            caller.start()
            entered.wait(60)
            sys.stdout.flush()
            if (child := os.fork()) == 0:
                go_on.set()
                with engine(asked, at=AT / "child") as own:
                    print(own.decide_sync(request(1)).outcome, flush=True)
                os._exit(0)
            os.waitpid(child, 0)
            go_on.set()
            caller.join()
        """,
        tmp_path, "-W", "ignore",
    )  # fmt: skip
    assert ended.stdout == "pass\n", ended.stderr


@pytest.mark.parametrize(
    "program",
    [
        "door = engine(at=AT); door.__enter__(); print(door.decide_sync(request()).status)",
        "door = engine(at=AT); door.__enter__(); print(door.decide_sync(request()).status); raise SystemExit(0)",
        """
        async def main():
            global door
            door = await engine(at=AT).__aenter__()
            print((await door.decide(request())).status)
        import asyncio
        asyncio.run(main())
        """,
    ],
)
def test_engine_that_nobody_closes_is_closed_when_the_process_ends(program: str, tmp_path: Path) -> None:
    ended = run(program, tmp_path, "-W", "error")
    assert (ended.returncode, ended.stdout, ended.stderr) == (0, "fresh\n", "")
    shown = run(
        "from adjudge.audit.read import read\nprint([record.kind for record in read(AT)])\n"
        "from adjudge.audit.verify import verify\nprint(verify(AT).is_good)",
        tmp_path,
    )
    assert shown.stdout.splitlines() == ["['policy', 'call', 'call', 'decision', 'checkpoint']", "True"]


def test_engine_whose_loop_has_ended_says_so_to_every_caller() -> None:
    door = engine()
    asyncio.run(door.__aenter__())
    calls: list[Callable[[], object]] = [
        lambda: door.decide_sync(request()),
        lambda: asyncio.run(door.decide(request())),
        lambda: asyncio.run(door.erase("0" * 32)),
    ]
    for call in calls:
        with pytest.raises(EngineError, match="the event loop that the engine was opened on has ended"):
            call()
    door.__exit__(None, None, None)
    with pytest.raises(EngineError, match="the engine is closed"):
        door.decide_sync(request())


@pytest.mark.parametrize("how", ["cancelled", "stopped"])
@pytest.mark.parametrize("caller", ["thread", "loop"])
def test_engine_whose_loop_ends_under_its_callers_answers_them(
    how: str, caller: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where its tasks are cancelled, as at the end of `asyncio.run`, and where it just stops."""
    monkeypatch.setattr(home_module, "LOOK_EVERY_S", 0.01)
    asked = threading.Event()
    answers: list[object] = []

    async def never(context: object) -> Any:
        asked.set()
        await asyncio.Event().wait()

    def call() -> None:
        try:
            answers.append(door.decide_sync(request()) if caller == "thread" else asyncio.run(door.decide(request())))
        except BaseException as error:
            answers.append(error)

    door, loop = engine([face(never), device()]), asyncio.new_event_loop()
    loop.run_until_complete(door.__aenter__())
    thread = threading.Thread(target=call)

    async def wait() -> None:
        thread.start()
        await loop.run_in_executor(None, asked.wait, 60)
        if how == "cancelled":
            await cancel_all()

    async def cancel_all() -> None:
        tasks = asyncio.all_tasks() - {asyncio.current_task()}
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def end() -> None:
        await cancel_all()
        await door.__aexit__(None, None, None)

    loop.run_until_complete(wait())
    thread.join(60)
    (answer,) = answers
    assert isinstance(answer, EngineError) and "has ended" in str(answer)
    with capture_logs():
        loop.run_until_complete(end())
    loop.run_until_complete(loop.shutdown_default_executor())
    loop.close()


@pytest.mark.parametrize("how", ["cancelled", "stopped"])
@pytest.mark.parametrize("closer", ["thread", "loop"])
def test_engine_whose_loop_ends_while_it_is_closed_elsewhere_is_closed(
    how: str, closer: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who closes it waits for no loop that does not run, and its log is free."""
    monkeypatch.setattr(home_module, "LOOK_EVERY_S", 0.01)
    begun, ended = threading.Event(), threading.Event()

    async def never(context: object) -> Any:
        await asyncio.Event().wait()

    def close() -> None:
        door.close() if closer == "thread" else asyncio.run(door.aclose())
        ended.set()

    door, loop = engine([face(never), device()], at=tmp_path), asyncio.new_event_loop()
    closing = door._home._closing

    async def closes() -> None:
        begun.set()
        await closing()

    monkeypatch.setattr(door._home, "_closing", closes)

    async def main() -> None:
        await door.__aenter__()
        deciding = asyncio.ensure_future(door.decide(request()))
        await asyncio.sleep(0.01)
        threading.Thread(target=close, daemon=True).start()
        await loop.run_in_executor(None, begun.wait, 60)
        if how == "cancelled":
            for task in asyncio.all_tasks() - {asyncio.current_task(), deciding}:
                task.cancel()
            await asyncio.sleep(0)

    with capture_logs():
        loop.run_until_complete(main())
        assert ended.wait(60)
        AuditTrail.open(tmp_path).close()
        tasks = asyncio.all_tasks(loop)
        for task in tasks:
            task.cancel()
        loop.run_until_complete(asyncio.gather(*tasks, return_exceptions=True))
    loop.run_until_complete(loop.shutdown_default_executor())
    loop.close()


def test_engine_may_be_closed_by_a_signal_that_comes_while_somebody_enters(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its handler runs wherever the main thread is, also while that holds what lets nobody in."""
    look = home_module.Home._look

    def looking(home: home_module.Home, loop: asyncio.AbstractEventLoop) -> None:
        look(home, loop)
        monkeypatch.undo()
        door.close()

    with engine() as door:
        monkeypatch.setattr(home_module.Home, "_look", looking)
        with pytest.raises(EngineError, match="has ended"):
            door.decide_sync(request())


class ForeignLedger:
    """A ledger as a plugin has one, in memory."""

    def __init__(self) -> None:
        self.own = MemoryLedger()

    def __getattr__(self, name: str) -> Any:
        return getattr(self.own, name)


THROWN = [KeyboardInterrupt, SystemExit, GeneratorExit, BaseException, asyncio.CancelledError, StopIteration]


@pytest.mark.parametrize("thrown", THROWN)
@pytest.mark.parametrize("place", ["fetch", "open", "aclose", "reader", "claim", "release", "loop"])
def test_engine_survives_whatever_a_plugin_throws(thrown: type[BaseException], place: str) -> None:
    """Each place fails in its own way, and the next request is decided as if nothing had been."""
    is_failing = True

    def throw(here: str) -> None:
        if is_failing and here == place:
            raise thrown("CANARY")

    class Client:
        async def fetch(self, context: object) -> Any:
            if place == "loop":
                asyncio.get_running_loop().call_soon(throw, "loop")
            throw("fetch")
            return {"score": 0.1}

        async def aclose(self) -> None:
            throw("aclose")

    class Ledger(ForeignLedger):
        async def claim(self, *said: Any, **how: Any) -> Any:
            throw("claim")
            return await self.own.claim(*said, **how)

        async def release(self, claim: Claim) -> None:
            throw("release")
            await self.own.release(claim)

    class Reader:
        def open(self, end: Position) -> None:
            throw("reader")

        def take(self, records: Sequence[LogRecord]) -> None:
            throw("reader")

        def close(self) -> None:
            throw("reader")

    def opened(config: object) -> Client:
        throw("open")
        return Client()

    asked = [face(open=opened), device()]
    with capture_logs() as events:
        with engine(asked, ledger=Ledger(), readers={"mine": Reader()}) as door:
            if place == "claim":
                name = "RuntimeError" if thrown is StopIteration else thrown.__name__  # Python's doing
                said = f"^the ledger `Ledger` cannot be read: {name}$"
                with pytest.raises(AuditUnavailable, match=said):
                    door.decide_sync(request())
            else:
                expected = Outcome.REVIEW if place in ("fetch", "open") else Outcome.PASS
                assert door.decide_sync(request()).outcome is expected
            is_failing = place == "aclose"
            assert door.decide_sync(request(1)).outcome is Outcome.PASS
        with pytest.raises(EngineError, match="is closed"):
            door.decide_sync(request())
    assert "CANARY" not in repr([event for event in events if event["event"] != "loop_interrupted"])


def test_engine_whose_loop_a_plugin_stops_goes_on() -> None:
    def stop(context: object) -> Any:
        asyncio.get_running_loop().stop()
        return {"score": 0.1}

    with engine([face(stop), device()]) as door:
        assert [door.decide_sync(request(n)).outcome for n in range(3)] == ["pass"] * 3


@pytest.mark.parametrize("found", [None, 5, "another's"])
def test_ledger_that_gives_back_something_else_decides_nothing(found: object) -> None:
    with engine() as other:
        decision = other.decide_sync(request(1))

    class Ledger(ForeignLedger):
        async def claim(self, *said: Any, **how: Any) -> Any:
            return decision if found == "another's" else found

    said = "the ledger `Ledger` cannot be read: TypeError"
    with capture_logs() as events, engine(ledger=Ledger()) as door, pytest.raises(AuditUnavailable, match=said):
        door.decide_sync(request())
    assert {event["event"] for event in events} == {"ledger_failed"}


def test_whatever_a_ledger_fails_at_is_said_in_our_words() -> None:
    """Each of its methods in turn; what was recorded is not lost, and the next request is decided."""

    class Ledger(ForeignLedger):
        fails = ""

        def __getattribute__(self, name: str) -> Any:
            if name != "fails" and name == self.fails:

                def fail(*said: object, **how: object) -> Any:
                    raise ConnectionError("postgresql://:CANARY@h")

                return fail
            return super().__getattribute__(name)

    said: list[str] = []
    for failing in ("record", "conclude", "claim", "begin_call", "end_call", "sealed", "erase", "label", "wait"):
        ledger = Ledger()
        with capture_logs() as events, engine(ledger=ledger) as door:
            ledger.fails = failing
            for work in (lambda: door.decide_sync(request()), lambda: asyncio.run(door.erase("0" * 32))):
                try:
                    work()
                except AuditUnavailable as error:
                    said.append(str(error))
            ledger.fails = ""
            assert door.decide_sync(request()).merchant_biz_id == request().merchant_biz_id
        assert "CANARY" not in repr(events)
    assert len(said) >= 4
    assert all(one.endswith("ConnectionError") for one in said)


def test_everything_that_an_engine_raises_of_its_own_is_an_adjudge_error() -> None:
    """One `except AdjudgeError` is enough, and older code that catches RuntimeError or ValueError still does."""
    door = engine()
    calls: list[tuple[Callable[[], object], type[Exception]]] = [
        (lambda: door.decide_sync(request()), RuntimeError),
        (lambda: engine(policies=[]), ValueError),
        (lambda: engine(limits={"nobody": 5}), ValueError),
        (lambda: asyncio.run(door.label("no id", "", "fraud", source="me")), ValueError),
        (lambda: (door.close(), door.__enter__()), RuntimeError),
    ]
    for call, base in calls:
        with pytest.raises(AdjudgeError) as raised:
            call()
        assert isinstance(raised.value, base)


def test_closing_from_another_loop_closes(tmp_path: Path) -> None:
    """Such as a test's fixture whose loop is another one than its test's."""
    before = set(threading.enumerate())
    door: Engine = engine(at=tmp_path)
    door.__enter__()
    assert asyncio.run(door.decide(request())).outcome is Outcome.PASS
    asyncio.run(door.__aexit__(None, None, None))
    with pytest.raises(EngineError, match="is closed"):
        door.decide_sync(request())
    for thread in set(threading.enumerate()) - before:
        thread.join(60)
        assert not thread.is_alive()
    with engine(at=tmp_path) as again:
        assert again.decide_sync(request()).status == "duplicate"
