"""The operator's configuration file, and the engine put together from it."""

from typing import TYPE_CHECKING

from adjudge.moved import names_of

if not TYPE_CHECKING:
    __getattr__ = names_of(__name__)
