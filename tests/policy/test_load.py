"""From text to a typed policy: what each part becomes, and what is said where it cannot."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from adjudge.errors import PluginError, PolicyErrors
from adjudge.expr.nodes import Binary, Call, Literal, Logic, Name, Unary
from adjudge.model import Outcome
from adjudge.plugin import Function, ProviderConfigError
from adjudge.policy.catalogue import Catalogue
from adjudge.policy.loading.conditions import order
from adjudge.policy.loading.document import upper_snake
from adjudge.policy.loading.load import read_policy, read_policy_file
from adjudge.policy.text.files import FILE_MAX_BYTES
from adjudge.policy.typed import TypedPolicy
from adjudge.source import Span
from adjudge.values.declared import parse_field
from adjudge.values.fields import Field
from adjudge.values.list_file import values_of
from adjudge.values.types import BOOL, DOUBLE, DURATION, STRING, ListType

HEAD = "policy_language: 1\npolicy: example\n"
INPUTS = (
    "inputs:\n  country: string\n  account_age: duration\n  attempts: {type: int, range: [0, 100]}\n"
    "  match: {type: double, range: [0, 1]}\n  opened: timestamp\n  robot: bool\n"
    "  os: {type: enum, values: [ios, android]}\n  tags: {type: set, values: [A, B]}\n"
    "  flags: {type: map, keys: [X, Y], of: {type: enum, values: [low, high]}}\n"
)
FAKE = "signals:\n  deepfake: {provider: aliyun.deepfake, with: {scene_code: onboard001}}\n"
FULL = """\
policy_language: 1
policy: face-onboarding
description: Selfie step of merchant onboarding
inputs:
  country: string
  account_age: duration
  document_match: {type: double, range: [0, 1]}
  email: {type: string, personal: true}
signals:
  deepfake: {provider: aliyun.deepfake, with: {scene_code: onboard001}, timeout: 3s}
  device:
    provider: http.json
    with: {url: "https://risk.internal/device"}
    fields: {score: {type: double, range: [0, 100]}, emulator: bool}
    timeout: 300ms
    when_unknown: pass
lists:
  sanctioned: {file: lists/sanctioned.txt}
variables:
  risky_device: device.score >= 70 || device.emulator
when_unknown: review
gather: thrifty
explore: 2%
thresholds:
  deepfake.result: {suspicious: review, high: reject}
  deepfake.score:
    SuspectDeepForgery: {review: 0.60, reject: 0.90}
    SuspectRemake:      {review: 0.50, reject: 0.85}
  document_match: {below: {review: 0.80, reject: 0.50}}
rules:
  - id: sanctioned-country
    when: country in lists.sanctioned
    then: reject
    reason: SANCTIONED_COUNTRY
  - id: fresh-account-on-risky-device
    when: risky_device && account_age < duration("24h")
    unless: deepfake.result == "low" && document_match > 0.98
    then: review
  - id: new-risk-tag
    when: size(deepfake.novel_tags) > 0
    then: review
    when_unknown: pass
scorecard:
  points:
    - {when: risky_device, add: 40}
    - {when: account_age < duration("168h"), unless: country == "SG", add: -25}
  bands: {review: 40, reject: 80}
"""


def load(text: str, catalogue: Catalogue | None = None, **more: Any) -> TypedPolicy:
    return read_policy(HEAD + text, catalogue=catalogue, **more)


def errors(text: str, catalogue: Catalogue | None = None, **more: Any) -> list[tuple[str, int, int]]:
    with pytest.raises(PolicyErrors) as caught:
        read_policy(text, catalogue=catalogue, **more)
    return [(error.code, error.line, error.column) for error in caught.value.errors]


def codes(text: str, catalogue: Catalogue | None = None, **more: Any) -> list[str]:
    return [code for code, _, _ in errors(HEAD + text, catalogue, **more)]


def test_full_policy_becomes_what_it_says(catalogue: Catalogue) -> None:
    policy = read_policy(FULL, texts={"lists/sanctioned.txt": "KP\nIR\n"}, catalogue=catalogue)
    assert (policy.name, policy.policy_language) == ("face-onboarding", 1)
    assert policy.description == "Selfie step of merchant onboarding"
    assert policy.inputs["email"].personal
    assert policy.inputs["document_match"] == parse_field({"type": "double", "range": [0, 1]})
    deepfake, device = policy.signals["deepfake"], policy.signals["device"]
    assert (deepfake.provider, deepfake.config, deepfake.timeout_s) == (
        "aliyun.deepfake",
        {"scene_code": "onboard001"},
        3.0,
    )
    assert deepfake.when_unknown is None
    assert (device.provider, device.timeout_s, device.when_unknown) == ("http.json", 0.3, Outcome.PASS)
    assert list(device.fields) == ["score", "emulator"]
    assert policy.lists == {"sanctioned": ("KP", "IR")}
    assert policy.texts == {"lists/sanctioned.txt": "KP\nIR\n"}
    assert (policy.when_unknown, policy.gather, policy.explore) == (Outcome.REVIEW, "thrifty", 0.02)
    assert [(rule.id, rule.outcome, rule.reason, rule.origin) for rule in policy.rules] == [
        ("threshold:deepfake.result:suspicious", "review", "DEEPFAKE_RESULT_SUSPICIOUS", "threshold"),
        ("threshold:deepfake.result:high", "reject", "DEEPFAKE_RESULT_HIGH", "threshold"),
        (
            "threshold:deepfake.score.SuspectDeepForgery:review",
            "review",
            "DEEPFAKE_SCORE_SUSPECT_DEEP_FORGERY",
            "threshold",
        ),
        (
            "threshold:deepfake.score.SuspectDeepForgery:reject",
            "reject",
            "DEEPFAKE_SCORE_SUSPECT_DEEP_FORGERY",
            "threshold",
        ),
        ("threshold:deepfake.score.SuspectRemake:review", "review", "DEEPFAKE_SCORE_SUSPECT_REMAKE", "threshold"),
        ("threshold:deepfake.score.SuspectRemake:reject", "reject", "DEEPFAKE_SCORE_SUSPECT_REMAKE", "threshold"),
        ("threshold:document_match:review", "review", "DOCUMENT_MATCH", "threshold"),
        ("threshold:document_match:reject", "reject", "DOCUMENT_MATCH", "threshold"),
        ("sanctioned-country", "reject", "SANCTIONED_COUNTRY", "rule"),
        ("fresh-account-on-risky-device", "review", "FRESH_ACCOUNT_ON_RISKY_DEVICE", "rule"),
        ("new-risk-tag", "review", "NEW_RISK_TAG", "rule"),
    ]
    assert [rule.when_unknown for rule in policy.rules if rule.when_unknown] == [Outcome.PASS]
    card = policy.scorecards["scorecard"]
    assert card is not None
    assert ([row.points for row in card.rows], card.review, card.reject, card.reason) == (
        [40, -25],
        40,
        80,
        "SCORECARD",
    )
    assert list(policy.slots) == [
        "country",
        "account_age",
        "document_match",
        "email",
        "deepfake.result",
        "deepfake.score",
        "deepfake.score.SuspectDeepForgery",
        "deepfake.score.SuspectRemake",
        "deepfake.score.SuspectWarterMark",
        "deepfake.score.SuspectPSFace",
        "deepfake.novel_score",
        "deepfake.tags",
        "deepfake.novel_tags",
        "device.score",
        "device.emulator",
        "now",
    ]
    assert policy.slots["deepfake.novel_tags"].type == ListType(STRING)
    spans = [policy.source.text[rule.span.start : rule.span.end] for rule in policy.rules]
    assert spans[1] == "high"
    assert spans[2] == "review: 0.60"
    assert spans[-1] == "new-risk-tag"


def test_design_example_loads_with_providers_that_declare_their_fields(catalogue: Catalogue, shared: Path) -> None:
    text = (shared / "design" / "1-semantics.md").read_text("utf-8").split("```yaml\n")[1].split("```")[0]
    fields = {"score": parse_field({"type": "double", "range": [0, 100]}), "emulator": parse_field("bool")}
    providers = dict(catalogue.providers)
    providers["http.json"] = replace(providers["http.json"], fields=fields)
    policy = read_policy(text, texts={"lists/sanctioned.txt": "KP"}, catalogue=Catalogue(providers=providers))
    assert len(policy.rules) == 11


def test_minimal_policy_has_defaults() -> None:
    policy = load("")
    assert (policy.when_unknown, policy.gather, policy.explore) == (Outcome.REVIEW, "eager", 0.0)
    assert (policy.rules, policy.scorecards, policy.signals, policy.lists) == ((), {}, {}, {})
    assert list(policy.slots) == ["now"]


def test_rule_with_unless_is_when_and_not_unless() -> None:
    (rule,) = load(INPUTS + "rules:\n  - {id: a, when: robot, unless: attempts < 3, then: review}\n").rules
    assert rule.condition == Logic(
        operator="&&",
        operands=(
            Name(name="robot"),
            Unary(operator="!", operand=Binary(operator="<", left=Name(name="attempts"), right=Literal(value=3))),
        ),
    )
    assert rule.condition.type == BOOL


THRESHOLDS = [
    ("attempts: {review: 3}", "threshold:attempts:review", "attempts >= 3"),
    ("match: {below: {reject: 1}}", "threshold:match:reject", "match <= 1.0"),
    ("account_age: {below: {review: 168h}}", "threshold:account_age:review", 'account_age <= duration("168h")'),
    (
        "opened: {reject: 2026-01-15T00:00:00Z}",
        "threshold:opened:reject",
        'opened >= timestamp("2026-01-15T00:00:00Z")',
    ),
    ("robot: {true: reject}", "threshold:robot:true", "robot == true"),
    ('robot: {"false": review}', "threshold:robot:false", "robot == false"),
    ("os: {ios: review}", "threshold:os:ios", 'os == "ios"'),
    ("tags: {B: reject}", "threshold:tags:B", '"B" in tags'),
    ("flags: {X: {high: reject}}", "threshold:flags.X:high", 'flags.X == "high"'),
    ("flags.X: {high: reject}", "threshold:flags.X:high", 'flags.X == "high"'),
]


@pytest.mark.parametrize(("entry", "rule_id", "condition"), THRESHOLDS, ids=[entry for entry, _, _ in THRESHOLDS])
def test_threshold_becomes_an_ordinary_rule(entry: str, rule_id: str, condition: str) -> None:
    """The rule is the one that the same condition, written by hand, would be."""
    text = f"{INPUTS}thresholds:\n  {entry}\nrules:\n  - {{id: by-hand, when: '{condition}', then: review}}\n"
    threshold, by_hand = load(text).rules
    assert threshold.id == rule_id
    assert threshold.origin == "threshold"
    assert threshold.condition == by_hand.condition
    assert threshold.condition.type == by_hand.condition.type


def test_threshold_condition_parts_have_types() -> None:
    (rule,) = load(INPUTS + "thresholds:\n  account_age: {review: 1h}\n").rules
    condition = rule.condition
    assert isinstance(condition, Binary)
    assert isinstance(condition.right, Call)
    assert (condition.type, condition.left.type, condition.right.type) == (BOOL, DURATION, DURATION)
    assert condition.right.arguments[0].type == STRING
    (rule,) = load(INPUTS + "thresholds:\n  match: {review: 1}\n").rules
    assert isinstance(rule.condition, Binary)
    assert rule.condition.right == Literal(value=1.0)
    assert rule.condition.right.type == DOUBLE


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("deepfake.score.SuspectRemake", "DEEPFAKE_SCORE_SUSPECT_REMAKE"),
        ("tags.SuspectPSFace", "TAGS_SUSPECT_PS_FACE"),
        ("fresh-account.on_device", "FRESH_ACCOUNT_ON_DEVICE"),
        ("device2.score", "DEVICE2_SCORE"),
        ("os.攻击", "OS"),
    ],
)
def test_upper_snake_reads_as_the_text(text: str, code: str) -> None:
    assert upper_snake(text) == code


def test_variables_in_any_order_are_put_in_order() -> None:
    text = INPUTS + "variables:\n  a: b && c\n  c: b || robot\n  b: attempts > 3\n  limit: 5\n"
    policy = load(text)
    assert list(policy.variables) == ["b", "c", "a", "limit"]
    assert policy.variables["limit"] == Literal(value=5)


def test_variables_name_of_a_macro_is_no_variable() -> None:
    """`tag` in the macro is its own; a variable of that name reads the other, and there is no circle."""
    text = INPUTS + "variables:\n  found: tags.exists(tag, tag == 'A')\n  tag: found || robot\n"
    assert list(load(text).variables) == ["found", "tag"]


def test_order_each_name_after_those_it_reads() -> None:
    ordered, cycles = order({"a": ["b"], "b": ["c", "a"], "c": [], "d": ["d"], "e": ["a"]})
    assert ordered.index("c") < ordered.index("b") < ordered.index("a") < ordered.index("e")
    assert cycles == [("a", "b"), ("d",)]
    assert order({"z": ["a"], "a": ["b"], "b": ["a"]})[1] == [("a", "b")]


def test_order_of_a_long_chain_does_not_recurse() -> None:
    names = [f"v{at}" for at in range(20_000)]
    ordered, cycles = order({name: names[at + 1 : at + 2] for at, name in enumerate(names)})
    assert ordered == names[::-1]
    assert cycles == []


def test_signal_of_the_caller_needs_no_provider() -> None:
    policy = load("signals:\n  device: {fields: {score: double, novel_os: string}}\n")
    assert policy.signals["device"].provider is None
    assert list(policy.slots) == ["device.score", "device.novel_os", "now"]


def test_signal_novel_values_declared_by_the_provider_stay_its_own() -> None:
    text = "signals:\n  s: {fields: {tags: {type: set, values: [A]}, novel_tags: {type: list, of: string}}}\n"
    assert list(load(text).slots) == ["s.tags", "s.novel_tags", "now"]


def test_signal_config_may_hold_what_yaml_holds(catalogue: Catalogue) -> None:
    text = (
        "signals:\n  d:\n    provider: http.json\n    fields: {a: bool}\n"
        "    with: {url: x, retry: null, header: {n: [1, 2.5, true]}}\n"
    )
    config = load(text, catalogue).signals["d"].config
    assert config == {"url": "x", "retry": None, "header": {"n": [1, 2.5, True]}}


def test_provider_check_is_given_config_and_fields(catalogue: Catalogue) -> None:
    seen: list[tuple[Mapping[str, object], Mapping[str, Field]]] = []

    def check(config: Mapping[str, Any], fields: Mapping[str, Field]) -> None:
        seen.append((config, fields))
        raise ProviderConfigError("no such header", "headers", "1", "name", hint="look again")

    providers = {"http.json": replace(catalogue.providers["http.json"], check=check)}
    text = (
        "signals:\n  d:\n    provider: http.json\n    fields: {a: bool}\n"
        "    with:\n      headers:\n        - {name: a}\n        - {name: b}\n"
    )
    assert errors(HEAD + text, Catalogue(providers=providers)) == [("schema-provider", 10, 18)]
    assert seen == [({"headers": [{"name": "a"}, {"name": "b"}]}, {"a": parse_field("bool")})]


def test_provider_without_any_field_loads(catalogue: Catalogue) -> None:
    providers = {"http.json": replace(catalogue.providers["http.json"], fields={})}
    assert load("signals:\n  d: {provider: http.json}\n", Catalogue(providers=providers)).signals["d"].fields == {}


def test_provider_check_that_crashes_is_the_plugins_fault(catalogue: Catalogue) -> None:
    def check(config: Mapping[str, Any], fields: Mapping[str, Field]) -> None:
        raise KeyError("url")

    providers = {"http.json": replace(catalogue.providers["http.json"], check=check)}
    with pytest.raises(PluginError, match=r"http\.json"):
        load("signals:\n  d: {provider: http.json, fields: {a: bool}}\n", Catalogue(providers=providers))


def test_functions_of_plugins_can_be_called_and_are_kept_where_used(catalogue: Catalogue) -> None:
    text = INPUTS + "rules:\n  - {id: a, when: bank_country(country) == 'SG', then: review}\n"
    assert list(load(text, catalogue).functions) == ["bank_country"]
    assert load(INPUTS, catalogue).functions == {}
    assert codes(text) == ["name-function"]


def test_functions_of_plugins_with_a_wrong_declaration_are_refused() -> None:
    wrong = Function(name="f", parameters=("text",), result="bool", call=bool)
    with pytest.raises(PluginError, match="`text`"):
        Catalogue(functions={"f": wrong}).overloads()
    size = Function(name="size", parameters=("string",), result="int", call=len)
    with pytest.raises(PluginError, match="size"):
        Catalogue(functions={"size": size}).overloads()


def test_functions_of_plugins_faults_and_wrong_answers_are_evaluation_errors() -> None:
    from adjudge.errors import EvaluationError

    def overload(call: Any, result: str) -> Any:
        function = Function(name="f", parameters=("list(string)", "map(string, int)"), result=result, call=call)
        return Catalogue(functions={"f": function}).overloads()["f"][0]

    assert overload(lambda items, table: [*items, "c"], "list(string)").call(("a",), {}) == ("a", "c")
    assert [str(type_) for type_ in overload(len, "int").parameters] == ["list(string)", "map(string, int)"]
    for call in (
        lambda items, table: 1 / 0,
        lambda items, table: items.absent,
        lambda items, table: "text",
        lambda items, table: None,
    ):
        with pytest.raises(EvaluationError):
            overload(call, "int").call((), {})


# Lists


def policy_in(folder: Path, path: str = "lists/a.txt") -> TypedPolicy:
    file = folder / "policy.yaml"
    file.write_text(f"{HEAD}lists:\n  a: {{file: {path}}}\n", "utf-8")
    return read_policy_file(file)


def test_list_file_one_value_a_line() -> None:
    text = "# countries\nKP\n  IR  \n\nSY # since 2011\nKP\nB#1\r\n東京\n#\n"
    assert values_of(text) == ("KP", "IR", "SY", "B#1", "東京")


def test_list_inline_and_from_file(tmp_path: Path) -> None:
    (tmp_path / "lists").mkdir()
    (tmp_path / "lists" / "a.txt").write_bytes(b"KP\r\nIR\r\n")
    policy = policy_in(tmp_path)
    assert policy.lists == {"a": ("KP", "IR")}
    assert policy.texts == {"lists/a.txt": "KP\r\nIR\r\n"}
    assert load("lists:\n  a: [NO, NO, SE]\n").lists == {"a": ("NO", "SE")}


def test_list_given_texts_take_the_place_of_files(tmp_path: Path) -> None:
    text = "lists:\n  a: {file: a.txt}\n"
    assert load(text, texts={"a.txt": "X"}).lists == {"a": ("X",)}
    assert codes(text, folder=tmp_path, texts={}) == ["list-missing"]
    assert codes(text) == ["list-folder"]


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (b"Caf\xe9\n", "list-encoding"),
        (b"x" * (FILE_MAX_BYTES + 1), "list-size"),
        (None, "list-missing"),
    ],
)
def test_list_file_that_cannot_be_used_is_refused(tmp_path: Path, content: bytes | None, code: str) -> None:
    if content is not None:
        (tmp_path / "a.txt").write_bytes(content)
    with pytest.raises(PolicyErrors) as caught:
        policy_in(tmp_path, "a.txt")
    (error,) = caught.value.errors
    assert (error.code, error.line, error.column) == (code, 4, 13)


@pytest.mark.parametrize("path", ["../a.txt", "x/../../a.txt", "/etc/hostname", "..\\\\a.txt", "C:\\\\a.txt"])
def test_list_path_that_leaves_the_folder_is_refused(tmp_path: Path, path: str) -> None:
    (tmp_path / "a.txt").write_text("X")
    home = tmp_path / "policies"
    home.mkdir()
    with pytest.raises(PolicyErrors) as caught:
        policy_in(home, f'"{path}"')
    assert [error.code for error in caught.value.errors] == ["list-outside"]


def test_list_links_may_not_leave_the_folder(tmp_path: Path) -> None:
    home = tmp_path / "policies"
    home.mkdir()
    (tmp_path / "secret.txt").write_text("X")
    (home / "inside.txt").write_text("Y")
    (home / "out.txt").symlink_to(tmp_path / "secret.txt")
    (home / "in.txt").symlink_to(home / "inside.txt")
    (home / "folder").symlink_to(tmp_path)
    (home / "loop.txt").symlink_to(home / "loop.txt")
    assert policy_in(home, "in.txt").lists == {"a": ("Y",)}
    for path, code in (
        ("out.txt", "list-outside"),
        ("folder/secret.txt", "list-outside"),
        ("loop.txt", "list-missing"),
        (".", "list-missing"),
    ):
        with pytest.raises(PolicyErrors) as caught:
            policy_in(home, path)
        assert [error.code for error in caught.value.errors] == [code]


def test_list_that_is_a_pipe_is_refused_and_does_not_wait(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(PolicyErrors) as caught:
        policy_in(tmp_path, "pipe")
    assert [error.code for error in caught.value.errors] == ["list-missing"]


# The digest


def test_digest_is_of_the_text_and_the_lists() -> None:
    def digest(text: str, **lists: str) -> str:
        return read_policy(HEAD + text, "x.yaml", texts=lists).digest

    one, two = "lists:\n  a: {file: a}\n", "lists:\n  a: {file: a}\n  b: {file: b}\n"
    assert digest("") == hashlib.sha256(len(HEAD).to_bytes(8, "big") + HEAD.encode()).hexdigest()
    assert digest(one, a="X") == digest(one, a="X", unused="Y")
    assert len({digest(one, a="X"), digest(one, a="Y"), digest(one + "\n", a="X")}) == 3
    assert digest(two, a="XY", b="Z") != digest(two, a="X", b="YZ")


def test_digest_does_not_depend_on_the_name_of_the_text() -> None:
    assert read_policy(HEAD, "a.yaml").digest == read_policy(HEAD, "b.yaml").digest


# Files


def test_policy_file_that_is_missing_is_an_error_of_the_policy(tmp_path: Path) -> None:
    with pytest.raises(PolicyErrors) as caught:
        read_policy_file(tmp_path / "none.yaml")
    (error,) = caught.value.errors
    assert error.code == "yaml-file"
    assert "no such file" in error.render()


def test_policy_file_too_large_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text("# " + "x" * 2**20)
    with pytest.raises(PolicyErrors) as caught:
        read_policy_file(tmp_path / "a.yaml")
    assert [error.code for error in caught.value.errors] == ["yaml-size"]


def test_policy_file_with_windows_line_ends_has_the_same_places(tmp_path: Path) -> None:
    text = HEAD + INPUTS + "rules:\n  - id: a\n    when: |\n      robot &&\n      atempts > 3\n    then: review\n"
    assert errors(text) == errors(text.replace("\n", "\r\n")) == [("name-unknown", 17, 7)]


# All at once


def test_errors_all_at_once_in_order_of_their_place(catalogue: Catalogue) -> None:
    text = """\
policy_language: 1
policy: bad name
inputs:
  country: strng
  attempts: int
  attempts: int
  match: {type: double, range: [0, 1], colour: red}
signals:
  deepfake: {provider: aliyun.deepfakes}
  device: {fields: {score: {type: doble}, robot: bool}, when_unknown: never}
lists:
  sanctioned: {file: none.txt}
variables:
  a: b
  b: a
  c: country == 5 && attempts > "x"
thresholds:
  deepfake.result: {high: reject}
  device.score: {review: 3}
  match: {review: 60}
  attempts: {review: 9, reject: 3}
  nothing: {review: 3}
rules:
  - id: one
    when: deepfake.result == "high" && device.score > 3 && device.robt
    then: review
  - id: one
    when: country in lists.sanctioned && a && c && attempts > match
    unless: attempts >
    then: maybe
  - when: robot
scorecard:
  points:
    - {when: attempts, add: lots}
  bands: {review: 9, reject: 3}
colour: red
"""
    assert errors(text, catalogue) == [
        ("name-invalid", 2, 9),
        ("name-type", 4, 12),
        ("yaml-duplicate-key", 6, 3),
        ("schema-unknown-key", 7, 40),
        ("name-provider", 9, 24),
        ("name-type", 10, 35),
        ("schema-value", 10, 71),
        ("list-folder", 12, 22),
        ("name-cycle", 14, 3),
        ("type-mismatch", 16, 33),
        ("threshold-order", 21, 22),
        ("name-unknown", 22, 3),
        ("name-unknown", 25, 67),
        ("name-duplicate", 27, 9),
        ("syntax-expected", 29, 23),
        ("schema-value", 30, 11),
        ("schema-missing", 31, 5),
        ("schema-missing", 31, 5),
        ("name-unknown", 31, 11),
        ("type-mismatch", 34, 14),
        ("name-unknown", 34, 29),
        ("threshold-order", 35, 19),
        ("schema-unknown-key", 36, 1),
    ]


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("inputs:\n  country: strng\nrules:\n  - {id: a, when: country == 'SG', then: review}\n", "name-type"),
        ("inputs:\n  match: {type: duble}\nthresholds:\n  match: {review: 1}\n", "name-type"),
        ("input:\n  country: string\nrules:\n  - {id: a, when: country == 'SG', then: review}\n", "schema-unknown-key"),
        ("inputs: [country]\nrules:\n  - {id: a, when: country == 'SG', then: review}\n", "schema-type"),
        ("signals:\n  d: {provider: x.y}\nrules:\n  - {id: a, when: d.b.c == 'SG', then: review}\n", "name-provider"),
        (
            "signals:\n  d: {fields: {s: duble, t: int}}\nrules:\n  - {id: a, when: d.s > d.t, then: review}\n",
            "name-type",
        ),
        ("signals:\n  d: {provider: x.y}\nthresholds:\n  d.score: {review: 3}\n", "name-provider"),
        ("signals:\n  d: {fields: {m: {type: mp}}}\nthresholds:\n  d.m: {a: {review: 3}}\n", "name-type"),
        ("signals:\n  d: {fields: {m: {type: mp}}}\nthresholds:\n  d.m.a: {review: 3}\n", "name-type"),
        ("lists:\n  l: {file: x}\nrules:\n  - {id: a, when: '\"x\" in lists.l', then: review}\n", "list-folder"),
        ("variables:\n  v: 1 +\n  w: v > 3\nrules:\n  - {id: a, when: v > 1 || w, then: review}\n", "syntax-expected"),
        ("variables:\n  v: w\n  w: v\nrules:\n  - {id: a, when: v && w, then: review}\n", "name-cycle"),
        ("variables:\n  v: nothing + 1\n  w: v + 1\nrules:\n  - {id: a, when: w, then: review}\n", "name-unknown"),
        ("variables:\n  v: !x 1\nrules:\n  - {id: a, when: v, then: review}\n", "yaml-tag"),
        ("rules:\n  - {id: a, when: true, then: }\n", "schema-empty"),
        ("rules:\n  - {id: 012, when: true, then: review}\n", "yaml-number"),
        ("scorecard: {points: [], bands: {review: 1}}\n", "schema-empty"),
        ("signals:\n  d: {provider: http.json, feilds: {a: bool}}\n", "schema-unknown-key"),
    ],
)
def test_error_in_a_declaration_is_told_once(text: str, code: str, catalogue: Catalogue) -> None:
    """What reads a name whose declaration failed is not blamed for it."""
    assert codes(text, catalogue) == [code]


def test_number_that_is_a_bool_is_refused() -> None:
    assert errors("policy_language: true\npolicy: a\n") == [("schema-type", 1, 18)]
    assert codes("scorecard: {points: [{when: true, add: true}], bands: {review: true}}\n") == ["schema-type"] * 2
    assert codes("explore: true\n") == ["schema-type"]


@pytest.mark.parametrize("path", ["country.code", "flags.Z", "now.then", "devise.score", "countrie"])
def test_threshold_of_a_field_that_is_not_there_is_refused(path: str) -> None:
    assert codes(f"{INPUTS}thresholds:\n  {path}: {{review: 3}}\n") == ["name-unknown"]


def test_threshold_range_hint_offers_the_share() -> None:
    with pytest.raises(PolicyErrors) as caught:
        load(INPUTS + "thresholds:\n  match: {review: 60}\n")
    assert caught.value.errors[0].hint == "it ranges from 0 to 1; did you mean 0.6?"


def test_error_message_never_holds_what_a_terminal_would_obey() -> None:
    with pytest.raises(PolicyErrors) as caught:
        load(
            INPUTS + '"\\e[31m": 1\nrules: "\\e[31m"\n"\\u202e": 2\ngather: "\\e"\nwhen_unknown: "\\e"\n'
            'signals: {s: {provider: "\\e"}, t: {fields: {a: "\\e"}, timeout: "\\e"}}\n'
            'variables: {a: "\'\\\\u001b\' == os", b: "\'\\e\' == os", c: "\\e + 1"}\n'
            'thresholds: {account_age: {review: "\\e"}, opened: {review: "\\e"}, os: {"\\e": review}}\n'
        )
    text = caught.value.render()
    assert len(caught.value.errors) > 12
    assert "\x1b" not in text
    assert "\u202e" not in text


def test_span_of_everything_lies_in_the_text(catalogue: Catalogue) -> None:
    policy = read_policy(FULL, texts={"lists/sanctioned.txt": ""}, catalogue=catalogue)
    spans = [rule.span for rule in policy.rules] + [signal.span for signal in policy.signals.values()]
    assert all(span != Span(0, 0) for span in spans)
    assert all(0 <= span.start < span.end <= len(FULL) for span in spans)
