"""A bar says about how long the rest will take, to people only."""

from __future__ import annotations

import io
import sys

import pytest

from adjudge.cli import progress


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (0.2, "about 5 s left"),
        (38, "about 40 s left"),
        (57, "about 1 min left"),
        (110, "about 2 min left"),
        (3590, "about 1 h left"),
        (4000, "about 1 h 5 min left"),
        (90_000, "about 25 h left"),
    ],
)
def test_time_left_is_said_as_people_say_it(seconds: float, said: str) -> None:
    assert progress.about_left(seconds) == said


def test_bar_tells_the_time_left_from_what_was_done(monkeypatch: pytest.MonkeyPatch) -> None:
    seconds = iter([0.0, 1.0, 60.0, 180.0])
    monkeypatch.setattr(progress, "monotonic", lambda: next(seconds))
    monkeypatch.setattr(sys, "stderr", terminal := Terminal())
    with progress.progress_bar("asking", 400) as tell:
        tell(2)
        tell(100)
        tell(400)
    lines = terminal.getvalue().split("\r")
    assert any("25%" in line and "about 3 min left" in line for line in lines)
    assert not any("left" in line for line in lines if "  0%" in line)


def test_nobody_who_is_not_looking_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    with progress.progress_bar("asking", 4) as tell:
        tell(2)
    assert capsys.readouterr() == ("", "")
