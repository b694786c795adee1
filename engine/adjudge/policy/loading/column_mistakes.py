"""What is wrong with every cell of a table's column is one mistake, told at the first of them."""

from __future__ import annotations

from adjudge.errors import PolicyError
from adjudge.patterns import late
from adjudge.policy.loading.reader import Reader

_LINES_SHOWN = 3
_QUOTED = late(r"`[^`]*`")


class ColumnMistakes:
    """Gathers what is wrong with the cells of one table, by column."""

    def __init__(self, reader: Reader) -> None:
        self.reader = reader
        self.alike: dict[tuple[str, str, str], list[PolicyError]] = {}

    def note(self, column: str, since: int) -> None:
        """Take what was blamed since there were so many errors as of one column."""
        for error in self.reader.errors[since:]:
            kind = _QUOTED.sub("", error.message) + (error.hint or "" if column == "then" else "")
            self.alike.setdefault((column, error.code, kind), []).append(error)

    def tell_once(self) -> None:
        """Keep the first of several that are alike, with the lines of the others, and the edits of all."""
        gone: set[int] = set()
        for first, *others in self.alike.values():
            if others:
                said = ", ".join(str(one.line) for one in others[:_LINES_SHOWN])
                said += ", …" if len(others) > _LINES_SHOWN else ""
                more = f"the same goes for line{'s' if len(others) > 1 else ''} {said}"
                first.hint = f"{first.hint}; {more}" if first.hint else more
                first.fix = tuple(edit for one in (first, *others) for edit in one.fix) if first.fix else ()
                gone |= set(map(id, others))
        if gone:
            self.reader.errors[:] = [error for error in self.reader.errors if id(error) not in gone]
