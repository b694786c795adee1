"""The glossary: each term once, in order, explained where it links to; and the pages keep to its words."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from docs.pages import PAGES, ROOT

GLOSSARY = ROOT / "docs" / "glossary.md"
ENTRIES = dict(re.findall(r"(?m)^### (.+)\n\n((?:.+\n)+)", GLOSSARY.read_text("utf-8")))
OTHERS = [page for page in PAGES if page != GLOSSARY]


def prose(page: Path) -> str:
    """Return a page's text in one line, without blocks, code and the targets of links."""
    text = re.sub(r"```.*?```", "", page.read_text("utf-8"), flags=re.DOTALL)
    return " ".join(re.sub(r"``.+?``|`[^`\n]*`|\]\([^)]*\)", " ", text).split())


def test_glossary_has_each_term_once_and_in_order() -> None:
    headings = re.findall(r"(?m)^#+ (.+)$", GLOSSARY.read_text("utf-8"))[1:]

    assert headings == list(ENTRIES), "every heading is a term, with its meaning below"
    assert headings == sorted(set(headings), key=str.casefold)


@pytest.mark.parametrize("term", ENTRIES)
def test_term_is_used_where_its_entry_leads(term: str) -> None:
    entry = ENTRIES[term]
    linked = [GLOSSARY.parent / file for file in re.findall(r"\]\(([\w-]+\.md)[^)]*\)", entry)]
    stem = term.removesuffix("s").removesuffix(" logic").removesuffix(" value")

    assert linked or entry.startswith(("*Field.*", "*Code.*")) or "See" in entry, "an entry leads somewhere"
    assert entry.startswith(("*Field.*", "*Code.*")) or any(
        stem.casefold() in " ".join(page.read_text("utf-8").split()).casefold() for page in linked
    )


@pytest.mark.parametrize("page", OTHERS, ids=lambda page: page.stem)
def test_page_prints_in_bold_only_what_the_glossary_explains(page: Path) -> None:
    text = re.sub(r"```.*?```", "", page.read_text("utf-8"), flags=re.DOTALL)
    bold = [words for words in re.findall(r"\*\*([^*`]+)\*\*", text) if words[0].islower() and len(words.split()) < 3]
    terms = {term.casefold() for term in ENTRIES}

    assert [words for words in bold if words.casefold() not in terms | PEOPLE] == []


PEOPLE = {"engineer", "risk analyst", "auditor"}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_page_keeps_to_the_words_of_the_glossary(page: Path) -> None:
    refused = [
        word
        for entry in ENTRIES.values()
        for words in re.findall(r"Not: ([^.]+)\.", entry)
        for word in words.split(", ")
    ]
    text = re.sub(r"Not: [^.]+\.", "", prose(page))

    assert len(refused) > 5
    assert [word for word in refused if re.search(rf"\b{word}s?\b", text, re.IGNORECASE)] == []
