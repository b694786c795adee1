"""The provider `http.json`: any JSON endpoint, its answer mapped to the policy's fields by JMESPath.

```yaml
device:
  provider: http.json
  with:
    url: https://risk.internal/device
    headers: {authorization: "Bearer ${DEVICE_RISK_TOKEN}"}     # from the environment, never logged
    body: {account: inputs.account_id, id: merchant_biz_id}     # JMESPath over the request
    paths: {score: result.risk_score}                           # JMESPath over the answer
  fields:
    score: {type: double, range: [0, 100]}
    emulator: bool                                              # no path: its own name
```

`http` and `https` are both taken, since services inside a company's network often speak plain HTTP; where the
network is not trusted, write https, whose certificate is always verified. Redirects are not followed. An answer
above 1 MiB, a status other than 2xx, and anything but JSON leave all fields unknown; a path that finds nothing, or
null, leaves its field unknown. A body's key whose path finds nothing is left out.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode, urlsplit

from adjudge.errors import did_you_mean
from adjudge.fields import Field
from adjudge.plugin import (
    Answer,
    Context,
    Provider,
    ProviderConfigError,
    Register,
    Request,
    SignalFailed,
    hookimpl,
)
from adjudge_plugins.http_exchange import connect, decode_json, exchange, is_loopback
from adjudge_plugins.settings import choice, mapping, refuse_unknown_keys, required_text

if TYPE_CHECKING:
    import httpx

Path = Callable[[object], object]
"""A compiled JMESPath: a document to what it finds there, None where that is nothing."""

_KEYS = ("url", "method", "headers", "body", "paths")
_HEADER_NAME = re.compile(r"[0-9A-Za-z!#$%&'*+.^_`|~-]+", re.ASCII)
_VARIABLE = re.compile(r"\$\{([A-Za-z_][0-9A-Za-z_]*)\}", re.ASCII)
_DEFAULT_BODY: Mapping[str, Mapping[str, str]] = {
    "POST": {"merchant_biz_id": "merchant_biz_id", "scene_code": "scene_code", "inputs": "inputs"},
    "GET": {"merchant_biz_id": "merchant_biz_id", "scene_code": "scene_code"},
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """The `with:` of a policy, read.

    headers: with `${NAME}` still in them. body: what is sent, in the query string for GET. paths: those written out.
    """

    url: str
    method: str
    headers: Mapping[str, str] = field(repr=False)
    body: Mapping[str, Path]
    paths: Mapping[str, Path]


def read_settings(config: Mapping[str, Any]) -> Settings:
    """Read a `with:`. Raises ProviderConfigError."""
    refuse_unknown_keys(config, _KEYS)
    url = required_text(config, "url", hint="write `url: https://risk.internal/device`")
    try:
        parts = urlsplit(url)
        good = parts.scheme in ("http", "https") and parts.hostname and (parts.port is None or parts.port > 0)
    except ValueError:
        good = False
    if not good or not url.isprintable() or " " in url or parts.fragment:
        raise ProviderConfigError("`url` is an http or https URL", "url")
    if "@" in parts.netloc:
        raise ProviderConfigError("a URL here holds no password", "url", hint="send it in `headers`, as `${NAME}`")
    method = choice(config, "method", ("POST", "GET")) or "POST"
    return Settings(
        url=url,
        method=method,
        headers={name: _header(name, value) for name, value in mapping(config, "headers").items()},
        body=_paths(config if "body" in config else {"body": _DEFAULT_BODY[method]}, "body"),
        paths=_paths(config, "paths"),
    )


def resolve_headers(headers: Mapping[str, str]) -> dict[str, str]:
    """Put the environment's values for `${NAME}`. Raises SignalFailed, which names the variable, not its value."""

    def value(found: re.Match[str]) -> str:
        if not (secret := os.environ.get(found[1], "").strip()):
            raise SignalFailed(f"the environment has no {found[1]}", reason_code="CREDENTIALS_MISSING")
        if not secret.isascii() or not secret.isprintable():
            raise SignalFailed(f"{found[1]} cannot stand in a header", reason_code="CREDENTIALS_DAMAGED")
        return secret

    return {name: _VARIABLE.sub(value, template) for name, template in headers.items()}


def _header(name: object, value: object) -> str:
    if not isinstance(name, str) or not _HEADER_NAME.fullmatch(name):
        raise ProviderConfigError(f"`{name}` is no header's name", "headers", str(name))
    if not isinstance(value, str) or not value.isascii() or not value.isprintable():
        raise ProviderConfigError(f"`{name}` is a text of one line", "headers", name)
    if "${" in _VARIABLE.sub("", value):
        raise ProviderConfigError(
            "`${` begins the name of an environment variable", "headers", name, hint="write `${DEVICE_RISK_TOKEN}`"
        )
    return value


def _paths(config: Mapping[str, Any], key: str) -> dict[str, Path]:
    forms = mapping(config, key)
    return {name: _compile(required_text(forms, name, key, hint="write a JMESPath"), key, name) for name in forms}


def _compile(expression: str, *place: str) -> Path:
    import jmespath
    from jmespath.exceptions import JMESPathError

    try:
        compiled = jmespath.compile(expression)
    except JMESPathError as error:
        position = getattr(error, "lex_position", None)  # what it says of itself would not fit a line
        where = "" if position is None else f": look at character {min(position, len(expression) - 1) + 1}"
        raise ProviderConfigError(f"`{expression}` is not JMESPath{where}", *place) from None

    def find(document: object) -> object:
        try:
            found: object = compiled.search(document)
        except (JMESPathError, RecursionError):
            # a function met a value of another type: this field alone is unknown
            found = None
        return found

    return find


def _named(name: str) -> Path:
    return lambda document: document.get(name) if isinstance(document, Mapping) else None


def request_document(request: Request) -> Mapping[str, object]:
    """Return what a body's paths see: merchant_biz_id, scene_code, inputs and face_digest, as JSON has them."""
    import msgspec

    document = {
        "merchant_biz_id": request.merchant_biz_id,
        "scene_code": request.scene_code,
        "inputs": dict(request.inputs),
        "face_digest": request.face.digest if request.face else None,
    }
    try:
        builtin: Mapping[str, object] = msgspec.to_builtins(document)
    except (TypeError, ValueError, RecursionError):
        raise SignalFailed("an input has no form in JSON", reason_code="BAD_INPUT") from None
    return builtin


@dataclass(frozen=True, slots=True, kw_only=True)
class _JsonAsker:
    client: httpx.AsyncClient
    settings: Settings
    headers: Mapping[str, str] = field(repr=False)

    async def fetch(self, context: Context) -> Answer:
        reply = await exchange(self.client, self._request(context.request), deadline=context.deadline)
        if not 200 <= reply.status < 300:
            kind = "unavailable" if reply.status >= 500 or reply.status == 429 else "error"
            raise SignalFailed(f"answered {reply.status}", kind=kind, reason_code=f"HTTP_{reply.status}")
        try:
            document = decode_json(reply.body)
        except ValueError:
            raise SignalFailed("the answer is not JSON", reason_code="BAD_ANSWER") from None
        paths = {name: self.settings.paths.get(name) or _named(name) for name in context.fields}
        return {name: path(document) for name, path in paths.items()}

    def _request(self, request: Request) -> httpx.Request:
        import httpx
        import msgspec

        document = request_document(request)
        body = {name: found for name, path in self.settings.body.items() if (found := path(document)) is not None}
        headers = {"accept": "application/json", **self.headers, "accept-encoding": "identity"}
        if self.settings.method == "POST":
            content = msgspec.json.encode(body)
            return httpx.Request(
                "POST", self.settings.url, content=content, headers={"content-type": "application/json", **headers}
            )
        query = urlencode({name: _query_value(name, value) for name, value in body.items()})
        joint = "&" if urlsplit(self.settings.url).query else "?"
        return httpx.Request("GET", self.settings.url + (joint + query if query else ""), headers=headers)

    async def aclose(self) -> None:
        await self.client.aclose()


def _query_value(name: str, value: object) -> str:
    match value:
        case bool():
            return "true" if value else "false"
        case str() | int() | float():
            return str(value)
    raise SignalFailed(f"`{name}` is not a single value, as a query needs", reason_code="BAD_INPUT")


def _open(config: Mapping[str, Any]) -> _JsonAsker:
    settings = read_settings(config)
    headers = resolve_headers(settings.headers)
    return _JsonAsker(
        client=connect(loopback=is_loopback(urlsplit(settings.url).hostname or "")), settings=settings, headers=headers
    )


def _check(config: Mapping[str, Any], fields: Mapping[str, Field]) -> None:
    settings = read_settings(config)
    for name in settings.paths:
        if name not in fields:
            hint = did_you_mean(name, fields) or f"declare it under `fields:`, which has {', '.join(fields) or 'none'}"
            raise ProviderConfigError(f"there is no field `{name}`", "paths", name, hint=hint)


HTTP_JSON = Provider(
    name="http.json",
    fields=None,
    open=_open,
    check=_check,
    description="Any JSON endpoint, its answer mapped to fields by JMESPath",
)


@hookimpl
def register(register: Register) -> None:
    """Offer the provider."""
    register.provider(HTTP_JSON)
