"""The `service:` of a configuration: who may ask `adjudge serve`, and by which names it goes.

service:
  hosts: [risk.internal]        # names of the service, beside those of this machine
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Literal, get_args

from adjudge.frozen import frozen
from adjudge.policy.loading.reader import Reader
from adjudge.policy.text.yaml import YamlNode

Scope = Literal["decide", "read", "label", "erase", "author", "approve", "admin"]
"""What a caller of the service may be allowed."""
SCOPES: frozenset[Scope] = frozenset(get_args(Scope))
KEYS = ("hosts",)
_HOST = re.compile(r"[0-9a-z_-]+(\.[0-9a-z_-]+)*|\[[0-9a-f:.]+\]", re.ASCII)


@frozen(kw_only=True)
class ServiceSettings:
    """What stands under `service:`, paths made whole. hosts: in lower case, without ports."""

    hosts: tuple[str, ...] = ()


def read_service(reader: Reader, node: YamlNode | None) -> ServiceSettings:
    """Read `service:`; what is wrong is blamed in the reader."""
    if node is None:
        return ServiceSettings()
    parts = {name: value for name, (_, value) in reader.mapping(node, "`service`", keys=KEYS, at=node.span).items()}
    return ServiceSettings(hosts=_hosts(reader, parts.get("hosts")))


def _hosts(reader: Reader, node: YamlNode | None) -> tuple[str, ...]:
    items: Iterable[YamlNode] = reader.items(node, "`hosts`") if node is not None else ()
    hosts = []
    for item in items:
        host = (reader.text(item, "a name in `hosts`") or "").lower()
        if host and not _HOST.fullmatch(host):
            hint = "write a name without a port, such as risk.internal, 10.0.0.7 or [2001:db8::1]"
            reader.blame("schema-value", f"`{host}` is not a host", item.span, hint)
        hosts.append(host)
    return tuple(hosts)
