"""Finds plugins and keeps what they offer: one registry for each engine, none global."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from typing import cast

import pluggy

from adjudge import policy
from adjudge.errors import PluginError
from adjudge.events import Events
from adjudge.plugin import Function, Hooks, Provider, Register, SecretSource
from adjudge.policy import Policy
from adjudge.policy.catalogue import Catalogue

GROUP = "adjudge"

_KINDS: Mapping[str, type] = {"provider": Provider, "function": Function}
_OBJECTS = ("policy source", "secret source", "command")

_events = Events("adjudge.plugins")


@dataclass(frozen=True, slots=True, kw_only=True)
class Plugin:
    """One plugin that was found.

    distribution: package and version, empty where it was registered by hand.
    offers: what it registered, as (kind, name).
    error: why it was skipped, or None.
    """

    name: str
    distribution: str = ""
    offers: tuple[tuple[str, str], ...] = ()
    error: str | None = None


@dataclass(slots=True)
class Registry:
    """What plugins offer, by kind and name, and how each plugin fared."""

    plugins: list[Plugin] = field(default_factory=list)
    _offers: dict[tuple[str, str], object] = field(default_factory=dict)
    _manager: pluggy.PluginManager = field(default_factory=lambda: pluggy.PluginManager(GROUP))

    def __post_init__(self) -> None:
        self._manager.add_hookspecs(Hooks)

    @classmethod
    def discover(
        cls, *, only: Sequence[str] | None = None, strict: bool = False, found: Sequence[EntryPoint] | None = None
    ) -> Registry:
        """Load every installed plugin, one at a time; one that fails is noted and skipped.

        only: names of entry points to load, all others left alone. strict: raise PluginError for the first that fails.
        found: entry points to use in place of the installed ones.
        """
        registry = cls()
        points = sorted(entry_points(group=GROUP) if found is None else found, key=lambda point: point.name)
        for point in points:
            if only is None or point.name in only:
                registry.load(point, strict=strict)
        for name in only or ():
            if name not in {point.name for point in points}:
                registry._failed(name, "", "is not installed", None, strict)
        return registry

    def load(self, point: EntryPoint, *, strict: bool = False) -> None:
        """Import one plugin and let it register."""
        distribution = f"{point.dist.name} {point.dist.version}" if point.dist is not None else ""
        try:
            module = point.load()
        except (Exception, SystemExit) as error:  # whatever a module does at import, the others still load
            self._failed(point.name, distribution, f"does not import: {type(error).__name__}: {error}", error, strict)
            return
        self.register(module, name=point.name, distribution=distribution, strict=strict)

    def register(self, module: object, *, name: str, distribution: str = "", strict: bool = True) -> None:
        """Let a module, or any object with hooks, register. Raises PluginError where it fails and `strict` is set."""
        taken: dict[tuple[str, str], object] = {}

        def add(kind: str, offered: str, thing: object) -> None:
            key = (kind, offered)
            if key in self._offers or key in taken:
                raise PluginError(f"the {kind} `{offered}` is already registered", plugin=name)
            expected = _KINDS.get(kind)
            if not (isinstance(thing, expected) if expected else kind in _OBJECTS or callable(thing)):
                raise PluginError(f"what it offers as the {kind} `{offered}` is none", plugin=name)
            if isinstance(thing, Function):
                Catalogue(functions={offered: thing}).overloads()  # its types are read now: it must spoil no policy
            taken[key] = thing

        try:
            self._manager.register(module, name=name)
            mine = [one for one in self._manager.hook.register.get_hookimpls() if one.plugin is module]
            if not mine:
                raise PluginError("has no hook: decorate its `register` with `@hookimpl`", plugin=name)
            for implementation in mine:
                answer = implementation.function(Register(name, add))
                if answer is not None:
                    if inspect.iscoroutine(answer):
                        answer.close()
                    raise PluginError("its hook is to register at once, and to return nothing", plugin=name)
        except (Exception, SystemExit) as error:  # one plugin's fault is not the others'
            if self._manager.get_plugin(name) is module:
                self._manager.unregister(name=name)
            said = str(error).removeprefix(f"plugin `{name}`: ")
            self._failed(name, distribution, said or type(error).__name__, error, strict)
            return
        self._offers |= taken
        self.plugins.append(Plugin(name=name, distribution=distribution, offers=tuple(taken)))

    def _failed(self, name: str, distribution: str, reason: str, error: BaseException | None, strict: bool) -> None:
        if strict:
            raise PluginError(reason, plugin=name, distribution=distribution) from error
        self.plugins.append(Plugin(name=name, distribution=distribution, error=reason))
        _events.warning("plugin_skipped", plugin=name, distribution=distribution, reason=reason)

    def offered(self, kind: str) -> Mapping[str, object]:
        """Return what is offered of a kind (`store`, `sink`, `observer`, `policy source`, `command` …), by name."""
        return {name: thing for (of, name), thing in self._offers.items() if of == kind}

    def opener(self, kind: str, name: str) -> Callable[[Mapping[str, object]], object]:
        """Return what opens a store, sink or observer. Raises PluginError where there is none of that name."""
        thing = self._offers.get((kind, name))
        if not callable(thing):
            offered = ", ".join(self.offered(kind)) or "none is installed"
            raise PluginError(f"no installed plugin offers the {kind} `{name}`; offered: {offered}", plugin=name)
        return thing

    def secrets(self) -> Mapping[str, SecretSource]:
        """Return what is offered to read keys from, by name."""
        return cast(Mapping[str, SecretSource], self.offered("secret source"))

    def catalogue(self) -> Catalogue:
        """Return what policies can name."""
        providers = {name: thing for name, thing in self.offered("provider").items() if isinstance(thing, Provider)}
        functions = {name: thing for name, thing in self.offered("function").items() if isinstance(thing, Function)}
        return Catalogue(providers=providers, functions=functions)


def load_policy(path: str | Path, *, registry: Registry | None = None) -> Policy:
    """Load a policy from its file.

    registry: the plugins whose providers and functions it may name; all that are installed unless given.
    Raises PolicyErrors with everything that is wrong with it.
    """
    return policy.load_policy(path, catalogue=(registry or Registry.discover()).catalogue())


def parse_policy(
    text: str, name: str = "policy.yaml", *, folder: str | Path | None = None, registry: Registry | None = None
) -> Policy:
    """Load a policy from its text.

    name: what to call it in errors. folder: where the files of its lists lie; without it there are none.
    Otherwise as `load_policy`.
    """
    catalogue = (registry or Registry.discover()).catalogue()
    return policy.parse_policy(text, name, folder=folder, catalogue=catalogue)
