"""The answer to one call: a result, a failing return code, or a fault."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from adjudge.plugin import did_you_mean
from adjudge_plugins.aliyun.vocabulary import RESULTS, RETURN_CODES, RISK_TAGS

DELAY_MAX_S = 3600.0

FAULTS: Mapping[str, bool] = {
    "close": False,
    "lose": True,
    "reset": True,
    "black_hole": False,
    "drip": True,
    "truncate": True,
    "html": False,
    "html_200": False,
    "wrong_type": True,
    "garbage": True,
    "huge": True,
}
"""What can go wrong on the way, and whether the work was done and billed all the same; see docs/sandbox.md."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reaction:
    """What a call is answered: one of `result`, `code` and `fault`, and low risk where there is none.

    result: `low`, `high` or `suspicious`. code: a failing one of the vendor's.
    tags, score: from the vendor's vocabulary; others stand in `novel_tags` too. Scores are from 0 to 1.
    delay_s, jitter_s: seconds before the answer or the fault, and how many more there may be; the work is billed at
    once. None where the scenario's `latency` and `jitter` decide.
    Raises ValueError.
    """

    result: str | None = None
    tags: tuple[str, ...] = ()
    novel_tags: tuple[str, ...] = ()
    score: Mapping[str, float] = field(default_factory=dict)
    code: str | None = None
    fault: str | None = None
    delay_s: float | None = None
    jitter_s: float | None = None

    def __post_init__(self) -> None:
        if sum(given is not None for given in (self.result, self.code, self.fault)) > 1:
            raise ValueError("give one of `result`, `code` and `fault`")
        if self.result is None and (self.tags or self.novel_tags or self.score):
            raise ValueError("tags and scores need a `result` beside them")
        _known("result", self.result, tuple(RESULTS.values()))
        _known("return code", self.code, tuple(RETURN_CODES))
        _known("fault", self.fault, tuple(FAULTS))
        for tag in (*self.tags, *self.score):
            if tag not in self.novel_tags:
                _known("tag", tag, RISK_TAGS)
        for tag in (*self.tags, *self.novel_tags):
            if not tag or "," in tag:
                raise ValueError(f"`{tag}` is not a tag: on the wire a comma separates them")
        for tag, score in self.score.items():
            if not 0 <= score <= 1:
                raise ValueError(f"the score of `{tag}` is {score:g}, scores are from 0 to 1")
        check_delay(self.delay_s, self.jitter_s)

    @property
    def is_billed(self) -> bool:
        """Whether the work is done and paid for, whatever becomes of the answer."""
        return FAULTS[self.fault] if self.fault is not None else self.code is None


def check_delay(*seconds: float | None) -> None:
    """Raise ValueError where a delay is negative or longer than an hour."""
    if not all(each is None or 0 <= each <= DELAY_MAX_S for each in seconds):
        raise ValueError("a delay must be from 0s to 1h")


def _known(kind: str, name: str | None, known: tuple[str, ...]) -> None:
    if name is not None and name not in known:
        hint = did_you_mean(name, known) or f"there are {', '.join(known)}"
        raise ValueError(f"there is no {kind} `{name}`, {hint}")
