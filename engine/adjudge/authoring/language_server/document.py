"""A document as it stands in the editor: what is wrong with it, and the last state of it that loaded."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from adjudge.authoring.lint.run import lint
from adjudge.authoring.policy_tests.cases import read_tests
from adjudge.errors import PolicyErrors
from adjudge.frozen import frozen
from adjudge.policy.catalogue import Catalogue
from adjudge.policy.loading.folder import is_test_file
from adjudge.policy.loading.load import read_policy
from adjudge.policy.typed import TypedPolicy
from adjudge.source import Edit, Span


@frozen(kw_only=True)
class Problem:
    """One thing to underline. span: in the document's own text. fix: edits that mend it."""

    code: str
    severity: Literal["error", "warning", "note"]
    message: str
    span: Span
    fix: tuple[Edit, ...] = ()


@frozen(kw_only=True)
class Document:
    """What is known of a text. typed: of this text, or else of the last one that loaded; None where none did."""

    path: Path
    text: str
    problems: tuple[Problem, ...]
    typed: TypedPolicy | None

    @property
    def is_test(self) -> bool:
        """Whether it holds tests."""
        return is_test_file(self.path)


def read_text(path: Path, text: str, catalogue: Catalogue, before: Document | None = None) -> Document:
    """Understand a document's text; other files, such as fragments and lists, are read from the disk. Never raises.

    before: what was known of it until now.
    """
    known = before.typed if before is not None else None
    try:
        if is_test_file(path):
            return Document(path=path, text=text, problems=(), typed=read_tests(path, catalogue, text).policy.typed)
        if "\nfragment:" in f"\n{text}":
            return Document(path=path, text=text, problems=(), typed=known)
        typed = read_policy(text, str(path), folder=path.parent, catalogue=catalogue)
    except PolicyErrors as errors:
        problems = [
            Problem(
                code=error.code,
                severity="error",
                message=error.message + (f"\n{error.hint}" if error.hint else ""),
                span=error.span if error.file == str(path) else Span(0, 0),
                fix=error.fix if error.file == str(path) else (),
            )
            for error in errors.errors
        ]
        return Document(path=path, text=text, problems=tuple(problems), typed=known)
    findings = lint(typed)
    return Document(
        path=path,
        text=text,
        problems=tuple(
            Problem(
                code=finding.code,
                severity=finding.severity,
                message=finding.message + (f"\n{finding.hint}" if finding.hint else ""),
                span=finding.span if finding.place[0] == str(path) else Span(0, 0),
                fix=finding.fix,
            )
            for finding in findings
        ),
        typed=typed,
    )
