"""Every recipe of the cookbook loads without a finding, is tested, in house form, and on the page as it is."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from adjudge.authoring.formatting.run import formatted
from adjudge.authoring.lint.run import lint
from adjudge.authoring.policy_tests.cases import read_tests
from adjudge.authoring.policy_tests.testing import run
from adjudge.model import Outcome
from adjudge.policy.loading.folder import is_test_file
from adjudge.registry import Registry

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "cookbook.md").read_text("utf-8")
RECIPES = sorted(path for path in (ROOT / "policies" / "cookbook").glob("*.yaml") if not is_test_file(path))


def test_every_recipe_is_on_the_page_under_a_heading_of_its_own() -> None:
    titles = re.findall(r'```yaml title="([\w-]+\.yaml)"', PAGE)
    assert sorted(titles) == [path.name for path in RECIPES]
    assert len(RECIPES) == len(re.findall(r"(?m)^## ", PAGE))


@pytest.mark.parametrize("path", RECIPES, ids=lambda path: path.stem)
def test_recipe_is_what_the_page_shows_and_what_its_tests_say(path: Path) -> None:
    text = path.read_text("utf-8")
    assert f'```yaml title="{path.name}"\n{text}```' in PAGE
    assert formatted(text) == text
    tests = read_tests(path.with_name(f"{path.stem}_test.yaml"), Registry.discover().catalogue())
    failed = [result.render() for result in run(tests) if not result.passed]
    assert failed == []
    assert [finding.render() for finding in lint(tests.policy.typed)] == []


@pytest.mark.parametrize("path", RECIPES, ids=lambda path: path.stem)
def test_recipe_says_what_happens_when_something_is_lost(path: Path) -> None:
    tests = read_tests(path.with_name(f"{path.stem}_test.yaml"), Registry.discover().catalogue())
    lost = [result.verdict for result in run(tests) if result.verdict.missing]
    assert lost
    assert all(verdict.outcome > Outcome.PASS or verdict.waived or verdict.settled for verdict in lost)
