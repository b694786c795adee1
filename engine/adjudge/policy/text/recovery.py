"""Reading on behind a mistake of YAML, entry by entry, so that it does not hide the others."""

from __future__ import annotations

from adjudge.errors import PolicyError
from adjudge.patterns import late
from adjudge.policy.text.yaml import Mapping, YamlNode, read_yaml
from adjudge.source import Edit, Source, Span, mended

ROUNDS_MAX = 20
"""How many mistakes of YAML are told of one document."""
TEXT_MAX = 200_000
"""Characters of a document that is read again and again; of a longer one the first mistake is told."""
_ITEM = late(r"( *)- ")
_BLANKS = late(r" *")


def read_on(source: Source, *, recorded: bool = False) -> tuple[Source, YamlNode | None, list[PolicyError], bool]:
    """Return the text that was read in the end, its tree, everything wrong with it as YAML, and whether all was read.

    A mistake that can be mended is read as if it were; of any other its entry is left out. The first source is the
    given one unless something was wrong.
    """
    tree, errors = read_yaml(source, recorded=recorded)
    if tree is not None or recorded or not errors or len(source.text) > TEXT_MAX:
        return source, tree, errors, True
    told: list[PolicyError] = []
    edits: list[Edit] = []
    now: Source = source
    is_whole = True
    for _ in range(ROUNDS_MAX):
        fatal = errors[-1]
        if not told or fatal.code != "yaml-empty":
            told.append(fatal)
        if fatal.code in _BEYOND or fatal.source != source:
            return now, None, told, False
        if fatal.code in ("yaml-character", "yaml-documents") and not fatal.fix:
            return now, None, told, False
        if not fatal.fix or _overlap(edits, fatal.fix):
            is_whole = False
            dropped = _entry(source, edits, fatal.span.start)
            if dropped is None:
                return now, None, told, False
            edits = [one for one in edits if not _touch(one.span, dropped)]
            edits.append(Edit(span=dropped, text=""))
        else:
            edits += fatal.fix
        now = mended(source, edits)
        tree, errors = read_yaml(now)
        if tree is not None:
            return now, tree, [*told, *errors], is_whole and isinstance(tree, Mapping)
    return now, None, told, False


def told_once(errors: list[PolicyError]) -> list[PolicyError]:
    """Return errors without those of YAML whose place another one rewrites as well, and says more of it."""
    rewritten = [edit for error in errors if error.code != "yaml-syntax" for edit in error.fix]
    return [
        error
        for error in errors
        if error.code != "yaml-syntax"
        or not any(_touch(edit.span, one.span) for edit in error.fix for one in rewritten)
    ]


_BEYOND = frozenset({"yaml-size", "yaml-depth", "yaml-empty"})
"""What reading on does not help."""


def _touch(one: Span, other: Span) -> bool:
    return (one.start < other.end and other.start < one.end) or one == other


def _overlap(edits: list[Edit], more: tuple[Edit, ...]) -> bool:
    return any(_touch(one.span, other.span) for one in edits for other in more)


def _entry(source: Source, edits: list[Edit], at: int) -> Span | None:
    """Return the entry in which a mistake stands: an item of a list, else its line with what stands below it.

    Where that was left out already, the whole section; None where nothing is left to leave out.
    """
    number = source.place(at)[0]
    last = source.place(len(source.text))[0]
    gone = [edit.span for edit in edits if not edit.text]

    def span(first: int, indent: int) -> Span:
        after = first + 1
        while after <= last and (not source.line(after).strip() or _indent(source.line(after)) > indent):
            after += 1
        end = source.offset(after) if after <= last else len(source.text)
        return Span(source.offset(first), end)

    while number > 1 and not source.line(number).strip():
        number -= 1
    for first in range(number, 0, -1):
        item = _ITEM.match(source.line(first))
        if item is not None:
            found = span(first, len(item.group(1)))
            if found.end > at and found not in gone:
                return found
        if _indent(source.line(first)) == 0 and source.line(first).strip():
            line = span(number, _indent(source.line(number)))
            section = span(first, 0)
            return next((one for one in (line, section) if one not in gone and one.end > one.start), None)
    return None


def _indent(line: str) -> int:
    found = _BLANKS.match(line)
    return found.end() if found is not None else 0
