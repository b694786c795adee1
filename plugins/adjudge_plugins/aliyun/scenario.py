"""What a sandbox answers, from a YAML or JSON file.

```yaml
default: {result: low}
merchant_biz_id:
  0123456789abcdef0123456789abcdef: {result: high, tags: [SuspectRemake], score: {SuspectRemake: 0.93}}
media:                                        # SHA-256 of the media's bytes, or of the text of a FaceUrl
  2c26b46b68ffc68ff99b453c1d30413413422d706483bfa0f98a5e886266e7ae: {code: NoFaceDetected, delay_s: 0.2}
```

A MerchantBizId goes before the media, and both before the default.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import msgspec

from adjudge.errors import did_you_mean
from adjudge_plugins.aliyun.vocabulary import RETURN_CODES, RISK_TAGS

if TYPE_CHECKING:
    import yaml

Share = Annotated[float, msgspec.Meta(ge=0, le=1)]
MerchantBizId = Annotated[str, msgspec.Meta(pattern=r"^[0-9A-Za-z]{32}$")]
MediaDigest = Annotated[str, msgspec.Meta(pattern=r"^[0-9a-f]{64}$")]


class ScenarioError(Exception):
    """A scenario that cannot be used; the message names the place."""


class Reaction(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The answer to one call: a result, a failing return code, or a fault.

    tags, score: from the vendor's vocabulary; others go under `novel_tags`.
    fault: `close` breaks the connection before the work is done, so nothing is billed.
    delay_s: seconds before the answer, or before the fault; the work is billed at once.
    """

    result: Literal["low", "high", "suspicious"] | None = None
    tags: tuple[str, ...] = ()
    novel_tags: tuple[str, ...] = ()
    score: dict[str, Share] = {}
    code: str | None = None
    fault: Literal["close"] | None = None
    delay_s: Annotated[float, msgspec.Meta(ge=0, le=3600)] = 0.0

    def __post_init__(self) -> None:
        if sum(given is not None for given in (self.result, self.code, self.fault)) > 1:
            raise ValueError("give one of `result`, `code` and `fault`")
        if self.result is None and (self.tags or self.novel_tags or self.score):
            raise ValueError("tags and scores need a `result` beside them")
        if self.code is not None and self.code not in RETURN_CODES:
            raise ValueError(_unknown("return code", self.code, tuple(RETURN_CODES)))
        for tag in (*self.tags, *self.score):
            if tag not in RISK_TAGS and tag not in self.novel_tags:
                raise ValueError(_unknown("tag", tag, RISK_TAGS))


class Scenario(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Reactions by MerchantBizId and by the media's lower-case hex SHA-256, and the one for everything else."""

    default: Reaction = Reaction(result="low")
    merchant_biz_id: dict[MerchantBizId, Reaction] = {}
    media: dict[MediaDigest, Reaction] = {}

    def reaction(self, merchant_biz_id: str, media_digest: str) -> Reaction:
        """Return what a call is answered."""
        return self.merchant_biz_id.get(merchant_biz_id) or self.media.get(media_digest) or self.default


def read_scenario(document: object) -> Scenario:
    """Read a scenario from nested mappings; numbers may be texts. Raises ScenarioError."""
    try:
        return msgspec.convert(document, Scenario, strict=False)
    except msgspec.ValidationError as error:
        raise ScenarioError(str(error)) from None


def load_scenario(path: str | Path) -> Scenario:
    """Read a scenario from a YAML or JSON file. Raises ScenarioError, whose message begins with the path."""
    import yaml

    try:
        document = yaml.load(Path(path).read_text(encoding="utf-8"), _loader())  # noqa: S506  # makes texts only
        return read_scenario({} if document is None else document)
    except OSError as error:
        raise ScenarioError(f"{path}: cannot be read: {error.strerror}") from None
    except (yaml.YAMLError, UnicodeDecodeError, RecursionError) as error:
        raise ScenarioError(f"{path}: is not YAML: {error}") from None
    except ScenarioError as error:
        raise ScenarioError(f"{path}: {error}") from None


def _loader() -> type[yaml.BaseLoader]:
    """Return a loader that leaves every scalar a text, as digests made of digits must stay, and minds its keys."""
    import yaml

    class StrictLoader(yaml.BaseLoader):
        def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
            seen: set[str] = set()
            for key, _ in node.value:
                if key.value in seen:
                    raise yaml.constructor.ConstructorError(
                        None, None, f"`{key.value}` stands here twice", key.start_mark
                    )
                if isinstance(key.value, str):
                    seen.add(key.value)
            return super().construct_mapping(node, deep)

    return StrictLoader


def _unknown(kind: str, name: str, known: tuple[str, ...]) -> str:
    hint = did_you_mean(name, known)
    return f"there is no {kind} `{name}`" + (f", {hint}" if hint else "")
