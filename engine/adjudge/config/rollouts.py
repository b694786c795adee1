"""The `rollouts:` of a configuration: which versions of policies may take part, and what keeps a canary in bounds.

rollouts:
  candidates: {stricter: policies/onboarding-stricter.yaml}
  guard_rails: {review: 1.25, reject: 1.25, unknown: 1.25, errors: 1.25, fewer_stopped: 2, fewer_rejects: 2}
  false_alarm: 1%         # how often a canary within all of them may fall back
  enough: 100             # decisions of the canary before it does
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import field
from pathlib import Path

from adjudge.errors import PolicyError, PolicyErrors, did_you_mean
from adjudge.frozen import frozen
from adjudge.policy.loading.choosing import read_share
from adjudge.policy.loading.reader import Reader
from adjudge.policy.policy import Policy
from adjudge.policy.text.yaml import Scalar, YamlNode
from adjudge.rollouts.guard_rails import FEWER, RAILS, USUAL, GuardRails
from adjudge.rollouts.settings import RolloutSettings
from adjudge.source import Span

KEYS = ("candidates", "guard_rails", "false_alarm", "enough")
_ENOUGH_MAX = 1_000_000
_LIMIT_MAX = 100.0


@frozen(kw_only=True)
class RolloutsForm:
    """What stands under `rollouts:`. candidates: files, or locations of a plugin's policy source, by name."""

    candidates: Mapping[str, Path | str] = field(default_factory=dict)
    rails: GuardRails = USUAL


def read_rollouts(reader: Reader, node: YamlNode | None, folder: Path) -> RolloutsForm | None:
    """Read `rollouts:`; what is wrong is blamed in the reader. None where it is left out."""
    if node is None:
        return None
    parts = {name: value for name, (_, value) in reader.mapping(node, "`rollouts`", keys=KEYS, at=node.span).items()}
    rails = GuardRails(
        limits=_limits(reader, parts.get("guard_rails")),
        false_alarm=_false_alarm(reader, parts.get("false_alarm")),
        enough=_enough(reader, parts.get("enough")),
    )
    return RolloutsForm(candidates=_candidates(reader, parts.get("candidates"), folder), rails=rails)


def load_candidates(
    form: RolloutsForm, load: Callable[[Path | str], Policy], policies: Mapping[str, Policy]
) -> RolloutSettings:
    """Load the candidates. policies: of the engine, by name. Raises PolicyErrors with all that is wrong with them."""
    errors: list[PolicyError] = []
    candidates: dict[str, Policy] = {}
    for name, location in form.candidates.items():
        try:
            candidate = candidates[name] = load(location)
        except PolicyErrors as found:
            errors += found.errors
            continue
        if candidate.name not in policies:
            said = f"the candidate `{name}` is a version of `{candidate.name}`, which is no policy of the engine"
            hint = did_you_mean(candidate.name, policies) or "it takes the place of the one with the same `policy`"
            errors.append(PolicyError("name-policy", said, source=candidate.typed.source, span=Span(0, 0), hint=hint))
    if errors:
        raise PolicyErrors(errors)
    return RolloutSettings(candidates=candidates, rails=form.rails)


def _candidates(reader: Reader, node: YamlNode | None, folder: Path) -> dict[str, Path | str]:
    if node is None:
        return {}
    found: dict[str, Path | str] = {}
    for name, (_, value) in reader.mapping(node, "`candidates`", at=node.span).items():
        location = reader.text(value, f"`{name}`")
        if location is not None:
            found[name] = location if "://" in location else folder / location
    return found


def _limits(reader: Reader, node: YamlNode | None) -> dict[str, float]:
    if node is None:
        return dict(USUAL.limits)
    found = dict(USUAL.limits)
    for name, (_, value) in reader.mapping(node, "`guard_rails`", keys=RAILS, at=node.span).items():
        said: object = value.value if isinstance(value, Scalar) else None
        limit = float(said) if isinstance(said, int | float) and not isinstance(said, bool) else 0.0
        if said == "never":
            del found[name]
        elif 1 <= limit <= _LIMIT_MAX:
            found[name] = limit
        else:
            hint = "such as 1.25 for a quarter more often than the champion, or `never`"
            if name in FEWER:
                hint = "such as 2 for half as often as the champion, or `never`"
            reader.blame("schema-range", f"`{name}` must be from 1 to {_LIMIT_MAX:g}", value.span, hint)
    return found


def _false_alarm(reader: Reader, node: YamlNode | None) -> float:
    if node is None:
        return USUAL.false_alarm
    said = read_share(reader, node, "`false_alarm`")
    if not 0 < said < 1 and not reader.errors:
        reader.blame("schema-range", "`false_alarm` must be above 0% and below 100%", node.span, "for example 1%")
    return said or USUAL.false_alarm


def _enough(reader: Reader, node: YamlNode | None) -> int:
    if node is None:
        return USUAL.enough
    said = reader.integer(node, "`enough`", _ENOUGH_MAX)
    if said is not None and said < 1:
        reader.blame("schema-range", "`enough` must be at least 1", node.span)
    return said or 1
