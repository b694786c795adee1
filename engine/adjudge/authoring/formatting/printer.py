"""Writing a document's tree in the house form: two blanks deep, keys in their order, short collections on one line."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from adjudge.authoring.cases import CASE_KEYS
from adjudge.authoring.cases import KEYS as TEST_KEYS
from adjudge.authoring.formatting.comments import Comment, comments
from adjudge.authoring.formatting.scalars import condition_text, raw_lines
from adjudge.policy import yaml
from adjudge.policy.document import KEYS, RULE_KEYS, SCORECARD_KEYS
from adjudge.policy.includes import FRAGMENT_KEYS
from adjudge.policy.yaml import Mapping, Node, Scalar

WIDTH = 120
INDENT = "  "
Path = tuple[str, ...]
"""The keys that lead to a node; `*` for the items of a list and for names that an author chooses."""

_ORDERS: dict[Path, Sequence[str]] = {
    ("rules", "*"): RULE_KEYS,
    ("scorecard",): SCORECARD_KEYS,
    ("scorecard", "points", "*"): ("when", "unless", "add"),
    ("tests", "*"): CASE_KEYS,
}
_NAMED = ("inputs", "signals", "lists", "variables", "thresholds", "reasons", "calibration")


def is_condition(path: Path) -> bool:
    """Whether a scalar at a path is a condition; inputs, fields and parameters may be called `when`, too."""
    if path[-1:] in (("when",), ("unless",)):
        return path[:-1] in (("rules", "*"), ("scorecard", "points", "*"))
    return len(path) == 2 and path[0] == "variables"


@dataclass(slots=True)
class Printer:
    """Prints one document. text: as written. root: its tree."""

    text: str
    root: Node
    left: list[Comment] = field(default_factory=list)
    lines: list[str] = field(default_factory=list)

    def document(self) -> str:
        """Return the document in house form."""
        self.left = comments(self.text, self.root)
        self.block(self.root, "", ())
        for comment in self.left:
            self.blank_before(comment.start)
            self.lines.append(comment.text)
        while self.lines and not self.lines[0]:
            self.lines.pop(0)
        return "\n".join(line.rstrip() for line in self.lines) + "\n"

    # Comments

    def take(self, until: int) -> Iterator[Comment]:
        """Yield the comments before an offset, each once."""
        while self.left and self.left[0].start < until:
            yield self.left.pop(0)

    def leading(self, until: int, indent: str, *, first: bool) -> None:
        """Write the comments that stand before an entry, and one blank line where there were some."""
        is_first = first
        for comment in self.take(until):
            if not is_first or comment.start == 0:
                self.blank_before(comment.start)
            is_first = False
            self.lines.append(indent + comment.text)
        if not is_first:
            self.blank_before(until)

    def blank_before(self, offset: int) -> None:
        """Keep one of the blank lines before an offset."""
        line = self.text.rfind("\n", 0, offset) + 1
        above = self.text[:line]
        is_blank = above.endswith("\n\n") or above.rstrip(" ").endswith("\n\n")
        if is_blank and self.lines and self.lines[-1]:
            self.lines.append("")

    def trailing(self, end: int) -> str:
        """Return the comment that ends the line in which a part ends."""
        stop = self.text.find("\n", end)
        stop = len(self.text) if stop < 0 else stop
        found = [comment.text for comment in self.take(stop + 1)]
        return f" {found[0]}" if found else ""

    # Collections

    def block(self, node: Node, indent: str, path: Path) -> None:
        """Write a collection over several lines."""
        if isinstance(node, Mapping):
            for at, (key, value) in enumerate(self.ordered(node, path)):
                self.leading(key.span.start, indent, first=at == 0 and bool(path))
                self.entry(indent, key, value, (*path, self.step(path, key)))
        elif isinstance(node, yaml.Sequence):
            for at, item in enumerate(node.items):
                self.leading(item.span.start, indent, first=at == 0)
                self.item(item, indent, (*path, "*"))

    def step(self, path: Path, key: Scalar) -> str:
        """Return how a key's value is known in paths."""
        named = len(path) == 1 and path[0] in _NAMED and path[0] != "variables"
        return "*" if named else key.text.value

    def ordered(self, node: Mapping, path: Path) -> list[tuple[Scalar, Node]]:
        """Return entries in the order of the house; what has none stays as it is.

        A mapping with comments between its entries keeps its order: they may speak of what stands around them.
        """
        order = _ORDERS.get(path)
        if not path:
            keys = {key.text.value for key, _ in node.entries}
            order = TEST_KEYS if "tests" in keys else FRAGMENT_KEYS if "fragment" in keys else KEYS
        entries = list(node.entries)
        inside = any(node.span.start < c.start < node.span.end for c in self.left)
        if order is None or inside:
            return entries
        place = {name: at for at, name in enumerate(order)}
        return sorted(entries, key=lambda entry: place.get(entry[0].text.value, len(place)))

    def entry(self, indent: str, key: Scalar, value: Node, path: Path) -> None:
        """Write `key: value`."""
        head = f"{indent}{self.raw(key)}:"
        one = self.one_line(value, path, flow=False)
        if (one is not None and len(head) + 1 + len(one) <= WIDTH) or (isinstance(value, Scalar) and one is not None):
            self.lines.append(f"{head} {one}{self.trailing(value.span.end)}")
        elif isinstance(value, Scalar):
            self.scalar(head, value, indent + INDENT, path)
        else:
            own_line = value.span.start > self.text.find("\n", key.span.end) >= 0
            self.lines.append(head + (self.trailing(key.span.end) if own_line else ""))
            self.block(value, indent + INDENT, path)

    def item(self, item: Node, indent: str, path: Path) -> None:
        """Write `- item`; a mapping over several lines begins in the line of its dash."""
        one = self.one_line(item, path, flow=False)
        if one is not None and (len(indent) + 2 + len(one) <= WIDTH or isinstance(item, Scalar)):
            self.lines.append(f"{indent}- {one}{self.trailing(item.span.end)}")
        elif isinstance(item, Scalar):
            self.scalar(f"{indent}-", item, indent + INDENT, path)
        elif isinstance(item, Mapping) and item.entries:
            begun = len(self.lines)
            self.block(item, indent + INDENT, path)
            first = next(at for at in range(begun, len(self.lines)) if not self.lines[at].lstrip().startswith("#"))
            self.lines[first] = f"{indent}- {self.lines[first].lstrip()}"
        else:
            self.lines.append(f"{indent}-")
            self.block(item, indent + INDENT, path)

    def scalar(self, head: str, node: Scalar, indent: str, path: Path) -> None:
        """Write a scalar of several lines."""
        first, *rest = raw_lines(self.text, node)
        self.lines.append(f"{head} {first}")
        self.lines += [indent + line if line else "" for line in rest]
        end = self.trailing(node.span.end - 1 if self.text[node.span.start] in "|>" else node.span.end)
        self.lines[-1] += end

    def is_block(self, node: Node) -> bool:
        """Whether a collection is written over lines by indentation."""
        return not isinstance(node, Scalar) and self.text[node.span.start : node.span.start + 1] not in ("{", "[")

    # Single lines

    def one_line(self, node: Node, path: Path, *, flow: bool) -> str | None:
        """Return a node in one line, or None where it has, or needs, several."""
        if isinstance(node, Scalar):
            raw = self.text[node.span.start : node.span.end]
            if "\n" in raw or raw[:1] in ("|", ">"):
                return None
            return condition_text(node, raw, flow=flow) if is_condition(path) else raw
        if self.is_block(node) or any(node.span.start < c.start < node.span.end for c in self.left):
            return None
        if isinstance(node, Mapping):
            parts = []
            for key, value in self.ordered(node, path):
                inner = self.one_line(value, (*path, self.step(path, key)), flow=True)
                if inner is None:
                    return None
                parts.append(f"{self.raw(key)}: {inner}")
            return "{" + ", ".join(parts) + "}"
        assert isinstance(node, yaml.Sequence)
        items = [self.one_line(item, (*path, "*"), flow=True) for item in node.items]
        return None if None in items else "[" + ", ".join(map(str, items)) + "]"

    def raw(self, key: Scalar) -> str:
        """Return a key as it was written."""
        return self.text[key.span.start : key.span.end]
