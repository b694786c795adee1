"""The policies that a configuration names: files, folders of them, and what plugins load by a location.

    policies: [onboarding.yaml, policies/, "git://policies/payouts"]

Of a folder, every policy below it counts, in the order of their names; see `policy/loading/folder.py`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import cast

from adjudge.errors import PluginError, PolicyError, PolicyErrors
from adjudge.frozen import frozen
from adjudge.plugin import PolicySource
from adjudge.policy import Catalogue, Policy, load_policy, parse_policy
from adjudge.policy.loading.folder import files_below, policies_below
from adjudge.registry import Registry
from adjudge.signals.allowed import Allowed, refused
from adjudge.source import Span
from adjudge.system.faults import is_operators, said_of
from adjudge.system.files import FileState
from adjudge.values.reading import describe

Location = Path | str
"""A file or a folder, or `scheme://…` of a plugin's policy source."""


@frozen(kw_only=True)
class PolicyLoader:
    """Loads the policies of a configuration, as often as they change."""

    locations: tuple[Location, ...]
    registry: Registry
    allowed: Allowed

    def load(self, *, fetch: bool = True) -> dict[str, Policy]:
        """Load the policies, by name. fetch: also those that are not in files.

        Raises PolicyErrors with everything that is wrong with all of them; PluginError.
        """
        catalogue = self.registry.catalogue()
        policies: dict[str, Policy] = {}
        errors: list[PolicyError] = []
        for location in self.locations:
            try:
                for one in self._each(location):
                    policy = self._loaded(one, catalogue, errors, fetch=fetch)
                    if policy is None:
                        continue
                    other = policies.setdefault(policy.name, policy)
                    if other is not policy:
                        message = f"`{policy.name}` is also the name of the policy in {other.typed.source.name}"
                        errors.append(
                            PolicyError("name-duplicate", message, source=policy.typed.source, span=Span(0, 0))
                        )
                    errors += refused(policy.typed, catalogue.providers, self.allowed)
            except PolicyErrors as found:  # of the folder
                errors += found.errors
        if errors:
            raise PolicyErrors(errors)
        return policies

    def _each(self, location: Location) -> Sequence[Location]:
        is_folder = isinstance(location, Path) and location.is_dir()
        return policies_below(cast(Path, location)) if is_folder else (location,)

    def _loaded(
        self, location: Location, catalogue: Catalogue, errors: list[PolicyError], *, fetch: bool
    ) -> Policy | None:
        if not (fetch or isinstance(location, Path)):
            _source_of(location, self.registry)
            return None
        try:
            return load_located(location, self.registry, catalogue)
        except PolicyErrors as found:
            errors += found.errors
            return None

    def states(self, policies: Mapping[str, Policy]) -> dict[Path, FileState | None]:
        """Return the states of all files that the policies were read from, or may be; None of one that is not there.

        policies: as they were loaded last. Raises PolicyErrors where a folder cannot be read.
        """
        return {file: _state(file) for file in self._files(policies)}

    def _files(self, policies: Mapping[str, Policy]) -> Iterator[Path]:
        by_name = {policy.typed.source.part(0)[0].name: policy for policy in policies.values()}
        for location in self.locations:
            if isinstance(location, str):
                continue
            if location.is_dir():
                yield from files_below(location)
                continue
            yield location
            if (policy := by_name.get(str(location))) is not None:
                names = {name.partition("#")[0] for name in policy.typed.texts if not name.startswith("builtin:")}
                yield from (location.parent / name for name in sorted(names))


def _state(file: Path) -> FileState | None:
    try:
        return FileState.of(file.stat())
    except (OSError, ValueError):
        return None


def load_located(location: Location, registry: Registry, catalogue: Catalogue) -> Policy:
    """Load a policy from its file, or through the plugin that offers the scheme of its location."""
    if isinstance(location, Path):
        return load_policy(location, catalogue=catalogue)
    scheme, source = _source_of(location, registry)
    try:
        text: object = source.load(location)
    except BaseException as error:  # whatever a plugin does, the place that was asked for is named
        if is_operators(error):
            raise
        raise PluginError(f"cannot load {location}: {said_of(error)}", plugin=scheme) from error
    if not isinstance(text, str):
        raise PluginError(f"cannot load {location}: it gave {describe(text)}, not a string", plugin=scheme)
    return parse_policy(text, location, catalogue=catalogue)


def _source_of(location: Location, registry: Registry) -> tuple[str, PolicySource]:
    """Return the scheme of a location, and what loads it. Raises PluginError where no plugin does."""
    scheme = str(location).partition("://")[0]
    source = registry.offered("policy source").get(scheme)
    if source is None:
        raise PluginError(f"no installed plugin offers the policy source `{scheme}`", plugin=scheme)
    return scheme, cast(PolicySource, source)
