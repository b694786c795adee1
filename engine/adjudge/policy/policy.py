"""A policy as its users hold it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from functools import cached_property
from typing import TYPE_CHECKING

from adjudge.expr.functions import FUNCTIONS, Overload
from adjudge.policy.slots import REQUEST, Slots, read_slots
from adjudge.policy.typed import TypedPolicy
from adjudge.values.fields import Field

if TYPE_CHECKING:
    from adjudge.policy.explaining.explanation import Explanation
    from adjudge.policy.program.program import Evaluate


class Policy:
    """A policy that loaded; immutable, and free to use from many threads and tasks."""

    def __init__(self, typed: TypedPolicy, functions: Mapping[str, tuple[Overload, ...]] = FUNCTIONS) -> None:
        """Hold a typed policy. functions: what its conditions can call, plugins' own included."""
        self.typed = typed
        self.functions = functions

    @property
    def name(self) -> str:
        """The policy's own name."""
        return self.typed.name

    @property
    def digest(self) -> str:
        """Lower-case hex SHA-256 over the text and its lists."""
        return self.typed.digest

    @cached_property
    def evaluate(self) -> Evaluate:
        """Return the verdict on what is known: `policy.evaluate(given, now=None)`. Compiled when first used.

        given: inputs by name, and each signal as a mapping of its fields; what is None or not there is unknown, but for
        a field whose `absent` says what it means to be left out of an object that came. So is a value outside its
        declared type, range or vocabulary, which `verdict.problems` then names.
        now: the decision's clock, aware; unknown unless given.
        """
        from adjudge.policy.program.program import compile_policy

        return compile_policy(self.typed, self.functions)

    def read(self, given: Mapping[str, object], *, now: datetime | None = None) -> Slots:
        """Return every slot's value as the policy understands it, None where unknown, and what was refused."""
        signals = {name: signal.fields for name, signal in self.typed.signals.items()}
        return read_slots(self.typed.inputs, signals, given, now)

    def as_taken(self, given: Mapping[str, object]) -> Mapping[str, object]:
        """Return values that were taken, from a log as well, as `evaluate` takes them: none of them is left out.

        What stands under REQUEST are parts of the request itself; those that the policy reads are inputs of it.
        What a field meant that a source left out stands among them; where it does not, as in decisions of a policy that
        did not say so yet, the field is unknown.
        """
        if REQUEST in given and isinstance(parts := given[REQUEST], Mapping):
            read = {name: value for name, value in parts.items() if name in self.typed.of_request}
            given = {**{name: value for name, value in given.items() if name != REQUEST}, **read}
        inputs, signals = self.may_lack
        if not inputs and not signals:
            return given
        parts = {name: part for name, part in given.items() if name in signals and isinstance(part, Mapping)}
        filled = {name: {**dict.fromkeys(signals[name]), **part} for name, part in parts.items()}
        return {**dict.fromkeys(inputs), **given, **filled}

    @cached_property
    def may_lack(self) -> tuple[Mapping[str, Field], Mapping[str, Mapping[str, Field]]]:
        """The inputs of which it is declared what it means that they are left out, and such fields of each signal."""
        parts = {name: _may_lack(signal.fields) for name, signal in self.typed.signals.items()}
        return _may_lack(self.typed.inputs), {name: fields for name, fields in parts.items() if fields}

    def explain(
        self,
        given: Mapping[str, object],
        *,
        now: datetime | None = None,
        personal: bool = False,
        locale: str = "en",
    ) -> Explanation:
        """Return the verdict with every condition taken apart, and the policy's texts; slow, for people.

        given, now: as `evaluate` takes them. personal: show the values of personal fields, which are hidden otherwise.
        locale: of the texts, such as `pt-BR`; the nearest that the policy has is taken.
        """
        from adjudge.policy.explaining.explain import explain

        verdict, read = self.evaluate(given, now=now), self.read(given, now=now)
        return explain(self.typed, self.functions, verdict, read, personal=personal, locale=locale)

    def __repr__(self) -> str:
        return f"<Policy {self.name} {self.digest[:12]}>"


def _may_lack(fields: Mapping[str, Field]) -> dict[str, Field]:
    return {name: field for name, field in fields.items() if field.left_out is not None}
