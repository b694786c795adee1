"""When the thresholds of a policy were last set by data."""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import field
from datetime import date, timedelta

from adjudge.errors import EvaluationError, did_you_mean
from adjudge.frozen import frozen
from adjudge.patterns import late
from adjudge.policy.loading.forms import Entries
from adjudge.policy.loading.reader import Reader
from adjudge.policy.text.syntax import shown
from adjudge.policy.text.yaml import Scalar, YamlNode
from adjudge.policy.typed import Calibration
from adjudge.values.literals import parse_duration

CALIBRATION_KEYS = ("on", "valid_for", "source")

_DATE = late(r"\d{4}-\d{2}-\d{2}", re.ASCII)


@frozen
class Calibrations:
    """Reads `calibration`. fields: what can be calibrated, by full name."""

    reader: Reader
    fields: Collection[str]
    found: dict[str, Calibration] = field(default_factory=dict)

    def read(self, entries: Entries) -> dict[str, Calibration]:
        """Return calibrations by field."""
        for name, (key, node) in entries.items():
            if name not in self.fields:
                hint = did_you_mean(name, self.fields)
                self.reader.blame("name-unknown", f"there is no field `{shown(name)}`", key.span, hint)
            elif isinstance(node, Scalar):
                self.keep(name, key, self.day(node), None, "")
            else:
                self.mapping(name, key, node)
        return self.found

    def mapping(self, name: str, key: Scalar, node: YamlNode) -> None:
        """Read `{on: 2026-08-01, valid_for: 180d, source: …}`."""
        parts = self.reader.mapping(node, "a calibration", keys=CALIBRATION_KEYS, required=("on",), at=key.span)
        on = self.day(parts["on"][1]) if "on" in parts else None
        valid_for = self.length(parts["valid_for"][1]) if "valid_for" in parts else None
        source = self.reader.text(parts["source"][1], "`source`") if "source" in parts else None
        self.keep(name, key, on, valid_for, source or "")

    def keep(self, name: str, key: Scalar, on: date | None, valid_for: timedelta | None, source: str) -> None:
        """Keep a calibration that has a day."""
        if on is not None:
            self.found[name] = Calibration(field=name, on=on, valid_for=valid_for, source=source, span=key.span)

    def day(self, node: YamlNode) -> date | None:
        """Read a day."""
        said = self.reader.text(node, "a calibration's day")
        try:
            if said is not None and _DATE.fullmatch(said):
                return date.fromisoformat(said)
        except ValueError:
            pass
        if said is not None:
            self.reader.blame("schema-value", "a calibration's day must be a date", node.span, "for example 2026-08-01")
        return None

    def length(self, node: YamlNode) -> timedelta | None:
        """Read a length such as `180d` or `4320h`."""
        said = self.reader.text(node, "`valid_for`")
        if said is None:
            return None
        try:
            length = parse_duration(said)
        except EvaluationError:
            length = timedelta()
        if length <= timedelta():
            self.reader.blame("schema-value", "`valid_for` must be a duration", node.span, "for example 180d")
            return None
        return length
