"""Whatever the text, parsing ends soon, with a tree or with one PolicyError."""

from __future__ import annotations

from contextlib import suppress

from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.strategies import DrawFn

from adjudge.errors import PolicyError
from adjudge.expr.parse import parse
from adjudge.expr.printing import unparse
from adjudge.source import Source
from expr.strategies import typed_conditions

PIECES = (
    *"()[]{}.,:?!-+*/%<>=&|`'\"\\ \n",
    *("&&", "||", "==", "in", "has(", ".all(", ".map(x,", "'''", 'r"', "//", "0x", "1e", "1.", ".5", "null", "if", "a"),
)


def attempt(text: str) -> None:
    """Parse a text; a failure must be one that an author can read, inside the text."""
    error: PolicyError | None = None
    try:
        tree = parse(Source("fuzz", text).whole())
    except PolicyError as caught:
        error = caught
    if error is None:
        assert parse(Source("fuzz", unparse(tree)).whole()) == tree
        return
    assert error.code.startswith("syntax-")
    assert 0 <= error.span.start <= error.span.end <= len(text)
    assert error.render()


@st.composite
def mutated(draw: DrawFn) -> str:
    """Return a valid condition with a few characters taken out, put in, doubled or moved."""
    text = draw(typed_conditions())[0]
    for _ in range(draw(st.integers(1, 4))):
        start = draw(st.integers(0, len(text)))
        end = min(len(text), start + draw(st.integers(0, 6)))
        put = draw(st.sampled_from(("", text[start:end] * 2, *PIECES)))
        text = text[:start] + put + text[end:]
    return text


@settings(max_examples=500, deadline=None)
@given(st.text(max_size=60))
def test_parse_of_any_text_fails_only_with_policy_errors(text: str) -> None:
    attempt(text)


@settings(max_examples=500, deadline=None)
@given(st.lists(st.sampled_from(PIECES), max_size=40).map("".join))
def test_parse_of_any_pieces_fails_only_with_policy_errors(text: str) -> None:
    attempt(text)


@settings(max_examples=400, deadline=None)
@given(mutated())
def test_parse_of_damaged_condition_fails_only_with_policy_errors(text: str) -> None:
    attempt(text)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.sampled_from(PIECES), min_size=1, max_size=3).map("".join), st.integers(1, 5000))
def test_parse_of_one_piece_many_times_fails_only_with_policy_errors(piece: str, times: int) -> None:
    with suppress(PolicyError):
        parse(Source("fuzz", piece * times).whole())
