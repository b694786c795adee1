"""Finding plugins: one at a time, each with its own failure."""

from __future__ import annotations

import sys
import textwrap
import warnings
from collections.abc import Callable
from decimal import Decimal
from importlib.metadata import EntryPoint
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from adjudge.errors import PluginError, PolicyErrors
from adjudge.plugin import Function, Limits, Provider, Register, hookimpl
from adjudge.registry import Plugin, Registry, load_policy, parse_policy
from adjudge.testing import fake_provider

GOOD = """
from adjudge.plugin import hookimpl, provider, Function

@provider("{name}.signal", fields={{"score": "int"}})
async def signal(context):
    return {{"score": 1}}

@hookimpl
def register(register):
    register.provider(signal)
    register.function(Function(name="{name}_double", parameters=("int",), result="int", call=lambda n: 2 * n))
"""

Load = Callable[..., Registry]


@pytest.fixture
def load(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Load:
    """Write modules and load them as plugins of the same names."""
    monkeypatch.syspath_prepend(tmp_path)

    def write(
        strict: bool = False, only: list[str] | None = None, owners: dict[str, str] | None = None, **modules: str
    ) -> Registry:
        points = []
        for name, text in modules.items():
            module = f"plugin_{name}_{tmp_path.name.replace('-', '_')}"
            (tmp_path / f"{module}.py").write_text(textwrap.dedent(text.replace("NAME", name)), "utf-8")
            sys.modules.pop(module, None)
            points.append(EntryPoint(name=name, value=module, group="adjudge"))
        with capture_logs():
            return Registry.discover(found=points, strict=strict, only=only, owners=owners)

    return write


def good(name: str) -> str:
    return GOOD.format(name=name)


OPEN: Any = dict
NEEDS_ALPHA = """
policy_language: 1
policy: needs
signals: {own: {provider: alpha.signal}}
rules: [{id: high, when: own.score > 5, then: review}]
"""
HOOK = "from adjudge.plugin import *\n@hookimpl\ndef register(register):\n    "


def test_registry_loads_each_plugin_and_says_what_it_offers(load: Load) -> None:
    registry = load(zeta=good("zeta"), alpha=good("alpha"))
    assert registry.plugins == [
        Plugin(name="alpha", offers=(("provider", "alpha.signal"), ("function", "alpha_double"))),
        Plugin(name="zeta", offers=(("provider", "zeta.signal"), ("function", "zeta_double"))),
    ]
    catalogue = registry.catalogue()
    assert set(catalogue.providers) == {"alpha.signal", "zeta.signal"}
    assert set(catalogue.functions) == {"alpha_double", "zeta_double"}
    policy = parse_policy(
        "{policy_language: 1, policy: p, signals: {s: {provider: zeta.signal}}, "
        "rules: [{id: r, when: 'alpha_double(s.score) > 3', then: review}]}",
        registry=registry,
    )
    assert policy.evaluate({"s": {"score": 2}}).matched == ("r",)


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("import nothing_here", "cannot be imported: ModuleNotFoundError: No module named 'nothing_here'"),
        ("raise ValueError('at import')", "cannot be imported: ValueError: at import"),
        ("raise SystemExit('needs an extra')", "cannot be imported: SystemExit: needs an extra"),
        ("def broken(:", "cannot be imported: SyntaxError: invalid syntax"),
        (HOOK + "raise ValueError('in the hook')", "in the hook"),
        (HOOK + "raise ValueError()", "ValueError"),
        (HOOK + "raise BaseException('left')", "BaseException: left"),
        ("raise BaseException('left')", "cannot be imported: BaseException: left"),
        ("raise GeneratorExit", "cannot be imported: GeneratorExit"),
        ("import asyncio\nraise asyncio.CancelledError", "cannot be imported: CancelledError"),
        ("class E(BaseException):\n def __str__(self): raise E\nraise E", "cannot be imported: E: (its text raises E)"),
        (HOOK + "raise SystemExit('left')", "left"),
        ("x = 1", "has no hook: decorate its `register` with `@hookimpl`"),
        ("def register(register):\n    pass", "has no hook: decorate its `register` with `@hookimpl`"),
        ("from adjudge.plugin import hookimpl\n@hookimpl\ndef register():\n    pass",
         "register() takes 0 positional arguments but 1 was given"),
        ("from adjudge.plugin import hookimpl\n@hookimpl\ndef register(register, session):\n    pass",
         "hook 'register'"),
        ("from adjudge.plugin import hookimpl\n@hookimpl\nasync def register(register):\n    pass",
         "its hook must register at once and return nothing"),
        ("from adjudge.plugin import hookimpl\n@hookimpl\ndef register(register):\n    yield",
         "its hook must register at once and return nothing"),
        (HOOK + "register.provider('acme')", "'str' object has no attribute 'name'"),
        (HOOK + "register.provider(Function(name='f', parameters=(), result='int', call=int))",
         "what it offers as the provider `f` is not one"),
        (HOOK + "register.ledger('s', {})", "what it offers as the ledger `s` is not one"),
        (HOOK + "register.store('s', {})", "the store `s`: stores are gone; offer a ledger, `register.ledger`"),
        (HOOK + "register.function(Function(name='size', parameters=(), result='int', call=int))",
         "the condition language has a function of this name"),
        (HOOK + "register.function(Function(name='f', parameters=('coins',), result='int', call=int))",
         "`coins` is not a type: there is no field type `coins`"),
        (HOOK + "register.reader('a', print); register.reader('a', print)", "the reader `a` is already registered"),
        (HOOK + "register.sink('a', print)", "the sink `a`: sinks are gone; offer a reader, `register.reader`"),
        (HOOK + "register.observer('a', print)", "the observer `a`: observers are gone; offer a reader of the log"),
    ],
)  # fmt: skip
def test_registry_plugin_that_fails_is_skipped_by_name_and_the_others_load(load: Load, text: str, error: str) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        registry = load(alpha=good("alpha"), bad=text, zeta=good("zeta"))
    alpha, bad, zeta = registry.plugins
    assert (alpha.error, zeta.error) == (None, None)
    assert bad.offers == ()
    assert bad.error is not None
    assert error in bad.error
    assert set(registry.catalogue().providers) == {"alpha.signal", "zeta.signal"}
    with pytest.raises(PluginError) as refused:
        load(strict=True, bad=text)
    assert refused.value.plugin == "bad"
    assert error in str(refused.value)
    assert str(refused.value).startswith("plugin `bad`: ")


THIEF = good("alpha").replace("alpha_double", "thief_double")
CONTESTED = "`alpha.signal` is offered by alpha and thief: say whose it is under `owners` of the configuration"


def test_registry_name_that_two_plugins_offer_is_nobodys(load: Load) -> None:
    registry = load(alpha=good("alpha"), thief=THIEF)
    catalogue = registry.catalogue()
    assert (set(catalogue.providers), set(catalogue.functions)) == (set(), {"alpha_double", "thief_double"})
    assert [registry.refusal("provider", "alpha.signal", one.name) for one in registry.plugins] == [CONTESTED] * 2
    assert [one.error for one in registry.plugins] == [None, None]
    with pytest.raises(PolicyErrors) as refused:
        parse_policy(NEEDS_ALPHA, registry=registry)
    assert [(error.code, error.hint) for error in refused.value.errors] == [("name-provider", CONTESTED)]
    with pytest.raises(PluginError, match=CONTESTED):
        load(strict=True, alpha=good("alpha"), thief=THIEF)


def test_registry_name_that_two_plugins_offer_is_its_owners(load: Load) -> None:
    for owner in ("alpha", "thief"):
        for strict in (False, True):
            registry = load(strict=strict, owners={"alpha.signal": owner}, alpha=good("alpha"), thief=THIEF)
            module = registry.catalogue().providers["alpha.signal"].open({}).fetch.__self__.function.__module__  # type: ignore[attr-defined]
            assert f"plugin_{owner}_" in module
            other = {"alpha": "thief", "thief": "alpha"}[owner]
            said = f"`alpha.signal` is {owner}'s, by the configuration"
            assert [registry.refusal("provider", "alpha.signal", name) for name in (owner, other)] == [None, said]
    stranger = load(owners={"alpha.signal": "gamma"}, alpha=good("alpha"), thief=THIEF)
    assert "alpha.signal" not in stranger.catalogue().providers, "an owner that does not offer it is none"


def test_registry_two_packages_with_one_plugins_name_are_both_refused() -> None:
    points = [EntryPoint(name="acme", value=value, group="adjudge") for value in ("one", "other")]
    with capture_logs():
        registry = Registry.discover(found=points)
    (plugin,) = registry.plugins
    assert plugin.error is not None and plugin.error.startswith("several packages have a plugin of this name")


@pytest.mark.parametrize(
    ("facts", "said"),
    [
        ({"fields": {"a": 5}}, "its field `a` must be a Field, such as `parse_fields` makes, not `5`"),
        ({"fields": ["a"]}, "its `fields` must be a mapping, not a list"),
        ({"fields": {"a b": 5}}, "a name of its `fields` must be letters, digits and `_`, not `a b`"),
        ({"price": 0.4}, "its `price` must be a Decimal of at least 0, not `0.4`"),
        ({"price": Decimal("NaN")}, "its `price` must be a Decimal of at least 0, not a Decimal"),
        ({"latency_s": "1s"}, "its `latency_s` must be seconds, at least 0, not `1s`"),
        ({"latency_s": float("nan")}, "its `latency_s` must be seconds, at least 0, not `nan`"),
        ({"open": None}, "its `open` must be something to call, not null"),
        ({"reads": "face"}, "its `reads` must be a frozenset of texts, not `face`"),
        ({"currency": ""}, "its `currency` must be a name, not ``"),
        ({"version": 2}, "its `version` must be a name, not `2`"),
        ({"limits": {"rate": 5}}, "its `limits` must be Limits, not a map"),
        ({"limits": Limits(rate=0)}, "its limits: its `rate` must be calls a second, above 0, or None, not `0`"),
        ({"limits": Limits(attempts=0)}, "its limits: its `attempts` must be an int of at least 1, not `0`"),
        ({"limits": Limits(daily_calls=True)},
         "its limits: its `daily_calls` must be an int of at least 1, or None, not `True`"),
    ],
)  # fmt: skip
def test_registry_part_of_a_provider_that_does_not_fit_is_named(facts: dict[str, Any], said: str) -> None:
    """It would otherwise come up in a decision, or in the list of plugins."""

    class Plugin:
        @hookimpl
        def register(self, register: Register) -> None:
            register.provider(Provider(**{"name": "acme.score", "fields": None, "open": dict, **facts}))

    registry = Registry()
    with capture_logs():
        registry.register(Plugin(), name="acme", strict=False)
    assert registry.plugins[0].error == f"the provider `acme.score`: {said}"
    assert registry.catalogue().providers == {}


def test_registry_failure_in_the_middle_of_a_hook_offers_nothing(load: Load) -> None:
    text = good("half") + "    raise ValueError('then this')\n"
    registry = load(half=text)
    assert registry.offered("provider") == {} and registry.offered("function") == {}


def test_registry_only_leaves_the_others_alone_and_reports_who_is_missing(load: Load) -> None:
    registry = load(only=["alpha", "gone"], alpha=good("alpha"), bad="raise ValueError()")
    assert [(plugin.name, plugin.error) for plugin in registry.plugins] == [
        ("alpha", None),
        ("gone", "is not installed"),
    ]
    with pytest.raises(PluginError, match="plugin `gone`: is not installed"):
        load(strict=True, only=["gone"])
    assert load(only=[], alpha=good("alpha")).plugins == []


def test_registry_skipped_plugin_is_an_event() -> None:
    point = EntryPoint(name="bad", value="nothing_of_this_name", group="adjudge")
    with capture_logs() as events:
        Registry.discover(found=[point])
    assert [(event["event"], event["plugin"]) for event in events] == [("plugin_skipped", "bad")]


def test_registry_policy_that_needs_a_skipped_plugin_does_not_load(load: Load, tmp_path: Path) -> None:
    registry = load(bad="raise ValueError()")
    path = tmp_path / "p.yaml"
    path.write_text(
        "{policy_language: 1, policy: p, signals: {s: {provider: bad.signal}}, rules: "
        "[{id: r, when: s.score > 1, then: review}]}"
    )
    with pytest.raises(PolicyErrors) as refused:
        load_policy(path, registry=registry)
    assert "bad.signal" in str(refused.value)


def test_registry_object_registers_by_hand_and_again_after_it_failed() -> None:
    class Plugin:
        fails = True

        @hookimpl
        def register(self, register: Register) -> None:
            register.reader("copy", OPEN)
            if self.fails:
                raise ValueError("not yet")

    registry, plugin = Registry(), Plugin()
    with pytest.raises(PluginError, match="plugin `mine`: ValueError: not yet"):
        registry.register(plugin, name="mine")
    plugin.fails = False
    registry.register(plugin, name="mine")
    assert registry.opener("reader", "copy") is OPEN
    with pytest.raises(PluginError, match="mine"):
        registry.register(Plugin(), name="mine")
    assert [one.name for one in registry.plugins] == ["mine"]


def test_registry_opener_names_what_there_is() -> None:
    class Plugin:
        @hookimpl
        def register(self, register: Register) -> None:
            register.reader("copy", OPEN)
            register.policy_source("https", object())  # type: ignore[arg-type]
            register.provider(fake_provider("p", {}))
            register.function(Function(name="f", parameters=(), result="list(int)", call=list))

    registry = Registry()
    registry.register(Plugin(), name="mine")
    assert set(registry.offered("policy source")) == {"https"}
    with pytest.raises(PluginError, match="no installed plugin offers the reader `cpy`; offered: copy"):
        registry.opener("reader", "cpy")
    with pytest.raises(PluginError, match="no installed plugin offers the store `redis`; offered: none is installed"):
        registry.opener("store", "redis")


def test_registry_two_engines_share_nothing(load: Load) -> None:
    assert load(alpha=good("alpha")).offered("provider")
    assert Registry().offered("provider") == {}


def test_registry_finds_what_is_installed() -> None:
    registry = Registry.discover(strict=True)
    assert {"aliyun", "http_json", "lists"} <= {plugin.name for plugin in registry.plugins}
    assert all(plugin.distribution.startswith("adjudge ") for plugin in registry.plugins if plugin.name == "lists")
