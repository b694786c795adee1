"""Writing a document's tree in the house form: two blanks deep, keys in their order, short collections on one line."""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from adjudge.authoring.formatting.comments import Comment, comments, entries
from adjudge.authoring.formatting.scalars import condition_text, raw_lines
from adjudge.authoring.policy_tests.cases import CASE_KEYS
from adjudge.authoring.policy_tests.cases import KEYS as TEST_KEYS
from adjudge.policy.loading.choosing import SAMPLE_KEYS
from adjudge.policy.loading.document import KEYS, ROW_KEYS, RULE_KEYS, SCORECARD_KEYS
from adjudge.policy.loading.excuses import KEYS as EXCUSE_KEYS
from adjudge.policy.loading.lookups import LOOKUP_KEYS
from adjudge.policy.loading.tables import TABLE_KEYS
from adjudge.policy.text import yaml
from adjudge.policy.text.includes import FRAGMENT_KEYS, MERGED
from adjudge.policy.text.yaml import Mapping, Scalar, YamlNode

WIDTH = 120
INDENT = "  "
Path = tuple[str, ...]
"""The keys that lead to a node; `*` for the items of a list and for names that an author chooses."""

_ORDERS: dict[Path, Sequence[str]] = {
    ("rules", "*"): RULE_KEYS,
    ("scorecard",): SCORECARD_KEYS,
    ("scorecard", "points", "*"): ROW_KEYS,
    ("scorecards", "*"): SCORECARD_KEYS,
    ("scorecards", "*", "points", "*"): ROW_KEYS,
    ("tables", "*"): TABLE_KEYS,
    ("lookup", "*"): LOOKUP_KEYS,
    ("sample",): SAMPLE_KEYS,
    ("excuse",): EXCUSE_KEYS,
    ("excuse", "*"): EXCUSE_KEYS,
    ("tests", "*"): CASE_KEYS,
}
_ROWS: Sequence[Path] = (
    ("tests", "*"),
    ("tests", "*", "table", "*"),
    ("tables", "*", "rows", "*"),
    ("lookup", "*", "rows", "*"),
)
"""What stays on one line, however long, where somebody wrote it on one."""
_DASH = re.compile(r"#[ ]*- ")


def is_condition(path: Path) -> bool:
    """Whether a scalar at a path is a condition; inputs, fields and parameters may be called `when`, too."""
    if path[-1:] in (("when",), ("unless",)):
        is_row = path[-3:-1] == ("points", "*") and (path[0], len(path)) in (("scorecard", 4), ("scorecards", 5))
        return is_row or path[:-1] in (("rules", "*"), ("excuse",), ("excuse", "*"))
    return len(path) == 2 and path[0] == "variables"


@dataclass(slots=True)
class Printer:
    """Prints one document. text: as written. root: its tree."""

    text: str
    root: YamlNode
    left: list[Comment] = field(default_factory=list)
    lines: list[str] = field(default_factory=list)

    def document(self) -> str:
        """Return the document in house form."""
        self.left = comments(self.text, self.root)
        self.block(self.root, "", (), len(self.text))
        for comment in self.left:
            self.blank_before(comment.start)
            self.lines.append(comment.text)
        while self.lines and not self.lines[0]:
            self.lines.pop(0)
        return "\n".join(line.rstrip() for line in self.lines) + "\n"

    # Comments

    def take(self, until: int, *, after: int = 0, within: YamlNode | None = None) -> Iterator[Comment]:
        """Yield the comments before an offset, each once.

        within: only those that are indented as its entries are, such as the last of them, commented out.
        """
        at = bisect_left(self.left, after, key=lambda comment: comment.start)
        while at < len(self.left) and self.left[at].start < until:
            if within is not None and not self.belongs(self.left[at], within):
                return
            yield self.left.pop(at)

    def belongs(self, comment: Comment, block: YamlNode) -> bool:
        """Whether a comment behind the last entry of a block is indented as the block is."""
        column = self.column(block.span.start)
        if isinstance(block, yaml.Sequence) and self.column(comment.start) == column:
            return column > 0 or _DASH.match(comment.text) is not None  # at 0 it may speak of the next section
        return self.column(comment.start) >= column

    def column(self, offset: int) -> int:
        """Return how far from the left something is written, from 0."""
        return offset - self.text.rfind("\n", 0, offset) - 1

    def keeps_lines(self, node: YamlNode) -> bool:
        """Whether comments speak of parts of a collection in braces: inside it, or behind an entry in its last line."""
        line = self.text.rfind("\n", 0, node.span.end) + 1
        if node.span.start >= line:
            return False
        stop = self.text.find("\n", node.span.end)
        at = bisect_left(self.left, node.span.end, key=lambda comment: comment.start)
        behind = at < len(self.left) and self.left[at].start < (len(self.text) if stop < 0 else stop)
        return behind or self.has_inside(node)

    def has_inside(self, node: YamlNode) -> bool:
        """Whether comments stand in a collection, so that its entries keep their order and their lines."""
        at = bisect_right(self.left, node.span.start, key=lambda comment: comment.start)
        return at < len(self.left) and self.left[at].start < node.span.end

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

    def trailing(self, end: int, *, after: int = 0) -> str:
        """Return the comment that ends the line in which a part ends; one that begins after an offset."""
        stop = self.text.find("\n", end)
        stop = len(self.text) if stop < 0 else stop
        found = [comment.text for comment in self.take(stop + 1, after=after)]
        return f" {found[0]}" if found else ""

    def behind(self, node: YamlNode, indent: str) -> str:
        """Return the comment behind a collection in braces of one line, which is to be written over several.

        Behind one of several lines it speaks of the entry that begins in its line, and stays with that; where none
        does, it is written above the collection.
        """
        line = self.text.rfind("\n", 0, node.span.end) + 1
        if self.is_block(node) or (node.span.start < line and any(line <= one.span.start for one in entries(node))):
            return ""
        said = self.trailing(node.span.end, after=node.span.end)
        if said and node.span.start < line:
            self.lines.append(indent + said.strip())
            return ""
        return said

    # Collections

    def block(self, node: YamlNode, indent: str, path: Path, stop: int) -> None:
        """Write a collection over several lines. stop: where the next thing after it begins."""
        is_block = self.is_block(node)
        if isinstance(node, Mapping):
            ordered = self.ordered(node, path)
            starts = [key.span.start for key, _ in ordered]
            for at, (key, value) in enumerate(ordered):
                self.leading(key.span.start, indent, first=at == 0 and bool(path))
                self.entry(indent, key, value, (*path, self.step(path, key)), self.next(starts, at, stop))
        elif isinstance(node, yaml.Sequence):
            starts = [item.span.start for item in node.items]
            for at, item in enumerate(node.items):
                self.leading(item.span.start, indent, first=at == 0)
                self.item(item, indent, (*path, "*"), self.next(starts, at, stop))
        else:
            return
        if starts and path:
            for comment in self.take(stop, within=node) if is_block else self.take(node.span.end):
                self.blank_before(comment.start)
                self.lines.append(indent + comment.text)

    @staticmethod
    def next(starts: Sequence[int], at: int, stop: int) -> int:
        """Return where the part after the one `at` a place begins."""
        return min((start for start in starts if start > starts[at]), default=stop)

    def step(self, path: Path, key: Scalar) -> str:
        """Return how a key's value is known in paths."""
        named = len(path) == 1 and path[0] in MERGED and path[0] != "variables"
        return "*" if named else key.text.value

    def ordered(self, node: Mapping, path: Path) -> list[tuple[Scalar, YamlNode]]:
        """Return entries in the order of the house; what has none stays as it is.

        A mapping with comments between its entries keeps its order: they may speak of what stands around them.
        """
        order = _ORDERS.get(path)
        if not path:
            keys = {key.text.value for key, _ in node.entries}
            order = TEST_KEYS if "tests" in keys else FRAGMENT_KEYS if "fragment" in keys else KEYS
        entries = list(node.entries)
        if order is None or self.has_inside(node):
            return entries
        place = {name: at for at, name in enumerate(order)}
        return sorted(entries, key=lambda entry: place.get(entry[0].text.value, len(place)))

    def entry(self, indent: str, key: Scalar, value: YamlNode, path: Path, stop: int) -> None:
        """Write `key: value`."""
        head = f"{indent}{self.raw(key)}:"
        one = self.one_line(value, path, flow=False)
        if (one is not None and len(head) + 1 + len(one) <= WIDTH) or (isinstance(value, Scalar) and one is not None):
            self.lines.append(f"{head} {one}{self.trailing(value.span.end)}")
        elif isinstance(value, Scalar):
            self.scalar(head, value, indent + INDENT, path)
        else:
            own_line = value.span.start > self.text.find("\n", key.span.end) >= 0
            said = self.trailing(key.span.end) if own_line else ""
            self.opening(value, indent, to_first=False)
            behind = self.behind(value, indent)
            self.lines.append(head + (said or behind))
            self.block(value, indent + INDENT, path, stop)

    def item(self, item: YamlNode, indent: str, path: Path, stop: int) -> None:
        """Write `- item`; a mapping over several lines begins in the line of its dash."""
        one = self.one_line(item, path, flow=False)
        fits = one is not None and (path in _ROWS or len(indent) + 2 + len(one) <= WIDTH)
        if fits or (one is not None and isinstance(item, Scalar)):
            self.lines.append(f"{indent}- {one}{self.trailing(item.span.end)}")
        elif isinstance(item, Scalar):
            self.scalar(f"{indent}-", item, indent + INDENT, path)
        else:
            self.opening(item, indent, to_first=True)
            behind = self.behind(item, indent)
            if isinstance(item, Mapping) and item.entries:
                begun = len(self.lines)
                self.block(item, indent + INDENT, path, stop)
                self.lines[begun] = f"{indent}- {self.lines[begun].lstrip()}{behind}"
            else:
                self.lines.append(f"{indent}-{behind}")
                self.block(item, indent + INDENT, path, stop)

    def opening(self, node: YamlNode, indent: str, *, to_first: bool) -> None:
        """Write what is said behind the brace that opens a collection above it.

        to_first: and what is said above its first entry, which is to begin in the line of its dash.
        """
        if not self.is_block(node):
            first = min((entry.span.start for entry in entries(node)), default=node.span.end)
            line = self.text.find("\n", node.span.start)
            for comment in self.take(first if to_first or line < 0 else min(first, line), after=node.span.start):
                self.lines.append(indent + comment.text)

    def scalar(self, head: str, node: Scalar, indent: str, path: Path) -> None:
        """Write a scalar of several lines."""
        first, *rest = raw_lines(self.text, node)
        self.lines.append(f"{head} {first}")
        self.lines += [indent + line if line else "" for line in rest]
        end = self.trailing(node.span.end - 1 if self.text[node.span.start] in "|>" else node.span.end)
        self.lines[-1] += end

    def is_block(self, node: YamlNode) -> bool:
        """Whether a collection is written over lines by indentation."""
        return not isinstance(node, Scalar) and self.text[node.span.start : node.span.start + 1] not in ("{", "[")

    # Single lines

    def one_line(self, node: YamlNode, path: Path, *, flow: bool) -> str | None:
        """Return a node in one line, or None where it has, or needs, several."""
        if isinstance(node, Scalar):
            raw = self.text[node.span.start : node.span.end]
            if "\n" in raw or raw[:1] in ("|", ">"):
                return None
            return condition_text(node, raw, flow=flow) if is_condition(path) else raw
        if self.is_block(node) or self.keeps_lines(node):
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
