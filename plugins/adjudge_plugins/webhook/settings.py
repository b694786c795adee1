"""The `with:` of the reader `webhook`, read."""

from __future__ import annotations

import ipaddress
import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import SplitResult, urlsplit

from adjudge.plugin import EvaluationError, Outcome, ProviderConfigError, parse_duration
from adjudge_plugins.settings import mapping, refuse_unknown_keys, required_text

KEYS = ("url", "secrets", "state", "on", "allow", "timeout", "tries", "give_up_after", "parallel")
SECRET_MIN_BYTES = 16
URL_MAX = 2048
_FILTERS = ("outcomes", "rules", "tags")
_OUTCOMES = tuple(outcome.value for outcome in Outcome)
_NAME = re.compile(r"[0-9a-z_-]+(\.[0-9a-z_-]+)*", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """How the webhook is called.

    secrets: each signs; the first is the current one. read_secrets: reads them again, as `read_settings` does.
    state: a folder. outcomes, rules, tags: of which decisions it is told, all where the three are empty. allow: names
    and networks that may be private. timeout_s: for one call in all. tries: of a message that is refused as it stands.
    give_up_after_s: of any other. parallel: calls at a time.
    """

    url: str
    secrets: tuple[bytes, ...] = field(repr=False)
    state: Path
    outcomes: frozenset[str] = frozenset()
    rules: frozenset[str] = frozenset()
    tags: frozenset[str] = frozenset()
    allow: frozenset[str] = frozenset()
    timeout_s: float = 10.0
    tries: int = 5
    give_up_after_s: float = 72 * 3600.0
    parallel: int = 8
    read_secrets: Callable[[], tuple[bytes, ...]] | None = field(default=None, repr=False, compare=False)


def read_settings(config: Mapping[str, Any]) -> Settings:
    """Read a `with:`. Raises ProviderConfigError."""
    refuse_unknown_keys(config, KEYS)
    told = mapping(config, "on")
    refuse_unknown_keys(told, _FILTERS, "on")
    outcomes = _names(told, "outcomes", "on")
    for outcome in outcomes - set(_OUTCOMES):
        raise ProviderConfigError(f"there is no outcome `{outcome}`", "on", "outcomes", hint="pass, review or reject")
    return Settings(
        url=read_url(required_text(config, "url", hint="write `url: https://cases.example/adjudge`")),
        secrets=_secrets(config),
        state=Path(required_text(config, "state", hint="a folder that remembers what was sent: `state: webhook`")),
        outcomes=outcomes,
        rules=_names(told, "rules", "on"),
        tags=_names(told, "tags", "on"),
        allow=frozenset(_allowed(one) for one in _names(config, "allow")),
        timeout_s=_seconds(config, "timeout", 10.0, most=300.0),
        tries=_count(config, "tries", 5, most=100),
        give_up_after_s=_seconds(config, "give_up_after", 72 * 3600.0, most=366 * 86400.0),
        parallel=_count(config, "parallel", 8, most=64),
        read_secrets=partial(_secrets, config),
    )


def read_url(text: str) -> str:
    """Return a URL that can be posted to. Raises ProviderConfigError, which quotes nothing of it."""
    try:
        parts = urlsplit(text)
        port_is_read = parts.port is None or parts.port > 0
    except ValueError:
        raise ProviderConfigError("`url` is no URL", "url") from None
    if not (text.isascii() and text.isprintable() and " " not in text and len(text) <= URL_MAX and port_is_read):
        raise ProviderConfigError("`url` is no URL", "url", hint="write it in ASCII, without spaces")
    if parts.scheme not in ("https", "http") or not parts.hostname or parts.fragment or "@" in parts.netloc:
        hint = "write https://HOST/PATH, without a user, a password and a fragment"
        raise ProviderConfigError("`url` must be one of https or http", "url", hint=hint)
    if parts.scheme == "http" and not _is_local(parts):
        raise ProviderConfigError("`url` must be https where it leaves this machine", "url")
    return text


def _is_local(parts: SplitResult) -> bool:
    host = parts.hostname or ""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _secrets(config: Mapping[str, Any]) -> tuple[bytes, ...]:
    given = config.get("secrets")
    entries = given if isinstance(given, list) else [given]
    hint = "write `secrets: [{file: webhook.key}]` or `[{environment: WEBHOOK_SECRET}]`, the current one first"
    if given is None or not entries:
        raise ProviderConfigError("`secrets` is missing", "secrets", hint=hint)
    return tuple(_secret(entry, hint) for entry in entries)


def _secret(entry: object, hint: str) -> bytes:
    match entry:
        case {"file": str(path), **more} if not more:
            try:
                found = Path(path).read_bytes().strip()
            except OSError as error:
                said = f"`{path}` cannot be read: {(error.strerror or str(error)).lower()}"
                raise ProviderConfigError(said, "secrets") from None
        case {"environment": str(name), **more} if not more:
            found = os.environ.get(name, "").encode()
            if not found:
                raise ProviderConfigError(f"the variable `{name}` is not set", "secrets")
        case _:
            raise ProviderConfigError("a secret is a file or a variable of the environment", "secrets", hint=hint)
    if len(found) < SECRET_MIN_BYTES:
        raise ProviderConfigError(f"a secret has {SECRET_MIN_BYTES} bytes at least", "secrets")
    return found


def _names(config: Mapping[str, Any], key: str, *path: str) -> frozenset[str]:
    given = config.get(key)
    if given is None:
        return frozenset()
    if not isinstance(given, list) or not all(isinstance(one, str) and one for one in given):
        raise ProviderConfigError(f"`{key}` must be a list of names", *path, key)
    return frozenset(given)


def _allowed(text: str) -> str:
    """Return a name or a network. Raises ProviderConfigError."""
    try:
        return str(ipaddress.ip_network(text))
    except ValueError:
        if _NAME.fullmatch(text.lower()):
            return text.lower()
    hint = "write cases.internal, 10.1.2.3 or 10.1.0.0/16"
    raise ProviderConfigError("an entry of `allow` is no host and no network", "allow", hint=hint)


def _seconds(config: Mapping[str, Any], key: str, otherwise: float, *, most: float) -> float:
    given = config.get(key)
    if given is None:
        return otherwise
    try:
        found = parse_duration(given).total_seconds() if isinstance(given, str) else 0.0
    except EvaluationError:
        found = 0.0
    if not 0 < found <= most:
        raise ProviderConfigError(f"`{key}` must be a duration above 0, such as 10s or 72h", key)
    return found


def _count(config: Mapping[str, Any], key: str, otherwise: int, *, most: int) -> int:
    given = config.get(key)
    if given is None:
        return otherwise
    if not isinstance(given, int) or isinstance(given, bool) or not 1 <= given <= most:
        raise ProviderConfigError(f"`{key}` must be a number from 1 to {most}", key)
    return given
