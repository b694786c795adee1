"""The bytes of a bundle: a tar within gzip, of plain files alone, which is read in order and never further than needed.

It is read by hand: what else a tar can hold (links, devices, folders, names and sizes in further headers) has no place
in a bundle, and a reader that does not know it cannot be tricked by it.
"""

from __future__ import annotations

import zlib
from collections.abc import Mapping

from adjudge.config.bundles.manifest import FILES_MAX, FILES_MAX_BYTES
from adjudge.errors import BundleRefused
from adjudge.texts import one_line

ARCHIVE_MAX_BYTES = 24 * 1024 * 1024
"""Of a bundle as it lies somewhere."""
_BLOCK = 512
_UNPACKED_MAX_BYTES = FILES_MAX_BYTES + 2 * 1024 * 1024 + (FILES_MAX + 4) * 2 * _BLOCK
_GZIP = 31
_PLAIN = b"0"
_OTHERS = {
    b"1": "a hard link", b"2": "a symbolic link", b"3": "a device", b"4": "a device", b"5": "a folder", b"6": "a pipe",
    b"x": "an extended header", b"g": "an extended header", b"L": "a long name", b"K": "a long name",
    b"S": "a sparse file",
}  # fmt: skip


def pack(files: Mapping[str, bytes]) -> bytes:
    """Return an archive of files in the order given; the same files make the same bytes."""
    out = zlib.compressobj(9, zlib.DEFLATED, _GZIP)
    pieces = []
    for name, data in files.items():
        pieces += [out.compress(_header(name, len(data)) + data + bytes(-len(data) % _BLOCK))]
    return b"".join([*pieces, out.compress(bytes(2 * _BLOCK)), out.flush()])


def _header(name: str, size: int) -> bytes:
    head = bytearray(_BLOCK)
    head[0 : len(name)] = name.encode("ascii")
    head[100:108], head[108:116], head[116:124] = b"0000644\0", b"0000000\0", b"0000000\0"
    head[124:136], head[136:148] = b"%011o\0" % size, b"%011o\0" % 0
    head[148:156], head[156:157], head[257:265] = b" " * 8, b"0", b"ustar\x0000"
    head[148:156] = b"%06o\0 " % sum(head)
    return bytes(head)


class Unpacking:
    """Reads an archive file by file. Raises BundleRefused for whatever is not as `pack` makes it."""

    def __init__(self, data: bytes) -> None:
        if len(data) > ARCHIVE_MAX_BYTES:
            raise too_large()
        self._inflate = zlib.decompressobj(_GZIP)
        self._data, self._ready, self._count = data, b"", 0

    def file(self, *, max_bytes: int) -> tuple[str, bytes] | None:
        """Return the next file's name and contents; None behind the last."""
        head = self._read(_BLOCK)
        if not any(head):
            self._end()
            return None
        size = self._size(head)
        if size > max_bytes:
            raise BundleRefused(f"`{_name(head)}` has {size:,} bytes, and {max_bytes:,} are all that it may have")
        data = self._read(size)
        if any(self._read(-size % _BLOCK)):
            raise BundleRefused(f"something stands behind the end of `{_name(head)}`")
        return _name(head), data

    def _size(self, head: bytes) -> int:
        kind = head[156:157]
        if head[257:265] != b"ustar\x0000" or kind not in (_PLAIN, *_OTHERS):
            raise BundleRefused("it is no tar of the plain kind, `ustar`")
        if kind in _OTHERS:
            raise BundleRefused(f"it holds {_OTHERS[kind]}, and only files may be in a bundle")
        if any(head[157:257]) or any(head[265:]):
            raise BundleRefused("a header in it says more than a bundle's may")
        without = head[:148] + b" " * 8 + head[156:]
        if _octal(head[148:156]) != sum(without):
            raise BundleRefused("a header in it is damaged")
        return _octal(head[124:136])

    def _end(self) -> None:
        """Go on to the end, where only zeros may stand."""
        while block := self._read(_BLOCK, may_end=True):
            if any(block):
                raise BundleRefused("something stands behind its last file")

    def _read(self, size: int, *, may_end: bool = False) -> bytes:
        while len(self._ready) < size and not self._inflate.eof:
            try:
                piece = self._inflate.decompress(self._data, 256 * 1024)
            except zlib.error:
                raise BundleRefused("it is no gzip, or damaged") from None
            self._data = self._inflate.unconsumed_tail
            self._count += len(piece)
            if self._count > _UNPACKED_MAX_BYTES:
                raise BundleRefused(f"it unpacks to more than {_UNPACKED_MAX_BYTES // 2**20} MiB")
            if not piece and not self._data and not self._inflate.eof:
                raise BundleRefused("it ends too early")
            self._ready += piece
        if self._inflate.eof and self._inflate.unused_data:
            raise BundleRefused("something stands behind its gzip")
        if len(self._ready) < size and not (may_end and not self._ready):
            raise BundleRefused("it ends too early")
        read, self._ready = self._ready[:size], self._ready[size:]
        return read


def too_large() -> BundleRefused:
    """Return what to raise for an archive that is not read at all."""
    return BundleRefused(f"it is larger than {ARCHIVE_MAX_BYTES // 2**20} MiB")


def _name(head: bytes) -> str:
    name = head[:100].rstrip(b"\0")
    if not name.isascii() or b"\0" in name:
        raise BundleRefused("a name in it is not ASCII")
    return one_line(name.decode())


def _octal(field: bytes) -> int:
    digits = field.strip(b" \0")
    if not digits or digits.strip(b"01234567"):
        raise BundleRefused("a number in it is none")
    return int(digits, 8)
