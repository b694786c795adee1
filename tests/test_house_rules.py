"""What no module of ours may do, because a library's guess would let a whole kind of fault in."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
MODULES = sorted(path for root in ("engine", "plugins") for path in (ROOT / root).rglob("*.py"))


def attributes(tree: ast.AST) -> Iterator[ast.Attribute]:
    return (node for node in ast.walk(tree) if isinstance(node, ast.Attribute))


def splits_lines_anyhow(tree: ast.AST) -> list[int]:
    """Lines that use `str.splitlines` or `bytes.splitlines`: they cut at U+2028, form feeds and more."""
    return [node.lineno for node in attributes(tree) if node.attr == "splitlines"]


def prints_past_the_streams(tree: ast.AST) -> list[int]:
    """Lines that print by other ways than those that show what is hidden, and say what could not be written."""
    echoes = [node.lineno for node in attributes(tree) if node.attr in ("echo", "secho", "echo_via_pager")]
    return echoes + [node.lineno for node in ast.walk(tree) if isinstance(node, ast.Name) and node.id == "print"]


Rule = tuple[Callable[[ast.AST], list[int]], str, tuple[str, ...]]
RULES: dict[str, Rule] = {
    "splitlines": (splits_lines_anyhow, "use adjudge.texts.split_lines", ()),
    "print": (
        prints_past_the_streams,
        "use adjudge.cli.output.say",
        ("cli/streams.py", "audit/verify.py", "aliyun/command.py"),  # which stand below it, alone, or outside
    ),
}
"""Each: what finds it, what to do, and the modules that may."""


@pytest.mark.parametrize("rule", RULES)
def test_modules_keep_the_rule(rule: str) -> None:
    find, instead, excepted = RULES[rule]
    found = [
        f"{path.relative_to(ROOT)}:{line}"
        for path in MODULES
        if not path.as_posix().endswith(excepted)
        for line in find(ast.parse(path.read_text("utf-8")))
    ]
    assert not found, f"{rule}: {instead}: {', '.join(found)}"


@pytest.mark.parametrize(
    ("rule", "text"),
    [
        ("splitlines", "for line in text.splitlines(): pass"),
        ("splitlines", "map(str.splitlines, a)"),
        ("print", "click.echo(text)"),
        ("print", "print(text)"),
    ],
)
def test_the_rule_sees_what_it_forbids(rule: str, text: str) -> None:
    assert RULES[rule][0](ast.parse(text)) == [1]
