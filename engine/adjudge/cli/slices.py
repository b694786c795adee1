"""Which decisions or rows are looked at: the options that every command over a log or a table has."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import wraps
from typing import Any

import click

from adjudge.errors import EvaluationError
from adjudge.expr.functions import zone as zone_of
from adjudge.policy.slices import Slice

_END = datetime.max.replace(tzinfo=UTC)
_TIME = re.compile(
    r"(?P<day>\d{4}-\d\d-\d\d)(?:[T ](?P<clock>\d\d:\d\d(?::\d\d(?:\.\d{1,6})?)?))?"
    r" ?(?P<zone>Z|UTC|[+-]\d\d:\d\d|[A-Za-z][\w/+-]*)?",
    re.ASCII,
)
_AGO = re.compile(r"(\d{1,6})(m|h|d|w)", re.ASCII)
_UNITS = {"m": "minutes", "h": "hours", "d": "days", "w": "weeks"}
_FORMS = (
    "2026-03-01 (a day in UTC), 2026-03-01T12:00+08:00 (a time says its zone), 2026-03-01 Asia/Singapore,"
    " or 7d (before now)"
)


class TimeType(click.ParamType):  # type: ignore[type-arg]  # generic in the stubs only
    """A day or a time, in UTC unless it names a zone, or how long ago. until: of a day, the first moment after it."""

    name = "time"

    def __init__(self, *, until: bool = False) -> None:
        self._until = until

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> datetime:
        """Return the moment."""
        if isinstance(value, datetime):
            return value
        said = str(value).strip()
        try:
            return self._read(said)
        except (ValueError, OverflowError, EvaluationError):
            self.fail(f"{said!r} is not a time such as {_FORMS}", param, ctx)

    def _read(self, said: str) -> datetime:
        if ago := _AGO.fullmatch(said):
            return datetime.now(UTC) - timedelta(**{_UNITS[ago[2]]: int(ago[1])})
        found = _TIME.fullmatch(said)
        if found is None:
            raise ValueError(said)
        if found["clock"] is not None and found["zone"] is None:
            raise ValueError("it says no zone")
        zone = UTC if found["zone"] in (None, "Z") else zone_of(found["zone"])
        if found["clock"] is not None:
            return datetime.fromisoformat(f"{found['day']}T{found['clock']}").replace(tzinfo=zone).astimezone(UTC)
        day = datetime.fromisoformat(found["day"])
        if self._until and day.date() == _END.date():
            return _END
        following = day + timedelta(days=1) if self._until else day
        return following.replace(tzinfo=zone).astimezone(UTC)


def slice_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add `--since`, `--until`, `--where` and `--by`, which the command takes as one argument, `wanted`."""
    options = (
        click.option("--since", metavar="TIME", type=TimeType(), help="From this day or time on: 2026-11-01 (UTC),"
                     " 2026-11-01T12:00+08:00, 2026-11-01 Asia/Singapore, or 7d ago."),
        click.option("--until", metavar="TIME", type=TimeType(until=True), help="Up to the end of this day, or before"
                     " this time."),
        click.option("--where", metavar="CONDITION", help="Only where this condition over the policy's fields is true:"
                     " 'country == \"SG\" && device.score >= 40'."),
        click.option("--by", metavar="FIELD", help="Also a table by this field's values; unknown is one of them."),
    )  # fmt: skip

    @wraps(command)  # which keeps the options that stand below
    def sliced(*given: Any, since: Any, until: Any, where: str | None, by: str | None, **others: Any) -> Any:
        if since is not None and until is not None and since >= until:
            raise click.UsageError("--until is not after --since: nothing can be of such a time")
        return command(*given, wanted=Slice(since=since, until=until, where=where, by=by), **others)

    decorated: Callable[..., Any] = sliced
    for option in reversed(options):
        decorated = option(decorated)
    return decorated
