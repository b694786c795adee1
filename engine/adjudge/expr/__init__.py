"""The condition language: a typed profile of CEL with unknown as a value."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from adjudge.expr.standalone import evaluate

__all__ = ["evaluate"]


def __getattr__(name: str) -> object:
    """Import `evaluate` when it is first used: whoever decides by a policy has no need of it."""
    if name != "evaluate":
        raise AttributeError(f"module `adjudge.expr` has no attribute `{name}`")
    from adjudge.expr.standalone import evaluate

    return evaluate
