"""The engine of a configuration, as commands run it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from adjudge.cli.settings import Settings
from adjudge.config.file import assemble, read_config
from adjudge.engine import Engine


def configured_engine(settings: Settings, config: Path) -> Engine:
    """Put an engine together; what the environment and the options say of plugins goes before the file."""
    said = read_config(config)
    plugins = said.plugins if settings.plugins is None else settings.plugins
    return assemble(replace(said, plugins=plugins, strict_plugins=said.strict_plugins or settings.strict_plugins))
