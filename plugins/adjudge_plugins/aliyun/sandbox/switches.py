"""What nobody has seen the vendor do yet: a switch for each open question, to try a client against each answer.

The defaults are the likeliest reading; docs/sandbox.md has the questions beside them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import Literal, get_args, get_type_hints

from adjudge.plugin import did_you_mean

OnOff = Literal["on", "off"]


class SwitchError(ValueError):
    """A switch that does not exist, or has no such value."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Switches:
    """How the sandbox reads each open question; every field takes one of a few words."""

    # how answers look
    errors: Literal["status", "body", "body_number"] = "status"
    success_code: Literal["Success", "200"] = "Success"
    risk_score: Literal["map", "json", "numbers"] = "map"
    empty: Literal["blank", "null", "absent"] = "blank"
    watermark_tag: Literal["WarterMark", "WaterMark"] = "WarterMark"
    tag_separator: Literal["comma", "comma_space"] = "comma"
    transaction_id: OnOff = "on"
    host_id: OnOff = "on"
    retry_after: OnOff = "off"
    # what is accepted
    scene_code: Literal["lenient", "strict", "optional"] = "lenient"
    merchant_biz_id: Literal["exact", "at_most"] = "exact"
    repeated_id: Literal["allow", "refuse"] = "allow"
    parameter_position: Literal["lenient", "strict"] = "lenient"
    several_inputs: Literal["refuse", "first"] = "refuse"
    face_file: Literal["issued", "any"] = "issued"
    intl_video: Literal["accept", "refuse"] = "accept"
    size_limit: Literal["decimal", "binary", "encoded"] = "decimal"
    media_limits: Literal["lenient", "strict"] = "lenient"
    plain_http: Literal["accept", "refuse"] = "accept"
    legacy_signature: Literal["accept", "refuse"] = "refuse"
    # what is paid for
    bill_refused_media: OnOff = "off"


VALUES: Mapping[str, tuple[str, ...]] = {
    name: get_args(hint) for name, hint in get_type_hints(Switches).items() if name in Switches.__slots__
}
"""The values of each switch."""
DEFAULTS: Mapping[str, str] = {each.name: str(each.default) for each in fields(Switches)}


def turn(switches: Switches, name: str, value: str) -> Switches:
    """Return the switches with one of them turned. Raises SwitchError."""
    if name not in VALUES:
        hint = did_you_mean(name, VALUES) or f"there are {', '.join(VALUES)}"
        raise SwitchError(f"there is no switch `{name}`, {hint}")
    if value not in VALUES[name]:
        hint = did_you_mean(value, VALUES[name]) or f"it is one of {', '.join(VALUES[name])}"
        raise SwitchError(f"`{name}` cannot be `{value}`, {hint}")
    return replace(switches, **{name: value})  # type: ignore[arg-type]  # one of its words


def turn_all(switches: Switches, settings: tuple[str, ...]) -> Switches:
    """Return the switches with each `name=value` turned, the last of a name winning. Raises SwitchError."""
    for setting in settings:
        name, equals, value = setting.partition("=")
        if not equals:
            raise SwitchError(f"`{setting}` is not a switch, write `name=value`")
        switches = turn(switches, name, value)
    return switches
