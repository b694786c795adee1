"""The shape of a policy document: its keys, and what stands under each, before any name is looked up.

What was blamed is left out or has a stand-in: a document is for reading on and finding more, and nobody evaluates it
once there are errors.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from adjudge.errors import PolicyError, nearest
from adjudge.expr.nodes import names_in
from adjudge.expr.parse import parse
from adjudge.model import Outcome
from adjudge.patterns import late
from adjudge.policy.loading.choosing import read_confirm, read_sample, read_scenes, read_share
from adjudge.policy.loading.excuses import read_excuses
from adjudge.policy.loading.forms import Document, Entries, RowForm, RuleForm, ScorecardForm, SignalForm, WhenUnless
from adjudge.policy.loading.period import read_period
from adjudge.policy.loading.reader import Reader
from adjudge.policy.loading.remarks import read_tags, read_texts
from adjudge.policy.loading.steps import read_ask
from adjudge.policy.text import yaml
from adjudge.policy.text.syntax import as_value, shown
from adjudge.policy.text.yaml import Scalar, YamlNode
from adjudge.policy.typed import SCORECARD
from adjudge.source import Edit, Span
from adjudge.texts import with_article
from adjudge.values.look_alikes import plainly

POLICY_LANGUAGE = 1
POINTS_MAX = 1_000_000
TIMEOUT_MAX_S = 600.0
TIMEOUT_S = 10.0
KEYS = (
    "policy_language",
    "policy",
    "description",
    "scenes",
    "include",
    "inputs",
    "signals",
    "lists",
    "lookup",
    "rates",
    "variables",
    "when_unknown",
    "gather",
    "explore",
    "sample",
    "thresholds",
    "tables",
    "rules",
    "scorecard",
    "scorecards",
    "excuse",
    "steps",
    "reasons",
    "calibration",
)
DECLARATIONS = ("inputs", "signals", "lists", "lookup", "variables")
STRICT = (
    "inputs",
    "signals",
    "lists",
    "lookup",
    "thresholds",
    "tables",
    "rules",
    "scorecard",
    "scorecards",
    "excuse",
    "reasons",
)
"""Sections whose every part has a form of its own, so that what belongs elsewhere is none."""
SIGNAL_KEYS = ("provider", "with", "fields", "timeout", "when_unknown", "when_billing_unknown")
RULE_KEYS = (
    "id",
    "description",
    "when",
    "unless",
    "then",
    "reason",
    "when_unknown",
    "from",
    "until",
    "message",
    "ask",
    "confirm",
    "tags",
)
PERIOD_KEYS = ("from", "until")
SCORECARD_KEYS = ("points", "bands", "reason", "when_unknown")
ROW_KEYS = ("id", "when", "unless", "add")
BAND_KEYS = ("review", "reject")
BAND_PARTS = ("at", "ask", "confirm")
WHEN_BILLING_UNKNOWN = ("unknown", "ask_again")
CAUGHT = (Outcome.REVIEW, Outcome.REJECT)

POLICY_NAME = late(r"[A-Za-z0-9][A-Za-z0-9_-]{0,99}", re.ASCII)
RULE_ID = late(r"[A-Za-z][A-Za-z0-9._-]{0,99}", re.ASCII)
_ID_FORM = "begin with a letter; then letters, digits, - _ and ., at most 100"
REASON_CODE = late(r"[A-Z][A-Z0-9_]{0,99}", re.ASCII)
_WORD_STARTS = late(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")


def read_document(reader: Reader, root: YamlNode) -> Document | None:
    """Return the document's parts; None where it is none, or is of another policy language."""
    if isinstance(root, yaml.Mapping) and not _is_our_language(reader, root.get("policy_language")):
        return None
    entries = reader.mapping(root, "a policy", keys=KEYS, required=KEYS[:2], at=_head(root))
    if not isinstance(root, yaml.Mapping):
        return None

    def section(key: str, what: str) -> Entries:
        return reader.mapping(entries[key][1], what, at=entries[key][0].span) if key in entries else {}

    declared = {key: section(key, f"`{key}`") for key in DECLARATIONS}
    variables = declared["variables"]
    return Document(
        name=_policy_name(reader, entries),
        description=(_text(reader, entries, "description", "the description") or "").strip(),
        inputs=declared["inputs"],
        signals=tuple(_signal(reader, key, node) for key, node in declared["signals"].values()),
        lists=declared["lists"],
        lookups=declared["lookup"],
        rates=section("rates", "`rates`"),
        variables={name: (key, reader.condition(node, f"`{name}`")) for name, (key, node) in variables.items()},
        when_unknown=_when_unknown(reader, entries) or Outcome.REVIEW,
        gather=_choice(reader, entries, "gather", ("eager", "thrifty")) or "eager",
        explore=read_share(reader, entries["explore"][1], "`explore`") if "explore" in entries else 0.0,
        thresholds=section("thresholds", "`thresholds`"),
        tables=section("tables", "`tables`"),
        rules=_rules(reader, entries["rules"][1]) if "rules" in entries else (),
        scorecards=_scorecards(reader, entries),
        excuses=read_excuses(reader, *entries["excuse"]) if "excuse" in entries else (),
        steps=section("steps", "`steps`"),
        scenes=read_scenes(reader, entries["scenes"][1]) if "scenes" in entries else (),
        sample=read_sample(reader, *entries["sample"], lambda parts: _reason(reader, parts))
        if "sample" in entries
        else None,
        reasons=section("reasons", "`reasons`"),
        calibration=section("calibration", "`calibration`"),
        complete=reader.is_whole and not any(_hides_names(key.text.value, node) for key, node in root.entries),
        unread={
            key: tuple(name.text.value for name, _ in node.entries if name.text.value not in found)
            for key, found in declared.items()
            if key in entries and isinstance(node := entries[key][1], yaml.Mapping) and len(node.entries) > len(found)
        },
    )


def _hides_names(key: str, node: YamlNode) -> bool:
    """Whether names may be declared here that nobody could read."""
    if key in DECLARATIONS:
        return not isinstance(node, yaml.Mapping)
    return key not in KEYS and nearest(key, DECLARATIONS) is not None


def _slug(text: str) -> str:
    """Return a name that reads as `text` and can be one: `Many Attempts!` is `many-attempts`."""
    return re.sub(r"[^A-Za-z0-9_.]+", "-", plainly(text)).strip("-.").lower().lstrip("0123456789-_.")


def upper_snake(text: str) -> str:
    """Return a reason code that reads as `text`: `deepfake.score.SuspectRemake` is DEEPFAKE_SCORE_SUSPECT_REMAKE."""
    return re.sub(r"[^A-Z0-9]+", "_", _WORD_STARTS.sub("_", text).upper()).strip("_")


def _is_our_language(reader: Reader, node: YamlNode | None) -> bool:
    said = reader.integer(node, "`policy_language`", 10**6) if node is not None else None
    if node is None or said is None or said == POLICY_LANGUAGE:
        return True
    hint = f"write {POLICY_LANGUAGE}, or install the version of adjudge that the policy was written for"
    reader.blame(
        "schema-policy-language",
        f"policy language {said} is not supported; this version knows {POLICY_LANGUAGE}",
        node.span,
        hint,
    )
    return False


def _policy_name(reader: Reader, entries: Entries) -> str:
    name = _text(reader, entries, "policy", "the policy's name")
    if name is not None and not POLICY_NAME.fullmatch(name):
        slug = _slug(name)
        hint = "letters, digits, - and _, at most 100" + (f", such as {slug}" if POLICY_NAME.fullmatch(slug) else "")
        span = entries["policy"][1].span
        fix = (Edit(span=span, text=slug),) if POLICY_NAME.fullmatch(slug) else ()
        reader.blame("name-invalid", f"`{shown(name)}` cannot be a policy's name", span, hint, fix=fix)
    return name or ""


def _text(reader: Reader, entries: Entries, key: str, what: str) -> str | None:
    return reader.text(entries[key][1], what) if key in entries else None


def _choice(reader: Reader, entries: Entries, key: str, values: tuple[str, ...]) -> str | None:
    return reader.choice(entries[key][1], f"`{key}`", values) if key in entries else None


def _when_unknown(reader: Reader, entries: Entries) -> Outcome | None:
    return reader.outcome(entries["when_unknown"][1], "`when_unknown`") if "when_unknown" in entries else None


def _signal(reader: Reader, key: Scalar, node: YamlNode) -> SignalForm:
    before = len(reader.errors)
    entries = reader.mapping(node, "a signal", keys=SIGNAL_KEYS, at=key.span)
    provider = entries["provider"][1] if "provider" in entries else None
    is_named = provider is not None and reader.text(provider, "a provider's name") is not None
    if not isinstance(node, yaml.Mapping) or len(reader.errors) > before:
        pass
    elif provider is None and "fields" not in entries:
        hint = "`provider:` if adjudge asks for it, `fields:` if the caller supplies it"
        reader.blame("schema-missing", "a signal needs `provider` or `fields`", key.span, hint)
    elif provider is None:
        for name in ("with", "timeout", "when_billing_unknown"):
            if name in entries:
                hint = "name the `provider:`, or delete it: the caller supplies this signal"
                reader.blame("schema-provider", f"`{name}` needs a provider", entries[name][0].span, hint)
    damaged = len(reader.errors) > before or not isinstance(node, yaml.Mapping)
    return SignalForm(
        key=key,
        provider=provider if is_named and isinstance(provider, Scalar) else None,
        config=entries["with"][1] if "with" in entries else None,
        fields=entries["fields"][1] if "fields" in entries else None,
        timeout_s=(reader.seconds(entries["timeout"][1], "`timeout`", TIMEOUT_MAX_S) if "timeout" in entries else None)
        or TIMEOUT_S,
        when_unknown=_when_unknown(reader, entries),
        when_billing_unknown="ask_again"
        if _choice(reader, entries, "when_billing_unknown", WHEN_BILLING_UNKNOWN) == "ask_again"
        else "unknown",
        damaged=damaged,
    )


def _guard(reader: Reader, entries: Entries) -> WhenUnless:
    return WhenUnless(
        when=reader.condition(entries["when"][1], "`when`") if "when" in entries else None,
        unless=reader.condition(entries["unless"][1], "`unless`") if "unless" in entries else None,
    )


def _rules(reader: Reader, node: YamlNode) -> tuple[RuleForm, ...]:
    rules: list[RuleForm] = []
    lines: dict[str, str] = {}
    for item in reader.items(node, "`rules`"):
        entries = reader.mapping(item, "a rule", keys=RULE_KEYS, required=("id", "when", "then"), at=_head(item))
        rule_id = _id(reader, entries, lines)
        span = entries["id"][1].span if "id" in entries else item.span
        first, last = (entries[key][1] if key in entries else None for key in PERIOD_KEYS)
        then = reader.outcome(entries["then"][1], "`then`", CAUGHT) if "then" in entries else None
        confirm, said = entries.get("confirm", (None, None))
        rules.append(
            RuleForm(
                id=rule_id,
                guard=_guard(reader, entries),
                outcome=then or Outcome.REVIEW,
                reason=_reason(reader, entries) or upper_snake(rule_id),
                when_unknown=_when_unknown(reader, entries),
                description=(_text(reader, entries, "description", "the description") or "").strip(),
                period=read_period(reader, first, last, span),
                message=read_texts(reader, entries["message"][1], "the message") if "message" in entries else {},
                tags=read_tags(reader, entries["tags"][1]) if "tags" in entries else (),
                ask=read_ask(reader, entries["ask"][1]) if "ask" in entries else (),
                confirm=confirm is not None
                and said is not None
                and read_confirm(reader, said, then or Outcome.REJECT, confirm.span),
                span=span,
            )
        )
    return tuple(rules)


def _head(node: YamlNode) -> Span:
    """Return where a mapping's first key stands."""
    return node.entries[0][0].span if isinstance(node, yaml.Mapping) and node.entries else node.span


def _id(reader: Reader, entries: Entries, lines: dict[str, str], of: str = "rule") -> str:
    """Return the id of a rule or row. lines: where each id was seen first; it grows."""
    rule_id = _text(reader, entries, "id", f"the {of}'s id")
    if rule_id is None:
        return ""
    span = entries["id"][1].span
    if not RULE_ID.fullmatch(rule_id):
        slug = _slug(rule_id)
        fix: tuple[Edit, ...] = ()
        hint = _ID_FORM
        if RULE_ID.fullmatch(slug):
            hint, fix = f"{hint}: write {slug}", (Edit(span=span, text=slug),)
        reader.blame("name-invalid", f"`{shown(rule_id)}` cannot be {with_article(of)}'s id", span, hint, fix=fix)
    elif rule_id in lines:
        hint = f"the {of} in {lines[rule_id]} already has this id"
        reader.blame("name-duplicate", f"duplicate {of} id `{shown(rule_id)}`", span, hint)
    lines.setdefault(rule_id, reader.source.line_at(span.start))
    return rule_id


def _reason(reader: Reader, entries: Entries) -> str | None:
    reason = _text(reader, entries, "reason", "the reason code")
    if reason is not None and not REASON_CODE.fullmatch(reason):
        code = upper_snake(reason)
        hint = "capital letters, digits and _" + (f", such as {code}" if REASON_CODE.fullmatch(code) else "")
        span = entries["reason"][1].span
        fix = (Edit(span=span, text=code),) if REASON_CODE.fullmatch(code) else ()
        reader.blame("name-invalid", f"`{shown(reason)}` cannot be a reason code", span, hint, fix=fix)
    return reason


def _scorecards(reader: Reader, entries: Entries) -> tuple[ScorecardForm, ...]:
    """Return the scorecards: the only one, or several by name."""
    found: list[ScorecardForm] = []
    if "scorecard" in entries:
        found.append(_scorecard(reader, *entries["scorecard"], SCORECARD))
    if "scorecards" not in entries:
        return tuple(found)
    key, node = entries["scorecards"]
    if found:
        hint = f"move it under `scorecards`, with a name of its own; {reader.source.line_at(key.span.start)} has others"
        message = "a policy has `scorecard` or `scorecards`, not both"
        reader.blame("schema-scorecards", message, entries["scorecard"][0].span, hint)
    named = reader.mapping(node, "`scorecards`", at=key.span)
    if isinstance(node, yaml.Mapping) and not named:
        reader.blame("schema-empty", "`scorecards` is empty", key.span, "add a scorecard under its name, or delete it")
    for name, (card_key, card) in named.items():
        if not RULE_ID.fullmatch(name):
            reader.blame("name-invalid", f"`{shown(name)}` cannot be a scorecard's name", card_key.span, _ID_FORM)
        found.append(_scorecard(reader, card_key, card, name))
    return tuple(found)


def _scorecard(reader: Reader, key: Scalar, node: YamlNode, name: str) -> ScorecardForm:
    entries = reader.mapping(
        node,
        "the scorecard" if name == SCORECARD else "a scorecard",
        keys=SCORECARD_KEYS,
        required=("points", "bands"),
        at=key.span,
    )
    begins, spans, ask, confirm = _bands(reader, *entries["bands"]) if "bands" in entries else ({}, {}, {}, False)
    default = "SCORECARD" if name == SCORECARD else f"SCORECARD_{upper_snake(name)}"
    return ScorecardForm(
        name=name,
        rows=_rows(reader, *entries["points"]) if "points" in entries else (),
        review=begins.get(Outcome.REVIEW),
        reject=begins.get(Outcome.REJECT),
        reason=_reason(reader, entries) or default,
        when_unknown=_when_unknown(reader, entries),
        ask=ask,
        confirm=confirm,
        spans=spans,
    )


def _rows(reader: Reader, key: Scalar, node: YamlNode) -> tuple[RowForm, ...]:
    rows: list[RowForm] = []
    lines: dict[str, str] = {}
    items = reader.items(node, "`points`")
    if isinstance(node, yaml.Sequence) and not items:
        reader.blame("schema-empty", "`points` is empty", key.span, "add a row, or leave the scorecard out")
    for at, item in enumerate(items, 1):
        if (meant := _row_meant(reader, item)) is not None:
            reader.unfit(item, "a row", "a mapping with `when` and `add`", meant=meant)
            continue
        said = item.get("add") if isinstance(item, yaml.Mapping) else None
        adds = said if said is not None and isinstance(said, Scalar) and _is_expression(said) else None
        needed = ("add",) if adds is not None else ("when", "add")
        entries = reader.mapping(item, "a row", keys=ROW_KEYS, required=needed, at=_head(item))
        points = reader.integer(said, "`add`", POINTS_MAX) if said is not None and adds is None else None
        guard = _guard(reader, entries)
        own = _id(reader, entries, lines, "row") if "id" in entries else ""
        span = guard.when.span if guard.when else adds.span if adds is not None else item.span
        number = said.span if said is not None and adds is None else None
        form = RowForm(id=own or f"row {at}", guard=guard, points=points or 0, adds=adds, number=number, span=span)
        rows.append(form)
    return tuple(rows)


def _is_expression(node: YamlNode) -> bool:
    """Whether what stands under `add` names something; a number with a unit or a blank in it does not."""
    if not isinstance(node, Scalar) or not isinstance(node.value, str):
        return False
    try:
        return bool(names_in(parse(node.text)))
    except PolicyError:
        return node.text.value.lstrip("-( ")[:1].isalpha()


def _row_meant(reader: Reader, node: YamlNode) -> str | None:
    """Return the row that `device.vpn: 10` was meant to be; None for anything else."""
    if not isinstance(node, yaml.Mapping) or len(node.entries) != 1:
        return None
    key, value = node.entries[0]
    if key.text.value in ROW_KEYS or not isinstance(value, Scalar) or type(value.value) is not int:
        return None
    return f"{{when: {as_value(key.text.value, '', '{')}, add: {value.text.value}}}"


def _bands(
    reader: Reader, key: Scalar, node: YamlNode
) -> tuple[Mapping[Outcome, int], Mapping[Outcome, Span], Mapping[Outcome, tuple[Scalar, ...]], bool]:
    """Return each band's beginning and its place, what it asks for, and whether a person confirms the reject."""
    if isinstance(node, yaml.Sequence) and len(node.items) == len(BAND_KEYS):
        low, high = (reader.written(item) for item in node.items)
        reader.unfit(node, "`bands`", "a mapping", meant=f"{{review: {low}, reject: {high}}}")
        return {}, {}, {}, False
    entries = reader.mapping(node, "`bands`", keys=BAND_KEYS, at=key.span)
    if isinstance(node, yaml.Mapping) and not node.entries:
        reader.blame("schema-missing", "`bands` needs `review` or `reject`", key.span)
    begins: dict[Outcome, int] = {}
    spans: dict[Outcome, Span] = {}
    ask: dict[Outcome, tuple[Scalar, ...]] = {}
    confirm = False
    for band, (name, part) in entries.items():
        start: YamlNode | None = part
        if isinstance(part, yaml.Mapping):
            parts = reader.mapping(part, f"`{band}`", keys=BAND_PARTS, required=("at",), at=name.span)
            start = parts["at"][1] if "at" in parts else None
            if "ask" in parts:
                ask[Outcome(band)] = read_ask(reader, parts["ask"][1])
            if "confirm" in parts:
                key, said = parts["confirm"]
                confirm = read_confirm(reader, said, Outcome(band), key.span) or confirm
        total = reader.integer(start, f"`{band}`", 10**9) if start is not None else None
        if start is not None and total is not None:
            begins[Outcome(band)], spans[Outcome(band)] = total, start.span
    review, reject = begins.get(Outcome.REVIEW), begins.get(Outcome.REJECT)
    if review is not None and reject is not None and review > reject:
        message = f"review begins at {review}, above reject at {reject}, so it could never be the outcome"
        one, two = spans[Outcome.REVIEW], spans[Outcome.REJECT]
        fix = (Edit(span=one, text=str(reject)), Edit(span=two, text=str(review)))
        reader.blame("threshold-order", message, one, "swap the two", fix=fix)
    return begins, spans, ask, confirm
