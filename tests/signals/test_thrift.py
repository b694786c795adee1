"""Thrifty and eager agree, whatever the policy, the prices, the answers and the failures."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.strategies import DrawFn
from structlog.testing import capture_logs

from adjudge.errors import SignalFailed
from adjudge.model import Decision, SignalStatus
from adjudge.signals.plan import SETTLED, UNREAD
from adjudge.testing import FakeProvider, Slow, decide_once, fake_provider
from expr.strategies import integers, one_of

SIGNALS = ("a", "b", "c", "d")
FIELDS: Mapping[str, object] = {
    "bad": "bool",
    "n": {"type": "int", "range": [-3, 3]},
    "kind": {"type": "enum", "values": ["x", "y"]},
    "tags": {"type": "set", "values": ["t", "u"]},
    "score": {"type": "map", "keys": ["k", "l"], "of": "double", "absent": 0},
}
ATOMS = (
    "{s}.bad", "!{s}.bad", "{s}.n > 0", "{s}.n == {o}.n", "{s}.n / {o}.n > 1", '{s}.kind == "x"', '"t" in {s}.tags',
    "size({s}.novel_tags) > 0", "{s}.score.k > 0.5", "has({s}.bad)", "has({s}.score.k)", "!has({s}.n)", "odd", "even",
    "has(even)", "({s}.bad ? {o}.n : 1) > 0", "supplied.ok", "flag", "{s}.score.exists(k, {s}.score[k] > 0.5)",
    '{s}.kind in ["x", "y"]', "[{s}.n, {o}.n].exists_one(n, n > 0)", "true",
)  # fmt: skip
OUTCOMES = ("review", "reject")
WHEN = (None, None, "pass", "review", "reject")


@st.composite
def conditions(draw: DrawFn, depth: int = 2) -> str:
    if depth == 0 or one_of(draw, (False, True)):
        names = {"{s}": one_of(draw, SIGNALS), "{o}": one_of(draw, SIGNALS)}
        atom = one_of(draw, ATOMS)
        for mark, name in names.items():
            atom = atom.replace(mark, name)
        return atom
    parts = draw(st.lists(conditions(depth - 1), min_size=2, max_size=3))
    joined = one_of(draw, (" && ", " || ")).join(f"({part})" for part in parts)
    return f"!({joined})" if one_of(draw, (False, True)) else joined


@st.composite
def policies(draw: DrawFn) -> str:
    def when(indent: str) -> str:
        said = one_of(draw, WHEN)
        return f"{indent}when_unknown: {said}\n" if said else ""

    text = "policy_language: 1\npolicy: random\n" + when("") + "inputs: {flag: bool}\nsignals:\n"
    text += "  supplied:\n    fields: {ok: bool}\n" + when("    ")
    for name in SIGNALS:
        text += f"  {name}:\n    provider: p.{name}\n" + when("    ")
    text += "variables:\n  odd: a.bad || b.n > 1\n  even: c.bad && d.bad\nrules:\n"
    for at in range(draw(integers(1, 5))):
        text += f"  - id: r{at}\n    when: '{draw(conditions())}'\n    then: {one_of(draw, OUTCOMES)}\n"
        text += f"    unless: '{draw(conditions(1))}'\n" if draw(integers(0, 3)) == 0 else ""
        text += when("    ")
    if one_of(draw, (False, True)):
        text += "scorecard:\n" + when("  ") + "  points:\n"
        for _ in range(draw(integers(1, 4))):
            text += f"    - {{when: '{draw(conditions(1))}', add: {draw(st.integers(-3, 3).filter(bool))}}}\n"
        text += f"  bands: {{review: {draw(integers(-1, 2))}, reject: {draw(integers(3, 5))}}}\n"
    return text


VALUES: Mapping[str, st.SearchStrategy[object]] = {
    "bad": st.sampled_from((True, False, True, False, None, "yes")),
    "n": st.sampled_from((-1, 0, 1, 2, 7, None, 1.5, float("nan"))),
    "kind": st.sampled_from(("x", "y", "z", None)),
    "tags": st.sampled_from(([], ["t"], ["t", "u"], ["new"], None, [5], "t")),
    "score": st.sampled_from(({}, {"k": 0.9}, {"l": 0.9, "k": 0.1}, {"m": 1}, {"k": None}, {"k": "x"}, None)),
}
ANSWERS: st.SearchStrategy[object] = st.one_of(
    st.fixed_dictionaries({}, optional=VALUES),
    st.fixed_dictionaries(dict(VALUES)),
    st.sampled_from((SignalFailed("down"), SignalFailed("late", kind="timeout"), ValueError("x"), None)),
)


@st.composite
def scripts(draw: DrawFn) -> dict[str, tuple[object, Mapping[str, object]]]:
    """Return what each provider will say, and what it costs and takes."""
    return {
        name: (
            draw(ANSWERS) if one_of(draw, (False, True)) else Slow(0, draw(ANSWERS)),
            {
                "price": Decimal(one_of(draw, ("0", "0", "0.1", "0.2"))),
                "latency_s": one_of(draw, (0.1, 0.2)),
            },
        )
        for name in SIGNALS
    }


Script = Mapping[str, tuple[object, Mapping[str, object]]]


def decide(policy: str, gather: str, script: Script, known: dict[str, Any]) -> tuple[Decision, set[str]]:
    providers: list[FakeProvider] = [
        fake_provider(f"p.{name}", FIELDS, said if said is not None else lambda context: None, **facts)  # type: ignore[arg-type]
        for name, (said, facts) in script.items()
    ]
    decision = decide_once(f"{policy}gather: {gather}\n", providers=providers, **known)
    return decision, {provider.name[2:] for provider in providers if provider.calls}


@given(
    policies(),
    scripts(),
    st.fixed_dictionaries(
        {}, optional={"inputs": st.just({"flag": True}), "signals": st.just({"supplied": {"ok": False}})}
    ),
)
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
def test_thrifty_agrees_with_eager_and_records_what_it_skipped(
    policy: str, script: Script, known: dict[str, Any]
) -> None:
    with capture_logs():
        eager, asked_eagerly = decide(policy, "eager", script, known)
        thrifty, asked = decide(policy, "thrifty", script, known)
    assert asked_eagerly == set(SIGNALS)
    assert thrifty.outcome == eager.outcome
    assert thrifty.signals.keys() == eager.signals.keys()
    for name in SIGNALS:
        signal = thrifty.signals[name]
        if name in asked:
            assert (signal.status, signal.fields) == (eager.signals[name].status, eager.signals[name].fields)
        else:
            assert (signal.status, signal.fields) == (SignalStatus.SKIPPED, {})
            assert signal.reason == (SETTLED if thrifty.verdict.settled else UNREAD)
    if thrifty.verdict.settled:
        assert eager.verdict.settled
