"""Reading test files: every mistake is found, with its place and the way out."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from adjudge.authoring.policy_tests.cases import PolicyTestFile, policy_of, read_tests
from adjudge.errors import PolicyErrors
from adjudge.model import Outcome

POLICY = """\
policy_language: 1
policy: onboarding
inputs:
  country: string
  account_age: duration
signals:
  face:
    fields:
      result: {type: enum, values: [low, high]}
      tags: {type: set, values: [Forgery, Remake]}
      score: {type: map, keys: [Forgery, Remake], of: {type: double, range: [0, 1]}, absent: 0}
  device: {fields: {score: {type: double, range: [0, 100]}, emulator: bool}}
thresholds:
  face.score: {Forgery: {review: 0.6, reject: 0.9}}
rules:
  - {id: emulator, when: device.emulator, then: review}
  - {id: new-tag, when: size(face.novel_tags) > 0, then: review}
scorecard:
  points: [{when: device.score > 50, add: 30}]
  bands: {review: 20}
"""


@pytest.fixture
def read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], PolicyTestFile]:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "onboarding.yaml").write_text(POLICY)

    def read_(text: str) -> PolicyTestFile:
        Path("onboarding_test.yaml").write_text(text)
        return read_tests("onboarding_test.yaml")

    return read_


def with_tests(tests: str, defaults: str = "{}") -> str:
    return f"policy: onboarding.yaml\ndefaults: {defaults}\ntests:\n{tests}"


def test_read_given_is_merged_over_defaults_field_by_field(read: Callable[[str], PolicyTestFile]) -> None:
    defaults = "{inputs: {country: SG, account_age: 900h}, face: {result: low, tags: []}, device: {score: 5}}"
    file = read(
        with_tests(
            """\
  - {name: one, given: {inputs: {country: DE}, face: {result: high}}, expect: pass}
  - {name: two, given: {face: unknown, device: {score: unknown, emulator: true}}, expect: pass}
  - {name: three, given: {face: {score: {Forgery: unknown, Remake: 0.5}}}, expect: pass}
  - {name: four, given: {inputs: {country: "unknown"}}, expect: pass}
""",
            defaults,
        )
    )
    one, two, three, four = (case.given for case in file.cases)
    face, device = {"result": "low", "tags": []}, {"score": 5}
    inputs = {"country": "SG", "account_age": "900h"}
    assert one == {**inputs, "country": "DE", "face": {**face, "result": "high"}, "device": device}
    assert two == {**inputs, "device": {"score": None, "emulator": True}}
    assert three == {**inputs, "face": {**face, "score": {"Forgery": None, "Remake": 0.5}}, "device": device}
    assert four == {**inputs, "country": "unknown", "face": face, "device": device}


def test_read_signal_that_nobody_names_is_absent(read: Callable[[str], PolicyTestFile]) -> None:
    (case,) = read(with_tests("  - {name: one, given: {device: {score: 3}}, expect: pass}")).cases
    assert case.given == {"device": {"score": 3}}


def test_read_unknown_default_can_be_given(read: Callable[[str], PolicyTestFile]) -> None:
    (case,) = read(with_tests("  - {name: one, given: {face: {result: low}}, expect: pass}", "{face: unknown}")).cases
    assert case.given == {"face": {"result": "low"}}


def test_read_clock_is_the_tests_or_the_defaults(read: Callable[[str], PolicyTestFile]) -> None:
    text = with_tests(
        "  - {name: one, expect: pass}\n  - {name: two, now: 2027-01-01T00:00:00Z, expect: pass}",
        "{now: 2026-01-15T08:30:00Z}",
    )
    one, two = read(text).cases
    assert one.now == datetime(2026, 1, 15, 8, 30, tzinfo=UTC)
    assert two.now == datetime(2027, 1, 1, tzinfo=UTC)


def test_read_expectations_of_every_kind(read: Callable[[str], PolicyTestFile]) -> None:
    (case,) = read(
        with_tests(
            """\
  - name: everything
    given: {device: {score: "72.0"}}
    expect:
      outcome: review
      lower: pass
      upper: reject
      settled: false
      rules: [emulator]
      unresolved: ["threshold:face.score.Forgery:reject"]
      reasons: [EMULATOR, SCORECARD]
      score: [0, 30]
      waived: [scorecard]
      problems: [device.score]
"""
        )
    ).cases
    expected = case.expected
    assert (expected.outcome, expected.lower, expected.upper) == (Outcome.REVIEW, Outcome.PASS, Outcome.REJECT)
    assert expected.settled is False
    assert expected.rules == ("emulator",)
    assert expected.unresolved == ("threshold:face.score.Forgery:reject",)
    assert expected.reasons == ("EMULATOR", "SCORECARD")
    assert expected.score == (0, 30)
    assert expected.waived == ("scorecard",)
    assert expected.problems == ("device.score",)


def test_read_score_may_be_one_number(read: Callable[[str], PolicyTestFile]) -> None:
    (case,) = read(with_tests("  - {name: one, expect: {score: 30}}")).cases
    assert case.expected.score == (30, 30)


@pytest.mark.parametrize(
    ("test", "code", "at", "message", "hint"),
    [
        ("{name: t, given: {inputs: {contry: SG}}, expect: pass}", "test-input", "contry", "`contry` is not an input",
         "did you mean `country`?"),
        ("{name: t, given: {country: SG}, expect: pass}", "test-input", "country",
         "unknown key `country` in `given`", "`country` is an input; write it under `inputs:`"),
        ("{name: t, given: {devise: {score: 1}}, expect: pass}", "test-signal", "devise",
         "the policy has no signal `devise`", "did you mean `device`?"),
        ("{name: t, given: {device: {scoer: 1}}, expect: pass}", "test-field", "scoer",
         "`scoer` is not a field of `device`", "did you mean `score`?"),
        ("{name: t, given: {device: 7}, expect: pass}", "schema-type", "7",
         "`device` must be a mapping, not the number 7", None),
        ("{name: t, given: {device: {score: '72'}}, expect: pass}", "test-value", "'72'",
         "`device.score` must be a double, not a string",
         "write 72; for a value that the policy must refuse, write `problems: [device.score]` in `expect`"),
        ("{name: t, given: {device: {score: 101}}, expect: pass}", "test-value", "101",
         "`device.score` is 101.0, outside its range [0.0, 100.0]",
         "for a value that the policy must refuse, write `problems: [device.score]` in `expect`"),
        ("{name: t, given: {face: {result: hihg}}, expect: pass}", "test-value", "hihg",
         "`face.result` must be one of low, high, not another string",
         "write high; for a value that the policy must refuse, write `problems: [face.result]` in `expect`"),
        ("{name: t, given: {face: {tags: [Forgeri]}}, expect: pass}", "test-value", "Forgeri",
         "`Forgeri` is not in the vocabulary of `face.tags`", "did you mean `Forgery`?"),
        ("{name: t, given: {face: {tags: [Glasses]}}, expect: pass}", "test-value", "Glasses",
         "`Glasses` is not in the vocabulary of `face.tags`", "a new one goes into `novel_tags`"),
        ("{name: t, given: {face: {score: {Forgery: 2}}}, expect: pass}", "test-value", "2",
         "`face.score.Forgery` is 2.0, outside its range [0.0, 1.0]",
         "for a value that the policy must refuse, write `problems: [face.score.Forgery]` in `expect`"),
        ("{name: t, given: {device: {score: null}}, expect: pass}", "schema-empty", "score",
         "`score` is empty", "write a value, or leave the key out"),
        ("{name: t, given: {face: {tags: [null]}}, expect: pass}", "schema-empty", "null",
         "a value is empty", "write `unknown`, or leave it out"),
        ("{name: t, now: noon, expect: pass}", "test-value", "noon",
         "`now` must be a timestamp: `noon` is not a timestamp such as 2026-01-15T08:30:00Z",
         "for example 2026-01-15T08:30:00Z"),
        ("{name: t, expect: passs}", "schema-value", "passs", "`expect` must be pass, review or reject, not `passs`",
         "did you mean `pass`?"),
        ("{name: t, expect: {outcom: pass}}", "schema-unknown-key", "outcom", "unknown key `outcom` in `expect`",
         "did you mean `outcome`?"),
        ("{name: t, expect: {}}", "test-empty", "expect", "`expect` says nothing", "one of pass, review, reject"),
        ("{name: t, table: []}", "test-empty", "table", "the table has no rows",
         "add a row, or write `expect` without a table"),
        ("{name: t, expect: {rules: [emulatr]}}", "test-rule", "emulatr", "the policy has no rule `emulatr`",
         "did you mean `emulator`?"),
        ("{name: t, expect: {unresolved: [scorecard]}}", "test-rule", "scorecard",
         "the policy has no rule `scorecard`", "a scorecard is no rule: write `reasons: [SCORECARD]`"),
        ("{name: t, expect: {rules: emulator}}", "schema-type", "emulator",
         "`rules` must be a list, not a string", None),
        ("{name: t, expect: {reasons: [EMULATER]}}", "test-reason", "EMULATER",
         "the policy has no reason code `EMULATER`", "did you mean `EMULATOR`?"),
        ("{name: t, expect: {settled: maybe}}", "schema-value", "maybe",
         "`settled` must be true or false, not `maybe`", "write"),
        ("{name: t, expect: {score: [1, 2, 3]}}", "schema-type", "[1, 2, 3]",
         "`score` must be a number of points, or [lowest, highest], not a list", None),
        ("{name: t, expect: {problems: [device.scoer]}}", "test-field", "device.scoer",
         "the policy has no field `device.scoer`", "did you mean `device.score`?"),
        ("{given: {}, expect: pass}", "schema-missing", "given", "a test needs `name`", "add `name: …`"),
        ("{name: t}", "schema-missing", "name", "a test needs `expect`", "add `expect: …`"),
        ("{name: t}\n  - name: u\n    expect: # today: pass\n  - {name: v, expect: pass}\n  - {name: w}",
         "schema-missing", "name",
         "3 tests have no `expect` yet: this one, and those in lines 6, 8",
         "write the outcome that each must have: `expect: review`"),
        ("{name: t, wehn: x, expect: pass}", "schema-unknown-key", "wehn", "unknown key `wehn` in a test",
         "did you mean `when`?"),
    ],
)  # fmt: skip
def test_read_mistake_is_found_with_its_place(
    read: Callable[[str], PolicyTestFile], test: str, code: str, at: str, message: str, hint: str | None
) -> None:
    text = with_tests(f"  - {test}\n")
    with pytest.raises(PolicyErrors) as caught:
        read(text)
    (error,) = caught.value.errors
    assert (error.code, error.message) == (code, message)
    if "wehn" not in test:
        assert error.hint is None if hint is None else (error.hint or "").startswith(hint)
    assert (error.file, error.line) == ("onboarding_test.yaml", 4)
    assert text[error.span.start : error.span.end] == at


@pytest.mark.parametrize(
    ("text", "code", "message"),
    [
        ("", "yaml-empty", "the document is empty"),
        ("[]", "schema-type", "a test file must be a mapping, not a list"),
        ("policy: onboarding.yaml", "schema-missing", "a test file needs `tests`"),
        ("tests: []", "schema-missing", "a test file needs `policy`"),
        ("policy: onboarding.yaml\ntests: []", "test-empty", "there are no tests"),
        ("policy: onbording.yaml\ntests: []", "test-policy", "there is no policy `onbording.yaml`"),
        ("policy: onboarding.yaml\ntests: {a: b}", "schema-type", "`tests` must be a list, not a mapping"),
        ("policy: onboarding.yaml\ntest: []\ntests: [{name: t, expect: pass}]", "schema-unknown-key",
         "unknown key `test` in a test file"),
        ("policy: 7\ntests: []", "schema-type", "the policy's file must be a string, not the number 7"),
        ("policy: onboarding.yaml\ntests: [{name: t, expect: pass}, {name: t, expect: reject}]", "test-duplicate",
         "duplicate test name `t`"),
        ("policy: onboarding.yaml\ndefaults: {device: {score: x}}\ntests: [{name: t, expect: pass}]", "test-value",
         "`device.score` must be a double, not a string"),
        ("policy: onboarding.yaml\ndefaults: {nwo: 1}\ntests: [{name: t, expect: pass}]", "test-signal",
         "the policy has no signal `nwo`"),
        ("policy: onboarding.yaml\ntests: [{name: &a t, expect: pass}]", "yaml-alias",
         "anchors and aliases are not allowed"),
    ],
)  # fmt: skip
def test_read_bad_file_is_found(read: Callable[[str], PolicyTestFile], text: str, code: str, message: str) -> None:
    with pytest.raises(PolicyErrors) as caught:
        read(text)
    assert [(error.code, error.message) for error in caught.value.errors] == [(code, message)]


def test_read_missing_policy_offers_the_nearest_file(read: Callable[[str], PolicyTestFile]) -> None:
    with pytest.raises(PolicyErrors) as caught:
        read("policy: onbording.yaml\ntests: []")
    assert caught.value.errors[0].hint == "did you mean `onboarding.yaml`?"


def test_read_errors_of_the_policy_stand_beside_those_of_the_file(read: Callable[[str], PolicyTestFile]) -> None:
    Path("onboarding.yaml").write_text(POLICY.replace("device.emulator", "device.emulatr"))
    with pytest.raises(PolicyErrors) as caught:
        read("policy: onboarding.yaml\nexpects: 1\ntests: []")
    assert [(error.file, error.code) for error in caught.value.errors] == [
        ("onboarding.yaml", "name-unknown"),
        ("onboarding_test.yaml", "schema-unknown-key"),
    ]


def test_read_score_without_scorecard_is_found(read: Callable[[str], PolicyTestFile]) -> None:
    Path("onboarding.yaml").write_text(POLICY.partition("scorecard:")[0])
    with pytest.raises(PolicyErrors) as caught:
        read(with_tests("  - {name: t, expect: {score: 3}}"))
    assert [error.code for error in caught.value.errors] == ["test-score"]


def test_read_missing_file_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(PolicyErrors) as caught:
        read_tests(tmp_path / "no_test.yaml")
    assert caught.value.errors[0].message == "cannot read the test file: no such file or directory"


def test_policy_of_is_beside_the_file_and_never_raises(read: Callable[[str], PolicyTestFile]) -> None:
    read(with_tests("  - {name: t, expect: pass}"))
    assert policy_of(Path("onboarding_test.yaml")) == Path("onboarding.yaml")
    Path("bad_test.yaml").write_text("policy: [")
    assert policy_of(Path("bad_test.yaml")) is None
    assert policy_of(Path("absent_test.yaml")) is None
