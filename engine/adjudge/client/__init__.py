"""The engine of a service on this machine or another: `from adjudge.client import Engine`."""

from adjudge.client.engine import Engine

__all__ = ["Engine"]
