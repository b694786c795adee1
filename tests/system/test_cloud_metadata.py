"""Where clouds hand out keys, by name, by address, and by the address that a name turns out to have."""

from __future__ import annotations

import pytest

from adjudge.system.cloud_metadata import ADDRESSES, NAMES, hands_out_keys, leads_to_keys


@pytest.mark.parametrize("host", [*sorted(NAMES), *sorted(ADDRESSES), "169.254.7.7", "[fe80::1]", "metadata."])
def test_host_that_says_what_it_is_is_known_and_leads_nowhere_unexpected(host: str) -> None:
    assert hands_out_keys(host)
    assert not leads_to_keys(host, "169.254.169.254")


@pytest.mark.parametrize(
    "peer",
    [
        *(*sorted(ADDRESSES), "::ffff:169.254.169.254", "64:ff9b::a9fe:a9fe", "2002:a9fe:a9fe::", "fd00:ec2::254%eth0"),
        *("::a9fe:a9fe", "64:ff9b:1::a9fe:a9fe", "::ffff:0:a9fe:a9fe", "fe80::5efe:169.254.169.254"),
        "2001:0:1::5601:5601",
    ],
)
def test_harmless_name_that_leads_to_keys_is_found(peer: str) -> None:
    assert leads_to_keys("risk.internal", peer)
    assert leads_to_keys("10.1.2.3", peer)


@pytest.mark.parametrize("peer", ["127.0.0.1", "10.1.2.3", "::1", "fe80::1%eth0", "169.254.7.7", "", "risk.internal"])
def test_harmless_name_that_leads_elsewhere_is_let_be(peer: str) -> None:
    assert not leads_to_keys("risk.internal", peer)
