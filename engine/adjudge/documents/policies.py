"""The policies that a service answers with, as JSON, to it and from it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any

import msgspec
from msgspec import UNSET, UnsetType

from adjudge.documents.terms import PolicyName, SceneCode, Timestamp, said
from adjudge.errors import JsonError
from adjudge.model import ServedPolicy
from adjudge.values.literals import format_timestamp


class PolicyDocument(msgspec.Struct):
    """A policy that answers now."""

    name: PolicyName
    digest: Annotated[str, said("The SHA-256 of the policy and its files, which decisions have as `policy_digest`.")]
    since: Annotated[Timestamp, said("When this process began to answer with it.")]
    scenes: Annotated[tuple[SceneCode, ...], said("The scenes that it answers without being named.")]
    rules: Annotated[int, said("How many rules it has, thresholds and rows of tables among them.", 12, minimum=0)]
    signals: Annotated[tuple[str, ...], said("The names of its signals.", ["device"])]
    files: Annotated[tuple[str, ...], said("Files of lists, and of other policies that it includes.", ["blocked.csv"])]
    text: Annotated[str | UnsetType, said("The policy as it was loaded, where one policy is asked for.")] = UNSET


class PoliciesDocument(msgspec.Struct):
    """The policies that answer now."""

    policies: tuple[PolicyDocument, ...]


_one, _many = msgspec.json.Decoder(PolicyDocument), msgspec.json.Decoder(PoliciesDocument)


def policy_document(policy: ServedPolicy) -> dict[str, object]:
    """Return what JSON says of a policy."""
    said: dict[str, Any] = {name: getattr(policy, name) for name in PolicyDocument.__struct_fields__}
    said["since"] = format_timestamp(policy.since)
    return said if policy.text is not None else {name: value for name, value in said.items() if name != "text"}


def policies_document(policies: Sequence[ServedPolicy]) -> dict[str, object]:
    """Return what JSON says of policies."""
    return {"policies": [policy_document(policy) for policy in policies]}


def decode_policies(document: bytes, *, is_one: bool) -> tuple[ServedPolicy, ...]:
    """Return the policies that a document holds. is_one: whether it is of one alone. Raises JsonError."""
    try:
        found = (_one.decode(document),) if is_one else _many.decode(document).policies
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise JsonError(f"is no policy: {str(error)[:200].lower()}") from None
    return tuple(ServedPolicy(**_members(one)) for one in found)


def _members(one: PolicyDocument) -> dict[str, Any]:
    said = {name: getattr(one, name) for name in one.__struct_fields__}
    return {name: value for name, value in said.items() if value is not UNSET}
