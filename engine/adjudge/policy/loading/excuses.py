"""Excuses: conditions that take back reviews, for all rules or for some by id or tag."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping, Sequence

from adjudge.errors import did_you_mean
from adjudge.expr.nodes import Node
from adjudge.model import Outcome
from adjudge.patterns import late
from adjudge.policy.loading.forms import Entries, ExcuseForm, WhenUnless
from adjudge.policy.loading.reader import Reader
from adjudge.policy.text import yaml
from adjudge.policy.text.syntax import shown
from adjudge.policy.text.yaml import Scalar, YamlNode
from adjudge.policy.typed import Excuse, Rule, Scorecard
from adjudge.source import Span

KEYS = ("id", "description", "when", "unless", "from", "rules", "tags")
_ID = late(r"[A-Za-z][A-Za-z0-9._-]{0,99}", re.ASCII)
_UNTOUCHED = "an excuse takes back reviews only; for an exception to a reject write `unless:` in its rule"


def read_excuses(reader: Reader, key: Scalar, node: YamlNode) -> tuple[ExcuseForm, ...]:
    """Return the excuses that stand under `excuse`: one, or a list of them."""
    if isinstance(node, yaml.Mapping):
        return (_excuse(reader, node, "excuse", key.span),)
    if not isinstance(node, yaml.Sequence):
        reader.unfit(node, "`excuse`", "a mapping, or a list of them", "for example {when: …, from: review}")
        return ()
    forms: list[ExcuseForm] = []
    lines: dict[str, str] = {}
    for at, item in enumerate(node.items, 1):
        form = _excuse(reader, item, f"excuse-{at}", item.span)
        if form.id in lines:
            hint = f"the excuse in {lines[form.id]} already has this id"
            reader.blame("name-duplicate", f"duplicate excuse id `{shown(form.id)}`", form.span, hint)
        lines.setdefault(form.id, reader.source.line_at(form.span.start))
        forms.append(form)
    return tuple(forms)


def _excuse(reader: Reader, node: YamlNode, name: str, at: Span) -> ExcuseForm:
    """Return one excuse. name: its id, unless it has one."""
    head = node.entries[0][0].span if isinstance(node, yaml.Mapping) and node.entries else at
    entries = reader.mapping(node, "an excuse", keys=KEYS, required=("when", "from"), at=head)
    said = reader.text(entries["id"][1], "the excuse's id") if "id" in entries else None
    if said is not None and not _ID.fullmatch(said):
        hint = "begin with a letter; then letters, digits, - _ and ., at most 100"
        reader.blame("name-invalid", f"`{shown(said)}` cannot be an excuse's id", entries["id"][1].span, hint)
    if "from" in entries:
        _check_from(reader, entries["from"][1])
    description = reader.text(entries["description"][1], "the description") if "description" in entries else None
    return ExcuseForm(
        id=said or name,
        guard=WhenUnless(
            when=reader.condition(entries["when"][1], "`when`") if "when" in entries else None,
            unless=reader.condition(entries["unless"][1], "`unless`") if "unless" in entries else None,
        ),
        rules=_names(reader, entries, "rules"),
        tags=_names(reader, entries, "tags"),
        description=(description or "").strip(),
        span=entries["id"][1].span if "id" in entries else head,
    )


def _check_from(reader: Reader, node: YamlNode) -> None:
    """Blame an excuse from anything but reviews."""
    if isinstance(node, Scalar) and node.value == Outcome.REVIEW.value:
        return
    if isinstance(node, Scalar) and node.value is not None:
        said = shown(node.text.value)
        reader.blame("schema-value", f"an excuse is `from: review`, not `{said}`", node.span, _UNTOUCHED)
    else:
        reader.unfit(node, "`from`", "`review`", "write `from: review`")


def _names(reader: Reader, entries: Entries, key: str) -> tuple[Scalar, ...] | None:
    """Return the names under `rules` or `tags`; None where there is no such key."""
    if key not in entries:
        return None
    at, node = entries[key]
    items = reader.names(node, f"`{key}`")
    if isinstance(node, yaml.Sequence) and not items:
        reader.blame("schema-empty", f"`{key}` is empty", at.span, "name one, or leave the key out: then it is for all")
    return tuple(
        item for item in items if reader.text(item, f"an item of `{key}`") is not None and isinstance(item, Scalar)
    )


def typed_excuses(
    reader: Reader,
    forms: Sequence[ExcuseForm],
    typed: Callable[[WhenUnless], Node],
    rules: Sequence[Rule],
    scorecards: Mapping[str, Scorecard],
) -> tuple[Excuse, ...]:
    """Return the excuses with the rules that each is for. typed: what a condition as written means."""
    outcomes = {rule.id: rule.outcome for rule in rules}
    found = []
    for form in forms:
        names = _checked(reader, form.rules or (), outcomes, scorecards)
        tags = _known_tags(reader, form.tags or (), rules)
        is_for_all = form.rules is None and form.tags is None
        covers = frozenset(
            rule.id
            for rule in rules
            if rule.outcome is Outcome.REVIEW and (is_for_all or rule.id in names or tags.intersection(rule.tags))
        )
        cards = frozenset(
            card.name for card in scorecards.values() if card.review is not None and (is_for_all or card.label in names)
        )
        found.append(
            Excuse(
                id=form.id,
                condition=typed(form.guard),
                covers=covers,
                cards=cards,
                description=form.description,
                span=form.span,
            )
        )
    return tuple(found)


def _checked(
    reader: Reader, scalars: Sequence[Scalar], outcomes: Mapping[str, Outcome], scorecards: Mapping[str, Scorecard]
) -> frozenset[str]:
    """Return the rules and scorecards that are named; blames those that are not there, and those that are no review."""
    known: Collection[str] = {**outcomes, **{card.label: None for card in scorecards.values()}}
    for scalar in scalars:
        name = scalar.text.value
        if name not in known:
            hint = did_you_mean(name, known) or "write the id of a rule, as `adjudge explain` and reports have it"
            reader.blame("name-unknown", f"there is no rule `{shown(name)}`", scalar.span, hint)
        elif outcomes.get(name) is Outcome.REJECT:
            reader.blame("schema-value", f"`{shown(name)}` is a reject", scalar.span, _UNTOUCHED)
    return frozenset(scalar.text.value for scalar in scalars)


def _known_tags(reader: Reader, scalars: Sequence[Scalar], rules: Sequence[Rule]) -> frozenset[str]:
    """Return the tags that are named; blames those that no rule has."""
    known = dict.fromkeys(tag for rule in rules for tag in rule.tags)
    for scalar in scalars:
        tag = scalar.text.value
        if tag not in known:
            hint = did_you_mean(tag, known) or "tags stand under `tags:` of a rule"
            reader.blame("name-unknown", f"no rule has the tag `{shown(tag)}`", scalar.span, hint)
    return frozenset(scalar.text.value for scalar in scalars)
