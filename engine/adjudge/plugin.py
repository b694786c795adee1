"""All that a plugin imports: its hooks, what it can register, and what it needs of the engine for that.

A plugin is a module behind an entry point of group `adjudge`. Its hooks only register, at once and cheaply; the
engine runs what was registered, each call in its own task with its own deadline. Import what is heavy when first
used. Hello world stands in `docs/plugins.md`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

import pluggy

from adjudge.errors import (
    EvaluationError,
    FieldError,
    JsonError,
    ListFileError,
    PluginError,
    ProviderConfigError,
    SignalFailed,
    did_you_mean,
)
from adjudge.events import Events
from adjudge.model import Decision, Face, Outcome, Request, Signal, SignalStatus, Verdict
from adjudge.moved import names_of
from adjudge.providers import Answer, Context, Limits, Provider, ProviderClient, SecretSource, Unusable, Uses, provider
from adjudge.system.cloud_metadata import leads_to_keys
from adjudge.system.files import FileState, replace_file
from adjudge.system.pools import Pool
from adjudge.texts import composed, find_unseen, one_line, split_lines
from adjudge.values.declared import parse_fields
from adjudge.values.fields import Field
from adjudge.values.json_reader import read_json
from adjudge.values.list_file import read_list
from adjudge.values.literals import format_duration, format_timestamp, parse_duration, parse_timestamp
from adjudge.values.types import (
    BOOL,
    DOUBLE,
    DURATION,
    INT,
    STRING,
    TIMESTAMP,
    EnumType,
    ListType,
    MapType,
    SetType,
    Type,
    named,
)

if TYPE_CHECKING:
    import click

__all__ = [
    "BOOL",
    "DOUBLE",
    "DURATION",
    "INT",
    "STRING",
    "TIMESTAMP",
    "Answer",
    "AuditSink",
    "Context",
    "Decision",
    "DecisionObserver",
    "DecisionStore",
    "EnumType",
    "EvaluationError",
    "Events",
    "Face",
    "Field",
    "FieldError",
    "FileState",
    "Function",
    "JsonError",
    "Limits",
    "ListFileError",
    "ListType",
    "MapType",
    "Outcome",
    "PluginError",
    "PolicySource",
    "Pool",
    "Provider",
    "ProviderClient",
    "ProviderConfigError",
    "Register",
    "Request",
    "SecretSource",
    "SetType",
    "Signal",
    "SignalFailed",
    "SignalStatus",
    "Type",
    "Unusable",
    "Uses",
    "Verdict",
    "composed",
    "did_you_mean",
    "find_unseen",
    "format_duration",
    "format_timestamp",
    "hookimpl",
    "hookspec",
    "leads_to_keys",
    "named",
    "one_line",
    "parse_duration",
    "parse_fields",
    "parse_timestamp",
    "provider",
    "read_json",
    "read_list",
    "replace_file",
    "split_lines",
]

hookspec = pluggy.HookspecMarker("adjudge")
hookimpl = pluggy.HookimplMarker("adjudge")


@dataclass(frozen=True, slots=True, kw_only=True)
class Function:
    """A pure function for conditions: same arguments, same answer, no clock, no network.

    parameters, result: types by name (`string`, `list(string)` …).
    call: may raise any exception; the condition is then unknown.
    """

    name: str
    parameters: tuple[str, ...]
    result: str
    call: Callable[..., object]
    description: str = ""


class DecisionStore(Protocol):
    """Decisions by MerchantBizId. Contract tests stand in `adjudge.testing`."""

    def get(self, merchant_biz_id: str) -> Decision | None:
        """Return the newest decision whose time-to-live has not ended."""
        ...

    def put(self, decision: Decision) -> None:
        """Keep a decision in place of any older one of its MerchantBizId."""
        ...


class AuditSink(Protocol):
    """A further place for audit records, after the log itself."""

    def write(self, line: bytes) -> None:
        """Take one record as it stands in the log, with its line end.

        Called in the log's order, one record at a time, from changing threads; until it returns, no other record is
        written, so hand on to a thread of your own what takes long.
        """
        ...


class DecisionObserver(Protocol):
    """Told of every new decision after it is recorded; a fault of it changes no answer."""

    async def decided(self, decision: Decision) -> None:
        """Take note of a decision."""
        ...


class PolicySource(Protocol):
    """A place that policies come from, named by a URL's scheme."""

    def load(self, location: str) -> str:
        """Return the text of a policy."""
        ...


@dataclass(frozen=True, slots=True)
class Register:
    """What hooks register with; each call takes one thing and refuses a name that is taken."""

    plugin: str
    _add: Callable[[str, str, object], None] = field(repr=False)

    def provider(self, provider: Provider) -> None:
        """Offer a provider of signals."""
        self._add("provider", provider.name, provider)

    def function(self, function: Function) -> None:
        """Offer a function for conditions."""
        self._add("function", function.name, function)

    def store(self, name: str, open: Callable[[Mapping[str, Any]], DecisionStore]) -> None:
        """Offer a store of decisions, opened from its configuration."""
        self._add("store", name, open)

    def sink(self, name: str, open: Callable[[Mapping[str, Any]], AuditSink]) -> None:
        """Offer a sink for audit records."""
        self._add("sink", name, open)

    def observer(self, name: str, open: Callable[[Mapping[str, Any]], DecisionObserver]) -> None:
        """Offer an observer of decisions."""
        self._add("observer", name, open)

    def policy_source(self, scheme: str, source: PolicySource) -> None:
        """Offer a place that policies come from."""
        self._add("policy source", scheme, source)

    def secrets(self, name: str, source: SecretSource) -> None:
        """Offer a place that keys come from."""
        self._add("secret source", name, source)

    def command(self, command: click.Command) -> None:
        """Offer a command for the command line."""
        self._add("command", command.name or "", command)


class Hooks:
    """The hook that a plugin implements. It must not await, ask, or open anything."""

    @hookspec
    def register(self, register: Register) -> None:
        """Offer what this plugin has, by calls of `register.provider(…)` and its like."""


if not TYPE_CHECKING:
    __getattr__ = names_of(__name__)
