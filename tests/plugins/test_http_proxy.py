"""Which proxy a request goes through, by what people write into the environment."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from adjudge.model import Request
from adjudge.plugin import Answer, SignalFailed
from adjudge.values.declared import parse_fields
from adjudge_plugins.http_json import HTTP_JSON
from adjudge_plugins.http_proxy import Proxies

FIELDS = parse_fields({"score": "double"})
PROXY = "http://proxy.example:3128"


@pytest.fixture(autouse=True)
def _no_proxies(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)


@pytest.mark.parametrize(
    ("entry", "past", "through"),
    [
        ("*", ["http://a.example", "https://10.0.0.1"], []),
        ("a.example", ["http://a.example", "https://b.a.example:8"], ["http://ba.example", "http://a.example.evil"]),
        ("A.Example", ["http://a.example"], []),
        (".a.example", ["http://b.a.example"], ["http://a.example", "http://ba.example"]),
        ("*.a.example", ["http://b.a.example"], ["http://a.example"]),
        ("a.example:8443", ["https://a.example:8443"], ["https://a.example", "http://a.example"]),
        ("a.example:443", ["https://a.example"], ["http://a.example"]),
        ("http://a.example", ["http://a.example"], ["https://a.example"]),
        ("localhost", ["http://localhost:9"], ["http://evil.localhost"]),
        ("127.0.0.0/8", ["http://127.1.2.3"], ["http://128.0.0.1", "http://a.example"]),
        ("10.1.2.3/8", ["http://10.9.9.9"], ["http://11.0.0.1"]),
        ("192.168.0.7", ["http://192.168.0.7:80"], ["http://192.168.0.70", "http://1.192.168.0.7"]),
        ("192.168.0.7:81", ["http://192.168.0.7:81"], ["http://192.168.0.7"]),
        ("fd07:b51a:cc66:f0::/64", ["http://[fd07:b51a:cc66:f0::1]"], ["http://[fd07::1]", "http://a.example"]),
        ("::1", ["http://[::1]:80"], ["http://[::2]"]),
        ("[::1]", ["http://[::1]"], []),
        ("[::1]:81", ["http://[::1]:81"], ["http://[::1]"]),
        ("fd00::/8", ["http://[fd12::1]"], ["http://[fe80::1]"]),
        ("a.example b.example,, c.example ,", ["http://a.example", "http://b.example", "http://c.example"], []),
    ],
)
def test_of_entries_of_no_proxy(
    monkeypatch: pytest.MonkeyPatch, entry: str, past: list[str], through: list[str]
) -> None:
    monkeypatch.setenv("ALL_PROXY", PROXY)
    monkeypatch.setenv("NO_PROXY", entry)
    proxies = Proxies.of_environment()

    assert [proxies.of(httpx.URL(url)) for url in past] == [None] * len(past)
    assert [proxies.of(httpx.URL(url)) for url in through] == [PROXY] * len(through)


@pytest.mark.parametrize(
    "entry",
    ["fd07:b51a:cc66:f0::/640", "300.0.0.0/8", "10.0.0.0/33", "http://", "a b:c", "[::1", "::g", "<local>", "%", "a:b"],
)
def test_of_entries_that_mean_nothing_are_told_and_stop_nothing_else(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, entry: str
) -> None:
    monkeypatch.setenv("ALL_PROXY", PROXY)
    monkeypatch.setenv("NO_PROXY", f"internal.example,{entry},10.0.0.0/8")
    with caplog.at_level(logging.WARNING):
        proxies = Proxies.of_environment()

    assert "no_proxy_entry_ignored" in caplog.text
    assert proxies.of(httpx.URL("http://internal.example")) is None
    assert proxies.of(httpx.URL("http://10.1.1.1")) is None
    assert proxies.of(httpx.URL("http://a.example")) == PROXY


@pytest.mark.parametrize(
    "said",
    [
        "http://proxy:port",
        "http://",
        "socks5://proxy:1080",
        "://",
        "http://[::1",
        "http://user:canary@proxy:99999",
        "file:///x",
    ],
)
def test_of_proxy_that_cannot_be_used_is_said_without_its_value(monkeypatch: pytest.MonkeyPatch, said: str) -> None:
    monkeypatch.setenv("HTTP_PROXY", said)
    proxies = Proxies.of_environment()

    with pytest.raises(SignalFailed, match="HTTP_PROXY is not the URL of an http or https proxy") as caught:
        proxies.of(httpx.URL("http://a.example"))

    assert "canary" not in str(caught.value) and caught.value.kind == "misconfigured"
    assert proxies.of(httpx.URL("https://a.example")) is None, "it is for http alone"


def test_of_scheme_goes_before_all_and_a_host_alone_is_a_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ALL_PROXY", "all.example:1")
    monkeypatch.setenv("HTTPS_PROXY", "https://tls.example")
    proxies = Proxies.of_environment()

    assert proxies.of(httpx.URL("http://a.example")) == "http://all.example:1"
    assert proxies.of(httpx.URL("https://a.example")) == "https://tls.example"


def test_fetch_goes_through_the_proxy_whatever_else_no_proxy_holds(
    endpoint: Any, ask: Callable[..., Answer], request_of: Callable[..., Request], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTP_PROXY", endpoint.url)
    monkeypatch.setenv("NO_PROXY", "localhost,fd07:b51a:cc66:f0::/64,???")
    endpoint.body = b'{"score": 5}'

    assert ask(HTTP_JSON, {"url": "http://risk.internal.test/x"}, request_of(), fields=FIELDS) == {"score": 5}
    assert [seen.target for seen in endpoint.seen] == ["http://risk.internal.test/x"]


def test_fetch_certificates_that_are_not_there_are_said(
    ask: Callable[..., Answer], request_of: Callable[..., Request], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", "/nowhere/ca.pem")

    with pytest.raises(SignalFailed, match="SSL_CERT_FILE") as caught:
        ask(HTTP_JSON, {"url": "https://risk.internal.test/x"}, request_of(), fields=FIELDS)

    assert (caught.value.kind, caught.value.billed) == ("misconfigured", False)


def test_fetch_proxy_that_cannot_be_used_costs_nothing(
    ask: Callable[..., Answer], request_of: Callable[..., Request], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTP_PROXY", "socks5://proxy:1080")

    with pytest.raises(SignalFailed, match="HTTP_PROXY") as caught:
        ask(HTTP_JSON, {"url": "http://risk.internal.test/x"}, request_of(), fields=FIELDS)

    assert caught.value.billed is False
