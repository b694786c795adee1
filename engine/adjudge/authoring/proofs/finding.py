"""What a proof found, for a person and for a program."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Literal

from adjudge.authoring.proofs.world import Input
from adjudge.frozen import frozen
from adjudge.policy.explaining.explanation import shown
from adjudge.policy.policy import Policy
from adjudge.source import Span
from adjudge.texts import lines_of
from adjudge.values.recorded import to_json

Severity = Literal["warning", "note"]


@frozen(kw_only=True)
class Witness:
    """An input that shows a finding, and what the engine says of it. about: a few words, such as `before`."""

    about: str
    input: Input
    outcome: str

    def data(self) -> dict[str, object]:
        """Return it as JSON has it; `given` is what `adjudge eval` and tests take."""
        now = to_json(self.input.now) if self.input.now is not None else None
        return {"about": self.about, "given": to_json(self.input.given), "now": now, "outcome": self.outcome}


@frozen(kw_only=True)
class ProofFinding:
    """One thing that was found.

    spans: in the policy's source; the first is where the finding stands.
    rules: the ids that it is about. field: the field, if it is about one. name: what `adjudge analyse --allow` takes;
    by default the code with the rule or field that it is about.
    """

    code: str
    severity: Severity
    message: str
    spans: tuple[Span, ...]
    rules: tuple[str, ...] = ()
    field: str | None = None
    witnesses: tuple[Witness, ...] = ()
    hint: str | None = None
    name: str = ""
    is_allowed: bool = False

    def __post_init__(self) -> None:
        about = self.rules[0] if self.rules else self.field or "policy"
        object.__setattr__(self, "name", self.name or f"{self.code}:{about}")

    def places(self, policy: Policy) -> list[tuple[str, int, int]]:
        """Return file, line and column of each place."""
        found = []
        for span in self.spans:
            source, at = policy.typed.source.part(span.start)
            found.append((source.name, *source.place(at)))
        return found

    def data(self, policy: Policy) -> dict[str, object]:
        """Return it as JSON has it."""
        (file, line, column), *others = self.places(policy)
        return {
            "code": self.code,
            "name": self.name,
            "allowed": self.is_allowed,
            "severity": self.severity,
            "message": self.message,
            "file": file,
            "line": line,
            "column": column,
            "hint": self.hint,
            "rules": list(self.rules),
            "field": self.field,
            "related": [{"file": f, "line": n, "column": c} for f, n, c in others],
            "witnesses": [witness.data() for witness in self.witnesses],
        }

    def render(self, policy: Policy) -> str:
        """Return it as a person reads it: the sentence, the lines of the policy, the input that shows it."""
        (file, line, column), *_ = self.places(policy)
        allowed = " (allowed)" if self.is_allowed else ""
        lines = [f"{file}:{line}:{column}: {self.severity}[{self.code}]: {self.message}{allowed}"]
        seen = set()
        for span in self.spans:
            source, at = policy.typed.source.part(span.start)
            number, _ = source.place(at)
            if (source.name, number) not in seen:
                seen.add((source.name, number))
                lines.append(f"{number:>5} | {source.line(number)}")
        for witness in self.witnesses:
            lines.append(f"   {witness.about}: {witness.outcome}, given {given_text(witness.input)}")
        if self.hint and not self.is_allowed:
            lines.append(f"   hint: {self.hint}")
        return lines_of(lines)


def given_text(found: Input) -> str:
    """Return an input as one line, as the `given` of a test would have it."""
    parts = list(_fields(found.given))
    if found.now is not None:
        parts.append(f"now: {to_json(found.now)}")
    return ", ".join(parts) or "nothing"


def _fields(given: Mapping[str, Any]) -> Iterator[str]:
    for name, value in given.items():
        yield f"{name}: {_flow(value)}"


def _flow(value: Any) -> str:
    if isinstance(value, Mapping):
        return "{" + ", ".join(_fields(value)) + "}"
    return shown(value) if not isinstance(value, str) else to_text(value)


def to_text(value: str) -> str:
    """Return a text, in quotes where YAML would take it for something else."""
    plain = value.isascii() and value.replace("_", "").replace("-", "").isalnum() and not value[0].isdigit()
    return value if plain and value not in ("true", "false", "null", "unknown") else shown(value)
