"""What was called otherwise before: an old name works for two minors, and says what to write instead.

One table says where the names of a module went. A module that is gone is found by a finder behind all others; one that
is a room now hands its old names on by `__getattr__`.
"""

from __future__ import annotations

import sys
import warnings
from collections.abc import Callable, Mapping, Sequence
from importlib import import_module
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any, cast

MOVED: Mapping[str, tuple[str, ...]] = {
    "adjudge": ("adjudge.errors",),
    "adjudge.allowed": ("adjudge.signals.allowed",),
    "adjudge.authoring.comparison.traffic": ("adjudge.replay.traffic",),
    "adjudge.config": ("adjudge.config.file",),
    "adjudge.expr.sql.dialect": tuple(f"adjudge.expr.sql.dialects.{each}" for each in ("dialect", "duckdb", "spark")),
    "adjudge.expr.types": ("adjudge.plugin", "adjudge.values.types"),
    "adjudge.expr.values": ("adjudge.plugin", "adjudge.values.literals"),
    "adjudge.fields": ("adjudge.plugin", *(f"adjudge.values.{each}" for each in ("fields", "declared", "reading"))),
    "adjudge.journal": ("adjudge.audit.trail",),
    "adjudge.plugin": ("adjudge.plugin",),
    "adjudge.providers": ("adjudge.plugin", "adjudge.plugin.providers"),
    "adjudge.replay": ("adjudge.replay.decisions",),
}
"""Where a module's names are now: the first of the places that has one."""
RENAMED: Mapping[str, str] = {
    "adjudge.StoreUnavailable": "AuditUnavailable",
    "adjudge.journal.Journal": "AuditTrail",
    "adjudge.plugin.Asker": "ProviderClient",
    "adjudge.replay.Answer": "ReplayResult",
}

GONE: Mapping[str, str] = {
    "adjudge.plugin.AuditSink": "write a `LogReader`, which is sent what it lacks of the log",
    "adjudge.plugin.DecisionObserver": "write a `LogReader`, which is sent what it lacks of the log",
}
"""What has no successor of the same shape, and what to write instead."""


def warn(old: str, new: str, *, stacklevel: int) -> None:
    """Say what to write in place of an old name. stacklevel: 1 for the caller's own line, 2 for its caller's."""
    warnings.warn(f"`{old}` is now `{new}`", DeprecationWarning, stacklevel=stacklevel + 1)


def names_of(module: str) -> Callable[[str], object]:
    """Return a module's `__getattr__`, which finds its old names where they are now."""

    return lambda name: find(module, name, stacklevel=2)


def find(module: str, name: str, *, stacklevel: int) -> object:
    """Find an old name of a module where it is now, and say so. stacklevel: as for `warn`.

    Raises AttributeError; ImportError for what is gone, whose words `from … import` would swallow otherwise.
    """
    old = f"{module}.{name}"
    if old in GONE:
        raise ImportError(f"`{old}` is gone: {GONE[old]}")
    new = RENAMED.get(old, name)
    for place in () if name.startswith("_") else MOVED[module]:
        there = import_module(place)
        if new in getattr(there, "__all__", vars(there)):
            warn(old, f"{place}.{new}", stacklevel=stacklevel + 1)
            return getattr(there, new)
    raise AttributeError(f"module `{module}` has no attribute `{name}`")


class _Loader:
    """Makes a module that is gone."""

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        module = ModuleType(spec.name, f"Gone: {', '.join(MOVED[spec.name])} has its names.")
        vars(module)["__getattr__"] = names_of(spec.name)
        return module

    def exec_module(self, module: ModuleType) -> None:
        pass


class Finder:
    """Finds modules that are gone, where nothing else finds them."""

    @staticmethod
    def find_spec(name: str, path: Sequence[str] | None, target: ModuleType | None = None) -> ModuleSpec | None:
        """Return what the import system needs of a module that is gone."""
        return ModuleSpec(name, cast("Any", _Loader())) if name in MOVED else None


def install() -> None:
    """Let modules that are gone be imported."""
    if Finder not in sys.meta_path:
        sys.meta_path.append(Finder)
