"""Who asks: a name for the records, and what they may do."""

from __future__ import annotations

from adjudge.audit.annotations import NAMED_NOBODY
from adjudge.config.scopes import SCOPES, Scope
from adjudge.frozen import frozen
from adjudge.service.access.refusals import Denied


@frozen
class Caller:
    """name: of the key, or the subject of the token, which records have as `by`. scopes: what they are allowed.

    rate: requests a second; None for what is usual.
    """

    name: str
    scopes: frozenset[Scope]
    rate: int | None = None

    def require(self, scope: Scope) -> None:
        """Raise NotAllowed where the caller lacks a scope."""
        if scope not in self.scopes:
            raise Denied(f"this needs the scope `{scope}`", caller=self.name)

    def named(self, other: str | None) -> str:
        """Return who a record says did it: the caller, unless one who may speak for others names somebody else.

        Raises NotAllowed for a caller without the scope `admin`.
        """
        if other is None or other == self.name:
            return self.name
        if "admin" not in self.scopes:
            said = "this needs the scope `admin`: without it, what is done is done `by` the caller"
            raise Denied(said, caller=self.name)
        return other


LOCAL = Caller(NAMED_NOBODY, SCOPES)
"""Whoever gets to a service without keys, which listens where only this machine can ask."""
NOBODY = Caller("", frozenset())
"""Whoever asks what everybody may."""
