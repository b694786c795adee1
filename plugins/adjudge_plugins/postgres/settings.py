"""What stands under `ledger: {postgres: …}`."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from adjudge.plugin import PluginError, ProviderConfigError
from adjudge_plugins.settings import refuse_unknown_keys

KEYS = ("dsn", "fingerprint_key")
KEY_BYTES_MIN = 16
_PLACES = ("env", "file")


def read_settings(settings: Mapping[str, Any]) -> tuple[str, bytes]:
    """Return the connection string and the key of fingerprints. Raises PluginError."""
    try:
        refuse_unknown_keys(settings, KEYS)
    except ProviderConfigError as error:
        raise PluginError(f"{error}; {error.hint}", plugin="postgres") from None
    dsn = settings.get("dsn")
    text = dsn if isinstance(dsn, str) else _from(dsn, "dsn").decode().strip()
    key = _from(settings.get("fingerprint_key"), "fingerprint_key").strip()
    if len(key) < KEY_BYTES_MIN:
        way = "make one, such as by `openssl rand -hex 32`"
        said = f"`fingerprint_key` has {len(key)} bytes, where {KEY_BYTES_MIN} are the least: {way}"
        raise PluginError(said, plugin="postgres")
    return text, key


def _from(place: object, name: str) -> bytes:
    """Return what a variable of the environment or a file holds."""
    if not isinstance(place, Mapping) or len(place) != 1 or not {*place} <= {*_PLACES}:
        raise PluginError(f"`{name}` must say where it is: {{env: NAME}} or {{file: PATH}}", plugin="postgres")
    ((how, where),) = place.items()
    if how == "env":
        found = os.environ.get(str(where))
        if not found:
            raise PluginError(f"`{name}`: the environment has no `{where}`", plugin="postgres")
        return found.encode()
    try:
        return Path(str(where)).read_bytes()
    except OSError as error:
        raise PluginError(f"`{name}`: {where}: {(error.strerror or str(error)).lower()}", plugin="postgres") from None
