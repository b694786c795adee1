"""The configuration of an engine, as commands run it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from adjudge.cli.settings import Settings
from adjudge.config.file import Config, read_config


def configured(settings: Settings, path: Path) -> Config:
    """Read a configuration; what the environment and the options say of plugins goes before the file."""
    said = read_config(path)
    plugins = said.plugins if settings.plugins is None else settings.plugins
    return replace(said, plugins=plugins, strict_plugins=said.strict_plugins or settings.strict_plugins)
