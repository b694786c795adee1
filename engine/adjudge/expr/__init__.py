"""The condition language: a typed profile of CEL with unknown as a value."""

from adjudge.expr.standalone import evaluate

__all__ = ["evaluate"]
