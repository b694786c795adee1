"""Random policies with random requests: every shape a program can take, over fields of every type."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, timedelta

from hypothesis import strategies as st
from hypothesis.strategies import DrawFn

from adjudge.policy import Policy, parse_policy
from adjudge.values.fields import Field
from adjudge.values.types import Type
from expr.strategies import integers, one_of, values_of

NOW = datetime(2026, 11, 23, 8, 30, tzinfo=UTC)

INPUTS = """
  flag: bool
  count: {type: int, range: [-5, 100]}
  ratio: {type: double, range: [0, 1]}
  free: double
  country: string
  age: duration
  opened: timestamp
  expiry: date
  limit: {type: money, currencies: [SGD, USD, IDR]}
  spent: {type: list, of: {type: money, currencies: [SGD, USD]}}
  paper: {type: record, of: {number: string, expiry: date}}
  papers: {type: list, of: {type: record, of: {number: string, expiry: date}}}
  names: {type: list, of: string}
  labels: {type: set, values: [a, b, bc]}
"""
SIGNALS = """
  face:{face}
    fields:
      result: {{type: enum, values: [low, suspicious, high]}}
      tags: {{type: set, values: [SuspectPSFace, SuspectRemake]}}
      score: {{type: map, keys: [SuspectPSFace, SuspectRemake], of: {{type: double, range: [0, 1]}}, absent: 0}}
  device:{device}
    fields:
      score: {{type: double, range: [-2, 100]}}
      emulator: bool
      os: {{type: enum, values: [ios, android]}}
      sizes: {{type: map, of: int}}
      odd: {{type: map, keys: [k, l], of: int}}
      rooted: {{type: bool, absent: false}}
      visits: {{type: int, range: [-5, 50], absent: 3}}
      marks: {{type: set, values: [m, n], absent: [m]}}
"""
ATOMS = (
    "flag", "device.emulator", "!flag", "count >= {n}", "count < {n}", "count == {n}", "{n} != count", "count > {d}",
    "ratio >= {r}", "ratio > {r}", "ratio <= {r}", "free == {d}", "free in [0.5, 1.0]", "count in [1, 2, {n}]",
    'country == "SG"', 'country in ["SG", "KP"]', "country in lists.bad", 'country.startsWith("S")', 'country != "é"',
    'age < duration("24h")', 'age >= duration("{n}h")', 'opened < timestamp("2026-01-01T00:00:00Z")',
    'paper.expiry < date("2026-11-23")', "has(paper)", "has(paper.number)", 'paper.number == "SG"',
    'papers.exists(d, d.expiry < date("2026-11-23"))', "papers.all(d, d.number != country)",
    "[paper].exists(d, d.number == country)",
    'limit.in("USD") > {d}', 'limit.in("SGD") <= 1', "limit.amount >= {r}", "has(limit.amount)",
    'limit.currency == "IDR"',     'spent.exists(m, m.in("USD") >= {r})', 'spent.all(m, m.currency != "USD")',
    "now - opened > age", 'age < duration("{n}d")', 'age > duration("1ns")', 'age == duration("1500ns")',
    'opened >= timestamp("2026-01-01T00:00:00.000000001Z")', 'expiry < today("Asia/Singapore")',
    'expiry >= date("2026-11-23")', 'expiry == date("2026-11-23")', 'expiry - today("-03:00") <= duration("30d")',
    'face.result == "high"', 'face.result in ["low", "high"]', 'face.result != "low"',
    '"SuspectRemake" in face.tags', "size(face.tags) > 1", "size(face.novel_tags) > 0", '"a" in labels',
    'labels.exists(l, l != "a")', "face.score.SuspectRemake >= {r}", "face.score.SuspectPSFace < {r}",
    "face.score.exists(k, face.score[k] > {r})", "size(face.score) > 1", "size(face.novel_score) > 0",
    "device.score >= {n}", "device.score * ratio > free", 'device.os == "ios"', 'device.sizes["k"] > {n}',
    "device.odd.k > {n}", "has(device.odd.k)", "has(country)", "has(device.sizes.k)", "count / (count - {n}) > 1",
    "device.rooted", "!device.rooted", "device.visits > {n}", "has(device.visits)", '"m" in device.marks',
    "names.exists(n, n == country)", '"x" in names', "size(names) == {n}", "true", "false", "1 / 0 == 1", "risky",
    "total > {n}", "int(country) > {n}", "labels.exists(l, 1 / (size(l) - 1) > 5)",
    "flag ? device.emulator : ratio > {r}", "(flag ? count : {n}) > 1",
)  # fmt: skip

POINTS = (
    "weight", "2 * weight - 1", "-weight", "odds.points", "odds.points + (flag ? 1 : 0)", "flag ? 3 : -2",
    "1 / (count - count) == 1 ? 2 : 4",
    'device.os == "ios" ? weight : odds.points', '{"ios": 1, "android": 4}[device.os]',
)  # fmt: skip
LOOKUPS = """lookup:
  weight: {by: country, values: {SG: 2, KP: -3, é: 5}, else: 1}
  odds:
    by: [country, device.os]
    rows:
      - {country: SG, device.os: ios, points: 2}
      - {country: SG, device.os: android, points: 5}
      - {country: KP, device.os: ios, points: -1}
"""


def _condition(draw: DrawFn, atoms: Sequence[str], depth: int = 3) -> str:
    """Draw a condition made of some atoms."""
    if depth == 0 or draw(integers(0, 2)) == 0:
        return one_of(draw, atoms).replace("{n}", str(draw(integers(-2, 5)))).replace(
            "{r}", one_of(draw, ("0.0", "0.25", "0.5", "1.0", "1"))
        ).replace("{d}", one_of(draw, ("0.5", "1.0", "2.5")))  # fmt: skip
    parts = [_condition(draw, atoms, depth - 1) for _ in range(draw(integers(1, 3)))]
    if draw(integers(0, 5)) == 0:
        joined = f"atLeast({draw(integers(1, len(parts)))}, [{', '.join(parts)}])"
    else:
        joined = one_of(draw, (" && ", " || ")).join(f"({part})" for part in parts)
    return f"!({joined})" if draw(integers(0, 3)) == 0 else joined


def _table(draw: DrawFn) -> str:
    """Draw a table of a few rows, most with an `else`."""
    cells = {
        "country": ("SG", "KP"), "country in": ("[SG, IR]", "lists.bad"), "count >=": ("1", "3"),
        "device.os": ("ios",), "flag": ("true", "false"), "ratio <": ("0.5",), "face.tags": ("SuspectRemake",),
    }  # fmt: skip
    lines = ["tables:", "  table:", f"    then: {one_of(draw, ('review', 'reject'))}", "    rows:"]
    for _ in range(draw(integers(1, 4))):
        headers = draw(st.lists(st.sampled_from(sorted(cells)), min_size=1, max_size=3, unique=True))
        row = ", ".join(f"{header}: {one_of(draw, cells[header])}" for header in headers)
        lines.append(f"      - {{{row}}}")
    if draw(integers(0, 3)):
        lines.append(f"    else: {one_of(draw, ('review', 'reject'))}")
    return "".join(f"{line}\n" for line in lines)


OUTCOMES = st.sampled_from(("pass", "review", "reject"))
WHEN = st.sampled_from((None, None, None, "pass", "review", "reject"))


@st.composite
def policies(draw: DrawFn, *, waivers: bool = True) -> Policy:
    """Return a policy, of a few atoms or of all.

    waivers: whether signals, rules and the policy may have a `when_unknown` of their own.
    """

    def when() -> str:
        said = draw(WHEN) if waivers else None
        return f" when_unknown: {said}" if said else ""

    def own(said: str) -> str:
        return f"\n    {said.strip()}" if said else ""

    text = f"policy_language: 1\npolicy: random\n{when().strip()}\ninputs:{INPUTS}signals:"
    text += SIGNALS.format(face=own(when()), device=own(when()))
    text += "lists: {bad: [KP, IR]}\nrates: {USD: {SGD: 0.75}, SGD: {USD: 1.5, IDR: 0.25}}\n"
    text += "variables:\n  risky: device.score > 70.0 || device.emulator\n"
    text += '  total: "count + (risky ? 1 : 2)"\nrules:\n'
    few = draw(st.lists(st.sampled_from(ATOMS), min_size=1, max_size=6))
    atoms = ATOMS if draw(integers(0, 3)) == 0 else few
    covered: list[str] = []
    steps = draw(st.lists(st.sampled_from(("document", "liveness", "call")), max_size=3, unique=True))
    text = text.replace("rules:\n", f"steps: {{{', '.join(f'{step}: Next' for step in steps)}}}\nrules:\n")

    def ask() -> str:
        asked = draw(st.lists(st.sampled_from(steps), max_size=2)) if steps and waivers else []
        return f"[{', '.join(asked)}]" if asked else ""

    for at in range(draw(integers(1, 8))):
        outcome = one_of(draw, ("review", "reject"))
        covered += [f"r{at}"] if outcome == "review" else []
        text += f"  - id: r{at}\n    when: '{_condition(draw, atoms)}'\n    then: {outcome}\n"
        if draw(integers(0, 3)) == 0:
            text += f"    unless: '{_condition(draw, atoms)}'\n"
        text += f"   {when()}\n" if waivers else ""
        text += f"    ask: {asked}\n" if (asked := ask()) else ""
    if draw(integers(0, 4)) == 0:
        text = text.replace("rules:\n", f"{_table(draw)}rules:\n", 1)
    names = one_of(draw, ((), ("scorecard",), ("scorecard",), ("device", "face"), ("scorecard", "face")))
    if names:
        text += "" if names == ("scorecard",) else "scorecards:\n"
    for name in names:
        covered.append("scorecard" if name == "scorecard" else f"scorecard:{name}")
        lines = [f"{name}:", "  points:"]
        for at in range(draw(integers(1, 4))):
            if draw(integers(0, 5)) == 0:
                lines.append(f"    - add: '{one_of(draw, POINTS)}'")
                lines += [f"      when: '{_condition(draw, atoms)}'"] if draw(integers(0, 1)) else []
            else:
                lines.append(f"    - when: '{_condition(draw, atoms)}'")
                lines.append(f"      add: {draw(integers(-3, 5))}")
            lines += [f"      id: own{at}"] if draw(integers(0, 3)) == 0 else []
        review, asked = str(draw(integers(-1, 4))), ask()
        review = f"{{at: {review}, ask: {asked}}}" if asked else review
        reject, asked = str(draw(integers(4, 8))), ask()
        reject = f"{{at: {reject}, ask: {asked}}}" if asked else reject
        lines.append(f"  bands: {{review: {review}, reject: {reject}}}")
        lines.append(f" {when()}" if waivers else "")
        text += "".join(f"{'' if names == ('scorecard',) else '  '}{line}\n" for line in lines)
    if draw(integers(0, 2)) == 0:
        text += "excuse:\n"
        for at in range(draw(integers(1, 3))):
            text += f"  - id: e{at}\n    when: '{_condition(draw, atoms)}'\n    from: review\n"
            named = draw(st.lists(st.sampled_from(covered), max_size=2, unique=True)) if covered else []
            text += f"    rules: [{', '.join(named)}]\n" if named else ""
    text = text.replace("variables:\n", f"{LOOKUPS}variables:\n") if "weight" in text or "odds" in text else text
    return parse_policy(text)


_junk = st.sampled_from(
    (None, "0.5", True, [], {}, -1, 1e9, float("nan"), float("inf"), [5], {"k": "v"}, "é\ud800", b"x")
)


@st.composite
def requests(draw: DrawFn, policy: Policy, *, junk: bool = True) -> dict[str, object]:
    """Return what is given for a policy: known, left out, or of the wrong kind."""
    typed = policy.typed

    odd = draw(integers(0, 1)) == 1

    def fields(declared: Mapping[str, Field]) -> dict[str, object]:
        given: dict[str, object] = {}
        for name, field in declared.items():
            way = draw(integers(0, 9)) if odd else 0
            if way < 7:
                given[name] = draw(near(name, field.type))
            elif way == 7 and junk:
                given[name] = draw(_junk)
        return given

    given = fields(typed.inputs)
    for name, signal in typed.signals.items():
        if not odd or draw(integers(0, 4)):
            part = given[name] = fields(signal.fields)
            if odd and name == "face" and draw(integers(0, 1)) == 1:
                part["novel_tags"] = one_of(draw, (["New"], [], None, 5, [5], [5, None], 0, False, "", {}, ()))
        elif junk and draw(integers(0, 1)) == 1:
            given[name] = draw(_junk)
    return given


_money = st.fixed_dictionaries(
    {
        "amount": st.sampled_from(("0.50", "1", 0.5, 2, "1,5", None)),
        "currency": st.sampled_from(("SGD", "USD", "IDR", "EUR")),
    }
)
_papers = st.fixed_dictionaries(
    {},
    optional={
        "number": st.sampled_from(("SG", "x", 5, None)),
        "expiry": st.sampled_from((date(2026, 11, 22), "2026-11-23", "2026-02-30", None)),
    },
)
_near: Mapping[str, st.SearchStrategy[object]] = {
    "count": st.one_of(st.integers(-6, 6), st.integers(-6, 6), st.just(True)),
    "ratio": st.sampled_from((0, 0.0, 0.25, 0.2500000001, 0.5, 1, 1.0, 1.1, True)),
    "free": st.sampled_from((0, -0.0, 0.5, 1.0, 2.5, 1e300, True)),
    "country": st.sampled_from(("SG", "KP", "S", "", "é", "7", "DE" * 40)),
    "age": st.sampled_from(
        (timedelta(), timedelta(hours=24), timedelta(microseconds=1), timedelta(microseconds=2), "48h", "x", "2d")
    ),
    "opened": st.sampled_from((NOW, datetime(2026, 1, 1, tzinfo=UTC), "2025-06-01T00:00:00Z", datetime(2026, 1, 1))),
    "expiry": st.sampled_from((date(2026, 11, 23), date(2026, 11, 24), "2026-11-22", "2026-02-30", NOW, date.max)),
    "paper": _papers,
    "limit": _money,
    "spent": st.lists(_money, max_size=2),
    "papers": st.lists(st.one_of(_papers, st.sampled_from((None, 5))), max_size=2),
    "score": st.one_of(
        st.sampled_from((0, 2.0, 70.0, 70.1, 101)),
        st.dictionaries(
            st.sampled_from(("SuspectPSFace", "SuspectRemake", "SuspectNew")),
            st.sampled_from((0.0, 0.25, 0.5, 1, 2.0, None, "0.5")),
        ),
    ),
    "odd": st.dictionaries(st.sampled_from(("k", "l", "m", 5)), st.sampled_from((-2, 0, 3, None, "x"))),
    "sizes": st.dictionaries(st.sampled_from(("k", "l")), st.sampled_from((-2, 0, 3, None, "x"))),
    "names": st.lists(st.sampled_from(("x", "SG", "", None, 5)), max_size=3),
    "result": st.sampled_from(("low", "suspicious", "high", "higher")),
    "os": st.sampled_from(("ios", "android", "web")),
    "tags": st.lists(st.sampled_from(("SuspectPSFace", "SuspectRemake", "SuspectNew", None, 5)), max_size=3),
    "labels": st.lists(st.sampled_from(("a", "b", "bc", "z", None, 5)), max_size=3),
}


def near(name: str, type_: Type) -> st.SearchStrategy[object]:
    """Return values near the constants of the conditions."""
    return _near[name] if name in _near else values_of(type_, known=True)
