"""The `reviews:` of a configuration: how people decide in place of policies.

reviews:
  held_for: 30m           # after which a claim lapses
  within: 24h             # of the decision, a person is to have decided
  second: 5%              # of reviews, at which a second person looks
  reasons: {pass: [KNOWN_CUSTOMER], reject: [FORGED_PICTURE]}
"""

from __future__ import annotations

from adjudge.model import Outcome
from adjudge.policy.loading.choosing import read_share
from adjudge.policy.loading.reader import Reader
from adjudge.policy.text.yaml import YamlNode
from adjudge.reviews.acts import is_reason
from adjudge.reviews.settings import HELD_FOR_S, WITHIN_S, ReviewSettings

KEYS = ("held_for", "within", "second", "reasons")
_LONGEST_HELD_S, _LONGEST_WITHIN_S = 7 * 86400.0, 90 * 86400.0


def read_reviews(reader: Reader, node: YamlNode | None) -> ReviewSettings:
    """Read `reviews:`; what is wrong is blamed in the reader."""
    if node is None:
        return ReviewSettings()
    parts = {name: value for name, (_, value) in reader.mapping(node, "`reviews`", keys=KEYS, at=node.span).items()}
    held_for, within, second = (parts.get(name) for name in ("held_for", "within", "second"))
    return ReviewSettings(
        held_for_s=(reader.seconds(held_for, "`held_for`", _LONGEST_HELD_S) if held_for else None) or HELD_FOR_S,
        within_s=(reader.seconds(within, "`within`", _LONGEST_WITHIN_S) if within else None) or WITHIN_S,
        second=read_share(reader, second, "`second`") if second is not None else 0.0,
        reasons=_reasons(reader, parts.get("reasons")),
    )


def _reasons(reader: Reader, node: YamlNode | None) -> dict[Outcome, tuple[str, ...]]:
    if node is None:
        return {}
    found: dict[Outcome, tuple[str, ...]] = {}
    known = (Outcome.PASS.value, Outcome.REJECT.value)
    for name, (_, value) in reader.mapping(node, "`reasons`", keys=known, at=node.span).items():
        codes = []
        for item in reader.items(value, f"`{name}`"):
            code = reader.text(item, f"a code of `{name}`")
            if code is not None and not is_reason(code):
                hint = "1 to 64 capitals, digits and `_`, such as FORGED_PICTURE"
                reader.blame("schema-range", f"`{code[:80]}` is no reason code", item.span, hint)
            elif code is not None:
                codes.append(code)
        found[Outcome(name)] = tuple(codes)
    return found
