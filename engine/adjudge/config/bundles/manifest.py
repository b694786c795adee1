"""What a bundle says that it holds, and who vouches for that.

`manifest.json` names every file with its size and digest; `manifest.sig` has signatures of its bytes, Ed25519, by as
many keys as are in use: while a key is replaced, there are two.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from datetime import UTC, datetime

import msgspec

from adjudge.audit.signing import Signer
from adjudge.audit.verify import key_id, signs
from adjudge.errors import BundleRefused
from adjudge.texts import one_line

MANIFEST, SIGNATURES = "manifest.json", "manifest.sig"
FORMAT = 1
FILES_MAX = 2000
FILES_MAX_BYTES = 64 * 1024 * 1024
"""Of all files of a bundle together."""
MANIFEST_MAX_BYTES = 1024 * 1024
SIGNATURES_MAX_BYTES = 16 * 1024
COUNTER_MAX = 2**53 - 1
_NAME_MAX = 100
_SIGNED = b"adjudge bundle manifest\x01"
"""Comes before what is signed, so that no signature of anything else is one of a manifest."""
_BUNDLE = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}", re.ASCII)
_FILE = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]*(/[A-Za-z0-9_-][A-Za-z0-9._-]*)*", re.ASCII)


class FileEntry(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One file. name: its path with `/`; sha256: lower-case hex."""

    name: str
    bytes: int
    sha256: str


class Manifest(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True, omit_defaults=True):
    """What a bundle holds. counter: grows with each bundle of a name. made_at: aware UTC. files: in order of names.

    fresh_until: when another one should have come, aware UTC; nothing ends then, but the service says so.
    """

    format: int
    bundle: str
    counter: int
    made_at: datetime
    files: tuple[FileEntry, ...]
    fresh_until: datetime | None = None


class Signature(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One signature, lower-case hex, and the id of its key."""

    key: str
    signature: str


class Signatures(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The signatures of a manifest."""

    signatures: tuple[Signature, ...] = ()


def manifest_of(
    name: str, counter: int, made_at: datetime, files: Mapping[str, bytes], *, fresh_until: datetime | None = None
) -> Manifest:
    """Return the manifest of files by their names. Raises BundleRefused for what no bundle can hold."""
    entries = tuple(
        FileEntry(file, len(data), hashlib.sha256(data).hexdigest()) for file, data in sorted(files.items())
    )
    made = Manifest(
        format=FORMAT,
        bundle=name,
        counter=counter,
        made_at=made_at.astimezone(UTC),
        files=entries,
        fresh_until=fresh_until.astimezone(UTC) if fresh_until is not None else None,
    )
    check(made)
    return made


def read_manifest(data: bytes) -> Manifest:
    """Read a manifest that somebody vouches for. Raises BundleRefused."""
    try:
        found = msgspec.json.decode(data, type=Manifest)
    except (msgspec.DecodeError, RecursionError, ValueError) as error:
        raise BundleRefused(f"its manifest cannot be read: {error}") from None
    check(found)
    return found


def is_bundle_name(name: str) -> bool:
    """Whether a bundle may be called so."""
    return _BUNDLE.fullmatch(name) is not None


def check(manifest: Manifest) -> None:
    """Raise BundleRefused for a manifest that no bundle can have."""
    if manifest.format != FORMAT:
        raise BundleRefused(f"it has format {manifest.format}, and this version reads {FORMAT}")
    if not is_bundle_name(manifest.bundle):
        raise BundleRefused("the name of a bundle has 1 to 64 lower-case letters, digits, `.`, `_` and `-`")
    if not 0 < manifest.counter <= COUNTER_MAX:
        raise BundleRefused(f"its counter must be from 1 to {COUNTER_MAX}")
    if manifest.made_at.tzinfo is None:
        raise BundleRefused("the time of its making has no zone")
    if manifest.fresh_until is not None and manifest.fresh_until.tzinfo is None:
        raise BundleRefused("the time until which it is fresh has no zone")
    if manifest.fresh_until is not None and manifest.fresh_until <= manifest.made_at:
        raise BundleRefused("it is fresh until a time before it was made")
    if not 0 < len(manifest.files) <= FILES_MAX:
        raise BundleRefused(f"a bundle holds 1 to {FILES_MAX:,} files")
    if any(entry.bytes < 0 for entry in manifest.files) or sum(e.bytes for e in manifest.files) > FILES_MAX_BYTES:
        raise BundleRefused(f"its files have more than {FILES_MAX_BYTES // 2**20} MiB together")
    _check_names([entry.name for entry in manifest.files])


def _check_names(names: list[str]) -> None:
    """Raise BundleRefused for names that lead out of a folder, or that some file system takes for one another."""
    seen: dict[str, str] = {}
    folders = {str(parent).lower() for name in names for parent in _folders(name)}
    for name in names:
        if not _FILE.fullmatch(name) or len(name) > _NAME_MAX:
            raise BundleRefused(
                f"`{one_line(name[:_NAME_MAX])}` is no name of a file in a bundle: it has at most {_NAME_MAX} letters,"
                " digits, `.`, `_` and `-`, divided by `/`, and no part begins with a dot"
            )
        if name.lower() in seen or name.lower() in folders or name in (MANIFEST, SIGNATURES):
            raise BundleRefused(f"`{name}` is there twice, as some file systems see it")
        seen[name.lower()] = name
    if names != sorted(names):
        raise BundleRefused("its files are not in the order of their names")


def _folders(name: str) -> list[str]:
    parts = name.split("/")
    return ["/".join(parts[:count]) for count in range(1, len(parts))]


def signature_of(manifest: bytes, signer: Signer) -> Signature:
    """Sign the bytes of a manifest."""
    return Signature(signer.key_id, signer.sign(_SIGNED + manifest).hex())


def read_signatures(data: bytes) -> Signatures:
    """Read signatures. Raises BundleRefused."""
    try:
        return msgspec.json.decode(data, type=Signatures)
    except (msgspec.DecodeError, RecursionError, ValueError):
        raise BundleRefused(f"its `{SIGNATURES}` cannot be read") from None


def vouched_by(manifest: bytes, signatures: Signatures, keys: Mapping[str, bytes]) -> str:
    """Return the id of the key that vouches for a manifest. keys: those that are trusted, by id.

    Raises BundleRefused where it is unsigned, and where nobody who is trusted has signed it.
    """
    if not signatures.signatures:
        raise BundleRefused("it is not signed")
    for one in signatures.signatures:
        public = keys.get(one.key)
        if public is not None and _signs(public, manifest, one.signature):
            return one.key
        if public is not None:
            raise BundleRefused(f"its signature by the key {one.key} is none of this manifest")
    said = ", ".join(one_line(one.key[:16]) for one in signatures.signatures[:5])
    raise BundleRefused(f"it is signed by {said}, and none of these keys is trusted here")


def _signs(public: bytes, manifest: bytes, signature: str) -> bool:
    try:
        return signs(public, _SIGNED + manifest, bytes.fromhex(signature))
    except ValueError:
        return False


def ids_of(keys: list[bytes]) -> dict[str, bytes]:
    """Return public keys by their ids."""
    return {key_id(key): key for key in keys}
