"""A provider of signals: what it is given and may answer, what it takes of the operator's, and how it may be asked."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any, Protocol, runtime_checkable

from adjudge.model import Request
from adjudge.values.declared import parse_fields
from adjudge.values.fields import Field


@dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    """What a provider is given for one request.

    deadline: `time.monotonic()` seconds by which an answer still counts; the engine cancels the task after it.
    now: aware UTC, the decision's clock.
    fields: what the policy can read of this signal; more than that need not be answered.
    secrets: what plugins offer to read keys from, by name.
    call: for an answer that comes later: what its sender is to send it to, `/v1/signals/{call}`; up to 512 letters,
    digits, `-`, `_` and `~`. Empty where the client has no `read_late`.
    """

    request: Request
    signal: str
    deadline: float
    now: datetime
    fields: Mapping[str, Field] = field(default_factory=dict)
    secrets: Mapping[str, SecretSource] = field(default_factory=dict, repr=False)
    call: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class LateAnswer:
    """What was sent as the late answer to a call; by whom is for the provider to find out.

    call: as of the Context that the call was made with. body: as it came. headers: by their names in lower case.
    now: aware UTC. signal, fields, secrets: as of Context.
    """

    call: str
    signal: str
    body: bytes = field(repr=False)
    headers: Mapping[str, str] = field(repr=False)
    now: datetime
    fields: Mapping[str, Field] = field(default_factory=dict)
    secrets: Mapping[str, SecretSource] = field(default_factory=dict, repr=False)


class SecretSource(Protocol):
    """A place that keys come from, such as a vault that changes them; providers name it in their `with:`."""

    async def read(self) -> Mapping[str, str]:
        """Return the keys that count now, by the asking provider's names for them; called for every call.

        Whatever it raises makes the signal fail as `misconfigured`; the exception's text is not passed on.
        """
        ...


Answer = Mapping[str, object]
"""Fields by name. What a provider leaves out, or gives as None, is unknown."""


@dataclass(frozen=True, slots=True)
class Unusable:
    """What a provider gives for a field that was answered with something it cannot use: unknown, for this reason.

    reason: a few words for the decision and the log, that continue the field's name: `is not a number`.
    """

    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Uses:
    """What a `with:` has a provider use of the operator's, who allows it in `adjudge.yaml`.

    environment: variables whose values are sent. hosts: that are asked, `host` or `host:port`, lower case.
    files: that are read, as they stand there.
    """

    environment: frozenset[str] = frozenset()
    hosts: frozenset[str] = frozenset()
    files: frozenset[str] = frozenset()


class ProviderClient(Protocol):
    """A provider opened for one engine; holds connections. May be asked from many tasks at once."""

    async def fetch(self, context: Context) -> Answer:
        """Ask. Raises SignalFailed where there is no answer; any other exception is a fault of the plugin."""
        ...

    async def aclose(self) -> None:
        """Let go of connections. Called once, after the last fetch."""
        ...


@runtime_checkable
class ReadsLate(Protocol):
    """What a ProviderClient may offer beside: its `fetch` may then raise SignalLater."""

    async def read_late(self, answer: LateAnswer) -> Answer:
        """Return the fields of an answer that came later, as `fetch` does.

        Raises UnknownCall where the signature over headers and body is not right, before anything in it is believed;
        SignalFailed where the other side says that it has no answer.
        """
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """How one process may ask a provider: what protects the account behind it.

    Where a ledger shares limits, rate and budgets are those of all who use it together.
    rate: calls begun within any second, over all policies and engines of the process; None for no bound.
    in_flight: calls at once; None for no bound.
    daily_calls, daily_spend: of calls that were or may have been paid for, in a day of UTC; spend in the provider's
    currency; None for no bound.
    attempts: tries of one question in all, 1 to 10, each with a wait before it that doubles and is drawn by lot.
    attempt_timeout_s: seconds for one try; None leaves it what the signal has.
    breaker_failures: failures in a row after which nobody is asked for breaker_pause_s seconds, and then one call
    tries; None never stops for them. A `misconfigured` failure stops all calls at once.
    price: of one call, in place of the provider's own.
    """

    rate: float | None = None
    in_flight: int | None = None
    daily_calls: int | None = None
    daily_spend: Decimal | None = None
    attempts: int = 1
    attempt_timeout_s: float | None = None
    breaker_failures: int | None = None
    breaker_pause_s: float = 30.0
    price: Decimal | None = None


@dataclass(frozen=True, slots=True, kw_only=True, weakref_slot=True)
class Provider:
    """A kind of signal that policies can name.

    name: dotted, such as `aliyun.deepfake`.
    fields: what it answers; None where the policy declares them under the signal's `fields:`, or `derive` does.
    derive: names the fields that a `with:` makes, for a provider that answers what it is configured to; `fields` is
    then None and the policy declares none. Raises ProviderConfigError.
    open: makes a ProviderClient from the policy's `with:`; called on the engine's event loop, at first use. May raise
    SignalFailed, as a fetch may: the next request tries again.
    check: looks at `with:` when a policy is loaded, without network; raises ProviderConfigError.
    reads: parts of the request that it needs: `face`, `inputs.<name>`.
    uses: names what a `with:` takes of the operator's; the provider is not opened where that is not allowed.
    price, currency: per billed call; latency_s: typical; both steer `gather: thrifty`. price_of: the price that a
    `with:` states, in place of `price`; None where it states none.
    account: names what a `with:` is billed to and limited by, such as an endpoint, and never a key; signals of the same
    account share their limits. limits: how it may be asked, unless the engine's configuration says otherwise.
    """

    name: str
    fields: Mapping[str, Field] | None
    open: Callable[[Mapping[str, Any]], ProviderClient]
    check: Callable[[Mapping[str, Any], Mapping[str, Field]], None] = lambda config, fields: None
    derive: Callable[[Mapping[str, Any]], Mapping[str, Field]] | None = None
    reads: frozenset[str] = frozenset()
    uses: Callable[[Mapping[str, Any]], Uses] = lambda config: Uses()
    price: Decimal = Decimal(0)
    price_of: Callable[[Mapping[str, Any]], Decimal | None] = lambda config: None
    currency: str = "USD"
    latency_s: float = 0.1
    account: Callable[[Mapping[str, Any]], str] = lambda config: ""
    limits: Limits = Limits()
    version: str = "1"
    description: str = ""

    def price_for(self, config: Mapping[str, Any]) -> Decimal:
        """Return the price of a call with a `with:`."""
        stated = self.price_of(config)
        return self.price if stated is None else stated

    @property
    def billed(self) -> bool:
        """Whether a call costs money."""
        return self.price > 0


@dataclass(frozen=True, slots=True)
class _FunctionClient:
    function: Callable[[Context], Awaitable[Answer]]

    async def fetch(self, context: Context) -> Answer:
        return await self.function(context)

    async def aclose(self) -> None:
        return None


def provider(
    name: str, *, fields: Mapping[str, object], **facts: Any
) -> Callable[[Callable[[Context], Awaitable[Answer]]], Provider]:
    """Make a provider of one async function that takes the Context and returns fields by name.

    fields: as in a policy: `{"score": {"type": "double", "range": [0, 100]}, "emulator": "bool"}`.
    facts: any other attribute of Provider, such as `price` or `latency_s`.
    """
    declared = parse_fields(fields)

    def make(function: Callable[[Context], Awaitable[Answer]]) -> Provider:
        description = (function.__doc__ or "").strip().partition("\n")[0]
        return Provider(
            name=name,
            fields=declared,
            open=lambda config: _FunctionClient(function),
            description=description,
            **facts,
        )

    return make
