"""The reader `webhook`: tells another system of decisions, signed, in order, until it has them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from adjudge.plugin import LogReader, Register, hookimpl


def _open(config: Mapping[str, Any]) -> LogReader:
    from adjudge_plugins.webhook.reader import Webhook
    from adjudge_plugins.webhook.settings import read_settings

    return Webhook(read_settings(config))


@hookimpl
def register(register: Register) -> None:
    """Offer the reader and its command."""
    from adjudge_plugins.webhook.command import webhook

    register.reader("webhook", _open)
    register.command(webhook)
