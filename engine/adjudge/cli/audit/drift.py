"""`adjudge audit drift`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import asdict, replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from adjudge.audit.bodies import PolicyBody
from adjudge.audit.kinds import bodies
from adjudge.cli.extras import extra
from adjudge.cli.files import check_folder, write_file
from adjudge.cli.group import FINDINGS, FINE
from adjudge.cli.logs import Data, DataType, is_log
from adjudge.cli.output import JSON, format_option, print_json, say
from adjudge.cli.settings import Settings
from adjudge.cli.slices import slice_options
from adjudge.cli.tables import Table, table_options
from adjudge.frozen import frozen
from adjudge.policy.loading.load import read_policy_file
from adjudge.policy.policy import Policy
from adjudge.policy.slices import Slice, segment_slot
from adjudge.replay.decisions import load_recorded

if TYPE_CHECKING:
    from adjudge.backtest.drift import Drift, Window

TOO_FEW = "its calibration set has too few rows"


@click.command("drift")
@click.argument("data", type=DataType())
@click.option(
    "--policy",
    "policy_file",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Whose fields to check.  [default: the log's last policy]",
)
@click.option("--reference", type=DataType(), help="The calibration set, as data of the same kind.")
@click.option(
    "--before",
    type=click.DateTime(["%Y-%m-%d"]),
    help="The calibration set is what came before this day.  [default: the policy's newest `calibration`]",
)
@click.option("--window", "days", type=click.IntRange(1, 366), default=7, show_default=True, help="Days of a window.")
@click.option(
    "--psi", type=click.FloatRange(min=0), default=0.25, show_default=True, help="Alarm at this PSI or above."
)
@click.option("--ks", type=click.FloatRange(0, 1), default=0.2, show_default=True, help="Alarm at this KS or above.")
@click.option(
    "--unknown",
    type=click.FloatRange(0, 1),
    default=0.1,
    show_default=True,
    help="Alarm if the field is missing from this share more of the rows.",
)
@click.option("--verbose", is_flag=True, help="Show every window, not only the newest.")
@click.option(
    "--metrics",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Write the newest window's numbers to this file, for Prometheus' textfile collector.",
)
@table_options
@slice_options
@format_option
@click.pass_obj
def drift_command(
    settings: Settings,
    data: Data,
    policy_file: Path | None,
    reference: Data | None,
    before: datetime | None,
    days: int,
    psi: float,
    ks: float,
    unknown: float,
    verbose: bool,
    metrics: Path | None,
    table: Table,
    wanted: Slice,
    form: str,
) -> int:
    """Say which fields have moved away from what the thresholds were set on.

    DATA is a log, an export, or Parquet or CSV with a time. Each window of days is held against the calibration set:
    PSI, KS, and the share of rows without the field. Exit status 1 where a field's newest window raises an alarm;
    segments (--by) are shown, and raise none. --since and --until say which windows, --where which rows of both sets.
    """
    with extra("backtest"):
        from adjudge.backtest.drift import Sets, drift, drift_by
        from adjudge.backtest.slices import sliced
    check_folder(metrics)
    policy = _policy(settings, data, policy_file)
    day = before.date() if before is not None else None
    if day is None and reference is None:
        day = max((one.on for one in policy.typed.calibration.values()), default=None)
        if day is None:
            raise click.UsageError("say what the calibration set is: --reference DATA or --before DAY")
    registry = settings.registry()
    slot = segment_slot(policy, wanted.by) if wanted.by is not None else None
    always = replace(wanted, since=None, until=None)  # times are of the windows; the calibration set has its own
    with ExitStack() as stack:
        connection = stack.enter_context(table.connected())
        (whole,) = stack.enter_context(table.opened(connection, registry, [policy], data, always))
        (found,) = sliced(connection, [whole], policy, replace(wanted, where=None))
        before_ = whole
        if reference is not None:
            (before_,) = stack.enter_context(table.opened(connection, registry, [policy], reference, always))
        sets = Sets(found, before_, until=day, has_reference=reference is not None, days=days)
        drifts = drift(connection, policy.typed, sets)
        by = drift_by(connection, policy.typed, sets, slot) if slot is not None else {}
    limits = _Limits(psi, ks, unknown)
    alarms = [one for one in drifts if one.windows and limits.are_passed(one.windows[-1], one)]
    if metrics is not None:
        write_file(metrics, "".join(f"{line}\n" for line in _metrics(policy.name, drifts, limits)))
    if form == JSON:
        names, fields = [one.field for one in alarms], [asdict(one) for one in drifts]
        more: dict[str, object] = {"slice": str(wanted) if not wanted.is_all else None}
        if slot is not None:
            more |= {"by": slot, "segments": {name: [asdict(one) for one in part] for name, part in by.items()}}
        print_json({"policy": policy.name, "alarms": names, "absent": list(found.absent), "fields": fields, **more})
    else:
        for one in (whole.sliced, found.sliced):
            if one is not None:
                say(f"slice {one}")
        say(*_text(drifts, limits, verbose))
        for name, part in by.items():
            say("", f"{slot}: {name}", *(_text(part, limits, verbose) if part else [TOO_FEW]))
        if found.absent:
            say(f"not in the data: {', '.join(found.absent)}")
        said = f"PSI {psi:g}, KS {ks:g} or {unknown:.0%} more unknown, and more"
        say(f"{len(alarms)} of {len(drifts)} fields have drifted: {said}")
    return FINDINGS if alarms else FINE


def _policy(settings: Settings, data: Data, file: Path | None) -> Policy:
    catalogue = settings.catalogue()
    if file is not None:
        return Policy(read_policy_file(file, catalogue), catalogue.overloads())
    if not is_log(data):
        raise click.UsageError(f"{data} is not a log: say whose fields to check, --policy POLICY")
    last: PolicyBody | None = None
    for _, body in bodies(data, PolicyBody):
        last = body
    if last is None:
        raise click.UsageError(f"{data} has no policy yet")
    policy = load_recorded(last, catalogue.functions)
    if isinstance(policy, str):
        raise click.UsageError(f"the log's policy {last.policy} is not available ({policy}): name one, --policy POLICY")
    return policy


@frozen
class _Limits:
    psi: float
    ks: float
    unknown: float

    def are_passed(self, window: Window, of: Drift) -> bool:
        """Whether a window raises an alarm; that a field is lost is one too."""
        moved = (window.psi or 0.0) >= self.psi or (window.ks or 0.0) >= self.ks
        return moved or window.unknown - of.unknown >= self.unknown


def _text(drifts: Sequence[Drift], limits: _Limits, verbose: bool) -> Iterator[str]:
    width = max([len("field"), *(len(one.field) for one in drifts)]) + 2
    yield f"{'field':<{width}}{'window from':<13}{'rows':>10}{'PSI':>9}{'KS':>8}{'unknown':>10}{'before':>9}"
    for one in sorted(drifts, key=lambda one: -(one.windows[-1].psi or 0.0) if one.windows else 0.0):
        for window in one.windows if verbose else one.windows[-1:]:
            numbers = "".join(
                f"{'–' if value is None else f'{value:.3f}':>{size}}"
                for value, size in ((window.psi, 9), (window.ks, 8))
            )
            alarm = "  drifted" if limits.are_passed(window, one) else ""
            line = f"{one.field:<{width}}{window.begins!s:<13}{window.rows:>10,}{numbers}"
            yield f"{line}{window.unknown:>10.1%}{one.unknown:>9.1%}{alarm}"
        if not one.windows:
            yield f"{one.field:<{width}}no window has enough rows"


def _label(text: str) -> str:
    """Return a text as a label's value has it."""
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:.3f}"


def _metrics(policy: str, drifts: Sequence[Drift], limits: _Limits) -> Iterator[str]:
    """Yield the newest windows in Prometheus' text format."""
    told = {
        "psi": "Population stability index of a field against the calibration set.",
        "ks": "Largest distance of cumulative shares of a field and of its calibration set, 0 to 1.",
        "unknown_ratio": "Share of decisions without the field, 0 to 1.",
        "alarm": "1 where the field has drifted.",
    }
    for name, help_ in told.items():
        yield f"# HELP adjudge_drift_{name} {help_}"
        yield f"# TYPE adjudge_drift_{name} gauge"
        for one in drifts:
            if one.windows:
                last = one.windows[-1]
                alarm = float(limits.are_passed(last, one))
                value = {"psi": last.psi, "ks": last.ks, "unknown_ratio": last.unknown, "alarm": alarm}[name]
                if value is not None:
                    yield f'adjudge_drift_{name}{{policy="{_label(policy)}",field="{_label(one.field)}"}} {value:.6g}'
