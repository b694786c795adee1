"""Every ledger of the engine keeps the contract, and the contract finds one that does not."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from shared_ledger import SharedLedger
from structlog.testing import capture_logs

from adjudge.audit.log import AuditLog
from adjudge.audit.trail import AuditTrail
from adjudge.audit.vault import Vault
from adjudge.errors import AuditUnavailable
from adjudge.ledger.file import FileLedger
from adjudge.ledger.front import Front
from adjudge.ledger.guarded import guarded
from adjudge.ledger.memory import MemoryLedger
from adjudge.model import Decision
from adjudge.plugin import Body, CallBody, Claim, DecisionLedger, Quota, Receipt, SharedLimits
from adjudge.testing import LedgerContract, SharedLedgerContract
from adjudge.testing.ledgers import FIRST, ID, quota_of
from audit.audit_logs import FaultyDisk, assert_verifies


class SwitchedDisk(FaultyDisk):
    """A disk that fails every write while it is off."""

    is_off = False

    def _fails(self, call: str) -> bool:
        super()._fails(call)
        return self.is_off and call in ("write", "datasync")


class TestMemoryLedger(LedgerContract):
    keeps = False

    def ledger(self, clock: Callable[[], datetime]) -> MemoryLedger:
        return MemoryLedger(clock=clock)


class TestFileLedger(LedgerContract):
    durability: Any = "fsync"

    @pytest.fixture(autouse=True)
    def _verified(self, tmp_path: Path) -> Iterator[None]:
        self.root = tmp_path
        with capture_logs():
            yield
        for log in tmp_path.iterdir():
            if (log / "audit-000001.jsonl").stat().st_size:
                assert_verifies(log)

    def begin(self) -> None:
        self.place = Path(tempfile.mkdtemp(dir=self.root))

    def ledger(self, clock: Callable[[], datetime]) -> FileLedger:
        AuditTrail.open(self.place).close()  # for its key
        self.disk = SwitchedDisk()
        log = AuditLog.open(self.place, durability=self.durability, disk=self.disk)
        key = (self.place / "fingerprint.key").read_bytes()
        return FileLedger(AuditTrail(log, Vault.open(self.place), key), clock=clock)

    def program(self) -> str:
        return (
            "from adjudge.audit.trail import AuditTrail; from adjudge.ledger.file import FileLedger;"
            f"ledger = FileLedger(AuditTrail.open({str(self.place)!r}, durability={self.durability!r}))"
        )

    @contextmanager
    def cut(self, ledger: DecisionLedger) -> Iterator[None]:
        self.disk.is_off = True
        yield
        self.disk.is_off = False


class TestFileLedgerThatFlushes(TestFileLedger):
    durability = "flush"


class TestSharedLedger(SharedLedgerContract):
    """A ledger that processes share, as small as it can be: it shows that the contract can be kept."""

    @pytest.fixture(autouse=True)
    def _rooted(self, tmp_path: Path) -> None:
        self.root = tmp_path

    def begin(self) -> None:
        self.place = Path(tempfile.mkdtemp(dir=self.root)) / "shared.sqlite"

    def ledger(self, clock: Callable[[], datetime]) -> DecisionLedger:
        return SharedLedger(self.place)

    def another(self, ledger: DecisionLedger) -> DecisionLedger:
        return SharedLedger(self.place)

    def program(self) -> str:
        here = str(Path(__file__).parent)
        made = f"import sys; sys.path.insert(0, {here!r}); from shared_ledger import SharedLedger;"
        return f"{made} ledger = SharedLedger({str(self.place)!r})"


class Unfenced(MemoryLedger):
    """A ledger with a lease alone: whoever held it once may still write."""

    async def conclude(self, claim: Claim, decision: Decision, record: Body) -> Receipt:
        receipt = await self.record("decision", record)
        self._front.put(claim.merchant_biz_id, receipt.line)
        self._claims.release(claim)
        return receipt


class Forgetful(MemoryLedger):
    """A ledger that loses its decisions."""

    async def conclude(self, claim: Claim, decision: Decision, record: Body) -> Receipt:
        receipt = await super().conclude(claim, decision, record)
        self._front = Front(0)
        return receipt


class Credulous(MemoryLedger):
    """A ledger that looks at no fingerprint."""

    async def claim(self, merchant_biz_id: str, fingerprint: str, **how: Any) -> Any:
        return await super().claim(merchant_biz_id, "1" * 64, **how)


class Overbearing(MemoryLedger):
    """A ledger that takes every id for new that is presumed to be."""

    def presume(self, merchant_biz_id: str, fingerprint: str, *, former: str | None = None) -> Claim:
        return Claim(merchant_biz_id=merchant_biz_id, fingerprint=fingerprint, former=former, token=0)

    async def conclude(self, claim: Claim, decision: Decision, record: Body) -> Receipt:
        if claim.token:
            return await super().conclude(claim, decision, record)
        receipt = await self.record("decision", record)
        self._front.put(claim.merchant_biz_id, receipt.line)
        return receipt


@pytest.mark.parametrize(
    ("broken", "test"),
    [
        (Overbearing, "test_presumed_claim_is_taken_with_its_conclusion"),
        (Overbearing, "test_presumed_claims_and_held_ones_make_one_decision_of_each_id"),
        (Unfenced, "test_holder_that_was_paused_past_its_lease_changes_nothing"),
        (Forgetful, "test_claim_that_is_concluded_answers_from_then_on"),
        (Forgetful, "test_two_hundred_callers_make_one_decision"),
        (Credulous, "test_claim_of_another_fingerprint_is_a_conflict_at_every_moment"),
    ],
)
def test_contract_finds_a_ledger_that_breaks_it(broken: type[MemoryLedger], test: str) -> None:
    class Contract(LedgerContract):
        def ledger(self, clock: Callable[[], datetime]) -> MemoryLedger:
            return broken(clock=clock)

    with pytest.raises(AssertionError):
        getattr(Contract(), test)()
    with pytest.raises(NotImplementedError):
        LedgerContract().ledger(datetime.now)


@pytest.mark.parametrize("wait", [-1.0, 1e9, None, "soon"])
def test_wait_that_a_ledger_makes_up_is_its_fault(wait: object) -> None:
    class Sharing(MemoryLedger):
        async def admit(self, quota: Quota, claim: Claim, call: CallBody | None) -> Any:
            return wait if claim.token else 2.5

    async def main() -> None:
        ledger = guarded(Sharing())
        claim, honest = (Claim(merchant_biz_id=ID, fingerprint=FIRST, token=token) for token in (1, 0))
        assert isinstance(ledger, SharedLimits) and not isinstance(guarded(MemoryLedger()), SharedLimits)
        with pytest.raises(AuditUnavailable, match="TypeError"):
            await ledger.admit(quota_of(rate=1.0), claim, None)
        assert await ledger.admit(quota_of(rate=1.0), honest, None) == 2.5

    asyncio.run(main())
