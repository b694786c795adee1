"""A condition that does not load, as it would be written here: tried, and kept only where it has its types."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from adjudge.errors import PolicyError
from adjudge.expr.check import Environment, check
from adjudge.expr.foreign.grammar import parse_foreign
from adjudge.expr.foreign.meaning.bare_field import asked_of
from adjudge.expr.foreign.meaning.tree import with_meaning
from adjudge.expr.foreign.plain_text import balanced, plain_text, with_names
from adjudge.expr.foreign.slips import NOTHING, Amount, Clock, Doubtful, Moment, Slip
from adjudge.expr.foreign.wording import in_signs
from adjudge.expr.nodes import Literal, walk
from adjudge.expr.parse import parse
from adjudge.expr.printing import unparse
from adjudge.frozen import frozen
from adjudge.source import Edit, Source, Span, Text
from adjudge.values.fields import Field
from adjudge.values.types import BOOL, Type

_NOTHING = Literal(value=NOTHING)
TRIED_MAX = 2_000
"""Characters of a condition that is tried; a longer one keeps the message that it has."""


@frozen
class Mended:
    """A condition as it is written here. slips: what was otherwise, in order. errors: what is wrong besides.

    text: empty where it can be written in two ways, and only its author knows which; the slip names them.
    """

    text: str
    slips: tuple[Slip, ...]
    errors: tuple[PolicyError, ...]


def mend(
    text: Text,
    environment: Environment,
    *,
    fields: Mapping[str, Field] | None = None,
    expect: Type | None = None,
    found: Sequence[PolicyError] = (),
) -> Mended | None:
    """Return a condition that was blamed as it would be written here; None where nothing better can be said of it.

    found: what was blamed. Whatever is wrong besides must be names that nobody declared, or have been found before.
    Cost: some milliseconds; never asked for a condition that loads.
    """
    if len(text.value) > TRIED_MAX:
        return None
    plain, slips = plain_text(text)
    plain = in_signs(plain, environment.names, slips)
    plain = with_names(balanced(plain, slips), set(environment.names), slips)
    try:
        return _unquoted(plain, slips, environment, expect) or _read(
            plain, slips, environment, fields or {}, expect, found
        )
    except Doubtful as error:
        return Mended("", (error.slip,), ())
    except (PolicyError, RecursionError):
        return None


def told(
    text: Text,
    environment: Environment,
    found: Sequence[PolicyError],
    *,
    fields: Mapping[str, Field] | None = None,
    expect: Type | None = None,
    place: Span | None = None,
    written: Callable[[str], str] = str,
) -> list[PolicyError]:
    """Return what to say of a condition that was blamed: one mistake, with what to type, if another language has it.

    place: what the corrected text replaces; the whole text by default. written: returns a condition as it stands there.
    """
    meant = mend(text, environment, fields=fields, expect=expect, found=found)
    if meant is None or any(error.span == meant.slips[0].span for error in meant.errors):
        return list(found)  # what was meant would be wrong as well
    slip = meant.slips[0]
    more = "; ".join(dict.fromkeys(one.more for one in meant.slips if one.more))
    hint: str = more
    fix: tuple[Edit, ...] = ()
    if meant.text:
        value = written(meant.text)
        hint = f"write `{value}`" + (f"; {more}" if more else "")
        fix = (Edit(span=place or text.span(0, len(text.value)), text=value),)
    said = PolicyError(
        found[0].code,
        slip.message,
        source=text.source,
        span=slip.span,
        hint=hint,
        note=found[0].note if found[0].span == slip.span else "",
        fix=fix,
        is_sure=all(one.is_sure for one in meant.slips),
    )
    return [said, *meant.errors]


def _unquoted(text: Text, slips: list[Slip], environment: Environment, expect: Type | None) -> Mended | None:
    """Return what stands inside of quotes around the whole condition, where that is one."""
    value = text.value.strip()
    for mark in ('"', "'", "`"):
        if len(value) < 3 or value[0] != mark or value[-1] != mark:
            continue
        begin = text.value.index(mark) + 1
        end = text.value.rindex(mark)
        inner = Text(text.value[begin:end], text.source, [*text.positions[begin:end], text.positions[end]])
        try:
            tree = parse(inner)
        except PolicyError:
            continue
        typed, errors = check(tree, environment, source=text.source, expect=expect)
        if typed is None and any(not error.code.startswith("name-") for error in errors):
            continue
        slip = Slip(
            text.span(begin - 1, begin), "the whole condition stands in quotes, which makes it a text", is_sure=True
        )
        return Mended(inner.value.strip(), (slip, *slips), tuple(errors))
    return None


def _read(
    text: Text,
    slips: list[Slip],
    environment: Environment,
    fields: Mapping[str, Field],
    expect: Type | None,
    found: Sequence[PolicyError],
) -> Mended | None:
    names = environment.names
    firsts = {name.partition(".")[0] for name in names}
    tree = parse_foreign(text, slips, lambda word: word in firsts)
    tree = with_meaning(tree, environment, fields, text.source, slips)
    if any(isinstance(part, Amount | Moment | Clock) for part in walk(tree)):
        return None
    if expect is BOOL and (slip := asked_of(tree, environment, text.source)) is not None:
        raise Doubtful(slip)
    if not slips or any(part == _NOTHING for part in walk(tree)):
        return None
    said = unparse(tree)
    again = parse(Source("", said).whole())
    typed, errors = check(tree, environment, source=text.source, expect=expect)
    before = {(error.code, error.span) for error in found}
    if typed is None and any(
        not error.code.startswith("name-") and (error.code, error.span) not in before for error in errors
    ):
        return None
    if again != tree and unparse(again) != said:
        return None
    return Mended(said, tuple(sorted(slips, key=lambda one: one.span.start)), tuple(errors))
