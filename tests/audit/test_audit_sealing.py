"""Sealing: many values in one transaction, a vault that hangs or fails, and erasures beside records."""

from __future__ import annotations

import asyncio
import threading
from pathlib import Path

import pytest

from adjudge.audit import sealing
from adjudge.audit.sealing import Sealing
from adjudge.audit.vault import Vault
from adjudge.errors import AuditUnavailable


def test_values_that_come_together_share_transactions(tmp_path: Path) -> None:
    vault = Vault.open(tmp_path)
    seals = Sealing(vault)
    statements: list[str] = []

    async def seal(n: int) -> str:
        async with seals.sealed(f"s-{n}", {"email": f"{n}@example.com", "device.owner": n}) as sealed:
            assert list(sealed) == ["email", "device.owner"]
            assert vault.reveal(sealed["device.owner"]) == n
            return sealed["email"]

    async def main() -> list[str]:
        await seal(1000)
        assert vault._writer
        vault._writer.set_trace_callback(statements.append)
        return await asyncio.gather(*map(seal, range(200)))

    commitments = asyncio.run(main())
    assert [vault.reveal(one) for one in commitments] == [f"{n}@example.com" for n in range(200)]
    assert statements.count("commit") <= 4, "keys and values, of one batch or two"
    seals.close()


def test_value_that_cannot_be_sealed_fails_alone(tmp_path: Path) -> None:
    seals = Sealing(Vault.open(tmp_path))

    async def seal(value: object) -> int:
        async with seals.sealed("s", {"email": value}) as sealed:
            return len(sealed)

    async def main() -> list[object]:
        return await asyncio.gather(seal("a"), seal(object()), seal("b"), return_exceptions=True)

    first, wrong, last = asyncio.run(main())
    assert (first, last) == (1, 1) and isinstance(wrong, TypeError)
    seals.close()


def test_nothing_to_seal_touches_no_file(tmp_path: Path) -> None:
    seals = Sealing(Vault.open(tmp_path))

    async def main() -> None:
        async with seals.sealed("s", {}) as sealed:
            assert sealed == {}
        async with seals.erasing("s") as names:
            assert names == ()

    asyncio.run(main())
    assert list(tmp_path.iterdir()) == []
    seals.close()


def test_vault_that_fails_tells_everybody_who_waits_and_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    vault = Vault.open(tmp_path / "absent")
    seals = Sealing(vault)

    async def seal(n: int) -> str:
        async with seals.sealed(f"s-{n}", {"email": n}) as sealed:
            return sealed["email"]

    async def main() -> None:
        said = await asyncio.gather(*map(seal, range(5)), return_exceptions=True)
        assert all(isinstance(one, AuditUnavailable) and "absent" in str(one) for one in said)
        assert len({id(one) for one in said}) == 5, "an exception of each caller's own"
        (tmp_path / "absent").mkdir()
        assert (await seal(1)).startswith("sha256:")

    asyncio.run(main())
    seals.close()


def test_vault_that_hangs_is_unavailable_by_the_deadline(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sealing, "DEADLINE_S", 0.05)
    vault, gate = Vault.open(tmp_path), threading.Event()
    keep = vault.commit_all

    def hang(values: list[tuple[str, str, bytes]]) -> list[str]:
        gate.wait(60)
        return keep(values)

    monkeypatch.setattr(vault, "commit_all", hang)
    seals = Sealing(vault)

    async def seal(n: int) -> str:
        async with seals.sealed(f"s-{n}", {"email": n}) as sealed:
            return sealed["email"]

    async def main() -> None:
        for n in range(3):
            with pytest.raises(AuditUnavailable, match=r"vault\.sqlite: adjudge-vault: no answer within 0\.05 s"):
                await seal(n)
        with pytest.raises(AuditUnavailable, match="no answer"):
            async with seals.erasing("s-1"):
                pass
        monkeypatch.setattr(sealing, "DEADLINE_S", 60)
        gate.set()
        assert vault.reveal(await seal(4)) == 4

    asyncio.run(main())
    seals.close()


def test_erasure_goes_between_records_never_into_one(tmp_path: Path) -> None:
    """A record that names a commitment is written before the erasure of it, or names one made after it."""
    vault = Vault.open(tmp_path)
    seals = Sealing(vault)
    order: list[str] = []

    async def record(name: str, gate: asyncio.Event) -> None:
        async with seals.sealed("s", {"email": "a@example.com"}) as sealed:
            assert vault.standing(sealed["email"]) == "held"
            await gate.wait()
            assert vault.standing(sealed["email"]) == "held", "an erasure does not come in between"
            order.append(name)

    async def erase(name: str) -> None:
        async with seals.erasing("s") as names:
            order.append(f"{name} {len(names)}")

    async def main() -> None:
        first, other = asyncio.Event(), asyncio.Event()
        tasks = [asyncio.create_task(record("first", first)), asyncio.create_task(record("other", other))]
        while len(vault.names("s")) == 0:
            await asyncio.sleep(0.001)
        tasks += [asyncio.create_task(erase("erased")), asyncio.create_task(erase("erased again"))]
        await asyncio.sleep(0)
        late = asyncio.Event()
        late.set()
        tasks.append(asyncio.create_task(record("late", late)))
        async with seals.sealed("somebody else", {"email": "b@example.com"}):
            order.append("somebody else")
        first.set()
        await asyncio.sleep(0.01)
        other.set()
        await asyncio.gather(*tasks)

    asyncio.run(main())
    assert order[:4] == ["somebody else", "first", "other", "erased 1"]
    assert sorted(order[4:]) == ["erased again 0", "late"] or sorted(order[4:]) == ["erased again 1", "late"]
    assert len(vault.names("s")) == (1 if order[-1] == "late" else 0)
    assert not seals._subjects._recording and not seals._subjects._erasing
    seals.close()


def test_closed_seals_are_unavailable(tmp_path: Path) -> None:
    seals = Sealing(Vault.open(tmp_path))
    seals.close()

    async def main() -> None:
        async with seals.sealed("s", {"email": "a"}):
            pass

    with pytest.raises(AuditUnavailable, match="closed"):
        asyncio.run(main())
