"""`adjudge audit label` and `erase`: what is written into a log afterwards."""

from __future__ import annotations

import json
import os
import pwd
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import date
from pathlib import Path

import click
import msgspec

from adjudge.audit.annotations import LABELS, LabelBody, check_by, check_reason, erasure_body, label_body
from adjudge.audit.bodies import DecisionBody
from adjudge.audit.kinds import bodies
from adjudge.audit.log import AuditLog
from adjudge.audit.vault import Vault
from adjudge.cli.audit.keys import checkpoints_by, key_option, mac_key_option
from adjudge.cli.audit.table import read_table
from adjudge.cli.group import FINE
from adjudge.cli.logs import FolderType
from adjudge.cli.output import JSON, counted, format_option, print_json, say
from adjudge.errors import LogInUse
from adjudge.frozen import frozen

COLUMNS = ("decision_id", "merchant_biz_id", "label", "on", "source", "note")
folder_argument = click.argument("log", type=FolderType())
_file = click.Path(exists=True, dir_okay=False, path_type=Path)


def _account() -> str:
    """Return the name of the account that this process runs as, which no variable of the environment can change."""
    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        return str(os.getuid())


by_option = click.option(
    "--by", default=_account, show_default="your account's name", help="Who does this; it is recorded."
)


@frozen
class _Row:
    """A label as it was asked for, by column. where: for errors."""

    where: str
    said: Mapping[str, str]


@contextmanager
def writing(log: Path, key: Path | None, mac_key: Path | None, live: str = "") -> Iterator[AuditLog]:
    """Open a log that nobody else writes. live: the call by which an engine that writes it does the same.

    Raises LogInUse where one does, AuditUnavailable, AuditBroken.
    """
    try:
        opening = AuditLog.open(log, checkpoints=checkpoints_by(key, mac_key))
    except LogInUse:
        first = f"call {live} in the program that does, or " if live else ""
        raise LogInUse(f"{log}: an engine writes this log; {first}stop it for as long as this takes") from None
    with opening as opened:
        opened.require_proof()
        yield opened


@click.command("label")
@folder_argument
@click.argument("decision_id", required=False)
@click.argument("label", required=False, type=click.Choice(LABELS))
@click.option("--source", help="Who says so, such as chargeback.")
@click.option("--on", "found_on", type=click.DateTime(["%Y-%m-%d"]), help="The day it was found; today unless given.")
@click.option("--note", default="", help="Anything more.")
@click.option("--from", "table", type=_file, help=f"Labels in a CSV file with the columns {', '.join(COLUMNS)}.")
@by_option
@key_option
@mac_key_option
@format_option
def label_command(
    log: Path,
    decision_id: str | None,
    label: str | None,
    source: str | None,
    found_on: object,
    note: str,
    table: Path | None,
    by: str,
    key: Path | None,
    mac_key: Path | None,
    form: str,
) -> int:
    """Record what was later found out about decisions.

    One of them by its DECISION_ID, or many from a table; there a row may name a merchant_biz_id instead, and means its
    newest decision. All rows are looked at before anything is written. The newest label of a decision counts.
    """
    if table is None:
        if decision_id is None or label is None or source is None:
            raise click.UsageError("name a DECISION_ID, its LABEL and the --source, or a table --from")
        day = str(found_on)[:10] if found_on is not None else ""
        row = {"decision_id": decision_id, "label": label, "on": day, "source": source, "note": note}
        rows = [_Row("the label", row)]
    else:
        rows = [_Row(place, said) for place, said in read_table(table, COLUMNS, ("label", "source"))]
    labels = _labels(log, rows, by)
    with writing(log, key, mac_key, "`engine.label(…)`") as opened:
        for body in labels:
            opened.write_blocking("label", body)
    if form == JSON:
        print_json([msgspec.to_builtins(body) for body in labels])
    else:
        say(counted(len(labels), "label"))
    return FINE


def _labels(log: Path, rows: list[_Row], by: str) -> list[LabelBody]:
    """Return the records of labels. Raises a usage error that names every row that cannot be one."""
    wanted = {row.said.get(name, "") for row in rows for name in ("decision_id", "merchant_biz_id")} - {""}
    decisions: dict[str, str] = {}
    newest: dict[str, str] = {}
    for _, body in bodies(log, DecisionBody):
        if body.decision_id in wanted:
            decisions[body.decision_id] = body.merchant_biz_id
        if body.merchant_biz_id in wanted:
            newest[body.merchant_biz_id] = body.decision_id
            decisions[body.decision_id] = body.merchant_biz_id
    labels, wrong = [], []
    for one in rows:
        row = one.said
        said = row.get("decision_id") or newest.get(row.get("merchant_biz_id", ""), "")
        try:
            if said not in decisions:
                asked = row.get("decision_id") or row.get("merchant_biz_id") or ""
                raise ValueError(f"there is no decision {asked} in {log}")
            day = date.fromisoformat(row["on"]) if row.get("on") else None
            source, note = row.get("source", ""), row.get("note", "")
            labels.append(
                label_body(said, decisions[said], row.get("label", ""), source=source, by=by, found_on=day, note=note)
            )
        except ValueError as error:
            wrong.append(f"{one.where}: {error}")
    if wrong:
        more = f"\nand {len(wrong) - 10} more" if len(wrong) > 10 else ""
        raise click.UsageError("nothing was written\n" + "\n".join(wrong[:10]) + more)
    return labels


@click.command("erase")
@folder_argument
@click.option("--merchant-biz-id", multiple=True, metavar="ID", help="Whose values; may be given several times.")
@click.option("--input", "values", multiple=True, metavar="NAME=VALUE", help="Everybody with this personal value.")
@click.option("--reason", default="", help="Why; it is recorded.")
@click.option("--dry-run", is_flag=True, help="Only show what would be erased.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@by_option
@key_option
@mac_key_option
@format_option
def erase_command(
    log: Path,
    merchant_biz_id: tuple[str, ...],
    values: tuple[str, ...],
    reason: str,
    dry_run: bool,
    yes: bool,
    by: str,
    key: Path | None,
    mac_key: Path | None,
    form: str,
) -> int:
    """Erase personal values for good; the chain stays whole, and a record says that it was done.

    NAME is an input, or a field such as device.owner; VALUE is JSON, or else a text.
    """
    if not merchant_biz_id and not values:
        raise click.UsageError("say whose values: --merchant-biz-id ID, or --input NAME=VALUE")
    try:
        check_by(by)
    except ValueError as error:
        raise click.UsageError(f"--by: {error}") from None
    try:
        check_reason(reason)
    except ValueError as error:
        raise click.UsageError(f"--reason: {error}") from None
    with Vault.open(log) as vault:
        found = {subject: vault.names(subject) for subject in (*merchant_biz_id, *_subjects(vault, values))}
        held = {subject: names for subject, names in found.items() if names}
        if form != JSON:
            for subject, names in found.items():
                say(f"{subject}  {', '.join(names) or 'nothing is held'}")
        # A key alone goes too: the values in a copy of the vault open with it.
        left = [subject for subject in found if subject in held or vault.has_key(subject)]
        if left and not dry_run:
            if held and not yes:
                click.confirm(
                    f"erase the values of {counted(len(held), 'MerchantBizId')} for good?", abort=True, err=True
                )
            with writing(log, key, mac_key, "`engine.erase(…)`") as opened:
                for subject in left:
                    if subject in held:
                        opened.write_blocking("erasure", erasure_body(subject, held[subject], by=by, reason=reason))
                    vault.erase(subject)
    if form == JSON:
        print_json({"erased": not dry_run, "subjects": {subject: list(names) for subject, names in found.items()}})
    else:
        say(f"{'would erase' if dry_run else 'erased'} {counted(sum(map(len, held.values())), 'value')}")
    return FINE


def _subjects(vault: Vault, values: tuple[str, ...]) -> Iterator[str]:
    for said in values:
        name, equals, text = said.partition("=")
        if not equals or not name:
            raise click.UsageError(f"write --input NAME=VALUE, not `{said}`")
        try:
            value = json.loads(text)
        except ValueError:
            value = text
        yield from vault.subjects(name, value)
        if value != text:  # a text that looks like a number
            yield from vault.subjects(name, text)
