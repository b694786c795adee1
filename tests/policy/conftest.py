"""A catalogue of providers and functions as plugins would offer them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import pytest

from adjudge.plugin import Function, Provider, ProviderClient, ProviderConfigError
from adjudge.policy.catalogue import Catalogue
from adjudge.values.declared import parse_fields
from adjudge.values.fields import Field

TAGS = ["SuspectDeepForgery", "SuspectRemake", "SuspectWarterMark", "SuspectPSFace"]


def _open(config: Mapping[str, Any]) -> ProviderClient:
    raise AssertionError("loading a policy opens no provider")


def _check_scene(config: Mapping[str, Any], fields: Mapping[str, Field]) -> None:
    if not re.fullmatch(r"\w{1,10}", str(config.get("scene_code", ""))):
        raise ProviderConfigError(
            "a scene code must be 1 to 10 letters, digits or _", "scene_code", hint="as in the console"
        )


@pytest.fixture(scope="session")
def catalogue() -> Catalogue:
    deepfake = Provider(
        name="aliyun.deepfake",
        fields=parse_fields(
            {
                "result": {"type": "enum", "values": ["low", "suspicious", "high"]},
                "score": {"type": "map", "keys": TAGS, "of": {"type": "double", "range": [0, 1]}, "absent": 0},
                "tags": {"type": "set", "values": TAGS},
            }
        ),
        open=_open,
        check=_check_scene,
    )
    http = Provider(name="http.json", fields=None, open=_open)
    bank = Function(name="bank_country", parameters=("string",), result="string", call=lambda text: text[:2])
    return Catalogue(providers={"aliyun.deepfake": deepfake, "http.json": http}, functions={"bank_country": bank})
