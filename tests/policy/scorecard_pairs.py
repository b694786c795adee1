"""Pairs of random policies that differ in their scorecards only, small enough that the scorecard often decides."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import strategies as st
from hypothesis.strategies import DrawFn

from adjudge.model import Outcome
from adjudge.policy import Policy, parse_policy
from adjudge.policy.typed import SCORECARD, Scorecard
from expr.strategies import integers, one_of

HEAD = """policy_language: 1
policy: points
inputs: {n: int, a: bool, b: bool}
signals:
  s: {when_unknown: pass, fields: {x: bool}}
  t: {when_unknown: reject, fields: {y: bool}}
rules:
  - {id: many, when: n > 5, then: review}
scorecard:
  bands: {review: 3, reject: 7}
  points:
"""
CONDITIONS = ("a", "b", "!a", "a && b", "n > 2", "n > 4", "n < 1", "s.x", "t.y", "s.x || t.y", "a && s.x")
POINTS = st.integers(-3, 6)
_ANSWERS = st.sampled_from((True, False, None))


@st.composite
def scorecard_pairs(draw: DrawFn) -> tuple[Policy, Policy]:
    """Return a policy, and one whose scorecard came, went, or has other rows, points, bands or doubt."""
    drawn = draw(st.lists(st.tuples(st.sampled_from(CONDITIONS), POINTS), min_size=1, max_size=6))
    every = [*drawn, *((condition, 1) for condition in CONDITIONS)]  # those that are added are taken from the rest
    typed = parse_policy(HEAD + "".join(f"    - {{when: '{when}', add: {add}}}\n" for when, add in every)).typed
    every_card = typed.scorecards["scorecard"]
    old = replace(every_card, rows=every_card.rows[: len(drawn)])
    new = old
    for _ in range(draw(integers(1, 3))):
        new = _changed(draw, new, every_card)
    cards = ({SCORECARD: old}, {SCORECARD: new}, {})
    at = one_of(draw, ((0, 1), (0, 1), (0, 1), (0, 1), (0, 1), (0, 2), (2, 0)))
    one, other = (Policy(replace(typed, scorecards=cards[which])) for which in at)
    return one, other


@st.composite
def known(draw: DrawFn) -> dict[str, object]:
    """Return what is known of one request."""
    given: dict[str, object] = {"n": draw(integers(0, 6)), "a": draw(_ANSWERS), "b": draw(_ANSWERS)}
    return {**given, "s": {"x": draw(_ANSWERS)}, "t": {"y": draw(_ANSWERS)}}


@st.composite
def weighed_pairs(draw: DrawFn) -> tuple[Policy, Policy]:
    """Return two policies of which some rows take their points from tables, each with its own numbers and guards."""
    return parse_policy(_weighed(draw)), parse_policy(_weighed(draw))


def _weighed(draw: DrawFn) -> str:
    values = ", ".join(f"'{key}': {draw(POINTS)}" for key in (1, 2, 3)[: draw(integers(1, 3))])
    otherwise = draw(st.sampled_from(("", ", else: 2", ", else: -1")))
    text = HEAD.replace("scorecard:", f"lookup:\n  weight: {{by: n, values: {{{values}}}{otherwise}}}\nscorecard:")
    for at in range(draw(integers(1, 4))):
        own = f"id: own{at}, " if draw(st.booleans()) else ""
        guard = draw(st.sampled_from(("", "when: a, ", "when: s.x, ")))
        add = draw(st.sampled_from(("weight", "2 * weight", "weight - 1", "3")))
        text += f"    - {{{own}{guard or ('' if 'weight' in add else 'when: b, ')}add: {add}}}\n"
    return text


def _changed(draw: DrawFn, card: Scorecard, all_: Scorecard) -> Scorecard:
    rows = list(card.rows)
    at = draw(integers(0, len(rows) - 1))
    other = one_of(draw, all_.rows)
    match draw(integers(0, 6)):
        case 0:
            rows[at] = replace(rows[at], points=draw(POINTS))
        case 1:
            rows[at] = replace(rows[at], condition=other.condition)
        case 2 if len(rows) > 1:
            del rows[at]
        case 3:
            rows.insert(at, replace(other, points=draw(POINTS)))
        case 4:
            return replace(card, review=one_of(draw, (None, -1, 1, 2, 4)))
        case 5:
            return replace(card, reject=one_of(draw, (None, 4, 6, 8)))
        case _:
            return replace(card, when_unknown=one_of(draw, (None, *Outcome)))
    return replace(card, rows=tuple(rows))
