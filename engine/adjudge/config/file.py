"""The configuration of an engine: one YAML file, read as strictly as a policy.

    policies: [policies/onboarding.yaml, more/]      # files and folders, see policies.py
    policies_every: 2s                  # how often it is looked whether they have changed, see watching.py
    audit: {directory: audit, durability: fsync, key: {file: audit.key}}      # see audit_settings.py
    routes: [{when: 'scene_code == "payout"', policy: payouts}, {policy: onboarding}]      # see routes.py
    answer_for: 48h                     # how long a decision answers its MerchantBizId
    ledger: {postgres: {dsn: …}}        # who keeps decisions; left out: files in the `directory` of `audit`
    cache: {megabytes: 32}              # of decisions that are kept in memory, in front of the files
    readers: [{name: webhook, with: {…}}]      # further places for the records
    plugins: [aliyun, http_json]        # all that are installed unless named
    owners: {acme.score: acme}          # whose a name is that several plugins offer
    strict_plugins: false
    deadline: 15s
    max_in_flight: 500                  # ids decided at a time; left out: any number
    providers: {aliyun.deepfake: {rate: 10, daily_spend: 2000}}      # see limits.py
    allow: {environment: [DEVICE_RISK_TOKEN], hosts: [risk.internal]}      # see allowed.py
    rollouts: {candidates: {stricter: next/onboarding.yaml}}      # see rollouts.py
    proposals: {four_eyes: true}        # see proposals.py
    reviews: {held_for: 30m, within: 24h, second: 5%}              # see reviews.py
    service: {hosts: [risk.internal]}   # of `adjudge serve` alone; see service.py

Paths are relative to the file's folder.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from collections.abc import Mapping as MappingOf
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast

from adjudge.config.allowed import NOTHING, read_allowed
from adjudge.config.audit import AuditSettings, Opened, read_audit
from adjudge.config.bundles.settings import BundleSettings, read_bundle
from adjudge.config.policies import Location, PolicyLoader
from adjudge.config.proposals import read_proposals
from adjudge.config.providers import LimitsForm, apply_limits, read_limits
from adjudge.config.reviews import read_reviews
from adjudge.config.rollouts import RolloutsForm, load_candidates, read_rollouts
from adjudge.config.routes import read_routes
from adjudge.config.service import ServiceSettings, read_service
from adjudge.config.watching import Watch
from adjudge.engine import DEADLINE_S, Engine
from adjudge.errors import AdjudgeError, PluginError, PolicyError, PolicyErrors
from adjudge.frozen import frozen
from adjudge.ledger.file import FileLedger
from adjudge.ledger.local import ANSWER_FOR_S, FRONT_BYTES
from adjudge.ledger.memory import MemoryLedger
from adjudge.plugin import DecisionLedger, LedgerSettings, Limits, LogReader
from adjudge.policy import Catalogue
from adjudge.policy.loading.load import read_source
from adjudge.policy.loading.reader import Reader, Refused
from adjudge.policy.routes import RouteTable
from adjudge.policy.text.yaml import Mapping, Scalar, YamlNode, read_yaml
from adjudge.proposals.settings import ProposalSettings
from adjudge.registry import Registry
from adjudge.reviews.settings import ReviewSettings
from adjudge.rollouts.settings import RolloutSettings
from adjudge.signals.allowed import Allowed
from adjudge.source import Span
from adjudge.system.faults import is_operators, said_of

FILES = "file"
_KEYS = (
    "policies",
    "policies_every",
    "routes",
    "audit",
    "answer_for",
    "ledger",
    "cache",
    "readers",
    "plugins",
    "owners",
    "strict_plugins",
    "deadline",
    "max_in_flight",
    "providers",
    "allow",
    "rollouts",
    "proposals",
    "reviews",
    "service",
)
_LONGEST_ANSWER_S = 366 * 86400.0
_LONGEST_DEADLINE_S = 300.0
_LONGEST_EVERY_S = 86400.0
_SHORTEST_EVERY_S = 0.1
NEVER = "never"
_MOST_IN_FLIGHT = 1_000_000
_LARGEST_CACHE_MB = 1_000_000
_MB = 1024 * 1024


@frozen(kw_only=True)
class Config:
    """What stands in a configuration file, paths made whole.

    policies: files, folders and bundles, or locations `scheme://…` of a plugin's policy source. policies_every_s:
    seconds between two looks whether they have changed, 0 for none, None for what is usual. answer_for_s, deadline_s:
    seconds.
    ledger: its name, and what stands under it. front_bytes: of decisions in memory, in front of files.
    plugins: None for all that are installed. owners: plugins, by the names that several of them offer.
    max_in_flight: ids that are decided at a time, None for any number.
    limits: as read from `providers:`, by name. folder: of the file. reader: to blame them with.
    """

    policies: tuple[Location, ...]
    policies_every_s: float | None = None
    routes: RouteTable | None = None
    audit: AuditSettings | None = None
    ledger: Opened = (FILES, {})
    answer_for_s: float = ANSWER_FOR_S
    front_bytes: int = FRONT_BYTES
    readers: tuple[Opened, ...] = ()
    plugins: tuple[str, ...] | None = None
    owners: MappingOf[str, str] = field(default_factory=dict)
    strict_plugins: bool = False
    deadline_s: float = DEADLINE_S
    max_in_flight: int | None = None
    limits: MappingOf[str, LimitsForm] = field(default_factory=dict)
    allowed: Allowed = NOTHING
    rollouts: RolloutsForm | None = None
    proposals: ProposalSettings | None = None
    reviews: ReviewSettings = ReviewSettings()
    service: ServiceSettings = ServiceSettings()
    folder: Path = field(default=Path(), compare=False)
    reader: Reader | None = field(default=None, compare=False, repr=False)


def open_engine(path: str | Path) -> Engine:
    """Put an engine together from a configuration file; see `Engine.open`."""
    return assemble(read_config(path))


def assemble(config: Config, *, policies_every_s: float = 0.0) -> Engine:
    """Put an engine together.

    policies_every_s: seconds between two looks whether policies have changed, where the configuration does not say.
    Raises PolicyErrors for its policies, PluginError, AuditUnavailable and AuditBroken.
    """
    every_s = policies_every_s if config.policies_every_s is None else config.policies_every_s
    registry, watch, limits, rollouts = _prepared(config, every_s=every_s)
    readers = _readers(config, registry)
    ledger = _ledger(config, registry)
    try:
        return Engine(
            tuple(watch.policies.values()),
            registry=registry,
            ledger=ledger,
            readers=readers,
            deadline_s=config.deadline_s,
            max_in_flight=config.max_in_flight,
            limits=limits,
            allowed=config.allowed,
            routes=config.routes,
            watch=watch,
            rollouts=rollouts,
            proposals=config.proposals,
            reviews=config.reviews,
        )
    except BaseException:
        ledger.close()
        raise


def _readers(config: Config, registry: Registry) -> dict[str, LogReader]:
    """Make the readers, by their names; the second of one name is `NAME-2`. Raises PluginError."""
    readers: dict[str, LogReader] = {}
    for opened in config.readers:
        count = sum(name == opened[0] for name, _ in config.readers[: len(readers)]) + 1
        name = opened[0] if count == 1 else f"{opened[0]}-{count}"
        readers[name] = cast(LogReader, _open(registry, "reader", opened))
    return readers


def _ledger(config: Config, registry: Registry) -> DecisionLedger:
    """Make the ledger. Raises PluginError, AuditUnavailable and AuditBroken."""
    name, settings = config.ledger
    if name != FILES:
        said = LedgerSettings(
            settings=settings,
            answer_for_s=config.answer_for_s,
            clock=lambda: datetime.now(UTC),
            folder=config.folder,
        )
        return cast(DecisionLedger, _open(registry, "ledger", (name, said)))
    if config.audit is None:
        return MemoryLedger(answer_for_s=config.answer_for_s, front_bytes=config.front_bytes)
    trail = config.audit.open()
    try:
        return FileLedger(trail, answer_for_s=config.answer_for_s, front_bytes=config.front_bytes)
    except BaseException:
        trail.close()
        raise


def limits_of(config: Config, catalogue: Catalogue) -> dict[str, Limits]:
    """Return how providers may be asked, by name. Raises PolicyErrors for providers that are not installed."""
    if config.reader is None:
        return {}
    limits = apply_limits(config.reader, config.limits, catalogue.providers)
    if config.reader.errors:
        raise PolicyErrors(config.reader.errors)
    return limits


def require_sound(config: Config) -> int:
    """Return how many policies and bundles there are; opens, asks and makes nothing.

    Raises PolicyErrors where what is written there keeps an engine from opening.
    What the machine has to have, the log's folder and the keys, is not looked at.
    """
    try:
        _, watch, _, _ = _prepared(config, fetch=False)
    except PluginError as error:
        assert config.reader is not None
        wrong = PolicyError("name-plugin", str(error), source=config.reader.source, span=Span(0, 0))
        raise PolicyErrors([wrong]) from None
    return len(watch.policies) + sum(not isinstance(one, Path) for one in config.policies)


def _prepared(
    config: Config, *, every_s: float = 0.0, fetch: bool = True
) -> tuple[Registry, Watch, dict[str, Limits], RolloutSettings | None]:
    """Return the plugins, policies, limits and rollouts of an engine, of which nothing is opened yet.

    every_s: seconds between two looks whether policies have changed. fetch: whether to load those not in files.
    Raises PolicyErrors for its policies, and PluginError where a plugin does not offer what is wanted of it.
    """
    registry = Registry.discover(only=config.plugins, strict=config.strict_plugins, owners=config.owners)
    registry.require_owners()
    loader = PolicyLoader(config.policies, registry, config.allowed)
    errors: list[PolicyError] = []
    watch, limits = None, {}
    try:
        watch = Watch(loader, every_s=every_s, fetch=fetch)
    except PolicyErrors as found:
        errors += found.errors
    try:
        limits = limits_of(config, registry.catalogue())
    except PolicyErrors as found:
        errors += found.errors
    if config.routes is not None and watch is not None and (fetch or loader.is_in_files):
        try:
            config.routes.over(watch.policies)
        except PolicyErrors as found:
            errors += found.errors
    rollouts = None
    try:
        if config.rollouts is not None and watch is not None and (fetch or loader.is_in_files):
            rollouts = load_candidates(config.rollouts, loader.load_one, watch.policies)
    except PolicyErrors as found:
        errors += found.errors
    if errors or watch is None:
        raise PolicyErrors(errors)
    for kind, name in _wanted(config):
        registry.opener(kind, name)
    return registry, watch, limits, rollouts


def _wanted(config: Config) -> Iterator[tuple[str, str]]:
    """Yield what plugins are to open, as (kind, name)."""
    yield from (("reader", name) for name, _ in config.readers)
    if config.ledger[0] != FILES:
        yield "ledger", config.ledger[0]


def _open(registry: Registry, kind: str, opened: tuple[str, Any]) -> object:
    name, settings = opened
    try:
        return registry.opener(kind, name)(settings)
    except AdjudgeError:
        raise
    except BaseException as error:
        if is_operators(error):
            raise
        raise PluginError(f"the {kind} `{name}` cannot be opened: {said_of(error)}", plugin=name) from error


def read_config(path: str | Path) -> Config:
    """Read a configuration file. Raises PolicyErrors with everything that is wrong with it."""
    path = Path(path)
    reader = Reader(read_source(path, "configuration"))
    root, reader.errors[:] = read_yaml(reader.source)
    config = _Config(reader, path.parent).read(root) if root is not None else None
    if config is None or reader.errors:
        raise PolicyErrors(reader.errors)
    return config


@dataclass(slots=True)
class _Config:
    reader: Reader
    folder: Path

    def read(self, root: YamlNode) -> Config | None:
        reader = self.reader
        entries = reader.mapping(
            root, "a configuration", keys=(*_KEYS, "observers"), required=("policies",), at=Span(0, 0)
        )
        if "observers" in entries:
            hint = "write `readers`, which are sent the records of the log, again after a failure"
            reader.blame("schema-unknown-key", "there are no `observers` any more", entries["observers"][0].span, hint)
        parts = {name: value for name, (_, value) in entries.items()}
        policies = self.policies(parts.get("policies"))
        if "policies" in parts and not policies and not reader.errors:
            reader.blame("schema-empty", "`policies` names none", parts["policies"].span, "name a policy's file")
        answer_for = parts.get("answer_for")
        answer_for_s = reader.seconds(answer_for, "`answer_for`", _LONGEST_ANSWER_S) if answer_for else None
        plugins = parts.get("plugins")
        strict = parts.get("strict_plugins")
        deadline = parts.get("deadline")
        limits = read_limits(reader, parts["providers"]) if "providers" in parts else ()
        deadline_s = reader.seconds(deadline, "`deadline`", _LONGEST_DEADLINE_S) if deadline else None
        return Config(
            policies=policies,
            policies_every_s=self.every(parts["policies_every"]) if "policies_every" in parts else None,
            audit=read_audit(reader, parts["audit"], self.folder) if "audit" in parts else None,
            ledger=self.ledger(parts.get("ledger"), parts.get("audit")),
            routes=read_routes(reader, parts.get("routes")),
            answer_for_s=answer_for_s or ANSWER_FOR_S,
            front_bytes=self.cache(parts.get("cache")),
            readers=self.opened(parts.get("readers"), "readers"),
            plugins=None if plugins is None else self.texts(plugins, "`plugins`"),
            owners=self.owners(parts.get("owners")),
            strict_plugins=strict is not None
            and reader.choice(strict, "`strict_plugins`", ("true", "false")) == "true",
            deadline_s=deadline_s or DEADLINE_S,
            max_in_flight=self.max_in_flight(parts.get("max_in_flight")),
            limits={form.name.text.value: form for form in limits},
            allowed=read_allowed(reader, parts.get("allow"), self.folder),
            rollouts=read_rollouts(reader, parts.get("rollouts"), self.folder),
            proposals=read_proposals(reader, parts.get("proposals")),
            reviews=read_reviews(reader, parts.get("reviews")),
            service=read_service(reader, parts.get("service"), self.folder),
            folder=self.folder,
            reader=reader,
        )

    def texts(
        self, node: YamlNode | None, what: str, one: Callable[[YamlNode, str], str | None] | None = None
    ) -> tuple[str, ...]:
        if node is None:
            return ()
        texts = [(one or self.reader.text)(item, "a name in " + what) for item in self.reader.items(node, what)]
        return tuple(text for text in texts if text is not None)

    def policies(self, node: YamlNode | None) -> tuple[Location, ...]:
        found: list[Location] = []
        for item in self.reader.items(node, "`policies`") if node is not None else ():
            if isinstance(item, Mapping):
                bundle = read_bundle(self.reader, item, self.folder)
                found += [bundle] if bundle is not None else []
            elif (path := self.reader.path(item, "a name in `policies`")) is not None:
                found.append(path if "://" in path else self.folder / path)
        names = [one.name for one in found if isinstance(one, BundleSettings)]
        for name in sorted({name for name in names if names.count(name) > 1}):
            assert node is not None
            self.reader.blame("name-duplicate", f"the bundle `{name}` is named twice", node.span)
        return tuple(found)

    def every(self, node: YamlNode) -> float | None:
        """Read how often it is looked whether policies have changed."""
        if isinstance(node, Scalar) and node.value == NEVER:
            return 0.0
        every_s = self.reader.seconds(node, "`policies_every`", _LONGEST_EVERY_S)
        if every_s is not None and every_s < _SHORTEST_EVERY_S:
            self.reader.blame("schema-range", "`policies_every` must be at least 100ms", node.span, "or `never`")
        return every_s

    def owners(self, node: YamlNode | None) -> MappingOf[str, str]:
        if node is None:
            return {}
        entries = self.reader.mapping(node, "`owners`", at=node.span)
        said = {name: self.reader.text(value, "a plugin's name") for name, (_, value) in entries.items()}
        return {name: plugin for name, plugin in said.items() if plugin is not None}

    def ledger(self, node: YamlNode | None, audit: YamlNode | None) -> Opened:
        """Read `ledger:`, which names one and says what that one needs."""
        if node is None:
            return FILES, {}
        entries = self.reader.mapping(node, "`ledger`", at=node.span)
        if not isinstance(node, Mapping):
            return FILES, {}
        if len(entries) != 1:
            hint = "such as {postgres: {dsn: …}}; left out, files in the `directory` of `audit` are the ledger"
            self.reader.blame("schema-value", "`ledger` names one ledger", node.span, hint)
            return FILES, {}
        ((name, (_, value)),) = entries.items()
        if name == FILES:
            if not isinstance(value, Mapping) or value.entries:
                hint = "say so under `audit`, or leave `ledger` out"
                self.reader.blame("schema-value", "the ledger `file` takes no settings", value.span, hint)
        elif audit is not None:
            hint = f"`{name}` keeps the records itself: leave `audit` out"
            self.reader.blame("schema-value", "`audit` is for the ledger of files", audit.span, hint)
        return name, self.settings(value)

    def max_in_flight(self, node: YamlNode | None) -> int | None:
        if node is None:
            return None
        most = self.reader.integer(node, "`max_in_flight`", _MOST_IN_FLIGHT)
        if most is not None and most < 1:
            self.reader.blame("schema-range", "`max_in_flight` must be at least 1", node.span)
        return most

    def cache(self, node: YamlNode | None) -> int:
        """Read `cache:`, in bytes."""
        if node is None:
            return FRONT_BYTES
        gone = {
            "ttl": "write `answer_for`, beside `cache`",
            "size": "write `megabytes`, of the records that are kept in memory",
            "store": "write `ledger`, beside `cache`",
            "with": "write it under the name in `ledger`",
        }
        entries = self.reader.mapping(node, "`cache`", keys=("megabytes", *gone), at=node.span)
        for name, hint in gone.items():
            if name in entries:
                self.reader.blame(
                    "schema-unknown-key", f"`cache` has no `{name}` any more", entries[name][0].span, hint
                )
        if "megabytes" not in entries:
            return FRONT_BYTES
        size = self.reader.integer(entries["megabytes"][1], "`megabytes`", _LARGEST_CACHE_MB)
        if size is not None and size < 1:
            self.reader.blame("schema-range", "`megabytes` must be at least 1", entries["megabytes"][1].span)
        return (size or 1) * _MB

    def opened(self, node: YamlNode | None, what: str) -> tuple[Opened, ...]:
        items = self.reader.items(node, f"`{what}`") if node is not None else ()
        return tuple(one for one in (self.one(item, what) for item in items) if one is not None)

    def one(self, item: YamlNode, what: str) -> Opened | None:
        """Read one of a list of things that plugins offer: its `name`, and `with`."""
        entries = self.reader.mapping(item, f"one of `{what}`", keys=("name", "with"), required=("name",), at=item.span)
        name = self.reader.text(entries["name"][1], "`name`") if "name" in entries else None
        settings = self.settings(entries["with"][1] if "with" in entries else None)
        return (name, settings) if name is not None else None

    def settings(self, node: YamlNode | None) -> MappingOf[str, object]:
        if node is None:
            return {}
        if not isinstance(node, Mapping):
            self.reader.unfit(node, "`with`", "a mapping")
            return {}
        try:
            return cast(MappingOf[str, object], self.reader.plain(node, nulls=True))
        except Refused:
            return {}
