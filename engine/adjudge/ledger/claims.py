"""Who is deciding which MerchantBizId, among the holders of one process."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from time import monotonic

import msgspec

from adjudge.errors import LostClaim, MerchantBizIdConflict, RequestError
from adjudge.plugin import Busy, Claim


class _Held(msgspec.Struct, gc=False):
    """A claim that was not given back. until: when it lapses. is_writing: its conclusion is on its way to the disk.

    over: what those wait for who came meanwhile; None where nobody did.
    """

    token: int
    fingerprint: str
    until: float
    is_writing: bool = False
    over: asyncio.Event | None = None

    def end(self) -> None:
        """Tell those who wait."""
        if self.over is not None:
            self.over.set()


@dataclass(slots=True)
class Claims:
    """The claims of one event loop. timer: seconds that only grow, whatever the clock on the wall does."""

    timer: Callable[[], float] = monotonic
    _held: dict[str, _Held] = field(default_factory=dict)
    _newest: int = 0

    def take(self, merchant_biz_id: str, fingerprint: str, former: str | None, lease_s: float) -> int | Busy:
        """Claim an id, and return the token. Raises MerchantBizIdConflict where another fingerprint has it."""
        held = self._held.get(merchant_biz_id)
        if held is not None:
            if held.is_writing or self.timer() < held.until:
                if held.fingerprint not in (fingerprint, former):
                    raise conflict(merchant_biz_id)
                return Busy(merchant_biz_id=merchant_biz_id, token=held.token)
            held.end()
        self._newest += 1
        self._held[merchant_biz_id] = _Held(self._newest, fingerprint, self.timer() + lease_s)
        return self._newest

    def check(self, claim: Claim) -> _Held:
        """Return what is held of a claim. Raises LostClaim where it is not the newest of its id."""
        held = self._held.get(claim.merchant_biz_id)
        if held is None or held.token != claim.token:
            raise LostClaim(f"MerchantBizId {claim.merchant_biz_id} is claimed by another holder")
        return held

    def begin_writing(self, claim: Claim) -> None:
        """Keep an id until `release`, however long its record takes. Raises LostClaim."""
        self.check(claim).is_writing = True

    def release(self, claim: Claim) -> None:
        """Give a claim back, if it is still the newest."""
        held = self._held.get(claim.merchant_biz_id)
        if held is not None and held.token == claim.token:
            del self._held[claim.merchant_biz_id]
            held.end()

    async def wait(self, busy: Busy, until: float) -> None:
        """Wait until a claim is over or lapses, or until a time of `time.monotonic()`."""
        held = self._held.get(busy.merchant_biz_id)
        if held is None or held.token != busy.token:
            return
        left_s = until - monotonic()
        lapses_s = held.until - self.timer()
        if held.over is None:
            held.over = asyncio.Event()
        try:
            async with asyncio.timeout(max(0.0, left_s if held.is_writing else min(left_s, lapses_s))):
                await held.over.wait()
        except TimeoutError:
            pass  # who claims again learns more


def no_such_decision(decision_id: str, merchant_biz_id: str) -> RequestError:
    """Return the error for a label of a decision that is not there, or of another MerchantBizId."""
    return RequestError(f"there is no decision {decision_id} of the MerchantBizId {merchant_biz_id}", where="label")


def conflict(merchant_biz_id: str) -> MerchantBizIdConflict:
    """Return the error for an id that came with another fingerprint."""
    return MerchantBizIdConflict(
        f"MerchantBizId {merchant_biz_id} came before with another face, scene, policy or other inputs;"
        " its first decision stands. Use a new id for a new check"
    )
