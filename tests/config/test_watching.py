"""Policies that change while an engine is open: taken whole once they are finished, or refused whole and recorded."""

from __future__ import annotations

import asyncio
import os
import shutil
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from adjudge.audit.activation import ActivationBody
from adjudge.audit.kinds import bodies
from adjudge.config.file import Config, assemble, read_config
from adjudge.config.policies import PolicyLoader
from adjudge.config.watching import Watch
from adjudge.decision.activations import Wanted
from adjudge.engine import Engine
from adjudge.errors import AdjudgeError, AuditUnavailable, RequestError
from adjudge.model import Request
from adjudge.policy import parse_policy

POLICY = """\
policy_language: 1
policy: NAME
inputs: {n: int, country: string}
lists: {bad: {file: bad.txt}}
rules: [{id: much, when: n > LIMIT, then: reject}, {id: listed, when: country in lists.bad, then: review}]
"""


def put(folder: Path, name: str = "one", limit: int = 5, listed: str = "KP") -> None:
    folder.mkdir(exist_ok=True)
    (folder / "bad.txt").write_text(listed)
    (folder / f"{name}.yaml").write_text(POLICY.replace("NAME", name).replace("LIMIT", str(limit)))


class Opened:
    """An engine whose policies are looked after by hand."""

    def __init__(self, folder: Path, policies: str = "[policies/]") -> None:
        self.folder, self.count = folder, 0
        path = folder / "adjudge.yaml"
        path.write_text(f"policies: {policies}\naudit: {{directory: log}}")
        config: Config = read_config(path)
        self.engine: Engine = assemble(config)
        assert self.engine._watch is not None
        self.watch: Watch = self.engine._watch  # type: ignore[assignment]
        self.watch._taken = self.watch._states()  # as of files that were at rest when the engine began

    async def look(self, times: int = 2) -> None:
        for _ in range(times):
            await self.watch.look(self.engine)

    def names(self) -> list[str]:
        return sorted(self.engine.policies)

    async def outcome(self, n: int, country: str = "SG") -> str:
        self.count += 1
        inputs = {"n": n, "country": country}
        request = Request(merchant_biz_id=f"{self.count:032}", scene_code="s", policy="one", inputs=inputs)
        return str((await self.engine.decide(request)).outcome)


def run(folder: Path, work: Callable[[Opened], Awaitable[None]], policies: str = "[policies/]") -> list[ActivationBody]:
    """Do something with an open engine, and return what the log has of its policies."""

    async def go() -> None:
        opened = Opened(folder, policies)
        async with opened.engine:
            await work(opened)

    asyncio.run(go())
    return [body for _, body in bodies(folder / "log", ActivationBody)]


def test_change_is_taken_once_two_looks_have_found_it_the_same(tmp_path: Path) -> None:
    put(tmp_path / "policies")

    async def work(opened: Opened) -> None:
        assert await opened.outcome(4) == "pass"
        put(opened.folder / "policies", limit=3)
        await opened.look(1)
        assert await opened.outcome(4) == "pass"
        await opened.look(1)
        assert await opened.outcome(4) == "reject"
        await opened.look()

    (body,) = run(tmp_path, work)
    assert (body.by, body.reason, body.accepted, body.messages) == ("engine", "changed", True, ())
    assert body.before.keys() == body.after.keys() == {"one"} and body.before != body.after


def test_file_that_grows_between_looks_is_not_taken(tmp_path: Path) -> None:
    put(tmp_path / "policies")
    file = tmp_path / "policies" / "one.yaml"

    async def work(opened: Opened) -> None:
        lines = POLICY.replace("NAME", "one").replace("LIMIT", "3").splitlines(keepends=True)
        file.write_text("")
        for line in lines:
            with file.open("a") as out:
                out.write(line)
            await opened.look(1)
        assert await opened.outcome(4) == "pass" and opened.engine.activation is None
        await opened.look(1)
        assert await opened.outcome(4) == "reject"

    assert len(run(tmp_path, work)) == 1


def test_file_that_changes_while_it_is_read_is_read_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    put(tmp_path / "policies")

    async def work(opened: Opened) -> None:
        load = PolicyLoader.load

        def slow(self: PolicyLoader, *, fetch: bool = True) -> object:
            loaded = load(self, fetch=fetch)
            monkeypatch.setattr(PolicyLoader, "load", load)
            put(opened.folder / "policies", limit=100)
            return loaded

        monkeypatch.setattr(PolicyLoader, "load", slow)
        put(opened.folder / "policies", limit=3)
        await opened.look()
        assert await opened.outcome(4) == "pass" and opened.engine.activation is None
        await opened.look()
        assert await opened.outcome(50) == "pass" and opened.engine.activation is not None

    assert len(run(tmp_path, work)) == 1


@pytest.mark.parametrize("policies", ["[policies/]", "[policies/one.yaml]"])
def test_list_of_a_policy_is_a_part_of_it(tmp_path: Path, policies: str) -> None:
    put(tmp_path / "policies")

    async def work(opened: Opened) -> None:
        assert await opened.outcome(1, "SG") == "pass"
        (opened.folder / "policies" / "bad.txt").write_text("KP\nSG")
        await opened.look()
        assert await opened.outcome(1, "SG") == "review"

    assert len(run(tmp_path, work, policies)) == 1


def test_files_that_are_new_gone_and_renamed_are_noticed(tmp_path: Path) -> None:
    put(tmp_path / "policies")

    async def work(opened: Opened) -> None:
        put(opened.folder / "policies", "two")
        await opened.look()
        assert opened.names() == ["one", "two"]
        (opened.folder / "policies" / "two.yaml").unlink()
        await opened.look()
        assert opened.names() == ["one"]
        new = opened.folder / "new.yaml"
        new.write_text(POLICY.replace("NAME", "one").replace("LIMIT", "2"))
        os.replace(new, opened.folder / "policies" / "one.yaml")
        await opened.look()
        assert await opened.outcome(3) == "reject"

    assert [(sorted(body.before), sorted(body.after)) for body in run(tmp_path, work)] == [
        (["one"], ["one", "two"]),
        (["one", "two"], ["one"]),
        (["one"], ["one"]),
    ]


@pytest.mark.parametrize("broken", ["gone", "empty", "syntax", "name", "scene"])
def test_set_that_does_not_load_is_refused_whole_and_the_last_good_stays(tmp_path: Path, broken: str) -> None:
    put(tmp_path / "policies")
    inside = tmp_path / "policies"

    async def work(opened: Opened) -> None:
        before = dict(opened.engine.policies)
        put(inside, "two", limit=1)  # it is good, and yet not taken without the other
        if broken == "gone":
            shutil.rmtree(inside)
        elif broken == "empty":
            (inside / "one.yaml").write_text("")
        elif broken == "syntax":
            (inside / "one.yaml").write_text("policy_language: 1\npolicy: one\nrules: [")
        elif broken == "name":
            (inside / "three.yaml").write_text((inside / "two.yaml").read_text())
        else:
            for name in ("one", "two"):
                (inside / f"{name}.yaml").write_text((inside / f"{name}.yaml").read_text() + "scenes: [s]\n")
        with capture_logs() as events:
            await opened.look(4)
        assert [event["event"] for event in events] == ["policies_refused"]
        assert opened.engine.policies == before and await opened.outcome(6) == "reject"
        assert opened.engine.activation is not None and not opened.engine.activation.accepted
        if broken == "gone":
            inside.mkdir()
        for file in inside.glob("*.yaml"):
            file.unlink()
        put(inside)
        await opened.look()
        assert opened.engine.activation.accepted

    refused, accepted = run(tmp_path, work)
    assert (refused.accepted, accepted.accepted) == (False, True)
    assert refused.before.keys() == {"one"} and refused.messages and all(refused.messages)
    assert accepted.before == accepted.after == refused.before
    assert refused.after.keys() == ({"one", "two"} if broken == "scene" else set())


def test_what_was_refused_is_tried_again_after_a_while(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    put(tmp_path / "policies")

    async def work(opened: Opened) -> None:
        policy = opened.folder / "policies" / "one.yaml"
        policy.write_text(policy.read_text().replace("bad.txt", "new.txt"))
        await opened.look(4)
        (opened.folder / "policies" / "new.txt").write_text("SG")  # of which no policy that loaded knows
        await opened.look(4)
        assert await opened.outcome(1, "SG") == "pass"
        monkeypatch.setattr("adjudge.config.watching.AGAIN_S", 0.0)
        await opened.look(4)
        assert await opened.outcome(1, "SG") == "review"

    assert [body.accepted for body in run(tmp_path, work, "[policies/one.yaml]")] == [False, True]


def test_log_that_cannot_be_written_keeps_the_policies_as_they_are(tmp_path: Path) -> None:
    put(tmp_path / "policies")

    async def work(opened: Opened) -> None:
        ledger = opened.engine.activations._ledger
        note = ledger.note

        async def fail(kind: str, body: object) -> None:
            raise AuditUnavailable("the disk is full")

        ledger.note = fail  # type: ignore[method-assign, assignment]
        put(opened.folder / "policies", limit=3)
        await opened.look()
        assert await _outcome_of(opened, 4) == "pass"
        ledger.note = note  # type: ignore[method-assign]
        put(opened.folder / "policies", limit=2)
        await opened.look()
        assert await opened.outcome(4) == "reject"

    async def _outcome_of(opened: Opened, n: int) -> str:
        return str(opened.engine.policies["one"].evaluate({"n": n, "country": "SG"}).outcome)

    assert [body.accepted for body in run(tmp_path, work)] == [True]


def test_replacing_by_hand_is_recorded_with_who_and_why(tmp_path: Path) -> None:
    put(tmp_path / "policies")

    async def work(opened: Opened) -> None:
        other = parse_policy(
            "{policy_language: 1, policy: two, inputs: {n: int}, rules: [{id: r, when: n > 1, then: review}]}"
        )
        await opened.engine.replace([other], wanted=Wanted(by="kim", reason="a wave of attacks"))
        with pytest.raises(RequestError, match="who did it"):
            await opened.engine.replace([other], wanted=Wanted(by=" "))
        with pytest.raises(AdjudgeError):
            await opened.engine.replace([other, other])

    (body,) = run(tmp_path, work)
    assert (body.by, body.reason, sorted(body.before), sorted(body.after)) == (
        "kim",
        "a wave of attacks",
        ["one"],
        ["two"],
    )


def test_no_request_fails_while_policies_are_replaced(tmp_path: Path) -> None:
    put(tmp_path / "policies")

    async def work(opened: Opened) -> None:
        outcomes: list[str] = []

        async def ask() -> None:
            for _ in range(20):
                outcomes.append(await opened.outcome(4))

        async def change() -> None:
            for limit in (3, 5, 3):
                put(opened.folder / "policies", limit=limit)
                await opened.look()

        await asyncio.gather(change(), *(ask() for _ in range(5)))
        assert len(outcomes) == 100 and set(outcomes) <= {"pass", "reject"}
        assert await opened.outcome(4) == "reject"

    assert [body.accepted for body in run(tmp_path, work)] == [True] * 3


def test_what_was_accepted_and_refused_is_found_by_the_next_process(tmp_path: Path) -> None:
    put(tmp_path / "policies")

    async def work(opened: Opened) -> None:
        assert opened.engine.activation is None
        put(opened.folder / "policies", limit=3)
        await opened.look()

    async def found(opened: Opened) -> None:
        newest = await opened.engine.activations.find()
        assert newest is not None and newest.accepted and newest.number == 1
        await opened.engine.activations.accept({}, opened.engine.policies, Wanted(reason="start"))
        assert opened.engine.activation == newest

    assert run(tmp_path, work) == run(tmp_path, found)


def test_engine_that_watches_looks_by_itself_and_ends(tmp_path: Path) -> None:
    put(tmp_path / "policies")
    path = tmp_path / "adjudge.yaml"
    path.write_text("policies: [policies/]\npolicies_every: 100ms")

    async def go() -> None:
        engine = assemble(read_config(path))
        async with engine:
            assert engine.activation is not None and engine.activation.reason == "start"
            put(tmp_path / "policies", limit=3)
            while engine.activation.reason == "start":
                await asyncio.sleep(0.02)
            assert engine.activation.accepted

    asyncio.run(asyncio.wait_for(go(), 60))
