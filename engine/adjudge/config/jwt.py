"""The `jwt:` under `service:` of a configuration: whose tokens are taken, and what their roles allow.

jwt:
  issuer: https://id.example
  audience: adjudge
  algorithms: [ES256]                              # asymmetric ones alone
  jwks: {url: "https://id.example/jwks.json"}      # or {file: jwks.json}
  role_claim: roles                                # or [realm_access, roles], a path
  roles: {analyst: [read, label], flow: [decide]}
  clock_skew: 30s
  longest: 24h                                     # a token that is valid for longer is not taken
"""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from pathlib import Path
from typing import Literal, cast
from urllib.parse import urlsplit

from adjudge.config.scopes import SCOPES, Scope
from adjudge.frozen import frozen
from adjudge.policy.loading.reader import Reader
from adjudge.policy.text.yaml import Sequence, YamlNode
from adjudge.system.cloud_metadata import hands_out_keys

Algorithm = Literal["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA", "Ed25519"]
ALGORITHMS: Mapping[Algorithm, tuple[str, str | None]] = {
    "RS256": ("RSA", None),
    "RS384": ("RSA", None),
    "RS512": ("RSA", None),
    "PS256": ("RSA", None),
    "PS384": ("RSA", None),
    "PS512": ("RSA", None),
    "ES256": ("EC", "P-256"),
    "ES384": ("EC", "P-384"),
    "ES512": ("EC", "P-521"),
    "EdDSA": ("OKP", "Ed25519"),
    "Ed25519": ("OKP", "Ed25519"),
}
"""The kind of key that each takes, and its curve. None is symmetric: with one, a public key could sign."""
JWT_KEYS = ("issuer", "audience", "algorithms", "jwks", "role_claim", "roles", "clock_skew", "longest")
_REQUIRED = ("issuer", "audience", "algorithms", "jwks", "roles")
CLOCK_SKEW_S, CLOCK_SKEW_MAX_S = 30.0, 300.0
LONGEST_S, LONGEST_MAX_S = 86_400.0, 31 * 86_400.0


@frozen(kw_only=True)
class JwtSettings:
    """What stands under `jwt:`. keys: a file, or a URL. role_claim: where a token has its roles, step by step.

    clock_skew_s: seconds by which clocks may differ. longest_s: seconds for which a token may be valid yet.
    """

    issuer: str
    audience: str
    algorithms: frozenset[Algorithm]
    keys: Path | str
    roles: Mapping[str, frozenset[Scope]]
    role_claim: tuple[str, ...] = ("roles",)
    clock_skew_s: float = CLOCK_SKEW_S
    longest_s: float = LONGEST_S


def read_jwt(reader: Reader, node: YamlNode | None, folder: Path) -> JwtSettings | None:
    """Read `jwt:`; what is wrong is blamed in the reader. folder: what paths are relative to."""
    if node is None:
        return None
    entries = reader.mapping(node, "`jwt`", keys=JWT_KEYS, required=_REQUIRED, at=node.span)
    parts = {name: value for name, (_, value) in entries.items()}
    issuer, audience = (
        reader.text(parts[name], f"`{name}`") if name in parts else None for name in ("issuer", "audience")
    )
    said = reader.items(parts["algorithms"], "`algorithms`") if "algorithms" in parts else ()
    algorithms = frozenset(reader.choice(one, "an algorithm", ALGORITHMS) for one in said)
    if "algorithms" in parts and isinstance(parts["algorithms"], Sequence) and not said:
        reader.blame("schema-empty", "`algorithms` names none", parts["algorithms"].span)
    keys = _source(reader, parts["jwks"], folder) if "jwks" in parts else None
    roles = _roles(reader, parts["roles"]) if "roles" in parts else {}
    claim = _claim(reader, parts.get("role_claim"))
    skew_s, longest_s = (
        reader.seconds(parts[name], f"`{name}`", most) if name in parts else None
        for name, most in (("clock_skew", CLOCK_SKEW_MAX_S), ("longest", LONGEST_MAX_S))
    )
    if issuer is None or audience is None or keys is None:
        return None
    return JwtSettings(
        issuer=issuer,
        audience=audience,
        algorithms=cast(frozenset[Algorithm], algorithms),
        keys=keys,
        roles=roles,
        role_claim=claim,
        clock_skew_s=skew_s or CLOCK_SKEW_S,
        longest_s=longest_s or LONGEST_S,
    )


def _source(reader: Reader, node: YamlNode, folder: Path) -> Path | str | None:
    entries = reader.mapping(node, "`jwks`", keys=("file", "url"), at=node.span)
    if len(entries) != 1:
        reader.blame("schema-value", "`jwks` names one place", node.span, "{url: …} or {file: jwks.json}")
        return None
    ((place, (_, value)),) = entries.items()
    if place == "file":
        path = reader.path(value, "`file`")
        return folder / path if path is not None else None
    url = reader.text(value, "`url`")
    if url is not None and (wrong := _wrong_with(url)):
        reader.blame("schema-value", f"`url` {wrong}", value.span)
    return url


def _wrong_with(url: str) -> str:
    """Return why keys are not fetched from a URL; empty where they are. Whoever changes them on the way, signs."""
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        return "is no URL"
    if parts.scheme not in ("http", "https") or not host or port == 0 or not url.isprintable() or " " in url:
        return "must be `https://HOST/…`"
    if parts.username is not None or parts.fragment:
        return "has no user, password or fragment"
    if hands_out_keys(host):
        return "is where a cloud hands out this machine's keys"
    return "" if parts.scheme == "https" or is_this_machine(host) else "must begin with https://"


def is_this_machine(host: str) -> bool:
    """Whether a host name or address is this machine and nothing else."""
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _claim(reader: Reader, node: YamlNode | None) -> tuple[str, ...]:
    if node is None:
        return ("roles",)
    steps = reader.items(node, "`role_claim`") if isinstance(node, Sequence) else (node,)
    return tuple(step for one in steps if (step := reader.text(one, "`role_claim`")) is not None) or ("roles",)


def _roles(reader: Reader, node: YamlNode) -> dict[str, frozenset[Scope]]:
    entries = reader.mapping(node, "`roles`", at=node.span)
    return {
        name: frozenset(
            cast(Scope, scope)
            for item in reader.items(value, f"`{name}`")
            if (scope := reader.choice(item, "a scope", sorted(SCOPES))) is not None
        )
        for name, (_, value) in entries.items()
    }
