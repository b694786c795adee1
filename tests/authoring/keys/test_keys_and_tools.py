"""A key of the policy that one of the tools does not know is not finished: every key, in every tool.

The table in docs/keys.md says the same, and is held to it.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from adjudge.authoring.formatting.run import formatted
from adjudge.authoring.language_server.completion import complete
from adjudge.authoring.language_server.document import read_text
from adjudge.authoring.policy_tests.cases import read_tests
from adjudge.authoring.policy_tests.coverage import coverage
from adjudge.authoring.policy_tests.suggest import suggest
from adjudge.authoring.schema.json_schema import schema_of_policies
from adjudge.authoring.schema.keys import OBJECTS
from adjudge.model import Outcome
from adjudge.policy import Policy, load_policy, parse_policy
from adjudge.policy.catalogue import Catalogue
from adjudge.policy.loading.reader import Reader
from adjudge.policy.text.yaml import read_yaml
from adjudge.replay.decisions import replay
from adjudge.source import Source
from adjudge.values.declared import FIELD_FORMS
from authoring.keys.examples import EXAMPLES, LIVE_ONLY, TOLD, Example
from policy import judge
from policy.random_policies import requests

jsonschema = pytest.importorskip("jsonschema")
duckdb = pytest.importorskip("duckdb", reason="needs the extra `backtest`")
pytest.importorskip("z3", reason="needs the extra `proofs`")

from adjudge.authoring.comparison.regions import compare  # noqa: E402
from adjudge.authoring.counterfactual import counterfactual  # noqa: E402
from adjudge.authoring.proofs.analyse import analyse  # noqa: E402
from adjudge.backtest.duck import connect  # noqa: E402
from adjudge.backtest.run import Runner  # noqa: E402
from adjudge.backtest.tunable_thresholds import tunable_thresholds  # noqa: E402
from adjudge.backtest.tune import is_written, rewritten  # noqa: E402
from backtest.backtest_logs import decide_all  # noqa: E402
from backtest.test_query import dataset  # noqa: E402

PAGE = Path(__file__).parents[3] / "docs/keys.md"
CATALOGUE = Catalogue()
ROWS = 12


def drawn(policy: Policy, example: Example, count: int = ROWS) -> list[dict[str, object]]:
    """Return requests of every kind, the shown one first: the same ones at each run."""
    found: list[list[dict[str, object]]] = []

    @settings(
        max_examples=1, phases=[Phase.generate], derandomize=True, database=None, deadline=None,
        suppress_health_check=list(HealthCheck),
    )  # fmt: skip
    @given(st.lists(requests(policy), min_size=count, max_size=count))
    def draw(given_: list[dict[str, object]]) -> None:
        found.append(given_)

    draw()
    return [dict(example.shown), {}, *found[-1]]


def by_verdict(example: Example, folder: Path) -> None:
    """Live: the key makes the difference that it is for, and the verdict is the slow judge's."""
    policy, without = load_policy(example.write(folder)), load_policy(example.write(folder, has_key=False))
    one, other = (getattr(each.evaluate(example.shown, now=example.now), example.differ) for each in (policy, without))
    assert one != other
    for request in drawn(policy, example):
        verdict = policy.evaluate(request, now=example.now)
        assert msgspec.structs.replace(verdict, problems=(), missing=tuple(sorted(verdict.missing))) == judge.verdict(
            policy, request, example.now
        )


def by_backtest(example: Example, folder: Path) -> None:
    """SQL: every row has the live verdict, nothing is answered row by row, and counts are counts of these."""
    policy = load_policy(example.write(folder))
    given_ = drawn(policy, example)
    expected = [policy.evaluate(one, now=example.now) for one in given_]
    with connect(threads=1) as connection:
        runner = Runner(connection, policy, dataset(connection, policy, given_))
        assert all(one.is_rare for one in runner.sql.fallbacks)
        for row, verdict in zip(runner.rows(), expected, strict=True):
            assert (row.outcome, row.lower, row.upper, row.matched, row.unresolved, row.score) == (
                verdict.outcome, verdict.lower, verdict.upper, verdict.matched, verdict.unresolved, verdict.score,
            )  # fmt: skip
        result = runner.backtest()
    cells = Counter({(cell.outcome, cell.lower, cell.upper): cell.rows for cell in result.cells})
    assert cells == Counter((verdict.outcome, verdict.lower, verdict.upper) for verdict in expected)


def by_proofs(example: Example, folder: Path) -> None:
    """Every question about the policy is settled."""
    found = analyse(load_policy(example.write(folder)), in_process=True).findings
    assert [finding.message for finding in found if finding.code == "not-proved"] == []


def by_comparison(example: Example, folder: Path) -> None:
    """Nothing differs from itself; from the policy without the key, what the key changes, shown by an input."""
    policy, without = load_policy(example.write(folder)), load_policy(example.write(folder, has_key=False))
    assert compare(policy, policy, in_process=True).relation == "same"
    found = compare(without, policy, in_process=True)
    assert found.changes
    assert found.open == ()
    for region in found.regions:
        outcomes = [one.evaluate(region.witness.given, now=region.witness.now).outcome for one in (without, policy)]
        assert outcomes == [region.old, region.new]
    if example.differ == "outcome":
        assert found.regions
    elif example.differ == "reasons":
        assert found.other_reasons is not None


def by_tests(example: Example, folder: Path) -> None:
    """Coverage asks for what the key adds, and `--suggest` finds inputs for all of it."""
    example.write(folder)
    now = load_policy(folder / "shop.yaml").evaluate({}, now=example.now).outcome
    tests = f"policy: shop.yaml\ntests:\n  - {{name: nothing is known, given: {{}}, expect: {now}}}\n"
    (folder / "shop_test.yaml").write_text(tests)
    file = read_tests(folder / "shop_test.yaml")
    found, unfound = suggest(file)
    assert [item.what for item in unfound] == []
    text = file.source.text + "".join(one.render(agreed=True) + "\n" for one in found)
    filled = read_tests(folder / "shop_test.yaml", text=text)
    assert coverage([filled]).missing == ()


def by_tuning(example: Example, folder: Path) -> None:
    """Thresholds that are turned stay in the file's own form, and the key with them."""
    policy = load_policy(example.write(folder))
    turned = {one: one.value * 0.9 for one in tunable_thresholds(policy.typed) if is_written(policy, one)}
    again = parse_policy(rewritten(policy, turned), folder=folder)
    assert {rule.id for rule in again.typed.rules} == {rule.id for rule in policy.typed.rules}
    assert sorted(one.value for one in tunable_thresholds(again.typed)) == sorted(
        turned.get(one, one.value) for one in tunable_thresholds(policy.typed)
    )


def by_schema(example: Example, folder: Path) -> None:
    """The JSON Schema takes the policy."""
    source = Source("shop.yaml", example.policy())
    root, errors = read_yaml(source)
    assert root is not None and not errors
    validator = jsonschema.Draft202012Validator(schema_of_policies(CATALOGUE))
    assert [error.message for error in validator.iter_errors(Reader(source).plain(root, nulls=True))] == []


def by_format(example: Example, folder: Path) -> None:
    """In house form it means the same, and house form is left as it is."""
    policy = load_policy(example.write(folder))
    text = formatted(example.policy())
    assert formatted(text) == text
    again = parse_policy(text, folder=folder)
    for request in drawn(policy, example):
        assert again.evaluate(request, now=example.now) == policy.evaluate(request, now=example.now)


def by_editor(example: Example, folder: Path) -> None:
    """The editor has no error to show, and completes every key of the example where it stands."""
    path = example.write(folder)
    text = path.read_text()
    document = read_text(path, text, CATALOGUE)
    assert [problem.message for problem in document.problems if problem.severity == "error"] == []
    known = {name for _, keys in OBJECTS.values() for name in keys}
    for line in re.finditer(r"^( *(?:- )?)(\w+):", text, re.MULTILINE):
        if line[2] in known:
            rest = text[: line.end(1)] + text[text.find("\n", line.end()) :]
            labels = {one.label for one in complete(read_text(path, rest, CATALOGUE, document), line.end(1), CATALOGUE)}
            assert line[2] in labels


def by_explanation(example: Example, folder: Path) -> None:
    """An explanation of each verdict can be had as text, and tells the difference that the key makes."""
    policy, without = load_policy(example.write(folder)), load_policy(example.write(folder, has_key=False))
    for request in drawn(policy, example):
        verdict, told = policy.evaluate(request, now=example.now), policy.explain(request, now=example.now)
        assert told.verdict == verdict
        assert str(verdict.outcome) in str(told)
    one, other = (str(each.explain(example.shown, now=example.now)) for each in (policy, without))
    assert one != other


def by_what_would_have_changed(example: Example, folder: Path) -> None:
    """What is told to change an outcome does change it."""
    policy = load_policy(example.write(folder))
    for request in (dict(example.shown), {}):
        if policy.evaluate(request, now=example.now).outcome is not Outcome.PASS:
            found = counterfactual(policy, request, now=example.now, in_process=True)
            assert found.open is None or not found.ways
            before = policy.evaluate(request, now=example.now).outcome
            assert all(way.changes and way.outcome < before for way in found.ways)


def by_replay(example: Example, folder: Path) -> None:
    """A log of decisions replays with nothing but the log."""
    policy = load_policy(example.write(folder))
    decisions = decide_all(folder / "audit", policy, drawn(policy, example))
    for name in example.files:
        (folder / name).unlink()
    replayed = list(replay(folder / "audit"))
    assert [one.answer for one in replayed] == ["identical"] * len(decisions)
    assert decisions


Tool = Callable[[Example, Path], None]
TOOLS: Mapping[str, Tool] = {
    "live": by_verdict,
    "backtest": by_backtest,
    "proofs": by_proofs,
    "compare": by_comparison,
    "test": by_tests,
    "tune": by_tuning,
    "schema": by_schema,
    "format": by_format,
    "editor": by_editor,
    "explain": by_explanation,
    "what if": by_what_would_have_changed,
    "replay": by_replay,
}


OPEN: frozenset[tuple[str, str]] = frozenset()
"""What does not work yet."""
OTHERS = (("## Keys of a live decision", LIVE_ONLY), ("## Keys that tell, or are part of another", TOLD))


def pairs() -> list[Any]:
    """Every key with every tool."""
    strict = pytest.mark.xfail(strict=True, reason="not yet, as docs/keys.md says")
    return [
        pytest.param(key, name, id=f"{key}: {name}", marks=[strict] if (key, name) in OPEN else [])
        for key, example in EXAMPLES.items()
        for name in TOOLS
        if name not in example.apart
    ]


@pytest.mark.parametrize(("key", "tool"), pairs())
def test_every_tool_knows_every_key(key: str, tool: str, tmp_path: Path) -> None:
    TOOLS[tool](EXAMPLES[key], tmp_path)


def test_every_key_has_an_example_or_decides_nothing() -> None:
    named = {name if group == "policy" else f"{group}.{name}" for group, (_, keys) in OBJECTS.items()
             if group not in ("tests", "test") for name in keys}  # fmt: skip
    named |= {f"field.{key}" for takes in FIELD_FORMS.values() for key in takes}
    shown = {"rule.when", "list.file", "table.file", *EXAMPLES, *LIVE_ONLY, *TOLD}
    assert named - shown == set()
    assert {*LIVE_ONLY, *TOLD} <= named


def table() -> str:
    """Return the page's tables: keys that decide by tool, then the others with what they are for."""
    rows = [f"| key | {' | '.join(TOOLS)} |", "|---" * (len(TOOLS) + 1) + "|"]
    for key, example in EXAMPLES.items():
        cells = ["–" if tool in example.apart else "not yet" if (key, tool) in OPEN else "✓" for tool in TOOLS]
        rows.append(f"| {key if ' ' in key else f'`{key}`'} | {' | '.join(cells)} |")
    reasons = [
        f"- {key if ' ' in key else f'`{key}`'}, {tool}: {why}"
        for key, example in EXAMPLES.items()
        for tool, why in example.apart.items()
    ]
    parts = ["\n".join(rows), "\n".join(reasons)]
    for heading, keys in (
        ("## Keys of a live decision", LIVE_ONLY),
        ("## Keys that tell, or are part of another", TOLD),
    ):
        rows = ["| key | what it is for |", "|---|---|", *(f"| `{key}` | {why} |" for key, why in keys.items())]
        parts += [heading, "\n".join(rows)]
    return "\n\n".join(part for part in parts if part) + "\n"


def test_the_page_has_the_same_table(request: pytest.FixtureRequest) -> None:
    """Recorded anew by `pytest --write-golden`."""
    text = PAGE.read_text(encoding="utf-8")
    head, mark, _ = text.partition("<!-- the tables: made by tests/authoring/keys -->\n\n")
    assert mark
    if request.config.getoption("--write-golden"):
        PAGE.write_text(head + mark + table(), encoding="utf-8")
    assert PAGE.read_text(encoding="utf-8") == head + mark + table()
