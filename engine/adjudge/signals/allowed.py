"""What policies may have providers use of the operator's: variables of the environment, hosts, files.

A policy is written by a risk team, which is not to reach the key that signs the log, nor any machine of the network.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path

from adjudge.errors import PluginError, PolicyError
from adjudge.frozen import frozen
from adjudge.plugin import Provider, Uses
from adjudge.policy.typed import TypedPolicy
from adjudge.system.cloud_metadata import hands_out_keys
from adjudge.system.faults import is_operators, said_of


@frozen(kw_only=True)
class Allowed:
    """What policies may use.

    hosts: `host` is every port of it, `host:port` that one, `*.domain` every name below a domain. files: what lies
    there or below. None is any; of hosts, any but those where a cloud hands out a machine's keys.
    """

    environment: frozenset[str] = frozenset()
    hosts: tuple[str, ...] | None = None
    files: tuple[Path, ...] | None = None

    def refusals(self, uses: Uses) -> Iterator[tuple[str, str]]:
        """Yield what is not allowed, and the way out."""
        for name in sorted(uses.environment - self.environment):
            yield (
                f"policies may not send the environment variable {name}",
                f"if they may: `allow: {{environment: [{name}]}}` in adjudge.yaml, or --allow-environment {name}",
            )
        for host in sorted(uses.hosts):
            if not self.has_host(host):
                hint = f"if they may: `allow: {{hosts: [{host}]}}` in adjudge.yaml"
                yield f"policies may not ask the host {host}", hint
        for file in sorted(uses.files):
            if not self._is_file_allowed(Path(file)):
                hint = f"if they may: `allow: {{files: [{Path(file).parent}]}}` in adjudge.yaml"
                yield f"policies may not read the file {file}", hint

    def has_host(self, host: str) -> bool:
        """Whether a host may be asked. host: with its port where it has one, a v6 address in brackets."""
        name = host.rpartition(":")[0] if re.search(r":[0-9]+$", host.rpartition("]")[2]) else host
        if self.hosts is None:
            return not hands_out_keys(name)
        return any(
            pattern in (host, name)
            or (pattern.startswith("*.") and (host.endswith(pattern[1:]) or name.endswith(pattern[1:])))
            for pattern in self.hosts
        )

    def _is_file_allowed(self, file: Path) -> bool:
        if self.files is None:
            return True
        try:
            real = file.resolve()
            return any(real.is_relative_to(folder.resolve()) for folder in self.files)
        except (OSError, RuntimeError, ValueError):  # a circle of links, a NUL
            return False


ANY_HOST = Allowed()
"""What goes without a configuration, where whoever runs adjudge has named the policy: any host and no secret."""


def refused(policy: TypedPolicy, providers: Mapping[str, Provider], allowed: Allowed) -> Iterator[PolicyError]:
    """Yield an error for each thing that a policy would use and may not, at its signal."""
    for signal in policy.signals.values():
        provider = providers.get(signal.provider or "")
        if provider is not None:
            try:
                uses = provider.uses(signal.config)
            except BaseException as error:
                if is_operators(error):
                    raise
                raise PluginError(f"its `uses` of `with:` failed: {said_of(error)}", plugin=provider.name) from error
            for message, hint in allowed.refusals(uses):
                yield PolicyError("not-allowed", message, source=policy.source, span=signal.span, hint=hint)
