"""Conditions of every kind, and inputs for them, which several back ends are held to."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta

from hypothesis import strategies as st

from expr.strategies import integers

NOW = datetime(2026, 11, 23, 8, 30, tzinfo=UTC)
HEAD = """policy_language: 1
policy: terms
inputs:
  text: string
  other: string
  n: int
  m: int
  x: double
  y: double
  flag: bool
  flag2: bool
  age: duration
  at: timestamp
  day: date
  due: date
  cash: {type: money, currencies: [SGD, USD, IDR]}
  spent: {type: list, of: {type: money, currencies: [SGD, USD]}}
  paper: {type: record, of: {number: string, expiry: date, at: timestamp, size: int, fine: bool}}
  papers: {type: list, of: {type: record, of: {number: string, expiry: date, at: timestamp, size: int, fine: bool}}}
  word: {type: enum, values: [low, high, middle]}
  tags: {type: set, values: [a, ab, b]}
  marks: {type: set, values: [a, ab, b]}
  names: {type: list, of: string}
  numbers: {type: list, of: int}
  keyed: {type: map, keys: [a, b], of: int}
  free: {type: map, of: int}
lists: {known: [a, ab, zz]}
rates: {USD: {SGD: 0.75}, SGD: {USD: 1.25, IDR: 0.25}}
"""
EXACT = r"""
text == "ab"
text == other
text < other
text.startsWith("a")
text.endsWith("b")
text.contains("b")
size(text) > 2
text + other == "ab"
text.matches("^a+b?$")
text.matches("[0-9]{2,3}")
text.matches("^(ab|zz)[^a]*$")
text.matches("a.b")
text.matches("^[A-Z]{2}$")
text.matches("\\d\\w\\s")
word.startsWith("l")
word.matches("i.*")
word in ["low", "high"]
string(word) == "low"
word == text
text in lists.known
text in [other, "a"]
lists.known.exists(k, text == k)
flag == flag2
flag < flag2
flag2 >= flag
flag ? n > 1 : m > 1
(flag ? text : other) == "a"
(flag ? x : y) > 0.5
n + m > 3
n - m == 0
n * 3 > m
n / 2 == 1
n % 3 == 1
-n > m
n / m > 1
-x < y
x == double(n)
n > 1 && m > 1 || flag
int(flag ? 2.7 : -2.7) == 2
x < double(n)
n < 3 && x >= 0.5
age > duration("1h")
age + duration("1h") > duration("2h")
age - duration("1h") < age
age.getHours() == 1
age.getMinutes() > 90
age.getSeconds() < 0
age.getMilliseconds() == 500
at + age > at
at - age < at
at - at == duration("0s")
at.getHours() == 8
at.getMinutes() >= 30
at.getSeconds() == 0
at.getMilliseconds() == 0
at.getDayOfWeek() == 1
at.getHours("+05:30") == 14
at.timeOfDay("-03:00") > duration("5h")
at.getHours("Nowhere") == 1
int(at) > 1700000000
timestamp(at) == at
duration(age) == age
day < due
day == due
day != date("2026-11-23")
day in [due, date("2026-11-23")]
day - due > duration("1d")
day + duration("30d") >= due
day - duration("1d") < due
duration("2w") + day < due
day + age == due
date(at, "+08:00") == day
date(at, "-00:00") < due
date(day) == day
day.getDayOfWeek() == 1
(flag ? day : due) > date("2026-11-01")
cash.amount > 1.0 && cash.currency == "SGD"
has(cash) && !has(cash.currency)
paper.expiry < due
paper.number == text && has(paper)
has(paper.expiry) || paper.size > n
paper.at < at
"a" in tags
"a" in (flag ? tags : marks)
(flag ? tags : marks).exists(t, t == "ab")
(flag ? word : "other") == "low"
(flag ? text : "") == "a"
text.contains(r"\u0041")
word in tags
size(tags) == 2
tags.all(t, t != "b")
tags.exists(t, t == text)
tags.exists_one(t, t.startsWith("a"))
size(tags.filter(t, t != "a")) == 1
size(novel_tags) > 1
"q" in novel_tags
size(names) == 1
"a" in names
names.exists(v, v == text)
names.all(v, size(v) < 3)
numbers.exists_one(v, v > 2)
size(numbers.filter(v, v > 2)) > 0
numbers.map(v, v + 1).exists(v, v == 3)
names[0] == "a"
names[n] == text
numbers[1] > 2
has(names[0])
has(text)
has(keyed.a)
has(free.k)
keyed.a > 2
keyed.a + keyed.b > 3
"a" in keyed
word in keyed
size(keyed) == 1
keyed.exists(k, keyed[k] > 2)
keyed.all(k, keyed[k] > 0)
keyed[text] > 1
free["k"] > 2
free.k == free.l
"k" in free
papers.exists(d, d.expiry < due)
papers.all(d, d.number == text || d.size > 1)
papers.exists(d, has(d.expiry) && d.expiry > day)
papers.exists(d, !has(d.number))
papers.exists_one(d, d.size == n)
size(papers.filter(d, d.fine)) == 1
papers.map(d, d.size).exists(s, s == n)
papers.filter(d, d.expiry > due).all(d, d.number != "a" && d.at <= at)
papers.all(d, tags.exists(t, t == d.number))
size(papers) > 1
[n, m] == [1, 2]
[n, m].exists(v, v == 2)
n in [1, m]
size(tags + tags) == 2
{"a": n, "b": m}.a > 1
atLeast(2, [flag, n > 1, text == "a"])
atLeast(n, [flag, flag2, m > 1])
!atLeast(1, [flag, n > 1]) || atLeast(3, [flag, flag2, m > 1])
atLeast(2, names.map(v, v == text))
atLeast(1, [])
text.substring(1) == "b"
text.substring(0, n) == other
substring(text, n, m) == "b"
abs(n) > 2
abs(x) < 1.0
round(x) == 3.0
round(n) == n
min(n, m) < 1
max(n, m, 3) == 3
min(x, y) > 0.25
max(x, y, 0.5) == 0.5
[flag, n > 1, text == "a"].exists(c, c)
[flag, n > 1, text == "a"].all(c, c)
[flag, n > 1, text == "a"].exists_one(c, c)
[flag, n > 1, text == "a"].exists_one(c, !c)
[n, m, 3].exists_one(v, v / m > 1)
[x, y, x / y].exists(v, v > 0.25)
[text, other].all(v, v.startsWith("a") || [n, m].exists(w, size(v) == w))
bool(text)
string(flag) == "true"
tags.exists(t, has(keyed.a) && t in names)
!(flag && n > 1)
has(tags)
has(now)
now > at
""".strip().splitlines()
LOOSE = r"""
names == names
text.lower() == "ab"
upper(text) == "AB" || text.upper() == other
trim(text) == "A1"
text.trim().lower() == other.lower()
text.split("b")[0] == "a"
size(text.split(other)) > 1
text.split("a").exists(part, part == "b")
min(numbers) > 1
min([n, m]) == 1
max([x, y]) > 1.0
max(numbers) == 4
max(names.map(v, size(v))) > 1
1.0 / min(x, y) > 0.0
round(x / y) > 1.0
abs(x - y) >= 1.0
tags.map(t, t + "x") == ["ax"]
[text] + names == ["a"]
x + y > 1.0
x * y > 0.25
x / y > 2.0
x - y == 0.0
int(x) == 2
string(n) == "1"
int(text) > 1
double(text) > 0.5
timestamp(text) > at
duration(text) > age
string(x) == text
string(x) == string(y)
string(n) == string(age)
string(at) == text
papers[0].expiry < due
(flag ? paper : papers[n]).size > 1
at.getFullYear() == 2026
at > timestamp("2026-01-15T08:30:00.000000001Z")
age < duration("3600000000001ns")
day.getFullYear() == 2026
day.getMonth() + day.getDate() == 33
day.getDayOfYear() == day.getDayOfMonth()
today("Asia/Singapore") == day
date(at, "Europe/Berlin") <= due
date(at, text) == day
date(text) == day
string(day) == text
timestamp(day, "Asia/Singapore") > at
timestamp(day, "-03:00") <= at
at.getMonth() == 10
at.getDayOfYear("Asia/Tokyo") == 1
text.matches(other)
text.matches("(?i)ab")
size(free) == 1
free.exists(k, free[k] > 2)
double(n) * x > 1.0
timestamp(n) > at
string(age) == text
names.map(v, size(v)) == numbers
at.getHours(text) == 1
1.0 / x > 0.0
""".strip().splitlines()
WRITTEN = r"""
{"a": 1.5, "ab": 2.5}[text] > 2.0
{"a": x, "ab": y}[text] >= 0.5
{"a": n, text: m}["a"] > 1
{"low": 1, "high": 2}[word] == 2
{"low": {"a": 1, "b": 2}, "high": {"a": 3}}[word][text] >= 2
{"low": {1: 0.5}, "high": {1: 1.5, 2: 2.5}}[word][n] > 1.0
{1: "a", 2: "ab"}[n] == text
{true: 1, false: 2}[flag] == n
{1: "a", 2: "b"}[n] == text
{"a": x / y}["a"] > 1.0
{"a": at, "b": at + age}[text] > at
text in {"a": n, "b": m}
{"a": n}.exists(k, k == text)
[x, y].exists(v, v >= 0.5)
[x, y / x].exists(v, v != 0.5)
[x / y, y].all(v, v > 0.0)
[flag, flag2, n > 1].filter(v, v).size() >= 2
size([flag, flag2].filter(v, !v)) == 1
[n, m, 3].exists_one(v, v > 2)
[n, m].map(v, v + 1).exists(v, v == 3)
[n, m].map(v, v > 0, v * 2)[0] == 2
[n, m][n] == 1
[x, y][0] > y
x / y in [x, y]
names.map(v, v != "a", v + text).exists(v, v == "bb")
tags.map(t, t != "a", t + "x")[0] == "bx"
names.filter(v, v != "a").map(v, v + "z").exists_one(v, v == "bz")
has(names[1])
has(numbers[2])
(names + names).exists(v, v == text)
size(names + [text, other]) > 2
(tags + names)[0] == "a"
keyed.map(k, k + "x").exists(v, v == "ax")
keyed.exists_one(k, k == text)
keyed.filter(k, k != text).size() == 1
free.map(k, free[k] > 1, k).exists(v, v == "k")
n < x
n <= x / y
x > n
n >= x * 1e18
!(x <= n)
at.timeOfDay("America/New_York") > duration("3h")
[paper].exists(d, d.expiry < due)
cash.in("USD") > 1.5
cash.in("SGD") <= x
spent.exists(p, p.in("USD") > 1.5)
spent.all(p, p.in("SGD") < 2.5 || p.currency == "SGD")
date(at, "America/New_York") > day
today("Asia/Singapore") - day > duration("-1d")
at.getHours("Asia/Singapore") == 16
at.getDayOfWeek("Australia/Lord_Howe") == 1
at.getDate("Europe/Dublin") == 23
at.getFullYear("Africa/Casablanca") == 2026
(at - age).getMinutes("Asia/Kolkata") == 30
""".strip().splitlines()
"""What contains a list, a map or a zone that is written out, and macros of macros."""
DAYS = st.sampled_from(
    tuple(date(*parts) for parts in ((2026, 11, 23), (2026, 11, 24), (2026, 10, 24), (1, 1, 1), (9999, 12, 31)))
)
TEXTS = st.sampled_from(("", "a", "b", "ab", "abb", "A1 ", "SG", "12", "zz", "low", "true", "q", "é💥", r"\u0041"))
CASH = st.fixed_dictionaries(
    {
        "amount": st.sampled_from(("1.50", 2, 2.0, "-0.75", "1,5", None)),
        "currency": st.sampled_from(("SGD", "USD", "IDR", "X")),
    }
)
PAPERS = st.fixed_dictionaries(
    {},
    optional={
        "number": st.one_of(TEXTS, st.just(7)), "expiry": st.one_of(DAYS, st.just("2026-02-30"), st.none()),
        "at": st.just(NOW), "size": st.integers(-1, 3), "fine": st.booleans(), "stray": st.none(),
    },
)  # fmt: skip
"""Records, in which some fields cannot be read."""


_small = st.integers(-3, 4)
_long = timedelta(hours=1, minutes=31, milliseconds=500)
_times = st.sampled_from((timedelta(), timedelta(hours=1), _long, timedelta(seconds=-5)))
_INPUTS: Mapping[str, st.SearchStrategy[object]] = {
    "text": TEXTS, "other": TEXTS, "n": st.one_of(_small, st.just(2**63 - 1), st.just(-(2**63))), "m": _small,
    "x": st.sampled_from((0.0, -0.0, 0.5, 2.7, -1.5, 1e300)), "y": st.sampled_from((0.0, -0.0, 0.5, 1.0, 1e300)),
    "flag": st.booleans(), "flag2": st.booleans(), "age": _times,
    "at": st.sampled_from((NOW, datetime(1969, 7, 20, 20, 17, tzinfo=UTC), datetime(9999, 12, 31, 23, tzinfo=UTC))),
    "day": DAYS, "due": DAYS,
    "cash": CASH, "spent": st.lists(CASH, max_size=3),
    "paper": PAPERS, "papers": st.lists(st.one_of(PAPERS, PAPERS, st.none(), st.just(5)), max_size=3),
    "word": st.sampled_from(("low", "high", "middle", "none")),
    "tags": st.lists(st.sampled_from(("a", "ab", "b", "q", None)), max_size=3),
    "marks": st.lists(st.sampled_from(("a", "ab", "q", None)), max_size=2),
    "names": st.lists(st.one_of(TEXTS, st.none()), max_size=5),
    "numbers": st.lists(st.one_of(_small, st.none()), max_size=5),
    "keyed": st.dictionaries(st.sampled_from(("a", "b", "c")), st.one_of(_small, st.none()), max_size=2),
    "free": st.dictionaries(st.sampled_from(("k", "l")), st.one_of(_small, st.none()), max_size=2),
}  # fmt: skip


@st.composite
def inputs(draw: st.DrawFn) -> dict[str, object]:
    """Return values, some left out, some with parts that are unknown."""
    return {name: draw(values) for name, values in _INPUTS.items() if draw(integers(0, 4))}
