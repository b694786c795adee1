"""The standard functions, called as a back end calls them."""

from __future__ import annotations

import math
import struct
from datetime import UTC, date, datetime, timedelta, timezone

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adjudge.errors import EvaluationError
from adjudge.expr.functions import FUNCTIONS, string_of_double, zone
from adjudge.expr.parse import parse
from adjudge.expr.reference import Unknown, evaluate
from adjudge.source import Source
from adjudge.values.nanoseconds import duration_of
from expr.conformance import same

MOMENT = datetime(2024, 3, 10, 7, 8, 9, 123456, tzinfo=UTC)
VALUES = {
    "t": MOMENT,
    "early": datetime(1969, 12, 31, 23, 59, 59, 500000, tzinfo=UTC),
    "first": datetime(1, 1, 1, tzinfo=UTC),
    "last": datetime(9999, 12, 31, 23, 59, 59, 999999, tzinfo=UTC),
    "elsewhere": MOMENT.astimezone(timezone(timedelta(hours=5))),
    "d": timedelta(seconds=3723, microseconds=321456),
    "less": -timedelta(seconds=3723, microseconds=321456),
    "nan": math.nan,
    "inf": math.inf,
    "surrogate": "\ud800",
}


def value_of(text: str) -> object:
    result = evaluate(parse(Source("call", text).whole()), VALUES)
    return None if isinstance(result, Unknown) else result


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ('size("")', 0),
        ('size("é😀")', 2),
        ('"abc".size()', 3),
        ("size([1, [2, 3]])", 2),
        ('size({"a": 1})', 1),
        ('"ÀÉÎ Straße ΣΑΣ İ Ⅷ".lower()', "àéî straße σασ i ⅷ"),
        ('upper("àéî straße ŉ ǆ 1")', "ÀÉÎ STRAßE ŉ Ǆ 1"),
        ('"\u10d0 \u1e9e \U0001e900".lower()', "\u10d0 \u00df \U0001e922"),
        ('" \u00a0\u3000\ta b\u0085\u2028 ".trim()', "a b"),
        ('"\u200b a".trim()', "\u200b a"),
        ('"a,b,,".split(",")', ("a", "b", "", "")),
        ('split("", ",")', ("",)),
        ('"a.b".split(".")', ("a", "b")),
        ('"ab".split("")', None),
        ('"é😀x".substring(1)', "😀x"),
        ('"é😀x".substring(1, 2)', "😀"),
        ('substring("abc", 3)', ""),
        ('"abc".substring(4)', None),
        ('"abc".substring(-1)', None),
        ('"abc".substring(2, 1)', None),
        ('"abc".substring(0, 4)', None),
        ("abs(-3)", 3),
        ("abs(-9223372036854775807 - 1)", None),
        ("abs(-0.0)", 0.0),
        ("abs(-1.5)", 1.5),
        ("round(2.5)", 3.0),
        ("round(-2.5)", -3.0),
        ("round(0.49999999999999994)", 0.0),
        ("round(-0.3)", 0.0),
        ("1.0 / round(-0.3)", math.inf),
        ("round(4503599627370495.5)", 4503599627370496.0),
        ("round(9007199254740993.0)", 9007199254740992.0),
        ("round(inf)", math.inf),
        ("round(nan)", math.nan),
        ("round(7)", 7),
        ("min(3, 1)", 1),
        ("max(3, 1, 2, 5, 4)", 5),
        ("min(1.5, 0.5)", 0.5),
        ("min(1, 0.5)", None),
        ("max(1.0, nan)", math.nan),
        ("1.0 / min(0.0, -0.0)", math.inf),
        ("min([3, 1, 2])", 1),
        ("[1.5, 2.5].max()", 2.5),
        ("min([])", None),
        ("max([1, 1 / 0])", None),
        ("max(1, 1 / 0)", None),
        ('"abc".contains("")', True),
        ('"abc".contains("bc")', True),
        ('"abc".contains("cb")', False),
        ('"abc".startsWith("ab")', True),
        ('"abc".endsWith("ab")', False),
        ('"abc".matches("b")', True),
        ('matches("abc", "^b")', False),
        ('"a\\nb".matches("a.b")', False),
        ('"é".matches("^.$")', True),
        ('"a\\u0000b".matches("a\\\\x00b")', True),
        ('"ab".matches("(")', None),
        (r'"ab".matches("(a)\\1")', None),
        ('"ab".matches("(?=a)")', None),
        ('surrogate.matches("a")', None),
        ('"a".matches(surrogate)', None),
        # the parts of a time
        ("t.getFullYear()", 2024),
        ("t.getMonth()", 2),
        ("t.getDayOfMonth()", 9),
        ("t.getDayOfYear()", 69),
        ("t.getDate()", 10),
        ("t.getDayOfWeek()", 0),
        ("t.getHours()", 7),
        ("t.getMinutes()", 8),
        ("t.getSeconds()", 9),
        ("t.getMilliseconds()", 123),
        ("elsewhere.getHours()", 7),
        ('t.getDayOfWeek("-08:00")', 6),
        ('t.getHours("Asia/Kolkata")', 12),
        ('t.getMinutes("Asia/Kolkata")', 38),
        ('t.getHours("02:00")', 9),
        ('t.getHours("-00:00")', 7),
        ('t.getHours("")', 7),
        ('t.getHours("+24:00")', None),
        ('t.getHours("+02:60")', None),
        ('t.getHours("localtime")', None),
        ('t.getHours("america/new_york")', None),
        ('t.getHours("../zone.tab")', None),
        ('last.getFullYear("+01:00")', None),
        ('first.getFullYear("America/New_York")', None),
        ('t.timeOfDay("Asia/Kolkata") == duration("12h38m9.123456s")', True),
        ('t.timeOfDay("") == duration("7h8m9.123456s")', True),
        ('t.timeOfDay("Nowhere")', None),
        ('last.timeOfDay("+01:00")', None),
        # the parts of a duration
        ("d.getHours()", 1),
        ("d.getMinutes()", 62),
        ("d.getSeconds()", 3723),
        ("d.getMilliseconds()", 321),
        ("less.getHours()", -1),
        ("less.getMinutes()", -62),
        ("less.getSeconds()", -3723),
        ("less.getMilliseconds()", -321),
        # conversions
        ("int(1.9)", 1),
        ("int(-1.9)", -1),
        ("int(9223372036854774784.0)", 9223372036854774784),
        ("int(9223372036854775807.0)", None),
        ("int(-9223372036854775808.0)", None),
        ("int(nan)", None),
        ("int(inf)", None),
        ('int("-42")', -42),
        ('int("+42")', 42),
        ('int("9223372036854775808")', None),
        ('int("0x10")', None),
        ('int("1.0")', None),
        ('int("1_0")', None),
        ('int("١")', None),
        ('int("")', None),
        ("int(t)", 1710054489),
        ("int(early)", -1),
        ("int(true)", None),
        ("double(9007199254740993)", 9007199254740992.0),
        ('double("-1.5e3")', -1500.0),
        ('double(".5")', 0.5),
        ('double("5.")', 5.0),
        ('double("Infinity")', math.inf),
        ('double("NaN")', math.nan),
        ('double("1e999")', None),
        ('double("1_0")', None),
        ('double("")', None),
        ("string(true)", "true"),
        ("string(-7)", "-7"),
        ("string(t)", "2024-03-10T07:08:09.123456Z"),
        ("string(elsewhere)", "2024-03-10T07:08:09.123456Z"),
        ("string(less)", "-3723.321456s"),
        ('bool("True")', True),
        ('bool("t")', True),
        ('bool("0")', False),
        ('bool("T")', None),
        ('bool("yes")', None),
        ('timestamp("2024-03-10T09:08:09.123456000+02:00") == t', True),
        ('timestamp("2024-03-10T09:08:09.123456789+02:00") == t', False),
        ('timestamp("2024-03-10")', None),
        ("timestamp(-62135596800) == first", True),
        ("timestamp(-62135596801)", None),
        ("timestamp(253402300800)", None),
        ("timestamp(9223372036854775807)", None),
        ('duration("1h2m3.321456s") == d', True),
        ('duration("100ns")', duration_of(100)),
        ('duration("0.0000001s") == duration("100ns")', True),
        ('duration("1us500ns")', duration_of(1500)),
        ('duration("0.1ns")', None),
        ('duration("0.5us500ns") == duration("1us")', True),
        ('duration("1000ns") == duration("1us")', True),
        ('duration("0.00000000000000000001h")', None),
        ('duration("315576000001s")', None),
        ('duration("1d") == duration("24h")', True),
        ('duration("2w1.5d") == duration("372h")', True),
        ('duration("1y")', None),
        # nanoseconds, and the ends of times and durations
        ('string(timestamp("9999-12-31T23:59:59.999999999Z"))', "9999-12-31T23:59:59.999999999Z"),
        ('string(duration("1m1ms1ns"))', "60.001000001s"),
        ('timestamp("2009-02-13T23:31:20.123456789Z").getMilliseconds()', 123),
        ('timestamp("1969-12-31T23:59:59.999999999Z").getSeconds()', 59),
        ('int(timestamp("1969-12-31T23:59:59.999999999Z"))', -1),
        ('duration("-1ns").getSeconds()', 0),
        ('duration("-1000000001ns").getSeconds()', -1),
        ('timestamp("2026-01-01T00:00:00.000000001Z").timeOfDay("+08:00") == duration("8h1ns")', True),
        (
            'timestamp("0001-01-01T00:00:01.000000001Z") + duration("-999999999ns")'
            ' == timestamp("0001-01-01T00:00:00.000000002Z")',
            True,
        ),
        ('duration("1ns") + first == timestamp("0001-01-01T00:00:00.000000001Z")', True),
        ('first - duration("-1ns") == timestamp("0001-01-01T00:00:00.000000001Z")', True),
        ('timestamp("9999-12-31T23:59:59.999999999Z") + duration("1ns")', None),
        ('first + duration("-1ns")', None),
        ("last - first", None),
        ("first - last", None),
        ('duration("9223372036.854775807s") > duration("292y")', None),
        ('string(duration("9223372036.854775807s"))', "9223372036.854775807s"),
        ('string(duration("-9223372036.854775808s"))', "-9223372036.854775808s"),
        ('duration("9223372036.854775808s")', None),
        ('duration("200000000000s") + duration("200000000000s")', None),
        ('duration("9223372036s") + duration("1s")', None),
        ('duration("9223372036.854775807s") + duration("1ns")', None),
        # dates
        ('date("2026-11-30")', date(2026, 11, 30)),
        ('date("2026-02-29")', None),
        ('date("2026-2-3")', None),
        ('date("2026-11-30T00:00:00Z")', None),
        ('string(date("0001-01-01"))', "0001-01-01"),
        ('date(t, "Pacific/Auckland")', date(2024, 3, 10)),
        ('date(t, "America/Los_Angeles")', date(2024, 3, 9)),
        ('date(t, "Nowhere")', None),
        ('date(last, "+01:00")', None),
        ('date("2024-02-28") + duration("1d")', date(2024, 2, 29)),
        ('duration("2w") + date("2024-02-28")', date(2024, 3, 13)),
        ('date("2024-03-01") - duration("24h")', date(2024, 2, 29)),
        ('date("2024-03-01") + duration("23h")', None),
        ('date("2024-03-01") + duration("86400000000001ns")', None),
        ('date("9999-12-31") + duration("1d")', None),
        ('date("2024-03-01") - date("2024-02-28") == duration("2d")', True),
        ('date("9999-12-31") - date("0001-01-01")', None),
        ('date("2026-11-30").getDayOfWeek()', 1),
        ('date("2026-11-30").getDate()', 30),
        ('date("2024-12-31").getDayOfYear()', 365),
        ('date("2026-11-30").getHours()', None),
        ('date("2026-11-30").getFullYear("UTC")', None),
        ('timestamp(date("2026-11-30"), "Asia/Singapore") == timestamp("2026-11-29T16:00:00Z")', True),
        ('timestamp(date("2018-11-04"), "America/Sao_Paulo") == timestamp("2018-11-04T03:00:00Z")', True),  # from 01:00
        ('timestamp(date("0001-01-01"), "+01:00")', None),
        ('date("2026-11-30") < t', None),
        ('date(timestamp(date("2011-12-29"), "Pacific/Apia"), "Pacific/Apia")', date(2011, 12, 29)),
        # forms and types that are none
        ('contains("a", "b")', None),
        ('"a".int()', None),
        ('size(1)', None),
        ('duration(1)', None),
    ],
)  # fmt: skip
def test_function_gives_value(text: str, value: object) -> None:
    assert same(value_of(text), value), value_of(text)


def test_functions_never_repeat_a_value_in_a_message() -> None:
    calls = ('int("SECRET")', 'double("SECRET")', 'bool("SECRET")', 't.getHours("SECRET")')
    for text in calls:
        result = evaluate(parse(Source("call", text).whole()), VALUES)
        assert isinstance(result, Unknown)
        assert "SECRET" not in result.reason


def test_functions_raise_nothing_but_evaluation_errors_for_their_own_types() -> None:
    known = {"string": "x", "int": 2**63 - 1, "double": math.nan, "bool": True, "timestamp": VALUES["last"]}
    known |= {"duration": timedelta(days=106751), "date": date.max}
    for name, overloads in FUNCTIONS.items():
        for overload in overloads:
            arguments = [known.get(parameter.name, ()) for parameter in overload.parameters]
            try:
                overload.call(*arguments)
            except EvaluationError:
                continue
            except Exception as error:
                pytest.fail(f"{name}{arguments}: {error!r}")


def test_zone_comes_from_the_tzdata_package_whatever_the_machine_has(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("zoneinfo.TZPATH", ())
    zone.cache_clear()
    assert MOMENT.astimezone(zone("Pacific/Chatham")).utcoffset() == timedelta(hours=13, minutes=45)


@settings(max_examples=300, deadline=None)
@given(
    st.floats()
    | st.floats(-1e7, 1e7)
    | st.decimals(-1000000, 1000000, places=3).map(float)
    | st.integers(-(2**63), 2**63).map(float)
)
def test_string_of_double_is_what_google_cel_prints(value: float) -> None:
    cel = pytest.importorskip("cel_expr_python.cel", reason="needs cel-expr-python, the independent CEL")
    their = cel.NewEnv(variables={"x": cel.Type.DOUBLE}).compile("string(x)").eval(data={"x": value}).value()
    assert string_of_double(value) == their.replace("-nan", "nan")
    assert math.isnan(value) or struct.pack("d", float(string_of_double(value))) == struct.pack("d", value)
