"""Patterns that are compiled at first use find what compiled ones find."""

from __future__ import annotations

import re

import pytest

from adjudge.patterns import late


def test_late_pattern_answers_as_the_compiled_one() -> None:
    text, flags = r"(?P<day>\d+)[a-z]", re.IGNORECASE
    ours, plain = late(text, flags), re.compile(text, flags)
    for _ in range(2):
        assert ours.findall("1a 2B 3") == plain.findall("1a 2B 3")
        assert ours.sub("-", "1a 2B 3") == plain.sub("-", "1a 2B 3")
        assert (ours.pattern, ours.groups, ours.flags) == (plain.pattern, plain.groups, plain.flags)


def test_late_pattern_is_not_compiled_before_it_is_used() -> None:
    broken = late("(")
    with pytest.raises(re.error):
        broken.search("")
