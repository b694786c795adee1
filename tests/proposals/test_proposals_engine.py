"""Proposals of an engine: made, approved, activated, rolled back; by one process and by several, across restarts."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from msgspec import structs

from adjudge.audit.kinds import bodies
from adjudge.audit.proposals import ProposalBody
from adjudge.audit.trail import AuditTrail
from adjudge.authoring import checks
from adjudge.documents.proposals import ProposalCommand
from adjudge.engine import Engine
from adjudge.errors import Overtaken, RequestError
from adjudge.ledger.memory import MemoryLedger
from adjudge.model import Request
from adjudge.policy.policy import Policy
from adjudge.proposals.control import Proposals
from adjudge.proposals.settings import ProposalSettings
from adjudge.registry import Registry, parse_policy

TEXT = "{policy_language: 1, policy: one, inputs: {n: int}, rules: [{id: r, when: n > LIMIT, then: reject}]}"
TESTS = "policy: elsewhere.yaml\ntests:\n  - {name: fifty, given: {inputs: {n: 50}}, expect: reject}\n"


@pytest.fixture(autouse=True)
def _no_proofs(monkeypatch: pytest.MonkeyPatch) -> None:
    """Proving is tested where it is done."""
    monkeypatch.setattr(checks, "_compared", lambda base, proposed: (None, "not here"))


def policy(limit: int) -> Policy:
    return parse_policy(TEXT.replace("LIMIT", str(limit)), registry=Registry())


def engine(place: Path | MemoryLedger, *, four_eyes: bool = False, limit: int = 70, **parts: Any) -> Engine:
    kept: dict[str, Any] = (
        {"trail": AuditTrail.open(place, durability="flush")} if isinstance(place, Path) else {"ledger": place}
    )
    settings = ProposalSettings(four_eyes=four_eyes)
    return Engine([policy(limit)], registry=Registry(), **{"proposals": settings, **kept, **parts})


async def make(one: Engine, limit: int = 20, name: str | None = None, by: str = "kim", **parts: Any) -> Any:
    return await one.proposal("make", name, text=TEXT.replace("LIMIT", str(limit)), reason="so", by=by, **parts)


async def outcome(one: Engine, n: int, number: int) -> str:
    request = Request(merchant_biz_id=f"{number:032d}", scene_code="a", inputs={"n": n})
    return (await one.decide(request)).outcome.value


def test_version_answers_once_it_is_activated_and_after_a_restart_until_it_is_rolled_back(tmp_path: Path) -> None:
    async def main() -> None:
        async with engine(tmp_path) as one:
            assert (await make(one)).status == "open" and await outcome(one, 50, 1) == "pass"
            await one.proposal("approve", "1", seen=1, by="lee")
            assert await outcome(one, 50, 2) == "pass"
            done = await one.proposal("activate", "1", seen=2, how="now", by="lee")
            assert (done.status, done.live, done.rollout_status) == ("activated", True, "promoted")
            assert await outcome(one, 50, 3) == "reject"
        async with engine(tmp_path) as one:
            assert await outcome(one, 50, 4) == "reject"
            second = await make(one, 40)
            assert second.name == "2" and second.base == done.digest
            await one.proposal("approve", "2", seen=1, by="lee")
            await one.proposal("activate", "2", seen=2, how="now", by="lee")
            assert await outcome(one, 30, 5) == "pass"
            assert not (await one.find_proposal("1")).live
            assert (await one.proposal("roll-back", "2", seen=3, reason="no", by="ari")).status == "rolled_back"
            assert await outcome(one, 30, 6) == "reject", "the proposal before answers again"
            await one.proposal("roll-back", "1", seen=3, reason="no", by="ari")
            assert await outcome(one, 50, 7) == "pass"
        async with Engine([policy(70)], registry=Registry(), trail=AuditTrail.open(tmp_path)) as plain:
            assert [each.status for each in await plain.proposals()] == ["rolled_back", "rolled_back"]
            with pytest.raises(RequestError, match="takes no proposals"):
                await make(plain)

    asyncio.run(main())


def test_engine_without_proposals_answers_with_what_was_activated(tmp_path: Path) -> None:
    async def main() -> None:
        async with engine(tmp_path) as one:
            await make(one)
            await one.proposal("approve", "1", seen=1, by="lee")
            await one.proposal("activate", "1", seen=2, how="now", by="lee")
        async with Engine([policy(70)], registry=Registry(), trail=AuditTrail.open(tmp_path)) as plain:
            assert await outcome(plain, 50, 1) == "reject"

    asyncio.run(main())


def test_canary_is_ramped_and_then_answers_all(tmp_path: Path) -> None:
    async def main() -> None:
        async with engine(tmp_path) as one:
            await make(one)
            await one.proposal("approve", "1", seen=1, by="lee")
            done = await one.proposal("activate", "1", seen=2, how="canary", share=0.05, by="lee")
            assert (done.status, done.live, done.rollout_status) == ("activated", False, "running")
            (rollout,) = await one.rollouts()
            assert (rollout.name, rollout.mode, rollout.share) == ("proposal-1", "canary", 0.05)
            await one.proposal("activate", "1", seen=3, how="canary", share=0.5, by="lee")
            assert (await one.rollouts())[0].share == 0.5
            assert (await one.proposal("activate", "1", seen=4, how="now", by="lee")).live
            with pytest.raises(RequestError, match="answers all requests already"):
                await one.proposal("activate", "1", seen=5, how="now", by="lee")

    asyncio.run(main())


def test_nobody_approves_their_own_where_four_eyes_are_asked_for(tmp_path: Path) -> None:
    async def main() -> None:
        async with engine(tmp_path, four_eyes=False) as one:
            await make(one)
            await one.proposal("approve", "1", seen=1, by="kim")
        async with engine(tmp_path, four_eyes=True) as one:
            with pytest.raises(RequestError, match="approved by nobody but who made it"):
                await one.proposal("activate", "1", seen=2, how="now", by="lee")
            await make(one, 30, "1", "lee", seen=2)
            for by in ("kim", "lee", " LEE"):
                with pytest.raises(RequestError, match="nobody approves their own"):
                    await one.proposal("approve", "1", seen=3, by=by)
            done = await one.proposal("approve", "1", seen=3, by="ari")
            assert (await one.proposal("activate", "1", seen=4, how="now", by="kim")).live
        last = [body for _, body in bodies(tmp_path, ProposalBody)][-2]
        assert (last.act, last.digest, last.four_eyes) == ("approved", done.digest, True)

    asyncio.run(main())


def test_stale_proposal_is_made_again_before_it_is_approved(tmp_path: Path) -> None:
    async def main() -> None:
        async with engine(tmp_path) as one:
            first = await make(one)
            await one.proposal("approve", "1", seen=1, by="lee")
        async with engine(tmp_path, limit=60) as one:
            assert (await one.find_proposal("1")).stale
            for action, parts in (("approve", {}), ("activate", {"how": "now"})):
                with pytest.raises(RequestError, match=f"was made from {first.base[:12]}, and .* answers by now"):
                    await one.proposal(action, "1", seen=2, by="ari", **parts)
            again = await one.proposal("make", "1", seen=2, reason="still", by="kim")
            assert (again.stale, again.versions, again.digest, again.status) == (False, 2, first.digest, "open")
            assert again.base == policy(60).digest and again.approved_by == ()

    asyncio.run(main())


@pytest.mark.parametrize("kind", ["file", "memory"])
def test_two_who_act_on_the_same_state_are_one_after_the_other(tmp_path: Path, kind: str) -> None:
    """Another worker of the same ledger has its own view, and the ledger says who was first."""

    async def main() -> None:
        async with engine(tmp_path if kind == "file" else MemoryLedger()) as one:
            other = Proposals(ProposalSettings(), one._ledger, one.registry.catalogue, lambda: datetime.now(UTC))
            assert await other.look() == {}
            names = await asyncio.gather(*(make(one, 20 + n) for n in range(3)))
            assert sorted(each.name for each in names) == ["1", "2", "3"]
            back = ProposalCommand(action="send-back", name="1", seen=1, reason="no")
            both = await asyncio.gather(
                one.proposal("approve", "1", seen=1, by="lee"),
                other.command(back, "ari", one.policies, one._checked, require_nothing),
                return_exceptions=True,
            )
            (lost,) = [each for each in both if isinstance(each, BaseException)]
            assert isinstance(lost, Overtaken) and "`1` has changed since act 1: 2 " in str(lost)
            assert (await other.look())["1"].status == (await one.find_proposal("1")).status != "open"
            assert [each.step for each in (await other.look())["1"].acts] == [1, 2]
            other.close()

    asyncio.run(main())


def test_act_that_comes_between_the_look_and_the_record_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def main() -> None:
        async with engine(tmp_path) as one:
            await make(one)
            note, between = one._ledger.note, [2]

            async def note_later(kind: str, record: Any) -> Any:
                if between and between.pop():
                    await note(kind, structs.replace(record, act="withdrawn", by="ari"))
                return await note(kind, record)

            monkeypatch.setattr(one._ledger, "note", note_later)
            with pytest.raises(Overtaken, match="2 withdrawn by ari"):
                await one.proposal("approve", "1", seen=1, by="lee")
            assert (await one.find_proposal("1")).status == "withdrawn"
            between.append(3)
            assert (await one.proposal("comment", "1", reason="pity", by="lee")).step == 4, "it minds no other act"

    asyncio.run(main())


async def require_nothing(act: ProposalBody) -> None:
    """Require nothing."""


def test_activation_that_was_cut_off_is_finished_by_asking_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def main() -> None:
        async def die(*_: object) -> None:
            raise RuntimeError("killed")

        async with engine(tmp_path) as one:
            await make(one)
            await one.proposal("approve", "1", seen=1, by="lee")
            with monkeypatch.context() as patched:
                patched.setattr("adjudge.engine.bring_about", die)
                with pytest.raises(RuntimeError, match="killed"):
                    await one.proposal("activate", "1", seen=2, how="now", by="lee")
            found = await one.find_proposal("1")
            assert (found.status, found.live, found.rollout_status) == ("activated", False, "")
            assert (await one.proposal("activate", "1", seen=3, how="now", by="lee")).live

    asyncio.run(main())


def test_what_cannot_take_part_is_not_activated(tmp_path: Path) -> None:
    async def main() -> None:
        other = TEXT.replace("n: int", "n: double").replace("LIMIT", "20")
        async with engine(tmp_path) as one:
            await one.proposal("make", text=other, reason="so", by="kim")
            await one.proposal("approve", "1", seen=1, by="lee")
            with pytest.raises(RequestError, match="declares `n` as another type"):
                await one.proposal("activate", "1", seen=2, how="now", by="lee")
            assert (await one.find_proposal("1")).status == "approved", "nothing was recorded"

    asyncio.run(main())


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("policy: [", r"policy\.yaml:1"),
        (TEXT.replace("one", "two").replace("LIMIT", "1"), "is a version of `two`, which is no policy of this engine"),
        (TEXT.replace("LIMIT", "70"), "answers already"),
        (TEXT.replace("n > LIMIT", "nn > 1"), "`nn` is not declared"),
        ("x" * 2_000_000, "longer than 1,048,576 characters"),
        (TEXT.replace("rules:", "lists: {l: {file: ../../etc/passwd}}, rules:").replace("LIMIT", "1"), "leaves the"),
        (TEXT.replace("rules:", "lists: {l: {file: l.txt}}, rules:").replace("LIMIT", "1"), "was not given"),
    ],
)
def test_text_that_is_no_version_is_refused_and_leaves_no_record(tmp_path: Path, text: str, message: str) -> None:
    async def main() -> None:
        async with engine(tmp_path) as one:
            with pytest.raises(RequestError, match=message):
                await one.proposal("make", text=text, reason="so", by="kim")
            assert await one.proposals() == ()

    asyncio.run(main())


def test_tests_and_findings_are_recorded_with_a_version(tmp_path: Path) -> None:
    async def main() -> None:
        async with engine(tmp_path) as one:
            made = await make(one, 60, tests={"one_test.yaml": TESTS})
            assert made.checks is not None and made.checks.tests is not None
            assert (made.checks.tests.passed, made.checks.tests.failed) == (0, 1)
            assert made.checks.tests.failures == ("fifty: outcome is pass, not reject",)
            assert (made.checks.comparison, made.checks.missing) == (None, "not here")
            again = await make(one, 40, "1", seen=1, tests={"one_test.yaml": TESTS})
            assert again.checks.tests.passed == 1 and "n > 40" in again.diff
            with pytest.raises(RequestError, match=r"one_test\.yaml:1"):
                await make(one, 30, tests={"one_test.yaml": "tests: 1"})

    asyncio.run(main())
