"""What is said of tables is so: held to trying every request."""

from __future__ import annotations

from itertools import product
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adjudge.policy.loading.load import read_policy
from adjudge.policy.policy import Policy

pytest.importorskip("z3", reason="needs the extra `proofs`")

from adjudge.authoring.proofs import boxes, tables
from adjudge.authoring.proofs.analyse import analyse

HEAD = """\
policy_language: 1
policy: shop
inputs:
  country: {type: enum, values: [SG, ID, PH]}
  web: bool
  mcc: string
  amount: {type: int, range: [0, 9]}
  tags: {type: set, values: [A, B]}
tables:
  t: {file: t.csv, then: review}
"""
HEADERS = {
    "country": ["SG", "ID"],
    "country in": ['"SG, PH"', '"SG, ID, PH"'],
    "country not in": ["SG", '"ID, PH"'],
    "web": ["true", "false"],
    "mcc": ["1", "2"],
    "mcc !=": ["1"],
    "amount >=": ["0", "3", "6"],
    "amount >": ["3", "8"],
    "amount <": ["3", "6"],
    "amount <=": ["6"],
    "amount": ["4"],
    "tags": ["A"],
}
REQUESTS = [
    {"country": country, "web": web, "mcc": mcc, "amount": amount, "tags": list(tags)}
    for country, web, mcc, amount, tags in product(
        ["SG", "ID", "PH"], [False, True], ["1", "2", "3"], range(10), ["", "A", "AB"]
    )
]


def policy_of(csv: str) -> Policy:
    return Policy(read_policy(HEAD, texts={"t.csv": csv}))


@st.composite
def rows(draw: st.DrawFn) -> str:
    headers = draw(st.lists(st.sampled_from(sorted(HEADERS)), min_size=1, max_size=4, unique=True))
    cell = {header: st.sampled_from(["", *values, *values]) for header, values in HEADERS.items()}
    lines = [
        [*(draw(cell[header]) for header in headers), draw(st.sampled_from(["review", "reject"]))]
        for _ in range(draw(st.integers(1, 6)))
    ]
    return (
        "\n".join(",".join(line) for line in [[*headers, "then"], *(line for line in lines if any(line[:-1]))]) + "\n"
    )


@settings(max_examples=120, deadline=None)
@given(rows())
def test_what_is_said_of_rows_holds_for_every_request(csv: str) -> None:
    policy = policy_of(csv)
    true_of = [set(policy.evaluate(request).matched) for request in REQUESTS]
    ids = {rule.id: rule for rule in policy.typed.rules}
    found = list(tables.table_findings(policy, alone=True))
    for finding in found:
        if finding.code == "never-true":
            assert not any(finding.rules[0] in true for true in true_of)
        elif finding.code == "shadowed":
            one, other = finding.rules
            assert all(other in true for true in true_of if one in true)
            assert ids[other].outcome >= ids[one].outcome
        elif finding.code == "overlap":
            (witness,) = finding.witnesses
            assert set(finding.rules) <= set(policy.evaluate(witness.input.given).matched)
    said = {(finding.code, *sorted(finding.rules)) for finding in found}
    lost = {rule for finding in found if finding.code in ("never-true", "shadowed") for rule in finding.rules[:1]}
    for one, other in product(sorted(ids), sorted(ids)):
        apart = ids[one].outcome != ids[other].outcome and not lost & {one, other}
        if one < other and apart and any({one, other} <= true for true in true_of):
            assert ("overlap", one, other) in said


def finding_of(policy: Policy, code: str) -> Any:
    return [finding for finding in analyse(policy, in_process=True).findings if finding.code == code]


def test_keys_that_no_row_has_are_named_with_a_request() -> None:
    policy = policy_of("country,web,amount >=\nSG,true,1\nSG,false,2\nID,,3\nPH,true,9\n")
    (finding,) = finding_of(policy, "uncovered")
    assert "country PH, web false" in finding.message
    assert policy.evaluate(finding.witnesses[0].input.given).matched == ()
    assert finding_of(policy_of("country,web\nSG,true\n,\n,false\n,true\n"), "uncovered") == []


def test_row_that_another_covers_is_told_once() -> None:
    policy = policy_of("country,amount >=\nSG,1\nSG,3\n")
    (finding,) = finding_of(policy, "shadowed")
    assert finding.rules == ("t:2", "t:1")


@pytest.mark.parametrize(
    ("wide", "narrow", "is_covered"),
    [
        ("review,,", "review,doc,", False),
        ("review,doc,", "review,doc,", True),
        ("reject,,person", "reject,,", False),
        ("reject,,", "reject,,person", True),
    ],
)
def test_row_is_covered_by_one_that_asks_and_confirms_as_much(wide: str, narrow: str, is_covered: bool) -> None:
    csv = f"country,amount >=,then,ask,confirm\nSG,1,{wide}\nSG,3,{narrow}\n"
    policy = Policy(read_policy(HEAD + "steps: {doc: D}\n", texts={"t.csv": csv}))
    found = [finding for finding in tables.table_findings(policy, alone=True) if finding.code == "shadowed"]
    assert bool(found) is is_covered


def test_large_table_is_settled_row_by_row(monkeypatch: pytest.MonkeyPatch) -> None:
    cells = [f"{('SG', 'ID', 'PH')[at % 3]},{at // 3},{at % 9}" for at in range(3000)]
    policy = policy_of("\n".join(["country,mcc,amount >=", *cells, "SG,0,5", "SG,1,9"]) + "\n")
    compared = 0
    real = boxes.within

    def counting(one: Any, other: Any) -> bool:
        nonlocal compared
        compared += 1
        return real(one, other)

    monkeypatch.setattr(tables, "within", counting)
    found = analyse(policy, in_process=True).findings
    assert [finding.rules for finding in found if finding.code == "shadowed"] == [("t:3001", "t:1"), ("t:3002", "t:4")]
    assert [finding.severity for finding in found if finding.code == "not-proved"] == ["note"]
    assert compared < 100


def test_bound_that_is_left_out_is_no_part_of_a_row() -> None:
    closed, open_ = boxes.Between(3, 6), boxes.Between(3, 6, low_open=True, high_open=True)
    assert open_.within(closed)
    assert not closed.within(boxes.Between(3, 6, low_open=True))
    assert not closed.within(boxes.Between(3, 6, high_open=True))
    assert closed.both(open_) == open_
    assert boxes.Between(3, 3, high_open=True).is_empty
    assert not boxes.Between(3, 3).is_empty
