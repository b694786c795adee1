"""Every way to make a value of a type, and every operator and function that takes one, put together."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from itertools import product
from random import Random

NOW = datetime(2026, 11, 23, 8, 30, tzinfo=UTC)
HEAD = r"""policy_language: 1
policy: shapes
inputs:
  text: string
  other: string
  n: {type: int, range: [-4, 5]}
  m: int
  x: double
  flag: bool
  flag2: bool
  age: duration
  at: timestamp
  word: {type: enum, values: [a, ab, low]}
  term: {type: enum, values: [low, zz]}
  tags: {type: set, values: [a, ab, b]}
  marks: {type: set, values: [a, ab, b]}
  names: {type: list, of: string}
  mails: {type: list, of: string}
  words: {type: list, of: {type: enum, values: [a, ab, low]}}
  numbers: {type: list, of: int}
  ratios: {type: list, of: double}
  flags: {type: list, of: bool}
  keyed: {type: map, keys: [ab, a], of: int}
  hits: {type: map, keys: [a, "a!", "a?"], of: bool, absent: false}
  free: {type: map, of: int}
lists: {known: [a, ab, zz]}
"""
TEXTS = r"""
text
(text + "b")
(flag ? text : other)
(flag ? "a" : word)
(flag ? word : "a")
(flag ? word : term)
(flag ? text : word)
string(word)
names[0]
(names + mails)[1]
string(flag)
"a\U0002ffff"
"\U0010fffe"
""".strip().splitlines()
LISTS = r"""
names
(flag ? names : mails)
(names + mails)
names.filter(p, p != "a")
names.map(p, p + "b")
names.map(p, p != "a", p + "b")
(tags + names)
(names + tags)
[text, other]
[text].filter(p, flag)
tags.map(t, t)
tags.filter(t, t != "a")
keyed.map(k, k)
{"b": 1, "a": 2}.map(k, k)
(flag ? names : [text])
((flag ? names : mails) + names)
(names + mails).filter(p, p != "a")
(flag ? names : mails).map(p, p != "a", p)
(flag ? (flag2 ? names : mails) : [])
words.map(w, w)
(lists.known + names)
lists.known.filter(k, k != text)
numbers.map(i, string(i > 1))
names.filter(p, p in tags)
(tags + marks)
(flag ? tags : marks).map(t, t)
""".strip().splitlines()
NUMBERS = r"""
n
(flag ? n : 3)
(n + 1)
(n / 2)
(n % 2)
(-n)
size(names)
size(tags)
size(text)
numbers[0]
(flag ? numbers : [n, 1])[1]
numbers.filter(i, i > 1)[0]
numbers.map(i, i + 1)[1]
keyed.a
(keyed)[text]
free.k
int(x)
m
{"a": n}["a"]
""".strip().splitlines()
DOUBLES = r"""
x
(-x)
(flag ? x : 0.5)
double(n)
ratios[0]
(ratios + [x])[0]
ratios.filter(r, r > 0.5)[0]
""".strip().splitlines()
BOOLS = r"""
flag
(!flag)
(flag ? flag2 : n > 1)
flags[0]
(flags + [flag])[0]
flags.filter(f, f)[0]
has(text)
hits.a
hits["a!"]
(flag && flag2)
(flag || n > 1)
bool(string(flag))
""".strip().splitlines()
TIMES = r"""
at
(at + age)
(flag ? at : timestamp(at))
(at - duration("1h"))
""".strip().splitlines()
LENGTHS = r"""
age
(age + age)
(flag ? age : duration("1h"))
(at - at)
duration(age)
""".strip().splitlines()
SETS = r"""
tags
(flag ? tags : marks)
""".strip().splitlines()
OF_TEXTS = r"""
{} == "a"
{} == other
{} < "b"
other >= {}
{} in names
{} in tags
{} in keyed
{} in lists.known
size({}) == 2
{}.startsWith("a")
{}.endsWith(other)
{}.contains("b")
{}.matches("^ab?$")
keyed[{}] > 1
{} + "b" == "ab"
[{}] == [text]
{} > other
{} > "\U0002ffff"
{} < "a\U0010fffd"
""".strip().splitlines()
OF_LISTS = r"""
{}[0] == "a"
{}[1] == "b"
{}[n] == text
has({}[0])
has({}[1])
size({}) == 2
text in {}
"a" in {}
{}.exists(v, v == "b")
{}.all(v, v != "b")
{}.exists_one(v, v == "a")
{}.filter(v, v != "b")[0] == "a"
{}.map(v, v + "b")[1] == "ab"
({} + ["a"])[1] == "a"
(["a"] + {})[1] == "b"
(flag ? {} : ["b"])[0] == "b"
size({}.filter(v, v != "a")) == 1
{}.map(v, v == "b", size(v))[0] == 1
{}[size({}) - 1] == "b"
{}.filter(v, v == {}[0])[0] == "a"
""".strip().splitlines()
OF_NUMBERS = r"""
{} == 1
{} > m
{} <= 2
{} + 1 > 2
1 - {} == 0
{} * 2 == m
{} / 2 == 1
{} % 2 == 1
-{} < 0
{} in numbers
[{}, 1] == [1, n]
double({}) == x
names[{}] == text
{} < x
5 / {} == 2
{} != m
""".strip().splitlines()
OF_DOUBLES = r"""
{} > 0.25
{} == x
{} < n
-{} > x
int({}) == 2
{} in ratios
{} != 0.5
{} >= -1.5
""".strip().splitlines()
OF_BOOLS = r"""
{}
!{}
{} == flag2
{} < flag
{} && flag2
{} || flag2
({} ? n : m) > 1
{} in flags
({} ? "a" : text) == "a"
""".strip().splitlines()
OF_TIMES = r"""
{} > at
{} + age > at
{}.getHours() == 8
int({}) > 0
{} - at == duration("0s")
{}.getDayOfWeek() == 1
""".strip().splitlines()
OF_LENGTHS = r"""
{} > duration("1h")
{}.getMinutes() == 91
at + {} < at
-1 < {}.getSeconds()
{}.getMilliseconds() == 500
""".strip().splitlines()
OF_SETS = r"""
"a" in {}
text in {}
size({}) == 1
{}.exists(t, t == "ab")
{}.all(t, t == text)
{}.exists_one(t, t != "a")
{}.map(t, t + "x")[0] == "ax"
{}.filter(t, t != "a")[0] == "b"
size({} + names) > 1
({} + {})[1] == "a"
{}.exists(t, t in names)
word in {}
""".strip().splitlines()
TABLE = (
    (TEXTS, OF_TEXTS),
    (LISTS, OF_LISTS),
    (NUMBERS, OF_NUMBERS),
    (DOUBLES, OF_DOUBLES),
    (BOOLS, OF_BOOLS),
    (TIMES, OF_TIMES),
    (LENGTHS, OF_LENGTHS),
    (SETS, OF_SETS),
)


def conditions() -> Iterator[str]:
    """Yield every shape in every operator."""
    for shapes, operators in TABLE:
        for shape, operator in product(shapes, operators):
            yield operator.replace("{}", shape)


def rules(texts: Sequence[str]) -> str:
    """Return a policy with a rule for each condition."""
    lines = (f"  - {{id: r{at}, when: '{text}', then: review}}\n" for at, text in enumerate(texts))
    return f"{HEAD}rules:\n{''.join(lines)}"


STRINGS = ("", "a", "b", "ab", "aab", "bb", "low", "zz", "A1", "true", "é💥", "\U00020bb7", "\U0002fa20", "\U0002ffff",
           "a\U0002ffff", "\U00030000", "\U0010fffe", "a\U0010fffe", "\U0010ffff")  # fmt: skip


def given(random: Random) -> dict[str, object]:
    """Return values, some left out, some with parts that are unknown, many of them equal."""

    def text() -> str:
        return random.choice(STRINGS) if random.random() < 0.5 else random.choice(("a", "b", "ab"))

    def small() -> int:
        return random.randint(-3, 4)

    def many(one: Callable[[], object]) -> list[object]:
        lost = random.random() < 0.3
        return [
            None if lost and random.random() < 0.3 else one() for _ in range(random.choice((0, 1, 1, 2, 2, 3, 3, 5)))
        ]

    def some(words: Sequence[object]) -> list[object]:
        return [word for word in words if random.random() < 0.4]

    long = timedelta(hours=1, minutes=31, milliseconds=500)
    moments = (NOW, *(datetime(*day, tzinfo=UTC) for day in ((1969, 7, 20, 20, 17), (9999, 12, 31, 23), (1, 1, 1))))
    values: dict[str, object] = {
        "text": text(), "other": text(), "n": small(), "m": random.choice((small(), 2**63 - 1, -(2**63), 0, 1)),
        "x": random.choice((0.0, -0.0, 0.5, 2.7, -1.5, 1e300, 2.0, 0.25)), "flag": random.random() < 0.5,
        "flag2": random.random() < 0.5, "at": random.choice(moments), "term": random.choice(("low", "zz")),
        "age": random.choice((timedelta(), timedelta(hours=1), long, timedelta(seconds=-5))),
        "word": random.choice(("a", "ab", "low", "none")),
        "tags": some(("a", "ab", "b", "q", 0)), "marks": some(("a", "ab", "q", None)), "names": many(text),
        "mails": many(text), "words": many(lambda: random.choice(("a", "ab", "low", "no"))), "numbers": many(small),
        "ratios": many(lambda: random.choice((0.0, -0.0, 0.5, 0.75, 2.0))),
        "flags": many(lambda: random.random() < 0.5),
        "keyed": {str(key): small() if random.random() < 0.8 else None for key in some(("ab", "c", "a"))},
        "hits": {str(key): random.random() < 0.5 for key in some(("a!", "a", "a?"))},
        "free": {str(key): small() if random.random() < 0.8 else None for key in some(("k", "l"))},
    }  # fmt: skip
    return {name: value for name, value in values.items() if random.random() < 0.9}
