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
from adjudge.ledger.tags import Tags, recorded_tags, tags_in
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
    not answer. missing: what was unknown and would have been needed. waived: where doubt was; waiver: of what. tag: of
    a rule that matched. reveal: of personal values. functions: of plugins.
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
    reason: str | None = None
    tag: str | None = None
    missing: str | None = None
    waiver: str | None = None
    _signals: set[str] = field(default_factory=set)
    _policies: set[str] = field(default_factory=set)
    _rules: set[str] = field(default_factory=set)
    _texts: set[str] = field(default_factory=set)
    _reasons: set[str] = field(default_factory=set)
    _missing: set[str] = field(default_factory=set)
    _tags: dict[str, Tags] = field(default_factory=dict)
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
            or any((self.outcome, self.policy, self.status, self.unknown, self.missing, self._of_rules))
        )

    @property
    def _of_rules(self) -> bool:
        return any((self.rule, self.reason, self.tag, self.waiver))

    def has(self, kind: str, body: msgspec.Struct | None) -> bool:
        """Whether a record is wanted. body: None of a kind that this version does not know."""
        if isinstance(body, DecisionBody):
            self._signals.update(body.signals)
            self._policies.update((body.policy, body.policy_digest))
            self._rules.update(body.verdict.matched, body.verdict.unresolved, body.verdict.waived)
            self._reasons.update(body.verdict.reasons)
            self._missing.update(body.verdict.missing)
        elif isinstance(body, PolicyBody):
            self._policies.update((body.policy, body.digest))
            self._texts.add(body.text)
            self._bodies[body.digest] = body
            if self.tag is not None:
                self._tags[body.digest] = tags_in(body)
            if self.slice is not None:
                self.slice.learn(body)
        if self.kinds and kind not in self.kinds:
            return False
        if self.wanted.has_times and not self.wanted.holds_at(getattr(body, "at", None)):
            return False
        if not self._is_of_decisions:
            return True
        if isinstance(body, PolicyBody) and not any((self.outcome, self.status, self.wanted.where, self._of_rules)):
            return self.policy is not None and not any((self.waived, self.unknown, self.missing)) and self._is_policy(
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
        if self.reason is not None and self.reason not in verdict.reasons:
            return False
        if self.missing is not None and self.missing not in verdict.missing:
            return False
        if self.waiver is not None and self.waiver not in verdict.waived:
            return False
        if self.tag is not None and not self._has_tag(body, self.tag):
            return False
        signal = body.signals.get(self.unknown) if self.unknown is not None else None
        if self.unknown is not None and (signal is None or signal.status in _ANSWERED):
            return False
        return self.wanted.where is None or (self.slice is not None and self.slice.takes(body, self.given(body)))

    def _has_tag(self, body: DecisionBody, tag: str) -> bool:
        if not body.verdict.matched:
            return False
        if body.policy_digest not in self._tags:
            self._tags[body.policy_digest] = recorded_tags(body.policy_digest, None)
        return not self._tags[body.policy_digest].get(tag, frozenset()).isdisjoint(body.verdict.matched)

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
        for rule in filter(None, (self.rule, self.waiver)):
            if rule not in self._rules and not self._is_in_a_policy(rule):
                _refuse("rule", rule, self._rules)
        if self.reason is not None and self.reason not in self._reasons and not self._is_in_a_policy(self.reason):
            _refuse("reason", self.reason, self._reasons)
        if self.missing is not None and self.missing not in self._missing and not self._is_in_a_policy(self.missing):
            _refuse("field or signal", self.missing, self._missing)
        if self.tag is not None and not any(self.tag in tags for tags in self._tags.values()):
            _refuse("tag", self.tag, {tag for tags in self._tags.values() for tag in tags})

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
        click.option("--tag", metavar="TAG", help="Decisions in which a rule with this tag held."),
        click.option("--reason", metavar="CODE", help="Decisions with this reason."),
        click.option("--policy", metavar="NAME", help="Decisions by it, and its own records; or by its digest."),
        click.option("--status", type=click.Choice([one for one in get_args(DecisionStatus) if one != "duplicate"]),
                     help="Decisions that were made anew, or in place of another."),
        click.option("--waived", is_flag=True, help="Decisions in which the policy waived a doubt."),
        click.option("--waiver", metavar="ID", help="Decisions in which it waived a doubt about this rule."),
        click.option("--missing", metavar="FIELD", help="Decisions that lacked this field or signal, and needed it."),
        click.option("--unknown", metavar="SIGNAL", help="Decisions for which this signal was wanted and did not"
                     " answer."),
    )  # fmt: skip
    for option in reversed(options):
        command = option(command)
    return command
