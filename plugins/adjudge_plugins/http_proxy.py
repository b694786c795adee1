"""Through which proxy a request goes, by `HTTP_PROXY`, `HTTPS_PROXY`, `ALL_PROXY` and `NO_PROXY`.

Each is read as people write it for curl: `NO_PROXY` holds hosts, `.domain`, `host:port`, addresses and networks of
either family, or `*`. What cannot be understood there stops nothing else.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit
from urllib.request import getproxies

import httpx

from adjudge.plugin import Events, SignalFailed

_SCHEMES = ("http", "https")
_ENTRY = re.compile(
    r"((?P<scheme>http|https|all)://)?(\[(?P<v6>[0-9a-f:.]+)\]|(?P<host>(\*?\.)?[0-9a-z_-]+(\.[0-9a-z_-]+)*\.?))"
    r"(:(?P<port>[0-9]{1,5}))?",
    re.ASCII,
)

_events = Events("adjudge.plugins")

Exemption = Callable[[str, str, int], bool]
"""Whether a request of this scheme, host and port goes past the proxy."""


@dataclass(frozen=True, slots=True)
class Proxies:
    """What the environment says. by_scheme: URLs for `http`, `https` and `all`."""

    by_scheme: Mapping[str, str]
    exemptions: tuple[Exemption, ...]

    @classmethod
    def of_environment(cls) -> Proxies:
        """Read the environment; entries of `NO_PROXY` that mean nothing are told and left out."""
        said = {name: value.strip() for name, value in getproxies().items() if value.strip()}
        exemptions = []
        for entry in re.split(r"[,\s]+", said.get("no", "").lower()):
            exemption = _exemption(entry) if entry else None
            if exemption is not None:
                exemptions.append(exemption)
            elif entry:
                _events.warning("no_proxy_entry_ignored", entry=entry[:100])
        return cls({name: said[name] for name in (*_SCHEMES, "all") if name in said}, tuple(exemptions))

    def of(self, url: httpx.URL) -> str | None:
        """Return the proxy of a request, None where there is none. Raises SignalFailed for one that cannot be used."""
        name = url.scheme if url.scheme in self.by_scheme else "all"
        proxy = self.by_scheme.get(name)
        port = url.port or {"http": 80, "https": 443}.get(url.scheme, 0)
        if proxy is None or any(is_past(url.scheme, url.host, port) for is_past in self.exemptions):
            return None
        whole = proxy if "://" in proxy else f"http://{proxy}"
        try:
            parts = urlsplit(whole)
            good = parts.scheme in _SCHEMES and bool(parts.hostname) and (parts.port is None or parts.port > 0)
            httpx.Proxy(whole)
        except (ValueError, httpx.InvalidURL):
            good = False
        if not good:  # its value may hold a password
            said = f"{name.upper()}_PROXY is not the URL of an http or https proxy"
            raise SignalFailed(said, kind="misconfigured", reason_code="PROXY_WRONG")
        return whole


class Routes(httpx.AsyncBaseTransport):
    """Sends each request through the proxy that is its own, by a transport that is made when first needed."""

    def __init__(self, proxies: Proxies, limits: httpx.Limits) -> None:
        self._proxies, self._limits = proxies, limits
        self._transports: dict[str | None, httpx.AsyncHTTPTransport] = {}

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send a request. Raises SignalFailed where its proxy cannot be used."""
        proxy = self._proxies.of(request.url)
        if proxy not in self._transports:
            try:
                self._transports[proxy] = httpx.AsyncHTTPTransport(proxy=proxy, limits=self._limits)
            except OSError:  # among them those of ssl
                said = "SSL_CERT_FILE or SSL_CERT_DIR names no certificates that can be read"
                raise SignalFailed(said, kind="misconfigured", reason_code="TLS_MISCONFIGURED") from None
        return await self._transports[proxy].handle_async_request(request)

    async def aclose(self) -> None:
        """Let go of every connection."""
        for transport in self._transports.values():
            await transport.aclose()


def _exemption(entry: str) -> Exemption | None:
    """Understand one entry of `NO_PROXY`, in small letters; None where it means nothing."""
    if entry == "*":
        return lambda scheme, host, port: True
    try:
        network = ipaddress.ip_network(entry.strip("[]") if entry.endswith("]") else entry, strict=False)
        return lambda scheme, host, port: (address := _address(host)) is not None and address in network
    except ValueError:
        pass
    found = _ENTRY.fullmatch(entry)
    if found is None:
        return None
    name = (found["v6"] or found["host"]).rstrip(".")
    wanted_scheme, wanted_port = found["scheme"] or "all", int(found["port"] or 0)

    def is_past(scheme: str, host: str, port: int) -> bool:
        if wanted_scheme not in ("all", scheme) or wanted_port not in (0, port):
            return False
        host = host.rstrip(".")
        if _address(name) is not None or name == "localhost":
            return host == name or (_address(name) is not None and _address(host) == _address(name))
        below = name.lstrip("*")
        return host.endswith(below) if below.startswith(".") else host == name or host.endswith(f".{name}")

    return is_past


def _address(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        return None
