"""Bundles: what a trusted key vouches for is opened, and nothing else, whatever is in the bytes."""

from __future__ import annotations

import gzip
import hashlib
import io
import tarfile
import zlib
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adjudge.audit.signing import Signer, generate
from adjudge.audit.verify import read_keys
from adjudge.config.bundles import archive, manifest
from adjudge.config.bundles.archive import pack
from adjudge.config.bundles.bundle import look_into, make_bundle, open_bundle, sign_bundle
from adjudge.config.bundles.manifest import (
    FORMAT,
    MANIFEST,
    SIGNATURES,
    FileEntry,
    Manifest,
    Signatures,
    ids_of,
    manifest_of,
    signature_of,
)
from adjudge.errors import BundleRefused

AT = datetime(2026, 5, 1, 12, tzinfo=UTC)
FILES = {"a.yaml": b"policy", "lists/bad.txt": b"KP\n", "z.yaml": b""}


@pytest.fixture(scope="module")
def signers(tmp_path_factory: pytest.TempPathFactory) -> tuple[Signer, Signer]:
    folder = tmp_path_factory.mktemp("keys")
    return generate(folder / "one"), generate(folder / "two")


def trusted(*signers: Signer) -> dict[str, bytes]:
    return ids_of([signer.public for signer in signers])


def made(signer: Signer, files: Mapping[str, bytes] = FILES, *, counter: int = 7, name: str = "risk") -> bytes:
    return make_bundle(manifest_of(name, counter, AT, files), files, (signer,))


def forged(signer: Signer, said: Manifest | bytes, files: Mapping[str, bytes]) -> bytes:
    """A bundle that a trusted key has signed, whatever it says."""
    text = said if isinstance(said, bytes) else msgspec.json.encode(said)
    signatures = msgspec.json.encode(Signatures((signature_of(text, signer),)))
    return pack({MANIFEST: text, SIGNATURES: signatures, **files})


def entry(name: str, data: bytes = b"x") -> FileEntry:
    return FileEntry(name, len(data), hashlib.sha256(data).hexdigest())


def said(*entries: FileEntry, **more: object) -> Manifest:
    facts: dict[str, object] = {"format": FORMAT, "bundle": "risk", "counter": 7, "made_at": AT, **more}
    return Manifest(files=entries, **facts)  # type: ignore[arg-type]


def test_bundle_holds_what_was_put_in_and_is_the_same_each_time(signers: tuple[Signer, Signer]) -> None:
    data = made(signers[0])
    opened = open_bundle(data, trusted(*signers), "risk")
    assert (opened.files, opened.key, opened.manifest.counter) == (FILES, signers[0].key_id, 7)
    assert data == made(signers[0]) and opened.body().made_at == AT
    with tarfile.open(fileobj=io.BytesIO(data)) as tar:  # as another reader has it
        assert tar.getnames() == [MANIFEST, SIGNATURES, *FILES]
        assert {one.mtime for one in tar} == {0} and all(one.isreg() for one in tar)


def test_second_key_signs_too_and_the_first_may_go(signers: tuple[Signer, Signer]) -> None:
    one, two = signers
    both = sign_bundle(made(one), two)
    assert open_bundle(both, trusted(two)).key == two.key_id and open_bundle(both, trusted(one)).key == one.key_id
    assert sign_bundle(both, two) == both
    assert [each.key for each in look_into(both)[1].signatures] == [one.key_id, two.key_id]


def test_nobody_is_trusted_who_is_not_named(signers: tuple[Signer, Signer]) -> None:
    one, two = signers
    for data, keys, why in (
        (made(two), trusted(one), "none of these keys is trusted here"),
        (make_bundle(manifest_of("risk", 7, AT, FILES), FILES), trusted(one), "it is not signed"),
        (made(one), {}, "none of these keys is trusted here"),
        (made(one), {one.key_id: two.public}, "is none of this manifest"),
        (made(one, name="other"), trusted(one), "it is the bundle `other`, and `risk` is wanted"),
    ):
        with pytest.raises(BundleRefused, match=why):
            open_bundle(data, keys, "risk")


def test_signature_of_a_record_is_none_of_a_manifest(signers: tuple[Signer, Signer]) -> None:
    one = signers[0]
    text = msgspec.json.encode(said(entry("a.yaml")))
    bare = manifest.Signature(one.key_id, one.sign(text).hex())
    data = pack({MANIFEST: text, SIGNATURES: msgspec.json.encode(Signatures((bare,))), "a.yaml": b"x"})
    with pytest.raises(BundleRefused, match="is none of this manifest"):
        open_bundle(data, trusted(one))


@pytest.mark.parametrize(
    "name",
    [
        *(
            "../a",
            "/etc/a",
            "a/../b",
            "a//b",
            "./a",
            "a/",
            "",
            ".hidden",
            "a/.b",
            "a\\b",
            "C:a",
            "a b",
            "é.yaml",
            "a\x00b",
        ),
        *("a\nb", "x" * 101, "~a/../b", "\u202eyaml"),
    ],
)
def test_name_that_could_lead_elsewhere_is_refused_even_if_it_is_signed(
    signers: tuple[Signer, Signer], name: str
) -> None:
    with pytest.raises(BundleRefused, match="is no name of a file"):
        open_bundle(forged(signers[0], said(entry(name)), {}), trusted(signers[0]))
    with pytest.raises(BundleRefused, match="is no name of a file"):
        manifest_of("risk", 1, AT, {name: b""})


@pytest.mark.parametrize(
    ("names", "why"),
    [
        (("A.yaml", "a.yaml"), "is there twice"),
        (("a.yaml", "a.yaml"), "is there twice"),
        (("a", "a/b"), "is there twice"),
        (("A", "a/b"), "is there twice"),
        ((MANIFEST,), "is there twice"),
        (("b", "a"), "not in the order"),
        ((), "holds 1 to"),
    ],
)
def test_names_that_some_file_system_takes_for_one_another_are_refused(
    signers: tuple[Signer, Signer], names: tuple[str, ...], why: str
) -> None:
    with pytest.raises(BundleRefused, match=why):
        open_bundle(forged(signers[0], said(*map(entry, names)), {}), trusted(signers[0]))


@pytest.mark.parametrize(
    ("more", "why"),
    [
        ({"format": 2}, "it has format 2"),
        ({"bundle": "../risk"}, "the name of a bundle"),
        ({"counter": 0}, "its counter"),
        ({"counter": 2**60}, "its counter"),
        ({"made_at": datetime(2026, 5, 1)}, "has no zone"),
    ],
)
def test_manifest_that_nobody_makes_is_refused(
    signers: tuple[Signer, Signer], more: dict[str, object], why: str
) -> None:
    with pytest.raises(BundleRefused, match=why):
        open_bundle(forged(signers[0], said(entry("a"), **more), {"a": b"x"}), trusted(signers[0]))


@pytest.mark.parametrize("text", [b"", b"{", b"[]", b"[" * 5000, b'{"format":1}', b'{"format":1,"later":2}', b"\xff"])
def test_manifest_that_cannot_be_read_is_refused(signers: tuple[Signer, Signer], text: bytes) -> None:
    with pytest.raises(BundleRefused, match="its manifest cannot be read"):
        open_bundle(forged(signers[0], text, {}), trusted(signers[0]))


@pytest.mark.parametrize(
    ("files", "why"),
    [
        ({}, "`a` is not in its place"),
        ({"a": b"x"}, "`b` is not in its place"),
        ({"b": b"y", "a": b"x"}, "`a` is not in its place"),
        ({"a": b"x", "b": b"z"}, "`b` is not what the manifest says"),
        ({"a": b"x", "b": b""}, "`b` is not what the manifest says"),
        ({"a": b"x", "b": b"yy"}, "`b` has 2 bytes, and 1 are all"),
        ({"a": b"x", "b": b"y", "c": b""}, "files that the manifest does not name"),
    ],
)
def test_files_are_those_of_the_manifest(signers: tuple[Signer, Signer], files: dict[str, bytes], why: str) -> None:
    with pytest.raises(BundleRefused, match=why):
        open_bundle(forged(signers[0], said(entry("a"), entry("b", b"y")), files), trusted(signers[0]))


def _member(kind: bytes, **facts: object) -> Callable[[bytes], bytes]:
    def change(data: bytes) -> bytes:
        out = io.BytesIO()
        with tarfile.open(fileobj=io.BytesIO(data)) as old, tarfile.open(fileobj=out, mode="w:gz") as new:
            for one in old:
                if one.name == "a.yaml":
                    one.type = kind
                    for name, value in facts.items():
                        setattr(one, name, value)
                new.addfile(one, old.extractfile(one) if one.isreg() else None)
        return out.getvalue()

    return change


def _with_prefix(data: bytes) -> bytes:
    """The name of a file goes on in another part of its header, as other readers of tars see it: `../a.yaml`."""
    plain = bytearray(gzip.decompress(data))
    at = plain.index(b"a.yaml\0")
    plain[at + 345 : at + 347] = b".."
    plain[at + 148 : at + 156] = b" " * 8
    plain[at + 148 : at + 156] = b"%06o\0 " % sum(plain[at : at + 512])
    with tarfile.open(fileobj=io.BytesIO(bytes(plain))) as tar:
        assert "../a.yaml" in tar.getnames()
    return gzip.compress(bytes(plain))


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (_member(tarfile.SYMTYPE, linkname="/etc/passwd", size=0), "a symbolic link"),
        (_member(tarfile.LNKTYPE, linkname="z.yaml", size=0), "a hard link"),
        (_member(tarfile.CHRTYPE, size=0), "a device"),
        (_member(tarfile.BLKTYPE, size=0), "a device"),
        (_member(tarfile.FIFOTYPE, size=0), "a pipe"),
        (_member(tarfile.DIRTYPE, size=0), "a folder"),
        (_member(tarfile.REGTYPE, uname="root"), "a header in it says more"),
        (lambda data: _with_prefix(data), "a header in it"),
        (_member(tarfile.REGTYPE, pax_headers={"path": "../a"}), "an extended header"),
        (lambda data: data + b"\0", "behind its gzip"),
        (lambda data: data + data, "behind its gzip"),
        (lambda data: data[:-1], "ends too early"),
        (lambda data: data[: len(data) // 2], "ends too early"),
        (lambda data: b"", "ends too early"),
        (lambda data: b"PK" + data, "no gzip"),
        (lambda data: gzip.compress(gzip.decompress(data)[:-1024]), "ends too early"),
        (lambda data: gzip.compress(gzip.decompress(data) + b"x" * 512), "behind its last file"),
        (lambda data: gzip.compress(gzip.decompress(data) + b"x"), "ends too early"),
    ],
)
def test_archive_holds_plain_files_and_nothing_else(
    signers: tuple[Signer, Signer], change: Callable[[bytes], bytes], why: str
) -> None:
    with pytest.raises(BundleRefused, match=why):
        open_bundle(change(made(signers[0])), trusted(signers[0]))


def test_every_byte_counts(signers: tuple[Signer, Signer]) -> None:
    """A bundle of which one byte differs, within its compression, is refused or is the same bundle."""
    plain = gzip.decompress(made(signers[0]))
    for at in range(0, len(plain), 7):
        changed = plain[:at] + bytes([plain[at] ^ 1]) + plain[at + 1 :]
        with pytest.raises(BundleRefused):
            open_bundle(gzip.compress(changed), trusted(signers[0]))


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=2000))
def test_whatever_bytes_are_refused_in_words(data: bytes) -> None:
    for given_ in (data, gzip.compress(data)):
        with pytest.raises(BundleRefused):
            open_bundle(given_, {})


def test_bomb_is_left_before_it_has_gone_off(signers: tuple[Signer, Signer], monkeypatch: pytest.MonkeyPatch) -> None:
    taken: list[int] = []
    real = zlib.decompressobj

    class Counting:
        def __init__(self, bits: int) -> None:
            self._one = real(bits)

        def decompress(self, data: bytes, most: int) -> bytes:
            piece = self._one.decompress(data, most)
            taken.append(len(piece))
            return piece

        def __getattr__(self, name: str) -> object:
            return getattr(self._one, name)

    monkeypatch.setattr(archive.zlib, "decompressobj", Counting)
    zeros = zlib.compressobj(9, zlib.DEFLATED, 31)
    bomb = b"".join([*(zeros.compress(bytes(2**20)) for _ in range(200)), zeros.flush()])
    with pytest.raises(BundleRefused, match="unpacks to more than"):
        open_bundle(bomb, trusted(signers[0]))
    assert sum(taken) < archive._UNPACKED_MAX_BYTES + 2**20
    taken.clear()
    large = said(FileEntry("a", 2**40, "0" * 64))
    with pytest.raises(BundleRefused, match="MiB together"):
        open_bundle(forged(signers[0], large, {}), trusted(signers[0]))
    monkeypatch.setattr(archive, "ARCHIVE_MAX_BYTES", 10)
    with pytest.raises(BundleRefused, match="it is larger than"):
        open_bundle(bytes(11), trusted(signers[0]))


def test_foreign_bundle_is_not_read_beyond_its_signature(signers: tuple[Signer, Signer]) -> None:
    data = pack({MANIFEST: b"{}", SIGNATURES: b'{"signatures":[]}', "a": b"x" * 2**20})
    with pytest.raises(BundleRefused, match="it is not signed"):
        open_bundle(data[:2000], trusted(signers[0]))


def test_keys_of_openssl_are_read(tmp_path: Path) -> None:
    signer = generate(tmp_path / "key")
    assert ids_of(read_keys((tmp_path / "key.pub").read_text())) == {signer.key_id: signer.public}
