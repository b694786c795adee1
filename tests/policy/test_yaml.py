"""Strict YAML: what scalars mean, what is refused, and where every character stands."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import yaml as pyyaml
from hypothesis import given
from hypothesis import strategies as st

from adjudge.policy.text import yaml
from adjudge.policy.text.yaml import DEPTH_MAX, TEXT_MAX, Mapping, Scalar, Sequence, YamlNode, read_yaml
from adjudge.source import Source


def read(text: str) -> tuple[YamlNode | None, list[str]]:
    root, errors = read_yaml(Source("t.yaml", text))
    return root, [error.code for error in errors]


def scalar(text: str, key: str = "k") -> Scalar:
    root, errors = read(text)
    assert not errors
    assert isinstance(root, Mapping)
    node = root.get(key)
    assert isinstance(node, Scalar)
    return node


@pytest.mark.parametrize(
    ("written", "value"),
    [
        ("NO", "NO"),
        ("no", "no"),
        ("yes", "yes"),
        ("on", "on"),
        ("Off", "Off"),
        ("y", "y"),
        ("true", True),
        ("False", False),
        ("~", None),
        ("null", None),
        ("", None),
        ("0", 0),
        ("-7", -7),
        ("+7", 7),
        ("0.5", 0.5),
        (".5", 0.5),
        ("-1.5e3", -1500.0),
        ("1e3", 1000.0),
        ("9223372036854775807", 2**63 - 1),
        ("2026-01-15", "2026-01-15"),
        ("2026-01-15T08:30:00Z", "2026-01-15T08:30:00Z"),
        ("3s", "3s"),
        ("2%", "2%"),
        ("1.2.3", "1.2.3"),
        ("12a", "12a"),
        ("e5", "e5"),
        (".", "."),
        ("٣", "٣"),
        ('"012"', "012"),
        ("'1_000'", "1_000"),
        ('"true"', "true"),
        ("'~'", "~"),
    ],
)
def test_scalar_by_yaml_1_2_has_its_plain_meaning(written: str, value: object) -> None:
    node = scalar(f"k: {written}\n")
    assert node.value == value
    assert type(node.value) is type(value)


@pytest.mark.parametrize(
    "written",
    [
        "012",
        "-012",
        "00",
        "01.5",
        "0x1F",
        "0o17",
        "0b101",
        "1_000",
        "1_0.5",
        "12:30",
        "12:30:45",
        "1:2:3.5",
        ".inf",
        "-.INF",
        ".nan",
        "9223372036854775808",
        "-9223372036854775809",
        "9" * 5000,
        "1e999",
    ],
)
def test_scalar_that_looks_like_a_number_is_refused(written: str) -> None:
    root, codes = read(f"k: [{written}, 1]\n")
    assert codes == ["yaml-number"]
    assert isinstance(root, Mapping)


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("a: 1\na: 2\n", "yaml-duplicate-key"),
        ('true: 1\n"true": 2\n', "yaml-duplicate-key"),
        ("a: &b 1\n", "yaml-alias"),
        ("a: *b\n", "yaml-alias"),
        ("a: &b [1]\n", "yaml-alias"),
        ("a: !b 1\n", "yaml-tag"),
        ("a: !!int 1\n", "yaml-tag"),
        ("a: ! 1\n", "yaml-tag"),
        ("a: !<tag:x> 1\n", "yaml-tag"),
        ("<<: {a: 1}\n", "yaml-merge"),
        ("1: a\n", "yaml-key"),
        ("? \n: a\n", "yaml-key"),
        ("[a]: b\n", "yaml-key"),
        ("{a: b}: c\n", "yaml-key"),
        ("%YAML 1.2\n---\na: 1\n", "yaml-directive"),
        ("%TAG ! !x\n---\na: 1\n", "yaml-directive"),
        ("a: 1\n---\nb: 2\n", "yaml-documents"),
        ("", "yaml-empty"),
        ("# nothing\n", "yaml-empty"),
        ("a:\tb\n", "yaml-character"),
        ("\ufeffa: b\n", "yaml-character"),
        ("a: \x00\n", "yaml-character"),
        ("a: \x85\n", "yaml-character"),
        ("a: \u2028\n", "yaml-character"),
        ("a: \u202e\n", "yaml-character"),
        ("a: \ud800\n", "yaml-character"),
        ("a: b\rc: d\n", "yaml-character"),
        ('a: "\\ud800"\n', "yaml-character"),
        ('a: "\\UFFFFFFFF"\n', "yaml-syntax"),
        ('a: "\\U00110000"\n', "yaml-syntax"),
        ("%YAML " + "9" * 5000 + ".1\n---\na\n", "yaml-directive"),
        ("a: [1\n", "yaml-syntax"),
        ("{", "yaml-syntax"),
        ("a: [b, {c: ]}\n", "yaml-syntax"),
        ("a: 'b\n", "yaml-syntax"),
        ("[" * (DEPTH_MAX + 1), "yaml-depth"),
        ("a: " * 5 + "1\n", "yaml-syntax"),
        ("- " * (DEPTH_MAX + 1) + "1\n", "yaml-depth"),
        ("a" * (TEXT_MAX + 1), "yaml-size"),
    ],
)
def test_document_with_what_is_not_used_here_is_refused(text: str, code: str) -> None:
    _, errors = read_yaml(Source("t.yaml", text))
    assert [error.code for error in errors] == [code]
    assert errors[0].render().encode()


@pytest.mark.parametrize(("text", "codes"), [("[a, b]", []), ("[a, b, c]", ["yaml-size"])])
def test_document_of_too_many_parts_is_refused(text: str, codes: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """As many as there may be are tried in `test_fuzz`; the list itself is a part."""
    monkeypatch.setattr(yaml, "NODES_MAX", 3)
    _, errors = read_yaml(Source("t.yaml", text))
    assert [error.code for error in errors] == codes


def test_document_several_mistakes_all_reported() -> None:
    root, codes = read("a: 012\nb: !x 1\nb: 2\nc: *d\n3: e\n<<: f\ng: ok\n")
    assert sorted(codes) == [
        "yaml-alias",
        "yaml-duplicate-key",
        "yaml-key",
        "yaml-merge",
        "yaml-number",
        "yaml-tag",
    ]
    assert isinstance(root, Mapping)
    assert [key.text.value for key, _ in root.entries] == ["a", "b", "c", "g"]


def test_document_of_the_largest_depth_is_read() -> None:
    root, codes = read("[" * DEPTH_MAX + "]" * DEPTH_MAX)
    assert codes == []
    assert isinstance(root, Sequence)


@pytest.mark.parametrize(
    ("text", "pieces"),
    [
        ("a: b c # d\n", ["a: b c", "a", "b c"]),
        ("a: 'b' # g\n", ["a: 'b'", "a", "'b'"]),
        ("a: {b: c }\n\n# d\n", ["a: {b: c }", "a", "{b: c }", "b", "c"]),
        ("a:\n- b\n- c\n\nd: e\n", ["a:\n- b\n- c\n\nd: e", "a", "- b\n- c", "b", "c", "d", "e"]),
        ("a: []\nb: {}\n", ["a: []\nb: {}", "a", "[]", "b", "{}"]),
    ],
)
def test_node_span_covers_what_was_written(text: str, pieces: list[str]) -> None:
    def nodes(node: YamlNode) -> Iterator[YamlNode]:
        yield node
        for item in getattr(node, "items", ()):
            yield from nodes(item)
        for key, value in getattr(node, "entries", ()):
            yield from nodes(key)
            yield from nodes(value)

    root, _ = read(text)
    assert root is not None
    assert [text[node.span.start : node.span.end] for node in nodes(root)] == pieces


# Where characters stand: every character but spaces and line ends occurs once in a text, so a match is no accident.

Words = list[tuple[int, int]]
"""For each word its length, and what follows it: 1 to 4 spaces (0 to 3), or 1 to 3 line ends (4 to 6)."""
WORDS: st.SearchStrategy[Words] = st.lists(st.tuples(st.integers(1, 4), st.integers(0, 6)), min_size=1, max_size=8)


def word(start: int, length: int) -> str:
    return "".join(chr(0x4E00 + start + at) for at in range(length))


def written(words: Words, escape: dict[int, str]) -> str:
    """Return the words with their gaps; a fold is a line end with spaces around it."""
    text, used = "", 0
    for length, gap in words:
        for char in word(used, length):
            text += escape.get(ord(char) - 0x4E00, char)
        used += length
        text += " " * (gap + 1) if gap < 4 else "  " + "\n  " * (gap - 3) + " "
    return text.strip(" \n")


def assert_each_character_found(document: str) -> None:
    node = scalar(document)
    value = pyyaml.load(document, pyyaml.BaseLoader)["k"]
    positions = list(node.text.positions)
    assert node.text.value == value
    assert len(positions) == len(value) + 1
    assert positions == sorted(positions)
    assert node.span.start <= positions[0]
    assert positions[-1] <= len(document)
    for char, at in zip(value, positions, strict=False):
        if char == "\n":
            assert document[at] in "\r\n\\"
        elif char == " ":
            assert document[at] in " \r\n"
        elif document[at] == "\\":
            assert document[at : at + 6] == f"\\u{ord(char):04x}" or document[at + 1] == char
        elif document[at] == "'":
            assert document[at : at + 2] == "''"
            assert char == "'"
        else:
            assert document[at] == char


@given(WORDS, st.booleans())
def test_plain_scalar_each_character_is_found(words: Words, crlf: bool) -> None:
    document = f"a: 1\nk: {written(words, {})}\nz: 1\n"
    assert_each_character_found(document.replace("\n", "\r\n") if crlf else document)


@given(WORDS, st.sets(st.integers(0, 31)), st.booleans())
def test_single_quoted_scalar_each_character_is_found(words: Words, quotes: set[int], crlf: bool) -> None:
    document = f"a: 1\nk: '{written(words, dict.fromkeys(quotes, chr(39) * 2))}'  # c\nz: 1\n"
    assert_each_character_found(document.replace("\n", "\r\n") if crlf else document)


@given(WORDS, st.dictionaries(st.integers(0, 31), st.sampled_from(["escape", "quote", "break"])), st.booleans())
def test_double_quoted_scalar_each_character_is_found(words: Words, special: dict[int, str], crlf: bool) -> None:
    def form(at: int, kind: str) -> str:
        match kind:
            case "escape":
                return f"\\u{0x4E00 + at:04x}"
            case "quote":
                return '\\"'
            case _:
                return "\\\n   " + chr(0x4E00 + at)

    document = f'k: "{written(words, {at: form(at, kind) for at, kind in special.items()})}"\nz: 1\n'
    assert_each_character_found(document.replace("\n", "\r\n") if crlf else document)


LINES = st.lists(st.tuples(st.integers(0, 3), st.integers(0, 4)), max_size=8)
"""Lines of a block: spaces more than the block's own, and characters."""


@given(
    LINES, st.sampled_from("|>"), st.sampled_from(["", "-", "+"]), st.sampled_from([2, 4]), st.booleans(), st.booleans()
)
def test_block_scalar_each_character_is_found(
    lines: list[tuple[int, int]], style: str, chomping: str, indent: int, crlf: bool, at_end: bool
) -> None:
    text, used = f"a: 1\nk: {style}{indent}{chomping}  # c", 0
    for spaces, length in lines:
        text += "\n" + (" " * (indent + spaces) + word(used, length) if length else " " * spaces)
        used += length
    document = text if at_end else f"{text}\nz: 1\n"
    assert_each_character_found(document.replace("\n", "\r\n") if crlf else document)


@given(LINES, st.sampled_from("|>"), st.integers(1, 6))
def test_block_scalar_of_found_indent_each_character_is_found(
    lines: list[tuple[int, int]], style: str, indent: int
) -> None:
    text, used = f"k: {style}\n{' ' * indent}first", 100
    for spaces, length in lines:
        text += "\n" + (" " * (indent + spaces) + word(used, length) if length else "")
        used += length
    assert_each_character_found(f"{text}\nz: 1\n")


def test_block_scalar_error_place_is_the_line_of_the_text() -> None:
    node = scalar("k: |\n  one\n   two\n\n  three\n")
    source = node.text.source
    at = node.text.value.index("three")
    assert source.place(node.text.span(at, at + 5).start) == (5, 3)
    assert source.place(node.text.positions[node.text.value.index("two")]) == (3, 4)


@pytest.mark.parametrize("text", ["k: |2+\n \n\nz: 1\n", "k: >2+\n \n\nz: 1\n", "k: |\n\nz: 1\n", "k: ''\n"])
def test_scalar_of_line_ends_alone_each_is_found(text: str) -> None:
    assert_each_character_found(text)


def test_node_tree_is_frozen() -> None:
    node = scalar("k: v\n")
    with pytest.raises(AttributeError):
        node.value = "w"  # type: ignore[misc]


def test_document_that_was_just_read_is_not_read_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """A check reads one for its kind, its rules and its findings, and reading is half of its work."""
    tree, errors = read_yaml(Source("just-read.yaml", "a: 1\na: 2\n"))
    errors.clear()
    monkeypatch.setattr("adjudge.policy.text.yaml._events", lambda _: pytest.fail("read it again"))
    again, same = read_yaml(Source("just-read.yaml", "a: 1\na: 2\n"))
    assert again is tree
    assert [error.code for error in same] == ["yaml-duplicate-key"]
