"""`lists`: membership in files that change while an engine runs."""

from __future__ import annotations

import asyncio
import os
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from adjudge.engine import Engine
from adjudge.model import Decision, Face, Request
from adjudge.plugin import Answer, Context, ProviderConfigError, SignalFailed
from adjudge.registry import parse_policy
from adjudge.system.files import FileState
from adjudge.testing import registry_of
from adjudge.values.types import BOOL
from adjudge_plugins import lists
from adjudge_plugins.lists import LISTS

LISTED = """
policy_language: 1
policy: {name}
inputs: {{email: string}}
signals: {{list: {{provider: lists, timeout: {timeout}, with: {{blocked: {{file: "{file}", of: inputs.email}}}}}}}}
rules: [{{id: blocked, when: list.blocked, then: reject}}]
"""

RequestOf = Callable[..., Request]


@pytest.fixture
def blocked(tmp_path: Path) -> Path:
    path = tmp_path / "blocked.txt"
    path.write_text("# since May\n\n  bad@example.com \nStraße\n42\n", encoding="utf-8")
    return path


def listed(path: Path, of: str = "inputs.email", **more: Any) -> dict[str, Any]:
    return {"blocked": {"file": str(path), "of": of, **more}}


@pytest.fixture
def fetch(ask: Callable[..., Answer], request_of: RequestOf) -> Callable[..., Answer]:
    def run(config: dict[str, Any], **changes: Any) -> Answer:
        return ask(LISTS, config, request_of(**changes))

    return run


@pytest.mark.parametrize(
    ("value", "found"),
    [
        ("bad@example.com", True),
        (" bad@example.com\n", True),
        ("BAD@example.com", False),
        ("good@example.com", False),
        ("# since May", False),
        ("bad", False),
        (42, True),
        (7, False),
    ],
)
def test_fetch_value_is_compared_exactly_but_for_blanks(
    blocked: Path, fetch: Callable[..., Answer], value: object, found: bool
) -> None:
    assert fetch(listed(blocked), inputs={"email": value}) == {"blocked": found}


@pytest.mark.parametrize("value", ["BAD@Example.com", "STRASSE"])
def test_fetch_casefold_compares_without_case(blocked: Path, fetch: Callable[..., Answer], value: str) -> None:
    assert fetch(listed(blocked, casefold=True), inputs={"email": value}) == {"blocked": True}


@pytest.mark.parametrize("inputs", [{}, {"email": None}, {"email": ""}, {"email": " "}, {"email": True}, {"email": []}])
def test_fetch_value_that_is_not_there_is_unknown(
    blocked: Path, fetch: Callable[..., Answer], inputs: dict[str, object]
) -> None:
    assert fetch(listed(blocked), inputs=inputs) == {}


def test_fetch_parts_of_the_request_can_be_listed(
    tmp_path: Path, fetch: Callable[..., Answer], request_of: RequestOf
) -> None:
    face = Face(data=b"known forgery")
    request = request_of(face)
    path = tmp_path / "all.txt"
    path.write_text(f"{face.digest}\n{request.merchant_biz_id}\n")
    config = {name: {"file": str(path), "of": name} for name in ("face_digest", "merchant_biz_id", "scene_code")}

    assert fetch(config, face=face) == {"face_digest": True, "merchant_biz_id": True, "scene_code": False}


def test_fetch_empty_file_and_byte_order_mark_are_understood(tmp_path: Path, fetch: Callable[..., Answer]) -> None:
    path = tmp_path / "list.txt"
    path.write_bytes(b"")
    assert fetch(listed(path), inputs={"email": "a"}) == {"blocked": False}
    path.write_bytes(b"\xef\xbb\xbfa\r\nb\r\n")
    assert fetch(listed(path), inputs={"email": "a"}) == {"blocked": True}


def test_fetch_changed_file_is_read_again_and_an_unchanged_one_is_not(
    blocked: Path, request_of: RequestOf, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened = []
    path_open = Path.open
    monkeypatch.setattr(lists, "time_ns", lambda: 0)  # the files are young throughout
    monkeypatch.setattr(Path, "open", lambda self, *mode: opened.append(self) or path_open(self, *mode))

    async def run() -> list[Answer]:
        client = LISTS.open(listed(blocked))
        context = Context(
            request=request_of(inputs={"email": "new"}),
            signal="s",
            deadline=time.monotonic() + 120,
            now=datetime.now(UTC),
        )
        answers = [await client.fetch(context), await client.fetch(context)]
        replacement = blocked.with_suffix(".new")
        with path_open(replacement, "w") as file:
            file.write("new\n")
        replacement.replace(blocked)
        answers += [await client.fetch(context), await client.fetch(context)]
        with path_open(blocked, "w") as file:
            file.write("old\n")
        os.utime(blocked, ns=(1, 1))
        answers.append(await client.fetch(context))
        await client.aclose()
        return answers

    assert [answer["blocked"] for answer in asyncio.run(run())] == [False, False, True, True, False]
    assert len(opened) == 3


def test_fetch_file_that_an_archive_put_in_its_place_is_seen(
    blocked: Path, request_of: RequestOf, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of the same size, the same time of contents and the same inode: only the system's own time tells."""
    answers: list[bool] = []
    clock = [0]
    monkeypatch.setattr(lists, "time_ns", lambda: clock[0])

    def put(text: str) -> None:
        with blocked.open("r+") as file:
            file.write(text)
        os.utime(blocked, ns=(1, 1))

    async def run() -> None:
        client = LISTS.open(listed(blocked))

        async def ask() -> None:
            context = Context(
                request=request_of(inputs={"email": "KP"}),
                signal="s",
                deadline=time.monotonic() + 120,
                now=datetime.now(UTC),
            )
            answers.append((await client.fetch(context))["blocked"] is True)

        blocked.write_text("KP\n")
        os.utime(blocked, ns=(1, 1))
        await ask()
        put("IR\n")
        await ask()
        with monkeypatch.context() as within:  # a change within the same tick: every state looks alike
            within.setattr(FileState, "of", classmethod(lambda cls, status: cls(1, 1, 3, 1, 1)))
            await ask()
            put("KP\n")
            await ask()
            clock[0] = 10**10
            await ask()
            put("IR\n")
            await ask()
        await client.aclose()

    asyncio.run(run())
    assert answers == [True, False, False, False, True, True], "at rest it is read once more, and then no more"


@pytest.mark.parametrize("content", [None, b"\xff\xfe"])
def test_fetch_unreadable_file_is_unavailable(
    tmp_path: Path, fetch: Callable[..., Answer], content: bytes | None
) -> None:
    path = tmp_path / "list.txt"
    if content is not None:
        path.write_bytes(content)

    with pytest.raises(SignalFailed, match=r"list\.txt cannot be read") as caught:
        fetch(listed(path), inputs={"email": "a"})

    assert (caught.value.kind, caught.value.reason_code) == ("unavailable", "LIST_UNREADABLE")


def test_fetch_file_that_vanishes_is_unavailable_until_it_is_back(blocked: Path, request_of: RequestOf) -> None:
    async def run() -> list[object]:
        client = LISTS.open(listed(blocked))
        context = Context(
            request=request_of(inputs={"email": "42"}),
            signal="s",
            deadline=time.monotonic() + 120,
            now=datetime.now(UTC),
        )
        seen: list[object] = [await client.fetch(context)]
        away = blocked.rename(blocked.with_suffix(".away"))
        try:
            await client.fetch(context)
        except SignalFailed as failed:
            seen.append(failed.kind)
        away.rename(blocked)
        return [*seen, await client.fetch(context)]

    assert asyncio.run(run()) == [{"blocked": True}, "unavailable", {"blocked": True}]


def test_derive_every_name_is_a_bool(blocked: Path) -> None:
    assert LISTS.derive is not None
    fields = LISTS.derive(listed(blocked) | {"other": {"file": "x.txt", "of": "scene_code"}})

    assert {name: field.type for name, field in fields.items()} == {"blocked": BOOL, "other": BOOL}


@pytest.mark.parametrize(
    ("config", "path", "hint"),
    [
        ({}, (), "write `email_blocked: {file: blocked.txt, of: inputs.email}`"),
        ({"a-b": {"file": "f", "of": "scene_code"}}, ("a-b",), None),
        ({"a": "blocked.txt"}, ("a",), None),
        ({"a": {"file": "f"}}, ("a",), "write `of: inputs.email`"),
        ({"a": {"of": "scene_code"}}, ("a",), "write `file: blocked.txt`"),
        ({"a": {"file": 7, "of": "scene_code"}}, ("a", "file"), None),
        ({"a": {"file": "f\0", "of": "scene_code"}}, ("a", "file"), None),
        ({"a": {"file": "f", "of": "email"}}, ("a", "of"), None),
        ({"a": {"file": "f", "of": "inputs."}}, ("a", "of"), None),
        ({"a": {"file": "f", "of": "scene_code", "case_fold": True}}, ("a", "case_fold"), "did you mean `casefold`?"),
        ({"a": {"file": "f", "of": "scene_code", "casefold": "yes"}}, ("a", "casefold"), None),
    ],
)
def test_derive_wrong_configuration_is_refused_at_its_key(
    config: dict[str, Any], path: tuple[str, ...], hint: str | None
) -> None:
    assert LISTS.derive is not None
    with pytest.raises(ProviderConfigError) as caught:
        LISTS.derive(config)

    assert caught.value.path == path
    if hint:
        assert caught.value.hint == hint


def test_list_file_that_hangs_stops_no_other_and_no_closing(blocked: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A disk of another machine that does not answer: its own list is unknown, more calls than threads or not."""
    hung, asked = threading.Event(), []
    real = lists._ListFile._read

    def read(self: Any) -> Any:
        if self.settings.file.name == "hung.txt":
            asked.append(1)
            hung.wait(300)
        return real(self)

    monkeypatch.setattr(lists._ListFile, "_read", read)
    (blocked.parent / "hung.txt").touch()
    registry = registry_of([LISTS])
    policies = [
        parse_policy(
            LISTED.format(name=name, file=blocked.with_name(name + ".txt"), timeout=timeout), registry=registry
        )
        for name, timeout in (("hung", "100ms"), ("blocked", "120s"))
    ]

    async def main() -> list[Decision]:
        async with Engine(policies, registry=registry) as engine:

            async def decide(n: int, policy: str) -> Decision:
                request = Request(merchant_biz_id=f"{n:032}", scene_code="s", policy=policy, inputs={"email": "42"})
                return await engine.decide(request)

            return await asyncio.gather(*(decide(n, "hung" if n else "blocked") for n in range(30)))

    try:
        with capture_logs():
            found, *unknown = asyncio.run(main())
    finally:
        hung.set()
    assert found.outcome == "reject"
    assert {one.outcome for one in unknown} == {"review"}
    assert {one.signals["list"].status for one in unknown} <= {"unavailable", "timeout"}
    assert len(asked) <= 1, "one thread at most is lost to a file"


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="the system has no FIFOs")
def test_list_that_is_no_file_is_said_at_once(tmp_path: Path, fetch: Callable[..., Answer]) -> None:
    os.mkfifo(tmp_path / "fifo")
    with pytest.raises(SignalFailed, match="fifo cannot be read: it is not a file"):
        fetch(listed(tmp_path / "fifo"), inputs={"email": "x"})
