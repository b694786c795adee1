"""Conditions without an SQL form: the engine answers them, once for each combination of values that they read.

The combinations are answered before a query asks for them, by several processes where that is worth it; a function in
the database then looks the answers up.
"""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future, ProcessPoolExecutor
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, field
from itertools import islice
from multiprocessing import get_context, parent_process
from time import perf_counter
from typing import TYPE_CHECKING, Any

from adjudge.backtest.large_tables import asked_together, is_together
from adjudge.backtest.layout import from_arrow
from adjudge.backtest.query import Fallback
from adjudge.expr.functions import FUNCTIONS
from adjudge.expr.nodes import Call, walk
from adjudge.policy.asked import answering
from adjudge.policy.policy import Policy
from adjudge.policy.typed import TypedPolicy

if TYPE_CHECKING:
    import pyarrow as pa

REMEMBERED_MAX = 500_000
"""So many combinations of values are remembered with what the engine answered, of each condition."""
BATCH = 1000
"""So many combinations are answered at a time."""
LOOK_S = 0.2
"""So long one process answers before it is known how long the rest would take it."""
WORTH_S = 3.0
"""A pool is begun for so much work: each of its processes takes half a second to begin."""

Bar = Callable[[str, float], AbstractContextManager[Callable[[float], None]]]
"""Shows how far some work is: takes what to call it and how much it is, and is told how much is done."""
Row = Mapping[str, Any]


def _no_bar(label: str, total: float) -> AbstractContextManager[Callable[[float], None]]:
    return nullcontext(lambda done: None)


@dataclass(slots=True)
class Answers:
    """What the engine answered, by condition and combination of values. One database's; it grows.

    jobs: how many processes may answer. bar: shows how far that is, where it takes long.
    """

    jobs: int = 1
    bar: Bar = _no_bar
    _known: dict[str, dict[str, object]] = field(default_factory=dict)
    _asked: dict[str, Callable[[Row], object]] = field(default_factory=dict)
    _ahead: set[tuple[str, str]] = field(default_factory=set)

    def is_new(self, fallback: Fallback) -> bool:
        """Whether nobody has asked yet what this is asked; whoever says so asks."""
        asked = (fallback.name, fallback.argument)
        if asked in self._ahead:
            return False
        self._ahead.add(asked)
        return True

    def function(self, fallback: Fallback, policy: Policy) -> Callable[[Any], Any]:
        """Return a function of columns in a database that answers a condition."""
        import pyarrow as pa

        known = self._known.setdefault(fallback.name, {})
        ask = self._ask(fallback, policy)

        def answer(column: Any) -> Any:  # DuckDB looks annotations up
            answers = []
            for row in column.to_pylist():
                key = repr(row)
                if key in known:
                    answers.append(known[key])
                    continue
                answers.append(ask(row))
                if len(known) < REMEMBERED_MAX:
                    known[key] = answers[-1]
            return pa.array(answers, pa.bool_())

        return answer

    def answer_ahead(self, fallback: Fallback, policy: Policy, name: str, combinations: pa.Table) -> None:
        """Answer a condition for combinations of values. name: what people call it."""
        known, ask = self._known.setdefault(fallback.name, {}), self._ask(fallback, policy)
        batches = iter(combinations.to_batches(max_chunksize=BATCH))
        done, begun, took = 0, perf_counter(), 0.0
        while took < LOOK_S and (batch := next(batches, None)) is not None:
            known.update(_answered(batch, ask))
            done, took = done + batch.num_rows, perf_counter() - begun
        total = combinations.num_rows
        if done == total:
            return
        is_long = took / max(done, 1) * (total - done) > WORTH_S
        with self.bar(f"asking {name} of {total:,} combinations", total) as tell:
            if is_long and self.jobs > 1 and _is_portable(fallback, policy):
                with _pool(self.jobs, fallback, policy) as pool:
                    for answers in _shared_out(pool, batches, 3 * self.jobs):
                        known.update(answers)
                        tell(done := done + len(answers))
                return
            for batch in batches:
                known.update(_answered(batch, ask))
                tell(done := done + batch.num_rows)

    def _ask(self, fallback: Fallback, policy: Policy) -> Callable[[Row], object]:
        if fallback.name not in self._asked:
            self._asked[fallback.name] = _asking(fallback, policy)
        return self._asked[fallback.name]


def _answered(batch: pa.RecordBatch, ask: Callable[[Row], object]) -> dict[str, object]:
    """Return the answers for some combinations, by what `Answers` knows them by."""
    return {repr(row): ask(row) for row in batch.column(0).to_pylist()}


def _asking(fallback: Fallback, policy: Policy) -> Callable[[Row], object]:
    """Return a condition as a function of a row of the database."""
    together = is_together(fallback.node)
    condition = asked_together(policy, fallback.node) if together else answering(policy, fallback.node)
    slots = [(f"s{at}", slot, policy.typed.slots[slot].type) for at, slot in enumerate(fallback.slots)]
    return lambda row: condition({slot: from_arrow(row[part], type_) for part, slot, type_ in slots})


def _is_portable(fallback: Fallback, policy: Policy) -> bool:
    """Whether another process can answer a condition: the functions of plugins stay in this one."""
    nodes = [fallback.node, *policy.typed.variables.values()]
    called = {node.function for node in walk(*nodes) if isinstance(node, Call)}
    return all(policy.functions.get(name) == FUNCTIONS.get(name) for name in called)


# other processes

_condition: Callable[[Row], object] | None = None
"""What another process answers."""


@contextmanager
def _pool(jobs: int, fallback: Fallback, policy: Policy) -> Iterator[ProcessPoolExecutor]:
    """Begin processes that answer a condition; they end with the pool, and with this process."""
    with ProcessPoolExecutor(
        jobs, mp_context=get_context("spawn"), initializer=_begin, initargs=(fallback, policy.typed)
    ) as pool:
        try:
            with _undisturbed():
                for _ in range(jobs):
                    pool.submit(_is_begun)
            yield pool
        except BaseException:
            pool.shutdown(wait=True, cancel_futures=True)
            raise


@contextmanager
def _undisturbed() -> Iterator[None]:
    """Have processes begun that do not hear Ctrl-C: this one does, and ends them."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def _shared_out(
    pool: ProcessPoolExecutor, batches: Iterator[pa.RecordBatch], ahead: int
) -> Iterator[dict[str, object]]:
    """Yield the answers for batches, in order. ahead: how many are given to processes at a time."""
    waiting: list[Future[dict[str, object]]] = []
    while True:
        waiting += [pool.submit(_answer, _packed(batch)) for batch in islice(batches, ahead - len(waiting))]
        if not waiting:
            return
        yield waiting.pop(0).result()


def _packed(batch: pa.RecordBatch) -> bytes:
    """Return a batch as bytes, without the rest of the table that it is cut from."""
    import pyarrow as pa

    with pa.BufferOutputStream() as sink:
        with pa.ipc.new_stream(sink, batch.schema) as writer:
            writer.write_batch(batch)
        return bytes(sink.getvalue())


def _is_begun() -> bool:
    return _condition is not None


def _begin(fallback: Fallback, typed: TypedPolicy) -> None:
    """Prepare another process."""
    global _condition
    threading.Thread(target=_end_with_parent, daemon=True).start()
    _condition = _asking(fallback, Policy(typed))


def _end_with_parent() -> None:
    parent = parent_process()
    assert parent is not None
    parent.join()
    os._exit(1)


def _answer(packed: bytes) -> dict[str, object]:
    import pyarrow as pa

    assert _condition is not None
    answers: dict[str, object] = {}
    for batch in pa.ipc.open_stream(packed):
        answers |= _answered(batch, _condition)
    return answers
