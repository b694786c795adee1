"""Which addresses are of the public Internet: what was given out for it, and nothing else."""

from __future__ import annotations

import ipaddress
from ipaddress import IPv4Address, IPv6Address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adjudge.system.outgoing import is_public

PRIVATE = ["127.0.0.1", "10.1.2.3", "192.168.0.1", "100.64.0.1", "0.0.0.0", "169.254.169.254", "240.0.0.1"]
WAYS = {
    "mapped": lambda a: f"::ffff:{a}",
    "compatible": lambda a: f"::{a}",
    "translated": lambda a: f"::ffff:0:{a}",
    "NAT64": lambda a: f"64:ff9b::{a}",
    "NAT64 of a site": lambda a: f"64:ff9b:1::{a}",
    "6to4": lambda a: str(IPv6Address(0x2002 << 112 | int(IPv4Address(a)) << 80)),
    "Teredo": lambda a: str(IPv6Address(0x20010000 << 96 | int(IPv4Address(a)) ^ 0xFFFFFFFF)),
    "ISATAP": lambda a: f"2600:1:2:3:0:5efe:{a}",
    "ISATAP of a public address": lambda a: f"2600:1:2:3:200:5efe:{a}",
}


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("private", PRIVATE)
def test_private_address_is_private_in_whatever_clothes(way: str, private: str) -> None:
    assert not is_public(private)
    assert not is_public(WAYS[way](private))


@given(st.ip_addresses(v=6))
def test_nothing_is_public_that_was_not_given_out(address: IPv6Address) -> None:
    given_out = (ipaddress.IPv6Network("2000::/3"), ipaddress.IPv6Network("64:ff9b::/96"))
    assert not is_public(str(address)) or any(address in network for network in given_out)


@pytest.mark.parametrize(
    "other", ["fec0::1", "5f00::1", "3fff::1", "2001:db8::1", "4000::1", "ff0e::1", "192.88.99.1", "192.0.0.8"]
)
def test_special_address_is_not_public(other: str) -> None:
    assert not is_public(other)


@pytest.mark.parametrize("public", ["8.8.8.8", "2606:4700::1111", "64:ff9b::8.8.8.8", "2400:3200::1"])
def test_public_address_is_public(public: str) -> None:
    assert is_public(public)
