"""Nothing is said never to happen that happens, nothing is said twice over that matters, whatever a condition reads."""

from __future__ import annotations

import pytest

from adjudge.policy import parse_policy

pytest.importorskip("z3", reason="needs the extra `proofs`")

from adjudge.authoring.comparison.regions import compare
from adjudge.authoring.proofs.analyse import analyse

HEAD = "policy_language: 1\npolicy: x\ninputs:\n"
MAP = "m: {type: map, keys: [a, b], of: string"
CASES: dict[str, tuple[str, str, dict[str, object]]] = {
    "text of a map's computed key": (
        f"  {MAP}}}\n",
        'm.exists(k, m[k].startsWith("y"))',
        {"m": {"a": "yy"}},
    ),
    "text of a map's absent key": (f'  {MAP}, absent: "no"}}\n', 'm.a == "y"', {"m": {"a": "y"}}),
    "text of a map's chosen key": (f"  {MAP}}}\n  f: bool\n", 'm[f ? "a" : "b"] == "y"', {"f": True, "m": {"a": "y"}}),
    "code beside a text": (
        f"  {MAP}}}\n  w: {{type: enum, values: [u, v]}}\n  f: bool\n",
        '(f ? m.a : w) == "y"',
        {"f": True, "w": "u", "m": {"a": "y"}},
    ),
    "backslash that begins no escape": (
        "  s: string\n",
        's.contains(r"\\u0041") && s.startsWith("C:") && !s.contains("A")',
        {"s": "C:\\u0041"},
    ),
    "character of a far plane": ("  s: string\n", 's > "\\U0002ffff" && size(s) == 1', {"s": "\U00030000"}),
    "function of two types": (
        "  n: int\n  age: duration\n",
        'string(n) != string(age) && n + 1 == 1 && age + duration("1s") == duration("1s")',
        {"n": 0, "age": "0s"},
    ),
    "two zeros": ("  x: double\n  y: double\n", "string(x) != string(y) && x == y", {"x": 0.0, "y": -0.0}),
    "choice within a macro": (
        "  tags: {type: set, values: [a, b]}\n",
        'tags.exists(t, t == "a" || t.startsWith("b"))',
        {"tags": ["b"]},
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_rule_that_fires_is_never_said_not_to(name: str) -> None:
    inputs, when, given = CASES[name]
    policy = parse_policy(f"{HEAD}{inputs}rules:\n  - {{id: r, when: {_quoted(when)}, then: review}}\n")
    assert policy.evaluate(given).matched == ("r",)
    codes = {finding.code for finding in analyse(policy, timeout_s=5, in_process=True).findings}
    assert not codes & {"never-true", "shadowed", "idle-part"}


def test_choice_of_sets_keeps_in_doubt_what_is_unknown_of_them() -> None:
    policy = parse_policy(f"""{HEAD}  tags: {{type: set, values: [bad, ok]}}
  other: {{type: set, values: [bad, ok]}}
  flag: bool
rules:
  - {{id: R, when: 'has(flag) && has(tags) && has(other) && "bad" in (flag ? tags : other)', then: review}}
  - {{id: S, when: '"bad" in tags || "bad" in other', then: reject, when_unknown: pass}}
""")
    assert policy.evaluate({"flag": True, "tags": [0], "other": []}).outcome == "review"
    assert "shadowed" not in {finding.code for finding in analyse(policy, timeout_s=5, in_process=True).findings}


@pytest.mark.parametrize(
    "condition",
    [
        'lists.long.exists(w, w.matches("^y"))',
        'lists.long.exists(w, lists.long.exists(v, lists.long.exists(u, u.startsWith("y"))))',
        'lists.long[0].matches("^y") || lists.long[1].matches("^y")',
        'lists.long[0] + lists.long[1] + lists.long[0] == "y"',
    ],
)
def test_rule_that_is_always_too_much_work_is_in_doubt_for_proofs_too(condition: str) -> None:
    rule = f"  - {{id: r, when: {_quoted(condition)}, then: reject}}\n"
    words = ", ".join("x" * 40_000 + str(at) for at in range(20))
    old, new = (
        parse_policy(f"{HEAD}  s: string\nlists: {{long: [{words}]}}\nrules:\n{rules}")
        for rules in (rule, rule.replace(_quoted(condition), "'false'"))
    )
    assert (str(old.evaluate({}).outcome), str(new.evaluate({}).outcome)) == ("review", "pass")
    assert compare(old, new, in_process=True).relation == "laxer"


def _quoted(condition: str) -> str:
    return "'" + condition.replace("'", "''") + "'"
