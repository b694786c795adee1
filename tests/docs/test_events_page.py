"""docs/observability.md lists every event that the code tells, with its levels, and no other."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

from docs.pages import ROOT

LEVELS = {"info": "info", "warning": "warning", "error": "error", "exception": "error"}
TOLD_OTHERWISE = {
    "audit_available": {"info"}, "audit_tail_cut": {"warning"}, "audit_unavailable": {"warning"},
    "breaker_opened": {"warning", "error"}, "library_warned": {"warning", "error"},
    "request_answered": {"info", "warning"},
}  # fmt: skip
"""Whose level is chosen where they are told."""


def calls(path: Path) -> Iterator[tuple[str, str | None, ast.Call]]:
    """Yield the calls that tell an event: how, and which, where it is written there."""
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Call) and node.args:
            how, what = node.func, node.args[0]
            said = what.value if isinstance(what, ast.Constant) and isinstance(what.value, str) else None
            if isinstance(how, ast.Attribute) and isinstance(how.value, ast.Name) and how.value.id == "_events":
                yield how.attr, said, node
            elif (isinstance(how, ast.Name) and how.id in ("tell", "_tell")) or isinstance(how, ast.IfExp):
                yield "", said, node


def told() -> dict[str, set[str]]:
    found: dict[str, set[str]] = {}
    for path in sorted(path for root in ("engine", "plugins") for path in (ROOT / root).rglob("*.py")):
        text = path.read_text("utf-8")
        if not re.search(r"^_events = Events\(", text, re.M):
            assert not re.search(r"\bEvents\(\"", text), f"{path}: events are told by `_events`, which this test finds"
            continue
        for how, event, node in calls(path):
            if event is not None:
                levels = TOLD_OTHERWISE[event] if how == "" else {LEVELS[how]}
                found.setdefault(event, set()).update(levels)
            else:
                assert isinstance(node.func, ast.IfExp) or how == "", f"{path}:{node.lineno}: the event has no name"
    return found


def test_every_event_is_listed_with_its_levels_and_no_other() -> None:
    page = (ROOT / "docs" / "observability.md").read_text("utf-8")
    rows = re.findall(r"^\| (`[a-z_`, ]+`) \| ([a-z, ]+) \|", page.partition("| event | level | means |")[2], re.M)
    listed = {event: set(levels.split(", ")) for events, levels in rows for event in re.findall(r"\w+", events)}

    assert listed == told()
    assert len(listed) > 40
