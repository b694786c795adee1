"""The documentation does what it says: every block is executed, every command run, every link followed."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import structlog

from adjudge.authoring.policy_tests import cases, expected
from adjudge.cli.group import COMMANDS
from adjudge.config.file import _KEYS as CONFIG_KEYS
from adjudge.config.jwt import ALGORITHMS, JWT_KEYS
from adjudge.config.scopes import SCOPES
from adjudge.config.service import KEYS as SERVICE_KEYS
from adjudge.errors import EvaluationError
from adjudge.expr import evaluate
from adjudge.expr.functions import FUNCTIONS
from adjudge.expr.parse import MACROS, PRECEDENCE
from adjudge.policy.loading import document, lookups, tables
from adjudge.values.declared import FIELD_FORMS
from docs.pages import PAGES, ROOT, Page, blocks, shows
from expr.test_conformance import LEFT_OUT

DOCS = ROOT / "docs"


@pytest.fixture
def _events_on_stderr() -> Iterator[None]:
    """Let operational events go where docs/embedding.md says that a service may want them."""
    structlog.configure(logger_factory=lambda *_: structlog.PrintLogger(sys.stderr))
    yield
    structlog.reset_defaults()


@pytest.mark.usefixtures("_events_on_stderr")
@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.stem)
def test_page_followed_from_top_to_bottom_does_what_it_shows(
    path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> None:
    text = path.read_text("utf-8")
    record = request.config.getoption("--write-golden")
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    modules = set(sys.modules)
    page = Page.open(path, tmp_path)
    recorded = text
    page.lay_out(blocks(text))
    assert len(re.findall(r"(?m)^\s*```", text)) == 2 * len([*blocks(text)]), f"{path.name} has blocks that nobody sees"
    try:
        for block in blocks(text):
            try:
                should = page.follow(block)
            except Exception as error:
                error.add_note(f"at {path.name}:{block.line}")
                raise
            assert record or block.text == should, f"{path.name}:{block.line}; pytest tests/docs --write-golden records"
            at = len(recorded) - len(text) + block.start  # what was recorded before has moved it
            recorded = recorded[:at] + should + recorded[at + len(block.text) :]
        assert not page.printed, f"{path.name} does not show what its last python block printed"
        if recorded != text:
            path.write_text(recorded, "utf-8")
    finally:
        page.close()
        for name in set(sys.modules) - modules:
            if str(getattr(sys.modules[name], "__file__", "")).startswith(str(tmp_path)):
                del sys.modules[name]


@pytest.mark.parametrize("path", [*PAGES, ROOT / "CHANGELOG.md", ROOT / "CONTRIBUTING.md"], ids=lambda path: path.stem)
def test_page_links_lead_somewhere(path: Path) -> None:
    text = re.sub(r"```.*?```", "", path.read_text("utf-8"), flags=re.DOTALL)
    dead = []
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        if "://" in target:
            continue
        file, _, anchor = target.partition("#")
        found = (path.parent / file).resolve() if file else path
        if not found.exists() or (anchor and anchor not in anchors(found)):
            dead.append(target)

    assert not dead


def anchors(path: Path) -> set[str]:
    """Return the anchors of a page's headings, as GitHub makes them."""
    headings = re.findall(r"(?m)^#+ (.+)$", re.sub(r"```.*?```", "", path.read_text("utf-8"), flags=re.DOTALL))
    return {re.sub(r"[^\w\- ]", "", heading.lower()).strip().replace(" ", "-") for heading in headings}


def test_table_of_conditions_shows_what_comes() -> None:
    text = (DOCS / "conditions.md").read_text("utf-8")
    table = text.partition("| condition | given | answer |\n|---|---|---|\n")[2].partition("\n\n")[0]
    rows = [[cell.strip(" `") for cell in re.split(r"(?<!\\)\|", row)[1:-1]] for row in table.splitlines()]

    assert len(rows) > 20
    for condition, given, shown in rows:
        try:
            answer = json.dumps(evaluate(condition.replace("\\|", "|"), json.loads(given), check=False))
        except EvaluationError:
            answer = "unknown"
        assert answer == shown, condition


def test_page_counts_the_cases_of_the_conformance_suite(shared: Path) -> None:
    cases = [
        case
        for file in (shared / "conformance" / "cel").glob("*.json")
        for case in json.loads(file.read_text("utf-8"))["cases"]
    ]
    needing = sum("needs" in case for case in cases)
    text = " ".join((DOCS / "conditions.md").read_text("utf-8").split())

    assert f"{len(cases)} cases were taken over. {needing} need something" in text
    inside = len(cases) - needing
    assert f"Of the other {inside}, {inside - len(LEFT_OUT)} pass" in text
    assert len(LEFT_OUT) == 6 and sum("optional" in name for name in LEFT_OUT) == 2


def test_hello_world_of_the_page_is_the_example() -> None:
    page = {block.title: block.text for block in blocks((DOCS / "plugins.md").read_text("utf-8")) if block.title}
    example = ROOT / "examples" / "hello_plugin"

    assert page["adjudge_hello.py"] == (example / "adjudge_hello.py").read_text("utf-8")
    assert page["pyproject.toml"] == (example / "pyproject.toml").read_text("utf-8")


@pytest.mark.parametrize(
    ("page", "words"),
    [
        ("policy.md", {*document.KEYS, *document.SIGNAL_KEYS, *document.RULE_KEYS, *document.SCORECARD_KEYS}),
        ("policy.md", {*tables.TABLE_KEYS, *tables.SAYING, *lookups.LOOKUP_KEYS}),
        ("policy.md", {*document.ROW_KEYS, *FIELD_FORMS, *(key for keys in FIELD_FORMS.values() for key in keys)}),
        ("policy.md", {*cases.KEYS, *cases.CASE_KEYS, *expected.KEYS}),
        ("conditions.md", {*FUNCTIONS, *MACROS, *PRECEDENCE, "has"}),
        ("embedding.md", set(CONFIG_KEYS)),
        ("access.md", {*SERVICE_KEYS, *JWT_KEYS, *ALGORITHMS, *SCOPES}),
        ("../README.md", {*COMMANDS, "sandbox"}),
    ],
)
def test_page_names_everything_that_there_is(page: str, words: set[str]) -> None:
    text = (DOCS / page).read_text("utf-8")
    code = re.findall(r"`[^`]+`", re.sub(r"```.*?```", "", text, flags=re.DOTALL))
    said = " ".join([*code, *(block.text for block in blocks(text))]).replace("\\|", "|")  # as tables write a pipe

    assert {word for word in words if not re.search(rf"(?<!\w){re.escape(word)}(?!\w)", said)} == set()


def test_pages_name_every_code_of_a_mistake_and_no_other() -> None:
    families = "yaml|schema|type|name|threshold|list|test|syntax"
    sources = [file.read_text("utf-8") for file in (ROOT / "engine" / "adjudge").rglob("*.py")]
    codes = {code for text in sources for code in re.findall(rf'"((?:{families})-[a-z-]+)"', text)}
    codes |= {f"syntax-{code}" for text in sources for code in re.findall(r'\bfail(?:ure)?\(\s*"([a-z]+)"', text)}
    pages = "".join((DOCS / name).read_text("utf-8") for name in ("policy-errors.md", "policy.md"))

    assert codes == set(re.findall(rf"`((?:{families})-[a-z-]+)`", pages))


def test_shows_ellipsis_stands_for_any_lines_and_nothing_else() -> None:
    assert shows("a\n…\nd\n", "a\nb\nc\nd\n")
    assert shows("…\nd\n", "a\nd\n")
    assert shows("a\n…\n", "a\nb\n")
    assert shows("a\n…\nd\n", "a\nd\n")
    assert not shows("a\n…\nd\n", "a\nb\nc\n")
    assert not shows("a\nd\n", "a\nb\nd\n")
    assert not shows("a\n…\nd\n", "aa\nb\nd\n")
    assert shows("took 3 ms\n", "took 47 ms\n")
    assert not shows("took 3 ms\n", "took 3 s\n")


def test_readme_first_lines_hold_what_a_newcomer_looks_for() -> None:
    head = "\n".join((ROOT / "README.md").read_text("utf-8").splitlines()[:40])

    for part in ("policy_language: 1", "$ adjudge decide", "in doubt", "pip install"):
        assert part in head
