"""A store of decisions whose faults are said in our words: whatever it raises, the caller gets an AdjudgeError."""

from __future__ import annotations

from adjudge.errors import StoreUnavailable
from adjudge.events import Events
from adjudge.frozen import frozen
from adjudge.model import Decision
from adjudge.plugin import DecisionStore
from adjudge.system.faults import is_operators

_events = Events("adjudge.store")


@frozen
class GuardedStore:
    """The store of one engine. An exception's text may hold personal data or a password: its type has to do."""

    store: DecisionStore

    def get(self, merchant_biz_id: str) -> Decision | None:
        """Return the newest decision of an id. Raises StoreUnavailable: who does not know must not decide again."""
        try:
            found: object = self.store.get(merchant_biz_id)
            if found is not None and not (isinstance(found, Decision) and found.merchant_biz_id == merchant_biz_id):
                raise TypeError("what it returned is not a decision of that id")
        except BaseException as error:
            raise self._failed("read", error) from None
        return found

    def put(self, decision: Decision) -> None:
        """Keep a decision in place of any older one of its MerchantBizId. Raises StoreUnavailable."""
        try:
            self.store.put(decision)
        except BaseException as error:
            raise self._failed("written", error) from None

    def keep(self, decision: Decision) -> None:
        """Keep a decision that is recorded, and so stands whatever the store does."""
        try:
            self.put(decision)
        except StoreUnavailable:
            pass  # told already

    def _failed(self, what: str, error: BaseException) -> StoreUnavailable:
        if is_operators(error):
            raise error
        name = type(self.store).__name__
        _events.exception("store_failed", store=name)
        return StoreUnavailable(f"the store `{name}` cannot be {what}: {type(error).__name__}")
