"""`adjudge replay`: a log's decisions again, by their own policies or by another."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict
from decimal import Decimal
from pathlib import Path

import click

from adjudge.audit.elsewhere import AnyLog
from adjudge.cli.files import check_folder
from adjudge.cli.gates import gate_lines, gate_option, gates_of
from adjudge.cli.group import FINDINGS, FINE
from adjudge.cli.logs import log_argument
from adjudge.cli.output import JSON, counted, format_option, print_json, say
from adjudge.cli.progress import progress_bar, size_of
from adjudge.cli.rows import Column, check_rows, moved_by, write_rows
from adjudge.cli.settings import Settings
from adjudge.cli.slices import slice_options
from adjudge.errors import NothingRead
from adjudge.model import OUTCOMES
from adjudge.policy.explaining.scorecard_moves import MOVED_BY, causes, data_of, most
from adjudge.policy.slices import Slice
from adjudge.registry import load_policy
from adjudge.replay.gates import OF_REPLAY, failed_gates, values_of_replay
from adjudge.replay.logs import ReplayedLine, ReplayTally, replay_all
from adjudge.replay.segment_report import segment_data, segment_lines
from adjudge.values.recorded import to_json

_ANSWERS = ("identical", "different", "erased", "not replayable")


@click.command("replay")
@log_argument
@click.option(
    "--policy",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Decide by this policy instead: what would have happened.",
)
@click.option("--verbose", is_flag=True, help="Show every decision, not only those that differ.")
@click.option("--jobs", type=click.IntRange(1, 64), default=1, show_default=True, help="Processes that decide.")
@click.option(
    "--state",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Continue where an earlier replay with this file stopped, and save how far this one got.",
)
@click.option("-o", "--output", type=click.Path(dir_okay=False, path_type=Path),
              help="Write what differs or moves, with --verbose all, to this .csv, .xlsx or .parquet.")  # fmt: skip
@gate_option
@slice_options
@format_option
@click.pass_obj
def command(
    settings: Settings,
    log: AnyLog,
    policy: Path | None,
    verbose: bool,
    jobs: int,
    state: Path | None,
    output: Path | None,
    fail_if: tuple[str, ...],
    wanted: Slice,
    form: str,
) -> int:
    """Make a log's decisions again.

    LOG is an audit log's folder, or one of its files. Exit status 0 only if all decisions come out the same: every
    part of the verdict, or with --policy the outcome. Those that hang on what was erased, as a record says, are
    counted apart. With --fail-if, exit status 1 only if a gate fails.
    """
    for file in (state, output):
        check_folder(file)
    if output is not None:
        check_rows(output)
    gates = gates_of(fail_if, OF_REPLAY)
    registry = settings.registry()
    new = load_policy(policy, registry=registry) if policy is not None else None
    catalogue = registry.catalogue()

    rows: list[list[object]] = []

    def tell(one: ReplayedLine) -> None:
        if output is not None and (new is None or one.old is not one.new or verbose):
            rows.append(_row(one))
        if form == JSON and (new is None or one.old is not one.new or verbose):
            print_json(_decision(one) if new is None else _move(one), indent=None)
        elif new is None:
            say(*_lines(one))

    with progress_bar("replaying", size_of(log)) as bar:
        tally = replay_all(
            log,
            policy=new,
            functions=catalogue.functions,
            providers=catalogue.providers,
            jobs=jobs,
            state=state,
            is_verbose=verbose,
            wanted=wanted,
            tell=tell,
            progress=bar,
        )
    told = tally.sliced.sliced(wanted) if not wanted.is_all else None
    if not tally.total:
        raise NothingRead(
            f"{log}: holds no decision" if told is None or not told.of else f"{log}: no decision is in the slice {told}"
        )
    if form != JSON and told is not None:
        say(f"slice {told}")
    more: dict[str, object] = {"slice": asdict(told)} if told is not None else {}
    more |= {"by": wanted.by, "segments": segment_data(tally.segments)} if wanted.by is not None else {}
    failed = failed_gates(gates, values_of_replay(tally, is_what_if=new is not None))
    more |= {"failed_gates": list(failed)} if gates else {}
    status = _again(tally, form, more) if new is None else _what_if(tally, form, verbose, more)
    if form != JSON and wanted.by is not None:
        say("", *segment_lines(wanted.by, tally.segments, has_moved=new is not None))
    if output is not None:
        say(write_rows(output, _COLUMNS, rows), err=form == JSON)
    if gates:  # which say what is a failure, in place of any difference
        if form != JSON:
            say(*gate_lines(failed))
        return FINDINGS if failed else FINE
    return status


_COLUMNS = (
    Column("seq", "int"), Column("decision_id"), Column("merchant_biz_id"), Column("at", "time"), Column("policy"),
    Column("answer"), Column("before"), Column("after"), Column("came", "texts"), Column("went", "texts"),
    Column("scorecard", "texts"), Column("missing"), Column("differences"),
)  # fmt: skip


def _row(one: ReplayedLine) -> list[object]:
    after = one.new.value if one.new is not None else None
    said = "; ".join(f"{name}: {_said(old)} → {_said(new)}" for name, old, new in one.differences)
    facts = [one.seq, one.decision_id, one.merchant_biz_id, one.at, one.policy, one.answer, one.old.value, after]
    return [*facts, *moved_by(one.rules, one.scorecards), one.missing, said or None]


def _lines(one: ReplayedLine) -> Iterator[str]:
    yield f"record {one.record}, decision {one.decision_id}: {one.answer}"
    if one.missing:
        yield f"  {one.missing}"
    for name, recorded, recomputed in one.differences:
        yield f"  {name}: recorded {_said(recorded)}, recomputed {_said(recomputed)}"


def _again(tally: ReplayTally, form: str, more: Mapping[str, object]) -> int:
    total, answers = tally.total, tally.answers
    same = answers.get("identical", 0)
    if form == JSON:
        counts = {answer: answers.get(answer, 0) for answer in _ANSWERS}
        print_json({"decisions": total, **counts, **more}, indent=None)
    else:
        others = [f"{answers[answer]} {answer}" for answer in _ANSWERS[1:] if answers.get(answer)]
        say(", ".join([f"{same} of {counted(total, 'decision')} identical", *others]))
    return FINE if same + answers.get("erased", 0) == total else FINDINGS


def _what_if(tally: ReplayTally, form: str, verbose: bool, more: Mapping[str, object]) -> int:
    lost = tally.answers.get("not replayable", 0)
    if form == JSON:
        matrix = {old.value: {new.value: tally.count(old, new) for new in OUTCOMES} for old in OUTCOMES}
        erased = tally.answers.get("erased", 0)
        facts = {"decisions": tally.total, "changed": tally.changed, "erased": erased, "not replayable": lost}
        cost = {"recorded": tally.recorded_cost, "then": tally.cost, "untold": dict(tally.untold)}
        rules = dict(_most(tally.by_rule))
        card = dict(_most(tally.by_scorecard))
        print_json({**facts, "matrix": matrix, "rules": rules, "scorecard": card, "cost": cost, **more}, indent=None)
    else:
        say(*_matrix(tally, verbose))
    return FINDINGS if tally.changed or lost else FINE


def _matrix(tally: ReplayTally, verbose: bool) -> Iterator[str]:
    yield f"{tally.changed} of {counted(tally.total, 'decision')} would change"
    yield ""
    yield f"  {'old':<8}" + "".join(f"{f'→ {new}':>10}" for new in OUTCOMES)
    for old in OUTCOMES:
        yield f"  {old:<8}" + "".join(f"{tally.count(old, new) or '·':>10}" for new in OUTCOMES)
    if moved_by := most(tally.by_rule, tally.by_scorecard):
        yield ""
        yield MOVED_BY
        for cause, count in moved_by:
            yield f"  {count:>5}  {cause}"
    yield from _cost(tally)
    for cell in sorted(tally.cells.values(), key=lambda cell: (cell.old, cell.new)):
        if cell.old is not cell.new or verbose:
            yield ""
            yield f"{cell.old} → {cell.new}, {counted(cell.count, 'decision')}, such as:"
            for one in cell.examples:
                yield f"  record {one.record}, decision {one.decision_id}  {causes(one.rules, one.scorecards)}".rstrip()
    if erased := tally.answers.get("erased", 0):
        yield ""
        yield f"{counted(erased, 'decision')} cannot be decided: what they depend on was erased, as the log says"
    if tally.lost:
        yield ""
        yield f"not replayable, {counted(tally.answers['not replayable'], 'decision')}:"
        for one in tally.lost:
            yield f"  record {one.record}, decision {one.decision_id}: {one.missing}"


def _cost(tally: ReplayTally) -> Iterator[str]:
    if not tally.recorded_cost and not tally.cost:
        return
    then = "unknown: a provider of the policy is not installed" if tally.cost is None else _money(tally.cost)
    yield ""
    yield f"cost of provider calls: recorded {_money(tally.recorded_cost)}, then {then}"
    if tally.untold:
        said = ", ".join(f"{signal} {count}" for signal, count in _most(tally.untold))
        yield f"  of these calls the log holds no answer, so it was unknown here: {said}"


def _most(counts: Mapping[str, int]) -> list[tuple[str, int]]:
    return sorted(counts.items(), key=lambda one: -one[1])


def _money(amounts: Mapping[str, Decimal]) -> str:
    return ", ".join(f"{amount} {currency}" for currency, amount in sorted(amounts.items())) or "nothing"


def _move(one: ReplayedLine) -> dict[str, object]:
    new = one.new.value if one.new is not None else None
    data = {**_at(one), "decision_id": one.decision_id, "old": one.old.value, "new": new}
    return {**data, "rules": list(one.rules), **data_of(one.scorecards), "missing": one.missing}


def _at(one: ReplayedLine) -> dict[str, object]:
    return {"seq": one.seq, **({"chain": one.chain} if one.chain else {})}


def _decision(one: ReplayedLine) -> dict[str, object]:
    return {
        **_at(one),
        "decision_id": one.decision_id,
        "answer": one.answer,
        "missing": one.missing,
        "differences": [
            {"what": name, "recorded": to_json(old), "recomputed": to_json(new)} for name, old, new in one.differences
        ],
    }


def _said(value: object) -> str:
    if isinstance(value, tuple | list):
        return ", ".join(_said(item) for item in value) or "none"
    return "none" if value is None else str(value)
