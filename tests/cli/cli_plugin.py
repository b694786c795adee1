"""A plugin that offers one thing of each kind."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import click

from adjudge.plugin import Answer, Context, Function, Provider, ProviderClient, Register, hookimpl, provider
from adjudge.values.declared import parse_fields
from adjudge.values.fields import Field


@provider(
    "sample.face",
    fields={
        "score": {"type": "double", "range": [0, 1], "description": "how sure"},
        "tags": {"type": "set", "values": ["A", "B"]},
        "scores": {"type": "map", "keys": ["A"], "of": "int"},
        "ids": {"type": "list", "of": "string"},
    },
    price=Decimal("0.25"),
)
async def face(context: Context) -> Answer:
    """Look at a face."""
    return {}


def _open(config: Mapping[str, Any]) -> ProviderClient:
    raise AssertionError("nobody is asked here")


def _derive(config: Mapping[str, Any]) -> Mapping[str, Field]:
    return parse_fields({})


@hookimpl
def register(register: Register) -> None:
    register.provider(face)
    register.provider(Provider(name="sample.any", fields=None, open=_open, description="Anything"))
    register.provider(Provider(name="sample.made", fields=None, open=_open, derive=_derive, description="As told"))
    register.function(
        Function(name="twice", parameters=("int",), result="int", call=lambda n: 2 * n, description="Double a number")
    )
    register.reader("sample.copy", lambda config: None)  # type: ignore[arg-type,return-value]
    register.command(click.Command("wave", help="Wave a hand."))
