"""The `service:` of a configuration: who may ask `adjudge serve`, and by which names it goes.

service:
  keys: keys.yaml               # who may ask; left out: whoever is on this machine
  jwt: {…}                      # whose tokens are taken beside keys; see jwt.py
  keys_on_socket: true          # whether a key is asked for at a Unix socket too
  rate: 100                     # requests a second of each key; left out: any number
  hosts: [risk.internal]        # names of the service, beside those of this machine; ["*"] for any
  tls: {certificate: service.pem, key: service.key}
  plain_http: false             # whether keys may come from other machines in the clear
  trusted_proxies: [10.0.0.7]   # whose word is taken for where a request comes from; `unix` for one at the socket
  notice: 5s                    # at SIGTERM, requests are taken for so long yet, while /readyz says 503
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable
from pathlib import Path

from adjudge.config.jwt import JwtSettings, read_jwt
from adjudge.frozen import frozen
from adjudge.policy.loading.reader import Reader
from adjudge.policy.text.yaml import YamlNode

KEYS = ("keys", "jwt", "keys_on_socket", "rate", "hosts", "tls", "plain_http", "trusted_proxies", "notice")
ANY = "*"
"""For hosts: whatever it is asked by."""
RATE_MAX = 1_000_000
NOTICE_MAX_S = 300.0
_HOST = re.compile(r"[0-9a-z_-]+(\.[0-9a-z_-]+)*|\[[0-9a-f:.]+\]", re.ASCII)


@frozen
class Tls:
    """Two files in PEM: the certificate with those between it and an authority, and its key."""

    certificate: Path
    key: Path


@frozen(kw_only=True)
class ServiceSettings:
    """What stands under `service:`, paths made whole.

    keys: the file of keys. keys_on_socket: whether one is asked for at a Unix socket. rate: requests a second of each
    caller whose key says no other; None for any number. hosts: in lower case, without ports, or `*`.
    plain_http: whether keys may come from other machines in the clear. trusted_proxies: addresses, networks and `unix`.
    notice_s: seconds for which requests are taken after SIGTERM.
    """

    keys: Path | None = None
    jwt: JwtSettings | None = None
    keys_on_socket: bool = True
    rate: int | None = None
    hosts: tuple[str, ...] = ()
    tls: Tls | None = None
    plain_http: bool = False
    trusted_proxies: tuple[str, ...] = ()
    notice_s: float = 0.0

    @property
    def is_open(self) -> bool:
        """Whether whoever gets to the service is served."""
        return self.keys is None and self.jwt is None


def read_service(reader: Reader, node: YamlNode | None, folder: Path) -> ServiceSettings:
    """Read `service:`; what is wrong is blamed in the reader. folder: what paths are relative to."""
    if node is None:
        return ServiceSettings()
    parts = {name: value for name, (_, value) in reader.mapping(node, "`service`", keys=KEYS, at=node.span).items()}
    keys = reader.path(parts["keys"], "`keys`") if "keys" in parts else None
    notice = parts.get("notice")
    rate = reader.integer(parts["rate"], "`rate`", RATE_MAX) if "rate" in parts else None
    if rate is not None and rate < 1:
        reader.blame("schema-range", "`rate` must be at least 1", parts["rate"].span)
    asks_at_socket = _flag(reader, parts.get("keys_on_socket"), "keys_on_socket", True)
    proxies = _proxies(reader, parts.get("trusted_proxies"))
    if proxies and (not {"keys", "jwt"} & parts.keys() or ("unix" in proxies and not asks_at_socket)):
        why = "a proxy brings requests of other machines, and where no key is asked for, each may do everything"
        hint = "name `keys` or `jwt`, and leave `keys_on_socket` at true for a proxy at the socket"
        reader.blame("schema-value", why, parts["trusted_proxies"].span, hint)
    return ServiceSettings(
        keys=folder / keys if keys is not None else None,
        jwt=read_jwt(reader, parts.get("jwt"), folder),
        keys_on_socket=asks_at_socket,
        rate=rate,
        hosts=_hosts(reader, parts.get("hosts"), "keys" in parts or "jwt" in parts),
        tls=_tls(reader, parts.get("tls"), folder),
        plain_http=_flag(reader, parts.get("plain_http"), "plain_http", False),
        trusted_proxies=proxies,
        notice_s=(reader.seconds(notice, "`notice`", NOTICE_MAX_S) or 0.0) if notice is not None else 0.0,
    )


def _flag(reader: Reader, node: YamlNode | None, what: str, otherwise: bool) -> bool:
    said = reader.choice(node, f"`{what}`", ("true", "false")) if node is not None else None
    return said == "true" if said is not None else otherwise


def _tls(reader: Reader, node: YamlNode | None, folder: Path) -> Tls | None:
    if node is None:
        return None
    files = ("certificate", "key")
    entries = reader.mapping(node, "`tls`", keys=files, required=files, at=node.span)
    paths = {name: reader.path(value, f"`{name}`") for name, (_, value) in entries.items()}
    certificate, key = paths.get("certificate"), paths.get("key")
    return Tls(folder / certificate, folder / key) if certificate is not None and key is not None else None


def _hosts(reader: Reader, node: YamlNode | None, has_keys: bool) -> tuple[str, ...]:
    items: Iterable[YamlNode] = reader.items(node, "`hosts`") if node is not None else ()
    hosts = []
    for item in items:
        host = (reader.text(item, "a name in `hosts`") or "").lower()
        if host == ANY and not has_keys:
            why = "a page in a browser could ask a service without keys under a name of its own"
            reader.blame("schema-value", f"`*` needs `keys`: {why}", item.span)
        elif host and host != ANY and not _HOST.fullmatch(host):
            hint = "write a name without a port, such as risk.internal, 10.0.0.7 or [2001:db8::1]"
            reader.blame("schema-value", f"`{host}` is not a host", item.span, hint)
        hosts.append(host)
    return tuple(hosts)


def _proxies(reader: Reader, node: YamlNode | None) -> tuple[str, ...]:
    items: Iterable[YamlNode] = reader.items(node, "`trusted_proxies`") if node is not None else ()
    proxies = []
    for item in items:
        proxy = reader.text(item, "one of `trusted_proxies`")
        if proxy is not None and proxy != "unix" and not _is_network(proxy):
            hint = "write an address such as 10.0.0.7, a network such as 10.0.0.0/28, or unix"
            reader.blame("schema-value", f"`{proxy}` is no address of a proxy", item.span, hint)
        proxies.append(proxy or "")
    return tuple(proxies)


def _is_network(text: str) -> bool:
    try:
        return ipaddress.ip_network(text).prefixlen > 0  # a network of everybody trusts everybody
    except ValueError:
        return False
