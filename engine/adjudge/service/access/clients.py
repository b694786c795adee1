"""Where a request comes from: the address at the other end, or the one that a proxy of ours says."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable
from itertools import islice

from starlette.requests import Request

SOCKET = "unix"
"""The address of whoever comes over a Unix socket."""
HOPS_MAX = 20
_Address = ipaddress.IPv4Address | ipaddress.IPv6Address
_Network = ipaddress.IPv4Network | ipaddress.IPv6Network


class Clients:
    """Knows the proxies whose word is taken."""

    def __init__(self, trusted: Iterable[str] = (), *, at_socket: bool = False) -> None:
        """trusted: their addresses and networks, and `unix` for the Unix socket. at_socket: whether that is it."""
        said = set(trusted)
        self._at_socket, self._is_socket_trusted = at_socket, at_socket and SOCKET in said
        self._trusted: tuple[_Network, ...] = tuple(ipaddress.ip_network(one) for one in said - {SOCKET})

    def address_of(self, request: Request) -> str:
        """Return the address of a caller: the last in `X-Forwarded-For` that is none of our proxies'.

        What others write there stands before it, and counts for nothing.
        """
        address = self._peer(request)
        if not self._is_proxy(address):
            return self._said(address)
        hops = ",".join(request.headers.getlist("x-forwarded-for")).split(",")
        for hop in islice(reversed(hops), HOPS_MAX):
            said = _address(hop.strip())
            if said is None:
                break
            address = said
            if not self._is_trusted(said):
                break
        return self._said(address)

    def proto_of(self, request: Request) -> str:
        """Return over what a proxy of ours was asked, `http` or `https`; empty where none says so."""
        said = request.headers.getlist("x-forwarded-proto") if self._is_proxy(self._peer(request)) else []
        last = said[-1].rpartition(",")[2].strip().lower() if said else ""
        return last if last in ("http", "https") else ""

    def _peer(self, request: Request) -> _Address | None:
        return _address(request.client.host) if request.client and not self._at_socket else None

    def _is_proxy(self, address: _Address | None) -> bool:
        return self._is_trusted(address) if address is not None else self._is_socket_trusted

    def _said(self, address: _Address | None) -> str:
        """Return an address as events have it; none is known of who is away already."""
        return str(address) if address is not None else SOCKET if self._at_socket else ""

    def _is_trusted(self, address: _Address) -> bool:
        return any(address in network for network in self._trusted if network.version == address.version)


def neighbourhood(address: str) -> str:
    """Return what stands for whoever can have an address: itself, or of version 6 the network of 64 bits around it."""
    found = _address(address)
    if isinstance(found, ipaddress.IPv6Address):
        return str(ipaddress.ip_network((int(found) >> 64 << 64, 64)))
    return address


def _address(text: str) -> _Address | None:
    """Return an address, of version 4 where it is one in the clothes of version 6; None for what is none."""
    try:
        found = ipaddress.ip_address(text[:64].strip("[]").partition("%")[0])
    except ValueError:
        return None
    return found.ipv4_mapped or found if isinstance(found, ipaddress.IPv6Address) else found
