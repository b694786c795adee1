"""Coverage of policies by their tests, tests that are suggested, tables, and JUnit."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from xml.etree import ElementTree

import pytest

from adjudge.authoring.policy_tests.cases import PolicyTestFile, read_tests
from adjudge.authoring.policy_tests.coverage import coverage
from adjudge.authoring.policy_tests.junit import junit
from adjudge.authoring.policy_tests.suggest import suggest
from adjudge.authoring.policy_tests.testing import run
from adjudge.errors import PolicyErrors

POLICY = """policy_language: 1
policy: shop
inputs:
  country: string
  age: {type: duration, range: [0s, 9000h]}
  count: {type: int, range: [0, 9]}
signals:
  face:
    fields:
      tags: {type: set, values: [A, B]}
      score: {type: map, keys: [A, B], of: {type: double, range: [0, 1]}, absent: 0}
variables: {fresh: age < duration("24h")}
thresholds: {face.score: {A: {review: 0.5}}}
rules:
  - {id: many, when: count >= 9, then: reject}
  - {id: new, when: 'fresh && country == "SG"', then: review}
  - {id: tagged, when: '"B" in face.tags', then: review}
  - {id: ever, when: 'true', then: review, from: 2026-01-01}
scorecard:
  points: [{when: fresh, add: 1}, {when: count > 3, add: 2}]
  bands: {review: 3}
"""
TESTS = """policy: shop.yaml
defaults:
  inputs: {country: DE, age: 100h, count: 0}
  face: {tags: [], score: {}}
  now: 2025-01-01T00:00:00Z
tests:
  - name: quiet
    expect: pass
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "shop.yaml").write_text(POLICY)
    return tmp_path


def beside(folder: Path, more: str = "") -> PolicyTestFile:
    (folder / "shop_test.yaml").write_text(TESTS + more)
    return read_tests(folder / "shop_test.yaml")


def missing(file: PolicyTestFile) -> set[tuple[str, str]]:
    return {(item.name, item.what) for item in coverage([file]).missing}


def test_quiet_test_tries_every_rule_false_and_little_else(folder: Path) -> None:
    left = missing(beside(folder))
    assert {
        ("many", "true"),
        ("many", "unknown"),
        ("new", "true"),
        ("row 2", "true"),
        ("scorecard", "in review"),
    } <= left
    assert ("many", "false") not in left
    assert ("scorecard", "in pass") not in left
    assert ("outcome", "reject") in left


@pytest.mark.parametrize(
    ("given", "name", "what"),
    [
        ("face: {score: {A: 0.5}}", "face.score.A >= 0.5", "at"),
        ("face: {score: {A: 0.49}}", "face.score.A >= 0.5", "just below"),
        ("face: {score: {A: 0.51}}", "face.score.A >= 0.5", "just above"),
        ("inputs: {count: 8}", "count >= 9", "just below"),
        ("inputs: {age: 24h}", 'age < duration("24h")', "at"),
        ("inputs: {age: 24h1m}", 'age < duration("24h")', "just above"),
        ("inputs: {age: 23h59m}", 'age < duration("24h")', "just below"),
        ("face: unknown", "tagged", "unknown"),
        ("inputs: {count: unknown}", "row 2", "unknown"),
    ],
)
def test_boundary_is_tried_at_and_just_beside_it(folder: Path, given: str, name: str, what: str) -> None:
    assert (name, what) in missing(beside(folder))
    file = beside(folder, f"  - name: more\n    given: {{{given}}}\n    expect: {{problems: []}}\n")
    assert (name, what) not in missing(file)


def test_far_from_a_threshold_is_not_beside_it(folder: Path) -> None:
    given = "{inputs: {age: 20h, count: 7}, face: {score: {A: 0.7}}}"
    more = f"  - name: more\n    given: {given}\n    expect: {{problems: []}}\n"
    left = missing(beside(folder, more))
    assert {('age < duration("24h")', "just below"), ("count >= 9", "just below")} <= left
    assert ("face.score.A >= 0.5", "just above") in left


def test_what_cannot_be_is_not_asked_for(folder: Path) -> None:
    """Nothing lies above the end of a range."""
    assert ("count >= 9", "just above") not in missing(beside(folder))


@pytest.mark.parametrize(
    ("condition", "sides"),
    [
        ("n > 2.5", {"just below": 2, "just above": 3}),
        ("n > 2.0", {"just below": 1, "at": 2, "just above": 3}),
    ],
)
def test_int_beside_a_constant_that_is_none_can_be_covered(folder: Path, condition: str, sides: dict[str, int]) -> None:
    rules = f"rules: [{{id: a, when: {condition}, then: review}}]\n"
    (folder / "shop.yaml").write_text(f"policy_language: 1\npolicy: shop\ninputs: {{n: int}}\n{rules}")
    tests = "policy: shop.yaml\ntests:\n  - {name: lost, expect: review}\n"
    (folder / "shop_test.yaml").write_text(tests)
    file = read_tests(folder / "shop_test.yaml")
    assert {what for name, what in missing(file) if name == condition} == sides.keys()
    rows = "".join(f"      - {{n: {n}, expect: {'review' if n > 2 else 'pass'}}}\n" for n in sides.values())
    (folder / "shop_test.yaml").write_text(f"{tests}  - name: beside it\n    table:\n{rows}")
    assert coverage([read_tests(folder / "shop_test.yaml")]).percent == 100
    suggestions, unfound = suggest(file)
    assert unfound == () and suggestions


def test_suggestions_filled_in_cover_all_that_they_name(folder: Path) -> None:
    file = beside(folder)
    suggestions, unfound = suggest(file)
    assert unfound == ()
    text = "".join(re.sub(r"expect: # today: (\w+)", r"expect: \1", one.render()) + "\n" for one in suggestions)
    filled = beside(folder, text)
    assert all(result.passed for result in run(filled))
    assert missing(filled) == set()
    assert coverage([filled]).percent == 100


ODD_POLICY = r"""policy_language: 1
policy: shop
inputs:
  name: string
  kind: {type: enum, values: [fine, "- foo", " lead", "no", "unknown", "a#b", "null", "1", "True", "plain x "]}
  m: {type: map, keys: ["a b", "1h", "x:y", "{z", "true"], of: {type: double, range: [0, 1]}}
rules:
  - {id: lines, when: 'name == "a\nb"', then: review}
  - {id: tab, when: 'name == "a\tb"', then: review}
  - {id: apostrophe, when: "name == \"it's\"", then: review}
  - {id: smile, when: 'name == "😀"', then: review}
  - {id: private, when: 'name == "\U000F0001"', then: review}
  - {id: empty, when: 'name == ""', then: review}
  - {id: unknown, when: 'name == "unknown"', then: review}
"""


def test_suggestions_hold_odd_texts_as_yaml_reads_them(folder: Path) -> None:
    kinds = re.findall(r'"[^"]+"', ODD_POLICY.split("values: ")[1].split("\n")[0])
    keys = re.findall(r'"[^"]+"', ODD_POLICY.split("keys: ")[1].split("]")[0])
    conditions = [*(f"kind == {kind}" for kind in kinds), *(f"m[{key}] > 0.5" for key in keys)]
    rules = "".join(f"  - {{id: r{at}, when: '{text}', then: review}}\n" for at, text in enumerate(conditions))
    (folder / "shop.yaml").write_text(ODD_POLICY + rules)
    zeros = ", ".join(f"{key}: 0" for key in keys)
    defaults = f"defaults: {{inputs: {{name: x, kind: fine, m: {{{zeros}}}}}}}"
    (folder / "shop_test.yaml").write_text(f"policy: shop.yaml\n{defaults}\ntests:\n  - {{name: none, expect: pass}}\n")
    file = read_tests(folder / "shop_test.yaml")
    suggestions, unfound = suggest(file)
    assert unfound == ()
    text = "".join(re.sub(r"expect: # today: (\w+)", r"expect: \1", one.render()) + "\n" for one in suggestions)
    (folder / "shop_test.yaml").write_text(file.source.text + text)
    filled = read_tests(folder / "shop_test.yaml")
    assert all(result.passed for result in run(filled))
    assert coverage([filled]).percent == 100


def test_suggestion_that_is_not_filled_in_is_an_error(folder: Path) -> None:
    suggestions, _ = suggest(beside(folder))
    with pytest.raises(PolicyErrors) as caught:
        beside(folder, suggestions[0].render() + "\n")
    assert [error.code for error in caught.value.errors] == ["schema-missing"]


HARD = """policy_language: 1
policy: shop
inputs:
  a: {type: int, range: [0, 100]}
  b: {type: double, range: [0, 10]}
  opened: timestamp
  zone_free: duration
signals:
  face: {fields: {tags: {type: set, values: [A, B]}}}
rules:
  - {id: product, when: b * 3.5 > 30.0 && b < 9.0, then: review}
  - {id: night, when: 'now.getHours() >= 22 && now - opened < duration("1h")', then: review}
  - {id: new-words, when: size(face.novel_tags) > 1, then: reject}
scorecard:
  points:
    - {when: a > 10, add: 10}
    - {when: a > 20, add: -10}
    - {when: b > 1.0, add: 15}
  bands: {review: 20, reject: 25}
"""


def test_inputs_are_found_for_products_times_words_and_bands(folder: Path) -> None:
    """What no guess tries is asked of the solver, which sets the clock too."""
    pytest.importorskip("z3", reason="needs the extra `proofs`")
    (folder / "shop.yaml").write_text(HARD)
    (folder / "shop_test.yaml").write_text("policy: shop.yaml\ntests:\n  - {name: nothing, expect: review}\n")
    file = read_tests(folder / "shop_test.yaml")
    suggestions, unfound = suggest(file)
    assert [(item.name, item.what) for item in unfound] == [("scorecard", "in review")]  # 20 to 24 cannot be reached
    text = file.source.text + "".join(one.render(agreed=True) + "\n" for one in suggestions)
    filled = read_tests(folder / "shop_test.yaml", text=text)
    assert all(result.passed for result in run(filled))
    assert [(item.name, item.what) for item in coverage([filled]).missing] == [("scorecard", "in review")]
    assert any(one.now is not None for one in suggestions)


WEIGHED = """policy_language: 1
policy: weighed
inputs: {country: {type: enum, values: [SG, ID, PH]}, tries: {type: int, range: [0, 3]}}
lookup: {weight: {by: country, values: {SG: -5, ID: 10, PH: 25}}}
scorecard:
  points: [{id: by-country, when: tries > 0, add: weight}, {add: tries}]
  bands: {review: 20}
"""


def test_each_number_that_a_row_can_add_is_tried_and_found(folder: Path) -> None:
    (folder / "shop.yaml").write_text(WEIGHED)
    (folder / "shop_test.yaml").write_text("policy: shop.yaml\ntests:\n  - {name: nothing, expect: review}\n")
    file = read_tests(folder / "shop_test.yaml")
    rows = [(item.name, item.what) for item in coverage([file]).missing if item.kind == "row"]
    assert rows == [*(("by-country", what) for what in ("-5", "0", "+10", "+25")),
                    *(("row 2", what) for what in ("0", "+1", "+2", "+3"))]  # fmt: skip
    assert [item.name for item in coverage([file]).missing if item.kind == "threshold"] == ["tries > 0"] * 2
    suggestions, unfound = suggest(file)
    text = file.source.text + "".join(one.render(agreed=True) + "\n" for one in suggestions)
    filled = read_tests(folder / "shop_test.yaml", text=text)
    assert not [item for item in unfound if item.kind == "row"]
    assert [item for item in coverage([filled]).missing if item.kind == "row"] == []


def test_coverage_reads_well(folder: Path, golden: Callable[[str, str], None]) -> None:
    file = beside(folder)
    golden("authoring/coverage.txt", "\n".join(coverage([file]).lines()) + "\n")
    golden("authoring/suggestions.txt", "\n".join(one.render() for one in suggest(file)[0]) + "\n")


# Tables


TABLE = """  - name: the score of A
    given: {inputs: {country: SG}}
    table:
      - {face.score.A: 0.49, expect: pass}
      - {face.score.A: 0.50, expect: review}
      - {face.score.A: 0.20, age: 5h, expect: {outcome: review, rules: [new]}}
      - {face: unknown, expect: {outcome: review, settled: false}}
      - {expect: pass}
"""


def test_table_is_a_test_for_each_row(folder: Path) -> None:
    results = run(beside(folder, TABLE))
    assert [result.case.name for result in results[1:]] == [
        "the score of A: face.score.A 0.49",
        "the score of A: face.score.A 0.50",
        "the score of A: face.score.A 0.20, age 5h",
        "the score of A: face unknown",
        "the score of A: as it stands",
    ]
    assert all(result.passed for result in results)
    assert [result.line for result in results[1:]] == [12, 13, 14, 15, 16]


def test_key_in_a_table_leaves_the_maps_other_keys(folder: Path) -> None:
    more = TABLE.replace("{inputs: {country: SG}}", "{face: {score: {B: 0.3}}}")
    cases = beside(folder, more).cases
    assert cases[1].given["face"]["score"] == {"B": 0.3, "A": 0.49}  # type: ignore[index]


@pytest.mark.parametrize(
    ("old", "new", "code"),
    [
        ("face.score.A: 0.49", "face.scores.A: 0.49", "test-field"),
        ("face.score.A: 0.49", "colour: red", "test-field"),
        ("face.score.A: 0.49", "face.score.A: 4", "test-value"),
        ("face.score.A: 0.49", "face.score.C: 0.4", "test-value"),
        ("- {face.score.A: 0.49, expect: pass}", "- {face.score.A: 0.49}", "schema-missing"),
        ("    table:", "    expect: pass\n    table:", "schema-value"),
        ("face.score.A: 0.49", "face.score.A: 0.50", "test-duplicate"),
    ],
)
def test_table_with_a_slip_is_refused(folder: Path, old: str, new: str, code: str) -> None:
    with pytest.raises(PolicyErrors) as caught:
        beside(folder, TABLE.replace(old, new, 1))
    assert code in [error.code for error in caught.value.errors]


# JUnit


def test_junit_has_a_case_for_each_test_and_each_gap(folder: Path) -> None:
    file = beside(folder, "  - {name: wrong, expect: reject}\n")
    covered = coverage([file])
    root = ElementTree.fromstring(junit([("shop_test.yaml", run(file))], [("shop.yaml", covered)], ["shop.yaml"]))
    tests, gaps = root.findall("testsuite")
    assert (tests.get("tests"), tests.get("failures")) == ("2", "1")
    (failure,) = tests.iter("failure")
    assert failure.get("message") == "outcome: expected reject, got pass"
    assert [case.get("line") for case in tests.iter("testcase")] == ["7", "9"]
    assert int(gaps.get("failures", 0)) == len(covered.missing) == len(list(gaps.iter("failure")))


def test_junit_skips_gaps_where_as_much_is_covered_as_was_asked_for(folder: Path) -> None:
    covered = coverage([beside(folder)])
    (gaps,) = ElementTree.fromstring(junit([], [("shop.yaml", covered)])).findall("testsuite")
    assert (gaps.get("failures"), gaps.get("skipped")) == ("0", str(len(covered.missing)))
    assert len(list(gaps.iter("skipped"))) == len(covered.missing)


def test_junit_is_xml_whatever_a_test_holds(folder: Path) -> None:
    given = r'{inputs: {country: "\t]]>"}}'
    file = beside(folder, f'  - {{name: "q\\a <&> \\uFFFE😀", given: {given}, expect: {{rules: [new], score: 9}}}}\n')
    root = ElementTree.fromstring(junit([("shop_test.yaml", run(file))]))
    (failure,) = root.iter("failure")
    assert "\n  rules: expected new, got none\n" in (failure.text or "")
