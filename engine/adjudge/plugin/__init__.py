"""All that a plugin imports: its hooks, what it can register, and what it needs of the engine for that.

A plugin is a module behind an entry point of group `adjudge`. Its hooks only register, at once and cheaply; the
engine runs what was registered, each call in its own task with its own deadline. Import what is heavy when first
used. Hello world stands in `docs/plugins.md`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import field
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import pluggy

from adjudge.errors import (
    AuditBroken,
    AuditUnavailable,
    EvaluationError,
    FieldError,
    JsonError,
    ListFileError,
    LostClaim,
    MerchantBizIdConflict,
    Overtaken,
    PluginError,
    ProviderConfigError,
    QuotaReached,
    ReaderFailed,
    SignalFailed,
    SignalLater,
    TargetRefused,
    UnknownCall,
    WrongPosition,
    did_you_mean,
)
from adjudge.events import Events
from adjudge.frozen import frozen
from adjudge.model import Decision, DecisionPage, DecisionQuery, Face, Outcome, Request, Signal, SignalStatus, Verdict
from adjudge.moved import names_of
from adjudge.plugin.ledgers import (
    BY_NAME,
    NAMED,
    Billed,
    Body,
    Busy,
    CallBody,
    Claim,
    DaySpend,
    DecisionLedger,
    KeepsHistories,
    LedgerFigures,
    NamedBody,
    NamedRecord,
    Presuming,
    Quota,
    Receipt,
    SharedLimits,
    ShowsFigures,
    Spent,
)
from adjudge.plugin.logs import KeptValues, LogChain, LogLook, LogSource
from adjudge.plugin.providers import (
    Answer,
    Context,
    LateAnswer,
    Limits,
    Provider,
    ProviderClient,
    ReadsLate,
    SecretSource,
    Unusable,
    Uses,
    provider,
)
from adjudge.plugin.readers import (
    BEFORE_FIRST,
    LogReader,
    LogRecord,
    Position,
    PositionFile,
    ReaderState,
    RecordSource,
    SetsAside,
    WatchesEngine,
    WatchesReaders,
)
from adjudge.plugin.searching import Evidence, ExplainableLedger, SearchableLedger, bad_cursor, no_search
from adjudge.system.cloud_metadata import leads_to_keys
from adjudge.system.files import FileState, replace_file
from adjudge.system.outgoing import public_addresses
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
    "BEFORE_FIRST",
    "BOOL",
    "BY_NAME",
    "DOUBLE",
    "DURATION",
    "INT",
    "NAMED",
    "STRING",
    "TIMESTAMP",
    "Answer",
    "AuditBroken",
    "AuditUnavailable",
    "Billed",
    "Body",
    "Busy",
    "CallBody",
    "Claim",
    "Context",
    "DaySpend",
    "Decision",
    "DecisionLedger",
    "DecisionPage",
    "DecisionQuery",
    "EnumType",
    "EvaluationError",
    "Events",
    "Evidence",
    "ExplainableLedger",
    "Face",
    "Field",
    "FieldError",
    "FileState",
    "Function",
    "JsonError",
    "KeepsHistories",
    "KeptValues",
    "LateAnswer",
    "LedgerFigures",
    "LedgerSettings",
    "Limits",
    "ListFileError",
    "ListType",
    "LogChain",
    "LogLook",
    "LogReader",
    "LogRecord",
    "LogSource",
    "LostClaim",
    "MapType",
    "MerchantBizIdConflict",
    "NamedBody",
    "NamedRecord",
    "Outcome",
    "Overtaken",
    "PluginError",
    "PolicySource",
    "Pool",
    "Position",
    "PositionFile",
    "Presuming",
    "Provider",
    "ProviderClient",
    "ProviderConfigError",
    "Quota",
    "QuotaReached",
    "ReaderFailed",
    "ReaderState",
    "ReadsLate",
    "Receipt",
    "RecordSource",
    "Register",
    "Request",
    "SearchableLedger",
    "SecretSource",
    "SetType",
    "SetsAside",
    "SharedLimits",
    "ShowsFigures",
    "Signal",
    "SignalFailed",
    "SignalLater",
    "SignalStatus",
    "Spent",
    "TargetRefused",
    "Type",
    "UnknownCall",
    "Unusable",
    "Uses",
    "Verdict",
    "WatchesEngine",
    "WatchesReaders",
    "WrongPosition",
    "bad_cursor",
    "composed",
    "did_you_mean",
    "find_unseen",
    "format_duration",
    "format_timestamp",
    "hookimpl",
    "hookspec",
    "leads_to_keys",
    "named",
    "no_search",
    "one_line",
    "parse_duration",
    "parse_fields",
    "parse_timestamp",
    "provider",
    "public_addresses",
    "read_json",
    "read_list",
    "replace_file",
    "split_lines",
]

hookspec = pluggy.HookspecMarker("adjudge")
hookimpl = pluggy.HookimplMarker("adjudge")


@frozen(kw_only=True)
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


class PolicySource(Protocol):
    """A place that policies come from, named by a URL's scheme."""

    def load(self, location: str) -> str:
        """Return the text of a policy."""
        ...


@frozen(kw_only=True)
class LedgerSettings:
    """What a ledger is made from.

    settings: what stands under its name in the configuration. answer_for_s: seconds for which a decision answers its
    MerchantBizId. clock: aware UTC. folder: of the configuration, which paths in it are relative to.
    """

    settings: Mapping[str, Any]
    answer_for_s: float
    clock: Callable[[], datetime]
    folder: Path = Path()


@frozen
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

    def ledger(self, name: str, open: Callable[[LedgerSettings], DecisionLedger]) -> None:
        """Offer a ledger, made from its configuration; nothing is opened before `DecisionLedger.open`."""
        self._add("ledger", name, open)

    def store(self, name: str, open: object) -> None:
        """Refuse a store of decisions, which version 0.1 took: it could not keep two processes apart."""
        raise PluginError(f"the store `{name}`: stores are gone; offer a ledger, `register.ledger`", plugin=self.plugin)

    def reader(self, name: str, open: Callable[[Mapping[str, Any]], LogReader]) -> None:
        """Offer a reader of the log, made from its `with:`."""
        self._add("reader", name, open)

    def sink(self, name: str, open: object) -> None:
        """Refuse a sink of records, which earlier versions called once for each: what it missed was lost."""
        raise PluginError(f"the sink `{name}`: sinks are gone; offer a reader, `register.reader`", plugin=self.plugin)

    def observer(self, name: str, open: object) -> None:
        """Refuse an observer of decisions, which earlier versions called once for each: what it missed was lost."""
        said = f"the observer `{name}`: observers are gone; offer a reader of the log, `register.reader`"
        raise PluginError(said, plugin=self.plugin)

    def policy_source(self, scheme: str, source: PolicySource) -> None:
        """Offer a place that policies come from."""
        self._add("policy source", scheme, source)

    def log_source(self, scheme: str, open: Callable[[str], LogSource]) -> None:
        """Offer logs that are not in files, by the scheme of their URLs; `open` takes the whole URL."""
        self._add("log source", scheme, open)

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
