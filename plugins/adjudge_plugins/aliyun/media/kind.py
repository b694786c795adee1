"""What a file is, from its first bytes and not from its name."""

from __future__ import annotations

import re
from codecs import getincrementaldecoder
from dataclasses import dataclass
from typing import Literal

MediaType = Literal["image", "video"]

_SOI = b"\xff\xd8"
_TEXT_BYTES = 512
_BRANDS_BYTES = 256
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f]")


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of file: its name for a message, and what it would be sent as.

    media_type: `image` for everything that is no video, as `Face` has it.
    """

    name: str
    media_type: MediaType = "image"


JPEG = Kind("JPEG")
PNG = Kind("PNG")
MP4 = Kind("MP4", "video")
MOV = Kind("MOV", "video")
UNKNOWN = Kind("of no known kind")

_FIRST_BYTES: tuple[tuple[bytes, Kind], ...] = (
    (b"\x89PNG\r\n\x1a\n", PNG),
    (b"GIF8", Kind("GIF")),
    (b"II*\x00", Kind("TIFF")),
    (b"MM\x00*", Kind("TIFF")),
    (b"\x00\x00\x00\x0cjP  ", Kind("JPEG 2000")),
    (b"\xff\x4f\xff\x51", Kind("JPEG 2000")),
    (b"\x00\x00\x00\x0cJXL ", Kind("JPEG XL")),
    (b"\xff\x0a", Kind("JPEG XL")),
    (b"8BPS", Kind("PSD")),
    (b"%PDF-", Kind("PDF")),
    (b"PK\x03\x04", Kind("ZIP")),
    (b"\x1f\x8b", Kind("gzip")),
    (b"FLV\x01", Kind("FLV", "video")),
    (b"OggS", Kind("Ogg", "video")),
    (b"\x00\x00\x01\xba", Kind("MPEG-PS", "video")),
    (b"\x30\x26\xb2\x75\x8e\x66\xcf\x11", Kind("WMV", "video")),
    (b"ID3", Kind("MP3")),
    (b"BM", Kind("BMP")),
)
_RIFF = {b"WEBP": Kind("WebP"), b"AVI ": Kind("AVI", "video"), b"WAVE": Kind("WAV")}
_OLD_MOV = (b"moov", b"mdat", b"free", b"skip", b"wide", b"pnot")
_BRANDS: tuple[tuple[bytes, Kind], ...] = (
    (b"qt  ", MOV),
    (b"avif", Kind("AVIF")),
    (b"avis", Kind("AVIF")),
    (b"heic", Kind("HEIC")),
    (b"heix", Kind("HEIC")),
    (b"hei", Kind("HEIF")),
    (b"hev", Kind("HEIF")),
    (b"mif1", Kind("HEIF")),
    (b"msf1", Kind("HEIF")),
    (b"crx ", Kind("CR3")),
    (b"M4A", Kind("M4A", "video")),
    (b"M4B", Kind("M4A", "video")),
    (b"3gp", Kind("3GP", "video")),
    (b"3g2", Kind("3GP2", "video")),
)
"""Beginnings of a major brand that is something else than MP4, though other brands may stand beside it."""
_MP4_BRANDS = (b"iso", b"mp4", b"avc1", b"dash", b"cmf", b"M4V", b"MSNV", b"mmp4")
_TEXTS = (
    ("<!doctype html", "HTML"),
    ("<html", "HTML"),
    ("<svg", "SVG"),
    ("<?xml", "XML"),
    ("data:", "a data URI, not the bytes that it holds"),
    ("/9j/", "Base64 of a JPEG, not its bytes"),
    ("ivborw0kggo", "Base64 of a PNG"),
)


def recognise(data: bytes) -> Kind:
    """Return what a file is; a name that no list here holds is UNKNOWN."""
    if data.startswith(_SOI):  # before the box types: a JPEG may spell one in its first segment
        return JPEG
    if data[4:8] == b"ftyp":
        return _by_brand(data)
    if data[4:8] in _OLD_MOV:
        return MOV
    for first, kind in _FIRST_BYTES:
        if data.startswith(first):
            return kind
    if data[:4] == b"RIFF":
        return _RIFF.get(data[8:12], UNKNOWN)
    if data[:4] == b"\x1aE\xdf\xa3":  # EBML; the document's type stands in the first few bytes after it
        return Kind("WebM" if b"webm" in data[:64] else "Matroska", "video")
    if data[:1] == b"\x47" and data[188:189] == b"\x47" and data[376:377] == b"\x47":  # packets of 188 bytes
        return Kind("MPEG-TS", "video")
    return _by_text(data[:_TEXT_BYTES])


def _by_brand(data: bytes) -> Kind:
    size = min(int.from_bytes(data[:4], "big"), _BRANDS_BYTES)
    major = data[8:12]
    for first, kind in _BRANDS:
        if major.startswith(first):
            return kind
    brands = [major, *(data[at : at + 4] for at in range(16, size, 4))]
    if any(brand.startswith(_MP4_BRANDS) for brand in brands):
        return MP4
    return MOV if b"qt  " in brands else UNKNOWN


def _by_text(first: bytes) -> Kind:
    try:
        text = getincrementaldecoder("utf-8")().decode(first)  # which lets the last character be cut in half
    except UnicodeDecodeError:
        return UNKNOWN
    start = text.lstrip("\ufeff \t\r\n").lower()
    for known, name in _TEXTS:
        if start.startswith(known):
            return Kind(name)
    return Kind("text") if start and not _CONTROL.search(start) else UNKNOWN
