"""A request as it came to a sandbox, and the refusal of one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from urllib.parse import unquote_plus, urlsplit


class Refused(Exception):
    """A request that is answered with a failing return code."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message


@dataclass(frozen=True, kw_only=True)
class Incoming:
    """A request as it came: the target in origin or absolute form, headers in order, the body's exact bytes."""

    method: str
    target: str
    headers: tuple[tuple[str, str], ...] = field(repr=False)
    body: bytes = field(repr=False)
    is_tls: bool = False

    @cached_property
    def path(self) -> str:
        """The path without host and query."""
        return urlsplit(self.target).path or "/"

    @cached_property
    def query(self) -> tuple[tuple[str, str], ...]:
        """The query's names and values, decoded; a `+` is a space."""
        return tuple(_pairs(urlsplit(self.target).query))

    @cached_property
    def form(self) -> tuple[tuple[str, str], ...]:
        """The form's names and values; empty where the body is something else than a form."""
        if self.header("content-type").partition(";")[0].strip().lower() in ("", "application/x-www-form-urlencoded"):
            return tuple(_pairs(self.body.decode("utf-8", "replace")))
        return ()

    @cached_property
    def legacy_parameters(self) -> Mapping[str, str] | None:
        """All parameters where the request is signed among them, as before V3; None where it is not."""
        if self.header("authorization"):
            return None
        parameters = dict(self.query + self.form)
        return parameters if "Signature" in parameters else None

    def header(self, name: str) -> str:
        """Return the first header of a name, empty where there is none."""
        return next((value for key, value in self.headers if key.lower() == name), "")


def _pairs(text: str) -> list[tuple[str, str]]:
    """Take a query or a form apart; a name without a value has an empty one."""
    pairs = []
    for part in text.split("&"):
        if part:
            name, _, value = part.partition("=")
            pairs.append((unquote_plus(name), _unquoted(value)))
    return pairs


def _unquoted(value: str) -> str:
    """Decode a value; the general way takes a tenth of a second for a megabyte of Base64, which escapes three signs."""
    if "+" not in value:
        plain = value.replace("%2B", "+").replace("%2F", "/").replace("%3D", "=")
        if "%" not in plain:
            return plain
    return unquote_plus(value)
