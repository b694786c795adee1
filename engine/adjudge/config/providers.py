"""The `providers:` of a configuration: how each provider may be asked, in place of what it declares itself.

providers:
  aliyun.deepfake:
    rate: 10                     # calls a second, over all policies of the process
    in_flight: 64                # calls at once
    daily_calls: 5000            # of a day of UTC; past it the signal is unknown
    daily_spend: 2000            # in the provider's currency
    price: 0.40                  # of one call
    attempts: 3                  # tries of one question in all
    attempt_timeout: 4s
    breaker: {failures: 5, pause: 30s}
"""

from __future__ import annotations

import re
from collections.abc import Mapping as MappingOf
from dataclasses import replace
from decimal import Decimal

from adjudge.errors import did_you_mean
from adjudge.frozen import frozen
from adjudge.plugin import Limits, Provider
from adjudge.policy.loading.reader import Reader
from adjudge.policy.text.yaml import Scalar, YamlNode

KEYS = ("rate", "in_flight", "daily_calls", "daily_spend", "price", "attempts", "attempt_timeout", "breaker")
BREAKER_KEYS = ("failures", "pause")
_LONGEST_S = 3600.0
_LARGEST = 10**9
_ATTEMPTS_MAX = 10
_DECIMAL = re.compile(r"[0-9]{1,9}(\.[0-9]{1,9})?", re.ASCII)


@frozen(kw_only=True)
class LimitsForm:
    """What stands under one provider's name: the attributes of Limits that are given, and the name as written."""

    name: Scalar
    given: MappingOf[str, object]


def read_limits(reader: Reader, node: YamlNode) -> tuple[LimitsForm, ...]:
    """Read `providers:`; what is wrong is blamed in the reader."""
    entries = reader.mapping(node, "`providers`", at=node.span)
    return tuple(LimitsForm(name=key, given=_one(reader, key, said)) for key, said in entries.values())


def apply_limits(
    reader: Reader, forms: MappingOf[str, LimitsForm], providers: MappingOf[str, Provider]
) -> dict[str, Limits]:
    """Return the limits by provider; a provider that is not installed is blamed in the reader."""
    limits = {}
    for name, form in forms.items():
        if name in providers:
            limits[name] = replace(providers[name].limits, **form.given)  # type: ignore[arg-type]  # read by type
        else:
            hint = did_you_mean(name, providers) or f"installed are {', '.join(sorted(providers)) or 'none'}"
            reader.blame("name-provider", f"there is no provider `{name}`", form.name.span, hint)
    return limits


def _one(reader: Reader, name: Scalar, node: YamlNode) -> dict[str, object]:
    entries = reader.mapping(node, "a provider's limits", keys=KEYS, at=name.span)
    given: dict[str, object] = {}
    for key, (_, said) in entries.items():
        match key:
            case "rate":
                rate = _money(reader, said, "`rate`")
                given["rate"] = float(rate) if rate is not None else None
            case "daily_spend" | "price":
                given[key] = _money(reader, said, f"`{key}`")
            case "attempt_timeout":
                given["attempt_timeout_s"] = reader.seconds(said, "`attempt_timeout`", _LONGEST_S)
            case "breaker":
                given |= _breaker(reader, said)
            case "attempts":
                given[key] = _count(reader, said, "`attempts`", _ATTEMPTS_MAX)
            case _:
                given[key] = _count(reader, said, f"`{key}`", _LARGEST)
    return {key: value for key, value in given.items() if value is not None}


def _breaker(reader: Reader, node: YamlNode) -> dict[str, object]:
    entries = reader.mapping(node, "`breaker`", keys=BREAKER_KEYS, at=node.span)
    given: dict[str, object] = {}
    if "failures" in entries:
        given["breaker_failures"] = _count(reader, entries["failures"][1], "`failures`", _LARGEST)
    if "pause" in entries:
        given["breaker_pause_s"] = reader.seconds(entries["pause"][1], "`pause`", _LONGEST_S)
    return given


def _count(reader: Reader, node: YamlNode, what: str, most: int) -> int | None:
    number = reader.integer(node, what, _LARGEST)
    if number is not None and not 1 <= number <= most:
        reader.blame("schema-range", f"{what} must be between 1 and {most:,}", node.span)
        return None
    return number


def _money(reader: Reader, node: YamlNode, what: str) -> Decimal | None:
    """Return a number above 0 exactly as it is written."""
    text = node.text.value if isinstance(node, Scalar) and node.value is not None else ""
    if not _DECIMAL.fullmatch(text) or Decimal(text) == 0:
        reader.blame("schema-range", f"{what} must be a number above 0, such as 0.40", node.span)
        return None
    return Decimal(text)
