"""Texts of others: what a line is, and what each medium may be given."""

from __future__ import annotations

import csv
import io
import json
import unicodedata
from html.parser import HTMLParser

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from adjudge.source import Source
from adjudge.texts import (
    about,
    composed,
    in_code,
    in_csv,
    in_digits,
    in_fence,
    in_html,
    in_json,
    in_markdown,
    lines_of,
    marks,
    on_terminal,
    one_line,
    without_passwords,
)
from adjudge.texts import split_lines as split

SPLITTERS = "\x0b\x0c\x1c\x1d\x1e\x85\u2028\u2029"
"""Where `str.splitlines` ends a line, and nobody else does."""
HOSTILE = "\x1b[2J\x1b]0;owned\x07\x9b31m\u202eevil\u2066\u200b\u00ad\ufeff\u3164\U000e0041\ud800\r\nPASS\x7f"
texts = st.text(st.characters(codec=None) | st.sampled_from(HOSTILE + SPLITTERS + "`|\\<>&@*_[]=+-#"))


@given(st.text(st.sampled_from("ab\n\r" + SPLITTERS)))
@example("")
@example("a\r\n\r\rb\n")
def test_lines_end_at_three_line_ends_only(text: str) -> None:
    """A walk over the characters says the same."""
    lines, line, at = [], "", 0
    while at < len(text):
        end = "\r\n" if text.startswith("\r\n", at) else text[at] if text[at] in "\r\n" else ""
        line += end or text[at]
        at += len(end) or 1
        if end:
            lines.append(line)
            line = ""
    lines += [line] if line else []
    assert split(text, keep_ends=True) == lines
    assert split(text) == [line.rstrip("\r\n") for line in lines]
    source = Source("x", text)
    assert "".join(lines) == text
    begins = 0
    for number, one in enumerate(lines, 1):
        assert source.place(begins) == (number, 1)
        assert source.line(number) == one.rstrip("\r\n")
        begins += len(one)


@given(texts)
@example(HOSTILE)
def test_what_is_shown_hides_nothing(text: str) -> None:
    shown = one_line(text)
    shown.encode("utf-8")
    for char in shown:
        assert unicodedata.category(char) not in {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}
    assert one_line(shown) == shown
    assert len(on_terminal(text).split("\n")) == len(text.split("\n"))
    assert lines_of([text, text]).count("\n") == 1


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("Café Zürich 東京 Привет नमस्ते \u3000❤️ 👍", "Café Zürich 東京 Привет नमस्ते \u3000❤️ 👍"),
        ("a\x1b[31mb", r"a\u001b[31mb"),
        ("a\x9b31m", r"a\u009b31m"),
        ("a\nb\r\tc\x7f", r"a\nb\r\tc\u007f"),
        ("a\u202eb\u2028c\u200bd", r"a\u202eb\u2028c\u200bd"),
        ("a\U000e0041b\ud800", r"a\udb40\udc41b\ud800"),
        ("a\u3164b\ufe0fc\U000e0101", "a\\u3164b\ufe0fc\\udb40\\udd01"),
    ],
)
def test_what_steers_or_hides_is_written_out(text: str, shown: str) -> None:
    assert one_line(text) == shown


@given(st.recursive(texts, lambda inner: st.lists(inner) | st.dictionaries(texts, inner)))
def test_json_hides_nothing_and_says_the_same(document: object) -> None:
    for indent in (None, 2):
        said = in_json(document, indent=indent)
        assert said == on_terminal(said)
        assert json.loads(said) == json.loads(json.dumps(document))


@given(texts)
@example("<script>alert(1)</script>\" onload='x")
def test_html_is_the_text_and_no_element(text: str) -> None:
    seen: list[str] = []
    parser = HTMLParser()
    parser.handle_data = seen.append  # type: ignore[method-assign]
    parser.feed(f'<p title="{in_html(text)}">{in_html(text)}</p>')
    parser.close()
    assert "".join(seen) == one_line(text)


@pytest.mark.parametrize("formula", ["=1+1", "+1", "-1", "@SUM(A1)", " =1", "\t=1", "\r=1", "＝1"])
def test_a_spreadsheet_calculates_no_text(formula: str) -> None:
    table = io.StringIO()
    csv.writer(table).writerow([in_csv(formula)])
    assert table.getvalue().lstrip('"').startswith("'")


@given(texts)
def test_a_cell_stays_in_its_line(text: str) -> None:
    assert in_csv(text) in (one_line(text), f"'{one_line(text)}")


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("rule `a-b` is new", "rule `a-b` is new"),
        ("<img src=x> **bold** [a](http://b)", r"\<img src=x\> \*\*bold\*\* \[a\](http\://b)"),
        ("| a | @team #12 ![x]", r"\| a \| @<!-- -->team \#12 \!\[x\]"),
        ("`a` and a stray ` here", r"`a` and a stray \` here"),
        ("`a|b`\n# heading", "`a\\|b`\\\\n\\# heading"),
        ("- item", r"\- item"),
    ],
)
def test_markdown_of_others_is_no_markup(text: str, shown: str) -> None:
    assert in_markdown(text) == shown


@given(texts)
def test_code_ends_where_we_end_it(text: str) -> None:
    said = in_code(text)
    assert said == "" or (said[0] == said[-1] == "`" and said.count("`") == 2)
    fenced = in_fence(["+ a", text], "diff").split("\n")
    assert fenced[0] == fenced[-1] + "diff"
    assert fenced[-1] not in "\n".join(fenced[1:-1])


@pytest.mark.parametrize(
    ("value", "written"),
    [
        (78.4, "78.4"),
        (99.99, "99.99"),
        (70.0, "70"),
        (5, "5"),
        (1234567.0, "1234567"),
        (0.000063, "0.000063"),
        (1e-20, "0." + "0" * 19 + "1"),
        (-0.1, "-0.1"),
    ],
)
def test_number_is_written_as_a_person_would(value: float, written: str) -> None:
    assert in_digits(value) == written
    assert float(written) == value


def test_number_that_was_reckoned_has_no_rest() -> None:
    assert about(0.07 * 100) == "7"
    assert about(1234567.25) == "1234567.25"


def test_marks_are_what_combines_in_this_version_of_unicode() -> None:
    def begins_with_a_mark(char: str) -> bool:
        return unicodedata.combining(unicodedata.normalize("NFD", char)[0]) != 0

    found = {char for first, last in marks() for char in map(chr, range(ord(first), ord(last) + 1))}
    assert found == {char for char in map(chr, range(0x110000)) if begins_with_a_mark(char)}


@given(st.text("e\u0301\u0316\u00e9\u0f73x", max_size=40))
def test_text_of_few_marks_is_composed_and_one_of_many_stays(text: str) -> None:
    assert composed(text) == unicodedata.normalize("NFC", text)
    many = f"{text}e" + "\u0301\u0316" * 16
    assert composed(many) == many


def test_text_of_many_marks_is_never_sorted(monkeypatch: pytest.MonkeyPatch) -> None:
    """Which takes time that grows with the square of their number: 240 KB took 11 seconds."""
    assert composed("e\u0301" + "x" * 40) == "é" + "x" * 40
    monkeypatch.setattr("adjudge.texts.unicodedata", None)
    for marks_ in ("\u0301\u0316", "\u0344", "\u0f73", "\u0f75\u0f81"):
        assert composed("e" + marks_ * 31) == "e" + marks_ * 31


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("no log at postgresql://u:p%40w@db:5432/x", "no log at postgresql://u:…@db:5432/x"),
        ("(postgresql://u:p:w@/d'@h/x)", "(postgresql://u:…@h/x)"),
        ("redis://:secret@h and http://h:80/x", "redis://:…@h and http://h:80/x"),
        ("postgresql://h/x?password=a&sslmode=off", "postgresql://h/x?password=…&sslmode=off"),
        ("host=h Password=p%w user=u", "host=h Password=… user=u"),
    ],
)
def test_passwords_are_not_shown(text: str, shown: str) -> None:
    assert without_passwords(text) == shown
