"""Plain Base64 in pieces: what the standard library's strict reader says, and how little is done before a refusal."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterator

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from adjudge.system import plain_base64
from adjudge.system.plain_base64 import NotBase64, decode, pieces_of

_texts = st.binary(max_size=40).map(base64.b64encode) | st.text("Ab9+/=-_ \n", max_size=16).map(str.encode)


@given(_texts, st.integers(1, 5))
@example(b"AA==", 3)
@example(b"AAA=AAA=", 4)
@example(b"AA=A", 3)
@example(b"====", 2)
@example(b"AAAAA===", 5)
def test_text_is_decoded_as_the_standard_library_does(text: bytes, size: int) -> None:
    def pieces() -> Iterator[bytes]:
        return (text[at : at + size] for at in range(0, len(text), size))

    try:
        said: bytes | None = base64.b64decode(text, validate=True)
    except binascii.Error:
        said = None
    try:
        found: bytes | None = decode(pieces, max_bytes=100)
    except NotBase64:
        found = None
    assert found == said


def test_text_is_looked_at_no_further_than_to_its_first_fault_and_not_decoded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plain_base64, "_decode", lambda _: pytest.fail("decoded it"))
    read = 0

    def pieces() -> Iterator[bytes]:
        nonlocal read
        for piece in (b"AAAA", b"AA A", b"AAAA", b"AAAA"):
            read += 1
            yield piece

    with pytest.raises(NotBase64):
        decode(pieces, max_bytes=100)
    assert read == 2


@pytest.mark.parametrize("text", ["AAAA" * 2, b"AAAA" * 2])
def test_text_of_more_bytes_than_asked_for_is_not_decoded(text: str | bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    assert decode(lambda: pieces_of(text), max_bytes=6) == bytes(6)
    monkeypatch.setattr(plain_base64, "_decode", lambda _: pytest.fail("decoded it"))
    with pytest.raises(NotBase64) as caught:
        decode(lambda: pieces_of(text), max_bytes=5)
    assert caught.value.is_too_long


def test_no_piece_is_longer_than_the_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plain_base64, "PIECE", 3)
    assert list(pieces_of("AAAAAAAA")) == [b"AAA", b"AAA", b"AA"]
    with pytest.raises(NotBase64):
        next(pieces_of("AAAé"))
