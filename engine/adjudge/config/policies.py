"""The policies that a configuration names: files, folders of them, bundles, and what plugins load by a location.

    policies:
      - onboarding.yaml
      - policies/
      - git://policies/payouts
      - {bundle: risk, from: "https://policies.internal/risk.tar.gz", keys: [risk.pub]}

Of a folder, every policy below it counts, in the order of their names; see `policy/loading/folder.py`. So it does of a
bundle; see `bundles/`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory, gettempdir
from typing import cast

from adjudge.audit.activation import BundleBody
from adjudge.config.bundles.bundle import Bundle
from adjudge.config.bundles.settings import BundleSettings
from adjudge.config.bundles.source import BundleSource
from adjudge.errors import BundleRefused, PluginError, PolicyError, PolicyErrors
from adjudge.frozen import frozen
from adjudge.plugin import PolicySource
from adjudge.policy import Catalogue, Policy, load_policy, parse_policy
from adjudge.policy.loading.folder import files_below, policies_below
from adjudge.policy.loading.load import decode_source
from adjudge.registry import Registry
from adjudge.signals.allowed import Allowed, refused
from adjudge.source import Span
from adjudge.system.faults import is_operators, said_of
from adjudge.system.files import FileState
from adjudge.values.reading import describe

Location = Path | str | BundleSettings
"""A file or a folder, `scheme://…` of a plugin's policy source, or a bundle."""


@frozen
class Loaded:
    """Policies, and what the log is told of the bundles that some of them came in; both by name."""

    policies: Mapping[str, Policy]
    bundles: Mapping[str, BundleBody]


class PolicyLoader:
    """Loads the policies of a configuration, as often as they change."""

    def __init__(self, locations: Sequence[Location], registry: Registry, allowed: Allowed) -> None:
        """locations: of the policies, in their order. allowed: what they may use, and hosts that bundles come from."""
        self._registry, self._allowed = registry, allowed
        self._locations = [BundleSource(one, allowed) if isinstance(one, BundleSettings) else one for one in locations]
        self.bundles = [one for one in self._locations if isinstance(one, BundleSource)]

    @property
    def is_in_files(self) -> bool:
        """Whether all policies are in files, which can be loaded without asking anybody."""
        return all(isinstance(one, Path) for one in self._locations)

    def fetch(self) -> None:
        """Ask for bundles whose time has come. Never raises; blocks."""
        for bundle in self.bundles:
            bundle.look()

    def load(self, *, fetch: bool = True) -> Loaded:
        """Load the policies. fetch: also those that are not in files.

        Raises PolicyErrors with all that is wrong with any of them; PluginError, BundleRefused, BundleUnavailable.
        """
        taken = _Taken(self._registry.catalogue(), self._allowed)
        bundles: dict[str, BundleBody] = {}
        for location in self._locations:
            if isinstance(location, BundleSource):
                if fetch:
                    bundle = location.open()
                    bundles[bundle.name] = bundle.body()
                    taken.add_bundle(bundle)
            elif isinstance(location, Path):
                taken.add_below(location)
            elif fetch:
                taken.add(lambda at=location: load_located(at, self._registry, taken.catalogue))  # type: ignore[misc]
            else:
                _source_of(location, self._registry)
        if taken.errors:
            raise PolicyErrors(taken.errors)
        return Loaded(taken.policies, bundles)

    def load_one(self, location: Path | str) -> Policy:
        """Load a policy from a file or location. Raises PolicyErrors and PluginError."""
        catalogue = self._registry.catalogue()
        policy = load_located(location, self._registry, catalogue)
        if errors := list(refused(policy.typed, catalogue.providers, self._allowed)):
            raise PolicyErrors(errors)
        return policy

    def states(self, policies: Mapping[str, Policy]) -> dict[Path | str, object]:
        """Return the states of all that the policies were read from, or may be; None of a file that is not there.

        policies: as they were loaded last. Raises PolicyErrors where a folder cannot be read.
        """
        found: dict[Path | str, object] = {file: _state(file) for file in self._files(policies)}
        return found | {one.settings.name: one.state for one in self.bundles if one.file is None}

    def _files(self, policies: Mapping[str, Policy]) -> Iterator[Path]:
        by_name = {policy.typed.source.part(0)[0].name: policy for policy in policies.values()}
        for location in self._locations:
            path = location.file if isinstance(location, BundleSource) else location
            if not isinstance(path, Path):
                continue
            if path.is_dir():
                yield from files_below(path)
                continue
            yield path
            if (policy := by_name.get(str(path))) is not None:
                names = {name.partition("#")[0] for name in policy.typed.texts if not name.startswith("builtin:")}
                yield from (path.parent / name for name in sorted(names))


@dataclass(slots=True)
class _Taken:
    """Policies as they are loaded one after another, and everything that is wrong with them."""

    catalogue: Catalogue
    allowed: Allowed
    policies: dict[str, Policy] = field(default_factory=dict)
    errors: list[PolicyError] = field(default_factory=list)

    def add(self, load: Callable[[], Policy]) -> None:
        """Load a policy. Raises what is no mistake in it."""
        try:
            policy = load()
        except PolicyErrors as found:
            self.errors += found.errors
            return
        other = self.policies.setdefault(policy.name, policy)
        if other is not policy:
            message = f"`{policy.name}` is also the name of the policy in {other.typed.source.name}"
            self.errors.append(PolicyError("name-duplicate", message, source=policy.typed.source, span=Span(0, 0)))
        self.errors += refused(policy.typed, self.catalogue.providers, self.allowed)

    def add_below(self, path: Path) -> None:
        """Load a policy from its file, or all below a folder."""
        try:
            files = policies_below(path) if path.is_dir() else (path,)
        except PolicyErrors as found:
            self.errors += found.errors
            return
        for file in files:
            self.add(partial(load_policy, file, catalogue=self.catalogue))

    def add_bundle(self, bundle: Bundle) -> None:
        """Load all policies of a bundle; it lies in a folder for that long."""
        said = f"bundle `{bundle.name}` number {bundle.manifest.counter}"
        try:
            with TemporaryDirectory(prefix="adjudge-bundle-") as folder:
                bundle.lay_out(Path(folder))
                self._add_laid_out(bundle.name, said, Path(folder))
        except OSError as error:  # as where the disk is full
            why = (error.strerror or type(error).__name__).lower()
            raise BundleRefused(f"{said}: its files cannot be laid out below {gettempdir()}: {why}") from None

    def _add_laid_out(self, name: str, said: str, home: Path) -> None:
        try:
            files = policies_below(home)
        except PolicyErrors:
            raise BundleRefused(f"{said}: it holds no policy") from None
        for file in files:
            self.add(partial(_of_bundle, file, f"{name}/{file.relative_to(home)}", self.catalogue))


def _of_bundle(file: Path, name: str, catalogue: Catalogue) -> Policy:
    """Load a policy that is called by its place in a bundle, not by where that lies for now."""
    source = decode_source(file.read_bytes(), name)
    return parse_policy(source.text, name, folder=file.parent, catalogue=catalogue)


def _state(file: Path) -> FileState | None:
    try:
        return FileState.of(file.stat())
    except (OSError, ValueError):
        return None


def load_located(location: Path | str, registry: Registry, catalogue: Catalogue) -> Policy:
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


def _source_of(location: str, registry: Registry) -> tuple[str, PolicySource]:
    """Return the scheme of a location, and what loads it. Raises PluginError where no plugin does."""
    scheme = location.partition("://")[0]
    source = registry.offered("policy source").get(scheme)
    if source is None:
        raise PluginError(f"no installed plugin offers the policy source `{scheme}`", plugin=scheme)
    return scheme, cast(PolicySource, source)
