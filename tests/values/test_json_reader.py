"""The reader of JSON: what it takes, what it refuses, and how little it does before it refuses."""

from __future__ import annotations

import json
from collections.abc import Callable
from itertools import islice
from math import inf

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from adjudge.errors import JsonError
from adjudge.values import json_reader
from adjudge.values.json_reader import LongText, read_json

MIB = 1024 * 1024
_NUMBERS = st.integers(-(10**30), 10**30) | st.floats(allow_nan=False, allow_infinity=False)
_SCALARS = st.none() | st.booleans() | _NUMBERS | st.text(max_size=5)
_JSON = st.recursive(
    _SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


@given(_JSON, st.booleans(), st.sampled_from((None, 1)))
def test_document_says_what_json_says(document: object, ascii_only: bool, indent: int | None) -> None:
    text = json.dumps(document, ensure_ascii=ascii_only, indent=indent)
    try:
        data = text.encode()
    except UnicodeEncodeError:
        return
    assert read_json(data) == json.loads(text)


@pytest.mark.parametrize(
    ("data", "kept"),
    [
        (b'{"a": 1e400, "b": 1}', {"a": inf, "b": 1}),
        (b'{"a": -1e400, "b": 1}', {"a": -inf, "b": 1}),
        (b'{"a": 9223372036854775808, "b": 1}', {"a": 2**63, "b": 1}),
        (b'{"a": ' + b"7" * 100_000 + b', "b": 1}', {"a": 10**400, "b": 1}),
        (b'{"a": -' + b"7" * 100_000 + b', "b": 1}', {"a": -(10**400), "b": 1}),
        (b'{"a": "\\ud800", "b": 1}', {"a": "\ud800", "b": 1}),
        (b'{"a": 1e-400, "b": 1}', {"a": 0.0, "b": 1}),
    ],
    ids=["past a double", "below a double", "past 64 bits", "many digits", "negative", "half a character", "tiny"],
)
def test_value_that_no_field_takes_keeps_its_neighbours(data: bytes, kept: object) -> None:
    assert read_json(data) == kept


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b'{"a": 1, "b": 2, "a": 1}', "a: the key `a` appears twice in one object"),
        (b'{"x": [{"k": {"": 1, "": 2}}]}', "the key `` appears twice in one object"),
        (b'{"a": 1, "\\u0061": 2}', "a: the key `a` appears twice in one object"),
        (b"Infinity", "Infinity is not a JSON number"),
        (b'\xef\xbb\xbf{"a": 1}', "the document begins with a byte-order mark: save it as UTF-8 without one"),
        ("{}".encode("utf-16"), "byte 1 of the document is not UTF-8"),
        (b"{'a': 1}", 'line 1, column 2: is not JSON: text and names stand in double quotes: "…"'),
    ],
)
def test_document_that_says_two_things_or_none_is_refused(data: bytes, said: str) -> None:
    with pytest.raises(JsonError) as caught:
        read_json(data)
    assert str(caught.value) == said


HOSTILE = {
    "many lists": b"[" + b"[]," * 300_000 + b"1]",
    "many keys": b"{" + b",".join(b'"k%d":1' % at for at in range(75_000)) + b"}",
    "many numbers": b"[" + b"1," * 150_000 + b"1]",
    "deep lists": b"[" * 10_000 + b"]" * 10_000,
    "deep objects": b'{"a":' * 10_000 + b"1" + b"}" * 10_000,
    "deep behind quotes": b'["\\\\","\\"",' + b'["]",' * 101 + b"1" + b"]" * 102,
    "two long strings": b'["' + b"a" * 2 * MIB + b'","' + b"a" * 2 * MIB + b'"]',
    "much beside a long string": b'{"a":"' + b"a" * 3 * MIB + b'","b":[' + b"1," * MIB + b"1]}",
    "no string": b"1" * 3 * MIB,
    "blanks": b" " * 3 * MIB + b"1",
    "quotes": b'"' * 3 * MIB,
}


@pytest.mark.parametrize("name", HOSTILE)
def test_document_of_too_much_is_refused_before_anything_is_built(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(json_reader.json, "loads", lambda *_, **__: pytest.fail("it was built"))
    with pytest.raises(JsonError, match=r"the document (has more|is larger|is nested)"):
        read_json(HOSTILE[name], max_bytes=64 * MIB)


def test_document_of_keys_that_stand_twice_at_its_end_is_one_look_at_each() -> None:
    pairs: list[tuple[str, object]] = [(Counted(f"k{at}"), at) for at in range(20_000)]
    Counted.compared = 0
    with pytest.raises(JsonError, match="`k19999` appears twice"):
        json_reader._once([*pairs, ("k19999", 1)])
    assert Counted.compared < 100


class Counted(str):
    """A text that counts how often it is compared."""

    compared = 0
    __hash__ = str.__hash__

    def __eq__(self, other: object) -> bool:
        Counted.compared += 1
        return str.__eq__(self, other)


_texts = st.text(st.characters(codec="ascii"), max_size=80)


@given(_JSON, _texts, st.booleans(), st.integers(7, 20))
def test_long_text_is_taken_out_and_read_piece_by_piece(document: object, text: str, html: bool, piece: int) -> None:
    """With bounds so small that any text is a long one."""
    written = json.dumps(text)
    written = written.replace("/", "\\/").replace("+", "\\u002b") if html else written
    document = {"before": document, "face": {"base64": text}, "z": 1}
    data = json.dumps(document).replace(f'"base64": {json.dumps(text)}', f'"base64": {written}').encode()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(json_reader, "TEXT_MAX_BYTES", 40)
        patch.setattr(json_reader, "PIECE", piece)
        patch.setattr(json_reader, "ESCAPED_MAX", 1)
        try:
            found = read_json(data, max_bytes=MIB, long_at=("face", "base64"))
        except JsonError:
            assert len(data) > 80
            assert len(data) - len(written) + 2 > 40 or '"' in text
            return
        assert isinstance(found, dict)
        if isinstance(long := found["face"]["base64"], LongText):
            pieces = list(long.pieces())
            assert max(map(len, pieces), default=0) <= piece
            found["face"]["base64"] = b"".join(pieces).decode()
        assert found == document


def long_text(text: bytes) -> LongText:
    return LongText(b'"' + text + b'"', 1, len(text) + 1)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (b"A" * 3 * MIB + "é".encode(), "has characters that are not ASCII"),
        (b"A" * 3 * MIB + b"\xff", "has characters that are not ASCII"),
        (b"A" * 3 * MIB + b"\\u00e9", "has characters that are not ASCII"),
        (b"A" * 3 * MIB + b"\\ud800", "has characters that are not ASCII"),
        (b"A" * 3 * MIB + b"\\x", "is not JSON: invalid \\escape"),
        (b"A" * 3 * MIB + b"\\", "is not JSON: unterminated string starting at"),
        (b"A" * 3 * MIB + b"\n\\n", "is not JSON: invalid control character at"),
    ],
)
def test_long_text_that_is_none_of_ascii_is_refused(text: bytes, said: str) -> None:
    with pytest.raises(JsonError) as caught:
        list(long_text(text).pieces())
    assert caught.value.message == said


def test_long_text_of_escapes_is_refused_after_a_few_pieces() -> None:
    """Each costs as much as fifty plain characters; Base64 needs one in thirty-two."""
    begun = islice(long_text(b"\\u0041" * 5 * MIB).pieces(), 10)
    with pytest.raises(JsonError, match="has more escapes than plain text needs"):
        list(begun)
    assert sum(map(len, long_text((b"A" * 62 + b"\\/\\u002b") * 60_000).pieces())) == 64 * 60_000


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b'{"face": "%s", "n": }', "line 1: is not JSON: expecting value"),
        (b'{"face": "%s", "n": 1, "n": 2}', "n: the key `n` appears twice in one object"),
        (b'{"face": "%s", "n": "\xff"}', "the document is not UTF-8"),
        (b'{"face": {"face": "%s"}}', "face: a string is longer than 1 MiB"),
        (b'{"face": "%s", "n": "\\u0000 a long string"}', "a string is longer than 1 MiB"),
        (b'{"%s": 1}', "a string is longer than 1 MiB"),
        (b'["%s"]', "a string is longer than 1 MiB"),
        (b'{"other": "%s"}', "other: a string is longer than 1 MiB"),
    ],
)
def test_document_with_a_long_string_and_a_mistake_is_refused(data: bytes, said: str) -> None:
    with pytest.raises(JsonError) as caught:
        read_json(data.replace(b"%s", b"A" * 3 * MIB), max_bytes=64 * MIB, long_at=("face",))
    assert str(caught.value) == said


def test_depth_is_counted_as_it_is_nested() -> None:
    assert read_json(b"[" * 100 + b"]" * 100)
    with pytest.raises(JsonError, match="nested more than 100 deep"):
        read_json(b"[" * 101 + b"]" * 101)
    assert read_json(json.dumps([["[" * 300, '"[', "\\[{"] for _ in range(60)]).encode())


@given(_JSON)
def test_depth_of_a_document_is_that_of_what_it_says(document: object) -> None:
    def depth(value: object) -> int:
        inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else None
        return 0 if inner is None else 1 + max(map(depth, inner), default=0)

    assert json_reader._depth(json.dumps(document).encode()) == depth(document)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("{\u201ca\u201d: 1}", "there is a curly quote `\u201c` here"),
        ('{"a"\uff1a 1}', "there is a full-width `:` here"),
        ('{"a": 1\uff0c "b": 2}', "there is a full-width `,` here"),
        ('{"a":\xa01}', "there is a no-break space here"),
        ('{"a": \uff15}', "there is a full-width `5` here"),
        ("{'a': 1}", "double quotes"),
        ("{a: 1}", "double quotes"),
        ('{"a": 1,}', "a `,` too many"),
        ('{"a": None}', "`None` is written `null`"),
        ('{"a": True}', "`True` is written `true`"),
        ('{"a": 1,000}', "a number has no comma in it"),
        ('{"a": 1 "b": 2}', "a `,` is missing before this"),
    ],
)
def test_what_a_person_typed_instead_is_named(text: str, why: str) -> None:
    with pytest.raises(JsonError) as caught:
        read_json(text.encode())
    assert why in str(caught.value)


_NUMBERS_IN_DOUBT = (
    "1e400",
    "-0",
    "-0.0",
    "1e-400",
    "9" * 40,
    "-" + "9" * 40,
    "9" * 5000,
    "18446744073709551616",
    "01",
)
_TEXTS_IN_DOUBT = ('"a:b"', '"\\ud800"', '"\\ude00\\ud83d"', '"\\u0061"', '"\\/"', '"\x01"', '"\x7f"', "NaN", "1,")
_HARD = st.sampled_from((*_NUMBERS_IN_DOUBT, *_TEXTS_IN_DOUBT))
_KEYS = st.sampled_from(('"a"', '"b"', '"\\u0061"', '"a:"', "a", '"\\ud800"'))
_WRITTEN = st.recursive(
    _HARD | _SCALARS.map(json.dumps),
    lambda inner: (
        st.lists(inner, max_size=3).map(lambda items: f"[{', '.join(items)}]")
        | st.lists(st.tuples(_KEYS, inner), max_size=3).map(
            lambda pairs: "{" + ", ".join(f"{key}: {value}" for key, value in pairs) + "}"
        )
    ),
    max_leaves=8,
)


@given(_WRITTEN)
@example("9" * 41)
@example(f'{{"a": [-{"9" * 41}]}}')
def test_short_document_reads_as_the_strict_reader_has_it(text: str) -> None:
    def said(read: Callable[[bytes], object]) -> str:
        try:
            return repr(read(text.encode()))
        except JsonError as error:
            return f"refused: {error}"

    assert said(read_json) == said(lambda data: json_reader._parsed(data, json_reader._once))


@pytest.mark.parametrize(
    "text",
    [
        '{"a": 1, "a": 1}',
        '{"a": 1, "\\u0061": 2}',
        '[{"a": {"b": [{"c": 1, "c": 2}]}}]',
        '{"a:": 1, "a:": 2}',
        '{"x": ":", "a": 1, "a": 2}',
    ],
)
def test_key_that_appears_twice_is_refused_wherever_it_stands(text: str) -> None:
    with pytest.raises(JsonError, match="appears twice"):
        read_json(text.encode())
