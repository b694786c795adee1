"""Finds plugins and keeps what they offer: one registry for each engine, none global."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from os import PathLike
from pathlib import Path
from types import NoneType
from typing import TYPE_CHECKING, cast

import pluggy

from adjudge import policy
from adjudge.errors import PluginError
from adjudge.events import Events
from adjudge.frozen import frozen
from adjudge.plugin import Function, Hooks, Provider, Register, SecretSource
from adjudge.plugin.offers import unfit
from adjudge.policy import Policy
from adjudge.policy.catalogue import Catalogue
from adjudge.system.faults import is_operators, said_of
from adjudge.system.given import check_kind, check_path
from adjudge.texts import with_article

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

GROUP = "adjudge"

_KINDS: Mapping[str, type] = {"provider": Provider, "function": Function}
_OBJECTS = ("policy source", "secret source", "command")

_events = Events("adjudge.plugins")


@frozen(kw_only=True)
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
    """What plugins offer, by kind and name, and how each plugin fared.

    owners: whose a name is that several plugins offer, by the name; without an owner it is nobody's.
    """

    plugins: list[Plugin] = field(default_factory=list)
    owners: Mapping[str, str] = field(default_factory=dict)
    _offers: dict[tuple[str, str], dict[str, object]] = field(default_factory=dict)
    _manager: pluggy.PluginManager = field(default_factory=lambda: pluggy.PluginManager(GROUP))

    def __post_init__(self) -> None:
        self._manager.add_hookspecs(Hooks)

    @classmethod
    def discover(
        cls,
        *,
        only: Sequence[str] | None = None,
        strict: bool = False,
        owners: Mapping[str, str] | None = None,
        found: Sequence[EntryPoint] | None = None,
    ) -> Registry:
        """Load every installed plugin, one at a time; one that fails is noted and skipped.

        only: names of entry points to load, all others left alone. strict: raise PluginError for the first that fails.
        owners: whose a name is that several plugins offer. found: entry points to use in place of the installed ones.
        """
        from importlib.metadata import entry_points  # brings much along

        registry = cls(owners=owners or {})
        points: dict[str, list[EntryPoint]] = {}
        for point in sorted(entry_points(group=GROUP) if found is None else found, key=lambda point: point.name):
            points.setdefault(point.name, []).append(point)
        for name, those in points.items():
            if only is not None and name not in only:
                continue
            if len(those) > 1:
                said = f"several packages have a plugin of this name: {', '.join(map(_distribution, those))}"
                registry._failed(name, "", said, None, strict)
                continue
            registry.load(those[0], strict=strict)
        for name in only or ():
            if name not in points:
                registry._failed(name, "", "is not installed", None, strict)
        for kind, name in registry.contested():
            _events.warning("name_contested", kind=kind, name=name, plugins=sorted(registry._offers[kind, name]))
        return registry

    def load(self, point: EntryPoint, *, strict: bool = False) -> None:
        """Import one plugin and let it register."""
        distribution = _distribution(point)
        try:
            module = point.load()
        except BaseException as error:  # whatever a module does at import, the others still load
            if is_operators(error):
                raise
            self._failed(point.name, distribution, f"cannot be imported: {said_of(error)}", error, strict)
            return
        self.register(module, name=point.name, distribution=distribution, strict=strict)

    def register(self, module: object, *, name: str, distribution: str = "", strict: bool = True) -> None:
        """Let a module, or any object with hooks, register. Raises PluginError where it fails and `strict` is set."""
        taken: dict[tuple[str, str], object] = {}

        def add(kind: str, offered: str, thing: object) -> None:
            key = (kind, offered)
            expected = _KINDS.get(kind)
            if not (isinstance(thing, expected) if expected else kind in _OBJECTS or callable(thing)):
                raise PluginError(f"what it offers as the {kind} `{offered}` is not one", plugin=name)
            if isinstance(thing, Provider | Function) and (wrong := unfit(thing)) is not None:
                raise PluginError(f"the {kind} `{offered}`: {wrong}", plugin=name)
            if not isinstance(offered, str) or not offered:
                raise PluginError(f"the name of {with_article(kind)} must be a string", plugin=name)
            if key in taken:
                raise PluginError(f"the {kind} `{offered}` is already registered", plugin=name)
            if strict and key in self._offers and self.owners.get(offered) not in {name, *self._offers[key]}:
                raise PluginError(f"the {kind} {_claimed(offered, {name, *self._offers[key]})}", plugin=name)
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
                    raise PluginError("its hook must register at once and return nothing", plugin=name)
        except BaseException as error:  # one plugin's fault is not the others'
            if is_operators(error):
                raise
            if self._manager.get_plugin(name) is module:
                self._manager.unregister(name=name)
            said = str(error) if isinstance(error, PluginError) else said_of(error)
            self._failed(name, distribution, said.removeprefix(f"plugin `{name}`: "), error, strict)
            return
        for key, thing in taken.items():
            self._offers.setdefault(key, {})[name] = thing
        self.plugins.append(Plugin(name=name, distribution=distribution, offers=tuple(taken)))

    def _failed(self, name: str, distribution: str, reason: str, error: BaseException | None, strict: bool) -> None:
        if strict:
            raise PluginError(reason, plugin=name, distribution=distribution) from error
        self.plugins.append(Plugin(name=name, distribution=distribution, error=reason))
        _events.warning("plugin_skipped", plugin=name, distribution=distribution, reason=reason)

    def offered(self, kind: str) -> Mapping[str, object]:
        """Return what is offered of a kind (`ledger`, `reader`, `policy source`, `command` …), by name."""
        return {
            name: those[owner]
            for (of, name), those in self._offers.items()
            if of == kind and (owner := self._owner(name, those)) is not None
        }

    def refusal(self, kind: str, name: str, plugin: str) -> str | None:
        """Return why what a plugin offers under a name does not count; None where it does."""
        those = self._offers[kind, name]
        owner = self._owner(name, those)
        if owner is None:
            return _claimed(name, those)
        return None if owner == plugin else f"`{name}` is {owner}'s, by the configuration"

    def require_owners(self) -> None:
        """Raise PluginError where an owner does not offer what is its own: a typo is not to be silent."""
        for name, owner in self.owners.items():
            if not any(owner in those for (_, offered), those in self._offers.items() if offered == name):
                raise PluginError(
                    f"does not offer `{name}`, which is its by `owners` of the configuration", plugin=owner
                )

    def contested(self) -> list[tuple[str, str]]:
        """Return what several plugins offer and nobody owns, as (kind, name)."""
        return [key for key, those in self._offers.items() if self._owner(key[1], those) is None]

    def _owner(self, name: str, those: Mapping[str, object]) -> str | None:
        """Return whose a name is: the only plugin that offers it, or the one that the configuration says."""
        if len(those) == 1:
            return next(iter(those))
        owner = self.owners.get(name)
        return owner if owner in those else None

    def opener(self, kind: str, name: str) -> Callable[[Mapping[str, object]], object]:
        """Return what opens a ledger or a reader. Raises PluginError where there is none of that name."""
        known = self.offered(kind)
        thing = known.get(name)
        if not callable(thing):
            if (kind, name) in self._offers:
                raise PluginError(f"the {kind} {_claimed(name, self._offers[kind, name])}", plugin=name)
            offered = ", ".join(known) or "none is installed"
            raise PluginError(f"no installed plugin offers the {kind} `{name}`; offered: {offered}", plugin=name)
        return thing

    def secrets(self) -> Mapping[str, SecretSource]:
        """Return what is offered to read keys from, by name."""
        return cast(Mapping[str, SecretSource], self.offered("secret source"))

    def catalogue(self) -> Catalogue:
        """Return what policies can name."""
        providers = {name: thing for name, thing in self.offered("provider").items() if isinstance(thing, Provider)}
        functions = {name: thing for name, thing in self.offered("function").items() if isinstance(thing, Function)}
        contested = {name: _claimed(name, self._offers[kind, name]) for kind, name in self.contested()}
        return Catalogue(providers=providers, functions=functions, contested=contested)


def _claimed(name: str, those: Iterable[str]) -> str:
    """Return the words for a name that several plugins offer."""
    return f"`{name}` is offered by {' and '.join(sorted(those))}: say whose it is under `owners` of the configuration"


def _distribution(point: EntryPoint) -> str:
    """Return the package of an entry point with its version; empty where nobody knows."""
    return f"{point.dist.name} {point.dist.version}" if point.dist is not None else ""


def load_policy(path: str | Path, *, registry: Registry | None = None) -> Policy:
    """Load a policy from its file.

    registry: the plugins whose providers and functions it may name; all that are installed unless given.
    Raises PolicyErrors with everything that is wrong with it, and SetupError for what is no path or registry.
    """
    check_kind("path", path, (str, PathLike), "the path of a policy's file; for its text there is `parse_policy`")
    return policy.load_policy(path, catalogue=_registry(registry).catalogue())


def parse_policy(
    text: str, name: str = "policy.yaml", *, folder: str | Path | None = None, registry: Registry | None = None
) -> Policy:
    """Load a policy from its text.

    name: what to call it in errors. folder: where the files of its lists lie; without it there are none.
    Otherwise as `load_policy`.
    """
    check_kind("text", text, str, "a policy's text; for its file there is `load_policy`")
    check_kind("name", name, str, "a string")
    if folder is not None:
        check_path("folder", folder)
    return policy.parse_policy(text, name, folder=folder, catalogue=_registry(registry).catalogue())


def _registry(given: Registry | None) -> Registry:
    check_kind("registry", given, (Registry, NoneType), "a Registry, such as `Registry.discover()`")
    return Registry.discover() if given is None else given
