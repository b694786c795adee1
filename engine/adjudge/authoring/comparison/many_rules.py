"""Many rules that differ, such as the rows of a table that somebody loaded anew: found and settled row by row.

To ask a solver about thousands of rules at once takes it minutes. Most of what they differ in is shown by an input at
the edge of one of them; and that there is nothing more is proved of each rule and the few on the other side that are
like it: where none of some rules makes an outcome that its like does not make as well, all of them together do not.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from itertools import islice

from adjudge.authoring.proofs.guesses import guesses
from adjudge.authoring.proofs.inquiry import Inquiry
from adjudge.authoring.proofs.verdict import Verdicts
from adjudge.authoring.proofs.world import Input, put_all
from adjudge.expr.nodes import Binary, Logic, Node
from adjudge.expr.printing import unparse
from adjudge.expr.smt.logic import Prop, any_of, conj, neg
from adjudge.model import Outcome
from adjudge.policy.slots import NOW
from adjudge.policy.typed import Rule, TypedPolicy

OWN_MIN = 200
"""So many rules that only one policy has are many."""
GUESSES_MAX = 2
"""So many inputs at the edge of one rule are tried, each also without one of its values."""
LIKE_MAX = 5
"""With so many rules of the other side one is compared."""
_TOGETHER = 100
"""So many rules are asked about at once."""


def edges_of(rule: Rule, typed: TypedPolicy) -> Iterator[Input]:
    """Yield inputs at the edge of a rule."""
    for guess in islice(guesses(rule.condition, typed), GUESSES_MAX):
        now = guess.get(NOW)
        for left_out in (None, *(slot for slot in guess if slot != NOW)):
            known = {slot: value for slot, value in guess.items() if slot != left_out}
            yield Input(given=put_all({}, known, typed), now=now if isinstance(now, datetime) else None)


def is_settled(
    inquiry: Inquiry,
    terms: Verdicts,
    others: Verdicts,
    softer: Outcome,
    harder: Outcome,
    aside: Mapping[str, Sequence[Prop]],
) -> bool:
    """Whether it is proved that one policy makes nothing harder of what is softer in another.

    terms: of the policy that may be harder. aside: by rule or scorecard, where its difference is known already.
    """
    least = Outcome.REVIEW if softer is Outcome.PASS else Outcome.REJECT  # the softer policy makes nothing so severe
    like = _like(others.typed)
    claims = [
        conj(
            part.of(harder),
            *(neg(others.parts[at].of(least)) for at in like(rule)),
            *(neg(known) for known in aside.get(rule.id, ())),
        )
        for rule, part in zip(terms.typed.rules, terms.parts, strict=True)
    ]
    for name, part in terms.cards.items():
        there = [others.cards[name].of(least)] if name in others.cards else []
        known = aside.get(terms.typed.scorecards[name].label, ())
        claims.append(conj(part.of(harder), *(neg(one) for one in (*there, *known))))
    claims = [claim for claim in claims if claim is not False]
    chunks = (claims[at : at + _TOGETHER] for at in range(0, len(claims), _TOGETHER))
    softly = others.outcome.of(softer) if softer is not Outcome.PASS else True
    return all(inquiry.never(conj(softly, any_of(chunk))) is not None for chunk in chunks)


def _like(typed: TypedPolicy) -> Callable[[Rule], Sequence[int]]:
    """Return what finds the rules of a policy that are like one of another: of its id, or that ask for equal values."""
    by_id = {rule.id: at for at, rule in enumerate(typed.rules)}
    by_key: defaultdict[frozenset[str], list[int]] = defaultdict(list)
    for at, rule in enumerate(typed.rules):
        by_key[_key(rule.condition)].append(at)

    def like(rule: Rule) -> Sequence[int]:
        found = [by_id[rule.id]] if rule.id in by_id else []
        return tuple(dict.fromkeys([*found, *by_key.get(_key(rule.condition), ())[:LIKE_MAX]]))

    return like


def _key(condition: Node) -> frozenset[str]:
    parts = condition.operands if isinstance(condition, Logic) and condition.operator == "&&" else (condition,)
    return frozenset(unparse(part) for part in parts if isinstance(part, Binary) and part.operator in ("==", "in"))
