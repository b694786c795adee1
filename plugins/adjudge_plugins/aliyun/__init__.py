"""Alibaba Cloud's deepfake detection: the provider `aliyun.deepfake` and the command `adjudge sandbox`."""

from __future__ import annotations

from adjudge.plugin import Register, hookimpl


@hookimpl
def register(register: Register) -> None:
    """Offer the provider and the sandbox's command."""
    from adjudge_plugins.aliyun.command import sandbox
    from adjudge_plugins.aliyun.provider import DEEPFAKE

    register.provider(DEEPFAKE)
    register.command(sandbox)
