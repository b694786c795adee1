"""Several findings that one edit explains, told as the one mistake that they are.

A slip in the structure of a document, such as a line too far to the right, makes many parts wrong at once. Which edit
was forgotten is not guessed from the findings: edits of the lines around are tried, and one after which they are gone,
and nothing new is wrong, takes their place.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence

import yaml

from adjudge.errors import PolicyError
from adjudge.policy.text.edits import Lines, edits_near
from adjudge.policy.text.repairs import Repair
from adjudge.source import Source, mended

WORK_MAX = 200_000
"""Characters of documents that are read to find one edit."""
_LINES_MAX = 16
"""Lines around which edits are tried."""


def explained(
    source: Source,
    errors: Sequence[PolicyError],
    read: Callable[[str], Sequence[PolicyError]],
    sections: Sequence[str],
) -> list[PolicyError]:
    """Return what is wrong with a document, the findings that one edit explains as that edit alone.

    read: returns what is wrong with a text. sections: the names of the sections that a document may have.
    Cost: reads at most WORK_MAX characters.
    """
    told = list(errors)
    if len(source.text) > WORK_MAX:
        return list(errors)
    before = _counted(told)
    best: tuple[int, Repair, Counter[tuple[str, str]]] | None = None
    budget = WORK_MAX
    stopped = stopping(source.text)
    for repair in _tried(source, told, stopped, sections):
        text = mended(source, list(repair.edits)).text
        if stopped and stopping(text):
            continue
        if (budget := budget - len(text)) < 0:
            break
        after = _counted(read(text))
        left = sum(after.values())
        if after - before or sum(before.values()) - left < 2 or any(code.startswith("yaml-") for code, _ in after):
            continue
        if best is None or left < best[0]:
            best = left, repair, after
        if not left:
            break
    if best is None:
        return list(errors)
    _, repair, after = best
    said = PolicyError(
        "yaml-structure", repair.message, source=source, span=repair.span, hint=repair.hint, fix=repair.edits
    )
    rest: list[PolicyError] = []
    for error in reversed(told):
        if after[error.code, error.message] > 0:
            after[error.code, error.message] -= 1
            rest.append(error)
    return [said, *rest]


def _counted(errors: Sequence[PolicyError]) -> Counter[tuple[str, str]]:
    return Counter((error.code, error.message) for error in errors)


def _tried(
    source: Source, errors: Sequence[PolicyError], stopped: Sequence[int], sections: Sequence[str]
) -> Iterator[Repair]:
    """Yield the edits of the lines around the first findings, each once. stopped: the lines where reading stopped."""
    lines = Lines(source)
    lacking = [name for name in sections if re.search(rf"(?m)^{name}\s*:", source.text) is None]
    numbers: list[int] = []
    own = [error.line for error in errors if error.source.text == source.text] or [1]
    ordered = sorted(own)
    for line in (*stopped[:1], own[0], *ordered[:2], *stopped[1:]):
        at = max(1, min(line, lines.last))
        before = lines.next_of(at, -1)
        numbers += [at, before, lines.next_of(at), lines.next_of(before, -1)]
    seen = set()
    for number in list(dict.fromkeys(numbers))[:_LINES_MAX]:
        for repair in edits_near(source, number, lacking):
            if repair.edits not in seen:
                seen.add(repair.edits)
                yield repair


def stopping(text: str) -> list[int]:
    """Return the lines that a reader of YAML names where it stops, counted from 1; none if it reads all."""
    try:
        for _ in yaml.parse(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader)):
            pass
    except yaml.MarkedYAMLError as error:
        marks = (error.problem_mark, error.context_mark)
        return [mark.line + 1 for mark in marks if mark is not None]
    except (yaml.YAMLError, ValueError, OverflowError):
        return [1]
    return []
