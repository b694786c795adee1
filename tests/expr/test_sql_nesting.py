"""Every operator inside every other, at each of its places: SQL groups them as the tree does."""

from __future__ import annotations

import math
import random
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta

import pytest

from adjudge.expr.reference import Unknown, evaluate
from adjudge.expr.sql.dialects.duckdb import DUCKDB
from adjudge.expr.sql.dialects.spark import SPARK
from adjudge.expr.sql.translate import Translator
from adjudge.expr.sql.value import NotTranslatable
from adjudge.values.types import BOOL, DOUBLE, DURATION, INT, STRING, TIMESTAMP, ListType, SetType, Type
from expr.test_python import checked

duckdb = pytest.importorskip("duckdb", reason="needs the extra `backtest`")
pytest.importorskip("pyarrow", reason="needs the extra `backtest`")

from expr.sql_tables import table  # noqa: E402

INTS, TIMES, TAGS = ListType(INT), ListType(TIMESTAMP), SetType(("a", "b"))
FIELDS: Mapping[str, Type] = {
    "b1": BOOL, "b2": BOOL, "b3": BOOL, "i1": INT, "i2": INT, "i3": INT, "d1": DOUBLE, "d2": DOUBLE, "d3": DOUBLE,
    "s1": STRING, "s2": STRING, "s3": STRING, "t1": TIMESTAMP, "t2": TIMESTAMP, "t3": TIMESTAMP,
    "l1": DURATION, "l2": DURATION, "l3": DURATION, "n1": INTS, "n2": INTS, "n3": INTS,
    "m1": TIMES, "m2": TIMES, "m3": TIMES, "g1": TAGS, "g2": TAGS, "g3": TAGS,
}  # fmt: skip
LETTERS: Mapping[str, Type] = {
    "B": BOOL, "I": INT, "D": DOUBLE, "S": STRING, "T": TIMESTAMP, "L": DURATION, "N": INTS, "M": TIMES, "G": TAGS,
}  # fmt: skip
OPERATORS = """
B !B
B B && B
B B || B
B B ? B : B
B B == B
B B != B
B B < B
B B <= B
B B > B
B B >= B
B B in [B, true]
B B in [true, false]
I I + I
I I - I
I I * I
I I / I
I I % I
I -I
I B ? I : I
I int(D)
I size(S)
I size(N)
I size(G)
I N[I]
I L.getMinutes()
I T.getDayOfWeek()
I T.getHours("+05:30")
I int(T)
B I == I
B I != I
B I < I
B I >= I
B I in [I, 1]
B I in N
B I > 2
D D + D
D D - D
D D * D
D D / D
D -D
D double(I)
D B ? D : D
B D == D
B D != D
B D < D
B D >= D
B D < 0.5
S S + S
S B ? S : S
S string(I)
S string(B)
B S == S
B S < S
B S in [S, "a"]
B S in G
B S.contains(S)
B S.startsWith(S)
B S.matches("a|b")
T T + L
T T - L
T B ? T : T
T timestamp(I)
T M[I]
L T - T
L L + L
L L - L
L B ? L : L
B T == T
B T < T
B T in M
B L == L
B L > L
N B ? N : N
N N.filter(v, v > I)
N N.map(v, v + I)
M B ? M : M
M N.map(v, T)
M M.map(v, v + L)
G B ? G : G
- G.filter(v, v != S)
B N.exists(v, v == I)
B N.all(v, v < I)
B N.all(v, B)
B N.exists_one(v, v == I)
B M.exists(v, v == T)
B M.all(v, v < T)
B G.exists(v, v == S)
B G.all(v, v != S)
B has(b1)
"""
PLACES = [tuple(line.split(" ", 1)) for line in OPERATORS.strip().splitlines()]


def places(template: str) -> list[tuple[int, str]]:
    """Return where an operand stands in a template, with its letter."""
    return [
        (at, char)
        for at, char in enumerate(template)
        if char in LETTERS and not template[at - 1 : at].isalpha() and not template[at + 1 : at + 2].isalpha()
    ]


def filled(template: str, inner: str = "", where: int = -1) -> str:
    """Put fields in a template's places, and an expression in one of them."""
    text, shift = template, 0
    for number, (at, letter) in enumerate(places(template)):
        name = next(name for name in FIELDS if FIELDS[name] == LETTERS[letter])[:1] + str(number + 1)
        said = f"({inner})" if number == where else name
        text = text[: at + shift] + said + text[at + shift + 1 :]
        shift += len(said) - 1
    return text


def nested() -> Iterator[str]:
    for _, outer in PLACES:
        for number, (_, letter) in enumerate(places(outer)):
            for result, inner in PLACES:
                if result == letter:
                    yield filled(outer, filled(inner), number)


def rows(count: int) -> list[dict[str, object]]:
    draw = random.Random(7)
    of: Mapping[Type, tuple[object, ...]] = {
        BOOL: (True, False), INT: (-2, -1, 0, 1, 2, 3, 2**62, -(2**63)), DOUBLE: (-1.5, -0.0, 0.25, 1.0, 3.0, 1e300),
        STRING: ("", "a", "b", "ab", "1"),
        TIMESTAMP: tuple(datetime(1969, 12, 31, 23, tzinfo=UTC) + timedelta(hours=hours) for hours in range(4)),
        DURATION: (timedelta(minutes=-90), timedelta(), timedelta(seconds=7)),
    }  # fmt: skip
    of = {
        **of,
        INTS: ((), (1,), (1, None), (-2, 0, 3), (2, 2)),
        TIMES: ((), of[TIMESTAMP][:2], (of[TIMESTAMP][1], None)),
        TAGS: ((), ("a",), ("a", "b"), ("b", None)),
    }
    return [{name: draw.choice((*of[type_], *of[type_], None)) for name, type_ in FIELDS.items()} for _ in range(count)]


def is_same(one: object, other: object) -> bool:
    if isinstance(one, float) and isinstance(other, float):
        return one == other or (math.isnan(one) and math.isnan(other))
    return one == other and type(one) is type(other)


def test_every_operator_in_every_other_agrees_with_the_reference() -> None:
    data, translator = rows(24), Translator({name: DUCKDB.column(name) for name in FIELDS})
    translated, refused = {}, []
    for text in nested():
        tree = checked(text, FIELDS)
        try:
            translated[text] = (tree, translator.value(tree, {}).text)
        except NotTranslatable:
            refused.append(text)
    assert len(translated) > 700 and len(refused) < len(translated) / 4
    with duckdb.connect() as connection:
        connection.execute("set threads = 1")
        connection.execute("set TimeZone = 'UTC'")
        connection.register("given_", table(FIELDS, data))
        columns = ", ".join(f"{sql} as c{at}" for at, (_, sql) in enumerate(translated.values()))
        answers = connection.execute(f"select {columns} from given_").fetchall()
    wrong = []
    for values, answered in zip(data, answers, strict=True):
        for (text, (tree, sql)), answer in zip(translated.items(), answered, strict=True):
            judged = evaluate(tree, values)
            expected = None if isinstance(judged, Unknown) else micros(judged)
            if not is_same(answer, expected):
                wrong.append(f"{text} of {values}: {answer} for {expected}\n  {sql}")
    assert not wrong, f"{len(wrong)} answers, such as\n" + "\n".join(wrong[:5])


def micros(value: object) -> object:
    if isinstance(value, datetime):
        return (value - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)
    if isinstance(value, timedelta):
        return value // timedelta(microseconds=1)
    return [micros(item) for item in value] if isinstance(value, tuple) else value


@pytest.mark.parametrize("text", [text for text in nested() if "!(" in text or "(!" in text][:200])
def test_spark_groups_as_duckdb_does(text: str) -> None:
    """What the two say differently are words; the brackets around them are the same."""
    tree, found = checked(text, FIELDS), []
    for dialect in (DUCKDB, SPARK):
        try:
            sql = Translator({name: name for name in FIELDS}, dialect=dialect).value(tree, {})
        except NotTranslatable:
            return
        found.append(sql.text.split(" "))
    words = {"not", "and", "or", "(not"}
    assert [word for word in found[0] if word in words] == [word for word in found[1] if word in words]
