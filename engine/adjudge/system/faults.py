"""Whose fault it is that something came out of a plugin's code.

Whatever a plugin raises is that plugin's fault, SystemExit and its like included: they would end the event loop or the
process, and with it everybody else's work. What is not its fault is an operator who ends the program, and a task that
was cancelled.
"""

from __future__ import annotations

import signal
import threading


def is_operators(error: BaseException) -> bool:
    """Whether what came out of a plugin is an operator's Ctrl-C, and not the plugin's fault, whatever else it is.

    Python raises KeyboardInterrupt in the main thread, in what happens to run there, unless a program, such as
    `asyncio.run`, handles the signal.
    """
    return (
        isinstance(error, KeyboardInterrupt)
        and threading.current_thread() is threading.main_thread()
        and signal.getsignal(signal.SIGINT) is signal.default_int_handler
    )


def is_cancelled() -> bool:
    """Whether the running task was cancelled from outside, which is nobody's fault; a plugin may also pretend it."""
    import asyncio  # it is there: a task is running

    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0


def said_of(error: BaseException) -> str:
    """Return the type and text of an error; the text may be a plugin's, which can raise in its turn."""
    try:
        text = str(error)
    except BaseException as other:
        text = f"(its text raises {type(other).__name__})"
    return f"{type(error).__name__}: {text}" if text else type(error).__name__
