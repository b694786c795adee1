"""Proofs in a process of their own: the same answers, kept to their time, and nothing lost that was found."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from adjudge.model import Outcome
from adjudge.plugin import Function
from adjudge.policy import Policy, parse_policy
from adjudge.policy.catalogue import Catalogue

pytest.importorskip("z3", reason="needs the extra `proofs`")

from adjudge.authoring.comparison.regions import compare
from adjudge.authoring.counterfactual import counterfactual
from adjudge.authoring.proofs.analyse import analyse
from adjudge.authoring.proofs.apart import Ended, apart, here

ONE = parse_policy("""policy_language: 1
policy: one
inputs:
  flag: bool
  age: {type: duration, range: [0s, 900h]}
  born: timestamp
  count: {type: int, range: [0, 9], actionable: true}
  share: {type: double, range: [0, 1]}
  os: {type: enum, values: [ios, web]}
  tags: {type: set, values: [A, B]}
lists: {bad: [TR]}
rules:
  - {id: flag, when: 'flag && age < duration("24h") && os == "web"', then: review}
  - {id: never, when: 'share > 0.7 && share < 0.3', then: reject}
  - {id: share, when: share > 0.75, then: reject}
  - {id: count, when: 'count > 4 && "A" in tags && born > timestamp("2020-01-01T00:00:00Z")', then: review}
""")
WIDE = parse_policy(ONE.typed.source.text.replace("share > 0.75", "share > 0.5"))
GIVEN = {
    "flag": True,
    "age": "2h",
    "born": "2021-01-01T00:00:00Z",
    "count": 5,
    "share": 0.2,
    "os": "ios",
    "tags": ["A"],
}


def chained(first: str, link: str, last: str, links: int = 60) -> Policy:
    """Return a policy whose terms double with each variable."""
    lines = [f"  v0: {first}", *(f"  v{at}: '{link.replace('v', f'v{at - 1}')}'" for at in range(1, links))]
    rule = f"rules:\n  - {{id: r, when: '{last.replace('v', f'v{links - 1}')}', then: review}}\n"
    head = "policy_language: 1\npolicy: p\ninputs: {a: int, x: double, text: string}\nvariables:\n"
    return parse_policy(head + "\n".join(lines) + "\n" + rule)


def test_a_process_of_its_own_finds_the_same() -> None:
    near, far = (analyse(ONE, in_process=in_process) for in_process in (True, False))
    assert [finding.message for finding in near.findings] == [finding.message for finding in far.findings]
    assert [(force.field, force.outcome) for force in near.forces] == [(f.field, f.outcome) for f in far.forces]
    assert "never-true" in {finding.code for finding in far.findings}
    near_, far_ = (compare(ONE, WIDE, in_process=in_process) for in_process in (True, False))
    assert near_.relation == far_.relation == "stricter"
    assert [(region.cause, region.old, region.new) for region in near_.regions] == [
        (region.cause, region.old, region.new) for region in far_.regions
    ]
    ways = [counterfactual(ONE, GIVEN, in_process=in_process).ways for in_process in (True, False)]
    assert {change.field for way in ways[0] for change in way.changes} == {"count", "tags:A", "born"}
    assert {change.field for way in ways[1] for change in way.changes} == {"count", "tags:A", "born"}


@pytest.mark.parametrize(
    "policy",
    [
        chained("a", "v + v", "v > 3"),
        chained("text", "v + v", 'v == "x"'),
        chained("x", "v * v + v", "v > 3.0"),
        chained("x > 0.5", "(v && a > 1) || (v && a < 9) || !v", "v"),
    ],
    ids=["sums", "texts", "products", "logic"],
)
def test_questions_that_do_not_come_back_are_not_proved(policy: Policy) -> None:
    analysis = analyse(policy, timeout_s=0.3, total_s=1)
    assert analysis.findings or analysis.forces
    comparison = compare(policy, WIDE, timeout_s=0.3, total_s=1)
    assert comparison.relation in ("not proved", "both", "stricter", "laxer")
    given = {"a": 1, "x": 1.5, "text": "x"}
    if policy.evaluate(given).outcome is not Outcome.PASS:
        assert counterfactual(policy, given, timeout_s=0.3, total_s=1)


def _endless(policy: Policy, *, total_s: float) -> Iterator[str]:
    yield "first"
    while True:
        pass


def _exhausting(policy: Policy, *, total_s: float) -> Iterator[int]:
    yield len(bytearray(1 << 60))


def _wrong(policy: Policy, *, total_s: float) -> Iterator[int]:
    yield 1
    raise ValueError("a fault of ours")


def _refused(policy: Policy, *, total_s: float) -> Iterator[int]:
    import z3

    yield 1
    z3.Int("a") + z3.String("b")


def _both(work: object, way: object) -> list[object]:
    found: list[object] = []
    try:
        for one in way(work, ONE, total_s=0.5):  # type: ignore[operator]
            found.append(one)
    except Ended as ended:
        found.append(str(ended))
    return found


def test_what_was_found_before_the_end_counts() -> None:
    assert _both(_endless, apart) == ["first", "no time was left"]


@pytest.mark.parametrize("way", [apart, here])
def test_memory_and_the_solver_may_fail(way: object) -> None:
    assert _both(_exhausting, way) == ["no memory was left"]
    one, said = _both(_refused, way)
    assert one == 1
    assert str(said).startswith("the solver failed: ")


@pytest.mark.parametrize("way", [apart, here])
def test_a_fault_of_ours_is_no_answer(way: object) -> None:
    with pytest.raises(ValueError, match="a fault of ours"):
        list(way(_wrong, ONE, total_s=5))  # type: ignore[operator]


def test_functions_that_cannot_be_sent_are_asked_here() -> None:
    odd = Function(name="odd", parameters=("int",), result="bool", call=lambda number: number % 2 == 1)
    text = "policy_language: 1\npolicy: odd\ninputs: {n: int}\nrules: [{id: r, when: odd(n) && n > 3, then: review}]\n"
    policy = parse_policy(text, catalogue=Catalogue(functions={"odd": odd}))
    assert {force.field for force in analyse(policy).forces} == {"n"}
