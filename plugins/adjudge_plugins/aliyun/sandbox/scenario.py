"""What a sandbox answers, in Python or from a YAML or JSON file.

```yaml
default: {result: low}
latency: 80ms
merchant_biz_id:
  0123456789abcdef0123456789abcdef: {result: high, tags: [SuspectRemake], score: {SuspectRemake: 0.93}}
media:                                        # SHA-256 of the media's bytes, or of the text of a FaceUrl
  2c26b46b68ffc68ff99b453c1d30413413422d706483bfa0f98a5e886266e7ae: {code: NoFaceDetected, delay: 200ms}
shares:
  - {share: 1%, fault: lose}
```

The first that has something to say decides: `order`, `merchant_biz_id`, `media`, `shares`, `random`, `default`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any

from adjudge_plugins.aliyun.sandbox.reaction import Reaction, check_delay
from adjudge_plugins.aliyun.sandbox.scenario_document import Entry, ScenarioError, load_document, placed
from adjudge_plugins.aliyun.sandbox.seeded import draw, random_reaction
from adjudge_plugins.aliyun.sandbox.switches import SwitchError, Switches, turn

__all__ = ["Reaction", "Scenario", "ScenarioError", "Share", "load_scenario", "read_scenario"]

KEYS = (
    "default",
    "order",
    "merchant_biz_id",
    "media",
    "shares",
    "random",
    "latency",
    "jitter",
    "throttle",
    "seed",
    "switches",
)
REACTION_KEYS = ("result", "tags", "novel_tags", "score", "code", "fault", "delay", "jitter")

_MERCHANT_BIZ_ID = re.compile(r"[0-9A-Za-z]{32}", re.ASCII)
_SHORT_ID = re.compile(r"[0-9A-Za-z]{1,32}", re.ASCII)
_DIGEST = re.compile(r"[0-9a-f]{64}", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class Share:
    """A reaction for a part of all ids. percent: 0 to 100."""

    percent: Decimal
    reaction: Reaction


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """Reactions, and the circumstances of all of them.

    merchant_biz_id: by MerchantBizId, or the mainland's OuterOrderNo. media: by lower-case hex SHA-256.
    order: for the first calls of a run, one each. shares: at most 100 percent together, chosen by a hash of `seed` and
    the id, so an id keeps its share. random_seed: of made-up answers for all others, see `random_reaction`.
    latency_s, jitter_s: of each reaction that has none of its own; `seed` spreads the jitter too.
    per_second: calls of one operation after which Throttling.Api is answered until the clock's second ends; None is
    without limit.
    Raises ValueError.
    """

    default: Reaction = Reaction(result="low")  # noqa: RUF009  # frozen
    order: tuple[Reaction, ...] = ()
    merchant_biz_id: Mapping[str, Reaction] = field(default_factory=dict)
    media: Mapping[str, Reaction] = field(default_factory=dict)
    shares: tuple[Share, ...] = ()
    random_seed: int | None = None
    latency_s: float = 0.0
    jitter_s: float = 0.0
    per_second: int | None = None
    seed: int = 0
    switches: Switches = Switches()  # noqa: RUF009  # frozen

    def __post_init__(self) -> None:
        total = sum((share.percent for share in self.shares), Decimal(0))
        if total > 100:
            raise ValueError(f"the shares add up to {total.normalize():f}%, which is more than 100%")
        check_delay(self.latency_s, self.jitter_s)

    def reaction(self, merchant_biz_id: str, media_digest: str, *, number: int | None = None) -> Reaction:
        """Return what a call is answered. number: which one of the run it is, from 1; None is none of `order`."""
        if number is not None and number <= len(self.order):
            return self.order[number - 1]
        for known in (self.merchant_biz_id.get(merchant_biz_id), self.media.get(media_digest)):
            if known is not None:
                return known
        point, reached = draw(self.seed, "share", merchant_biz_id) * 100, Decimal(0)
        for share in self.shares:
            reached += share.percent
            if point < reached:
                return share.reaction
        if self.random_seed is not None:
            return random_reaction(self.random_seed, merchant_biz_id)
        return self.default

    def delay_s(self, reaction: Reaction, merchant_biz_id: str) -> float:
        """Return the seconds before an answer: a latency, and an id's own part of the jitter."""
        latency_s = self.latency_s if reaction.delay_s is None else reaction.delay_s
        jitter_s = self.jitter_s if reaction.jitter_s is None else reaction.jitter_s
        return latency_s + (jitter_s * draw(self.seed, "jitter", merchant_biz_id) if jitter_s else 0.0)


def read_scenario(document: object) -> Scenario:
    """Read a scenario from nested mappings and lists; numbers may be texts. Raises ScenarioError."""
    try:
        return _scenario(Entry(document))
    except ScenarioError as error:
        place = "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in error.path).lstrip(".")
        raise ScenarioError(f"{place}: {error}" if place else str(error)) from None


def load_scenario(path: str | Path) -> Scenario:
    """Read a scenario from a YAML or JSON file. Raises ScenarioError: `path:line:column: message`."""
    document, node = load_document(path)
    try:
        return _scenario(Entry({} if document is None else document))
    except ScenarioError as error:
        raise placed(error, path, node) from None


def _scenario(entry: Entry) -> Scenario:
    given = entry.mapping(KEYS)
    switches = _switches(given.pop("switches")) if "switches" in given else Switches()
    said: dict[str, Any] = {"switches": switches}
    for key, value in given.items():
        match key:
            case "default":
                said[key] = _reaction(value)
            case "order":
                said[key] = tuple(_reaction(item) for item in value.items())
            case "merchant_biz_id":
                pattern = _SHORT_ID if switches.merchant_biz_id == "at_most" else _MERCHANT_BIZ_ID
                said[key] = _reactions(value, pattern, "MerchantBizId, which has 32 letters and digits")
            case "media":
                said[key] = _reactions(value, _DIGEST, "SHA-256, which has 64 hexadecimal digits in lower case")
            case "shares":
                said[key] = tuple(_share(item) for item in value.items())
            case "random":
                said["random_seed"] = _only(value, "seed").whole(least=0)
            case "latency" | "jitter":
                said[f"{key}_s"] = value.seconds()
            case "throttle":
                said["per_second"] = _only(value, "per_second").whole(least=1)
            case "seed":
                said[key] = value.whole(least=0)
    try:
        return Scenario(**said)
    except ValueError as error:
        raise given["shares"].wrong(str(error)) from None


def _reactions(entry: Entry, pattern: re.Pattern[str], rule: str) -> dict[str, Reaction]:
    reactions = {}
    for name, value in entry.mapping().items():
        if not pattern.fullmatch(name):
            raise value.wrong(f"`{name}` is not a {rule}")
        reactions[name] = _reaction(value)
    return reactions


def _share(entry: Entry) -> Share:
    given = entry.mapping(("share", *REACTION_KEYS))
    if "share" not in given:
        raise entry.wrong("`share` is missing, such as `share: 5%`")
    percent = given.pop("share").percentage()
    return Share(percent=percent, reaction=_reaction_of(entry, given))


def _reaction(entry: Entry) -> Reaction:
    return _reaction_of(entry, entry.mapping(REACTION_KEYS))


def _reaction_of(entry: Entry, given: Mapping[str, Entry]) -> Reaction:
    said: dict[str, Any] = {}
    for key, value in given.items():
        match key:
            case "result" | "code" | "fault":
                said[key] = value.text()
            case "tags" | "novel_tags":
                said[key] = tuple(item.text() for item in value.items())
            case "score":
                said[key] = {tag: score.number() for tag, score in value.mapping().items()}
            case "delay" | "jitter":
                said[f"{key}_s"] = value.seconds()
    try:
        return Reaction(**said)
    except ValueError as error:
        raise entry.wrong(str(error)) from None


def _only(entry: Entry, key: str) -> Entry:
    given = entry.mapping((key,))
    if key not in given:
        raise entry.wrong(f"`{key}` is missing")
    return given[key]


def _switches(entry: Entry) -> Switches:
    switches = Switches()
    for name, value in entry.mapping().items():
        try:
            switches = turn(switches, name, value.text())
        except SwitchError as error:
            raise value.wrong(str(error)) from None
    return switches
