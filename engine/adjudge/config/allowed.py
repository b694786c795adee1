"""The `allow:` of a configuration: what policies may have providers use.

allow:
  environment: [DEVICE_RISK_TOKEN]
  hosts: [risk.internal, "*.vendor.example", "127.0.0.1:8080"]
  files: [/etc/adjudge/lists]
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from pathlib import Path

from adjudge.policy.loading.reader import Reader
from adjudge.policy.text.yaml import YamlNode
from adjudge.signals.allowed import Allowed
from adjudge.source import Span

KEYS = ("environment", "hosts", "files")
_NAME = re.compile(r"[A-Za-z_][0-9A-Za-z_]*", re.ASCII)
_HOST = re.compile(r"(\*\.)?[0-9a-z_-]+(\.[0-9a-z_-]+)*(:[0-9]{1,5})?|\[[0-9a-f:.]+\](:[0-9]{1,5})?", re.ASCII)
NOTHING = Allowed(hosts=())
"""What a configuration allows that says nothing: no host and no variable."""


def read_allowed(reader: Reader, node: YamlNode | None, folder: Path) -> Allowed:
    """Read `allow:`; what is wrong is blamed in the reader. Where it names no hosts or variables, none is allowed."""
    if node is None:
        return NOTHING
    parts = {name: value for name, (_, value) in reader.mapping(node, "`allow`", keys=KEYS, at=node.span).items()}
    names = _texts(reader, parts.get("environment"), "environment")
    hosts = [(text.lower(), span) for text, span in _texts(reader, parts.get("hosts"), "hosts")]
    files = _texts(reader, parts.get("files"), "files", reader.path)
    for name, span in names:
        if not _NAME.fullmatch(name):
            reader.blame("schema-value", f"`{name}` is not the name of an environment variable", span)
    for host, span in hosts:
        if not _HOST.fullmatch(host):
            hint = "write risk.internal, risk.internal:8443, *.vendor.example or [2001:db8::1]"
            reader.blame("schema-value", f"`{host}` is not a host", span, hint)
    return Allowed(
        environment=frozenset(name for name, _ in names),
        hosts=tuple(host for host, _ in hosts),
        files=tuple(folder / file for file, _ in files) if "files" in parts else None,
    )


def _texts(
    reader: Reader, node: YamlNode | None, key: str, one: Callable[[YamlNode, str], str | None] | None = None
) -> list[tuple[str, Span]]:
    items: Iterable[YamlNode] = reader.items(node, f"`{key}`") if node is not None else ()
    read = [((one or reader.text)(item, f"a name in `{key}`"), item.span) for item in items]
    return [(text, span) for text, span in read if text is not None]
