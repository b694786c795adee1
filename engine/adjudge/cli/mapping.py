"""The file of a mapping: which column a field is read from, a line for each; read, and written as a guess."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from adjudge.errors import PolicyError, PolicyErrors
from adjudge.policy.loading.load import read_source
from adjudge.policy.text.yaml import Mapping, Scalar, YamlNode, read_yaml
from adjudge.texts import in_json, one_line

if TYPE_CHECKING:
    from adjudge.backtest.guess import Guesses

_PLAIN = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]*", re.ASCII)
_WORDS = frozenset(("true", "false", "null"))


def read_mapping(path: Path) -> dict[str, str]:
    """Return columns by field or role. A field without a column is left open. Raises PolicyErrors with their places."""
    source = read_source(path, "mapping")
    root, errors = read_yaml(source)

    def blame(node: YamlNode, message: str, hint: str) -> None:
        errors.append(PolicyError("schema-type", message, source=source, span=node.span, hint=hint))

    if root is not None and not isinstance(root, Mapping):
        blame(root, "a mapping has fields and their columns", "write a line for each field, such as `country: COUNTRY`")
    found: dict[str, str] = {}
    for name, column in root.entries if isinstance(root, Mapping) else ():
        if not isinstance(column, Scalar):
            blame(
                column, f"`{name.text.value}` is read from one column", "write the column's name, in quotes if need be"
            )
        elif column.text.value:
            found[name.text.value] = column.text.value
    if errors:
        raise PolicyErrors(errors)
    return found


def mapping_text(guesses: Guesses, policies: str, data: Path) -> str:
    """Return a mapping for a person to read: what is likely, what is only proposed, and what is left open."""
    return "".join(f"{line}\n" for line in _lines(guesses, policies, data))


def _lines(guesses: Guesses, policies: str, data: Path) -> Iterator[str]:
    yield f"# Guessed from the names of the columns and the first {guesses.rows:,} rows. Read it, mend it, and then:"
    yield f"#   adjudge backtest {one_line(policies)} {one_line(str(data))} --map map.yaml"
    sure = [one for one in guesses.found if one.is_sure]
    lines = [f"{_scalar(one.name)}: {_scalar(str(one.column))}" for one in sure]
    width = max(map(len, lines), default=0)
    for line, one in zip(lines, sure, strict=True):
        yield f"{line:<{width}}  # {one_line(one.why)}"
    proposed = [one for one in guesses.found if one.column is not None and not one.is_sure]
    if proposed:
        yield ""
        yield "# Less likely. Delete the first `#` of a line that is right:"
        yield from (f"# {_scalar(one.name)}: {_scalar(str(one.column))}  # {one_line(one.why)}" for one in proposed)
    if open_ := [one for one in guesses.found if one.column is None]:
        yield ""
        yield "# Left open, and so unknown on every row:"
        yield from (f"# {_scalar(one.name)}:  # {one_line(one.why)}" for one in open_)
    if guesses.unused:
        yield ""
        yield f"# Columns that nothing is read from: {', '.join(map(one_line, guesses.unused))}"


def _scalar(text: str) -> str:
    """Return a name as YAML reads it as that name."""
    return text if _PLAIN.fullmatch(text) and text.lower() not in _WORDS else in_json(text)
