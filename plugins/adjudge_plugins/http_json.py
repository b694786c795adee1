"""The provider `http.json`: any JSON endpoint, its answer mapped to the policy's fields by JMESPath.

```yaml
device:
  provider: http.json
  with:
    url: https://risk.internal/accounts/{inputs.account_id}/device
    headers: {authorization: "Bearer ${DEVICE_RISK_TOKEN}"}     # from the environment, never logged
    body: {id: merchant_biz_id, country: inputs.country}        # JMESPath over the request
    paths: {score: result.risk_score}                           # JMESPath over the answer
  fields:
    score: {type: double, range: [0, 100]}
    emulator: bool                                              # no path: its own name
```

`http` and `https` are both taken, since services inside a company's network often speak plain HTTP; where the
network is not trusted, write https, whose certificate is always verified. Redirects are not followed. An answer
above 1 MiB, a status other than 2xx, and anything but JSON leave all fields unknown; a path that finds nothing, or
null, leaves its field unknown. A body's key whose path finds nothing is left out; a part of the URL that is not
there keeps the call from being made.

With `late: {within: 24h, secrets: [{environment: NAME}]}` a 202 means that the answer comes later, to
`/v1/signals/{late_call}`: send `late_call` in the body. See `http_late`.
"""

from __future__ import annotations

import os
import re
from base64 import b64encode
from collections.abc import Mapping
from dataclasses import dataclass, field
from time import monotonic
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlencode, urlsplit

from adjudge.plugin import (
    Answer,
    Context,
    Field,
    LateAnswer,
    Pool,
    Provider,
    ProviderConfigError,
    Register,
    Request,
    SignalFailed,
    SignalLater,
    Unusable,
    did_you_mean,
    hookimpl,
)
from adjudge_plugins.http_exchange import connect, exchange, is_loopback, read_answer

if TYPE_CHECKING:
    import httpx

    from adjudge_plugins.http_settings import Settings
    from adjudge_plugins.json_path import Budget, JsonPath

_SMALL_BYTES = 16 * 1024
_QUICK_STEPS = 10_000
"""What is read on the event loop: an answer of so many bytes, with so many steps for all its paths, some 10 ms."""
_FOUND_STEPS = 20_000
"""What a field may hold: so many items, or 64 characters for each; the log takes 256 KiB."""
_THREADS = 2
_LATER, _LATE_READ_WITHIN_S = 202, 5.0


def resolve_headers(headers: Mapping[str, str]) -> dict[str, str]:
    """Put the environment's values for `${NAME}`. Raises SignalFailed, which names the variable, not its value."""
    from adjudge_plugins.http_settings import VARIABLE

    def value(found: re.Match[str]) -> str:
        if not (secret := os.environ.get(found[1], "").strip()):
            raise SignalFailed(f"the environment has no {found[1]}", reason_code="CREDENTIALS_MISSING")
        if not secret.isascii() or not secret.isprintable():
            raise SignalFailed(f"{found[1]} cannot be sent in a header", reason_code="CREDENTIALS_DAMAGED")
        return secret

    return {name: VARIABLE.sub(value, template) for name, template in headers.items()}


def request_document(request: Request) -> dict[str, object]:
    """Return what paths see of a request: merchant_biz_id, scene_code and inputs, as JSON has them, and no face."""
    import msgspec

    document = {
        "merchant_biz_id": request.merchant_biz_id,
        "scene_code": request.scene_code,
        "inputs": dict(request.inputs),
    }
    try:
        builtin: dict[str, object] = msgspec.to_builtins(document)
    except (TypeError, ValueError, RecursionError):
        raise _not_asked("an input has no form in JSON") from None
    return builtin


@dataclass(frozen=True, slots=True, kw_only=True)
class _JsonClient:
    client: httpx.AsyncClient
    settings: Settings
    headers: Mapping[str, str] = field(repr=False)
    pool: Pool

    async def fetch(self, context: Context) -> Answer:
        request = await self._built(context)
        reply = await exchange(self.client, request, deadline=context.deadline)
        if reply.status == _LATER and self.settings.late is not None:
            raise SignalLater(within_s=self.settings.late.within_s)
        if not 200 <= reply.status < 300:
            kind = "unavailable" if reply.status >= 500 or reply.status == 429 else "error"
            raise SignalFailed(f"answered {reply.status}", kind=kind, reason_code=f"HTTP_{reply.status}")
        return await self._read(reply.body, context.fields, context.deadline)

    async def _built(self, context: Context) -> httpx.Request:
        """Return the request, made in a thread where it holds a large picture."""
        face = context.request.face
        if face is None or len(face.data or b"") <= _SMALL_BYTES or not self.settings.sends_face:
            return self._request(context)
        try:
            return await self.pool.run(lambda: self._request(context), deadline_s=context.deadline - monotonic())
        except TimeoutError:
            said = "not asked: no time was left"
            raise SignalFailed(said, kind="timeout", reason_code="TIMEOUT", billed=False) from None

    async def _read(self, body: bytes, fields: Mapping[str, Field], deadline: float) -> Answer:
        """Read an answer: at once where it is small and asks for little, else in a thread."""
        from adjudge_plugins.json_path import Budget, TooMuchWork

        if len(body) <= _SMALL_BYTES:
            try:
                return self._fields(body, fields, Budget(_QUICK_STEPS))
            except TooMuchWork:
                pass  # not here
        try:
            return await self.pool.run(lambda: self._fields(body, fields, None), deadline_s=deadline - monotonic())
        except TimeoutError:
            raise SignalFailed("no time was left to read the answer", kind="timeout", reason_code="TIMEOUT") from None

    def _fields(self, body: bytes, fields: Mapping[str, Field], shared: Budget | None) -> Answer:
        """Return what an answer says. shared: the steps for all paths, whose end is raised as TooMuchWork.

        Without it each path has its own, and what one cannot do is no other's fault.
        """
        document = read_answer(body)
        return {name: self._field(name, declared, document, shared) for name, declared in fields.items()}

    def _field(self, name: str, declared: Field, document: object, shared: Budget | None) -> object:
        from adjudge_plugins.json_path import Budget, PathFailed, TooMuchWork

        path = self.settings.paths.get(name)
        try:
            if path is not None:
                found = path.find(document, shared or Budget())
            else:
                found = document.get(name) if isinstance(document, Mapping) else None
            if found is None:
                return _left_out(declared, document, has_path=path is not None)
            Budget(_FOUND_STEPS).touch(found)
            return found
        except PathFailed as failed:
            if shared is not None and isinstance(failed, TooMuchWork):
                raise
            return Unusable(f"is not known: {f'its path {failed}' if path is not None else 'it is too large'}")

    def _request(self, context: Context) -> httpx.Request:
        import httpx
        import msgspec

        from adjudge_plugins.http_settings import LATE_CALL
        from adjudge_plugins.json_path import Budget

        request, budget = context.request, Budget()
        document = request_document(request)
        shown = {**document, LATE_CALL: context.call} if context.call else document
        found = {name: _part(path, request, shown, budget) for name, path in self.settings.body.items()}
        body = {name: value for name, value in found.items() if value is not None}
        headers = {"accept": "application/json", **self.headers, "accept-encoding": "identity"}
        url, content = _filled(self.settings.url, request, document), None
        if self.settings.method == "POST":
            content, headers = msgspec.json.encode(body), {"content-type": "application/json", **headers}
        elif query := _encoded({name: _single(name, value) for name, value in body.items()}):
            url += ("&" if urlsplit(url).query else "?") + query
        try:
            return httpx.Request(self.settings.method, url, content=content, headers=headers)
        except httpx.InvalidURL:
            raise _not_asked("its URL would be too long") from None

    async def aclose(self) -> None:
        self.pool.close()
        await self.client.aclose()


class _LateJsonClient(_JsonClient):
    """One whose other side may answer later."""

    async def read_late(self, answer: LateAnswer) -> Answer:
        from adjudge_plugins.http_late import check_late

        assert self.settings.late is not None
        check_late(answer, self.settings.late)
        return await self._read(answer.body, answer.fields, monotonic() + _LATE_READ_WITHIN_S)


def _left_out(declared: Field, document: object, *, has_path: bool) -> object:
    """Return what it means that a field was not found: its `absent`, if the object came that it was left out of.

    Without a `within` that object is the whole answer; for a path, a list does as well.
    """
    from adjudge_plugins.json_path import read_path

    if declared.within is not None:
        return declared.absent if isinstance(read_path(declared.within).find(document), Mapping) else None
    if declared.left_out is not None and not isinstance(document, Mapping | list if has_path else Mapping):
        return Unusable("is not known: the answer is not an object that it could be left out of")
    return None


def _part(path: JsonPath, request: Request, document: Mapping[str, object], budget: Budget) -> object:
    """Return what a body's path finds; a face is there only for a path that names it."""
    from adjudge_plugins.http_settings import FACE_BASE64, FACE_DIGEST
    from adjudge_plugins.json_path import PathFailed

    names = path.names()
    if FACE_BASE64 in names:
        if request.face is None:
            raise SignalFailed("not asked: the request has no face", reason_code="NO_FACE", billed=False)
        if request.face.data is None:
            raise _not_asked("the face came as a URL, not as bytes")
        return b64encode(request.face.data).decode("ascii")
    if FACE_DIGEST in names:
        document = {**document, FACE_DIGEST: request.face.digest if request.face else None}
    try:
        return path.find(document, budget)
    except PathFailed as failed:
        raise _not_asked(str(failed)) from None


def _filled(url: str, request: Request, document: Mapping[str, Any]) -> str:
    """Put parts of a request into a URL, so that each is one part of it and nothing more."""
    from adjudge_plugins.http_settings import FACE_DIGEST, PLACE

    start = url.partition("?")[0]

    def value(found: re.Match[str]) -> str:
        name = found[1]
        said = document["inputs"].get(name.removeprefix("inputs.")) if "." in name else document.get(name)
        if name == FACE_DIGEST and request.face is not None:
            said = request.face.digest
        if said is None:
            raise SignalFailed(f"not asked: `{name}` is unknown", reason_code="INPUT_UNKNOWN", billed=False)
        text = _single(name, said)
        if found.start() < len(start) and not text.strip("."):
            raise _not_asked(f"`{name}` is empty, or nothing but dots, which no path can hold")
        try:
            return quote(text, safe="")
        except UnicodeEncodeError:
            raise _not_asked(f"`{name}` is not valid Unicode") from None

    return PLACE.sub(value, url)


def _single(name: str, value: object) -> str:
    match value:
        case bool():
            return "true" if value else "false"
        case str() | int() | float():
            return str(value)
    raise _not_asked(f"`{name}` is not a single value, as a URL needs")


def _encoded(query: Mapping[str, str]) -> str:
    try:
        return urlencode(query)
    except UnicodeEncodeError:
        raise _not_asked("a value of the query is not valid Unicode") from None


def _not_asked(why: str) -> SignalFailed:
    return SignalFailed(f"not asked: {why}", reason_code="BAD_INPUT", billed=False)


def _settings(config: Mapping[str, Any]) -> Settings:
    from adjudge_plugins.http_settings import read_settings  # which brings jmespath

    return read_settings(config)


def _open(config: Mapping[str, Any]) -> _JsonClient:
    settings = _settings(config)
    headers = resolve_headers(settings.headers)
    client = connect(loopback=is_loopback(settings.host))
    kind = _JsonClient if settings.late is None else _LateJsonClient
    return kind(client=client, settings=settings, headers=headers, pool=Pool("adjudge-http-json", _THREADS))


def _check(config: Mapping[str, Any], fields: Mapping[str, Field]) -> None:
    settings = _settings(config)
    for name in settings.paths:
        if name not in fields:
            hint = did_you_mean(name, fields) or f"declare it under `fields:`, which has {', '.join(fields) or 'none'}"
            raise ProviderConfigError(f"there is no field `{name}`", "paths", name, hint=hint)
    for name, declared in fields.items():
        if declared.within is not None:
            _check_within(name, declared.within)


def _check_within(name: str, within: str) -> None:
    from adjudge_plugins.json_path import PathRefused, read_path

    try:
        read_path(within)
    except PathRefused as refused:
        raise ProviderConfigError(f"the `within` of `{name}`: {refused.message}", hint=refused.hint) from None


HTTP_JSON = Provider(
    name="http.json",
    fields=None,
    open=_open,
    check=_check,
    uses=lambda config: _settings(config).uses(),
    price_of=lambda config: _settings(config).price,
    account=lambda config: _settings(config).account(),
    description="Any JSON endpoint, its answer mapped to fields by JMESPath",
)


@hookimpl
def register(register: Register) -> None:
    """Offer the provider."""
    register.provider(HTTP_JSON)
