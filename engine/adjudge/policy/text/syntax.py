"""What to say where a text is no YAML: PyYAML's findings in the words of a policy's author."""

from __future__ import annotations

import re

import yaml

from adjudge.errors import PolicyError
from adjudge.patterns import late
from adjudge.policy.text.repairs import repair_near, siblings
from adjudge.source import Edit, Source, Span

_VALUE = late(r"(?:^|(?<=[\s{,]))[\w.-]+:[ ]+(?=\S)|^[ ]*-[ ]+(?=[^\s-])")
_CONDITION_KEYS = ("when", "unless")
_SIGNS = "!&*%@`|>#]}"
"""A plain text cannot start with these."""
_REST_IN_BRACES = late(r".+?(?=\s*,\s*[a-z_]+\s*:|\s*\}\s*(?:#.*)?$)")
_WRAPPED = late(
    r"(?:\[([A-Za-z_][\w.]*)\]|`([A-Za-z_][\w.]*)`|[@$]([A-Za-z_][\w.]*)|\{\{? *([A-Za-z_][\w.]*) *\}?\}"
    r"|\"([A-Za-z_][\w.]*)\"|'([A-Za-z_][\w.]*)')(?=\s*(?:[=!<>]=?|in\b|not\b)(?![=\s]*[A-Za-z_][\w.]*\s*$))"
)
_DIRECTIVE = late(r"^%[^\n]*(?:\n|\Z)", re.MULTILINE)
_TEXT_KEYS = frozenset({"message", "text", "description", "note"})
_TEXT = late(r"(?:^|(?<=[\s{,]))([\w.-]+):[ ]+(?=[^\s\"'|>\[])")
_TEXT_END = late(r"\s*,\s*[\w-]+\s*:(?:\s|$)|\s+#|\s*$")
_FIELD_FIRST = late(r"\{[A-Za-z_][\w.]*\}\s*[^\s,}\]=!<>]")
_FIELD_OR_COLON = late(r"\{[A-Za-z_][\w.]*\}|\S: ")
_LOCALE = late(r"(?!(?:id|at|by|of)$)[a-z]{2}(?:-[A-Za-z]{2,4})?")
_KEYS_IN_LINE = late(r"\s*(?:- +)?(([a-z_]+): .+?, ([a-z_]+): .+?)\s*$")
_SECTIONS = frozenset(
    {"inputs", "signals", "lists", "variables", "thresholds", "rules", "scorecard", "reasons", "calibration", "tables"}
) | {"tests", "defaults", "policy", "policy_language", "include", "steps", "lookup"}
_DOUBLE_QUOTED = late(r'"((?:[^"\\\n]|\\.)*)"')
_OWN_ESCAPE = late(r"(?<!\\)\\([^\\abfnrtvxuU?\"'`0-7])")
_FLOW_CONDITION = late(r"\b(?:when|unless): +(.+?)(?=, *[a-z_]+ *:|\}\s*(?:#.*)?$)")
_ITEM = late(r"( *)-( +)")
_ITEM_LINES_MAX = 40
"""How far above a line its item is looked for."""
_HINT_MAX = 100
_LINE_MAX = 1000
"""Characters of a line in which a text without quotes is looked for, at every key."""
_OFF_MAX = 3
"""Columns by which a line can be off and still be meant to line up."""


def shown(text: str) -> str:
    """Return a user's text as a message can hold it, at most 60 characters long."""
    return text if len(text) <= 60 else f"{text[:59]}…"


def quoted(text: str) -> str:
    """Return a text in the quotes that leave it as readable as can be."""
    if "'" not in text:
        return f"'{text}'"
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def as_value(text: str, raw: str, before: str) -> str:
    """Return a text as a YAML value in one line, in the quotes that it had or in those that it needs.

    raw: how it was written until now. before: what stands before it in its line, which tells a mapping in braces.
    """
    if raw[:1] == '"' and not set(text) & set('"\\'):
        return f'"{text}"'
    in_flow = "{" in before or "[" in before
    if raw[:1] not in ("'", '"') and _is_plain(text, in_flow=in_flow):
        return text
    return "'" + text.replace("'", "''") + "'"


def _is_plain(text: str, *, in_flow: bool) -> bool:
    """Whether a text of one line reads as itself without quotes."""
    if not text or text[0] in _SIGNS or text[0] in "\"'[{,?:-" or ": " in text or " #" in text or text[-1] == ":":
        return False
    return not (in_flow and set(text) & set(",[]{}"))


def explain(error: yaml.MarkedYAMLError, source: Source) -> PolicyError:
    """Return PyYAML's error as ours: with its place, and the way out that an author needs most often."""
    problem, context = error.problem or "", error.context or ""
    mark = error.problem_mark or error.context_mark
    at = min(mark.index if mark else 0, len(source.text))
    begun = error.context_mark.index if error.context_mark else at

    def wrong(message: str, start: int, end: int, hint: str | None = None, fix: tuple[Edit, ...] = ()) -> PolicyError:
        return PolicyError("yaml-syntax", message, source=source, span=Span(start, end), hint=hint, fix=fix)

    plain = Source(source.name, source.text)  # whose lines are those of this text, whatever was mended before
    repair = repair_near(plain, at, begun)
    unquoted = _text_with_signs(plain, at)
    if unquoted is not None and (repair is None or source.text[unquoted.start] == "{"):
        text = source.text[unquoted.start : unquoted.end]
        meant = f"write {quoted(text)}" if len(text) <= _HINT_MAX else "put it in quotes"
        edit = Edit(span=unquoted, text=quoted(text))
        return wrong("a text with `{`, `}` or `: ` in it must be quoted", unquoted.start, unquoted.end, meant, (edit,))
    if repair is not None:
        return PolicyError(
            "yaml-syntax",
            repair.message,
            source=source,
            span=repair.span,
            hint=repair.hint,
            fix=repair.edits,
            is_sure=repair.is_sure,
        )
    if "quoted scalar" in context:
        if "unexpected" in problem:
            closed = _closed_quote(plain, begun)
            return wrong("this quote is never closed", begun, begun + 1, "close it, or quote the whole string", closed)
        hint = r"write \\ for a backslash, or put the string in single quotes, where it needs no escape"
        return wrong("unknown escape inside double quotes", at - 1, at + 1, hint, _in_single_quotes(plain, begun))
    if "document start" in problem:
        if (lines := [Span(*found.span()) for found in _DIRECTIVE.finditer(source.text)]) != []:
            edits = tuple(Edit(span=line, text="") for line in lines)
            top = Span(lines[0].start, lines[0].start + len(source.text[lines[0].start : lines[0].end].rstrip()))
            hint = "delete the lines with `%`, or put a text that begins with it in quotes"
            return PolicyError(
                "yaml-directive", "directives are not allowed", source=source, span=top, hint=hint, fix=edits
            )
        message = "the document ends above this line"
        return PolicyError(
            "yaml-documents", message, source=source, span=Span(at, at + 1), hint="put each document into its own file"
        )
    misaligned = "block end" in problem or problem == "mapping values are not allowed here"
    if misaligned and (off := _first_key_off(plain, plain.place(at)[0])) is not None:
        span, moved, column = off
        message = "this key does not line up with those below it"
        return wrong(message, span.start, span.end, f"begin it in column {column + 1}", moved)
    for place in (at, begun):
        if misread := _misread_value(plain, place):
            start, end = misread
            text = source.text[start:end]
            message = f"a string that starts with `{text[0]}` must be quoted as a whole"
            meant = _unwrapped(text) or quoted(text)
            whole = (Edit(span=Span(start, end), text=meant),)
            return wrong(message, start, end, f"write {meant}" if len(text) <= _HINT_MAX else None, whole)
    match problem:
        case "mapping values are not allowed here":
            before = _value_before(plain, at)
            if before is None:
                line, column = plain.place(at)
                key = at - column + 1 + len(plain.line(line)) - len(plain.line(line).lstrip())
                hint = "keys of one mapping start in the same column; quote a string that spans lines"
                fix = _lined_up(plain, line)
                message = "this key does not line up with the line above"
                return wrong(message, key, at, _to_column(fix) or hint, fix)
            text = source.text[before[1] : before[2]]
            if (braces := _in_braces(plain, at)) is not None:
                message = "several keys in one line stand in braces"
                said = plain.text[braces.start : braces.end]
                edits = (Edit(span=braces, text=f"{{{said}}}"),)
                return wrong(message, braces.start, braces.end, f"write `{{{said}}}`", edits)
            hint = "if the `:` belongs to the string, quote it all" + (
                f": {quoted(text)}" if len(text) <= _HINT_MAX else ""
            )
            whole = (Edit(span=Span(*before[1:]), text=quoted(text)),)
            return wrong("a second key ends here, in the middle of a value", at, at + 1, hint, whole)
        case "could not find expected ':'":
            line, _ = source.place(begun)
            end = begun + len(source.text[begun:].partition("\n")[0].rstrip())
            return wrong(
                f"line {line} is neither `key: value` nor `- item`", begun, end, "a `:` needs a space after it"
            )
        case "sequence entries are not allowed here" | "mapping keys are not allowed here":
            return wrong("an item cannot begin here", at, at + 1, "begin each item of a list on its own line")
    if "flow node" in context:
        return wrong("a value is missing here", at, at + 1, "quote a string that contains any of { } [ ] , ?")
    if "flow" in context:
        if at >= len(source.text.rstrip()) or plain.place(at)[0] > plain.place(begun)[0]:
            closed = _closed_bracket(plain, begun)
            way = "close it at the end of this line" if closed else None
            return wrong(f"this `{source.text[begun]}` is never closed", begun, begun + 1, way, closed)
        hint = "quote a string that contains any of { } [ ] , ?"
        if (condition := _condition_in_flow(plain, at)) is not None:
            text = quoted(source.text[condition.start : condition.end])
            said = f"write {text}" if len(text) <= _HINT_MAX else hint
            message = "a condition with brackets or commas must be quoted inside braces"
            return wrong(message, condition.start, condition.end, said, (Edit(span=condition, text=text),))
        return wrong(f"expected `,` or `{'}' if 'mapping' in context else ']'}`", at, at + 1, hint)
    if "block scalar" in context:
        return wrong(
            "only the string's own lines may follow `|` or `>`", at, at + 1, "begin the string on the next line"
        )
    if "block end" in problem and source.text[at : at + 1] == ":":
        return wrong("a key is missing before this `:`", at, at + 1)
    if "block end" in problem and (first := _first_off(plain, plain.place(at)[0])) is not None:
        span, moved, column = first
        message = "this item does not line up with the others of its list"
        return wrong(message, span.start, span.end, f"begin it in column {column + 1}", moved)
    if "block end" in problem and (item := _without_dash(plain, plain.place(at)[0])) is not None:
        span, moved, message, said = item
        return wrong(message, span.start, span.end, said, moved)
    if "block end" in problem:
        hint = "keys of one mapping, and items of one list, start in the same column"
        moved = _lined_up(plain, plain.place(at)[0])
        message = "this does not line up with the lines above"
        return wrong(message, at, at + 1, _to_column(moved) or hint, moved)
    said = problem.replace("'", "`")
    return wrong(f"this is not valid YAML: {said}", at, at + 1)


def _text_with_signs(source: Source, at: int) -> Span | None:
    """Return where a text for people stands without quotes that has signs of YAML in it, if `at` is in or behind it."""
    number, column = source.place(at)
    line, begin = source.line(number), source.offset(number)
    if len(line) > _LINE_MAX:
        return None
    for found in _TEXT.finditer(line):
        start = found.end()
        end = next(_TEXT_END.finditer(line, start)).start()
        while "{" in line[: found.start()] and line[start:end].count("}") > line[start:end].count("{"):
            end = len(line[: end - 1].rstrip())
        text, key = line[start:end], found.group(1)
        if not start <= column - 1 <= end or key in _CONDITION_KEYS:
            continue
        is_text = key in _TEXT_KEYS or _LOCALE.fullmatch(key) is not None
        if _FIELD_FIRST.match(text) or (is_text and text[0] != "{" and _FIELD_OR_COLON.search(text)):
            return Span(begin + start, begin + end)
    return None


def _unwrapped(text: str) -> str | None:
    """Return a condition whose field stood in brackets or quotes of another language, as a YAML value."""
    found = _WRAPPED.match(text)
    if found is None:
        return None
    name = next(group for group in found.groups() if group is not None)
    return as_value(name + text[found.end() :], "", "")


def _in_braces(source: Source, at: int) -> Span | None:
    """Return where several keys stand in one line, behind a dash, without the braces that this takes."""
    number, _ = source.place(at)
    line = source.line(number)
    found = _KEYS_IN_LINE.match(line)
    if found is None or "{" in line or not line.lstrip().startswith("- "):
        return None
    return Span(source.offset(number) + found.start(1), source.offset(number) + found.end(1))


def _without_dash(source: Source, number: int) -> tuple[Span, tuple[Edit, ...], str, str] | None:
    """Return where a dash is missing, or is one too many, in the entries above a line that does not fit to them."""
    line = source.line(number)
    is_item = line.lstrip().startswith("- ")
    column = _indent(line) + 2 if is_item else _indent(line)
    first = None
    for other in range(number - 1, 0, -1):
        above = source.line(other)
        if not above.strip() or above.lstrip().startswith("#"):
            continue
        if _indent(above) < (column - 2 if is_item else column):
            break
        if _indent(above) in ((column, column - 2) if is_item else (column,)):
            first = other
    if first is None:
        return None
    above, begin = source.line(first), source.offset(first)
    if is_item and not above.lstrip().startswith("- ") and _indent(above) >= 2:
        own = _indent(above)
        place = Span(begin + own, begin + len(above))
        edit = Edit(span=Span(begin + column - 2, begin + own), text="- ")
        return place, (edit,), "an item begins here, and the `- ` before it is missing", f"write `- {above.strip()}`"
    below = source.line(first + 1)
    if not is_item and above.lstrip().startswith("- ") and first + 1 == number and _indent(below) == _indent(above):
        start = begin + _indent(above)
        edit = Edit(span=Span(start, start + 2), text="")
        said = f"write `{above.strip()[2:]}`"
        return Span(start, start + 1), (edit,), "this `- ` makes an item among keys", said
    return None


def _first_key_off(source: Source, number: int) -> tuple[Span, tuple[Edit, ...], int] | None:
    """Return where the first key below another stands otherwise than at least two that follow it."""
    last = source.place(len(source.text))[0]
    column = _indent(source.line(number))
    first = next((at for at in range(number - 1, 0, -1) if source.line(at).strip()), 0)
    head = next((at for at in range(first - 1, 0, -1) if source.line(at).strip()), 0)
    if not head or not source.line(head).rstrip().endswith(":") or _indent(source.line(head)) >= column:
        return None
    line, own = source.line(first), _indent(source.line(first))
    follow = next((source.line(at) for at in range(number + 1, last + 1) if source.line(at).strip()), "")
    is_key = line.strip().partition(":")[0] not in _SECTIONS and not line.lstrip().startswith("- ")
    if own == column or not is_key or _indent(follow) != column or source.line(number).lstrip().startswith("- "):
        return None
    begin = source.offset(first)
    edit = Edit(span=Span(begin, begin + own), text=" " * column)
    return Span(begin + own, begin + len(line.rstrip())), (edit,), column


def _first_off(source: Source, number: int) -> tuple[Span, tuple[Edit, ...], int] | None:
    """Return where the first line of an item stands otherwise than the other items, and what is below it does not."""
    line = source.line(number)
    for other in range(number - 1, max(0, number - _ITEM_LINES_MAX), -1):
        above = source.line(other)
        dash = _ITEM.match(above)
        if dash is None:
            if above.strip() and _indent(above) < _indent(line) - 2:
                return None
            continue
        beside = siblings(source, other)
        if line.lstrip().startswith("- ") and len(beside) < 2:
            return None  # of two, nobody knows which is off
        usual = max(set(beside), key=beside.count) if beside else _indent(above)
        key = usual + (0 if line.lstrip().startswith("- ") else 2)
        if _indent(line) != key or len(dash.group()) == usual + 2:
            return None
        begin = source.offset(other)
        edit = Edit(span=Span(begin, begin + len(dash.group())), text=" " * usual + "- ")
        return Span(begin + len(dash.group(1)), begin + len(above.rstrip())), (edit,), usual
    return None


def _lined_up(source: Source, number: int) -> tuple[Edit, ...]:
    """Return the edits that move a line, and what stands below it, under what it was meant to line up with.

    None where it is off by more than a few columns.
    """
    line = source.line(number)
    indent = _indent(line)
    is_item = line.lstrip().startswith("- ")
    columns = []
    for other in range(number - 1, 0, -1):
        above = source.line(other)
        if not above.strip() or above.lstrip().startswith("#"):
            continue
        if above.lstrip().startswith("- "):
            columns += [_indent(above)] if is_item else [_indent(above) + 2]
        elif not is_item:
            columns.append(_indent(above))
        if _indent(above) == 0:
            break
    near = min(columns, key=lambda column: abs(column - indent), default=None)
    if line.strip().rstrip(":") in _SECTIONS:
        near = 0
    if near is None or near == indent or abs(near - indent) > _OFF_MAX:
        return ()
    edits = []
    last = source.place(len(source.text))[0]
    below = next((_indent(source.line(at)) for at in range(number + 1, last + 1) if source.line(at).strip()), 0)
    if below == near + 2 or (near == 0 and below > indent):  # what stands below lines up already
        begin = source.offset(number)
        return (Edit(span=Span(begin, begin + indent), text=" " * near),)
    while True:
        begin, own = source.offset(number), _indent(line)
        if line.strip():
            edits.append(Edit(span=Span(begin, begin + own), text=" " * (own + near - indent)))
        number += 1
        line = source.line(number) if number <= last else ""
        if number > last or (line.strip() and _indent(line) <= indent):
            return tuple(edits)


def _to_column(edits: tuple[Edit, ...]) -> str | None:
    """Return the hint for a line that is moved."""
    return f"begin it in column {len(edits[0].text) + 1}" if edits else None


def _indent(line: str) -> int:
    return len(line) - len(line.lstrip(" "))


def _rest_of_line(source: Source, at: int) -> Span:
    """Return what stands from a character to the end of its line, without blanks."""
    return Span(at, at + len(source.text[at:].partition("\n")[0].rstrip()))


def _closed_quote(source: Source, begun: int) -> tuple[Edit, ...]:
    """Return the edit that closes a quote at the end of its line, where nothing else can end there."""
    rest = _rest_of_line(source, begun)
    line, _ = source.place(begun)
    mark = source.text[begun]
    if "{" in source.line(line)[: begun - source.offset(line)] or mark in source.text[begun + 1 : rest.end]:
        return ()
    return (Edit(span=Span(rest.end, rest.end), text=mark),)


def _in_single_quotes(source: Source, begun: int) -> tuple[Edit, ...]:
    """Return the edit that puts a string of one line from double quotes into single ones, where a `\\` is itself."""
    found = _DOUBLE_QUOTED.match(source.text, begun)
    if found is None:
        return ()
    text = found.group(1).replace('\\"', '"').replace("'", "''")
    before = _value_before(source, begun)
    if before is not None and before[0].strip(" :-") in _CONDITION_KEYS:  # where a backslash is one only twice
        text = _OWN_ESCAPE.sub(r"\\\\\1", text)
    return (Edit(span=Span(*found.span()), text=f"'{text}'"),)


def _closed_bracket(source: Source, begun: int) -> tuple[Edit, ...]:
    """Return the edit that closes brackets at the end of the line in which they were opened."""
    rest = _rest_of_line(source, begun)
    open_: list[str] = []
    for char in source.text[begun : rest.end]:
        if char in "{[":
            open_.append("}" if char == "{" else "]")
        elif open_ and char == open_[-1]:
            open_.pop()
    return (Edit(span=Span(rest.end, rest.end), text="".join(reversed(open_))),) if open_ else ()


def _condition_in_flow(source: Source, at: int) -> Span | None:
    """Return where a condition without quotes stands in braces, if it is the likely reason of an error in its line."""
    number, _ = source.place(at)
    begin = source.offset(number)
    for found in _FLOW_CONDITION.finditer(source.line(number)):
        if found.group(1)[0] not in "'\"" and begin + found.start(1) <= at <= begin + found.end(1):
            return Span(begin + found.start(1), begin + found.end(1))
    return None


def tag_hint(source: Source, at: int) -> str:
    """Return the way out where a `!` was read as a tag."""
    if source.text.startswith("!!", at):
        return "delete it; what a value is follows from where it stands"
    line = source.text[at:].partition("\n")[0].rstrip()
    return f"a string that starts with `!` must be quoted as a whole: {quoted(line)}"


def _value_before(source: Source, at: int) -> tuple[str, int, int] | None:
    """Return the last `key: ` or `- ` before `at` in its line, and where what follows it starts and ends."""
    line, column = source.place(at)
    text = source.line(line)
    begin = at - (column - 1)
    found = None
    for match in _VALUE.finditer(text):
        if match.end() <= column - 1:
            end = begin + len(text.rstrip())
            if "{" in text[: match.start()] and (rest := _REST_IN_BRACES.match(text, match.end())) is not None:
                end = begin + rest.end()
            found = match.group(), begin + match.end(), end
    return found


def _misread_value(source: Source, at: int) -> tuple[int, int] | None:
    """Return start and end of the value around `at`, if its first character is the likely reason of an error."""
    found = _value_before(source, at)
    if found is None:
        return None
    key, start, end = found
    first = source.text[start]
    closed = first in "\"'" and at > start + 1
    is_condition = key.strip(" :") in _CONDITION_KEYS
    return (start, end) if first in _SIGNS or closed or (first in "[{" and is_condition) else None
