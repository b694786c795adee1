"""What the linter found: where, what, why it matters, and perhaps the edit that mends it."""

from __future__ import annotations

from typing import Literal

from adjudge.frozen import frozen
from adjudge.source import Edit, Source, Span
from adjudge.texts import lines_of

Severity = Literal["warning", "note"]


@frozen(kw_only=True)
class LintFinding:
    """One thing that loads and is worth a look.

    span: in `source`. fix: edits that change no verdict, or none.
    """

    code: str
    severity: Severity
    message: str
    source: Source
    span: Span
    hint: str | None = None
    fix: tuple[Edit, ...] = ()

    @property
    def place(self) -> tuple[str, int, int]:
        """File, line and column, the latter from 1."""
        part, at = self.source.part(self.span.start)
        return (part.name, *part.place(at))

    def render(self) -> str:
        """Return it as a person reads it, in the form of an error."""
        file, line, column = self.place
        part, _ = self.source.part(self.span.start)
        lines = [f"{file}:{line}:{column}: {self.severity}[{self.code}]: {self.message}"]
        if self.span.end > self.span.start:
            lines += part.excerpt(line, column, self.span.end - self.span.start)
        if self.hint:
            lines.append(f"   hint: {self.hint}")
        return lines_of(lines)

    def data(self) -> dict[str, object]:
        """Return it as JSON has it."""
        file, line, column = self.place
        return {
            "code": self.code,
            "severity": self.severity,
            "message": self.message,
            "file": file,
            "line": line,
            "column": column,
            "hint": self.hint,
        }
