"""docs/problems.md has a section for each problem that the service can answer with, and for no other."""

from __future__ import annotations

import json
import re

import jsonschema
import pytest

from adjudge.documents import Problem, schema
from adjudge.documents.problems import KINDS, TYPES, problem
from docs.pages import ROOT

_, *_SECTIONS = re.split(r"(?m)^## ", (ROOT / "docs" / "problems.md").read_text("utf-8"))
SECTIONS = {section.partition("\n")[0]: section.partition("\n")[2] for section in _SECTIONS}


def test_page_has_a_section_for_every_code_in_their_order() -> None:
    assert list(SECTIONS) == sorted(KINDS)


@pytest.mark.parametrize("code", KINDS)
def test_section_says_what_it_means_what_to_do_and_shows_one(code: str) -> None:
    kind, section = KINDS[code], SECTIONS[code]
    head, means, *_ = [part for part in section.split("\n\n") if part.strip()]
    assert head.strip() == f"Status {kind.status} · `{kind.error.__name__}`"
    assert len(means) > 30 and "**What to do.** " in section
    shown = json.loads(section.partition("```json\n")[2].partition("```")[0])
    jsonschema.Draft202012Validator(schema(Problem)).validate(shown)
    made = problem(code, "")
    assert (shown["code"], shown["type"], shown["title"]) == (code, TYPES + code, made.title)
    assert shown["status"] == made.status
