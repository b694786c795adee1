"""Reading the `with:` of a policy: each reader raises ProviderConfigError with the path of the wrong key."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from adjudge.plugin import ProviderConfigError, did_you_mean


def refuse_unknown_keys(config: Mapping[str, Any], known: Iterable[str], *path: str) -> None:
    """Refuse the first key that is not known, with the nearest one that is."""
    names = tuple(known)
    for key in config:
        if key not in names:
            hint = did_you_mean(str(key), names) or f"the keys here are {', '.join(names)}"
            raise ProviderConfigError(f"unknown key `{key}`", *path, str(key), hint=hint)


def text(config: Mapping[str, Any], key: str, *path: str) -> str | None:
    """Return the text of a key, or None where it is not given."""
    value = config.get(key)
    if value is None:
        return None
    if not isinstance(value, str) or not value:
        raise ProviderConfigError(f"`{key}` must be a string", *path, key)
    if "\0" in value:
        raise ProviderConfigError(f"`{key}` contains the character U+0000", *path, key)
    return value


def required_text(config: Mapping[str, Any], key: str, *path: str, hint: str) -> str:
    """Return the text of a key that must be there; `hint` shows how to write it."""
    value = text(config, key, *path)
    if value is None:
        raise ProviderConfigError(f"`{key}` is missing", *path, hint=hint)
    return value


def choice(config: Mapping[str, Any], key: str, values: tuple[str, ...]) -> str | None:
    """Return the value of a key that takes one of `values`, or None where it is not given."""
    value = text(config, key)
    if value is not None and value not in values:
        hint = did_you_mean(value, values) or f"one of {', '.join(values)}"
        raise ProviderConfigError(f"`{key}` cannot be `{value}`", key, hint=hint)
    return value


def mapping(config: Mapping[str, Any], key: str, *path: str) -> Mapping[str, Any]:
    """Return the mapping of a key, empty where it is not given."""
    value = config.get(key)
    if value is None:
        return {}
    if not isinstance(value, Mapping):
        raise ProviderConfigError(f"`{key}` must be a mapping", *path, key)
    return value


def flag(config: Mapping[str, Any], key: str) -> bool:
    """Return the truth of a key, false where it is not given."""
    value = config.get(key)
    if value is None:
        return False
    if not isinstance(value, bool):
        raise ProviderConfigError(f"`{key}` must be true or false", key)
    return value
