"""`lists`: membership in files that change while an engine runs."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from adjudge.expr.types import BOOL
from adjudge.model import Face, Request
from adjudge.plugin import Answer, Context, ProviderConfigError, SignalFailed
from adjudge_plugins.lists import LISTS

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
    monkeypatch.setattr(Path, "open", lambda self, *mode: opened.append(self) or path_open(self, *mode))

    async def run() -> list[Answer]:
        asker = LISTS.open(listed(blocked))
        context = Context(
            request=request_of(inputs={"email": "new"}),
            signal="s",
            deadline=time.monotonic() + 9,
            now=datetime.now(UTC),
        )
        answers = [await asker.fetch(context), await asker.fetch(context)]
        replacement = blocked.with_suffix(".new")
        with path_open(replacement, "w") as file:
            file.write("new\n")
        replacement.replace(blocked)
        answers += [await asker.fetch(context), await asker.fetch(context)]
        with path_open(blocked, "w") as file:
            file.write("old\n")
        os.utime(blocked, ns=(1, 1))
        answers.append(await asker.fetch(context))
        await asker.aclose()
        return answers

    assert [answer["blocked"] for answer in asyncio.run(run())] == [False, False, True, True, False]
    assert len(opened) == 3


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
        asker = LISTS.open(listed(blocked))
        context = Context(
            request=request_of(inputs={"email": "42"}), signal="s", deadline=time.monotonic() + 9, now=datetime.now(UTC)
        )
        seen: list[object] = [await asker.fetch(context)]
        away = blocked.rename(blocked.with_suffix(".away"))
        try:
            await asker.fetch(context)
        except SignalFailed as failed:
            seen.append(failed.kind)
        away.rename(blocked)
        return [*seen, await asker.fetch(context)]

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
