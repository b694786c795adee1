"""Texts of a file, read in a database as requests read them."""

from __future__ import annotations

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adjudge.backtest.duck import connect
from adjudge.backtest.seen import composed, read_text
from adjudge.texts import JOINED, JOINERS, UNSEEN
from adjudge.texts import composed as texts_composed
from adjudge.values.declared import parse_field
from adjudge.values.reading import read

EDGES = sorted({char for ranges in (UNSEEN, JOINERS, JOINED) for pair in ranges for char in pair})
NEAR = sorted({chr(ord(char) + step) for char in EDGES for step in (-1, 0, 1) if 0 < ord(char) + step < 0x110000})
CHARACTERS = [char for char in NEAR if not "\ud800" <= char <= "\udfff"]


@pytest.fixture(scope="module")
def database() -> duckdb.DuckDBPyConnection:
    return connect()


@settings(max_examples=150, deadline=None)
@given(st.lists(st.text(st.sampled_from(["a", "\n", "e\u0301"[1], "\u0645", *CHARACTERS]), max_size=5), max_size=20))
def test_database_reads_a_text_as_requests_do(database: duckdb.DuckDBPyConnection, texts: list[str]) -> None:
    found = database.execute(f"select {read_text('t')} from unnest($1::varchar[]) u(t)", [texts]).fetchall()
    assert [value for (value,) in found] == [read(parse_field("string"), text).value for text in texts]


many_marks = st.text(st.sampled_from("\u0301\u0316\u0344\u0f73"), min_size=29, max_size=32).map("ae\u0301{}z".format)


@settings(max_examples=30, deadline=None)
@given(st.lists(many_marks))
def test_database_composes_what_requests_do_and_leaves_what_they_leave(
    database: duckdb.DuckDBPyConnection, texts: list[str]
) -> None:
    found = database.execute(f"select {composed('t')} from unnest($1::varchar[]) u(t)", [texts]).fetchall()
    assert [value for (value,) in found] == [texts_composed(text) for text in texts]
