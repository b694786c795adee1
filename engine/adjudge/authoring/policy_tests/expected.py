"""What a test expects of a verdict, checked against the policy's own names."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import field

from adjudge.errors import did_you_mean
from adjudge.frozen import frozen
from adjudge.model import OUTCOMES, Outcome
from adjudge.policy.loading.forms import Entries
from adjudge.policy.loading.reader import Reader
from adjudge.policy.slots import is_within
from adjudge.policy.text import yaml
from adjudge.policy.text.syntax import shown
from adjudge.policy.text.yaml import Scalar, YamlNode
from adjudge.policy.typed import SCORECARD, TypedPolicy
from adjudge.texts import with_article

KEYS = (
    "outcome",
    "lower",
    "upper",
    "settled",
    "rules",
    "unresolved",
    "reasons",
    "score",
    "scores",
    "waived",
    "excused",
    "ask",
    "problems",
)
POINTS_MAX = 10**9


@frozen(kw_only=True)
class Expected:
    """What a verdict must be; None for what the test does not say.

    rules, unresolved, waived, excused: ids that must be among the verdict's; none at all where empty.
    ask: exactly these steps.
    reasons: exactly these codes, in any order. score: lowest and highest total.
    scores: the same of scorecards that have names.
    problems: full names of the given values that must be refused.
    """

    outcome: Outcome | None = None
    lower: Outcome | None = None
    upper: Outcome | None = None
    settled: bool | None = None
    rules: tuple[str, ...] | None = None
    unresolved: tuple[str, ...] | None = None
    reasons: tuple[str, ...] | None = None
    score: tuple[int, int] | None = None
    scores: Mapping[str, tuple[int, int]] = field(default_factory=dict)
    waived: tuple[str, ...] | None = None
    excused: tuple[str, ...] | None = None
    ask: tuple[str, ...] | None = None
    problems: tuple[str, ...] = ()


@frozen
class ExpectedReader:
    """Reads what the tests of one policy expect. fields: full names of all that can be given."""

    reader: Reader
    policy: TypedPolicy
    fields: Collection[str]

    def read(self, key: Scalar, node: YamlNode) -> Expected:
        """Return what stands under `expect`."""
        if isinstance(node, Scalar):
            return Expected(outcome=self.reader.outcome(node, "`expect`"))
        entries = self.reader.mapping(node, "`expect`", keys=KEYS, at=key.span)
        if isinstance(node, yaml.Mapping) and not node.entries:
            self.reader.blame("test-empty", "`expect` says nothing", key.span, f"one of {', '.join(OUTCOMES)}")
        typed = self.policy
        ids = [rule.id for rule in typed.rules]
        cards = typed.scorecards.values()
        codes = [*(rule.reason for rule in typed.rules), *(card.reason for card in cards)]
        labels = [*ids, *(card.label for card in cards)]
        return Expected(
            outcome=self.outcome(entries, "outcome"),
            lower=self.outcome(entries, "lower"),
            upper=self.outcome(entries, "upper"),
            settled=self.settled(entries["settled"][1]) if "settled" in entries else None,
            rules=self.names(entries, "rules", ids, "test-rule", "rule"),
            unresolved=self.names(entries, "unresolved", ids, "test-rule", "rule"),
            reasons=self.names(entries, "reasons", codes, "test-reason", "reason code"),
            score=self.score(entries["score"][1]) if "score" in entries else None,
            scores=self.scores(*entries["scores"]) if "scores" in entries else {},
            waived=self.names(entries, "waived", labels, "test-rule", "rule"),
            excused=self.names(entries, "excused", labels, "test-rule", "rule"),
            ask=self.names(entries, "ask", typed.steps, "test-step", "step"),
            problems=self.problems(entries),
        )

    def outcome(self, entries: Entries, key: str) -> Outcome | None:
        """Return the outcome under a key, if it is there."""
        return self.reader.outcome(entries[key][1], f"`{key}`") if key in entries else None

    def settled(self, node: YamlNode) -> bool | None:
        """Return whether the verdict is to be settled."""
        said = self.reader.choice(node, "`settled`", ("true", "false"))
        return None if said is None else said == "true"

    def names(self, entries: Entries, key: str, known: Iterable[str], code: str, what: str) -> tuple[str, ...] | None:
        """Return a list of names that the policy has; None where the key is not there."""
        if key not in entries:
            return None
        found = []
        known = tuple(dict.fromkeys(known))
        for item in self.reader.items(entries[key][1], f"`{key}`"):
            name = self.reader.text(item, with_article(what))
            if name is not None and name not in known:
                card = next((one for one in self.policy.scorecards.values() if name in (one.name, one.label)), None)
                if what == "rule" and card is not None:
                    hint: str | None = f"a scorecard is no rule: write `reasons: [{card.reason}]`"
                else:
                    hint = did_you_mean(name, known)
                self.reader.blame(code, f"the policy has no {what} `{shown(name)}`", item.span, hint)
            elif name is not None:
                found.append(name)
        return tuple(found)

    def problems(self, entries: Entries) -> tuple[str, ...]:
        """Return the fields whose values are to be refused, a part inside a field by its dotted path."""
        if "problems" not in entries:
            return ()
        found = []
        for item in self.reader.items(entries["problems"][1], "`problems`"):
            name = self.reader.text(item, "a field")
            if name is not None and not any(is_within(name, one) for one in self.fields):
                hint = did_you_mean(name, self.fields)
                self.reader.blame("test-field", f"the policy has no field `{shown(name)}`", item.span, hint)
            elif name is not None:
                found.append(name)
        return tuple(found)

    def score(self, node: YamlNode) -> tuple[int, int] | None:
        """Return what the total of the only scorecard is to be."""
        if SCORECARD not in self.policy.scorecards:
            hint = f"write `scores: {{{next(iter(self.policy.scorecards))}: …}}`" if self.policy.scorecards else None
            what = "no scorecard without a name" if hint else "no scorecard"
            self.reader.blame("test-score", f"the policy has {what}", node.span, hint)
            return None
        return self.total(node)

    def scores(self, key: Scalar, node: YamlNode) -> dict[str, tuple[int, int]]:
        """Return what the totals of scorecards are to be, by name."""
        entries = self.reader.mapping(node, "`scores`", keys=tuple(self.policy.scorecards), at=key.span)
        totals = {name: self.total(total) for name, (_, total) in entries.items()}
        return {name: total for name, total in totals.items() if total is not None}

    def total(self, node: YamlNode) -> tuple[int, int] | None:
        """Return the lowest and highest total; one number stands for both."""
        ends = node.items if isinstance(node, yaml.Sequence) else (node, node)
        if len(ends) != 2:
            self.reader.unfit(node, "`score`", "a number of points, or [lowest, highest]")
            return None
        low, high = (self.reader.integer(end, "`score`", POINTS_MAX) for end in ends)
        return None if low is None or high is None else (low, high)
