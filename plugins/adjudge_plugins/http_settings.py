"""The `with:` of `http.json`, read: where it asks, what it sends there, and what it looks for in the answer."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from ipaddress import ip_address
from typing import Any
from urllib.parse import SplitResult, urlsplit

from adjudge.plugin import ProviderConfigError, Uses
from adjudge_plugins.http_late import LateSettings, read_late_settings
from adjudge_plugins.json_path import JsonPath, PathRefused, read_path
from adjudge_plugins.settings import choice, mapping, refuse_unknown_keys, required_text

FACE_BASE64 = "face_base64"
FACE_DIGEST = "face_digest"
VARIABLE = re.compile(r"\$\{([A-Za-z_][0-9A-Za-z_]*)\}", re.ASCII)
PLACE = re.compile(r"\{([^{}]*)\}")
"""A part of the request in a URL."""

LATE_CALL = "late_call"
_KEYS = ("url", "method", "headers", "body", "paths", "price", "late")
_PARTS = ("merchant_biz_id", "scene_code", FACE_DIGEST)
_PART = re.compile(rf"{'|'.join(_PARTS)}|inputs\.[A-Za-z_][0-9A-Za-z_]*", re.ASCII)
_NETLOC = re.compile(
    r"((?P<four>[0-9]+(\.[0-9]+){3})|[0-9a-z_-]+(\.[0-9a-z_-]+)*\.?|\[(?P<six>[0-9a-f:.]+)\])(:[0-9]{1,5})?",
    re.ASCII | re.IGNORECASE,
)
_HEADER_NAME = re.compile(r"[0-9A-Za-z!#$%&'*+.^_`|~-]+", re.ASCII)
_JSON_TYPE = re.compile(r"application/([0-9A-Za-z.-]+\+)?json(; ?charset=utf-8)?", re.ASCII | re.IGNORECASE)
_OF_THE_EXCHANGE = frozenset(
    (
        *("host", "content-length", "transfer-encoding", "connection", "keep-alive", "te", "trailer", "upgrade"),
        *("expect", "accept-encoding", "content-encoding", "proxy-connection", "proxy-authorization"),
    )
)
_DEFAULT_BODY: Mapping[str, Mapping[str, str]] = {
    "POST": {"merchant_biz_id": "merchant_biz_id", "scene_code": "scene_code", "inputs": "inputs"},
    "GET": {"merchant_biz_id": "merchant_biz_id", "scene_code": "scene_code"},
}
_DEAREST = 10**6


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """A `with:` of `http.json`.

    url: with parts of the request in braces. headers: with `${NAME}` still in them. body: what is sent, in the query
    string for GET. paths: those written out. price: of a call, None where it costs nothing. late: who answers later.
    """

    url: str
    method: str
    headers: Mapping[str, str] = field(repr=False)
    body: Mapping[str, JsonPath]
    paths: Mapping[str, JsonPath]
    price: Decimal | None
    late: LateSettings | None

    @property
    def sends_face(self) -> bool:
        """Whether the picture itself is sent."""
        return any(FACE_BASE64 in path.names() for path in self.body.values())

    @property
    def host(self) -> str:
        """The host that is asked, without a port."""
        return urlsplit(self.url).hostname or ""

    def uses(self) -> Uses:
        """Return what is taken of the operator's: the host, and the variables in headers."""
        parts = urlsplit(self.url)
        host = f"[{self.host}]" if ":" in self.host else self.host
        names = frozenset(name for value in self.headers.values() for name in VARIABLE.findall(value))
        names |= frozenset(self.late.secrets if self.late is not None else ())
        return Uses(environment=names, hosts=frozenset({host + (f":{parts.port}" if parts.port else "")}))

    def account(self) -> str:
        """Name what a call is limited by: the endpoint, at its price."""
        parts = urlsplit(self.url)
        return f"{parts.scheme}://{parts.netloc}{parts.path}" + (f" {self.price}" if self.price else "")


def read_settings(config: Mapping[str, Any]) -> Settings:
    """Read a `with:`. Raises ProviderConfigError."""
    refuse_unknown_keys(config, _KEYS)
    url = _url(required_text(config, "url", hint="write `url: https://risk.internal/device`"))
    method = choice(config, "method", ("POST", "GET")) or "POST"
    body = _paths(config if "body" in config else {"body": _DEFAULT_BODY[method]}, "body")
    for name, path in body.items():
        _check_face(path, name, method)
    return Settings(
        url=url,
        method=method,
        headers=_headers(mapping(config, "headers"), method),
        body=body,
        paths=_paths(config, "paths"),
        price=_price(config.get("price")),
        late=read_late_settings(config),
    )


def _url(url: str) -> str:
    try:
        parts = urlsplit(PLACE.sub("x", url))
        good = parts.scheme in ("http", "https") and (parts.port is None or parts.port > 0)
    except ValueError:
        good = False
    if not good or not url.isascii() or not url.isprintable() or set(url) & set(' \\"<>^`|') or "#" in url:
        raise ProviderConfigError("`url` must be an http or https URL", "url")
    if "@" in parts.netloc:
        raise ProviderConfigError("a URL here holds no password", "url", hint="send it in `headers`, as `${NAME}`")
    start = f"{parts.scheme}://{parts.netloc}"
    if not url.lower().startswith(start.lower()) or not _is_netloc(parts.netloc):
        raise ProviderConfigError("the host of `url` must be written out, in ASCII", "url")
    _check_places(url, parts)
    return url


def _is_netloc(netloc: str) -> bool:
    """Whether this is a host with a port or without, that all who read URLs read alike."""
    found = _NETLOC.fullmatch(netloc)
    try:
        return found is not None and all(ip_address(one) for one in (found["four"], found["six"]) if one)
    except ValueError:
        return False


def _check_places(url: str, parts: SplitResult) -> None:
    for said in PLACE.findall(url):
        if not _PART.fullmatch(said):
            hint = f"inputs.<name>, {', '.join(_PARTS)}"
            raise ProviderConfigError(f"`{{{said}}}` is not a part of a request", "url", hint=hint)
    if set(parts.path + parts.query) & set("{}"):
        raise ProviderConfigError("a brace in `url` is not closed", "url", hint="write `{inputs.account_id}`")


def _headers(given: Mapping[str, Any], method: str) -> dict[str, str]:
    headers: dict[str, str] = {}
    for name, value in given.items():
        if not isinstance(name, str) or not _HEADER_NAME.fullmatch(name):
            raise ProviderConfigError(f"`{name}` is not the name of a header", "headers", str(name))
        lower = name.lower()
        if lower in headers:
            raise ProviderConfigError(f"duplicate header `{name}`", "headers", name)
        if lower in _OF_THE_EXCHANGE or (lower == "content-type" and method == "GET"):
            hint = "delete it; it says how the request is sent"
            raise ProviderConfigError(f"the header `{name}` is set by the exchange itself", "headers", name, hint=hint)
        if not isinstance(value, str) or not value.isascii() or not value.isprintable() or value != value.strip():
            raise ProviderConfigError(f"`{name}` must be a string of one line", "headers", name)
        if "${" in VARIABLE.sub("", value):
            hint = "write `${DEVICE_RISK_TOKEN}`"
            raise ProviderConfigError("`${` begins the name of an environment variable", "headers", name, hint=hint)
        if lower == "content-type" and not _JSON_TYPE.fullmatch(value):
            hint = "what is sent is JSON: write a type such as application/risk+json, or delete it"
            raise ProviderConfigError(f"`{value}` is not a type of JSON", "headers", name, hint=hint)
        headers[lower] = value
    return headers


def _paths(config: Mapping[str, Any], key: str) -> dict[str, JsonPath]:
    forms, paths = mapping(config, key), {}
    for name in forms:
        try:
            paths[name] = read_path(required_text(forms, name, key, hint="write a JMESPath"))
        except PathRefused as refused:
            raise ProviderConfigError(refused.message, key, name, hint=refused.hint) from None
    return paths


def _check_face(path: JsonPath, name: str, method: str) -> None:
    """Keep a picture from going anywhere but where the policy says so, in so many words."""
    if FACE_BASE64 not in path.names():
        return
    if path.expression != FACE_BASE64:
        hint = f"write `{name}: {FACE_BASE64}`"
        raise ProviderConfigError(f"`{FACE_BASE64}` must be a path of its own", "body", name, hint=hint)
    if method == "GET":
        raise ProviderConfigError("a query has no room for a picture", "body", name, hint="write `method: POST`")


def _price(value: object) -> Decimal | None:
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value <= _DEAREST:
        raise ProviderConfigError("`price` must be a number above 0, for one call in USD", "price", hint="such as 0.05")
    return Decimal(repr(value))
