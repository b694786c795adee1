"""Where a request comes from is what our own proxies say, and nobody else."""

from __future__ import annotations

import pytest
from starlette.requests import Request

from adjudge.service.access.clients import Clients, neighbourhood
from adjudge.service.access.rates import CALLERS_MAX, Rates

PROXIES = ("10.0.0.0/28", "fd00::1", "unix")


def address(peer: str | None, *forwarded: str, trusted: tuple[str, ...] = PROXIES, at_socket: bool = False) -> str:
    headers = [(b"x-forwarded-for", one.encode()) for one in forwarded]
    request = Request({"type": "http", "client": (peer, 1) if peer else None, "headers": headers})
    return Clients(trusted, at_socket=at_socket).address_of(request)


@pytest.mark.parametrize(
    ("peer", "forwarded", "found"),
    [
        ("192.0.2.1", [], "192.0.2.1"),
        ("192.0.2.1", ["198.51.100.1"], "192.0.2.1"),
        ("10.0.0.7", ["198.51.100.1"], "198.51.100.1"),
        ("10.0.0.7", ["6.6.6.6, 198.51.100.1"], "198.51.100.1"),
        ("10.0.0.7", ["6.6.6.6", "198.51.100.1"], "198.51.100.1"),
        ("10.0.0.7", ["6.6.6.6, 198.51.100.1, 10.0.0.8"], "198.51.100.1"),
        ("10.0.0.7", ["10.0.0.8, 10.0.0.9"], "10.0.0.8"),
        ("10.0.0.7", ["198.51.100.1, evil\x1b[2J"], "10.0.0.7"),
        ("10.0.0.7", ["198.51.100.1, unknown, 10.0.0.8"], "10.0.0.8"),
        ("10.0.0.7", [""], "10.0.0.7"),
        ("10.0.0.7", ["," * 100_000], "10.0.0.7"),
        ("10.0.0.7", ["[2001:db8::1]"], "2001:db8::1"),
        ("::ffff:10.0.0.7", ["198.51.100.1"], "198.51.100.1"),
        ("fd00::1", ["::ffff:198.51.100.1"], "198.51.100.1"),
        ("fd00::2", ["198.51.100.1"], "fd00::2"),
        (None, ["198.51.100.1"], ""),
    ],
)
def test_last_address_that_is_no_proxy_of_ours_counts(peer: str | None, forwarded: list[str], found: str) -> None:
    assert address(peer, *forwarded) == found


def test_way_to_the_proxy_is_what_a_proxy_of_ours_says() -> None:
    def proto(peer: str, *said: str) -> str:
        headers = [(b"x-forwarded-proto", one.encode()) for one in said]
        return Clients(PROXIES).proto_of(Request({"type": "http", "client": (peer, 1), "headers": headers}))

    assert [proto("10.0.0.7", *said) for said in (["http"], ["http, HTTPS"], ["http", "https"], [], ["x\r\n"])] == [
        *("http", "https", "https", "", "")
    ]
    assert proto("192.0.2.1", "https") == ""


def test_proxy_at_the_socket_is_believed_where_it_is_named() -> None:
    assert address(None, "198.51.100.1", at_socket=True) == "198.51.100.1"
    assert address(None, "198.51.100.1", trusted=(), at_socket=True) == "unix"
    assert address(None, at_socket=True) == "unix"


def test_whoever_has_a_network_has_one_bucket() -> None:
    assert neighbourhood("2001:db8::1") == neighbourhood("2001:db8::ffff:1") == "2001:db8::/64"
    assert neighbourhood("192.0.2.1") == "192.0.2.1" and neighbourhood("unix") == "unix"


def test_buckets_are_no_more_than_there_is_room_for_and_fill_steadily() -> None:
    now = [0.0]
    rates = Rates(lambda: now[0])
    assert [rates.wait_s("a", 2) for _ in range(3)] == [0.0, 0.0, 0.5]
    for n in range(CALLERS_MAX + 10):
        rates.wait_s(str(n), 1)
    assert len(rates._buckets) == CALLERS_MAX
    now[0] = 0.25
    assert rates.wait_s(str(CALLERS_MAX), 1) == 0.75
    now[0] = -5.0  # a clock that goes back takes nothing away
    assert rates.wait_s(str(CALLERS_MAX), 1) == 0.75
