"""Requests read off a connection, and answers as bytes: as much of HTTP/1.1 as clients of this service speak."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from email.utils import format_datetime
from http import HTTPStatus
from urllib.parse import urlsplit

from adjudge_plugins.aliyun.sandbox.answers import Outgoing
from adjudge_plugins.aliyun.sandbox.incoming import Incoming

HEAD_MAX_BYTES = 64 * 1024


class BadRequest(Exception):
    """Bytes that are no request; the connection ends with `status`."""

    def __init__(self, status: int) -> None:
        super().__init__(HTTPStatus(status).phrase)
        self.status = status


@dataclass(frozen=True, slots=True)
class _Head:
    method: str
    target: str
    version: str
    headers: tuple[tuple[str, str], ...] = field(repr=False)

    def header(self, name: str) -> str | None:
        return next((value for key, value in self.headers if key.lower() == name), None)


async def read_request(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, body_max_bytes: int, is_tls: bool
) -> tuple[Incoming, bool]:
    """Return a request, and whether the client wants the connection closed after its answer.

    Raises BadRequest, or EOFError where the client left.
    """
    try:
        head = _parse_head(await reader.readuntil(b"\r\n\r\n"))
    except asyncio.LimitOverrunError:
        raise BadRequest(431) from None
    length = _length(head, body_max_bytes)
    if (head.header("expect") or "").lower() == "100-continue":
        writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
    body = await reader.readexactly(length)
    wish = (head.header("connection") or "").lower()
    closes = "close" in wish or (head.version == "HTTP/1.0" and "keep-alive" not in wish)
    return Incoming(method=head.method, target=head.target, headers=head.headers, body=body, is_tls=is_tls), closes


def _length(head: _Head, most: int) -> int:
    """Return the bytes of a body. Raises BadRequest, without reading more digits than the largest has."""
    said = {value for name, value in head.headers if name.lower() == "content-length"} or {"0"}
    if len(said) > 1:
        raise BadRequest(400)
    digits = said.pop()
    if not digits.isascii() or not digits.isdigit() or head.header("transfer-encoding") is not None:
        raise BadRequest(411)
    digits = digits.lstrip("0") or "0"
    if len(digits) > len(str(most)) or int(digits) > most:
        raise BadRequest(413)
    return int(digits)


def render(outgoing: Outgoing, *, closes: bool = False, has_length: bool = True) -> tuple[bytes, bytes]:
    """Return the head and the body of an answer. has_length: False where the body comes in chunks instead."""
    headers = [
        ("server", "adjudge-sandbox"),
        ("date", format_datetime(outgoing.at, usegmt=True)),
        ("content-type", outgoing.content_type),
        ("content-length", str(len(outgoing.body))) if has_length else ("transfer-encoding", "chunked"),
        *outgoing.headers,
        *([("connection", "close")] if closes else []),
    ]
    lines = [f"HTTP/1.1 {outgoing.status} {HTTPStatus(outgoing.status).phrase}"]
    lines += [f"{name}: {value}" for name, value in headers]
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1"), outgoing.body


def _parse_head(head: bytes) -> _Head:
    first, *lines = head.decode("latin-1").removesuffix("\r\n\r\n").lstrip("\r\n").split("\r\n")
    parts = first.split(" ")
    if len(parts) != 3 or not parts[2].startswith("HTTP/1."):
        raise BadRequest(400)
    try:
        urlsplit(parts[1])
    except ValueError:  # a bracket that opens no address
        raise BadRequest(400) from None
    headers = []
    for line in lines:
        name, colon, value = line.partition(":")
        if not colon or not name or name != name.strip():
            raise BadRequest(400)
        headers.append((name, value.strip()))
    return _Head(parts[0], parts[1], parts[2], tuple(headers))
