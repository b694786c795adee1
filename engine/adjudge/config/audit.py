"""The `audit:` of a configuration: where the log lies, what it promises, who signs it and who remembers it elsewhere.

audit:
  directory: audit
  durability: fsync                         # or flush, async
  checkpoint: {records: 1000, every: 60s}   # a checkpoint after so many records, or so long after one
  key: {file: audit.key}                    # or {env: ADJUDGE_AUDIT_KEY}; what signs checkpoints and proves records
  mac: {file: audit.mac}                    # or {env: …}; proves records in place of the key
  segment: {megabytes: 256, age: 24h}       # when the log goes on in a new file
  fingerprint_key: {env: ADJUDGE_KEY}       # or {file: …}; in place of the one beside the log
  anchors: [{file: /mnt/elsewhere/audit.anchors}]
"""

from __future__ import annotations

from collections.abc import Iterator
from collections.abc import Mapping as MappingOf
from pathlib import Path
from typing import cast

from adjudge.audit.checkpoints import EVERY, SECONDS, Checkpoints, FileAnchor
from adjudge.audit.file import SEGMENT_BYTES, SEGMENT_S, Segments
from adjudge.audit.fingerprint_key import key_from
from adjudge.audit.log import Durability
from adjudge.audit.signing import (
    Signer,
    mac_key_from_environment,
    mac_key_from_file,
    signer_from_environment,
    signer_from_file,
)
from adjudge.audit.trail import AuditTrail
from adjudge.frozen import frozen
from adjudge.policy.loading.reader import Reader
from adjudge.policy.text.yaml import Mapping, YamlNode

DURABILITIES = ("fsync", "flush", "async")
_KEYS = ("directory", "durability", "checkpoint", "key", "mac", "segment", "anchors", "fingerprint_key")
_MOST_RECORDS = 1_000_000
_LONGEST_S = 7 * 86400.0
_LARGEST_MB = 1_000_000
_OLDEST_S = 366 * 86400.0
_MB = 1024 * 1024

Opened = tuple[str, MappingOf[str, object]]
"""The name of something that a plugin offers, and its `with:`."""

KeyPlace = tuple[Path | None, str | None]
"""A key's file or its variable of the environment; neither where there is no key."""


@frozen(kw_only=True)
class AuditSettings:
    """What stands under `audit:`, paths made whole.

    every: records, seconds: a time, after which a checkpoint comes. key_file, key_variable, mac_file, mac_variable,
    fingerprint_file, fingerprint_variable: where the keys are, if there are some. segment_bytes, segment_s: how large
    and old a file grows. anchors: files.
    """

    directory: Path
    durability: Durability = "fsync"
    every: int = EVERY
    seconds: float = SECONDS
    key_file: Path | None = None
    key_variable: str | None = None
    mac_file: Path | None = None
    mac_variable: str | None = None
    segment_bytes: int = SEGMENT_BYTES
    segment_s: float = SEGMENT_S
    anchors: tuple[Path, ...] = ()
    fingerprint_file: Path | None = None
    fingerprint_variable: str | None = None

    def open(self) -> AuditTrail:
        """Open the log. Raises AuditUnavailable and AuditBroken."""
        return AuditTrail.open(
            self.directory,
            durability=self.durability,
            segments=Segments(max_bytes=self.segment_bytes, max_age_s=self.segment_s),
            checkpoints=Checkpoints(
                every=self.every, seconds=self.seconds, signer=self._signer(), mac_key=self._mac_key()
            ),
            anchors=[FileAnchor(one) for one in self.anchors],
            fingerprint_key=key_from(self.fingerprint_file, self.fingerprint_variable),
        )

    def _signer(self) -> Signer | None:
        if self.key_file is not None:
            return signer_from_file(self.key_file)
        return signer_from_environment(self.key_variable) if self.key_variable is not None else None

    def _mac_key(self) -> bytes | None:
        if self.mac_file is not None:
            return mac_key_from_file(self.mac_file)
        return mac_key_from_environment(self.mac_variable) if self.mac_variable is not None else None


def read_audit(reader: Reader, node: YamlNode, folder: Path) -> AuditSettings | None:
    """Read `audit:`; what is wrong is blamed in the reader. folder: what paths are relative to."""
    entries = reader.mapping(node, "`audit`", keys=(*_KEYS, "sinks"), required=("directory",), at=node.span)
    if "sinks" in entries:
        hint = "write `readers`, beside `audit`: they are sent the records of the log, again after a failure"
        reader.blame("schema-unknown-key", "`audit` has no `sinks` any more", entries["sinks"][0].span, hint)
    parts = {name: value for name, (_, value) in entries.items()}
    directory = reader.path(parts["directory"], "`directory`") if "directory" in parts else None
    durability = reader.choice(parts["durability"], "`durability`", DURABILITIES) if "durability" in parts else None
    every, seconds = _pair(reader, parts.get("checkpoint"), "checkpoint", ("records", _MOST_RECORDS), _LONGEST_S)
    size, age = _pair(reader, parts.get("segment"), "segment", ("megabytes", _LARGEST_MB), _OLDEST_S)
    log = folder / directory if directory is not None else None
    file, variable = _key(reader, parts.get("key"), "key", folder, log)
    mac_file, mac_variable = _key(reader, parts.get("mac"), "mac", folder, log)
    fingerprint_file, fingerprint_variable = _key(reader, parts.get("fingerprint_key"), "fingerprint_key", folder, None)
    anchors = tuple(_anchors(reader, parts.get("anchors"), folder))
    if log is None:
        return None
    return AuditSettings(
        directory=log,
        durability=cast(Durability, durability or "fsync"),
        every=every or EVERY,
        seconds=seconds or SECONDS,
        key_file=file,
        key_variable=variable,
        mac_file=mac_file,
        mac_variable=mac_variable,
        segment_bytes=size * _MB if size else SEGMENT_BYTES,
        segment_s=age or SEGMENT_S,
        anchors=anchors,
        fingerprint_file=fingerprint_file,
        fingerprint_variable=fingerprint_variable,
    )


def _pair(
    reader: Reader, node: YamlNode | None, what: str, count: tuple[str, int], longest_s: float
) -> tuple[int | None, float | None]:
    """Read a mapping of a number of things and a length of time."""
    if node is None:
        return None, None
    key, most = count
    time = "every" if what == "checkpoint" else "age"
    entries = reader.mapping(node, f"`{what}`", keys=(key, time), at=node.span)
    number = reader.integer(entries[key][1], f"`{key}`", most) if key in entries else None
    if number is not None and number < 1:
        reader.blame("schema-range", f"`{key}` must be at least 1", entries[key][1].span)
    return number, reader.seconds(entries[time][1], f"`{time}`", longest_s) if time in entries else None


def _key(reader: Reader, node: YamlNode | None, what: str, folder: Path, log: Path | None) -> KeyPlace:
    """Read where a key is. log: the log's folder, which may not hold it."""
    if node is None:
        return None, None
    entries = reader.mapping(node, f"`{what}`", keys=("file", "env"), at=node.span)
    if len(entries) != 1:
        hint = f"{{file: audit.{what}}} or {{env: ADJUDGE_AUDIT_{what.upper()}}}"
        reader.blame("schema-value", f"`{what}` names one place", node.span, hint)
        return None, None
    ((place, (_, value)),) = entries.items()
    said = (reader.path if place == "file" else reader.text)(value, f"`{place}`")
    if said is None or place == "env":
        return None, said
    if log is not None and (folder / said).resolve().is_relative_to(log.resolve()):
        why = "the key is in the folder of the log that it proves: anybody who can write there could change both"
        reader.blame("schema-value", why, value.span, "keep it where only the engine can read it")
    return folder / said, None


def _anchors(reader: Reader, node: YamlNode | None, folder: Path) -> Iterator[Path]:
    for item in reader.items(node, "`anchors`") if node is not None else ():
        if isinstance(item, Mapping) and any(key.text.value == "name" for key, _ in item.entries):
            hint = "write `readers`, beside `audit`: a plugin's reader is sent the checkpoints among the records"
            reader.blame("schema-unknown-key", "an anchor is a file; plugins have no part in it", item.span, hint)
            continue
        entries = reader.mapping(item, "one of `anchors`", keys=("file",), required=("file",), at=item.span)
        said = reader.path(entries["file"][1], "`file`") if "file" in entries else None
        if said is not None:
            yield folder / said
