"""Where a request of ours may go: the addresses of a name, looked at before any of them is connected.

A name is harmless and leads anywhere, at any time somewhere else. So whoever connects takes an address from here, and
does not ask for the name again.
"""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Collection

from adjudge.errors import TargetRefused
from adjudge.system.cloud_metadata import hands_out_keys, leads_to_keys, led_to

_PUBLIC = (ipaddress.IPv6Network("2000::/3"), ipaddress.IPv6Network("64:ff9b::/96"))
"""What is given out of version 6 for the Internet, and what leads to version 4 from there."""
_SPECIAL = tuple(map(ipaddress.ip_network, ("3fff::/20", "192.0.0.0/24", "192.88.99.0/24")))
"""For examples (RFC 9637), for protocols (RFC 6890), and for relays that are no more (RFC 7526)."""


def public_addresses(host: str, port: int, *, allowed: Collection[str] = ()) -> list[str]:
    """Return the addresses of a host, in the resolver's order, once all of them may be connected. Blocks.

    host: a name or an address, without brackets. allowed: names, addresses and networks such as `10.1.0.0/16` that may
    be private; names in lower case. Where a cloud hands out keys is never allowed.
    Raises TargetRefused, and OSError where the name is not found.
    """
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except UnicodeError:
        raise TargetRefused(f"`{host[:100]}` is no name of a host") from None
    addresses = list(dict.fromkeys(str(address[0]) for *_, address in found))
    is_named = host.lower().rstrip(".") in allowed
    for address in addresses:
        if leads_to_keys(host, address) or (hands_out_keys(host) and not is_named):
            raise TargetRefused(f"`{host}` leads to where a cloud hands out this machine's keys")
        if not (is_named or is_public(address) or _is_within(address, allowed)):
            raise TargetRefused(f"`{host}` leads to {address}, which is not public; allow it by its name")
    return addresses


def is_public(address: str) -> bool:
    """Whether an address is one of the public Internet: not of this machine, its network, or a special range."""
    parsed = ipaddress.ip_address(address.partition("%")[0])
    if parsed.version == 6 and not any(parsed in network for network in _PUBLIC):
        return False
    led = led_to(parsed)
    return all(one.is_global and not one.is_multicast and not _is_special(one) for one in (parsed, led) if one)


def _is_special(address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> bool:
    return any(address in network for network in _SPECIAL if network.version == address.version)


def _is_within(address: str, allowed: Collection[str]) -> bool:
    parsed = ipaddress.ip_address(address.partition("%")[0])
    for one in allowed:
        try:
            network = ipaddress.ip_network(one)
        except ValueError:
            continue  # a name
        if parsed in network:
            return True
    return False
