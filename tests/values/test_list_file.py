"""List files: what a line means, for a policy and for the provider alike, and what is a mistake in one."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adjudge.audit.verify import MAX_LINE
from adjudge.errors import ListFileError, PolicyErrors
from adjudge.policy import load_policy
from adjudge.policy.loading.load import read_policy
from adjudge.policy.text.files import RECORDED_MAX_BYTES
from adjudge.values.list_file import mistakes_of, read_list, values_of

POLICY = """
policy_language: 1
policy: p
inputs: {v: string}
lists: {bad: {file: bad.txt}}
rules: [{id: r, when: v in lists.bad, then: reject}]
"""


@pytest.mark.parametrize(
    ("data", "values"),
    [
        (b"", ()),
        (b"KP\nIR", ("KP", "IR")),
        (b"KP\r\nIR\r\n", ("KP", "IR")),
        (b"KP\rIR\r", ("KP", "IR")),
        (b"KP # North Korea\n#IR\n \t# x\nSY#1\nKP\t# again", ("KP", "SY#1")),
        (b"  KP \t\n\n\tIR", ("KP", "IR")),
        ("e\u0301\n\u00e9\n".encode(), ("\u00e9",)),
        ('# \u200b "x"\nKP # \u202e\n'.encode(), ("KP",)),
        (b'O\'Brien\n5" pipe\n"Big" Bank Ltd\n', ("O'Brien", '5" pipe', '"Big" Bank Ltd')),
        (
            "\u0645\u06cc\u200c\u062e\u0648\u0627\u0647\u0645".encode(),
            ("\u0645\u06cc\u200c\u062e\u0648\u0627\u0647\u0645",),
        ),
        ("\u6771\u3000\u4eac".encode(), ("\u6771\u3000\u4eac",)),
    ],
)
def test_line_holds_one_value(data: bytes, values: tuple[str, ...], tmp_path: Path) -> None:
    assert read_list(data) == values
    (tmp_path / "bad.txt").write_bytes(data)
    (tmp_path / "p.yaml").write_text(POLICY, "utf-8")
    assert load_policy(tmp_path / "p.yaml").typed.lists["bad"] == values


@pytest.mark.parametrize(
    ("text", "line", "message"),
    [
        ("IR\nKP\u200b\n", 2, "U+200B ZERO WIDTH SPACE is invisible"),
        ("\u200bKP", 1, "U+200B ZERO WIDTH SPACE is invisible"),
        ("K\u200dP", 1, "U+200D ZERO WIDTH JOINER is invisible"),
        ("IR\r\nK\u00adP", 2, "U+00AD SOFT HYPHEN is invisible"),
        ("IR\rKP\u202e", 2, "U+202E RIGHT-TO-LEFT OVERRIDE is invisible"),
        ("Acme\u2028Ltd", 1, "U+2028 LINE SEPARATOR is invisible"),
        ("Acme\x85Ltd", 1, "U+0085 is invisible"),
        ("Acme\x0cLtd", 1, "U+000C is invisible"),
        ("\x00", 1, "U+0000 is invisible"),
        ("IR\n\ufeffKP", 2, "U+FEFF ZERO WIDTH NO-BREAK SPACE is invisible"),
        ("North\u00a0Korea", 1, "U+00A0 NO-BREAK SPACE is not a plain space"),
        ("KP\u3000", 1, "U+3000 IDEOGRAPHIC SPACE is not a plain space"),
        ('"KP"', 1, "this value is in quotes, which would be part of it"),
        ("IR\n'KP'  # x", 2, "this value is in quotes, which would be part of it"),
        ("\u201cKP\u201d", 1, "this value is in quotes, which would be part of it"),
        ('"KP', 1, "this value is in quotes, which would be part of it"),
    ],
)
def test_value_that_no_input_could_equal_is_a_mistake(text: str, line: int, message: str, tmp_path: Path) -> None:
    with pytest.raises(ListFileError) as caught:
        read_list(b"XX\n" + text.encode())
    assert str(caught.value) == f"line {line + 1}: {message}"
    (tmp_path / "bad.txt").write_text(text, "utf-8", newline="")
    (tmp_path / "p.yaml").write_text(POLICY, "utf-8")
    with pytest.raises(PolicyErrors) as errors:
        load_policy(tmp_path / "p.yaml")
    (error,) = errors.value.errors
    assert (error.code, error.file, error.line, error.message) == ("list-character", "bad.txt", line, message)


def test_file_that_is_not_utf8_is_said_with_its_line() -> None:
    with pytest.raises(ListFileError, match="not UTF-8, in line 3"):
        read_list(b"KP\nIR\r\nZo\xeb\n")


def test_file_of_many_mistakes_tells_some(tmp_path: Path) -> None:
    (tmp_path / "bad.txt").write_text("\u200b\n" * 5000, "utf-8")
    (tmp_path / "p.yaml").write_text(POLICY, "utf-8")
    with pytest.raises(PolicyErrors) as errors:
        load_policy(tmp_path / "p.yaml")
    assert len(errors.value.errors) == 20


_lines = st.text(st.sampled_from("KP# \t\"'\u200b\u00a0e\u0301\u3000\u0645\u200c\x0b"), max_size=6)


@given(st.lists(_lines, max_size=5), st.sampled_from(["\n", "\r\n", "\r"]))
def test_quick_look_misses_no_mistake(lines: list[str], end: str) -> None:
    """A line's mistake is found in the whole as in the line alone, and a list without one is read line by line."""
    text = end.join(lines)
    alone = [number for number, line in enumerate(lines, 1) if list(mistakes_of(f"{line} \u200b"[: len(line)]))]
    assert [mistake.line for mistake in mistakes_of(text)] == alone
    assert set(values_of(text)) == {value for line in lines for value in values_of(line)}


def test_files_of_a_policy_are_no_larger_than_a_record_of_the_log(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("adjudge.policy.text.files.RECORDED_MAX_BYTES", 1000)
    text = POLICY.replace("{bad: {file: bad.txt}}", "{bad: {file: bad.txt}, other: {file: other.txt}}")
    (tmp_path / "p.yaml").write_text(text, "utf-8")
    (tmp_path / "bad.txt").write_text("a" * 60, "utf-8")
    (tmp_path / "other.txt").write_text("b" * 10, "utf-8")
    policy = load_policy(tmp_path / "p.yaml")
    (tmp_path / "other.txt").write_text("\n" * 500, "utf-8")  # 1,000 bytes as JSON
    with pytest.raises(PolicyErrors) as errors:
        load_policy(tmp_path / "p.yaml")
    assert [error.code for error in errors.value.errors] == ["list-size"]
    monkeypatch.setattr("adjudge.policy.text.files.RECORDED_MAX_BYTES", 1)
    typed = policy.typed
    assert read_policy(typed.source.text, texts=typed.texts).lists == typed.lists, "a replay reads what was recorded"


def test_largest_policy_fits_into_a_record() -> None:
    assert RECORDED_MAX_BYTES + 2 * 1024 * 1024 <= MAX_LINE


def test_file_that_is_named_twice_is_read_and_held_once(tmp_path: Path) -> None:
    names = ", ".join(f"l{at}: {{file: bad.txt}}" for at in range(50))
    (tmp_path / "p.yaml").write_text(POLICY.replace("{bad: {file: bad.txt}}", f"{{bad: {{file: bad.txt}}, {names}}}"))
    (tmp_path / "bad.txt").write_text("KP\nIR\n", "utf-8")
    lists = load_policy(tmp_path / "p.yaml").typed.lists
    assert len(lists) == 51
    assert len({id(values) for values in lists.values()}) == 1
