"""A slow judge of verdicts: the design's sentences in code, over the reference interpreter. Knows nothing of masks."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from adjudge.expr.nodes import Name, Node, walk
from adjudge.expr.reference import Unknown, evaluate
from adjudge.model import Outcome, Verdict
from adjudge.policy.policy import Policy
from adjudge.policy.typed import Scorecard

PASS, REVIEW, REJECT = Outcome


def truths(policy: Policy, given: Mapping[str, object], now: datetime | None) -> tuple[dict[str, object], list[object]]:
    """Return every slot's and variable's value, and the truth of each rule, then each row, then each excuse."""
    typed = policy.typed
    values = dict(policy.read(given, now=now).values)
    values |= {f"lists.{name}": members for name, members in typed.lists.items()}
    for name, node in typed.variables.items():
        values[name] = _value(node, values)
    rows = [row for card in typed.scorecards.values() for row in card.rows]
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


def _band(card: Scorecard, total: int) -> Outcome:
    if card.reject is not None and total >= card.reject:
        return REJECT
    return REVIEW if card.review is not None and total >= card.review else PASS


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
    doubted = [rule.condition for rule, _ in doubts]
    touched = {rule.id for rule, truth in rules if truth is not False and excusing[rule.id] is None}
    reasons: list[str] = []
    cards: list[tuple[Scorecard, Outcome, Outcome, Outcome]] = []
    totals: dict[str, tuple[int, int]] = {}
    doubted_bands: set[str] = set()
    rest = answers[len(typed.rules) :]
    for card in typed.scorecards.values():
        rows, rest = list(zip(card.rows, rest, strict=False)), rest[len(card.rows) :]
        band_excuse = excuse_of([truth for excuse, truth in excuses if card.name in excuse.cards])
        sure = sum(row.points for row, truth in rows if truth is True)
        open_rows = [row for row, truth in rows if truth is None]
        total = (
            sure + sum(min(0, row.points) for row in open_rows),
            sure + sum(max(0, row.points) for row in open_rows),
        )
        is_band = REVIEW in {_band(card, one) for one in range(total[0], total[1] + 1)}
        if is_band and band_excuse is True:
            excused.append("scorecard" if card.name == "scorecard" else f"scorecard:{card.name}")
        if is_band and band_excuse is None:
            doubted_bands.add(card.name)
        low, high = (
            PASS if one == REVIEW and band_excuse is True else one for one in (_band(card, end) for end in total)
        )
        card_outcome = low
        if low != high:
            worth = max(in_force(card.when_unknown, row.condition) for row in open_rows)
            card_outcome = max(low, min(high, worth))
        low = PASS if low == REVIEW and band_excuse is None else low
        totals[card.name] = total
        cards.append((card, low, high, card_outcome))
        doubted += [row.condition for row in open_rows]
    lower = max([lower, *(low for _, low, _, _ in cards)])
    upper = max([upper, *(high for _, _, high, _ in cards)])
    outcome = max([outcome, *(made for _, _, _, made in cards)])
    waived = [rule.id for rule, _ in doubts if outcome < min(rule.outcome, typed.when_unknown)]
    for card, _, high, _ in cards:
        if outcome < min(high, typed.when_unknown):
            waived.append("scorecard" if card.name == "scorecard" else f"scorecard:{card.name}")
    if outcome > PASS:
        sure_rules = [
            rule for rule in counting if rule.outcome == outcome and (excusing[rule.id] is False or outcome > lower)
        ]
        open_rules = [rule for rule, doubt in doubts if min(rule.outcome, doubt) == outcome and outcome > lower]
        deciding = {id(rule) for rule in sure_rules + open_rules}
        reasons = [rule.reason for rule in typed.rules if id(rule) in deciding]
        decides = ((card, low == outcome or lower < outcome) for card, low, _, made in cards if made == outcome)
        deciding_cards = [card for card, is_deciding in decides if is_deciding]
        reasons += [card.reason for card in deciding_cards]
    doubted += [
        excuse.condition
        for excuse, truth in excuses
        if truth is None and (excuse.covers & touched or excuse.cards & doubted_bands)
    ]
    ask: set[str] = set()
    if outcome > PASS:
        for rule in sure_rules + open_rules:
            ask |= set(rule.ask)
        for card, low, high, _ in cards:
            if card in deciding_cards:
                certain = {outcome} if outcome == low else {one for one in (REVIEW, REJECT) if low < one <= high}
                ask |= {step for one in certain for step in card.ask.get(one, ())}
    rows_ = [row for card in typed.scorecards.values() for row in card.rows]
    conditions = [part.condition for part in (*typed.rules, *rows_, *typed.excuses)]
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
        score=totals.pop("scorecard", None),
        scores=totals,
        waived=tuple(waived),
        excused=tuple(excused),
        ask=tuple(step for step in typed.steps if step in ask),
    )
