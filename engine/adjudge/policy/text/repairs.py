"""What a line of YAML was meant to be: indentation, dashes and colons that people type otherwise.

Asked for only where a document is no YAML. Each repair is an edit of the document, so that an author can be told what
to type, and the rest of the document can be read as if it had been typed.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from adjudge.frozen import frozen
from adjudge.patterns import late
from adjudge.source import Edit, Source, Span
from adjudge.values.look_alikes import first_look_alike, is_quote, plain, plainly, said_of

_KEY = r"[A-Za-z_\uff21-\uff5a][\w.\-\uff0d\uff0e]*"
_WIDE_KEY = late(rf"(\s*(?:-\s+)?)({_KEY})\s*([\uff1a\u2236\ufe55])\s*")
_TIGHT_KEY = late(rf"(\s*(?:- +)?)({_KEY}):(?=[^\s:/])")
_TIGHT_DASH = late(rf"(\s*)-(?={_KEY}\s*:)")
_OTHER_DASH = late(r"(\s*)([\u2010-\u2015\u2212\ufe63\uff0d\u2022\xb7*+])\s*(?=[\w{\uff5b])")
_EQUALS = late(rf"(\s*(?:- +)?)({_KEY})\s*=(?!=)\s*(?=\S)")
_WITHOUT_COLON = late(r"(\s*(?:- +)?)(id|when|unless|then|reason|add|policy|description)( +)(?=[^\s:=])")
_TWO_COLONS = late(rf"(\s*(?:- +)?)({_KEY})\s*(?:::|:=|=>|->)\s*(?=\S)")
_PART = (
    "when|unless|then|add|id|reason|review|reject|below|type|range|values|riskier|absent|keys|of|personal|file|builtin|"
    "provider|with|fields|timeout|when_unknown|from|until|policy|given|expect|outcome|rules|reasons|settled"
)
_COMPARED = late(r":\s+([<>]=?\s*)(?=[-.\d])")
_HEADER = late(r"([\w.]+)$")
_OTHER_COMMA = late(rf"(;)(?=\s*(?:{_PART})\s*:)")
_NO_COMMA = late(rf"(?<=[^\s,{{\[:])()(?= +(?:{_PART}): )")
_COLON_TOO_MANY = late(r"(\s*(?:- +)?(?:when|unless): .*\S)\s*(:)\s*$")
BARE = late(r"[A-Za-z_][\w.-]*")
_INDENT = late(r"[ \t\xa0\u2000-\u200a\u202f\u205f\u3000]*")
_FLOW = "{}[],:"
_FLOW_OPENS = "{[\uff5b\uff3b\u3010\u3014"
_LINES_BACK = 3
"""How far above the place where a reader gives up the mistake may be."""


@frozen
class Repair:
    """A mistake in a line: where it is, what to say, and the edits that mend it."""

    span: Span
    message: str
    hint: str
    edits: tuple[Edit, ...]
    is_sure: bool = True


def repair_near(source: Source, *places: int) -> Repair | None:
    """Return the first repair of the lines around the places at which reading stopped."""
    lines = {source.place(at)[0] for at in places}
    first = max(1, min(lines) - _LINES_BACK)
    for number in range(first, max(lines) + 1):
        if (found := repair_of(source, number)) is not None:
            return found
    for number in range(first, max(lines) + 1):
        if (found := without_colon(source, number)) is not None:
            return found
    return None


def without_colon(source: Source, number: int) -> Repair | None:
    """Return what to say of a line that is one word among keys: a `:`, and perhaps its value, is missing."""
    line, begin = source.line(number), source.offset(number)
    word = line.strip()
    if BARE.fullmatch(word) is None:
        return None
    indent = len(line) - len(line.lstrip())
    last = source.place(len(source.text))[0]
    below = next((source.line(at) for at in range(number + 1, last + 1) if source.line(at).strip()), "")
    place = Span(begin + indent, begin + indent + len(word))
    if len(below) - len(below.lstrip()) > indent:
        edit = Edit(span=Span(place.end, place.end), text=":")
        return Repair(place, f"a `:` is missing after `{word}`", f"write `{word}:`", (edit,))
    if re.match(rf"{' ' * indent}{_KEY}:", below):
        return Repair(place, f"a `:` and a value are missing after `{word}`", f"write `{word}: …`", (), is_sure=False)
    return None


def repair_of(source: Source, number: int) -> Repair | None:
    """Return what is to be mended in one line, as far as it is of the kinds that are known here."""
    line, begin = source.line(number), source.offset(number)
    if not line.strip() or line.lstrip().startswith("#"):
        return None
    return (
        _look_alikes(source, number, line, begin)
        or _sign(line, begin, _OTHER_DASH, 2, "- ", "an item of a list begins with `- `")
        or _sign(line, begin, _TIGHT_DASH, None, " ", "a `-` needs a space after it")
        or _sign(line, begin, _TWO_COLONS, None, ": ", "a key ends with one `:` and a space", keep=2)
        or _flow_signs(line, begin)
        or _sign(line, begin, _COLON_TOO_MANY, 2, "", "there is a `:` too many at the end of this condition")
        or _sign(line, begin, _TIGHT_KEY, None, " ", "a `:` needs a space after it")
        or (
            _sign(line, begin, _EQUALS, None, ": ", "a key ends with `:`, not with `=`", keep=2)
            if ": " not in line
            else None
        )
        or (
            _sign(line, begin, _WITHOUT_COLON, 3, ": ", "a `:` is missing after this key") if ": " not in line else None
        )
    )


def _sign(
    line: str, begin: int, pattern: re.Pattern[str], group: int | None, text: str, message: str, *, keep: int = 0
) -> Repair | None:
    """Return the repair that puts `text` in the place of a group, behind the match, or behind the group `keep`."""
    found = pattern.match(line)
    if found is None:
        return None
    if group is not None:
        start, end = found.span(group)
        end = max(end, found.end()) if text == "- " else end
    elif keep:
        start, end = found.end(keep), found.end()
    else:
        start = end = found.end()
    after = line[:start] + text + line[end:]
    place = Span(begin + start - (start == end), begin + max(end, start + 1) - (start == end))
    if start == end:
        place = Span(begin + start - 1, begin + start)
    return Repair(place, message, _hint(after), (Edit(span=Span(begin + start, begin + end), text=text),))


def _flow_signs(line: str, begin: int) -> Repair | None:
    """Return the repair of what stands between braces: a comparison before a number, a missing or another comma."""
    brace = line.find("{")
    if brace < 0:
        compared = _COMPARED.search(line)
        return (
            _cut(line, begin, compared, "", "the key says how the number is compared") if compared is not None else None
        )
    compared = _COMPARED.search(line, brace)
    key = _HEADER.search(line[: compared.start()]) if compared is not None else None
    if compared is not None and key is not None and re.fullmatch(_PART, key.group(1)) is None:
        return _into_key(line, begin, compared)
    for pattern, text, message in (
        (_COMPARED, "", "the key says how the number is compared"),
        (_OTHER_COMMA, ",", "the parts of a mapping are separated by commas"),
        (_NO_COMMA, ",", "a comma is missing before the next key"),
    ):
        if (found := pattern.search(line, brace)) is not None:
            return _cut(line, begin, found, text, message, pattern)
    return None


def _into_key(line: str, begin: int, found: re.Match[str]) -> Repair:
    """Return the repair that puts a comparison into the header of its column: `amount: >= 50` is `amount >=: 50`."""
    operator = found.group(1).strip()
    text = f" {operator}: "
    after = line[: found.start()] + text + line[found.end() :]
    place = Span(begin + found.start(1), begin + found.start(1) + len(operator))
    edit = Edit(span=Span(begin + found.start(), begin + found.end()), text=text)
    return Repair(place, "how a number is compared stands before the `:`", _hint(after), (edit,), is_sure=False)


def _cut(
    line: str, begin: int, found: re.Match[str], text: str, message: str, pattern: re.Pattern[str] | None = None
) -> Repair:
    """Return the repair that puts `text` in the place of each part that a pattern finds."""
    edits, after = [], line
    for one in reversed(list(pattern.finditer(line)) if pattern is not None else [found]):
        start, end = one.span(1)
        edits.append(Edit(span=Span(begin + start, begin + end), text=text))
        after = after[:start] + text + after[end:]
    start, end = found.span(1)
    place = Span(begin + start, begin + max(end, start + 1))
    return Repair(place, message, _hint(after), tuple(reversed(edits)), is_sure=False)


def _hint(line: str) -> str:
    said = line.strip()
    return f"write `{said}`" if len(said) <= 120 else "write it so in this line"


def _look_alikes(source: Source, number: int, line: str, begin: int) -> Repair | None:
    """Return the repair of what looks like a space, a dash, a colon or a bracket of YAML and is none."""
    edits = list(_edits(source, number, line, begin))
    if not edits:
        return None
    first = edits[0].span.start
    char = source.text[first]
    what = "the line begins with" if first == begin and plain(char) == " " else "there is"
    after = line
    for edit in reversed(edits):
        after = after[: edit.span.start - begin] + edit.text + after[edit.span.end - begin :]
    hint = "indent with plain spaces" if what.startswith("the line") and len(edits) == 1 else _hint(after)
    message = f"{what} {said_of(char)}" + ("" if what.startswith("the line") else " here")
    return Repair(Span(first, first + 1), message, hint, tuple(edits))


def _edits(source: Source, number: int, line: str, begin: int) -> Iterator[Edit]:
    found = _INDENT.match(line)
    indent = found.group() if found is not None else ""
    if first_look_alike(indent) is not None or "\t" in indent:
        yield Edit(span=Span(begin, begin + len(indent)), text=" " * indentation(source, number, indent))
    at = len(indent)
    if item := re.compile("-[ ]+").match(line, at):
        at = item.end()
    elif dash := _OTHER_DASH.match(line, at):
        sign = dash.group(2)
        if plain(sign) == "-":
            yield Edit(span=Span(begin + at, begin + dash.end()), text="- ")
            at = dash.end()
    elif line.startswith("-\u3000", at) or line.startswith("-\xa0", at):
        yield Edit(span=Span(begin + at, begin + at + 2), text="- ")
        at += 2
    if line[at : at + 1] and line[at] in _FLOW_OPENS:
        yield from _in_flow(line, at, begin)
        return
    if key := _WIDE_KEY.match(line, at):
        if (name := plainly(key.group(2))) != key.group(2):
            yield Edit(span=Span(begin + key.start(2), begin + key.end(2)), text=name)
        yield Edit(span=Span(begin + key.end(2), begin + key.end()), text=": ")
        at = key.end()
    elif key := re.compile(rf"(?:- +)?{_KEY}\s*:[\s\u3000\xa0]*").match(line, at):
        start = line.index(":", key.start()) + 1
        gap = line[start : key.end()]
        if first_look_alike(gap) is not None:
            yield Edit(span=Span(begin + start, begin + key.end()), text=" ")
        at = key.end()
    if line[at : at + 1] and line[at] in _FLOW_OPENS:
        yield from _in_flow(line, at, begin)
    elif line[at : at + 1] and is_quote(line[at]):
        yield from _quotes(line, at, begin)


def _in_flow(line: str, at: int, begin: int) -> Iterator[Edit]:
    """Yield the edits of brackets, commas and colons that look like YAML's, outside of quotes."""
    quote = ""
    for here in range(at, len(line)):
        char = line[here]
        meant = plain(char)
        mark = meant or char
        if mark in ("'", '"') and (not quote or quote == mark):
            quote = "" if quote else mark
            if meant is not None:
                yield Edit(span=Span(begin + here, begin + here + 1), text=meant)
        elif not quote and meant is not None and (meant in _FLOW or meant == " "):
            spaced = meant in ":," and not line[here + 1 : here + 2].isspace()
            yield Edit(span=Span(begin + here, begin + here + 1), text=f"{meant} " if spaced else meant)


def _quotes(line: str, at: int, begin: int) -> Iterator[Edit]:
    for here in range(at, len(line)):
        if is_quote(line[here]):
            yield Edit(span=Span(begin + here, begin + here + 1), text=plain(line[here]) or "")


def indentation(source: Source, number: int, indent: str) -> int:
    """Return how many plain spaces an indentation was meant to be: what lines up with a line near by, else its width.

    A full-width space is as wide as two, a tab as two, four or eight.
    """
    near = {_column(source.line(other)) for other in range(max(1, number - 6), number)}
    near |= {column + 2 for column in near}
    widths = [
        sum(tab if char == "\t" else wide if char == "\u3000" else 1 for char in indent)
        for wide in (2, 1)
        for tab in (2, 4, 8)
    ]
    lines = [line for other in range(number - 1, 0, -1) if (line := source.line(other)).strip()]
    above = _column(lines[0]) if lines else 0
    if source.line(number).lstrip().startswith("-"):  # as the other items have it, if there are some
        beside = siblings(source, number)
        if beside:
            return max(set(beside), key=beside.count)
        above = next((len(line) - len(line.lstrip()) for line in lines if line.lstrip().startswith("- ")), above)
    return next((width for width in widths if width == above), None) or next(
        (width for width in widths if width in near), widths[0]
    )


def siblings(source: Source, number: int) -> list[int]:
    """Return how far the other items of a section are indented with plain spaces, without those inside of items."""
    last = source.place(len(source.text))[0]
    found = []
    for step, end in ((-1, 0), (1, last + 1)):
        for other in range(number + step, end, step):
            line = source.line(other)
            if line.strip() and not line[0].isspace() and not line.startswith("-"):
                break
            if line.lstrip(" ").startswith("- "):
                found.append(len(line) - len(line.lstrip(" ")))
    return [one for one in found if one == min(found)]


def _column(line: str) -> int:
    """Return where a line's first key begins, behind the dash of an item."""
    found = re.match(r" *(?:- +)?", line)
    return found.end() if found is not None else 0
