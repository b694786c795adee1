"""Where clouds hand out a machine's own keys: whoever asks there by mistake gives them to somebody else."""

from __future__ import annotations

import ipaddress
import socket

NAMES = frozenset(
    (
        *("metadata", "metadata.google.internal", "instance-data", "instance-data.ec2.internal"),
        "metadata.tencentyun.com",
    )
)
ADDRESSES = frozenset(
    (
        *("169.254.169.254", "169.254.170.2", "169.254.170.23", "169.254.0.23"),
        *("fd00:ec2::254", "fd00:ec2::23", "fd20:ce::254", "100.100.100.200", "168.63.129.16", "192.0.0.192"),
    )
)
"""Of the services themselves; all link-local addresses may be others."""
_TRANSLATED = tuple(
    ipaddress.IPv6Network(net) for net in ("64:ff9b::/96", "64:ff9b:1::/48", "::/96", "::ffff:0:0:0/96")
)
"""Networks of version 6 whose last four bytes are an address of version 4."""
_TUNNELLED = (b"\x00\x00\x5e\xfe", b"\x02\x00\x5e\xfe")
"""What stands before such an address within a site (ISATAP, RFC 5214)."""

_Address = ipaddress.IPv4Address | ipaddress.IPv6Address


def hands_out_keys(host: str) -> bool:
    """Whether a host is link-local, or named as a cloud names the service that gives a machine its keys."""
    name = host.strip("[]").rstrip(".")
    if name in NAMES:
        return True
    address = _address(name)
    return address is not None and (address.is_link_local or _is_exact(address))


def leads_to_keys(host: str, peer: str) -> bool:
    """Whether a host of a harmless name was found, when it was connected, where a cloud hands out keys.

    peer: the address at the other end. A host that says by its name what it is was allowed or refused as such.
    """
    address = _address(peer)
    return address is not None and _is_exact(address) and not hands_out_keys(host)


def _is_exact(address: _Address) -> bool:
    return str(address).partition("%")[0] in ADDRESSES


def _address(name: str) -> _Address | None:
    """Return the address that a text is, of version 4 where it leads there; None for a name."""
    try:
        address = ipaddress.ip_address(name)
    except ValueError:
        try:
            packed = socket.inet_aton(name)  # the forms that resolvers take: 0xa9fe.1, 2852039166
        except (OSError, UnicodeError):
            return None
        address = ipaddress.ip_address(packed)
    return led_to(address) or address


def led_to(address: _Address) -> ipaddress.IPv4Address | None:
    """Return the address of version 4 within one of version 6, if there is one."""
    if isinstance(address, ipaddress.IPv4Address):
        return None
    if found := address.ipv4_mapped or address.sixtofour or (address.teredo or (None, None))[1]:
        return found
    is_translated = address.packed[8:12] in _TUNNELLED or any(address in network for network in _TRANSLATED)
    return ipaddress.IPv4Address(address.packed[-4:]) if is_translated else None
