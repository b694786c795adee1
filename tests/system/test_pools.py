"""Pools of threads: bounds, deadlines, and that what hangs holds up its own kind only."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import threading

import pytest

from adjudge.system.pools import NoThread, Pool


def test_pool_returns_and_raises_what_the_work_does() -> None:
    pool = Pool("adjudge-test", 2)

    async def main() -> None:
        assert await pool.run(lambda: threading.current_thread().name, deadline_s=60) == "adjudge-test-1"
        with pytest.raises(ZeroDivisionError):
            await pool.run(lambda: 1 // 0, deadline_s=60)
        with pytest.raises(SystemExit):
            await pool.run(sys.exit, deadline_s=60)
        with pytest.raises(TimeoutError, match="its own"):
            await pool.run(lambda: _raise(TimeoutError("its own")), deadline_s=60)
        assert await pool.run(lambda: 1, deadline_s=60) == 1, "the threads outlive what they raise"

    asyncio.run(main())
    pool.close()


def _raise(error: Exception) -> None:
    raise error


def test_pool_never_has_more_threads_than_its_bound_and_does_everything() -> None:
    pool, seen, gate = Pool("adjudge-test", 3), set[str](), threading.Event()

    def work(n: int) -> int:
        seen.add(threading.current_thread().name)
        gate.wait(60)
        return n

    async def main() -> list[int]:
        tasks = [asyncio.create_task(pool.run(lambda n=n: work(n), deadline_s=60)) for n in range(20)]
        await asyncio.sleep(0)
        gate.set()
        return await asyncio.gather(*tasks)

    assert asyncio.run(main()) == list(range(20))
    assert len(seen) <= 3
    pool.close()


def test_pool_that_hangs_answers_by_the_deadline_and_holds_up_no_other() -> None:
    hung, other, gate = Pool("adjudge-hung", 1), Pool("adjudge-other", 1), threading.Event()
    begun: list[int] = []

    async def main() -> None:
        first = asyncio.create_task(hung.run(gate.wait, deadline_s=60))
        while not hung._started or hung._waiting:
            await asyncio.sleep(0)
        for n in range(5):
            with pytest.raises(TimeoutError, match=r"^adjudge-hung: no answer within 0\.01 s$"):
                await hung.run(lambda n=n: begun.append(n), deadline_s=0.01)
        assert not hung._waiting, "what nobody waits for any more does not pile up"
        assert await other.run(lambda: 1, deadline_s=60) == 1
        gate.set()
        assert await first
        assert await hung.run(lambda: 2, deadline_s=60) == 2

    asyncio.run(main())
    assert begun == [], "what had not begun by its deadline is dropped"
    hung.close()
    other.close()


def test_pool_whose_caller_is_cancelled_drops_the_work() -> None:
    pool, gate, begun = Pool("adjudge-test", 1), threading.Event(), []

    async def main() -> None:
        first = asyncio.create_task(pool.run(gate.wait, deadline_s=60))
        second = asyncio.create_task(pool.run(lambda: begun.append(1), deadline_s=60))
        await asyncio.sleep(0)
        second.cancel()
        with pytest.raises(asyncio.CancelledError):
            await second
        gate.set()
        await first
        await pool.run(lambda: None, deadline_s=60)

    asyncio.run(main())
    assert begun == []
    pool.close()


def test_pool_that_is_closed_ends_its_work_and_takes_no_more() -> None:
    pool, gate = Pool("adjudge-test", 1), threading.Event()
    futures = [pool.submit(gate.wait), pool.submit(lambda: True)]
    threads = [thread for thread in threading.enumerate() if thread.name.startswith("adjudge-test-")]
    pool.close()
    gate.set()
    assert [future.result(60) for future in futures] == [True, True]
    with pytest.raises(RuntimeError, match="adjudge-test: the pool is closed"):
        pool.submit(lambda: 1)
    for thread in threads:
        thread.join(60)
        assert not thread.is_alive()


def test_process_ends_though_a_thread_of_a_pool_hangs() -> None:
    code = (
        "import asyncio, threading\nfrom adjudge.system.pools import Pool\npool = Pool('p', 1)\n"
        "async def main():\n"
        "    try: await pool.run(threading.Event().wait, deadline_s=0.01)\n"
        "    except TimeoutError: print('late')\n"
        "asyncio.run(main())\n"
    )
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=True)
    assert (ended.stdout, ended.stderr) == ("late\n", "")


@pytest.mark.skipif(not hasattr(os, "fork"), reason="the system cannot fork")
def test_pool_works_in_a_process_that_was_forked() -> None:
    code = (
        "import os\nfrom adjudge.system.pools import Pool\npool = Pool('p', 1)\npool.submit(int).result()\n"
        "if (child := os.fork()) == 0:\n    os._exit(0 if pool.submit(lambda: 7).result(60) == 7 else 1)\n"
        "print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))\n"
    )
    command = [sys.executable, "-W", "ignore", "-c", code]
    assert subprocess.run(command, capture_output=True, text=True, timeout=120, check=True).stdout == "0\n"


def test_pool_without_a_thread_says_so_and_one_with_some_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(thread: threading.Thread) -> None:
        raise RuntimeError("can't create new thread at interpreter shutdown")

    pool, other, gate = Pool("adjudge-test", 2), Pool("adjudge-other", 1), threading.Event()
    first = pool.submit(gate.wait)
    monkeypatch.setattr(threading.Thread, "start", refuse)
    second = pool.submit(lambda: 2)  # for which another thread would have been started
    with pytest.raises(NoThread, match="adjudge-other: can't create new thread"):
        other.submit(lambda: 3)
    assert not other._waiting
    gate.set()
    assert (first.result(60), second.result(60)) == (True, 2)
    monkeypatch.undo()
    assert other.submit(lambda: 4).result(60) == 4
    pool.close()
    other.close()
