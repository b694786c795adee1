"""The tree of errors: one file holds it, one page draws it, and whoever catches its root catches everything."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
import re
from collections.abc import Iterator
from pathlib import Path

import adjudge
from adjudge import errors
from adjudge.errors import AdjudgeError

PAGE = Path(__file__).parents[1] / "docs" / "errors.md"
INNER = {
    "DelimitedFault",
    "Denied",
    "Doubtful",
    "DoubtfulNumber",
    "Ended",
    "ListTableFault",
    "MalformedLine",
    "NoThread",
    "NotBase64",
    "NotTranslatable",
    "QueryFailed",
    "Refused",
    "Undelivered",
    "UnknownTags",
    "SpoiltBlock",
    "StaleFacets",
    "StaleIndex",
    "TooOften",
    "Unauthenticated",
    "UnfinishedLine",
    "Unfit",
    "WorkbookFault",
    "Wrong",
    "_NoAnswer",
    "_NoMore",
    "_TooMuch",
}
"""Exceptions that are caught in the part that raises them, and that nobody outside ever meets."""


def defined() -> Iterator[type[BaseException]]:
    """Yield every exception that a module of the engine defines."""
    for module in pkgutil.walk_packages(adjudge.__path__, "adjudge."):
        if module.name.endswith("__main__"):
            continue  # which is a program
        try:
            found = importlib.import_module(module.name)
        except ImportError:
            continue  # it needs an extra that is not installed
        for thing in vars(found).values():
            if inspect.isclass(thing) and issubclass(thing, BaseException) and thing.__module__ == module.name:
                yield thing


def test_errors_stand_in_one_file() -> None:
    elsewhere = {error.__name__ for error in defined() if error.__module__ != errors.__name__}
    assert elsewhere <= INNER, "an error that users can meet stands in errors.py"
    assert all(issubclass(error, AdjudgeError) for error in defined() if error.__module__ == errors.__name__)


def test_errors_page_draws_the_tree_as_it_is() -> None:
    drawn = re.findall(r"^    [├└]── (\w+) +([a-z-]+):(.*)$", PAGE.read_text("utf-8"), re.MULTILINE)
    tree = {
        error.__name__: error.code
        for error in vars(errors).values()
        if inspect.isclass(error) and issubclass(error, AdjudgeError) and error is not AdjudgeError
    }
    policy = {"PolicyError": "policy"}  # each has a code of its own, and the page says the family's
    assert {name: code for name, code, _ in drawn} == tree | policy, "draw a new error in docs/errors.md"
    for name, _, words in drawn:
        first, *others = getattr(errors, name).__bases__
        assert first is AdjudgeError or first.__name__ in words
        assert all(base is ExceptionGroup or f"(also a {base.__name__})" in words for base in others)
