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
from adjudge.source import Span

SAMPLE_KEYS = ("share", "of", "then", "reason")
SAMPLED = "SAMPLED"
"""The reason code of what is sampled, unless the policy says another."""
PERSON = "person"

_PERCENT = late(r"(\d+(?:\.\d+)?) ?%", re.ASCII)


def read_share(reader: Reader, node: YamlNode, what: str) -> float:
    """Return a share, 0 to 1, written as such or in per cent."""
    share: object = node.value if isinstance(node, Scalar) else None
    if isinstance(share, str) and (percent := _PERCENT.fullmatch(share)):
        share = float(percent.group(1)) / 100
    if not isinstance(share, int | float) or isinstance(share, bool):
        reader.unfit(node, what, "a share of requests", "for example 2%")
    elif not 0 <= share <= 1:
        hint = f"did you mean {share:g}%?" if share <= 100 else None
        reader.blame("schema-range", f"{what} must be a share between 0% and 100%", node.span, hint)
    else:
        return float(share)
    return 0.0


def read_scenes(reader: Reader, node: YamlNode) -> tuple[str, ...]:
    """Return the codes of scenes, each once."""
    if isinstance(node, Scalar) and isinstance(node.value, str):
        reader.unfit(node, "`scenes`", "a list", f"write [{shown(node.text.value)}]")
        return ()
    scenes: dict[str, None] = {}
    items = reader.items(node, "`scenes`")
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
