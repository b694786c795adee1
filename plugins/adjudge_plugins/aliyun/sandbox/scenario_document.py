"""Reading a scenario's document: every mistake is a ScenarioError that names its place, in a file by its line."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

from adjudge.plugin import EvaluationError, did_you_mean, parse_duration
from adjudge_plugins.aliyun.sandbox.reaction import check_delay

if TYPE_CHECKING:
    import yaml

_PERCENTAGE = re.compile(r"([0-9]{1,3}(\.[0-9]{1,6})?)%", re.ASCII)
_NUMBER = re.compile(r"[0-9]{1,15}(\.[0-9]{1,15})?", re.ASCII)


class ScenarioError(Exception):
    """A scenario that cannot be used; the message names the place. path: the keys and indexes that lead there."""

    def __init__(self, message: str, path: tuple[str | int, ...] = ()) -> None:
        super().__init__(message)
        self.path = path


@dataclass(frozen=True, slots=True)
class Entry:
    """A value in a document, and the keys and indexes that lead to it. Each reader raises ScenarioError."""

    value: object
    path: tuple[str | int, ...] = ()

    def wrong(self, message: str) -> ScenarioError:
        """Return the error that something is wrong here."""
        return ScenarioError(message, self.path)

    def mapping(self, known: Iterable[str] | None = None) -> dict[str, Entry]:
        """Return the entries of a mapping. known: its keys, where not just any may stand here."""
        if not isinstance(self.value, Mapping):
            raise self.wrong(f"{self._name()} must be a mapping")
        entries = {str(key): Entry(value, (*self.path, str(key))) for key, value in self.value.items()}
        if known is not None:
            names = tuple(known)
            for key, entry in entries.items():
                if key not in names:
                    hint = did_you_mean(key, names) or f"the keys here are {', '.join(names)}"
                    raise entry.wrong(f"unknown key `{key}`, {hint}")
        return entries

    def items(self) -> Iterator[Entry]:
        """Yield the entries of a list."""
        if not isinstance(self.value, list | tuple):
            raise self.wrong(f"{self._name()} must be a list")
        for index, value in enumerate(self.value):
            yield Entry(value, (*self.path, index))

    def text(self) -> str:
        """Return a text; a number is taken for the text that it was."""
        if isinstance(self.value, bool) or not isinstance(self.value, str | int | float):
            raise self.wrong(f"{self._name()} must be a string")
        try:
            return str(self.value)
        except ValueError:  # an int of thousands of digits
            raise self.wrong(f"{self._name()} has too many digits") from None

    def whole(self, *, least: int) -> int:
        """Return a whole number."""
        text = self.text()
        if not re.fullmatch(r"[0-9]{1,15}", text, re.ASCII) or int(text) < least:
            raise self.wrong(f"{self._name()} must be an integer from {least}")
        return int(text)

    def number(self) -> float:
        """Return a number that is not negative."""
        if not _NUMBER.fullmatch(self.text()):
            raise self.wrong(f"{self._name()} must be a number such as 0.93")
        return float(self.text())

    def percentage(self) -> Decimal:
        """Return a percentage, from 0 to 100."""
        found = _PERCENTAGE.fullmatch(self.text())
        if not found or Decimal(found[1]) > 100:
            raise self.wrong(f"{self._name()} must be a percentage from 0% to 100%, such as 5%")
        return Decimal(found[1])

    def seconds(self) -> float:
        """Return a duration such as `200ms`, in seconds."""
        try:
            seconds = parse_duration(self.text()).total_seconds()
            check_delay(seconds)
        except (EvaluationError, ValueError):
            raise self.wrong(f"{self._name()} must be a duration from 0s to 1h, such as 200ms or 1.5s") from None
        return seconds

    def _name(self) -> str:
        names = [key for key in self.path if isinstance(key, str)]
        return f"`{names[-1]}`" if names else "a scenario"


def load_document(path: str | Path) -> tuple[object, yaml.Node | None]:
    """Read a YAML or JSON file, every scalar as a text, and with the marks of its lines. Raises ScenarioError."""
    import yaml

    try:
        with Path(path).open(encoding="utf-8-sig") as file:
            loader = _loader()(file)
            try:
                node = loader.get_single_node()
                return (None if node is None else loader.construct_document(node)), node
            finally:
                loader.dispose()
    except OSError as error:
        raise ScenarioError(f"{path}: cannot be read: {error.strerror}") from None
    except yaml.MarkedYAMLError as error:
        raise ScenarioError(f"{path}{_place(error.problem_mark)}: {error.problem}") from None
    except (yaml.YAMLError, UnicodeDecodeError, RecursionError) as error:
        raise ScenarioError(f"{path}: is not YAML: {error}") from None


def placed(error: ScenarioError, path: str | Path, node: yaml.Node | None) -> ScenarioError:
    """Return an error with the file's name, and the line and column of what it speaks of."""
    mark = node.start_mark if node is not None else None
    for step in error.path:
        mark, node = _step(node, step)
    return ScenarioError(f"{path}{_place(mark)}: {error}")


def _step(node: yaml.Node | None, step: str | int) -> tuple[yaml.Mark | None, yaml.Node | None]:
    """Go one key or index down; the mark is that of the key."""
    if node is not None and isinstance(step, int):
        return node.value[step].start_mark, node.value[step]
    for key, value in node.value if node is not None else ():
        if key.value == step:
            return key.start_mark, value
    return None, None


def _place(mark: yaml.Mark | None) -> str:
    return "" if mark is None else f":{mark.line + 1}:{mark.column + 1}"


def _loader() -> type[yaml.BaseLoader]:
    """Return a loader that leaves every scalar a text, as digests made of digits must stay, and minds its keys."""
    import yaml

    class StrictLoader(yaml.BaseLoader):
        def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
            seen: set[str] = set()
            for key, _ in node.value:
                if isinstance(key.value, str):
                    if key.value in seen:
                        raise yaml.constructor.ConstructorError(
                            None, None, f"duplicate key `{key.value}`", key.start_mark
                        )
                    seen.add(key.value)
            return super().construct_mapping(node, deep)

    return StrictLoader
