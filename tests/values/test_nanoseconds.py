"""Times and durations finer than a microsecond, held to whole numbers of nanoseconds."""

from __future__ import annotations

import copy
import operator
import pickle
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from adjudge.errors import EvaluationError
from adjudge.values.literals import (
    INT_MAX,
    INT_MIN,
    bounded_duration,
    format_duration,
    format_timestamp,
    parse_duration,
    parse_timestamp,
)
from adjudge.values.nanoseconds import NanoTimestamp, cut, duration_of, finer, moved, nanoseconds_of

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
COMPARISONS = (operator.lt, operator.le, operator.gt, operator.ge, operator.eq, operator.ne)
small = st.integers(-3000, 3000)
lengths = st.one_of(small, small.map(lambda n: n * 1000), st.integers(INT_MIN, INT_MAX))
moments = st.one_of(small, st.integers(-(10**18), 10**18))


def moment_of(nanoseconds: int) -> datetime:
    return moved(EPOCH, duration_of(nanoseconds))


@given(lengths, lengths)
def test_durations_are_as_their_nanoseconds(one: int, other: int) -> None:
    a, b = duration_of(one), duration_of(other)
    for compare in COMPARISONS:
        assert compare(a, b) == compare(one, other)
    assert nanoseconds_of(a + b) == one + other
    assert nanoseconds_of(a - b) == one - other
    assert nanoseconds_of(-a) == -one
    assert nanoseconds_of(abs(a)) == abs(one)
    assert (hash(a) == hash(b)) or one != other
    assert type(a) is timedelta or one % 1000, "what is whole is plain"


@given(moments, moments, small)
def test_times_are_as_their_nanoseconds(one: int, other: int, by: int) -> None:
    a, b, length = moment_of(one), moment_of(other), duration_of(by)
    for compare in COMPARISONS:
        assert compare(a, b) == compare(one, other)
    assert nanoseconds_of(a - b) == one - other
    assert length + a == moment_of(one + by)
    assert type(a) is NanoTimestamp or one % 1000 == 0
    assert a.astimezone(timezone(timedelta(hours=-3))) == a
    assert nanoseconds_of(finer(a)) == one % 1000


@given(lengths, moments)
def test_texts_and_copies_are_the_same_value(length: int, moment: int) -> None:
    a, b = duration_of(length), moment_of(moment)
    assert parse_duration(format_duration(a)) == a
    assert parse_timestamp(format_timestamp(b)) == b
    for value in (a, b):
        assert copy.deepcopy(value) == value
        assert pickle.loads(pickle.dumps(value)) == value
        assert repr(value)


@given(st.datetimes(timezones=st.just(UTC)))
def test_text_of_a_time_is_the_same_in_every_zone(moment: datetime) -> None:
    assume(2 <= moment.year < 9999)
    text = format_timestamp(moment)
    assert text == format_timestamp(moment.astimezone(timezone(timedelta(hours=-3))))
    assert text[-1] == "Z" and text[-2] != "." and not ("." in text and text[-2] == "0")
    assert parse_timestamp(text) == moment


@given(lengths)
def test_fields_cut_toward_zero(length: int) -> None:
    found = cut(duration_of(length))
    assert type(found) is timedelta
    assert nanoseconds_of(found) == (abs(length) // 1000 * 1000) * (1 if length > 0 else -1)
    assert parse_duration(format_duration(duration_of(length)), exact=False) == found
    moment = moment_of(length // 10)
    assert cut(moment) == moment_of(length // 10 // 1000 * 1000)
    assert cut("text") == "text"


@given(st.one_of(st.integers(INT_MIN - 2000, INT_MIN + 2000), st.integers(INT_MAX - 2000, INT_MAX + 2000)))
def test_a_duration_is_as_long_as_64_bits_of_nanoseconds(length: int) -> None:
    if INT_MIN <= length <= INT_MAX:
        assert bounded_duration(duration_of(length)) == duration_of(length)
    else:
        with pytest.raises(EvaluationError, match="out of range"):
            bounded_duration(duration_of(length))


@given(st.sampled_from(["w", "d", "h", "m", "s", "ms", "us", "ns"]), st.integers(-1000, 1000))
def test_every_unit_has_a_fixed_length(unit: str, count: int) -> None:
    hour = 3600 * 10**9
    sizes = {"w": 168 * hour, "d": 24 * hour, "h": hour, "m": hour // 60, "s": 10**9, "ms": 10**6, "us": 1000, "ns": 1}
    assume(count)
    assert parse_duration(f"{count}{unit}") == duration_of(count * sizes[unit])


def test_nothing_else_is_compared_or_added() -> None:
    for value in (duration_of(1), moment_of(1)):
        assert value != 1
        for operate in (operator.lt, operator.le, operator.gt, operator.ge, operator.add, operator.sub):
            with pytest.raises(TypeError):
                operate(value, 1)
            with pytest.raises(TypeError):
                operate(1, value)
