"""Where a macro has an answer although work is bounded, see `expr.work`: as far as a world can tell."""

from __future__ import annotations

from typing import TYPE_CHECKING

import z3

from adjudge.expr.nodes import Comprehension, Name, walk
from adjudge.expr.smt.logic import Prop, all_of, conj, disj, neg
from adjudge.expr.smt.terms import Entries, Items, Members, Term, Text
from adjudge.expr.work import CHARACTERS, ONE, WORK_MAX, Size, harmless, largest, size_of, work_of

if TYPE_CHECKING:
    from adjudge.expr.smt.translate import Translator

ORDINARY_MAX = 4_000
"""Characters of a text with which work is reckoned exactly; with a longer one it may be too much, or not."""
HUGE = 1_000_000 // CHARACTERS
"""A macro that only values past this weight could make too much has an answer. In units."""


def allowed(translator: Translator, node: Comprehension) -> Prop:
    """Return where a macro that stands in no other is within its bound of work."""
    names, small = harmless(node, translator.lists, WORK_MAX)
    if small is None or small > HUGE:
        return True
    if not names:
        return False
    read = {part.name: part for part in walk(node) if isinstance(part, Name)}
    terms = {name: translator.term(part, {}) for name, part in read.items()}
    sizes = {name: _size(term) for name, term in terms.items()}
    enough = z3.Bool(translator.world.fresh("enough"))
    if work_of(node, sizes.get) > WORK_MAX:
        return enough
    return disj(enough, all_of(_is_ordinary(terms[name]) for name in names))


def _size(term: Term) -> Size:
    """Return the most that a term weighs where it is ordinary."""
    match term:
        case Text(value=str(text)):
            return size_of(text)
        case Text(vocabulary=words):
            return largest(map(size_of, words or ())) or Size(1 + ORDINARY_MAX // CHARACTERS)
        case Members(of=of):
            return size_of((*of, None))
        case Items(items=items):
            parts = [_size(item) for _, item in items]
            return Size(1 + sum(part.weight for part in parts), len(parts), largest(parts))
        case Entries(of=of):
            parts = [*map(size_of, of), *(_size(value) for _, value in of.values())]
            return Size(1 + sum(part.weight for part in parts), len(of), largest(parts), is_map=True)
        case _:
            return ONE


def _is_ordinary(term: Term) -> Prop:
    match term:
        case Text(value=value, is_code=False) if not isinstance(value, str):
            return z3.Length(value) <= ORDINARY_MAX
        case Items(items=items, beyond=beyond):
            return conj(neg(beyond), all_of(disj(neg(there), _is_ordinary(item)) for there, item in items))
        case Entries(of=of, is_closed=is_closed):
            return conj(is_closed, all_of(disj(neg(there), _is_ordinary(value)) for there, value in of.values()))
        case _:
            return True
