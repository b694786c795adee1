"""Which records of a log are wanted: the filters of `adjudge audit show`."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, get_args

import click
import msgspec

from adjudge.audit.bodies import DecisionBody, PolicyBody, Reveal
from adjudge.audit.kinds import KINDS
from adjudge.errors import did_you_mean
from adjudge.model import OUTCOMES, DecisionStatus, SignalStatus
from adjudge.plugin import Function
from adjudge.policy.slices import ALL, Slice
from adjudge.replay.decisions import known_of
from adjudge.replay.slices import LogSlice, check_fits

_ANSWERED = (SignalStatus.OK, SignalStatus.SKIPPED)
"""A signal that was skipped was not wanted: nothing hung on it any more."""


@dataclass(slots=True)
class Selection:
    """What is asked for; all of it must hold. Times and kinds are said of every record, all else of decisions alone.

    wanted: which decisions, and between which times; slice: says so of each. unknown: a signal that was wanted and did
    not answer. waived: where doubt was. reveal: of personal values. functions: of plugins.
    """

    wanted: Slice = ALL
    slice: LogSlice | None = None
    reveal: Reveal = lambda commitment: None
    functions: Mapping[str, Function] = field(default_factory=dict)
    kinds: tuple[str, ...] = ()
    outcome: str | None = None
    rule: str | None = None
    policy: str | None = None
    status: str | None = None
    waived: bool = False
    unknown: str | None = None
    _signals: set[str] = field(default_factory=set)
    _policies: set[str] = field(default_factory=set)
    _rules: set[str] = field(default_factory=set)
    _texts: set[str] = field(default_factory=set)
    _bodies: dict[str, PolicyBody] = field(default_factory=dict)

    @property
    def is_all(self) -> bool:
        """Whether everything is wanted."""
        return not self.kinds and self.wanted.is_all and not self._is_of_decisions

    @property
    def _is_of_decisions(self) -> bool:
        return (
            self.waived
            or self.wanted.where is not None
            or any((self.outcome, self.rule, self.policy, self.status, self.unknown))
        )

    def has(self, kind: str, body: msgspec.Struct | None) -> bool:
        """Whether a record is wanted. body: None of a kind that this version does not know."""
        if isinstance(body, DecisionBody):
            self._signals.update(body.signals)
            self._policies.update((body.policy, body.policy_digest))
            self._rules.update(body.verdict.matched, body.verdict.unresolved, body.verdict.waived)
        elif isinstance(body, PolicyBody):
            self._policies.update((body.policy, body.digest))
            self._texts.add(body.text)
            self._bodies[body.digest] = body
            if self.slice is not None:
                self.slice.learn(body)
        if self.kinds and kind not in self.kinds:
            return False
        if self.wanted.has_times and not self.wanted.holds_at(getattr(body, "at", None)):
            return False
        if not self._is_of_decisions:
            return True
        if isinstance(body, PolicyBody) and not any((self.outcome, self.rule, self.status, self.wanted.where)):
            return self.policy is not None and not self.waived and not self.unknown and self._is_policy(
                body.policy, body.digest)  # fmt: skip
        return isinstance(body, DecisionBody) and self._has(body)

    def _has(self, body: DecisionBody) -> bool:
        verdict = body.verdict
        if self.outcome is not None and body.outcome.value != self.outcome:
            return False
        if self.rule is not None and self.rule not in (*verdict.matched, *verdict.unresolved, *verdict.waived):
            return False
        if self.policy is not None and not self._is_policy(body.policy, body.policy_digest):
            return False
        if self.status is not None and body.status != self.status:
            return False
        if self.waived and not verdict.waived:
            return False
        signal = body.signals.get(self.unknown) if self.unknown is not None else None
        if self.unknown is not None and (signal is None or signal.status in _ANSWERED):
            return False
        return self.wanted.where is None or (self.slice is not None and self.slice.takes(body, self.given(body)))

    def given(self, body: DecisionBody) -> Mapping[str, object]:
        """Return what was known to a decision, as far as it is known still."""
        return known_of(body, self.reveal)[0]

    def _is_policy(self, name: str, digest: str) -> bool:
        assert self.policy is not None
        return name == self.policy or (len(self.policy) >= _DIGEST_SHOWN and digest.startswith(self.policy))

    def check(self) -> None:
        """Refuse names that no decision and no policy of the log has, once all were seen.

        Raises click.UsageError; PolicyErrors and DataError for those of the slice.
        """
        check_fits(self.wanted, self._bodies.values(), self.functions)
        if self.unknown is not None and self.unknown not in self._signals:
            _refuse("signal", self.unknown, self._signals)
        if self.policy is not None and not any(self._is_policy(one, one) for one in self._policies):
            _refuse("policy", self.policy, {name for name in self._policies if not _HEX.fullmatch(name)})
        if self.rule is not None and self.rule not in self._rules and not self._is_in_a_policy(self.rule):
            _refuse("rule", self.rule, self._rules)

    def _is_in_a_policy(self, rule: str) -> bool:
        """Whether a recorded policy may have a rule of this name, which then never mattered to a decision."""
        kind, colon, rest = rule.partition(":")  # such as threshold:device.score:review
        words = [re.compile(rf"(?<!\w){re.escape(word)}(?!\w)") for word in (rest.split(":") if colon else [kind])]
        return any(all(word.search(text) for word in words) for text in self._texts)


_DIGEST_SHOWN = 12
_HEX = re.compile("[0-9a-f]{64}")


def _refuse(what: str, name: str, known: set[str]) -> None:
    hint = did_you_mean(name, sorted(known)) or f"it has {', '.join(sorted(known)) or 'none'}"
    raise click.UsageError(f"no decision of this log has the {what} `{name}`; {hint}")


def selection_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options of a selection to a command."""
    options = (
        click.option("--kind", "kinds", multiple=True, type=click.Choice([*KINDS]), help="Records of this kind; may be"
                     " given again."),
        click.option("--outcome", type=click.Choice([one.value for one in OUTCOMES]), help="Decisions with it."),
        click.option("--rule", metavar="ID", help="Decisions in which this rule held, was in doubt, or was waived."),
        click.option("--policy", metavar="NAME", help="Decisions by it, and its own records; or by its digest."),
        click.option("--status", type=click.Choice([one for one in get_args(DecisionStatus) if one != "duplicate"]),
                     help="Decisions that were made anew, or in place of another."),
        click.option("--waived", is_flag=True, help="Decisions in which the policy waived a doubt."),
        click.option("--unknown", metavar="SIGNAL", help="Decisions for which this signal was wanted and did not"
                     " answer."),
    )  # fmt: skip
    for option in reversed(options):
        command = option(command)
    return command
