"""A bundle as it is trusted: opened only as far as somebody vouches for it, every file held against the manifest."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path

import msgspec

from adjudge.audit.activation import BundleBody
from adjudge.audit.signing import Signer
from adjudge.config.bundles.archive import Unpacking, pack
from adjudge.config.bundles.manifest import (
    MANIFEST,
    MANIFEST_MAX_BYTES,
    SIGNATURES,
    SIGNATURES_MAX_BYTES,
    Manifest,
    Signatures,
    read_manifest,
    read_signatures,
    signature_of,
    vouched_by,
)
from adjudge.errors import BundleRefused
from adjudge.frozen import frozen


@frozen(kw_only=True)
class Bundle:
    """A bundle that was opened. key: the id of who vouches for it. sha256: of the manifest's bytes."""

    manifest: Manifest
    key: str
    sha256: str
    files: Mapping[str, bytes]

    @property
    def name(self) -> str:
        """What it is called."""
        return self.manifest.bundle

    def body(self) -> BundleBody:
        """Return what the log is told of it."""
        said = self.manifest
        return BundleBody(
            counter=said.counter,
            sha256=self.sha256,
            key=self.key,
            made_at=said.made_at,
            fresh_until=said.fresh_until,
        )

    def lay_out(self, folder: Path) -> None:
        """Write its files into an empty folder. Raises OSError."""
        for name, data in self.files.items():
            file = folder / name
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(data)


def open_bundle(data: bytes, keys: Mapping[str, bytes], name: str | None = None) -> Bundle:
    """Open a bundle. keys: that are trusted, by id. name: that it has to have, None for any.

    The manifest is read once its signature is seen, and a file only as long as the manifest says that it is.
    Raises BundleRefused for anything that is not as it should be.
    """
    unpacking, said, signatures = _begun(data)
    key = vouched_by(said, signatures, keys)
    manifest = read_manifest(said)
    if name is not None and manifest.bundle != name:
        raise BundleRefused(f"it is the bundle `{manifest.bundle}`, and `{name}` is wanted")
    files = dict(_files(unpacking, manifest))
    return Bundle(manifest=manifest, key=key, sha256=hashlib.sha256(said).hexdigest(), files=files)


def look_into(data: bytes) -> tuple[Manifest, Signatures]:
    """Return what a bundle says of itself, for people: nobody vouches for any of it. Raises BundleRefused."""
    _, said, signatures = _begun(data)
    return read_manifest(said), signatures


def make_bundle(manifest: Manifest, files: Mapping[str, bytes], signers: tuple[Signer, ...] = ()) -> bytes:
    """Return a bundle, signed or not. The same parts make the same bytes."""
    said = msgspec.json.encode(manifest)
    signatures = Signatures(tuple(signature_of(said, signer) for signer in signers))
    ordered = {entry.name: files[entry.name] for entry in manifest.files}
    return pack({MANIFEST: said, SIGNATURES: msgspec.json.encode(signatures), **ordered})


def sign_bundle(data: bytes, signer: Signer) -> bytes:
    """Return a bundle with a signature more, in place of one of the same key. Raises BundleRefused."""
    unpacking, said, signatures = _begun(data)
    files = dict(_files(unpacking, read_manifest(said)))
    others = [one for one in signatures.signatures if one.key != signer.key_id]
    signed = Signatures((*others, signature_of(said, signer)))
    return pack({MANIFEST: said, SIGNATURES: msgspec.json.encode(signed), **files})


def _begun(data: bytes) -> tuple[Unpacking, bytes, Signatures]:
    """Return an archive of which the manifest and its signatures were read."""
    unpacking = Unpacking(data)
    found = []
    for name, max_bytes in ((MANIFEST, MANIFEST_MAX_BYTES), (SIGNATURES, SIGNATURES_MAX_BYTES)):
        file = unpacking.file(max_bytes=max_bytes)
        if file is None or file[0] != name:
            raise BundleRefused(f"it has no `{name}` in its place")
        found.append(file[1])
    return unpacking, found[0], read_signatures(found[1])


def _files(unpacking: Unpacking, manifest: Manifest) -> list[tuple[str, bytes]]:
    """Read the files of an archive, each of which has to be what the manifest says."""
    files = []
    for entry in manifest.files:
        file = unpacking.file(max_bytes=entry.bytes)
        if file is None or file[0] != entry.name:
            raise BundleRefused(f"`{entry.name}` is not in its place")
        if len(file[1]) != entry.bytes or hashlib.sha256(file[1]).hexdigest() != entry.sha256:
            raise BundleRefused(f"`{entry.name}` is not what the manifest says")
        files.append(file)
    if unpacking.file(max_bytes=0) is not None:
        raise BundleRefused("it holds files that the manifest does not name")
    return files
