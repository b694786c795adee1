"""The `routes:` of a configuration: which policy answers a request that names none.

routes:
  - {when: 'scene_code == "payout"', policy: payouts}
  - {when: 'country in ["ID", "VN"]', policy: onboarding-sea}
  - {policy: onboarding}
"""

from __future__ import annotations

from adjudge.policy.loading.reader import Reader
from adjudge.policy.routes import ROWS_MAX, RouteForm, RouteTable
from adjudge.policy.text.yaml import Scalar, YamlNode

_KEYS = ("when", "policy")


def read_routes(reader: Reader, node: YamlNode | None) -> RouteTable | None:
    """Read the table; what is wrong is blamed in the reader, but for what needs the policies."""
    if node is None:
        return None
    before = len(reader.errors)
    items = reader.items(node, "`routes`")
    if len(items) > ROWS_MAX:
        reader.blame("schema-range", f"`routes` has at most {ROWS_MAX} rows", items[ROWS_MAX].span)
    rows = [row for item in items[:ROWS_MAX] if (row := _row(reader, item)) is not None]
    if not items and len(reader.errors) == before:
        reader.blame("schema-empty", "`routes` has no rows", node.span, "write one, or leave `routes` out")
    if rows and rows[-1].when is not None and len(rows) == len(items):
        hint = "write {policy: …} without `when` as the last row; it takes what no row above does"
        reader.blame("schema-missing", "`routes` has no last row without `when`", items[-1].span, hint)
    return RouteTable(reader.source, tuple(rows))


def _row(reader: Reader, item: YamlNode) -> RouteForm | None:
    entries = reader.mapping(item, "a row of `routes`", keys=_KEYS, required=("policy",), at=item.span)
    parts = {name: value for name, (_, value) in entries.items()}
    policy = reader.text(parts["policy"], "`policy`") if "policy" in parts else None
    when = parts.get("when")
    if when is not None and reader.text(when, "`when`") is None:
        return None
    if policy is None:
        return None
    return RouteForm(when=when if isinstance(when, Scalar) else None, policy=policy, at=parts["policy"].span)
