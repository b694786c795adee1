"""What stands under `ledger: {postgres: …}`."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import reduce
from operator import or_
from pathlib import Path
from typing import Any

from adjudge.ledger.kit import (
    EVERY,
    SECONDS,
    Checkpoints,
    FileAnchor,
    Proof,
    mac_key_from_environment,
    mac_key_from_file,
    signer_from_environment,
    signer_from_file,
)
from adjudge.plugin import EvaluationError, PluginError, ProviderConfigError, parse_duration
from adjudge_plugins.settings import refuse_unknown_keys

KEYS = ("dsn", "fingerprint_key", "key", "mac", "retired", "checkpoint", "anchors", "redis")
KEY_BYTES_MIN = 16
_PLACES = ("env", "file")
_KEYS = ({"key"}, {"mac"}, {"key", "mac"})
_MOST_RECORDS = 1_000_000
_LONGEST_S = 7 * 86400.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """dsn: how the database is reached. fingerprint_key: the secret behind fingerprints.

    checkpoints: when the chain gets some, and with which keys; anchors: files elsewhere that are shown each of them.
    proof: what proves records of all workers, by these keys and earlier ones; None without any.
    redis: where copies are kept in front of it, as a URL; None for nowhere.
    """

    dsn: str
    fingerprint_key: bytes
    checkpoints: Checkpoints
    anchors: tuple[FileAnchor, ...]
    proof: Proof | None = None
    redis: str | None = None


def read_settings(settings: Mapping[str, Any], folder: Path = Path()) -> Settings:
    """Read the settings, and the keys that they name. folder: which paths are relative to.

    Raises PluginError, and AuditUnavailable for a key's file.
    """
    _refuse_unknown(settings, KEYS)
    dsn, redis = _text(settings.get("dsn"), "dsn", folder), settings.get("redis")
    key = _from(settings.get("fingerprint_key"), "fingerprint_key", folder).strip()
    if len(key) < KEY_BYTES_MIN:
        way = "make one, such as by `openssl rand -hex 32`"
        said = f"`fingerprint_key` has {len(key)} bytes, where {KEY_BYTES_MIN} are the least: {way}"
        raise PluginError(said, plugin="postgres")
    checkpoints = _checkpoints(settings, folder)
    return Settings(
        dsn=dsn,
        fingerprint_key=key,
        checkpoints=checkpoints,
        proof=_proof(settings, checkpoints, folder),
        anchors=_anchors(settings, folder),
        redis=None if redis is None else _text(redis, "redis", folder),
    )


def _text(said: object, name: str, folder: Path) -> str:
    return said if isinstance(said, str) else _from(said, name, folder).decode().strip()


def _checkpoints(settings: Mapping[str, Any], folder: Path) -> Checkpoints:
    said = settings.get("checkpoint", {})
    if not isinstance(said, Mapping):
        raise PluginError("`checkpoint` must say when: {records: 1000, every: 60s}", plugin="postgres")
    _refuse_unknown(said, ("records", "every"))
    records, every = said.get("records", EVERY), said.get("every", SECONDS)
    if type(records) is not int or not 1 <= records <= _MOST_RECORDS:
        raise PluginError(f"`records` must be a number from 1 to {_MOST_RECORDS}", plugin="postgres")
    try:
        seconds = parse_duration(every).total_seconds() if isinstance(every, str) else float(every)
    except (EvaluationError, ValueError, TypeError):
        seconds = 0.0
    if not 0 < seconds <= _LONGEST_S:
        raise PluginError("`every` must be a time such as 60s, of a week at most", plugin="postgres")
    return _keyed(Checkpoints(every=records, seconds=seconds), settings, folder)


def _keyed(points: Checkpoints, settings: Mapping[str, Any], folder: Path) -> Checkpoints:
    """Return checkpoints with the keys that `key` and `mac` name."""
    key, mac = _place(settings.get("key"), "key"), _place(settings.get("mac"), "mac")
    signer = mac_key = None
    if key is not None:
        signer = signer_from_environment(key[1]) if key[0] == "env" else signer_from_file(folder / key[1])
    if mac is not None:
        mac_key = mac_key_from_environment(mac[1]) if mac[0] == "env" else mac_key_from_file(folder / mac[1])
    return replace(points, signer=signer, mac_key=mac_key)


def _proof(settings: Mapping[str, Any], points: Checkpoints, folder: Path) -> Proof | None:
    """Return what proves records: the keys of the checkpoints, and those that they took the place of."""
    said = settings.get("retired", [])
    if not isinstance(said, list) or not all(isinstance(one, Mapping) and {*one} in _KEYS for one in said):
        raise PluginError("`retired` must be a list of earlier keys: [{key: {file: PATH}}]", plugin="postgres")
    if points.proof is None:
        if said:
            raise PluginError("`retired` has earlier keys, but no `key` or `mac` took their place", plugin="postgres")
        return None
    earlier = (_keyed(points, one, folder).proof for one in said)
    return reduce(or_, (one for one in earlier if one is not None), points.proof)


def _anchors(settings: Mapping[str, Any], folder: Path) -> tuple[FileAnchor, ...]:
    said = settings.get("anchors", [])
    if not isinstance(said, list) or not all(isinstance(one, Mapping) and [*one] == ["file"] for one in said):
        raise PluginError("`anchors` must be a list of files: [{file: PATH}]", plugin="postgres")
    return tuple(FileAnchor(folder / str(one["file"])) for one in said)


def _refuse_unknown(said: Mapping[str, Any], known: tuple[str, ...]) -> None:
    try:
        refuse_unknown_keys(said, known)
    except ProviderConfigError as error:
        raise PluginError(f"{error}; {error.hint}", plugin="postgres") from None


def _place(place: object, name: str) -> tuple[str, str] | None:
    """Return where something is: `env` or `file`, and its name; None where nothing was said."""
    if place is None:
        return None
    if not isinstance(place, Mapping) or len(place) != 1 or not {*place} <= {*_PLACES}:
        raise PluginError(f"`{name}` must say where it is: {{env: NAME}} or {{file: PATH}}", plugin="postgres")
    ((how, where),) = place.items()
    return str(how), str(where)


def _from(place: object, name: str, folder: Path) -> bytes:
    """Return what a variable of the environment or a file holds."""
    how, where = _place({} if place is None else place, name) or ("", "")
    if how == "env":
        found = os.environ.get(where)
        if not found:
            raise PluginError(f"`{name}`: the environment has no `{where}`", plugin="postgres")
        return found.encode()
    path = folder / where
    try:
        return path.read_bytes()
    except OSError as error:
        raise PluginError(f"`{name}`: {path}: {(error.strerror or str(error)).lower()}", plugin="postgres") from None
