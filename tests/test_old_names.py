"""Old names work, and say what to write instead."""

from __future__ import annotations

import subprocess
import sys
from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules

import pytest

from adjudge import moved
from adjudge.audit.trail import AuditTrail
from adjudge.engine import Engine
from adjudge.errors import AdjudgeError
from adjudge.model import Signal, SignalStatus
from adjudge.registry import Registry, parse_policy
from adjudge.testing import decide_once

POLICY = "policy_language: 1\npolicy: p\ninputs: {n: int}\nrules:\n  - {id: r, when: n > 50, then: reject}\n"


@pytest.mark.parametrize(
    ("module", "old", "place", "new"),
    [
        ("adjudge.fields", "parse_fields", "adjudge.plugin", "parse_fields"),
        ("adjudge.fields", "Reading", "adjudge.values.reading", "Reading"),
        ("adjudge.expr.types", "STRING", "adjudge.plugin", "STRING"),
        ("adjudge.expr.types", "accepts", "adjudge.values.types", "accepts"),
        ("adjudge.expr.values", "parse_duration", "adjudge.plugin", "parse_duration"),
        ("adjudge.expr.values", "INT_MAX", "adjudge.values.literals", "INT_MAX"),
        ("adjudge.journal", "Journal", "adjudge.audit.trail", "AuditTrail"),
        ("adjudge.replay", "replay", "adjudge.replay.decisions", "replay"),
        ("adjudge.replay", "Answer", "adjudge.replay.decisions", "ReplayResult"),
        ("adjudge.plugin", "Asker", "adjudge.plugin", "ProviderClient"),
        ("adjudge.providers", "Provider", "adjudge.plugin", "Provider"),
        ("adjudge.allowed", "Allowed", "adjudge.signals.allowed", "Allowed"),
        ("adjudge.expr.sql.dialect", "SPARK", "adjudge.expr.sql.dialects.spark", "SPARK"),
        ("adjudge.expr.sql.dialect", "DUCKDB", "adjudge.expr.sql.dialects.duckdb", "DUCKDB"),
        ("adjudge.authoring.comparison.traffic", "compare_traffic", "adjudge.replay.traffic", "compare_traffic"),
        ("adjudge", "StoreUnavailable", "adjudge.errors", "AuditUnavailable"),
        ("adjudge.config", "open_engine", "adjudge.config.file", "open_engine"),
    ],
)
def test_old_name_gives_the_thing_itself_and_says_where_it_is(module: str, old: str, place: str, new: str) -> None:
    with pytest.warns(DeprecationWarning, match=rf"^`{module}\.{old}` is now `{place}\.{new}`$") as caught:
        found = getattr(import_module(module), old)
    assert found is getattr(import_module(place), new)
    assert [Path(warning.filename).name for warning in caught] == ["test_old_names.py"], "it names the line to change"


def test_every_place_of_an_old_name_is_there() -> None:
    for places in moved.MOVED.values():
        for place in places:
            import_module(place)
    for old, new in moved.RENAMED.items():
        places = moved.MOVED[old.rpartition(".")[0]]
        assert any(hasattr(import_module(place), new) for place in places)


@pytest.mark.parametrize("room", ["adjudge.config", "adjudge.replay"])
def test_old_names_of_a_room_hide_none_of_its_modules(room: str) -> None:
    modules = {module.name for module in iter_modules(import_module(room).__path__)}
    assert not {name for place in moved.MOVED[room] for name in vars(import_module(place))} & modules


@pytest.mark.parametrize("module", sorted(moved.MOVED))
@pytest.mark.parametrize("name", ["no_such_name", "_private", "__wrapped__", "__path_of_nothing__"])
def test_name_that_never_was_is_an_error(module: str, name: str) -> None:
    with pytest.raises(AttributeError, match=rf"module `{module}` has no attribute `{name}`"):
        getattr(import_module(module), name)


@pytest.mark.parametrize("name", sorted(moved.GONE))
def test_name_that_is_gone_says_what_to_write(name: str) -> None:
    module, _, old = name.rpartition(".")
    with pytest.raises(ImportError, match=rf"^`{name}` is gone: write a `LogReader`"):
        exec(f"from {module} import {old}")


def test_engine_without_observers_says_what_there_is_now() -> None:
    registry = Registry()
    with pytest.raises(AdjudgeError, match="`observers` are gone: give `readers`"):
        Engine([parse_policy(POLICY, registry=registry)], registry=registry, observers=[])


def test_module_that_never_was_is_an_error() -> None:
    with pytest.raises(ModuleNotFoundError):
        import_module("adjudge.journals")


SCRIPT = """
import warnings
with warnings.catch_warnings(record=True) as caught:
    warnings.simplefilter("always")
    import adjudge.fields, adjudge.expr.types
    from adjudge.journal import Journal
    from adjudge.replay import replay
    from adjudge.config import open_engine
    assert adjudge.fields.Field and adjudge.expr.types.STRING
print(*sorted({str(warning.message) for warning in caught}), sep="\\n")
print({warning.filename for warning in caught})
"""


def test_old_imports_work_in_a_program_that_begins_with_them() -> None:
    said = subprocess.run([sys.executable, "-c", SCRIPT], capture_output=True, text=True, timeout=300, check=True)
    assert said.stdout.splitlines() == [
        "`adjudge.config.open_engine` is now `adjudge.config.file.open_engine`",
        "`adjudge.expr.types.STRING` is now `adjudge.plugin.STRING`",
        "`adjudge.fields.Field` is now `adjudge.plugin.Field`",
        "`adjudge.journal.Journal` is now `adjudge.audit.trail.AuditTrail`",
        "`adjudge.replay.replay` is now `adjudge.replay.decisions.replay`",
        "{'<string>'}",
    ]


def test_engine_takes_a_trail_by_its_old_name(tmp_path: Path) -> None:
    registry = Registry()
    trail = AuditTrail.open(tmp_path)
    with pytest.warns(DeprecationWarning, match=r"^`Engine\(journal=…\)` is now `Engine\(trail=…\)`$") as caught:
        engine = Engine([parse_policy(POLICY, registry=registry)], registry=registry, journal=trail)
    assert Path(caught[0].filename).name == "test_old_names.py"
    with engine:
        assert engine._ledger.key == trail.key


def test_engine_with_a_trail_by_both_names_is_refused(tmp_path: Path) -> None:
    registry = Registry()
    policy = parse_policy(POLICY, registry=registry)
    trail = AuditTrail.open(tmp_path)
    with (
        pytest.warns(DeprecationWarning, match="journal"),
        pytest.raises(AdjudgeError, match="`journal` is the old name of `trail`"),
    ):
        Engine([policy], registry=registry, trail=trail, journal=trail)
    trail.close()


def test_decision_tells_by_the_old_name_whether_to_ask_again() -> None:
    decision = decide_once(POLICY, inputs={"n": 1})
    signal = Signal(name="s", status=SignalStatus.UNAVAILABLE, provider="acme.s")
    with pytest.warns(DeprecationWarning, match=r"^`Decision\.is_spoilt` is now `Decision\.should_retry`$"):
        assert decision.is_spoilt(signal) is decision.should_retry(signal) is True
