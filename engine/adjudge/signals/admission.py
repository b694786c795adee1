"""Protecting the account behind a provider: one guard for each account of a process, whoever asks.

A vendor counts by account, not by engine, policy or event loop. So a guard belongs to the process and is free to use
from many threads and loops.
"""

from __future__ import annotations

import asyncio
import math
import os
import threading
import weakref
from collections import Counter, deque
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime
from decimal import Decimal
from time import monotonic
from types import MappingProxyType
from typing import Any, cast

from adjudge.errors import Bound, PluginError, SetupError, SignalFailed
from adjudge.events import Events
from adjudge.frozen import frozen
from adjudge.plugin import Limits, Provider, Quota, QuotaReached, Spent
from adjudge.plugin.offers import is_money, unfit
from adjudge.policy.typed import SignalDeclaration
from adjudge.signals.breaker import Breaker, State
from adjudge.system.faults import is_operators, said_of
from adjudge.values.reading import describe

RETRIES_IN_STORE = 10.0
RETRIES_EARNED = 0.1
"""Retries that a guard allows at once, and what each first try adds to them: a vendor in trouble gets 10% more calls,
and not three times as many."""

DAYS_KEPT = 400
"""Days whose calls are remembered: a clock that is set back finds what was counted for that day."""

_events = Events("adjudge.signals")


@frozen(kw_only=True)
class Usage:
    """What one process asked of a provider.

    calls: tries begun since its start; failed, retried: of these. refused: questions that were not asked, to protect
    the account. in_doubt: calls that may have been paid for, and had no answer.
    spent: for calls that were answered or are in doubt, in `currency`; spent_today, calls_today: of the day of UTC,
    what the audit log knows of an earlier process included. daily_calls, daily_spend: what a day may take at most; None
    for any number.
    """

    provider: str
    breaker: State
    calls: int
    failed: int
    retried: int
    refused: int
    in_doubt: int
    spent: Decimal
    currency: str
    calls_today: int
    spent_today: Decimal
    daily_calls: int | None = None
    daily_spend: Decimal | None = None


@dataclass(slots=True)
class _Day:
    calls: int = 0
    spent: Decimal = Decimal(0)


@dataclass(slots=True)
class _Counts:
    calls: int = 0
    failed: int = 0
    retried: int = 0
    refused: int = 0
    in_doubt: int = 0
    spent: Decimal = Decimal(0)


Waiter = tuple[asyncio.AbstractEventLoop, asyncio.Future[None]]


class Guard:
    """Lets calls through, at the rate, number and cost that a provider's limits allow.

    account: of the provider. timer: seconds that only grow; clock: aware UTC, for the day of a budget. A day has one
    budget, however often the clock comes by.
    """

    def __init__(
        self,
        provider: Provider,
        limits: Limits,
        *,
        account: str = "",
        timer: Callable[[], float] | None = None,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self.limits, self.account = limits, account
        self.price = limits.price if limits.price is not None else provider.price
        self._provider, self._currency = provider.name, provider.currency
        self._timer, self._clock = timer or monotonic, clock
        self._lock = threading.Lock()
        self._breaker = Breaker(limits.breaker_failures, limits.breaker_pause_s, self._timer)
        self._begun: deque[float] = deque()
        self._in_flight = 0
        self._waiting: deque[Waiter] = deque()
        self._retries = RETRIES_IN_STORE
        self._counts = _Counts()
        self._days: dict[date, _Day] = {}

    def quota(self, latest: float) -> Quota | None:
        """Return what a ledger counts for all who use it, of a call that may begin up to `latest`; None for nothing."""
        limits = self.limits
        if limits.rate is None and limits.daily_calls is None and limits.daily_spend is None:
            return None
        return Quota(
            provider=self._provider,
            account=self.account,
            price=self.price,
            rate=limits.rate,
            daily_calls=limits.daily_calls,
            daily_spend=limits.daily_spend,
            within_s=max(0.0, latest - self._timer()),
        )

    def refused(self, reached: QuotaReached) -> SignalFailed:
        """Take note that a ledger did not let a call through that was let in here, and return why it is not made."""
        with self._lock:
            self._counts.refused += 1
        return self._reached(reached.bound)

    async def admit(self, latest: float, *, is_shared: bool = False) -> date:
        """Wait until a call may begin, at most to `latest`, and return the day for which it is counted.

        is_shared: a ledger keeps to rate and budgets, and they are only counted here.
        Every call let in must be reported by `left`, `not_made` or `abandoned`. Raises SignalFailed, of which nothing
        was billed, where it may not be made.
        """
        await self._enter(latest)
        try:
            wait_s, day = self._reserve(latest, is_shared)
        except BaseException:
            self._leave()
            raise
        if wait_s > 0:
            try:
                await asyncio.sleep(wait_s)
            except BaseException:
                self.not_made(day)
                raise
        return day

    def left(self, failure: SignalFailed | None, *, in_doubt: bool = False, day: date | None = None) -> None:
        """Take note of how a call that was let in ended.

        failure: None where it was answered. day: for which it was counted, today unless given.
        """
        because = failure.reason if failure is not None else ""
        misconfigured = failure is not None and failure.kind == "misconfigured"
        is_paid = failure is None or failure.billed is True or in_doubt
        with self._lock:
            if failure is None or not _is_fault(failure, in_doubt):
                self._breaker.succeeded()
                opened = False
            else:
                opened = self._breaker.failed(because, at_once=misconfigured)
            self._counts.failed += failure is not None
            self._counts.in_doubt += in_doubt
            if is_paid:
                self._counts.spent += self.price
            else:
                self._refund(day)
        self._leave()
        if opened:
            tell = _events.error if misconfigured else _events.warning
            tell("breaker_opened", provider=self._provider, reason=because, pause_s=self.limits.breaker_pause_s)

    def not_made(self, day: date | None = None) -> None:
        """Take note that a call that was let in was not made after all. day: as for `left`."""
        with self._lock:
            self._refund(day)
            self._counts.calls -= 1
        self._leave()

    def abandoned(self) -> None:
        """Take note that nobody waits for a call any more, and that nobody knows how it ended."""
        with self._lock:
            self._counts.in_doubt += 1
            self._counts.spent += self.price
        self._leave()

    def may_retry(self) -> bool:
        """Whether one more retry is allowed now, and if so, count it."""
        with self._lock:
            if self._retries < 1:
                return False
            self._retries -= 1
            self._counts.retried += 1
            return True

    def first_try(self) -> None:
        """Take note of a new question, which earns a part of a retry."""
        with self._lock:
            self._retries = min(self._retries + RETRIES_EARNED, RETRIES_IN_STORE)

    def begin_with(self, day: date, calls: int, spent: Decimal) -> None:
        """Count what an earlier process did on a day, as its audit log has it; less than is counted already is not."""
        with self._lock:
            counted = self._day(day)
            counted.calls, counted.spent = max(counted.calls, calls), max(counted.spent, spent)

    def usage(self) -> Usage:
        """Return what was asked so far."""
        with self._lock:
            counts, today = self._counts, self._day(self._today())
            return Usage(
                provider=self._provider,
                breaker=self._breaker.state,
                calls=counts.calls,
                failed=counts.failed,
                retried=counts.retried,
                refused=counts.refused,
                in_doubt=counts.in_doubt,
                spent=counts.spent,
                currency=self._currency,
                calls_today=today.calls,
                spent_today=today.spent,
                daily_calls=self.limits.daily_calls,
                daily_spend=self.limits.daily_spend,
            )

    def _reserve(self, latest: float, is_shared: bool) -> tuple[float, date]:
        """Take a place in the rate and in the day's budget, and return the seconds to wait for it, and the day."""
        with self._lock:
            now, day = self._timer(), self._today()
            today = self._day(day)
            at = now if is_shared else self._next(now)
            refusal = self._refusal(None if is_shared else self._bound(at, latest, today))
            if refusal is not None:
                self._counts.refused += 1
                raise refusal
            if self.limits.rate is not None and not is_shared:
                self._begun.append(at)
            today.calls += 1
            today.spent += self.price
            self._counts.calls += 1
            return at - now, day

    def _next(self, now: float) -> float:
        """Return when the next call may begin: never more than `rate` of them within any second."""
        if self.limits.rate is None:
            return now
        at_once = max(1, math.floor(self.limits.rate))
        while len(self._begun) > at_once:
            self._begun.popleft()
        return now if len(self._begun) < at_once else max(now, self._begun[0] + at_once / self.limits.rate)

    def _refusal(self, bound: Bound | None) -> SignalFailed | None:
        if bound is not None:
            return self._reached(bound)
        refused = self._breaker.refusal()
        return _refused(refused, "BREAKER_OPEN") if refused is not None else None

    def _bound(self, at: float, latest: float, today: _Day) -> Bound | None:
        """Return the bound that does not let another call through."""
        limits = self.limits
        if limits.daily_calls is not None and today.calls >= limits.daily_calls:
            return "daily_calls"
        if limits.daily_spend is not None and today.spent + self.price > limits.daily_spend:
            return "daily_spend"
        return "rate" if at > latest else None

    def _reached(self, bound: Bound) -> SignalFailed:
        match bound:
            case "daily_calls":
                return _refused(f"not asked: the day's {self.limits.daily_calls} calls are made", "DAILY_CALLS_MADE")
            case "daily_spend":
                said = f"not asked: the day's {self.limits.daily_spend} {self._currency} are spent"
                return _refused(said, "DAILY_SPEND_REACHED")
            case "rate":
                said = f"not asked: {self.limits.rate:g} calls a second leave no room before its time is up"
                return _refused(said, "RATE_LIMITED")

    def _refund(self, day: date | None) -> None:
        """Take a call that cost nothing out of the budget of its day."""
        counted = self._day(day or self._today())
        counted.calls = max(0, counted.calls - 1)
        counted.spent = max(Decimal(0), counted.spent - self.price)

    def _today(self) -> date:
        return self._clock().astimezone(UTC).date()

    def _day(self, day: date) -> _Day:
        """Return what is counted for a day, which stays counted while the clock is elsewhere."""
        if day not in self._days:
            while len(self._days) >= DAYS_KEPT:
                del self._days[next(iter(self._days))]
            self._days[day] = _Day()
        return self._days[day]

    async def _enter(self, latest: float) -> None:
        """Take one of the places for calls in flight."""
        with self._lock:
            if self.limits.in_flight is None or self._in_flight < self.limits.in_flight:
                self._in_flight += 1
                return
            loop = asyncio.get_running_loop()
            place: Waiter = (loop, loop.create_future())
            self._waiting.append(place)
        try:
            async with asyncio.timeout(max(0.0, latest - self._timer())):
                await place[1]
        except BaseException as error:
            with self._lock:
                given = place not in self._waiting
                if not given:
                    self._waiting.remove(place)
            if given:
                self._leave()
            if not isinstance(error, TimeoutError):
                raise
            with self._lock:
                self._counts.refused += 1
            said = f"not asked: {self.limits.in_flight} calls are under way already"
            raise _refused(said, "TOO_MANY_IN_FLIGHT") from None

    def _leave(self) -> None:
        """Give a place to the one who has waited longest."""
        with self._lock:
            while self._waiting:
                loop, place = self._waiting.popleft()
                try:
                    loop.call_soon_threadsafe(_give, place)
                    return
                except RuntimeError:
                    pass  # the loop was closed under its waiters: nobody is left to call
            self._in_flight -= 1


def _refused(said: str, code: str) -> SignalFailed:
    return SignalFailed(said, kind="unavailable", reason_code=code, billed=False, asked=False)


def _give(place: asyncio.Future[None]) -> None:
    if not place.done():
        place.set_result(None)


def _is_fault(failure: SignalFailed, in_doubt: bool) -> bool:
    """Whether a failure speaks against the other side, and not against this one question."""
    if failure.capture_again is not None or not failure.asked:
        return False
    return failure.kind != "error" or in_doubt


@dataclass(slots=True)
class Guards:
    """The guards of a process, by provider and account, for as long as there is the provider."""

    _guards: dict[int, tuple[weakref.ref[Provider], dict[str, Guard]]] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def begin(self) -> None:
        """Begin from nothing, as in a process that was forked: the calls under way are its parent's."""
        self._guards, self._lock = {}, threading.Lock()

    def of(
        self,
        provider: Provider,
        limits: Limits,
        account: str = "",
        *,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> Guard:
        """Return an account's guard; limits that differ from those it has make a new one, which counts from nothing.

        clock: of a guard that is new.
        """
        with self._lock:
            kept = self._guards.get(id(provider))
            if kept is None or kept[0]() is not provider:
                kept = (weakref.ref(provider, self._forgetting(id(provider))), {})
                self._guards[id(provider)] = kept
            guard = kept[1].get(account)
            if guard is None or guard.limits != limits:
                guard = kept[1][account] = Guard(provider, limits, account=account, clock=clock)
            return guard

    def _forgetting(self, number: int) -> Callable[[weakref.ref[Provider]], None]:
        def forget(gone: weakref.ref[Provider]) -> None:
            if (kept := self._guards.get(number)) is not None and kept[0] is gone:
                del self._guards[number]

        return forget


PROCESS = Guards()
"""The guards of this process."""
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=PROCESS.begin)


Accounts = Mapping[tuple[str, str], Guard]
"""Guards by provider's name and account."""


def guards_of(
    signals: Iterable[SignalDeclaration],
    providers: Mapping[str, Provider],
    limits: Mapping[str, Limits],
    guards: Guards,
    clock: Callable[[], datetime],
) -> dict[tuple[str, str], Guard]:
    """Return the guards of the accounts that signals ask.

    limits: in place of what providers declare, by name. clock: aware UTC, for the day of a budget.
    Raises SetupError for limits of a provider that is not there.
    """
    if strangers := limits.keys() - providers.keys():
        raise SetupError(f"there is no provider `{min(strangers)}` to limit")
    for name, asked in limits.items():
        if (wrong := unfit(asked)) is not None:
            raise SetupError(f"the limits of `{name}`: {wrong}")
    found: dict[tuple[str, str], Guard] = {}
    for signal in signals:
        provider = providers.get(signal.provider or "")
        if provider is not None:
            account = account_of(provider, signal.config)
            limited = limits.get(provider.name, provider.limits)
            if limited.price is None:
                limited = replace(limited, price=price_of(provider, signal.config))
            guard = guards.of(provider, limited, account, clock=clock)
            found[provider.name, account] = guard
    return found


def begin_with(accounts: Accounts, spent: Spent, before: Accounts = MappingProxyType({})) -> None:
    """Count what the ledger knows of each day; every account of a provider begins with the whole.

    before: accounts that have begun already, and know what was spent on each.
    """
    for (name, day), tally in spent.items():
        for of, guard in accounts.items():
            if of[0] == name and before.get(of) is not guard:
                guard.begin_with(day, tally.calls, tally.spent)


def prices_of(
    signals: Iterable[SignalDeclaration], providers: Mapping[str, Provider], accounts: Accounts
) -> dict[str, Decimal]:
    """Return what a call costs, by signal."""
    asked = [(signal, providers[signal.provider]) for signal in signals if signal.provider is not None]
    return {
        signal.name: accounts[provider.name, account_of(provider, signal.config)].price for signal, provider in asked
    }


def account_of(provider: Provider, config: Mapping[str, Any]) -> str:
    """Return what a `with:` is billed to. Raises PluginError where the provider does not say."""
    account = _said(provider, "account", config)
    if not isinstance(account, str):
        raise PluginError(f"its `account` must be a string, not {describe(account)}", plugin=provider.name)
    return account


def price_of(provider: Provider, config: Mapping[str, Any]) -> Decimal | None:
    """Return the price that a `with:` states; None where it states none. Raises PluginError."""
    price = _said(provider, "price_of", config)
    if price is not None and not is_money(price):
        raise PluginError(
            f"its `price_of` must be a Decimal of at least 0, not {describe(price)}", plugin=provider.name
        )
    return cast(Decimal | None, price)


def _said(provider: Provider, what: str, config: Mapping[str, Any]) -> object:
    """Return what a provider's own code makes of a `with:`."""
    try:
        return getattr(provider, what)(config)
    except BaseException as error:
        if is_operators(error):
            raise
        raise PluginError(f"its `{what}` failed: {said_of(error)}", plugin=provider.name) from error


def usage_of(accounts: Accounts) -> dict[str, Usage]:
    """Return what was asked, by the provider's name; by name and account where it has several."""
    names = Counter(name for name, _ in accounts)
    return {
        name if names[name] == 1 else f"{name} {account}": guard.usage() for (name, account), guard in accounts.items()
    }
