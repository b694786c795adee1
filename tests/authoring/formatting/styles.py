"""A document in any of the styles that YAML allows and people use, with comments wherever they can stand."""

from __future__ import annotations

from hypothesis import strategies as st

from adjudge.policy.text import yaml
from adjudge.policy.text.yaml import Mapping, Scalar, YamlNode, read_yaml
from adjudge.source import Source
from expr.strategies import one_of

CODES = ("unused-input", "unused-signal", "waiver", "softening-has", "uncalibrated-threshold")


class Styler:
    """Writes one document anew, each collection in braces or over lines, as drawn."""

    def __init__(self, draw: st.DrawFn, text: str) -> None:
        self.draw = draw
        self.text = text
        self.count = 0

    def document(self) -> str:
        root, errors = read_yaml(Source("", self.text))
        assert isinstance(root, Mapping) and not errors
        lines = self.block(root, 0)
        return "\n".join([*lines, *self.own_lines(0)]) + one_of(self.draw, ("", "\n"))

    def comment(self) -> str:
        """A comment that no other is like."""
        self.count += 1
        code = one_of(self.draw, ("", "", *CODES))
        return f"# lint: allow {code} n{self.count}" if code else f"# n{self.count}"

    def own_lines(self, indent: int) -> list[str]:
        chosen = one_of(self.draw, ("", "", "", "", "#", "\n#"))
        return [*chosen[:-1].split("\n")[1:], " " * indent + self.comment()] if chosen else []

    def end(self) -> str:
        return one_of(self.draw, ("", "", "", " ", "  #"))

    def ended(self, line: str) -> str:
        end = self.end()
        return f"{line} {self.comment()}" if "#" in end else line + end

    def raw(self, node: YamlNode) -> str:
        return self.text[node.span.start : node.span.end].rstrip()

    def is_one_line(self, node: YamlNode) -> bool:
        return "\n" not in self.raw(node) or not isinstance(node, Scalar)

    def can_flow(self, node: YamlNode) -> bool:
        """Whether no scalar in it needs lines of its own, or would mean something else in braces."""
        match node:
            case Scalar():
                raw = self.raw(node)
                return "\n" not in raw and (raw[0] in "\"'" or not set(raw) & set("{}[],#:?&*|>"))
            case Mapping(entries=entries):
                return all(self.can_flow(key) and self.can_flow(value) for key, value in entries)
            case yaml.Sequence(items=items):
                return all(map(self.can_flow, items))
            case _:
                return False

    def block(self, node: Mapping | yaml.Sequence, indent: int) -> list[str]:
        lines: list[str] = []
        deeper = indent + one_of(self.draw, (2, 2, 3, 4))
        if isinstance(node, Mapping):
            for key, value in node.entries:
                lines += self.own_lines(indent)
                lines += self.below(f"{' ' * indent}{self.raw(key)}:", value, deeper, indent)
        else:
            for item in node.items:
                lines += self.own_lines(indent)
                if isinstance(item, Mapping) and item.entries and one_of(self.draw, (False, True)):
                    first, *rest = self.block_alone(item, indent + 2)
                    lines += [f"{' ' * indent}- {first.lstrip()}", *rest]
                else:
                    lines += self.below(f"{' ' * indent}-", item, deeper, None)
        return lines + self.own_lines(indent)

    def block_alone(self, node: Mapping, indent: int) -> list[str]:
        """A mapping over lines that begins with no comment."""
        lines = self.block(node, indent)
        while lines and (not lines[0].strip() or lines[0].lstrip().startswith("#")):
            lines.pop(0)
        return lines

    def below(self, head: str, value: YamlNode, deeper: int, zero: int | None) -> list[str]:
        if isinstance(value, Scalar):
            first, *rest = self.raw(value).split("\n")
            if rest:
                if first[0] not in "|>":
                    return [f"{head} {first}", *(f"{' ' * deeper}{line.strip()}" for line in rest)]
                common = min(len(line) - len(line.lstrip()) for line in rest if line.strip())
                return [f"{head} {first}", *(" " * deeper + line[common:] if line else "" for line in rest)]
            return [self.ended(f"{head} {first}")]
        assert isinstance(value, Mapping | yaml.Sequence)
        parts = value.entries if isinstance(value, Mapping) else value.items
        if not parts or (self.can_flow(value) and one_of(self.draw, (False, True))):
            return [self.ended(line) if at == "end" else line for at, line in self.flow(head, value, deeper)]
        if isinstance(value, yaml.Sequence) and zero is not None and one_of(self.draw, (False, True)):
            deeper = zero
        return [self.ended(head), *self.block(value, deeper)]

    def flow(self, head: str, node: YamlNode, indent: int) -> list[tuple[str, str]]:
        """Braces in one line, or over several with comments in them; each line with whether one may follow it."""
        if not one_of(self.draw, (False, False, True)):
            return [("end", f"{head} {self.inline(node)}")]
        blanks = " " * indent
        opening, closing = "{}" if isinstance(node, Mapping) else "[]"
        if isinstance(node, Mapping):
            parts = [f"{self.raw(key)}: {self.inline(value)}" for key, value in node.entries]
        else:
            parts = [self.inline(item) for item in node.items] if isinstance(node, yaml.Sequence) else []
        lines = [("end", f"{head} {opening}")]
        for at, part in enumerate(parts):
            lines += [("", line) for line in self.own_lines(indent)]
            lines.append(("end", f"{blanks}{part}{',' if at < len(parts) - 1 else ''}"))
        if one_of(self.draw, (False, True)):
            return [*lines, *(("", line) for line in self.own_lines(indent)), ("end", f"{blanks}{closing}")]
        how, last = lines.pop()
        return [*lines, (how, last + closing)]

    def inline(self, node: YamlNode) -> str:
        match node:
            case Mapping(entries=entries):
                return "{" + ", ".join(f"{self.raw(key)}: {self.inline(value)}" for key, value in entries) + "}"
            case yaml.Sequence(items=items):
                return "[" + ", ".join(map(self.inline, items)) + "]"
            case _:
                return self.raw(node)


@st.composite
def styled(draw: st.DrawFn, text: str) -> str:
    """Return a document in another style, with comments; it says the same."""
    return Styler(draw, text).document()
