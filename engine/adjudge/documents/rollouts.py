"""Rollouts as JSON: how they stand, and what is to be done with one."""

from __future__ import annotations

from typing import Annotated, TypeVar

import msgspec

from adjudge.documents.annotations import decoded
from adjudge.documents.terms import Text, Timestamp, Who, said
from adjudge.errors import JsonError
from adjudge.model import MODES

_T = TypeVar("_T")
ACTIONS = ("start", "ramp", "promote", "abort")
Name = Annotated[
    str,
    said(
        "The rollout's name: 1 to 48 letters, digits, `.`, `_` and `-`.",
        "stricter-devices",
        pattern="^[A-Za-z0-9._-]{1,48}$",
        minLength=1,
        maxLength=48,
    ),
]
Share = Annotated[float, said("Of all MerchantBizIds, above 0 and up to 1.", 0.05, minimum=0, maximum=1)]


class RolloutCommand(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True):
    """What is to be done with a rollout."""

    action: Annotated[str, said("What to do.", "start", enum=ACTIONS)]
    name: Name
    mode: Annotated[
        str | None, said("To start: who decides. A `shadow` only watches.", "canary", enum=[*MODES, None])
    ] = None
    candidate: Annotated[str | None, said("To start: the version, by its name in the configuration.", "stricter")] = (
        None
    )
    share: Annotated[Share | None, said("To start a canary or a hold-out, and to ramp it.")] = None
    reason: Text = ""
    by: Annotated[Who | None, said("Who asks for it, where that is not the caller.")] = None


class ShareDocument(msgspec.Struct, frozen=True, kw_only=True):
    """How many of an arm's decisions came out in one way. The bounds hold at every look, together, in 95% of cases."""

    count: Annotated[int, said("Decisions.", 12, minimum=0)]
    share: Annotated[float | None, said("Of the arm's decisions; none where there are none.", 0.024)]
    low: Annotated[float, said("The lowest share that is likely.", 0.011)]
    high: Annotated[float, said("The highest share that is likely.", 0.047)]


class ArmDocument(msgspec.Struct, frozen=True, kw_only=True):
    """What was counted of one arm."""

    decisions: Annotated[int, said("Counted: of a shadow, each decision; else the newest of each id.", 500, minimum=0)]
    shares: Annotated[
        dict[str, ShareDocument],
        said(
            "Of a canary, a hold-out and the champion: `pass`, `review`, `reject`, `unknown` for what is not settled,"
            " and `errors` where a signal had failed. Of a shadow, against the answer: `agree`, `harder`, `softer`,"
            " `undetermined`, and `errors`."
        ),
    ]


class RailDocument(msgspec.Struct, frozen=True, kw_only=True):
    """How a canary stands against one guard rail."""

    name: Annotated[str, said("What it looks at.", "reject")]
    limit: Annotated[float, said("Times the champion's share that are fine.", 1.25)]
    canary: Annotated[int, said("Such decisions of the canary while there was a champion beside it.", 12, minimum=0)]
    champion: Annotated[int, said("Such decisions of the champion.", 180, minimum=0)]
    near: Annotated[float, said("Of the evidence that it needs to act.", 0.31, minimum=0, maximum=1)]
    acts: Annotated[bool, said("Whether the canary has to fall back.")]


class RolloutDocument(msgspec.Struct, frozen=True, kw_only=True):
    """How a rollout stands."""

    name: Name
    mode: Annotated[str, said("Who decides.", "canary", enum=MODES)]
    status: Annotated[str, said("Whether it runs.", "running", enum=["running", "promoted", "ended"])]
    policy: Annotated[str, said("The policy, as callers know it.", "face-onboarding")]
    candidate: Annotated[str, said("The other version, by its name in the configuration.", "stricter")]
    digest: Annotated[str, said("The SHA-256 of that version.")]
    champion: Annotated[str, said("The SHA-256 of the version that answered when it was started.")]
    share: Share
    number: Annotated[int, said("Of its newest record.", 3, minimum=1)]
    action: Annotated[str, said("What was done last.", "ramp", enum=[*ACTIONS, "fall-back"])]
    at: Timestamp
    by: Who
    reason: Text
    arms: Annotated[dict[str, ArmDocument], said("What was counted, by arm.")]
    rails: Annotated[tuple[RailDocument, ...], said("The guard rails of a canary that runs.")]
    enough: Annotated[int | None, said("Decisions of the canary before a guard rail acts.", 100)] = None


class RolloutsDocument(msgspec.Struct, frozen=True):
    """All rollouts, by name."""

    rollouts: tuple[RolloutDocument, ...]


def decode_command(document: bytes) -> RolloutCommand:
    """Return what a document asks for. Raises RequestError."""
    return decoded(document, RolloutCommand, "rollout")


def decode_rollouts(document: bytes) -> tuple[RolloutDocument, ...]:
    """Return the rollouts that a document lists. Raises JsonError."""
    return _said(document, RolloutsDocument).rollouts


def decode_rollout(document: bytes) -> RolloutDocument:
    """Return the rollout that a document describes. Raises JsonError."""
    return _said(document, RolloutDocument)


def _said(document: bytes, kind: type[_T]) -> _T:
    try:
        return msgspec.json.decode(document, type=kind)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise JsonError(f"says nothing of rollouts: {str(error)[:200].lower()}") from None
