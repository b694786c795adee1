"""A slow judge of verdicts: the design's sentences in code, over the reference interpreter. Knows nothing of masks."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from adjudge.expr.nodes import Name, Node, walk
from adjudge.expr.reference import Unknown, evaluate
from adjudge.model import Outcome, Verdict
from adjudge.policy.policy import Policy

PASS, REVIEW, REJECT = Outcome


def truths(policy: Policy, given: Mapping[str, object], now: datetime | None) -> tuple[dict[str, object], list[object]]:
    """Return every slot's and variable's value, and the truth of each rule, then each row, then each excuse."""
    typed = policy.typed
    values = dict(policy.read(given, now=now).values)
    values |= {f"lists.{name}": members for name, members in typed.lists.items()}
    for name, node in typed.variables.items():
        values[name] = _value(node, values)
    rows = typed.scorecard.rows if typed.scorecard else ()
    conditions = [rule.condition for rule in typed.rules] + [row.condition for row in rows]
    conditions += [excuse.condition for excuse in typed.excuses]
    return values, [_value(node, values) for node in conditions]


def _value(node: Node, values: Mapping[str, object]) -> object:
    answer = evaluate(node, values)
    return None if isinstance(answer, Unknown) else answer


def _slots(policy: Policy, node: Node) -> set[str]:
    found: set[str] = set()
    for part in walk(node):
        if isinstance(part, Name):
            variable = policy.typed.variables.get(part.name)
            found |= _slots(policy, variable) if variable is not None else {part.name} & policy.typed.slots.keys()
    return found


def verdict(policy: Policy, given: Mapping[str, object], now: datetime | None = None) -> Verdict:
    """Return what the verdict must be."""
    typed = policy.typed
    values, answers = truths(policy, given, now)
    unknown = {slot for slot in typed.slots if values[slot] is None}

    def in_force(own: Outcome | None, node: Node) -> Outcome:
        if own is not None:
            return own
        owners = {slot.split(".")[0] for slot in _slots(policy, node) & unknown}
        signals = [typed.signals[owner].when_unknown if owner in typed.signals else None for owner in owners]
        return max((typed.when_unknown if said is None else said for said in signals), default=typed.when_unknown)

    every = list(zip(typed.rules, answers, strict=False))
    excuses = list(zip(typed.excuses, answers[len(answers) - len(typed.excuses) :], strict=True))

    def excuse_of(covered: list[object]) -> object:
        """Return whether something is excused: True, False, or None where it is unknown."""
        return True if True in covered else None if None in covered else False

    excusing = {
        rule.id: excuse_of([truth for excuse, truth in excuses if rule.id in excuse.covers]) for rule in typed.rules
    }
    excused = [rule.id for rule, truth in every if truth is not False and excusing[rule.id] is True]
    rules = [(rule, truth) for rule, truth in every if rule.id not in excused]
    counting = [rule for rule, truth in rules if truth is True]
    lower = max((rule.outcome for rule in counting if excusing[rule.id] is False), default=PASS)
    upper = max((rule.outcome for rule, truth in rules if truth is not False), default=PASS)
    doubts = [(rule, in_force(rule.when_unknown, rule.condition)) for rule, truth in rules if truth is None]
    outcome = max([PASS, *(rule.outcome for rule in counting), *(min(rule.outcome, doubt) for rule, doubt in doubts)])
    score = None
    doubted = [rule.condition for rule, _ in doubts]
    touched = {rule.id for rule, truth in rules if truth is not False and excusing[rule.id] is None}
    band_excuse: object = excuse_of([truth for excuse, truth in excuses if excuse.band])
    is_band = False
    reasons: list[str] = []
    card_outcome = PASS
    card = typed.scorecard
    if card is not None:
        rows = list(zip(card.rows, answers[len(typed.rules) :], strict=False))
        sure = sum(row.points for row, truth in rows if truth is True)
        open_rows = [row for row, truth in rows if truth is None]
        score = (
            sure + sum(min(0, row.points) for row in open_rows),
            sure + sum(max(0, row.points) for row in open_rows),
        )

        def band(total: int) -> Outcome:
            if card.reject is not None and total >= card.reject:
                return REJECT
            return REVIEW if card.review is not None and total >= card.review else PASS

        is_band = REVIEW in {band(total) for total in range(score[0], score[1] + 1)}
        if is_band and band_excuse is True:
            excused.append("scorecard")

        def with_excuse(one: Outcome) -> Outcome:
            return PASS if one == REVIEW and band_excuse is True else one

        low, high = with_excuse(band(score[0])), with_excuse(band(score[1]))
        card_outcome = low
        if low != high:
            worth = max(in_force(card.when_unknown, row.condition) for row in open_rows)
            card_outcome = max(low, min(high, worth))
        low = PASS if low == REVIEW and band_excuse is None else low
        lower, upper, outcome = max(lower, low), max(upper, high), max(outcome, card_outcome)
        doubted += [row.condition for row in open_rows]
        card_decides = card_outcome == outcome and (low == outcome or lower < outcome)
    waived = [rule.id for rule, _ in doubts if outcome < min(rule.outcome, typed.when_unknown)]
    if card is not None and outcome < min(high, typed.when_unknown):
        waived.append("scorecard")
    if outcome > PASS:
        sure_rules = [
            rule for rule in counting if rule.outcome == outcome and (excusing[rule.id] is False or outcome > lower)
        ]
        open_rules = [rule for rule, doubt in doubts if min(rule.outcome, doubt) == outcome and outcome > lower]
        deciding = {id(rule) for rule in sure_rules + open_rules}
        reasons = [rule.reason for rule in typed.rules if id(rule) in deciding]
        if card is not None and card_decides:
            reasons.append(card.reason)
    doubted += [
        excuse.condition
        for excuse, truth in excuses
        if truth is None and (excuse.covers & touched or (excuse.band and is_band and band_excuse is None))
    ]
    ask: set[str] = set()
    if outcome > PASS:
        for rule in sure_rules + open_rules:
            ask |= set(rule.ask)
        if card is not None and card_decides:
            certain = {outcome} if outcome == low else {one for one in (REVIEW, REJECT) if low < one <= high}
            ask |= {step for one in certain for step in card.ask.get(one, ())}
    conditions = [part.condition for part in (*typed.rules, *(card.rows if card else ()), *typed.excuses)]
    read = set().union(*(_slots(policy, node) for node in conditions))
    lost = set().union(*(_slots(policy, node) & unknown for node in doubted), set())
    wholly = {slot.split(".")[0] for slot in lost} - {slot.split(".")[0] for slot in read - unknown}
    missing = {slot.split(".")[0] if slot.split(".")[0] in wholly else slot for slot in lost}
    return Verdict(
        outcome=outcome,
        lower=lower,
        upper=upper,
        matched=tuple(rule.id for rule, truth in every if truth is True),
        unresolved=tuple(rule.id for rule, truth in every if truth is None),
        reasons=tuple(dict.fromkeys(reasons)),
        missing=tuple(sorted(missing)),
        score=score,
        waived=tuple(waived),
        excused=tuple(excused),
        ask=tuple(step for step in typed.steps if step in ask),
    )
