"""What no module of ours may do, because a library's guess would let a whole kind of fault in."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Iterator, Sequence
from functools import cache
from itertools import pairwise
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
MODULES = sorted(path for root in ("engine", "plugins") for path in (ROOT / root).rglob("*.py"))

PLUGINS = tuple(path.as_posix() for path in MODULES if path.is_relative_to(ROOT / "plugins"))
"""They import the door for plugins, and nothing else."""

Nodes = Sequence[ast.AST]


@cache
def nodes_of(path: Path) -> Nodes:
    """Everything in a module: read and taken apart once for all rules."""
    return list(ast.walk(ast.parse(path.read_text("utf-8"))))


def attributes(nodes: Nodes) -> Iterator[ast.Attribute]:
    return (node for node in nodes if isinstance(node, ast.Attribute))


def splits_lines_anyhow(nodes: Nodes) -> list[int]:
    """Lines that use `str.splitlines` or `bytes.splitlines`: they cut at U+2028, form feeds and more."""
    return [node.lineno for node in attributes(nodes) if node.attr == "splitlines"]


def prints_past_the_streams(nodes: Nodes) -> list[int]:
    """Lines that print by other ways than those that show what is hidden, and say what could not be written."""
    echoes = [node.lineno for node in attributes(nodes) if node.attr in ("echo", "secho", "echo_via_pager")]
    return echoes + [node.lineno for node in nodes if isinstance(node, ast.Name) and node.id == "print"]


TEXT_MODES = {"open": 1, "read_text": 0, "write_text": 1, "TextIOWrapper": 1, "fdopen": 2, "reconfigure": 0}
"""Calls that read or write text, and which argument the encoding could be where it has no name."""
OF_OURS = (
    "AuditTrail",
    "Vault",
    "AuditLog",
    "Engine",
    "Reader",
    "Image",
    "av",
    "os",
    "cls",
    "audit",
    "disk",
    "_disk",
    "provider",
    "reader",
    "_reader",
    "_feeds",
)
"""Whose `open` opens no text."""


def escapes_by_itself(nodes: Nodes) -> list[int]:
    """Lines that take `escape` of `html`, which leaves in what reorders and hides a text."""
    found = (node for node in nodes if isinstance(node, ast.ImportFrom) and node.module == "html")
    return [node.lineno for node in found] + [
        node.lineno for node in nodes if isinstance(node, ast.Import) and node.names[0].name == "html"
    ]


def takes_slots_apart_by_itself(nodes: Nodes) -> list[int]:
    """Lines that cut a name by its dots, or spell the name of a policy's list, or of what is outside a vocabulary."""
    cuts = (
        call.lineno
        for call in nodes
        if isinstance(call, ast.Call)
        and isinstance(call.func, ast.Attribute)
        and call.func.attr in ("partition", "rpartition", "split", "rsplit")
        and any(isinstance(given, ast.Constant) and given.value == "." for given in call.args)
    )
    texts = (node for node in nodes if isinstance(node, ast.Constant) and isinstance(node.value, str))
    return [*cuts, *(text.lineno for text in texts if text.value == "lists." or text.value.endswith("novel_"))]


def leaves_the_encoding_to_the_locale(nodes: Nodes) -> list[int]:
    """Lines that open, read or write a text without saying in which encoding."""
    found = []
    for call in (node for node in nodes if isinstance(node, ast.Call)):
        name = getattr(call.func, "attr", getattr(call.func, "id", ""))
        owner = getattr(call.func, "value", None)
        of = getattr(owner, "attr", getattr(owner, "id", ""))
        if name not in TEXT_MODES or (name == "open" and of in OF_OURS):
            continue
        says = any(keyword.arg == "encoding" for keyword in call.keywords) or len(call.args) > TEXT_MODES[name]
        if name in ("open", "fdopen"):
            words = [one.value for one in call.args if isinstance(one, ast.Constant)]
            mode = next((str(word) for word in words if set(str(word)) <= set("rwaxbt+")), "r")
            says = "b" in mode or any(keyword.arg == "encoding" for keyword in call.keywords)
            says = says or (
                name == "open" and not call.args and not call.keywords and owner is not None
            )  # not a file's
        if not says:
            found.append(call.lineno)
    return found


def puts_an_article_before_any_word(nodes: Nodes) -> list[int]:
    """Lines that put `a` or `an` before a word that is not known yet, such as a type, which may be an int."""
    return [
        text.lineno
        for text in nodes
        if isinstance(text, ast.JoinedStr)
        for before, word in pairwise(text.values)
        if isinstance(before, ast.Constant) and re.search(r"(?i)(^|[ `])an? $", str(before.value))
        if isinstance(word, ast.FormattedValue)
    ]


def freezes_data_slowly(nodes: Nodes) -> list[int]:
    """Lines with `dataclass(frozen=True)`: it compiles six methods while its module is imported."""
    return [
        call.lineno
        for call in nodes
        if isinstance(call, ast.Call) and getattr(call.func, "id", "") == "dataclass"
        for keyword in call.keywords
        if keyword.arg == "frozen"
    ]


Rule = tuple[Callable[[Nodes], list[int]], str, tuple[str, ...]]
RULES: dict[str, Rule] = {
    "splitlines": (splits_lines_anyhow, "use adjudge.texts.split_lines", ()),
    "html": (escapes_by_itself, "use adjudge.texts.in_html", ("adjudge/texts.py",)),
    "articles": (
        puts_an_article_before_any_word,
        "use adjudge.texts.with_article, or named of adjudge.values.types",
        ("proofs/not_monotone.py", "sandbox/scenario.py"),  # whose words are known
    ),
    "frozen": (
        freezes_data_slowly,
        "use adjudge.frozen.frozen",
        (
            # what plugins hold, and may derive from or look into
            "adjudge/model.py",
            "adjudge/plugin.py",
            "plugin/providers.py",
            "testing/__init__.py",
            "verify/problem.py",  # the verifier stands alone
            "verify/segments.py",
            "audit/sealing.py",  # compared by identity
            *PLUGINS,
        ),
    ),
    "encoding": (leaves_the_encoding_to_the_locale, "say encoding='utf-8', or read bytes", ()),
    "slots": (
        takes_slots_apart_by_itself,
        "use TypedPolicy.parts or .constants, or what adjudge.policy.slots and adjudge.expr.nodes have",
        (
            "policy/slots.py",
            "adjudge/model.py",  # which stands below it, as the language of conditions does
            "expr/check.py",
            "expr/printing.py",
            "meaning/beside.py",
            "meaning/names.py",
            "foreign/mend.py",
            "backtest/guess.py",  # the words of names, to compare with those of columns
            "policy_tests/given.py",  # the way to a part of a value
            "cli/extras.py",  # modules of Python
            "onnx_detector/model.py",
        ),
    ),
    "print": (
        prints_past_the_streams,
        "use adjudge.cli.output.say",
        (
            "cli/streams.py",
            "verify/command.py",
            "aliyun/command.py",
            "postgres/command.py",
            "webhook/command.py",
            "testing/holder.py",
        ),  # which stand below it, alone, or outside
    ),
}
"""Each: what finds it, what to do, and the modules that may."""


@pytest.mark.xdist_group("house rules")
@pytest.mark.parametrize("rule", RULES)
def test_modules_keep_the_rule(rule: str) -> None:
    find, instead, excepted = RULES[rule]
    found = [
        f"{path.relative_to(ROOT)}:{line}"
        for path in MODULES
        if not path.as_posix().endswith(excepted)
        for line in find(nodes_of(path))
    ]
    assert not found, f"{rule}: {instead}: {', '.join(found)}"


@pytest.mark.parametrize(
    ("rule", "text"),
    [
        ("splitlines", "for line in text.splitlines(): pass"),
        ("splitlines", "map(str.splitlines, a)"),
        ("print", "click.echo(text)"),
        ("print", "print(text)"),
        ("html", "from html import escape"),
        ("slots", "owner = name.partition('.')[0]"),
        ("slots", "owner, *path = name.split('.', 1)"),
        ("slots", "last = slot.rpartition('.')[2]"),
        ("slots", "found = name.startswith('novel_')"),
        ("slots", "name = f'{owner}.novel_{field}'"),
        ("slots", "constants = {f'lists.{name}': values for name, values in lists.items()}"),
        ("slots", "is_listed = name.startswith('lists.')"),
        ("articles", "said = f'must be a {field.type}, not {error}'"),
        ("articles", "said = f'`{bound}` is not a {type_}'"),
        ("articles", "said = f'a {type(value).__name__}'"),
        ("encoding", "path.read_text()"),
        ("encoding", "path.open('w')"),
        ("encoding", "open(path)"),
        ("encoding", "os.fdopen(handle, 'w')"),
    ],
)
def test_the_rule_sees_what_it_forbids(rule: str, text: str) -> None:
    assert RULES[rule][0](list(ast.walk(ast.parse(text)))) == [1]


def test_no_two_files_of_tests_have_one_name() -> None:
    """They are no package, so pytest takes the second one for the first."""
    names = [file.name for file in (ROOT / "tests").rglob("*.py") if file.name != "conftest.py"]
    assert sorted(name for name in set(names) if names.count(name) > 1) == []
