"""What a caller of the service may be allowed."""

from __future__ import annotations

from typing import Literal, get_args

Scope = Literal["decide", "read", "label", "review", "erase", "author", "approve", "admin"]
SCOPES: frozenset[Scope] = frozenset(get_args(Scope))
