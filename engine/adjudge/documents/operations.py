"""What a service says of itself, as JSON."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec

from adjudge.documents.terms import said


class HealthDocument(msgspec.Struct, frozen=True):
    """That the process lives."""

    status: Annotated[Literal["ok"], said("Always `ok`: a process that does not live answers nothing.")]


class Reason(msgspec.Struct, frozen=True):
    """What is in the way of taking requests."""

    part: Annotated[str, said("What is not ready: `ledger`, or `service` where it is stopping.", "ledger")]
    code: Annotated[str, said("As of a problem document.", "audit-unavailable")]
    detail: Annotated[str, said("Why, for a person to read.")]


class ReadinessDocument(msgspec.Struct, frozen=True):
    """Whether requests are taken."""

    ready: Annotated[bool, said("Whether requests are taken.")]
    in_flight: Annotated[int, said("How many requests are being decided.", 3, minimum=0)]
    reasons: Annotated[tuple[Reason, ...], said("What is in the way; empty where requests are taken.")] = ()
    notes: Annotated[
        dict[str, str],
        said(
            "What else is not as it should be, although requests are taken.", {"policies": "the last one was refused"}
        ),
    ] = {}
