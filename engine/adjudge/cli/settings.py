"""What the environment and the options of `adjudge` itself say, for all commands."""

from __future__ import annotations

import logging
import os
import sys
from dataclasses import dataclass, field

from adjudge.cli.output import say
from adjudge.cli.telling import tell_events
from adjudge.events import configured
from adjudge.policy.catalogue import Catalogue
from adjudge.registry import Registry


def _is_set(variable: str) -> bool:
    return os.environ.get(variable, "").strip().lower() not in ("", "0", "false", "no")


def _plugins_wanted() -> tuple[str, ...] | None:
    said = os.environ.get("ADJUDGE_PLUGINS")
    return None if said is None else tuple(name.strip() for name in said.split(",") if name.strip())


@dataclass(slots=True)
class Settings:
    """How to load plugins and what to tell; one for each run of the command line."""

    verbose: bool = False
    strict_plugins: bool = field(default_factory=lambda: _is_set("ADJUDGE_STRICT_PLUGINS"))
    trace_plugins: bool = field(default_factory=lambda: _is_set("ADJUDGE_TRACE_PLUGINS"))
    plugins: tuple[str, ...] | None = field(default_factory=_plugins_wanted)
    _registry: Registry | None = None

    def registry(self) -> Registry:
        """Return the installed plugins, loaded once. Raises PluginError if that is strict."""
        if self._registry is None:
            tell_events(level=logging.DEBUG if self.verbose else logging.WARNING)
            self._registry = Registry.discover(only=self.plugins, strict=self.strict_plugins)
            if "structlog" in sys.modules:
                configured()  # a plugin may tell events of its own
            if self.trace_plugins:
                for plugin in self._registry.plugins:
                    offers = ", ".join(f"{kind} {name}" for kind, name in plugin.offers) or "nothing"
                    said = f"failed: {plugin.error}" if plugin.error else f"offers {offers}"
                    say(f"plugin {plugin.name} ({plugin.distribution or 'unknown package'}) {said}", err=True)
        return self._registry

    def catalogue(self) -> Catalogue:
        """Return what policies can name."""
        return self.registry().catalogue()
