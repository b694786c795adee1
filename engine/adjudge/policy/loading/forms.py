"""The parts of a policy document as written, before any name is looked up."""

from __future__ import annotations

from collections.abc import Mapping

from adjudge.frozen import frozen
from adjudge.model import Outcome
from adjudge.policy.loading.period import Period
from adjudge.policy.text.yaml import Scalar, YamlNode
from adjudge.policy.typed import Sample, WhenBillingUnknown
from adjudge.source import Span

Entries = Mapping[str, tuple[Scalar, YamlNode]]


@frozen(kw_only=True)
class SignalForm:
    """A signal as written; `damaged` where its fields cannot be known."""

    key: Scalar
    provider: Scalar | None
    config: YamlNode | None
    fields: YamlNode | None
    timeout_s: float
    when_unknown: Outcome | None
    when_billing_unknown: WhenBillingUnknown
    damaged: bool


@frozen(kw_only=True)
class WhenUnless:
    """`when` and `unless` as written; None for what was blamed or is not there."""

    when: Scalar | None
    unless: Scalar | None


@frozen(kw_only=True)
class RuleForm:
    """A rule as written; `span` is where its id stands."""

    id: str
    guard: WhenUnless
    outcome: Outcome
    reason: str
    when_unknown: Outcome | None
    description: str
    period: Period
    message: Mapping[str, Scalar]
    tags: tuple[str, ...]
    ask: tuple[Scalar, ...]
    confirm: bool
    span: Span


@frozen(kw_only=True)
class RowForm:
    """A row of a scorecard as written; its id is its own or `row 1`.

    adds: the expression that says its points. number: where these stand as a number.
    """

    id: str
    guard: WhenUnless
    points: int
    adds: Scalar | None = None
    number: Span | None = None
    span: Span


@frozen(kw_only=True)
class ScorecardForm:
    """A scorecard as written; `spans` is where the number of each band stands."""

    name: str
    rows: tuple[RowForm, ...]
    review: int | None
    reject: int | None
    reason: str
    when_unknown: Outcome | None
    ask: Mapping[Outcome, tuple[Scalar, ...]]
    confirm: bool
    spans: Mapping[Outcome, Span]


@frozen(kw_only=True)
class ExcuseForm:
    """An excuse as written; `rules` and `tags` are None where it is for all."""

    id: str
    guard: WhenUnless
    rules: tuple[Scalar, ...] | None
    tags: tuple[Scalar, ...] | None
    description: str
    span: Span


@frozen(kw_only=True)
class Document:
    """A policy as written.

    complete: every declaration was found; where not, a name that is missing is no mistake of its own.
    unread: names by section whose declaration was blamed and left out.
    """

    name: str
    description: str
    inputs: Entries
    signals: tuple[SignalForm, ...]
    lists: Entries
    lookups: Entries
    rates: Entries
    variables: Mapping[str, tuple[Scalar, Scalar | None]]
    when_unknown: Outcome
    gather: str
    explore: float
    thresholds: Entries
    tables: Entries
    rules: tuple[RuleForm, ...]
    scorecards: tuple[ScorecardForm, ...]
    excuses: tuple[ExcuseForm, ...]
    steps: Entries
    scenes: tuple[str, ...]
    sample: Sample | None
    reasons: Entries
    calibration: Entries
    complete: bool
    unread: Mapping[str, tuple[str, ...]]
