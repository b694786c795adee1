"""What is written into a log when other policies are to answer: who wanted it, why, and what became of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

import msgspec

from adjudge.plugin import NamedBody

POLICIES = "policies"
"""The name of these records: the newest says which policies are to answer."""
MESSAGES_MAX = 20
MESSAGE_MAX_CHARS = 1000


class BundleBody(msgspec.Struct, frozen=True, omit_defaults=True):
    """A bundle that policies came in. counter: never goes back. sha256: of its manifest. key: that signed it, by id.

    fresh_until: when another one should have come, if it says so.
    """

    counter: int
    sha256: str
    key: str
    made_at: datetime
    fresh_until: datetime | None = None


class ActivationBody(NamedBody, frozen=True, omit_defaults=True):
    """That other policies were to answer, and whether they do.

    by: who wanted it: a person, a key's name, or `engine` where the engine noticed itself. reason: such as `changed`.
    before, after: digests of the policies by their names; `after` of those that were refused is empty where they could
    not be loaded. messages: why they were refused. bundles: by name, the newest that was ever accepted; it stands in
    every later record, so that none before it is accepted again.
    """

    at: datetime
    by: str
    accepted: bool
    reason: str
    before: Mapping[str, str] = {}
    after: Mapping[str, str] = {}
    messages: tuple[str, ...] = ()
    routes: tuple[str, ...] = ()
    bundles: Mapping[str, BundleBody] = {}

    def says_more_than(self, other: ActivationBody | None) -> bool:
        """Whether it tells anything that another record does not, whenever either was written, and by whom."""
        return other is None or self._said != other._said

    @property
    def _said(self) -> tuple[object, ...]:
        return self.accepted, self.after, self.messages, self.routes, self.bundles


def messages_of(said: Sequence[str]) -> tuple[str, ...]:
    """Return as much of what is wrong as a record has room for."""
    more = (f"and {len(said) - MESSAGES_MAX} more",) if len(said) > MESSAGES_MAX else ()
    return (*(one[:MESSAGE_MAX_CHARS] for one in said[:MESSAGES_MAX]), *more)
