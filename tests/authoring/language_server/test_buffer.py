"""Positions are those of the editor, in each encoding that can be agreed, and edits land where they were made."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

pytest.importorskip("lsprotocol", reason="needs the extra `lsp`")

from lsprotocol import types

from adjudge.authoring.language_server.buffer import UNITS, Buffer, read_buffer
from adjudge.source import Span

UNIT_BYTES = {"utf-8": ("utf-8", 1), "utf-16": ("utf-16-le", 2), "utf-32": ("utf-32-le", 4)}
texts = st.text(st.sampled_from("ab: \n\r\x0c\x85\u2028é東💥\U000e0041"), max_size=30)
encodings = st.sampled_from(sorted(UNITS))


def as_editor(text: str, offset: int, encoding: str) -> types.Position:
    """Say where an offset is as an editor does: by the bytes of the line before it."""
    lines = re.split("\r\n|\r|\n", text[:offset])
    codec, size = UNIT_BYTES[encoding]
    return types.Position(line=len(lines) - 1, character=len(lines[-1].encode(codec)) // size)


def offsets(text: str) -> list[int]:
    """Every place where a cursor can be: not inside \\r\\n."""
    return [at for at in range(len(text) + 1) if text[max(0, at - 1) : at + 1] != "\r\n"]


@given(texts, encodings)
@example("a\u2028b\nc", "utf-16")
@example("💥💥 x", "utf-8")
def test_every_place_is_found_there_and_back(text: str, encoding: str) -> None:
    buffer = Buffer("file:///a", text, encoding)
    for offset in offsets(text):
        position = as_editor(text, offset, encoding)
        assert buffer.position(offset) == position
        assert buffer.offset(position) == offset
    start, end = (as_editor(text, at, encoding) for at in (0, len(text)))
    assert buffer.range(Span(0, len(text))) == types.Range(start=start, end=end)


@given(st.data(), texts, encodings)
def test_edits_change_what_the_editor_changed(data: st.DataObject, text: str, encoding: str) -> None:
    buffer = Buffer("file:///a", text, encoding, 1)
    changes: list[types.TextDocumentContentChangeEvent] = []
    for _ in range(data.draw(st.integers(1, 4))):
        start, end = sorted(data.draw(st.tuples(*[st.sampled_from(offsets(text))] * 2)))
        new = data.draw(texts)
        places = (as_editor(text, at, encoding) for at in (start, end))
        changes.append(types.TextDocumentContentChangePartial(range=types.Range(*places), text=new))
        text = text[:start] + new + text[end:]
    if data.draw(st.booleans()):
        text = data.draw(texts)
        changes.append(types.TextDocumentContentChangeWholeDocument(text=text))
    after = buffer.changed(changes, 2)
    assert (after.text, after.version) == (text, 2)


def test_position_past_the_end_is_the_end() -> None:
    buffer = Buffer("file:///a", "ab\r\ncd", "utf-16")
    assert buffer.offset(types.Position(line=0, character=99)) == 2
    assert buffer.offset(types.Position(line=1, character=99)) == 6
    assert buffer.offset(types.Position(line=9, character=0)) == 6


def test_file_that_is_not_open_is_read_as_an_editor_would(tmp_path: Path) -> None:
    file = tmp_path / "a.yaml"
    assert read_buffer("file:///a", file, "utf-8").text == ""
    file.write_bytes(b"\xef\xbb\xbfa\r\nb\xff")
    assert read_buffer("file:///a", file, "utf-8").text == "a\r\nb\ufffd"
