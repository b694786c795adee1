"""Policies that a configuration names by the location of a plugin's policy source."""

from __future__ import annotations

import pytest

from adjudge.config.policies import load_located
from adjudge.errors import PluginError
from adjudge.plugin import Register, hookimpl
from adjudge.registry import Registry


class _Texts:
    """A policy source that holds its policies itself."""

    def load(self, location: str) -> str:
        if location.endswith("missing"):
            raise FileNotFoundError(location)
        return "policy_language: 1\npolicy: held\ninputs: {a: bool}\nrules: [{id: a, when: a, then: reject}]\n"


class _TextsPlugin:
    @hookimpl
    def register(self, register: Register) -> None:
        register.policy_source("texts", _Texts())


def test_policy_of_a_plugins_source_is_loaded_by_its_location() -> None:
    registry = Registry()
    registry.register(_TextsPlugin(), name="texts")
    policy = load_located("texts://held", registry, registry.catalogue())
    assert policy.name == "held"
    assert policy.typed.source.name == "texts://held"


@pytest.mark.parametrize(
    ("location", "said"),
    [
        ("other://held", "no installed plugin offers the policy source `other`"),
        ("texts://missing", "cannot load texts://missing: FileNotFoundError"),
    ],
)
def test_policy_that_its_source_does_not_give_is_named(location: str, said: str) -> None:
    registry = Registry()
    registry.register(_TextsPlugin(), name="texts")
    with pytest.raises(PluginError, match=said):
        load_located(location, registry, registry.catalogue())
