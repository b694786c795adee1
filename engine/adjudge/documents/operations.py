"""What a service says of itself, as JSON."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec

from adjudge.documents.terms import said


class HealthDocument(msgspec.Struct, frozen=True):
    """That the process lives."""

    status: Annotated[Literal["ok"], said("Always `ok`: a process that does not live answers nothing.")]


class ReadinessDocument(msgspec.Struct, frozen=True):
    """Whether requests are taken."""

    ready: Annotated[bool, said("Whether requests are taken.")]
    in_flight: Annotated[int, said("How many requests are being decided.", 3, minimum=0)]
