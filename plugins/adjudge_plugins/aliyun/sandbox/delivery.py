"""How an answer travels: at once, late, and in each way in which it may not arrive."""

from __future__ import annotations

import asyncio
import socket
import struct

from adjudge_plugins.aliyun.sandbox.answers import Outgoing
from adjudge_plugins.aliyun.sandbox.http import render

DRIP_INTERVAL_S = 0.05
"""Seconds between two bytes: an answer of some 500 takes half a minute, and no pause in it looks long."""
HUGE_BYTES = 200_000_000

_LOOK_INTERVAL_S = 0.5
_CHUNK = b" " * 65_536


async def deliver(
    outgoing: Outgoing, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, closes: bool
) -> bool:
    """Send an answer after its delay, and return whether the connection may go on.

    Raises OSError where the client left.
    """
    await _wait(outgoing.delay_s, reader)
    head, body = render(outgoing, closes=closes, has_length=outgoing.fault != "huge")
    match outgoing.fault:
        case "close" | "lose":
            return False
        case "black_hole":
            while True:
                await _wait(_LOOK_INTERVAL_S, reader)
        case "reset":
            writer.write(head + body[: len(body) // 2])
            await writer.drain()
            # closed with nothing to linger for, a connection ends in a reset
            writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            return False
        case "drip":
            for byte in head + body:
                writer.write(bytes((byte,)))
                await writer.drain()
                await _wait(DRIP_INTERVAL_S, reader)
        case "huge":
            await _send_huge(head, body, writer)
        case _:
            writer.write(head + body)
            await writer.drain()
    return True


async def _send_huge(head: bytes, body: bytes, writer: asyncio.StreamWriter) -> None:
    """Send good JSON with two hundred million blanks before it, as long as the client takes them."""
    writer.write(head)
    sent = 0
    while sent < HUGE_BYTES:
        writer.write(b"%x\r\n%b\r\n" % (len(_CHUNK), _CHUNK))
        await writer.drain()
        sent += len(_CHUNK)
    writer.write(b"%x\r\n%b\r\n0\r\n\r\n" % (len(body), body))
    await writer.drain()


async def _wait(seconds: float, reader: asyncio.StreamReader) -> None:
    """Wait, but not longer than the client does. Raises ConnectionResetError where it left."""
    while seconds > 0:
        await asyncio.sleep(min(seconds, _LOOK_INTERVAL_S))
        seconds -= _LOOK_INTERVAL_S
        if reader.at_eof():
            raise ConnectionResetError
