"""The first record that is wrong, and how a check says so."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """The first record that is wrong.

    seq: as the record says, or else the one that should stand here.
    what: `edited`, `missing`, `inserted`, `reordered`, `torn`, `not-json`, `wrong-schema`, `too-long`; `empty`;
        of checkpoints `false-checkpoint`, `no-checkpoint`, `unsigned`, `false-signature`, `foreign-key`, `retired-key`,
        `unused-key`; of records after the last signature `false-mac`, `no-mac`, `after-close`, `not-closed`;
        of decisions `same-decision`, `false-supersedes`;
        `unexpected-end` or `forked` where a witness remembers another log.
    """

    file: str
    line: int
    seq: int
    what: str
    message: str


class Wrong(Exception):
    """What is wrong with a record, in words, and the seq that it claims; None where it is the one that belongs here."""

    def __init__(self, what: str, message: str, said: int | None = None) -> None:
        super().__init__(what, message)
        self.what, self.message, self.said = what, message, said

    def problem(self, file: object, line: int, seq: int) -> Problem:
        """Say where it stands."""
        return Problem(file=str(file), line=line, seq=self.said or seq, what=self.what, message=self.message)
