"""Mistakes in a file of tests are told as those of a policy are, and what a hint proposes loads."""

from __future__ import annotations

from pathlib import Path

import pytest

from adjudge.authoring.policy_tests.cases import read_tests
from adjudge.errors import PolicyError, PolicyErrors

POLICY = """\
policy_language: 1
policy: shop
inputs:
  country: string
  attempts: {type: int, range: [0, 1000]}
  match: {type: double, range: [0, 1]}
  expiry: timestamp
  kind: {type: enum, values: [passport, national_id]}
  age: duration
signals:
  device: {fields: {vpn: bool}}
rules:
  - {id: match, when: match < 0.5 && attempts > 3 && device.vpn, then: review}
"""
TESTS = """\
policy: shop.yaml
defaults:
  inputs: {country: SG, attempts: 0, match: 0.99, expiry: 2030-01-01T00:00:00Z, kind: passport, age: 900h}
  device: {vpn: false}
tests:
  - name: clean
    expect: pass
  - name: bad
    given: {inputs: {country: IR}}
    expect: pass
"""


def errors_of(path: Path, text: str) -> tuple[PolicyError, ...]:
    (path / "shop.yaml").write_text(POLICY, "utf-8")
    try:
        read_tests(path / "shop_test.yaml", None, text)
    except PolicyErrors as errors:
        return errors.errors
    return ()


@pytest.mark.parametrize(
    ("right", "wrong", "told"),
    [
        ("expect: pass\n  -", "expect: Pass\n  -", "pass"),
        ("expect: pass\n  -", "expect: approve\n  -", "pass"),
        ("expect: pass\n  -", "expected: pass\n  -", "expect"),
        ("expect: pass\n  -", "expect\uff1apass\n  -", "full-width"),
        ("country: IR", "country\uff1aIR", "full-width"),
        ("match: 0.99", "match: 99%", "write 0.99"),
        ("match: 0.99", "match: \uff10.99", "write 0.99"),
        ("match: 0.99", 'match: "0.99"', "write 0.99"),
        ("match: 0.99", "match: 0,99", "write 0.99"),
        ("attempts: 0", "attempts: 1,000", "write 1000"),
        ("2030-01-01T00:00:00Z", "2030-01-01", "write 2030-01-01T00:00:00Z"),
        ("2030-01-01T00:00:00Z", "30/11/2030", "write 2030-11-30T00:00:00Z"),
        ("age: 900h", "age: 30 days", "write 30d"),
        ("vpn: false", "vpn: no", "write false"),
        ("vpn: false", "VPN: false", "vpn"),
        ("  device: {", "  Device: {", "device"),
        ("kind: passport", "kind: Passport", "write passport"),
        ("  - name: bad", "    name: bad", "- name: bad"),
        ("  - name: bad", "  - title: bad", "name"),
        ("  - name: bad", "\t- name: bad", "tab"),
        ("policy: shop.yaml", "Policy: shop.yaml", "policy"),
        ("tests:", "test:", "tests"),
        ("  inputs: {country: SG", "  now: 30/11/2026\n  inputs: {country: SG", "write 2026-11-30T00:00:00Z"),
    ],
)
def test_mistake_is_told_once_and_its_fix_loads(right: str, wrong: str, told: str, tmp_path: Path) -> None:
    text = TESTS.replace(right, wrong, 1)
    line = TESTS[: TESTS.index(right)].count("\n") + 1
    (error,) = errors_of(tmp_path, text)
    assert error.line == line
    assert told in error.render()
    for edit in sorted(error.fix, key=lambda one: -one.span.start):
        text = text[: edit.span.start] + edit.text + text[edit.span.end :]
    assert errors_of(tmp_path, text) == ()


@pytest.mark.parametrize(
    "given", ["{inputs: {country: IR}, now: 2026-01-15}", "{inputs: {country: IR, now: 2026-01-15}}"]
)
def test_clock_inside_of_given_is_told_where_it_belongs(given: str, tmp_path: Path) -> None:
    (error,) = errors_of(tmp_path, TESTS.replace("{inputs: {country: IR}}", given))
    assert error.hint == "write `now: 2026-01-15T08:30:00Z` before `given:`"
