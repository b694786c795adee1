"""Which requests a policy answers, and which of its decisions a person looks at."""

from __future__ import annotations

import re
from collections.abc import Callable

from adjudge.model import SCENE_CODE, Outcome
from adjudge.patterns import late
from adjudge.policy.loading.forms import Entries
from adjudge.policy.loading.reader import Reader
from adjudge.policy.text import yaml
from adjudge.policy.text.syntax import shown
from adjudge.policy.text.yaml import Scalar, YamlNode
from adjudge.policy.typed import Sample
from adjudge.source import Edit, Span
from adjudge.texts import about
from adjudge.values.look_alikes import plainly
from adjudge.values.meant import quantity

SAMPLE_KEYS = ("share", "of", "then", "reason")
SAMPLED = "SAMPLED"
"""The reason code of what is sampled, unless the policy says another."""
PERSON = "person"

_ONE_IN = late(r"(\d{1,6})\s*(?:/|in|of|out of)\s*(\d{1,9})")
_PERCENT = late(r"(\d+(?:\.\d+)?) ?%", re.ASCII)


def read_share(reader: Reader, node: YamlNode, what: str) -> float:
    """Return a share, 0 to 1, written as such or in per cent."""
    share: object = node.value if isinstance(node, Scalar) else None
    if isinstance(share, str) and (percent := _PERCENT.fullmatch(share)):
        share = float(percent.group(1)) / 100
    if not isinstance(share, int | float) or isinstance(share, bool):
        meant = _share_meant(node.text.value) if isinstance(node, Scalar) and node.value is not None else None
        reader.unfit(node, what, "a share of requests", "for example 2%", meant)
    elif not 0 <= share <= 1:
        is_percent = isinstance(node, Scalar) and not isinstance(node.value, str) and share <= 100
        hint = f"did you mean {share:g}%?" if is_percent else "for example 2%"
        fix = (Edit(span=node.span, text=f"{share:g}%"),) if is_percent else ()
        reader.blame("schema-range", f"{what} must be a share between 0% and 100%", node.span, hint, fix=fix)
    else:
        return float(share)
    return 0.0


def _share_meant(said: str) -> str | None:
    """Return the share that `2 percent`, `0,02`, `1/50` or `1 in 50` means; None for anything else."""
    if found := _ONE_IN.fullmatch(plainly(said).strip()):
        part, whole = int(found.group(1)), int(found.group(2))
        return f"{part / whole:.6%}".rstrip("0%").rstrip(".") + "%" if 0 < part <= whole else None
    number = quantity(said)
    if number is None or number.unit not in ("", "%") or number.number < 0:
        return None
    is_percent = number.unit == "%" or number.number > 1
    return f"{about(number.number)}%" if is_percent and number.number <= 100 else about(number.number)


def read_scenes(reader: Reader, node: YamlNode) -> tuple[str, ...]:
    """Return the codes of scenes, each once."""
    scenes: dict[str, None] = {}
    items = reader.names(node, "`scenes`")
    if isinstance(node, yaml.Sequence) and not items:
        reader.blame("schema-empty", "`scenes` is empty", node.span, "name a scene code, or leave the key out")
    for item in items:
        code = reader.text(item, "a scene code")
        if code is not None and not SCENE_CODE.fullmatch(code):
            hint = "1 to 10 letters, digits or _, as in a request"
            reader.blame("schema-value", f"`{shown(code)}` cannot be a scene code", item.span, hint)
        elif code is not None:
            scenes[code] = None
    return tuple(scenes)


def read_sample(reader: Reader, key: Scalar, node: YamlNode, reason: Callable[[Entries], str | None]) -> Sample:
    """Return what is drawn for a person to look at. reason: reads the code among some entries."""
    entries = reader.mapping(node, "`sample`", keys=SAMPLE_KEYS, required=("share",), at=key.span)
    for name, only in (("of", Outcome.PASS), ("then", Outcome.REVIEW)):
        if name in entries and reader.outcome(entries[name][1], f"`{name}`") not in (None, only):
            message = f"a sample is `{name}: {only}`, not `{shown(_written(entries[name][1]))}`"
            reader.blame("schema-value", message, entries[name][1].span, "a sample sends passes to review")
    return Sample(
        share=read_share(reader, entries["share"][1], "`share`") if "share" in entries else 0.0,
        of=Outcome.PASS,
        then=Outcome.REVIEW,
        reason=reason(entries) or SAMPLED,
    )


def read_confirm(reader: Reader, node: YamlNode, outcome: Outcome, at: Span) -> bool:
    """Return whether a person has to confirm; blames it of what is no reject."""
    said = reader.choice(node, "`confirm`", (PERSON,))
    if said is not None and outcome is not Outcome.REJECT:
        reader.blame("schema-value", "`confirm` is for a reject", at, "leave it out: a review is a person's anyway")
    return said is not None


def _written(node: YamlNode) -> str:
    return node.text.value if isinstance(node, Scalar) else ""
