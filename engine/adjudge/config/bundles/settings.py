"""A bundle in the `policies:` of a configuration.

policies:
  - {bundle: onboarding, from: "https://policies.internal/onboarding.tar.gz", keys: [risk.pub], every: 30s}
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

from adjudge.audit.shelf import is_url
from adjudge.config.bundles.manifest import is_bundle_name
from adjudge.frozen import frozen
from adjudge.policy.loading.reader import Reader
from adjudge.policy.text.yaml import YamlNode
from adjudge.signals.allowed import Allowed

EVERY_S = 30.0
"""Seconds between two questions whether a bundle has changed, unless configured."""
_EVERY_MAX_S = 86400.0
_KEYS = ("bundle", "from", "keys", "every", "ca", "token")
_SCHEMES = ("https", "http", "s3", "gs", "abfs", "abfss")


@frozen(kw_only=True)
class BundleSettings:
    """Where a bundle is, what it has to be called, and files of the public keys that may have signed it.

    location: a file, or a URL. every_s: seconds between two questions; a file is looked at as all files are.
    ca: a file of the authorities that the certificate of the place may come from. token: a file of a bearer token.
    """

    name: str
    location: Path | str
    keys: tuple[Path, ...]
    every_s: float = EVERY_S
    ca: Path | None = None
    token: Path | None = None

    @property
    def where(self) -> str:
        """The location as it is told: without what a URL's query may say of how to get in."""
        return str(self.location).partition("?")[0]


def read_bundle(reader: Reader, node: YamlNode, folder: Path) -> BundleSettings | None:
    """Read a bundle; what is wrong is blamed in the reader."""
    entries = reader.mapping(node, "a bundle", keys=_KEYS, required=("bundle", "from", "keys"), at=node.span)
    parts: Mapping[str, YamlNode] = {name: value for name, (_, value) in entries.items()}
    if not {"bundle", "from", "keys"} <= parts.keys():
        return None
    name, place = reader.text(parts["bundle"], "`bundle`"), reader.text(parts["from"], "`from`")
    if name is not None and not is_bundle_name(name):
        hint = "it has 1 to 64 lower-case letters, digits, `.`, `_` and `-`, and the bundle itself says the same"
        reader.blame("schema-value", f"`{name}` is no name of a bundle", parts["bundle"].span, hint)
    keys = [reader.path(item, "a name in `keys`") for item in reader.items(parts["keys"], "`keys`")]
    if not keys and not reader.errors:
        hint = "name the public keys of who may sign it, such as `adjudge audit keygen` makes"
        reader.blame("schema-empty", "`keys` names none", parts["keys"].span, hint)
    every_s = reader.seconds(parts["every"], "`every`", _EVERY_MAX_S) if "every" in parts else EVERY_S
    location: Path | str = folder / (place or "")
    if place is not None and is_url(place):
        location = place
        _check_url(reader, place, parts["from"])
    others = {name: reader.path(parts[name], f"`{name}`") for name in ("ca", "token") if name in parts}
    if others and not str(location).startswith("https://"):
        for name in others:
            reader.blame("schema-value", f"`{name}` is for a place of https://", parts[name].span)
    if name is None or place is None or None in keys:
        return None
    return BundleSettings(
        name=name,
        location=location,
        keys=tuple(folder / key for key in keys if key is not None),
        every_s=every_s or EVERY_S,
        **{name: folder / path for name, path in others.items() if path is not None},
    )


def _check_url(reader: Reader, url: str, node: YamlNode) -> None:
    try:
        parts = urlsplit(url)
        good = parts.scheme in _SCHEMES and bool(parts.hostname) and parts.port != 0 and url.isprintable()
    except ValueError:
        good = False
        parts = urlsplit("")
    if not good:
        hint = f"write a file, or a URL of {', '.join(_SCHEMES[:-1])} or {_SCHEMES[-1]}"
        reader.blame("schema-value", "`from` is no place of a bundle", node.span, hint)
    elif parts.username is not None or parts.password is not None:
        reader.blame("schema-value", "the URL of a bundle holds a name or a password", node.span, "take it out")


def host_of(location: str) -> tuple[str, int] | None:
    """Return the host and port that a URL leads to; None of object storage at its own provider."""
    parts = urlsplit(location)
    if parts.scheme in ("http", "https"):
        return parts.hostname or "", parts.port or (443 if parts.scheme == "https" else 80)
    for endpoint in parse_qs(parts.query).get("endpoint_override", []):
        other = urlsplit(endpoint if "://" in endpoint else f"//{endpoint}")
        return other.hostname or "", other.port or 443
    return None


def is_named(allowed: Allowed, host: str, port: int) -> bool:
    """Whether the `allow: hosts:` of a configuration names a host."""
    shown = f"[{host}]" if ":" in host else host
    return allowed.hosts is not None and (allowed.has_host(shown) or allowed.has_host(f"{shown}:{port}"))
