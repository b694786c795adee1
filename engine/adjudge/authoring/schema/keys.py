"""Every key of a policy document: its type, what it means, and an example. The one source of schema and reference."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from adjudge.frozen import frozen

OUTCOME: Mapping[str, Any] = {"enum": ["pass", "review", "reject"]}
CAUGHT: Mapping[str, Any] = {"enum": ["review", "reject"]}
TEXT: Mapping[str, Any] = {"type": "string", "minLength": 1}
CONDITION: Mapping[str, Any] = {"type": ["string", "boolean", "number"]}
TEXTS: Mapping[str, Any] = {
    "oneOf": [TEXT, {"type": "object", "additionalProperties": TEXT, "propertyNames": {"pattern": "^[a-z]{2,3}(-|$)"}}]
}
REASON: Mapping[str, Any] = {"type": "string", "pattern": "^[A-Z][A-Z0-9_]{0,99}$"}
STEPS: Mapping[str, Any] = {"type": "array", "items": TEXT, "minItems": 1}
SHARE: Mapping[str, Any] = {
    "anyOf": [
        {"type": "number", "minimum": 0, "maximum": 1},
        {"type": "string", "pattern": "^\\d+(\\.\\d+)? ?%$"},
    ]
}
CONFIRM: Mapping[str, Any] = {"const": "person"}
DURATION: Mapping[str, Any] = {"type": "string"}
MOMENT: Mapping[str, Any] = {"type": "string", "pattern": "^\\d{4}-\\d{2}-\\d{2}"}


@frozen(kw_only=True)
class Key:
    """One key. said: its type in words. schema: in JSON Schema. example: as YAML. needed: whether it must be there."""

    said: str
    schema: Mapping[str, Any]
    meaning: str
    example: str
    needed: bool = False


def _ref(name: str) -> Mapping[str, Any]:
    return {"$ref": f"#/$defs/{name}"}


def _by_name(schema: Mapping[str, Any]) -> Mapping[str, Any]:
    return {"type": "object", "additionalProperties": schema}


POLICY: Mapping[str, Key] = {
    "policy_language": Key(
        said="`1`", schema={"const": 1}, meaning="the version of this language", example="1", needed=True
    ),
    "policy": Key(
        said="name",
        schema={"type": "string", "pattern": "^[A-Za-z0-9][A-Za-z0-9_-]{0,99}$"},
        meaning="the policy's name, in requests and in the log",
        example="face-onboarding",
        needed=True,
    ),
    "description": Key(said="text", schema=TEXT, meaning="for people", example="Selfie step"),
    "scenes": Key(
        said="scene codes",
        schema={"type": "array", "items": {"type": "string", "pattern": "^[0-9A-Za-z_]{1,10}$"}, "minItems": 1},
        meaning="whose requests it answers where they name no policy",
        example="[onboard001]",
    ),
    "include": Key(
        said="paths",
        schema={"type": "array", "items": TEXT, "uniqueItems": True, "maxItems": 50},
        meaning="fragments that several policies share",
        example="[shared/device.yaml]",
    ),
    "inputs": Key(
        said="fields by name",
        schema=_by_name(_ref("field")),
        meaning="what the caller knows",
        example="{country: string}",
    ),
    "signals": Key(
        said="signals by name",
        schema=_by_name(_ref("signal")),
        meaning="what providers are asked, or what the caller supplies",
        example="{deepfake: {provider: aliyun.deepfake}}",
    ),
    "lists": Key(
        said="lists by name",
        schema=_by_name(_ref("list")),
        meaning="values for `in lists.NAME`",
        example="{bad: [KP, IR]}",
    ),
    "lookup": Key(
        said="tables of values by name",
        schema=_by_name(_ref("lookup")),
        meaning="limits, rates and weights by country, category and the like",
        example="{limit: {by: country, values: {SG: 50000, ID: 20000}}}",
    ),
    "rates": Key(
        said="by currency",
        schema=_by_name(_by_name({"type": "number", "exclusiveMinimum": 0})),
        meaning="what one of each other currency is worth in it, for `.in(…)`",
        example="{USD: {SGD: 0.74}}",
    ),
    "variables": Key(
        said="conditions by name",
        schema=_by_name(CONDITION),
        meaning="parts that several rules share",
        example="{risky: device.score >= 70.0}",
    ),
    "when_unknown": Key(
        said="outcome", schema=OUTCOME, meaning="the outcome when in doubt; `review` by default", example="review"
    ),
    "gather": Key(
        said="`eager`, `thrifty`",
        schema={"enum": ["eager", "thrifty"]},
        meaning="ask all at once, or the cheapest first",
        example="thrifty",
    ),
    "explore": Key(
        said="share",
        schema=SHARE,
        meaning="how many requests ask for every signal even if it is not needed",
        example="2%",
    ),
    "sample": Key(
        said="mapping",
        schema=_ref("sample"),
        meaning="a random share of passes that a person looks at",
        example="{share: 2%, of: pass, then: review, reason: QA}",
    ),
    "thresholds": Key(
        said="by field",
        schema={"type": "object"},
        meaning="the table that is edited daily; the shape follows the field's type",
        example="{deepfake.result: {high: reject}}",
    ),
    "tables": Key(
        said="tables of rules by name",
        schema=_by_name(_ref("table")),
        meaning="rules as rows, here or in a CSV or XLSX file",
        example="{limits: {file: tables/limits.csv}}",
    ),
    "rules": Key(
        said="rules",
        schema={"type": "array", "items": _ref("rule")},
        meaning="conditions with an outcome",
        example="[]",
    ),
    "scorecards": Key(
        said="scorecards by name",
        schema={"type": "object", "minProperties": 1, "additionalProperties": _ref("scorecard")},
        meaning="several scorecards, each with bands and a reason of its own; in place of `scorecard`",
        example="{device: {points: [{when: share > 0.5, add: 40}], bands: {review: 40}}}",
    ),
    "scorecard": Key(
        said="mapping",
        schema=_ref("scorecard"),
        meaning="small signs that count only together",
        example='{points: [{when: country == "KP", add: 40}], bands: {review: 40}}',
    ),
    "excuse": Key(
        said="excuse, or list of them",
        schema={"anyOf": [_ref("excuse"), {"type": "array", "items": _ref("excuse")}]},
        meaning="what takes back reviews, and never a reject",
        example="{when: share < 0.1, from: review}",
    ),
    "steps": Key(
        said="texts by name",
        schema={**_by_name(TEXTS), "propertyNames": {"pattern": "^[A-Za-z_][A-Za-z0-9_]*$"}},
        meaning="what can be asked of an applicant next, in this order; a text, or texts by locale",
        example="{document: {en: Please take a picture of your document.}}",
    ),
    "reasons": Key(
        said="by reason code",
        schema={**_by_name(_ref("reason")), "propertyNames": REASON},
        meaning="weights and texts for applicants",
        example="{OUTSIDE: {weight: 10, text: {en: Not yet.}}}",
    ),
    "calibration": Key(
        said="by field",
        schema=_by_name(_ref("calibration")),
        meaning="when thresholds were last set from data",
        example="{deepfake.score: {on: 2026-08-01, valid_for: 180d}}",
    ),
}

RULE: Mapping[str, Key] = {
    "id": Key(
        said="name",
        schema={"type": "string", "pattern": "^[A-Za-z][A-Za-z0-9._-]{0,99}$"},
        meaning="unique in the policy",
        example="sanctioned-country",
        needed=True,
    ),
    "description": Key(said="text", schema=TEXT, meaning="for people", example="Why it is there"),
    "when": Key(said="condition", schema=CONDITION, meaning="a bool", example="country in lists.bad", needed=True),
    "unless": Key(
        said="condition", schema=CONDITION, meaning="the exception: `when && !unless`", example="share > 0.98"
    ),
    "then": Key(
        said="`review`, `reject`",
        schema=CAUGHT,
        meaning="the outcome if the rule is true",
        example="reject",
        needed=True,
    ),
    "reason": Key(said="code", schema=REASON, meaning="the id in capitals by default", example="SANCTIONED_COUNTRY"),
    "when_unknown": Key(
        said="outcome", schema=OUTCOME, meaning="the outcome when this rule is in doubt", example="review"
    ),
    "from": Key(said="date or time", schema=MOMENT, meaning="in force from here, inclusive", example="2026-03-01"),
    "until": Key(said="date or time", schema=MOMENT, meaning="in force until here, exclusive", example="2026-04-01"),
    "message": Key(
        said="text, or by locale",
        schema=TEXTS,
        meaning="what reviewers are told; `{field}` is a value",
        example="from {country}",
    ),
    "ask": Key(
        said="steps",
        schema=STEPS,
        meaning="what to ask for next, where the rule decides; never changes the outcome",
        example="[document]",
    ),
    "confirm": Key(
        said="`person`",
        schema=CONFIRM,
        meaning="of a reject: it is final once a person has confirmed it",
        example="person",
    ),
    "tags": Key(
        said="names",
        schema={"type": "array", "items": TEXT},
        meaning="for reports; they decide nothing",
        example="[aml]",
    ),
}

SIGNAL: Mapping[str, Key] = {
    "provider": Key(
        said="name",
        schema=TEXT,
        meaning="who is asked; without one, the caller supplies the signal",
        example="aliyun.deepfake",
    ),
    "with": Key(
        said="mapping",
        schema={"type": "object"},
        meaning="the provider's own settings",
        example="{scene_code: onboard001}",
    ),
    "fields": Key(
        said="fields by name",
        schema=_by_name(_ref("field")),
        meaning="what it says, if the provider does not declare that",
        example="{score: double}",
    ),
    "timeout": Key(
        said="duration, up to 600 s",
        schema=DURATION,
        meaning="how long to wait for an answer; 10 s by default",
        example="3s",
    ),
    "when_unknown": Key(
        said="outcome", schema=OUTCOME, meaning="the outcome when this signal is in doubt", example="review"
    ),
    "when_billing_unknown": Key(
        said="`unknown`, `ask_again`",
        schema={"enum": ["unknown", "ask_again"]},
        meaning="what happens to a call that may have been paid for and has no answer",
        example="unknown",
    ),
}

SCORECARD: Mapping[str, Key] = {
    "points": Key(
        said="rows",
        schema={"type": "array", "items": _ref("row"), "minItems": 1},
        meaning="what adds points",
        example="[{when: share > 0.5, add: 40}]",
        needed=True,
    ),
    "bands": Key(
        said="`{review: 40, reject: 80}`",
        schema=_ref("bands"),
        meaning="the totals at which an outcome begins",
        example="{review: 40}",
        needed=True,
    ),
    "reason": Key(
        said="code",
        schema=REASON,
        meaning="`SCORECARD` by default, or with the name behind it: `SCORECARD_DEVICE`",
        example="SMALL_SIGNS",
    ),
    "when_unknown": Key(said="outcome", schema=OUTCOME, meaning="as for a rule", example="review"),
}

ROW: Mapping[str, Key] = {
    "id": Key(
        said="id",
        schema={"type": "string", "pattern": "^[A-Za-z][A-Za-z0-9._-]{0,99}$"},
        meaning="a name in explanations and comparisons; `row 1` and so on by default",
        example="large-share",
    ),
    "when": Key(
        said="condition",
        schema=CONDITION,
        meaning="a bool; may be left out where `add` is an expression",
        example="share > 0.5",
    ),
    "unless": Key(said="condition", schema=CONDITION, meaning="the exception", example='country == "SG"'),
    "add": Key(
        said="integer, or expression",
        schema={"anyOf": [{"type": "integer", "minimum": -1_000_000, "maximum": 1_000_000}, TEXT]},
        meaning="points, also negative; or what says them, such as a lookup table's value",
        example="40",
        needed=True,
    ),
}

_BEGINS: Mapping[str, Any] = {"anyOf": [{"type": "integer"}, _ref("band")]}

BANDS: Mapping[str, Key] = {
    "review": Key(said="integer, or band", schema=_BEGINS, meaning="the total at which review begins", example="40"),
    "reject": Key(said="integer, or band", schema=_BEGINS, meaning="the total at which reject begins", example="80"),
}

BAND: Mapping[str, Key] = {
    "at": Key(said="integer", schema={"type": "integer"}, meaning="the total", example="40", needed=True),
    "ask": Key(said="steps", schema=STEPS, meaning="as for a rule", example="[document]"),
    "confirm": Key(said="`person`", schema=CONFIRM, meaning="as for a rule", example="person"),
}

SAMPLE: Mapping[str, Key] = {
    "share": Key(said="share", schema=SHARE, meaning="how many are drawn", example="2%", needed=True),
    "of": Key(said="`pass`", schema={"const": "pass"}, meaning="of which verdicts", example="pass"),
    "then": Key(said="`review`", schema={"const": "review"}, meaning="what they become", example="review"),
    "reason": Key(said="code", schema=REASON, meaning="`SAMPLED` by default", example="QA"),
}

EXCUSE: Mapping[str, Key] = {
    "id": Key(
        said="name",
        schema={"type": "string", "pattern": "^[A-Za-z][A-Za-z0-9._-]{0,99}$"},
        meaning="unique among excuses; `excuse`, or `excuse-1` and so on, by default",
        example="known-good",
    ),
    "description": Key(said="text", schema=TEXT, meaning="for people", example="Why it is there"),
    "when": Key(
        said="condition",
        schema=CONDITION,
        meaning="a bool; unknown, it excuses nothing",
        example="share < 0.1",
        needed=True,
    ),
    "unless": Key(
        said="condition", schema=CONDITION, meaning="the exception: `when && !unless`", example='country == "KP"'
    ),
    "from": Key(
        said="`review`",
        schema={"const": "review"},
        meaning="what it takes back: reviews, and never a reject",
        example="review",
        needed=True,
    ),
    "rules": Key(
        said="ids",
        schema=STEPS,
        meaning="for these rules only; `scorecard` is the scorecard's band of review",
        example="[small-share]",
    ),
    "tags": Key(said="tags", schema=STEPS, meaning="for rules with one of these tags only", example="[aml]"),
}

REASON_KEYS: Mapping[str, Key] = {
    "weight": Key(
        said="integer",
        schema={"type": "integer", "minimum": -1000, "maximum": 1000},
        meaning="the heaviest comes first; 0 by default",
        example="10",
    ),
    "text": Key(
        said="text, or by locale",
        schema=TEXTS,
        meaning="what applicants are told",
        example="{en: Not yet., de: Noch nicht.}",
    ),
}

CALIBRATION: Mapping[str, Key] = {
    "on": Key(said="date", schema=MOMENT, meaning="the day", example="2026-08-01", needed=True),
    "valid_for": Key(said="duration or days", schema=DURATION, meaning="how long it holds", example="180d"),
    "source": Key(said="text", schema=TEXT, meaning="what data", example="reviews of July"),
}

LIST: Mapping[str, Key] = {
    "file": Key(
        said="path",
        schema=TEXT,
        meaning="a file in the policy's folder, one value per line, or a table whose first column is `value`",
        example="lists/bad.txt",
    ),
    "builtin": Key(said="name", schema=TEXT, meaning="a list that comes with adjudge", example="eea"),
}

ENTRY: Mapping[str, Key] = {
    "value": Key(said="text", schema=TEXT, meaning="what is in the list", example="KP", needed=True),
    "until": Key(said="date or time", schema=MOMENT, meaning="from when on it does not count", example="2027-01-01"),
    "by": Key(said="text", schema=TEXT, meaning="who put it there", example="compliance"),
    "note": Key(said="text", schema=TEXT, meaning="why", example="pilot of the ID team"),
}

ROWS: Mapping[str, Any] = {"type": "array", "items": {"type": "object"}, "minItems": 1}

TABLE: Mapping[str, Key] = {
    "description": Key(said="text", schema=TEXT, meaning="for people", example="Agreed with finance"),
    "file": Key(
        said="path",
        schema=TEXT,
        meaning="a CSV or XLSX file in the policy's folder; its first row holds the headers",
        example="tables/limits.csv",
    ),
    "sheet": Key(said="name", schema=TEXT, meaning="the sheet of an XLSX file; the first by default", example="Limits"),
    "rows": Key(
        said="rows",
        schema=ROWS,
        meaning="the rows, in place of a file",
        example="[{country: SG, share >=: 0.5, then: review}]",
    ),
    "then": Key(
        said="`review`, `reject`", schema=CAUGHT, meaning="the outcome of a row that says none", example="review"
    ),
    "reason": Key(
        said="code", schema=REASON, meaning="of a row that says none; the table's name by default", example="LIMITS"
    ),
    "when_unknown": Key(said="outcome", schema=OUTCOME, meaning="the outcome when a row is in doubt", example="review"),
    "ask": Key(said="steps", schema=STEPS, meaning="as for a rule, of a row that asks for none", example="[document]"),
    "confirm": Key(
        said="`person`", schema=CONFIRM, meaning="as for a rule, of each row that rejects", example="person"
    ),
    "else": Key(
        said="`review`, `reject`, or mapping",
        schema={"anyOf": [CAUGHT, _ref("else")]},
        meaning="the outcome where no row is true, as one more rule: `TABLE:else`",
        example="review",
    ),
}

ELSE: Mapping[str, Key] = {
    "then": Key(
        said="`review`, `reject`",
        schema=CAUGHT,
        meaning="the outcome where no row is true",
        example="review",
        needed=True,
    ),
    "reason": Key(said="code", schema=REASON, meaning="the table's by default", example="NO_LIMIT"),
    "when_unknown": Key(said="outcome", schema=OUTCOME, meaning="the table's by default", example="review"),
    "ask": Key(said="steps", schema=STEPS, meaning="the table's by default", example="[document]"),
    "confirm": Key(said="`person`", schema=CONFIRM, meaning="of a reject; the table's by default", example="person"),
}

THRESHOLD: Mapping[str, Key] = {
    "at": Key(
        said="value",
        schema={"type": ["number", "string"]},
        meaning="the bound, of a field that is a number, a time or a duration",
        example="0.8",
    ),
    "then": Key(
        said="`review`, `reject`", schema=CAUGHT, meaning="the outcome, of a field with words", example="review"
    ),
    "ask": Key(said="steps", schema=STEPS, meaning="as for a rule", example="[document]"),
    "confirm": Key(said="`person`", schema=CONFIRM, meaning="as for a rule", example="person"),
}

LOOKUP: Mapping[str, Key] = {
    "description": Key(said="text", schema=TEXT, meaning="for people", example="Agreed with finance"),
    "by": Key(
        said="field, or fields",
        schema={"oneOf": [TEXT, {"type": "array", "items": TEXT, "minItems": 1}]},
        meaning="what is looked up: an enum, a string, an int or a bool",
        example="country",
        needed=True,
    ),
    "values": Key(
        said="values by key",
        schema=_by_name({"type": ["string", "number", "boolean"]}),
        meaning="what each key leads to; conditions read it by the table's name",
        example="{SG: 50000, ID: 20000}",
    ),
    "file": Key(
        said="path",
        schema=TEXT,
        meaning="a CSV or XLSX file in the policy's folder; conditions read `TABLE.COLUMN`",
        example="tables/rates.csv",
    ),
    "sheet": Key(said="name", schema=TEXT, meaning="the sheet of an XLSX file; the first by default", example="Rates"),
    "rows": Key(
        said="rows",
        schema=ROWS,
        meaning="the rows, in place of a file",
        example="[{country: SG, review: 0.6, reject: 0.9}]",
    ),
    "else": Key(
        said="value, or by column",
        schema={"type": ["string", "number", "boolean", "object"]},
        meaning="what every other key leads to; without it that is unknown",
        example="10000",
    ),
    "type": Key(
        said="type, or by column",
        schema={"oneOf": [TEXT, _by_name(TEXT)]},
        meaning="of the values; by default what all of them read as",
        example="double",
    ),
}

TESTS: Mapping[str, Key] = {
    "policy": Key(
        said="path",
        schema=TEXT,
        meaning="the policy's file, relative to this one",
        example="onboarding.yaml",
        needed=True,
    ),
    "description": Key(said="text", schema=TEXT, meaning="for people", example="The selfie step"),
    "defaults": Key(
        said="mapping",
        schema={"type": "object"},
        meaning="what is known in every test",
        example="{inputs: {country: SG}}",
    ),
    "tests": Key(
        said="tests",
        schema={"type": "array", "items": _ref("test"), "minItems": 1},
        meaning="the tests",
        example="[]",
        needed=True,
    ),
}

TEST: Mapping[str, Key] = {
    "name": Key(said="text", schema=TEXT, meaning="unique in the file", example="a clean selfie passes", needed=True),
    "description": Key(said="text", schema=TEXT, meaning="for people", example="Why it must be so"),
    "given": Key(
        said="mapping",
        schema={"type": "object"},
        meaning="what differs from the defaults; `unknown` removes a value",
        example="{device: unknown}",
    ),
    "now": Key(said="time", schema=MOMENT, meaning="the decision's clock", example="2026-01-15T08:30:00Z"),
    "expect": Key(
        said="outcome, or mapping",
        schema={"anyOf": [OUTCOME, {"type": "object"}]},
        meaning="what the verdict must be",
        example="review",
    ),
    "table": Key(
        said="rows",
        schema={"type": "array", "items": {"type": "object", "required": ["expect"]}},
        meaning="one test per row, in place of `expect`",
        example="[{country: KP, expect: reject}]",
    ),
}

OBJECTS: Mapping[str, tuple[str, Mapping[str, Key]]] = {
    "policy": ("A policy", POLICY),
    "rule": ("A rule, under `rules`", RULE),
    "signal": ("A signal, under `signals`", SIGNAL),
    "scorecard": ("The scorecard", SCORECARD),
    "row": ("A row, under `points`", ROW),
    "bands": ("The bands", BANDS),
    "band": ("A band, under `bands`", BAND),
    "excuse": ("An excuse, under `excuse`", EXCUSE),
    "sample": ("The sample", SAMPLE),
    "reason": ("A reason, under `reasons`", REASON_KEYS),
    "calibration": ("A calibration, under `calibration`", CALIBRATION),
    "list": ("A list, under `lists`; or `[a, b]`", LIST),
    "entry": ("An entry of a list that is written out, or its value alone; a table has these columns", ENTRY),
    "threshold": ("An entry of `thresholds` that asks for something: in place of its bound or outcome", THRESHOLD),
    "table": ("A table of rules, under `tables`", TABLE),
    "else": ("The `else` of a table of rules; or its outcome alone", ELSE),
    "lookup": ("A table of values, under `lookup`", LOOKUP),
    "tests": ("A test file", TESTS),
    "test": ("A test, under `tests`", TEST),
}
"""By the name of its definition: the heading, and its keys."""
